// For tests: a channel with a ladder that a worker makes, what it is put through, and how its renditions are
// compared.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "live/test_worker.h"

namespace stoa::live::testing {

inline ChannelConfig with_ladder() {
  ChannelConfig config;
  config.ladder_wait = ms(2'500);
  return config;
}

// What segment begins with: the first byte of its first part's media. Frames of a stage are filled with their
// number.
inline std::optional<std::uint8_t> first_byte(const Segment& segment) {
  if (segment.parts.empty() || segment.parts.front().is_gap) return {};
  const std::string_view body = segment.parts.front().body.text();
  const std::size_t at = body.find("mdat");
  return static_cast<std::uint8_t>(body.at(at + 4));
}

// Frames of slate end in these two, those of a stage never.
inline constexpr std::string_view kSlateEnd = "\xee\xdd";
inline bool is_slate(const Part& part) { return part.body.text().ends_with(kSlateEnd); }
inline SharedBytes slate_payload() {
  Buffer payload(300, 0);
  payload[298] = 0xee;
  payload[299] = 0xdd;
  return SharedBytes(std::move(payload));
}

inline bool begins_with_keyframe(const Segment& segment) {
  return parse_chunk(segment.parts.front().body.bytes()).starts_with_keyframe;
}

// All segments of all renditions that are listed begin and end at the same times, and those of pictures with
// the same picture. Counts those that were compared.
// `is_rough`: at breaks, where holes that samples bridge stay as they are, and sound has edges of
// its own.
inline int compare_segments(const ChannelSnapshot& snapshot, std::string_view with, bool is_rough = false,
                            std::string_view but = {}) {
  const Rendition& leader = *snapshot.find_rendition(with);
  int compared = 0;
  for (const auto& rendition : snapshot.renditions) {
    if (rendition->name == with || rendition->name == but) continue;
    const bool is_video = rendition->format->kind() == media::Kind::kVideo;
    if (!is_video && is_rough) continue;
    for (const auto& segment : rendition->retained) {
      const Segment* other = leader.find_segment(segment->media_sequence_number);
      if (!other || !segment->is_complete || !other->is_complete) continue;
      EXPECT_EQ(segment->has_discontinuity, other->has_discontinuity) << rendition->name;
      const Duration room = is_rough ? ms(400) : is_video ? ms(2) : ms(45);
      EXPECT_LE((segment->start - other->start).abs(), room)
          << rendition->name << segment->media_sequence_number;
      EXPECT_LE((segment->duration - other->duration).abs(), room)
          << rendition->name << segment->media_sequence_number;
      const auto mine = first_byte(*segment), its = first_byte(*other);
      // Where the source has no keyframe a segment of its begins with what is decoded first.
      if (!is_video || !mine || !its || !begins_with_keyframe(*other)) continue;
      if (is_slate(segment->parts.front()) || is_slate(other->parts.front())) continue;
      EXPECT_TRUE(segment->parts.front().is_independent) << rendition->name;
      EXPECT_EQ(*mine, *its) << rendition->name << segment->media_sequence_number;
      ++compared;
    }
  }
  return compared;
}

struct Ladder {
  explicit Ladder(ChannelConfig config = with_ladder(), std::uint64_t seed = 1)
      : stage(config, seed),
        worker(stage, {video_rung(0, "360p30"), video_rung(1, "240p30"), audio_rung(2, "aac0")}) {}

  // From the beginning, as when the worker was started as the encoder connected.
  void begin() {
    stage.channel.set_ladder(stage.now, ladder(), stage.out, held_back);
    worker.start();
  }
  static std::vector<media::Rung> ladder() {
    return {video_rung(0, "360p30"), video_rung(1, "240p30"), audio_rung(2, "aac0")};
  }

  std::string multivariant() const { return std::string(stage.snapshot->multivariant.text()); }

  Stage stage;
  Worker worker;
  std::vector<media::TrackId> held_back;
  std::function<void()> after_begin;  // Once there is something on air.
};

// A jumping clock, an encoder that comes again, a standby, forced cuts, lag, reordered frames: in any order.
inline void live_through_trouble(Ladder& one, int seed) {
  Rng rng(static_cast<std::uint64_t>(seed) * 77 + 5);
  const auto connect = [&](int priority) -> Encoder& {
    Encoder& encoder = one.stage.connect_av(priority);
    encoder.tracks[0].gop = static_cast<int>(30 + 30 * rng.below(6));
    encoder.tracks[0].reorder = static_cast<int>(rng.below(3));
    return encoder;
  };
  Encoder* encoder = &connect(0);
  one.worker.delay = ms(static_cast<std::int64_t>(20 + rng.below(600)));
  one.begin();
  if (one.after_begin) {
    one.worker.run(seconds(1));
    one.after_begin();
  }
  for (int step = 0; step < 12; ++step) {
    one.worker.run(ms(static_cast<std::int64_t>(2'000 + rng.below(6'000))));
    switch (rng.below(5)) {
      case 0: encoder->clock_origin += seconds(static_cast<std::int64_t>(rng.below(100))); break;
      case 1:
        one.stage.disconnect(*encoder);
        one.worker.run(ms(static_cast<std::int64_t>(rng.below(4'000))));
        encoder = &connect(0);
        break;
      case 2:
        connect(1);
        one.worker.run(seconds(3));
        one.stage.disconnect(*encoder);
        one.worker.run(seconds(4));
        encoder = &connect(0);
        break;
      case 3:
        one.worker.stop();
        one.worker.run(ms(static_cast<std::int64_t>(rng.below(3'000))));
        one.worker.start();
        break;
      default:
        encoder->held_until =
            one.stage.now - encoder->started + ms(static_cast<std::int64_t>(rng.below(3'000)));
        break;
    }
  }
  one.worker.run(seconds(20));
  EXPECT_THAT(one.stage.checker.errors, ::testing::IsEmpty());
  EXPECT_THAT(one.worker.refusals, ::testing::IsEmpty());
  // In step again at the end.
  for (const auto& rendition : one.stage.snapshot->renditions)
    EXPECT_NEAR(static_cast<double>(rendition->last_msn),
                static_cast<double>(one.stage.rendition("360p30").last_msn), 1)
        << rendition->name;
}

}  // namespace stoa::live::testing
