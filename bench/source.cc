#include "source.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#include "picture.h"

namespace stoa::bench {
namespace {

constexpr int kVideoPipeBytes = 1 << 20;
constexpr std::int64_t kSecond = 1'000'000'000;

bool write_all(int fd, const void* data, std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    ssize_t wrote = write(fd, at, size);
    if (wrote < 0 && errno == EINTR && !stop_asked()) continue;
    if (wrote <= 0) return false;
    at += wrote;
    size -= static_cast<std::size_t>(wrote);
  }
  return true;
}

void sleep_until(std::int64_t time_ns) {
  timespec until{time_ns / kSecond, time_ns % kSecond};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

// Both streams are paced against one start, so that the tone stays in step with the picture whatever the
// reader does.
class Producer {
 public:
  Producer(const SourceOptions& options, int video_fd, int audio_fd)
      : options_(options), video_fd_(video_fd), audio_fd_(audio_fd) {
    frames_ = options.seconds > 0 ? std::llround(options.seconds * options.frames_per_second) : -1;
  }

  // Writes the first frame before the clock starts: an encoder takes its time to open its inputs, and what
  // it would have to catch up on would show as delay of the server.
  void run() {
    char header[96];
    int length = std::snprintf(header, sizeof header, "YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420jpeg\n",
                               options_.width, options_.height, options_.frames_per_second);
    start_unix_ms_ = unix_ms();
    if (!write_all(video_fd_, header, static_cast<std::size_t>(length)) || !write_video(0)) return;
    if (audio_fd_ >= 0 && !write_audio(0)) return;
    start_ns_ = now_ns();
    start_unix_ms_ = unix_ms();
    std::thread audio;
    if (audio_fd_ >= 0) {
      audio = std::thread([this] {
        for (std::int64_t frame = 1; more(frame); ++frame) {
          pace(frame);
          if (!write_audio(frame)) break;
        }
        close(audio_fd_);
      });
    }
    for (std::int64_t frame = 1; more(frame); ++frame) {
      pace(frame);
      if (!write_video(frame)) break;
    }
    close(video_fd_);
    if (audio.joinable()) audio.join();
  }

 private:
  bool more(std::int64_t frame) const { return !stop_asked() && (frames_ < 0 || frame < frames_); }
  void pace(std::int64_t frame) const {
    if (!options_.as_fast_as_possible) sleep_until(start_ns_ + frame * kSecond / options_.frames_per_second);
  }

  bool write_video(std::int64_t frame) {
    std::int64_t clock =
        options_.as_fast_as_possible ? start_unix_ms_ + frame * 1000 / options_.frames_per_second : unix_ms();
    Stamp stamp{static_cast<std::uint8_t>(options_.source), static_cast<std::uint32_t>(frame) & 0xFFFFFF,
                static_cast<std::uint32_t>(clock)};
    auto picture = painter_.paint(stamp, clock);
    return write_all(video_fd_, "FRAME\n", 6) && write_all(video_fd_, picture.data(), picture.size());
  }

  bool write_audio(std::int64_t frame) {
    std::int64_t first = frame * kToneRate / options_.frames_per_second;
    std::int64_t end = (frame + 1) * kToneRate / options_.frames_per_second;
    tone_.resize(static_cast<std::size_t>(end - first) * kToneChannels);
    write_tone(first, static_cast<std::size_t>(end - first), tone_);
    return write_all(audio_fd_, tone_.data(), tone_.size() * sizeof tone_[0]);
  }

  const SourceOptions& options_;
  int video_fd_, audio_fd_;
  std::int64_t frames_ = -1;
  std::int64_t start_ns_ = 0, start_unix_ms_ = 0;
  Painter painter_{options_.width, options_.height, options_.frames_per_second};
  std::vector<std::int16_t> tone_;
};

struct Child {
  pid_t pid = -1;
  Fd video, audio;
};

Result<Child, Failure> start_program(const std::vector<std::string>& command) {
  int video[2], audio[2];
  if (pipe2(video, O_CLOEXEC) != 0 || pipe2(audio, O_CLOEXEC) != 0) {
    return refuse(Failure("pipe: ") + std::strerror(errno));
  }
  Child child;
  child.video.reset(video[1]);
  child.audio.reset(audio[1]);
  Fd video_end(video[0]), audio_end(audio[0]);
  fcntl(video[1], F_SETPIPE_SZ, kVideoPipeBytes);
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t parent = getpid();
  child.pid = fork();
  if (child.pid < 0) return refuse(Failure("fork: ") + std::strerror(errno));
  if (child.pid == 0) {
    // The program must not outlive us: a test that kills us means the whole encoder.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(126);
    std::signal(SIGPIPE, SIG_DFL);
    // Both ends are moved out of the way first, since either may already be 0 or 3.
    int video_copy = fcntl(video[0], F_DUPFD_CLOEXEC, 10), audio_copy = fcntl(audio[0], F_DUPFD_CLOEXEC, 10);
    if (dup2(video_copy, 0) != 0 || dup2(audio_copy, 3) != 3) _exit(126);
    execvp(arguments[0], arguments.data());
    std::fprintf(stderr, "cannot start %s: %s\n", arguments[0], std::strerror(errno));
    _exit(127);
  }
  return child;
}

// The program sees end of file and may finish what it holds; one that does not is ended.
int wait_for_program(pid_t pid) {
  constexpr std::int64_t kPatience = 5 * kSecond, kLook = kSecond / 50;
  std::int64_t deadline = now_ns() + kPatience;
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (now_ns() > deadline) {
      kill(pid, SIGKILL);
      waitpid(pid, &status, 0);
      break;
    }
    sleep_until(now_ns() + kLook);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

std::vector<std::string> encoder_command(const SourceOptions& source, const EncoderOptions& encoder) {
  auto gop = std::to_string(std::lround(encoder.keyframe_seconds * source.frames_per_second));
  auto rate = std::to_string(encoder.video_kbps) + "k";
  std::string x264 = "scenecut=0:rc-lookahead=0:sync-lookahead=0:sliced-threads=1";
  return {"ffmpeg",
          "-hide_banner",
          "-loglevel",
          "error",
          "-nostdin",
          "-y",
          "-probesize",
          "32",
          "-analyzeduration",
          "0",
          "-thread_queue_size",
          "64",
          "-f",
          "yuv4mpegpipe",
          "-i",
          "pipe:0",
          "-thread_queue_size",
          "256",
          "-f",
          "s16le",
          "-ar",
          std::to_string(kToneRate),
          "-ac",
          std::to_string(kToneChannels),
          "-i",
          "pipe:3",
          "-map",
          "0:v",
          "-map",
          "1:a",
          "-vsync",
          "passthrough",
          "-c:v",
          "libx264",
          "-preset",
          encoder.preset,
          "-tune",
          "zerolatency",
          "-x264-params",
          x264,
          "-threads",
          "1",
          "-pix_fmt",
          "yuv420p",
          "-g",
          gop,
          "-keyint_min",
          gop,
          "-bf",
          std::to_string(encoder.b_frames),
          "-b:v",
          rate,
          "-maxrate",
          rate,
          "-bufsize",
          rate,
          "-c:a",
          "aac",
          "-b:a",
          std::to_string(encoder.audio_kbps) + "k",
          "-flush_packets",
          "1",
          "-flvflags",
          "no_duration_filesize",
          "-f",
          encoder.format,
          encoder.url};
}

Result<int, Failure> run_source(const SourceOptions& options) {
  if (options.command.empty()) {
    Fd audio;
    if (!options.audio_path.empty()) {
      audio.reset(open(options.audio_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
      if (!audio.valid()) return refuse("cannot write " + options.audio_path + ": " + std::strerror(errno));
    }
    Producer(options, STDOUT_FILENO, audio.release()).run();
    return 0;
  }
  STOA_TRY(Child child, start_program(options.command));
  Producer(options, child.video.release(), child.audio.release()).run();
  return wait_for_program(child.pid);
}

}  // namespace stoa::bench
