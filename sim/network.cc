#include "sim/network.h"

#include <algorithm>

#include "base/assert.h"

namespace stoa::sim {

Network::Network(const Scenario& scenario, Rng rng) : rng_(rng) {
  paths_.emplace_back(scenario.forward, Rng(rng_.next()));
  paths_.emplace_back(scenario.back, Rng(rng_.next()));
}

void Network::add_flow(std::unique_ptr<Flow> flow, const Place& place) {
  Seat seat{std::move(flow), place.is_backward, std::nullopt, std::nullopt, {}};
  if (place.access_delay > Duration()) {
    PathConfig access{.delay = {{Duration(), place.access_delay}}};
    seat.away.emplace(access, Rng(rng_.next()), now_);
    seat.home.emplace(access, Rng(rng_.next()), now_);
  }
  seat.deadline = seat.flow->next_deadline();
  seats_.push_back(std::move(seat));
}

void Network::renew_deadlines() {
  for (Seat& seat : seats_) seat.deadline = seat.flow->next_deadline();
}

Timestamp Network::next_event() const {
  Timestamp next = std::min(paths_[0].next_deadline(), paths_[1].next_deadline());
  for (const Seat& seat : seats_) {
    next = std::min(next, seat.deadline);
    if (seat.away) next = std::min({next, seat.away->next_deadline(), seat.home->next_deadline()});
  }
  return next;
}

// Sends what the flow has put out, and looks when it wants to be called next.
void Network::depart(std::uint32_t index) {
  Seat& seat = seats_[index];
  for (Departure& departure : out_) {
    departure.packet.flow = index;
    bool is_reply = departure.packet.is_reply;
    FlowPath& path = seat.away && !is_reply ? *seat.away : shared_path(seat, is_reply);
    send(path, departure.bytes, std::move(departure.packet));
  }
  out_.clear();
  seat.deadline = seat.flow->next_deadline();
}

void Network::send(FlowPath& path, std::uint32_t bytes, FlowPacket packet) {
  bool can_ecn = packet.can_ecn;
  path.send(now_, bytes, std::move(packet), can_ecn);
}

void Network::arrive(FlowPath::Arrival& arrival) {
  if (arrival.is_corrupt) return;  // A checksum of UDP or SRTP sees to it.
  std::uint32_t index = arrival.payload.flow;
  seats_[index].flow->handle_arrival(now_, arrival, out_);
  depart(index);
}

void Network::move_packets() {
  for (Seat& seat : seats_) {
    if (!seat.away) continue;
    while (auto arrival = seat.away->take_arrived(now_))
      send(shared_path(seat, false), arrival->bytes, std::move(arrival->payload));
    while (auto arrival = seat.home->take_arrived(now_)) arrive(*arrival);
  }
  for (FlowPath& path : paths_) {
    while (auto arrival = path.take_arrived(now_)) {
      Seat& seat = seats_[arrival->payload.flow];
      if (seat.home && arrival->payload.is_reply) {
        send(*seat.home, arrival->bytes, std::move(arrival->payload));
      } else {
        arrive(*arrival);
      }
    }
  }
}

void Network::run_until(Timestamp end) {
  for (Timestamp next = next_event(); next <= end; next = next_event()) {
    now_ = std::max(now_, next);
    move_packets();
    for (std::uint32_t i = 0; i < seats_.size(); ++i) {
      if (seats_[i].deadline > now_) continue;
      seats_[i].flow->handle_deadline(now_, out_);
      depart(i);
      STOA_ASSERT(seats_[i].deadline > now_);
    }
  }
  now_ = end;
}

}  // namespace stoa::sim
