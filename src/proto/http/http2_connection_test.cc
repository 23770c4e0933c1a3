// The server side of HTTP/2 against nghttp2's own client, in memory.
#include "proto/http/http2_connection.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <map>

namespace stoa::http {
namespace {

struct Answer {
  std::map<std::string, std::string> fields;
  std::string body;
  bool is_done = false;
  std::uint32_t error = 0;
};

class Client {
 public:
  Client() {
    nghttp2_session_callbacks* callbacks;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks,
        [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_length,
           const std::uint8_t* value, std::size_t value_length, std::uint8_t, void* self) {
          static_cast<Client*>(self)
              ->answers[frame->hd.stream_id]
              .fields[std::string(as_text({name, name_length}))] = as_text({value, value_length});
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                      std::size_t length, void* self) {
          static_cast<Client*>(self)->answers[id].body += as_text({data, length});
          static_cast<Client*>(self)->order.push_back(id);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, std::int32_t id, std::uint32_t error, void* self) {
          static_cast<Client*>(self)->answers[id].is_done = true;
          static_cast<Client*>(self)->answers[id].error = error;
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
          if (frame->hd.type == NGHTTP2_GOAWAY) ++static_cast<Client*>(self)->goaways;
          return 0;
        });
    nghttp2_session_client_new(&session, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20}};
    nghttp2_submit_settings(session, 0, settings, 1);
    nghttp2_session_set_local_window_size(session, 0, 0, 1 << 24);
  }
  ~Client() { nghttp2_session_del(session); }

  std::int32_t ask(std::vector<std::pair<std::string, std::string>> fields, std::string body = {}) {
    std::vector<std::pair<std::string, std::string>> all = {
        {":method", body.empty() ? "GET" : "POST"}, {":scheme", "http"}, {":authority", "stoa"}};
    bool has_path = !fields.empty() && fields[0].first == ":path";
    if (!has_path) all.push_back({":path", "/x"});
    all.insert(all.end(), fields.begin(), fields.end());
    std::vector<nghttp2_nv> nva;
    for (auto& [name, value] : all)
      nva.push_back({reinterpret_cast<std::uint8_t*>(name.data()),
                     reinterpret_cast<std::uint8_t*>(value.data()), name.size(), value.size(), 0});
    nghttp2_data_provider provider{};
    bodies.push_back(std::make_unique<std::string>(std::move(body)));
    provider.source.ptr = bodies.back().get();
    provider.read_callback = [](nghttp2_session*, std::int32_t, std::uint8_t* out, std::size_t length,
                                std::uint32_t* flags, nghttp2_data_source* source, void*) -> ssize_t {
      auto& text = *static_cast<std::string*>(source->ptr);
      std::size_t step = std::min(length, text.size());
      std::copy_n(text.data(), step, out);
      text.erase(0, step);
      if (text.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(step);
    };
    return nghttp2_submit_request(session, nullptr, nva.data(), nva.size(),
                                  bodies.back()->empty() ? nullptr : &provider, nullptr);
  }
  std::string take() {
    std::string out;
    const std::uint8_t* data;
    for (ssize_t n; (n = nghttp2_session_mem_send(session, &data)) > 0;)
      out += as_text({data, static_cast<std::size_t>(n)});
    return out;
  }
  void give(Bytes bytes) { EXPECT_GE(nghttp2_session_mem_recv(session, bytes.data(), bytes.size()), 0); }

  nghttp2_session* session = nullptr;
  std::map<std::int32_t, Answer> answers;
  std::vector<std::int32_t> order;
  std::vector<std::unique_ptr<std::string>> bodies;
  int goaways = 0;
};

struct Http2ConnectionTest : testing::Test {
  // Carries bytes both ways until nobody has any; false when the server refuses.
  bool run() {
    bool alive = true;
    for (;;) {
      std::string up = client.take();
      if (!up.empty() && alive) alive = server.handle_input(now, as_bytes(up), events).has_value();
      chunks.clear();
      auto produced = server.take_output(1 << 20, chunks, events);
      for (auto& chunk : chunks) client.give(chunk.bytes());
      if (up.empty() && (!produced || *produced == 0)) return alive;
    }
  }
  template <typename Event>
  std::vector<Event> take() {
    std::vector<Event> taken;
    for (auto& event : events.take())
      if (auto* wanted = std::get_if<Event>(&event)) taken.push_back(std::move(*wanted));
    return taken;
  }
  Response text(std::string body, std::uint8_t urgency = 3) {
    Response response = make_text_response(200, std::move(body));
    response.urgency = urgency;
    return response;
  }

  Timestamp now = Timestamp::from_ns(1'000'000'000);
  Client client;
  Http2Connection server{{}, "192.0.2.1", false};
  Outbox<Http2Event> events;
  std::vector<SharedBytes> chunks;
};

TEST_F(Http2ConnectionTest, hands_on_a_request_and_delivers_its_answer) {
  std::int32_t id = client.ask({{":path", "/a%20b?q=1"}, {"accept-encoding", "gzip"}});
  ASSERT_TRUE(run());
  auto requests = take<Http2Request>();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].request.path, "/a b");
  EXPECT_EQ(requests[0].request.query, "q=1");
  EXPECT_EQ(requests[0].request.headers.get("host"), "stoa");
  EXPECT_EQ(requests[0].request.headers.get("accept-encoding"), "gzip");
  EXPECT_TRUE(requests[0].request.is_http2);
  EXPECT_TRUE(server.respond(requests[0].stream, text("hello")));
  EXPECT_FALSE(server.respond(requests[0].stream, text("twice")));
  ASSERT_TRUE(run());
  EXPECT_EQ(client.answers[id].fields[":status"], "200");
  EXPECT_EQ(client.answers[id].body, "hello");
  EXPECT_TRUE(client.answers[id].is_done);
  EXPECT_EQ(server.open_streams(), 0u);
}

TEST_F(Http2ConnectionTest, sends_bodies_as_the_slices_they_are) {
  client.ask({});
  ASSERT_TRUE(run());
  SharedBytes body(std::string(100'000, 'x'));
  Response response;
  response.body = body;
  server.respond(1, std::move(response));
  chunks.clear();
  ASSERT_TRUE(server.take_output(1 << 20, chunks, events));
  std::size_t shared = 0;
  for (auto& chunk : chunks)
    if (chunk.data() >= body.data() && chunk.data() < body.data() + body.size()) shared += chunk.size();
  EXPECT_EQ(shared, body.size());
}

TEST_F(Http2ConnectionTest, sends_the_more_urgent_answer_first) {
  std::int32_t media = client.ask({}), playlist = client.ask({});
  ASSERT_TRUE(run());
  take<Http2Request>();
  server.respond(static_cast<std::uint32_t>(media), text(std::string(50'000, 'm'), 4));
  server.respond(static_cast<std::uint32_t>(playlist), text(std::string(50'000, 'p'), 1));
  ASSERT_TRUE(run());
  ASSERT_FALSE(client.order.empty());
  EXPECT_EQ(client.order.front(), playlist);
  EXPECT_EQ(client.order.back(), media);
}

TEST_F(Http2ConnectionTest, collects_a_body_and_refuses_one_over_the_limit) {
  client.ask({}, std::string(200'000, 'b'));
  ASSERT_TRUE(run());
  auto requests = take<Http2Request>();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].request.body.size(), 200'000u);
  std::int32_t big = client.ask({}, std::string((1 << 20) + 1, 'b'));
  ASSERT_TRUE(run());
  auto refused = take<Http2Refused>();
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].status, 413);
  server.respond(refused[0].stream, make_text_response(413, "no"));
  ASSERT_TRUE(run());
  EXPECT_EQ(client.answers[big].fields[":status"], "413");
  EXPECT_TRUE(client.answers[big].is_done);
  EXPECT_EQ(server.incomplete_requests(), 0u);
}

TEST_F(Http2ConnectionTest, refuses_a_header_over_the_limit) {
  client.ask({{"x-long", std::string(17'000, 'h')}});
  ASSERT_TRUE(run());
  auto refused = take<Http2Refused>();
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].status, 431);
}

TEST_F(Http2ConnectionTest, tells_of_a_waiter_whose_client_gave_up) {
  std::int32_t id = client.ask({});
  ASSERT_TRUE(run());
  ASSERT_EQ(take<Http2Request>().size(), 1u);
  nghttp2_submit_rst_stream(client.session, 0, id, NGHTTP2_CANCEL);
  ASSERT_TRUE(run());
  auto cancelled = take<Http2Cancelled>();
  ASSERT_EQ(cancelled.size(), 1u);
  EXPECT_EQ(cancelled[0].stream, static_cast<std::uint32_t>(id));
  EXPECT_FALSE(server.respond(cancelled[0].stream, text("late")));
}

TEST_F(Http2ConnectionTest, ends_a_connection_that_opens_and_resets_streams_without_pause) {
  bool alive = true;
  int rounds = 0;
  for (; alive && rounds < 3000; ++rounds) {
    std::int32_t id = client.ask({});
    alive = run();
    nghttp2_submit_rst_stream(client.session, 0, id, NGHTTP2_CANCEL);
    alive = alive && run();
    events.clear();
  }
  EXPECT_FALSE(alive);
  EXPECT_GT(rounds, 900);
  EXPECT_LT(rounds, 1100);
  EXPECT_GE(client.goaways, 1);
}

TEST_F(Http2ConnectionTest, bears_cancellations_at_a_human_pace) {
  for (int i = 0; i < 3000; ++i) {
    std::int32_t id = client.ask({});
    ASSERT_TRUE(run());
    nghttp2_submit_rst_stream(client.session, 0, id, NGHTTP2_CANCEL);
    ASSERT_TRUE(run());
    now += Duration::milliseconds(50);
  }
}

TEST_F(Http2ConnectionTest, ends_a_connection_that_floods_it_with_pings) {
  bool alive = true;
  int pings = 0;
  for (; alive && pings < 3000; ++pings) {
    nghttp2_submit_ping(client.session, 0, nullptr);
    alive = run();
  }
  EXPECT_FALSE(alive);
  EXPECT_LT(pings, 1100);
}

TEST_F(Http2ConnectionTest, finishes_what_waits_before_it_goes_away) {
  std::int32_t id = client.ask({});
  ASSERT_TRUE(run());
  server.begin_drain();
  ASSERT_TRUE(run());
  server.finish_drain();
  ASSERT_TRUE(run());
  EXPECT_EQ(client.goaways, 2);
  EXPECT_FALSE(server.is_finished());
  server.respond(static_cast<std::uint32_t>(id), text("last"));
  ASSERT_TRUE(run());
  EXPECT_EQ(client.answers[id].body, "last");
  EXPECT_TRUE(server.is_finished());
}

TEST_F(Http2ConnectionTest, refuses_garbage) {
  auto result = server.handle_input(now, as_bytes("GET / HTTP/1.1\r\nHost: here\r\n\r\n"), events);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), Http2Refusal::kProtocol);
}

}  // namespace
}  // namespace stoa::http
