// What happened in channels lately, for their operators: trouble of sources, renditions and workers, and what
// was done about it. Kept in memory, also when a broadcast has ended; gone with the process.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "base/metric.h"
#include "base/time.h"

namespace stoa::control {

inline constexpr std::size_t kEventsPerChannelMax = 100;  // The oldest goes.
inline constexpr std::size_t kEventChannelsMax = 4'096;   // The one goes where the least has happened lately.
inline constexpr std::size_t kEventTextBytesMax = 512;    // More is cut off.
inline constexpr std::size_t kEventKindsMax = 64;         // Told apart by metrics; others are "other".

// On its way here. `kind` is one of few: "worker_lost", "gap".
struct ChannelHappening {
  std::string channel;
  std::string kind;
  std::string text;
};

struct ChannelEvent {
  std::string kind;
  std::string text;  // UTF-8, without control characters.
  WallTime first_at;
  WallTime last_at;
  std::uint64_t count = 1;  // The same again, with nothing else between, is told once.
};

class ChannelEvents {
 public:
  void add(WallTime now, const ChannelHappening& happening);
  // The channel is deleted.
  void forget(std::string_view channel);

  // Oldest first; nullptr when nothing was heard of it. Valid until the next input.
  const std::deque<ChannelEvent>* find(std::string_view channel) const;
  void append_metrics(MetricSamples& samples) const;

 private:
  struct Entry {
    std::deque<ChannelEvent> events;
    std::uint64_t newest = 0;  // By the count of all events.
  };
  Entry& entry_of(const std::string& channel);

  std::map<std::string, Entry, std::less<>> channels_;
  std::map<std::string, std::uint64_t, std::less<>> kinds_;
  std::uint64_t added_ = 0;
};

}  // namespace stoa::control
