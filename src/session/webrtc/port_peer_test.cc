#include <gtest/gtest.h>

#include "session/webrtc/test_peer.h"

namespace stoa::webrtc {
namespace {

using enum sdp::MediaKind;

// Numbers of what came are the next ones, on one SSRC and in one section.
void expect_undisturbed(const std::vector<PeerGot>& got) {
  ASSERT_FALSE(got.empty());
  for (std::size_t i = 1; i < got.size(); ++i) {
    ASSERT_EQ(got[i].index, got[i - 1].index + 1) << i;
    ASSERT_EQ(got[i].number, got[i - 1].number + 1) << i;
    ASSERT_EQ(got[i].ssrc, got[0].ssrc);
    ASSERT_EQ(got[i].mid, got[0].mid);
  }
}

// A publisher of one picture track (tag 11) and one of sound (tag 12), connected and flowing.
PeerClient& add_publisher(PeerWorld& world) {
  PeerClient& client = world.add_client();
  client.add_data();
  client.send(kVideo, "camera", 11);
  client.send(kAudio, "microphone", 12);
  auto answered = world.negotiate(client);
  EXPECT_EQ(answered->tracks.size(), 2u);
  EXPECT_TRUE(world.run_until([&] { return world.tracks.size() == 2; }));
  return client;
}

TEST(PortPeer, adds_a_track_while_the_first_flows) {
  PeerWorld world;
  PeerClient& publisher = add_publisher(world);
  PeerClient& viewer = world.add_client();
  ASSERT_TRUE(world.serve(viewer, {world.outlet(1, publisher, 0)}));
  ASSERT_TRUE(world.run_until([&] { return viewer.of(11).size() > 20; }));

  std::string mid = publisher.send(kVideo, "screen", 13);
  auto answered = world.negotiate(publisher);
  ASSERT_TRUE(answered);
  ASSERT_EQ(answered->tracks.size(), 3u);
  EXPECT_EQ(answered->tracks[2].mid, mid);
  EXPECT_EQ(answered->tracks[2].id, 2);
  EXPECT_EQ(answered->tracks[2].track_id, "screen");
  EXPECT_EQ(answered->tracks[2].kind, media::Kind::kVideo);
  EXPECT_TRUE(answered->tracks[2].is_new);
  EXPECT_FALSE(answered->tracks[0].is_new);
  ASSERT_TRUE(world.run_until([&] { return world.tracks.size() == 3; }));
  world.run_for(Duration::milliseconds(500));
  EXPECT_TRUE(world.closed_tracks.empty());
  expect_undisturbed(viewer.of(11));
  EXPECT_GT(viewer.of(11).size(), 40u);

  ASSERT_TRUE(world.serve(viewer, {world.outlet(1, publisher, 0), world.outlet(2, publisher, 2)}));
  ASSERT_TRUE(world.run_until([&] { return viewer.of(13).size() > 20; }));
  expect_undisturbed(viewer.of(11));
  expect_undisturbed(viewer.of(13));
  EXPECT_NE(viewer.of(11)[0].mid, viewer.of(13)[0].mid);
}

TEST(PortPeer, closes_a_track_that_is_not_sent_any_more_and_opens_it_under_its_number_again) {
  PeerWorld world;
  PeerClient& publisher = add_publisher(world);
  const SessionId session = world.session_of(publisher);
  publisher.sections[1].direction = sdp::Direction::kInactive;
  auto answered = world.negotiate(publisher);
  ASSERT_EQ(answered->tracks.size(), 1u);
  EXPECT_EQ(answered->tracks[0].id, 1);
  EXPECT_EQ(world.closed_tracks, (std::vector{std::pair{session, media::TrackId{0}}}));
  world.run_for(Duration::milliseconds(300));
  EXPECT_EQ(world.tracks.size(), 1u);

  publisher.sections[1].direction = sdp::Direction::kSendOnly;
  publisher.sending(11).wants_keyframe = true;
  answered = world.negotiate(publisher);
  ASSERT_EQ(answered->tracks.size(), 2u);
  EXPECT_EQ(answered->tracks[0].id, 0);
  EXPECT_TRUE(answered->tracks[0].is_new);
  EXPECT_TRUE(world.run_until([&] { return world.tracks.size() == 2; }));
}

TEST(PortPeer, takes_another_msid_for_another_track) {
  PeerWorld world;
  PeerClient& publisher = add_publisher(world);
  publisher.sections[1].source->msid.track_id = "another";
  publisher.sending(11).wants_keyframe = true;
  auto answered = world.negotiate(publisher);
  EXPECT_EQ(answered->tracks[0].track_id, "another");
  EXPECT_EQ(answered->tracks[0].id, 0);
  EXPECT_TRUE(answered->tracks[0].is_new);
  EXPECT_FALSE(answered->tracks[1].is_new);
  EXPECT_EQ(world.closed_tracks.size(), 1u);
  EXPECT_TRUE(world.run_until([&] { return world.tracks.size() == 2; }));
}

TEST(PortPeer, begins_anew_where_the_place_of_a_section_has_another_mid) {
  PeerWorld world;
  PeerClient& publisher = add_publisher(world);
  publisher.sections[1].is_stopped = true;
  auto answered = world.negotiate(publisher);
  EXPECT_EQ(answered->tracks.size(), 1u);
  EXPECT_EQ(world.closed_tracks.size(), 1u);
  // Another kind, too.
  publisher.sections[1].is_stopped = false;
  publisher.sections[1].mid = "recycled";
  publisher.sections[1].source->msid.track_id = "another";
  publisher.sending(11).wants_keyframe = true;
  answered = world.negotiate(publisher);
  ASSERT_EQ(answered->tracks.size(), 2u);
  EXPECT_EQ(answered->tracks[0].mid, "recycled");
  EXPECT_EQ(answered->tracks[0].id, 0);
  EXPECT_TRUE(world.run_until([&] { return world.tracks.size() == 2; }));
}

TEST(PortPeer, sends_and_receives_on_one_connection) {
  PeerWorld world;
  PeerClient& a = add_publisher(world);
  PeerClient& b = world.add_client();
  b.add_data();
  b.send(kVideo, "camera", 21);
  std::string mid = b.receive(kVideo);
  auto answered = world.negotiate(b, {world.outlet(1, a, 0), world.outlet(2, a, 1)});
  ASSERT_EQ(answered->seats.size(), 1u);
  EXPECT_EQ(answered->seats[0].key, 1u);
  EXPECT_EQ(answered->seats[0].mid, mid);
  EXPECT_EQ(answered->unseated, std::vector<std::uint64_t>{2});
  ASSERT_TRUE(world.run_until([&] { return b.of(11).size() > 10 && world.tracks.size() == 3; }));
  EXPECT_EQ(b.of(11)[0].mid, mid);
  EXPECT_TRUE(b.of(12).empty());
  // The other way too, and another section for sound.
  b.receive(kAudio);
  answered = world.negotiate(b, {world.outlet(1, a, 0), world.outlet(2, a, 1)});
  EXPECT_EQ(answered->seats.size(), 2u);
  a.receive(kVideo);
  EXPECT_EQ(world.negotiate(a, {world.outlet(3, b, 0)})->seats.size(), 1u);
  ASSERT_TRUE(world.run_until([&] { return b.of(12).size() > 10 && a.of(21).size() > 10; }));
  expect_undisturbed(b.of(11));
  expect_undisturbed(b.of(12));
  EXPECT_EQ(world.port.outlet_stats(world.session_of(b), 0)->packets, b.of(11).size());
}

TEST(PortPeer, gives_a_section_to_another_outlet_only_after_it_was_inactive) {
  PeerWorld world;
  PeerClient& a = add_publisher(world);
  a.send(kVideo, "screen", 13);
  (void)world.negotiate(a);
  ASSERT_TRUE(world.run_until([&] { return world.tracks.size() == 3; }));
  PeerClient& b = world.add_client();
  b.receive(kVideo);
  (void)world.negotiate(b, {world.outlet(1, a, 0)});
  ASSERT_TRUE(world.run_until([&] { return b.of(11).size() > 10; }));

  // Silent at once, and nobody else yet.
  auto answered = world.negotiate(b, {world.outlet(2, a, 2)});
  EXPECT_TRUE(answered->seats.empty());
  EXPECT_EQ(answered->unseated, std::vector<std::uint64_t>{2});
  world.run_for(Duration::milliseconds(200));
  const std::size_t count = b.of(11).size();
  world.run_for(Duration::milliseconds(500));
  EXPECT_EQ(b.of(11).size(), count);

  answered = world.negotiate(b, {world.outlet(2, a, 2)});
  ASSERT_EQ(answered->seats.size(), 1u);
  ASSERT_TRUE(world.run_until([&] { return b.of(13).size() > 10; }));
  expect_undisturbed(b.of(13));
  EXPECT_EQ(b.of(13)[0].mid, b.of(11)[0].mid);
  EXPECT_NE(b.of(13)[0].ssrc, b.of(11)[0].ssrc);
}

TEST(PortPeer, adds_and_removes_outlets_beside_one_that_flows) {
  PeerWorld world;
  PeerClient& a = add_publisher(world);
  a.send(kVideo, "screen", 13);
  (void)world.negotiate(a);
  ASSERT_TRUE(world.run_until([&] { return world.tracks.size() == 3; }));
  PeerClient& b = world.add_client();
  ASSERT_TRUE(world.serve(b, {world.outlet(1, a, 0)}));
  for (std::uint64_t key = 2; key < 12; ++key) {
    auto served = world.serve(b, {world.outlet(1, a, 0), world.outlet(key, a, key % 2 == 0 ? 2 : 1)});
    ASSERT_TRUE(served);
    EXPECT_EQ(served->accepted.seats.size(), 2u);
    EXPECT_EQ(served->accepted.seats[0].key, 1u);
    EXPECT_EQ(served->accepted.seats[0].outlet, 0u);
    EXPECT_EQ(served->accepted.seats[1].outlet, 1u);
    world.run_for(Duration::milliseconds(300));
  }
  expect_undisturbed(b.of(11));
  EXPECT_GT(b.of(13).size(), 50u);
  EXPECT_GT(b.of(12).size(), 50u);
  // Sections were used again: data, three of video at most, two of sound.
  EXPECT_LE(b.dialer->agreement()->sections.size(), 5u);
  EXPECT_EQ(world.port.fan_out().senders(), 1u);
}

TEST(PortPeer, silences_an_outlet_before_its_offer_is_answered) {
  PeerWorld world;
  PeerClient& a = add_publisher(world);
  PeerClient& b = world.add_client();
  ASSERT_TRUE(world.serve(b, {world.outlet(1, a, 0), world.outlet(2, a, 1)}));
  ASSERT_TRUE(world.run_until([&] { return b.of(11).size() > 10 && b.of(12).size() > 10; }));
  auto offered = world.port.make_offer(world.time.now(), world.session_of(b),
                                       std::vector{world.outlet(2, a, 1)}, false, world.out_);
  ASSERT_TRUE(offered);
  world.carry();
  world.run_for(Duration::milliseconds(100));
  const std::size_t count = b.of(11).size();
  world.run_for(Duration::milliseconds(500));
  EXPECT_EQ(b.of(11).size(), count);
  expect_undisturbed(b.of(12));
  // One offer at a time; what leaves meanwhile is silent all the same.
  EXPECT_FALSE(world.port.make_offer(world.time.now(), world.session_of(b), {}, false, world.out_));
  world.carry();
  world.run_for(Duration::milliseconds(100));
  const std::size_t sounds = b.of(12).size();
  world.run_for(Duration::milliseconds(500));
  EXPECT_EQ(b.of(12).size(), sounds);
  ASSERT_TRUE(
      world.port.accept_answer(world.time.now(), world.session_of(b), b.answer(offered->offer), world.out_));
  EXPECT_FALSE(world.port.accept_answer(world.time.now(), world.session_of(b), "", world.out_));
}

TEST(PortPeer, restarts_ice_when_the_peer_offers_to) {
  PeerWorld world;
  PeerClient& publisher = add_publisher(world);
  const std::string before = world.port.etag(world.session_of(publisher));
  (void)world.negotiate(publisher, {}, true);
  EXPECT_NE(world.port.etag(world.session_of(publisher)), before);
  world.run_for(Duration::seconds(40));
  EXPECT_TRUE(world.closed.empty());
  EXPECT_TRUE(world.lost.empty());
  EXPECT_TRUE(world.closed_tracks.empty());
}

TEST(PortPeer, restarts_ice_when_it_offers_to) {
  PeerWorld world;
  PeerClient& a = add_publisher(world);
  PeerClient& b = world.add_client();
  ASSERT_TRUE(world.serve(b, {world.outlet(1, a, 0)}));
  ASSERT_TRUE(world.run_until([&] { return b.of(11).size() > 10; }));
  const std::string before = world.port.etag(world.session_of(b));
  ASSERT_TRUE(world.serve(b, {world.outlet(1, a, 0)}, true));
  EXPECT_NE(world.port.etag(world.session_of(b)), before);
  world.run_for(Duration::seconds(40));
  EXPECT_TRUE(world.closed.empty());
  expect_undisturbed(b.of(11));
}

TEST(PortPeer, keeps_a_peer_that_lost_its_path_until_it_comes_back) {
  PeerWorld world;
  PeerClient& a = add_publisher(world);
  PeerClient& b = world.add_client();
  ASSERT_TRUE(world.serve(b, {world.outlet(1, a, 0)}));
  ASSERT_TRUE(world.run_until([&] { return b.of(11).size() > 10; }));
  b.is_cut = true;
  ASSERT_TRUE(world.run_until([&] { return !world.lost.empty(); }, Duration::seconds(35)));
  EXPECT_EQ(world.lost, std::vector{world.session_of(b)});
  EXPECT_TRUE(world.closed.empty());
  EXPECT_EQ(world.port.path(world.session_of(b)), "");
  b.is_cut = false;
  ASSERT_TRUE(world.serve(b, {world.outlet(1, a, 0)}, true));
  ASSERT_TRUE(world.run_until([&] { return !world.back.empty(); }, Duration::seconds(20)));
  EXPECT_EQ(world.port.path(world.session_of(b)), b.address.to_text() + " udp");
  const std::size_t count = b.of(11).size();
  EXPECT_TRUE(world.run_until([&] { return b.of(11).size() > count + 20; }));
  // And ends one that does not.
  b.is_cut = true;
  EXPECT_TRUE(world.run_until([&] { return !world.closed.empty(); }, Duration::seconds(70)));
  EXPECT_EQ(world.ends, std::vector{TransportEnd::kConsentLost});
  EXPECT_EQ(world.lost.size(), 2u);
  EXPECT_EQ(world.port.sessions(), 1u);
}

TEST(PortPeer, opens_data_channels_either_way) {
  PeerWorld world;
  PeerClient& publisher = add_publisher(world);
  publisher.open_channel("_reliable");
  ASSERT_TRUE(world.run_until([&] { return world.channels.size() == 1; }));
  EXPECT_EQ(world.channels[0], "_reliable");
  PeerClient& viewer = world.add_client();
  ASSERT_TRUE(world.serve(viewer, {}));
  ASSERT_TRUE(
      world.port.open_channel(world.time.now(), world.session_of(viewer), {.label = "_lossy"}, world.out_));
  ASSERT_TRUE(world.run_until([&] { return viewer.channels.size() == 1; }));
  EXPECT_EQ(viewer.channels[0], "_lossy");
}

TEST(PortPeer, begins_data_channels_with_a_later_offer) {
  PeerWorld world;
  PeerClient& publisher = world.add_client();
  publisher.send(kVideo, "camera", 11);
  (void)world.negotiate(publisher);
  ASSERT_TRUE(world.run_until([&] { return world.tracks.size() == 1; }));
  publisher.add_data();
  (void)world.negotiate(publisher);
  publisher.open_channel("late");
  EXPECT_TRUE(world.run_until([&] { return world.channels.size() == 1; }));
}

TEST(PortPeer, goes_on_without_data_channels_when_the_peer_ends_them) {
  PeerWorld world;
  PeerClient& publisher = add_publisher(world);
  publisher.open_channel("first");
  ASSERT_TRUE(world.run_until([&] { return world.channels.size() == 1; }));
  publisher.sections[0].is_stopped = true;
  (void)world.negotiate(publisher);
  EXPECT_FALSE(
      world.port.open_channel(world.time.now(), world.session_of(publisher), {.label = "x"}, world.out_));
  // Another section of data is open, and carries none.
  publisher.add_data();
  ASSERT_TRUE(world.negotiate(publisher));
  EXPECT_FALSE(
      world.port.open_channel(world.time.now(), world.session_of(publisher), {.label = "x"}, world.out_));
  world.run_for(Duration::seconds(1));
  EXPECT_TRUE(world.closed.empty());
  EXPECT_EQ(world.tracks.size(), 2u);
}

TEST(PortPeer, refuses_another_certificate_and_goes_on) {
  PeerWorld world;
  PeerClient& publisher = add_publisher(world);
  publisher.send(kVideo, "screen", 13);
  std::string offer = publisher.offer();
  std::string forged = offer;
  for (std::size_t at = 0; (at = forged.find("sha-256 ", at)) != std::string::npos; at += 8)
    forged[at + 8] = forged[at + 8] == 'A' ? 'B' : 'A';
  auto refused =
      world.port.answer_peer(world.time.now(), world.session_of(publisher), forged, {}, {}, world.out_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().refusal, OpenRefusal::kBadOffer);
  EXPECT_EQ(refused.error().negotiation.refusal, NegotiationRefusal::kTransportChanged);
  auto answered =
      world.port.answer_peer(world.time.now(), world.session_of(publisher), offer, {}, {}, world.out_);
  ASSERT_TRUE(answered);
  EXPECT_EQ(answered->tracks.size(), 3u);
}

TEST(PortPeer, knows_a_session_by_who_makes_its_offers) {
  PeerWorld world;
  PeerClient& publisher = add_publisher(world);
  auto offering = world.port.open_offering_peer(world.time.now(), {});
  ASSERT_TRUE(offering);
  auto answered = world.port.answer_peer(world.time.now(), *offering, publisher.offer(), {}, {}, world.out_);
  EXPECT_EQ(answered.error().refusal, OpenRefusal::kNoSession);
  EXPECT_FALSE(world.port.make_offer(world.time.now(), world.session_of(publisher), {}, false, world.out_));
  EXPECT_EQ(world.port.accept_answer(world.time.now(), *offering, "v=0\r\n", world.out_).error().refusal,
            NegotiationRefusal::kNotExpected);
}

TEST(PortPeer, ends_an_offering_session_that_is_not_answered_once) {
  PeerWorld world;
  SessionId left = *world.port.open_offering_peer(world.time.now(), {});
  SessionId closed = *world.port.open_offering_peer(world.time.now(), {});
  EXPECT_EQ(world.port.unconnected(), 2u);
  EXPECT_TRUE(world.port.make_offer(world.time.now(), left, {}, true, world.out_));
  EXPECT_FALSE(world.port.open_channel(world.time.now(), left, {.label = "x"}, world.out_));
  EXPECT_EQ(world.port.queued_data_bytes(left), 0u);
  EXPECT_EQ(world.port.etag(left), "");
  world.port.close(world.time.now(), closed, world.out_);
  world.port.close(world.time.now(), closed, world.out_);
  world.carry();
  EXPECT_EQ(world.closed, std::vector{closed});
  EXPECT_EQ(world.ends, std::vector{TransportEnd::kLocal});
  world.run_for(Duration::seconds(31));
  EXPECT_EQ(world.closed, (std::vector{closed, left}));
  EXPECT_EQ(world.ends[1], TransportEnd::kNoPath);
  EXPECT_EQ(world.port.sessions(), 0u);
  EXPECT_EQ(world.port.unconnected(), 0u);
  EXPECT_EQ(world.port.entries(), 0u);
}

TEST(PortPeer, counts_what_comes_of_each_track) {
  PeerWorld world;
  PeerClient& publisher = add_publisher(world);
  world.run_for(Duration::seconds(3));
  auto stats = world.port.track_stats(world.session_of(publisher));
  ASSERT_EQ(stats.size(), 2u);
  EXPECT_EQ(stats[0].track, 0);
  ASSERT_EQ(stats[0].layers.size(), 1u);
  EXPECT_GT(stats[0].layers[0].packets, 100u);
  EXPECT_GT(stats[0].layers[0].bytes, 2000u);
  EXPECT_EQ(stats[0].layers[0].expected, static_cast<std::int64_t>(stats[0].layers[0].packets));
  EXPECT_EQ(stats[0].layers[0].lost, 0);
  EXPECT_TRUE(stats[0].layers[0].is_active);
}

TEST(PortPeer, forgets_all_of_a_session_that_ends) {
  PeerWorld world;
  PeerClient& a = add_publisher(world);
  PeerClient& b = world.add_client();
  ASSERT_TRUE(world.serve(b, {world.outlet(1, a, 0)}));
  ASSERT_TRUE(world.run_until([&] { return b.of(11).size() > 10; }));
  world.close(b);
  a.close();
  ASSERT_TRUE(world.run_until([&] { return world.port.sessions() == 0; }));
  EXPECT_EQ(world.port.entries(), 0u);
  EXPECT_EQ(world.port.fan_out().senders(), 0u);
  EXPECT_EQ(world.closed.size(), 2u);
}

// A client as a load test has it: its receiver follows what the server offers.
TEST(DialerAgain, receives_what_the_server_adds_and_loses_what_it_takes_away) {
  PeerWorld world;
  PeerClient& a = add_publisher(world);
  PeerClient& b = world.add_client(true);
  ASSERT_TRUE(world.serve(b, {}));
  ASSERT_TRUE(world.serve(b, {world.outlet(1, a, 0)}));
  ASSERT_TRUE(world.run_until([&] { return b.packets[0] > 20; }));
  ASSERT_TRUE(world.run_until([&] { return world.port.round_trip(world.session_of(b)).has_value(); }));
  ASSERT_TRUE(world.serve(b, {world.outlet(1, a, 0), world.outlet(2, a, 1)}));
  ASSERT_TRUE(world.run_until([&] { return b.packets[1] > 20; }));
  EXPECT_EQ(b.opened, (std::vector<media::TrackId>{0, 1}));
  ASSERT_TRUE(world.serve(b, {world.outlet(2, a, 1)}));
  EXPECT_EQ(b.closed_tracks, (std::vector<media::TrackId>{0}));
  const std::size_t count = b.packets[1];
  EXPECT_TRUE(world.run_until([&] { return b.packets[1] > count + 20; }));
}

TEST(PortPeer, goes_on_with_plain_sound_where_a_later_description_has_no_redundancy) {
  for (const bool makes_offers : {true, false}) {
    PeerWorld world;
    const std::vector<PeerPreference> preferences = {{"microphone", {}, true}};
    PeerClient& publisher = world.add_client();
    publisher.take_red();
    publisher.send(kAudio, "microphone", 12);
    ASSERT_TRUE(world.negotiate(publisher, {}, false, preferences));
    ASSERT_TRUE(world.run_until([&] { return world.tracks.size() == 1; }));
    PeerClient& viewer = world.add_client();
    viewer.take_red();
    if (makes_offers) viewer.receive(kAudio);
    auto agree = [&] {
      const std::vector<PeerOutlet> outlets = {world.outlet(1, publisher, 0)};
      return makes_offers ? world.negotiate(viewer, outlets).has_value()
                          : world.serve(viewer, outlets).has_value();
    };
    auto run = [&] {
      const std::size_t before = viewer.of(12).size();
      EXPECT_TRUE(world.run_until([&] { return viewer.of(12).size() > before + 20; }));
      return viewer.of(12).back().earlier;
    };
    ASSERT_TRUE(agree());
    EXPECT_EQ(run(), 1u);
    expect_undisturbed(viewer.of(12));
    // The receiver takes it no more.
    viewer.take_no_red();
    ASSERT_TRUE(agree());
    EXPECT_EQ(run(), 0u);
    const auto got = viewer.of(12);
    expect_undisturbed(got);
    for (std::size_t i = 1; i < got.size(); ++i) ASSERT_EQ(got[i].timestamp, got[i - 1].timestamp + 960) << i;
    EXPECT_EQ(world.port.outlet_stats(world.session_of(viewer), 0)->packets, got.size());
    // The publisher has it no more.
    EXPECT_GT(world.port.track_stats(world.session_of(publisher))[0].layers[0].with_red, 40u);
    publisher.take_no_red();
    ASSERT_TRUE(world.negotiate(publisher, {}, false, preferences));
    const std::uint64_t with_red = world.port.track_stats(world.session_of(publisher))[0].layers[0].with_red;
    run();
    EXPECT_EQ(world.port.track_stats(world.session_of(publisher))[0].layers[0].with_red, with_red);
    EXPECT_TRUE(world.closed_tracks.empty());
  }
}

TEST(PortPeer, tells_who_asked_for_tcp_of_no_other_way) {
  PeerWorld world;
  ice::Candidate over_tcp = host_candidate(kServerAddress);
  over_tcp.transport = ice::Transport::kTcpPassive;
  world.port.set_candidates({host_candidate(kServerAddress), over_tcp});
  for (bool is_tcp_only : {false, true}) {
    PeerClient& client = world.add_client();
    client.add_data();
    auto answered = world.port.answer_peer(world.time.now(), {}, client.offer(), {},
                                           {.client = {}, .is_tcp_only = is_tcp_only}, world.out_);
    ASSERT_TRUE(answered);
    auto session =
        world.port.open_offering_peer(world.time.now(), {.client = {}, .is_tcp_only = is_tcp_only});
    ASSERT_TRUE(session);
    auto offered = world.port.make_offer(world.time.now(), *session, {}, false, world.out_);
    ASSERT_TRUE(offered);
    for (const std::string& text : {answered->answer, offered->offer}) {
      EXPECT_NE(text.find("tcptype passive"), std::string::npos) << text;
      EXPECT_EQ(text.find(" udp ") == std::string::npos, is_tcp_only) << text;
    }
  }
}

}  // namespace
}  // namespace stoa::webrtc
