// What one sender does about congestion: its packets, counted over all of its streams, and what the receiver
// says of them (transport-wide feedback, that of RFC 8888, REMB, receiver reports) go to its bwe::Controller;
// what comes out sets its pacer, and is told when it is news.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/prefetch.h"
#include "base/time.h"
#include "bwe/controller.h"
#include "bwe/pacer.h"
#include "proto/rtcp/congestion_feedback.h"
#include "proto/rtcp/transport_feedback.h"

namespace stoa::webrtc {

// IPv6 and UDP: what a datagram is longer on the wire than its payload. Of IPv4 it is 20 bytes less, which
// errs on the safe side.
inline constexpr std::uint32_t kDatagramOverheadBytes = 48;
// A rate is told when it has changed by so many hundredths, or at this interval.
inline constexpr std::uint64_t kToldPercent = 2;
inline constexpr Duration kToldInterval = Duration::seconds(1);
// So many packets sent with ECN that come without it show a path that takes it off (RFC 6679 §7.2.1).
inline constexpr std::uint32_t kBleachedPackets = 100;
// A trial (Congestion::update()): so long until what was told is sent and can fill a probe, until it is given
// up, and until the receiver has told of the probe.
inline constexpr Duration kTrialStart = Duration::milliseconds(1500), kTrialMax = Duration::seconds(8);
inline constexpr Duration kTrialAnswer = Duration::seconds(1);
// A probe that did not get its packets together by then is given up.
inline constexpr Duration kProbeTimeout = Duration::seconds(5);

class Congestion {
 public:
  // Memory that is used within a call alone, so that thousands of senders can have it in common.
  class Scratch {
    friend class Congestion;
    struct Told {
      std::int64_t sequence = 0;
      std::optional<Duration> at;
      bool is_marked = false;
    };
    std::vector<bwe::Arrival> arrivals_;
    std::vector<Told> told_of_;
  };

  // `scratch` outlives it.
  Congestion(const bwe::Config& config, Timestamp now, Scratch& scratch)
      : controller_(config, now), scratch_(&scratch), may_send_ecn_(config.reacts_to_ecn) {}

  // The number of the next packet, of which the lower 16 bits are on the wire.
  std::uint16_t next_sequence() const { return static_cast<std::uint16_t>(next_); }
  void handle_sent(Timestamp now, std::size_t bytes);
  // Before handle_sent(), of a receiver that tells by RFC 8888: the stream's own number.
  void note_number(std::uint32_t ssrc, std::uint16_t sequence);
  void handle_feedback(Timestamp now, const rtcp::TransportFeedback& feedback);
  // After the first of these the other kind is passed over: it has another clock.
  void handle_feedback(Timestamp now, const rtcp::CongestionFeedback& feedback);
  // Before all of these, of what handle_sent() touches: in steps, each when the one before has come.
  void prefetch() const { stoa::prefetch(this, &scratch_); }
  // How packets are to be marked: ECT(1) (RFC 9331 §4.1) where the receiver tells of marks and they come
  // through.
  Ecn ecn() const { return sends_ecn_ ? Ecn::kCapable1 : Ecn::kNotCapable; }
  bwe::Controller& controller() { return controller_; }
  const bwe::Controller& controller() const { return controller_; }

  // After each input and at the deadline: a probe may begin, the pacer gets its rate. True: packets may be
  // let go earlier than before. `can_pad`: there are retransmissions to fill a probe with. Where there are
  // none media has to fill it, so a higher rate is told while it lasts: what is given then is the trial.
  bool update(Timestamp now, bwe::Pacer& pacer, bool can_pad);
  bool is_probing() const { return probe_.has_value(); }
  // Ends a probe that is complete, or that has taken too long.
  void finish_probe(Timestamp now, bwe::Pacer& pacer);
  // The target, when it is news to whoever shares it out.
  std::optional<bwe::Target> take_news(Timestamp now);

 private:
  struct Probe {
    bwe::ProbeCluster cluster;
    Timestamp begun_at;
    std::uint32_t bytes = 0, packets = 0;
  };

  // The newest packets of one stream: which of all packets each was.
  struct Numbers {
    static constexpr std::size_t kKept = 1024;
    struct Sent {
      std::int64_t of_all = 0;
      std::uint16_t sequence = 0;
      bool has_ecn = false;
    };
    std::uint32_t ssrc = 0;
    std::vector<Sent> sent;
  };
  Numbers* find_numbers(std::uint32_t ssrc);
  void note_ecn(Ecn ecn);
  void tell_runs(Timestamp now);

  // What each packet needs comes first.
  bwe::Controller controller_;
  std::int64_t next_ = 1;
  std::optional<Probe> probe_;
  Scratch* scratch_;
  bool may_send_ecn_, sends_ecn_ = false;
  std::uint32_t unmarked_ = 0;  // Of what was sent with ECN, in a row: came without.
  rtcp::FeedbackTimeline timeline_;
  std::vector<Numbers> numbers_;             // At most rtcp::kCongestionSourcesMax.
  std::optional<std::int64_t> report_time_;  // Of RFC 8888, unwrapped.
  std::uint64_t trial_bits_per_second_ = 0;
  Timestamp trial_from_, trial_until_;
  bwe::Target told_;
  Timestamp told_at_;
  bool has_told_ = false;
};

}  // namespace stoa::webrtc
