#include "runtime/ice_tcp.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <deque>
#include <thread>

#include "proto/ice/framing.h"
#include "runtime/test_datagrams.h"

namespace stoa::runtime {
namespace {

struct Server {
  explicit Server(TestLoop& test_loop, const IceTcpLimits& limits = {})
      : loop(test_loop), handler(test_loop), tcp(test_loop.loop, limits, handler) {
    auto listening = tcp.listen("127.0.0.1", 0);
    EXPECT_TRUE(listening) << listening.error();
    port = listening.value_or(0);
  }
  bool wait_for_datagrams(std::size_t count) {
    return loop.run_until([&] { return handler.datagrams.size() >= count; });
  }
  // Connections come and go without the handler's hearing of it, so the metrics are asked again and again.
  template <typename Predicate>
  bool wait_until(Predicate is_true) {
    const Timestamp end = Loop::now() + Duration::seconds(10);
    while (!is_true() && Loop::now() < end) loop.run_once();
    return is_true();
  }

  TestLoop& loop;
  Collector handler;
  IceTcpServer tcp;
  std::uint16_t port = 0;
};

class Client {
 public:
  explicit Client(std::uint16_t port, int receive_buffer = 0)
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    timeval limit{10, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;

  void send(Bytes bytes) {
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  void send_frame(Bytes datagram) {
    Buffer framed;
    ice::write_frame(datagram, framed);
    send(framed);
  }
  // True when the server has hung up and nothing is left to read.
  bool is_ended() {
    char byte;
    const ssize_t count = recv(fd_, &byte, 1, MSG_DONTWAIT);
    return count == 0 || (count < 0 && errno == ECONNRESET);
  }
  // The next datagrams, while there are bytes in the kernel. Blocks for the first one.
  Buffer read_datagram() {
    while (!has_frame()) {
      std::uint8_t chunk[65536];
      const ssize_t count = recv(fd_, chunk, sizeof chunk, 0);
      if (count <= 0) return {};
      input_.insert(input_.end(), chunk, chunk + count);
    }
    const std::size_t length = static_cast<std::size_t>(input_[0] << 8 | input_[1]);
    Buffer datagram(input_.begin() + 2, input_.begin() + 2 + static_cast<std::ptrdiff_t>(length));
    input_.erase(input_.begin(), input_.begin() + 2 + static_cast<std::ptrdiff_t>(length));
    return datagram;
  }

 private:
  bool has_frame() const {
    return input_.size() >= 2 && input_.size() >= 2 + static_cast<std::size_t>(input_[0] << 8 | input_[1]);
  }
  int fd_;
  std::deque<std::uint8_t> input_;
};

Buffer numbered(std::size_t size, std::size_t seed) {
  Buffer bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 31 + seed * 17);
  return bytes;
}

TEST(IceTcpServer, gives_every_connection_a_path_that_is_not_udp) {
  TestLoop loop;
  Server server(loop);
  Client first(server.port), second(server.port);
  first.send_frame(numbered(20, 1));
  ASSERT_TRUE(server.wait_for_datagrams(1));
  second.send_frame(numbered(30, 2));
  ASSERT_TRUE(server.wait_for_datagrams(2));
  const auto &one = server.handler.datagrams[0], &two = server.handler.datagrams[1];
  EXPECT_EQ(one.bytes, numbered(20, 1));
  EXPECT_EQ(two.bytes, numbered(30, 2));
  EXPECT_FALSE(is_udp_path(one.local));
  EXPECT_FALSE(is_udp_path(two.local));
  EXPECT_NE(one.local, two.local);
  EXPECT_EQ(one.remote.ip, IpAddress::v4(127, 0, 0, 1));
  EXPECT_NE(one.remote.port, two.remote.port);
  EXPECT_EQ(server.tcp.path_count(), 2u);
}

TEST(IceTcpServer, finds_frames_however_the_stream_is_cut) {
  TestLoop loop;
  Server server(loop);
  Client client(server.port);
  client.send_frame(numbered(20, 0));
  ASSERT_TRUE(server.wait_for_datagrams(1));
  server.tcp.confirm(server.handler.datagrams[0].local);
  std::vector<Buffer> expected;
  Buffer stream;
  for (std::size_t size : {1, 2, 255, 256, 1200, 8192, 3, 5000}) {
    expected.push_back(numbered(size, size));
    ice::write_frame(expected.back(), stream);
    ice::write_frame({}, stream);  // Empty ones are nothing.
  }
  for (std::size_t step :
       {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, std::size_t{1300}, stream.size()}) {
    server.handler.datagrams.clear();
    std::size_t at = 0;
    // Byte by byte only where it matters: at the beginning of each cut.
    while (at < stream.size()) {
      const std::size_t length = std::min(step < 8 && at % 64 > 20 ? 44 : step, stream.size() - at);
      client.send(Bytes(stream).subspan(at, length));
      at += length;
      loop.run_once();
    }
    ASSERT_TRUE(server.wait_for_datagrams(expected.size())) << step;
    ASSERT_EQ(server.handler.datagrams.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_EQ(server.handler.datagrams[i].bytes, expected[i]) << step << " " << i;
  }
}

TEST(IceTcpServer, takes_thousands_of_tiny_frames_in_bounded_batches) {
  TestLoop loop;
  Server server(loop);
  Client client(server.port);
  client.send_frame(numbered(20, 0));
  ASSERT_TRUE(server.wait_for_datagrams(1));
  server.tcp.confirm(server.handler.datagrams[0].local);
  server.handler.datagrams.clear();
  Buffer stream;
  for (std::size_t i = 0; i < 20'000; ++i) ice::write_frame(numbered(1, i), stream);
  std::size_t largest = 0;
  server.handler.on_batch = [&](std::span<ReceivedDatagram> batch) {
    largest = std::max(largest, batch.size());
  };
  client.send(stream);
  ASSERT_TRUE(server.wait_for_datagrams(20'000));
  for (std::size_t i = 0; i < 20'000; ++i) ASSERT_EQ(server.handler.datagrams[i].bytes, numbered(1, i));
  EXPECT_LE(largest, 256u);
}

TEST(IceTcpServer, frames_what_it_sends_in_order) {
  TestLoop loop;
  Server server(loop);
  Client client(server.port);
  client.send_frame(numbered(20, 0));
  ASSERT_TRUE(server.wait_for_datagrams(1));
  const LocalPath path = server.handler.datagrams[0].local;
  DatagramBatch batch;
  const Buffer train = numbered(2 * 1200 + 7, 1), other = numbered(100, 2);
  std::copy(train.begin(), train.end(), batch.room().begin());
  batch.commit(path, server.handler.datagrams[0].remote, train.size(), 1200);
  std::copy(other.begin(), other.end(), batch.room().begin());
  batch.commit(kUdpPath, server.handler.datagrams[0].remote, other.size(), 100);  // Not its own.
  server.tcp.send_one(path, numbered(5, 3));
  server.tcp.send(batch);
  server.tcp.send_one(path, numbered(6, 4));
  server.tcp.send_one(kUdpPath, numbered(6, 5));
  EXPECT_EQ(client.read_datagram(), numbered(5, 3));
  EXPECT_EQ(client.read_datagram(), Buffer(train.begin(), train.begin() + 1200));
  EXPECT_EQ(client.read_datagram(), Buffer(train.begin() + 1200, train.begin() + 2400));
  EXPECT_EQ(client.read_datagram(), Buffer(train.begin() + 2400, train.end()));
  EXPECT_EQ(client.read_datagram(), numbered(6, 4));
  EXPECT_EQ(metric(server.tcp, "stoa_ice_tcp_sent_datagrams_total"), 5);
}

TEST(IceTcpServer, drops_datagrams_and_not_the_connection_when_the_peer_does_not_read) {
  TestLoop loop;
  Server server(loop, {.send_queue_bytes = 50'000});
  Client client(server.port, 4096);
  client.send_frame(numbered(20, 0));
  ASSERT_TRUE(server.wait_for_datagrams(1));
  const LocalPath path = server.handler.datagrams[0].local;
  server.tcp.confirm(path);
  constexpr int kCount = 5000;
  for (int i = 0; i < kCount; ++i) server.tcp.send_one(path, numbered(1200, static_cast<std::size_t>(i)));
  const double dropped = metric(server.tcp, "stoa_ice_tcp_dropped_total", "queue_full");
  const double sent = metric(server.tcp, "stoa_ice_tcp_sent_datagrams_total");
  EXPECT_GT(dropped, 0);
  EXPECT_EQ(dropped + sent, kCount);
  // The kernel held no more than was on its way and a little.
  EXPECT_LT(sent * 1200, 1'000'000);
  EXPECT_EQ(server.tcp.path_count(), 1u);
  // What was taken comes, whole and in order.
  std::thread reader([&] {
    for (int i = 0; i < static_cast<int>(sent); ++i)
      ASSERT_EQ(client.read_datagram(), numbered(1200, static_cast<std::size_t>(i)));
    loop.loop.post([&] { loop.loop.stop(); });
  });
  loop.loop.run();
  reader.join();
  server.tcp.send_one(path, numbered(10, 1));
  EXPECT_EQ(client.read_datagram(), numbered(10, 1));
}

TEST(IceTcpServer, sends_what_is_queued_before_it_closes) {
  TestLoop loop;
  Server server(loop);
  Client client(server.port, 4096);
  client.send_frame(numbered(20, 0));
  ASSERT_TRUE(server.wait_for_datagrams(1));
  const LocalPath path = server.handler.datagrams[0].local;
  server.tcp.confirm(path);
  // More than the kernel takes, and then the goodbye.
  int sent = 0;
  while (metric(server.tcp, "stoa_ice_tcp_dropped_total", "queue_full") == 0)
    server.tcp.send_one(path, numbered(1200, static_cast<std::size_t>(sent++)));
  --sent;  // The last found no room.
  server.tcp.send_one(path, numbered(30, 7));
  bool has_room = metric(server.tcp, "stoa_ice_tcp_dropped_total", "queue_full") == 1;
  server.tcp.close(path);
  client.send_frame(numbered(40, 9));  // Nobody's any more.
  std::thread reader([&] {
    for (int i = 0; i < sent; ++i)
      ASSERT_EQ(client.read_datagram(), numbered(1200, static_cast<std::size_t>(i)));
    if (has_room) {
      EXPECT_EQ(client.read_datagram(), numbered(30, 7));
    }
    EXPECT_EQ(client.read_datagram(), Buffer()) << "and then the end";
    loop.loop.post([&] { loop.loop.stop(); });
  });
  loop.loop.run();
  reader.join();
  EXPECT_EQ(server.handler.datagrams.size(), 1u);
}

TEST(IceTcpServer, drains_when_its_peers_have_heard_all) {
  TestLoop loop;
  Server server(loop);
  auto stranger = std::make_unique<Client>(server.port);
  auto client = std::make_unique<Client>(server.port);
  client->send_frame(numbered(20, 0));
  ASSERT_TRUE(server.wait_for_datagrams(1));
  ASSERT_TRUE(server.wait_until([&] { return server.tcp.path_count() == 2; }));
  const LocalPath path = server.handler.datagrams[0].local;
  server.tcp.confirm(path);
  server.tcp.send_one(path, numbered(30, 7));
  bool is_drained = false;
  server.tcp.drain(Loop::now() + Duration::seconds(8), [&] { is_drained = true; });
  EXPECT_FALSE(is_drained) << "not from inside";
  EXPECT_EQ(client->read_datagram(), numbered(30, 7));
  EXPECT_EQ(client->read_datagram(), Buffer());
  client.reset();
  EXPECT_TRUE(server.wait_until([&] { return is_drained; }));
  EXPECT_EQ(server.tcp.path_count(), 0u);
}

TEST(IceTcpServer, ends_a_stranger_whose_time_is_over_and_keeps_who_was_confirmed) {
  TestLoop loop;
  Server server(loop, {.stranger_timeout = Duration::milliseconds(30)});
  Client silent(server.port), talking(server.port), believed(server.port);
  talking.send_frame(numbered(20, 1));
  believed.send_frame(numbered(21, 2));
  ASSERT_TRUE(server.wait_for_datagrams(2));
  LocalPath talking_path = 0, believed_path = 0;
  for (const auto& datagram : server.handler.datagrams)
    (datagram.bytes.size() == 20 ? talking_path : believed_path) = datagram.local;
  server.tcp.confirm(believed_path);
  ASSERT_TRUE(server.wait_until([&] { return server.tcp.path_count() == 1; }));
  EXPECT_EQ(metric(server.tcp, "stoa_ice_tcp_ended_total", "not_believed_in_time"), 2);
  // Only the one that the handler knew of is worth a word.
  EXPECT_EQ(server.handler.closed, std::vector<LocalPath>{talking_path});
  EXPECT_TRUE(silent.is_ended());
  EXPECT_TRUE(talking.is_ended());
  server.tcp.send_one(believed_path, numbered(5, 1));
  EXPECT_EQ(believed.read_datagram(), numbered(5, 1));
}

TEST(IceTcpServer, ends_a_confirmed_peer_that_fell_silent_and_keeps_who_speaks) {
  TestLoop loop;
  Server server(loop, {.silence_timeout = Duration::milliseconds(200)});
  server.handler.on_batch = [&](std::span<ReceivedDatagram> batch) { server.tcp.confirm(batch[0].local); };
  Client silent(server.port), talking(server.port);
  silent.send_frame(numbered(20, 1));
  ASSERT_TRUE(server.wait_for_datagrams(1));
  const LocalPath path = server.handler.datagrams[0].local;
  ASSERT_TRUE(server.wait_until([&] {
    talking.send_frame(numbered(20, 2));
    return !server.handler.closed.empty();
  }));
  EXPECT_EQ(server.handler.closed, std::vector<LocalPath>{path});
  EXPECT_TRUE(silent.is_ended());
  EXPECT_EQ(server.tcp.path_count(), 1u);
  EXPECT_EQ(metric(server.tcp, "stoa_ice_tcp_ended_total", "silent"), 1);
}

TEST(IceTcpServer, lets_a_flood_of_silent_connections_push_out_only_itself) {
  TestLoop loop;
  Server server(loop, {.strangers = 10});
  Client believed(server.port);
  believed.send_frame(numbered(20, 1));
  ASSERT_TRUE(server.wait_for_datagrams(1));
  server.tcp.confirm(server.handler.datagrams[0].local);
  std::deque<Client> flood;
  for (int i = 0; i < 100; ++i) flood.emplace_back(server.port);
  ASSERT_TRUE(server.wait_until(
      [&] { return metric(server.tcp, "stoa_tcp_accepted_total") == 101 && server.tcp.path_count() == 11; }));
  EXPECT_EQ(server.tcp.stranger_count(), 10u);
  EXPECT_EQ(metric(server.tcp, "stoa_ice_tcp_ended_total", "too_many_strangers"), 90);
  // Who comes now and speaks is heard, and who was there still is.
  Client late(server.port);
  late.send_frame(numbered(25, 2));
  believed.send_frame(numbered(26, 3));
  ASSERT_TRUE(server.wait_for_datagrams(3));
  EXPECT_TRUE(flood.front().is_ended());
  EXPECT_FALSE(flood.back().is_ended());
}

TEST(IceTcpServer, limits_what_one_address_may_open) {
  TestLoop loop;
  Server server(loop, {.connections_per_address = 3});
  std::deque<Client> clients;
  for (int i = 0; i < 5; ++i) clients.emplace_back(server.port);
  ASSERT_TRUE(server.wait_until(
      [&] { return metric(server.tcp, "stoa_tcp_refused_total", "connections_per_address") == 2; }));
  EXPECT_EQ(server.tcp.path_count(), 3u);
}

TEST(IceTcpServer, ends_a_stranger_with_a_long_frame_and_allows_it_once_confirmed) {
  TestLoop loop;
  Server server(loop);
  Client stranger(server.port), peer(server.port);
  stranger.send_frame(numbered(ice::kOpeningFrameBytesMax + 1, 1));
  ASSERT_TRUE(server.wait_until([&] { return stranger.is_ended(); }));
  EXPECT_EQ(metric(server.tcp, "stoa_ice_tcp_ended_total", "bad_frame"), 1);
  // Confirmed from inside the callback: the long frame is in the same read.
  server.handler.on_batch = [&](std::span<ReceivedDatagram> batch) { server.tcp.confirm(batch[0].local); };
  Buffer stream;
  ice::write_frame(numbered(20, 2), stream);
  ice::write_frame(numbered(5000, 3), stream);
  peer.send(stream);
  ASSERT_TRUE(server.wait_for_datagrams(2));
  EXPECT_EQ(server.handler.datagrams[1].bytes, numbered(5000, 3));
  // But not anything.
  peer.send_frame(numbered(ice::kFrameBytesMax + 1, 4));
  ASSERT_TRUE(loop.run_until([&] { return server.handler.closed.size() == 1; }));
  EXPECT_EQ(server.tcp.path_count(), 0u);
}

TEST(IceTcpServer, ends_a_stranger_that_talks_too_much) {
  TestLoop loop;
  Server server(loop, {.stranger_bytes = 1000});
  Client client(server.port);
  for (int i = 0; i < 10; ++i) client.send_frame(numbered(100, static_cast<std::size_t>(i)));
  ASSERT_TRUE(loop.run_until([&] { return server.handler.closed.size() == 1; }));
  EXPECT_EQ(server.handler.datagrams.size(), 9u);
  EXPECT_EQ(metric(server.tcp, "stoa_ice_tcp_ended_total", "stranger_bytes"), 1);
}

TEST(IceTcpServer, tells_once_of_the_end_of_a_path_and_never_gives_its_number_again) {
  TestLoop loop;
  Server server(loop);
  LocalPath first = 0;
  {
    Client client(server.port);
    client.send_frame(numbered(20, 1));
    ASSERT_TRUE(server.wait_for_datagrams(1));
    first = server.handler.datagrams[0].local;
  }
  ASSERT_TRUE(loop.run_until([&] { return !server.handler.closed.empty(); }));
  server.tcp.send_one(first, numbered(10, 1));  // Harmless, and counted.
  server.tcp.confirm(first);
  server.tcp.close(first);
  EXPECT_EQ(metric(server.tcp, "stoa_ice_tcp_dropped_total", "path_gone"), 1);
  Client client(server.port);
  client.send_frame(numbered(20, 2));
  ASSERT_TRUE(server.wait_for_datagrams(2));
  EXPECT_NE(server.handler.datagrams[1].local, first);
  EXPECT_EQ(server.handler.closed, std::vector<LocalPath>{first});
}

TEST(IceTcpServer, hands_on_nothing_after_the_owner_closed_a_path_in_the_middle_of_a_read) {
  TestLoop loop;
  Server server(loop);
  server.handler.on_batch = [&](std::span<ReceivedDatagram> batch) { server.tcp.close(batch[0].local); };
  Client client(server.port);
  Buffer stream;
  for (std::size_t i = 0; i < 5; ++i) ice::write_frame(numbered(20, i), stream);
  client.send(stream);
  ASSERT_TRUE(loop.run_until([&] { return !server.handler.closed.empty(); }));
  EXPECT_EQ(server.handler.datagrams.size(), 1u);
  EXPECT_TRUE(client.is_ended());
  EXPECT_EQ(server.tcp.stranger_count(), 0u);
}

TEST(IceTcpServer, shares_its_port_with_nobody) {
  TestLoop loop;
  Server server(loop);
  Collector handler(loop);
  IceTcpServer second(loop.loop, {}, handler);
  EXPECT_FALSE(second.listen("127.0.0.1", server.port));
}

}  // namespace
}  // namespace stoa::runtime
