#include "rtc_load.h"

#include <algorithm>

namespace stoa::bench {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kNever = INT64_MAX;
constexpr std::size_t kGoodbyesAtOnce = 64;

// Poller ids: two for each peer.
constexpr std::uint64_t kUdp = 0, kHttp = 1;

}  // namespace

RtcLoad::RtcLoad(std::size_t joins_per_second)
    : interval_ns_(kSecond / static_cast<std::int64_t>(std::max<std::size_t>(joins_per_second, 1))),
      next_start_ns_(now_ns()) {}

void RtcLoad::add(std::unique_ptr<RtcPeer> peer) {
  peers_.push_back(std::move(peer));
  deadlines_.push_back(kNever);
}

void RtcLoad::start_some(std::int64_t now) {
  while (!has_started_all() && next_start_ns_ <= now) {
    std::size_t index = started_++;
    next_start_ns_ = std::max(next_start_ns_ + interval_ns_, now - kSecond / 10);
    RtcPeer& peer = *peers_[index];
    peer.start();
    if (peer.state() != RtcPeer::State::kPosting) continue;
    poller_.add(peer.udp_fd(), EPOLLIN, index * 2 + kUdp);
    poller_.add(peer.http_fd(), EPOLLIN | EPOLLOUT | EPOLLET, index * 2 + kHttp);
  }
}

void RtcLoad::file(std::size_t index) {
  std::int64_t next = peers_[index]->next_deadline();
  if (next == deadlines_[index]) return;
  if (deadlines_[index] != kNever) timers_.erase({deadlines_[index], index});
  deadlines_[index] = next;
  if (next != kNever) timers_.emplace(next, index);
}

void RtcLoad::run_until(std::int64_t deadline_ns) {
  while (now_ns() < deadline_ns && !stop_asked()) {
    start_some(now_ns());
    std::int64_t until = deadline_ns;
    if (!has_started_all()) until = std::min(until, next_start_ns_);
    if (!timers_.empty()) until = std::min(until, timers_.begin()->first);
    for (const epoll_event& event : poller_.wait_until(until)) {
      std::size_t index = event.data.u64 / 2;
      if (event.data.u64 % 2 == kHttp) {
        peers_[index]->handle_http(event.events);
      } else {
        peers_[index]->handle_readable();
      }
      file(index);
    }
    std::int64_t now = now_ns();
    while (!timers_.empty() && timers_.begin()->first <= now) {
      std::size_t index = timers_.begin()->second;
      timers_.erase(timers_.begin());
      deadlines_[index] = kNever;
      peers_[index]->handle_deadline(now);
      file(index);
    }
  }
}

void RtcLoad::stop(double seconds) {
  std::int64_t end = now_ns() + static_cast<std::int64_t>(seconds * 1e9);
  std::vector<std::pair<const RtcPeer*, std::string>> goodbyes;
  for (auto& peer : peers_)
    if (std::string request = peer->stop(); !request.empty())
      goodbyes.emplace_back(peer.get(), std::move(request));
  std::size_t begun = 0, under_way = 0;
  std::vector<RtcExchange> exchanges(goodbyes.size());
  Poller poller;
  auto is_over = [](const RtcExchange& exchange) {
    return exchange.state() == RtcExchange::State::kDone || exchange.state() == RtcExchange::State::kFailed;
  };
  while ((begun < goodbyes.size() || under_way > 0) && now_ns() < end) {
    for (; begun < goodbyes.size() && under_way < kGoodbyesAtOnce; ++begun) {
      RtcExchange& exchange = exchanges[begun];
      exchange.start(goodbyes[begun].first->target().address, goodbyes[begun].second);
      if (is_over(exchange)) continue;
      poller.add(exchange.fd(), EPOLLIN | EPOLLOUT | EPOLLET, begun);
      ++under_way;
    }
    for (const epoll_event& event : poller.wait_until(std::min(end, now_ns() + kSecond))) {
      RtcExchange& exchange = exchanges[event.data.u64];
      if (is_over(exchange)) continue;
      exchange.handle_events(event.events);
      if (is_over(exchange)) --under_way;
    }
  }
}

std::size_t RtcLoad::count(RtcPeer::State state) const {
  return static_cast<std::size_t>(
      std::count_if(peers_.begin(), peers_.end(), [&](const auto& peer) { return peer->state() == state; }));
}

std::string RtcLoad::first_failure() const {
  for (const auto& peer : peers_)
    if (peer->state() == RtcPeer::State::kEnded && !peer->failure().empty()) return peer->failure();
  return {};
}

}  // namespace stoa::bench
