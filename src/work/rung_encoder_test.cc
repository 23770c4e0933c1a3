#include "work/rung_encoder.h"

#include <gmock/gmock.h>

#include "work/fake_device.h"
#include "work/test_clip.h"

namespace stoa::work {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::IsEmpty;

media::Rung rung(std::uint32_t rate = 0) {
  return {.id = 3,
          .name = "36p",
          .bitrate_max = 1'000'000,
          .rate_factor = 23,
          .width = 64,
          .height = 36,
          .frame_rate_numerator = rate};
}
RungEncoderConfig config_of(const media::Rung& rung, std::uint32_t source_rate) {
  return {.rung = rung, .source_rate = {source_rate, 1}, .preset = "ultrafast"};
}

// What came of a rung, told by milliseconds.
struct Made {
  std::vector<std::int64_t> frames, keyframes, missed;
  std::vector<std::shared_ptr<const media::Format>> formats;
  std::vector<EncodeRefusal> ends;
  std::vector<std::string> falls;
  std::vector<std::int64_t> formats_before;  // Frames that came behind a format.

  void take(RungOutputs& out) {
    for (RungOutput& output : out.take()) {
      std::visit(Overloaded{[&](RungFormat& format) {
                              formats.push_back(format.format);
                              is_told = true;
                            },
                            [&](RungFrame& made) {
                              if (std::exchange(is_told, false))
                                formats_before.push_back(made.frame.pts.ms());
                              frames.push_back(made.frame.pts.ms());
                              if (made.frame.is_keyframe) keyframes.push_back(made.frame.pts.ms());
                            },
                            [&](RungCutMissed& cut) { missed.push_back(cut.at.ms()); },
                            [&](RungFellBack& fell) { falls.push_back(fell.text); },
                            [&](RungEnded& end) { ends.push_back(end.why); }},
                 output);
    }
  }
  bool is_told = false;
};

class Feed {
 public:
  explicit Feed(const RungEncoderConfig& config) : encoder_(config) {}
  void cut(std::int64_t ms) {
    encoder_.handle_cut(Duration::milliseconds(ms), out_);
    made.take(out_);
  }
  void refuse() {
    encoder_.handle_refusal("of another size", out_);
    made.take(out_);
  }
  void picture(double ms) {
    encoder_.handle_picture(draw(128, 72, 1, Duration::from_seconds(ms / 1000)), out_);
    made.take(out_);
  }
  Made made;

 private:
  RungEncoder encoder_;
  RungOutputs out_;
};

TEST(RungEncoder, makes_nothing_before_the_first_cut) {
  Feed feed(config_of(rung(), 25));
  feed.picture(0);
  feed.picture(40);
  EXPECT_THAT(feed.made.frames, IsEmpty());
  feed.cut(80);
  feed.picture(80);
  feed.picture(120);
  EXPECT_THAT(feed.made.frames, ElementsAre(80, 120));
  EXPECT_THAT(feed.made.keyframes, ElementsAre(80));
  ASSERT_EQ(feed.made.formats.size(), 1u);
  EXPECT_EQ(feed.made.formats[0]->width, 64u);
  EXPECT_EQ(feed.made.formats[0]->frame_rate(), 25);
}

TEST(RungEncoder, takes_the_first_picture_at_a_cut_up_to_a_millisecond_before_it) {
  Feed feed(config_of(rung(), 25));
  feed.cut(0);
  feed.picture(0);
  feed.cut(41);
  feed.picture(40);
  feed.cut(82);
  feed.picture(80);
  feed.picture(120);
  EXPECT_THAT(feed.made.keyframes, ElementsAre(0, 40, 120));
}

TEST(RungEncoder, makes_one_keyframe_of_cuts_that_no_picture_lies_between) {
  Feed feed(config_of(rung(), 25));
  feed.cut(0);
  feed.cut(1000);
  feed.cut(2000);
  feed.picture(0);
  feed.picture(2500);
  feed.picture(2540);
  EXPECT_THAT(feed.made.keyframes, ElementsAre(0, 2500));
  EXPECT_THAT(feed.made.frames, ElementsAre(0, 2500, 2540));
}

TEST(RungEncoder, leaves_pictures_out_from_a_missed_cut_to_the_next) {
  Feed feed(config_of(rung(), 25));
  feed.cut(0);
  for (double at : {0, 40, 80}) feed.picture(at);
  feed.cut(80);
  feed.picture(120);
  feed.cut(200);
  for (double at : {160, 200, 240}) feed.picture(at);
  EXPECT_THAT(feed.made.missed, ElementsAre(80));
  EXPECT_THAT(feed.made.frames, ElementsAre(0, 40, 80, 200, 240));
  EXPECT_THAT(feed.made.keyframes, ElementsAre(0, 200));
}

TEST(RungEncoder, halves_the_rate_counted_from_each_cut) {
  Feed feed(config_of(rung(30), 60));
  feed.cut(0);
  feed.cut(250);  // The 15th picture: an odd one.
  for (int number = 0; number < 24; ++number) feed.picture(number * 1000 / 60.0);
  EXPECT_THAT(feed.made.frames, ElementsAre(0, 33, 66, 100, 133, 166, 200, 233, 250, 283, 316, 350, 383));
  EXPECT_THAT(feed.made.keyframes, ElementsAre(0, 250));
  EXPECT_EQ(feed.made.formats[0]->frame_rate(), 30);
}

TEST(RungEncoder, halves_evenly_though_a_clock_of_milliseconds_jitters) {
  Feed feed(config_of(rung(30), 60));
  feed.cut(0);
  for (int number = 0; number < 600; ++number) feed.picture(number * 1000 / 60 + number * 7 % 3);
  EXPECT_EQ(feed.made.frames.size(), 300u);
  for (std::size_t at = 1; at < feed.made.frames.size(); ++at) {
    ASSERT_NEAR(static_cast<double>(feed.made.frames[at] - feed.made.frames[at - 1]), 33.3, 4);
  }
}

TEST(RungEncoder, leaves_no_picture_out_when_the_source_has_no_more_than_wanted) {
  for (auto [source, wanted] : {std::pair{30u, 30u}, {25u, 30u}, {30u, 0u}}) {
    Feed feed(config_of(rung(wanted), source));
    feed.cut(0);
    // As early and late as browsers stamp them.
    for (int number = 0; number < 60; ++number) feed.picture(number * 1000.0 / source + number * 11 % 30);
    EXPECT_EQ(feed.made.frames.size(), 60u);
    EXPECT_EQ(feed.made.formats[0]->frame_rate(), source);
  }
}

TEST(RungEncoder, thins_a_source_that_does_not_say_its_rate) {
  Feed feed(config_of(rung(15), 0));
  feed.cut(0);
  for (int number = 0; number < 61; ++number) feed.picture(number * 1000 / 30.0);
  EXPECT_EQ(feed.made.frames.size(), 31u);
  // After a pause the rate is held too: nothing is made up for.
  for (int number = 0; number < 60; ++number) feed.picture(10'000 + number * 1000 / 30.0);
  EXPECT_EQ(feed.made.frames.size(), 61u);
}

TEST(RungEncoder, says_of_which_frame_and_how_long_where_that_is_steady) {
  struct Row {
    std::uint32_t source, wanted;
    Duration of_source, expected;
  };
  Duration sixtieth = Duration::from_ticks(1, 60), twentieth = Duration::milliseconds(20);
  for (Row row : {Row{60, 0, sixtieth, sixtieth}, Row{60, 30, sixtieth, sixtieth * 2},
                  Row{50, 30, twentieth, {}}, Row{60, 30, {}, {}}}) {
    RungEncoder encoder(config_of(rung(row.wanted), row.source));
    RungOutputs out;
    encoder.handle_cut({}, out);
    for (std::uint64_t number = 0; number < 3; ++number) {
      Image image = draw(64, 36, 1, Duration::from_ticks(static_cast<std::int64_t>(number), row.source));
      image.origin = {7 + number, row.of_source};
      encoder.handle_picture(image, out);
    }
    auto outputs = out.take();
    const RungFrame& last = std::get<RungFrame>(outputs.back());
    EXPECT_EQ(last.origin.number, 9u);
    EXPECT_EQ(last.origin.nominal_duration, row.expected);
  }
}

TEST(RungEncoder, forgets_the_oldest_of_too_many_cuts) {
  Feed feed(config_of(rung(), 25));
  feed.cut(0);
  feed.picture(0);
  for (std::size_t cut = 0; cut <= kCutsPendingMax; ++cut)
    feed.cut(static_cast<std::int64_t>(1000 + 1000 * cut));
  for (int number = 1; number <= 10; ++number) feed.picture(number * 500);
  EXPECT_THAT(feed.made.keyframes, ElementsAre(0, 2000, 3000, 4000, 5000));
}

TEST(RungEncoder, ends_when_its_encoder_cannot_be) {
  media::Rung odd = rung();
  odd.width = 65;
  Feed feed(config_of(odd, 25));
  feed.cut(0);
  feed.picture(0);
  feed.picture(40);
  EXPECT_THAT(feed.made.ends, ElementsAre(EncodeRefusal::kRung));
  EXPECT_THAT(feed.made.frames, IsEmpty());
}

TEST(RungEncoder, tells_players_the_colour_that_they_would_take_for_granted_at_the_sources_size) {
  for (auto [height, matrix] : {std::pair{720, 1}, {576, 6}}) {
    RungEncoder encoder(config_of(rung(), 25));
    RungOutputs out;
    encoder.handle_cut({}, out);
    encoder.handle_picture(draw(64, height, 1, {}), out);
    auto outputs = out.take();
    auto picture = media::read_picture(*std::get<RungFormat>(outputs.at(0)).format);
    ASSERT_TRUE(picture && picture->colour);
    EXPECT_EQ(picture->colour->matrix, matrix);
    EXPECT_FALSE(picture->colour->full_range);
  }
}

TEST(RungEncoder, thins_a_source_that_has_become_faster) {
  RungEncoder encoder(config_of(rung(25), 25));
  RungOutputs out;
  Made made;
  encoder.handle_cut({}, out);
  for (int ms = 0; ms < 400; ms += 40)
    encoder.handle_picture(draw(128, 72, 1, Duration::milliseconds(ms)), out);
  encoder.handle_source_rate({50, 1});
  encoder.handle_cut(Duration::milliseconds(400), out);
  for (int ms = 400; ms < 800; ms += 20)
    encoder.handle_picture(draw(128, 72, 1, Duration::milliseconds(ms)), out);
  made.take(out);
  EXPECT_EQ(made.frames.size(), 20u);
  EXPECT_THAT(made.keyframes, ElementsAre(0, 400));
}

TEST(RungEncoder, rests_when_it_is_refused_and_begins_anew_at_a_cut) {
  Feed feed(config_of(rung(), 25));
  feed.refuse();  // Of nothing.
  auto play = [&](int from, int to) {
    for (int ms = from; ms < to; ms += 40) {
      if (ms % 1'000 == 0) feed.cut(ms);
      feed.picture(ms);
    }
  };
  play(0, 520);
  feed.refuse();
  feed.refuse();  // For what was on its way.
  play(520, 4'000);
  EXPECT_THAT(feed.made.ends, ElementsAre(EncodeRefusal::kOwner));
  EXPECT_THAT(feed.made.keyframes, ElementsAre(0, 3'000));
  EXPECT_EQ(feed.made.frames.size(), 13u + 25u);
  EXPECT_EQ(feed.made.formats.size(), 2u);
  feed.refuse();
  play(4'000, 10'000);
  EXPECT_THAT(feed.made.ends, ElementsAre(EncodeRefusal::kOwner, EncodeRefusal::kOwner));
  EXPECT_THAT(feed.made.keyframes, ElementsAre(0, 3'000, 8'000, 9'000));
  EXPECT_EQ(feed.made.formats.size(), 3u);
}

TEST(RungEncoder, begins_an_encoder_anew_that_cannot_be_told_of_another_rate) {
  struct Row {
    media::Codec codec;
    std::uint32_t wanted;
    std::size_t formats;
  };
  // libx264 is told of times, and of a rung with a rate of its own nothing changes.
  for (Row row :
       {Row{media::Codec::kHevc, 0, 2}, Row{media::Codec::kH264, 0, 1}, Row{media::Codec::kHevc, 20, 1}}) {
    media::Rung wanted = rung(row.wanted);
    wanted.codec = row.codec;
    RungEncoder encoder(config_of(wanted, 25));
    RungOutputs out;
    Made made;
    encoder.handle_cut({}, out);
    for (int ms = 0; ms < 400; ms += 40)
      encoder.handle_picture(draw(128, 72, 1, Duration::milliseconds(ms)), out);
    encoder.handle_source_rate({50, 1});
    for (int ms = 400; ms < 600; ms += 20)
      encoder.handle_picture(draw(128, 72, 1, Duration::milliseconds(ms)), out);
    encoder.handle_cut(Duration::milliseconds(600), out);
    for (int ms = 600; ms < 800; ms += 20)
      encoder.handle_picture(draw(128, 72, 1, Duration::milliseconds(ms)), out);
    made.take(out);
    EXPECT_THAT(made.keyframes, ElementsAre(0, 600));
    ASSERT_EQ(made.formats.size(), row.formats);
    EXPECT_EQ(made.formats[0]->frame_rate(), row.wanted == 0 ? 25 : row.wanted);
    if (row.formats < 2) continue;
    EXPECT_THAT(made.formats_before, ElementsAre(0, 600));
    EXPECT_EQ(made.formats[1]->frame_rate(), 50);
  }
}

TEST(RungEncoder, goes_on_with_the_next_encoder_from_the_next_cut_when_one_fails) {
  RungEncoderConfig config = config_of(rung(), 25);
  config.encoders = {"h264_nvenc", "libx264"};
  config.make_encoder = with_device("h264_nvenc", {.fails_at = 5, .has_other_sets = true});
  Feed feed(config);
  feed.cut(0);
  feed.cut(400);
  for (int ms = 0; ms < 800; ms += 40) feed.picture(ms);
  EXPECT_THAT(feed.made.ends, IsEmpty());
  EXPECT_THAT(feed.made.falls, ElementsAre("h264_nvenc failed, libx264 goes on"));
  EXPECT_THAT(feed.made.formats_before, ElementsAre(0, 400));
  EXPECT_THAT(feed.made.keyframes, ElementsAre(0, 400));
  EXPECT_THAT(feed.made.frames,
              ElementsAre(0, 40, 80, 120, 160, 400, 440, 480, 520, 560, 600, 640, 680, 720, 760));
}

TEST(RungEncoder, says_no_format_again_when_the_next_encoder_has_the_same) {
  RungEncoderConfig config = config_of(rung(), 25);
  config.encoders = {"h264_nvenc", "libx264"};
  config.make_encoder = with_device("h264_nvenc", {.fails_at = 5});
  Feed feed(config);
  feed.cut(0);
  feed.cut(400);
  for (int ms = 0; ms < 800; ms += 40) feed.picture(ms);
  EXPECT_EQ(feed.made.falls.size(), 1u);
  EXPECT_THAT(feed.made.formats_before, ElementsAre(0));
  EXPECT_THAT(feed.made.keyframes, ElementsAre(0, 400));
}

TEST(RungEncoder, ends_when_the_last_of_its_encoders_fails) {
  RungEncoderConfig config = config_of(rung(), 25);
  config.encoders = {"h264_qsv", "h264_nvenc"};
  config.make_encoder = with_device("h264_nvenc", {.fails_at = 2});
  Feed feed(config);
  for (int cut : {0, 200, 400}) feed.cut(cut);
  for (int ms = 0; ms < 600; ms += 40) feed.picture(ms);
  EXPECT_THAT(feed.made.frames, ElementsAre(0, 40));  // The first could not be opened at all.
  EXPECT_THAT(feed.made.ends, ElementsAre(EncodeRefusal::kEncoder));
}

}  // namespace
}  // namespace stoa::work
