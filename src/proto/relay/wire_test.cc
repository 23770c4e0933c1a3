#include "proto/relay/wire.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace stoa::relay {
namespace {

SharedBytes shared(std::string_view text) { return SharedBytes(std::string(text)); }

media::Format picture_format() {
  return {.codec = media::Codec::kHevc,
          .config = shared("record"),
          .codec_string = "hvc1.1.6.L93",
          .width = 1280,
          .height = 720,
          .frame_rate_numerator = 30'000,
          .frame_rate_denominator = 1'001};
}
media::Format sound_format() {
  return {.codec = media::Codec::kOpus,
          .config = shared("dOps"),
          .codec_string = "opus",
          .sample_rate = 48'000,
          .channels = 2,
          .samples_per_frame = 960};
}
void expect_same(const media::Format& a, const media::Format& b) {
  EXPECT_EQ(a.codec, b.codec);
  EXPECT_EQ(a.config.text(), b.config.text());
  EXPECT_EQ(a.codec_string, b.codec_string);
  EXPECT_EQ(std::pair(a.width, a.height), std::pair(b.width, b.height));
  EXPECT_EQ(a.frame_rate_numerator, b.frame_rate_numerator);
  EXPECT_EQ(a.frame_rate_denominator, b.frame_rate_denominator);
  EXPECT_EQ(a.sample_rate, b.sample_rate);
  EXPECT_EQ(a.channels, b.channels);
  EXPECT_EQ(a.samples_per_frame, b.samples_per_frame);
}

Buffer bytes_of(const SendBytes& sent) {
  Buffer bytes = sent.head;
  bytes.insert(bytes.end(), sent.payload.bytes().begin(), sent.payload.bytes().end());
  return bytes;
}
Buffer written(const Message& message) {
  auto sent = write(message);
  EXPECT_TRUE(sent);
  return sent ? bytes_of(*sent) : Buffer();
}
// `type` and what follows it, with the length before.
Buffer framed(std::uint8_t type, Bytes body) {
  ByteWriter out;
  out.u32(static_cast<std::uint32_t>(body.size() + 1));
  out.u8(type);
  out.bytes(body);
  return out.take();
}

// As a message of this type is read.
Result<std::optional<Message>, Refusal> read(MessageType type, std::initializer_list<std::uint8_t> body) {
  return parse(type, SharedBytes(Buffer(body)));
}
Refusal refusal_of(MessageType type, std::initializer_list<std::uint8_t> body) {
  auto parsed = read(type, body);
  EXPECT_FALSE(parsed);
  return parsed ? Refusal::kSilent : parsed.error();
}
// Through bytes and back.
template <typename T>
T carried(const T& message) {
  Buffer bytes = written(message);
  auto parsed = parse(MessageType{bytes[4]}, SharedBytes(Buffer(bytes.begin() + 5, bytes.end())));
  EXPECT_TRUE(parsed && *parsed);
  return parsed && *parsed ? std::get<T>(**parsed) : T{};
}

media::Rung picture_rung() {
  return {.id = 3,
          .name = "720p30",
          .of = 1,
          .codec = media::Codec::kH264,
          .bitrate_mean = 2'000'000,
          .bitrate_max = 3'000'000,
          .rate_factor = 23,
          .width = 1280,
          .height = 720,
          .frame_rate_numerator = 30'000,
          .frame_rate_denominator = 1'001};
}
media::Rung sound_rung() {
  return {.id = 4,
          .name = "aac0",
          .of = 2,
          .codec = media::Codec::kAac,
          .bitrate_mean = 128'000,
          .sample_rate = 48'000,
          .channels = 2};
}

TEST(Wire, carries_what_a_worker_says) {
  auto hello = carried(Hello{.version_lowest = 1,
                             .version_highest = 4,
                             .program = "stoa-work 1.0",
                             .worker = "show-1",
                             .token = "secret",
                             .encoders = {{media::Codec::kH264, "libx264", "no other works"},
                                          {media::Codec::kAv1, "libaom-av1", ""}}});
  EXPECT_EQ(std::pair(hello.version_lowest, hello.version_highest), std::pair(1u, 4u));
  EXPECT_EQ(hello.program, "stoa-work 1.0");
  EXPECT_EQ(hello.worker, "show-1");
  EXPECT_EQ(hello.token, "secret");
  ASSERT_EQ(hello.encoders.size(), 2u);
  EXPECT_EQ(hello.encoders[0].name, "libx264");
  EXPECT_EQ(hello.encoders[0].note, "no other works");
  EXPECT_EQ(hello.encoders[1].codec, media::Codec::kAv1);

  auto format = carried(RungFormat{.rung = 7, .format = picture_format()});
  EXPECT_EQ(format.rung, 7);
  expect_same(format.format, picture_format());

  auto frame = carried(RungFrame{.rung = 255,
                                 .of = 1ull << 40,
                                 .dts = Duration::nanoseconds(-33'366'667),
                                 .pts = Duration::seconds(86'400),
                                 .nominal_duration = Duration::milliseconds(40),
                                 .is_keyframe = true,
                                 .payload = shared("picture")});
  EXPECT_EQ(frame.rung, 255);
  EXPECT_EQ(frame.of, 1ull << 40);
  EXPECT_EQ(frame.dts, Duration::nanoseconds(-33'366'667));
  EXPECT_EQ(frame.pts, Duration::seconds(86'400));
  EXPECT_EQ(frame.nominal_duration, Duration::milliseconds(40));
  EXPECT_TRUE(frame.is_keyframe);
  EXPECT_EQ(frame.payload.text(), "picture");

  auto ended = carried(RungEnded{.rung = 2, .why = RungEnd::kEncoderFailed, .text = "lost the device"});
  EXPECT_EQ(ended.rung, 2);
  EXPECT_EQ(ended.why, RungEnd::kEncoderFailed);
  EXPECT_EQ(ended.text, "lost the device");

  EXPECT_EQ(carried(FramesTaken{77}).number, 77u);
  EXPECT_EQ(carried(Pong{5}).number, 5u);

  auto progress = carried(Progress{.pictures_decoded = 900,
                                   .frames_refused = 2,
                                   .cpu_time = Duration::milliseconds(12'345),
                                   .memory_bytes = 5ull << 30,
                                   .rungs = {{.rung = 1,
                                              .frames = 899,
                                              .waiting = 3,
                                              .oldest_wait = Duration::milliseconds(100),
                                              .encode_p95 = Duration::microseconds(4'100),
                                              .speed_permille = 1'070,
                                              .encoder = "libx264",
                                              .bytes = 1ull << 33},
                                             {.rung = 2}},
                                   .pictures = 30,
                                   .spatial_permille = 12'345,
                                   .temporal_permille = 6'789});
  EXPECT_EQ(progress.pictures_decoded, 900u);
  EXPECT_EQ(progress.frames_refused, 2u);
  EXPECT_EQ(progress.cpu_time, Duration::milliseconds(12'345));
  EXPECT_EQ(progress.memory_bytes, 5ull << 30);
  ASSERT_EQ(progress.rungs.size(), 2u);
  EXPECT_EQ(progress.rungs[0].rung, 1);
  EXPECT_EQ(progress.rungs[0].frames, 899u);
  EXPECT_EQ(progress.rungs[0].waiting, 3u);
  EXPECT_EQ(progress.rungs[0].oldest_wait, Duration::milliseconds(100));
  EXPECT_EQ(progress.rungs[0].encode_p95, Duration::microseconds(4'100));
  EXPECT_EQ(progress.rungs[0].speed_permille, 1'070u);
  EXPECT_EQ(progress.rungs[0].encoder, "libx264");
  EXPECT_EQ(progress.rungs[0].bytes, 1ull << 33);
  EXPECT_EQ(progress.rungs[1].rung, 2);
  EXPECT_EQ(progress.pictures, 30u);
  EXPECT_EQ(progress.spatial_permille, 12'345u);
  EXPECT_EQ(progress.temporal_permille, 6'789u);

  auto slate = carried(SlateMade{.is_of_source = true,
                                 .rung = 9,
                                 .track = 2,
                                 .format = picture_format(),
                                 .frame_duration = Duration::milliseconds(80),
                                 .frames = {shared("first"), shared("2")}});
  EXPECT_TRUE(slate.is_of_source);
  EXPECT_EQ(slate.rung, 9);
  EXPECT_EQ(slate.track, 2);
  expect_same(slate.format, picture_format());
  EXPECT_EQ(slate.frame_duration, Duration::milliseconds(80));
  ASSERT_EQ(slate.frames.size(), 2u);
  EXPECT_EQ(slate.frames[0].text(), "first");
  EXPECT_EQ(slate.frames[1].text(), "2");

  auto poster =
      carried(PosterMade{.at = Duration::seconds(5), .width = 640, .height = 360, .jpeg = shared("jpeg")});
  EXPECT_EQ(poster.at, Duration::seconds(5));
  EXPECT_EQ(std::pair(poster.width, poster.height), std::pair(640u, 360u));
  EXPECT_EQ(poster.jpeg.text(), "jpeg");

  auto storyboard = carried(StoryboardMade{.tile_width = 160,
                                           .tile_height = 90,
                                           .columns = 5,
                                           .tiles = {{Duration::seconds(5)}, {Duration::seconds(10)}},
                                           .jpeg = shared("tiles")});
  EXPECT_EQ(std::pair(storyboard.tile_width, storyboard.tile_height), std::pair(160u, 90u));
  EXPECT_EQ(storyboard.columns, 5u);
  ASSERT_EQ(storyboard.tiles.size(), 2u);
  EXPECT_EQ(storyboard.tiles[0].at, Duration::seconds(5));
  EXPECT_EQ(storyboard.tiles[1].at, Duration::seconds(10));
  EXPECT_EQ(storyboard.jpeg.text(), "tiles");

  for (LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    auto said = carried(Said{.level = level, .text = "opened"});
    EXPECT_EQ(said.level, level);
    EXPECT_EQ(said.text, "opened");
  }
}

TEST(Wire, carries_what_an_owner_says) {
  auto welcome = carried(Welcome{.version = 2, .channel = "show"});
  EXPECT_EQ(welcome.version, 2u);
  EXPECT_EQ(welcome.channel, "show");

  auto ladder = carried(LadderSet{.revision = 9, .rungs = {picture_rung(), sound_rung()}});
  EXPECT_EQ(ladder.revision, 9u);
  EXPECT_EQ(ladder.rungs, (std::vector{picture_rung(), sound_rung()}));

  auto track =
      carried(ProgramTrack{.track = 15, .format = sound_format(), .name = "Comments", .language = "pt-BR"});
  EXPECT_EQ(track.track, 15);
  expect_same(track.format, sound_format());
  EXPECT_EQ(track.name, "Comments");
  EXPECT_EQ(track.language, "pt-BR");

  auto cut = carried(ProgramCut{.msn = 100, .at = Duration::seconds(200), .follows_break = true});
  EXPECT_EQ(cut.msn, 100u);
  EXPECT_EQ(cut.at, Duration::seconds(200));
  EXPECT_TRUE(cut.follows_break);

  auto frame = carried(ProgramFrame{.number = 12,
                                    .track = 1,
                                    .dts = Duration::milliseconds(40),
                                    .pts = Duration::milliseconds(80),
                                    .nominal_duration = Duration::milliseconds(40),
                                    .is_keyframe = true,
                                    .quarter_turns = 3,
                                    .payload = shared("unit")});
  EXPECT_EQ(frame.number, 12u);
  EXPECT_EQ(frame.track, 1);
  EXPECT_EQ(frame.dts, Duration::milliseconds(40));
  EXPECT_EQ(frame.pts, Duration::milliseconds(80));
  EXPECT_EQ(frame.nominal_duration, Duration::milliseconds(40));
  EXPECT_TRUE(frame.is_keyframe);
  EXPECT_EQ(frame.quarter_turns, 3);
  EXPECT_EQ(frame.payload.text(), "unit");

  EXPECT_EQ(carried(TrackGone{14}).track, 14);
  EXPECT_EQ(carried(Ping{3}).number, 3u);

  auto wanted = carried(PicturesWanted{.track = 1,
                                       .every = Duration::seconds(5),
                                       .poster_width = 1280,
                                       .poster_height = 720,
                                       .tile_width = 160,
                                       .tile_height = 90,
                                       .columns = 5,
                                       .rows = 4});
  EXPECT_EQ(wanted.track, 1);
  EXPECT_EQ(wanted.every, Duration::seconds(5));
  EXPECT_EQ(std::pair(wanted.poster_width, wanted.poster_height), std::pair(1280u, 720u));
  EXPECT_EQ(std::pair(wanted.tile_width, wanted.tile_height), std::pair(160u, 90u));
  EXPECT_EQ(std::pair(wanted.columns, wanted.rows), std::pair(5u, 4u));

  auto refused = carried(RungRefused{.rung = 6, .text = "missed_cut"});
  EXPECT_EQ(refused.rung, 6);
  EXPECT_EQ(refused.text, "missed_cut");

  auto bye = carried(Bye{.reason = ByeReason::kTakenOver, .text = "by another"});
  EXPECT_EQ(bye.reason, ByeReason::kTakenOver);
  EXPECT_EQ(bye.text, "by another");
}

TEST(Wire, carries_every_codec) {
  using enum media::Codec;
  for (media::Codec codec : {kH264, kHevc, kAv1, kVp9, kAac, kOpus}) {
    media::Format format{.codec = codec};
    EXPECT_EQ(carried(RungFormat{.format = format}).format.codec, codec);
  }
}

// The examples of docs/formats/relay.md.
TEST(Wire, has_the_bytes_that_the_document_has) {
  EXPECT_EQ(written(ProgramCut{.msn = 3, .at = Duration::seconds(6), .follows_break = true}),
            (Buffer{0, 0, 0, 15, 0x24, 1, 1, 6, 2, 5, 0x80, 0xf0, 0x85, 0xda, 0x2c, 3, 1, 2, 0}));
  EXPECT_EQ(written(RungFrame{.rung = 2, .of = 40, .is_keyframe = true, .payload = shared("abc")}),
            (Buffer{0, 0, 0, 14, 0x03, 1, 1, 4, 2, 1, 80, 6, 1, 2, 0, 'a', 'b', 'c'}));
  EXPECT_EQ(written(Ping{}), (Buffer{0, 0, 0, 2, 0x27, 0}));
}

TEST(Wire, sends_a_payload_by_reference) {
  SharedBytes payload = shared("a frame");
  auto sent = write(ProgramFrame{.payload = payload});
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->payload.data(), payload.data());
}

TEST(Wire, reads_an_absent_field_as_its_default) {
  auto frame = read(MessageType::kRungFrame, {0});
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ(std::get<RungFrame>(**frame).pts, Duration());
  EXPECT_FALSE(std::get<RungFrame>(**frame).is_keyframe);
  auto ladder = read(MessageType::kLadderSet, {2, 4, 4, 1, 2, 0, 0});
  ASSERT_TRUE(ladder && *ladder);
  ASSERT_EQ(std::get<LadderSet>(**ladder).rungs.size(), 1u);
  EXPECT_EQ(std::get<LadderSet>(**ladder).rungs[0].frame_rate_denominator, 1u);
}

TEST(Wire, passes_over_fields_that_it_does_not_know) {
  auto ping = read(MessageType::kPing, {99, 3, 'n', 'e', 'w', 1, 1, 8, 0x80, 0x01, 0, 0});
  ASSERT_TRUE(ping && *ping);
  EXPECT_EQ(std::get<Ping>(**ping).number, 4u);
  // In an item too, and bytes behind the fields of a message that has no payload.
  auto ladder = read(MessageType::kLadderSet, {2, 7, 4, 1, 2, 77, 1, 5, 0, 0, 'n', 'e', 'w'});
  ASSERT_TRUE(ladder && *ladder);
  EXPECT_EQ(std::get<LadderSet>(**ladder).rungs.size(), 1u);
}

TEST(Wire, takes_the_last_of_a_field_that_comes_twice) {
  auto ping = read(MessageType::kPing, {1, 1, 8, 1, 1, 10, 0});
  ASSERT_TRUE(ping && *ping);
  EXPECT_EQ(std::get<Ping>(**ping).number, 5u);
}

TEST(Wire, passes_over_what_has_a_codec_that_it_does_not_know) {
  auto track = read(MessageType::kProgramTrack, {2, 4, 1, 1, 14, 0, 0});
  ASSERT_TRUE(track);
  EXPECT_FALSE(*track);
  auto without = read(MessageType::kProgramTrack, {0});
  ASSERT_TRUE(without);
  EXPECT_FALSE(*without);
  // Of a ladder the rung alone.
  auto ladder = read(MessageType::kLadderSet, {2, 4, 4, 1, 14, 0, 2, 4, 4, 1, 10, 0, 0});
  ASSERT_TRUE(ladder && *ladder);
  ASSERT_EQ(std::get<LadderSet>(**ladder).rungs.size(), 1u);
  EXPECT_EQ(std::get<LadderSet>(**ladder).rungs[0].codec, media::Codec::kAac);
}

TEST(Wire, takes_a_reason_that_it_does_not_know_for_another) {
  auto bye = read(MessageType::kBye, {1, 1, 120, 0});
  ASSERT_TRUE(bye && *bye);
  EXPECT_EQ(std::get<Bye>(**bye).reason, ByeReason::kOther);
  auto said = read(MessageType::kSaid, {1, 1, 120, 0});
  ASSERT_TRUE(said && *said);
  EXPECT_EQ(std::get<Said>(**said).level, LogLevel::kInfo);
}

TEST(Wire, refuses_fields_that_do_not_end) {
  EXPECT_EQ(refusal_of(MessageType::kPing, {}), Refusal::kBadField);
  EXPECT_EQ(refusal_of(MessageType::kPing, {1, 1, 8}), Refusal::kBadField);
  EXPECT_EQ(refusal_of(MessageType::kPing, {1, 9, 8, 0}), Refusal::kBadField);
  EXPECT_EQ(refusal_of(MessageType::kPing, {0x80}), Refusal::kBadField);
  EXPECT_EQ(refusal_of(MessageType::kLadderSet, {2, 3, 4, 1, 2, 0}), Refusal::kBadField);
  // 2^64 and more.
  EXPECT_EQ(
      refusal_of(MessageType::kPing, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0}),
      Refusal::kBadField);
}

TEST(Wire, refuses_values_outside_their_range) {
  EXPECT_EQ(refusal_of(MessageType::kPing, {1, 1, 1, 0}), Refusal::kBadValue);  // -1
  EXPECT_EQ(refusal_of(MessageType::kPing, {1, 0, 0}), Refusal::kBadValue);
  EXPECT_EQ(refusal_of(MessageType::kPing, {1, 2, 2, 2, 0}), Refusal::kBadValue);
  EXPECT_EQ(refusal_of(MessageType::kTrackGone, {1, 1, 32, 0}), Refusal::kBadValue);
  EXPECT_EQ(refusal_of(MessageType::kRungEnded, {1, 2, 0x80, 0x04, 0}), Refusal::kBadValue);
  EXPECT_EQ(refusal_of(MessageType::kProgramCut, {3, 1, 4, 0}), Refusal::kBadValue);
  EXPECT_EQ(refusal_of(MessageType::kRungFormat, {2, 7, 1, 1, 2, 7, 1, 0, 0, 0}), Refusal::kBadValue);
  EXPECT_EQ(refusal_of(MessageType::kProgramCut,
                       {2, 10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0}),
            Refusal::kBadValue);
  EXPECT_EQ(refusal_of(MessageType::kRungFormat, {2, 9, 1, 1, 2, 4, 3, 0x82, 0x80, 0x02, 0, 0}),
            Refusal::kBadValue);
}

TEST(Wire, does_not_write_what_would_be_refused) {
  EXPECT_TRUE(write(RungFrame{.payload = SharedBytes(Buffer(kFrameBytesMax))}));
  EXPECT_FALSE(write(RungFrame{.payload = SharedBytes(Buffer(kFrameBytesMax + 1))}));
  EXPECT_FALSE(write(ProgramFrame{.payload = SharedBytes(Buffer(kFrameBytesMax + 1))}));
  EXPECT_FALSE(write(ProgramFrame{.pts = kTimeMax + Duration::nanoseconds(1)}));
  EXPECT_FALSE(write(ProgramFrame{.track = media::kTracksPerPublicationMax}));
  EXPECT_FALSE(write(Ping{1ull << 63}));
  EXPECT_FALSE(write(Hello{.token = std::string(kTextBytesMax + 1, 't')}));
  EXPECT_FALSE(write(Hello{.encoders = std::vector<EncoderOffer>(kEncodersMax + 1)}));
  EXPECT_FALSE(write(LadderSet{.rungs = std::vector<media::Rung>(media::kRungsMax + 1)}));
  EXPECT_FALSE(write(LadderSet{.rungs = {{.name = std::string(media::kRungNameBytesMax + 1, 'n')}}}));
  EXPECT_FALSE(write(LadderSet{.rungs = {{.frame_rate_denominator = 0}}}));
  EXPECT_FALSE(write(LadderSet{.rungs = {{.width = kPictureSideMax + 2}}}));
  media::Format format = picture_format();
  format.config = SharedBytes(Buffer(kConfigBytesMax));
  EXPECT_TRUE(write(ProgramTrack{.format = format}));
  format.config = SharedBytes(Buffer(kConfigBytesMax + 1));
  EXPECT_FALSE(write(ProgramTrack{.format = format}));
}

TEST(Wire, writes_the_longest_of_every_message) {
  std::string text(kTextBytesMax, 'x');
  EXPECT_TRUE(write(Hello{.version_highest = ~0u,
                          .program = text,
                          .worker = text,
                          .token = text,
                          .encoders = std::vector<EncoderOffer>(kEncodersMax, {{}, text, text})}));
  media::Rung rung = picture_rung();
  rung.name = std::string(media::kRungNameBytesMax, 'x');
  EXPECT_TRUE(write(LadderSet{.rungs = std::vector<media::Rung>(media::kRungsMax, rung)}));
  EXPECT_TRUE(write(Progress{.rungs = std::vector<RungProgress>(media::kRungsMax, {.encoder = text})}));
}

TEST(Wire, cuts_a_text_for_people_between_two_letters) {
  std::string text(kTextBytesMax - 1, 'x');
  EXPECT_EQ(carried(Said{.text = text + "yz"}).text, text + "y");
  EXPECT_EQ(carried(Said{.text = text + "\u00e4z"}).text, text);
  EXPECT_EQ(carried(Said{.text = std::string(1'000, '\x80')}).text, "");
}

// What a writer does not write, a peer may.
TEST(Wire, refuses_fields_over_a_limit) {
  auto with_run = [](MessageType type, std::uint8_t tag, std::size_t size) {
    ByteWriter body;
    body.u8(tag);
    body.u8(static_cast<std::uint8_t>(size & 0x7f) | 0x80);
    body.u8(static_cast<std::uint8_t>(size >> 7 & 0x7f) | 0x80);
    body.u8(static_cast<std::uint8_t>(size >> 14));
    body.zeros(size);
    body.u8(0);
    return parse(type, SharedBytes(body.take()));
  };
  EXPECT_TRUE(with_run(MessageType::kSaid, 2, kTextBytesMax));
  EXPECT_EQ(with_run(MessageType::kSaid, 2, kTextBytesMax + 1).error(), Refusal::kFieldTooLarge);
  EXPECT_EQ(with_run(MessageType::kHello, 5, kTextBytesMax + 1).error(), Refusal::kFieldTooLarge);

  auto repeated = [](MessageType type, std::initializer_list<std::uint8_t> field, std::size_t count) {
    ByteWriter body;
    for (std::size_t i = 0; i < count; ++i) body.bytes(Buffer(field));
    body.u8(0);
    return parse(type, SharedBytes(body.take()));
  };
  EXPECT_TRUE(repeated(MessageType::kPing, {1, 1, 2}, kFieldsMax));
  EXPECT_EQ(repeated(MessageType::kPing, {1, 1, 2}, kFieldsMax + 1).error(), Refusal::kTooManyFields);
  EXPECT_TRUE(repeated(MessageType::kLadderSet, {2, 4, 4, 1, 2, 0}, media::kRungsMax));
  EXPECT_EQ(repeated(MessageType::kLadderSet, {2, 4, 4, 1, 2, 0}, media::kRungsMax + 1).error(),
            Refusal::kTooManyFields);
  EXPECT_EQ(repeated(MessageType::kHello, {6, 4, 1, 1, 2, 0}, kEncodersMax + 1).error(),
            Refusal::kTooManyFields);

  ByteWriter config;
  config.u8(1);
  config.bytes(Buffer{1, 2});
  config.u8(2);
  config.bytes(Buffer{0x81, 0x80, 0x04});  // kConfigBytesMax + 1
  config.zeros(kConfigBytesMax + 1);
  config.u8(0);
  ByteWriter track;
  track.u8(2);
  track.bytes(Buffer{static_cast<std::uint8_t>((config.size() & 0x7f) | 0x80),
                     static_cast<std::uint8_t>((config.size() >> 7 & 0x7f) | 0x80),
                     static_cast<std::uint8_t>(config.size() >> 14)});
  track.bytes(config.view());
  track.u8(0);
  EXPECT_EQ(parse(MessageType::kProgramTrack, SharedBytes(track.take())).error(), Refusal::kFieldTooLarge);

  Buffer frame(kFrameBytesMax + 2);
  EXPECT_EQ(parse(MessageType::kProgramFrame, SharedBytes(std::move(frame))).error(),
            Refusal::kFieldTooLarge);
}

using Expected = MessageReader::Expected;

// The messages in `bytes`, given `step` bytes at a time.
std::vector<Message> read_all(MessageReader& reader, Bytes bytes, std::size_t step) {
  std::vector<Message> messages;
  while (!bytes.empty()) {
    Bytes input = bytes.first(std::min(step, bytes.size()));
    bytes = bytes.subspan(input.size());
    for (;;) {
      auto next = reader.next(input);
      EXPECT_TRUE(next);
      if (!next || !*next) break;
      messages.push_back(std::move(**next));
    }
  }
  return messages;
}

TEST(MessageReader, reads_a_stream_cut_anywhere) {
  Buffer stream;
  auto append = [&](const Buffer& bytes) { stream.insert(stream.end(), bytes.begin(), bytes.end()); };
  append(written(ProgramTrack{.track = 1, .format = picture_format()}));
  append(framed(0x60, Buffer(300, 7)));
  append(written(ProgramFrame{.number = 1, .track = 1, .payload = SharedBytes(Buffer(1'000, 9))}));
  append(framed(0x7f, {}));
  append(written(Ping{1}));
  for (std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{333}, stream.size()}) {
    MessageReader reader(Expected::kFromOwner);
    auto messages = read_all(reader, stream, step);
    ASSERT_EQ(messages.size(), 3u) << step;
    expect_same(std::get<ProgramTrack>(messages[0]).format, picture_format());
    EXPECT_EQ(std::get<ProgramFrame>(messages[1]).payload.size(), 1'000u);
    EXPECT_EQ(std::get<Ping>(messages[2]).number, 1u);
    EXPECT_EQ(reader.skipped(), 2u);
  }
}

std::optional<Refusal> refused(Expected expected, const Buffer& bytes) {
  MessageReader reader(expected);
  Bytes input = bytes;
  for (;;) {
    auto next = reader.next(input);
    if (!next) return next.error();
    if (!*next) return std::nullopt;
  }
}

TEST(MessageReader, refuses_messages_that_must_be_known) {
  EXPECT_EQ(refused(Expected::kFromOwner, framed(0x80, {})), Refusal::kUnknownMessage);
  EXPECT_EQ(refused(Expected::kFromWorker, framed(0xff, {})), Refusal::kUnknownMessage);
  EXPECT_EQ(refused(Expected::kFromWorker, framed(0x7f, {})), std::nullopt);
}

TEST(MessageReader, refuses_messages_that_are_not_expected) {
  EXPECT_EQ(refused(Expected::kHello, written(Hello{})), std::nullopt);
  EXPECT_EQ(refused(Expected::kHello, written(Pong{})), Refusal::kUnexpectedMessage);
  EXPECT_EQ(refused(Expected::kHello, framed(0x70, {})), Refusal::kUnexpectedMessage);
  EXPECT_EQ(refused(Expected::kWelcome, written(Ping{})), Refusal::kUnexpectedMessage);
  EXPECT_EQ(refused(Expected::kFromWorker, written(Hello{})), Refusal::kUnexpectedMessage);
  EXPECT_EQ(refused(Expected::kFromWorker, written(Ping{})), Refusal::kUnexpectedMessage);
  EXPECT_EQ(refused(Expected::kFromOwner, written(Welcome{})), Refusal::kUnexpectedMessage);
  EXPECT_EQ(refused(Expected::kFromOwner, written(Pong{})), Refusal::kUnexpectedMessage);
  EXPECT_EQ(refused(Expected::kNothing, written(Pong{})), Refusal::kUnexpectedMessage);
  for (auto expected : {Expected::kHello, Expected::kWelcome, Expected::kFromWorker, Expected::kFromOwner,
                        Expected::kNothing}) {
    EXPECT_EQ(refused(expected, written(Bye{})), std::nullopt);
  }
}

TEST(Wire, refuses_slates_that_are_not_whole) {
  // A format alone, of H.264, then frames.
  auto slate = [](std::initializer_list<std::uint8_t> frames) {
    Buffer body{4, 4, 1, 1, 2, 0, 0};
    body.insert(body.end(), frames);
    return parse(MessageType::kSlateMade, SharedBytes(std::move(body)));
  };
  auto read = slate({0, 0, 0, 2, 'a', 'b', 0, 0, 0, 1, 'c'});
  ASSERT_TRUE(read && *read);
  EXPECT_EQ(std::get<SlateMade>(**read).frames.size(), 2u);
  EXPECT_EQ(slate({0, 0, 0, 2, 'a'}).error(), Refusal::kBadValue);
  EXPECT_EQ(slate({0, 0, 0, 0}).error(), Refusal::kBadValue);
  EXPECT_EQ(slate({0, 0}).error(), Refusal::kBadValue);

  auto is_written = [](std::size_t count, std::size_t size) {
    std::vector<SharedBytes> frames(count, SharedBytes(Buffer(size, 1)));
    return write(SlateMade{.frames = std::move(frames)}).has_value();
  };
  EXPECT_TRUE(is_written(kSlateFramesMax, 10));
  EXPECT_FALSE(is_written(kSlateFramesMax + 1, 10));
  EXPECT_TRUE(is_written(1, kSlateBytesMax - 4));
  EXPECT_FALSE(is_written(1, kSlateBytesMax - 3));
  EXPECT_FALSE(is_written(1, 0));
}

TEST(MessageReader, refuses_a_message_by_its_length_before_it_has_come) {
  auto header = [](std::uint8_t type, std::size_t length) {
    ByteWriter out;
    out.u32(static_cast<std::uint32_t>(length));
    out.u8(type);
    return out.take();
  };
  auto type = [](MessageType t) { return static_cast<std::uint8_t>(t); };
  EXPECT_EQ(refused(Expected::kFromOwner, header(type(MessageType::kPing), 0)), Refusal::kBadLength);
  struct Case {
    Expected expected;
    std::uint8_t type;
    std::size_t bytes_max;
  };
  for (Case c :
       {Case{Expected::kHello, type(MessageType::kHello), kHelloBytesMax},
        Case{Expected::kWelcome, type(MessageType::kWelcome), kHelloBytesMax},
        Case{Expected::kHello, type(MessageType::kBye), kHelloBytesMax},
        Case{Expected::kFromWorker, type(MessageType::kSaid), kControlBytesMax},
        Case{Expected::kFromOwner, type(MessageType::kProgramTrack), kControlBytesMax},
        Case{Expected::kFromWorker, type(MessageType::kRungFrame), kMessageBytesMax},
        Case{Expected::kFromWorker, type(MessageType::kSlateMade), kSlateBytesMax + kFrameHeadBytesMax},
        Case{Expected::kFromWorker, type(MessageType::kPosterMade), kJpegBytesMax + kFrameHeadBytesMax},
        Case{Expected::kFromWorker, type(MessageType::kStoryboardMade), kJpegBytesMax + kFrameHeadBytesMax},
        Case{Expected::kFromOwner, type(MessageType::kProgramFrame), kMessageBytesMax},
        Case{Expected::kFromOwner, 0x60, kMessageBytesMax}}) {
    EXPECT_EQ(refused(c.expected, header(c.type, c.bytes_max)), std::nullopt) << int{c.type};
    EXPECT_EQ(refused(c.expected, header(c.type, c.bytes_max + 1)), Refusal::kMessageTooLarge) << int{c.type};
  }
}

}  // namespace
}  // namespace stoa::relay
