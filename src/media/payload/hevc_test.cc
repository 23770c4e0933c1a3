#include "media/payload/hevc.h"

#include "media/payload/test_payloads.h"

namespace stoa::payload {
namespace {

std::vector<Buffer> payloads_of(std::initializer_list<Buffer> nals, std::size_t limit) {
  PayloadList out;
  std::vector<Bytes> views(nals.begin(), nals.end());
  EXPECT_TRUE(packetize_hevc(views, limit, out));
  return buffers_of(out);
}
Result<AssembledFrame, Refusal> put_together(std::initializer_list<std::string_view> payloads,
                                             Buffer& frame) {
  std::vector<Buffer> buffers;
  for (std::string_view hex : payloads) buffers.push_back(from_hex(hex));
  return assemble_hevc(views_of(buffers), frame);
}

// RFC 7798 §4.4.2: type 48, the lowest layer and temporal id of the units.
TEST(HevcPayload, puts_neighbours_into_one_aggregation_packet) {
  EXPECT_EQ(payloads_of({from_hex("40010c"), from_hex("420101"), from_hex("4401c1")}, 100),
            (std::vector<Buffer>{from_hex("6001 0003 40010c 0003 420101 0003 4401c1")}));
  EXPECT_EQ(payloads_of({from_hex("020b0c"), from_hex("020a01")}, 100)[0][1], 0x0a);
}

// RFC 7798 §4.4.3: type 49 with the unit's layer and temporal id, then S, E and the unit's type.
TEST(HevcPayload, cuts_a_large_unit_into_even_fragments) {
  Buffer nal = unit("2801af", 2 + 200);
  auto payloads = payloads_of({nal}, 100);
  ASSERT_EQ(payloads.size(), 3u);
  EXPECT_EQ(Buffer(payloads[0].begin(), payloads[0].begin() + 4), from_hex("620194af"));
  EXPECT_EQ(payloads[1][2], 0x14);
  EXPECT_EQ(payloads[2][2], 0x54);
  EXPECT_EQ(payloads[0].size(), 3u + 67);
  EXPECT_EQ(payloads[2].size(), 3u + 66);
  Buffer frame;
  auto facts = assemble_hevc(views_of(payloads), frame);
  ASSERT_TRUE(facts);
  EXPECT_TRUE(facts->is_keyframe);
  EXPECT_EQ(frame, access_unit({nal}));
}

TEST(HevcPayload, keeps_any_frame_whole_at_any_limit) {
  Buffer vps = from_hex("40010c01"), sps = from_hex("42010101"), pps = from_hex("4401c172");
  for (std::size_t limit : {64u, 100u, 1200u}) {
    for (std::size_t size : {3u, 64u, 65u, 97u, 98u, 100u, 101u, 1200u, 5000u}) {
      Buffer slice = unit("2601af", size), second = unit("260120", size / 2 + 3, 7);
      auto payloads = payloads_of({vps, sps, pps, slice, second}, limit);
      for (const Buffer& payload : payloads) EXPECT_LE(payload.size(), limit);
      Buffer frame;
      auto facts = assemble_hevc(views_of(payloads), frame);
      ASSERT_TRUE(facts);
      EXPECT_TRUE(facts->is_keyframe && facts->has_parameters);
      EXPECT_EQ(frame, access_unit({vps, sps, pps, slice, second})) << limit << " " << size;
    }
  }
}

TEST(HevcPayload, leaves_delimiters_and_filler_behind) {
  EXPECT_EQ(payloads_of({from_hex("460150"), from_hex("2601af"), from_hex("4c01ff")}, 100),
            (std::vector<Buffer>{from_hex("2601af")}));
  Buffer frame;
  ASSERT_TRUE(put_together({"460150", "2601af"}, frame));
  EXPECT_EQ(frame, from_hex("000000032601af"));
}

TEST(HevcPayload, refuses_fragments_that_do_not_fit) {
  Buffer frame;
  EXPECT_EQ(put_together({"620113aa"}, frame).error(), Refusal::kBroken);
  EXPECT_EQ(put_together({"620193aa"}, frame).error(), Refusal::kBroken);
  EXPECT_EQ(put_together({"620193aa", "620193aa"}, frame).error(), Refusal::kBroken);
  EXPECT_EQ(put_together({"620193aa", "0201d0"}, frame).error(), Refusal::kBroken);
  EXPECT_EQ(put_together({"6201"}, frame).error(), Refusal::kTruncated);
}

TEST(HevcPayload, refuses_what_is_malformed) {
  Buffer frame;
  EXPECT_EQ(put_together({"02"}, frame).error(), Refusal::kTruncated);
  EXPECT_EQ(put_together({"8201d0"}, frame).error(), Refusal::kBadValue);  // Forbidden bit.
  EXPECT_EQ(put_together({"0200d0"}, frame).error(), Refusal::kBadValue);  // Temporal id 0 plus 1 is 0.
  EXPECT_EQ(put_together({"60010004aabb"}, frame).error(), Refusal::kTruncated);
  EXPECT_EQ(put_together({"600100036001aa"}, frame).error(), Refusal::kBadValue);
  EXPECT_EQ(put_together({"6201b0aa"}, frame).error(), Refusal::kBadValue);
  EXPECT_EQ(put_together({"6401aa"}, frame).error(), Refusal::kUnsupported);  // PACI.
}

TEST(HevcPayload, tells_starts_key_frames_and_layers) {
  auto facts = [](std::string_view hex) { return *inspect_hevc_payload(from_hex(hex)); };
  EXPECT_TRUE(facts("0201d0").starts_frame);
  EXPECT_FALSE(facts("020150").starts_frame);
  EXPECT_TRUE(facts("620193af").starts_frame);
  EXPECT_FALSE(facts("620113af").starts_frame);
  EXPECT_TRUE(facts("620113af").is_keyframe);
  EXPECT_TRUE(facts("40010c").is_keyframe);
  EXPECT_TRUE(facts("6001 0003 40010c 0003 420101").starts_frame);
  EXPECT_TRUE(facts("6001 0003 40010c 0003 420101").is_keyframe);
  EXPECT_FALSE(facts("0201d0").is_keyframe);
  EXPECT_EQ(facts("0203d0").temporal_layer, 2);
  EXPECT_TRUE(facts("0003d0").is_discardable);
  EXPECT_FALSE(facts("0203d0").is_discardable);
  EXPECT_TRUE(facts("0402d0").is_switch_point);  // TSA.
  EXPECT_FALSE(facts("0202d0").is_switch_point);
}

}  // namespace
}  // namespace stoa::payload
