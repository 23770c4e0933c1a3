#include "sim/media_flow.h"

#include <algorithm>
#include <variant>

#include "base/assert.h"
#include "proto/rtcp/ntp.h"
#include "proto/rtcp/packet.h"
#include "proto/rtcp/sequence.h"

namespace stoa::sim {
namespace {

// More time than this in the pacer and the encoder leaves out frames.
constexpr Duration kPacerTimeMax = Duration::milliseconds(250);
// IP and UDP headers, SRTCP's index and tag.
constexpr std::uint32_t kRtcpOverheadBytes = 28 + 14;
constexpr std::uint32_t kSenderSsrc = 1, kMediaSsrc = 2;
// An encoder can use any more bits. This is what it is taken to ask for next, of what it sends.
constexpr double kNextStep = 1.2;
constexpr std::uint64_t kPacingMin = 10'000;
// The first feedback must not be of the numbers behind 65535, or its reader takes them for those from 0 on.
constexpr std::uint64_t kFirstSequenceMax = 65'000;

Duration time_to_send(std::uint64_t bytes, std::uint64_t bits_per_second) {
  double bits = static_cast<double>(bytes) * 8;
  return Duration::from_seconds(bits / static_cast<double>(std::max(bits_per_second, kPacingMin)));
}

}  // namespace

MediaFlow::MediaFlow(const Config& config, Rng rng)
    : config_(config),
      rng_(rng),
      controller_(config.controller, config.start),
      encoder_(config.encoder, Rng(rng_.next()), config.start),
      next_audio_(config.has_audio
                      ? config.start + Duration::from_seconds(kAudioInterval.as_seconds() * rng_.unit())
                      : Timestamp::never()),
      next_video_(config.start),
      first_sequence_(static_cast<std::int64_t>(rng_.below(kFirstSequenceMax))),
      next_sequence_(first_sequence_),
      clock_offset_(Duration::microseconds(static_cast<std::int64_t>(rng_.below(1'000'000'000)))),
      arrival_log_(config.feedback),
      congestion_log_(config.feedback) {
  encoder_.restart(video_bits_per_second());
  if (!config_.layers.empty()) {
    bwe::Claim claim;
    for (std::size_t i = 0; i < config_.layers.size(); ++i)
      claim.steps.push_back({.layer = static_cast<std::uint8_t>(i), .bits_per_second = config_.layers[i]});
    allocator_.set_claims(config.start, {claim},
                          {config.has_audio ? 1u : 0u, config.has_audio ? kAudioBitsPerSecond : 0});
  }
  follow_controller(config.start);
}

std::uint64_t MediaFlow::video_bits_per_second() const {
  std::uint64_t target = controller_.target().bits_per_second,
                audio = config_.has_audio ? kAudioBitsPerSecond : 0;
  return target > audio ? target - audio : 0;
}

void MediaFlow::set_encoder_max(Timestamp now, std::uint64_t bits_per_second) {
  encoder_.set_max(bits_per_second);
  follow_controller(now);
}

// After whatever may have changed the controller's mind.
void MediaFlow::follow_controller(Timestamp now) {
  if (!is_live(now)) {
    controller_.set_demand(now, {});
  } else {
    controller_.set_demand(now, config_.layers.empty() ? follow_target() : choose_layer(now));
  }
  if (auto probe = controller_.take_probe(now)) {
    probe_ = *probe;
    probe_bytes_left_ = probe->bytes_min;
    probe_packets_left_ = probe->packets_min;
    next_probe_ = now;
  }
}

bwe::Demand MediaFlow::follow_target() {
  encoder_.set_rate(video_bits_per_second());
  std::uint64_t audio = config_.has_audio ? kAudioBitsPerSecond : 0;
  std::uint64_t sends = encoder_.rate() + audio, all = encoder_.max() + audio;
  auto next = static_cast<std::uint64_t>(static_cast<double>(sends) * kNextStep);
  return {sends, sends < all ? std::min(next, all) : 0, all};
}

bwe::Demand MediaFlow::choose_layer(Timestamp now) {
  allocator_.handle_deadline(now);
  allocator_.set_budget(now, controller_.target().bits_per_second);
  std::size_t wanted = allocator_.given()[0];
  if (wanted != next_layer_) {
    next_layer_ = wanted;
    keyframe_at_ = wanted == 0 ? now : now + config_.keyframe_wait;
  }
  if (now >= keyframe_at_) begin_layer(now);
  return allocator_.demand();
}

void MediaFlow::begin_layer(Timestamp now) {
  keyframe_at_ = Timestamp::never();
  if (layer_ == next_layer_) return;
  layer_ = next_layer_;
  log_.switches.push_back({now, layer_});
  if (layer_ > 0) encoder_.restart(config_.layers[layer_ - 1]);
}

void MediaFlow::handle_frame(Timestamp now) {
  std::uint64_t pacing = controller_.target().pacing_bits_per_second;
  bool has_picture = config_.layers.empty() || layer_ > 0;
  if (!is_live(now) || !has_picture || time_to_send(queued_bytes_, pacing) > kPacerTimeMax) {
    encoder_.skip_frame();
  } else {
    std::uint32_t left = encoder_.take_frame();
    queued_bytes_ += left;
    for (std::uint32_t packets = (left + kMediaPacketBytes - 1) / kMediaPacketBytes; packets > 0; --packets) {
      queue_.push_back(left / packets);
      left -= left / packets;
    }
  }
  log_.rates.push_back({now, controller_.target().bits_per_second, is_live(now) ? encoder_.rate() : 0});
}

void MediaFlow::handle_audio(Timestamp now, Departures& out) {
  if (is_live(now)) send_packet(now, kAudioPacketBytes, bwe::kNoProbe, false, out);
  next_audio_ += kAudioInterval;
}

void MediaFlow::send_packet(Timestamp now, std::uint32_t bytes, std::uint16_t probe, bool is_padding,
                            Departures& out) {
  out.push(Departure{
      bytes, {.can_ecn = config_.controller.reacts_to_ecn, .sequence = next_sequence_, .sent_at = now}});
  controller_.handle_sent(now, {next_sequence_, bytes, probe});
  ++next_sequence_;
  log_.sent.push_back({now, bytes, is_padding});
}

std::uint32_t MediaFlow::take_video_packet() {
  std::uint32_t bytes = queue_.pop_front();
  queued_bytes_ -= bytes;
  return bytes;
}

// Everything that belongs before the end of this quantum.
void MediaFlow::send_video(Timestamp now, Departures& out) {
  if (next_probe_ != Timestamp::never()) return;  // The probe has it.
  next_video_ = std::max(next_video_, now);
  while (!queue_.empty() && next_video_ < now + config_.pacing_quantum) {
    std::uint32_t bytes = take_video_packet();
    send_packet(now, bytes, bwe::kNoProbe, false, out);
    next_video_ += time_to_send(bytes, controller_.target().pacing_bits_per_second);
  }
}

void MediaFlow::send_probe(Timestamp now, Departures& out) {
  bool is_padding = queue_.empty();
  std::uint32_t bytes = is_padding ? kMediaPacketBytes : take_video_packet();
  send_packet(now, bytes, probe_.id, is_padding, out);
  probe_bytes_left_ -= std::min(probe_bytes_left_, bytes);
  if (probe_packets_left_ > 0) --probe_packets_left_;
  bool is_done = probe_bytes_left_ == 0 && probe_packets_left_ == 0;
  next_probe_ = is_done ? Timestamp::never() : next_probe_ + time_to_send(bytes, probe_.bits_per_second);
  if (is_done) next_video_ = now;
}

void MediaFlow::handle_deadline(Timestamp now, Departures& out) {
  if (now >= controller_.next_deadline()) {
    controller_.handle_deadline(now);
    follow_controller(now);
  }
  if (now >= std::min(allocator_.next_deadline(), keyframe_at_)) follow_controller(now);
  if (now >= encoder_.next_frame()) {
    handle_frame(now);
    follow_controller(now);
  }
  if (now >= next_audio_) handle_audio(now, out);
  if (!is_live(now)) next_probe_ = Timestamp::never();
  while (now >= next_probe_) send_probe(now, out);
  if (!queue_.empty() && now >= next_video_) send_video(now, out);
  if (now >= feedback_deadline()) send_feedback(now, out);
}

Timestamp MediaFlow::next_deadline() const {
  Timestamp video = queue_.empty() || next_probe_ != Timestamp::never() ? Timestamp::never() : next_video_;
  return std::min({encoder_.next_frame(), next_audio_, video, next_probe_, controller_.next_deadline(),
                   feedback_deadline(), allocator_.next_deadline(), keyframe_at_});
}

void MediaFlow::handle_arrival(Timestamp now, FlowPath::Arrival& arrival, Departures&) {
  if (arrival.payload.is_reply) {
    read_feedback(now, arrival.payload.bytes);
    return follow_controller(now);
  }
  auto sequence = static_cast<std::uint16_t>(arrival.payload.sequence);
  if (config_.controller.reacts_to_ecn) {
    auto ecn = arrival.is_marked ? Ecn::kCongestion : Ecn::kCapable1;
    congestion_log_.handle_packet(now + clock_offset_, kMediaSsrc, sequence, ecn);
  } else {
    arrival_log_.handle_packet(now + clock_offset_, sequence);
  }
  auto number = static_cast<std::uint32_t>(arrival.payload.sequence - first_sequence_);
  log_.arrived.push_back({now, number, arrival.waited, now - arrival.payload.sent_at});
}

void MediaFlow::send_feedback(Timestamp now, Departures& out) {
  Timestamp local = now + clock_offset_;
  auto ntp = rtcp::NtpTime::from_wall(WallTime() + (local - Timestamp()));
  while (congestion_log_.write_feedback(local, ntp, kSenderSsrc, writer_) ||
         arrival_log_.write_feedback(kSenderSsrc, kMediaSsrc, writer_)) {
    Buffer bytes(writer_.view().begin(), writer_.view().end());
    writer_.clear();
    auto wire_bytes = static_cast<std::uint32_t>(bytes.size()) + kRtcpOverheadBytes;
    out.push(Departure{wire_bytes, {.is_reply = true, .sent_at = now, .bytes = std::move(bytes)}});
  }
}

void MediaFlow::read_feedback(Timestamp now, Bytes bytes) {
  auto reader = rtcp::Reader::open(bytes, rtcp::Form::kReducedSize);
  STOA_ASSERT(reader);
  while (auto packet = reader->next()) {
    STOA_ASSERT(*packet);
    if (auto* feedback = std::get_if<rtcp::TransportFeedback>(&**packet))
      handle_transport_feedback(now, *feedback);
    if (auto* feedback = std::get_if<rtcp::CongestionFeedback>(&**packet))
      handle_congestion_feedback(now, *feedback);
  }
}

void MediaFlow::handle_transport_feedback(Timestamp now, const rtcp::TransportFeedback& feedback) {
  auto placed = timeline_.place(feedback);
  arrivals_.clear();
  auto walk = feedback.arrivals();
  while (auto arrival = walk.next())
    arrivals_.push_back(
        {placed.first_sequence + arrival->index, placed.reference + arrival->since_reference});
  controller_.handle_feedback(now, {placed.first_sequence, feedback.status_count, arrivals_});
}

// All packets are of one source here, whose numbers are the transport's.
void MediaFlow::handle_congestion_feedback(Timestamp now, const rtcp::CongestionFeedback& feedback) {
  Duration reported_at = rtcp::from_compact(feedback.report_time);  // No run is as long as it takes to wrap.
  auto reports = feedback.reports();
  while (auto report = reports.next()) {
    arrivals_.clear();
    std::int64_t first = rtcp::extend_sequence(next_sequence_, report->first_sequence), sequence = first;
    for (rtcp::PacketMetric metric : report->metrics) {
      if (auto age = metric.age())
        arrivals_.push_back({sequence, reported_at - *age, metric.ecn == Ecn::kCongestion});
      ++sequence;
    }
    controller_.handle_feedback(now, {first, static_cast<std::uint32_t>(sequence - first), arrivals_});
  }
}

}  // namespace stoa::sim
