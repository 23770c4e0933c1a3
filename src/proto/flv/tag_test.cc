#include "proto/flv/tag.h"

#include <gtest/gtest.h>

namespace stoa::flv {
namespace {

SharedBytes bytes(Buffer buffer) { return SharedBytes(std::move(buffer)); }
SharedBytes text(std::string_view t) { return SharedBytes::copy_of(as_bytes(t)); }

void expect_same(const Packet& a, const Packet& b) {
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.codec, b.codec);
  EXPECT_EQ(a.track, b.track);
  EXPECT_EQ(a.says_keyframe, b.says_keyframe);
  EXPECT_EQ(a.composition_ms, b.composition_ms);
  EXPECT_EQ(a.offset_ns, b.offset_ns);
  EXPECT_EQ(a.body.text(), b.body.text());
}

Refusal video_refusal(Buffer buffer) {
  auto parsed = parse_video(bytes(std::move(buffer)));
  EXPECT_FALSE(parsed.has_value());
  return parsed ? static_cast<Refusal>(99) : parsed.error();
}

TEST(VideoTag, reads_legacy_avc_with_a_negative_composition_time) {
  auto packets = parse_video(bytes({0x27, 1, 0xff, 0xff, 0xd8, 'x', 'y'}));
  ASSERT_TRUE(packets && packets->size() == 1);
  expect_same(packets->front(), {PacketKind::kFrames, kAvc, 0, 0, false, -40, 0, text("xy")});
  packets = parse_video(bytes({0x17, 0, 0, 0, 0, 'c'}));
  ASSERT_TRUE(packets && packets->size() == 1);
  EXPECT_EQ(packets->front().kind, PacketKind::kSequenceStart);
  EXPECT_TRUE(packets->front().says_keyframe);
  packets = parse_video(bytes({0x17, 2, 0, 0, 0}));
  ASSERT_TRUE(packets && packets->size() == 1);
  EXPECT_EQ(packets->front().kind, PacketKind::kSequenceEnd);
}

TEST(VideoTag, names_legacy_codecs_without_a_fourcc) {
  auto packets = parse_video(bytes({0x22, 1, 2}));
  ASSERT_TRUE(packets && packets->size() == 1);
  EXPECT_EQ(packets->front().codec, 0u);
  EXPECT_STREQ(name_of_video_codec(packets->front()), "Sorenson H.263");
}

TEST(VideoTag, reads_enhanced_hevc_with_and_without_composition_time) {
  auto packets = parse_video(bytes({0x91, 'h', 'v', 'c', '1', 0, 0, 80, 'f'}));
  ASSERT_TRUE(packets && packets->size() == 1);
  expect_same(packets->front(), {PacketKind::kFrames, kHevc, 0, 0, true, 80, 0, text("f")});
  packets = parse_video(bytes({0xa3, 'h', 'v', 'c', '1', 'f'}));
  ASSERT_TRUE(packets && packets->size() == 1);
  expect_same(packets->front(), {PacketKind::kFrames, kHevc, 0, 0, false, 0, 0, text("f")});
}

TEST(VideoTag, reads_no_composition_time_where_the_codec_has_none) {
  for (FourCc codec : {kAv1, kVp9}) {
    ByteWriter writer;
    writer.u8(0x91);
    writer.u32(codec);
    writer.text("frame");
    auto packets = parse_video(bytes(writer.take()));
    ASSERT_TRUE(packets && packets->size() == 1);
    expect_same(packets->front(), {PacketKind::kFrames, codec, 0, 0, true, 0, 0, text("frame")});
  }
}

// ModEx: 3 bytes of offset, then a modifier of an unknown type, then 300 bytes of another.
TEST(VideoTag, reads_a_nanosecond_offset_among_modifiers_it_does_not_know) {
  ByteWriter writer;
  writer.u8(0x97);
  writer.u8(2);
  writer.u24(123'456);
  writer.u8(0x07);
  writer.u8(0);
  writer.u8(0xee);
  writer.u8(0xf7);
  writer.u8(255);
  writer.u16(299);
  writer.zeros(300);
  writer.u8(0x13);
  writer.u32(kHevc);
  writer.text("f");
  auto packets = parse_video(bytes(writer.take()));
  ASSERT_TRUE(packets && packets->size() == 1);
  expect_same(packets->front(), {PacketKind::kFrames, kHevc, 0, 0, true, 0, 123'456, text("f")});
}

TEST(VideoTag, reads_one_track_many_tracks_and_many_codecs) {
  auto one = parse_video(bytes({0x96, 0x03, 'a', 'v', 'c', '1', 7, 'f', 'g'}));
  ASSERT_TRUE(one && one->size() == 1);
  expect_same(one->front(), {PacketKind::kFrames, kAvc, 0, 7, true, 0, 0, text("fg")});

  auto many = parse_video(
      bytes({0x96, 0x11, 'a', 'v', 'c', '1', 0, 0, 0, 4, 0, 0, 40, 'f', 1, 0, 0, 5, 0, 0, 0, 'g', 'h'}));
  ASSERT_TRUE(many && many->size() == 2);
  expect_same((*many)[0], {PacketKind::kFrames, kAvc, 0, 0, true, 40, 0, text("f")});
  expect_same((*many)[1], {PacketKind::kFrames, kAvc, 0, 1, true, 0, 0, text("gh")});

  auto codecs = parse_video(bytes({0x96, 0x21, 'h', 'v', 'c', '1', 0, 0, 0,   4,  0, 0, 1, 'f',  //
                                   'a',  'v',  '0', '1', 1,   0,   0, 2, 'g', 'h'}));
  ASSERT_TRUE(codecs && codecs->size() == 2);
  expect_same((*codecs)[0], {PacketKind::kFrames, kHevc, 0, 0, true, 1, 0, text("f")});
  expect_same((*codecs)[1], {PacketKind::kFrames, kAv1, 0, 1, true, 0, 0, text("gh")});
}

TEST(VideoTag, has_no_packets_for_seek_commands_and_empty_messages) {
  for (Buffer body : {Buffer{}, Buffer{0x57, 0}, Buffer{0xd0, 0}, Buffer{0xd1, 1}}) {
    auto packets = parse_video(bytes(body));
    ASSERT_TRUE(packets);
    EXPECT_TRUE(packets->empty());
  }
  // Metadata is metadata whatever the frame type.
  auto metadata = parse_video(bytes({0xd4, 'h', 'v', 'c', '1', 2}));
  ASSERT_TRUE(metadata && metadata->size() == 1);
  EXPECT_EQ(metadata->front().kind, PacketKind::kMetadata);
}

TEST(AudioTag, reads_legacy_aac_and_names_what_is_not) {
  auto packets = parse_audio(bytes({0xaf, 0, 0x12, 0x10}));
  ASSERT_TRUE(packets && packets->size() == 1);
  EXPECT_EQ(packets->front().kind, PacketKind::kSequenceStart);
  EXPECT_EQ(packets->front().codec, kAac);
  packets = parse_audio(bytes({0xb2, 1}));
  ASSERT_TRUE(packets && packets->size() == 1);
  EXPECT_STREQ(name_of_audio_codec(packets->front()), "Speex");
  packets = parse_audio(bytes({0x2f, 1}));
  EXPECT_STREQ(name_of_audio_codec(packets->front()), "MP3");
  EXPECT_TRUE(parse_audio(bytes({}))->empty());
}

TEST(AudioTag, reads_enhanced_opus_in_one_and_many_tracks) {
  auto packets = parse_audio(bytes({0x91, 'O', 'p', 'u', 's', 1, 2}));
  ASSERT_TRUE(packets && packets->size() == 1);
  EXPECT_EQ(packets->front().codec, kOpus);
  auto many = parse_audio(bytes({0x95, 0x11, 'O', 'p', 'u', 's', 0, 0, 0, 1, 'a', 4, 0, 0, 1, 'b'}));
  ASSERT_TRUE(many && many->size() == 2);
  EXPECT_EQ((*many)[1].track, 4);
  EXPECT_EQ((*many)[1].body.text(), "b");
  auto channels = parse_audio(bytes({0x94, 'O', 'p', 'u', 's', 1, 2, 0, 0, 0, 3}));
  ASSERT_TRUE(channels && channels->size() == 1);
  EXPECT_EQ(channels->front().kind, PacketKind::kMetadata);
}

TEST(Tags, are_read_as_they_were_written) {
  for (auto kind : {PacketKind::kSequenceStart, PacketKind::kFrames, PacketKind::kSequenceEnd}) {
    for (std::int32_t composition : {0, -40, 8'000'000}) {
      for (FourCc codec : {kAvc, kHevc, kAv1, kVp9}) {
        bool has = kind == PacketKind::kFrames && (codec == kAvc || codec == kHevc);
        Packet packet{kind, codec, 0, 0, true, has ? composition : 0, 999'999, text("payload")};
        auto parsed = parse_video(bytes(write_video(packet)));
        ASSERT_TRUE(parsed && parsed->size() == 1);
        expect_same(parsed->front(), packet);
        Packet second = packet;
        second.track = 3;
        second.body = text("other");
        for (auto type : {Multitrack::kManyTracks, Multitrack::kManyTracksManyCodecs}) {
          parsed = parse_video(bytes(write_video(type, {packet, second})));
          ASSERT_TRUE(parsed && parsed->size() == 2);
          expect_same((*parsed)[0], packet);
          expect_same((*parsed)[1], second);
        }
        parsed = parse_video(bytes(write_video(Multitrack::kOneTrack, {second})));
        ASSERT_TRUE(parsed && parsed->size() == 1);
        expect_same(parsed->front(), second);
      }
    }
    Packet audio{kind, kOpus, 0, 0, true, 0, 5, text("sound")};
    auto parsed = parse_audio(bytes(write_audio(audio)));
    ASSERT_TRUE(parsed && parsed->size() == 1);
    expect_same(parsed->front(), audio);
    Packet avc{kind, kAvc, 0, 0, false, -3, 0, text("v")};
    expect_same(parse_video(bytes(write_legacy_video(avc)))->front(), avc);
  }
  Packet aac{PacketKind::kFrames, kAac, 0, 0, true, 0, 0, text("a")};
  expect_same(parse_audio(bytes(write_legacy_audio(aac)))->front(), aac);
}

TEST(Tags, refuse_each_kind_of_damage) {
  EXPECT_EQ(video_refusal({0x17, 1, 0}), Refusal::kTruncated);
  EXPECT_EQ(video_refusal({0x91, 'h', 'v'}), Refusal::kTruncated);
  EXPECT_EQ(video_refusal({0x91, 'h', 'v', 'c', '1', 0}), Refusal::kTruncated);
  EXPECT_EQ(video_refusal({0x96, 0x11, 'a', 'v', 'c', '1', 0, 0, 0, 9, 1}), Refusal::kTruncated);
  EXPECT_EQ(video_refusal({0x97, 9, 1}), Refusal::kTruncated);
  EXPECT_EQ(video_refusal({0x96, 0x06, 'a', 'v', 'c', '1', 0}), Refusal::kNestedMultitrack);
  EXPECT_EQ(video_refusal({0x96, 0x31, 'a', 'v', 'c', '1', 0}), Refusal::kUnknownMultitrackType);
  EXPECT_EQ(video_refusal({0x98, 'a', 'v', 'c', '1', 0}), Refusal::kUnknownPacketType);
  EXPECT_EQ(video_refusal({0x17, 9, 0, 0, 0}), Refusal::kUnknownPacketType);
  EXPECT_EQ(video_refusal({0x97, 1, 0, 0, 0x03, 'a', 'v', 'c', '1'}), Refusal::kBadModEx);
  EXPECT_EQ(video_refusal({0x97, 2, 0x0f, 0x42, 0x40, 0x03, 'a', 'v', 'c', '1'}), Refusal::kBadModEx);
  Buffer modifiers = {0x97};
  for (int i = 0; i <= kModExMax; ++i) modifiers.insert(modifiers.end(), {0, 0, 0xf7});
  EXPECT_EQ(video_refusal(modifiers), Refusal::kBadModEx);
  EXPECT_EQ(video_refusal({0x95, 'a', 'v', '0', '1', 1}), Refusal::kMpegTs);
  Buffer tracks = {0x96, 0x12, 'a', 'v', 'c', '1'};
  for (std::size_t i = 0; i <= kTracksPerMessageMax; ++i) {
    tracks.insert(tracks.end(), {static_cast<std::uint8_t>(i), 0, 0, 0});
  }
  EXPECT_EQ(video_refusal(tracks), Refusal::kTooManyTracks);
  auto audio = parse_audio(bytes({0xaf}));
  ASSERT_FALSE(audio);
  EXPECT_EQ(audio.error(), Refusal::kTruncated);
  auto x = parse_audio(bytes({0x93, 'O', 'p', 'u', 's'}));
  ASSERT_FALSE(x);
  EXPECT_EQ(x.error(), Refusal::kUnknownPacketType);
}

}  // namespace
}  // namespace stoa::flv
