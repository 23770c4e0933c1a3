#include "runtime/http_client.h"

#include <gmock/gmock.h>

#include <map>
#include <thread>

#include "crypto/certificate.h"
#include "runtime/http_test_server.h"

namespace stoa::runtime {
namespace {

std::map<std::uint64_t, ClientResponse> run(HttpClient& client, std::vector<ClientRequest> requests) {
  for (auto& request : requests) EXPECT_TRUE(client.start(std::move(request)));
  std::map<std::uint64_t, ClientResponse> answers;
  while (client.in_flight()) {
    for (auto& response : client.wait(Duration::seconds(10)))
      answers.emplace(response.id, std::move(response));
  }
  return answers;
}

TEST(HttpClient, tells_status_version_headers_body_and_times) {
  TestServer server;
  HttpClient client({});
  auto answer = run(client, {{.id = 7, .url = server.url("/hello")}}).at(7);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.failure, "");
  EXPECT_EQ(answer.http_version, 11);
  EXPECT_EQ(as_text(answer.body), "hello");
  EXPECT_THAT(answer.headers, testing::Contains(testing::Pair("etag", "\"tag\"")));
  EXPECT_LE(answer.sent, answer.first_byte);
  EXPECT_LE(answer.first_byte, answer.last_byte);
  EXPECT_EQ(answer.tls, "");
}

TEST(HttpClient, speaks_http2_in_the_clear_when_told_that_the_peer_can) {
  TestServer server;
  HttpClient client({.http = ClientHttp::kPriorKnowledge});
  auto answer = run(client, {{.url = server.url("/hello")}}).at(0);
  EXPECT_EQ(answer.http_version, 20);
  EXPECT_EQ(as_text(answer.body), "hello");
}

TEST(HttpClient, runs_many_transfers_at_once_and_notes_how_long_one_was_held) {
  TestServer server;
  HttpClient client({.http = ClientHttp::kPriorKnowledge});
  ASSERT_TRUE(client.start({.id = 1, .url = server.url("/wait")}));
  for (std::uint64_t id = 2; id < 22; ++id)
    ASSERT_TRUE(client.start({.id = id, .url = server.url("/hello")}));
  std::size_t answered = 0;
  while (answered < 20) {
    for (const auto& response : client.wait(Duration::seconds(10))) {
      EXPECT_EQ(response.status, 200) << response.failure;
      EXPECT_NE(response.id, 1u);
      ++answered;
    }
  }
  Timestamp released = Loop::now();
  ASSERT_TRUE(server.handler.waits.wait_for());
  server.release("late");
  auto late = client.wait(Duration::seconds(10));
  ASSERT_EQ(late.size(), 1u);
  EXPECT_EQ(as_text(late[0].body), "late");
  EXPECT_LT(late[0].sent, released);
  EXPECT_GE(late[0].first_byte, released);
}

// Four are held on one connection; the last two are answered about when the client, in answer to the first
// two, asks anew.
TEST(HttpClient, leaves_no_answer_lying_that_came_with_another) {
  auto pem = *crypto::make_self_signed_certificate(Loop::wall(), Duration::seconds(3600), {});
  TlsIdentity identity;
  identity.certificate_pem = pem.certificate;
  identity.key_pem = pem.private_key;
  TestServer server({}, *TlsContext::make(identity));
  HttpClient client({.verifies_certificates = false});
  constexpr int kRounds = 500;
  std::thread releaser([&] {
    for (int round = 0; round < kRounds; ++round) {
      if (!server.handler.waits.wait_for(4 * round + 4)) return;
      server.release_oldest(std::string(600, 'l'));
      server.release_oldest(std::string(250, 'p'));
      std::this_thread::sleep_for(std::chrono::microseconds(2 * round));  // Wherever the race falls.
      server.release_oldest(std::string(500, 'l'));
      server.release_oldest(std::string(12'000, 'p'));
    }
  });
  auto ask = [&](std::uint64_t id) {
    EXPECT_TRUE(client.start(
        {.id = id, .url = server.secure_url("/wait"), .wants_gzip = true, .timeout = Duration::seconds(60)}));
  };
  for (std::uint64_t id = 0; id < 4; ++id) ask(id);
  Duration longest;
  std::uint64_t next = 4;
  while (client.in_flight()) {
    Timestamp began = Loop::now();
    for (const auto& answer : client.wait(Duration::seconds(5))) {
      EXPECT_EQ(answer.http_version, 20) << answer.failure;
      if (next < 4 * kRounds) ask(next++);
    }
    longest = std::max(longest, Loop::now() - began);
  }
  releaser.join();
  EXPECT_LT(longest.ms(), 1000);
}

TEST(HttpClient, offers_gzip_only_when_asked_and_hands_the_body_over_decoded) {
  TestServer server;
  HttpClient client({});
  auto answers = run(client, {{.id = 1, .url = server.url("/text"), .wants_gzip = true},
                              {.id = 2, .url = server.url("/text")}});
  EXPECT_THAT(answers.at(1).headers, testing::Contains(testing::Pair("content-encoding", "gzip")));
  EXPECT_EQ(answers.at(1).body.size(), 5000u);
  EXPECT_LT(answers.at(1).wire_bytes, 1000u);
  EXPECT_THAT(answers.at(2).headers, testing::Not(testing::Contains(testing::Key("content-encoding"))));
  EXPECT_EQ(answers.at(2).body, answers.at(1).body);
}

TEST(HttpClient, sends_methods_headers_and_bodies) {
  TestServer server;
  HttpClient client({});
  auto answers = run(client, {{.id = 1, .method = "POST", .url = server.url("/echo"), .body = "ping"},
                              {.id = 2, .method = "HEAD", .url = server.url("/hello")},
                              {.id = 3, .url = server.url("/big"), .headers = {{"range", "bytes=0-9"}}}});
  EXPECT_EQ(as_text(answers.at(1).body), "ping");
  EXPECT_EQ(answers.at(2).status, 200);
  EXPECT_TRUE(answers.at(2).body.empty());
  EXPECT_EQ(answers.at(3).status, 206);
  EXPECT_EQ(answers.at(3).body.size(), 10u);
}

TEST(HttpClient, gives_up_at_its_limits_and_says_why) {
  TestServer server;
  HttpClient client({});
  auto answers = run(client, {{.id = 1, .url = server.url("/big"), .body_bytes_max = 1000},
                              {.id = 2, .url = server.url("/wait"), .timeout = Duration::milliseconds(50)},
                              {.id = 3, .url = "http://127.0.0.1:1/"},
                              {.id = 4, .url = "file:///etc/passwd"}});
  EXPECT_TRUE(answers.at(1).is_cut);
  EXPECT_LE(answers.at(1).body.size(), 1000u);
  EXPECT_TRUE(answers.at(2).timed_out);
  EXPECT_EQ(answers.at(2).status, 0);
  EXPECT_EQ(answers.at(3).status, 0);
  EXPECT_NE(answers.at(3).failure, "");
  EXPECT_EQ(answers.at(4).status, 0);
  EXPECT_TRUE(answers.at(4).body.empty());
}

TEST(HttpClient, starts_no_more_than_its_limit) {
  TestServer server;
  HttpClient client({.transfers_max = 1});
  EXPECT_TRUE(client.start({.url = server.url("/hello")}));
  EXPECT_FALSE(client.start({.url = server.url("/hello")}));
}

}  // namespace
}  // namespace stoa::runtime
