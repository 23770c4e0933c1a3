// The port with whole clients behind bad lines, strangers beside them, and nothing left when they are gone.
#include "session/webrtc/port.h"

#include <gtest/gtest.h>

#include "session/webrtc/test_port.h"

namespace stoa::webrtc {
namespace {

// Nobody is there, and nothing remembers that somebody was.
void expect_empty(PortWorld& world) {
  EXPECT_EQ(world.port.sessions(), 0u);
  EXPECT_EQ(world.port.entries(), 0u);
  EXPECT_EQ(world.port.fan_out().senders(), 0u);
  for (auto& client : world.clients) client->is_cut = true;
  world.run_for(Duration::seconds(5));
  EXPECT_EQ(world.port.next_deadline(), Timestamp::never());
}

std::string fragment_of(const ice::Credentials& ice) {
  return "a=ice-ufrag:" + ice.ufrag + "\r\na=ice-pwd:" + ice.password +
         "\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:v\r\n";
}
std::string value_of(const std::string& text, const std::string& key) {
  std::size_t at = text.find(key);
  if (at == std::string::npos) return "";
  return text.substr(at + key.size(), text.find("\r\n", at) - at - key.size());
}

TEST(Port, carries_what_is_published_to_all_who_watch) {
  PortWorld world;
  TestClient& publisher = world.publish();
  std::vector<TestClient*> viewers;
  for (int i = 0; i < 3; ++i) viewers.push_back(&world.watch());
  world.run_for(Duration::seconds(10));
  EXPECT_EQ(world.connected.size(), 4u);
  for (TestClient* viewer : viewers) {
    EXPECT_GE(viewer->pictures.size(), 240u);
    EXPECT_GE(viewer->sounds.size(), 480u);
    ASSERT_FALSE(viewer->pictures.empty());
    EXPECT_TRUE(viewer->pictures[0].is_keyframe);
    EXPECT_EQ(viewer->pictures[0].publisher, publisher.options.seed);
    EXPECT_TRUE(TestClient::is_gapless(viewer->pictures));
    EXPECT_TRUE(TestClient::is_gapless(viewer->sounds));
    EXPECT_EQ(viewer->damaged + viewer->lost, 0u);
    EXPECT_EQ(viewer->dialer->stats().srtp_refused, 0u);
  }
  EXPECT_EQ(world.metric("stoa_webrtc_datagrams_refused_total"), 0);
  EXPECT_EQ(world.sent_to_nobody, 0u);
}

TEST(Port, tells_what_each_publishes_when_their_packets_come_together) {
  PortWorld world;
  std::vector<TestClient*> publishers;
  for (int i = 0; i < 8; ++i) publishers.push_back(&world.publish({}, false));
  ASSERT_TRUE(world.run_until([&] {
    return std::ranges::all_of(publishers, [](const TestClient* each) { return each->is_connected(); });
  }));
  world.run_for(Duration::seconds(1));
  for (const TestClient* each : publishers)
    EXPECT_EQ(world.tracks_opened[world.session_of(*each).value()], 2);
}

TEST(Port, lets_a_viewer_begin_with_the_keyframe_that_is_kept) {
  PortWorld world;
  world.publish({.keyframe_every = 10'000});
  TestClient& first = world.watch();
  ASSERT_TRUE(world.run_until([&] { return !first.pictures.empty(); }));
  world.run_for(Duration::seconds(2));
  TestClient& second = world.watch({}, false);
  Timestamp began = world.time.now();
  ASSERT_TRUE(world.run_until([&] { return !second.pictures.empty(); }));
  EXPECT_LT(world.time.now() - began, Duration::milliseconds(500));
}

TEST(Port, repairs_what_is_lost_both_ways) {
  PortWorld world;
  sim::Link::Config line{
      .jitter = Duration::milliseconds(5), .loss = 0.03, .duplication = 0.02, .reordering = 0.02};
  world.publish({.link = line});
  TestClient& viewer = world.watch({.link = line});
  world.run_for(Duration::seconds(30));
  EXPECT_GE(viewer.pictures.size(), 700u);
  EXPECT_EQ(viewer.damaged, 0u);
  EXPECT_GT(world.metric("stoa_webrtc_sent_retransmitted_total"), 0);
  EXPECT_TRUE(TestClient::is_gapless(viewer.pictures));
}

TEST(Port, counts_strangers_and_is_not_harmed) {
  PortWorld world;
  TestClient& publisher = world.publish();
  TestClient& viewer = world.watch();
  world.run_for(Duration::seconds(1));
  Rng rng(5);
  SocketAddress stranger{IpAddress::v4(203, 0, 113, 9), 999};
  std::size_t connected = world.connected.size();
  for (int i = 0; i < 3000; ++i) {
    Buffer garbage(rng.below(200));
    for (std::uint8_t& byte : garbage) byte = static_cast<std::uint8_t>(rng.next());
    const SocketAddress& from = i % 3 == 0   ? publisher.options.address
                                : i % 3 == 1 ? viewer.options.address
                                             : stranger;
    world.give(from, garbage);
  }
  // Checks for a session that is not there.
  ice::Credentials nobody = test_credentials(4711);
  TestClient lost(world.time, world.transform, {.address = stranger});
  ASSERT_TRUE(lost.handle_answer([&] {
    auto opened = world.port.open_viewer(world.time.now(), lost.dialer->offer(), world.tracks);
    std::string ufrag = opened->etag, answer = opened->answer;
    for (std::size_t at; (at = answer.find("a=ice-ufrag:" + ufrag)) != std::string::npos;)
      answer.replace(at, 12 + ufrag.size(), "a=ice-ufrag:" + nobody.ufrag);
    return answer;
  }()));
  double before = world.metric("stoa_webrtc_datagrams_refused_total", "unknown_ufrag");
  for (int i = 0; i < 20; ++i) {
    lost.step();
    for (Buffer& check : lost.up.take_arrived()) world.give(stranger, check);
    world.run_for(Duration::milliseconds(50));
  }
  EXPECT_GT(world.metric("stoa_webrtc_datagrams_refused_total", "unknown_ufrag"), before);
  EXPECT_GT(world.metric("stoa_webrtc_datagrams_received_total", "unknown"), 100);
  EXPECT_GT(world.metric("stoa_webrtc_datagrams_refused_total", "not_authentic"), 100);
  EXPECT_GT(world.metric("stoa_webrtc_datagrams_refused_total", "unknown_path"), 100);
  EXPECT_EQ(world.connected.size(), connected);
  EXPECT_TRUE(world.closed.empty());
  std::size_t seen = viewer.pictures.size();
  world.run_for(Duration::seconds(2));
  EXPECT_GE(viewer.pictures.size(), seen + 49);
  EXPECT_TRUE(TestClient::is_gapless(viewer.pictures));
}

TEST(Port, sends_nothing_to_who_only_pretends_to_send_media) {
  PortWorld world;
  world.publish();
  TestClient& viewer = world.watch({}, false);
  SocketAddress thief{IpAddress::v4(203, 0, 113, 9), 999};
  ASSERT_TRUE(world.run_until([&] { return viewer.is_connected(); }));
  world.run_for(Duration::seconds(1));
  std::uint64_t before = world.sent_to_nobody;
  Buffer media(200);
  media[0] = 0x80;
  for (int i = 0; i < 100; ++i) world.give(thief, media);
  world.run_for(Duration::seconds(1));
  EXPECT_EQ(world.sent_to_nobody, before);
  EXPECT_TRUE(TestClient::is_gapless(viewer.pictures));
}

TEST(Port, tells_two_peers_behind_one_address_apart) {
  PortWorld world;
  world.publish();
  IpAddress nat = IpAddress::v4(198, 51, 100, 99);
  TestClient& first = world.watch({.address = {nat, 1001}});
  TestClient& second = world.watch({.address = {nat, 1002}});
  world.run_for(Duration::seconds(1));
  // The first goes without a word, and the NAT gives its port to a third.
  first.is_cut = true;
  TestClient& third = world.add_client({.address = {nat, 1001}});
  std::swap(world.clients[world.clients.size() - 1], world.clients[1]);
  auto opened = world.port.open_viewer(world.time.now(), third.dialer->offer(), world.tracks);
  ASSERT_TRUE(opened);
  PortOutputs out;
  for (std::size_t i = 0; i < opened->outlets.size(); ++i)
    world.port.set_source(world.time.now(), opened->session, i, world.streams.at(opened->outlets[i].track),
                          out);
  ASSERT_TRUE(third.handle_answer(opened->answer));
  ASSERT_TRUE(world.run_until([&] { return third.is_connected(); }));
  world.run_for(Duration::seconds(45));
  EXPECT_TRUE(TestClient::is_gapless(second.pictures));
  EXPECT_TRUE(TestClient::is_gapless(third.pictures));
  EXPECT_GE(third.pictures.size(), 1000u);
  // The first was given up, and took nothing of the third's along.
  ASSERT_EQ(world.closed.size(), 1u);
  EXPECT_EQ(world.closed[0].session, world.session_of(first));
  EXPECT_EQ(world.closed[0].end, TransportEnd::kConsentLost);
  third.close();
  second.close();
  world.clients[0]->close();
  world.run_for(Duration::seconds(1));
  expect_empty(world);
}

TEST(Port, follows_a_client_to_another_address) {
  PortWorld world;
  TestClient& publisher = world.publish();
  TestClient& viewer = world.watch();
  world.run_for(Duration::seconds(2));
  // Each NAT gives another port.
  viewer.options.address.port += 500;
  publisher.options.address.port += 500;
  world.run_for(Duration::seconds(15));
  std::size_t seen = viewer.pictures.size();
  world.run_for(Duration::seconds(4));
  EXPECT_GE(viewer.pictures.size(), seen + 90);
  EXPECT_TRUE(world.closed.empty());
  EXPECT_EQ(viewer.damaged, 0u);
  publisher.close();
  viewer.close();
  world.run_for(Duration::seconds(1));
  expect_empty(world);
}

TEST(Port, forgets_a_session_that_its_peer_closes) {
  PortWorld world;
  TestClient& publisher = world.publish();
  TestClient& viewer = world.watch();
  world.run_for(Duration::seconds(1));
  viewer.close();
  ASSERT_TRUE(world.run_until([&] { return world.closed.size() == 1; }));
  EXPECT_EQ(world.closed[0].end, TransportEnd::kByPeer);
  EXPECT_TRUE(world.closed[0].was_connected);
  EXPECT_EQ(world.port.sessions(), 1u);
  publisher.close();
  ASSERT_TRUE(world.run_until([&] { return world.closed.size() == 2; }));
  expect_empty(world);
}

TEST(Port, forgets_a_session_that_it_closes) {
  PortWorld world;
  TestClient& publisher = world.publish();
  TestClient& viewer = world.watch();
  world.run_for(Duration::seconds(1));
  world.close(viewer);
  world.close(publisher);
  EXPECT_EQ(world.port.sessions(), 0u);
  ASSERT_EQ(world.closed.size(), 2u);
  EXPECT_EQ(world.closed[0].end, TransportEnd::kLocal);
  ASSERT_TRUE(world.run_until([&] { return viewer.is_closed() && publisher.is_closed(); }));
  EXPECT_EQ(viewer.closed->end, TransportEnd::kByPeer);
  expect_empty(world);
}

TEST(Port, refuses_more_sessions_than_it_may_have) {
  PortWorld world({.sessions_max = 2});
  TestClient& publisher = world.publish();
  TestClient& viewer = world.watch();
  TestClient& late = world.add_client({});
  auto refused = world.port.open_viewer(world.time.now(), late.dialer->offer(), world.tracks);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().refusal, OpenRefusal::kFull);
  auto second = world.port.open_publisher(world.time.now(), publisher.dialer->offer());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().refusal, OpenRefusal::kFull);
  world.close(viewer);
  EXPECT_TRUE(world.port.open_viewer(world.time.now(), late.dialer->offer(), world.tracks));
}

TEST(Port, keeps_a_place_for_publishers_when_viewers_fill_it) {
  EXPECT_EQ(viewers_max(20'000), 18'750u);
  EXPECT_EQ(viewers_max(1), 0u);
  PortWorld world({.sessions_max = 32});
  TestClient& publisher = world.publish();
  const std::string offer(world.add_client({}).dialer->offer());
  const std::string publishing(world.add_client({.publishes = true}).dialer->offer());
  auto watch = [&] { return world.port.open_viewer(world.time.now(), offer, world.tracks); };
  auto publish = [&] { return world.port.open_publisher(world.time.now(), publishing); };
  std::vector<SessionId> viewers;
  for (int i = 0; i < 30; ++i) viewers.push_back(watch()->session);
  EXPECT_EQ(watch().error().refusal, OpenRefusal::kFull);
  world.close(publisher);
  EXPECT_EQ(watch().error().refusal, OpenRefusal::kFull) << "the publisher's place is not theirs";
  EXPECT_TRUE(publish());
  EXPECT_TRUE(publish());
  EXPECT_EQ(publish().error().refusal, OpenRefusal::kFull);
  EXPECT_EQ(world.metric("stoa_webrtc_offers_refused_total", "full"), 3);
  PortOutputs out;
  world.port.close(world.time.now(), viewers[0], out);
  EXPECT_TRUE(watch());
}

TEST(Port, restarts_ice_when_it_is_meant) {
  PortWorld world;
  TestClient& publisher = world.publish();
  TestClient& viewer = world.watch();
  SessionId session = world.session_of(viewer);
  ice::Credentials ours = test_credentials(5001);
  std::string before = world.port.etag(session);
  // Candidates of the session as it is.
  auto trickled = world.patch(session, fragment_of(test_credentials(viewer.options.seed + 1000)), false);
  ASSERT_TRUE(trickled);
  EXPECT_TRUE(trickled->fragment.empty());
  EXPECT_EQ(trickled->etag, before);
  // Other credentials: only who says so means it.
  auto refused = world.patch(session, fragment_of(ours), false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), PatchRefusal::kRestartNotMeant);
  EXPECT_EQ(world.port.etag(session), before);
  auto bad = world.patch(session, "no fragment", true);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error(), PatchRefusal::kBadFragment);
  EXPECT_EQ(world.patch({}, fragment_of(ours), true).error(), PatchRefusal::kNoSession);

  auto patched = world.patch(session, fragment_of(ours), true);
  ASSERT_TRUE(patched);
  EXPECT_NE(patched->etag, before);
  EXPECT_EQ(patched->etag, value_of(patched->fragment, "a=ice-ufrag:"));
  EXPECT_NE(patched->fragment.find("a=candidate:"), std::string::npos);
  EXPECT_NE(patched->fragment.find("a=ice-lite"), std::string::npos);
  viewer.restart_ice(ours, {patched->etag, value_of(patched->fragment, "a=ice-pwd:")});
  world.run_for(Duration::seconds(40));  // Longer than consent lasts.
  EXPECT_TRUE(world.closed.empty());
  EXPECT_TRUE(TestClient::is_gapless(viewer.pictures));
  EXPECT_GE(viewer.pictures.size(), 950u);
  for (int i = 0; i < 5; ++i) {
    ours = test_credentials(5002 + static_cast<std::uint64_t>(i));
    ASSERT_TRUE(world.patch(session, fragment_of(ours), true));
  }
  world.close(viewer);
  world.close(publisher);
  world.run_for(Duration::seconds(1));
  expect_empty(world);
}

TEST(Port, carries_data_beside_media) {
  PortWorld world;
  TestClient& publisher = world.publish({.has_data = true});  // Declined, and nothing else of it.
  TestClient& viewer = world.watch({.has_data = true});
  viewer.say("to and fro");
  ASSERT_TRUE(world.run_until([&] { return !viewer.texts.empty(); }));
  EXPECT_EQ(viewer.texts, std::vector<std::string>{"to and fro"});
  EXPECT_FALSE(publisher.dialer->agreement()->data);
  world.run_for(Duration::seconds(1));
  EXPECT_GE(viewer.pictures.size(), 20u);
}

TEST(Port, carries_data_alone) {
  PortWorld world;
  world.publish();
  TestClient& viewer = world.watch({.has_video = false, .has_audio = false, .has_data = true});
  viewer.say("hello");
  ASSERT_TRUE(world.run_until([&] { return !viewer.texts.empty(); }));
  world.close(viewer);
  EXPECT_EQ(world.port.sessions(), 1u);
}

TEST(Port, ends_the_data_of_who_holds_most_when_all_hold_too_much) {
  PortConfig config;
  config.data_bytes_max = 600'000;
  PortWorld world(config);
  TestClient& publisher = world.publish();
  TestClient& heavy = world.watch({.has_data = true});
  TestClient& light = world.watch({.has_data = true});
  for (TestClient* client : {&heavy, &light}) {
    client->say("hello");
    ASSERT_TRUE(world.run_until([&] { return client->texts.size() == 1; }));
  }
  world.run_for(Duration::seconds(1));
  EXPECT_GT(world.metric("stoa_webrtc_data_bytes"), 0);
  EXPECT_LE(world.metric("stoa_webrtc_data_bytes"), 2 * 1200);  // Channels at rest.

  // Neither takes what it is sent.
  auto send = [&](const TestClient& client, int messages) {
    PortOutputs lost;
    Result<void, sctp::Refusal> sent;
    for (int i = 0; i < messages; ++i)
      sent = world.port.send_data(world.time.now(), world.session_of(client), 0, sctp::MessageKind::kBytes,
                                  SharedBytes(Buffer(60'000, 1)), lost);
    return sent;
  };
  ASSERT_TRUE(send(heavy, 7));
  ASSERT_TRUE(send(light, 2));
  EXPECT_GT(world.metric("stoa_webrtc_data_bytes"), 9 * 60'000);
  EXPECT_EQ(world.metric("stoa_webrtc_data_ended_total"), 0);
  ASSERT_TRUE(send(light, 2));
  EXPECT_EQ(world.metric("stoa_webrtc_data_ended_total"), 1);
  EXPECT_LT(world.metric("stoa_webrtc_data_bytes"), 5 * 60'000);
  EXPECT_EQ(send(heavy, 1).error(), sctp::Refusal::kNotConnected);

  std::size_t pictures = heavy.pictures.size();
  ASSERT_TRUE(world.run_until([&] { return light.texts.size() == 5; }));
  world.run_for(Duration::seconds(2));
  EXPECT_GE(heavy.pictures.size(), pictures + 20);  // Its media goes on.
  EXPECT_EQ(heavy.texts.size(), 1u);
  EXPECT_TRUE(world.closed.empty());
  for (TestClient* client : {&heavy, &light, &publisher}) world.close(*client);
  expect_empty(world);
  EXPECT_EQ(world.metric("stoa_webrtc_data_bytes"), 0);
}

TEST(Port, gives_up_a_peer_that_is_silent_for_thirty_seconds) {
  PortWorld world;
  TestClient& publisher = world.publish();
  TestClient& viewer = world.watch();
  world.run_for(Duration::seconds(3));
  viewer.is_cut = true;
  Timestamp since = world.time.now();
  ASSERT_TRUE(world.run_until([&] { return !world.closed.empty(); }, Duration::seconds(60)));
  EXPECT_EQ(world.closed[0].end, TransportEnd::kConsentLost);
  EXPECT_GE(world.time.now() - since, Duration::seconds(24));
  EXPECT_LE(world.time.now() - since, Duration::seconds(31));
  EXPECT_EQ(world.port.sessions(), 1u);
  publisher.is_cut = true;
  ASSERT_TRUE(world.run_until([&] { return world.closed.size() == 2; }, Duration::seconds(60)));
  expect_empty(world);
}

TEST(Port, keeps_a_peer_that_only_sends_media_or_reports) {
  PortConfig config;
  config.ice.consent_timeout = Duration::seconds(3);  // Less than a client lets pass between two checks.
  PortWorld world(config);
  TestClient& publisher = world.publish();
  TestClient& viewer = world.watch();
  world.run_for(Duration::seconds(60));
  EXPECT_TRUE(world.closed.empty());
  publisher.is_cut = viewer.is_cut = true;
  ASSERT_TRUE(world.run_until([&] { return world.closed.size() == 2; }, Duration::seconds(5)));
  EXPECT_EQ(world.closed[0].end, TransportEnd::kConsentLost);
}

TEST(Port, gives_up_a_session_that_never_connects) {
  PortWorld world;
  TestClient& publisher = world.publish();
  TestClient& silent = world.add_client({});
  silent.is_cut = true;
  ASSERT_TRUE(world.port.open_viewer(world.time.now(), silent.dialer->offer(), world.tracks));
  TestClient& other = world.add_client({.publishes = true});
  other.is_cut = true;
  ASSERT_TRUE(world.port.open_publisher(world.time.now(), other.dialer->offer()));
  EXPECT_EQ(world.port.sessions(), 3u);
  ASSERT_TRUE(world.run_until([&] { return world.closed.size() == 2; }, Duration::seconds(40)));
  EXPECT_EQ(world.closed[0].end, TransportEnd::kNoPath);
  EXPECT_FALSE(world.closed[0].was_connected);
  world.close(publisher);
  world.run_for(Duration::seconds(1));
  expect_empty(world);
}

TEST(Port, leaves_nothing_behind_after_a_thousand_joins) {
  PortWorld world;
  TestClient& publisher = world.publish(
      {.has_audio = false, .picture_interval = Duration::milliseconds(200), .picture_bytes = 200});
  std::size_t joined = 0;
  for (int round = 0; round < 50; ++round) {
    std::vector<TestClient*> viewers;
    for (int i = 0; i < 20; ++i) viewers.push_back(&world.watch({.has_audio = false}, false));
    ASSERT_TRUE(world.run_until([&] {
      return std::ranges::all_of(viewers, [](TestClient* viewer) { return viewer->is_connected(); });
    }));
    joined += viewers.size();
    for (std::size_t i = 0; i < viewers.size(); ++i) {
      if (i % 2 == 0) {
        viewers[i]->close();
      } else {
        world.close(*viewers[i]);
      }
    }
    ASSERT_TRUE(world.run_until([&] { return world.port.sessions() == 1; }));
    EXPECT_LE(world.port.entries(), 6u) << round;
    EXPECT_EQ(world.port.fan_out().senders(), 0u);
    world.clients.resize(1);
  }
  EXPECT_EQ(joined, 1000u);
  world.close(publisher);
  world.run_for(Duration::seconds(1));
  expect_empty(world);
}

}  // namespace
}  // namespace stoa::webrtc
