// What strangers can have waiting, mailed and logged by calling.
#include <gtest/gtest.h>

#include "shard/rtc.h"
#include "shard/test_rtc_town.h"

namespace stoa::shard {
namespace {

api::RequestKey probe_session(RtcTown& town, ShardIndex at, const std::string& session) {
  return town.request(at, http::Method::kPatch, "/whep/news/" + session, "application/trickle-ice-sdpfrag",
                      "a=end-of-candidates\r\n");
}

TEST(RtcLimits, a_name_that_no_session_can_have_is_refused_where_it_is_asked_for) {
  RtcTown town(2);
  town.holds_mail = true;
  for (std::string_view name :
       {"1", "1-", "1-abc", "01-ABCDEFGHIJKLMNOPQRSTuv", "+1-ABCDEFGHIJKLMNOPQRSTuv",
        "1-ABCDEFGHIJKLMNOPQRST.v", "1-ABCDEFGHIJKLMNOPQRSTuvw", "1-ABCDEFGHIJKLMNOPQRSTu",
        "2-ABCDEFGHIJKLMNOPQRSTuv", "4294967297-ABCDEFGHIJKLMNOPQRSTuv"})
    EXPECT_EQ(town.status(probe_session(town, 0, std::string(name))), 404) << name;
  EXPECT_EQ(town.status(probe_session(town, 0, "1-ABCDEFGHIJKLMNOPQRSTuv")), 0) << "is asked of its shard";
}

TEST(RtcLimits, calls_for_another_shard_count_until_it_has_answered) {
  ShardConfig config;
  config.rtc.calls_max = 4;
  RtcTown town(2, config);
  const std::string session = "1-ABCDEFGHIJKLMNOPQRSTuv";
  town.holds_mail = true;
  std::vector<api::RequestKey> waiting;
  for (int i = 0; i < 4; ++i) waiting.push_back(probe_session(town, 0, session));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(town.status(probe_session(town, 0, session)), 503);
  // Whether anybody still waits or not.
  town.run_for(Duration::seconds(60));
  EXPECT_EQ(town.status(probe_session(town, 0, session)), 503);
  for (api::RequestKey each : waiting) EXPECT_EQ(town.status(each), 0);
  town.release();
  town.run_for(Duration::milliseconds(5));
  for (api::RequestKey each : waiting) EXPECT_EQ(town.status(each), 404);
  for (int i = 0; i < 20; ++i) {
    api::RequestKey next = probe_session(town, 0, session);
    town.run_for(Duration::milliseconds(5));
    EXPECT_EQ(town.status(next), 404);
  }
}

TEST(RtcLimits, an_offer_that_went_to_the_owner_counts_until_it_has_answered) {
  ShardConfig config;
  config.rtc.calls_max = 1;
  RtcTown town(2, config);
  for (int i = 0; i < 3; ++i) {
    RtcParty& publisher = town.call("whip", "news", town.other("news"));
    town.holds_mail = true;
    town.run_for(Duration::milliseconds(5));  // It is decided.
    EXPECT_EQ(town.status(town.call("whip", "news", town.other("news")).call), 503);
    town.release();
    town.run_for(Duration::milliseconds(5));
    EXPECT_EQ(publisher.status, 201);
  }
}

TEST(RtcLimits, what_control_has_not_decided_is_bounded_whether_its_callers_wait_or_not) {
  ShardConfig config;
  config.rtc.questions_max = 3;
  RtcTown town(1, config);
  town.holds_decisions = true;
  std::vector<api::RequestKey> waiting;
  for (int i = 0; i < 3; ++i) waiting.push_back(town.call("whip", "news", 0, {}, "No~Such~Key").call);
  EXPECT_EQ(town.status(town.call("whip", "news", 0).call), 503);
  town.run_for(Duration::seconds(30));
  for (api::RequestKey each : waiting) EXPECT_EQ(town.status(each), 503) << "in time";
  EXPECT_EQ(town.status(town.call("whip", "news", 0).call), 503);
  EXPECT_EQ(town.status(town.call("whep", "news", 0).call), 404) << "viewers have no key to be checked";
  town.release();
  town.run_for(Duration::milliseconds(5));
  RtcParty& late = town.call("whip", "news", 0);
  town.run_for(Duration::milliseconds(5));
  EXPECT_EQ(late.status, 201);
}

TEST(RtcLimits, wrong_keys_fill_no_log_however_many_come) {
  RtcTown town(1);
  TestClient client(town.time, town.transform(), {.publishes = true});
  const std::string offer(client.dialer->offer());
  auto call = [&] {
    town.request(0, http::Method::kPost, "/whip/news", "application/sdp", offer, "No~Such~Key");
    town.run_for(Duration::milliseconds(2));
  };
  auto lines = [&] { return town.count_logged(LogLevel::kDebug, "publishing to news refused"); };
  for (int i = 0; i < 50; ++i) call();
  EXPECT_EQ(lines(), Rtc::kRefusalLinesMax);
  EXPECT_TRUE(town.has_logged("198.51.100.7: publishing to news refused"));
  town.run_for(Rtc::kRefusalLinesInterval);
  call();
  EXPECT_EQ(lines(), Rtc::kRefusalLinesMax + 1u);
  EXPECT_TRUE(town.log.back().ends_with(", as were 40 more calls before")) << town.log.back();
  call();
  EXPECT_FALSE(town.log.back().ends_with("before"));
  EXPECT_EQ(town.metric("stoa_rtc_calls_refused_total"), 52) << "all are counted";
}

TEST(RtcLimits, a_viewer_has_lines_for_debugging_alone_whether_it_connects_or_not) {
  RtcTown town(1);
  town.publish("news", 0);
  RtcParty& viewer = town.watch("news", 0);
  TestClient silent(town.time, town.transform(), {});
  town.request(0, http::Method::kPost, "/whep/news", "application/sdp", std::string(silent.dialer->offer()));
  town.run_for(Duration::milliseconds(10'100));
  town.request(0, http::Method::kDelete, viewer.location);
  for (const char* text : {"198.51.100.7: a viewer of channel news connected over ",
                           "198.51.100.7: a viewer of channel news never connected: ",
                           "198.51.100.7: a viewer of channel news left: "}) {
    EXPECT_EQ(town.count_logged(LogLevel::kDebug, text), 1u) << text;
  }
  EXPECT_EQ(town.count_logged(LogLevel::kInfo, "viewer"), 0u);
}

}  // namespace
}  // namespace stoa::shard
