#include "proto/sdp/codec.h"

#include <gtest/gtest.h>

#include "proto/sdp/limits.h"

namespace stoa::sdp {
namespace {

Payload h264(std::uint32_t profile_level_id, std::uint8_t mode = 1, bool asymmetry = true) {
  return make_payload(96, Codec::kH264,
                      H264Format{.profile_level_id = profile_level_id,
                                 .packetization_mode = mode,
                                 .level_asymmetry_allowed = asymmetry});
}

template <typename Format>
Format parsed(Codec codec, std::string_view text) {
  auto format = parse_format(codec, text);
  EXPECT_TRUE(format) << text;
  return format ? std::get<Format>(*format) : Format{};
}

TEST(CodecFormat, absent_parameters_have_the_values_that_the_payload_format_infers) {
  EXPECT_EQ(parsed<H264Format>(Codec::kH264, "").profile_level_id, 0x42000au);
  EXPECT_EQ(parsed<H264Format>(Codec::kH264, "").packetization_mode, 0);
  EXPECT_EQ(parsed<HevcFormat>(Codec::kHevc, "").level_id, 93);
  EXPECT_EQ(parsed<Av1Format>(Codec::kAv1, "").level_idx, 5);
  EXPECT_EQ(parsed<Vp9Format>(Codec::kVp9, "").profile_id, 0);
  EXPECT_FALSE(parsed<OpusFormat>(Codec::kOpus, "").stereo);
}

TEST(CodecFormat, is_read_whatever_its_spaces_letters_and_unknown_parameters) {
  auto format = parsed<H264Format>(
      Codec::kH264,
      " Packetization-Mode=1; profile-level-id=64C028 ;x-google-start-bitrate=1000;max-fs=8160;");
  EXPECT_EQ(format.packetization_mode, 1);
  EXPECT_EQ(format.profile_level_id, 0x64c028u);
  EXPECT_EQ(format.max_fs, 8160u);
}

TEST(CodecFormat, is_written_so_that_it_is_read_as_it_was) {
  const std::pair<Codec, std::string_view> cases[] = {
      {Codec::kH264,
       "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f;max-mbps=1;max-fs=2"},
      {Codec::kH264, "packetization-mode=0;profile-level-id=00000a;sprop-parameter-sets=Z0I=,aM4="},
      {Codec::kHevc,
       "profile-space=1;level-id=180;profile-id=2;tier-flag=1;tx-mode=MRST;sprop-vps=QAE=;sprop-sps=Q=;"
       "sprop-pps=R="},
      {Codec::kVp8, "max-fs=12288;max-fr=60"},
      {Codec::kVp9, "profile-id=2;max-fs=3600;max-fr=30"},
      {Codec::kAv1, "level-idx=13;profile=1;tier=1"},
      {Codec::kOpus,
       "minptime=10;maxplaybackrate=48000;sprop-maxcapturerate=16000;maxaveragebitrate=64000;stereo=1;"
       "sprop-stereo=1;cbr=1;useinbandfec=1;usedtx=1"},
      {Codec::kRtx, "apt=96;rtx-time=3000"},
      {Codec::kRed, "111/111/0"},
  };
  for (auto& [codec, text] : cases) {
    auto format = parse_format(codec, text);
    ASSERT_TRUE(format) << text;
    EXPECT_EQ(write_format(*format), text);
  }
}

TEST(CodecFormat, out_of_its_range_is_refused) {
  const std::pair<Codec, std::string> cases[] = {
      {Codec::kH264, "profile-level-id=42e01"},
      {Codec::kH264, "profile-level-id=42e01g"},
      {Codec::kH264, "packetization-mode=3"},
      {Codec::kH264, "level-asymmetry-allowed=2"},
      {Codec::kH264, "max-fs=4294967296"},
      {Codec::kH264, "sprop-parameter-sets=" + std::string(kParameterSetBytesMax + 1, 'A')},
      {Codec::kHevc, "profile-space=4"},
      {Codec::kHevc, "tx-mode=SVC"},
      {Codec::kHevc, "level-id=256"},
      {Codec::kVp8, "max-fr=fast"},
      {Codec::kVp9, "profile-id=4"},
      {Codec::kAv1, "profile=3"},
      {Codec::kAv1, "level-idx=32"},
      {Codec::kOpus, "stereo=yes"},
      {Codec::kOpus, "maxaveragebitrate=-1"},
      {Codec::kRtx, ""},
      {Codec::kRtx, "rtx-time=3000"},
      {Codec::kRtx, "apt=128"},
      {Codec::kRed, "111/200"},
  };
  for (auto& [codec, text] : cases) {
    auto format = parse_format(codec, text);
    ASSERT_FALSE(format) << text;
    EXPECT_EQ(format.error(), Refusal::kBadFormatParameters);
  }
}

// RFC 6184 table 5.
TEST(H264, profile_is_the_idc_with_its_constraint_flags) {
  EXPECT_EQ(h264_profile_of(0x42e01f), H264Profile::kConstrainedBaseline);
  EXPECT_EQ(h264_profile_of(0x42c01f), H264Profile::kConstrainedBaseline);
  EXPECT_EQ(h264_profile_of(0x4d801f), H264Profile::kConstrainedBaseline);
  EXPECT_EQ(h264_profile_of(0x58f01f), H264Profile::kConstrainedBaseline);
  EXPECT_EQ(h264_profile_of(0x42001f), H264Profile::kBaseline);
  EXPECT_EQ(h264_profile_of(0x58a01f), H264Profile::kBaseline);
  EXPECT_EQ(h264_profile_of(0x4d001f), H264Profile::kMain);
  EXPECT_EQ(h264_profile_of(0x4d401f), H264Profile::kMain);
  EXPECT_EQ(h264_profile_of(0x58001f), H264Profile::kExtended);
  EXPECT_EQ(h264_profile_of(0x64001f), H264Profile::kHigh);
  EXPECT_EQ(h264_profile_of(0x640c1f), H264Profile::kConstrainedHigh);
  EXPECT_EQ(h264_profile_of(0x6e0028), H264Profile::kHigh10);
  EXPECT_EQ(h264_profile_of(0x7a1028), H264Profile::kHigh422Intra);
  EXPECT_EQ(h264_profile_of(0xf40028), H264Profile::kHigh444);
  EXPECT_EQ(h264_profile_of(0x42ff1f), H264Profile::kUnknown);
  EXPECT_EQ(h264_profile_of(0x000000), H264Profile::kUnknown);
}

TEST(H264, level_1b_lies_between_1_and_1_1) {
  EXPECT_EQ(h264_level_of(0x42f00b), 9);
  EXPECT_EQ(h264_level_of(0x42e00b), 11);
  EXPECT_EQ(h264_level_of(0x640009), 9);
  EXPECT_EQ(with_h264_level(0x42e01f, 9), 0x42f00bu);
  EXPECT_EQ(with_h264_level(0x64001f, 9), 0x640009u);
  EXPECT_EQ(with_h264_level(0x42f00b, 31), 0x42e01fu);
}

TEST(Formats, are_the_same_when_profile_and_packetization_are) {
  EXPECT_TRUE(is_same_format(h264(0x42e01f), h264(0x4d8034)));
  EXPECT_FALSE(is_same_format(h264(0x42e01f), h264(0x42001f)));
  EXPECT_FALSE(is_same_format(h264(0x42e01f, 0), h264(0x42e01f, 1)));
  EXPECT_TRUE(is_same_format(h264(0x42e01f), h264(0x640028), ProfileRule::kAny));
  EXPECT_FALSE(is_same_format(h264(0x42e01f, 0), h264(0x42e01f, 1), ProfileRule::kAny));
  EXPECT_TRUE(is_same_format(h264(0xabcd1f), h264(0xabcd28)));
  EXPECT_FALSE(is_same_format(h264(0xabcd1f), h264(0xabce1f)));

  auto vp9 = [](std::uint8_t profile) {
    return make_payload(98, Codec::kVp9, Vp9Format{.profile_id = profile});
  };
  EXPECT_TRUE(is_same_format(vp9(0), make_payload(100, Codec::kVp9)));
  EXPECT_FALSE(is_same_format(vp9(0), vp9(2)));
  auto av1 = [](std::uint8_t profile, std::uint8_t level) {
    return make_payload(45, Codec::kAv1, Av1Format{.profile = profile, .level_idx = level});
  };
  EXPECT_TRUE(is_same_format(av1(0, 5), av1(0, 13)));
  EXPECT_FALSE(is_same_format(av1(0, 5), av1(1, 5)));
  auto hevc = [](std::uint8_t profile, std::uint8_t tier) {
    return make_payload(49, Codec::kHevc, HevcFormat{.profile_id = profile, .tier_flag = tier});
  };
  EXPECT_TRUE(is_same_format(hevc(1, 0), hevc(1, 0)));
  EXPECT_FALSE(is_same_format(hevc(1, 0), hevc(2, 0)));
  EXPECT_FALSE(is_same_format(hevc(1, 0), hevc(1, 1)));
  EXPECT_FALSE(is_same_format(make_payload(0, Codec::kPcmu), make_payload(8, Codec::kPcma)));
  Payload mono = make_payload(111, Codec::kOpus);
  mono.channels = 1;
  EXPECT_FALSE(is_same_format(mono, make_payload(111, Codec::kOpus)));
}

// RFC 6184 §8.2.2.
TEST(H264, answer_has_its_own_level_only_where_both_allow_asymmetry) {
  auto answer = [](const Payload& offered, const Payload& own) {
    return std::get<H264Format>(answer_format(offered.format, own.format));
  };
  EXPECT_EQ(answer(h264(0x42e01f), h264(0x42e034)).profile_level_id, 0x42e034u);
  EXPECT_EQ(answer(h264(0x42e01f, 1, false), h264(0x42e034)).profile_level_id, 0x42e01fu);
  EXPECT_EQ(answer(h264(0x42e034, 1, false), h264(0x42e01f)).profile_level_id, 0x42e01fu);
  EXPECT_FALSE(answer(h264(0x42e01f, 1, false), h264(0x42e034)).level_asymmetry_allowed);
  EXPECT_EQ(answer(h264(0x42f00b, 1, false), h264(0x42e01f)).profile_level_id, 0x42f00bu);
  EXPECT_EQ(answer(h264(0x64001f), h264(0x42e034)).profile_level_id, 0x640034u);
}

TEST(Formats, answer_keeps_the_profile_and_states_its_own_limits) {
  HevcFormat offered{.profile_id = 2, .level_id = 180}, own{.profile_id = 1, .level_id = 153};
  auto hevc = std::get<HevcFormat>(answer_format(offered, own));
  EXPECT_EQ(hevc.profile_id, 2);
  EXPECT_EQ(hevc.level_id, 153);
  auto av1 =
      std::get<Av1Format>(answer_format(Av1Format{.profile = 1, .level_idx = 5}, Av1Format{.level_idx = 13}));
  EXPECT_EQ(av1.profile, 1);
  EXPECT_EQ(av1.level_idx, 13);
  EXPECT_EQ(std::get<Vp9Format>(answer_format(Vp9Format{.profile_id = 2}, Vp9Format{})).profile_id, 2);
}

TEST(Feedback, keeps_what_is_known_and_writes_it_back) {
  Feedback feedback;
  for (auto text :
       {"nack", "nack pli", "ccm fir", "goog-remb", "transport-cc", "ack ccfb", "rrtr", "nack sli"}) {
    add_feedback(text, feedback);
  }
  EXPECT_EQ(write_feedback(feedback).size(), 7u);
  Feedback nack{.nack = true};
  EXPECT_EQ(feedback & nack, nack);
  EXPECT_EQ(nack | Feedback{.pli = true}, (Feedback{.nack = true, .pli = true}));
  EXPECT_FALSE(Feedback{}.any());
}

TEST(Codecs, are_found_by_names_of_any_letters) {
  EXPECT_EQ(find_codec("OPUS"), Codec::kOpus);
  EXPECT_EQ(find_codec("h264"), Codec::kH264);
  EXPECT_EQ(find_codec("AV1X"), Codec::kAv1);
  EXPECT_EQ(find_codec("H26"), Codec::kOther);
  EXPECT_EQ(encoding_name_of(Codec::kHevc), "H265");
  EXPECT_TRUE(encoding_name_of(Codec::kOther).empty());
}

}  // namespace
}  // namespace stoa::sdp
