// For tests: an encoder in virtual time, whose faults are chosen, and a channel that it publishes to.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "live/channel.h"
#include "live/test_checker.h"

namespace stoa::live::testing {

inline Duration ms(std::int64_t n) { return Duration::milliseconds(n); }
inline Duration seconds(std::int64_t n) { return Duration::seconds(n); }

inline std::shared_ptr<media::Format> video_format(std::uint32_t fps = 30, std::uint8_t version = 1) {
  auto format = std::make_shared<media::Format>();
  format->codec = media::Codec::kH264;
  format->config =
      SharedBytes(Buffer{1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 4, 0x67, 0x64, 0, version, 1, 0, 1, 0x68});
  format->codec_string = "avc1.64001f";
  format->width = 1280;
  format->height = 720;
  format->frame_rate_numerator = fps;
  return format;
}

inline std::shared_ptr<media::Format> audio_format(std::uint32_t rate = 48'000, std::uint8_t version = 0x11) {
  auto format = std::make_shared<media::Format>();
  format->codec = media::Codec::kAac;
  format->config = SharedBytes(Buffer{version, 0x90});
  format->codec_string = "mp4a.40.2";
  format->sample_rate = rate;
  format->channels = 2;
  format->samples_per_frame = 1'024;
  return format;
}

// One encoder. Capture times are exact; what is sent is as wrong as asked for.
struct Encoder {
  struct Track {
    media::TrackId id = 0;
    std::shared_ptr<const media::Format> format;
    Duration distance;  // Between frames.
    int gop = 60;       // Frames; audio: 1.
    int reorder = 0;    // Frames of B-frame delay.
    std::size_t bytes = 200;
    Buffer keyframe_head;   // What keyframes begin with.
    std::int64_t next = 0;  // Frame number.
    bool is_muted = false;
    bool was_announced = false;
    Duration clock_error;  // Added to its timestamps only.
  };
  SourceId id;
  SourceOffer offer;
  Timestamp started;
  std::vector<Track> tracks;
  Duration wrap = Duration::milliseconds(std::int64_t{1} << 32);
  Duration clock_origin;  // Timestamp of the first frame.
  double clock_rate = 1;  // Of its clock, against true time.
  bool rounds_to_ms = true;
  Duration jitter;      // Of arrival.
  Duration held_until;  // Network stall: nothing arrives before.
  bool is_connected = false;
  bool is_sending = true;

  void add_video(int fps = 30, int gop = 60) {
    tracks.push_back({.id = static_cast<media::TrackId>(tracks.size()),
                      .format = video_format(static_cast<std::uint32_t>(fps)),
                      .distance = Duration::from_ticks(1, fps),
                      .gop = gop,
                      .bytes = 2'500});
  }
  void add_audio(std::uint32_t rate = 48'000) {
    tracks.push_back({.id = static_cast<media::TrackId>(tracks.size()),
                      .format = audio_format(rate),
                      .distance = Duration::from_ticks(1'024, rate),
                      .gop = 1});
  }
  Duration capture_time(const Track& track) const {
    if (track.format->kind() == media::Kind::kAudio)
      return Duration::from_ticks(track.next * 1'024, track.format->sample_rate);
    return Duration::nanoseconds(static_cast<std::int64_t>(static_cast<double>(track.next) *
                                                           static_cast<double>(track.distance.ns())));
  }
  Duration stamp(const Track& track, Duration capture) const {
    Duration time =
        Duration::nanoseconds(static_cast<std::int64_t>(static_cast<double>(capture.ns()) * clock_rate)) +
        clock_origin + track.clock_error;
    if (rounds_to_ms) time = Duration::milliseconds((time.ns() + 500'000) / 1'000'000);
    if (wrap != Duration::infinite()) {
      std::int64_t rest = time.ns() % wrap.ns();
      time = Duration::nanoseconds(rest < 0 ? rest + wrap.ns() : rest);
    }
    return time;
  }
};

// A channel, its encoders, virtual time, and the checker that sees every snapshot.
class Stage {
 public:
  explicit Stage(ChannelConfig config = {}, std::uint64_t seed = 1)
      : rng(seed), channel("test", config, Rng(seed)) {}

  Encoder& connect(int priority = 0) {
    encoders.push_back(std::make_unique<Encoder>());
    Encoder& encoder = *encoders.back();
    encoder.id = {++last_id_};
    encoder.offer = {priority, "encoder " + std::to_string(last_id_)};
    encoder.started = now;
    encoder.is_connected = true;
    channel.handle_source_started(now, wall(), encoder.id, encoder.offer, out);
    drain();
    return encoder;
  }
  Encoder& connect_av(int priority = 0) {
    Encoder& encoder = connect(priority);
    encoder.add_video();
    encoder.add_audio();
    return encoder;
  }
  // As encoders do that say goodbye.
  void end_tracks(Encoder& encoder) {
    for (const Encoder::Track& track : encoder.tracks) {
      channel.handle_event(now, wall(), encoder.id, media::TrackEnded{track.id}, out);
      drain();
    }
  }
  void disconnect(Encoder& encoder) {
    if (!encoder.is_connected) return;
    encoder.is_connected = false;
    channel.handle_source_ended(now, wall(), encoder.id, out);
    drain();
  }

  WallTime wall() const { return WallTime::from_seconds(1'800'000'000) + (now - Timestamp()); }

  void run(Duration time) {
    Timestamp until = now + time;
    while (true) {
      Encoder* sender = nullptr;
      Encoder::Track* track = nullptr;
      Timestamp next = until;
      Duration next_capture;
      for (auto& encoder : encoders) {
        if (!encoder->is_connected) continue;
        for (auto& each : encoder->tracks) {
          Timestamp at = std::max(encoder->started + encoder->capture_time(each),
                                  encoder->started + encoder->held_until);
          at = std::max(at, now);
          // What arrives at once arrives in the order of capture.
          Duration capture = (encoder->started - Timestamp()) + encoder->capture_time(each);
          if (at < next || (at == next && at < until && (!sender || capture < next_capture))) {
            next = at;
            next_capture = capture;
            sender = encoder.get();
            track = &each;
          }
        }
      }
      Timestamp deadline = channel.next_deadline();
      if (deadline < next && !deadlines_are_off) {
        now = std::max(now, deadline);
        if (deadline <= last_deadline_ && ++stuck_ > 1'000)
          checker.errors.push_back("a deadline does not pass");
        last_deadline_ = deadline;
        if (stuck_ > 1'000) return;
        channel.handle_deadline(now, wall(), out);
        drain();
        continue;
      }
      stuck_ = 0;
      now = next;
      if (!sender) return;
      send(*sender, *track);
    }
  }

  void send(Encoder& encoder, Encoder::Track& track) {
    Duration capture = encoder.capture_time(track);
    std::int64_t number = track.next++;
    if (!encoder.is_sending || track.is_muted) return;
    if (!track.was_announced) announce(encoder, track);
    bool is_keyframe = number % track.gop == 0;
    Duration shown = capture;
    if (track.reorder > 0) {
      // I P b b P b b …: I is shown one later than decoded, P after its b frames, which are shown at once.
      const std::int64_t in_gop = number % track.gop;
      const bool is_b = !is_keyframe && (in_gop - 1) % (track.reorder + 1) != 0;
      const std::int64_t behind = std::min<std::int64_t>(track.reorder, track.gop - 1 - in_gop);
      const std::int64_t later = is_keyframe ? 1 : is_b ? 0 : behind + 1;
      shown = capture + track.distance * later;
    }
    Buffer payload(is_keyframe ? track.bytes * 4 : track.bytes, static_cast<std::uint8_t>(number));
    if (is_keyframe) payload.insert(payload.begin(), track.keyframe_head.begin(), track.keyframe_head.end());
    channel.handle_event(now, wall(), encoder.id,
                         media::TrackFrame{track.id,
                                           {.dts = encoder.stamp(track, capture),
                                            .pts = encoder.stamp(track, shown),
                                            .is_keyframe = is_keyframe,
                                            .payload = SharedBytes(std::move(payload))}},
                         out);
    drain();
  }
  void announce(Encoder& encoder, Encoder::Track& track) {
    track.was_announced = true;
    channel.handle_event(
        now, wall(), encoder.id,
        media::TrackFormat{.track = track.id, .format = track.format, .clock_wrap = encoder.wrap}, out);
    drain();
  }

  void drain() {
    for (auto& output : out) {
      if (auto* ready = std::get_if<SnapshotReady>(&output)) {
        snapshot = ready->snapshot;
        ++snapshots;
        checker.handle(*snapshot);
        snapshot_times.push_back(now);
        for (const auto& rendition : snapshot->renditions) watch_pace(*rendition);
      } else if (auto* dropped = std::get_if<SourceDropped>(&output)) {
        drops.push_back(*dropped);
        for (auto& encoder : encoders)
          if (encoder->id == dropped->source) encoder->is_connected = false;
      } else if (auto* event = std::get_if<ChannelEvent>(&output)) {
        events.push_back(*event);
      } else if (std::holds_alternative<BroadcastEnded>(output)) {
        has_ended = true;
      }
    }
    out.clear();
  }

  // Rule G13: so much longer than a PART-TARGET did the next part of a rendition take to appear, at worst.
  Duration latest_part;

  int count(ChannelEventKind kind) const {
    return static_cast<int>(std::ranges::count(events, kind, &ChannelEvent::kind));
  }
  const Rendition& rendition(std::string_view name) const { return *snapshot->find_rendition(name); }
  ParsedPlaylist playlist(std::string_view name) const {
    return parse_playlist(rendition(name).playlist.text());
  }

  Rng rng;
  Channel channel;
  ChannelOutputs out;
  Timestamp now = Timestamp::from_ns(1'000'000'000'000);
  std::vector<std::unique_ptr<Encoder>> encoders;
  Checker checker;
  std::shared_ptr<const ChannelSnapshot> snapshot;
  std::uint64_t snapshots = 0;
  std::vector<Timestamp> snapshot_times;
  std::vector<SourceDropped> drops;
  std::vector<ChannelEvent> events;
  bool has_ended = false;
  bool deadlines_are_off = false;

 private:
  struct Pace {
    std::uint64_t parts = 0;
    Timestamp at;
  };
  void watch_pace(const Rendition& rendition) {
    Pace& pace = paces_[rendition.name];
    if (rendition.next_part_number == pace.parts) return;
    if (pace.parts > 0) latest_part = std::max(latest_part, now - pace.at - rendition.part_target);
    pace = {rendition.next_part_number, now};
  }

  std::map<std::string, Pace> paces_;
  std::uint64_t last_id_ = 0;
  Timestamp last_deadline_;
  int stuck_ = 0;
};

}  // namespace stoa::live::testing
