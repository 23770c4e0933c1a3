#include "proto/http/message.h"

#include <gtest/gtest.h>

namespace stoa::http {
namespace {

TEST(Headers, finds_fields_without_looking_at_case) {
  Headers headers;
  headers.add("ETag", "\"a\"");
  EXPECT_EQ(headers.get("etag"), "\"a\"");
  headers.set("etag", "\"b\"");
  EXPECT_EQ(headers.size(), 1u);
  EXPECT_EQ(headers.get("ETAG"), "\"b\"");
  headers.remove("Etag");
  EXPECT_FALSE(headers.has("etag"));
}

TEST(Request, finds_the_first_value_of_a_query_key) {
  Request request;
  request.query = "_HLS_msn=12&a=1&a=2&empty&text=a%20b%2Fc&%61bc=x";
  EXPECT_EQ(request.find_query("_HLS_msn"), "12");
  EXPECT_EQ(request.find_query("a"), "1");
  EXPECT_EQ(request.find_query("empty"), "");
  EXPECT_EQ(request.find_query("text"), "a b/c");
  EXPECT_EQ(request.find_query("abc"), "x");
  EXPECT_EQ(request.find_query("HLS"), std::nullopt);
}

TEST(ErrorResponse, escapes_what_would_break_the_json) {
  Response response = make_error_response(400, "bad", "a \"quote\"\n\\");
  EXPECT_EQ(response.body.slices[0].text(),
            "{\"error\":{\"code\":\"bad\",\"message\":\"a \\\"quote\\\"\\u000a\\\\\"}}");
  EXPECT_EQ(response.headers.get("content-type"), "application/json");
}

TEST(PercentDecode, leaves_broken_escapes_alone) { EXPECT_EQ(percent_decode("%41%4a%zz%4"), "AJ%zz%4"); }

}  // namespace
}  // namespace stoa::http
