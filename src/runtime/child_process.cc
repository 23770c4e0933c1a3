#include "runtime/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/timer.h"

namespace stoa::runtime {
namespace {

constexpr Duration kPauseMin = Duration::milliseconds(500);
constexpr Duration kPauseMax = Duration::seconds(15);
constexpr Duration kHealthyAfter = Duration::seconds(30);  // Having run so long, it starts again at once.

// The child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void become(char* const* arguments, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  int null = ::open("/dev/null", O_RDWR);
  for (int fd : {0, 1, 2}) ::dup2(null, fd);
  ::syscall(SYS_close_range, 3u, ~0u, 0u);
  ::execvp(arguments[0], arguments);
  ::_exit(127);
}

}  // namespace

struct ChildProcess::Impl : WatchHandler {
  Impl(ChildProcess& o, Loop& l, Log& g, std::string n, std::vector<std::string> a)
      : owner(o), loop(l), log(g), name(std::move(n)), arguments(std::move(a)), restart(l, [this] {
          owner.start();
        }) {}
  void on_ready(std::uint64_t, Readiness) override { owner.on_exit_seen(); }

  ChildProcess& owner;
  Loop& loop;
  Log& log;
  std::string name;
  std::vector<std::string> arguments;
  DeadlineTimer restart;
  pid_t pid = -1;
  int pidfd = -1;
  WatchId watch;
  Timestamp started_at;
  Duration pause = kPauseMin;
};

ChildProcess::ChildProcess(Loop& loop, Log& log, std::string name, std::vector<std::string> arguments)
    : impl_(std::make_unique<Impl>(*this, loop, log, std::move(name), std::move(arguments))) {}

ChildProcess::~ChildProcess() {
  if (impl_->pid <= 0) return;
  impl_->loop.unwatch(impl_->watch);
  ::kill(impl_->pid, SIGTERM);
  pollfd wait{impl_->pidfd, POLLIN, 0};
  if (::poll(&wait, 1, 1000) == 0) ::kill(impl_->pid, SIGKILL);
  ::waitpid(impl_->pid, nullptr, 0);
  ::close(impl_->pidfd);
}

void ChildProcess::start() {
  Impl& i = *impl_;
  std::vector<char*> arguments;
  for (auto& argument : i.arguments) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  pid_t parent = ::getpid();
  i.started_at = Loop::now();
  i.pid = ::fork();
  if (i.pid == 0) become(arguments.data(), parent);
  if (i.pid > 0) i.pidfd = static_cast<int>(::syscall(SYS_pidfd_open, i.pid, 0));
  if (i.pidfd >= 0) i.watch = i.loop.watch(i.pidfd, i, 0);
  if (i.pid < 0 || i.pidfd < 0 || !i.watch.is_set()) {
    // A child that cannot be watched would be left behind by the next start.
    if (i.pid > 0) {
      ::kill(i.pid, SIGKILL);
      ::waitpid(i.pid, nullptr, 0);
    }
    if (i.pidfd >= 0) ::close(i.pidfd);
    i.pid = i.pidfd = -1;
    i.log.error("runtime", i.name + ": the system refuses another process");
    return schedule_restart();
  }
}

void ChildProcess::on_exit_seen() {
  Impl& i = *impl_;
  int status = 0;
  if (i.pid <= 0 || ::waitpid(i.pid, &status, WNOHANG) != i.pid) return;
  i.loop.unwatch(i.watch);
  i.watch = {};
  ::close(i.pidfd);
  i.pid = i.pidfd = -1;
  bool is_missing = WIFEXITED(status) && WEXITSTATUS(status) == 127;
  std::string how = is_missing            ? "'" + i.arguments[0] + "' is not on the PATH"
                    : WIFSIGNALED(status) ? "was ended by signal " + std::to_string(WTERMSIG(status))
                                          : "ended with status " + std::to_string(WEXITSTATUS(status));
  i.log.warn("runtime", i.name + ": " + how);
  schedule_restart();
}

void ChildProcess::schedule_restart() {
  Impl& i = *impl_;
  if (Loop::now() - i.started_at > kHealthyAfter) i.pause = kPauseMin;
  i.restart.set(Loop::now() + i.pause);
  i.pause = std::min(i.pause * 2, kPauseMax);
}

}  // namespace stoa::runtime
