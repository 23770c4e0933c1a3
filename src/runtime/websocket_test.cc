// Our WebSocket against Beast's client.
#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "runtime/http_session.h"
#include "runtime/http_test_server.h"

namespace stoa::runtime {
namespace {

namespace beast = boost::beast;
using testing::HasSubstr;
using testing::StartsWith;
using tcp = boost::asio::ip::tcp;

struct Client {
  explicit Client(std::uint16_t port) : socket(io) {
    socket.next_layer().connect({boost::asio::ip::make_address("127.0.0.1"), port});
    socket.handshake("stoa", "/socket");
  }
  std::string read() {
    beast::flat_buffer buffer;
    error = {};
    socket.read(buffer, error);
    return beast::buffers_to_string(buffer.data());
  }
  boost::asio::io_context io;
  beast::websocket::stream<tcp::socket> socket;
  beast::error_code error;
};

TEST(WebSocket, accepts_the_key_of_rfc_6455) {
  EXPECT_EQ(make_websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebSocket, echoes_text_and_binary_of_every_length) {
  TestServer server;
  Client client(server.port);
  EXPECT_EQ(client.read(), "welcome");
  for (std::size_t length : {0, 1, 125, 126, 65'535, 65'536}) {
    std::string message(length, 'm');
    client.socket.binary(length % 2);
    client.socket.write(boost::asio::buffer(message));
    EXPECT_EQ(client.read(), message);
    EXPECT_EQ(client.socket.got_binary(), length % 2 == 1);
  }
  EXPECT_EQ(server.metric("stoa_http_sockets"), 1);
  client.socket.close({beast::websocket::close_code::normal, "done"});
  EXPECT_TRUE(server.handler.closed.wait_for());
  EXPECT_EQ(server.handler.close_code, 1000);
}

TEST(WebSocket, tells_of_one_who_vanishes) {
  TestServer server;
  {
    Client client(server.port);
    ASSERT_TRUE(server.handler.opened.wait_for());
  }
  EXPECT_TRUE(server.handler.closed.wait_for());
  EXPECT_EQ(server.handler.close_code, 1006);
}

TEST(WebSocket, closes_with_a_code_and_a_reason) {
  TestServer server;
  Client client(server.port);
  client.read();
  server.thread.call([&] { server.server->close_socket(server.handler.socket, 4001, "replaced"); });
  client.read();
  EXPECT_EQ(client.error, beast::websocket::error::closed);
  EXPECT_EQ(client.socket.reason().code, 4001);
  EXPECT_EQ(client.socket.reason().reason.c_str(), std::string("replaced"));
  EXPECT_TRUE(server.handler.closed.wait_for());
  EXPECT_EQ(server.handler.close_code, 4001);
  EXPECT_FALSE(server.thread.call(
      [&] { return server.server->send_socket(server.handler.socket, SharedBytes(std::string("late"))); }));
}

TEST(WebSocket, refuses_a_message_over_the_limit_with_1009) {
  HttpLimits limits;
  limits.socket_message_bytes = 100;
  TestServer server(limits);
  Client client(server.port);
  client.read();
  client.socket.write(boost::asio::buffer(std::string(101, 'x')));
  client.read();
  EXPECT_EQ(client.socket.reason().code, 1009);
  EXPECT_EQ(server.metric("stoa_http_refused_total", "socket_message_too_big"), 1);
}

TEST(WebSocket, drops_one_who_does_not_read) {
  HttpLimits limits;
  limits.socket_queue_bytes = 1 << 20;
  TestServer server(limits);
  Client client(server.port);
  ASSERT_TRUE(server.handler.opened.wait_for());
  bool sent = true;
  for (int i = 0; sent && i < 1000; ++i)
    sent = server.thread.call([&] {
      return server.server->send_socket(server.handler.socket, SharedBytes(std::string(100'000, 'x')));
    });
  EXPECT_FALSE(sent);
  EXPECT_TRUE(server.handler.closed.wait_for());
  EXPECT_EQ(server.metric("stoa_http_refused_total", "socket_slow"), 1);
}

TEST(WebSocket, pings_and_drops_the_silent) {
  HttpLimits limits;
  limits.socket_ping_interval = Duration::milliseconds(100);
  TestServer server(limits);
  // Beast answers pings while it reads; one that does not read is silent.
  Client client(server.port);
  EXPECT_TRUE(server.handler.closed.wait_for());
  EXPECT_EQ(server.metric("stoa_http_refused_total", "socket_silent"), 1);
}

TEST(WebSocket, reads_what_came_with_the_handshake) {
  TestServer server;
  RawClient client(server.port);
  std::string frame = {'\x81', '\x82', 0, 0, 0, 0, 'h', 'i'};
  client.send(
      "GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
      frame);
  EXPECT_THAT(client.read_head(), HasSubstr("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
  EXPECT_EQ(client.read(9), "\x81\x07welcome");
  EXPECT_EQ(client.read(4), "\x81\x02hi");
}

TEST(WebSocket, asks_for_an_upgrade_where_there_was_none) {
  TestServer server;
  RawClient client(server.port);
  client.send("GET /socket HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.read_response(), StartsWith("HTTP/1.1 426"));
}

TEST(WebSocket, is_closed_with_1001_by_a_drain) {
  TestServer server;
  Client client(server.port);
  client.read();
  Signal drained;
  server.thread.call(
      [&] { server.server->drain(Loop::now() + Duration::seconds(5), [&] { drained.raise(); }); });
  client.read();
  EXPECT_EQ(client.socket.reason().code, 1001);
  EXPECT_TRUE(drained.wait_for());
}

}  // namespace
}  // namespace stoa::runtime
