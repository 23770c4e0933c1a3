// Many WebRTC peers on one thread: their sockets, their timers, and the rate at which they come.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "rtc_peer.h"

namespace stoa::bench {

class RtcLoad {
 public:
  explicit RtcLoad(std::size_t joins_per_second);

  // Peers start in this order, when run_until() comes to them.
  void add(std::unique_ptr<RtcPeer> peer);
  void run_until(std::int64_t deadline_ns);
  // Ends all sessions and tells the server, for at most `seconds`.
  void stop(double seconds);

  std::size_t size() const { return peers_.size(); }
  bool has_started_all() const { return started_ == peers_.size(); }
  std::size_t count(RtcPeer::State state) const;
  // Of the peers that ended by themselves.
  std::string first_failure() const;

 private:
  void start_some(std::int64_t now);
  void file(std::size_t index);

  std::int64_t interval_ns_, next_start_ns_;
  std::size_t started_ = 0;
  std::vector<std::unique_ptr<RtcPeer>> peers_;
  std::vector<std::int64_t> deadlines_;  // As filed in timers_; INT64_MAX: not filed.
  std::set<std::pair<std::int64_t, std::size_t>> timers_;
  Poller poller_;
};

}  // namespace stoa::bench
