#include "media/payload/h264.h"

#include "media/payload/nal_units.h"
#include "media/payload/test_payloads.h"

namespace stoa::payload {
namespace {

std::vector<Buffer> payloads_of(std::initializer_list<Buffer> nals, std::size_t limit,
                                bool may_aggregate = true) {
  PayloadList out;
  std::vector<Bytes> views(nals.begin(), nals.end());
  EXPECT_TRUE(packetize_h264(views, limit, may_aggregate, out));
  return buffers_of(out);
}
Result<AssembledFrame, Refusal> put_together(std::initializer_list<std::string_view> payloads,
                                             Buffer& frame) {
  std::vector<Buffer> buffers;
  for (std::string_view hex : payloads) buffers.push_back(from_hex(hex));
  return assemble_h264(views_of(buffers), frame);
}

TEST(H264Payload, sends_a_small_unit_alone_as_it_is) {
  EXPECT_EQ(payloads_of({from_hex("41e0aabb")}, 100), (std::vector<Buffer>{from_hex("41e0aabb")}));
}

// RFC 6184 §5.7.1: the aggregate's NRI is the highest of its units.
TEST(H264Payload, puts_neighbours_into_one_stap_a) {
  EXPECT_EQ(payloads_of({from_hex("6742c0"), from_hex("28ce"), from_hex("06aa")}, 100),
            (std::vector<Buffer>{from_hex("78 0003 6742c0 0002 28ce 0002 06aa")}));
}

TEST(H264Payload, aggregates_nothing_in_mode_0) {
  EXPECT_EQ(payloads_of({from_hex("6742c0"), from_hex("68ce")}, 100, false),
            (std::vector<Buffer>{from_hex("6742c0"), from_hex("68ce")}));
  PayloadList out;
  Buffer large = unit("65", 101);
  EXPECT_EQ(packetize_h264(std::vector<Bytes>{large}, 100, false, out).error(), Refusal::kTooLarge);
}

// RFC 6184 §5.8: indicator 0x7c has the unit's NRI, then S, E and the unit's type.
TEST(H264Payload, cuts_a_large_unit_into_even_fu_a) {
  Buffer nal = unit("65", 1 + 200);
  auto payloads = payloads_of({nal}, 100);
  ASSERT_EQ(payloads.size(), 3u);
  EXPECT_EQ(payloads[0][0], 0x7c);
  EXPECT_EQ(payloads[0][1], 0x85);
  EXPECT_EQ(payloads[1][1], 0x05);
  EXPECT_EQ(payloads[2][1], 0x45);
  EXPECT_EQ(payloads[0].size(), 2u + 67);
  EXPECT_EQ(payloads[2].size(), 2u + 66);
  Buffer frame;
  auto facts = assemble_h264(views_of(payloads), frame);
  ASSERT_TRUE(facts);
  EXPECT_TRUE(facts->is_keyframe);
  EXPECT_EQ(frame, access_unit({nal}));
}

TEST(H264Payload, leaves_delimiters_and_filler_behind) {
  EXPECT_EQ(payloads_of({from_hex("09f0"), from_hex("6742c0"), from_hex("0cff80"), from_hex("68ce")}, 100),
            (std::vector<Buffer>{from_hex("6742c0"), from_hex("68ce")}));
  Buffer frame;
  ASSERT_TRUE(put_together({"09f0", "180003418001 00020c80"}, frame));
  EXPECT_EQ(frame, from_hex("00000003418001"));
}

TEST(H264Payload, keeps_any_frame_whole_at_any_limit) {
  Buffer sps = from_hex("6742c00ad9"), pps = from_hex("68cb83cb20");
  for (std::size_t limit : {64u, 100u, 500u, 1200u}) {
    for (std::size_t size : {2u, 63u, 64u, 65u, 98u, 99u, 100u, 101u, 1199u, 1200u, 5000u}) {
      Buffer slice = unit("6588", size), second = unit("6501", size / 2 + 2, 7);
      auto payloads = payloads_of({sps, pps, slice, second}, limit);
      for (const Buffer& payload : payloads) EXPECT_LE(payload.size(), limit);
      Buffer frame;
      auto facts = assemble_h264(views_of(payloads), frame);
      ASSERT_TRUE(facts);
      EXPECT_TRUE(facts->is_keyframe && facts->has_parameters);
      EXPECT_EQ(frame, access_unit({sps, pps, slice, second})) << limit << " " << size;
    }
  }
}

TEST(H264Payload, refuses_fragments_that_do_not_fit) {
  Buffer frame;
  EXPECT_EQ(put_together({"7c05aa", "7c45bb"}, frame).error(), Refusal::kBroken);  // No start.
  EXPECT_EQ(put_together({"7c85aa", "7c05bb"}, frame).error(), Refusal::kBroken);  // No end.
  EXPECT_EQ(put_together({"7c85aa", "7c85bb"}, frame).error(), Refusal::kBroken);  // Two starts.
  EXPECT_EQ(put_together({"7c85aa", "4180"}, frame).error(), Refusal::kBroken);    // Another unit between.
  EXPECT_EQ(put_together({"7c"}, frame).error(), Refusal::kTruncated);
}

TEST(H264Payload, refuses_what_is_malformed) {
  Buffer frame;
  EXPECT_EQ(put_together({""}, frame).error(), Refusal::kTruncated);
  EXPECT_EQ(put_together({"c180"}, frame).error(), Refusal::kBadValue);        // Forbidden bit.
  EXPECT_EQ(put_together({"180003"}, frame).error(), Refusal::kTruncated);     // STAP-A over its end.
  EXPECT_EQ(put_together({"18000000"}, frame).error(), Refusal::kBadValue);    // An empty unit.
  EXPECT_EQ(put_together({"18000218aa"}, frame).error(), Refusal::kBadValue);  // An aggregate in one.
  EXPECT_EQ(put_together({"7c9caa"}, frame).error(), Refusal::kBadValue);      // A fragmented fragment.
  EXPECT_EQ(put_together({"19"}, frame).error(), Refusal::kUnsupported);       // STAP-B.
  EXPECT_EQ(put_together({"1d"}, frame).error(), Refusal::kUnsupported);       // FU-B.
  EXPECT_EQ(put_together({"4280"}, frame).error(), Refusal::kUnsupported);     // Data partition A.
}

TEST(H264Payload, does_not_send_what_a_receiver_would_take_for_something_else) {
  PayloadList out;
  Buffer aggregate = from_hex("7800"), partition = from_hex("4280");
  EXPECT_EQ(packetize_h264(std::vector<Bytes>{aggregate}, 100, true, out).error(), Refusal::kBadValue);
  EXPECT_EQ(packetize_h264(std::vector<Bytes>{partition}, 100, true, out).error(), Refusal::kUnsupported);
  EXPECT_EQ(packetize_h264(std::vector<Bytes>{Bytes()}, 100, true, out).error(), Refusal::kTruncated);
}

TEST(H264Payload, tells_the_start_of_a_frame) {
  auto facts = [](std::string_view hex) { return *inspect_h264_payload(from_hex(hex)); };
  EXPECT_TRUE(facts("419a").starts_frame);   // first_mb_in_slice 0.
  EXPECT_FALSE(facts("415a").starts_frame);  // A later slice.
  EXPECT_TRUE(facts("7c8588").starts_frame);
  EXPECT_FALSE(facts("7c8548").starts_frame);
  EXPECT_FALSE(facts("7c0588").starts_frame);
  EXPECT_TRUE(facts("67").starts_frame);
  EXPECT_FALSE(facts("68").starts_frame);  // A parameter set may have come before.
  EXPECT_TRUE(facts("09f0").starts_frame);
  EXPECT_TRUE(facts("780003 6742c0 0002 68ce").starts_frame);
  EXPECT_EQ(inspect_h264_payload({}).error(), Refusal::kTruncated);
}

TEST(H264Payload, tells_key_frames_and_what_nothing_refers_to) {
  auto facts = [](std::string_view hex) { return *inspect_h264_payload(from_hex(hex)); };
  EXPECT_TRUE(facts("780003 6742c0 0002 68ce").is_keyframe);
  EXPECT_TRUE(facts("7c0588").is_keyframe);
  EXPECT_TRUE(facts("6588").is_keyframe);
  EXPECT_FALSE(facts("419a").is_keyframe);
  EXPECT_FALSE(facts("419a").is_discardable);
  EXPECT_TRUE(facts("019a").is_discardable);
  EXPECT_TRUE(facts("1c819a").is_discardable);
  EXPECT_TRUE(facts("180003 060102 0002 019a").is_discardable);
  // Delimiters and SEI are before every frame and say nothing of it.
  EXPECT_FALSE(facts("09f0").is_discardable);
  EXPECT_FALSE(facts("060102").is_discardable);
}

TEST(NalUnits, come_out_of_configuration_records) {
  Buffer h264 = from_hex(media::vectors::kH264HighConfig), hevc = from_hex(media::vectors::kHevcMainConfig);
  auto h264_sets = parse_h264_record(h264);
  ASSERT_TRUE(h264_sets);
  EXPECT_EQ(h264_sets->length_size, 4u);
  ASSERT_EQ(h264_sets->sets.size(), 2u);
  EXPECT_EQ(h264_sets->sets[0][0], 0x67);
  EXPECT_EQ(h264_sets->sets[1][0], 0x68);
  auto hevc_sets = parse_hevc_record(hevc);
  ASSERT_TRUE(hevc_sets);
  ASSERT_GE(hevc_sets->sets.size(), 3u);
  EXPECT_EQ(hevc_sets->sets[0][0], 0x40);
  EXPECT_EQ(hevc_sets->sets[1][0], 0x42);
  EXPECT_EQ(hevc_sets->sets[2][0], 0x44);
  for (std::size_t size = 0; size < 30; ++size) {
    EXPECT_EQ(parse_h264_record(Bytes(h264).first(size)).error(), Refusal::kTruncated) << size;
    EXPECT_EQ(parse_hevc_record(Bytes(hevc).first(size)).error(), Refusal::kTruncated) << size;
  }
}

}  // namespace
}  // namespace stoa::payload
