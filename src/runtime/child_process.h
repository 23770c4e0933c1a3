// A helper program that is kept running: started, watched, started again with a growing pause when it dies,
// ended with its owner (also when the server is killed).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "runtime/process.h"
#include "runtime/timer.h"

namespace stoa::runtime {

class Log;

class ChildProcess {
 public:
  // `arguments[0]` is looked up on the PATH. Its output is thrown away, its exits are logged under `name`.
  ChildProcess(Loop& loop, Log& log, std::string name, std::vector<std::string> arguments);
  // SIGTERM, then SIGKILL after a second.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  void start();

 private:
  void schedule_restart();

  Loop& loop_;
  Log& log_;
  std::string name_;
  std::vector<std::string> arguments_;
  DeadlineTimer restart_;
  std::unique_ptr<Process> process_;
  Timestamp started_at_;
  Duration pause_;
};

}  // namespace stoa::runtime
