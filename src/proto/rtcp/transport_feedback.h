// Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1): when
// each packet of a transport arrived, numbered by a header extension common to all of its streams.
//
// Both directions stand here: TransportFeedback reads one packet, FeedbackTimeline places packet after packet
// on one time line, TransportFeedbackBuilder fills one. ArrivalLog (arrival_log.h) decides when and with
// what.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "proto/rtcp/refusal.h"

namespace stoa::rtcp {

class Writer;

inline constexpr Duration kFeedbackTick = Duration::microseconds(250);  // Unit of a delta.
inline constexpr std::int64_t kTicksPerReference = 256;                 // The reference time counts 64 ms.

// A received packet of a feedback.
struct FeedbackArrival {
  std::uint16_t index = 0;   // Behind the feedback's first sequence number.
  Duration since_reference;  // In ticks of 250 µs; may be negative.
};

// Walks what arrived. What was lost is passed over in a step, so a walk costs no more than the packet's
// bytes.
class FeedbackArrivals {
 public:
  // Requires: chunks and deltas that were checked by TransportFeedback::parse.
  FeedbackArrivals(Bytes chunks, Bytes deltas, std::size_t status_count)
      : chunks_(chunks), deltas_(deltas), statuses_left_(status_count) {}
  std::optional<FeedbackArrival> next();

 private:
  FeedbackArrival take_arrival(unsigned symbol);

  Bytes chunks_, deltas_;
  std::size_t statuses_left_;
  std::size_t index_ = 0;
  std::size_t chunk_left_ = 0;  // Statuses that `chunk_` still says something about.
  std::uint16_t chunk_ = 0;
  std::int64_t ticks_ = 0;
};

struct TransportFeedback {
  std::uint32_t sender_ssrc = 0, media_ssrc = 0;
  std::uint16_t first_sequence = 0;
  std::uint16_t status_count = 0;    // At least 1: lost and received, from first_sequence on.
  std::uint32_t reference_time = 0;  // 24 bits in units of 64 ms, of the receiver's own clock.
  std::uint8_t feedback_count = 0;   // Counts feedback packets, so that a lost one is noticed.
  Bytes chunks, deltas;

  // `content` is what stands behind the two SSRCs.
  static Result<TransportFeedback, Refusal> parse(std::uint32_t sender_ssrc, std::uint32_t media_ssrc,
                                                  Bytes content);
  FeedbackArrivals arrivals() const { return {chunks, deltas, status_count}; }
};

// Unwraps sequence numbers and reference times of one peer's feedback, packet after packet.
class FeedbackTimeline {
 public:
  struct Placed {
    std::int64_t first_sequence = 0;  // Congruent to the packet's; the first one is in [0, 65535].
    Duration reference;               // On the receiver's clock, whose origin means nothing.
    int feedback_lost = 0;            // Feedback packets missing before this one; 0 when this one is late.
  };
  // An arrival's number is first_sequence + index, its time reference + since_reference.
  Placed place(const TransportFeedback& feedback);

 private:
  bool is_started_ = false;
  std::int64_t sequence_ = 0;
  std::int64_t reference_ = 0;  // Units of 64 ms.
  std::uint8_t count_ = 0;
};

// One feedback packet being filled, in order of sequence numbers, until it is full.
class TransportFeedbackBuilder {
 public:
  static constexpr std::size_t kHeaderBytes = 20;  // The packet without chunks and deltas.

  // Requires: limit_bytes >= 64, so that one arrival always fits.
  TransportFeedbackBuilder(std::uint16_t first_sequence, std::size_t limit_bytes);

  // The next packet that arrived, behind `lost_before` that did not. False, and nothing changed, when it does
  // not fit: over the limit of bytes or statuses, or more than 8.19 s apart from the one before.
  bool add(std::size_t lost_before, Timestamp arrival);

  bool empty() const { return status_count_ == 0; }
  std::size_t size_bytes() const;  // Of the whole packet, as far as it is filled.
  // Requires: !empty(). False when the writer has not size_bytes() left.
  bool write(std::uint32_t sender_ssrc, std::uint32_t media_ssrc, std::uint8_t feedback_count,
             Writer& writer) const;

 private:
  // Packs statuses into chunks: a run while all are equal, else vectors of 14 small or 7 any.
  struct Packer {
    std::vector<std::uint16_t> chunks;
    std::uint8_t open[14] = {};
    std::size_t open_count = 0;  // Of a run: above 14, and only open[0] counts.
    bool is_run = true;
    bool has_large = false;

    bool takes(std::uint8_t symbol) const;
    void push(std::uint8_t symbol);
    void push_lost(std::size_t count);
    void close();
    std::uint16_t run() const;
    std::uint16_t vector_of_one_bit(std::size_t count) const;
    std::uint16_t vector_of_two_bits(std::size_t count) const;
  };

  std::uint16_t first_sequence_;
  std::size_t limit_bytes_;
  std::size_t status_count_ = 0;
  std::int64_t reference_ = 0, last_ticks_ = 0;
  Packer packer_;
  Buffer deltas_;
};

}  // namespace stoa::rtcp
