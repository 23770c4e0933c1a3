// One rate out of all that is known: up slowly while the queue is empty, down to what the path carries when
// it is not, and below that for exactly as long as the queue takes to drain.
//
// What differs from GCC, and why:
// - A link that has clearly become narrower is met by 0.97 of what arrived while its queue stood, not by 0.85
//   of a smoothed rate: that figure is the link's, so there is nothing to guess. Else the rate falls by 5 to
//   17 %, the more the longer the queue is. The queue
//   is then drained: from what is in flight and what the newest packet waited it is known when it will be
//   empty, a round trip before it can be seen.
// - A collapse is believed of three packets that came far slower than they were sent, and undone when the
//   next 60 ms do not confirm it (2.5 to 0.6 Mb/s: 5.5 % of loss in the 5 s behind become 4). What confirms
//   it is measured over as little, so it never lets the rate rise; and once it was undone, what arrives for
//   half a second has a gap that the sender made: that is not the link's rate.
// - The queue that is let stand before a decrease is kBacklogBits of this flow's own: whoever sends more is
//   the first to give way, so flows become equal within seconds (TCP Vegas; a fixed delay favours nobody).
// - A queue that three drains do not empty, and that is long at two of them, is somebody else's (a TCP's):
//   then delay is no measure, and the rate follows loss alone until the queue has been empty once (as Copa
//   does): 47 % of 2 Mb/s beside a TCP, where reacting to delay keeps 8 %. Flows of this kind that have just
//   come make long queues as well, but give way.
// - The length of the queue decides, by a threshold that follows the rate and the noise of delays, not its
//   slope (GCC's trendline): that made small flows give way as often as large ones, and jitter look like a
//   queue. With that, and a decrease by the queue instead of a flat 5 %, Jain's index of three flows went
//   from 0.90 to 0.98. A trendline for the first five seconds alone, when the least delay may be a queue's,
//   made 14 of 50 starts slow.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace stoa::bwe {

// What the last feedback has shown.
struct PathState {
  bool has_delay = false;
  Duration standing, newest, noise;     // Queue (queue_delay.h).
  Timestamp newest_sent_at;             // Of the newest packet that arrived.
  double in_flight_bits = 0;            // Sent behind it.
  std::optional<double> arrived;        // Bits a second of the last half second,
  std::optional<double> of_newest;      // of the last few packets,
  std::optional<double> while_waiting;  // and of the time in which a queue stood.
  std::optional<double> sent;
  std::optional<double> offered;  // What there is to send; nothing: more than it may.
  Duration round_trip;
  std::uint32_t lost_packets = 0;  // Newly known to be.
  std::optional<double> marked;    // Share of the packets, when ECN counts.
  bool is_app_limited = false;
};

class RateControl {
 public:
  struct Limits {
    double min, max;  // Bits a second.
  };
  RateControl(Timestamp now, double start, Limits limits);

  void handle_feedback(Timestamp now, const PathState& path);
  // While a queue is drained: what has been sent since.
  void advance(Timestamp now, double in_flight_bits);
  // When advance() has something to do.
  Timestamp next_deadline() const { return is_draining_ ? next_look_ : Timestamp::never(); }

  // A probe was answered. True when the target rose.
  bool handle_probe(Timestamp now, double bits_per_second);
  // A probe filled the path and showed so much, for all who share it: that far it may grow faster, while no
  // queue stands.
  void handle_room(double bits_per_second) { room_ = bits_per_second; }
  void handle_loss_bound(double bits_per_second);
  // Feedback has stopped, and is still missing.
  void back_off(Timestamp now);
  void set(Timestamp now, double bits_per_second);  // And nothing is known of the path.

  // For what makes media: a short dip is the pacer's to bridge, or every layer that just fits would fall.
  double target() const;
  double pacing() const { return is_draining_ ? drain_rate_ : target_; }
  double sustained() const { return target_; }  // When what stands is drained.
  Timestamp collapsed_at() const { return collapsed_at_; }
  bool is_draining() const { return is_draining_; }
  bool competes() const { return competes_; }
  bool is_congested() const { return is_draining_ || competes_; }
  Timestamp decreased_at() const { return decreased_at_; }
  // What the path carried when its queue stood; nothing: it never did.
  std::optional<double> capacity() const { return capacity_; }
  // More than that goes through now, or nothing is known: no other flow holds the path full.
  bool is_wider() const;

 private:
  double queue_limit_ms(const PathState& path) const;
  void begin_drain(Timestamp now, const PathState& path, bool is_collapse);
  void increase(Timestamp now, const PathState& path, double seconds);
  void compete(Timestamp now, const PathState& path, double seconds);
  void handle_marks(Timestamp now, const PathState& path);
  void limit();

  Limits limits_;
  double target_;
  Timestamp updated_at_;

  std::optional<double> capacity_;
  void learn_capacity(double bits_per_second);

  double room_ = 0;
  bool is_draining_ = false, is_collapse_ = false;
  double drain_rate_ = 0, service_ = 0;  // service_: at which the queue empties.
  double waited_seconds_ = 0;            // By the newest packet that arrived.
  Timestamp waited_sent_at_, drain_began_, next_look_;
  double before_drain_ = 0;     // The target.
  double before_collapse_ = 0;  // The target; 0: it was none, or has been confirmed.
  Timestamp collapsed_at_;
  Timestamp undone_at_;   // When a collapse proved to be none.
  Timestamp settled_at_;  // Packets sent before it say nothing of what was decided since.
  Timestamp decreased_at_;

  bool competes_ = false;
  int drains_since_empty_ = 0, full_drains_ = 0;  // full_drains_: of these, those of a long queue.
  double before_drains_ = 0;                      // The target before the first of them.
  Timestamp emptied_at_, tested_at_, lost_at_;

  double alpha_ = 0;  // Share of marked packets (DCTCP).
  Timestamp marked_at_;
};

}  // namespace stoa::bwe
