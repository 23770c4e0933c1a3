#include "proto/http/websocket.h"

#include <gtest/gtest.h>

#include <optional>

namespace stoa::http {
namespace {

using Events = Outbox<WebSocketEvent>;

Buffer masked(int first, std::string_view payload, std::uint32_t mask = 0x37fa213d) {
  ByteWriter w;
  w.u8(static_cast<std::uint8_t>(first));
  if (payload.size() < 126) {
    w.u8(static_cast<std::uint8_t>(0x80 | payload.size()));
  } else {
    w.u8(0x80 | 126);
    w.u16(static_cast<std::uint16_t>(payload.size()));
  }
  w.u32(mask);
  for (std::size_t i = 0; i < payload.size(); ++i)
    w.u8(static_cast<std::uint8_t>(payload[i] ^ (mask >> (24 - 8 * (i % 4)))));
  return w.take();
}

Result<void, WebSocketRefusal> feed(WebSocketReader& reader, const Buffer& bytes, Events& events) {
  return reader.handle_input(bytes, events);
}

TEST(WebSocketReader, reads_the_masked_hello_of_rfc_6455) {
  const std::uint8_t kHello[] = {0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58};
  // However it is cut.
  for (std::size_t step = 1; step <= sizeof kHello; ++step) {
    WebSocketReader reader(1024);
    Events events;
    for (std::size_t i = 0; i < sizeof kHello; i += step)
      ASSERT_TRUE(reader.handle_input(Bytes(kHello).subspan(i, std::min(step, sizeof kHello - i)), events));
    ASSERT_EQ(events.size(), 1u);
    auto* message = std::get_if<WebSocketMessage>(&*events.begin());
    ASSERT_TRUE(message);
    EXPECT_EQ(message->bytes, "Hello");
    EXPECT_TRUE(message->is_text);
  }
}

TEST(WebSocketReader, joins_fragments_around_a_ping) {
  WebSocketReader reader(1024);
  Events events;
  ASSERT_TRUE(feed(reader, masked(0x02, "ab"), events));
  ASSERT_TRUE(feed(reader, masked(0x89, "?"), events));
  ASSERT_TRUE(feed(reader, masked(0x80, "cd"), events));
  auto list = events.take();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(std::get<WebSocketPing>(list[0]).payload, "?");
  EXPECT_EQ(std::get<WebSocketMessage>(list[1]).bytes, "abcd");
  EXPECT_FALSE(std::get<WebSocketMessage>(list[1]).is_text);
}

TEST(WebSocketReader, refuses_what_breaks_the_framing) {
  auto refusal = [](const Buffer& bytes) {
    WebSocketReader reader(1024);
    Events events;
    auto result = feed(reader, bytes, events);
    return result ? std::optional<WebSocketRefusal>() : result.error();
  };
  EXPECT_EQ(refusal({0x81, 0x01, 'a'}), WebSocketRefusal::kProtocol) << "not masked";
  EXPECT_EQ(refusal(masked(0xc1, "a")), WebSocketRefusal::kProtocol) << "reserved bit";
  EXPECT_EQ(refusal(masked(0x80, "a")), WebSocketRefusal::kProtocol) << "continuation of nothing";
  EXPECT_EQ(refusal(masked(0x83, "a")), WebSocketRefusal::kProtocol) << "reserved opcode";
  EXPECT_EQ(refusal(masked(0x09, "a")), WebSocketRefusal::kProtocol) << "fragmented ping";
  EXPECT_EQ(refusal(masked(0x89, std::string(126, 'a'))), WebSocketRefusal::kProtocol) << "long ping";
  EXPECT_EQ(refusal(masked(0x88, "x")), WebSocketRefusal::kProtocol) << "half a close code";
  EXPECT_EQ(refusal(masked(0x88, std::string("\x03\xed", 2))), WebSocketRefusal::kProtocol)
      << "1005 on the wire";
  EXPECT_EQ(refusal(masked(0x81, "\xc0\xaf")), WebSocketRefusal::kNotUtf8);
  EXPECT_EQ(refusal({0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}), WebSocketRefusal::kTooBig);
}

TEST(WebSocketReader, refuses_a_message_over_the_limit_also_in_fragments) {
  WebSocketReader reader(5);
  Events events;
  ASSERT_TRUE(feed(reader, masked(0x02, "abc"), events));
  auto result = feed(reader, masked(0x80, "def"), events);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), WebSocketRefusal::kTooBig);
}

TEST(WebSocketReader, reads_nothing_after_a_close) {
  WebSocketReader reader(1024);
  Events events;
  Buffer bytes = masked(0x88, std::string("\x03\xe8"
                                          "bye",
                                          5));
  Buffer more = masked(0x81, "late");
  bytes.insert(bytes.end(), more.begin(), more.end());
  ASSERT_TRUE(feed(reader, bytes, events));
  auto list = events.take();
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(std::get<WebSocketClose>(list[0]).code, 1000);
  EXPECT_EQ(std::get<WebSocketClose>(list[0]).reason, "bye");
}

TEST(WebSocketHead, uses_the_shortest_length) {
  EXPECT_EQ(write_websocket_head(WebSocketOpcode::kText, 125).length, 2u);
  EXPECT_EQ(write_websocket_head(WebSocketOpcode::kText, 126).length, 4u);
  EXPECT_EQ(write_websocket_head(WebSocketOpcode::kBinary, 65'536).length, 10u);
}

TEST(Utf8, knows_overlong_surrogate_and_too_large) {
  EXPECT_TRUE(is_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x8e\xa5"));
  for (const char* bad :
       {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8", "\x80", "\xe2\x82"})
    EXPECT_FALSE(is_utf8(bad));
}

}  // namespace
}  // namespace stoa::http
