// A child process: started once, within limits, heard on its standard error, told of when it has ended.
//
// It is started with vfork, so the memory of the server is not copied however large it is, and its limits
// hold from its first instruction on; the calling thread waits for that. Its standard output is thrown away;
// it inherits no other descriptor and is in a process group of its own, so what a terminal tells the server
// (Ctrl-C) is not told to it.
//
// All calls on the loop's thread. A child dies with the thread that started it (PR_SET_PDEATHSIG), also when
// the server is killed: start it from a thread that lives as long as the server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace stoa::runtime {

class Loop;

// Put on between fork and exec. No child leaves a core file.
struct ProcessLimits {
  int nice = 0;                   // So much nicer than the server.
  std::uint64_t data_bytes = 0;   // RLIMIT_DATA: heap and private memory. 0: as the server's.
  std::uint64_t files = 0;        // RLIMIT_NOFILE, the highest descriptor and one. 0: as the server's.
  int oom_score_adj = 0;          // 1..1000: killed before the server when memory ends. 0: as the server's.
  bool has_no_new_privs = false;  // Nothing that it runs gets more rights (setuid).
};

// How it ended.
struct ExitStatus {
  int code = 0;    // What it returned, if `signal` is 0; -1 when the system does not know any more.
  int signal = 0;  // The one that ended it.

  bool is_success() const { return code == 0 && signal == 0; }
  std::string text() const;  // "ended with status 1", "was ended by signal 9".
};

struct ProcessOptions {
  // arguments[0] is looked up on the PATH. Requires: at least one.
  std::vector<std::string> arguments;
  std::string stdin_text;  // All that it reads from its standard input. Not seen by other users.
  ProcessLimits limits;
  // A line of its standard error, without the line's end and never empty. Longer ones are cut, and what is
  // over the rate is left out and counted in a line of our own. Empty: it writes to /dev/null.
  std::move_only_function<void(std::string_view)> on_line;
  // Told once, after its last line, from the loop.
  std::move_only_function<void(ExitStatus)> on_exit;
};

class Process {
 public:
  static constexpr std::size_t kLineBytesMax = 1024;
  static constexpr int kLinesPerSecond = 20;

  // The error is a sentence: the program is not on the PATH, or the system refuses.
  static Result<std::unique_ptr<Process>, std::string> start(Loop& loop, ProcessOptions options);
  // SIGKILL if it still runs, and a wait until it is gone, two seconds at most (see end_all for a gentle
  // end); nothing is told any more. May be called from inside a callback.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Until on_exit is told or it was ended by end_all.
  bool is_running() const;
  int pid() const;  // -1 when it does not run.
  void kill(int signal);

  // Ends them all in one wait: SIGTERM, and SIGKILL to those that are still there after `patience`. Blocks;
  // nothing is told of them any more.
  static void end_all(std::span<Process* const> processes, Duration patience);

 private:
  struct Impl;
  explicit Process(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace stoa::runtime
