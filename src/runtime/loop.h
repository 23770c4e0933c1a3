// One thread's event loop: descriptors, posted work, clocks.
//
// A shard owns one Loop and everything on it runs on the thread that calls `run()`. Only `post()` and
// `stop()` may be called from other threads. The core is an Asio io_context; sockets are watched by an epoll
// set of the loop's own that hangs in it as one descriptor, so a watched descriptor costs a table entry, no
// handler and no buffer, and one wake-up serves a whole batch of ready descriptors.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/slot_table.h"
#include "base/time.h"

namespace stoa::runtime {

using WatchId = SlotId<struct WatchTag>;

// What became true of a watched descriptor. Edge-triggered: told once per change, so the owner reads or
// writes until the kernel has no more, or remembers that it has not.
struct Readiness {
  bool readable = false;
  bool writable = false;
  bool peer_finished = false;  // The peer will send nothing more (FIN).
  bool failed = false;         // Error or hang-up in both directions.
};

// A UDP socket tells that it is writable whenever a datagram has left, so who has nothing queued does not
// ask.
enum class Interest : std::uint8_t { kReadable, kReadableAndWritable };

class WatchHandler {
 public:
  virtual ~WatchHandler() = default;
  virtual void on_ready(std::uint64_t token, Readiness ready) = 0;
};

class Loop {
 public:
  static constexpr std::size_t kWatchLimit = 1u << 20;

  // Also makes the process ignore SIGPIPE: a peer that goes away is an error value, not a signal.
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs until `stop()`; work posted before `run()` is done first. May be called again after it returned.
  void run();
  // Any thread. Work already posted may or may not be done.
  void stop();
  // Any thread. Tasks run in order on the loop's thread, never inside this call.
  void post(std::move_only_function<void()> task);

  // CLOCK_MONOTONIC and UTC. Any thread.
  static Timestamp now();
  static WallTime wall();
  bool is_loop_thread() const;

  // Watches for everything in Readiness, but for `writable` where `interest` says so. `handler` gets `token`
  // back; it must outlive the watch. An unset id when the table is full or the kernel refuses. After
  // `unwatch` nothing is told any more, also not for events already collected. `fd` must still be open when
  // it is unwatched.
  WatchId watch(int fd, WatchHandler& handler, std::uint64_t token,
                Interest interest = Interest::kReadableAndWritable);
  // What is already ready of the new interest is told.
  void set_interest(WatchId id, Interest interest);
  void unwatch(WatchId id);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoa::runtime
