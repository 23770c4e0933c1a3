#include "sim/publisher.h"

#include <algorithm>
#include <cmath>

#include "proto/rtcp/writer.h"
#include "proto/rtp/extension_values.h"
#include "proto/rtp/packet.h"
#include "sim/stamp.h"

namespace stoa::sim {
namespace {

namespace pb = livekit::pb;

struct LayerShape {
  const char* rid;
  pb::VideoQuality quality;
  std::uint32_t width, height;
  std::uint64_t bits_per_second_min, bits_per_second_max;
};
// As the LiveKit clients have them.
constexpr std::array<LayerShape, kCameraLayers> kShapes = {{
    {"q", pb::LOW, 320, 180, 60'000, 160'000},
    {"h", pb::MEDIUM, 640, 360, 200'000, 450'000},
    {"f", pb::HIGH, 1280, 720, 600'000, 1'700'000},
}};
constexpr std::size_t kAudio = kCameraLayers;
constexpr std::uint8_t kOpusType = 111, kVp8Type = 96;
constexpr std::uint32_t kAudioRate = 48'000, kVideoRate = 90'000;
constexpr std::size_t kPayloadBytesMax = 1140, kVideoPrefixBytesMax = 14;
constexpr std::uint16_t kSpeechBytes = 90, kSilenceBytes = 1 + Stamp::kBytes;  // Behind Opus' TOC.
constexpr Duration kSoundInterval = Duration::milliseconds(20),
                   kSilenceInterval = Duration::milliseconds(400);
constexpr Duration kTalkMean = Duration::seconds(3);
constexpr Duration kReportInterval = Duration::seconds(1);
constexpr Duration kKeyframePause = Duration::milliseconds(300);  // Between two that were asked for.
constexpr Duration kPacingQuantum = Duration::milliseconds(5);
constexpr Duration kPacerTimeMax = Duration::milliseconds(250);  // More of it, and frames are left out.
constexpr std::size_t kSentKept = 512;                           // Of each stream, a power of two.
constexpr std::uint32_t kWireOverhead = 28 + 16;                 // IP, UDP, SRTP's tag.
constexpr std::uint64_t kAudioBitsPerSecond = 60'000;
constexpr std::uint64_t kPacingMin = 10'000;
constexpr const char *kStream = "camera-stream", *kAudioCid = "microphone", *kVideoCid = "camera";

Duration time_to_send(std::uint64_t bytes, std::uint64_t bits_per_second) {
  return Duration::nanoseconds(
      static_cast<std::int64_t>(bytes * 8 * 1'000'000'000 / std::max(bits_per_second, kPacingMin)));
}

std::uint8_t find_id(const sdp::AgreedSection& section, sdp::HeaderExtension extension) {
  for (const sdp::AgreedExtension& agreed : section.extensions)
    if (agreed.extension == extension && agreed.can_send) return agreed.id;
  return 0;
}

}  // namespace

ClientMedia make_client_media() {
  ClientMedia media;
  sdp::OpusFormat opus{.min_packet_ms = 10};
  sdp::Feedback feedback{.transport_cc = true};
  media.audio.codecs = {{.payload = sdp::make_payload(kOpusType, sdp::Codec::kOpus, opus, feedback)}};
  media.audio.extensions = {sdp::HeaderExtension::kMid, sdp::HeaderExtension::kAudioLevel,
                            sdp::HeaderExtension::kTransportSequence};
  feedback.nack = feedback.pli = feedback.fir = true;
  media.video.codecs = {{.payload = sdp::make_payload(kVp8Type, sdp::Codec::kVp8, {}, feedback),
                         .rule = sdp::ProfileRule::kAny,
                         .has_rtx = true}};
  media.video.extensions = {sdp::HeaderExtension::kMid, sdp::HeaderExtension::kRid,
                            sdp::HeaderExtension::kRepairedRid, sdp::HeaderExtension::kTransportSequence};
  return media;
}

Publisher::Publisher(std::uint32_t number, const Config& config, const ClientMedia& media, Rng rng)
    : number_(number), config_(config), media_(media), rng_(rng) {
  for (Stream& stream : streams_) {
    stream.ssrc = static_cast<std::uint32_t>(rng_.next() | 1);
    stream.rtx_ssrc = static_cast<std::uint32_t>(rng_.next() | 1);
    stream.timestamp_base = static_cast<std::uint32_t>(rng_.next());
    stream.sequence = static_cast<std::uint16_t>(rng_.next());
    stream.rtx_sequence = static_cast<std::uint16_t>(rng_.next());
    stream.picture_id = static_cast<std::uint16_t>(rng_.below(0x8000));
    stream.sent.resize(kSentKept);
  }
}

std::vector<pb::AddTrackRequest> Publisher::requests() const {
  std::vector<pb::AddTrackRequest> all;
  if (config_.has_audio) {
    pb::AddTrackRequest& request = all.emplace_back();
    request.set_cid(kAudioCid);
    request.set_name(kAudioCid);
    request.set_type(pb::AUDIO);
    request.set_source(pb::MICROPHONE);
  }
  if (!config_.has_video) return all;
  pb::AddTrackRequest& request = all.emplace_back();
  request.set_cid(kVideoCid);
  request.set_name(kVideoCid);
  request.set_type(pb::VIDEO);
  request.set_source(pb::CAMERA);
  request.set_width(kShapes.back().width);
  request.set_height(kShapes.back().height);
  for (const LayerShape& shape : kShapes) {
    pb::VideoLayer& layer = *request.add_layers();
    layer.set_quality(shape.quality);
    layer.set_width(shape.width);
    layer.set_height(shape.height);
    layer.set_bitrate(static_cast<std::uint32_t>(shape.bits_per_second_max));
  }
  pb::SimulcastCodec& codec = *request.add_simulcast_codecs();
  codec.set_codec("vp8");
  codec.set_cid(kVideoCid);
  return all;
}

void Publisher::add_sections(std::vector<sdp::OfferedSection>& sections) {
  auto add = [&](sdp::MediaKind kind, const sdp::MediaSupport& support, const char* cid, Track& track,
                 const Stream& first) {
    sdp::OfferedSection& section = sections.emplace_back();
    section.kind = kind;
    section.mid = track.mid = std::to_string(sections.size() - 1);
    section.media = &support;
    section.direction = sdp::Direction::kSendOnly;
    section.source = {.msid = {kStream, cid}, .cname = "sim", .ssrc = first.ssrc, .rtx_ssrc = {}};
  };
  if (config_.has_audio) add(sdp::MediaKind::kAudio, media_.audio, kAudioCid, audio_, streams_[kAudio]);
  if (!config_.has_video) return;
  add(sdp::MediaKind::kVideo, media_.video, kVideoCid, video_, streams_[0]);
  for (const LayerShape& shape : kShapes) {
    sdp::Rid rid;
    rid.id = shape.rid;
    sections.back().send_layers.push_back(std::move(rid));
  }
}

void Publisher::agree(Track& track, const sdp::Agreement& agreement) {
  const sdp::AgreedSection* section = track.mid.empty() ? nullptr : agreement.find_section(track.mid);
  track.is_agreed = section && !section->send_layers.empty();
  if (!track.is_agreed) return;
  track.payload_type = section->codecs[0].send_payload_type;
  track.rtx_type = section->codecs[0].send_rtx_type;
  track.mid_id = find_id(*section, sdp::HeaderExtension::kMid);
  track.rid_id = find_id(*section, sdp::HeaderExtension::kRid);
  track.repaired_id = find_id(*section, sdp::HeaderExtension::kRepairedRid);
  track.level_id = find_id(*section, sdp::HeaderExtension::kAudioLevel);
  track.transport_id = find_id(*section, sdp::HeaderExtension::kTransportSequence);
}

void Publisher::begin(Timestamp now, WallTime, const sdp::Agreement& agreement) {
  const bool is_new = !is_sending_;
  agree(audio_, agreement);
  agree(video_, agreement);
  if (!is_new) return;
  is_sending_ = true;
  controller_.emplace(config_.controller, now);
  timeline_ = {};
  next_transport_ = 0;
  next_probe_ = Timestamp::never();
  next_video_ = now;
  while (!queue_.empty()) queue_.pop_front();
  queued_bytes_ = 0;
  for (std::size_t i = 0; i < kCameraLayers; ++i) {
    layers_[i].encoder.emplace(Encoder::Config{.min_bits_per_second = kShapes[i].bits_per_second_min,
                                               .max_bits_per_second = kShapes[i].bits_per_second_max,
                                               .keyframe_interval = {}},
                               Rng(rng_.next()), now);
    layers_[i].is_on = false;
  }
  next_sound_ = audio_.is_agreed ? now + Duration::nanoseconds(static_cast<std::int64_t>(
                                             rng_.below(static_cast<std::uint64_t>(kSoundInterval.ns()))))
                                 : Timestamp::never();
  is_talking_ = false;
  next_speech_change_ = now;
  next_report_ = now + kReportInterval;
  follow_controller(now);
}

void Publisher::change_speech(Timestamp now) {
  is_talking_ = !is_talking_ && config_.talking > 0;
  const double share = is_talking_ ? 1 : (1 - config_.talking) / std::max(config_.talking, 0.01);
  const double length = -std::log(1 - rng_.unit()) * kTalkMean.as_seconds() * share;
  next_speech_change_ = now + Duration::from_seconds(std::clamp(length, 0.2, 60.0));
}

// Which layers fit: the smallest first, and the largest of them gets what is left.
void Publisher::follow_controller(Timestamp now) {
  const std::uint64_t target = controller_->target().bits_per_second;
  const std::uint64_t audio = audio_.is_agreed ? kAudioBitsPerSecond : 0;
  std::uint64_t left = std::min(target > audio ? target - audio : 0, config_.video_bits_per_second_max);
  std::uint64_t sends = audio, next = 0, all = audio;
  for (std::size_t i = 0; i < kCameraLayers; ++i) {
    Layer& layer = layers_[i];
    const LayerShape& shape = kShapes[i];
    const bool may_be = video_.is_agreed && layer.is_wanted;
    const bool is_on = may_be && (left >= shape.bits_per_second_min || i == 0);
    if (may_be) all += shape.bits_per_second_max;
    if (is_on) {
      const std::uint64_t rate = std::clamp(left, shape.bits_per_second_min, shape.bits_per_second_max);
      if (!layer.is_on) layer.encoder->restart(rate);
      layer.encoder->set_rate(rate);
      left -= std::min(left, rate);
      sends += layer.encoder->rate();
    } else if (may_be && next == 0) {
      next = sends + shape.bits_per_second_min * 6 / 5;
    }
    layer.is_on = is_on;
  }
  if (next == 0 && sends < all) next = std::min(all, sends * 6 / 5);
  controller_->set_demand(now, {sends, next, all});
  if (auto probe = controller_->take_probe(now)) {
    probe_ = *probe;
    probe_bytes_left_ = probe->bytes_min;
    probe_packets_left_ = probe->packets_min;
    next_probe_ = now;
  }
}

std::uint32_t Publisher::rtp_time(Timestamp now, const Stream& stream, std::uint32_t clock_rate) const {
  return stream.timestamp_base + static_cast<std::uint32_t>((now - Timestamp()).to_ticks(clock_rate));
}

void Publisher::handle_frame(Timestamp now, std::size_t index) {
  Layer& layer = layers_[index];
  Stream& stream = streams_[index];
  const Timestamp captured = layer.encoder->next_frame();
  const bool is_full =
      time_to_send(queued_bytes_, controller_->target().pacing_bits_per_second) > kPacerTimeMax;
  if (!layer.is_on || is_full) return layer.encoder->skip_frame();
  const bool is_keyframe = layer.encoder->is_keyframe_next();
  const std::uint32_t bytes = std::max<std::uint32_t>(layer.encoder->take_frame(), 100);
  const std::uint32_t packets = (bytes + kPayloadBytesMax - 1) / kPayloadBytesMax;
  Piece piece{.packets = static_cast<std::uint16_t>(packets),
              .picture_id = stream.picture_id,
              .timestamp = rtp_time(captured, stream, kVideoRate),
              .frame = stream.frame++,
              .stream = static_cast<std::uint8_t>(index),
              .is_keyframe = is_keyframe};
  stream.picture_id = (stream.picture_id + 1) & 0x7fff;
  for (std::uint32_t i = 0, left = bytes; i < packets; ++i) {
    piece.packet = static_cast<std::uint16_t>(i);
    piece.payload_bytes = static_cast<std::uint16_t>(
        std::max<std::size_t>(left / (packets - i), kVideoPrefixBytesMax + Stamp::kBytes));
    left -= left / (packets - i);
    queued_bytes_ += piece.payload_bytes;
    queue_.push_back(piece);
  }
  (void)now;
}

void Publisher::handle_sound(Timestamp now, const Send& send) {
  if (now >= next_speech_change_) change_speech(now);
  Stream& stream = streams_[kAudio];
  send_piece(now,
             {.payload_bytes = is_talking_ ? kSpeechBytes : kSilenceBytes,
              .timestamp = rtp_time(next_sound_, stream, kAudioRate),
              .frame = stream.frame++,
              .stream = kAudio},
             bwe::kNoProbe, send);
  next_sound_ +=
      is_talking_ ? kSoundInterval
                  : std::min(kSilenceInterval, std::max(kSoundInterval, next_speech_change_ - next_sound_));
}

void Publisher::send_piece(Timestamp now, const Piece& piece, std::uint16_t probe, const Send& send) {
  Stream& stream = streams_[piece.stream];
  Piece sent = piece;
  sent.sequence = stream.sequence++;
  stream.sent[sent.sequence % kSentKept] = sent;
  ++stream.packets;
  stream.octets += sent.payload_bytes;
  write_and_send(now, sent, false, probe, send);
}

void Publisher::write_and_send(Timestamp now, const Piece& piece, bool is_rtx, std::uint16_t probe,
                               const Send& send) {
  Stream& stream = streams_[piece.stream];
  const bool is_audio = piece.stream == kAudio;
  const Track& track = is_audio ? audio_ : video_;
  rtp::ExtensionList extensions;
  if (track.mid_id != 0) extensions.add(track.mid_id, as_bytes(track.mid));
  if (!is_audio)
    if (const std::uint8_t id = is_rtx ? track.repaired_id : track.rid_id; id != 0)
      extensions.add(id, as_bytes(std::string_view(kShapes[piece.stream].rid)));
  if (is_audio && track.level_id != 0) {
    const bool is_speech = piece.payload_bytes == kSpeechBytes;
    extensions.add(track.level_id,
                   rtp::write_audio_level(
                       {.level = static_cast<std::uint8_t>(is_speech ? 30 : 110), .has_voice = is_speech}));
  }
  if (track.transport_id != 0)
    extensions.add(track.transport_id,
                   rtp::write_transport_sequence(static_cast<std::uint16_t>(next_transport_)));
  auto header = rtp::write_header({.marker = !is_audio && piece.packet + 1 == piece.packets,
                                   .payload_type = is_rtx ? *track.rtx_type : track.payload_type,
                                   .sequence = is_rtx ? stream.rtx_sequence++ : piece.sequence,
                                   .timestamp = piece.timestamp,
                                   .ssrc = is_rtx ? stream.rtx_ssrc : stream.ssrc},
                                  {}, extensions, scratch_);
  if (!header) return;
  std::span<std::uint8_t> rest = std::span(scratch_).subspan(*header);
  if (is_rtx) {
    rtp::put_u16(rest, 0, piece.sequence);
    rest = rest.subspan(2);
  }
  std::span<std::uint8_t> payload = rest.first(piece.payload_bytes);
  if (is_audio) {
    payload[0] = 0xfc;
  } else {
    payload[0] = piece.packet == 0 ? 0x90 : 0x80;  // RFC 7741 §4.2: X, and S where the frame begins.
    payload[1] = 0x80;
    rtp::put_u16(payload, 2, static_cast<std::uint16_t>(0x8000 | piece.picture_id));
    if (piece.packet == 0) {
      const std::array<std::uint8_t, 10> key = {0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0, 0, 0, 0};
      if (piece.is_keyframe) {
        std::copy(key.begin(), key.end(), payload.begin() + 4);
        const LayerShape& shape = kShapes[piece.stream];  // RFC 6386 §9.1: little-endian.
        payload[10] = static_cast<std::uint8_t>(shape.width);
        payload[11] = static_cast<std::uint8_t>(shape.width >> 8);
        payload[12] = static_cast<std::uint8_t>(shape.height);
        payload[13] = static_cast<std::uint8_t>(shape.height >> 8);
      } else {
        payload[4] = 0x11;
      }
    }
  }
  Stamp{.publisher = number_,
        .frame = piece.frame,
        .sent = now,
        .packet = piece.packet,
        .packets = piece.packets,
        .sequence = piece.sequence,
        .layer = piece.stream,
        .is_video = !is_audio,
        .is_keyframe = piece.is_keyframe}
      .write_at_end(payload);
  const auto bytes = static_cast<std::size_t>(payload.data() + payload.size() - scratch_.data());
  ++counts_.packets;
  if (track.transport_id != 0) {
    controller_->handle_sent(now,
                             {next_transport_, static_cast<std::uint32_t>(bytes) + kWireOverhead, probe});
    ++next_transport_;
  }
  send(Bytes(scratch_.data(), bytes));
}

void Publisher::send_again(Timestamp now, Stream&, const Piece& piece, std::uint16_t probe,
                           const Send& send) {
  ++counts_.retransmitted;
  write_and_send(now, piece, true, probe, send);
}

// Everything that belongs before the end of this quantum.
void Publisher::send_video(Timestamp now, const Send& send) {
  if (next_probe_ != Timestamp::never()) return;  // The probe has it.
  next_video_ = std::max(next_video_, now);
  while (!queue_.empty() && next_video_ < now + kPacingQuantum) {
    const Piece piece = queue_.pop_front();
    queued_bytes_ -= piece.payload_bytes;
    send_piece(now, piece, bwe::kNoProbe, send);
    next_video_ += time_to_send(piece.payload_bytes, controller_->target().pacing_bits_per_second);
  }
}

// Of what waits, or of what was sent, again.
void Publisher::send_probe(Timestamp now, const Send& send) {
  std::uint32_t bytes = 0;
  if (!queue_.empty()) {
    const Piece piece = queue_.pop_front();
    queued_bytes_ -= piece.payload_bytes;
    bytes = piece.payload_bytes;
    send_piece(now, piece, probe_.id, send);
  } else {
    Stream& stream = streams_[0];
    const Piece& last = stream.sent[static_cast<std::uint16_t>(stream.sequence - 1) % kSentKept];
    if (stream.packets == 0 || !video_.rtx_type) {
      next_probe_ = Timestamp::never();
      return;
    }
    bytes = last.payload_bytes;
    send_again(now, stream, last, probe_.id, send);
  }
  probe_bytes_left_ -= std::min(probe_bytes_left_, bytes);
  if (probe_packets_left_ > 0) --probe_packets_left_;
  const bool is_done = probe_bytes_left_ == 0 && probe_packets_left_ == 0;
  next_probe_ = is_done ? Timestamp::never() : next_probe_ + time_to_send(bytes, probe_.bits_per_second);
  if (is_done) next_video_ = now;
}

void Publisher::send_reports(Timestamp now, WallTime wall, const Send& send) {
  const rtcp::NtpTime ntp = rtcp::NtpTime::from_wall(wall);
  round_trip_.handle_sent(now, ntp);
  rtcp::Writer writer;
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    const Stream& stream = streams_[i];
    if (stream.packets == 0) continue;
    writer.clear();
    writer.write_sender_report(stream.ssrc,
                               {.ntp = ntp,
                                .rtp_time = rtp_time(now, stream, i == kAudio ? kAudioRate : kVideoRate),
                                .packets = stream.packets,
                                .octets = stream.octets},
                               {});
    writer.write_cname(stream.ssrc, "sim");
    if (config_.echoes_time && reference_time_) {
      const rtcp::DlrrItem item = reference_time_->echo.item(reference_time_->ssrc, now);
      writer.write_delay_since_last(stream.ssrc, {&item, 1});
      reference_time_.reset();
    }
    send(writer.view());
  }
}

std::optional<Duration> Publisher::round_trip() const {
  return round_trip_.is_known() ? std::optional(round_trip_.smoothed_or({})) : std::nullopt;
}

void Publisher::handle_extended(Timestamp now, const rtcp::ExtendedReport& report) {
  rtcp::XrBlocks blocks = report.blocks();
  while (auto block = blocks.next()) {
    const auto* time = std::get_if<rtcp::ReceiverReferenceTime>(&*block);
    if (!time) continue;
    ReferenceTime heard{report.ssrc, {}};
    heard.echo.handle_report(now, time->ntp);
    reference_time_ = heard;
  }
}

void Publisher::handle_rtcp(Timestamp now, Bytes packet, const Send& send_rtp) {
  if (!is_sending_) return;
  auto reader = rtcp::Reader::open(packet, rtcp::Form::kReducedSize);
  if (!reader) return;
  bool has_feedback = false;
  while (auto next = reader->next()) {
    if (!*next) continue;
    if (const auto* feedback = std::get_if<rtcp::TransportFeedback>(&**next)) {
      const auto placed = timeline_.place(*feedback);
      arrivals_.clear();
      auto walk = feedback->arrivals();
      while (auto arrival = walk.next())
        arrivals_.push_back(
            {placed.first_sequence + arrival->index, placed.reference + arrival->since_reference});
      controller_->handle_feedback(now, {placed.first_sequence, feedback->status_count, arrivals_});
      has_feedback = true;
      ++counts_.feedbacks;
    } else if (const auto* report = std::get_if<rtcp::ReceiverReport>(&**next)) {
      for (const rtcp::ReportBlock& about : report->blocks)
        if (about.last_sr != 0) round_trip_.handle_echo(now, about.last_sr, about.delay_since_last_sr);
    } else if (const auto* extended = std::get_if<rtcp::ExtendedReport>(&**next)) {
      handle_extended(now, *extended);
    } else if (const auto* pli = std::get_if<rtcp::Pli>(&**next)) {
      make_keyframe(now, pli->media_ssrc);
    } else if (const auto* fir = std::get_if<rtcp::Fir>(&**next)) {
      for (const rtcp::FirItem& item : fir->items) make_keyframe(now, item.ssrc);
    } else if (const auto* nack = std::get_if<rtcp::Nack>(&**next)) {
      nack->for_each([&](std::uint16_t sequence) {
        ++counts_.nacked;
        handle_nack(now, nack->media_ssrc, sequence, send_rtp);
      });
    }
  }
  if (has_feedback) follow_controller(now);
}

void Publisher::handle_nack(Timestamp now, std::uint32_t ssrc, std::uint16_t sequence, const Send& send) {
  if (!video_.rtx_type) return;
  for (std::size_t i = 0; i < kCameraLayers; ++i) {
    Stream& stream = streams_[i];
    const Piece& piece = stream.sent[sequence % kSentKept];
    if (stream.ssrc == ssrc && stream.packets > 0 && piece.sequence == sequence)
      send_again(now, stream, piece, bwe::kNoProbe, send);
  }
}

void Publisher::make_keyframe(Timestamp now, std::uint32_t ssrc) {
  for (std::size_t i = 0; i < kCameraLayers; ++i) {
    if (streams_[i].ssrc != ssrc) continue;
    ++counts_.keyframes_asked;
    if (layers_[i].keyframe_at != Timestamp() && now - layers_[i].keyframe_at < kKeyframePause) continue;
    layers_[i].keyframe_at = now;
    layers_[i].encoder->restart(layers_[i].encoder->rate());
  }
}

void Publisher::handle_qualities(Timestamp now, const pb::SubscribedQualityUpdate& update) {
  auto take = [&](const auto& qualities) {
    for (const pb::SubscribedQuality& each : qualities)
      for (std::size_t i = 0; i < kCameraLayers; ++i)
        if (kShapes[i].quality == each.quality()) layers_[i].is_wanted = each.enabled();
  };
  if (update.subscribed_codecs_size() == 0) {
    take(update.subscribed_qualities());
  } else {
    for (const pb::SubscribedCodec& codec : update.subscribed_codecs()) take(codec.qualities());
  }
  if (is_sending_) follow_controller(now);
}

void Publisher::handle_route_change(Timestamp now) {
  if (controller_) controller_->handle_route_change(now);
}

void Publisher::handle_deadline(Timestamp now, WallTime wall, const Send& send_rtp, const Send& send_rtcp) {
  if (!is_sending_) return;
  if (now >= controller_->next_deadline()) {
    controller_->handle_deadline(now);
    follow_controller(now);
  }
  if (video_.is_agreed)
    for (std::size_t i = 0; i < kCameraLayers; ++i)
      while (layers_[i].encoder->next_frame() <= now) handle_frame(now, i);
  while (next_sound_ <= now) handle_sound(now, send_rtp);
  while (next_probe_ <= now) send_probe(now, send_rtp);
  if (!queue_.empty() && next_video_ <= now) send_video(now, send_rtp);
  if (next_report_ <= now) {
    next_report_ = now + kReportInterval;
    send_reports(now, wall, send_rtcp);
  }
}

Timestamp Publisher::next_deadline() const {
  if (!is_sending_) return Timestamp::never();
  Timestamp at = std::min({controller_->next_deadline(), next_sound_, next_report_, next_probe_});
  if (!queue_.empty() && next_probe_ == Timestamp::never()) at = std::min(at, next_video_);
  if (video_.is_agreed)
    for (const Layer& layer : layers_) at = std::min(at, layer.encoder->next_frame());
  return at;
}

}  // namespace stoa::sim
