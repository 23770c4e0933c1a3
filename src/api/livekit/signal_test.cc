#include "api/livekit/signal.h"

#include <gtest/gtest.h>

#include "api/livekit/test_vectors.h"
#include "crypto/text.h"

namespace stoa::livekit {
namespace {

Result<pb::SignalRequest, SignalRefusal> parse_hex(const char* hex) {
  return parse_signal(*crypto::parse_hex(hex), false);
}

TEST(Signal, reads_binary_frames_of_clients) {
  auto track = parse_hex(vectors::kAddTrack);
  ASSERT_TRUE(track);
  ASSERT_EQ(track->message_case(), pb::SignalRequest::kAddTrack);
  EXPECT_EQ(track->add_track().name(), "cam");
  EXPECT_EQ(track->add_track().layers_size(), 3);
  auto ping = parse_hex(vectors::kPingReq);
  ASSERT_TRUE(ping);
  EXPECT_EQ(ping->ping_req().timestamp(), 1'795'296'000'123);
  EXPECT_EQ(ping->ping_req().rtt(), 42);
}

TEST(Signal, reads_text_frames_of_clients) {
  auto ping = parse_signal(as_bytes(vectors::kPingJson), true);
  ASSERT_TRUE(ping);
  EXPECT_EQ(ping->ping(), 1'795'296'000'123);
  auto trickle = parse_signal(as_bytes(vectors::kTrickleJson), true);
  ASSERT_TRUE(trickle);
  EXPECT_EQ(trickle->trickle().candidateinit(), R"({"candidate":""})");
  EXPECT_EQ(trickle->trickle().target(), pb::SUBSCRIBER);
  EXPECT_TRUE(trickle->trickle().final());
}

TEST(Signal, reads_both_spellings_of_names_and_passes_over_unknown_ones) {
  for (const char* text : {R"({"add_track":{"cid":"c","disable_red":true},"later":{"x":[1]}})",
                           R"({"addTrack":{"cid":"c","disableRed":true,"someday":"y"}})"}) {
    auto request = parse_signal(as_bytes(text), true);
    ASSERT_TRUE(request) << text;
    EXPECT_TRUE(request->add_track().disable_red()) << text;
  }
}

TEST(Signal, passes_over_messages_that_it_does_not_know) {
  auto request = parse_hex("c23e03616263");  // Field 1000.
  ASSERT_TRUE(request);
  EXPECT_EQ(request->message_case(), pb::SignalRequest::MESSAGE_NOT_SET);
  auto text = parse_signal(as_bytes(R"({"someday":{"a":1}})"), true);
  ASSERT_TRUE(text);
  EXPECT_EQ(text->message_case(), pb::SignalRequest::MESSAGE_NOT_SET);
}

TEST(Signal, refuses_what_is_malformed) {
  EXPECT_EQ(parse_hex("0aff").error(), SignalRefusal::kMalformed);
  EXPECT_EQ(parse_hex("22041202c328").error(), SignalRefusal::kMalformed);  // A name that is not UTF-8.
  for (const char* text : {"", "{", "[]", R"({"ping":{}})", R"({"addTrack":7})"})
    EXPECT_EQ(parse_signal(as_bytes(text), true).error(), SignalRefusal::kMalformed) << text;
  EXPECT_EQ(parse_signal(as_bytes(std::string(100'000, '[')), true).error(), SignalRefusal::kMalformed);
}

TEST(Signal, refuses_frames_over_the_limit_before_reading_them) {
  Buffer large(kSignalBytesMax + 1);
  EXPECT_EQ(parse_signal(large, false).error(), SignalRefusal::kTooLong);
  EXPECT_EQ(parse_signal(Bytes(large).first(kSignalJsonBytesMax + 1), true).error(), SignalRefusal::kTooLong);
}

TEST(Signal, writes_what_clients_read) {
  pb::SignalResponse response;
  response.set_pong(1'795'296'000'123);
  EXPECT_EQ(write_signal(response, true).text(), R"({"pong":"1795296000123"})");
  EXPECT_EQ(crypto::write_hex(write_signal(response, false).bytes()), "9001fbf0ebff9f34");
  pb::TrackPublishedResponse& published = *response.mutable_track_published();
  published.set_cid("c");
  published.mutable_track()->set_sid("TR_1");
  published.mutable_track()->set_type(pb::VIDEO);
  published.mutable_track()->set_source(pb::CAMERA);
  published.mutable_track()->set_mime_type("video/VP8");
  published.mutable_track()->add_codecs()->set_mime_type("video/VP8");
  published.mutable_track()->mutable_codecs(0)->set_cid("c");
  published.mutable_track()->mutable_version()->set_unix_micro(1'800'000'000'000'001);
  EXPECT_EQ(write_signal(response, true).text(), vectors::kPublishedJson);
}

}  // namespace
}  // namespace stoa::livekit
