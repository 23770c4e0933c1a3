// Messages out of fragments, in the order their stream asks for (RFC 9260 §6.5, 6.6, 6.9; RFC 8260 §2.2).
//
// DATA and I-DATA differ in what holds a message together: consecutive TSNs and, when ordered, one SSN; or
// a MID with fragments numbered by FSN. The owner sees to it that each TSN comes here once. Fragments that
// contradict each other are refused with what ends the association; what is complete leaves at once, so
// what is held is only what waits for something that has not come.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "proto/sctp/chunk.h"
#include "proto/sctp/limits.h"

namespace stoa::sctp {

struct ReceivedMessage {
  StreamId stream = 0;
  PayloadProtocol protocol = 0;
  bool is_unordered = false;
  Buffer payload;
};

class Reassembly {
 public:
  Reassembly(const Limits& limits, bool is_interleaved) : limits_(limits), is_interleaved_(is_interleaved) {}

  // Appends what became deliverable to `out`.
  Result<void, Refusal> add(Tsn tsn, const DataChunk& chunk, std::vector<ReceivedMessage>& out);
  // The peer has given up everything up to `cumulative`, and on the streams named everything up to a number.
  Result<void, Refusal> skip(Tsn cumulative, std::span<const Skipped> skipped,
                             std::vector<ReceivedMessage>& out);
  // The peer's numbering on these streams starts anew; none means all.
  void reset_streams(std::span<const StreamId> streams);

  // Payload with kChunkOverheadBytes a chunk.
  std::size_t held_bytes() const { return held_bytes_; }
  std::size_t memory_bytes() const { return held_bytes_ + streams_.size() * kStreamOverheadBytes; }
  std::size_t streams() const { return streams_.size(); }

 private:
  struct Fragment {
    bool is_begin, is_end;
    PayloadProtocol protocol;
    Buffer payload;
  };
  // Fragments of one message, by TSN or by FSN.
  struct Partial {
    std::map<std::uint64_t, Fragment> fragments;
    std::optional<std::uint64_t> first, last;  // Known when the fragment that says so has come.
    std::size_t payload_bytes = 0;
    bool is_whole() const { return first && last && fragments.size() == *last - *first + 1; }
  };
  struct Run {
    Tsn last;
    std::size_t payload_bytes;
  };
  using Messages = std::map<std::uint64_t, Partial>;  // By message number, unwrapped.
  struct Stream {
    std::uint64_t next = kSerialOrigin;  // The ordered message to be delivered next.
    Messages ordered;
    // I-DATA. MIDs are unwrapped against `unordered_near`; up to `unordered_given_up` none is taken.
    std::uint64_t unordered_near = kSerialOrigin, unordered_given_up = kSerialOrigin - 1;
    Messages unordered;
    // DATA: fragments by TSN, and their runs, by the first TSN of each, that may be one message.
    std::map<Tsn, Fragment> loose;
    std::map<Tsn, Run> runs;
  };

  std::uint64_t unwrap(std::uint32_t wire, std::uint64_t near) const {
    return is_interleaved_ ? unwrap32(wire, near) : unwrap16(static_cast<std::uint16_t>(wire), near);
  }
  Result<Stream*, Refusal> stream(StreamId id);
  Result<void, Refusal> add_to(Partial& partial, std::uint64_t key, const DataChunk& chunk);
  Result<void, Refusal> add_ordered(Stream& stream, Tsn tsn, const DataChunk& chunk,
                                    std::vector<ReceivedMessage>& out);
  Result<void, Refusal> add_unordered(Stream& stream, const DataChunk& chunk,
                                      std::vector<ReceivedMessage>& out);
  Result<void, Refusal> add_loose(Stream& stream, Tsn tsn, const DataChunk& chunk,
                                  std::vector<ReceivedMessage>& out);
  ReceivedMessage take(StreamId id, bool is_unordered, Partial& partial);
  void deliver_in_order(StreamId id, Stream& stream, std::vector<ReceivedMessage>& out);
  void skip_ordered(StreamId id, Stream& stream, std::uint64_t up_to, std::vector<ReceivedMessage>& out);
  ReceivedMessage take_run(StreamId id, Stream& stream, std::map<Tsn, Run>::iterator run);
  void drop_loose(Stream& stream, Tsn up_to);
  // Drops what has lost its beginning, if this is it.
  bool drop_orphan(Stream& stream, std::map<Tsn, Run>::iterator run);
  void hold(std::size_t payload_bytes) { held_bytes_ += payload_bytes + kChunkOverheadBytes; }
  void release(std::size_t payload_bytes, std::size_t chunks) {
    held_bytes_ -= payload_bytes + chunks * kChunkOverheadBytes;
  }
  void release(const Partial& partial) { release(partial.payload_bytes, partial.fragments.size()); }

  Limits limits_;
  bool is_interleaved_;
  std::unordered_map<StreamId, Stream> streams_;
  std::size_t held_bytes_ = 0;
  // DATA: what was dropped ends here. A fragment that begins no message and follows it belongs to that.
  Tsn dropped_to_ = 0;
};

}  // namespace stoa::sctp
