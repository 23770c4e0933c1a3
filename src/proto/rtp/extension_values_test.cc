#include "proto/rtp/extension_values.h"

#include <gtest/gtest.h>

#include "proto/rtp/test_bytes.h"

namespace stoa::rtp {
namespace {

TEST(ExtensionKind, is_found_by_its_uri) {
  for (int i = 0; i < kExtensionKinds; ++i) {
    auto kind = static_cast<ExtensionKind>(i);
    EXPECT_EQ(find_extension_kind(uri_of(kind)), kind);
  }
  EXPECT_EQ(find_extension_kind("urn:3gpp:video-orientation"), ExtensionKind::kVideoOrientation);
  EXPECT_FALSE(find_extension_kind("urn:ietf:params:rtp-hdrext:toffset"));
}

TEST(ExtensionMap, gives_one_id_one_kind) {
  ExtensionMap map;
  EXPECT_TRUE(map.set(ExtensionKind::kMid, 4));
  EXPECT_FALSE(map.set(ExtensionKind::kRid, 4));
  EXPECT_FALSE(map.set(ExtensionKind::kRid, 0));
  EXPECT_TRUE(map.set(ExtensionKind::kRid, 10));
  EXPECT_TRUE(map.set(ExtensionKind::kMid, 4));
  EXPECT_EQ(map.find_kind(4), ExtensionKind::kMid);
  EXPECT_EQ(map.id_of(ExtensionKind::kRid), 10);
  EXPECT_FALSE(map.find_kind(0));
  EXPECT_FALSE(map.find_kind(5));
  EXPECT_FALSE(map.has(ExtensionKind::kAudioLevel));
}

TEST(ExtensionMap, leads_from_the_ids_of_a_sender_to_those_of_a_receiver) {
  ExtensionMap sender, receiver;
  sender.set(ExtensionKind::kMid, 1);
  sender.set(ExtensionKind::kAudioLevel, 2);
  receiver.set(ExtensionKind::kAudioLevel, 7);
  auto ids = sender.ids_towards(receiver);
  EXPECT_EQ(ids[1], 0);
  EXPECT_EQ(ids[2], 7);
  EXPECT_EQ(ids[7], 0);
}

TEST(Mid, is_a_token) {
  EXPECT_EQ(parse_mid(as_bytes("audio-0")), "audio-0");
  EXPECT_FALSE(parse_mid({}));
  EXPECT_FALSE(parse_mid(as_bytes("a b")));
  EXPECT_FALSE(parse_mid(from_hex("6100")));
}

TEST(Rid, has_letters_digits_and_two_signs) {
  EXPECT_EQ(parse_rid(as_bytes("f-1_Q")), "f-1_Q");
  EXPECT_FALSE(parse_rid(as_bytes("f.1")));
  EXPECT_FALSE(parse_rid({}));
}

TEST(AudioLevel, has_voice_in_its_first_bit) {
  EXPECT_EQ(parse_audio_level(from_hex("b2")), (AudioLevel{.level = 50, .has_voice = true}));
  EXPECT_EQ(parse_audio_level(from_hex("7f")), AudioLevel{});
  EXPECT_EQ(write_audio_level({.level = 50, .has_voice = true})[0], 0xb2);
  EXPECT_EQ(write_audio_level({.level = 200})[0], 0x7f);
  EXPECT_FALSE(parse_audio_level(from_hex("b200")));
}

TEST(TransportSequence, is_two_bytes) {
  EXPECT_EQ(parse_transport_sequence(from_hex("fffe")), 0xfffe);
  EXPECT_EQ(copy(write_transport_sequence(0x1234)), from_hex("1234"));
  EXPECT_FALSE(parse_transport_sequence(from_hex("fffe00")));
}

TEST(TransportSequence, of_the_later_version_may_ask_for_feedback) {
  EXPECT_EQ(parse_transport_sequence_ask(from_hex("1234")), (TransportSequenceAsk{.sequence = 0x1234}));
  TransportSequenceAsk ask{
      .sequence = 0x1234, .asks_now = true, .wants_timestamps = true, .asked_packets = 5};
  EXPECT_EQ(parse_transport_sequence_ask(from_hex("12348005")), ask);
  EXPECT_EQ(copy(write_transport_sequence_ask(ask)), from_hex("12348005"));
  EXPECT_FALSE(parse_transport_sequence_ask(from_hex("123480")));
}

TEST(AbsSendTime, counts_seconds_in_six_and_eighteen_bits) {
  EXPECT_EQ(AbsSendTime::at(Timestamp::from_ns(1'000'000'000)).ticks(), 0x040000u);
  EXPECT_EQ(AbsSendTime::at(Timestamp::from_ns(65'500'000'000)).ticks(), 0x060000u);
  EXPECT_EQ(copy(write_abs_send_time(AbsSendTime(0x123456))), from_hex("123456"));
  EXPECT_EQ(parse_abs_send_time(from_hex("123456"))->ticks(), 0x123456u);
  EXPECT_FALSE(parse_abs_send_time(from_hex("1234")));
}

TEST(AbsSendTime, measures_across_its_wrap) {
  EXPECT_EQ(AbsSendTime(0x020000).since(AbsSendTime(0xfe0000)), Duration::seconds(1));
  EXPECT_EQ(AbsSendTime(0xfe0000).since(AbsSendTime(0x020000)), -Duration::seconds(1));
  EXPECT_EQ(AbsSendTime(0x800000).since(AbsSendTime(0)), Duration::seconds(32));
}

TEST(AbsCaptureTime, comes_with_or_without_the_clock_offset) {
  Buffer short_form = from_hex("e000000180000000"), long_form = from_hex("e000000180000000 ffffffff80000000");
  AbsCaptureTime time{.ntp = 0xe000'0001'8000'0000};
  EXPECT_EQ(parse_abs_capture_time(short_form), time);
  EXPECT_EQ(copy(write_abs_capture_time(time).view()), short_form);
  time.clock_offset = -(std::int64_t{1} << 31);  // Half a second back.
  EXPECT_EQ(parse_abs_capture_time(long_form), time);
  EXPECT_EQ(copy(write_abs_capture_time(time).view()), long_form);
  EXPECT_FALSE(parse_abs_capture_time(from_hex("e0000001800000")));
}

TEST(Ntp, counts_from_1900_and_wraps_in_2036) {
  WallTime time = WallTime::from_us(1'767'225'600'250'000);
  EXPECT_EQ(to_ntp(time) >> 32, 1'767'225'600u + 2'208'988'800u);
  EXPECT_EQ(to_ntp(time) & 0xffff'ffff, 0x4000'0000u);
  EXPECT_EQ(from_ntp(to_ntp(time)), time);
  WallTime after_2036 = WallTime::from_seconds(2'208'988'800);
  EXPECT_EQ(from_ntp(to_ntp(after_2036)), after_2036);
  EXPECT_EQ(from_ntp(to_ntp(WallTime::from_us(-1))), WallTime::from_us(-1));
}

TEST(VideoOrientation, is_four_bits) {
  VideoOrientation orientation{.is_back_camera = true, .is_flipped = false, .degrees = 270};
  EXPECT_EQ(parse_video_orientation(from_hex("0b")), orientation);
  EXPECT_EQ(write_video_orientation(orientation)[0], 0x0b);
  EXPECT_EQ(write_video_orientation({.is_flipped = true, .degrees = 90})[0], 0x05);
  EXPECT_FALSE(parse_video_orientation({}));
}

TEST(PlayoutDelay, counts_steps_of_ten_milliseconds) {
  PlayoutDelay delay{Duration::milliseconds(100), Duration::milliseconds(40'950)};
  EXPECT_EQ(parse_playout_delay(from_hex("00afff")), delay);
  EXPECT_EQ(copy(write_playout_delay(delay)), from_hex("00afff"));
  EXPECT_EQ(copy(write_playout_delay({-Duration::seconds(1), Duration::seconds(100)})), from_hex("000fff"));
  EXPECT_FALSE(parse_playout_delay(from_hex("00b00a")));
  EXPECT_FALSE(parse_playout_delay(from_hex("00")));
}

}  // namespace
}  // namespace stoa::rtp
