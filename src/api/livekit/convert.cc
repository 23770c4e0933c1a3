#include "api/livekit/convert.h"

#include <algorithm>
#include <utility>

#include "base/letters.h"

namespace stoa::livekit {
namespace {

// By number, which is the same on both sides; what is out of range is `otherwise`.
template <typename To, typename From>
To same_number(From value, int last, To otherwise) {
  int number = static_cast<int>(value);
  return number >= 0 && number <= last ? static_cast<To>(number) : otherwise;
}

// Clients name a codec "vp8" as well as "video/VP8".
std::string mime_type_of(std::string_view codec, room::TrackKind kind) {
  static constexpr std::pair<std::string_view, const char*> kNames[] = {
      {"vp8", "video/VP8"},   {"vp9", "video/VP9"},   {"av1", "video/AV1"},   {"h264", "video/H264"},
      {"h265", "video/H265"}, {"hevc", "video/H265"}, {"opus", "audio/opus"}, {"red", "audio/red"},
      {"pcmu", "audio/PCMU"}, {"pcma", "audio/PCMA"}, {"g722", "audio/G722"},
  };
  const std::string name =
      lower(codec.substr(codec.find('/') == std::string_view::npos ? 0 : codec.find('/') + 1));
  for (const auto& [known, mime_type] : kNames)
    if (known == name) return mime_type;
  if (codec.empty() || codec.find('/') != std::string_view::npos) return std::string(codec);
  return (kind == room::TrackKind::kAudio ? "audio/" : "video/") + std::string(codec);
}

template <typename Wire>
std::vector<room::VideoLayer> layers_from(const Wire& layers) {
  std::vector<room::VideoLayer> ours;
  for (const pb::VideoLayer& layer : layers) ours.push_back(from_wire(layer));
  return ours;
}

room::LayerMode mode_from(pb::VideoLayer::Mode mode) {
  switch (mode) {
    case pb::VideoLayer::ONE_SPATIAL_LAYER_PER_STREAM:
    case pb::VideoLayer::ONE_SPATIAL_LAYER_PER_STREAM_INCOMPLETE_RTCP_SR:
      return room::LayerMode::kOnePerStream;
    case pb::VideoLayer::MULTIPLE_SPATIAL_LAYERS_PER_STREAM: return room::LayerMode::kSeveralPerStream;
    default: return room::LayerMode::kUnknown;
  }
}
pb::VideoLayer::Mode mode_to(room::LayerMode mode) {
  switch (mode) {
    case room::LayerMode::kOnePerStream: return pb::VideoLayer::ONE_SPATIAL_LAYER_PER_STREAM;
    case room::LayerMode::kSeveralPerStream: return pb::VideoLayer::MULTIPLE_SPATIAL_LAYERS_PER_STREAM;
    case room::LayerMode::kUnknown: break;
  }
  return pb::VideoLayer::MODE_UNUSED;
}

template <typename Wire>
std::vector<std::uint32_t> numbers_from(const Wire& values) {
  std::vector<std::uint32_t> numbers;
  for (int value : values) numbers.push_back(static_cast<std::uint32_t>(value));
  return numbers;
}

bool has(const std::vector<std::uint32_t>& features, pb::AudioTrackFeature feature) {
  return std::find(features.begin(), features.end(), static_cast<std::uint32_t>(feature)) != features.end();
}

}  // namespace

pb::Room to_wire(const room::RoomInfo& room) {
  pb::Room wire;
  wire.set_sid(room.sid);
  wire.set_name(room.name);
  wire.set_metadata(room.metadata);
  wire.set_empty_timeout(static_cast<std::uint32_t>(room.empty_timeout / Duration::seconds(1)));
  wire.set_departure_timeout(static_cast<std::uint32_t>(room.departure_timeout / Duration::seconds(1)));
  wire.set_max_participants(room.participants_max);
  wire.set_creation_time(room.created_at.seconds());
  wire.set_creation_time_ms(room.created_at.ms());
  wire.set_num_participants(room.participants);
  wire.set_num_publishers(room.publishers);
  wire.set_active_recording(room.is_recorded);
  return wire;
}

pb::ParticipantInfo to_wire(const room::ParticipantInfo& participant) {
  pb::ParticipantInfo wire;
  wire.set_sid(participant.sid);
  wire.set_identity(participant.identity);
  wire.set_name(participant.name);
  wire.set_metadata(participant.metadata);
  for (const auto& [key, text] : participant.attributes) (*wire.mutable_attributes())[key] = text;
  wire.set_state(static_cast<pb::ParticipantInfo::State>(participant.state));
  wire.set_kind(participant.kind == room::ParticipantKind::kConnector
                    ? pb::ParticipantInfo::CONNECTOR
                    : static_cast<pb::ParticipantInfo::Kind>(participant.kind));
  for (std::uint32_t detail : participant.kind_details)
    wire.add_kind_details(static_cast<pb::ParticipantInfo::KindDetail>(detail));
  *wire.mutable_permission() = to_wire(participant.permissions);
  wire.set_joined_at(participant.joined_at.seconds());
  wire.set_joined_at_ms(participant.joined_at.ms());
  wire.set_version(participant.version);
  for (const room::TrackInfo& track : participant.tracks) *wire.add_tracks() = to_wire(track);
  wire.set_is_publisher(participant.is_publisher());
  wire.set_disconnect_reason(to_wire(participant.left_for));
  wire.set_client_protocol(static_cast<std::int32_t>(participant.client_protocol));
  for (std::uint32_t capability : participant.capabilities)
    wire.add_capabilities(static_cast<pb::ClientInfo::Capability>(capability));
  return wire;
}

pb::TrackInfo to_wire(const room::TrackInfo& track) {
  pb::TrackInfo wire;
  wire.set_sid(track.sid);
  wire.set_type(track.kind == room::TrackKind::kAudio ? pb::AUDIO : pb::VIDEO);
  wire.set_source(to_wire(track.source));
  wire.set_name(track.name);
  wire.set_muted(track.is_muted);
  wire.set_width(track.width);
  wire.set_height(track.height);
  wire.set_simulcast(track.is_simulcast);
  for (const room::VideoLayer& layer : track.layers) *wire.add_layers() = to_wire(layer);
  for (const room::TrackCodec& codec : track.codecs) {
    pb::SimulcastCodecInfo& info = *wire.add_codecs();
    info.set_mime_type(codec.mime_type);
    info.set_mid(codec.mid);
    info.set_cid(codec.cid);
    for (const room::VideoLayer& layer : codec.layers) *info.add_layers() = to_wire(layer);
    info.set_video_layer_mode(mode_to(codec.mode));
  }
  if (!track.codecs.empty()) {
    wire.set_mime_type(track.codecs.front().mime_type);
    wire.set_mid(track.codecs.front().mid);
  }
  wire.set_disable_red(track.disables_red);
  wire.set_disable_dtx(track.disables_dtx);
  wire.set_stereo(track.is_stereo);
  wire.set_encryption(static_cast<pb::Encryption::Type>(track.encryption));
  wire.set_stream(track.stream);
  if (track.version.us() != 0) wire.mutable_version()->set_unix_micro(track.version.us());
  for (std::uint32_t feature : track.audio_features)
    wire.add_audio_features(static_cast<pb::AudioTrackFeature>(feature));
  for (std::uint32_t feature : track.packet_trailer_features)
    wire.add_packet_trailer_features(static_cast<pb::PacketTrailerFeature>(feature));
  wire.set_backup_codec_policy(static_cast<pb::BackupCodecPolicy>(track.backup_codec_policy));
  return wire;
}

pb::VideoLayer to_wire(const room::VideoLayer& layer) {
  pb::VideoLayer wire;
  wire.set_quality(to_wire(layer.quality));
  wire.set_width(layer.width);
  wire.set_height(layer.height);
  wire.set_bitrate(layer.bits_per_second);
  wire.set_spatial_layer(layer.spatial_layer);
  wire.set_rid(layer.rid);
  return wire;
}

pb::ParticipantPermission to_wire(const room::Permissions& permissions) {
  pb::ParticipantPermission wire;
  wire.set_can_subscribe(permissions.can_subscribe);
  // Clients look at both: sources that are named may be published, whatever can_publish says.
  wire.set_can_publish(permissions.can_publish || !permissions.sources.empty());
  wire.set_can_publish_data(permissions.can_publish_data);
  for (room::TrackSource source : permissions.sources) wire.add_can_publish_sources(to_wire(source));
  wire.set_can_update_metadata(permissions.can_update_metadata);
  wire.set_hidden(permissions.is_hidden);
  wire.set_recorder(permissions.is_recorder);
  wire.set_agent(permissions.is_agent);
  wire.set_can_subscribe_metrics(permissions.can_subscribe_metrics);
  return wire;
}

pb::SpeakerInfo to_wire(const room::SpeakerLevel& speaker) {
  pb::SpeakerInfo wire;
  wire.set_sid(speaker.participant);
  wire.set_level(speaker.level);
  wire.set_active(speaker.is_active);
  return wire;
}

pb::ConnectionQualityInfo to_wire(const room::QualityChanged::Quality& quality, ClientTraits traits) {
  pb::ConnectionQualityInfo wire;
  wire.set_participant_sid(quality.participant);
  bool is_too_new = quality.quality == room::ConnectionQuality::kLost && !traits.knows_lost_quality();
  wire.set_quality(is_too_new ? pb::POOR : static_cast<pb::ConnectionQuality>(quality.quality));
  wire.set_score(quality.mos);
  return wire;
}

pb::DisconnectReason to_wire(room::LeaveReason reason) {
  switch (reason) {
    case room::LeaveReason::kUnknown: return pb::UNKNOWN_REASON;
    case room::LeaveReason::kByParticipant: return pb::CLIENT_INITIATED;
    case room::LeaveReason::kDuplicateIdentity: return pb::DUPLICATE_IDENTITY;
    case room::LeaveReason::kServerShutdown: return pb::SERVER_SHUTDOWN;
    case room::LeaveReason::kRemoved: return pb::PARTICIPANT_REMOVED;
    case room::LeaveReason::kRoomDeleted: return pb::ROOM_DELETED;
    case room::LeaveReason::kStateMismatch: return pb::STATE_MISMATCH;
    case room::LeaveReason::kJoinFailure: return pb::JOIN_FAILURE;
    case room::LeaveReason::kMigration: return pb::MIGRATION;
    case room::LeaveReason::kSignalClosed: return pb::SIGNAL_CLOSE;
    case room::LeaveReason::kRoomClosed: return pb::ROOM_CLOSED;
    case room::LeaveReason::kConnectionTimeout: return pb::CONNECTION_TIMEOUT;
    case room::LeaveReason::kMediaFailure: return pb::MEDIA_FAILURE;
  }
  return pb::UNKNOWN_REASON;
}

room::LeaveReason from_wire(pb::DisconnectReason reason) {
  for (int i = 0; i <= static_cast<int>(room::LeaveReason::kMediaFailure); ++i)
    if (to_wire(static_cast<room::LeaveReason>(i)) == reason) return static_cast<room::LeaveReason>(i);
  return room::LeaveReason::kUnknown;
}

pb::VideoQuality to_wire(room::Quality quality) { return static_cast<pb::VideoQuality>(quality); }
room::Quality from_wire(pb::VideoQuality quality) {
  return same_number(quality, pb::OFF, room::Quality::kHigh);
}
pb::TrackSource to_wire(room::TrackSource source) { return static_cast<pb::TrackSource>(source); }
room::TrackSource from_wire(pb::TrackSource source) {
  return same_number(source, pb::SCREEN_SHARE_AUDIO, room::TrackSource::kUnknown);
}

pb::RequestResponse::Reason to_wire(room::RequestOutcome outcome) {
  switch (outcome) {
    case room::RequestOutcome::kDone: return pb::RequestResponse::OK;
    case room::RequestOutcome::kNotFound: return pb::RequestResponse::NOT_FOUND;
    case room::RequestOutcome::kNotAllowed: return pb::RequestResponse::NOT_ALLOWED;
    case room::RequestOutcome::kLimitExceeded: return pb::RequestResponse::LIMIT_EXCEEDED;
    case room::RequestOutcome::kUnsupported: return pb::RequestResponse::UNSUPPORTED_TYPE;
  }
  return pb::RequestResponse::UNCLASSIFIED_ERROR;
}

room::Permissions from_wire(const pb::ParticipantPermission& permission) {
  room::Permissions permissions;
  permissions.can_subscribe = permission.can_subscribe();
  permissions.can_publish = permission.can_publish();
  permissions.can_publish_data = permission.can_publish_data();
  for (int source : permission.can_publish_sources())
    permissions.sources.push_back(from_wire(static_cast<pb::TrackSource>(source)));
  permissions.can_update_metadata = permission.can_update_metadata();
  permissions.is_hidden = permission.hidden();
  permissions.is_recorder = permission.recorder();
  permissions.is_agent = permission.agent();
  permissions.can_subscribe_metrics = permission.can_subscribe_metrics();
  return permissions;
}

room::VideoLayer from_wire(const pb::VideoLayer& layer) {
  room::VideoLayer ours;
  ours.quality = from_wire(layer.quality());
  ours.width = layer.width();
  ours.height = layer.height();
  ours.bits_per_second = layer.bitrate();
  ours.spatial_layer = static_cast<std::uint8_t>(std::clamp(layer.spatial_layer(), 0, 255));
  ours.rid = layer.rid();
  return ours;
}

room::TrackInfo from_wire(const pb::TrackInfo& track) {
  room::TrackInfo ours;
  ours.sid = track.sid();
  ours.kind = track.type() == pb::AUDIO ? room::TrackKind::kAudio : room::TrackKind::kVideo;
  ours.source = from_wire(track.source());
  ours.name = track.name();
  ours.is_muted = track.muted();
  ours.width = track.width();
  ours.height = track.height();
  ours.is_simulcast = track.simulcast();
  ours.layers = layers_from(track.layers());
  for (const pb::SimulcastCodecInfo& codec : track.codecs()) {
    ours.codecs.push_back({.mime_type = mime_type_of(codec.mime_type(), ours.kind),
                           .mid = codec.mid(),
                           .cid = codec.cid(),
                           .layers = layers_from(codec.layers()),
                           .mode = mode_from(codec.video_layer_mode())});
  }
  ours.disables_red = track.disable_red();
  ours.disables_dtx = track.disable_dtx();
  ours.is_stereo = track.stereo();
  ours.encryption = same_number<std::uint8_t>(track.encryption(), pb::Encryption::CUSTOM, 0);
  ours.stream = track.stream();
  ours.audio_features = numbers_from(track.audio_features());
  ours.packet_trailer_features = numbers_from(track.packet_trailer_features());
  ours.backup_codec_policy = same_number<std::uint8_t>(track.backup_codec_policy(), pb::REGRESSION, 0);
  ours.version = WallTime::from_us(track.version().unix_micro());
  return ours;
}

room::AnnounceTrack from_wire(const pb::AddTrackRequest& request) {
  room::AnnounceTrack announce;
  announce.cid = request.cid();
  room::TrackInfo& track = announce.track;
  track.sid = request.sid();
  track.kind = request.type() == pb::AUDIO ? room::TrackKind::kAudio : room::TrackKind::kVideo;
  track.source = from_wire(request.source());
  track.name = request.name();
  track.is_muted = request.muted();
  track.width = request.width();
  track.height = request.height();
  track.layers = layers_from(request.layers());
  for (const pb::SimulcastCodec& codec : request.simulcast_codecs()) {
    track.codecs.push_back({.mime_type = mime_type_of(codec.codec(), track.kind),
                            .mid = {},
                            .cid = codec.cid(),
                            .layers = codec.layers().empty() ? track.layers : layers_from(codec.layers()),
                            .mode = mode_from(codec.video_layer_mode())});
  }
  if (track.codecs.empty()) track.codecs.push_back({.cid = request.cid(), .layers = track.layers});
  track.is_simulcast =
      track.layers.size() > 1 && track.codecs.front().mode != room::LayerMode::kSeveralPerStream;
  track.audio_features = numbers_from(request.audio_features());
  track.is_stereo = request.stereo() || has(track.audio_features, pb::TF_STEREO);
  track.disables_dtx = request.disable_dtx() || has(track.audio_features, pb::TF_NO_DTX);
  track.disables_red = request.disable_red();
  track.encryption = same_number<std::uint8_t>(request.encryption(), pb::Encryption::CUSTOM, 0);
  track.stream = request.stream();
  track.packet_trailer_features = numbers_from(request.packet_trailer_features());
  track.backup_codec_policy = same_number<std::uint8_t>(request.backup_codec_policy(), pb::REGRESSION, 0);
  return announce;
}

}  // namespace stoa::livekit
