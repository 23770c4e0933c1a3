#include "http.h"

#include <gtest/gtest.h>

namespace stoa::bench {
namespace {

using Step = ResponseReader::Step;

TEST(ResponseReader, reads_a_body_of_given_length_byte_by_byte) {
  ResponseReader reader;
  reader.start(true);
  std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\nhello";
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    ASSERT_EQ(reader.feed(as_bytes(std::string_view(text).substr(i, 1))), Step::kMore) << i;
  }
  EXPECT_EQ(reader.feed(as_bytes("o")), Step::kDone);
  EXPECT_EQ(reader.status(), 200);
  EXPECT_EQ(reader.body(), "hello");
  EXPECT_TRUE(reader.is_gzip());
}

TEST(ResponseReader, finds_headers_by_their_name) {
  ResponseReader reader;
  reader.start(true);
  EXPECT_EQ(reader.feed(as_bytes("HTTP/1.1 201 Created\r\nlocation:  /whip/a/1 \r\nETag: \"x\"\r\n"
                                 "Content-Length: 0\r\n\r\n")),
            Step::kDone);
  EXPECT_EQ(reader.status(), 201);
  EXPECT_EQ(reader.find_header("Location"), "/whip/a/1");
  EXPECT_EQ(reader.find_header("etag"), "\"x\"");
  EXPECT_EQ(reader.find_header("link"), "");
}

TEST(ResponseReader, reads_chunks) {
  ResponseReader reader;
  reader.start(true);
  EXPECT_EQ(reader.feed(as_bytes(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n")),
            Step::kMore);
  EXPECT_EQ(reader.feed(as_bytes("\r\n")), Step::kDone);
  EXPECT_EQ(reader.body(), "abcde");
}

TEST(ResponseReader, counts_a_body_that_is_thrown_away) {
  ResponseReader reader;
  reader.start(false);
  EXPECT_EQ(reader.feed(as_bytes("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc")), Step::kMore);
  EXPECT_EQ(reader.discardable(), 97u);
  EXPECT_EQ(reader.discard(90), Step::kMore);
  EXPECT_EQ(reader.discard(7), Step::kDone);
  EXPECT_EQ(reader.body_size(), 100u);
}

TEST(ResponseReader, refuses_what_it_cannot_measure) {
  for (std::string_view text :
       {"HTTP/1.1 200 OK\r\n\r\nabc", "SSH-2.0\r\n\r\n", "HTTP/1.1 204 No\r\n\r\nbody",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"}) {
    ResponseReader reader;
    reader.start(true);
    EXPECT_EQ(reader.feed(as_bytes(text)), Step::kBroken) << text;
  }
}

TEST(ResponseReader, refuses_a_head_without_end) {
  ResponseReader reader;
  reader.start(true);
  EXPECT_EQ(reader.feed(as_bytes(std::string(kMaxResponseHead + 1, 'x'))), Step::kBroken);
}

TEST(Url, resolves_references_like_a_player) {
  EXPECT_EQ(resolve_path("/live/a/index.m3u8", "b1/v0.m3u8"), "/live/a/b1/v0.m3u8");
  EXPECT_EQ(resolve_path("/live/a/b1/v0.m3u8?_HLS_msn=3", "v0/p7.m4s"), "/live/a/b1/v0/p7.m4s");
  EXPECT_EQ(resolve_path("/live/a/b1/v0.m3u8", "../x.m3u8"), "/live/a/x.m3u8");
  EXPECT_EQ(resolve_path("/live/a/b1/v0.m3u8", "http://h:1/y.m3u8"), "/y.m3u8");
  EXPECT_EQ(resolve_path("/live/a/b1/v0.m3u8", "/z"), "/z");
}

TEST(Url, takes_host_port_and_path_apart) {
  auto url = parse_url("rtmp://127.0.0.1/live/x");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->authority() + url->path, "127.0.0.1:1935/live/x");
  EXPECT_FALSE(parse_url("127.0.0.1"));
  EXPECT_FALSE(parse_url("http://h:port/"));
}

}  // namespace
}  // namespace stoa::bench
