#include "sim/viewer.h"

#include <algorithm>
#include <array>

#include "proto/rtcp/packet.h"
#include "proto/rtp/extension_values.h"
#include "proto/rtp/packet.h"

namespace stoa::sim {
namespace {

constexpr std::size_t kStreamsMax = 512;
constexpr std::size_t kSlots = 1024;  // A power of two.
constexpr Duration kReportInterval = Duration::seconds(1);
constexpr Duration kCheckInterval = Duration::milliseconds(100);
constexpr Duration kKeyframeAgain = Duration::milliseconds(500);
constexpr Duration kFreezeMin = Duration::milliseconds(150);
constexpr Duration kSoundGapMin = Duration::milliseconds(100);
constexpr std::size_t kDisturbancesMax = 10'000;
constexpr std::size_t kBlocksMax = 31;

}  // namespace

Viewer::Viewer(const Config& config, std::uint32_t own_ssrc)
    : config_(config), own_ssrc_(own_ssrc), log_({.interval = config.feedback_interval}) {}

void Viewer::begin_anew() {
  ssrcs_.clear();
  streams_.clear();
  wanted_.clear();
  next_nack_ = Timestamp::never();
  log_ = rtcp::ArrivalLog({.interval = config_.feedback_interval});
  transport_id_ = 0;
}

Viewer::Stream* Viewer::find(std::uint32_t ssrc) {
  auto at = std::find(ssrcs_.begin(), ssrcs_.end(), ssrc);
  return at == ssrcs_.end() ? nullptr : streams_[static_cast<std::size_t>(at - ssrcs_.begin())].get();
}

Viewer::Stream* Viewer::make_stream(std::uint32_t ssrc, const sdp::Agreement& agreement) {
  if (streams_.size() >= kStreamsMax) return nullptr;
  for (const sdp::AgreedSection& section : agreement.sections)
    for (const sdp::Layer& layer : section.receive_layers) {
      const bool is_repair = layer.rtx_ssrc == ssrc;
      if (layer.ssrc != ssrc && !is_repair) continue;
      std::size_t repairs = 0;
      if (is_repair) {
        if (!find(*layer.ssrc) && !make_stream(*layer.ssrc, agreement)) return nullptr;
        repairs =
            static_cast<std::size_t>(std::find(ssrcs_.begin(), ssrcs_.end(), *layer.ssrc) - ssrcs_.begin());
      }
      const bool is_video = section.kind == sdp::MediaKind::kVideo;
      ssrcs_.push_back(ssrc);
      streams_.push_back(
          std::make_unique<Stream>(Stream{.ssrc = ssrc,
                                          .is_video = is_video,
                                          .repairs = repairs,
                                          .is_repair = is_repair,
                                          .reception = rtcp::Reception(ssrc, is_video ? 90'000 : 48'000)}));
      if (is_video && !is_repair) streams_.back()->slots.resize(kSlots);
      if (round_trip_) streams_.back()->nack.set_round_trip(*round_trip_);
      for (const sdp::AgreedExtension& extension : section.extensions)
        if (extension.extension == sdp::HeaderExtension::kTransportSequence && extension.can_receive)
          transport_id_ = extension.id;
      return streams_.back().get();
    }
  return nullptr;
}

void Viewer::handle_rtp(Timestamp now, Timestamp arrived, Bytes packet, const sdp::Agreement& agreement) {
  auto parsed = rtp::parse(packet);
  if (!parsed) return;
  ++counts_.packets;
  if (next_report_ == Timestamp::never()) {
    next_report_ = now + kReportInterval;
    next_check_ = now + kCheckInterval;
  }
  const rtp::Header& header = parsed->header;
  Stream* stream = find(header.ssrc);
  if (!stream) stream = make_stream(header.ssrc, agreement);
  if (transport_id_ != 0)
    if (auto element = rtp::find_element(parsed->extension, transport_id_))
      if (auto sequence = rtp::parse_transport_sequence(element->value))
        log_.handle_packet(arrived, *sequence, packet.size());
  if (!stream) return;
  stream->reception.handle_packet(arrived, header.sequence, header.timestamp);
  if (!stream->is_video) return handle_sound(now, *stream, parsed->payload);
  if (!stream->is_repair)
    return handle_video(now, *stream, header.sequence, parsed->payload, rtcp::PacketOrigin::kFirstSent);
  if (parsed->payload.size() < 2) return;  // Padding.
  const auto original = static_cast<std::uint16_t>(parsed->payload[0] << 8 | parsed->payload[1]);
  handle_video(now, *streams_[stream->repairs], original, parsed->payload.subspan(2),
               rtcp::PacketOrigin::kRetransmitted);
}

void Viewer::handle_sound(Timestamp now, Stream& stream, Bytes payload) {
  auto stamp = Stamp::read(payload);
  if (!stamp) return;
  if (stream.has_sound && stream.sound.publisher == stamp->publisher && stamp->frame <= stream.sound.frame)
    return;  // Late.
  ++counts_.sounds;
  counts_.sound_delay = now - stamp->sent;
  if (stream.has_sound && stream.sound.publisher == stamp->publisher) {
    const std::uint32_t lost = stamp->frame - stream.sound.frame - 1;
    counts_.sounds_lost += lost;
    // What was lost is not heard; what comes late is waited for.
    const Duration passed = now - stream.sound_at, meant = stamp->sent - stream.sound.sent;
    const Duration gap = lost > 0 ? passed : std::max(passed - meant, Duration());
    counts_.longest_sound_gap = std::max(counts_.longest_sound_gap, gap);
    if (gap > kSoundGapMin && disturbances_.size() < kDisturbancesMax)
      disturbances_.push_back({now, stamp->publisher, false, gap});
  }
  stream.has_sound = true;
  stream.sound = *stamp;
  stream.sound_at = now;
}

void Viewer::collect(Stream& stream, rtcp::NackOutputs& outputs, Timestamp now) {
  for (auto& output : outputs.take()) {
    if (auto* nack = std::get_if<rtcp::NackWanted>(&output)) {
      counts_.nacks += nack->sequences.size();
      if (config_.asks_again) wanted_.push_back({stream.ssrc, std::move(nack->sequences)});
    } else {
      want_keyframe(now, stream);
    }
  }
}

void Viewer::handle_video(Timestamp now, Stream& stream, std::uint16_t sequence, Bytes payload,
                          rtcp::PacketOrigin origin) {
  rtcp::NackOutputs outputs;
  stream.nack.handle_packet(now, sequence, origin, outputs);
  next_nack_ = std::min(next_nack_, stream.nack.next_deadline());
  collect(stream, outputs, now);
  const auto placed = stream.extender.place(sequence);
  if (placed.step == rtcp::SequenceExtender::Step::kDoubted) return;
  if (placed.step == rtcp::SequenceExtender::Step::kRestart) {
    stream.next = -1;
    stream.is_decoding = false;
  }
  const std::int64_t number = placed.extended;
  if (stream.next >= 0 && number < stream.next) return;  // Late, or a probe.
  Slot& slot = stream.slots[static_cast<std::size_t>(number) % kSlots];
  if (slot.sequence == number) return;
  if (origin == rtcp::PacketOrigin::kRetransmitted) ++counts_.recovered;
  const auto stamp = Stamp::read(payload);
  slot = {number, stamp.value_or(Stamp()), !stamp.has_value()};
  if (stream.next < 0) stream.next = number;
  // What is too far back is given up.
  if (number - stream.next >= static_cast<std::int64_t>(kSlots)) {
    stream.next = number - static_cast<std::int64_t>(kSlots) / 2;
    stream.is_decoding = false;
    want_keyframe(now, stream);
  }
  show_frames(now, stream);
}

void Viewer::show_frames(Timestamp now, Stream& stream) {
  auto at = [&](std::int64_t number) -> const Slot* {
    const Slot& slot = stream.slots[static_cast<std::size_t>(number) % kSlots];
    return slot.sequence == number ? &slot : nullptr;
  };
  auto is_whole = [&](std::int64_t first) {
    const Slot* begin = at(first);
    for (std::int64_t i = 0; i < begin->stamp.packets; ++i) {
      const Slot* one = at(first + i);
      if (!one || one->is_padding || one->stamp.frame != begin->stamp.frame || one->stamp.packet != i)
        return false;
    }
    return true;
  };
  const std::int64_t end = stream.extender.highest() + 1;
  for (;;) {
    const Slot* first = at(stream.next);
    if (first && first->is_padding) {
      ++stream.next;
      continue;
    }
    if (first && first->stamp.packet == 0 && is_whole(stream.next)) {
      if (first->stamp.is_keyframe) stream.is_decoding = true;
      if (stream.is_decoding) {
        show(now, stream, first->stamp);
        stream.stalled_since = Timestamp::never();
      }
      stream.next += first->stamp.packets;
      continue;
    }
    // A whole keyframe further on makes good for all before it.
    std::int64_t key = stream.next + 1;
    if (first || stream.next < end)
      while (key < end &&
             !(at(key) && at(key)->stamp.is_keyframe && at(key)->stamp.packet == 0 && is_whole(key)))
        ++key;
    if (key >= end) break;
    stream.next = key;
    stream.nack.drop_before(static_cast<std::uint16_t>(key));
  }
  const bool is_stalled = stream.next < end || !stream.is_decoding;
  if (is_stalled && stream.stalled_since == Timestamp::never()) stream.stalled_since = now;
}

void Viewer::show(Timestamp now, Stream& stream, const Stamp& stamp) {
  ++counts_.video_frames;
  counts_.keyframes += stamp.is_keyframe;
  counts_.layer = stamp.layer;
  if (stream.shown_at != Timestamp::never() && stream.shown_publisher == stamp.publisher) {
    const Duration gap = now - stream.shown_at;
    if (gap > stream.usual * 3 && gap > stream.usual + kFreezeMin) {
      ++counts_.freezes;
      counts_.frozen += gap;
      counts_.longest_freeze = std::max(counts_.longest_freeze, gap);
      if (disturbances_.size() < kDisturbancesMax) disturbances_.push_back({now, stamp.publisher, true, gap});
    } else {
      stream.usual = (stream.usual * 15 + gap) / 16;
    }
  }
  if (stream.shown_at != Timestamp::never() && stream.shown_publisher == stamp.publisher)
    counts_.layer_changes += stream.shown_layer != stamp.layer;
  stream.shown_layer = stamp.layer;
  stream.shown_at = now;
  stream.shown_publisher = stamp.publisher;
}

void Viewer::set_round_trip(Duration round_trip) {
  round_trip_ = round_trip;
  for (const auto& stream : streams_) {
    stream->nack.set_round_trip(round_trip);
    next_nack_ = std::min(next_nack_, stream->nack.next_deadline());
  }
}

void Viewer::want_keyframe(Timestamp now, Stream& stream) {
  if (stream.keyframe_asked_at != Timestamp() && now - stream.keyframe_asked_at < kKeyframeAgain) return;
  stream.keyframe_asked_at = now;
  ++counts_.plis;
  wanted_.push_back({stream.ssrc, {}});
}

void Viewer::handle_rtcp(Timestamp now, Bytes packet) {
  auto reader = rtcp::Reader::open(packet, rtcp::Form::kReducedSize);
  if (!reader) return;
  while (auto next = reader->next()) {
    if (!*next) continue;
    if (const auto* report = std::get_if<rtcp::SenderReport>(&**next))
      if (Stream* stream = find(report->ssrc))
        stream->reception.handle_sender_report(now, report->sender.ntp);
  }
}

void Viewer::handle_deadline(Timestamp now, const Send& send) {
  if (now >= next_check_) {
    next_check_ = now + kCheckInterval;
    for (const auto& stream : streams_)
      if (stream->is_video && stream->stalled_since != Timestamp::never() &&
          now - stream->stalled_since > config_.patience)
        want_keyframe(now, *stream);
  }
  if (now >= next_nack_) {
    next_nack_ = Timestamp::never();
    for (const auto& stream : streams_) {
      if (!stream->is_video) continue;
      rtcp::NackOutputs outputs;
      if (stream->nack.next_deadline() <= now) stream->nack.handle_deadline(now, outputs);
      collect(*stream, outputs, now);
      next_nack_ = std::min(next_nack_, stream->nack.next_deadline());
    }
  }
  if (!wanted_.empty()) {
    writer_.clear();
    for (const Wanted& one : wanted_) {
      if (one.sequences.empty()) {
        writer_.write_pli(own_ssrc_, one.ssrc);
      } else {
        writer_.write_nack(own_ssrc_, one.ssrc, one.sequences);
      }
    }
    wanted_.clear();
    if (!writer_.empty()) send(writer_.view());
  }
  if (now >= log_.next_deadline() && !ssrcs_.empty()) {
    writer_.clear();
    while (log_.has_news() && log_.write_feedback(own_ssrc_, ssrcs_.front(), writer_)) {
      send(writer_.view());
      writer_.clear();
    }
  }
  if (now >= next_report_) {
    next_report_ = now + kReportInterval;
    std::vector<rtcp::ReportBlock> blocks;
    for (const auto& stream : streams_)
      if (blocks.size() < kBlocksMax)
        if (auto block = stream->reception.take_report_block(now)) blocks.push_back(*block);
    writer_.clear();
    writer_.write_receiver_report(own_ssrc_, blocks);
    writer_.write_cname(own_ssrc_, "sim");
    send(writer_.view());
  }
}

Timestamp Viewer::next_deadline() const {
  if (!wanted_.empty()) return Timestamp();
  return std::min({next_report_, next_check_, next_nack_, log_.next_deadline()});
}

}  // namespace stoa::sim
