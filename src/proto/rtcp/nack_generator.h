// Which packets of one stream are missing, and when to ask for them (again): the receiving side of RFC 4585
// §6.2.1 and RFC 4588.
//
// A gap is not asked about at once: networks reorder. How long to wait is learnt from packets that came late
// by themselves. An unanswered request is repeated after a round trip. What could not come any more while it
// is of use is not asked for but given up, and the owner hears of it, since for video only a whole picture
// helps then.
//
// The round trip is what the owner says, else what answers show; until the owner says it, each repeat waits
// longer than the one before.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "base/outbox.h"
#include "base/time.h"
#include "proto/rtcp/sequence.h"

namespace stoa::rtcp {

struct NackConfig {
  std::size_t missing_max = 512;  // Packets asked for at a time; a longer gap is given up.
  int tries_max = 10;
  // From noticed to given up: a packet that would come later is of no use. On long paths it is as long as two
  // requests and their answers take, which a new keyframe would not be sooner than, up to lifetime_max.
  Duration lifetime = Duration::seconds(1);
  Duration lifetime_max = Duration::seconds(2);
  Duration wait_min = Duration::milliseconds(2);  // For reordered packets; also gathers requests into one.
  Duration wait_max = Duration::milliseconds(30);
  Duration retry_min = Duration::milliseconds(10);
  Duration round_trip = Duration::milliseconds(100);  // Until set_round_trip() or an answer knows better.
};

// Write a NACK for these, oldest first (Writer::write_nack).
struct NackWanted {
  std::vector<std::uint16_t> sequences;
};
// These packets will not be asked for (again). For video: time for a PLI, if no keyframe came behind them.
struct GivenUp {
  std::size_t packets = 0;
  std::uint16_t newest = 0;  // The highest of their numbers, or the last before a stream began anew.
};
using NackOutputs = Outbox<std::variant<NackWanted, GivenUp>>;

// kRecovered: made of the redundancy of another packet, which answers no request.
enum class PacketOrigin : std::uint8_t { kFirstSent, kRetransmitted, kRecovered };

// Copyable counters.
struct NackStats {
  std::uint64_t noticed = 0;    // Packets that were missing for a while.
  std::uint64_t reordered = 0;  // Came by themselves.
  std::uint64_t answered = 0;   // Came because they were asked for.
  std::uint64_t recovered = 0;  // Did not come, and were made of redundancy.
  std::uint64_t given_up = 0;
  std::uint64_t requests = 0;  // Packets asked for, each time counted.
};

class NackGenerator {
 public:
  explicit NackGenerator(const NackConfig& config = {});

  // A packet of the stream arrived; a retransmission, or what was recovered, under the number it first had.
  // One that overtook the highest number (its first sending was lost or is late) moves the stream on like any
  // packet; one from far off says nothing.
  void handle_packet(Timestamp now, std::uint16_t sequence, PacketOrigin origin, NackOutputs& out);
  // Asks for what is due and gives up what is too old. Where it may not ask, nobody would answer now: what is
  // due waits.
  void handle_deadline(Timestamp now, NackOutputs& out, bool may_ask = true);
  // Never late; may be early when a packet came meanwhile.
  Timestamp next_deadline() const { return next_deadline_; }

  void set_round_trip(Duration round_trip);
  Duration round_trip() const { return round_trip_; }
  bool knows_round_trip() const { return round_trip_from_ != RoundTripFrom::kNobody; }
  // Packets before `sequence` are of no use any more: a keyframe begins there, or the player is past them.
  void drop_before(std::uint16_t sequence);

  std::size_t missing() const { return missing_.size(); }
  // The oldest that is still asked for.
  std::optional<std::uint16_t> first_missing() const {
    if (missing_.empty()) return std::nullopt;
    return static_cast<std::uint16_t>(missing_.front().sequence);
  }
  Duration reorder_wait() const { return reorder_wait_; }
  const NackStats& stats() const { return stats_; }

 private:
  struct Missing {
    std::int64_t sequence;
    Timestamp noticed;
    Timestamp due;
    Timestamp first_asked, asked;
    int tries;
  };
  std::vector<Missing>::iterator find(std::int64_t sequence);
  void add_gap(Timestamp now, std::int64_t first, std::int64_t end, NackOutputs& out);
  void give_up_first(std::size_t count, std::int64_t newest, NackOutputs& out);
  void handle_answer(Timestamp now, const Missing& packet);
  void learn_wait(Duration late_by);
  Duration retry_after(int tries) const;
  Duration lifetime() const;
  void update_deadline();
  void hasten_deadline();

  NackConfig config_;
  SequenceExtender extender_;
  std::int64_t end_ = 0;          // Behind the highest number so far.
  std::vector<Missing> missing_;  // By sequence, at most missing_max.
  Duration round_trip_;
  enum class RoundTripFrom : std::uint8_t { kNobody, kRepeats, kAnswers, kOwner } round_trip_from_{};
  Duration reorder_wait_;
  Timestamp next_deadline_ = Timestamp::never();
  NackStats stats_;
};

}  // namespace stoa::rtcp
