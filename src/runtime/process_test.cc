#include "runtime/process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "runtime/child_process.h"
#include "runtime/log.h"
#include "runtime/test_datagrams.h"

namespace stoa::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A real program and what was told of it.
struct Child {
  explicit Child(TestLoop& test_loop) : loop(test_loop) {}
  bool start(std::vector<std::string> arguments, ProcessLimits limits = {}, std::string stdin_text = {}) {
    ProcessOptions options{.arguments = std::move(arguments),
                           .stdin_text = std::move(stdin_text),
                           .limits = limits,
                           .on_line =
                               [this](std::string_view line) {
                                 lines.emplace_back(line);
                                 loop.check();
                               },
                           .on_exit =
                               [this](ExitStatus status) {
                                 EXPECT_FALSE(exit) << "told twice";
                                 exit = status;
                                 loop.check();
                               }};
    auto started = Process::start(loop.loop, std::move(options));
    if (started)
      process = std::move(*started);
    else
      refusal = started.error();
    return process != nullptr;
  }
  bool start_shell(const std::string& script, ProcessLimits limits = {}, std::string stdin_text = {}) {
    return start({"sh", "-c", script}, limits, std::move(stdin_text));
  }
  bool run_until_exit() {
    return loop.run_until([this] { return exit.has_value(); });
  }
  bool run_until_lines(std::size_t count) {
    return loop.run_until([&] { return lines.size() >= count; });
  }

  TestLoop& loop;
  std::unique_ptr<Process> process;
  std::vector<std::string> lines;
  std::optional<ExitStatus> exit;
  std::string refusal;
};

// Sees the end of a process that is not a child of this one.
class Pidfd {
 public:
  explicit Pidfd(pid_t pid) : fd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  ~Pidfd() { ::close(fd_); }
  Pidfd(const Pidfd&) = delete;
  bool wait_for_end() const {
    pollfd wait{fd_, POLLIN, 0};
    return fd_ >= 0 && ::poll(&wait, 1, 10'000) == 1;
  }

 private:
  int fd_;
};

std::size_t open_descriptors() {
  auto all = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

bool is_gone(int pid) { return ::kill(pid, 0) != 0; }

class ProcessTest : public ::testing::Test {
 protected:
  TestLoop loop_;
  Child child_{loop_};
};

TEST_F(ProcessTest, tells_how_it_ended) {
  ASSERT_TRUE(child_.start_shell("exit 7"));
  EXPECT_TRUE(child_.process->is_running());
  EXPECT_GT(child_.process->pid(), 0);
  ASSERT_TRUE(child_.run_until_exit());
  EXPECT_EQ(child_.exit->code, 7);
  EXPECT_EQ(child_.exit->text(), "ended with status 7");
  EXPECT_FALSE(child_.exit->is_success());
  EXPECT_FALSE(child_.process->is_running());
  EXPECT_EQ(child_.process->pid(), -1);
  child_.process->kill(SIGKILL);  // Hits nobody.

  Child other(loop_);
  ASSERT_TRUE(other.start_shell("true"));
  ASSERT_TRUE(other.run_until_exit());
  EXPECT_TRUE(other.exit->is_success());
}

TEST_F(ProcessTest, tells_the_signal_that_ended_it) {
  ASSERT_TRUE(child_.start({"sleep", "100"}));
  child_.process->kill(SIGTERM);
  ASSERT_TRUE(child_.run_until_exit());
  EXPECT_EQ(child_.exit->signal, SIGTERM);
  EXPECT_EQ(child_.exit->text(), "was ended by signal 15");
}

TEST_F(ProcessTest, is_killed_also_when_it_is_stopped) {
  ASSERT_TRUE(child_.start({"sleep", "100"}));
  child_.process->kill(SIGSTOP);
  child_.process->kill(SIGKILL);
  ASSERT_TRUE(child_.run_until_exit());
  EXPECT_EQ(child_.exit->signal, SIGKILL);
}

TEST_F(ProcessTest, that_cannot_run_is_refused_and_leaves_nothing) {
  std::size_t before = open_descriptors();
  EXPECT_FALSE(child_.start({"no-such-program-of-stoa"}));
  EXPECT_EQ(child_.refusal, "'no-such-program-of-stoa' is not on the PATH");
  EXPECT_FALSE(child_.start({"/proc/self/status"}));
  EXPECT_THAT(child_.refusal, HasSubstr("cannot run '/proc/self/status': Permission denied"));
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST_F(ProcessTest, reads_its_text_and_then_the_end) {
  ASSERT_TRUE(child_.start_shell("cat >&2", {}, "token 1\nno end of line"));
  ASSERT_TRUE(child_.run_until_exit());
  EXPECT_THAT(child_.lines, ElementsAre("token 1", "no end of line"));

  for (std::size_t size : {0u, 300'000u}) {  // More than a pipe holds.
    Child other(loop_);
    ASSERT_TRUE(other.start_shell("wc -c >&2", {}, std::string(size, 'x')));
    ASSERT_TRUE(other.run_until_exit());
    EXPECT_THAT(other.lines, ElementsAre(std::to_string(size)));
  }
}

TEST_F(ProcessTest, tells_lines_as_they_come_and_the_last_before_the_end) {
  ASSERT_TRUE(
      child_.start_shell("printf 'one\\r\\n\\ntwo\\rthr' >&2; kill -STOP $$; printf 'ee' >&2; echo lost"));
  ASSERT_TRUE(child_.run_until_lines(2));
  EXPECT_FALSE(child_.exit);
  // It stops itself at any time: it is told to go on until it has.
  Timestamp end = Loop::now() + Duration::seconds(10);
  while (!child_.exit && Loop::now() < end) {
    child_.process->kill(SIGCONT);
    loop_.run_once();
  }
  EXPECT_THAT(child_.lines, ElementsAre("one", "two", "three"));
}

TEST_F(ProcessTest, cuts_lines_and_leaves_out_what_is_over_the_rate) {
  ASSERT_TRUE(child_.start_shell("head -c 5000 /dev/zero | tr '\\0' x >&2; echo >&2; seq 1 3000 >&2"));
  ASSERT_TRUE(child_.run_until_exit());
  EXPECT_EQ(child_.lines[0], std::string(Process::kLineBytesMax, 'x'));
  std::size_t told = 0, left_out = 0;
  for (const auto& line : child_.lines) {
    if (line.starts_with('('))
      left_out += std::stoul(line.substr(1));
    else
      ++told;
  }
  EXPECT_EQ(told + left_out, 3'001u);
  EXPECT_GE(told, std::size_t{Process::kLinesPerSecond});
  EXPECT_GT(left_out, 0u);
  EXPECT_EQ(child_.lines[std::size_t{Process::kLinesPerSecond} - 1],
            std::to_string(Process::kLinesPerSecond - 1));
}

TEST_F(ProcessTest, that_floods_is_read_to_its_end) {
  ASSERT_TRUE(child_.start_shell("yes | head -c 1000000 >&2; exit 3"));
  ASSERT_TRUE(child_.run_until_exit());
  EXPECT_EQ(child_.exit->code, 3);
}

TEST_F(ProcessTest, gets_no_more_memory_than_its_limit) {
  std::vector<std::string> program = {"dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"};
  ASSERT_TRUE(child_.start(program, {.data_bytes = 64u << 20}));
  ASSERT_TRUE(child_.run_until_exit());
  EXPECT_EQ(child_.exit->code, 1);
  EXPECT_THAT(child_.lines.at(0), HasSubstr("memory"));

  Child free(loop_);
  ASSERT_TRUE(free.start(program));
  ASSERT_TRUE(free.run_until_exit());
  EXPECT_TRUE(free.exit->is_success());
}

TEST_F(ProcessTest, begins_with_its_limits_and_leaves_the_servers_alone) {
  rlimit files_before{}, files_after{};
  ::getrlimit(RLIMIT_NOFILE, &files_before);
  int nice = ::getpriority(PRIO_PROCESS, 0);
  ASSERT_TRUE(child_.start_shell(
      "{ nice; ulimit -n; ulimit -c; cat /proc/self/oom_score_adj; grep NoNewPrivs /proc/self/status; } >&2",
      {.nice = 3, .files = 40, .oom_score_adj = 500, .has_no_new_privs = true}));
  ASSERT_TRUE(child_.run_until_exit());
  EXPECT_THAT(child_.lines,
              ElementsAre(std::to_string(std::min(nice + 3, 19)), "40", "0", "500", "NoNewPrivs:\t1"));
  ::getrlimit(RLIMIT_NOFILE, &files_after);
  EXPECT_EQ(files_after.rlim_cur, files_before.rlim_cur);
  EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), nice);
}

TEST_F(ProcessTest, inherits_no_descriptor_and_no_signal) {
  int leaky = ::fcntl(0, F_DUPFD, 100);
  ASSERT_GE(leaky, 100);
  sigset_t blocked, before, now;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);  // SIGPIPE is ignored by the loop.
  std::size_t descriptors = open_descriptors();
  ASSERT_TRUE(child_.start_shell(
      "for fd in /proc/$$/fd/*; do echo ${fd##*/} >&2; done; grep -E 'SigBlk|SigIgn' /proc/self/status >&2"));
  ASSERT_TRUE(child_.run_until_exit());
  for (const char* line : {"0", "1", "2", "SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"})
    EXPECT_THAT(child_.lines, ::testing::Contains(line));
  EXPECT_THAT(child_.lines, ::testing::Not(::testing::Contains(std::to_string(leaky))));
  EXPECT_LE(child_.lines.size(), 6u);  // The shell has the folder open that it reads.
  child_.process.reset();
  EXPECT_EQ(open_descriptors(), descriptors);
  ::pthread_sigmask(SIG_SETMASK, &before, &now);
  EXPECT_TRUE(::sigismember(&now, SIGUSR1));
  EXPECT_FALSE(::sigismember(&now, SIGUSR2));
  ::close(leaky);
}

TEST_F(ProcessTest, is_not_in_the_process_group_of_the_server) {
  ASSERT_TRUE(child_.start({"sleep", "100"}));
  EXPECT_EQ(::getpgid(child_.process->pid()), child_.process->pid());
}

TEST_F(ProcessTest, ends_with_its_owner_and_tells_nothing) {
  std::size_t before = open_descriptors();
  ASSERT_TRUE(child_.start_shell("echo here >&2; exec sleep 100"));
  ASSERT_TRUE(child_.run_until_lines(1));
  int pid = child_.process->pid();
  child_.process.reset();
  EXPECT_TRUE(is_gone(pid));
  EXPECT_EQ(open_descriptors(), before);
  loop_.run_once();
  EXPECT_FALSE(child_.exit);
}

TEST_F(ProcessTest, may_be_destroyed_from_inside_its_callbacks) {
  for (const char* script : {"printf '1\\n2\\n' >&2; exec sleep 100", "printf last >&2", "exit 1"}) {
    std::unique_ptr<Process> process;
    int told = 0;
    auto end = [&] {
      ++told;
      process.reset();
      loop_.check();
    };
    ProcessOptions options{.arguments = {"sh", "-c", script}};
    options.on_line = [&](std::string_view) { end(); };
    options.on_exit = [&](ExitStatus) { end(); };
    auto started = Process::start(loop_.loop, std::move(options));
    ASSERT_TRUE(started);
    process = std::move(*started);
    ASSERT_TRUE(loop_.run_until([&] { return told > 0; }));
    loop_.run_once();
    EXPECT_EQ(told, 1) << script;
  }
}

TEST_F(ProcessTest, end_all_waits_once_for_all_and_kills_who_does_not_go) {
  constexpr int kCount = 5;
  std::vector<std::unique_ptr<Child>> children;
  std::vector<Process*> processes;
  std::vector<int> pids;
  for (int i = 0; i < kCount; ++i) {
    auto& child = *children.emplace_back(std::make_unique<Child>(loop_));
    const char* deaf = "trap '' TERM; echo here >&2; exec sleep 100";
    const char* good = "trap 'exit 0' TERM; echo here >&2; while :; do sleep 0.01; done";
    ASSERT_TRUE(child.start_shell(i == 0 ? good : deaf));
    ASSERT_TRUE(child.run_until_lines(1));
    processes.push_back(child.process.get());
    pids.push_back(child.process->pid());
  }
  children[1]->process->kill(SIGSTOP);
  Timestamp begin = Loop::now();
  Process::end_all(processes, Duration::milliseconds(500));
  Duration took = Loop::now() - begin;
  EXPECT_GE(took, Duration::milliseconds(500));
  EXPECT_LT(took, Duration::milliseconds(500) * kCount);
  loop_.run_once();
  for (int i = 0; i < kCount; ++i) {
    EXPECT_TRUE(is_gone(pids[static_cast<std::size_t>(i)])) << i;
    EXPECT_FALSE(children[static_cast<std::size_t>(i)]->exit);
    EXPECT_FALSE(processes[static_cast<std::size_t>(i)]->is_running());
  }
  Process::end_all(processes, Duration::seconds(100));  // Nobody is left to wait for.
}

TEST_F(ProcessTest, dies_with_a_server_that_is_killed) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  pid_t server = ::fork();
  if (server == 0) {
    Loop loop;
    auto started = Process::start(loop, {.arguments = {"sleep", "100"}});
    int pid = started ? (*started)->pid() : 0;
    (void)!::write(ends[1], &pid, sizeof pid);
    for (;;) ::pause();
  }
  int pid = 0;
  ASSERT_EQ(::read(ends[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  ASSERT_GT(pid, 0);
  Pidfd child(pid);
  ::kill(server, SIGKILL);
  EXPECT_TRUE(child.wait_for_end());
  ::waitpid(server, nullptr, 0);
  for (int fd : ends) ::close(fd);
}

TEST(ChildProcess, is_started_again_when_it_dies) {
  TestLoop loop;
  Log log(LogLevel::kError, LogFormat::kText);
  auto path = std::filesystem::temp_directory_path() / ("stoa-child-" + std::to_string(::getpid()));
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  int seen = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ChildProcess child(loop.loop, log, "test", {"sh", "-c", "echo x > " + path.string()});
  child.start();
  struct Reader : WatchHandler {
    void on_ready(std::uint64_t, Readiness) override {
      char bytes[16];
      ssize_t count = ::read(fd, bytes, sizeof bytes);
      if (count > 0) text.append(bytes, static_cast<std::size_t>(count));
      loop->check();
    }
    int fd;
    TestLoop* loop;
    std::string text;
  } reader;
  reader.fd = seen;
  reader.loop = &loop;
  WatchId watch = loop.loop.watch(seen, reader, 0, Interest::kReadable);
  EXPECT_TRUE(loop.run_until([&] { return reader.text == "x\nx\n"; })) << reader.text;
  loop.loop.unwatch(watch);
  ::close(seen);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace stoa::runtime
