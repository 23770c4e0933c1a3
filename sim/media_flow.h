// A sender of video and sound that lets bwe::Controller decide, and its receiver.
//
// The sender: an encoder that follows the target (encoder.h), sound of 50 packets a second, a pacer that
// sends sound at once, video at the pacing rate, and probes of video first and padding behind. The receiver:
// transport-wide feedback made and read by proto/rtcp, so that its rounding is the real one; that of RFC 8888
// when the controller reacts to ECN. Lost packets are not sent again.
//
// With layers it is a receiver of simulcast instead: bwe::Allocator chooses which layer is passed on, and a
// switch waits for a keyframe.
//
// What happened is kept in `log()` for whoever judges it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "bwe/allocator.h"
#include "bwe/controller.h"
#include "proto/rtcp/arrival_log.h"
#include "proto/rtcp/congestion_feedback.h"
#include "proto/rtcp/transport_feedback.h"
#include "proto/rtcp/writer.h"
#include "sim/encoder.h"
#include "sim/network.h"

namespace stoa::sim {

inline constexpr std::uint32_t kMediaPacketBytes = 1200;  // The longest, with IP and UDP headers.
inline constexpr std::uint32_t kAudioPacketBytes = 120;
inline constexpr Duration kAudioInterval = Duration::milliseconds(20);
inline constexpr std::uint64_t kAudioBitsPerSecond = 48'000;

struct MediaLog {
  struct Sent {
    Timestamp at;
    std::uint32_t bytes = 0;
    bool is_padding = false;
  };
  struct Arrived {
    Timestamp at;
    std::uint32_t number = 0;  // Of `sent`.
    Duration waited;           // In the bottleneck's queue.
    Duration one_way;          // From the sender's pacer to the receiver.
  };
  struct Rate {
    Timestamp at;
    std::uint64_t target = 0;   // The controller's, bits/s.
    std::uint64_t encoder = 0;  // What the encoder makes of it.
  };
  struct Switch {
    Timestamp at;
    std::size_t layer = 0;  // From now on; 0: none, n: Config::layers[n - 1].
  };
  std::vector<Sent> sent;
  std::vector<Arrived> arrived;
  std::vector<Rate> rates;  // One for each frame.
  std::vector<Switch> switches;
};

class MediaFlow : public Flow {
 public:
  struct Config {
    bwe::Config controller;
    Encoder::Config encoder;
    bool has_audio = true;
    // Bits a second of simulcast layers, ascending. None: the encoder follows the target.
    std::vector<std::uint64_t> layers;
    Duration keyframe_wait = Duration::milliseconds(150);  // From asking for one until it comes.
    Timestamp start, stop = Timestamp::never();
    // The pacer looks so often whether something is to be sent; probes are sent packet by packet.
    Duration pacing_quantum = Duration::milliseconds(5);
    rtcp::FeedbackConfig feedback{.interval_max = Duration::milliseconds(50)};
  };

  MediaFlow(const Config& config, Rng rng);

  void handle_arrival(Timestamp now, FlowPath::Arrival& arrival, Departures& out) override;
  void handle_deadline(Timestamp now, Departures& out) override;
  Timestamp next_deadline() const override;

  // From `now` on there are pictures for so much more, or less. Network::renew_deadlines() follows.
  void set_encoder_max(Timestamp now, std::uint64_t bits_per_second);
  // Nothing is sent until resume(); feedback goes on.
  void pause() { is_paused_ = true; }
  void resume() { is_paused_ = false; }

  const bwe::Controller& controller() const { return controller_; }
  const Encoder& encoder() const { return encoder_; }
  const MediaLog& log() const { return log_; }

 private:
  void handle_frame(Timestamp now);
  void handle_audio(Timestamp now, Departures& out);
  void send_video(Timestamp now, Departures& out);
  void send_probe(Timestamp now, Departures& out);
  std::uint32_t take_video_packet();
  void send_packet(Timestamp now, std::uint32_t bytes, std::uint16_t probe, bool is_padding, Departures& out);
  void send_feedback(Timestamp now, Departures& out);
  void read_feedback(Timestamp now, Bytes bytes);
  void follow_controller(Timestamp now);
  bwe::Demand follow_target();
  bwe::Demand choose_layer(Timestamp now);
  void begin_layer(Timestamp now);
  std::uint64_t video_bits_per_second() const;
  void handle_transport_feedback(Timestamp now, const rtcp::TransportFeedback& feedback);
  void handle_congestion_feedback(Timestamp now, const rtcp::CongestionFeedback& feedback);
  Timestamp feedback_deadline() const {
    return std::min(arrival_log_.next_deadline(), congestion_log_.next_deadline()) - clock_offset_;
  }
  bool is_live(Timestamp now) const { return !is_paused_ && now >= config_.start && now < config_.stop; }

  Config config_;
  Rng rng_;

  // The sender.
  bwe::Controller controller_;
  Encoder encoder_;
  Timestamp next_audio_;
  Ring<std::uint32_t> queue_;  // Video packets in the pacer, by length.
  std::uint64_t queued_bytes_ = 0;
  Timestamp next_video_;  // When the pacing rate allows the next packet.
  bwe::ProbeCluster probe_;
  std::uint32_t probe_bytes_left_ = 0, probe_packets_left_ = 0;
  Timestamp next_probe_ = Timestamp::never();
  std::int64_t first_sequence_;
  std::int64_t next_sequence_;
  bool is_paused_ = false;
  bwe::Allocator allocator_;
  std::size_t layer_ = 0, next_layer_ = 0;      // As in MediaLog::Switch.
  Timestamp keyframe_at_ = Timestamp::never();  // The next layer begins.
  rtcp::FeedbackTimeline timeline_;
  std::vector<bwe::Arrival> arrivals_;

  // The receiver.
  Duration clock_offset_;               // Of its clock.
  rtcp::ArrivalLog arrival_log_;        // Without ECN.
  rtcp::CongestionLog congestion_log_;  // With ECN.
  rtcp::Writer writer_;

  MediaLog log_;
};

}  // namespace stoa::sim
