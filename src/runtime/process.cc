#include "runtime/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "runtime/loop.h"
#include "runtime/timer.h"

namespace stoa::runtime {
namespace {

enum Watched : std::uint64_t { kExit, kLines };

// Read at a time and in so long: a child that floods is slowed down, the loop is not.
constexpr std::size_t kReadBytes = 16u << 10;
constexpr Duration kReadPause = Duration::milliseconds(5);
// After its end: what a pipe can hold, however many others write to it.
constexpr int kLastReads = 8;
// A killed process is gone as soon as its memory is given back, unless a driver holds it.
constexpr Duration kKilledAfter = Duration::seconds(2);

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { reset(); }
  void reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  bool is_set() const { return fd_ >= 0; }
  int get() const { return fd_; }

 private:
  int fd_;
};

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    out = Descriptor(ends[0]);
    in = Descriptor(ends[1]);
  }
  Descriptor out, in;
};

// The text as a file of no name, at its beginning: nobody has to wait until the child has read it.
Descriptor file_of(const std::string& text) {
  if (text.empty()) return Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  Descriptor file(::memfd_create("stdin", MFD_CLOEXEC));
  bool is_written = ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  return is_written && ::lseek(file.get(), 0, SEEK_SET) == 0 ? std::move(file) : Descriptor();
}

// What the child needs to become what it shall be; made before, since it may not allocate.
struct Birth {
  char* const* arguments;
  const ProcessLimits& limits;
  std::string_view oom_score_adj;  // As it is written to /proc.
  pid_t parent;
  int stdin_fd, output_fd, stderr_fd;
  int failure_fd;  // Takes errno of an exec that failed, and is closed by one that did not.
};

// Never takes more than the server itself may.
void set_limit(decltype(RLIMIT_CORE) resource, rlim_t wanted) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) == 0) wanted = std::min(wanted, limit.rlim_max);
  limit.rlim_cur = limit.rlim_max = wanted;
  ::setrlimit(resource, &limit);
}

// In the child, on the memory of the parent, which stands still: system calls only.
[[noreturn]] void become(const Birth& birth) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != birth.parent) ::_exit(127);
  ::setpgid(0, 0);
  // No handler of the parent's may run here, and a signal that it ignores is not ignored by the child.
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(birth.stdin_fd, 0);
  ::dup2(birth.output_fd, 1);
  ::dup2(birth.stderr_fd, 2);
  // Also what a library opened without O_CLOEXEC.
  ::syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
  set_limit(RLIMIT_CORE, 0);
  if (birth.limits.data_bytes > 0) set_limit(RLIMIT_DATA, birth.limits.data_bytes);
  if (birth.limits.files > 0) set_limit(RLIMIT_NOFILE, birth.limits.files);
  if (birth.limits.nice > 0) (void)!::nice(birth.limits.nice);
  if (birth.limits.has_no_new_privs) ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (birth.limits.oom_score_adj > 0) {
    int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    (void)!::write(file, birth.oom_score_adj.data(), birth.oom_score_adj.size());
  }
  ::execvp(birth.arguments[0], birth.arguments);
  int error = errno;
  (void)!::write(birth.failure_fd, &error, sizeof error);
  ::_exit(127);
}

// A function of its own: what returns twice keeps nothing in registers.
[[gnu::noinline]] pid_t give_birth(const Birth& birth) {
  pid_t pid = ::vfork();
  if (pid == 0) become(birth);
  return pid;
}

std::string refusal(const std::string& program, int error) {
  if (error == ENOENT) return "'" + program + "' is not on the PATH";
  return "cannot run '" + program + "': " + ::strerror(error);
}

// Cuts what comes into lines and counts them.
class LineReader {
 public:
  template <typename Tell>
  void add(std::string_view bytes, Timestamp now, Tell&& tell) {
    for (;;) {
      std::size_t end = bytes.find_first_of("\r\n");
      line_ += bytes.substr(0, std::min(end, Process::kLineBytesMax - line_.size()));
      if (end == std::string_view::npos) return;
      bytes.remove_prefix(end + 1);
      finish_line(now, tell);
    }
  }
  // Nothing more comes.
  template <typename Tell>
  void finish(Timestamp now, Tell&& tell) {
    finish_line(now, tell);
    tell_left_out(tell);
  }

 private:
  template <typename Tell>
  void finish_line(Timestamp now, Tell& tell) {
    if (line_.empty()) return;
    std::string line = std::exchange(line_, {});
    if (now >= second_ends_) {
      second_ends_ = now + Duration::seconds(1);
      told_ = 0;
    }
    if (told_ == Process::kLinesPerSecond) {
      ++left_out_;
      return;
    }
    ++told_;
    tell_left_out(tell);
    tell(line);
  }
  template <typename Tell>
  void tell_left_out(Tell& tell) {
    if (left_out_ > 0) tell("(" + std::to_string(std::exchange(left_out_, 0)) + " lines left out)");
  }

  std::string line_;
  Timestamp second_ends_ = Loop::now();
  int told_ = 0;
  std::uint64_t left_out_ = 0;
};

// Waits until none of `pidfds` is left or it is `end`. Those that are ready become -1.
void await_exits(std::vector<pollfd>& pidfds, Timestamp end) {
  auto is_left = [](const pollfd& wait) { return wait.fd >= 0; };
  while (std::ranges::any_of(pidfds, is_left)) {
    Duration rest = end - Loop::now();
    if (rest < Duration()) return;
    ::poll(pidfds.data(), pidfds.size(), static_cast<int>(rest.ms()) + 1);
    for (pollfd& wait : pidfds)
      if (wait.revents != 0) wait = {-1, 0, 0};
  }
}

}  // namespace

std::string ExitStatus::text() const {
  return signal != 0 ? "was ended by signal " + std::to_string(signal)
                     : "ended with status " + std::to_string(code);
}

struct Process::Impl : WatchHandler, std::enable_shared_from_this<Impl> {
  Impl(Loop& event_loop, ProcessOptions&& process_options)
      : loop(event_loop), options(std::move(process_options)) {}

  // An empty text when it runs.
  std::string start();
  void on_ready(std::uint64_t token, Readiness) override {
    auto kept = shared_from_this();  // A callback may end its owner.
    token == kExit ? see_exit() : read_lines();
  }
  void see_exit();
  void read_lines();
  bool read_once();
  void tell(std::string_view line) {
    if (!is_over) options.on_line(line);
  }
  void close_lines();
  void unwatch();
  // Requires: it has ended, or was killed in vain.
  void let_go();

  Loop& loop;
  ProcessOptions options;
  pid_t pid = -1;
  Descriptor pidfd, lines;
  WatchId exit_watch, lines_watch;
  LineReader reader;
  DeadlineTimer next_read{loop, [this] {
                            auto kept = shared_from_this();
                            read_lines();
                          }};
  bool is_over = false;  // Nothing is told any more.
};

std::string Process::Impl::start() {
  Pipe errors, failure;
  Descriptor input = file_of(options.stdin_text), null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (!errors.in.is_set() || !failure.in.is_set() || !input.is_set() || !null.is_set())
    return std::string("the system refuses another process: ") + ::strerror(errno);
  std::vector<char*> arguments;
  for (auto& argument : options.arguments) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  std::string oom_score_adj = std::to_string(options.limits.oom_score_adj);
  Birth birth{.arguments = arguments.data(),
              .limits = options.limits,
              .oom_score_adj = oom_score_adj,
              .parent = ::getpid(),
              .stdin_fd = input.get(),
              .output_fd = null.get(),
              .stderr_fd = options.on_line ? errors.in.get() : null.get(),
              .failure_fd = failure.in.get()};
  // Until the child has none of the parent's handlers.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pid = give_birth(birth);
  int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return std::string("the system refuses another process: ") + ::strerror(error);

  failure.in.reset();
  if (::read(failure.out.get(), &error, sizeof error) == sizeof error) {
    ::waitpid(pid, nullptr, 0);
    pid = -1;
    return refusal(options.arguments[0], error);
  }
  pidfd = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd.is_set()) exit_watch = loop.watch(pidfd.get(), *this, kExit, Interest::kReadable);
  if (options.on_line) {
    lines = std::move(errors.out);
    ::fcntl(lines.get(), F_SETFL, O_NONBLOCK);
    lines_watch = loop.watch(lines.get(), *this, kLines, Interest::kReadable);
  }
  if (exit_watch.is_set() && (lines_watch.is_set() || !options.on_line)) return {};
  // Who cannot be watched must not run.
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  let_go();
  return "the system cannot watch another process";
}

void Process::Impl::see_exit() {
  int status = 0;
  if (pid < 0) return;
  pid_t seen = ::waitpid(pid, &status, WNOHANG);
  if (seen == 0) return;
  ExitStatus exit;
  if (seen < 0)
    exit.code = -1;  // Somebody else has taken it.
  else if (WIFSIGNALED(status))
    exit.signal = WTERMSIG(status);
  else
    exit.code = WEXITSTATUS(status);
  pid = -1;
  for (int i = 0; i < kLastReads && read_once(); ++i) {
  }
  if (options.on_line) reader.finish(Loop::now(), [this](std::string_view line) { tell(line); });
  let_go();
  if (!std::exchange(is_over, true) && options.on_exit) options.on_exit(exit);
}

void Process::Impl::read_lines() {
  if (next_read.at() == Timestamp::never() && read_once()) next_read.set(Loop::now() + kReadPause);
}

// True when there may be more to read.
bool Process::Impl::read_once() {
  if (!lines.is_set()) return false;
  std::array<char, kReadBytes> bytes;
  ssize_t count = ::read(lines.get(), bytes.data(), bytes.size());
  if (count > 0)
    reader.add({bytes.data(), static_cast<std::size_t>(count)}, Loop::now(),
               [this](std::string_view line) { tell(line); });
  if (count == 0) close_lines();
  return count == static_cast<ssize_t>(bytes.size()) && !is_over;
}

void Process::Impl::close_lines() {
  loop.unwatch(lines_watch);
  lines_watch = {};
  lines.reset();
  next_read.set(Timestamp::never());
}

void Process::Impl::unwatch() {
  loop.unwatch(exit_watch);
  exit_watch = {};
  if (lines.is_set()) close_lines();
}

void Process::Impl::let_go() {
  unwatch();
  pidfd.reset();
  pid = -1;
}

Result<std::unique_ptr<Process>, std::string> Process::start(Loop& loop, ProcessOptions options) {
  auto impl = std::make_shared<Impl>(loop, std::move(options));
  if (auto refused = impl->start(); !refused.empty()) return refuse(std::move(refused));
  return std::unique_ptr<Process>(new Process(std::move(impl)));
}

Process::Process(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Process::~Process() {
  kill(SIGKILL);
  Process* const self[] = {this};
  end_all(self, Duration());
  impl_->is_over = true;
}

bool Process::is_running() const { return impl_->pid > 0; }

int Process::pid() const { return impl_->pid; }

void Process::kill(int signal) {
  if (is_running()) ::kill(impl_->pid, signal);
}

void Process::end_all(std::span<Process* const> processes, Duration patience) {
  std::vector<Impl*> all;
  std::vector<pollfd> pidfds;
  for (Process* process : processes) {
    if (!process->is_running()) continue;
    process->impl_->is_over = true;
    process->impl_->unwatch();
    process->kill(SIGTERM);
    all.push_back(process->impl_.get());
    pidfds.push_back({process->impl_->pidfd.get(), POLLIN, 0});
  }
  await_exits(pidfds, Loop::now() + patience);
  for (std::size_t i = 0; i < all.size(); ++i)
    if (pidfds[i].fd >= 0) ::kill(all[i]->pid, SIGKILL);
  await_exits(pidfds, Loop::now() + kKilledAfter);
  for (Impl* impl : all) {
    ::waitpid(impl->pid, nullptr, WNOHANG);
    impl->let_go();
  }
}

}  // namespace stoa::runtime
