#include "rooms_sender.h"

#include <algorithm>

#include "proto/rtcp/packet.h"
#include "proto/rtcp/writer.h"
#include "proto/rtp/extension_values.h"
#include "proto/rtp/packet.h"

namespace stoa::bench {
namespace {

namespace pb = livekit::pb;

constexpr std::int64_t kSecond = 1'000'000'000, kMillisecond = 1'000'000;
constexpr std::int64_t kKeyframePause = 300 * kMillisecond;  // Between two that were asked for.
constexpr std::int64_t kOpusInterval = 20 * kMillisecond;
constexpr std::size_t kPayloadBytesMax = 1160;  // RTP packets of 1200, with what header extensions take.
// Of frames that are no key frames. Each stamp in H.264 is a packet that encoders would not send.
constexpr std::uint32_t kStampEvery = 5;
constexpr std::size_t kHeaderBytesMax = 128;
// Servers may pass on only the loudest when many speak, so few do. They all send, whoever speaks.
constexpr std::size_t kSpeakers = 3;
constexpr rtp::AudioLevel kSpeech = {.level = 30, .has_voice = true},
                          kQuiet = {.level = 110, .has_voice = false};
constexpr std::uint32_t kBaselineProfile = 0x42e01f;
constexpr std::uint8_t kH264Type = 102, kVp8Type = 96, kOpusType = 111;
const char* const kCname = "stoa-bench";
const char* const kAudioCid = "microphone";
const char* const kVideoCid = "camera";

Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

pb::VideoQuality quality_of(std::string_view rid) {
  return rid == "q" ? pb::LOW : rid == "h" ? pb::MEDIUM : pb::HIGH;
}

std::uint8_t find_id(const sdp::AgreedSection& section, sdp::HeaderExtension extension) {
  for (const auto& agreed : section.extensions)
    if (agreed.extension == extension && agreed.can_send) return agreed.id;
  return 0;
}

}  // namespace

RoomsMedia make_rooms_media(std::vector<RoomsClip> layers, payload::Encoding encoding, bool has_audio,
                            int audio_kbps, bool has_feedback) {
  RoomsMedia media;
  media.layers = std::move(layers);
  media.has_audio = has_audio;
  media.opus_bytes =
      std::clamp(static_cast<std::size_t>(audio_kbps) * 1000 / 8 / 50, kOpusBytesMin, kOpusBytesMax);
  sdp::OpusFormat opus{.min_packet_ms = 10};
  opus.stereo = opus.sprop_stereo = true;
  sdp::Feedback feedback{.transport_cc = has_feedback};
  media.audio.codecs = {{.payload = sdp::make_payload(kOpusType, sdp::Codec::kOpus, opus, feedback)}};
  feedback.pli = feedback.fir = true;
  sdp::H264Format h264{.profile_level_id = kBaselineProfile,
                       .packetization_mode = 1,
                       .level_asymmetry_allowed = true,
                       .max_mbps = {},
                       .max_fs = {},
                       .sprop_parameter_sets = {}};
  bool is_vp8 = encoding == payload::Encoding::kVp8;
  media.video.codecs = {{.payload = is_vp8 ? sdp::make_payload(kVp8Type, sdp::Codec::kVp8, {}, feedback)
                                           : sdp::make_payload(kH264Type, sdp::Codec::kH264, h264, feedback),
                         .rule = sdp::ProfileRule::kAny}};
  media.audio.extensions = {sdp::HeaderExtension::kMid, sdp::HeaderExtension::kAudioLevel};
  media.video.extensions = {sdp::HeaderExtension::kMid, sdp::HeaderExtension::kRid};
  for (sdp::MediaSupport* support : {&media.audio, &media.video})
    if (has_feedback) support->extensions.push_back(sdp::HeaderExtension::kTransportSequence);
  return media;
}

RoomsSender::RoomsSender(RtcShared& shared, const RoomsMedia& media, SenderCounts& counts,
                         std::uint32_t number, std::size_t place, std::uint64_t seed)
    : shared_(shared),
      media_(media),
      counts_(counts),
      number_(number),
      is_speaking_(place < kSpeakers),
      rng_(seed),
      audio_(make_track(48'000, 1)),
      video_(make_track(90'000, media.layers.size())) {}

RoomsSender::Track RoomsSender::make_track(std::uint32_t clock_rate, std::size_t streams) {
  Track track;
  track.clock_rate = clock_rate;
  auto timestamp_base = static_cast<std::uint32_t>(rng_.next());
  for (std::size_t i = 0; i < streams; ++i) {
    Stream& stream = track.streams.emplace_back();
    stream.ssrc = static_cast<std::uint32_t>(rng_.next() | 1);
    stream.sequence = static_cast<std::uint16_t>(rng_.below(0x8000));
    stream.picture_id = static_cast<std::uint16_t>(rng_.below(0x7fff));
    stream.timestamp_base = timestamp_base;
  }
  return track;
}

std::vector<pb::AddTrackRequest> RoomsSender::requests() const {
  std::vector<pb::AddTrackRequest> all;
  if (media_.has_audio) {
    pb::AddTrackRequest& request = all.emplace_back();
    request.set_cid(kAudioCid);
    request.set_name(kAudioCid);
    request.set_type(pb::AUDIO);
    request.set_source(pb::MICROPHONE);
  }
  if (media_.layers.empty()) return all;
  const RoomsClip& largest = media_.layers.back();
  pb::AddTrackRequest& request = all.emplace_back();
  request.set_cid(kVideoCid);
  request.set_name(kVideoCid);
  request.set_type(pb::VIDEO);
  request.set_source(pb::CAMERA);
  request.set_width(static_cast<std::uint32_t>(largest.layer.width));
  request.set_height(static_cast<std::uint32_t>(largest.layer.height));
  for (const RoomsClip& clip : media_.layers) {
    pb::VideoLayer& layer = *request.add_layers();
    layer.set_quality(quality_of(clip.layer.rid));
    layer.set_width(static_cast<std::uint32_t>(clip.layer.width));
    layer.set_height(static_cast<std::uint32_t>(clip.layer.height));
    layer.set_bitrate(static_cast<std::uint32_t>(clip.layer.kbps) * 1000);
  }
  pb::SimulcastCodec& codec = *request.add_simulcast_codecs();
  codec.set_codec(largest.encoding == payload::Encoding::kVp8 ? "vp8" : "h264");
  codec.set_cid(kVideoCid);
  return all;
}

std::vector<sdp::OfferedSection> RoomsSender::sections() const {
  std::vector<sdp::OfferedSection> all;
  auto add = [&](sdp::MediaKind kind, const sdp::MediaSupport& support, const char* cid, const Track& track) {
    sdp::OfferedSection section;
    section.kind = kind;
    section.mid = std::to_string(all.size());
    section.media = &support;
    section.direction = sdp::Direction::kSendOnly;
    section.source = {.msid = {kCname, cid}, .cname = kCname, .ssrc = track.streams[0].ssrc, .rtx_ssrc = {}};
    if (track.streams.size() > 1)
      for (const RoomsClip& clip : media_.layers) {
        sdp::Rid rid;
        rid.id = clip.layer.rid;
        section.send_layers.push_back(std::move(rid));
      }
    all.push_back(std::move(section));
  };
  if (media_.has_audio) add(sdp::MediaKind::kAudio, media_.audio, kAudioCid, audio_);
  if (!media_.layers.empty()) add(sdp::MediaKind::kVideo, media_.video, kVideoCid, video_);
  return all;
}

void RoomsSender::begin(std::int64_t now, const sdp::Agreement& agreement) {
  if (media_.has_audio) {
    audio_.mid = "0";
    agree(audio_, agreement, now, kOpusInterval);
  }
  if (!media_.layers.empty()) {
    video_.mid = media_.has_audio ? "1" : "0";
    agree(video_, agreement, now, kSecond / media_.layers[0].clip.frames_per_second);
  }
  next_report_ns_ = now + static_cast<std::int64_t>(rng_.below(kSecond));
}

void RoomsSender::agree(Track& track, const sdp::Agreement& agreement, std::int64_t now,
                        std::int64_t interval_ns) {
  const sdp::AgreedSection* section = agreement.find_section(track.mid);
  if (!section || section->send_layers.empty()) return;
  track.is_agreed = true;
  track.payload_type = section->codecs[0].send_payload_type;
  track.mid_id = find_id(*section, sdp::HeaderExtension::kMid);
  track.rid_id = find_id(*section, sdp::HeaderExtension::kRid);
  track.level_id = find_id(*section, sdp::HeaderExtension::kAudioLevel);
  track.transport_id = find_id(*section, sdp::HeaderExtension::kTransportSequence);
  track.interval_ns = interval_ns;
  // Publishers are spread over the interval, or all frames would come at once.
  track.begun_ns = now + static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(interval_ns)));
}

std::int64_t RoomsSender::next_due() const { return std::min({next_report_ns_, audio_.due(), video_.due()}); }

void RoomsSender::send_due(std::int64_t now, RoomsLeg& leg) {
  while (video_.due() <= now) send_frame(now, leg);
  while (audio_.due() <= now) send_opus(leg);
  if (next_report_ns_ <= now) send_reports(now, leg);
  if (first_sent_ns_ == 0 && (audio_.frame > 0 || video_.frame > 0)) first_sent_ns_ = now;
  leg.flush();
}

std::uint32_t RoomsSender::timestamp_at(const Track& track, const Stream& stream, std::int64_t ns) const {
  auto ticks = static_cast<__int128>(ns - track.begun_ns) * track.clock_rate / kSecond;
  return stream.timestamp_base + static_cast<std::uint32_t>(ticks);
}

void RoomsSender::send_frame(std::int64_t now, RoomsLeg& leg) {
  if (shared_.is_measuring)
    counts_.lateness_ms.add(static_cast<double>(now - video_.due()) / static_cast<double>(kMillisecond));
  for (std::size_t layer = 0; layer < video_.streams.size(); ++layer) {
    Stream& stream = video_.streams[layer];
    const RoomsClip& clip = media_.layers[layer];
    if (!stream.is_wanted) continue;
    const Clip::Frame& frame = clip.clip.frames[stream.clip_at];
    stream.clip_at = (stream.clip_at + 1) % clip.clip.frames.size();
    std::optional<RtcStamp> stamp;
    if (frame.is_key || video_.frame % kStampEvery == 0)
      stamp = {.publisher = number_, .frame = video_.frame, .unix_ns = unix_ns()};
    packetize(clip, frame, stamp, stream.picture_id, kPayloadBytesMax, payloads_);
    stream.picture_id = (stream.picture_id + 1) & 0x7fff;
    for (std::size_t i = 0; i < payloads_.size(); ++i)
      send_payload(leg, video_, layer, payloads_.has_marker(i), payloads_[i]);
    leg.flush();
  }
  ++video_.frame;
}

void RoomsSender::send_opus(RoomsLeg& leg) {
  Buffer packet = make_stamped_opus({.publisher = number_, .frame = audio_.frame, .unix_ns = unix_ns()},
                                    media_.opus_bytes);
  send_payload(leg, audio_, 0, audio_.frame == 0, packet);
  ++audio_.frame;
}

void RoomsSender::send_payload(RoomsLeg& leg, Track& track, std::size_t layer, bool marker, Bytes payload) {
  Stream& stream = track.streams[layer];
  rtp::ExtensionList extensions;
  if (track.mid_id != 0) extensions.add(track.mid_id, bytes_of(track.mid));
  if (track.rid_id != 0 && track.streams.size() > 1)
    extensions.add(track.rid_id, bytes_of(media_.layers[layer].layer.rid));
  if (track.level_id != 0)
    extensions.add(track.level_id, rtp::write_audio_level(is_speaking_ ? kSpeech : kQuiet));
  if (track.transport_id != 0)
    extensions.add(track.transport_id, rtp::write_transport_sequence(transport_sequence_++));
  Buffer packet(kHeaderBytesMax + payload.size());
  auto size = rtp::write({.marker = marker,
                          .payload_type = track.payload_type,
                          .sequence = stream.sequence,
                          .timestamp = timestamp_at(track, stream, track.due()),
                          .ssrc = stream.ssrc},
                         extensions, payload, packet);
  if (!size) return;
  packet.resize(*size);
  ++stream.sequence;
  ++stream.packets;
  stream.octets += static_cast<std::uint32_t>(payload.size());
  ++(&track == &video_ ? counts_.video_packets : counts_.audio_packets);
  counts_.bytes += packet.size();
  leg.send_rtp(packet);
}

void RoomsSender::send_reports(std::int64_t now, RoomsLeg& leg) {
  next_report_ns_ = now + kSecond;
  auto ntp = rtcp::NtpTime::from_wall(WallTime::from_us(unix_ns() / 1000));
  for (const Track* track : {&audio_, &video_}) {
    if (!track->is_agreed) continue;
    for (const Stream& stream : track->streams) {
      if (stream.packets == 0) continue;
      rtcp::Writer writer;
      writer.write_sender_report(stream.ssrc,
                                 {.ntp = ntp,
                                  .rtp_time = timestamp_at(*track, stream, now),
                                  .packets = stream.packets,
                                  .octets = stream.octets},
                                 {});
      writer.write_cname(stream.ssrc, kCname);
      leg.send_rtcp(writer.view());
    }
  }
}

void RoomsSender::handle_rtcp(std::int64_t now, Bytes packet) {
  auto reader = rtcp::Reader::open(packet, rtcp::Form::kReducedSize);
  if (!reader) return;
  while (auto next = reader->next()) {
    if (!*next) continue;
    if (auto* pli = std::get_if<rtcp::Pli>(&**next)) go_to_keyframe(now, pli->media_ssrc);
    if (auto* fir = std::get_if<rtcp::Fir>(&**next))
      for (const rtcp::FirItem& item : fir->items) go_to_keyframe(now, item.ssrc);
  }
}

void RoomsSender::go_to_keyframe(std::int64_t now, std::uint32_t ssrc) {
  for (std::size_t layer = 0; layer < video_.streams.size(); ++layer) {
    Stream& stream = video_.streams[layer];
    if (stream.ssrc != ssrc) continue;
    ++counts_.keyframe_requests;
    if (now - stream.keyframe_asked_ns < kKeyframePause) continue;
    stream.keyframe_asked_ns = now;
    skip_to_keyframe(layer);
  }
}

void RoomsSender::skip_to_keyframe(std::size_t layer) {
  const auto& frames = media_.layers[layer].clip.frames;
  std::size_t& at = video_.streams[layer].clip_at;
  while (!frames[at].is_key) at = (at + 1) % frames.size();
}

void RoomsSender::handle_qualities(const pb::SubscribedQualityUpdate& update) {
  if (video_.streams.size() < 2) return;
  auto take = [&](const auto& qualities) {
    for (const pb::SubscribedQuality& each : qualities)
      for (std::size_t layer = 0; layer < video_.streams.size(); ++layer) {
        Stream& stream = video_.streams[layer];
        if (quality_of(media_.layers[layer].layer.rid) != each.quality()) continue;
        if (each.enabled() && !stream.is_wanted) skip_to_keyframe(layer);
        stream.is_wanted = each.enabled();
      }
  };
  if (update.subscribed_codecs_size() == 0) return take(update.subscribed_qualities());
  for (const pb::SubscribedCodec& codec : update.subscribed_codecs()) take(codec.qualities());
}

}  // namespace stoa::bench
