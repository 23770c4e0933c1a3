#include <gmock/gmock.h>

#include "runtime/http_test_server.h"

namespace stoa::runtime {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string kHost = "Host: stoa\r\n";

std::string get(const std::string& path, const std::string& fields = {}) {
  return "GET " + path + " HTTP/1.1\r\n" + kHost + fields + "\r\n";
}

TEST(Http1, keeps_the_connection_for_the_next_request) {
  TestServer server;
  RawClient client(server.port);
  for (int i = 0; i < 3; ++i) {
    client.send(get("/hello"));
    std::string response = client.read_response();
    EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(response, EndsWith("\r\n\r\nhello"));
    EXPECT_THAT(response, HasSubstr("access-control-allow-origin: *"));
    EXPECT_THAT(response, HasSubstr("date: "));
  }
  EXPECT_EQ(server.server->connection_count(), 1u);
}

TEST(Http1, closes_when_it_is_asked_to) {
  TestServer server;
  RawClient client(server.port);
  client.send(get("/hello", "Connection: close\r\n"));
  EXPECT_THAT(client.read_to_end(), HasSubstr("connection: close"));
  RawClient old(server.port);
  old.send("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.read_to_end(), EndsWith("hello"));
}

TEST(Http1, answers_pipelined_requests_in_order_also_behind_a_waiter) {
  TestServer server;
  RawClient client(server.port);
  client.send(get("/hello") + get("/wait") + get("/echo") + get("/hello"));
  EXPECT_THAT(client.read_response(), EndsWith("hello"));
  ASSERT_TRUE(server.handler.waits.wait_for());
  server.release("part");
  EXPECT_THAT(client.read_response(), EndsWith("part"));
  EXPECT_THAT(client.read_response(), HasSubstr("content-length: 0"));
  EXPECT_THAT(client.read_response(), EndsWith("hello"));
}

TEST(Http1, stops_reading_from_one_who_pipelines_without_end) {
  HttpLimits limits;
  limits.pipelined_bytes = 1000;
  TestServer server(limits);
  RawClient client(server.port);
  client.send(get("/wait"));
  ASSERT_TRUE(server.handler.waits.wait_for());
  constexpr int kMore = 5000;
  std::string many;
  for (int i = 0; i < kMore; ++i) many += get("/echo");
  std::thread sender([&] { client.send(many); });
  server.release("first");
  EXPECT_THAT(client.read_response(), EndsWith("first"));
  for (int i = 0; i < kMore; ++i) ASSERT_THAT(client.read_response(), StartsWith("HTTP/1.1 200"));
  sender.join();
}

TEST(Http1, takes_a_chunked_body_and_one_in_pieces) {
  TestServer server;
  RawClient client(server.port);
  client.send("POST /echo HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n4\r\nab");
  client.send("cd\r\n3;x=y\r\nefg\r\n0\r\n\r\n");
  EXPECT_THAT(client.read_response(), EndsWith("abcdefg"));
  client.send("POST /echo HTTP/1.1\r\n" + kHost + "Content-Length: 6\r\n\r\nabc");
  client.send("def" + get("/hello"));
  EXPECT_THAT(client.read_response(), EndsWith("abcdef"));
  EXPECT_THAT(client.read_response(), EndsWith("hello"));
}

TEST(Http1, says_continue_to_one_who_waits_for_it) {
  TestServer server;
  RawClient client(server.port);
  client.send("POST /echo HTTP/1.1\r\n" + kHost + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 100 Continue"));
  client.send("ok");
  EXPECT_THAT(client.read_response(), EndsWith("ok"));
}

struct Broken {
  const char* what;
  std::string request;
  const char* status;
};

TEST(Http1, refuses_what_is_malformed_too_large_or_smuggled) {
  HttpLimits limits;
  limits.body_bytes = 1000;
  TestServer server(limits);
  const std::string post = "POST /echo HTTP/1.1\r\n" + kHost;
  const std::vector<Broken> cases = {
      {"garbage", "\x16\x03\x01 hello\r\n\r\n", "400"},
      {"no host", "GET / HTTP/1.1\r\n\r\n", "400"},
      {"two hosts", "GET / HTTP/1.1\r\n" + kHost + kHost + "\r\n", "400"},
      {"climbing path", get("/../secret"), "400"},
      {"unknown version", "GET / HTTP/3.7\r\n" + kHost + "\r\n", "505"},
      {"header too large", get("/hello", "X: " + std::string(17'000, 'x') + "\r\n"), "431"},
      {"endless header", "GET /hello HTTP/1.1\r\nX: " + std::string(17'000, 'x'), "431"},
      {"too many fields",
       get("/hello",
           [] {
             std::string fields;
             for (int i = 0; i < 101; ++i) fields += "a: b\r\n";
             return fields;
           }()),
       "431"},
      {"body too large", post + "Content-Length: 1001\r\n\r\n", "413"},
      {"chunks too large", post + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x'),
       "413"},
      {"two lengths", post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
      {"length and chunks", post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
      {"negative length", post + "Content-Length: -1\r\n\r\n", "400"},
      {"space before colon", get("/hello", "Foo : x\r\n"), "400"},
      {"unknown expectation", post + "Expect: tea\r\nContent-Length: 2\r\n\r\n", "417"},
  };
  for (const Broken& broken : cases) {
    RawClient client(server.port);
    client.send(broken.request);
    std::string response = client.read_response();
    EXPECT_THAT(response, StartsWith(std::string("HTTP/1.1 ") + broken.status)) << broken.what;
    EXPECT_THAT(response, HasSubstr("connection: close")) << broken.what;
    EXPECT_EQ(client.read_to_end(), "") << broken.what;
  }
  EXPECT_EQ(server.metric("stoa_http_refused_total"), cases.size());
  RawClient client(server.port);
  client.send(get("/hello"));
  EXPECT_THAT(client.read_response(), EndsWith("hello"));
}

TEST(Http1, drops_one_who_sends_a_header_too_slowly) {
  HttpLimits limits;
  limits.header_timeout = Duration::milliseconds(200);
  limits.close_timeout = Duration::milliseconds(100);
  TestServer server(limits);
  RawClient client(server.port), silent(server.port);
  client.send("GET /hello HTTP/1.1\r\nHos");
  // Bytes that trickle in do not buy more time.
  std::atomic<bool> done{false};
  std::thread trickle([&] {
    while (!done && client.try_send("x")) std::this_thread::yield();
  });
  std::string response = client.read_to_end();
  done = true;
  trickle.join();
  EXPECT_THAT(response, StartsWith("HTTP/1.1 4"));
  EXPECT_EQ(silent.read_to_end(), "");
}

TEST(Http1, drops_one_who_sends_a_body_too_slowly) {
  HttpLimits limits;
  limits.body_timeout = Duration::milliseconds(200);
  TestServer server(limits);
  RawClient client(server.port);
  client.send("POST /echo HTTP/1.1\r\n" + kHost + "Content-Length: 10\r\n\r\nabc");
  EXPECT_THAT(client.read_response(), StartsWith("HTTP/1.1 408"));
  EXPECT_EQ(server.metric("stoa_http_refused_total", "slow_body"), 1);
}

TEST(Http1, closes_idle_connections_but_not_waiting_ones) {
  HttpLimits limits;
  limits.idle_timeout = limits.header_timeout = Duration::milliseconds(150);
  TestServer server(limits);
  RawClient waiter(server.port), idle(server.port);
  waiter.send(get("/wait"));
  idle.send(get("/hello"));
  EXPECT_THAT(idle.read_response(), EndsWith("hello"));
  EXPECT_EQ(idle.read_to_end(), "");
  // By now the waiter has waited longer than the other was idle.
  server.release("still here");
  EXPECT_THAT(waiter.read_response(), EndsWith("still here"));
}

TEST(Http1, tells_of_a_client_that_went_away_while_it_waited) {
  TestServer server;
  RawClient client(server.port);
  client.send(get("/wait"));
  ASSERT_TRUE(server.handler.waits.wait_for());
  EXPECT_EQ(server.metric("stoa_http_waiting_requests"), 1);
  client.close();
  ASSERT_TRUE(server.handler.cancelled.wait_for());
  EXPECT_EQ(server.metric("stoa_http_waiting_requests"), 0);
  EXPECT_EQ(server.metric("stoa_http_cancelled_total"), 1);
}

TEST(Http1, answers_one_who_has_finished_sending) {
  TestServer server;
  RawClient client(server.port);
  client.send(get("/big"));
  client.finish();
  EXPECT_GT(client.read_to_end().size(), 8u << 20);
}

TEST(Http1, streams_a_big_body_to_a_slow_reader_while_others_are_served) {
  TestServer server;
  RawClient slow(server.port), quick(server.port);
  slow.send(get("/big"));
  std::string head = slow.read_head();
  quick.send(get("/hello"));
  EXPECT_THAT(quick.read_response(), EndsWith("hello"));
  EXPECT_EQ(slow.read(8 << 20), std::string(8 << 20, 'b'));
  slow.send(get("/hello"));
  EXPECT_THAT(slow.read_response(), EndsWith("hello"));
}

TEST(Http1, drops_one_who_does_not_read_his_answer) {
  HttpLimits limits;
  limits.write_stall_timeout = Duration::milliseconds(200);
  TestServer server(limits);
  RawClient client(server.port);
  // More than the kernel holds for one who does not read.
  std::string requests;
  for (int i = 0; i < 8; ++i) requests += get("/big");
  client.send(requests);
  while (server.metric("stoa_tcp_refused_total", "write_stall") == 0) std::this_thread::yield();
  EXPECT_LT(client.read_to_end().size(), 64u << 20);
}

TEST(Http1, applies_semantics_to_what_the_application_answers) {
  TestServer server;
  RawClient client(server.port);
  client.send("HEAD /hello HTTP/1.1\r\n" + kHost + "\r\n");
  EXPECT_THAT(client.read_head(), HasSubstr("content-length: 5"));
  client.send(get("/hello", "If-None-Match: \"tag\"\r\n"));
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 304 Not Modified"));
  client.send(get("/hello", "Range: bytes=1-9007199254740991\r\n"));
  EXPECT_THAT(client.read_response(), EndsWith("ello"));
  client.send(get("/hello", "Range: bytes=5-\r\n"));
  EXPECT_THAT(client.read_response(), StartsWith("HTTP/1.1 416"));
  client.send("OPTIONS /hello HTTP/1.1\r\n" + kHost +
              "Origin: a\r\nAccess-Control-Request-Method: PUT\r\n\r\n");
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 204"));
}

TEST(Http1, refuses_connections_over_the_limits) {
  HttpLimits limits;
  limits.connections_per_address = 2;
  TestServer server(limits);
  RawClient first(server.port);
  auto second = std::make_unique<RawClient>(server.port);
  first.send(get("/hello"));
  second->send(get("/hello"));
  first.read_response();
  second->read_response();
  EXPECT_EQ(RawClient(server.port).read_to_end(), "");
  EXPECT_EQ(server.metric("stoa_tcp_refused_total", "connections_per_address"), 1);
  second.reset();
  while (server.metric("stoa_tcp_connections") > 1) std::this_thread::yield();
  RawClient third(server.port);
  third.send(get("/hello"));
  EXPECT_THAT(third.read_response(), EndsWith("hello"));
}

TEST(Http1, answers_503_when_too_many_requests_wait) {
  HttpLimits limits;
  limits.requests = 1;
  TestServer server(limits);
  RawClient first(server.port), second(server.port);
  first.send(get("/wait"));
  ASSERT_TRUE(server.handler.waits.wait_for());
  second.send(get("/hello"));
  EXPECT_THAT(second.read_response(), StartsWith("HTTP/1.1 503"));
  server.release("x");
  EXPECT_THAT(first.read_response(), EndsWith("x"));
  second.send(get("/hello"));
  EXPECT_THAT(second.read_response(), EndsWith("hello"));
}

TEST(Drain, finishes_what_waits_and_refuses_what_is_new) {
  TestServer server;
  RawClient waiter(server.port), idle(server.port);
  idle.send(get("/hello"));
  idle.read_response();
  waiter.send(get("/wait"));
  ASSERT_TRUE(server.handler.waits.wait_for());
  Signal drained;
  server.thread.call(
      [&] { server.server->drain(Loop::now() + Duration::seconds(8), [&] { drained.raise(); }); });
  EXPECT_EQ(idle.read_to_end(), "");
  server.release("last");
  std::string response = waiter.read_to_end();
  EXPECT_THAT(response, EndsWith("last"));
  EXPECT_THAT(response, HasSubstr("connection: close"));
  idle.close();
  waiter.close();
  EXPECT_TRUE(drained.wait_for());
  EXPECT_NE(run_command("curl -s -o /dev/null -w '%{exitcode}' " + server.url("/hello")), "0");
}

TEST(Drain, drops_what_does_not_finish_by_the_deadline) {
  TestServer server;
  RawClient waiter(server.port);
  waiter.send(get("/wait"));
  ASSERT_TRUE(server.handler.waits.wait_for());
  Signal drained;
  server.thread.call(
      [&] { server.server->drain(Loop::now() + Duration::milliseconds(100), [&] { drained.raise(); }); });
  EXPECT_TRUE(drained.wait_for());
  EXPECT_TRUE(server.handler.cancelled.wait_for());
  EXPECT_EQ(waiter.read_to_end(), "");
}

// Longer than the limit under test; what is tested is that nothing happens meanwhile.
void outlast(Duration limit) { std::this_thread::sleep_for(std::chrono::nanoseconds((limit * 4).ns())); }

TEST(Http1, sends_a_last_answer_whole_however_long_it_takes) {
  HttpLimits limits;
  limits.close_timeout = limits.idle_timeout = Duration::milliseconds(100);
  for (const char* field : {"Connection: close\r\n", "Connection: keep-alive\r\n"}) {
    TestServer server(limits);
    RawClient client(server.port);
    client.send(get("/big", field));
    std::string head = client.read_head();
    EXPECT_THAT(head, HasSubstr("content-length: 8388608"));
    std::size_t got = client.read(1000).size();
    outlast(limits.close_timeout);
    got += client.read_to_end().size();
    EXPECT_EQ(got, 8u << 20) << field;
  }
}

TEST(Drain, lets_a_download_that_goes_on_finish) {
  HttpLimits limits;
  limits.close_timeout = Duration::milliseconds(100);
  TestServer server(limits);
  RawClient client(server.port);
  client.send(get("/big"));
  client.read_head();
  std::size_t got = client.read(1000).size();
  Signal drained;
  server.thread.call(
      [&] { server.server->drain(Loop::now() + Duration::seconds(8), [&] { drained.raise(); }); });
  outlast(limits.close_timeout);
  got += client.read_to_end().size();
  EXPECT_EQ(got, 8u << 20);
  client.close();
  EXPECT_TRUE(drained.wait_for());
}

TEST(Http1, answers_no_more_pipelined_requests_than_the_client_reads) {
  TestServer server;
  RawClient client(server.port);
  constexpr int kRequests = 20;  // 160 MiB, were all of it queued.
  std::string requests;
  for (int i = 0; i < kRequests; ++i) requests += get("/big");
  client.send(requests);
  std::size_t got = client.read_head().size();
  EXPECT_LE(server.metric("stoa_http_requests_total"), 4);
  client.read(8u << 20);
  for (int i = 1; i < kRequests; ++i) {
    std::string head = client.read_head();
    ASSERT_THAT(head, StartsWith("HTTP/1.1 200")) << i;
    got += head.size() + client.read(8u << 20).size();
  }
  EXPECT_EQ(server.metric("stoa_http_requests_total"), kRequests);
  EXPECT_GT(got, std::size_t{kRequests - 1} * (8u << 20));
}

TEST(Drain, is_done_at_once_when_nobody_is_there) {
  TestServer server;
  Signal drained;
  server.thread.call(
      [&] { server.server->drain(Loop::now() + Duration::seconds(5), [&] { drained.raise(); }); });
  EXPECT_TRUE(drained.wait_for());
}

TEST(Listen, says_what_the_system_refused) {
  TestServer server;
  server.thread.call([&] {
    ListenOptions options;
    options.port = server.port;
    options.reuse_port = false;
    auto taken = server.server->listen(options);
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error(),
              "cannot listen on 127.0.0.1:" + std::to_string(server.port) + ": bind: Address already in use");
    options.address = "localhost";
    EXPECT_THAT(server.server->listen(options).error(), HasSubstr("not an IP address"));
  });
}

}  // namespace
}  // namespace stoa::runtime
