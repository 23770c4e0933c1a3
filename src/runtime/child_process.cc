#include "runtime/child_process.h"

#include <algorithm>

#include "runtime/log.h"
#include "runtime/loop.h"

namespace stoa::runtime {
namespace {

constexpr Duration kPauseMin = Duration::milliseconds(500);
constexpr Duration kPauseMax = Duration::seconds(15);
constexpr Duration kHealthyAfter = Duration::seconds(30);  // Having run so long, it starts again at once.
constexpr Duration kEndPatience = Duration::seconds(1);

}  // namespace

ChildProcess::ChildProcess(Loop& loop, Log& log, std::string name, std::vector<std::string> arguments)
    : loop_(loop),
      log_(log),
      name_(std::move(name)),
      arguments_(std::move(arguments)),
      restart_(loop, [this] { start(); }),
      pause_(kPauseMin) {}

ChildProcess::~ChildProcess() {
  Process* const all[] = {process_.get()};
  if (process_) Process::end_all(all, kEndPatience);
}

void ChildProcess::start() {
  started_at_ = Loop::now();
  ProcessOptions options{.arguments = arguments_};
  options.on_exit = [this](ExitStatus status) {
    log_.warn("runtime", name_ + ": " + status.text());
    schedule_restart();
  };
  auto started = Process::start(loop_, std::move(options));
  if (started) {
    process_ = std::move(*started);
    return;
  }
  log_.warn("runtime", name_ + ": " + started.error());
  schedule_restart();
}

void ChildProcess::schedule_restart() {
  if (Loop::now() - started_at_ > kHealthyAfter) pause_ = kPauseMin;
  restart_.set(Loop::now() + pause_);
  pause_ = std::min(pause_ * 2, kPauseMax);
}

}  // namespace stoa::runtime
