// Two associations with a bad line between them, in virtual time; and packets made by hand.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "proto/sctp/association.h"
#include "sim/link.h"

namespace stoa::sctp {

struct Peer {
  Peer(const Config& config, std::uint64_t seed) : association(config, Rng(seed)) {}

  template <typename T>
  std::size_t count() const {
    std::size_t n = 0;
    for (const Output& event : events) n += std::holds_alternative<T>(event) ? 1 : 0;
    return n;
  }
  template <typename T>
  const T* find() const {
    for (const Output& event : events)
      if (auto* found = std::get_if<T>(&event)) return found;
    return nullptr;
  }
  std::vector<ReceivedMessage> messages() const {
    std::vector<ReceivedMessage> all;
    for (const Output& event : events)
      if (auto* message = std::get_if<ReceivedMessage>(&event)) all.push_back(*message);
    return all;
  }

  Association association;
  Outputs out;
  std::vector<Output> events;  // All but packets.
  std::vector<Buffer> sent;
};

struct Peers {
  explicit Peers(const sim::Link::Config& line = {}, const Config& config_a = {}, const Config& config_b = {},
                 std::uint64_t seed = 1)
      : a(config_a, seed * 4 + 1),
        b(config_b, seed * 4 + 2),
        to_a(time, line, Rng(seed * 4 + 3)),
        to_b(time, line, Rng(seed * 4 + 4)) {}

  void collect() {
    auto move = [&](Peer& from, sim::Link& link) {
      for (Output& output : from.out.take()) {
        if (auto* send = std::get_if<SendPacket>(&output)) {
          from.sent.push_back(send->packet);
          if (!is_cut && (!drops || !drops(from, send->packet))) link.send(send->packet);
        } else {
          from.events.push_back(std::move(output));
        }
      }
    };
    move(a, to_b);
    move(b, to_a);
  }
  Timestamp next() const {
    return std::min({to_a.next_arrival(), to_b.next_arrival(), a.association.next_deadline(),
                     b.association.next_deadline()});
  }
  // Until `until` holds, or for `most` of virtual time. True when it holds.
  bool run(const std::function<bool()>& until, Duration most = Duration::seconds(60)) {
    Timestamp end = time.now() + most;
    collect();
    while (!until()) {
      Timestamp at = next();
      if (at > end) {
        time.advance_to(end);
        return until();
      }
      if (at > time.now()) time.advance_to(at);
      step();
    }
    return true;
  }
  void step() {
    auto feed = [&](Peer& peer, sim::Link& link) {
      for (Buffer& packet : link.take_arrived()) {
        (void)peer.association.handle_packet(time.now(), packet, peer.out);
        collect();
      }
      if (peer.association.next_deadline() <= time.now())
        peer.association.handle_deadline(time.now(), peer.out);
      collect();
    };
    feed(a, to_a);
    feed(b, to_b);
  }
  void run_for(Duration duration) {
    run([] { return false; }, duration);
  }
  bool connect() {
    a.association.connect(time.now(), a.out);
    return run([&] { return a.association.is_connected() && b.association.is_connected(); });
  }
  Result<void, Refusal> send(Peer& from, OutgoingMessage&& message) {
    auto sent = from.association.send(time.now(), std::move(message), from.out);
    collect();
    return sent;
  }

  sim::VirtualTime time;
  Peer a, b;
  sim::Link to_a, to_b;
  bool is_cut = false;
  std::function<bool(const Peer&, const Buffer&)> drops;  // True for packets that the line loses.
};

// A payload that says who it is.
inline SharedBytes numbered(std::uint32_t number, std::size_t size) {
  Buffer bytes(std::max<std::size_t>(size, 4));
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(number * 31 + i * 7);
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<std::uint8_t>(number >> (24 - 8 * i));
  return SharedBytes(std::move(bytes));
}
inline std::uint32_t number_of(const Buffer& payload) { return ByteReader(payload).u32(); }

// The types of a packet's chunks.
inline std::vector<ChunkType> chunks_of(Bytes packet) {
  std::vector<ChunkType> types;
  auto reader = PacketReader::parse(packet, Checksum::kZero);
  while (reader) {
    auto chunk = reader->next();
    if (!chunk || !*chunk) break;
    types.push_back((*chunk)->type);
  }
  return types;
}
inline bool has_chunk(Bytes packet, ChunkType type) {
  for (ChunkType each : chunks_of(packet))
    if (each == type) return true;
  return false;
}

}  // namespace stoa::sctp
