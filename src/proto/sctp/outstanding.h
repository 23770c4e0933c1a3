// What was sent and is not yet acknowledged for good: one entry a TSN, from the first that the peer's
// cumulative acknowledgement does not cover to the last one sent (RFC 9260 §6.2.1, 6.3.3, 7.2.4).
//
// It knows what is in flight, what is lost and must go again, and what has been given up (RFC 3758), and
// makes the FORWARD TSN that tells so. Windows and timers are the association's. Bytes count whole chunks:
// header, payload, padding.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <vector>

#include "base/result.h"
#include "proto/sctp/chunk.h"
#include "proto/sctp/send_queue.h"

namespace stoa::sctp {

class Outstanding {
 public:
  struct Acked {
    bool is_old = false;                 // An older SACK that says nothing new.
    bool advanced = false;               // The cumulative TSN moved.
    std::size_t bytes = 0;               // Acknowledged for the first time, by gap blocks too.
    std::optional<Duration> round_trip;  // Of a chunk that was sent once (Karn).
    bool has_new_loss = false;           // Something is to be sent again for three reports of its absence.
    bool has_reneged = false;            // The peer dropped what it had reported by a gap block.
  };

  Outstanding(Tsn first_tsn, bool is_interleaved, bool may_give_up, const Limits& limits = {})
      : is_interleaved_(is_interleaved),
        may_give_up_(may_give_up),
        chunks_max_(limits.outstanding_chunks_max),
        first_(first_tsn),
        forwarded_(first_tsn) {}

  ChunkType data_type() const { return is_interleaved_ ? ChunkType::kIData : ChunkType::kData; }
  std::size_t header_bytes() const { return is_interleaved_ ? kIDataHeaderBytes : kDataHeaderBytes; }
  std::size_t wire_bytes(const OutgoingChunk& chunk) const {
    return padded(header_bytes() + chunk.payload.size());
  }

  // Gives a chunk the next TSN and counts it as in flight; the view holds until the next call.
  DataChunk add(Timestamp now, OutgoingChunk&& chunk);
  // Stands for the unsent end of a message that was given up; never sent, only forwarded over.
  void add_given_up(OutgoingChunk&& chunk);

  // kBadSack for an acknowledgement of what was never sent.
  Result<Acked, Refusal> handle_sack(Timestamp now, const Sack& sack, bool is_recovering);
  // A SHUTDOWN carries only the cumulative TSN.
  Result<Acked, Refusal> handle_cumulative(Timestamp now, std::uint32_t tsn);
  // Everything in flight counts as lost.
  void handle_timeout();
  // The next lost chunk that is at most `bytes_max` on the wire; counted as in flight again. Messages past
  // their lifetime are given up on the way.
  std::optional<DataChunk> take_lost(Timestamp now, std::size_t bytes_max);
  bool has_lost() const { return !lost_.empty(); }

  void give_up(SendQueue::MessageKey key);
  // Messages given up here whose rest the send queue may still hold.
  std::vector<SendQueue::MessageKey> take_given_up() { return std::exchange(given_up_, {}); }

  // True when a FORWARD TSN would tell the peer something (RFC 3758 §3.5).
  bool has_forward() const { return forward_point() > cumulative(); }
  Tsn forward_point() const { return forwarded_ - 1; }
  // Streams begin their numbers anew behind the last TSN sent. A FORWARD TSN names streams by number, and the
  // peer, which may have begun anew already, would take an old number for a new one: until the peer is known
  // to have passed that TSN, no FORWARD TSN reaches beyond it. Of DATA, it stops before a message that was
  // half sent then, since the peer could not tell that the rest belongs to what was given up.
  void mark_reset();
  // Up to forward_point() or less: at most `bytes_max` long on the wire. Requires: has_forward().
  ForwardTsn make_forward(std::size_t bytes_max) const;

  std::size_t in_flight_bytes() const { return in_flight_bytes_; }
  std::size_t in_flight_chunks() const { return in_flight_chunks_; }
  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  bool is_full() const { return entries_.size() >= chunks_max_; }
  std::size_t memory_bytes() const { return payload_bytes_ + entries_.size() * kChunkOverheadBytes; }
  Tsn cumulative() const { return first_ - 1; }
  Tsn next_tsn() const { return first_ + entries_.size(); }
  std::uint64_t messages_given_up() const { return messages_given_up_; }

 private:
  enum class State : std::uint8_t { kInFlight, kLost, kAcked, kGivenUp };
  struct Entry {
    OutgoingChunk chunk;
    Timestamp sent_at;
    State state = State::kInFlight;
    std::uint8_t misses = 0;
    bool was_fast_retransmitted = false;
    bool was_acked = false;     // Once; the peer may have dropped it since.
    bool ends_numbers = false;  // See mark_reset().
    std::uint32_t transmissions = 1;
  };

  Entry& entry(Tsn tsn) { return entries_[tsn - first_]; }
  DataChunk view_of(Tsn tsn) const;
  void move(Tsn tsn, State to);
  void acknowledge(Timestamp now, Tsn tsn, Acked& acked);
  void advance_to(Timestamp now, Tsn cumulative, Acked& acked);
  Tsn handle_gaps(Timestamp now, const Sack& sack, Tsn cumulative, Acked& acked);
  void count_misses(Tsn below, Acked& acked);
  void lose(Tsn tsn);
  void give_up_around(Tsn tsn);
  void move_forward_point();

  bool is_interleaved_, may_give_up_;
  std::size_t chunks_max_;
  std::deque<Entry> entries_;
  std::size_t payload_bytes_ = 0;  // Of all entries.
  Tsn first_;                      // Of entries_.front().
  Tsn forwarded_;  // One past the last TSN that needs no answer any more: "Advanced.Peer.Ack.Point" + 1.
  std::set<Tsn> lost_;
  std::size_t in_flight_bytes_ = 0, in_flight_chunks_ = 0;
  std::size_t gap_acked_ = 0;
  std::vector<SendQueue::MessageKey> given_up_;
  std::uint64_t messages_given_up_ = 0;
};

}  // namespace stoa::sctp
