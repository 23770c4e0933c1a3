#include "runtime/udp_socket.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <thread>

#include "runtime/test_datagrams.h"

namespace stoa::runtime {
namespace {

const IpAddress kHere = IpAddress::v4(127, 0, 0, 1);

struct Node {
  explicit Node(TestLoop& test_loop, const UdpOptions& options = {})
      : handler(test_loop), socket(test_loop.loop, handler) {
    auto opened = socket.open(options);
    if (!opened) {
      ADD_FAILURE() << opened.error();
      return;
    }
    binding = *opened;
  }
  SocketAddress address(IpAddress ip = kHere) const { return {ip, binding.port}; }

  Collector handler;
  UdpSocket socket;
  UdpBinding binding;
};

Buffer numbered(std::size_t size, std::size_t seed) {
  Buffer bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 31 + seed * 17 + (i >> 8));
  return bytes;
}

void commit(DatagramBatch& batch, const SocketAddress& to, Bytes bytes, std::size_t segment,
            LocalPath local = kUdpPath) {
  ASSERT_TRUE(batch.has_room(bytes.size()));
  std::copy(bytes.begin(), bytes.end(), batch.room().begin());
  batch.commit(local, to, bytes.size(), static_cast<std::uint16_t>(segment));
}

bool has_ipv6() {
  const int fd = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool is_bound = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return is_bound;
}

struct Offloads {
  bool gso, gro;
};

class UdpTrains : public testing::TestWithParam<Offloads> {};

TEST_P(UdpTrains, arrive_byte_for_byte_in_every_size) {
  TestLoop loop;
  Node sender(loop, {.use_gso = GetParam().gso});
  Node receiver(loop, {.use_gro = GetParam().gro});
  DatagramBatch batch;
  for (std::size_t size = 1; size <= 1400; ++size) {
    const std::size_t count = 1 + size % 20, last = 1 + size * 7 % size;
    const Buffer bytes = numbered((count - 1) * size + last, size);
    commit(batch, receiver.address(), bytes, size);
    sender.socket.send(batch);
    batch.clear();
    receiver.handler.datagrams.clear();
    ASSERT_TRUE(loop.run_until([&] { return receiver.handler.datagrams.size() >= count; })) << size;
    Buffer arrived;
    for (std::size_t i = 0; i < count; ++i) {
      const auto& datagram = receiver.handler.datagrams[i];
      ASSERT_EQ(datagram.bytes.size(), i + 1 < count ? size : last);
      ASSERT_EQ(datagram.remote, sender.address());
      ASSERT_EQ(datagram.local, kUdpPath);
      arrived.insert(arrived.end(), datagram.bytes.begin(), datagram.bytes.end());
    }
    ASSERT_EQ(arrived, bytes) << size;
  }
  const double trains = metric(sender.socket, "stoa_udp_sent_trains_total");
  const double merged = metric(receiver.socket, "stoa_udp_merged_datagrams_total");
  EXPECT_EQ(trains > 0, sender.binding.has_gso);
  EXPECT_EQ(merged > 0, sender.binding.has_gso && receiver.binding.has_gro);
  EXPECT_EQ(metric(sender.socket, "stoa_udp_sent_datagrams_total"),
            metric(receiver.socket, "stoa_udp_received_datagrams_total"));
  EXPECT_EQ(metric(sender.socket, "stoa_udp_sent_bytes_total"),
            metric(receiver.socket, "stoa_udp_received_bytes_total"));
  EXPECT_EQ(
      metric(sender.socket, "stoa_udp_dropped_total") + metric(receiver.socket, "stoa_udp_dropped_total"), 0);
  EXPECT_EQ(metric(sender.socket, "stoa_udp_gso"), sender.binding.has_gso);
  EXPECT_EQ(metric(receiver.socket, "stoa_udp_gro"), receiver.binding.has_gro);
}

INSTANTIATE_TEST_SUITE_P(Offloads, UdpTrains,
                         testing::Values(Offloads{true, true}, Offloads{true, false}, Offloads{false, true},
                                         Offloads{false, false}),
                         [](const auto& test) {
                           return std::string(test.param.gso ? "gso" : "single") + "_to_" +
                                  (test.param.gro ? "gro" : "single");
                         });

TEST(UdpSocket, takes_the_longest_train_that_a_batch_may_hold) {
  TestLoop loop;
  Node sender(loop), receiver(loop);
  DatagramBatch batch;
  const Buffer many = numbered(54 * 1200 + 100, 1), tiny = numbered(64, 2);
  commit(batch, receiver.address(), many, 1200);
  commit(batch, receiver.address(), tiny, 1);
  sender.socket.send(batch);
  ASSERT_TRUE(loop.run_until([&] { return receiver.handler.datagrams.size() >= 55 + 64; }));
  Buffer arrived;
  for (const auto& datagram : receiver.handler.datagrams)
    arrived.insert(arrived.end(), datagram.bytes.begin(), datagram.bytes.end());
  Buffer expected = many;
  expected.insert(expected.end(), tiny.begin(), tiny.end());
  EXPECT_EQ(arrived, expected);
  if (sender.binding.has_gso) {
    EXPECT_EQ(metric(sender.socket, "stoa_udp_calls_total", "out"), 1);
  }
}

TEST(UdpSocket, loses_nothing_of_tens_of_thousands_when_buffers_are_adequate) {
  constexpr std::size_t kCount = 50'000, kWindow = 500;
  TestLoop loop;
  Node sender(loop), receiver(loop);
  DatagramBatch batch;
  std::size_t sent = 0, received = 0;
  auto send_more = [&] {
    while (sent < kCount && sent - received <= kWindow - 50) {
      Buffer bytes;
      for (int i = 0; i < 5; ++i) {
        Buffer one(1200, 0);
        memcpy(one.data(), &sent, sizeof sent);
        bytes.insert(bytes.end(), one.begin(), one.end());
        ++sent;
      }
      commit(batch, receiver.address(), bytes, 1200);
      sender.socket.send(batch);
      batch.clear();
    }
  };
  bool is_in_order = true;
  receiver.handler.on_batch = [&](std::span<ReceivedDatagram>) {
    for (const auto& datagram : receiver.handler.datagrams) {
      std::size_t number;
      memcpy(&number, datagram.bytes.data(), sizeof number);
      is_in_order &= number == received++;
    }
    receiver.handler.datagrams.clear();
    send_more();
  };
  send_more();
  EXPECT_TRUE(loop.run_until([&] { return received == kCount; }));
  EXPECT_EQ(received, kCount);
  EXPECT_TRUE(is_in_order);
}

TEST(UdpSocket, counts_what_its_receive_buffer_could_not_hold) {
  TestLoop loop;
  Node sender(loop), receiver(loop, {.receive_buffer_bytes = 20'000});
  const Buffer bytes = numbered(1200, 1);
  for (int i = 0; i < 500; ++i) sender.socket.send_one(kUdpPath, receiver.address(), bytes);
  ASSERT_TRUE(loop.run_until([&] { return !receiver.handler.datagrams.empty(); }));
  // The kernel's count comes with what it takes next.
  loop.run_once();
  const std::size_t before = receiver.handler.datagrams.size();
  sender.socket.send_one(kUdpPath, receiver.address(), bytes);
  ASSERT_TRUE(loop.run_until([&] { return receiver.handler.datagrams.size() > before; }));
  const double lost = metric(receiver.socket, "stoa_udp_dropped_total", "receive_buffer");
  EXPECT_GT(lost, 0);
  EXPECT_EQ(lost + static_cast<double>(receiver.handler.datagrams.size()), 501);
}

TEST(UdpSocket, lets_the_loop_do_other_work_between_batches) {
  TestLoop loop;
  Node sender(loop), receiver(loop, {.use_gro = false, .batches_per_wakeup = 2});
  loop.run_once();
  const Buffer bytes = numbered(100, 1);
  for (int i = 0; i < 1000; ++i) sender.socket.send_one(kUdpPath, receiver.address(), bytes);
  std::size_t seen = 0;
  receiver.handler.on_batch = [&](std::span<ReceivedDatagram>) {
    if (receiver.handler.batches == 1) loop.loop.post([&] { seen = receiver.handler.datagrams.size(); });
  };
  ASSERT_TRUE(loop.run_until([&] { return receiver.handler.datagrams.size() == 1000; }));
  EXPECT_GE(seen, 64u);
  EXPECT_LE(seen, 3 * 64u);
}

TEST(UdpSocket, drops_a_datagram_that_is_longer_than_its_buffers) {
  TestLoop loop;
  Node sender(loop), receiver(loop, {.use_gro = false});
  sender.socket.send_one(kUdpPath, receiver.address(), numbered(20'000, 1));
  sender.socket.send_one(kUdpPath, receiver.address(), numbered(UdpSocket::kReceivedBytesMax, 2));
  ASSERT_TRUE(loop.run_until([&] { return !receiver.handler.datagrams.empty(); }));
  EXPECT_EQ(receiver.handler.datagrams[0].bytes, numbered(UdpSocket::kReceivedBytesMax, 2));
  EXPECT_EQ(metric(receiver.socket, "stoa_udp_dropped_total", "received_too_long"), 1);
}

TEST(UdpSocket, keeps_control_datagrams_behind_the_trains_before_them) {
  TestLoop loop;
  Node sender(loop), receiver(loop);
  DatagramBatch batch;
  commit(batch, receiver.address(), numbered(500, 1), 100);
  sender.socket.send(batch);
  sender.socket.send_one(kUdpPath, receiver.address(), numbered(7, 2));
  batch.clear();
  commit(batch, receiver.address(), numbered(300, 3), 100);
  sender.socket.send(batch);
  ASSERT_TRUE(loop.run_until([&] { return receiver.handler.datagrams.size() == 9; }));
  EXPECT_EQ(receiver.handler.datagrams[5].bytes, numbered(7, 2));
}

TEST(UdpSocket, answers_from_the_address_that_the_peer_sent_to) {
  TestLoop loop;
  Node server(loop, {.address = "0.0.0.0"}), client(loop);
  const IpAddress second = IpAddress::v4(127, 0, 0, 2), third = IpAddress::v4(127, 0, 0, 3);
  // Checks to two candidates of ours from one socket: both are in flight when the answers go out.
  client.socket.send_one(kUdpPath, server.address(second), numbered(10, 1));
  client.socket.send_one(kUdpPath, server.address(third), numbered(10, 2));
  client.socket.send_one(kUdpPath, server.address(), numbered(10, 3));
  ASSERT_TRUE(loop.run_until([&] { return server.handler.datagrams.size() == 3; }));
  EXPECT_EQ(server.handler.datagrams[0].local, kUdpPath);
  EXPECT_NE(server.handler.datagrams[1].local, kUdpPath);
  EXPECT_NE(server.handler.datagrams[2].local, server.handler.datagrams[1].local);
  DatagramBatch batch;
  for (const auto& datagram : server.handler.datagrams) {
    EXPECT_TRUE(is_udp_path(datagram.local));
    commit(batch, datagram.remote, datagram.bytes, 4, datagram.local);
  }
  server.socket.send(batch);
  ASSERT_TRUE(loop.run_until([&] { return client.handler.datagrams.size() == 9; }));
  for (std::size_t i = 0; i < 9; ++i)
    EXPECT_EQ(client.handler.datagrams[i].remote, server.address(i < 3 ? second : i < 6 ? third : kHere));
}

TEST(UdpSocket, speaks_ipv6) {
  if (!has_ipv6()) GTEST_SKIP() << "this machine has no IPv6";
  TestLoop loop;
  Node server(loop, {.address = "::1"}), client(loop, {.address = "::1"});
  const IpAddress here = *IpAddress::parse("::1");
  DatagramBatch batch;
  commit(batch, server.address(here), numbered(2500, 1), 1200);
  client.socket.send(batch);
  ASSERT_TRUE(loop.run_until([&] { return server.handler.datagrams.size() == 3; }));
  EXPECT_EQ(server.handler.datagrams[0].remote, client.address(here));
  EXPECT_EQ(server.handler.datagrams[2].bytes.size(), 100u);
}

TEST(UdpSocket, takes_both_families_on_a_wildcard_and_shows_ipv4_as_such) {
  if (!has_ipv6()) GTEST_SKIP() << "this machine has no IPv6";
  TestLoop loop;
  Node server(loop, {.address = "::"}), v4(loop), v6(loop, {.address = "::1"});
  const IpAddress here6 = *IpAddress::parse("::1"), second = IpAddress::v4(127, 0, 0, 2);
  v4.socket.send_one(kUdpPath, server.address(), numbered(10, 1));
  v4.socket.send_one(kUdpPath, server.address(second), numbered(10, 2));
  v6.socket.send_one(kUdpPath, server.address(here6), numbered(10, 3));
  ASSERT_TRUE(loop.run_until([&] { return server.handler.datagrams.size() == 3; }));
  EXPECT_EQ(server.handler.datagrams[0].remote, v4.address());
  EXPECT_EQ(server.handler.datagrams[2].remote, v6.address(here6));
  EXPECT_EQ(server.handler.datagrams[2].local, kUdpPath);
  DatagramBatch batch;
  for (const auto& datagram : server.handler.datagrams)
    commit(batch, datagram.remote, datagram.bytes, 5, datagram.local);
  server.socket.send(batch);
  ASSERT_TRUE(
      loop.run_until([&] { return v4.handler.datagrams.size() == 4 && v6.handler.datagrams.size() == 2; }));
  EXPECT_EQ(v4.handler.datagrams[0].remote, server.address());
  EXPECT_EQ(v4.handler.datagrams[3].remote, server.address(second));
  EXPECT_EQ(v6.handler.datagrams[1].remote, server.address(here6));
  EXPECT_EQ(metric(server.socket, "stoa_udp_dropped_total"), 0);
}

TEST(UdpSocket, marks_what_it_sends_and_shows_the_marks_of_what_comes) {
  if (!has_ipv6()) GTEST_SKIP() << "this machine has no IPv6";
  TestLoop loop;
  Node both(loop, {.address = "::"}), v4(loop), v6(loop, {.address = "::1"});
  const IpAddress here6 = *IpAddress::parse("::1");
  DatagramBatch batch;
  const Buffer bytes = numbered(30, 1);
  const auto add = [&](const SocketAddress& to, Ecn ecn) {
    std::copy(bytes.begin(), bytes.end(), batch.room().begin());
    batch.commit(kUdpPath, to, bytes.size(), 10, ecn);
  };
  add(v4.address(), Ecn::kCapable1);
  add(v6.address(here6), Ecn::kCongestion);
  add(v4.address(), Ecn::kNotCapable);
  both.socket.send(batch);
  batch.clear();
  add(both.address(), Ecn::kCapable0);
  v4.socket.send(batch);
  batch.clear();
  add(both.address(here6), Ecn::kCapable1);
  v6.socket.send(batch);
  ASSERT_TRUE(loop.run_until([&] {
    return both.handler.datagrams.size() == 6 && v4.handler.datagrams.size() == 6 &&
           v6.handler.datagrams.size() == 3;
  }));
  EXPECT_EQ(v4.handler.datagrams[2].ecn, Ecn::kCapable1);
  EXPECT_EQ(v4.handler.datagrams[3].ecn, Ecn::kNotCapable);
  EXPECT_EQ(v6.handler.datagrams[0].ecn, Ecn::kCongestion);
  for (const auto& datagram : both.handler.datagrams)
    EXPECT_EQ(datagram.ecn, datagram.remote.ip.is_v4() ? Ecn::kCapable0 : Ecn::kCapable1);
}

TEST(UdpSocket, counts_what_has_no_way_and_goes_on) {
  TestLoop loop;
  Node sender(loop), receiver(loop);
  sender.socket.send_one(kUdpPath, {*IpAddress::parse("2001:db8::1"), 5000}, numbered(10, 1));
  sender.socket.send_one(kUdpPath, receiver.address(), numbered(10, 2));
  std::uint16_t closed_port;
  {
    closed_port = Node(loop).binding.port;
  }
  for (int i = 0; i < 3; ++i) sender.socket.send_one(kUdpPath, {kHere, closed_port}, numbered(10, 3));
  sender.socket.send_one(kUdpPath, receiver.address(), numbered(10, 4));
  ASSERT_TRUE(loop.run_until([&] { return receiver.handler.datagrams.size() == 2; }));
  EXPECT_EQ(metric(sender.socket, "stoa_udp_dropped_total", "unreachable"), 1);
  EXPECT_EQ(metric(sender.socket, "stoa_udp_dropped_total"), 1);
}

TEST(UdpSocket, says_what_it_cannot_bind) {
  TestLoop loop;
  Node first(loop);
  Collector handler(loop);
  UdpSocket second(loop.loop, handler), third(loop.loop, handler);
  auto taken = second.open({.port = first.binding.port});
  ASSERT_FALSE(taken);
  EXPECT_NE(taken.error().find("127.0.0.1:" + std::to_string(first.binding.port)), std::string::npos);
  EXPECT_NE(taken.error().find("in use"), std::string::npos);
  auto nonsense = third.open({.address = "localhost"});
  ASSERT_FALSE(nonsense);
  EXPECT_NE(nonsense.error().find("localhost"), std::string::npos);
}

TEST(UdpSocket, says_what_buffers_it_got) {
  TestLoop loop;
  Node modest(loop, {.receive_buffer_bytes = 100'000, .send_buffer_bytes = 50'000});
  EXPECT_EQ(modest.binding.receive_buffer_bytes, 100'000u);
  EXPECT_EQ(modest.binding.send_buffer_bytes, 50'000u);
  EXPECT_TRUE(modest.binding.notices.empty());
}

// Runs `test` where loopback is a link of 10 Mb/s. False where that is not permitted.
bool run_on_slow_link(const std::function<void()>& test) {
  bool is_there = false;
  std::thread([&] {
    is_there = unshare(CLONE_NEWNET) == 0 &&
               system(
                   "ip link set lo up && tc qdisc add dev lo root tbf rate 10mbit burst 20k limit 10m "
                   "2>/dev/null") == 0;
    if (is_there) test();
  }).join();
  return is_there;
}

TEST(UdpSocket, sends_what_waits_when_the_kernel_takes_more) {
  auto test = [] {
    TestLoop loop;
    Node sender(loop, {.send_buffer_bytes = 50'000, .send_queue_bytes = 300'000}), receiver(loop);
    DatagramBatch batch;
    Buffer expected;
    std::size_t sent = 0;
    for (; sent < 200; sent += 5) {
      const Buffer bytes = numbered(5 * 1000, sent);
      commit(batch, receiver.address(), bytes, 1000);
      expected.insert(expected.end(), bytes.begin(), bytes.end());
    }
    sender.socket.send(batch);
    EXPECT_GT(sender.socket.queued_bytes(), 0u);
    batch.clear();
    std::size_t waiting_when_drained = 1;
    sender.socket.drain(Loop::now() + Duration::seconds(9),
                        [&] { waiting_when_drained = sender.socket.queued_bytes(); });
    EXPECT_EQ(waiting_when_drained, 1u);
    ASSERT_TRUE(loop.run_until([&] { return receiver.handler.datagrams.size() == 200; }));
    Buffer arrived;
    for (const auto& datagram : receiver.handler.datagrams)
      arrived.insert(arrived.end(), datagram.bytes.begin(), datagram.bytes.end());
    EXPECT_EQ(arrived, expected);
    EXPECT_EQ(sender.socket.queued_bytes(), 0u);
    EXPECT_EQ(waiting_when_drained, 0u);
    EXPECT_EQ(metric(sender.socket, "stoa_udp_dropped_total"), 0);

    // And what is more than the queue holds is dropped.
    receiver.handler.datagrams.clear();
    for (int round = 0; round < 4; ++round) {
      for (int i = 0; i < 40; ++i) commit(batch, receiver.address(), numbered(5 * 1000, 1), 1000);
      sender.socket.send(batch);
      batch.clear();
    }
    EXPECT_LE(sender.socket.queued_bytes(), 300'000u);
    const double lost = metric(sender.socket, "stoa_udp_dropped_total", "queue_full");
    EXPECT_GT(lost, 0);
    ASSERT_TRUE(
        loop.run_until([&] { return static_cast<double>(receiver.handler.datagrams.size()) + lost == 800; }));
  };
  if (!run_on_slow_link(test)) GTEST_SKIP() << "no network namespace with a slow link here";
}

TEST(UdpSocket, is_drained_when_nothing_waits) {
  TestLoop loop;
  Node sender(loop);
  UdpSocket closed(loop.loop, sender.handler);
  int drained = 0;
  for (UdpSocket* socket : {&sender.socket, &closed})
    socket->drain(Loop::now() + Duration::seconds(60), [&] {
      ++drained;
      loop.loop.stop();
    });
  EXPECT_EQ(drained, 0) << "not from inside";
  while (drained < 2) loop.loop.run();
  EXPECT_EQ(drained, 2);
}

TEST(UdpSocket, may_go_while_it_has_more_to_read) {
  TestLoop loop;
  Node sender(loop);
  auto receiver = std::make_unique<Node>(loop, UdpOptions{.use_gro = false, .batches_per_wakeup = 1});
  for (int i = 0; i < 300; ++i) sender.socket.send_one(kUdpPath, receiver->address(), numbered(10, 1));
  ASSERT_TRUE(loop.run_until([&] { return receiver->handler.batches == 1; }));
  receiver.reset();
  loop.run_once();
}

}  // namespace
}  // namespace stoa::runtime
