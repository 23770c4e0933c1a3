// Cross traffic that behaves like TCP: what media has to share links with.
//
// Segments of one size; slow start, fast recovery and CUBIC or NewReno beyond (RFC 5681, 9438); losses found
// by time as in RACK (RFC 8985 §6) out of acknowledgements that name one segment each, which is what SACK
// tells; retransmission timeout (RFC 6298); an acknowledgement for every second segment. No handshake, no
// Nagle, no receive window.
//
// A flow sends forever, or one file after the other with pauses between, each as a new connection.
#pragma once

#include <cstdint>

#include "base/rng.h"
#include "base/time.h"
#include "sim/network.h"
#include "sim/ring.h"

namespace stoa::sim {

inline constexpr std::uint32_t kTcpSegmentBytes = 1500;  // With IP and TCP headers.
inline constexpr std::uint32_t kTcpAckBytes = 52;

class TcpFlow : public Flow {
 public:
  enum class Growth : std::uint8_t { kCubic, kNewReno };
  struct Config {
    Growth growth = Growth::kCubic;
    Timestamp start, stop = Timestamp::never();
    // Files, uniform between these, with pauses whose lengths are exponential. 0: one flow without end.
    std::uint64_t file_bytes_min = 0, file_bytes_max = 0;
    Duration pause = Duration::seconds(10);  // On average.
    bool begins_with_pause = false;
  };
  struct Stats {
    std::uint64_t sent = 0, retransmitted = 0, timeouts = 0, recoveries = 0;  // Segments; events.
    std::uint64_t delivered_bytes = 0;                                        // In order, each byte once.
    std::uint64_t files = 0;                                                  // Sent to their end.
  };

  TcpFlow(const Config& config, Rng rng);

  void handle_arrival(Timestamp now, FlowPath::Arrival& arrival, Departures& out) override;
  void handle_deadline(Timestamp now, Departures& out) override;
  Timestamp next_deadline() const override;

  const Stats& stats() const { return stats_; }
  double window() const { return window_; }  // Segments.

 private:
  struct Segment {
    Timestamp sent_at;
    bool is_acknowledged = false;
    bool is_lost = false;
  };

  // The receiver.
  void receive(Timestamp now, const FlowPacket& packet, Departures& out);
  void acknowledge(Timestamp now, Departures& out);

  // The sender.
  void open(Timestamp now);
  void handle_acknowledgement(Timestamp now, std::int64_t next_expected, std::int64_t segment,
                              Timestamp sent_at);
  void find_losses(Timestamp now);
  void grow(Timestamp now, double acknowledged);
  double cubic_target(Timestamp now) const;
  void shrink(Timestamp now);
  void handle_timeout(Timestamp now);
  void measure_round_trip(Duration sample);
  void send_more(Timestamp now, Departures& out);
  void send_segment(Timestamp now, std::int64_t sequence, Departures& out);
  std::int64_t first() const { return next_ - static_cast<std::int64_t>(segments_.size()); }

  Config config_;
  Rng rng_;
  Stats stats_;

  // The sender. Segments are numbered over all files.
  Timestamp next_open_;
  std::int64_t next_ = 0, end_ = 0;  // The next new segment; where the file ends.
  Ring<Segment> segments_;           // Sent and not yet acknowledged up to them: [first(), next_).
  std::int64_t in_flight_ = 0;       // Neither acknowledged nor taken for lost.
  std::int64_t lost_ = 0;            // Waiting to be sent again.
  double window_ = 0, threshold_ = 0;
  double window_max_ = 0;       // CUBIC's W_max.
  double window_reno_ = 0;      // What Reno would have by now.
  double cubic_seconds_ = 0;    // CUBIC's K.
  Timestamp epoch_;             // When this stage of congestion avoidance began.
  std::int64_t recover_ = 0;    // Fast recovery until all before this is acknowledged.
  Timestamp newest_delivered_;  // When the newest segment that has arrived was sent.
  Duration round_trip_, round_trip_var_, round_trip_min_ = Duration::infinite();
  Duration timeout_;
  Timestamp timeout_at_ = Timestamp::never();

  // The receiver.
  std::int64_t expected_ = 0;
  Ring<std::uint8_t> beyond_;  // Which of [expected_, …) have arrived.
  FlowPacket unacknowledged_;
  int unacknowledged_count_ = 0;
  Timestamp acknowledge_at_ = Timestamp::never();
};

}  // namespace stoa::sim
