#include <algorithm>
#include <array>
#include <utility>

#include "live/packet_feed.h"
#include "media/nal.h"
#include "media/payload/inspect.h"
#include "media/payload/nal_units.h"
#include "media/picture.h"
#include "media/timeline.h"

namespace stoa::live {
namespace {

using media::Codec;
using payload::Encoding;
using payload::Obstacle;

constexpr std::size_t kPayloadBytesMax = 0xffff;
constexpr Duration kRounding = Duration::milliseconds(2);  // Of times given in milliseconds.
constexpr Duration kLeastStep = Duration::milliseconds(1);
// How far Opus packets may be off their own durations before these give way.
constexpr Duration kOpusTolerance = Duration::milliseconds(15);
constexpr Duration kMapInterval = Duration::seconds(1);
// At the beginning a frame that comes faster moves the clock at once.
constexpr Duration kClockSettles = Duration::seconds(2);
constexpr Duration kCaptureTimeInterval = Duration::seconds(1);
// Timestamps begin between this and twice this: high enough that no early frame is below zero.
constexpr std::int64_t kFirstTimestamp = std::int64_t{1} << 32;
constexpr std::uint64_t kFirstSequenceRange = 1 << 15;
constexpr std::int64_t kNtpSecondsOfUnixEpoch = 2'208'988'800;

std::optional<Encoding> find_encoding(Codec codec) {
  switch (codec) {
    case Codec::kH264: return Encoding::kH264;
    case Codec::kHevc: return Encoding::kHevc;
    case Codec::kAv1: return Encoding::kAv1;
    case Codec::kVp9: return Encoding::kVp9;
    case Codec::kOpus: return Encoding::kOpus;
    case Codec::kAac: return std::nullopt;
  }
  return std::nullopt;
}

std::array<std::uint8_t, 3> profile_of(const media::Format& format) {
  Bytes config = format.config.bytes();
  auto byte = [&](std::size_t at) { return at < config.size() ? config[at] : std::uint8_t{0}; };
  switch (format.codec) {
    case Codec::kH264: return {byte(1), byte(2), byte(3)};
    case Codec::kHevc: return {static_cast<std::uint8_t>(byte(1) & 0x1f), 0, 0};
    case Codec::kAv1: return {static_cast<std::uint8_t>(byte(1) >> 5), 0, 0};
    case Codec::kVp9: return {byte(4), 0, 0};
    default: return {};
  }
}

std::uint64_t to_ntp(WallTime time) {
  std::int64_t us = time.us();
  std::int64_t seconds = us / 1'000'000, rest = us % 1'000'000;
  if (us < 0) return 0;
  return static_cast<std::uint64_t>(seconds + kNtpSecondsOfUnixEpoch) << 32 |
         (static_cast<std::uint64_t>(rest) << 32) / 1'000'000;
}

// What a frame of H.264 or HEVC is to the others, by its first slice.
enum class Reference : std::uint8_t {
  kNeeded,
  kLeading,  // Nothing but other leading pictures of its key frame refers to it (HEVC RADL and RASL).
  kNone,     // Nothing refers to it.
};
struct SliceFacts {
  Reference reference = Reference::kNeeded;
  std::uint8_t temporal_layer = 0;
};
SliceFacts find_slice(Codec codec, unsigned length_size, Bytes frame) {
  media::NalCutter cutter(frame, length_size);
  while (!cutter.at_end()) {
    auto nal = cutter.next();
    if (!nal) break;
    if (codec == Codec::kH264) {
      std::uint8_t type = (*nal)[0] & 0x1f;
      if (type < 1 || type > 5) continue;
      return {((*nal)[0] & 0x60) == 0 ? Reference::kNone : Reference::kNeeded, 0};
    }
    if (nal->size() < 2) break;
    std::uint8_t type = (*nal)[0] >> 1 & 0x3f;
    if (type >= 32) continue;
    SliceFacts facts;
    facts.temporal_layer = static_cast<std::uint8_t>(std::max((*nal)[1] & 7, 1) - 1);
    // §7.4.2.2: even types up to 14 are of sub-layer non-reference pictures, 6 to 9 of leading ones.
    if (type <= 14 && type % 2 == 0)
      facts.reference = Reference::kNone;
    else if (type >= 6 && type <= 9)
      facts.reference = Reference::kLeading;
    return facts;
  }
  return {};
}

struct KeptFrame {
  SharedBytes payload;
  std::int64_t timestamp = 0;
  Duration shown;
  bool is_keyframe = false, is_discardable = false;
};
struct Track {
  std::shared_ptr<const media::Format> format;
  payload::RtpTrack rtp;
  Obstacle obstacle = Obstacle::kNone;
  bool is_open = false;
  std::optional<payload::Packetizer> packetizer;  // None when no receiver takes the codec.
  payload::PacketWriter writer;
  std::int64_t next_sequence = 0;
  std::int64_t first_timestamp = 0;

  // Video's order.
  unsigned length_size = 4;
  bool may_reorder = false;
  std::uint8_t temporal_layers_seen = 0;  // The highest.
  bool waits_for_keyframe = true;         // What came before is broken or was never taken.
  bool keyframes_only = false;            // Reordered frames are referred to.
  bool has_shown = false;
  std::uint32_t epoch = 0;
  Duration highest_shown;
  std::int64_t last_timestamp = 0;
  std::uint32_t last_duration = 0;  // Opus: of the last packet, in RTP time.

  // The newest keyframe group: first what went out as packets, then what did not.
  std::vector<payload::PacketBatch> sent;
  std::vector<KeptFrame> kept;
  std::size_t group_frames = 0, group_bytes = 0;
  bool has_group = false;

  std::optional<payload::ClockMapping> mapping;
  Duration newest_shown;
  std::optional<Timestamp> capture_told_at;
};

}  // namespace

struct FramePacketizer::Impl {
  Impl(const PacketFeedConfig& settings, Rng random) : config(settings), rng(random) {
    config.payload_bytes_max =
        std::clamp(config.payload_bytes_max, payload::kPayloadBytesFloor, kPayloadBytesMax);
  }

  void handle_format(const media::TrackFormat& announced, Outputs& out);
  void handle_frame(Timestamp now, WallTime wall, const media::TrackFrame& event, Outputs& out);
  void handle_ended(media::TrackId id, Outputs& out);
  void begin_clock(Track& track);
  void open_packetizer(Track& track, bool is_new_codec);
  void read_order(Track& track);
  std::optional<media::PlacedFrame> place(Timestamp now, Track& track, const media::TrackFrame& event);
  bool admit_video(Track& track, const media::Frame& frame, const media::PlacedFrame& place, KeptFrame& kept,
                   Outputs& out);
  bool admit_sound(Track& track, const media::PlacedFrame& place, KeptFrame& kept);
  void keep(Track& track, KeptFrame frame);
  void drop_group(Track& track);
  bool send(Timestamp now, WallTime wall, Track& track, const KeptFrame& frame, Outputs& out);
  void keep_sent(Track& track, const KeptFrame& frame);
  void refuse_frame(Track& track);
  void observe_clock(Timestamp now, Duration decoded);
  WallTime captured_at(Timestamp now, WallTime wall, Duration shown) const {
    return wall + (clock.clock_at(shown) - (now - Timestamp()));
  }
  void map_clocks(Timestamp now, WallTime wall, Outputs& out);
  static void tell(const Track& track, Outputs& out) {
    out.push(PacketTrackChanged{track.rtp, track.format->codec, track.obstacle});
  }

  PacketFeedConfig config;
  Rng rng;
  bool is_wanted = false;
  bool is_replaying = false;  // What is sent is counted in its group already.
  media::Timeline timeline;
  media::ClockMap clock;  // Timeline to arrival.
  Timestamp clock_started_at;
  Timestamp mapped_at;
  std::array<std::optional<Track>, media::kTracksPerPublicationMax> tracks;
  payload::PayloadList payloads;  // Scratch, kept for its memory.
  std::vector<payload::PacketBatch> batches;
  Stats stats;
};

FramePacketizer::FramePacketizer(const PacketFeedConfig& config, Rng rng)
    : impl_(std::make_unique<Impl>(config, rng)) {}
FramePacketizer::~FramePacketizer() = default;
const FramePacketizer::Stats& FramePacketizer::stats() const { return impl_->stats; }

void FramePacketizer::handle_event(Timestamp now, WallTime wall, const media::TrackEvent& event,
                                   Outputs& out) {
  std::visit(Overloaded{
                 [&](const media::TrackFormat& format) { impl_->handle_format(format, out); },
                 [&](const media::TrackFrame& frame) { impl_->handle_frame(now, wall, frame, out); },
                 [&](const media::TrackEnded& ended) { impl_->handle_ended(ended.track, out); },
             },
             event);
}

void FramePacketizer::Impl::handle_format(const media::TrackFormat& announced, Outputs& out) {
  if (announced.track >= media::kTracksPerPublicationMax || !announced.format) return;
  auto& slot = tracks[announced.track];
  if (!slot) {
    slot.emplace();
    slot->next_sequence = static_cast<std::int64_t>(rng.below(kFirstSequenceRange));
    slot->first_timestamp = kFirstTimestamp + static_cast<std::int64_t>(rng.below(kFirstTimestamp));
  }
  Track& track = *slot;
  bool is_new_codec = !track.format || track.format->codec != announced.format->codec;
  bool is_new = is_new_codec || !track.is_open || !track.format->is_same_as(*announced.format);
  payload::RtpTrack before = track.rtp;
  Obstacle obstacle_before = track.obstacle;
  bool was_open = std::exchange(track.is_open, true);
  track.format = announced.format;
  track.rtp.id = announced.track;
  track.rtp.can_ask_keyframe = false;
  track.rtp.profile = profile_of(*announced.format);
  track.rtp.channels = static_cast<std::uint8_t>(std::min(announced.format->channels, 255u));
  track.rtp.name = announced.name;
  track.rtp.language = announced.language;
  if (is_new) open_packetizer(track, is_new_codec);
  if (is_new_codec) begin_clock(track);
  if (announced.format->codec == Codec::kOpus) {
    // Packets say their durations themselves.
    media::Format free = *announced.format;
    free.samples_per_frame = 0;
    timeline.handle_format(announced.track, free, announced.clock_wrap);
  } else {
    timeline.handle_format(announced.track, *announced.format, announced.clock_wrap);
  }
  if (!was_open || is_new_codec || before != track.rtp || obstacle_before != track.obstacle) tell(track, out);
}

// Of another codec: what is known of the one before would be read in ticks of another length. Timestamps go
// on above all that were.
void FramePacketizer::Impl::begin_clock(Track& track) {
  track.mapping.reset();
  track.capture_told_at.reset();
  track.last_duration = 0;
  if (!std::exchange(track.has_shown, false)) return;
  track.first_timestamp = track.last_timestamp + kFirstTimestamp;
}

void FramePacketizer::Impl::open_packetizer(Track& track, bool is_new_codec) {
  const media::Format& format = *track.format;
  auto encoding = find_encoding(format.codec);
  // Multichannel Opus (RFC 7845 mapping families over 0) is not what "opus" means in RTP.
  if (!encoding || (format.codec == Codec::kOpus && format.channels > 2)) {
    track.packetizer.reset();
    track.obstacle = Obstacle::kCodec;
    drop_group(track);
    return;
  }
  if (is_new_codec || !track.packetizer) {
    drop_group(track);
    track.packetizer.emplace(
        payload::PacketizerConfig{.encoding = *encoding,
                                  .payload_bytes_max = config.payload_bytes_max,
                                  .first_picture_id = static_cast<std::uint16_t>(rng.below(1 << 15))});
    track.waits_for_keyframe = true;
    track.keyframes_only = false;
  } else if (!is_wanted) {
    drop_group(track);  // Its frames would be cut with the new parameter sets.
  }
  Obstacle before = std::exchange(track.obstacle, Obstacle::kCodec);
  track.rtp.encoding = *encoding;
  if (!track.packetizer->set_record(format.config)) {
    track.packetizer.reset();
    return;
  }
  read_order(track);
  bool stays = !is_new_codec && track.may_reorder && before == Obstacle::kReorderedFrames;
  track.obstacle = stays ? before : Obstacle::kNone;
  if (!stays) track.keyframes_only = false;
}

void FramePacketizer::Impl::read_order(Track& track) {
  const media::Format& format = *track.format;
  track.temporal_layers_seen = 0;
  // AV1 and VP9 hold back what is not shown yet inside a temporal unit: units are shown as they are decoded.
  track.may_reorder = false;
  Bytes config_bytes = format.config.bytes();
  if (format.codec == Codec::kH264 && config_bytes.size() > 4) {
    track.length_size = (config_bytes[4] & 3u) + 1;
  } else if (format.codec == Codec::kHevc && config_bytes.size() > 21) {
    track.length_size = (config_bytes[21] & 3u) + 1;
  } else {
    return;
  }
  auto picture = media::read_picture(format);
  track.may_reorder = !picture || picture->reorder_frames != 0u;
}

void FramePacketizer::Impl::handle_ended(media::TrackId id, Outputs& out) {
  if (id >= media::kTracksPerPublicationMax || !tracks[id] || !tracks[id]->is_open) return;
  Track& track = *tracks[id];
  track.is_open = false;
  drop_group(track);
  out.push(PacketTrackEnded{id});
}

void FramePacketizer::Impl::drop_group(Track& track) {
  track.sent.clear();
  track.kept.clear();
  track.group_frames = track.group_bytes = 0;
  track.has_group = false;
}

void FramePacketizer::Impl::refuse_frame(Track& track) {
  ++stats.frames_refused;
  // Others may refer to it, and no gap in the numbers would say that it is missing.
  if (track.format->kind() == media::Kind::kVideo) track.waits_for_keyframe = true;
}

std::optional<media::PlacedFrame> FramePacketizer::Impl::place(Timestamp now, Track& track,
                                                               const media::TrackFrame& event) {
  auto placed = timeline.handle_frame(now, event.track, event.frame.dts, event.frame.pts);
  if (placed) return *placed;
  // While the clocks of the tracks jump one after the other, pictures go on: each is needed by the next.
  bool may_go_on = placed.error() == media::TimelineRefusal::kBetweenJumps && track.has_shown &&
                   track.format->kind() == media::Kind::kVideo;
  if (!may_go_on) return std::nullopt;
  Duration at = track.highest_shown + kLeastStep;
  return media::PlacedFrame{.dts = at, .pts = at, .epoch = track.epoch};
}

void FramePacketizer::Impl::handle_frame(Timestamp now, WallTime wall, const media::TrackFrame& event,
                                         Outputs& out) {
  if (event.track >= media::kTracksPerPublicationMax || !tracks[event.track]) return;
  Track& track = *tracks[event.track];
  ++stats.frames;
  auto placed = place(now, track, event);
  if (!placed) return refuse_frame(track);
  observe_clock(now, placed->dts);
  if (!track.is_open || !track.packetizer) return;
  KeptFrame frame{.payload = event.frame.payload, .is_keyframe = event.frame.is_keyframe};
  if (track.format->kind() == media::Kind::kVideo) {
    if (frame.payload.size() > payload::kFrameBytesMax) return refuse_frame(track);
    if (!admit_video(track, event.frame, *placed, frame, out)) {
      ++stats.frames_left_out;
      return;
    }
  } else {
    frame.is_keyframe = true;
    if (!admit_sound(track, *placed, frame)) {
      ++stats.frames_left_out;
      return;
    }
  }
  track.newest_shown = frame.shown;
  if (!is_wanted) {
    if (track.format->kind() == media::Kind::kVideo) keep(track, std::move(frame));
    return;
  }
  if (!send(now, wall, track, frame, out)) return;
  if (!track.mapping || now - mapped_at >= kMapInterval) map_clocks(now, wall, out);
}

bool FramePacketizer::Impl::admit_video(Track& track, const media::Frame& frame,
                                        const media::PlacedFrame& place, KeptFrame& kept, Outputs& out) {
  if (frame.is_keyframe) track.waits_for_keyframe = false;
  SliceFacts facts;
  bool is_nal = track.format->codec == Codec::kH264 || track.format->codec == Codec::kHevc;
  if (is_nal) facts = find_slice(track.format->codec, track.length_size, kept.payload.bytes());
  track.temporal_layers_seen = std::max(track.temporal_layers_seen, facts.temporal_layer);
  kept.is_discardable = !frame.is_keyframe && facts.reference == Reference::kNone;
  bool is_same_clock = track.has_shown && place.epoch == track.epoch;
  bool is_early = is_same_clock && place.pts + kRounding < track.highest_shown;
  if (is_early && track.may_reorder && !frame.is_keyframe) {
    bool had_obstacle = std::exchange(track.obstacle, Obstacle::kReorderedFrames) != Obstacle::kNone;
    if (!had_obstacle) tell(track, out);
    // HEVC says it of one temporal layer only: frames of higher ones may refer to it.
    bool is_needed =
        facts.reference == Reference::kNeeded ||
        (facts.reference == Reference::kNone && facts.temporal_layer < track.temporal_layers_seen);
    if (is_needed) track.keyframes_only = true;
    return false;
  }
  if (!frame.is_keyframe && (track.waits_for_keyframe || track.keyframes_only)) return false;
  kept.shown = place.pts;
  kept.timestamp = track.first_timestamp + place.pts.to_ticks(track.rtp.clock_rate());
  if (track.has_shown) {
    std::int64_t step = kLeastStep.to_ticks(track.rtp.clock_rate());
    kept.timestamp = std::max(kept.timestamp, track.last_timestamp + step);
  }
  track.highest_shown = is_same_clock ? std::max(track.highest_shown, place.pts) : place.pts;
  track.epoch = place.epoch;
  track.has_shown = true;
  track.last_timestamp = kept.timestamp;
  return true;
}

// Steady: a packet begins where the last one ended, unless the source's clock says otherwise for sure.
bool FramePacketizer::Impl::admit_sound(Track& track, const media::PlacedFrame& place, KeptFrame& kept) {
  kept.shown = place.pts;
  kept.timestamp = track.first_timestamp + place.pts.to_ticks(track.rtp.clock_rate());
  if (track.has_shown) {
    std::int64_t expected = track.last_timestamp + track.last_duration;
    std::int64_t off = kept.timestamp - expected;
    std::int64_t tolerance = kOpusTolerance.to_ticks(track.rtp.clock_rate());
    if (off < -tolerance) return false;  // Time has no place for it: the source makes more than it says.
    if (off <= tolerance) kept.timestamp = expected;
  }
  auto samples = media::opus_packet_samples(kept.payload.bytes());
  track.last_duration = samples ? *samples : 0;
  track.has_shown = true;
  track.epoch = place.epoch;
  track.last_timestamp = kept.timestamp;
  return true;
}

void FramePacketizer::Impl::keep(Track& track, KeptFrame frame) {
  if (frame.is_keyframe) {
    drop_group(track);
    track.has_group = true;
  }
  if (!track.has_group) return;
  track.group_bytes += frame.payload.size();
  ++track.group_frames;
  if (track.group_frames > config.group_frames_max || track.group_bytes > config.group_bytes_max) {
    return drop_group(track);
  }
  track.kept.push_back(std::move(frame));
}

bool FramePacketizer::Impl::send(Timestamp now, WallTime wall, Track& track, const KeptFrame& frame,
                                 Outputs& out) {
  if (!track.packetizer->handle_frame(frame.payload.bytes(), frame.timestamp, payloads)) {
    refuse_frame(track);
    return false;
  }
  if (payloads.empty()) return false;
  auto facts = payload::inspect_payload(track.rtp.encoding, payloads[0]);
  payload::Packet packet{.timestamp = frame.timestamp};
  if (facts) packet.facts = *facts;
  bool is_video = track.rtp.is_video();
  packet.facts.starts_frame = true;
  // The whole frame is known here, its first unit may be no slice.
  packet.facts.is_keyframe = frame.is_keyframe;
  packet.facts.is_switch_point |= frame.is_keyframe;
  packet.facts.is_discardable = is_video && frame.is_discardable;
  bool tells_capture = frame.is_keyframe && is_video;
  tells_capture |= !track.capture_told_at || now - *track.capture_told_at >= kCaptureTimeInterval;
  if (tells_capture) {
    packet.capture_ntp = to_ntp(captured_at(now, wall, frame.shown));
    track.capture_told_at = now;
  }
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    packet.sequence = track.next_sequence++;
    packet.marker = payloads.has_marker(i);
    track.writer.add(packet, payloads[i]);
    packet.facts.starts_frame = false;
    packet.capture_ntp = 0;
  }
  stats.packets += payloads.size();
  batches.clear();
  track.writer.take_batches(batches);
  if (is_video) keep_sent(track, frame);
  for (payload::PacketBatch& batch : batches) out.push(PacketsMade{track.rtp.id, std::move(batch)});
  batches.clear();
  return true;
}

// What went out stays as packets, so that who comes later gets the same.
void FramePacketizer::Impl::keep_sent(Track& track, const KeptFrame& frame) {
  if (!is_replaying) {
    if (frame.is_keyframe) {
      drop_group(track);
      track.has_group = true;
    }
    if (!track.has_group) return;
    track.group_bytes += frame.payload.size();
    ++track.group_frames;
    if (track.group_frames > config.group_frames_max || track.group_bytes > config.group_bytes_max) {
      return drop_group(track);
    }
  }
  for (const payload::PacketBatch& batch : batches) {
    bool continues = !track.sent.empty() && track.sent.back().block == batch.block &&
                     track.sent.back().first + track.sent.back().count == batch.first;
    if (continues)
      track.sent.back().count = static_cast<std::uint16_t>(track.sent.back().count + batch.count);
    else
      track.sent.push_back(batch);
  }
}

void FramePacketizer::Impl::observe_clock(Timestamp now, Duration decoded) {
  Duration arrived = now - Timestamp();
  bool is_early =
      clock.has_started() && now - clock_started_at < kClockSettles && arrived < clock.clock_at(decoded);
  if (!clock.has_started() || is_early) {
    if (!clock.has_started()) clock_started_at = now;
    clock.start(decoded, arrived);
    return;
  }
  clock.observe(decoded, arrived);
}

// All tracks at once: they stay in step even where the wall clock was set.
void FramePacketizer::Impl::map_clocks(Timestamp now, WallTime wall, Outputs& out) {
  mapped_at = now;
  for (auto& track : tracks) {
    if (!track || !track->is_open || !track->packetizer || !track->has_shown) continue;
    std::int64_t ticks = track->newest_shown.to_ticks(track->rtp.clock_rate());
    track->mapping =
        payload::ClockMapping{track->first_timestamp + ticks, captured_at(now, wall, track->newest_shown)};
    out.push(PacketClockMapped{track->rtp.id, 0, *track->mapping});
  }
}

void FramePacketizer::set_wanted(Timestamp now, WallTime wall, bool is_wanted, Outputs& out) {
  Impl& impl = *impl_;
  if (std::exchange(impl.is_wanted, is_wanted) == is_wanted || !is_wanted) return;
  impl.map_clocks(now, wall, out);
  for (auto& slot : impl.tracks) {
    if (!slot || !slot->is_open || !slot->packetizer) continue;
    Track& track = *slot;
    track.capture_told_at.reset();
    for (const payload::PacketBatch& batch : track.sent) out.push(PacketsMade{track.rtp.id, batch});
    std::vector<KeptFrame> kept = std::exchange(track.kept, {});
    bool had_group = track.has_group;
    impl.is_replaying = true;
    for (const KeptFrame& frame : kept) {
      if (impl.send(now, wall, track, frame, out)) continue;
      if (!track.waits_for_keyframe) continue;
      impl.drop_group(track);
      break;
    }
    impl.is_replaying = false;
    // Without the beginning of the group its frames are of no use to anybody.
    if (track.rtp.is_video() && !had_group) track.waits_for_keyframe = true;
  }
}

void FramePacketizer::describe(Outputs& out) const {
  for (const auto& track : impl_->tracks) {
    if (!track || !track->is_open) continue;
    Impl::tell(*track, out);
    if (track->mapping) out.push(PacketClockMapped{track->rtp.id, 0, *track->mapping});
  }
}

void FramePacketizer::repeat_group(Outputs& out) const {
  for (const auto& track : impl_->tracks) {
    if (!track || !track->is_open) continue;
    for (const payload::PacketBatch& batch : track->sent) out.push(PacketsMade{track->rtp.id, batch});
  }
}

}  // namespace stoa::live
