#include "proto/dtls/record.h"

#include <gtest/gtest.h>

#include "proto/dtls/test_pair.h"

namespace stoa::dtls {
namespace {

TEST(Record, is_taken_with_its_fields_and_leaves_the_next) {
  Buffer datagram = make_record(22, 1, 0x0102030405ff, as_bytes("first"));
  Buffer next = make_record(23, 2, 7, {});
  datagram.insert(datagram.end(), next.begin(), next.end());
  Bytes rest = datagram;
  auto record = take_record(rest);
  ASSERT_TRUE(record);
  EXPECT_TRUE(record->is(ContentType::kHandshake));
  EXPECT_EQ(record->epoch, 1);
  EXPECT_EQ(record->sequence, 0x0102030405ffu);
  EXPECT_EQ(record->whole.size(), kRecordHeaderBytes + 5);
  record = take_record(rest);
  ASSERT_TRUE(record);
  EXPECT_TRUE(record->is(ContentType::kApplicationData));
  EXPECT_EQ(record->epoch, 2);
  EXPECT_TRUE(rest.empty());
}

TEST(Record, is_refused_when_its_header_is_cut_or_not_dtls) {
  Buffer datagram = make_record(22, 0, 0, as_bytes("body"));
  for (std::size_t length = 0; length < datagram.size(); ++length) {
    Bytes cut = Bytes(datagram).first(length);
    auto expected = length < kRecordHeaderBytes ? Refusal::kNotDtls : Refusal::kMalformedRecord;
    EXPECT_EQ(take_record(cut).error(), expected) << length;
    EXPECT_EQ(cut.size(), length);
  }
  for (std::uint8_t first : {0, 2, 19, 64, 128, 255}) {  // STUN, TURN, QUIC, RTP (RFC 7983 §7).
    datagram[0] = first;
    Bytes view = datagram;
    EXPECT_FALSE(is_dtls(view));
    EXPECT_EQ(take_record(view).error(), Refusal::kNotDtls);
  }
}

TEST(Record, is_refused_with_an_unknown_version_or_an_excessive_length) {
  Buffer datagram = make_record(22, 0, 0, as_bytes("body"));
  for (std::uint16_t version : {0x0303, 0xfefe, 0xfefc, 0x0100}) {
    datagram[1] = static_cast<std::uint8_t>(version >> 8);
    datagram[2] = static_cast<std::uint8_t>(version);
    Bytes view = datagram;
    EXPECT_EQ(take_record(view).error(), Refusal::kMalformedRecord) << version;
  }
  Buffer most = make_record(23, 1, 0, Buffer(kRecordBodyBytesMax));
  Bytes view = most;
  EXPECT_TRUE(take_record(view));
  Buffer more = make_record(23, 1, 0, Buffer(kRecordBodyBytesMax + 1));
  view = more;
  EXPECT_EQ(take_record(view).error(), Refusal::kMalformedRecord);
}

}  // namespace
}  // namespace stoa::dtls
