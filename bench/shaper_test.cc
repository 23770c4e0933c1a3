// The shaper between sockets of loopback. The machine may be busy: what is measured is measured over seconds,
// and compared with what the same path gives in virtual time for the same packets.
#include "shaper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace stoa::bench {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::size_t kHeaders = 28;

struct Received {
  std::vector<std::uint8_t> bytes;
  std::int64_t ns = 0;  // CLOCK_MONOTONIC.
  std::uint8_t ecn = 0;
  SocketAddress from;
};

// A client and a server with a shaper between them, all on this thread.
struct Road {
  explicit Road(ShaperOptions options = {}) {
    EXPECT_TRUE(server.open({IpAddress::v4(127, 0, 0, 1), 0}));
    if (options.servers.empty()) options.servers = {server.address()};
    auto opened = Shaper::open(std::move(options));
    EXPECT_TRUE(opened) << opened.error();
    shaper = std::move(*opened);
    EXPECT_TRUE(client.open({IpAddress::v4(127, 0, 0, 1), 0}));
    port = {IpAddress::v4(127, 0, 0, 1), shaper->port()};
  }

  void send_up(std::uint32_t number, std::size_t size = 972, std::uint8_t ecn = 0) {
    ASSERT_TRUE(client.send(make(number, size), ecn, port));
  }
  void send_down(std::uint32_t number, std::size_t size = 972, std::uint8_t ecn = 0) {
    ASSERT_TRUE(server.send(make(number, size), ecn, server_sees));
  }
  // Until the time, or `until` says that it is enough.
  template <typename Until>
  bool run(std::int64_t ns, const Until& until) {
    const std::int64_t end = now_ns() + ns;
    for (;;) {
      shaper->turn(std::min(end, now_ns() + kMs / 5));
      read(server, at_server);
      read(client, at_client);
      if (!at_server.empty()) server_sees = at_server.back().from;
      if (until()) return true;
      if (now_ns() >= end) return false;
    }
  }
  void run(std::int64_t ns) {
    run(ns, [] { return false; });
  }
  // The server knows where the client is.
  void meet() {
    send_up(0, 8);
    ASSERT_TRUE(run(5000 * kMs, [&] { return !at_server.empty(); }));
    at_server.clear();
    shaper->take_up();
    shaper->take_down();
    shaper->take_faults();
  }

  static std::vector<std::uint8_t> make(std::uint32_t number, std::size_t size) {
    std::vector<std::uint8_t> bytes(size, 0x5a);
    for (int i = 0; i < 4; ++i)
      bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(number >> (8 * i));
    return bytes;
  }
  static std::uint32_t number_of(const Received& one) {
    return one.bytes[0] | one.bytes[1] << 8 | one.bytes[2] << 16;
  }
  static void read(ShapeSocket& socket, std::vector<Received>& into) {
    const std::int64_t now = now_ns();
    while (auto datagram = socket.receive())
      into.push_back({{datagram->bytes.begin(), datagram->bytes.end()}, now, datagram->ecn, datagram->from});
  }

  ShapeSocket server, client;
  std::unique_ptr<Shaper> shaper;
  SocketAddress port, server_sees;
  std::vector<Received> at_server, at_client;
};

ShapeCommand command(std::string_view line) { return *parse_shape_command(line); }

TEST(Shaper, carries_datagrams_both_ways_unchanged) {
  Road road;
  for (std::uint32_t i = 0; i < 50; ++i) road.send_up(i, 4 + i * 25);
  ASSERT_TRUE(road.run(5000 * kMs, [&] { return road.at_server.size() == 50; }));
  for (std::uint32_t i = 0; i < 50; ++i) {
    EXPECT_EQ(road.at_server[i].bytes, Road::make(i, 4 + i * 25));
    road.send_down(i);
  }
  ASSERT_TRUE(road.run(5000 * kMs, [&] { return road.at_client.size() == 50; }));
  for (std::uint32_t i = 0; i < 50; ++i) {
    EXPECT_EQ(road.at_client[i].bytes, Road::make(i, 972));
    EXPECT_EQ(road.at_client[i].from, road.port);
  }
  EXPECT_EQ(road.shaper->take_down().delivered_packets, 50u);
}

TEST(Shaper, shows_the_server_an_address_for_each_client_and_port) {
  Road road({.ports = 2, .servers = {{}, {}}});
  ShapeSocket second_server, second_client;
  ASSERT_TRUE(second_server.open({IpAddress::v4(127, 0, 0, 1), 0}));
  ASSERT_TRUE(second_client.open({IpAddress::v4(127, 0, 0, 1), 0}));
  ASSERT_TRUE(road.shaper->handle_command(ShapeServers{{road.server.address(), second_server.address()}}));
  const SocketAddress second_port{road.port.ip, static_cast<std::uint16_t>(road.port.port + 1)};
  ASSERT_TRUE(road.client.send(Road::make(1, 10), 0, road.port));
  ASSERT_TRUE(second_client.send(Road::make(2, 10), 0, road.port));
  ASSERT_TRUE(road.client.send(Road::make(3, 10), 0, second_port));
  std::vector<Received> at_second;
  ASSERT_TRUE(road.run(5000 * kMs, [&] {
    Road::read(second_server, at_second);
    return road.at_server.size() == 2 && at_second.size() == 1;
  }));
  std::set<SocketAddress> seen = {road.at_server[0].from, road.at_server[1].from, at_second[0].from};
  EXPECT_EQ(seen.size(), 3u);
  EXPECT_EQ(road.shaper->clients(), 3u);
  EXPECT_EQ(Road::number_of(at_second[0]), 3u);
  // And back, each to its own.
  for (const Received& one : road.at_server) ASSERT_TRUE(road.server.send(one.bytes, 0, one.from));
  std::vector<Received> at_second_client;
  ASSERT_TRUE(road.run(5000 * kMs, [&] {
    Road::read(second_client, at_second_client);
    return road.at_client.size() == 1 && at_second_client.size() == 1;
  }));
  EXPECT_EQ(Road::number_of(road.at_client[0]), 1u);
  EXPECT_EQ(Road::number_of(at_second_client[0]), 2u);
}

// What the server sends for so long, a packet of 1000 bytes each millisecond (8 Mb/s), and what the
// simulator's path makes of it.
TEST(Shaper, gives_the_rates_and_drops_of_the_simulator_for_the_same_packets) {
  auto scenario = sim::PathConfig{.capacity = {{Duration(), 3'000'000},
                                               {Duration::milliseconds(1500), 600'000},
                                               {Duration::milliseconds(3500), 3'000'000}},
                                  .delay = {{Duration(), Duration::milliseconds(20)}},
                                  .queue_max = Duration::milliseconds(100)};
  Road road({.down = scenario});
  const std::int64_t began = now_ns();  // As good as when the shaper's path began.
  road.meet();
  sim::Path<int> model(scenario, Rng(1), Timestamp::from_ns(began));
  std::vector<std::int64_t> modelled;
  const std::int64_t end = began + 5000 * kMs;
  for (std::int64_t next = now_ns(); next < end; next += kMs) {
    while (now_ns() < next) road.run(next - now_ns());
    const Timestamp sent = Timestamp::from_ns(now_ns());
    road.send_down(0);
    model.send(sent, 972 + kHeaders, 0);
    while (auto arrival = model.take_arrived(sent)) modelled.push_back(arrival->at.ns());
  }
  road.run(200 * kMs);
  while (auto arrival = model.take_arrived(Timestamp::from_ns(now_ns())))
    modelled.push_back(arrival->at.ns());
  // Of each half second the bytes, within 10 %, and 5 % of the whole.
  auto count = [&](auto& list, std::int64_t from, std::int64_t to, auto at_of) {
    return static_cast<double>(std::ranges::count_if(list, [&](const auto& one) {
      return at_of(one) >= began + from * kMs && at_of(one) < began + to * kMs;
    }));
  };
  auto real = [](const Received& one) { return one.ns; };
  auto model_at = [](std::int64_t ns) { return ns; };
  for (std::int64_t from = 500; from < 5000; from += 500) {
    double got = count(road.at_client, from, from + 500, real),
           wanted = count(modelled, from, from + 500, model_at);
    EXPECT_NEAR(got, wanted, std::max(4.0, 0.1 * wanted)) << "from " << from << " ms on";
  }
  EXPECT_NEAR(static_cast<double>(road.at_client.size()), static_cast<double>(modelled.size()),
              0.05 * static_cast<double>(modelled.size()));
  ShapeCounters counters = road.shaper->take_down();
  EXPECT_NEAR(static_cast<double>(counters.dropped), static_cast<double>(model.stats().dropped),
              0.05 * static_cast<double>(model.stats().dropped));
  // A full queue is 100 ms at each rate; each of its packets waits so long at the most, or from the fast into
  // the slow.
  EXPECT_GT(counters.queue_ms.percentile(0.5), 80);
  EXPECT_EQ(road.shaper->take_faults().unread, 0u);
}

TEST(Shaper, delays_each_way_by_what_it_is_told) {
  sim::PathConfig up{.delay = {{Duration(), Duration::milliseconds(30)}}};
  sim::PathConfig down{.delay = {{Duration(), Duration::milliseconds(70)}}};
  Road road({.up = up, .down = down});
  road.meet();
  std::vector<double> up_ms, down_ms;
  for (std::uint32_t i = 0; i < 20; ++i) {
    const std::int64_t sent = now_ns();
    road.send_up(i);
    const std::size_t before = road.at_server.size();
    ASSERT_TRUE(road.run(5000 * kMs, [&] { return road.at_server.size() > before; }));
    up_ms.push_back(static_cast<double>(road.at_server.back().ns - sent) * 1e-6);
    const std::int64_t answered = now_ns();
    road.send_down(i);
    ASSERT_TRUE(road.run(5000 * kMs, [&] { return road.at_client.size() > i; }));
    down_ms.push_back(static_cast<double>(road.at_client.back().ns - answered) * 1e-6);
  }
  // Never less; most of them hardly more, also where others have the processor now and then.
  EXPECT_GE(std::ranges::min(up_ms), 29.9);
  EXPECT_GE(std::ranges::min(down_ms), 69.9);
  std::ranges::sort(up_ms);
  std::ranges::sort(down_ms);
  EXPECT_LT(up_ms[10], 35);
  EXPECT_LT(down_ms[10], 75);
}

TEST(Shaper, loses_duplicates_and_damages_as_often_as_told) {
  Road road({.down = {.loss = 0.2, .duplication = 0.1, .corruption = 0.1}});
  road.meet();
  constexpr std::uint32_t kSent = 3000;
  for (std::uint32_t i = 0; i < kSent; ++i) {
    road.send_down(i);
    if (i % 50 == 49) road.run(2 * kMs);
  }
  ShapeCounters counters;
  road.run(5000 * kMs, [&] {
    counters.packets += road.shaper->take_down().packets;
    return counters.packets == kSent;
  });
  road.run(100 * kMs);
  EXPECT_EQ(counters.packets, kSent);
  // Four deviations around what chance gives.
  EXPECT_NEAR(static_cast<double>(road.at_client.size()), kSent * 0.8 * 1.1, 130);
  auto damaged = std::ranges::count_if(
      road.at_client, [](const Received& one) { return one.bytes != Road::make(Road::number_of(one), 972); });
  EXPECT_NEAR(static_cast<double>(damaged), kSent * 0.8 * 1.1 * 0.1, 75);
}

TEST(Shaper, holds_everything_in_an_outage_and_goes_on_behind_it) {
  sim::PathConfig path{.capacity = {{Duration(), 1'000'000}}};
  Road road({.up = path, .down = path});
  road.meet();
  const std::int64_t began = now_ns();
  ASSERT_TRUE(road.shaper->handle_command(command("outage 500ms")));
  for (std::uint32_t i = 0; i < 60; ++i) {  // 300 ms of 1 Mb/s are 37 packets.
    road.send_down(i);
    road.send_up(i);
  }
  road.run(began + 400 * kMs - now_ns());
  EXPECT_TRUE(road.at_client.empty());
  EXPECT_TRUE(road.at_server.empty());
  road.run(1000 * kMs);
  for (const auto* side : {&road.at_client, &road.at_server}) {
    ASSERT_EQ(side->size(), 37u + 1) << "one was being sent";
    EXPECT_GE(side->front().ns, began + 499 * kMs);
    for (std::uint32_t i = 0; i < side->size(); ++i) EXPECT_EQ(Road::number_of((*side)[i]), i);
  }
  EXPECT_EQ(road.shaper->take_down().dropped, 22u);
}

TEST(Shaper, after_a_handover_the_server_sees_another_address) {
  Road road({.from = {IpAddress::v4(127, 0, 0, 2), IpAddress::v4(127, 0, 0, 3)}});
  road.meet();
  const SocketAddress before = road.server_sees;
  EXPECT_EQ(before.ip, IpAddress::v4(127, 0, 0, 2));
  ASSERT_TRUE(road.shaper->handle_command(command("handover")));
  road.send_down(1);  // To where it is no more.
  road.run(50 * kMs);
  EXPECT_TRUE(road.at_client.empty());
  road.send_up(2);
  ASSERT_TRUE(road.run(5000 * kMs, [&] { return road.at_server.size() == 1; }));
  EXPECT_EQ(road.server_sees.ip, IpAddress::v4(127, 0, 0, 3));
  road.send_down(3);
  ASSERT_TRUE(road.run(5000 * kMs, [&] { return road.at_client.size() == 1; }));
  EXPECT_EQ(Road::number_of(road.at_client[0]), 3u);
  EXPECT_EQ(road.shaper->clients(), 1u);
}

TEST(Shaper, passes_ecn_on_and_marks_who_waits) {
  Road road({.down = {.capacity = {{Duration(), 500'000}},
                      .marking = sim::Marking::kThreshold,
                      .mark_above = Duration::milliseconds(40)}});
  road.meet();
  for (std::uint32_t i = 0; i < 10; ++i) road.send_down(i, 972, i < 8 ? 1 : 0);  // 16 ms each.
  ASSERT_TRUE(road.run(5000 * kMs, [&] { return road.at_client.size() == 10; }));
  std::vector<int> ecn;
  for (const Received& one : road.at_client) ecn.push_back(one.ecn);
  EXPECT_THAT(ecn, testing::ElementsAre(1, 1, 1, 3, 3, 3, 3, 3, 0, 0));
  EXPECT_EQ(road.shaper->take_down().marked, 5u);
}

TEST(Shaper, clients_share_a_bottleneck_or_have_each_its_own) {
  for (bool is_per_client : {false, true}) {
    sim::PathConfig path{.capacity = {{Duration(), 1'000'000}}, .queue_max = Duration::milliseconds(100)};
    Road road({.up = path, .is_per_client = is_per_client});
    ShapeSocket second;
    ASSERT_TRUE(second.open({IpAddress::v4(127, 0, 0, 1), 0}));
    for (std::uint32_t i = 0; i < 30; ++i) {
      road.send_up(i);
      ASSERT_TRUE(second.send(Road::make(i, 972), 0, road.port));
    }
    road.run(500 * kMs);
    // 100 ms of 1 Mb/s are 12 packets, and one was being sent.
    EXPECT_NEAR(static_cast<double>(road.at_server.size()), is_per_client ? 26 : 13, 4);
  }
}

TEST(Shaper, knows_no_more_clients_than_its_limit) {
  Road road;
  std::vector<ShapeSocket> clients(Shaper::kClientsMax + 3);
  for (ShapeSocket& one : clients) {
    ASSERT_TRUE(one.open({IpAddress::v4(127, 0, 0, 1), 0}));
    ASSERT_TRUE(one.send(Road::make(1, 10), 0, road.port));
    road.shaper->turn(now_ns());
  }
  road.run(5000 * kMs, [&] { return road.at_server.size() == Shaper::kClientsMax; });
  EXPECT_EQ(road.shaper->clients(), Shaper::kClientsMax);
  EXPECT_EQ(road.shaper->take_faults().turned_away, 3u);
}

TEST(Shaper, keeps_no_more_bytes_than_its_limit) {
  Road road({.up = {.delay = {{Duration(), Duration::seconds(600)}}}});
  constexpr std::size_t kSize = 60'000;
  std::uint64_t turned_away = 0;
  for (std::size_t i = 0; i < Shaper::kBytesMax / kSize + 10; ++i) {
    road.send_up(1, kSize);
    road.shaper->turn(now_ns());
    turned_away += road.shaper->take_faults().turned_away;
  }
  EXPECT_EQ(turned_away, 10u);
}

TEST(Shaper, refuses_what_cannot_be) {
  EXPECT_FALSE(Shaper::open({.ports = 0}));
  EXPECT_FALSE(Shaper::open({.ports = 2, .servers = {{IpAddress::v4(127, 0, 0, 1), 9}}}));
  EXPECT_FALSE(Shaper::open({.listen = IpAddress::v4(192, 0, 2, 1)})) << "not of this machine";
  Road road;
  EXPECT_FALSE(Shaper::open({.port = road.port.port})) << "taken";
  EXPECT_FALSE(road.shaper->handle_command(ShapeServers{{{}, {}}}));
}

}  // namespace
}  // namespace stoa::bench
