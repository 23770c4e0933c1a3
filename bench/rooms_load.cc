#include "rooms_load.h"

#include <algorithm>

namespace stoa::bench {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kNever = INT64_MAX;

}  // namespace

RoomsLoad::RoomsLoad(RoomsShared& shared, std::size_t joins_per_second)
    : shared_(shared),
      interval_ns_(kSecond / static_cast<std::int64_t>(std::max<std::size_t>(joins_per_second, 1))),
      next_start_ns_(now_ns()) {}

void RoomsLoad::add(const RoomsSeat& seat) {
  clients_.push_back(std::make_unique<RoomsClient>(shared_, seat, poller_, clients_.size()));
  deadlines_.push_back(kNever);
}

void RoomsLoad::start_some(std::int64_t now) {
  while (!has_started_all() && next_start_ns_ <= now) {
    std::size_t index = started_++;
    next_start_ns_ = std::max(next_start_ns_ + interval_ns_, now - kSecond / 10);
    clients_[index]->start();
  }
}

void RoomsLoad::file(std::size_t index) {
  std::int64_t next = clients_[index]->next_deadline();
  if (next == deadlines_[index]) return;
  if (deadlines_[index] != kNever) timers_.erase({deadlines_[index], index});
  deadlines_[index] = next;
  if (next != kNever) timers_.emplace(next, index);
}

void RoomsLoad::run_until(std::int64_t deadline_ns) {
  while (now_ns() < deadline_ns && !stop_asked()) {
    start_some(now_ns());
    std::int64_t until = deadline_ns;
    if (!has_started_all()) until = std::min(until, next_start_ns_);
    if (!timers_.empty()) until = std::min(until, timers_.begin()->first);
    for (const epoll_event& event : poller_.wait_until(until)) {
      std::size_t index = event.data.u64 / RoomsClient::kParts;
      clients_[index]->handle_events(static_cast<RoomsClient::Part>(event.data.u64 % RoomsClient::kParts),
                                     event.events);
      file(index);
    }
    std::int64_t now = now_ns();
    while (!timers_.empty() && timers_.begin()->first <= now) {
      std::size_t index = timers_.begin()->second;
      timers_.erase(timers_.begin());
      deadlines_[index] = kNever;
      clients_[index]->handle_deadline(now);
      file(index);
    }
  }
}

void RoomsLoad::stop() {
  for (auto& client : clients_) client->stop();
}

std::size_t RoomsLoad::count(RoomsClient::State state) const {
  return static_cast<std::size_t>(std::count_if(clients_.begin(), clients_.end(),
                                                [&](const auto& one) { return one->state() == state; }));
}

std::map<std::string, std::size_t> RoomsLoad::failures() const {
  std::map<std::string, std::size_t> all;
  for (const auto& client : clients_)
    if (client->state() == RoomsClient::State::kEnded && !client->failure().empty()) ++all[client->failure()];
  return all;
}

}  // namespace stoa::bench
