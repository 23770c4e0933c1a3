// Two agents with sockets, NATs and bad lines between them, in virtual time.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "proto/ice/agent.h"
#include "proto/ice/lite_agent.h"
#include "sim/link.h"

namespace stoa::ice {

inline SocketAddress at(std::string_view text) { return *SocketAddress::parse(text); }

inline Credentials credentials(std::string_view ufrag) {
  return {std::string(ufrag), "password-of-" + std::string(ufrag) + "-0123456789"};
}

inline Candidate host(const SocketAddress& address, std::uint16_t preference = 65'535) {
  return {.foundation = make_foundation(CandidateType::kHost, Transport::kUdp, address.ip),
          .priority = candidate_priority(CandidateType::kHost, preference),
          .address = address};
}

inline void deliver(Agent& agent, Timestamp now, const Path& path, Bytes bytes, Outputs& out) {
  (void)agent.handle_datagram(now, path, bytes, out);
}
inline void deliver(LiteAgent& agent, Timestamp now, const Path& path, Bytes bytes, Outputs& out) {
  (void)agent.handle_datagram(now, path, Transport::kUdp, bytes, out);
}

// What one side has beside its agent.
struct Side {
  std::map<std::uint32_t, SocketAddress> sockets;
  std::map<SocketAddress, SocketAddress> nat;  // Inside to outside.
  Outputs out;
  std::vector<Output> events;  // All but datagrams.
  std::vector<Timestamp> sent_at;
  std::size_t sent = 0;

  SocketAddress outside(const SocketAddress& inside) const {
    auto found = nat.find(inside);
    return found == nat.end() ? inside : found->second;
  }
  template <typename T>
  std::size_t count() const {
    std::size_t n = 0;
    for (const Output& event : events) n += std::holds_alternative<T>(event);
    return n;
  }
  template <typename T>
  bool has() const {
    return count<T>() > 0;
  }
};

template <typename Left, typename Right>
class Network {
 public:
  Network(Left left_agent, Right right_agent, const sim::Link::Config& line = {}, std::uint64_t seed = 1)
      : left(std::move(left_agent)),
        right(std::move(right_agent)),
        to_right_(time, line, Rng(seed)),
        to_left_(time, line, Rng(seed + 1000)) {}

  // As the network sees them; nothing comes through from one to the other.
  void block(std::string_view from, std::string_view to) { blocked_.insert({at(from), at(to)}); }
  void block_both(std::string_view a, std::string_view b) {
    block(a, b);
    block(b, a);
  }
  void unblock_all() { blocked_.clear(); }
  void cut() { is_cut_ = true; }
  void mend() { is_cut_ = false; }

  bool run_until(const std::function<bool()>& condition, Duration limit) {
    Timestamp end = time.now() + limit;
    collect();
    for (int steps = 0; steps < 2'000'000; ++steps) {
      if (condition()) return true;
      Timestamp next = std::min(std::min(left.next_deadline(), right.next_deadline()),
                                std::min(to_right_.next_arrival(), to_left_.next_arrival()));
      if (next > end) {
        time.advance_to(end);
        return condition();
      }
      if (next > time.now()) time.advance_to(next);
      for (auto& bytes : to_right_.take_arrived()) arrive(bytes, right, left_side, right_side);
      for (auto& bytes : to_left_.take_arrived()) arrive(bytes, left, right_side, left_side);
      left.handle_deadline(time.now(), left_side.out);
      right.handle_deadline(time.now(), right_side.out);
      collect();
    }
    ADD_FAILURE() << "the simulation does not end";
    return false;
  }
  void run_for(Duration duration) {
    run_until([] { return false; }, duration);
  }
  void collect() {
    collect(left_side, to_right_);
    collect(right_side, to_left_);
  }

  sim::VirtualTime time;
  Left left;
  Right right;
  Side left_side, right_side;

 private:
  void collect(Side& side, sim::Link& line) {
    for (auto& output : side.out.take()) {
      auto* send = std::get_if<SendDatagram>(&output);
      if (!send) {
        side.events.push_back(std::move(output));
        continue;
      }
      ++side.sent;
      side.sent_at.push_back(time.now());
      auto socket = side.sockets.find(send->path.local);
      if (socket == side.sockets.end() || is_cut_) continue;
      SocketAddress from = side.outside(socket->second);
      if (blocked_.contains({from, send->path.remote})) continue;
      ByteWriter packet;
      write(packet, from);
      write(packet, send->path.remote);
      packet.bytes(send->bytes);
      line.send(packet.view());
    }
  }
  static void write(ByteWriter& writer, const SocketAddress& address) {
    std::string text = address.to_text();
    writer.u8(static_cast<std::uint8_t>(text.size()));
    writer.text(text);
  }
  static SocketAddress read(ByteReader& reader) {
    std::size_t length = reader.u8();
    return at(as_text(reader.take(length)));
  }
  template <typename To>
  void arrive(const Buffer& packet, To& agent, Side&, Side& side) {
    ByteReader reader(packet);
    SocketAddress from = read(reader), to = read(reader);
    Bytes payload = reader.rest();
    for (const auto& [local, address] : side.sockets)
      if (side.outside(address) == to) deliver(agent, time.now(), {local, from}, payload, side.out);
  }

  sim::Link to_right_, to_left_;
  std::set<std::pair<SocketAddress, SocketAddress>> blocked_;
  bool is_cut_ = false;
};

}  // namespace stoa::ice
