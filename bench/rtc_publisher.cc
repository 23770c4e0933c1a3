#include "rtc_publisher.h"

#include <algorithm>

#include "proto/rtcp/writer.h"
#include "proto/rtp/packet.h"
#include "proto/rtp/rtx.h"

namespace stoa::bench {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000, kMillisecond = 1'000'000;
constexpr std::int64_t kKeyframePause = 300 * kMillisecond;  // Between two that were asked for.
constexpr std::int64_t kOpusInterval = 20 * kMillisecond;
constexpr std::uint32_t kRestingOpusEvery = 50;
constexpr std::size_t kPayloadBytesMax = 1188;  // RTP packets of 1200.
// Of frames that are no key frames. Each stamp is a packet that encoders would not send.
constexpr std::uint32_t kStampEvery = 5;
constexpr std::size_t kReportsRemembered = 8;
constexpr std::uint32_t kBaselineProfile = 0x42e01f;
constexpr std::uint8_t kH264Type = 102, kOpusType = 111;
const char* const kCname = "stoa-bench";

sdp::MediaSupport make_h264_support() {
  sdp::H264Format format{.profile_level_id = kBaselineProfile,
                         .packetization_mode = 1,
                         .level_asymmetry_allowed = true,
                         .max_mbps = {},
                         .max_fs = {},
                         .sprop_parameter_sets = {}};
  sdp::Feedback feedback{.nack = true, .pli = true, .fir = true};
  sdp::MediaSupport support;
  support.codecs = {{.payload = sdp::make_payload(kH264Type, sdp::Codec::kH264, format, feedback),
                     .rule = sdp::ProfileRule::kAny,
                     .has_rtx = true}};
  return support;
}

sdp::MediaSupport make_opus_support() {
  sdp::OpusFormat format;
  format.min_packet_ms = 10;
  format.stereo = format.sprop_stereo = true;
  sdp::MediaSupport support;
  support.codecs = {{.payload = sdp::make_payload(kOpusType, sdp::Codec::kOpus, format)}};
  return support;
}

}  // namespace

std::uint32_t RtcPublisher::Track::timestamp_at(std::int64_t ns) const {
  auto ticks = static_cast<__int128>(ns - begun_ns) * clock_rate / kSecond;
  return timestamp_base + static_cast<std::uint32_t>(ticks);
}

RtcPublisher::RtcPublisher(RtcShared& shared, RtcTarget target, std::uint32_t number,
                           const PublisherMedia& media, PublisherCounts& counts)
    : RtcPeer(shared, std::move(target), 0x7075626c'00000000ull + number),
      number_(number),
      media_(media),
      counts_(counts),
      video_support_(make_h264_support()),
      audio_support_(make_opus_support()),
      history_(media.clip ? kHistory : 0) {
  for (Track* track : {&video_, &audio_}) {
    track->ssrc = static_cast<std::uint32_t>(rng_.next() | 1);
    track->rtx_ssrc = track->ssrc ^ 0x5555'5554;
    track->sequence = static_cast<std::uint16_t>(rng_.below(0x8000));
    track->timestamp_base = static_cast<std::uint32_t>(rng_.next());
  }
  video_.clock_rate = 90'000;
  audio_.clock_rate = 48'000;
}

std::vector<sdp::OfferedSection> RtcPublisher::sections() {
  std::vector<sdp::OfferedSection> all;
  auto add = [&](sdp::MediaKind kind, const sdp::MediaSupport& support, const Track& track, bool has_rtx) {
    sdp::OfferedSection section;
    section.kind = kind;
    section.mid = std::to_string(all.size());
    section.media = &support;
    section.direction = sdp::Direction::kSendOnly;
    section.source = {.msid = {kCname, section.mid},
                      .cname = kCname,
                      .ssrc = track.ssrc,
                      .rtx_ssrc = has_rtx ? std::optional(track.rtx_ssrc) : std::nullopt};
    all.push_back(std::move(section));
  };
  if (media_.clip) add(sdp::MediaKind::kVideo, video_support_, video_, true);
  if (media_.has_audio) add(sdp::MediaKind::kAudio, audio_support_, audio_, false);
  return all;
}

void RtcPublisher::begin(Track& track, const sdp::AgreedSection* section, std::int64_t now,
                         std::int64_t interval_ns) {
  if (!section) return;
  track.is_agreed = true;
  track.payload_type = section->codecs[0].send_payload_type;
  track.rtx_type = section->codecs[0].send_rtx_type;
  track.interval_ns = interval_ns;
  // Publishers are spread over the interval, or all frames would come at once.
  track.begun_ns = now + static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(interval_ns)));
}

void RtcPublisher::on_connected(std::int64_t now) {
  auto find = [&](sdp::MediaKind kind) -> const sdp::AgreedSection* {
    for (const auto& section : agreement().sections)
      if (section.kind == kind && !section.send_layers.empty()) return &section;
    return nullptr;
  };
  if (media_.clip) begin(video_, find(sdp::MediaKind::kVideo), now, kSecond / media_.clip->frames_per_second);
  if (media_.has_audio) begin(audio_, find(sdp::MediaKind::kAudio), now, kOpusInterval);
  next_report_ns_ = now + static_cast<std::int64_t>(rng_.below(kSecond));
  if (!video_.is_agreed && !audio_.is_agreed) fail("the server takes neither H.264 nor Opus");
}

std::int64_t RtcPublisher::next_due() const {
  std::int64_t due = next_report_ns_;
  for (const Track* track : {&video_, &audio_})
    if (track->is_agreed) due = std::min(due, track->due());
  return due;
}

void RtcPublisher::on_due(std::int64_t now) {
  while (video_.is_agreed && video_.due() <= now) send_frame(now);
  while (audio_.is_agreed && audio_.due() <= now) send_opus(now);
  if (next_report_ns_ <= now) send_reports(now);
}

// Not in its first second, or a server might take it for dead.
bool RtcPublisher::rests(const Track& track) const {
  return shared_.is_resting && track.frame * track.interval_ns >= kSecond;
}

void RtcPublisher::send_frame(std::int64_t now) {
  if (shared_.is_measuring)
    counts_.lateness_ms.add(static_cast<double>(now - video_.due()) / static_cast<double>(kMillisecond));
  const Clip::Frame& frame = media_.clip->frames[clip_at_];
  clip_at_ = (clip_at_ + 1) % media_.clip->frames.size();
  if (rests(video_) && !frame.is_key) {
    ++video_.frame;
    return;
  }
  std::uint32_t timestamp = video_.timestamp_at(video_.due());
  std::optional<RtcStamp> stamp;
  if (frame.is_key || video_.frame % kStampEvery == 0)
    stamp = {.publisher = number_, .frame = video_.frame, .unix_ns = unix_ns()};
  packetize(frame, stamp, kPayloadBytesMax, payloads_);
  for (std::size_t i = 0; i < payloads_.size(); ++i)
    send_payload(video_, timestamp, payloads_.has_marker(i), payloads_[i]);
  flush();
  ++video_.frame;
  ++counts_.frames;
  if (join_.first_picture == 0) join_.first_packet = join_.first_picture = now - join_.started_ns;
}

void RtcPublisher::send_opus(std::int64_t now) {
  if (rests(audio_) && audio_.frame % kRestingOpusEvery != 0) {
    ++audio_.frame;
    return;
  }
  Buffer packet = make_stamped_opus({.publisher = number_, .frame = audio_.frame, .unix_ns = unix_ns()},
                                    media_.opus_bytes);
  send_payload(audio_, audio_.timestamp_at(audio_.due()), audio_.frame == 0, packet);
  flush();
  ++audio_.frame;
  if (join_.first_packet == 0) join_.first_packet = now - join_.started_ns;
}

void RtcPublisher::send_payload(Track& track, std::uint32_t timestamp, bool marker, Bytes payload) {
  Buffer packet(rtp::kFixedHeaderBytes + payload.size());
  (void)rtp::write({.marker = marker,
                    .payload_type = track.payload_type,
                    .sequence = track.sequence,
                    .timestamp = timestamp,
                    .ssrc = track.ssrc},
                   {}, payload, packet);
  ++track.packets;
  track.octets += static_cast<std::uint32_t>(payload.size());
  ++counts_.packets;
  counts_.bytes += packet.size();
  send_rtp(packet);
  if (&track == &video_) history_[track.sequence % kHistory] = {track.sequence, std::move(packet)};
  ++track.sequence;
}

void RtcPublisher::send_reports(std::int64_t now) {
  next_report_ns_ = now + kSecond;
  auto ntp = rtcp::NtpTime::from_wall(WallTime::from_us(unix_ns() / 1000));
  for (const Track* track : {&video_, &audio_}) {
    if (!track->is_agreed) continue;
    rtcp::Writer writer;
    writer.write_sender_report(track->ssrc,
                               {.ntp = ntp,
                                .rtp_time = track->timestamp_at(now),
                                .packets = track->packets,
                                .octets = track->octets},
                               {});
    writer.write_cname(track->ssrc, kCname);
    send_rtcp(writer.view());
  }
  sent_reports_.emplace_back(ntp.compact(), now);
  if (sent_reports_.size() > kReportsRemembered) sent_reports_.pop_front();
}

void RtcPublisher::on_rtcp(std::int64_t now, Bytes packet) {
  auto reader = rtcp::Reader::open(packet, rtcp::Form::kReducedSize);
  if (!reader) return;
  while (auto next = reader->next()) {
    if (!*next) continue;
    std::visit(Overloaded{[&](const rtcp::ReceiverReport& report) {
                            for (rtcp::ReportBlock block : report.blocks) take_report(now, block);
                          },
                          [&](const rtcp::SenderReport& report) {
                            for (rtcp::ReportBlock block : report.blocks) take_report(now, block);
                          },
                          [&](const rtcp::Nack& nack) {
                            if (nack.media_ssrc != video_.ssrc) return;
                            nack.for_each([&](std::uint16_t sequence) { retransmit(sequence); });
                          },
                          [&](const rtcp::Pli&) { go_to_keyframe(now); },
                          [&](const rtcp::Fir&) { go_to_keyframe(now); }, [](const auto&) {}},
               **next);
  }
}

void RtcPublisher::take_report(std::int64_t now, const rtcp::ReportBlock& block) {
  if (!shared_.is_measuring || (block.ssrc != video_.ssrc && block.ssrc != audio_.ssrc)) return;
  counts_.loss.add(block.fraction_lost / 256.0);
  for (const auto& [ntp, sent_ns] : sent_reports_) {
    if (ntp != block.last_sr || ntp == 0) continue;
    Duration held = rtcp::from_compact(block.delay_since_last_sr);
    counts_.round_trip_ms.add(static_cast<double>(now - sent_ns - held.ns()) * 1e-6);
  }
}

void RtcPublisher::retransmit(std::uint16_t sequence) {
  ++counts_.nacked;
  if (history_.empty()) return;
  const Sent& sent = history_[sequence % kHistory];
  if (sent.sequence != sequence || sent.packet.empty() || !video_.rtx_type) return;
  Buffer packet(sent.packet.size() + rtp::kOriginalSequenceBytes);
  if (!rtp::write_rtx(sent.packet, {video_.rtx_ssrc, *video_.rtx_type}, video_.rtx_sequence++, packet))
    return;
  send_rtp(packet);
  ++counts_.retransmitted;
}

void RtcPublisher::go_to_keyframe(std::int64_t now) {
  ++counts_.keyframe_requests;
  if (!media_.clip || now - keyframe_asked_ns_ < kKeyframePause) return;
  keyframe_asked_ns_ = now;
  const auto& frames = media_.clip->frames;
  while (!frames[clip_at_].is_key) clip_at_ = (clip_at_ + 1) % frames.size();
}

}  // namespace stoa::bench
