// Who an address belongs to, and where media goes: clients that move, and clients that lie.
#include <gtest/gtest.h>

#include "session/webrtc/test_port.h"

namespace stoa::webrtc {
namespace {

const SocketAddress kVictim{IpAddress::v4(203, 0, 113, 50), 4444};

// A viewer whose session is open and who has the answer.
TestClient& open_viewer(PortWorld& world, const TestClientOptions& options,
                        const std::optional<SocketAddress>& claims) {
  TestClient& client = world.add_client(options);
  client.claims = claims;
  auto opened = world.port.open_viewer(world.time.now(), client.dialer->offer(), world.tracks);
  EXPECT_TRUE(opened && client.handle_answer(opened->answer));
  return client;
}

TEST(PortPaths, are_not_taken_from_who_is_there) {
  PortWorld world;
  TestClient& publisher = world.publish();
  TestClient& viewer = world.watch();
  world.run_for(Duration::seconds(2));
  // Two with sessions of their own write the others' addresses into what they send.
  TestClient& first = open_viewer(world, {}, viewer.options.address);
  TestClient& second = open_viewer(world, {}, publisher.options.address);
  std::size_t seen = viewer.pictures.size();
  world.run_for(Duration::seconds(60));
  EXPECT_FALSE(first.is_connected() || second.is_connected());
  EXPECT_GE(viewer.pictures.size(), seen + 1490);
  EXPECT_TRUE(TestClient::is_gapless(viewer.pictures));
  EXPECT_GT(world.metric("stoa_webrtc_datagrams_refused_total", "path_held"), 5);
  EXPECT_EQ(world.metric("stoa_webrtc_datagrams_refused_total", "not_authentic"), 0);
}

TEST(PortPaths, cannot_be_occupied_before_their_owner_comes) {
  PortWorld world;
  world.publish();
  TestClient& squatter = open_viewer(world, {}, kVictim);
  world.run_for(Duration::seconds(1));
  EXPECT_GT(world.claimed_bytes, 0u);
  TestClient& viewer = world.watch({.address = kVictim});
  ASSERT_TRUE(viewer.is_connected());
  world.run_for(Duration::seconds(20));
  EXPECT_FALSE(squatter.is_connected());
  EXPECT_GE(viewer.pictures.size(), 480u);
  EXPECT_TRUE(TestClient::is_gapless(viewer.pictures));
}

TEST(PortPaths, get_no_media_without_proof) {
  PortWorld world;
  world.publish();
  TestClient& viewer = world.watch();
  world.run_for(Duration::seconds(2));
  // From now on it says that it is where somebody else lives.
  viewer.claims = kVictim;
  world.run_for(Duration::seconds(90));
  EXPECT_GT(world.claimed_bytes, 0u);
  EXPECT_LE(world.bytes_to_nobody[kVictim.ip], 3 * world.claimed_bytes);
  EXPECT_LE(world.bytes_to_nobody[kVictim.ip], 60'000u) << "a second of media is more";
}

TEST(PortPaths, get_no_more_of_a_handshake_than_three_times_what_came) {
  PortWorld world;
  world.publish();
  for (int i = 0; i < 5; ++i)
    open_viewer(world, {}, SocketAddress{kVictim.ip, static_cast<std::uint16_t>(1000 + i)});
  world.run_for(Duration::seconds(40));
  EXPECT_GT(world.claimed_bytes, 0u);
  EXPECT_LE(world.bytes_to_nobody[kVictim.ip], 3 * world.claimed_bytes);
  EXPECT_EQ(world.connected.size(), 1u);
}

TEST(PortPaths, follow_who_moves_within_a_round_trip_of_its_check) {
  PortWorld world;
  world.publish();
  sim::Link::Config line{.latency = Duration::milliseconds(50)};
  TestClient& viewer = world.watch({.link = line});
  world.run_for(Duration::seconds(3));
  viewer.options.address = {IpAddress::v4(198, 51, 100, 200), 555};  // Another network.
  world.run_for(Duration::seconds(10));
  EXPECT_EQ(viewer.damaged, 0u);
  std::size_t seen = viewer.pictures.size();
  world.run_for(Duration::seconds(10));
  EXPECT_GE(viewer.pictures.size(), seen + 249);
  EXPECT_TRUE(world.closed.empty());
}

TEST(PortPaths, that_were_connections_get_nothing_when_those_are_closed) {
  PortWorld world;
  world.publish();
  constexpr LocalPath kConnection = kUdpPaths + 7;
  TestClient& viewer = world.watch({}, false);
  viewer.local = kConnection;
  ASSERT_TRUE(world.run_until([&] { return viewer.is_connected(); }));
  world.run_for(Duration::seconds(2));
  EXPECT_EQ(world.proved, std::vector<LocalPath>{kConnection});
  EXPECT_GT(viewer.pictures.size(), 40u);
  viewer.is_cut = true;
  world.close_path(kConnection, viewer.options.address);
  EXPECT_EQ(world.released, std::vector<LocalPath>{kConnection});
  std::uint64_t sent = world.sent_by[kConnection];
  std::size_t seen = viewer.pictures.size();
  world.run_for(Duration::seconds(1));
  EXPECT_EQ(world.sent_by[kConnection], sent);
  // It comes back another way.
  viewer.is_cut = false;
  viewer.local = kUdpPath;
  world.run_for(Duration::seconds(10));
  EXPECT_EQ(world.sent_by[kConnection], sent);
  EXPECT_GE(viewer.pictures.size(), seen + 100);
  EXPECT_EQ(viewer.damaged, 0u);
  EXPECT_TRUE(world.closed.empty());
}

TEST(PortPaths, of_healthy_clients_refuse_nothing_from_beginning_to_end) {
  PortWorld world;
  sim::Link::Config line{.latency = Duration::milliseconds(30), .jitter = Duration::milliseconds(25)};
  for (int i = 0; i < 12; ++i) {
    TestClient& publisher = world.publish({.link = line}, false);
    ASSERT_TRUE(world.run_until([&] { return publisher.is_connected(); }));
    world.run_for(Duration::seconds(1));
    // Media is on its way when the session ends.
    if (i % 2 == 0) {
      world.close(publisher);
    } else {
      publisher.close();
    }
    world.run_for(Duration::seconds(1));
  }
  EXPECT_EQ(world.metric("stoa_webrtc_datagrams_refused_total"), 0);
  EXPECT_GT(world.metric("stoa_webrtc_datagrams_late_total"), 0);
}

TEST(PortLimits, refuse_sessions_that_only_wait) {
  PortConfig config;
  config.unconnected = {.total_max = 6, .publishers_share = 2, .per_address_max = 3};
  PortWorld world(config);
  world.publish();
  EXPECT_EQ(world.port.unconnected(), 0u);
  std::string offer(world.add_client({}).dialer->offer());
  std::string publishing(world.add_client({.publishes = true}).dialer->offer());
  auto open = [&](std::uint8_t client) {
    return world.port.open_viewer(world.time.now(), offer, world.tracks, IpAddress::v4(192, 0, 2, client));
  };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(open(1));
  EXPECT_EQ(open(1).error().refusal, OpenRefusal::kTooManyOfAddress);
  EXPECT_TRUE(open(2));
  EXPECT_EQ(open(3).error().refusal, OpenRefusal::kTooManyUnconnected);
  EXPECT_TRUE(world.port.open_publisher(world.time.now(), publishing, IpAddress::v4(192, 0, 2, 9)));
  EXPECT_EQ(world.metric("stoa_webrtc_offers_refused_total", "too_many_of_address"), 1);
  EXPECT_EQ(world.metric("stoa_webrtc_offers_refused_total", "too_many_unconnected"), 1);
  // Viewers are given ten seconds, publishers more.
  world.run_for(Duration::milliseconds(10'100));
  EXPECT_EQ(world.port.unconnected(), 1u);
  EXPECT_TRUE(open(1));
  world.run_for(Duration::seconds(31));
  EXPECT_EQ(world.port.unconnected(), 0u);
  EXPECT_EQ(world.port.sessions(), 1u);
}

TEST(PortLimits, give_one_address_so_many_viewers_and_no_more) {
  PortWorld world({.viewers_per_address_max = 3});
  world.publish();
  const std::string offer(world.add_client({}).dialer->offer());
  const std::string publishing(world.add_client({.publishes = true}).dialer->offer());
  auto open = [&](const char* client) {
    return world.port.open_viewer(world.time.now(), offer, world.tracks, *IpAddress::parse(client));
  };
  // An IPv4 address in both its forms, and a network of IPv6.
  for (const char* client : {"192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"}) ASSERT_TRUE(open(client));
  for (const char* client : {"2001:db8::1", "2001:db8::2", "2001:db8::3"}) ASSERT_TRUE(open(client));
  EXPECT_EQ(open("192.0.2.1").error().refusal, OpenRefusal::kTooManyViewersOfAddress);
  EXPECT_EQ(open("2001:db8::4").error().refusal, OpenRefusal::kTooManyViewersOfAddress);
  EXPECT_EQ(world.metric("stoa_webrtc_offers_refused_total", "too_many_viewers_of_address"), 2);
  EXPECT_TRUE(open("2001:db8:0:1::1"));
  EXPECT_TRUE(world.port.open_publisher(world.time.now(), publishing, *IpAddress::parse("192.0.2.1")));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(open("127.0.0.1"));
  // The places of those who went are free again.
  world.run_for(Duration::milliseconds(10'100));
  EXPECT_TRUE(open("192.0.2.1"));
}

TEST(PortLimits, count_viewers_of_an_address_who_are_connected) {
  PortWorld world({.viewers_per_address_max = 1});
  world.publish();
  const IpAddress address = IpAddress::v4(192, 0, 2, 1);
  world.caller = address;
  TestClient& viewer = world.watch();
  EXPECT_EQ(world.port.unconnected(), 0u);
  const std::string offer(world.add_client({}).dialer->offer());
  auto open = [&] { return world.port.open_viewer(world.time.now(), offer, world.tracks, address); };
  EXPECT_EQ(open().error().refusal, OpenRefusal::kTooManyViewersOfAddress);
  world.close(viewer);
  EXPECT_TRUE(open());
}

TEST(PortMetrics, count_what_is_published_while_it_is) {
  PortWorld world;
  TestClient& publisher = world.publish();
  world.run_for(Duration::seconds(1));
  double live = world.metric("stoa_webrtc_published_packets_total");
  EXPECT_GT(live, 50);
  world.close(publisher);
  EXPECT_GE(world.metric("stoa_webrtc_published_packets_total"), live);
}

TEST(PortRestart, needs_no_media_line) {
  PortWorld world;
  world.publish();
  TestClient& viewer = world.watch();
  ice::Credentials ours = test_credentials(5001);
  auto patched = world.patch(world.session_of(viewer),
                             "a=ice-ufrag:" + ours.ufrag + "\r\na=ice-pwd:" + ours.password + "\r\n", true);
  ASSERT_TRUE(patched);
  EXPECT_NE(patched->fragment.find("a=candidate:"), std::string::npos);
  EXPECT_NE(patched->fragment.find("a=ice-pwd:"), std::string::npos);
  EXPECT_EQ(patched->fragment.find("m="), std::string::npos);
}

}  // namespace
}  // namespace stoa::webrtc
