#include "media/payload/av1.h"

#include "media/payload/test_payloads.h"

namespace stoa::payload {
namespace {

using media::vectors::kAv1MainFirst;
using media::vectors::kAv1MainSecond;

std::vector<Buffer> payloads_of(Bytes unit, std::size_t limit, Bytes sequence_header = {}) {
  PayloadList out;
  Av1Packetizer packetizer;
  EXPECT_TRUE(packetizer.packetize(unit, sequence_header, limit, out));
  return buffers_of(out);
}
Result<AssembledFrame, Refusal> put_together(std::initializer_list<std::string_view> payloads,
                                             Buffer& frame) {
  std::vector<Buffer> buffers;
  for (std::string_view hex : payloads) buffers.push_back(from_hex(hex));
  return assemble_av1(views_of(buffers), frame);
}
// An OBU with its size.
Buffer obu(std::uint8_t header, Bytes body, int layer = -1) {
  ByteWriter writer;
  writer.u8(static_cast<std::uint8_t>(header | 0x02 | (layer >= 0 ? 0x04 : 0)));
  if (layer >= 0) writer.u8(static_cast<std::uint8_t>(layer));
  std::size_t size = body.size();
  for (; size >= 0x80; size >>= 7) writer.u8(static_cast<std::uint8_t>(size | 0x80));
  writer.u8(static_cast<std::uint8_t>(size));
  writer.bytes(body);
  return writer.take();
}
constexpr std::uint8_t kFrame = 6 << 3, kSequence = 1 << 3, kMetadata = 5 << 3;
Buffer joined(std::initializer_list<Buffer> parts) {
  Buffer all;
  for (const Buffer& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

// Two elements (W 2), the first of a coded video sequence (N); sizes taken out of the OBUs.
TEST(Av1Payload, sends_a_small_key_frame_in_one_payload) {
  EXPECT_EQ(payloads_of(from_hex(kAv1MainFirst), 1000),
            (std::vector<Buffer>{from_hex("28 0b 08000000032c1c4daf9004 3010008800000100004008fae71b80")}));
}

TEST(Av1Payload, sends_another_frame_without_the_mark_of_a_sequence) {
  auto payloads = payloads_of(from_hex(kAv1MainSecond), 1000);
  ASSERT_EQ(payloads.size(), 1u);
  EXPECT_EQ(payloads[0][0], 0x10);
}

TEST(Av1Payload, puts_the_records_sequence_header_before_a_key_frame_that_lacks_it) {
  Buffer unit = from_hex(kAv1MainFirst);
  Buffer frame_only(unit.begin() + 12, unit.end()), header(unit.begin(), unit.begin() + 12);
  EXPECT_EQ(payloads_of(frame_only, 1000, header), payloads_of(unit, 1000));
  EXPECT_EQ(payloads_of(unit, 1000, header), payloads_of(unit, 1000));
  EXPECT_EQ(payloads_of(frame_only, 1000)[0][0], 0x10);
  EXPECT_EQ(payloads_of(from_hex(kAv1MainSecond), 1000, header)[0][0], 0x10);
}

TEST(Av1Payload, cuts_a_large_frame_evenly) {
  Buffer body = noise(3000);
  body[0] = 0x30;
  PayloadList out;
  Av1Packetizer packetizer;
  ASSERT_TRUE(packetizer.packetize(obu(kFrame, body), {}, 1100, out));
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out[0][0], 0x50);  // Goes on in the next.
  EXPECT_EQ(out[1][0], 0xd0);
  EXPECT_EQ(out[2][0], 0x90);
  expect_even(out, 0, 3);
}

TEST(Av1Payload, keeps_any_unit_whole_at_any_limit) {
  for (std::size_t limit : {64u, 100u, 1200u}) {
    for (std::size_t size : {1u, 20u, 61u, 62u, 63u, 64u, 127u, 128u, 129u, 1198u, 1199u, 5000u}) {
      Buffer key = noise(size);
      key[0] = 0x10;
      Buffer unit = joined({obu(kSequence, noise(10)), obu(kMetadata, noise(30)), obu(kFrame, key),
                            obu(kFrame, noise(size / 2 + 1)), obu(kFrame, noise(3))});
      auto payloads = payloads_of(unit, limit);
      for (const Buffer& payload : payloads) EXPECT_LE(payload.size(), limit);
      EXPECT_EQ(payloads[0][0] & 0x08, 0x08);
      Buffer frame;
      auto facts = assemble_av1(views_of(payloads), frame);
      ASSERT_TRUE(facts) << limit << " " << size;
      EXPECT_TRUE(facts->is_keyframe && facts->has_parameters);
      EXPECT_EQ(frame, unit) << limit << " " << size;
    }
  }
}

TEST(Av1Payload, keeps_layers_in_payloads_of_their_own) {
  Buffer unit = joined({obu(kFrame, noise(10), 0), obu(kFrame, noise(10), 0x08)});
  auto payloads = payloads_of(unit, 1000);
  ASSERT_EQ(payloads.size(), 2u);
  EXPECT_EQ(inspect_av1_payload(payloads[0])->spatial_layer, 0);
  EXPECT_EQ(inspect_av1_payload(payloads[1])->spatial_layer, 1);
  Buffer frame;
  ASSERT_TRUE(assemble_av1(views_of(payloads), frame));
  EXPECT_EQ(frame, unit);
}

TEST(Av1Payload, leaves_delimiters_padding_and_tile_lists_behind) {
  Buffer frame_obu = obu(kFrame, noise(10));
  Buffer unit = joined({from_hex("1200"), frame_obu, obu(15 << 3, noise(4)), obu(8 << 3, noise(4))});
  Buffer frame;
  ASSERT_TRUE(assemble_av1(views_of(payloads_of(unit, 1000)), frame));
  EXPECT_EQ(frame, frame_obu);
  frame.clear();
  ASSERT_TRUE(put_together({"20 01 10 3011"}, frame));
  EXPECT_EQ(frame, from_hex("320111"));
}

TEST(Av1Payload, reads_elements_that_all_have_lengths_and_obus_that_kept_theirs) {
  Buffer frame;
  ASSERT_TRUE(put_together({"00 02 3011 03 320122"}, frame));
  EXPECT_EQ(frame, from_hex("320111 320122"));
}

TEST(Av1Payload, refuses_fragments_that_do_not_fit) {
  Buffer frame;
  EXPECT_EQ(put_together({"90 3011"}, frame).error(), Refusal::kBroken);
  EXPECT_EQ(put_together({"50 3011"}, frame).error(), Refusal::kBroken);
  EXPECT_EQ(put_together({"50 3011", "10 3011"}, frame).error(), Refusal::kBroken);
}

TEST(Av1Payload, refuses_what_is_malformed) {
  Buffer frame;
  EXPECT_EQ(put_together({""}, frame).error(), Refusal::kTruncated);
  EXPECT_EQ(put_together({"98 3011"}, frame).error(),
            Refusal::kBadValue);  // Begins a sequence and goes on.
  EXPECT_EQ(put_together({"20 05 3011"}, frame).error(), Refusal::kTruncated);
  EXPECT_EQ(put_together({"10 b011"}, frame).error(), Refusal::kBadValue);
  EXPECT_EQ(put_together({"10 320511"}, frame).error(), Refusal::kTruncated);
  EXPECT_EQ(put_together({"00 ffffffffffffffffff"}, frame).error(), Refusal::kBadValue);
}

TEST(Av1Payload, tells_the_start_of_a_sequence) {
  auto facts = [](std::string_view hex) { return *inspect_av1_payload(from_hex(hex)); };
  EXPECT_TRUE(facts("28 01 08 3010").is_keyframe);
  EXPECT_TRUE(facts("28 01 08 3010").starts_frame);
  EXPECT_FALSE(facts("10 3030").starts_frame);
  EXPECT_TRUE(facts("20 01 10 3030").starts_frame);
  EXPECT_FALSE(facts("90 3030").starts_frame);
  EXPECT_EQ(facts("10 345030").temporal_layer, 2);
  EXPECT_EQ(facts("10 345030").spatial_layer, 2);
}

}  // namespace
}  // namespace stoa::payload
