#include "session/webrtc/inbound_demux.h"

#include <algorithm>

#include "session/webrtc/offered_format.h"

namespace stoa::webrtc {
namespace {

std::array<std::uint8_t, 3> profile_of(const sdp::CodecFormat& format) {
  if (const auto* h264 = std::get_if<sdp::H264Format>(&format)) {
    std::uint32_t id = h264->profile_level_id;
    return {static_cast<std::uint8_t>(id >> 16), static_cast<std::uint8_t>(id >> 8),
            static_cast<std::uint8_t>(id)};
  }
  if (const auto* vp9 = std::get_if<sdp::Vp9Format>(&format)) return {vp9->profile_id};
  if (const auto* av1 = std::get_if<sdp::Av1Format>(&format)) return {av1->profile};
  if (const auto* hevc = std::get_if<sdp::HevcFormat>(&format)) return {hevc->profile_id};
  return {};
}

void add_codec(const sdp::AgreedCodec& codec, media::TrackId id, InboundSection& section) {
  auto encoding = encoding_of(codec.codec);
  if (!encoding || is_video(*encoding) != section.is_video || codec.receive_payload_type > 127) return;
  payload::RtpTrack track;
  track.id = id;
  track.encoding = *encoding;
  track.profile = profile_of(codec.receive_format);
  track.channels = section.is_video ? 0 : codec.channels;
  track.layers = static_cast<std::uint8_t>(section.rids.size());
  auto index = static_cast<std::uint8_t>(section.codecs.size());
  bool has_rtx = codec.receive_rtx_type && *codec.receive_rtx_type < 128;
  section.codecs.push_back({std::move(track), codec.feedback, has_rtx, codec.receive_payload_type});
  section.media_types[codec.receive_payload_type] = index;
  if (has_rtx) section.rtx_types[*codec.receive_rtx_type] = index;
}

// Redundancy of a codec that was agreed upon, in packets of the same stream.
void add_red(const sdp::AgreedCodec& red, InboundSection& section) {
  const std::uint8_t type = red.receive_payload_type;
  if (type > 127 || section.media_types[type] != InboundSection::kNone) return;
  for (std::size_t i = 0; i < section.codecs.size(); ++i) {
    if (!is_red_of(red.receive_format, section.codecs[i].payload_type)) continue;
    section.media_types[type] = static_cast<std::uint8_t>(i);
    section.red_types.set(type);
    return;
  }
}

bool brings_media(const sdp::AgreedSection& agreed) {
  return (agreed.kind == sdp::MediaKind::kAudio || agreed.kind == sdp::MediaKind::kVideo) &&
         !agreed.receive_layers.empty();
}

}  // namespace

std::optional<std::uint8_t> InboundSection::find_layer(std::string_view rid) const {
  auto found = std::find(rids.begin(), rids.end(), rid);
  if (found == rids.end()) return std::nullopt;
  return static_cast<std::uint8_t>(found - rids.begin());
}

InboundSection InboundSection::unused() {
  InboundSection section;
  section.is_used = false;
  section.media_types.fill(kNone);
  section.rtx_types.fill(kNone);
  return section;
}

InboundSection inbound_section_of(const sdp::AgreedSection& agreed, media::TrackId id) {
  InboundSection section = InboundSection::unused();
  section.is_used = true;
  section.mid = agreed.mid;
  section.is_video = agreed.kind == sdp::MediaKind::kVideo;
  for (const sdp::Layer& layer : agreed.receive_layers) {
    if (section.rids.size() < payload::kLayersMax) section.rids.push_back(layer.rid);
  }
  for (const sdp::AgreedCodec& codec : agreed.codecs) add_codec(codec, id, section);
  for (const sdp::AgreedCodec& codec : agreed.codecs)
    if (codec.codec == sdp::Codec::kRed && !section.is_video) add_red(codec, section);
  return section;
}

std::vector<InboundSection> inbound_sections_of(const sdp::Agreement& agreement) {
  std::vector<InboundSection> sections;
  for (const sdp::AgreedSection& agreed : agreement.sections) {
    if (!brings_media(agreed) || sections.size() == media::kTracksPerPublicationMax) continue;
    sections.push_back(inbound_section_of(agreed, static_cast<media::TrackId>(sections.size())));
  }
  return sections;
}

InboundDemux::InboundDemux(const sdp::Agreement& agreement, std::size_t streams_max)
    : streams_max_(streams_max),
      sections_(inbound_sections_of(agreement)),
      retired_repairs_(sections_.size()) {
  sources_.reserve(std::min<std::size_t>(streams_max, 2 * payload::kLayersMax * sections_.size()));
  std::uint8_t section = 0;
  for (const sdp::AgreedSection& agreed : agreement.sections) {
    if (!brings_media(agreed) || section == sections_.size()) continue;
    add_signalled(Timestamp(), agreed, section++);
  }
}

bool InboundDemux::goes_on(std::uint8_t slot, const InboundSection& next) const {
  if (slot >= sections_.size()) return false;
  const InboundSection& now = sections_[slot];
  return now.is_used && next.is_used && now.mid == next.mid && now.rids == next.rids &&
         now.is_video == next.is_video;
}

void InboundDemux::set_section(std::uint8_t slot, InboundSection next, bool goes_on) {
  while (sections_.size() <= slot) sections_.push_back(InboundSection::unused());
  retired_repairs_.resize(sections_.size());
  sections_[slot] = std::move(next);
  if (goes_on) return;
  retired_repairs_[slot] = {};
  std::erase_if(sources_, [&](const InboundSource& source) { return source.place.section == slot; });
}

void InboundDemux::add_signalled(Timestamp now, const sdp::AgreedSection& agreed, std::uint8_t section) {
  auto layers = static_cast<std::uint8_t>(sections_[section].rids.size());
  for (std::uint8_t layer = 0; layer < layers; ++layer) {
    const sdp::Layer& stream = agreed.receive_layers[layer];
    for (bool is_rtx : {false, true}) {
      const auto& ssrc = is_rtx ? stream.rtx_ssrc : stream.ssrc;
      if (ssrc && !find(*ssrc)) (void)take_place(now, *ssrc, {section, layer, is_rtx});
    }
  }
}

InboundSource* InboundDemux::find(std::uint32_t ssrc) {
  if (last_found_ < sources_.size() && sources_[last_found_].ssrc == ssrc) return &sources_[last_found_];
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].ssrc != ssrc) continue;
    last_found_ = i;
    return &sources_[i];
  }
  return nullptr;
}

Result<InboundSource*, ReceiveRefusal> InboundDemux::place(Timestamp now, std::uint32_t ssrc,
                                                           std::uint8_t payload_type,
                                                           const StreamLabels& labels) {
  if (InboundSource* source = find(ssrc)) {
    const InboundSection& section = sections_[source->place.section];
    bool has_moved = !labels.mid.empty() && labels.mid != section.mid;
    const auto& types = source->place.is_rtx ? section.rtx_types : section.media_types;
    bool is_fit = types[payload_type] != InboundSection::kNone;
    if (!has_moved && is_fit) return source;
    // Signalled as one thing and never heard, it may turn out to be another.
    if (!has_moved && source->has_begun) return refuse(ReceiveRefusal::kUnknownPayload);
    STOA_TRY(InboundPlace moved, find_place(payload_type, labels));
    sources_.erase(sources_.begin() + (source - sources_.data()));
    return take_place(now, ssrc, moved);
  }
  STOA_TRY(InboundPlace place, find_place(payload_type, labels));
  return take_place(now, ssrc, place);
}

void InboundDemux::bind(Timestamp now, std::uint32_t ssrc, const StreamLabels& labels) {
  bool is_rtx = !labels.repaired_rid.empty();
  std::string_view rid = is_rtx ? labels.repaired_rid : labels.rid;
  if (labels.mid.empty() || rid.empty() || find(ssrc)) return;
  auto sections = static_cast<std::uint8_t>(sections_.size());
  for (std::uint8_t i = 0; i < sections; ++i) {
    if (sections_[i].mid != labels.mid) continue;
    if (auto layer = sections_[i].find_layer(rid)) (void)take_place(now, ssrc, {i, *layer, is_rtx});
  }
}

void InboundDemux::retire_repairs(InboundPlace place, Timestamp last_media) {
  auto& retired = retired_repairs_[place.section][place.layer];
  retired.reset();
  place.is_rtx = true;
  auto found = std::find_if(sources_.begin(), sources_.end(),
                            [&](const InboundSource& source) { return source.place == place; });
  if (found == sources_.end()) return;
  if (found->first_heard != Timestamp::never() && found->first_heard > last_media) return;
  retired = found->ssrc;
  sources_.erase(found);
}

std::optional<std::uint8_t> InboundDemux::find_section(std::uint8_t payload_type,
                                                       const StreamLabels& labels) const {
  std::string_view rid = labels.repaired_rid.empty() ? labels.rid : labels.repaired_rid;
  std::optional<std::uint8_t> only;
  auto sections = static_cast<std::uint8_t>(sections_.size());
  for (std::uint8_t i = 0; i < sections; ++i) {
    const InboundSection& section = sections_[i];
    if (!labels.mid.empty()) {
      if (section.mid == labels.mid) return i;
      continue;
    }
    bool knows_type = section.media_types[payload_type] != InboundSection::kNone ||
                      section.rtx_types[payload_type] != InboundSection::kNone;
    if (!knows_type || (!rid.empty() && !section.find_layer(rid))) continue;
    if (only) return std::nullopt;
    only = i;
  }
  return only;
}

Result<InboundPlace, ReceiveRefusal> InboundDemux::find_place(std::uint8_t payload_type,
                                                              const StreamLabels& labels) const {
  auto index = find_section(payload_type, labels);
  if (!index) return refuse(ReceiveRefusal::kUnknownStream);
  const InboundSection& section = sections_[*index];
  bool is_media = section.media_types[payload_type] != InboundSection::kNone;
  bool is_rtx = section.rtx_types[payload_type] != InboundSection::kNone;
  if (!is_media && !is_rtx) return refuse(ReceiveRefusal::kUnknownPayload);
  InboundPlace place{*index, 0, !is_media};
  // Some name the layer of a retransmission by rid, where RFC 8852 has repaired-rid.
  std::string_view rid = place.is_rtx && !labels.repaired_rid.empty() ? labels.repaired_rid : labels.rid;
  if (section.rids.size() > 1 || (section.has_rids() && !rid.empty())) {
    auto layer = rid.empty() ? std::nullopt : section.find_layer(rid);
    if (!layer) return refuse(ReceiveRefusal::kUnknownStream);
    place.layer = *layer;
  }
  return place;
}

Result<InboundSource*, ReceiveRefusal> InboundDemux::take_place(Timestamp now, std::uint32_t ssrc,
                                                                InboundPlace place) {
  if (place.is_rtx && retired_repairs_[place.section][place.layer] == ssrc)
    return refuse(ReceiveRefusal::kUnknownStream);
  InboundSource taken(ssrc, place, sections_[place.section].clock_rate());
  for (InboundSource& source : sources_) {
    if (source.place != place) continue;
    if (source.has_begun && now - source.heard < kRebindSilence)
      return refuse(ReceiveRefusal::kUnknownStream);
    source = taken;
    return &source;
  }
  if (sources_.size() >= streams_max_) return refuse(ReceiveRefusal::kTooManyStreams);
  sources_.push_back(taken);
  return &sources_.back();
}

}  // namespace stoa::webrtc
