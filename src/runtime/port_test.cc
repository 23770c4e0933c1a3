#include <gtest/gtest.h>

#include "runtime/loop.h"
#include "runtime/tcp_server.h"

namespace stoa::runtime {
namespace {

struct Nobody : TcpHandler {
  void on_open(ConnectionId, const Peer&) override {}
  void on_bytes(ConnectionId, Bytes) override {}
  void on_closed(ConnectionId, CloseReason) override {}
};

TEST(Port, is_not_free_while_a_server_that_shares_it_listens) {
  Nobody nobody;
  Loop loop;
  std::uint16_t port = 0;
  {
    TcpServer server(loop, {}, nobody), second(loop, {}, nobody);
    auto opened = server.listen({.address = "127.0.0.1"});
    ASSERT_TRUE(opened) << opened.error();
    port = *opened;
    EXPECT_FALSE(is_port_free("127.0.0.1", port));
    // Shards of one node still share it.
    EXPECT_TRUE(second.listen({.address = "127.0.0.1", .port = port}));
  }
  EXPECT_TRUE(is_port_free("127.0.0.1", port));
}

}  // namespace
}  // namespace stoa::runtime
