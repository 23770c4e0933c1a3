// Deadlines on a loop: one exact timer for a machine's `next_deadline()`, and a coarse wheel for the timeouts
// of thousands of connections.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/time.h"

namespace stoa::runtime {

class Loop;

// Calls `on_due` on the loop's thread at or after the time that was set last. Setting it again replaces the
// time; Timestamp::never() means not at all. It fires once per `set`.
class DeadlineTimer {
 public:
  DeadlineTimer(Loop& loop, std::move_only_function<void()> on_due);
  ~DeadlineTimer();
  DeadlineTimer(const DeadlineTimer&) = delete;
  DeadlineTimer& operator=(const DeadlineTimer&) = delete;

  void set(Timestamp at);
  Timestamp at() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// Where a connection stands in a wheel; a member of the connection. Moving the deadline later costs one
// store: the wheel looks again when the old one comes up.
struct WheelDeadline {
  Timestamp at = Timestamp::never();
  std::int64_t listed_tick = -1;  // The tick under which the wheel holds it; -1: not at all.
};

// A timing wheel of ids. Deadlines are met up to one tick late; those farther away than the wheel is long
// go round. Pure: time is an argument.
template <typename Id>
class DeadlineWheel {
 public:
  static constexpr std::size_t kSlots = 512;

  DeadlineWheel(Timestamp start, Duration tick)
      : tick_(tick), next_tick_(start.ns() / tick.ns()), slots_(kSlots) {}

  void set(Id id, WheelDeadline& deadline, Timestamp at) {
    deadline.at = at;
    if (at == Timestamp::never()) return;
    std::int64_t tick = std::max(tick_of(at), next_tick_);
    if (deadline.listed_tick >= 0 && deadline.listed_tick <= tick) return;
    list(id, deadline, tick);
  }
  // Calls `on_due(id)` for what is due. `find(id)` gives the WheelDeadline* or nullptr when it is gone.
  // Both may set and clear deadlines.
  template <typename Find, typename OnDue>
  void advance(Timestamp now, Find&& find, OnDue&& on_due) {
    std::int64_t last_tick = now.ns() / tick_.ns();
    // After a long sleep one round visits every slot.
    if (last_tick - next_tick_ > static_cast<std::int64_t>(kSlots))
      next_tick_ = last_tick - static_cast<std::int64_t>(kSlots);
    while (next_tick_ <= last_tick) {
      std::vector<Entry> entries = std::exchange(slots_[next_tick_ % kSlots], {});
      listed_ -= entries.size();
      std::int64_t tick = next_tick_++;
      for (const Entry& entry : entries) visit(entry, tick, now, find, on_due);
    }
  }
  bool empty() const { return listed_ == 0; }
  Duration tick() const { return tick_; }

 private:
  struct Entry {
    Id id;
    std::int64_t tick;
  };

  std::int64_t tick_of(Timestamp at) const { return at.ns() / tick_.ns() + 1; }
  void list(Id id, WheelDeadline& deadline, std::int64_t tick) {
    // An entry that is already listed under a later tick is left behind and recognised by its tick.
    std::int64_t farthest = next_tick_ + static_cast<std::int64_t>(kSlots) - 1;
    deadline.listed_tick = std::min(tick, farthest);
    slots_[deadline.listed_tick % kSlots].push_back({id, deadline.listed_tick});
    ++listed_;
  }
  template <typename Find, typename OnDue>
  void visit(const Entry& entry, std::int64_t tick, Timestamp now, Find& find, OnDue& on_due) {
    WheelDeadline* deadline = find(entry.id);
    if (!deadline || deadline->listed_tick != entry.tick) return;
    deadline->listed_tick = -1;
    if (deadline->at == Timestamp::never()) return;
    if (deadline->at <= now) {
      deadline->at = Timestamp::never();
      on_due(entry.id);
    } else {
      list(entry.id, *deadline, std::max(tick_of(deadline->at), tick + 1));
    }
  }

  Duration tick_;
  std::int64_t next_tick_;
  std::vector<std::vector<Entry>> slots_;
  std::size_t listed_ = 0;
};

}  // namespace stoa::runtime
