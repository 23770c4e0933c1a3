#include "rooms_link.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "proto/http/websocket.h"

namespace stoa::bench {
namespace {

// A server that has one connection, says what it is told to, and reads what a client sends.
class RoomsLinkTest : public testing::Test {
 protected:
  RoomsLinkTest() {
    listener_ = Fd(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    listen(listener_.get(), 1);
    socklen_t size = sizeof address;
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    link_.start({address.sin_addr.s_addr, ntohs(address.sin_port)}, "host", "/rtc?a=b");
    server_ = Fd(accept(listener_.get(), nullptr, nullptr));
    poller_.add(link_.fd(), EPOLLIN | EPOLLOUT | EPOLLET, 0);
    poll();
    request_ = read();
  }

  void poll() {
    for (const epoll_event& event : poller_.wait_until(now_ns() + 2'000'000'000))
      for (std::string& message : link_.handle_events(event.events)) messages_.push_back(std::move(message));
  }
  void say(const std::string& bytes) {
    ASSERT_EQ(send(server_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    poll();
  }
  void upgrade() { say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"); }
  std::string read() {
    std::string bytes(65536, 0);
    ssize_t got = recv(server_.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return bytes;
  }
  std::vector<http::WebSocketEvent> read_frames() {
    std::string bytes = read();
    Outbox<http::WebSocketEvent> out;
    EXPECT_TRUE(
        frames_.handle_input({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, out));
    return out.take();
  }
  static std::string frame(std::uint8_t first, const std::string& payload) {
    std::string bytes(1, static_cast<char>(first));
    if (payload.size() < 126) {
      bytes += static_cast<char>(payload.size());
    } else {
      bytes += {126, static_cast<char>(payload.size() >> 8), static_cast<char>(payload.size())};
    }
    return bytes + payload;
  }

  Fd listener_, server_;
  Poller poller_;
  RoomsLink link_;
  std::string request_;
  std::vector<std::string> messages_;
  http::WebSocketReader frames_{1 << 20};
};

TEST_F(RoomsLinkTest, asks_to_be_a_websocket_and_is_one) {
  EXPECT_TRUE(request_.starts_with("GET /rtc?a=b HTTP/1.1\r\nHost: host\r\n")) << request_;
  EXPECT_NE(request_.find("Sec-WebSocket-Version: 13\r\n"), std::string::npos);
  upgrade();
  EXPECT_EQ(link_.state(), RoomsLink::State::kOpen);
}

TEST_F(RoomsLinkTest, says_what_the_server_said_instead) {
  say("HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\n\r\nbad token");
  EXPECT_EQ(link_.state(), RoomsLink::State::kClosed);
  EXPECT_EQ(link_.failure(), "401 Unauthorized: bad token");
}

TEST_F(RoomsLinkTest, sends_masked_frames_of_all_lengths) {
  upgrade();
  for (std::size_t size : {0, 5, 125, 126, 30'000}) {
    link_.send(std::string(size, 'x'));
    auto events = read_frames();
    ASSERT_EQ(events.size(), 1u) << size;
    EXPECT_EQ(std::get<http::WebSocketMessage>(events[0]).bytes, std::string(size, 'x'));
  }
}

TEST_F(RoomsLinkTest, puts_messages_together_however_they_are_cut) {
  upgrade();
  std::string bytes = frame(0x02, "one ") + frame(0x80, std::string(300, 'y')) + frame(0x82, "two");
  say(bytes.substr(0, 7));
  EXPECT_TRUE(messages_.empty());
  say(bytes.substr(7));
  EXPECT_EQ(messages_, (std::vector<std::string>{"one " + std::string(300, 'y'), "two"}));
}

TEST_F(RoomsLinkTest, answers_pings_and_ends_with_the_servers_reason) {
  upgrade();
  say(frame(0x89, "are you there"));
  EXPECT_TRUE(std::holds_alternative<http::WebSocketPong>(read_frames().at(0)));
  say(frame(0x88, "\x03\xe8 enough"));
  EXPECT_EQ(link_.state(), RoomsLink::State::kClosed);
  EXPECT_NE(link_.failure().find("enough"), std::string::npos) << link_.failure();
}

TEST_F(RoomsLinkTest, ends_at_frames_that_no_server_sends) {
  upgrade();
  say("\x82\x85");  // Masked.
  EXPECT_EQ(link_.state(), RoomsLink::State::kClosed);
}

}  // namespace
}  // namespace stoa::bench
