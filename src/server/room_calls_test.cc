// Calls of the server's API on their way to the shards, and back.
#include "server/room_calls.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "api/livekit/grant.h"
#include "control/memory_store.h"

namespace stoa::server {
namespace {

class RoomCallsTest : public ::testing::Test {
 protected:
  static control::ApiKeys::Options keys() {
    control::ApiKeys::Options options;
    options.fixed.push_back(control::development_key());
    return options;
  }
  // Calls a method of Ben's in "meeting"; the number of the question.
  std::uint64_t perform_rpc() {
    livekit::AccessGrant grant;
    grant.identity = "backend";
    grant.video = livekit::VideoGrant{.room_admin = true, .room = "meeting"};
    const control::ApiKey key = control::development_key();
    HttpAsked asked{.shard = 1, .request = {}, .message = {}};
    asked.message.method = http::Method::kPost;
    asked.message.path = "/twirp/livekit.RoomService/PerformRpc";
    asked.message.body = R"({"room":"meeting","destination_identity":"ben","method":"greet"})";
    asked.message.headers.add("content-type", "application/json");
    asked.message.headers.add("authorization",
                              "Bearer " + *livekit::make_access_token(grant, key.id, key.secret, loop_.wall(),
                                                                      Duration::seconds(60)));
    calls_.handle_request(loop_.now(), loop_.wall(), asked);
    return last_question_;
  }
  void answer(std::uint64_t question, const std::string& room, const std::string& identity) {
    livekit::RpcReply reply;
    reply.id = livekit::kServerRpcPrefix + std::to_string(question);
    reply.payload = "of " + identity;
    calls_.handle_rpc({room, identity, std::move(reply)});
  }

  Config config_ = *make_config(*parse_config_file("dev: true\n", "stoa.yaml"));
  control::MemoryStore store_;
  control::ApiKeys api_keys_{store_, keys()};
  runtime::Log log_{LogLevel::kError, runtime::LogFormat::kText};
  runtime::Loop loop_;
  RoomDesk desk_{config_, loop_, log_, store_, api_keys_};
  std::vector<http::Response> answers_;
  std::uint64_t last_question_ = 0;
  RoomCalls calls_{
      api_keys_, desk_, 2, {.is_dev = true}, [this](shard::ShardIndex to, ToShard&& message) {
        if (auto* answered = std::get_if<HttpAnswered>(&message)) {
          EXPECT_EQ(to, 1u);
          answers_.push_back(std::move(answered->response));
        } else if (auto* called = std::get_if<shard::RoomCalled>(&std::get<shard::Mail>(message))) {
          EXPECT_EQ(to, shard::owner_of("meeting", 2));
          last_question_ = called->question;
        }
      }};
};

TEST_F(RoomCallsTest, takes_the_answer_of_whom_it_called_and_of_nobody_else) {
  const std::uint64_t question = perform_rpc();
  ASSERT_NE(question, 0u);
  answer(question, "meeting", "anna");
  answer(question, "elsewhere", "ben");
  answer(question + 1, "meeting", "ben");
  EXPECT_TRUE(answers_.empty());
  answer(question, "meeting", "ben");
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].status, 200);
  std::string body;
  for (const auto& slice : answers_[0].body.slices) body += slice.text();
  EXPECT_NE(body.find("of ben"), std::string::npos) << body;
  // Once.
  answers_.clear();
  answer(question, "meeting", "ben");
  EXPECT_TRUE(answers_.empty());
}

TEST_F(RoomCallsTest, gives_up_a_participant_that_does_not_answer) {
  const std::uint64_t question = perform_rpc();
  ASSERT_NE(question, 0u);
  calls_.handle_tick(loop_.now() + RoomCalls::kPatience);
  EXPECT_TRUE(answers_.empty());
  calls_.handle_tick(loop_.now() + RoomCalls::kRpcPatienceMax);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_NE(answers_[0].status, 200);
  answers_.clear();
  answer(question, "meeting", "ben");
  EXPECT_TRUE(answers_.empty());
}

}  // namespace
}  // namespace stoa::server
