#include "rtc_viewer.h"

#include <algorithm>

#include "media/payload/inspect.h"
#include "proto/rtcp/packet.h"
#include "proto/rtcp/sequence.h"
#include "proto/rtcp/writer.h"
#include "proto/rtp/packet.h"

namespace stoa::bench {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000, kMillisecond = 1'000'000;
constexpr std::int64_t kKeyframePatience = 500 * kMillisecond;  // Before a keyframe is asked for (again).
const char* const kCname = "stoa-bench";

// Of H.264 baseline. What Janus gives it, so that its offers can be made answers to ours (lib/janus.mjs).
constexpr std::uint8_t kBaselineType = 107;

// No bandwidth estimation: a server that waits for it would send less than it can.
sdp::Feedback only_keyframes(const sdp::Feedback&) { return {.pli = true, .fir = true}; }

sdp::MediaSupport make_support(sdp::MediaSupport support) {
  support.extensions = {};
  support.simulcast_streams_max = 0;
  for (sdp::SupportedCodec& codec : support.codecs) {
    codec.payload.feedback =
        codec.payload.feedback.pli ? only_keyframes(codec.payload.feedback) : sdp::Feedback();
    codec.has_rtx = false;
    if (codec.payload.type == 103) codec.payload.type = kBaselineType;
  }
  return support;
}

double to_ms(std::int64_t ns) { return static_cast<double>(ns) * 1e-6; }

}  // namespace

RtcViewer::RtcViewer(RtcShared& shared, RtcTarget target, std::uint32_t number, const ViewerWishes& wishes,
                     ViewerCounts& counts)
    : RtcPeer(shared, std::move(target), 0x76696577'00000000ull + number),
      wishes_(wishes),
      counts_(counts),
      video_support_(make_support(sdp::make_video_support())),
      audio_support_(make_support(sdp::make_audio_support())),
      own_ssrc_(static_cast<std::uint32_t>(rng_.next() | 1)) {
  std::erase_if(audio_support_.codecs,
                [](const sdp::SupportedCodec& codec) { return codec.payload.codec != sdp::Codec::kOpus; });
}

std::vector<sdp::OfferedSection> RtcViewer::sections() {
  std::vector<sdp::OfferedSection> all;
  auto add = [&](sdp::MediaKind kind, const sdp::MediaSupport& support) {
    sdp::OfferedSection section;
    section.kind = kind;
    section.mid = std::to_string(all.size());
    section.media = &support;
    section.direction = sdp::Direction::kRecvOnly;
    all.push_back(std::move(section));
  };
  if (wishes_.has_video) add(sdp::MediaKind::kVideo, video_support_);
  if (wishes_.has_audio) add(sdp::MediaKind::kAudio, audio_support_);
  return all;
}

void RtcViewer::on_connected(std::int64_t now) {
  for (const auto& section : agreement().sections)
    has_video_section_ = has_video_section_ || section.kind == sdp::MediaKind::kVideo;
  next_report_ns_ = now + kKeyframePatience;
}

RtcViewer::Stream* RtcViewer::stream_of(std::uint32_t ssrc, std::uint8_t payload_type) {
  for (Stream& stream : streams_)
    if (stream.ssrc == ssrc) return &stream;
  if (streams_.size() >= kStreamsMax || state() != State::kConnected) return nullptr;
  for (const auto& section : agreement().sections) {
    for (const auto& codec : section.codecs) {
      if (codec.receive_payload_type != payload_type) continue;
      auto encoding = payload::find_encoding(sdp::encoding_name_of(codec.codec));
      if (!encoding) return nullptr;
      bool is_video = payload::is_video(*encoding);
      streams_.push_back({.meter = StreamMeter(ssrc, codec.clock_rate, is_video),
                          .ssrc = ssrc,
                          .encoding = *encoding,
                          .is_video = is_video});
      return &streams_.back();
    }
  }
  return nullptr;
}

bool RtcViewer::on_sealed(std::int64_t arrived_ns, Bytes packet) {
  auto parsed = rtp::parse_header(packet);
  if (!parsed) return false;
  const rtp::Header& header = parsed->header;
  Stream* stream = stream_of(header.ssrc, header.payload_type);
  if (!stream) return false;
  is_whole_ = stream->meter.handle_packet(
      arrived_ns, {.sequence = header.sequence, .timestamp = header.timestamp, .marker = header.marker},
      packet.size());
  if (join_.first_packet == 0) join_.first_packet = now_ns() - join_.started_ns;
  if (!has_picture() && !has_video_section_) join_.first_picture = join_.first_packet;
  return wishes_.is_checked || (!has_picture() && stream->is_video);
}

void RtcViewer::on_rtp(std::int64_t arrived_ns, Bytes packet) {
  auto parsed = rtp::parse(packet);
  if (!parsed || parsed->payload.empty()) return;
  const rtp::Header& header = parsed->header;
  Stream* stream = stream_of(header.ssrc, header.payload_type);
  if (!stream) return;
  if (!stream->is_video) return check_audio(arrived_ns, parsed->payload);
  if (!has_picture()) {
    auto facts = payload::inspect_payload(stream->encoding, parsed->payload);
    if (facts && facts->is_keyframe) keyframe_ = header.timestamp;
    if (is_whole_ && keyframe_ == header.timestamp) join_.first_picture = now_ns() - join_.started_ns;
  }
  if (!wishes_.is_checked || stream->encoding != payload::Encoding::kH264) return;
  gather(arrived_ns, header.sequence, header.timestamp, parsed->payload);
  if (is_whole_) check_whole(arrived_ns, header.timestamp);
}

void RtcViewer::check_audio(std::int64_t arrived_ns, Bytes payload) {
  auto stamp = find_stamp(payload);
  if (!stamp || !shared_.is_measuring) return;
  ++counts_.audio_checked;
  if (!is_intact_opus(payload, *stamp)) ++counts_.audio_corrupt;
  counts_.audio_ms.add(to_ms(arrived_ns - stamp->unix_ns));
}

void RtcViewer::gather(std::int64_t arrived_ns, std::uint16_t sequence, std::uint32_t timestamp,
                       Bytes payload) {
  last_sequence_ = rtcp::extend_sequence(last_sequence_, sequence);
  if (!open_.contains(timestamp) && open_.size() >= kOpenFrames) open_.erase(open_.begin());
  OpenFrame& frame = open_[timestamp];
  if (frame.payloads.size() >= kFramePacketsMax) return;
  if (auto stamp = find_stamp(payload)) {
    frame.stamp = stamp;
    if (shared_.is_measuring) counts_.first_packet_ms.add(to_ms(arrived_ns - stamp->unix_ns));
  }
  frame.payloads.try_emplace(last_sequence_, payload.begin(), payload.end());
}

void RtcViewer::check_whole(std::int64_t arrived_ns, std::uint32_t timestamp) {
  auto found = open_.find(timestamp);
  if (found == open_.end()) return;
  std::vector<Bytes> payloads;
  for (const auto& [sequence, bytes] : found->second.payloads) payloads.push_back(bytes);
  FrameCheck check = check_frame(payloads);
  open_.erase(found);
  if (!shared_.is_measuring) return;
  if (!check.is_readable) ++counts_.frames_corrupt;
  if (check.is_readable && !check.stamp) ++counts_.frames_unstamped;
  if (!check.stamp) return;
  ++counts_.frames_checked;
  if (!check.is_intact) ++counts_.frames_corrupt;
  counts_.frame_ms.add(to_ms(arrived_ns - check.stamp->unix_ns));
}

void RtcViewer::on_rtcp(std::int64_t now, Bytes packet) {
  auto reader = rtcp::Reader::open(packet, rtcp::Form::kReducedSize);
  if (!reader) return;
  while (auto next = reader->next()) {
    if (!*next) continue;
    auto* report = std::get_if<rtcp::SenderReport>(&**next);
    if (!report) continue;
    for (Stream& stream : streams_)
      if (stream.ssrc == report->ssrc)
        stream.meter.reception().handle_sender_report(Timestamp::from_ns(now), report->sender.ntp);
  }
}

void RtcViewer::on_due(std::int64_t now) {
  send_report(now);
  next_report_ns_ = now + (has_picture() ? kSecond : kKeyframePatience);
}

void RtcViewer::send_report(std::int64_t now) {
  std::vector<rtcp::ReportBlock> blocks;
  const Stream* video = nullptr;
  for (Stream& stream : streams_) {
    if (auto block = stream.meter.reception().take_report_block(Timestamp::from_ns(now)))
      blocks.push_back(*block);
    if (stream.is_video) video = &stream;
  }
  rtcp::Writer writer;
  writer.write_receiver_report(own_ssrc_, blocks);
  writer.write_cname(own_ssrc_, kCname);
  if (!has_picture() && video) {
    writer.write_pli(own_ssrc_, video->ssrc);
    ++counts_.keyframe_requests;
  }
  send_rtcp(writer.view());
}

StreamCounts RtcViewer::sum(bool of_video) const {
  StreamCounts all;
  for (const Stream& stream : streams_)
    if (stream.is_video == of_video) all += stream.meter.counts();
  return all;
}

double RtcViewer::jitter_ms(bool of_video) const {
  for (const Stream& stream : streams_)
    if (stream.is_video == of_video) return to_ms(stream.meter.jitter().ns());
  return 0;
}

}  // namespace stoa::bench
