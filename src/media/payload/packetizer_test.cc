#include "media/payload/packetizer.h"

#include <set>
#include <string>

#include "media/payload/inspect.h"
#include "media/payload/opus.h"
#include "media/payload/test_payloads.h"

namespace stoa::payload {
namespace {

namespace vectors = media::vectors;

std::vector<Buffer> payloads_of(Packetizer& packetizer, Bytes frame) {
  PayloadList out;
  EXPECT_TRUE(packetizer.handle_frame(frame, 0, out));
  return buffers_of(out);
}

TEST(Encoding, is_found_by_its_name_in_any_case) {
  for (int i = 0; i < kEncodings; ++i) {
    auto encoding = static_cast<Encoding>(i);
    EXPECT_EQ(find_encoding(name_of(encoding)), encoding);
  }
  EXPECT_EQ(find_encoding("h264"), Encoding::kH264);
  EXPECT_EQ(find_encoding("OPUS"), Encoding::kOpus);
  EXPECT_FALSE(find_encoding("PCMU"));
  EXPECT_FALSE(find_encoding("VP"));
}

TEST(PayloadRefusal, has_a_name_for_each_value) {
  std::set<std::string> names;
  for (int i = 0; i < kRefusals; ++i) names.insert(name_of(static_cast<Refusal>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kRefusals));
  EXPECT_FALSE(names.contains("unknown"));
}

TEST(CutEvenly, differs_by_one_byte_at_most_and_puts_the_longer_first) {
  Buffer bytes = noise(10);
  std::vector<std::size_t> sizes;
  Buffer all;
  cut_evenly(bytes, 4, [&](Bytes piece, bool is_first, bool is_last) {
    EXPECT_EQ(is_first, sizes.empty());
    EXPECT_EQ(is_last, sizes.size() == 2);
    sizes.push_back(piece.size());
    all.insert(all.end(), piece.begin(), piece.end());
  });
  EXPECT_EQ(sizes, (std::vector<std::size_t>{4, 3, 3}));
  EXPECT_EQ(all, bytes);
}

TEST(Packetizer, puts_the_records_parameter_sets_before_key_frames_that_lack_them) {
  Packetizer packetizer({.encoding = Encoding::kH264});
  ASSERT_TRUE(packetizer.set_record(vectors::shared(vectors::kH264HighConfig)));
  auto key = payloads_of(packetizer, from_hex(vectors::kH264HighFirst));
  ASSERT_EQ(key.size(), 1u);
  Buffer frame;
  auto facts = assemble(Encoding::kH264, views_of(key), frame);
  ASSERT_TRUE(facts);
  EXPECT_TRUE(facts->is_keyframe && facts->has_parameters);
  EXPECT_EQ(frame[4], 0x67);
  EXPECT_TRUE(inspect_payload(Encoding::kH264, key[0])->starts_frame);
  EXPECT_EQ(payloads_of(packetizer, from_hex(vectors::kH264HighSecond)).at(0)[0], 0x41);
}

TEST(Packetizer, does_not_repeat_parameter_sets_that_are_there) {
  Packetizer packetizer({.encoding = Encoding::kHevc});
  ASSERT_TRUE(packetizer.set_record(vectors::shared(vectors::kHevcInBandConfig)));
  Buffer key = from_hex(vectors::kHevcInBandFirst), frame;
  ASSERT_TRUE(assemble(Encoding::kHevc, views_of(payloads_of(packetizer, key)), frame));
  EXPECT_LE(frame.size(), key.size());
  Packetizer with_record({.encoding = Encoding::kHevc});
  ASSERT_TRUE(with_record.set_record(vectors::shared(vectors::kHevcMainConfig)));
  frame.clear();
  auto facts =
      assemble(Encoding::kHevc, views_of(payloads_of(with_record, from_hex(vectors::kHevcMainFirst))), frame);
  ASSERT_TRUE(facts);
  EXPECT_TRUE(facts->has_parameters);
}

TEST(Packetizer, puts_the_sequence_header_before_av1_key_frames_that_lack_it) {
  Packetizer packetizer({.encoding = Encoding::kAv1});
  ASSERT_TRUE(packetizer.set_record(vectors::shared(vectors::kAv1MainConfig)));
  Buffer unit = from_hex(vectors::kAv1MainFirst), frame;
  auto facts = assemble(Encoding::kAv1, views_of(payloads_of(packetizer, Bytes(unit).subspan(12))), frame);
  ASSERT_TRUE(facts);
  EXPECT_TRUE(facts->is_keyframe);
  EXPECT_EQ(frame, unit);
}

TEST(Packetizer, marks_the_last_payload_of_a_video_frame) {
  Packetizer packetizer({.encoding = Encoding::kVp8, .payload_bytes_max = 100, .first_picture_id = 0xffff});
  PayloadList out;
  Buffer frame = noise(250);
  ASSERT_TRUE(packetizer.handle_frame(frame, 0, out));
  ASSERT_EQ(out.size(), 3u);
  EXPECT_FALSE(out.has_marker(0) || out.has_marker(1));
  EXPECT_TRUE(out.has_marker(2));
  EXPECT_EQ(Buffer(out[0].begin(), out[0].begin() + 4), from_hex("9080ffff"));
  ASSERT_TRUE(packetizer.handle_frame(frame, 0, out));
  EXPECT_EQ(Buffer(out[0].begin(), out[0].begin() + 4), from_hex("90808000"));
}

TEST(Packetizer, marks_an_opus_packet_behind_a_pause) {
  Packetizer packetizer({.encoding = Encoding::kOpus});
  Buffer packet = from_hex(vectors::kOpusStereoFirst);
  std::int64_t duration = *opus_duration(packet);
  PayloadList out;
  ASSERT_TRUE(packetizer.handle_frame(packet, 0, out));
  EXPECT_TRUE(out.has_marker(0));
  EXPECT_EQ(copy(out[0]), packet);
  ASSERT_TRUE(packetizer.handle_frame(packet, duration, out));
  EXPECT_FALSE(out.has_marker(0));
  ASSERT_TRUE(packetizer.handle_frame(packet, 10 * duration, out));
  EXPECT_TRUE(out.has_marker(0));
}

TEST(Packetizer, refuses_what_it_cannot_send_and_leaves_nothing) {
  PayloadList out;
  Packetizer opus({.encoding = Encoding::kOpus, .payload_bytes_max = 64});
  Buffer large = noise(65);
  large[0] = 0xf8;
  EXPECT_EQ(opus.handle_frame(large, 0, out).error(), Refusal::kTooLarge);
  EXPECT_EQ(opus.handle_frame({}, 0, out).error(), Refusal::kTruncated);
  Packetizer h264({.encoding = Encoding::kH264});
  EXPECT_EQ(h264.handle_frame(from_hex("000000024188 00000009aa"), 0, out).error(), Refusal::kTruncated);
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(h264.set_record(vectors::shared("0164")).error(), Refusal::kTruncated);
  Packetizer av1({.encoding = Encoding::kAv1});
  EXPECT_EQ(av1.handle_frame(from_hex("8011"), 0, out).error(), Refusal::kBadValue);
  EXPECT_EQ(av1.set_record(vectors::shared("81")).error(), Refusal::kTruncated);
}

}  // namespace
}  // namespace stoa::payload
