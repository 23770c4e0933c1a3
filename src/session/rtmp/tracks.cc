#include "session/rtmp/tracks.h"

#include <algorithm>
#include <cctype>
#include <optional>

namespace stoa::session {
namespace {

constexpr Duration kClockWrap = Duration::milliseconds(std::int64_t{1} << 32);
constexpr std::size_t kNone = static_cast<std::size_t>(-1);

std::optional<media::Codec> find_codec(media::Kind kind, flv::FourCc fourcc) {
  std::optional<media::Codec> codec;
  switch (fourcc) {
    case flv::kAvc: codec = media::Codec::kH264; break;
    case flv::kHevc: codec = media::Codec::kHevc; break;
    case flv::kAv1: codec = media::Codec::kAv1; break;
    case flv::kVp9: codec = media::Codec::kVp9; break;
    case flv::kAac: codec = media::Codec::kAac; break;
    case flv::kOpus: codec = media::Codec::kOpus; break;
    default: break;
  }
  return codec && media::kind_of(*codec) == kind ? codec : std::nullopt;
}

// E-RTMP says VPCodecConfigurationRecord; some senders put the FullBox version and flags before it.
SharedBytes with_full_box_header(const SharedBytes& record) {
  Bytes bytes = record.bytes();
  bool has_header = bytes.size() >= 12 && bytes[0] == 1 && bytes[1] == 0 && bytes[2] == 0 && bytes[3] == 0;
  if (has_header) return record;
  ByteWriter writer(bytes.size() + 4);
  writer.u32(0x01000000);
  writer.bytes(bytes);
  return SharedBytes(writer.take());
}

Result<std::shared_ptr<const media::Format>, media::CodecRefusal> make_wire_format(media::Codec codec,
                                                                                   SharedBytes config) {
  if (codec == media::Codec::kOpus) {
    STOA_TRY(config, media::make_opus_config(config.bytes()));
  }
  if (codec == media::Codec::kVp9) config = with_full_box_header(config);
  return media::make_format(codec, std::move(config));
}

// A temporal delimiter OBU: type 2, with a size field that says 0, with or without extension.
SharedBytes without_temporal_delimiter(SharedBytes unit) {
  Bytes bytes = unit.bytes();
  if (bytes.size() >= 2 && bytes[0] == 0x12 && bytes[1] == 0) return unit.slice(2);
  if (bytes.size() >= 3 && bytes[0] == 0x16 && bytes[2] == 0) return unit.slice(3);
  return unit;
}

std::string clean_name(const rtmp::AmfValue* value) {
  if (!value || !value->is_string() || value->text.size() > kTrackNameBytesMax) return {};
  bool has_control = std::any_of(value->text.begin(), value->text.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  return has_control ? std::string() : value->text;
}

std::string clean_language(const rtmp::AmfValue* value) {
  if (!value || !value->is_string() || value->text.size() > kLanguageBytesMax) return {};
  bool is_tag = std::all_of(value->text.begin(), value->text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-';
  });
  return is_tag ? value->text : std::string();
}

}  // namespace

const char* name_of(PacketDrop drop) {
  switch (drop) {
    case PacketDrop::kBadTag: return "bad_tag";
    case PacketDrop::kRefusedTrack: return "refused_track";
    case PacketDrop::kBeforeConfig: return "before_config";
    case PacketDrop::kBadConfig: return "bad_config";
    case PacketDrop::kBadFrame: return "bad_frame";
  }
  return "unknown";
}

void Tracks::handle_audio(std::uint32_t timestamp_ms, const SharedBytes& body, TrackOutputs& out) {
  auto packets = flv::parse_audio(body);
  if (!packets) return count_bad_tag(packets.error());
  for (const flv::Packet& packet : *packets) handle_packet(media::Kind::kAudio, timestamp_ms, packet, out);
}

void Tracks::handle_video(std::uint32_t timestamp_ms, const SharedBytes& body, TrackOutputs& out) {
  auto packets = flv::parse_video(body);
  if (!packets) return count_bad_tag(packets.error());
  for (const flv::Packet& packet : *packets) handle_packet(media::Kind::kVideo, timestamp_ms, packet, out);
}

void Tracks::count_bad_tag(flv::Refusal why) {
  count(PacketDrop::kBadTag);
  ++bad_tags_[static_cast<std::size_t>(why)];
}

void Tracks::handle_packet(media::Kind kind, std::uint32_t timestamp_ms, const flv::Packet& packet,
                           TrackOutputs& out) {
  if (packet.kind == flv::PacketKind::kMetadata) return;
  std::size_t at = find_or_add(kind, packet.track, packet, out);
  if (at == kNone) return count(PacketDrop::kRefusedTrack);
  auto codec = find_codec(kind, packet.codec);
  if (!codec) {
    refuse_track(tracks_[at], packet, "unsupported_codec", out);
    return count(PacketDrop::kRefusedTrack);
  }
  switch (packet.kind) {
    case flv::PacketKind::kSequenceStart: return handle_config(at, *codec, packet, out);
    case flv::PacketKind::kFrames: return handle_frame(at, timestamp_ms, packet, out);
    case flv::PacketKind::kSequenceEnd: return end_track(at, out);
    case flv::PacketKind::kMetadata: return;
  }
}

std::size_t Tracks::find_or_add(media::Kind kind, std::uint8_t wire_track, const flv::Packet& packet,
                                TrackOutputs& out) {
  for (std::size_t at = 0; at < tracks_.size(); ++at) {
    if (tracks_[at].kind == kind && tracks_[at].wire_track == wire_track) return at;
  }
  if (tracks_.size() == media::kTracksPerPublicationMax) {
    if (!std::exchange(said_too_many_, true)) {
      Track none{.kind = kind, .wire_track = wire_track};
      refuse_track(none, packet, "too_many_tracks", out);
    }
    return kNone;
  }
  Track track{.kind = kind, .wire_track = wire_track};
  if (const Label* label = find_label(kind, wire_track)) {
    track.name = label->name;
    track.language = label->language;
  }
  tracks_.push_back(std::move(track));
  return tracks_.size() - 1;
}

void Tracks::refuse_track(Track& track, const flv::Packet& packet, const char* reason, TrackOutputs& out) {
  if (std::exchange(track.is_refused, true)) return;
  ++refused_;
  bool is_video = track.kind == media::Kind::kVideo;
  out.push(TrackRefused{track.kind, track.wire_track,
                        is_video ? flv::name_of_video_codec(packet) : flv::name_of_audio_codec(packet),
                        reason});
}

void Tracks::handle_config(std::size_t at, media::Codec codec, const flv::Packet& packet, TrackOutputs& out) {
  // Some encoders open with an empty configuration and send the real one later.
  if (packet.body.empty()) return count(PacketDrop::kBadConfig);
  // What is repeated makes nothing, also when the bitstream has said something else since.
  Track& track = tracks_[at];
  if (track.format && track.format->codec == codec &&
      std::ranges::equal(track.sent_config.bytes(), packet.body.bytes())) {
    track.is_refused = false;
    return;
  }
  auto format = make_wire_format(codec, packet.body);
  if (!format) {
    count(PacketDrop::kBadConfig);
    return refuse_track(track, packet, media::name_of(format.error()), out);
  }
  track.is_refused = false;
  track.sent_config = SharedBytes::copy_of(packet.body.bytes());
  set_format(at, std::move(*format), out);
}

void Tracks::set_format(std::size_t at, std::shared_ptr<const media::Format> format, TrackOutputs& out) {
  if (tracks_[at].format && tracks_[at].format->is_same_as(*format)) return;
  tracks_[at].format = std::move(format);
  push_format(at, out);
}

void Tracks::push_format(std::size_t at, TrackOutputs& out) {
  Track& track = tracks_[at];
  track.has_ended = false;
  out.push(media::TrackEvent(media::TrackFormat{static_cast<media::TrackId>(at), track.format, kClockWrap,
                                                track.name, track.language}));
}

void Tracks::handle_frame(std::size_t at, std::uint32_t timestamp_ms, const flv::Packet& packet,
                          TrackOutputs& out) {
  if (tracks_[at].is_refused) return count(PacketDrop::kRefusedTrack);
  if (!tracks_[at].format) return count(PacketDrop::kBeforeConfig);
  auto codec = find_codec(tracks_[at].kind, packet.codec);
  if (codec != tracks_[at].format->codec) return count(PacketDrop::kBeforeConfig);
  SharedBytes payload = packet.body;
  if (codec == media::Codec::kAv1) payload = without_temporal_delimiter(std::move(payload));
  if (payload.empty()) return count(PacketDrop::kBadFrame);
  auto facts = media::inspect(*tracks_[at].format, payload.bytes());
  if (!facts) return count(PacketDrop::kBadFrame);
  if (facts->new_format) {
    tracks_[at].format = std::move(facts->new_format);
    push_format(at, out);
  } else if (tracks_[at].has_ended) {
    push_format(at, out);
  }
  ++frames_;
  Duration dts = Duration::milliseconds(timestamp_ms) + Duration::nanoseconds(packet.offset_ns);
  out.push(media::TrackEvent(
      media::TrackFrame{static_cast<media::TrackId>(at),
                        {.dts = dts,
                         .pts = dts + Duration::milliseconds(packet.composition_ms),
                         .is_keyframe = tracks_[at].kind == media::Kind::kAudio || facts->is_keyframe,
                         .payload = std::move(payload)}}));
}

const Tracks::Label* Tracks::find_label(media::Kind kind, std::uint8_t wire_track) const {
  for (const Label& label : labels_) {
    if (label.kind == kind && label.wire_track == wire_track) return &label;
  }
  return nullptr;
}

void Tracks::read_labels(media::Kind kind, const rtmp::AmfValue* map) {
  if (!map) return;
  for (const rtmp::AmfMember& member : map->members) {
    if (labels_.size() == media::kTracksPerPublicationMax) return;
    bool is_number =
        !member.name.empty() && member.name.size() <= 3 &&
        std::all_of(member.name.begin(), member.name.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number) continue;
    int number = 0;
    for (char c : member.name) number = number * 10 + (c - '0');
    if (number > 255) continue;
    std::string name;
    for (const char* key : {"label", "name", "title"}) {
      if (name.empty()) name = clean_name(member.value.find(key));
    }
    labels_.push_back({kind, static_cast<std::uint8_t>(number), std::move(name),
                       clean_language(member.value.find("language"))});
  }
}

void Tracks::handle_metadata(const std::vector<rtmp::AmfValue>& values, TrackOutputs& out) {
  if (values.empty() || !values.front().has_members()) return;
  labels_.clear();
  read_labels(media::Kind::kVideo, values.front().find("videoTrackIdInfoMap"));
  read_labels(media::Kind::kAudio, values.front().find("audioTrackIdInfoMap"));
  for (std::size_t at = 0; at < tracks_.size(); ++at) {
    Track& track = tracks_[at];
    const Label* label = find_label(track.kind, track.wire_track);
    if (!label || (label->name == track.name && label->language == track.language)) continue;
    track.name = label->name;
    track.language = label->language;
    if (track.format && !track.has_ended) push_format(at, out);
  }
}

void Tracks::end(TrackOutputs& out) {
  for (std::size_t at = 0; at < tracks_.size(); ++at) end_track(at, out);
}

void Tracks::end_track(std::size_t at, TrackOutputs& out) {
  if (!tracks_[at].format || std::exchange(tracks_[at].has_ended, true)) return;
  out.push(media::TrackEvent(media::TrackEnded{static_cast<media::TrackId>(at)}));
}

}  // namespace stoa::session
