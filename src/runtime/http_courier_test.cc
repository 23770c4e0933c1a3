#include "runtime/http_courier.h"

#include <gtest/gtest.h>

#include <map>

#include "runtime/http_test_server.h"

namespace stoa::runtime {
namespace {

// Its responses by id, on a loop of its own.
struct Sender {
  explicit Sender(HttpClient::Config config = {}) {
    thread.call([&] {
      courier = std::make_unique<HttpCourier>(thread.loop, config, [this](ClientResponse&& response) {
        EXPECT_TRUE(thread.loop.is_loop_thread());
        responses[response.id] = std::move(response);
        answered.raise();
      });
    });
  }
  ~Sender() {
    thread.call([&] { courier.reset(); });
  }
  void start(ClientRequest request) {
    thread.call([&] { courier->start(std::move(request)); });
  }
  ClientResponse response(std::uint64_t id) {
    return thread.call([&] { return responses[id]; });
  }

  LoopThread thread;
  std::map<std::uint64_t, ClientResponse> responses;
  Signal answered;
  std::unique_ptr<HttpCourier> courier;
};

TEST(HttpCourier, brings_a_body_with_its_headers_and_the_answer_back_to_the_loop) {
  TestServer server;
  Sender sender;
  sender.start({.id = 5,
                .method = "POST",
                .url = server.url("/echo"),
                .headers = {{"content-type", "application/webhook+json"}, {"authorization", "token"}},
                .body = "{\"a\": 1}"});
  ASSERT_TRUE(sender.answered.wait_for(1));
  EXPECT_EQ(sender.response(5).status, 200) << sender.response(5).failure;
  EXPECT_EQ(as_text(sender.response(5).body), "{\"a\": 1}");
  server.thread.call([&] {
    const http::Request& request = server.handler.last_request;
    EXPECT_EQ(request.method, http::Method::kPost);
    EXPECT_EQ(request.headers.get("content-type"), "application/webhook+json");
    EXPECT_EQ(request.headers.get("authorization"), "token");
  });
}

TEST(HttpCourier, answers_others_while_one_hangs) {
  TestServer server;
  Sender sender({.http = ClientHttp::kHttp1});
  sender.start({.id = 1, .url = server.url("/wait")});
  ASSERT_TRUE(server.handler.waits.wait_for(1));
  for (std::uint64_t id = 2; id < 6; ++id) sender.start({.id = id, .url = server.url("/hello")});
  ASSERT_TRUE(sender.answered.wait_for(4));
  EXPECT_EQ(sender.response(1).status, 0);
  server.release("late");
  ASSERT_TRUE(sender.answered.wait_for(5));
  EXPECT_EQ(sender.response(1).status, 200);
}

TEST(HttpCourier, tells_that_there_is_nobody) {
  Sender sender;
  std::uint16_t port = 0;
  {
    TestServer gone;
    port = gone.port;
  }
  sender.start({.id = 1, .url = "http://127.0.0.1:" + std::to_string(port) + "/"});
  ASSERT_TRUE(sender.answered.wait_for(1));
  EXPECT_EQ(sender.response(1).status, 0);
  EXPECT_NE(sender.response(1).failure, "");
}

TEST(HttpCourier, gives_up_after_the_timeout) {
  TestServer server;
  Sender sender;
  sender.start({.id = 1, .url = server.url("/wait"), .timeout = Duration::milliseconds(50)});
  ASSERT_TRUE(sender.answered.wait_for(1));
  EXPECT_TRUE(sender.response(1).timed_out);
}

TEST(HttpCourier, refuses_more_than_it_may_have_under_way) {
  TestServer server;
  Sender sender({.transfers_max = 1});
  sender.start({.id = 1, .url = server.url("/wait")});
  ASSERT_TRUE(server.handler.waits.wait_for(1));
  sender.start({.id = 2, .url = server.url("/hello")});
  ASSERT_TRUE(sender.answered.wait_for(1));
  EXPECT_EQ(sender.response(2).failure, "too many transfers are under way");
}

TEST(HttpCourier, can_be_taken_down_while_a_transfer_hangs) {
  TestServer server;
  {
    Sender sender;
    sender.start({.id = 1, .url = server.url("/wait")});
    ASSERT_TRUE(server.handler.waits.wait_for(1));
  }
  EXPECT_TRUE(server.handler.cancelled.wait_for(1));
}

}  // namespace
}  // namespace stoa::runtime
