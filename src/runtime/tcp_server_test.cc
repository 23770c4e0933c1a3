// TCP itself is tested through HTTP (http1_test.cc) and ICE (ice_tcp_test.cc); here what a Unix socket does.
#include "runtime/tcp_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "runtime/test_datagrams.h"

namespace stoa::runtime {
namespace {

using ::testing::HasSubstr;

class Echo : public TcpHandler {
 public:
  explicit Echo(TestLoop& test_loop) : loop(test_loop) {}
  void on_open(ConnectionId id, const Peer& peer) override {
    opened.push_back(id);
    peers.push_back(peer);
    loop.check();
  }
  void on_bytes(ConnectionId id, Bytes bytes) override {
    received += bytes.size();
    server->send(id, SharedBytes::copy_of(bytes));
    loop.check();
  }
  void on_closed(ConnectionId, CloseReason reason) override {
    closed.push_back(reason);
    loop.check();
  }

  TestLoop& loop;
  TcpServer* server = nullptr;
  std::vector<ConnectionId> opened;
  std::vector<Peer> peers;
  std::vector<CloseReason> closed;
  std::size_t received = 0;
};

class Client {
 public:
  explicit Client(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    is_connected = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;

  // As much as the kernel takes.
  std::size_t send(std::string_view text) {
    ssize_t count = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return count > 0 ? static_cast<std::size_t>(count) : 0;
  }
  // What is there; `is_ended` when nothing more will come.
  void receive(std::string& text) {
    char bytes[65536];
    ssize_t count;
    while ((count = recv(fd_, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
      text.append(bytes, static_cast<std::size_t>(count));
    is_ended |= count == 0;
  }

  bool is_connected = false, is_ended = false;

 private:
  int fd_;
};

class UnixSocket : public ::testing::Test {
 protected:
  struct Server {
    explicit Server(TestLoop& loop, const TcpLimits& limits = {})
        : handler(loop), tcp(loop.loop, limits, handler) {
      handler.server = &tcp;
    }
    Echo handler;
    TcpServer tcp;
  };

  UnixSocket() {
    std::string name = (std::filesystem::temp_directory_path() / "stoa-unix-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    path_ = folder_ + "/relay.sock";
  }
  ~UnixSocket() override { std::filesystem::remove_all(folder_); }

  // A name whose server died without taking it away.
  void leave_behind() {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ::close(fd);
  }

  TestLoop loop_;
  std::string folder_, path_;
};

TEST_F(UnixSocket, carries_bytes_like_tcp) {
  Server server(loop_);
  auto opened = server.tcp.listen({.path = path_});
  ASSERT_TRUE(opened) << opened.error();
  EXPECT_EQ(*opened, 0);
  Client client(path_);
  ASSERT_TRUE(client.is_connected);
  // More than the kernel holds in both directions.
  std::string sent(4u << 20, '\0'), received;
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 31 >> 3);
  std::size_t at = 0;
  Timestamp end = Loop::now() + Duration::seconds(10);
  while (received.size() < sent.size() && Loop::now() < end) {
    at += client.send(std::string_view(sent).substr(at));
    loop_.run_once();
    client.receive(received);
  }
  EXPECT_TRUE(received == sent) << received.size();
  ASSERT_EQ(server.handler.peers.size(), 1u);
  EXPECT_EQ(server.handler.peers[0].address, "unix");
  EXPECT_EQ(server.handler.peers[0].port, 0);
  server.tcp.close(server.handler.opened[0]);
  loop_.run_once();
  client.receive(received);
  EXPECT_TRUE(client.is_ended);
}

TEST_F(UnixSocket, tells_that_the_peer_has_gone) {
  Server server(loop_);
  ASSERT_TRUE(server.tcp.listen({.path = path_}));
  {
    Client client(path_);
  }
  ASSERT_TRUE(loop_.run_until([&] { return !server.handler.closed.empty(); }));
  EXPECT_EQ(server.handler.closed[0], CloseReason::kPeer);
}

TEST_F(UnixSocket, is_this_users_alone_and_goes_away_with_its_listener) {
  mode_t before = ::umask(0);
  Server server(loop_);
  ASSERT_TRUE(server.tcp.listen({.path = path_}));
  ::umask(before);
  struct stat facts{};
  ASSERT_EQ(::lstat(path_.c_str(), &facts), 0);
  EXPECT_TRUE(S_ISSOCK(facts.st_mode));
  EXPECT_EQ(facts.st_mode & 0777u, 0600u);
  server.tcp.stop_listening();
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_TRUE(server.tcp.listen({.path = path_}));  // May begin again.
}

TEST_F(UnixSocket, takes_the_place_of_one_that_was_left_behind) {
  leave_behind();
  ASSERT_TRUE(std::filesystem::exists(path_));
  ASSERT_FALSE(Client(path_).is_connected);
  Server server(loop_);
  auto opened = server.tcp.listen({.path = path_});
  ASSERT_TRUE(opened) << opened.error();
  EXPECT_TRUE(Client(path_).is_connected);
}

TEST_F(UnixSocket, leaves_alone_one_that_is_listened_to) {
  Server first(loop_), second(loop_);
  ASSERT_TRUE(first.tcp.listen({.path = path_}));
  auto refused = second.tcp.listen({.path = path_});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(), HasSubstr("cannot listen on " + path_ + ": bind: Address already in use"));
  Client client(path_);
  EXPECT_TRUE(client.is_connected);
  EXPECT_TRUE(loop_.run_until([&] { return first.handler.opened.size() >= 1; }));
}

TEST_F(UnixSocket, leaves_alone_what_is_no_socket) {
  std::ofstream(path_) << "precious";
  Server server(loop_);
  EXPECT_FALSE(server.tcp.listen({.path = path_}));
  EXPECT_EQ(std::filesystem::file_size(path_), 8u);
}

TEST_F(UnixSocket, has_a_name_of_107_bytes_at_most) {
  Server server(loop_);
  std::string longest = folder_ + "/" + std::string(107 - folder_.size() - 1, 'x');
  auto opened = server.tcp.listen({.path = longest});
  EXPECT_TRUE(opened) << opened.error();
  EXPECT_TRUE(Client(longest).is_connected);
  auto refused = server.tcp.listen({.path = longest + "x"});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(), HasSubstr("not a name for a socket"));
  EXPECT_FALSE(server.tcp.listen({.path = folder_ + "/none/relay.sock"}));
}

TEST_F(UnixSocket, counts_all_of_a_path_as_one_address) {
  Server server(loop_, {.connections = 3, .connections_per_address = 2});
  ASSERT_TRUE(server.tcp.listen({.path = path_}));
  Client first(path_), second(path_), third(path_);
  std::string none;
  ASSERT_TRUE(loop_.run_until([&] { return server.handler.opened.size() == 2; }));
  loop_.run_once();
  third.receive(none);
  EXPECT_TRUE(third.is_ended);
  EXPECT_EQ(metric(server.tcp, "stoa_tcp_refused_total", "connections_per_address"), 1);
  first.receive(none);
  EXPECT_FALSE(first.is_ended);
}

TEST_F(UnixSocket, drops_who_does_not_read) {
  Server server(loop_, {.send_queue_bytes = 1u << 20});
  ASSERT_TRUE(server.tcp.listen({.path = path_}));
  Client client(path_);
  ASSERT_TRUE(loop_.run_until([&] { return server.handler.opened.size() == 1; }));
  SharedBytes bytes(std::string(256u << 10, 'x'));
  int sent = 0;
  while (sent < 100 && server.tcp.send(server.handler.opened[0], bytes)) ++sent;
  EXPECT_LT(sent, 100);
  ASSERT_TRUE(loop_.run_until([&] { return !server.handler.closed.empty(); }));
  EXPECT_EQ(server.handler.closed[0], CloseReason::kSendQueueFull);
}

}  // namespace
}  // namespace stoa::runtime
