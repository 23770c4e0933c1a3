#include "live/continuity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "live/test_ladder.h"

namespace stoa::live {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace stoa::live::testing;

// Two renditions of pictures and one of sound, in segments of two seconds; each has one part a segment.
struct Made {
  Made() {
    for (const char* name : {"v0", "360p30", "a0"}) {
      auto rendition = std::make_shared<Rendition>();
      rendition->name = name;
      rendition->format = name[0] == 'a' ? audio_format() : video_format();
      rendition->part_target = ms(500);
      rendition->target_duration_s = 4;
      renditions.push_back(rendition);
    }
  }
  Segment& add(std::size_t which, std::uint64_t msn, Duration start, Duration duration = seconds(2)) {
    auto rendition = std::make_shared<Rendition>(*renditions[which]);
    auto segment = std::make_shared<Segment>();
    segment->media_sequence_number = msn;
    segment->is_complete = true;
    segment->start = start;
    segment->duration = duration;
    segment->parts.push_back({.number = rendition->next_part_number++, .duration = duration});
    rendition->retained.push_back(segment);
    renditions[which] = rendition;
    return *segment;
  }
  void add_all(std::uint64_t msn) {
    for (std::size_t i = 0; i < renditions.size(); ++i) add(i, msn, seconds(2) * static_cast<int>(msn));
  }
  std::vector<std::pair<Fault, std::string>> judge() {
    ChannelSnapshot snapshot;
    snapshot.state = state;
    for (const auto& each : renditions) snapshot.renditions.push_back(each);
    std::vector<std::pair<Fault, std::string>> found;
    for (const FoundFault& fault : continuity.handle(snapshot))
      found.emplace_back(fault.kind, fault.rendition);
    return found;
  }
  using Found = std::pair<Fault, std::string>;

  std::vector<std::shared_ptr<Rendition>> renditions;
  ChannelState state = ChannelState::kLive;
  Continuity continuity;
};

TEST(Continuity, finds_nothing_where_nothing_is_wrong) {
  Made made;
  for (std::uint64_t msn = 0; msn < 9; ++msn) {
    made.add_all(msn);
    EXPECT_THAT(made.judge(), IsEmpty());
    EXPECT_THAT(made.judge(), IsEmpty());
  }
}

TEST(Continuity, finds_a_rendition_that_stays_behind_and_tells_it_once) {
  Made made;
  made.add_all(0);
  made.add(0, 1, seconds(2), ms(1'500));
  made.add(2, 1, seconds(2), ms(1'500));
  EXPECT_THAT(made.judge(), IsEmpty());  // A part and a second.
  made.add(0, 2, ms(3'500), ms(10));
  EXPECT_THAT(made.judge(), ElementsAre(Made::Found{Fault::kMissing, "360p30"}));
  made.add(0, 3, ms(3'510), ms(10));
  EXPECT_THAT(made.judge(), IsEmpty());
  EXPECT_EQ(made.continuity.count(Fault::kMissing), 1u);
}

TEST(Continuity, takes_nothing_for_missing_while_no_source_is_on_air) {
  Made made;
  made.state = ChannelState::kInterrupted;
  made.add_all(0);
  made.add(0, 1, seconds(2));
  made.add(0, 2, seconds(4)).parts[0].is_gap = true;
  EXPECT_THAT(made.judge(), IsEmpty());
}

TEST(Continuity, finds_gaps_and_tells_of_each_run_once) {
  Made made;
  made.add_all(0);
  made.add_all(1);
  made.add_all(2);
  auto gap = std::make_shared<Segment>(*made.renditions[1]->retained.back());
  gap->parts[0].is_gap = true;
  made.renditions[1]->retained.back() = gap;
  EXPECT_THAT(made.judge(), ElementsAre(Made::Found{Fault::kGap, "360p30"}));
  made.add(0, 3, seconds(6));
  made.add(1, 3, seconds(6)).parts[0].is_gap = true;
  made.add(2, 3, seconds(6));
  EXPECT_THAT(made.judge(), IsEmpty());
  EXPECT_EQ(made.continuity.count(Fault::kGap), 1u);
}

TEST(Continuity, finds_segments_that_are_too_long_or_begin_apart) {
  struct Case {
    std::size_t which;
    Duration off, duration;
    std::optional<Fault> found;
  };
  for (const Case& each : {Case{1, ms(0), ms(4'490), {}}, Case{1, ms(0), ms(4'500), Fault::kTooLong},
                           Case{1, ms(50), seconds(2), {}}, Case{1, ms(51), seconds(2), Fault::kMisaligned},
                           Case{1, ms(-51), seconds(2), Fault::kMisaligned}, Case{2, ms(61), seconds(2), {}},
                           Case{2, ms(62), seconds(2), Fault::kDrift}}) {
    Made made;
    made.add_all(0);
    for (std::size_t i = 0; i < 3; ++i) {
      const bool is_it = i == each.which;
      made.add(i, 1, seconds(2) + (is_it ? each.off : Duration()), is_it ? each.duration : seconds(2));
    }
    made.add_all(2);
    made.state = ChannelState::kLive;
    const auto found = made.judge();
    ASSERT_THAT(found, SizeIs(each.found ? 1 : 0)) << each.which;
    if (each.found) {
      EXPECT_EQ(found[0], (Made::Found{*each.found, made.renditions[each.which]->name}));
    }
  }
}

TEST(Continuity, finds_a_discontinuity_that_others_lack) {
  Made made;
  made.add_all(0);
  made.add(0, 1, seconds(2)).has_discontinuity = true;
  made.add(1, 1, seconds(2)).has_discontinuity = true;
  made.add(2, 1, seconds(2));
  made.add_all(2);
  EXPECT_THAT(made.judge(), ElementsAre(Made::Found{Fault::kMisaligned, "a0"}));
}

TEST(Continuity, tells_the_same_again_after_a_while_and_counts_all) {
  Made made;
  int told = 0;
  for (std::uint64_t msn = 0; msn < 12; ++msn) {
    made.add_all(msn);
    auto late = std::make_shared<Segment>(*made.renditions[1]->retained.back());
    late->start += ms(100);
    made.renditions[1]->retained.back() = late;
    told += static_cast<int>(made.judge().size());
  }
  EXPECT_EQ(made.continuity.count(Fault::kMisaligned), 11u);
  EXPECT_EQ(told, 3);  // In 22 seconds.
}

TEST(ChannelContinuity, is_told_of_a_worker_that_gives_nothing) {
  Ladder one;
  one.stage.connect_av();
  one.begin();
  one.worker.run(seconds(20));
  EXPECT_EQ(one.stage.count(ChannelEventKind::kContinuity), 0);
  one.worker.is_frozen = true;
  one.worker.run(seconds(6));
  for (const char* name : {"360p30", "240p30", "aac0"})
    EXPECT_TRUE(std::ranges::any_of(one.stage.events, [&](const ChannelEvent& event) {
      return event.kind == ChannelEventKind::kContinuity &&
             event.text.starts_with(std::string(name) + ": gap");
    })) << name;
  MetricSamples samples;
  one.stage.channel.append_metrics(samples);
  const auto gaps = std::ranges::find_if(samples, [](const MetricSample& sample) {
    return std::string_view(sample.name) == "stoa_live_faults_total" && sample.labels[0].second == "gap";
  });
  ASSERT_NE(gaps, samples.end());
  EXPECT_EQ(gaps->value, 3);
}

// Renditions are filled, cut and joined again. Where a source loses frames for less than a part, segments
// begin that far apart.
class ChannelContinuitySeeds : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Seeds, ChannelContinuitySeeds, ::testing::Range(0, 20));

TEST_P(ChannelContinuitySeeds, has_no_segment_that_is_too_long_or_far_from_the_others) {
  Ladder one(with_ladder(), static_cast<std::uint64_t>(GetParam()) + 1);
  live_through_trouble(one, GetParam());
  for (const ChannelEvent& event : one.stage.events) {
    if (event.kind != ChannelEventKind::kContinuity) continue;
    EXPECT_THAT(event.text, ::testing::Not(::testing::HasSubstr("too_long")));
    const bool is_apart =
        event.text.find("drift") != std::string::npos || event.text.find("misaligned") != std::string::npos;
    if (is_apart) {
      EXPECT_LT(std::stoi(event.text.substr(event.text.find(", ") + 2)), 335) << event.text;
    }
  }
}

}  // namespace
}  // namespace stoa::live
