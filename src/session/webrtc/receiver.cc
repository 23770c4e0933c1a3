#include "session/webrtc/receiver.h"

#include <algorithm>

#include "base/assert.h"
#include "media/payload/inspect.h"
#include "media/payload/red.h"
#include "proto/rtp/rtx.h"
#include "proto/rtp/unwrap.h"
#include "session/webrtc/receiver_impl.h"

namespace stoa::webrtc {
namespace {

constexpr std::uint8_t kNoKind = 0xff;
constexpr std::uint64_t kSrtpIndexMask = (std::uint64_t{1} << 48) - 1;  // RFC 3711 §3.3.1.
constexpr Duration kRoundTripDefault = Duration::milliseconds(100);

using Kind = rtp::ExtensionKind;

bool is_reduced_size(const sdp::Agreement& agreement) {
  return std::all_of(agreement.sections.begin(), agreement.sections.end(),
                     [](const sdp::AgreedSection& section) { return section.has_rtcp_rsize; });
}

StreamLabels labels_of(Bytes mid, Bytes rid, Bytes repaired_rid) {
  return {rtp::parse_mid(mid).value_or(""), rtp::parse_rid(rid).value_or(""),
          rtp::parse_rid(repaired_rid).value_or("")};
}

}  // namespace

const char* name_of(ReceiveRefusal refusal) {
  switch (refusal) {
    case ReceiveRefusal::kMalformed: return "malformed";
    case ReceiveRefusal::kUnknownStream: return "unknown_stream";
    case ReceiveRefusal::kTooManyStreams: return "too_many_streams";
    case ReceiveRefusal::kDuplicate: return "duplicate";
    case ReceiveRefusal::kUnknownPayload: return "unknown_payload";
  }
  return "?";
}

Receiver::Impl::Impl(const sdp::Agreement& agreement, const ReceiverConfig& its_config,
                     std::uint32_t its_local_ssrc, Rng its_rng, Timestamp now)
    : config(its_config),
      local_ssrc(its_local_ssrc),
      rng(its_rng),
      demux(agreement, its_config.streams_max),
      feedback(its_local_ssrc, its_config.cname, is_reduced_size(agreement)),
      born(now),
      deadline(now) {
  kinds.fill(kNoKind);
  read_agreement(agreement);
  for (const InboundSection& section : demux.sections()) {
    Track track;
    track.id = static_cast<media::TrackId>(all_tracks.size());
    for (std::size_t i = 0; i < section.rids.size(); ++i)
      track.layers.emplace_back(section.clock_rate(), section.is_video, kRoundTripDefault);
    all_tracks.push_back(std::move(track));
  }
  open_tracks.reserve(all_tracks.size());
}

void Receiver::Impl::read_agreement(const sdp::Agreement& agreement) {
  sdp::Feedback agreed;
  for (const InboundSection& section : demux.sections()) {
    for (const InboundCodec& codec : section.codecs) agreed = agreed | codec.feedback;
  }
  knows_arrivals = knows_arrivals_on_request = false;
  // In a bundle an id means the same everywhere (RFC 9143 §14).
  for (const sdp::AgreedSection& section : agreement.sections) {
    for (const sdp::AgreedExtension& extension : section.extensions) {
      auto kind = rtp::find_extension_kind(sdp::uri_of(extension.extension));
      if (!kind || !extension.can_receive || extension.id == 0 || kinds[extension.id] != kNoKind) continue;
      kinds[extension.id] = static_cast<std::uint8_t>(*kind);
      knows_arrivals |= *kind == Kind::kTransportSequence;
      knows_arrivals_on_request |= *kind == Kind::kTransportSequenceAsk;
    }
  }
  // A sender without an estimator of its own would take the end of a limit for what it should send.
  has_remb = agreed.remb && (agreed.transport_cc || agreed.ccfb) && config.limits_senders;
  has_congestion = agreed.ccfb;
  has_arrivals = knows_arrivals && agreed.transport_cc && !has_congestion;
  has_arrivals_on_request = knows_arrivals_on_request && agreed.transport_cc && !has_congestion;
}

Receiver::Impl::Elements Receiver::Impl::read_elements(const rtp::ExtensionBlock& block) const {
  Elements elements;
  rtp::ExtensionReader reader(block);
  while (auto element = reader.next()) {
    std::uint8_t kind = kinds[element->id];
    if (kind != kNoKind) elements.values[kind] = element->value;
  }
  return elements;
}

// Of every packet of the transport, also of streams that nobody knows: senders probe with those.
void Receiver::Impl::note_arrival(Timestamp now, const Elements& elements, std::size_t bytes) {
  if (has_remb) {
    uplink_limit.handle_packet(now, static_cast<std::uint32_t>(bytes) + kHeaderBytes);
    if (const auto time = rtp::parse_abs_send_time(elements[Kind::kAbsSendTime])) note_send_time(now, *time);
  }
  if (has_arrivals) {
    if (auto sequence = rtp::parse_transport_sequence(elements[Kind::kTransportSequence])) {
      arrivals.handle_packet(now, *sequence, bytes);
      deadline = std::min(deadline, arrivals.next_deadline());
    }
  }
  if (has_arrivals_on_request) {
    if (auto ask = rtp::parse_transport_sequence_ask(elements[Kind::kTransportSequenceAsk])) {
      arrivals.handle_packet(now, ask->sequence, bytes);
      is_arrival_asked |= ask->asks_now;
    }
  }
}

void Receiver::Impl::note_send_time(Timestamp now, rtp::AbsSendTime time) {
  const Duration step = send_clock ? time.since(send_clock->time) : Duration();
  if (!send_clock || now - send_clock->at > kSendTimeSilence || step.abs() > kSendStepMax) {
    if (send_clocks == kSendClocksMax) return send_clock.reset();
    ++send_clocks;
    send_clock = SendClock{.time = time, .at = now, .sampled_at = now, .sent = {}};
    uplink_limit.forget_clock();
    return note_sent(now, {});
  }
  send_clock->time = time;
  send_clock->at = now;
  send_clock->sent += step;
  if (now - send_clock->sampled_at < kSendTimeEvery) return;
  send_clock->sampled_at = now;
  note_sent(now, send_clock->sent);
}

void Receiver::Impl::note_sound(Timestamp now, const Track& track, const InboundLayer& layer,
                                std::uint32_t rtp_time) {
  if (!has_remb) return;
  if (send_clock && now - send_clock->at < kSendTimeSilence) return sound.reset();
  if (sound && sound->track != track.id && now - sound->at < kSoundSilence) return;
  const std::uint32_t rate = codec_of(track)->track.clock_rate();
  const std::int64_t timestamp = layer.peek_timestamp(rtp_time);
  const bool is_same = sound && sound->track == track.id && sound->ssrc == *layer.ssrc();
  const std::int64_t ticks = is_same ? timestamp - sound->timestamp : 0, most = kSendStepMax.to_ticks(rate);
  if (!is_same || ticks > most || ticks < -most) {
    sound = Sound{.track = track.id, .ssrc = *layer.ssrc(), .at = now, .timestamp = timestamp, .sent = {}};
    uplink_limit.forget_clock();
  } else {
    sound->at = now;
    sound->timestamp = timestamp;
    sound->sent += Duration::from_ticks(ticks, rate);
  }
  note_sent(now, sound->sent);
}

void Receiver::Impl::note_sent(Timestamp now, Duration sent) {
  const bool was_much_narrower = uplink_limit.is_much_narrower();
  uplink_limit.handle_sent(now, sent);
  if (!was_much_narrower && uplink_limit.is_much_narrower()) put_larger_layers_aside(now);
}

Result<void, ReceiveRefusal> Receiver::Impl::handle_rtp(Timestamp now, Bytes bytes, std::uint64_t srtp_index,
                                                        Ecn ecn, ReceiverOutputs& out) {
  if (bytes.size() > kRtpBytesMax) return refuse(ReceiveRefusal::kMalformed);
  auto packet = rtp::parse(bytes);
  if (!packet) return refuse(ReceiveRefusal::kMalformed);
  const rtp::Header& header = packet->header;
  Elements elements = read_elements(packet->extension);
  note_arrival(now, elements, bytes.size());
  auto index = static_cast<std::int64_t>(srtp_index & kSrtpIndexMask);
  STOA_DCHECK(static_cast<std::uint16_t>(index) == header.sequence);
  auto placed =
      demux.place(now, header.ssrc, header.payload_type,
                  labels_of(elements[Kind::kMid], elements[Kind::kRid], elements[Kind::kRepairedRid]));
  if (!placed) {
    // Browsers probe with padding on the retransmission SSRCs, some before they have said whose those are.
    if (packet->payload.empty() && packet->padding_bytes > 0) return {};
    if (placed.error() == ReceiveRefusal::kUnknownPayload) pass_over(now, *packet, index, out);
    return refuse(placed.error());
  }
  InboundSource* source = *placed;
  InboundPlace place = source->place;
  InboundLayer& layer = all_tracks[place.section].layers[place.layer];
  if (layer.has_ended && (place.is_rtx || (layer.ssrc() == header.ssrc && layer.is_ended(now))))
    return refuse(ReceiveRefusal::kUnknownStream);
  source->handle_packet(now);
  source->reception.handle_packet(now, header.sequence, header.timestamp);
  if (has_congestion) {
    congestion.handle_packet(now, header.ssrc, header.sequence, ecn, bytes.size());
    deadline = std::min(deadline, congestion.next_deadline());
  }
  last_media_ssrc = header.ssrc;
  start_reports(now);
  if (place.is_rtx) return handle_rtx(now, place, *packet, elements, out);

  if (layer.ssrc() != header.ssrc) {
    if (layer.ssrc()) demux.retire_repairs(place, layer.last_media);
    layer.begin_source(now, header.ssrc, index, header.timestamp);
  }
  Arrived arrived;
  arrived.codec = demux.sections()[place.section].media_types[header.payload_type];
  arrived.is_red = demux.sections()[place.section].red_types[header.payload_type];
  arrived.index = index;
  arrived.payload = packet->payload;
  return accept(now, place, *packet, elements, arrived, out);
}

// A packet of a known stream in a format that was not agreed upon: it used a number of the stream.
void Receiver::Impl::pass_over(Timestamp now, const rtp::Packet& packet, std::int64_t index,
                               ReceiverOutputs& out) {
  InboundSource* source = demux.find(packet.header.ssrc);
  if (!source || source->place.is_rtx) return;
  Track& track = all_tracks[source->place.section];
  InboundLayer& layer = track.layers[source->place.layer];
  if (layer.ssrc() != packet.header.ssrc || layer.has_ended) return;
  source->handle_packet(now);
  source->reception.handle_packet(now, packet.header.sequence, packet.header.timestamp);
  if (!layer.admit(now, index, packet.header.timestamp, rtcp::PacketOrigin::kFirstSent, nack_outputs)) return;
  take_nack_outputs(now, track, layer, out);
  deadline = std::min({deadline, layer.nack.next_deadline(), layer.keyframe.due()});
  Arrived arrived;
  arrived.index = index;
  if (track.is_open && goes_on(now, track, layer, arrived, nullptr))
    forward(track, source->place.layer, packet, {}, arrived, {});
}

// A retransmission whose original cannot be told yet is not worth keeping: it will be asked for again.
Result<void, ReceiveRefusal> Receiver::Impl::handle_rtx(Timestamp now, InboundPlace place,
                                                        const rtp::Packet& packet, const Elements& elements,
                                                        ReceiverOutputs& out) {
  if (packet.payload.size() < rtp::kOriginalSequenceBytes) return {};  // Sent to probe.
  const InboundLayer& layer = all_tracks[place.section].layers[place.layer];
  auto index = layer.extend(ByteReader(packet.payload).u16());
  if (!index) return {};  // No original came yet: what it repairs cannot be told.
  if (*index - *layer.highest() > kRepairAheadMax) return refuse(ReceiveRefusal::kUnknownStream);
  Arrived arrived;
  arrived.codec = demux.sections()[place.section].rtx_types[packet.header.payload_type];
  arrived.index = *index;
  arrived.origin = rtcp::PacketOrigin::kRetransmitted;
  arrived.payload = packet.payload.subspan(rtp::kOriginalSequenceBytes);
  return accept(now, place, packet, elements, arrived, out);
}

Result<void, ReceiveRefusal> Receiver::Impl::accept(Timestamp now, InboundPlace place,
                                                    const rtp::Packet& packet, const Elements& elements,
                                                    Arrived arrived, ReceiverOutputs& out) {
  Track& track = all_tracks[place.section];
  InboundLayer& layer = track.layers[place.layer];
  const auto newest = layer.newest();
  arrived.is_newest = !newest || arrived.index > newest->index;
  std::uint64_t answered = layer.nack.stats().answered;
  if (!layer.admit(now, arrived.index, packet.header.timestamp, arrived.origin, nack_outputs))
    return refuse(ReceiveRefusal::kDuplicate);
  take_nack_outputs(now, track, layer, out);
  deadline = std::min({deadline, layer.nack.next_deadline(), layer.keyframe.due()});
  const std::size_t bytes = packet.header_bytes + packet.payload.size() + packet.padding_bytes;
  ++stats.packets;
  stats.bytes += bytes;
  ++layer.packets;
  layer.bytes += bytes;
  bool is_retransmitted = arrived.origin == rtcp::PacketOrigin::kRetransmitted;
  if (is_retransmitted || layer.nack.stats().answered != answered) ++stats.retransmitted;

  if (arrived.payload.empty()) {
    if (track.is_open && goes_on(now, track, layer, arrived, nullptr))
      forward(track, place.layer, packet, elements, arrived, {});
    return {};
  }
  const InboundCodec& codec = demux.sections()[place.section].codecs[arrived.codec];
  auto facts = inspect(codec, arrived);
  const bool is_aside = !goes_on(now, track, layer, arrived, facts ? &*facts : nullptr);
  if (is_aside) {
    if (!facts) return refuse(facts.error());
    if (track.is_open) note_media(now, track, layer, packet.header.timestamp, arrived, out);
    return {};
  }
  if (!facts || !select_codec(now, track, place.layer, arrived, *facts, out)) {
    // Its number was used, and nobody shall wait for it.
    arrived.payload = {};
    if (track.is_open) forward(track, place.layer, packet, elements, arrived, {});
    return refuse(facts ? ReceiveRefusal::kUnknownPayload : facts.error());
  }
  layer.with_red += arrived.red.has_value();
  if (arrived.red && arrived.is_newest && newest) recover(now, place, packet, arrived, *newest, out);
  // VP9 says its layers in its payload whatever else it says.
  payload::PayloadFacts said = *facts;
  const bool is_of_use =
      layer.dependencies.handle(arrived.index, elements[Kind::kDependencyDescriptor], said);
  if (codec.track.encoding != payload::Encoding::kVp9) *facts = said;
  if (is_of_use) {
    arrived.ends_picture = said.ends_layer && layer.dependencies.is_highest_whole(said.spatial_layer);
  } else {
    arrived.payload = {};  // As padding: numbers behind it close up.
    arrived.red.reset();
  }
  forward(track, place.layer, packet, elements, arrived, *facts);
  if (facts->is_keyframe) {
    layer.handle_keyframe(arrived.index, packet.header.timestamp, facts->starts_frame);
    // What is missing just before it may be its parameter sets.
    if (now < layer.repaired_from && facts->starts_frame && arrived.is_newest && !is_retransmitted) {
      layer.nack.drop_before(static_cast<std::uint16_t>(arrived.index - 1));
      layer.repaired_from = Timestamp();
    }
  }
  if (is_retransmitted) return {};

  note_media(now, track, layer, packet.header.timestamp, arrived, out);
  if (arrived.is_newest && !codec.track.is_video()) note_sound(now, track, layer, packet.header.timestamp);
  if (!layer.is_mapped) map_clock(now, track, place.layer, packet.header.timestamp, out);
  return {};
}

// Of a packet with media that was sent for the first time.
void Receiver::Impl::note_media(Timestamp now, Track& track, InboundLayer& layer, std::uint32_t rtp_time,
                                const Arrived& arrived, ReceiverOutputs& out) {
  if (arrived.origin == rtcp::PacketOrigin::kRetransmitted) return;
  layer.handle_media(now, layer.peek_timestamp(rtp_time));
  if (arrived.is_newest) {
    track.flow.note(now, track.index_of(layer), layer.frames);
    layer.keyframe.resume(now);
    deadline = std::min(deadline, layer.keyframe.due());
  }
  if (layer.is_active) return;
  layer.is_active = true;
  silence_due = std::min(silence_due, now + config.layer_silence);
  deadline = std::min(deadline, silence_due);
  tell_active(track, out);
}

bool Receiver::Impl::goes_on(Timestamp now, Track& track, InboundLayer& layer, const Arrived& arrived,
                             const payload::PayloadFacts* facts) {
  const std::uint8_t bit = track.bit_of(layer);
  const bool is_too_large = this->is_too_large(now, track, layer);
  if (is_too_large) {
    track.aside |= bit;
    layer.aside_until = now + kAsideMax;
  }
  if ((track.aside & bit) == 0) return arrived.index >= layer.goes_on_at;
  layer.nack.drop_before(static_cast<std::uint16_t>(*layer.highest() + 1));
  const bool is_anew = arrived.is_newest && arrived.origin == rtcp::PacketOrigin::kFirstSent;
  if (is_too_large || !is_anew || facts == nullptr) return false;
  const bool begins = facts->is_keyframe && facts->starts_frame;
  if (!begins) wish_keyframe(now, layer, arrived.index);
  if (!begins && now < layer.aside_until) return false;
  layer.go_on(arrived.index);
  track.aside &= static_cast<std::uint8_t>(~bit);
  return true;
}

// What the payload says; out of RED, where it is in that.
Result<payload::PayloadFacts, ReceiveRefusal> Receiver::Impl::inspect(const InboundCodec& codec,
                                                                      Arrived& arrived) {
  if (arrived.is_red) {
    auto red = payload::parse_red(arrived.payload, codec.payload_type);
    if (!red) return refuse(ReceiveRefusal::kMalformed);
    arrived.payload = red->primary;
    if (red->earlier_count() > 0) arrived.red = *red;
  }
  auto facts = payload::inspect_payload(codec.track.encoding, arrived.payload);
  if (!facts) return refuse(ReceiveRefusal::kMalformed);
  return *facts;
}

// Of one packet: browsers bring one or two frames again, and more would let a publisher have us send many
// packets for each of its own.
constexpr std::int64_t kRecoveredMax = 4;

// Packets that are missing between the newest before and this one, whose frames this one brings along: for
// receivers that take no redundancy they are as good as come. RED has no sequence numbers: its frames are of
// the packets just before it, so what came before is not later than the newest.
void Receiver::Impl::recover(Timestamp now, InboundPlace place, const rtp::Packet& packet, const Arrived& by,
                             const InboundLayer::Newest& newest, ReceiverOutputs& out) {
  Track& track = all_tracks[place.section];
  InboundLayer& layer = track.layers[place.layer];
  payload::RedPayload red = *by.red;
  const auto count = static_cast<std::int64_t>(red.earlier_count());
  std::uint32_t before = newest.rtp_time;
  for (std::int64_t index = by.index - count; index < by.index; ++index) {
    const payload::RedBlock block = payload::take_oldest(red);
    if (by.index - index > kRecoveredMax) continue;
    rtp::Packet lost = packet;
    lost.header.timestamp = packet.header.timestamp - block.timestamp_offset;
    lost.header.marker = false;
    const bool is_later = rtp::is_newer(lost.header.timestamp, before) && block.timestamp_offset > 0;
    if (is_later && index <= newest.index) return;  // Numbers and frames do not go together.
    if (!is_later || index <= newest.index) continue;
    before = lost.header.timestamp;
    Arrived arrived{
        .codec = by.codec, .index = index, .origin = rtcp::PacketOrigin::kRecovered, .payload = block.frame};
    auto facts = inspect(demux.sections()[place.section].codecs[by.codec], arrived);
    if (!facts || !layer.admit(now, index, lost.header.timestamp, arrived.origin, nack_outputs)) continue;
    take_nack_outputs(now, track, layer, out);
    forward(track, place.layer, lost, {}, arrived, *facts);
    ++stats.recovered;
  }
}

// False when the packet is of another codec than the track is now, and may not change that.
bool Receiver::Impl::select_codec(Timestamp now, Track& track, payload::LayerIndex layer,
                                  const Arrived& arrived, const payload::PayloadFacts& facts,
                                  ReceiverOutputs& out) {
  if (!track.is_open) {
    if (arrived.origin == rtcp::PacketOrigin::kRetransmitted) return false;
    open(now, track, arrived.codec, out);
    return true;
  }
  if (track.codec == arrived.codec) return true;
  const auto& codecs = demux.sections()[track.id].codecs;
  if (codecs[track.codec].track == codecs[arrived.codec].track) {
    if (arrived.is_newest) track.codec = arrived.codec;
    return true;
  }
  bool may_begin = facts.is_keyframe || !codecs[arrived.codec].track.is_video();
  if (!may_begin || now - track.opened_at < kCodecHold) {
    if (arrived.is_newest) wish_keyframe(now, track.layers[layer], arrived.index);
    return false;
  }
  close(track, out);
  open(now, track, arrived.codec, out);
  return true;
}

void Receiver::Impl::forward(Track& track, payload::LayerIndex layer, const rtp::Packet& packet,
                             const Elements& elements, const Arrived& arrived,
                             const payload::PayloadFacts& facts) {
  InboundLayer& from = track.layers[layer];
  payload::Packet forwarded;
  forwarded.sequence = from.sequence_of(arrived.index);
  forwarded.timestamp = from.timestamp_of(packet.header.timestamp);
  forwarded.layer = layer;
  forwarded.layers_aside = track.aside;
  from.handed_on = std::max(arrived.index, from.handed_on.value_or(arrived.index));
  if (arrived.payload.empty()) {
    track.writer.add(forwarded, {});
    return;
  }
  forwarded.marker = packet.header.marker || arrived.ends_picture;
  forwarded.facts = facts;
  if (Bytes value = elements[Kind::kVideoOrientation]; value.size() == 1) {
    forwarded.has_orientation = true;
    forwarded.orientation = value[0];
  }
  if (Bytes value = elements[Kind::kAudioLevel]; value.size() == 1) {
    forwarded.has_audio_level = true;
    forwarded.audio_level = value[0];
  }
  if (Bytes value = elements[Kind::kAbsCaptureTime]; !value.empty() && peer_clock.is_known()) {
    if (auto time = rtp::parse_abs_capture_time(value)) {
      std::uint64_t peers = time->ntp + static_cast<std::uint64_t>(time->clock_offset.value_or(0));
      forwarded.capture_ntp = peer_clock.to_ours(rtcp::NtpTime::from_bits(peers)).bits();
    }
  }
  if (arrived.red) return track.writer.add_red(forwarded, *arrived.red);
  track.writer.add(forwarded, arrived.payload, {}, elements[Kind::kDependencyDescriptor]);
}

void Receiver::Impl::open(Timestamp now, Track& track, std::uint8_t codec, ReceiverOutputs& out) {
  track.is_open = true;
  track.codec = codec;
  track.opened_at = now;
  const payload::RtpTrack& opened = demux.sections()[track.id].codecs[codec].track;
  auto at = std::find_if(open_tracks.begin(), open_tracks.end(),
                         [&](const payload::RtpTrack& other) { return other.id > track.id; });
  open_tracks.insert(at, opened);
  out.push(TrackOpened{opened});
}

void Receiver::Impl::close(Track& track, ReceiverOutputs& out) {
  hand_on(track, out);
  track.is_open = false;
  std::erase_if(open_tracks, [&](const payload::RtpTrack& other) { return other.id == track.id; });
  out.push(TrackClosed{track.id});
  for (InboundLayer& layer : track.layers) {
    layer.is_active = false;
    layer.is_mapped = false;
    layer.goes_on_at = 0;
    layer.repaired_from = Timestamp();
  }
  track.aside = 0;
}

void Receiver::Impl::hand_on(Track& track, ReceiverOutputs& out) {
  if (track.writer.is_empty()) return;
  track.writer.take_batches(batches);
  for (payload::PacketBatch& batch : batches) out.push(PacketsReceived{track.id, std::move(batch)});
  batches.clear();
}

void Receiver::Impl::tell_active(const Track& track, ReceiverOutputs& out) {
  LayersActive active{track.id, 0};
  for (std::size_t i = 0; i < track.layers.size(); ++i) {
    if (track.layers[i].is_active) active.layers |= static_cast<std::uint8_t>(1u << i);
  }
  out.push(active);
}

void Receiver::Impl::update(Timestamp now, const sdp::Agreement& agreement,
                            std::span<const InboundSlot> slots, ReceiverOutputs& out) {
  std::array<const InboundSlot*, media::kTracksPerPublicationMax> wanted{};
  for (const InboundSlot& slot : slots)
    if (slot.slot < wanted.size()) wanted[slot.slot] = &slot;
  auto find_agreed = [&](const InboundSlot& slot) {
    return std::find_if(agreement.sections.begin(), agreement.sections.end(),
                        [&](const sdp::AgreedSection& one) { return one.index == slot.section; });
  };
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto slot = static_cast<std::uint8_t>(i);
    if (!wanted[i]) {
      if (i < all_tracks.size()) set_section(slot, InboundSection::unused(), true, out);
    } else if (auto agreed = find_agreed(*wanted[i]); agreed != agreement.sections.end()) {
      set_section(slot, inbound_section_of(*agreed, slot), wanted[i]->is_new, out);
    }
  }
  for (const InboundSlot& slot : slots)
    if (auto agreed = find_agreed(slot); agreed != agreement.sections.end() && slot.slot < all_tracks.size())
      demux.add_signalled(now, *agreed, slot.slot);
  kinds.fill(kNoKind);
  read_agreement(agreement);
  feedback.set_reduced_size(is_reduced_size(agreement));
  update_deadline();
}

void Receiver::Impl::set_section(std::uint8_t slot, InboundSection next, bool is_new, ReceiverOutputs& out) {
  while (all_tracks.size() <= slot) {
    const auto id = static_cast<media::TrackId>(all_tracks.size());
    all_tracks.emplace_back().id = id;
  }
  Track& track = all_tracks[slot];
  const bool goes_on = !is_new && demux.goes_on(slot, next);
  if (goes_on && track.is_open) {
    const payload::RtpTrack& carried = codec_of(track)->track;
    auto found = std::find_if(next.codecs.begin(), next.codecs.end(),
                              [&](const InboundCodec& codec) { return codec.track == carried; });
    if (found == next.codecs.end()) {
      close(track, out);
    } else {
      track.codec = static_cast<std::uint8_t>(found - next.codecs.begin());
    }
  }
  if (!goes_on) {
    if (track.is_open) close(track, out);
    if (has_congestion)
      for (const InboundSource& source : demux.sources())
        if (source.place.section == slot) congestion.drop_source(source.ssrc);
    std::erase_if(waiting_maps, [&](const WaitingMap& waiting) { return waiting.track == slot; });
    track.layers.clear();
    track.flow = {};
    if (sound && sound->track == slot) sound.reset();
    for (std::size_t i = 0; i < next.rids.size(); ++i)
      track.layers.emplace_back(next.clock_rate(), next.is_video, round_trips.smoothed_or(kRoundTripDefault));
  }
  demux.set_section(slot, std::move(next), goes_on);
}

const InboundCodec* Receiver::Impl::codec_of(const Track& track) const {
  return track.is_open ? &demux.sections()[track.id].codecs[track.codec] : nullptr;
}

Receiver::Receiver(const sdp::Agreement& agreement, const ReceiverConfig& config, std::uint32_t local_ssrc,
                   Rng rng, Timestamp now)
    : impl_(std::make_unique<Impl>(agreement, config, local_ssrc, rng, now)) {}
Receiver::~Receiver() = default;

Result<void, ReceiveRefusal> Receiver::handle_rtp(Timestamp now, Bytes packet, std::uint64_t srtp_index,
                                                  ReceiverOutputs& out, Ecn ecn) {
  auto result = impl_->handle_rtp(now, packet, srtp_index, ecn, out);
  if (!result) ++impl_->stats.refused[static_cast<std::size_t>(result.error())];
  return result;
}

void Receiver::handle_rtcp(Timestamp now, WallTime wall, Bytes packet, ReceiverOutputs& out) {
  impl_->learn_wall(now, wall);
  impl_->map_waiting(out);
  impl_->handle_rtcp(now, packet, out);
  impl_->update_deadline();
}

void Receiver::flush(Timestamp now, ReceiverOutputs& out) {
  for (Impl::Track& track : impl_->all_tracks) impl_->hand_on(track, out);
  impl_->send_due_feedback(now, out);
  impl_->feedback.finish(out);
  impl_->update_deadline();
}

void Receiver::handle_deadline(Timestamp now, WallTime wall, ReceiverOutputs& out) {
  impl_->learn_wall(now, wall);
  impl_->map_waiting(out);
  impl_->send_due_feedback(now, out);
  impl_->find_silent(now, out);
  if (impl_->report_due <= now) impl_->send_report(now, out);
  impl_->feedback.finish(out);
  impl_->update_deadline();
}

Timestamp Receiver::next_deadline() const { return impl_->deadline; }

void Receiver::request_keyframe(Timestamp now, media::TrackId track, payload::LayerIndex layer,
                                ReceiverOutputs& out) {
  if (track >= impl_->all_tracks.size()) return;
  Impl::Track& wanted = impl_->all_tracks[track];
  if (!wanted.is_open || layer >= wanted.layers.size()) return;
  InboundLayer& from = wanted.layers[layer];
  if (!from.ssrc() || from.has_ended) return;
  from.keyframe.request(now, impl_->config.keyframe_interval_min);
  impl_->send_keyframe_wish(now, wanted, from, out);
  impl_->feedback.finish(out);
  impl_->update_deadline();
}

void Receiver::set_round_trip(Duration round_trip) { impl_->set_round_trip(round_trip); }
const std::vector<payload::RtpTrack>& Receiver::tracks() const { return impl_->open_tracks; }
const ReceiverStats& Receiver::stats() const { return impl_->stats; }

void Receiver::update(Timestamp now, const sdp::Agreement& agreement, std::span<const InboundSlot> slots,
                      ReceiverOutputs& out) {
  impl_->update(now, agreement, slots, out);
}

std::vector<TrackStats> Receiver::track_stats() const {
  std::vector<TrackStats> all;
  for (const Impl::Track& track : impl_->all_tracks) {
    if (track.layers.empty()) continue;
    TrackStats& stats = all.emplace_back();
    stats.track = track.id;
    for (const InboundLayer& layer : track.layers) {
      LayerStats& one = stats.layers.emplace_back();
      one.packets = layer.packets;
      one.bytes = layer.bytes;
      one.frames = layer.frames;
      one.nacks = layer.nacks;
      one.plis = layer.plis;
      one.with_red = layer.with_red;
      one.is_active = layer.is_active;
      const InboundSource* source = layer.ssrc() ? impl_->demux.find(*layer.ssrc()) : nullptr;
      if (!source) continue;
      one.expected = source->reception.expected();
      one.lost = source->reception.lost();
      one.jitter = source->reception.jitter();
    }
  }
  return all;
}

std::optional<Duration> Receiver::round_trip() const {
  if (!impl_->round_trips.is_known()) return std::nullopt;
  return impl_->round_trips.smoothed_or({});
}

std::optional<Duration> Receiver::repair_time() const {
  const std::optional<Duration> measured = round_trip();
  std::optional<Duration> longest;
  bool is_unknown = false;
  for (const Impl::Track& track : impl_->all_tracks) {
    const InboundCodec* codec = impl_->codec_of(track);
    if (!codec || !codec->track.is_video()) continue;
    for (const InboundLayer& layer : track.layers) {
      if (!layer.is_active) continue;
      const rtcp::NackStats& asked = layer.nack.stats();
      const bool is_unanswered = asked.answered == 0 && asked.requests > kUnansweredMax;
      const bool is_answered = codec->feedback.nack && !is_unanswered;
      if (is_answered && !measured && !layer.nack.knows_round_trip()) {
        is_unknown = true;
        continue;
      }
      const Duration taken = is_answered ? measured.value_or(layer.round_trip()) : Duration();
      longest = std::max(longest.value_or(taken), taken);
    }
  }
  return longest == Duration() && is_unknown ? std::nullopt : longest;
}

}  // namespace stoa::webrtc
