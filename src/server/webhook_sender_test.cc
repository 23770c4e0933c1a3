// Webhooks over real sockets, from what happened in a room to a web server that checks them.
#include "server/webhook_sender.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "control/memory_store.h"
#include "crypto/digest.h"
#include "crypto/jwt.h"
#include "crypto/text.h"
#include "runtime/http_test_server.h"

namespace stoa::server {
namespace {

using runtime::LoopThread;
using runtime::Signal;

// A web server of an operator's. /hook takes events, /slow lets them wait, /moved sends them elsewhere.
class Receiver : public runtime::HttpHandler {
 public:
  explicit Receiver(std::uint16_t port = 0) {
    thread_.call([&] {
      server_ = std::make_unique<runtime::HttpServer>(thread_.loop, runtime::HttpLimits{}, *this);
      runtime::ListenOptions options;
      options.port = port;
      port_ = *server_->listen(options);
    });
  }
  ~Receiver() override {
    thread_.call([&] { server_.reset(); });
  }
  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  std::uint16_t port() const { return port_; }
  void fail_next(int count) {
    thread_.call([&] { failures_ = count; });
  }
  std::vector<http::Request> taken() {
    return thread_.call([&] { return taken_; });
  }
  // The values of one field of the events, in the order in which they came.
  std::vector<std::string> fields(const std::string& name) {
    std::vector<std::string> values;
    for (const http::Request& request : taken()) {
      const std::string key = "\"" + name + "\":\"";
      const std::size_t at = request.body.find(key);
      if (at == std::string::npos) continue;
      values.push_back(
          request.body.substr(at + key.size(), request.body.find('"', at + key.size()) - at - key.size()));
    }
    return values;
  }

  Signal came, stood_still, moved;

 private:
  void handle_request(runtime::RequestId id, http::Request&& request) override {
    if (request.path == "/slow") return stood_still.raise();
    if (request.path == "/moved") {
      http::Response elsewhere = http::make_text_response(302, "");
      elsewhere.headers.add("location", "/hook");
      server_->respond(id, std::move(elsewhere));
      return moved.raise();
    }
    if (failures_ > 0) {
      --failures_;
      server_->respond(id, http::make_error_response(500, "down", "Not now."));
      return;
    }
    taken_.push_back(std::move(request));
    server_->respond(id, http::make_text_response(204, ""));
    came.raise();
  }
  void handle_cancelled(runtime::RequestId) override {}
  void handle_socket_message(runtime::SocketId, Bytes, bool) override {}
  void handle_socket_closed(runtime::SocketId, std::uint16_t) override {}

  LoopThread thread_;
  std::unique_ptr<runtime::HttpServer> server_;
  std::uint16_t port_ = 0;
  int failures_ = 0;
  std::vector<http::Request> taken_;
};

class WebhookSenderTest : public ::testing::Test {
 protected:
  static control::ApiKeys::Options keys() {
    control::ApiKeys::Options options;
    options.fixed.push_back(control::development_key());
    return options;
  }
  void start(std::vector<std::string> urls) {
    thread_.call([&] {
      sender_ = std::make_unique<WebhookSender>(thread_.loop, log_, store_, api_keys_,
                                                WebhookSender::Options{std::move(urls), key_});
      ASSERT_TRUE(sender_->load());
      sender_->start();
    });
  }
  void end() {
    thread_.call([&] { sender_.reset(); });
  }
  void TearDown() override { end(); }
  // Events that are told apart by the names of their rooms.
  void add(const std::string& room, bool is_kept_at_once = false) {
    thread_.call([&] {
      sender_->add({.what = room::Happening::kRoomStarted, .room = {.sid = "RM_1", .name = room}});
      if (is_kept_at_once) sender_->flush();
    });
  }

  control::MemoryStore store_;
  control::ApiKeys api_keys_{store_, keys()};
  std::string key_ = "devkey";
  runtime::Log log_{LogLevel::kError, runtime::LogFormat::kText};
  LoopThread thread_;
  std::unique_ptr<WebhookSender> sender_;
};

TEST_F(WebhookSenderTest, posts_events_that_are_signed_for_their_body) {
  Receiver receiver;
  start({receiver.url("/hook")});
  add("meeting");
  ASSERT_TRUE(receiver.came.wait_for(1));
  http::Request request = receiver.taken().at(0);
  EXPECT_EQ(request.method, http::Method::kPost);
  EXPECT_EQ(request.headers.get("content-type"), "application/webhook+json");
  EXPECT_NE(request.body.find("\"event\":\"room_started\""), std::string::npos) << request.body;
  EXPECT_TRUE(receiver.fields("id").at(0).starts_with("EV_"));
  const std::string token(request.headers.get("authorization"));
  auto parsed = crypto::parse_jwt(token);
  ASSERT_TRUE(parsed) << token;
  crypto::JwtPolicy policy;
  policy.audience.clear();
  auto claims =
      crypto::verify_jwt(*parsed, as_bytes(control::development_key().secret), runtime::Loop::wall(), policy);
  ASSERT_TRUE(claims) << crypto::name_of(claims.error());
  const std::string digest = crypto::write_base64(crypto::sha256(as_bytes(request.body)));
  EXPECT_NE(claims->payload.find(digest), std::string::npos) << claims->payload;
}

TEST_F(WebhookSenderTest, posts_again_what_was_not_taken_and_keeps_the_order) {
  Receiver receiver;
  receiver.fail_next(1);
  start({receiver.url("/hook")});
  for (const char* room : {"a", "b", "c"}) add(room);
  ASSERT_TRUE(receiver.came.wait_for(3));
  EXPECT_EQ(receiver.fields("name"), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(WebhookSenderTest, delivers_after_a_restart_what_could_not_be_delivered_before) {
  std::optional<Receiver> receiver(std::in_place);
  const std::uint16_t port = receiver->port();
  const std::string url = receiver->url("/hook");
  receiver.reset();
  start({url});
  for (const char* room : {"a", "b", "c"}) add(room, true);
  const auto kept = thread_.call([&] { return *store_.list_webhooks(url, 0, 9); });
  ASSERT_EQ(kept.size(), 3u);
  end();
  receiver.emplace(port);
  start({url});
  ASSERT_TRUE(receiver->came.wait_for(3));
  EXPECT_EQ(receiver->fields("name"), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(receiver->fields("id"),
            (std::vector<std::string>{kept[0].event_id, kept[1].event_id, kept[2].event_id}));
}

TEST_F(WebhookSenderTest, does_not_let_one_url_wait_for_another_of_the_same_host) {
  Receiver receiver;
  start({receiver.url("/slow"), receiver.url("/hook")});
  add("a");
  ASSERT_TRUE(receiver.stood_still.wait_for(1));
  add("b");
  ASSERT_TRUE(receiver.came.wait_for(2));
}

TEST_F(WebhookSenderTest, does_not_follow_where_it_is_sent_elsewhere) {
  Receiver receiver;
  start({receiver.url("/moved")});
  add("a");
  ASSERT_TRUE(receiver.moved.wait_for(2)) << "tried again";
  EXPECT_TRUE(receiver.taken().empty());
}

TEST_F(WebhookSenderTest, says_what_is_wrong_with_its_key) {
  auto problem = [&](const std::string& key) {
    WebhookSender sender(thread_.loop, log_, store_, api_keys_, {{"http://127.0.0.1:1/"}, key});
    auto checked = sender.load();
    return checked ? std::string() : checked.error();
  };
  thread_.call([&] {
    auto made = api_keys_.create(runtime::Loop::wall(), "hooks", {control::kScopeRooms});
    EXPECT_EQ(problem(made->id), "");
    ASSERT_TRUE(api_keys_.revoke(runtime::Loop::wall(), made->id));
    EXPECT_NE(problem(made->id).find("is revoked"), std::string::npos);
    EXPECT_NE(problem("").find("needs the id of the API key"), std::string::npos);
    EXPECT_NE(problem("ak_none").find("there is no API key 'ak_none'"), std::string::npos);
  });
}

TEST_F(WebhookSenderTest, keeps_events_while_its_key_is_revoked) {
  Receiver receiver;
  thread_.call([&] {
    auto made = api_keys_.create(runtime::Loop::wall(), "hooks", {control::kScopeRooms});
    key_ = made->id;
  });
  start({receiver.url("/hook")});
  thread_.call([&] { ASSERT_TRUE(api_keys_.revoke(runtime::Loop::wall(), key_)); });
  add("a", true);
  EXPECT_TRUE(receiver.taken().empty());
  EXPECT_EQ(thread_.call([&] { return *store_.count_webhooks(receiver.url("/hook")); }), 1u);
}

}  // namespace
}  // namespace stoa::server
