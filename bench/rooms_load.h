// Many participants on one thread: their sockets, their timers, and the rate at which they come.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "rooms_client.h"

namespace stoa::bench {

class RoomsLoad {
 public:
  RoomsLoad(RoomsShared& shared, std::size_t joins_per_second);

  // Participants start in this order, when run_until() comes to them.
  void add(const RoomsSeat& seat);
  void run_until(std::int64_t deadline_ns);
  void stop();

  const std::vector<std::unique_ptr<RoomsClient>>& clients() const { return clients_; }
  bool has_started_all() const { return started_ == clients_.size(); }
  std::size_t count(RoomsClient::State state) const;
  // Why participants ended by themselves, and how many.
  std::map<std::string, std::size_t> failures() const;

 private:
  void start_some(std::int64_t now);
  void file(std::size_t index);

  RoomsShared& shared_;
  std::int64_t interval_ns_, next_start_ns_;
  std::size_t started_ = 0;
  std::vector<std::unique_ptr<RoomsClient>> clients_;
  std::vector<std::int64_t> deadlines_;  // As filed in timers_; INT64_MAX: not filed.
  std::set<std::pair<std::int64_t, std::size_t>> timers_;
  Poller poller_;
};

}  // namespace stoa::bench
