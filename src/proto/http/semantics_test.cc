#include "proto/http/semantics.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace stoa::http {
namespace {

const WallTime kNow = WallTime::from_seconds(784'111'777);

Response text_of(std::size_t length) {
  std::string text;
  while (text.size() < length) text += "#EXTINF:0.333,\np" + std::to_string(text.size()) + ".m4s\n";
  text.resize(length);
  Response response = make_text_response(200, std::move(text));
  response.headers.add("etag", "\"v1\"");
  return response;
}

std::string joined(const Body& body) {
  std::string all;
  for (const auto& slice : body.slices) all += slice.text();
  return all;
}

std::string inflated(const Body& body) {
  std::string in = joined(body), out(1 << 20, 0);
  z_stream stream{};
  inflateInit2(&stream, 15 + 16);
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

Request with(std::string_view name, std::string_view value) {
  Request request;
  request.headers.add(name, value);
  return request;
}

TEST(Target, is_cleaned_of_dots_and_escapes) {
  auto path_of = [](std::string_view text) {
    auto target = parse_target(text);
    return target ? target->path : std::string("refused");
  };
  EXPECT_EQ(path_of("/live/a/index.m3u8?x=%2F#f"), "/live/a/index.m3u8");
  EXPECT_EQ(parse_target("/a?x=%2F#f")->query, "x=%2F");
  EXPECT_EQ(path_of("/a%20b"), "/a b");
  EXPECT_EQ(path_of("/a/./b/../c"), "/a/c");
  EXPECT_EQ(path_of("/a/b/.."), "/a/");
  EXPECT_EQ(path_of("/a/.hidden"), "/a/.hidden");
  EXPECT_EQ(path_of("http://host:80/x?y"), "/x");
  EXPECT_EQ(path_of("http://host"), "/");
  EXPECT_EQ(path_of("*"), "*");
  EXPECT_EQ(path_of("/../etc/passwd"), "refused");
  EXPECT_EQ(path_of("/%2e%2e/etc/passwd"), "refused");
  EXPECT_EQ(path_of("/a%2f..%2f..%2fetc"), "refused");
  EXPECT_EQ(path_of("/a%00b"), "refused");
  EXPECT_EQ(path_of("/a%4"), "refused");
  EXPECT_EQ(path_of("host:443"), "refused");
  EXPECT_EQ(path_of(""), "refused");
}

TEST(AcceptEncoding, is_judged_by_weight) {
  for (const char* yes : {"gzip", "deflate, GZIP;q=0.5", "*", "br;q=1, gzip; q=0.001"})
    EXPECT_TRUE(accepts_gzip(with("accept-encoding", yes))) << yes;
  for (const char* no : {"", "br", "gzip;q=0", "gzip;q=0.000, *", "identity", "*;q=0"})
    EXPECT_FALSE(accepts_gzip(with("accept-encoding", no))) << no;
}

TEST(Range, is_cut_to_the_body) {
  ByteRange range;
  auto judge = [&](std::string_view field, std::size_t size) { return judge_range(field, size, range); };
  ASSERT_EQ(judge("bytes=0-99", 1000), RangeVerdict::kPart);
  EXPECT_EQ(range.offset, 0u);
  EXPECT_EQ(range.length, 100u);
  // What LL-HLS clients ask of a part whose length they do not know.
  ASSERT_EQ(judge("bytes=10-9007199254740991", 1000), RangeVerdict::kPart);
  EXPECT_EQ(range.offset, 10u);
  EXPECT_EQ(range.length, 990u);
  ASSERT_EQ(judge("bytes=-5", 1000), RangeVerdict::kPart);
  EXPECT_EQ(range.offset, 995u);
  ASSERT_EQ(judge("bytes=-5000", 1000), RangeVerdict::kPart);
  EXPECT_EQ(range.length, 1000u);
  EXPECT_EQ(judge("bytes=1000-", 1000), RangeVerdict::kUnsatisfiable);
  EXPECT_EQ(judge("bytes=99999999999999999999-", 1000), RangeVerdict::kUnsatisfiable);
  EXPECT_EQ(judge("bytes=-0", 1000), RangeVerdict::kUnsatisfiable);
  EXPECT_EQ(judge("bytes=0-", 0), RangeVerdict::kUnsatisfiable);
  for (const char* whole : {"bytes=0-1,5-6", "bytes=5-4", "bytes=x-1", "bytes=-", "lines=1-2", "bytes=+1-2"})
    EXPECT_EQ(judge(whole, 1000), RangeVerdict::kWhole) << whole;
}

TEST(Range, spans_slices_without_copying_them) {
  Response response;
  SharedBytes first(std::string("abcdef")), second(std::string("ghijkl"));
  response.body.slices = {first, second};
  Conditions conditions;
  conditions.range = "bytes=4-8";
  apply_semantics(conditions, kNow, response);
  EXPECT_EQ(response.status, 206);
  EXPECT_EQ(joined(response.body), "efghi");
  EXPECT_EQ(response.body.slices[0].data(), first.data() + 4);
  EXPECT_EQ(response.headers.get("content-range"), "bytes 4-8/12");
  EXPECT_EQ(response.headers.get("content-length"), "5");
}

TEST(Range, beyond_the_body_is_answered_416) {
  Response response = text_of(100);
  Conditions conditions;
  conditions.range = "bytes=100-";
  apply_semantics(conditions, kNow, response);
  EXPECT_EQ(response.status, 416);
  EXPECT_EQ(response.headers.get("content-range"), "bytes */100");
  EXPECT_EQ(response.body.size(), 0u);
}

TEST(Range, is_ignored_when_if_range_names_another_version) {
  for (auto [if_range, status] : {std::pair{"\"v1\"", 206}, {"\"v0\"", 200}, {"W/\"v1\"", 200}}) {
    Response response = text_of(100);
    Conditions conditions;
    conditions.range = "bytes=0-9";
    conditions.if_range = if_range;
    apply_semantics(conditions, kNow, response);
    EXPECT_EQ(response.status, status) << if_range;
  }
}

TEST(ETag, is_compared_weakly_and_with_lists) {
  EXPECT_TRUE(matches_etag("\"a\", W/\"b\"", "\"b\""));
  EXPECT_TRUE(matches_etag("*", "\"b\""));
  EXPECT_TRUE(matches_etag("\"x,y\"", "W/\"x,y\""));
  EXPECT_FALSE(matches_etag("\"bb\"", "\"b\""));
  EXPECT_FALSE(matches_etag("b", "\"b\""));
  EXPECT_FALSE(matches_etag("\"unfinished", "\"unfinished"));
}

TEST(Conditional, gives_304_without_a_body_but_with_the_tag) {
  Response response = text_of(2000);
  Conditions conditions;
  conditions.if_none_match = "W/\"v1\"";
  apply_semantics(conditions, kNow, response);
  EXPECT_EQ(response.status, 304);
  EXPECT_EQ(response.body.size(), 0u);
  EXPECT_EQ(response.headers.get("etag"), "\"v1\"");
  EXPECT_FALSE(response.headers.has("content-length"));
  EXPECT_EQ(response.headers.get("date"), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(Head, tells_the_length_and_sends_nothing) {
  Response response = text_of(500);
  Conditions conditions;
  conditions.method = Method::kHead;
  apply_semantics(conditions, kNow, response);
  EXPECT_EQ(response.headers.get("content-length"), "500");
  EXPECT_EQ(response.body.size(), 0u);
}

TEST(Gzip, compresses_long_text_for_those_who_take_it) {
  Response response = text_of(5000);
  std::string plain = joined(response.body);
  Conditions conditions;
  conditions.accepts_gzip = true;
  apply_semantics(conditions, kNow, response);
  EXPECT_EQ(response.headers.get("content-encoding"), "gzip");
  EXPECT_EQ(response.headers.get("vary"), "Accept-Encoding");
  EXPECT_EQ(response.headers.get("etag"), "W/\"v1\"");
  EXPECT_LT(response.body.size(), plain.size());
  EXPECT_EQ(response.headers.get("content-length"), std::to_string(response.body.size()));
  EXPECT_EQ(inflated(response.body), plain);
}

TEST(Gzip, leaves_short_coded_and_binary_bodies_alone) {
  Conditions conditions;
  conditions.accepts_gzip = true;
  Response shorter = text_of(kGzipMinBytes - 1);
  apply_semantics(conditions, kNow, shorter);
  EXPECT_FALSE(shorter.headers.has("content-encoding"));
  Response media = text_of(5000);
  media.headers.set("content-type", "video/mp4");
  apply_semantics(conditions, kNow, media);
  EXPECT_FALSE(media.headers.has("content-encoding"));
  EXPECT_FALSE(media.headers.has("vary"));
  Response coded = text_of(5000);
  coded.headers.set("content-encoding", "gzip");
  apply_semantics(conditions, kNow, coded);
  EXPECT_EQ(coded.body.size(), 5000u);
  EXPECT_EQ(coded.headers.get("vary"), "Accept-Encoding");
}

TEST(Cors, lets_any_page_read_and_exposes_what_players_need) {
  Response response = text_of(10);
  response.urgency = 1;
  apply_semantics({}, kNow, response);
  EXPECT_EQ(response.headers.get("access-control-allow-origin"), "*");
  EXPECT_NE(response.headers.get("access-control-expose-headers").find("Age, Date"), std::string_view::npos);
  EXPECT_EQ(response.headers.get("priority"), "u=1");
}

TEST(Cors, answers_a_preflight_with_the_names_that_were_asked_for) {
  Request request = with("origin", "https://example.org");
  request.method = Method::kOptions;
  EXPECT_FALSE(is_preflight(request));
  request.headers.add("access-control-request-method", "PUT");
  request.headers.add("access-control-request-headers", "authorization");
  ASSERT_TRUE(is_preflight(request));
  Response response = make_preflight_response(request);
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.headers.get("access-control-allow-headers"), "authorization");
}

}  // namespace
}  // namespace stoa::http
