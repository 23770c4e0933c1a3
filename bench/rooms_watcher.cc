#include "rooms_watcher.h"

#include <algorithm>

#include "media/payload/encoding.h"
#include "proto/rtcp/packet.h"
#include "proto/rtcp/writer.h"
#include "proto/rtp/extension_values.h"
#include "proto/rtp/packet.h"

namespace stoa::bench {
namespace {

const char* const kCname = "stoa-bench";

double to_ms(std::int64_t ns) { return static_cast<double>(ns) * 1e-6; }

std::uint8_t find_transport_id(const sdp::AgreedSection& section) {
  for (const auto& agreed : section.extensions)
    if (agreed.extension == sdp::HeaderExtension::kTransportSequence && agreed.can_receive) return agreed.id;
  return 0;
}

}  // namespace

RoomsWatcher::Stream* RoomsWatcher::find(std::uint32_t ssrc) {
  auto at = std::find(ssrcs_.begin(), ssrcs_.end(), ssrc);
  return at == ssrcs_.end() ? nullptr : &streams_[static_cast<std::size_t>(at - ssrcs_.begin())];
}

RoomsWatcher::Stream* RoomsWatcher::stream_of(std::uint32_t ssrc, std::uint8_t payload_type,
                                              const sdp::Agreement& agreement) {
  if (Stream* known = find(ssrc)) return known;
  if (streams_.size() >= kStreamsMax) return nullptr;
  for (const auto& section : agreement.sections) {
    for (const auto& codec : section.codecs) {
      if (codec.receive_payload_type != payload_type) continue;
      bool is_video = section.kind == sdp::MediaKind::kVideo;
      ssrcs_.push_back(ssrc);
      streams_.push_back(
          {.meter = StreamMeter(ssrc, codec.clock_rate, is_video), .is_video = is_video, .stamps = {}});
      return &streams_.back();
    }
  }
  return nullptr;
}

bool RoomsWatcher::handle_sealed(std::int64_t now, std::int64_t arrived_ns, Bytes packet,
                                 const sdp::Agreement& agreement) {
  auto parsed = rtp::parse_header(packet);
  if (!parsed || agreement.sections.empty()) return false;
  const rtp::Header& header = parsed->header;
  // All sections of a bundle have the same numbers for extensions.
  for (const auto& section : agreement.sections)
    if (std::uint8_t id = find_transport_id(section); id != 0) {
      if (auto element = rtp::find_element(parsed->extension, id))
        if (auto sequence = rtp::parse_transport_sequence(element->value))
          (void)log_.handle_packet(Timestamp::from_ns(now), *sequence);
      break;
    }
  Stream* stream = stream_of(header.ssrc, header.payload_type, agreement);
  if (!stream) return false;
  is_whole_ = stream->meter.handle_packet(
      arrived_ns, {.sequence = header.sequence, .timestamp = header.timestamp, .marker = header.marker},
      packet.size());
  if (stream->is_video && stream->last_ns != 0) note_pause(now - stream->last_ns);
  stream->last_ns = now;
  if (first_packet_ns_ == 0) first_packet_ns_ = now;
  return is_checked_;
}

void RoomsWatcher::note_pause(std::int64_t pause_ns) {
  if (!shared_.is_measuring || pause_ns <= kFreezeNs) return;
  ++counts_.freezes;
  counts_.frozen_ms += to_ms(pause_ns);
  counts_.longest_ms = std::max(counts_.longest_ms, to_ms(pause_ns));
}

void RoomsWatcher::handle_rtp(std::int64_t arrived_ns, Bytes packet) {
  auto parsed = rtp::parse(packet);
  Stream* stream = parsed ? find(parsed->header.ssrc) : nullptr;
  if (!stream) return;
  auto stamp = find_stamp(parsed->payload);
  if (!stream->is_video) {
    if (!stamp || !shared_.is_measuring) return;
    if (!is_intact_opus(parsed->payload, *stamp)) ++counts_.audio_corrupt;
    counts_.audio_ms.add(to_ms(arrived_ns - stamp->unix_ns));
    return;
  }
  if (stamp) {
    if (stream->stamps.size() >= kStampsMax) stream->stamps.erase(stream->stamps.begin());
    stream->stamps[parsed->header.timestamp] = *stamp;
  }
  auto found = is_whole_ ? stream->stamps.find(parsed->header.timestamp) : stream->stamps.end();
  if (found == stream->stamps.end()) return;
  if (shared_.is_measuring) counts_.video_ms.add(to_ms(arrived_ns - found->second.unix_ns));
  stream->stamps.erase(found);
}

void RoomsWatcher::handle_rtcp(std::int64_t now, Bytes packet) {
  auto reader = rtcp::Reader::open(packet, rtcp::Form::kReducedSize);
  if (!reader) return;
  while (auto next = reader->next()) {
    if (!*next) continue;
    auto* report = std::get_if<rtcp::SenderReport>(&**next);
    if (Stream* stream = report ? find(report->ssrc) : nullptr)
      stream->meter.reception().handle_sender_report(Timestamp::from_ns(now), report->sender.ntp);
  }
}

void RoomsWatcher::send_reports(std::int64_t now, const Send& send) {
  if (streams_.empty()) return;
  std::vector<rtcp::ReportBlock> blocks;
  for (Stream& stream : streams_)
    if (auto block = stream.meter.reception().take_report_block(Timestamp::from_ns(now)))
      blocks.push_back(*block);
  // As many as one report takes.
  constexpr std::size_t kBlocksMax = 31;
  for (std::size_t at = 0; at == 0 || at < blocks.size(); at += kBlocksMax) {
    std::span<const rtcp::ReportBlock> some(blocks);
    some = some.subspan(std::min(at, some.size()));
    rtcp::Writer writer;
    writer.write_receiver_report(own_ssrc_, some.first(std::min(kBlocksMax, some.size())));
    writer.write_cname(own_ssrc_, kCname);
    send(writer.view());
  }
}

void RoomsWatcher::send_feedback(std::int64_t now, const Send& send) {
  if (Timestamp::from_ns(now) < log_.next_deadline() || ssrcs_.empty()) return;
  while (log_.has_news()) {
    rtcp::Writer writer;
    if (!log_.write_feedback(own_ssrc_, ssrcs_.front(), writer)) return;
    send(writer.view());
  }
}

std::size_t RoomsWatcher::videos_alive(std::int64_t now) const {
  return static_cast<std::size_t>(std::count_if(streams_.begin(), streams_.end(), [&](const Stream& stream) {
    return stream.is_video && now - stream.last_ns <= kFreezeNs;
  }));
}

void RoomsWatcher::finish(std::int64_t now, std::int64_t since) {
  for (const Stream& stream : streams_)
    if (stream.is_video) note_pause(now - std::max(stream.last_ns, since));
}

StreamCounts RoomsWatcher::sum(bool of_video) const {
  StreamCounts all;
  for (const Stream& stream : streams_)
    if (stream.is_video == of_video) all += stream.meter.counts();
  return all;
}

}  // namespace stoa::bench
