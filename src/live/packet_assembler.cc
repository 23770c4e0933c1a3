#include <algorithm>
#include <array>
#include <deque>
#include <utility>

#include "live/packet_feed.h"
#include "media/codec.h"
#include "media/payload/first_format.h"
#include "media/payload/layer_flow.h"
#include "media/payload/opus.h"

namespace stoa::live {
namespace {

using media::TrackId;
using payload::LayerIndex;

constexpr std::size_t kVideoPacketsMax = 2'048;  // Waited for and behind it, of one layer.
constexpr std::size_t kSoundPacketsMax = 128;
constexpr Duration kAskInterval = Duration::milliseconds(500);
// A layer that its sender gave up for so long is left for a lower one.
constexpr Duration kLayerStall = Duration::milliseconds(500);
// A higher layer must have been there for so long: each change is a new format.
constexpr Duration kLayerSteady = Duration::seconds(1);
// But layers that come up together with the track are waited for by nobody.
constexpr Duration kLayersBegin = Duration::milliseconds(500);
constexpr Duration kClockJump = Duration::seconds(1);
// By arrival alone a clock is not believed to have jumped before it is this far off.
constexpr Duration kArrivalJump = Duration::seconds(5);
// What is numbered so far below others is no late packet: its sender counts anew.
constexpr std::int64_t kLateMax = kVideoPacketsMax;
constexpr Duration kStepBackRepaired = Duration::milliseconds(500);
constexpr Duration kLeastStep = Duration::milliseconds(1);
// What a frame is moved at most towards where it belongs: this, and this part of its distance to the last.
constexpr Duration kSlewMax = Duration::milliseconds(2);
constexpr std::int64_t kSlewShare = 16;
constexpr Duration kFastestWindow = Duration::seconds(5);
// Timestamps farther from where the track began start it anew.
constexpr std::int64_t kTicksMax = std::int64_t{1} << 46;
// Holes in sound (the sender is silent, packets are lost) are filled up to this.
constexpr Duration kSilenceMax = Duration::seconds(1);
constexpr std::uint32_t kUsualSamples = 960;
// Until a loss is noticed and asked for. (It is asked for again after 5/4 of a round trip: NackGenerator.)
constexpr Duration kRequestTime = Duration::milliseconds(50);
// Sound that did not come for so long does not go on beside pictures that are waited for.
constexpr Duration kSoundPause = Duration::milliseconds(500);
// Events of sound that waits for pictures, after each batch of packets.
constexpr std::size_t kHeldMax = 512;

// Silence of `samples`, a length that Opus packets have: full-band CELT frames (RFC 6716 §3.1), each the two
// bytes by which encoders code digital silence.
Buffer make_silence(std::uint32_t samples, bool is_stereo) {
  constexpr std::uint32_t kFrameSamples = 960;
  unsigned frames = 1, configuration = 31;
  if (samples < kFrameSamples)
    configuration = samples == 480 ? 30 : samples == 240 ? 29 : 28;
  else
    frames = samples / kFrameSamples;
  Buffer packet{static_cast<std::uint8_t>(configuration << 3 | (is_stereo ? 4 : 0) | (frames == 1 ? 0 : 3))};
  if (frames > 1) packet.push_back(static_cast<std::uint8_t>(frames));
  for (unsigned i = 0; i < frames; ++i) packet.insert(packet.end(), {0xff, 0xfe});
  return packet;
}

// A layer's RTP clock on the source's common one.
class LayerClock {
 public:
  void set_rate(std::uint32_t rate) { rate_ = rate; }
  bool has_begun() const { return has_begun_; }
  bool has_mapping() const { return mapping_.has_value(); }
  void map(const payload::ClockMapping& mapping) { mapping_ = mapping; }
  void forget_mapping() { mapping_.reset(); }

  // A packet came. `arrival` is on the common clock.
  void observe(Duration arrival, WallTime wall, std::int64_t timestamp) {
    if (!has_begun_ || timestamp - first_ > kTicksMax || first_ - timestamp > kTicksMax) {
      if (std::exchange(has_begun_, true)) mapping_.reset();
      first_ = newest_ = timestamp;
      newest_wall_ = wall;
      offset_ = least_ = least_before_ = arrival;
      window_at_ = arrival;
      return;
    }
    if (timestamp > newest_) {
      newest_ = timestamp;
      newest_wall_ = wall;
    }
    if (arrival - window_at_ >= kFastestWindow) {
      window_at_ = arrival;
      least_before_ = std::exchange(least_, arrival - elapsed(timestamp));
    }
    least_ = std::min(least_, arrival - elapsed(timestamp));
  }
  Duration at(std::int64_t timestamp) const { return elapsed(timestamp) + offset_; }
  // By arrival alone: the fastest packets of the last seconds.
  Duration offset_by_arrival() const { return std::min(least_, least_before_); }

  // Requires a mapping.
  WallTime captured_at(std::int64_t timestamp) const {
    std::int64_t ticks = std::clamp(timestamp - mapping_->timestamp, -kTicksMax, kTicksMax);
    return mapping_->captured_at + Duration::from_ticks(ticks, rate_);
  }
  // How old the newest packet was when it came, by the sender's clock and ours: only differences count.
  Duration age() const { return newest_wall_ - captured_at(newest_); }
  // Where the sender's common clock has this clock's zero.
  Duration origin() const { return captured_at(newest_) - WallTime() - at(newest_); }
  Duration offset_by_origin(Duration origin) const {
    return captured_at(newest_) - WallTime() - origin - elapsed(newest_);
  }

  void set_offset(Duration offset) { offset_ = offset; }
  void move_towards(Duration offset, Duration limit, Duration jump) {
    Duration off = offset - offset_;
    if (off.abs() > jump)
      offset_ = offset;
    else
      offset_ += std::clamp(off, -limit, limit);
  }

 private:
  Duration elapsed(std::int64_t timestamp) const {
    return Duration::from_ticks(std::clamp(timestamp - first_, -kTicksMax, kTicksMax), rate_);
  }

  std::uint32_t rate_ = 90'000;
  bool has_begun_ = false;
  std::int64_t first_ = 0, newest_ = 0;
  WallTime newest_wall_;
  Duration offset_;
  Duration least_, least_before_, window_at_;
  std::optional<payload::ClockMapping> mapping_;
};

struct Layer {
  std::optional<payload::Depacketizer> depacketizer;  // Of the one that is taken and the one to come.
  std::optional<payload::UnbrokenClock> line;         // Of its timestamps.
  LayerClock clock;                                   // On that line.
  bool has_packets = false;
  std::int64_t newest_sequence = 0, newest_timestamp = 0;
  std::uint64_t frames = 0;  // That came, ever.
  Timestamp began_at;
  std::optional<Timestamp> asked_at;
};

struct Track {
  bool has_stalled(Timestamp now, int layer) const {
    return flow.is_given_up(now, static_cast<std::size_t>(layer), kLayerStall);
  }

  payload::RtpTrack rtp;
  std::optional<media::Codec> codec;  // None: it does not become frames.
  std::array<Layer, payload::kLayersMax> layers;
  payload::LayerFlow flow;
  int current = -1, wanted = -1;
  std::optional<std::uint8_t> active;
  bool has_begun = false;
  Timestamp began_at;
  std::shared_ptr<const media::Format> format;
  bool waits_for_keyframe = false;
  bool has_keyframe = false;
  Timestamp keyframe_at;

  bool has_time = false;
  int placed_layer = -1;  // Whose clock placed the last frame.
  Duration last_time;
  std::int64_t last_timestamp = 0;  // Of the current layer.
  std::uint32_t last_samples = 0;   // Opus.
  Timestamp heard_at;               // Opus.
};

}  // namespace

struct PacketAssembler::Impl {
  explicit Impl(const Config& settings) : config(settings), far_wait(settings.far_wait_alone_max) {}

  Track* find(TrackId id) {
    return id < media::kTracksPerPublicationMax && tracks[id] ? &*tracks[id] : nullptr;
  }
  void announce(Timestamp now, const Track& track, Outputs& out);
  void close(Track& track, Outputs& out);
  void ask(Timestamp now, Track& track, int layer, Outputs& out);
  void choose_layer(Timestamp now, Track& track, Outputs& out);
  void want_layer(Timestamp now, Track& track, int layer, Outputs& out);
  void handle_packet(Timestamp now, WallTime wall, Track& track, const payload::Packet& packet, Bytes payload,
                     Outputs& out);
  std::int64_t note_packet(Timestamp now, WallTime wall, Track& track, const payload::Packet& packet);
  void drain(Timestamp now, Track& track, int layer, payload::DepacketizerOutputs& ready, Outputs& out);
  void take_frame(Timestamp now, Track& track, int layer, payload::FrameReady frame, Outputs& out);
  void take_sound(Timestamp now, Track& track, payload::FrameReady frame, Outputs& out);
  void fill_silence(Timestamp now, Track& track, std::int64_t until, Outputs& out);
  void push_frame(Timestamp now, Track& track, int layer, std::int64_t timestamp, bool is_keyframe,
                  Buffer frame, Outputs& out);
  const LayerClock* find_master() const;
  void carry_clock(Track& track, int layer, std::int64_t timestamp);
  Duration place(Track& track, int layer, std::int64_t timestamp);
  void put_out(Timestamp now, const Track& track, media::TrackEvent event, Outputs& out);
  std::optional<Duration> pictures_end() const;
  void release_held(Timestamp now, Outputs& out);
  Duration wait_of(const Track& track) const;
  void finish(Timestamp now, Outputs& out);
  void update_deadline();

  Config config;
  bool has_begun = false;
  Timestamp began_at;
  std::array<std::optional<Track>, media::kTracksPerPublicationMax> tracks;
  Duration far_wait;  // For pictures.
  struct Held {
    Timestamp since;
    media::TrackEvent event;
  };
  std::deque<Held> held;  // Sound that waits for pictures.
  Timestamp deadline = Timestamp::never();
  Stats stats;
};

PacketAssembler::PacketAssembler(const Config& config) : impl_(std::make_unique<Impl>(config)) {}
PacketAssembler::~PacketAssembler() = default;
const PacketAssembler::Stats& PacketAssembler::stats() const { return impl_->stats; }
Timestamp PacketAssembler::next_deadline() const { return impl_->deadline; }

void PacketAssembler::Impl::announce(Timestamp now, const Track& track, Outputs& out) {
  put_out(now, track,
          media::TrackFormat{.track = track.rtp.id,
                             .format = track.format,
                             .name = track.rtp.name,
                             .language = track.rtp.language},
          out);
}

void PacketAssembler::Impl::put_out(Timestamp now, const Track& track, media::TrackEvent event,
                                    Outputs& out) {
  if (track.rtp.is_video() || (held.empty() && !pictures_end()))
    out.push(std::move(event));
  else
    held.push_back({now, std::move(event)});
}

// How far the pictures have come, while more of them are waited for long.
std::optional<Duration> PacketAssembler::Impl::pictures_end() const {
  if (far_wait <= config.wait_max) return std::nullopt;
  std::optional<Duration> end;
  for (const auto& track : tracks) {
    if (!track || !track->rtp.is_video() || track->current < 0 || !track->has_time) continue;
    const auto& depacketizer = track->layers[track->current].depacketizer;
    if (depacketizer && depacketizer->is_waiting())
      end = end ? std::min(*end, track->last_time) : track->last_time;
  }
  return end;
}

void PacketAssembler::Impl::release_held(Timestamp now, Outputs& out) {
  if (held.empty()) return;
  const std::optional<Duration> end = pictures_end();
  while (!held.empty()) {
    Held& first = held.front();
    const auto* sound = std::get_if<media::TrackFrame>(&first.event);
    const bool is_ahead = end && sound && sound->frame.dts > *end;
    if (is_ahead && now - first.since < config.hold_max && held.size() <= kHeldMax) return;
    out.push(std::move(first.event));
    held.pop_front();
  }
}

Duration PacketAssembler::Impl::wait_of(const Track& track) const {
  return track.rtp.is_video() ? far_wait : config.wait_max;
}

void PacketAssembler::Impl::close(Track& track, Outputs& out) {
  for (Held& sound : std::exchange(held, {})) out.push(std::move(sound.event));
  if (track.format) out.push(media::TrackEvent(media::TrackEnded{track.rtp.id}));
  if (!track.codec) out.push(LeftOutClosed{track.rtp.id});
  tracks[track.rtp.id].reset();
}

void PacketAssembler::handle_track(Timestamp now, const payload::RtpTrack& rtp, Outputs& out) {
  Impl& impl = *impl_;
  if (rtp.id >= media::kTracksPerPublicationMax) return;
  if (Track* known = impl.find(rtp.id)) {
    bool is_same = known->rtp.encoding == rtp.encoding && known->rtp.channels == rtp.channels;
    if (is_same) {
      bool is_renamed = known->rtp.name != rtp.name || known->rtp.language != rtp.language;
      known->rtp = rtp;
      if (is_renamed && known->format) impl.announce(now, *known, out);
      return;
    }
    impl.close(*known, out);
  }
  Track& track = impl.tracks[rtp.id].emplace();
  track.rtp = rtp;
  track.codec = payload::find_codec(rtp.encoding);
  for (Layer& layer : track.layers) {
    layer.line.emplace(rtp.clock_rate());
    layer.clock.set_rate(rtp.clock_rate());
  }
  if (!track.codec) {
    out.push(TrackLeftOut{rtp.id, rtp.encoding});
  } else if (track.codec == media::Codec::kOpus) {
    auto format = payload::make_opus_format(rtp.channels == 1 ? 1 : 2);
    if (!format) return;
    track.format = *format;
    impl.announce(now, track, out);
  }
}

void PacketAssembler::handle_track_closed(Timestamp, TrackId id, Outputs& out) {
  if (Track* track = impl_->find(id)) impl_->close(*track, out);
  impl_->update_deadline();
}

void PacketAssembler::handle_packets(Timestamp now, WallTime wall, TrackId id,
                                     const payload::PacketBatch& batch, Outputs& out) {
  Track* track = impl_->find(id);
  if (!track || !track->codec) return;
  for (std::size_t i = 0; i < batch.count; ++i) {
    impl_->handle_packet(now, wall, *track, batch[i], batch.payload(i), out);
  }
  impl_->finish(now, out);
}

void PacketAssembler::Impl::handle_packet(Timestamp now, WallTime wall, Track& track,
                                          const payload::Packet& packet, Bytes payload, Outputs& out) {
  if (packet.layer >= payload::kLayersMax) return;
  if (!has_begun) {
    has_begun = true;
    began_at = now;
  }
  if (!std::exchange(track.has_begun, true)) track.began_at = now;
  Layer& layer = track.layers[packet.layer];
  const std::int64_t timestamp = note_packet(now, wall, track, packet);
  choose_layer(now, track, out);
  if (!layer.depacketizer) return;
  payload::DepacketizerOutputs ready;
  auto taken =
      layer.depacketizer->handle_packet(now, {packet.sequence, timestamp, packet.marker, payload}, ready);
  if (!taken && taken.error() == payload::Refusal::kLate) ++stats.packets_late;
  drain(now, track, packet.layer, ready, out);
}

// Its timestamp on the layer's line.
std::int64_t PacketAssembler::Impl::note_packet(Timestamp now, WallTime wall, Track& track,
                                                const payload::Packet& packet) {
  Layer& layer = track.layers[packet.layer];
  const bool is_newest = !layer.has_packets || packet.sequence > layer.newest_sequence ||
                         layer.newest_sequence - packet.sequence > kLateMax;
  if (is_newest && (!layer.has_packets || track.has_stalled(now, packet.layer))) layer.began_at = now;
  const std::int64_t shift = layer.line->shift();
  const std::int64_t timestamp = layer.line->place(now, packet.timestamp, is_newest);
  if (layer.line->shift() != shift) layer.clock.forget_mapping();
  if (!layer.has_packets || timestamp > layer.newest_timestamp) {
    layer.newest_timestamp = timestamp;
    ++layer.frames;
  }
  if (is_newest) {
    layer.newest_sequence = packet.sequence;
    track.flow.note(now, packet.layer, layer.frames);
  }
  layer.has_packets = true;
  layer.clock.observe(now - began_at, wall, timestamp);
  return timestamp;
}

void PacketAssembler::Impl::ask(Timestamp now, Track& track, int layer, Outputs& out) {
  auto& asked_at = track.layers[layer].asked_at;
  if (asked_at && now - *asked_at < kAskInterval) return;
  asked_at = now;
  ++stats.keyframes_wanted;
  out.push(KeyframeNeeded{track.rtp.id, static_cast<LayerIndex>(layer)});
}

void PacketAssembler::Impl::choose_layer(Timestamp now, Track& track, Outputs& out) {
  int best = -1;
  for (int i = 0; i < payload::kLayersMax; ++i) {
    const Layer& layer = track.layers[i];
    if (!layer.has_packets || track.has_stalled(now, i)) continue;
    if (track.active && (*track.active >> i & 1) == 0) continue;
    // What is taken or lower will do at once, also when nothing else is there.
    bool is_up = track.current >= 0 && i > track.current;
    bool is_first = layer.began_at - track.began_at < kLayersBegin;
    if (is_up && !is_first && now - layer.began_at < kLayerSteady) continue;
    best = i;
  }
  if (best >= 0 && best != track.wanted) want_layer(now, track, best, out);
}

void PacketAssembler::Impl::want_layer(Timestamp now, Track& track, int layer, Outputs& out) {
  if (track.wanted >= 0 && track.wanted != track.current) track.layers[track.wanted].depacketizer.reset();
  track.wanted = layer;
  if (layer == track.current) return;
  bool is_video = track.rtp.is_video();
  track.layers[layer].depacketizer.emplace(payload::DepacketizerConfig{
      .encoding = track.rtp.encoding,
      .wait_max = wait_of(track),
      .packets_max = is_video ? kVideoPacketsMax : kSoundPacketsMax,
      .ask_interval = kAskInterval,
  });
  // A sender begins with a keyframe; if that is lost, the depacketizer says so.
  bool is_new = track.layers[layer].began_at == now;
  if (is_video && track.current >= 0 && !is_new) ask(now, track, layer, out);
}

void PacketAssembler::handle_active_layers(Timestamp now, TrackId id, std::uint8_t layers, Outputs& out) {
  Track* track = impl_->find(id);
  if (!track || !track->codec) return;
  track->active = layers;
  impl_->choose_layer(now, *track, out);
  impl_->finish(now, out);
}

void PacketAssembler::set_repair_time(Timestamp now, Duration repair_time) {
  Impl& impl = *impl_;
  const bool has_sound = std::ranges::any_of(impl.tracks, [&](const auto& track) {
    return track && !track->rtp.is_video() && track->has_time && now - track->heard_at < kSoundPause;
  });
  const Duration most = has_sound ? impl.config.far_wait_max : impl.config.far_wait_alone_max;
  impl.far_wait = std::max(std::min(repair_time * 9 / 4 + kRequestTime, most), impl.config.wait_max);
  for (auto& track : impl.tracks) {
    if (!track) continue;
    for (Layer& layer : track->layers)
      if (layer.depacketizer) layer.depacketizer->set_wait_max(impl.wait_of(*track));
  }
  impl.update_deadline();
}

void PacketAssembler::handle_clock(TrackId id, LayerIndex layer, const payload::ClockMapping& mapping) {
  Track* track = impl_->find(id);
  if (!track || layer >= payload::kLayersMax) return;
  Layer& mapped = track->layers[layer];
  mapped.clock.map({mapping.timestamp + mapped.line->shift(), mapping.captured_at});
}

void PacketAssembler::Impl::drain(Timestamp now, Track& track, int layer, payload::DepacketizerOutputs& ready,
                                  Outputs& out) {
  for (auto& output : ready) {
    if (auto* frame = std::get_if<payload::FrameReady>(&output)) {
      take_frame(now, track, layer, std::move(*frame), out);
    } else if (std::holds_alternative<payload::FramesLost>(output)) {
      if (layer == track.current) ++stats.frames_lost;
    } else {
      ask(now, track, layer, out);
    }
  }
}

void PacketAssembler::Impl::take_frame(Timestamp now, Track& track, int layer, payload::FrameReady frame,
                                       Outputs& out) {
  if (layer != track.current && layer != track.wanted) return;
  if (!track.rtp.is_video()) {
    track.current = layer;
    return take_sound(now, track, std::move(frame), out);
  }
  bool is_keyframe = frame.is_keyframe;
  std::shared_ptr<const media::Format> format;
  bool is_whole = true;
  if (!track.format) {
    auto first = payload::make_first_format(*track.codec, frame.frame);
    is_whole = is_keyframe && first.has_value();
    if (is_whole) format = *first;
  } else {
    auto facts = media::inspect(*track.format, frame.frame);
    is_whole = facts.has_value();
    if (is_whole) {
      is_keyframe = facts->is_keyframe;
      format = facts->new_format;
    }
  }
  bool is_switch = layer != track.current;
  if (!is_whole || (!is_keyframe && (track.waits_for_keyframe || is_switch))) {
    // What follows refers to it.
    if (!is_switch) track.waits_for_keyframe = true;
    ++stats.frames_lost;
    return ask(now, track, layer, out);
  }
  if (is_keyframe) track.waits_for_keyframe = false;
  if (is_switch) {
    if (track.current >= 0) {
      track.layers[track.current].depacketizer.reset();
      carry_clock(track, layer, frame.timestamp);
    }
    track.current = layer;
  }
  if (format) {
    track.format = std::move(format);
    announce(now, track, out);
  }
  if (is_keyframe) {
    track.has_keyframe = true;
    track.keyframe_at = now;
  }
  push_frame(now, track, layer, frame.timestamp, is_keyframe, std::move(frame.frame), out);
  bool is_time = config.keyframe_interval > Duration() && track.has_keyframe &&
                 now - track.keyframe_at >= config.keyframe_interval;
  if (is_time) ask(now, track, layer, out);
}

void PacketAssembler::Impl::take_sound(Timestamp now, Track& track, payload::FrameReady frame, Outputs& out) {
  auto samples = payload::opus_duration(frame.frame);
  if (!samples || !track.format) {
    ++stats.frames_lost;
    return;
  }
  std::uint32_t duration = *samples;
  bool is_first = !track.has_time;
  if (!is_first) fill_silence(now, track, frame.timestamp, out);
  auto announce_duration = [&] {
    if (track.format->samples_per_frame == duration) return;
    auto format = std::make_shared<media::Format>(*track.format);
    format->samples_per_frame = duration;
    track.format = std::move(format);
    announce(now, track, out);
  };
  // Where packets become longer or shorter, the first of them still begins where the one before it ends.
  if (is_first) announce_duration();
  push_frame(now, track, track.current, frame.timestamp, true, std::move(frame.frame), out);
  announce_duration();
  track.last_samples = duration;
  track.heard_at = now;
}

void PacketAssembler::Impl::fill_silence(Timestamp now, Track& track, std::int64_t until, Outputs& out) {
  std::int64_t samples = track.last_samples == 0 ? kUsualSamples : track.last_samples;
  if (samples > kUsualSamples && samples % kUsualSamples != 0) samples = kUsualSamples;
  std::int64_t at = track.last_timestamp + track.last_samples;
  if (until - at > kSilenceMax.to_ticks(track.rtp.clock_rate())) return;
  for (; at + samples <= until; at += samples) {
    push_frame(now, track, track.current, at, true,
               make_silence(static_cast<std::uint32_t>(samples), track.format->channels == 2), out);
  }
}

void PacketAssembler::Impl::push_frame(Timestamp now, Track& track, int layer, std::int64_t timestamp,
                                       bool is_keyframe, Buffer frame, Outputs& out) {
  Duration time = place(track, layer, timestamp);
  ++stats.frames;
  put_out(
      now, track,
      media::TrackFrame{
          track.rtp.id,
          {.dts = time, .pts = time, .is_keyframe = is_keyframe, .payload = SharedBytes(std::move(frame))}},
      out);
}

// Whose sender reports the others follow, itself it stays where it is: sound, since a gap in it is heard.
const LayerClock* PacketAssembler::Impl::find_master() const {
  const LayerClock* master = nullptr;
  for (const auto& track : tracks) {
    if (!track || track->current < 0) continue;
    const LayerClock& clock = track->layers[track->current].clock;
    if (!clock.has_mapping()) continue;
    if (!track->rtp.is_video()) return &clock;
    if (!master) master = &clock;
  }
  return master;
}

// The layers of a track have timestamps of their own; pictures go on where those of the other layer were.
void PacketAssembler::Impl::carry_clock(Track& track, int layer, std::int64_t timestamp) {
  const LayerClock& before = track.layers[track.current].clock;
  LayerClock& clock = track.layers[layer].clock;
  track.last_timestamp = timestamp;
  if (!before.has_mapping() || !clock.has_mapping()) return;
  if ((before.age() - clock.age()).abs() >= kClockJump) return;
  clock.set_offset(clock.offset_by_origin(before.origin()));
  track.placed_layer = layer;
}

Duration PacketAssembler::Impl::place(Track& track, int layer, std::int64_t timestamp) {
  LayerClock& clock = track.layers[layer].clock;
  const LayerClock* master = find_master();
  bool is_fresh = !track.has_time || track.placed_layer != layer;
  std::optional<Duration> offset;
  bool is_by_arrival = !clock.has_mapping() || !master;
  if (is_by_arrival) {
    offset = clock.offset_by_arrival();
  } else if (&clock != master && (clock.age() - master->age()).abs() < kClockJump) {
    // Otherwise the sender's clock was set, and one of the two does not know it yet.
    offset = clock.offset_by_origin(master->origin());
  }
  if (offset && is_fresh) {
    clock.set_offset(*offset);
  } else if (offset) {
    std::int64_t ticks = std::clamp(timestamp - track.last_timestamp, std::int64_t{0}, kTicksMax);
    Duration step = Duration::from_ticks(ticks, track.rtp.clock_rate());
    clock.move_towards(*offset, std::min(kSlewMax, step / kSlewShare),
                       is_by_arrival ? kArrivalJump : kClockJump);
  }
  Duration time = clock.at(timestamp);
  bool is_small_step_back =
      track.has_time && time < track.last_time + kLeastStep && track.last_time - time < kStepBackRepaired;
  if (is_small_step_back) time = track.last_time + kLeastStep;
  track.has_time = true;
  track.placed_layer = layer;
  track.last_time = time;
  track.last_timestamp = timestamp;
  return time;
}

void PacketAssembler::handle_deadline(Timestamp now, Outputs& out) {
  for (auto& track : impl_->tracks) {
    if (!track) continue;
    for (int i = 0; i < payload::kLayersMax; ++i) {
      auto& depacketizer = track->layers[i].depacketizer;
      if (!depacketizer || depacketizer->next_deadline() > now) continue;
      payload::DepacketizerOutputs ready;
      depacketizer->handle_deadline(now, ready);
      impl_->drain(now, *track, i, ready, out);
    }
  }
  impl_->finish(now, out);
}

void PacketAssembler::Impl::finish(Timestamp now, Outputs& out) {
  release_held(now, out);
  update_deadline();
}

void PacketAssembler::Impl::update_deadline() {
  deadline = held.empty() ? Timestamp::never() : held.front().since + config.hold_max;
  for (const auto& track : tracks) {
    if (!track) continue;
    for (const Layer& layer : track->layers) {
      if (layer.depacketizer) deadline = std::min(deadline, layer.depacketizer->next_deadline());
    }
  }
}

}  // namespace stoa::live
