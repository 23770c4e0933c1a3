#include "session/webrtc/transport.h"

#include "session/webrtc/test_transports.h"
#include "sim/heap.h"

namespace stoa::webrtc {
namespace {

using Options = TestTransports::Options;
constexpr Duration kSecond = Duration::seconds(1);

const sim::Link::Config kBadLink{.latency = Duration::milliseconds(30),
                                 .jitter = Duration::milliseconds(10),
                                 .loss = 0.1,
                                 .duplication = 0.05,
                                 .reordering = 0.1};

// The server sends back what it is sent; called while its outputs are sorted, so it answers a step later.
struct Echo {
  explicit Echo(TestTransports& both) : net(both) {
    net.on_data = [this](TestPeer& peer, const DataEvent& event) {
      auto* message = std::get_if<sctp::ChannelMessage>(&event);
      if (message && &peer == &net.server) waiting.push_back(*message);
    };
  }
  void answer() {
    for (sctp::ChannelMessage& message : std::exchange(waiting, {})) {
      EXPECT_TRUE(net.server.transport->send_data(net.time.now(), message.channel, message.kind,
                                                  SharedBytes(std::move(message.payload)), net.server.out));
    }
    net.sort();
  }
  TestTransports& net;
  std::vector<sctp::ChannelMessage> waiting;
};

TEST(Transport, tells_datagrams_apart_by_their_first_byte) {
  struct {
    int first, last;
    DatagramKind kind;
  } rows[] = {{0, 3, DatagramKind::kStun},      {4, 19, DatagramKind::kUnknown},
              {20, 63, DatagramKind::kDtls},    {64, 127, DatagramKind::kUnknown},
              {128, 191, DatagramKind::kMedia}, {192, 255, DatagramKind::kUnknown}};
  for (const auto& row : rows) {
    for (int first = row.first; first <= row.last; ++first) {
      std::uint8_t byte = static_cast<std::uint8_t>(first);
      EXPECT_EQ(kind_of(Bytes(&byte, 1)), row.kind) << first;
    }
  }
  EXPECT_EQ(kind_of({}), DatagramKind::kUnknown);
}

TEST(Transport, connects_over_a_clean_link_in_four_round_trips) {
  TestTransports net;
  Timestamp begin = net.time.now();
  ASSERT_TRUE(net.connect());
  // A check and its answer, two round trips of DTLS; the nomination meanwhile.
  EXPECT_LE(net.time.now() - begin, Duration::milliseconds(100));
  EXPECT_EQ(net.client.connected->ice, Duration::milliseconds(20));
  EXPECT_GE(net.client.connected->dtls, Duration::milliseconds(40));
  EXPECT_EQ(net.server.transport->srtp_profile(), dtls::SrtpProfile::kAeadAes128Gcm);
  EXPECT_EQ(net.server.transport->srtp_profile(), net.client.transport->srtp_profile());
  EXPECT_TRUE(net.passes_media(net.client, net.server, 1));
  EXPECT_TRUE(net.passes_media(net.server, net.client, 1));
  EXPECT_EQ(net.server.transport->stats().stun_refused, 0u);
  EXPECT_EQ(net.server.transport->stats().dtls_refused, 0u);
}

// A client that answers no checks proves by its handshake where it is, in either role.
TEST(Transport, connects_a_client_that_answers_no_requests) {
  for (dtls::Role role : {dtls::Role::kServer, dtls::Role::kClient}) {
    TestTransports net({.server_role = role});
    net.loses = [&](const TestPeer& from, Bytes datagram) {
      return &from == &net.client && kind_of(datagram) == DatagramKind::kStun && (datagram[0] & 1) != 0;
    };
    ASSERT_TRUE(net.connect());
    EXPECT_TRUE(net.server.transport->is_proved(*net.server.transport->selected()));
    EXPECT_TRUE(net.passes_media(net.server, net.client, 1));
  }
}

TEST(Transport, sends_no_media_before_it_is_connected) {
  TestTransports net;
  while (!net.server.connected) {
    EXPECT_FALSE(net.server.transport->is_connected());
    EXPECT_EQ(net.server.transport->send_context(), nullptr);
    net.run_for(Duration::milliseconds(1));
  }
  EXPECT_TRUE(net.server.transport->send_context());
  EXPECT_TRUE(net.server.transport->is_connected());
}

TEST(Transport, connects_over_a_bad_link) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    TestTransports net({.link = kBadLink,
                        .seed = seed,
                        .server_role = seed % 3 ? dtls::Role::kServer : dtls::Role::kClient,
                        .sockets = seed % 2 + 1});
    ASSERT_TRUE(net.connect(Duration::seconds(30)));
    EXPECT_TRUE(net.passes_media(net.client, net.server, 1));
    EXPECT_TRUE(net.passes_media(net.server, net.client, 1));
    net.run_for(Duration::seconds(60));
    EXPECT_FALSE(net.client.closed || net.server.closed);
  }
}

TEST(Transport, may_begin_the_handshake_on_either_side) {
  for (dtls::Role role : {dtls::Role::kServer, dtls::Role::kClient}) {
    TestTransports net({.server_role = role});
    ASSERT_TRUE(net.connect());
    EXPECT_TRUE(net.passes_media(net.client, net.server, 1));
    EXPECT_TRUE(net.passes_media(net.server, net.client, 1));
  }
}

TEST(Transport, does_not_speak_first_before_the_peer_has_chosen_a_path) {
  TestTransports net({.server_role = dtls::Role::kClient});
  while (!net.server.transport->selected()) {
    for (const Buffer& sent : net.server.sent) EXPECT_EQ(kind_of(sent), DatagramKind::kStun);
    net.run_for(Duration::milliseconds(1));
  }
  EXPECT_FALSE(net.server.paths.empty());
}

TEST(Transport, connects_two_full_agents) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    TestTransports net({.link = kBadLink, .seed = seed, .is_server_lite = false, .sockets = 2});
    net.add_client_candidates();
    ASSERT_TRUE(net.connect(Duration::seconds(30)));
    EXPECT_TRUE(net.passes_media(net.client, net.server, 1));
    EXPECT_TRUE(net.passes_media(net.server, net.client, 1));
  }
}

TEST(Transport, waits_for_candidates_that_come_late) {
  TestTransports net({.is_answer_late = true});
  net.run_for(Duration::seconds(25));
  EXPECT_TRUE(net.client.sent.empty());
  EXPECT_FALSE(net.client.closed);
  net.add_server_candidate();
  ASSERT_TRUE(net.connect());
}

TEST(Transport, takes_what_profile_both_have) {
  TestTransports net({.client_profiles = {dtls::SrtpProfile::kAes128CmHmacSha1_80}});
  ASSERT_TRUE(net.connect());
  EXPECT_EQ(net.server.transport->srtp_profile(), dtls::SrtpProfile::kAes128CmHmacSha1_80);
  EXPECT_TRUE(net.passes_media(net.client, net.server, 1));
  EXPECT_TRUE(net.passes_media(net.server, net.client, 1));
}

TEST(Transport, gives_up_where_no_path_is_found) {
  TestTransports net;
  net.sockets[0].is_cut = true;
  ASSERT_TRUE(net.run_until_closed(net.server));
  EXPECT_EQ(net.server.closed->end, TransportEnd::kNoPath);
  EXPECT_EQ(net.server.closed_at, Timestamp::from_ns(31'000'000'000));
  ASSERT_TRUE(net.run_until_closed(net.client));
  EXPECT_EQ(net.client.closed->end, TransportEnd::kNoPath);
  EXPECT_LE(net.client.closed_at, Timestamp::from_ns(100'000'000'000));
  EXPECT_EQ(net.client.transport->next_deadline(), Timestamp::never());
}

TEST(Transport, gives_up_on_a_handshake_that_does_not_end) {
  TestTransports net;
  // The peer keeps its path alive and never says hello.
  net.loses = [](const TestPeer&, Bytes datagram) { return kind_of(datagram) == DatagramKind::kDtls; };
  ASSERT_TRUE(net.run_until_closed(net.server));
  EXPECT_EQ(net.server.closed->end, TransportEnd::kDtlsTimedOut);
  EXPECT_EQ(net.server.closed->dtls, dtls::Refusal::kHandshakeTimeout);
  EXPECT_LE(net.server.closed_at, Timestamp::from_ns(32'000'000'000));
  EXPECT_TRUE(net.server.paths.empty());
  ASSERT_TRUE(net.run_until_closed(net.client));
  EXPECT_EQ(net.client.closed->end, TransportEnd::kDtlsTimedOut);
}

TEST(Transport, holds_no_handshake_before_a_path_is_proved) {
  TestTransports net({.has_data = false});
  EXPECT_LT(net.server.transport->held_bytes(), 4u << 10);
  ASSERT_TRUE(net.connect());
  EXPECT_GT(net.server.transport->held_bytes(), 32u << 10);
  // Nothing tells that the last flight arrived: a server waits for as long as it may be asked for it.
  net.run_for(Duration::seconds(29));
  EXPECT_GT(net.server.transport->held_bytes(), 32u << 10);
  net.run_for(Duration::seconds(2));
  EXPECT_LT(net.server.transport->held_bytes(), 10u << 10);
}

TEST(Transport, drops_the_handshake_when_media_shows_that_it_arrived) {
  TestTransports net;
  ASSERT_TRUE(net.connect());
  ASSERT_TRUE(net.passes_media(net.client, net.server, 1));
  EXPECT_LT(net.server.transport->held_bytes(), 16u << 10);
}

TEST(Transport, ends_by_the_name_of_its_cause) {
  for (int i = 0; i < kTransportEnds; ++i) {
    for (int other = 0; other < i; ++other) {
      EXPECT_STRNE(name_of(static_cast<TransportEnd>(i)), name_of(static_cast<TransportEnd>(other)));
    }
    EXPECT_STRNE(name_of(static_cast<TransportEnd>(i)), "unknown");
  }
}

TEST(Transport, refuses_a_peer_with_another_certificate) {
  {
    TestTransports net({.expected_by_server = 2});
    ASSERT_TRUE(net.run_until_closed(net.server));
    EXPECT_EQ(net.server.closed->end, TransportEnd::kDtlsFailed);
    EXPECT_EQ(net.server.closed->dtls, dtls::Refusal::kFingerprintMismatch);
    EXPECT_FALSE(net.server.connected);
    EXPECT_TRUE(net.server.paths.empty());
    ASSERT_TRUE(net.run_until_closed(net.client));  // By the alert.
    EXPECT_EQ(net.client.closed->end, TransportEnd::kDtlsFailed);
    EXPECT_EQ(net.client.closed->dtls, dtls::Refusal::kAlertReceived);
  }
  TestTransports net({.expected_by_client = 2});
  ASSERT_TRUE(net.run_until_closed(net.client));
  EXPECT_EQ(net.client.closed->end, TransportEnd::kDtlsFailed);
  EXPECT_EQ(net.client.closed->dtls, dtls::Refusal::kFingerprintMismatch);
  EXPECT_EQ(net.client.transport->send_context(), nullptr);
}

TEST(Transport, follows_a_client_that_moves) {
  TestTransports net({.link = kBadLink});
  ASSERT_TRUE(net.connect());
  SocketAddress before = net.server.transport->selected()->remote;
  srtp::SendContext* keys = net.server.transport->send_context();
  for (int move = 1; move <= 5; ++move) {
    net.rebind(0);
    SocketAddress now = net.sockets[0].seen_as;
    ASSERT_NE(now, before);
    ASSERT_TRUE(
        net.run([&] { return net.server.transport->selected()->remote == now; }, Duration::seconds(20)));
    EXPECT_TRUE(net.server.transport->is_known({kUdpPath, now}));
    EXPECT_EQ(net.server.transport->send_context(), keys);
    EXPECT_TRUE(net.passes_media(net.server, net.client, static_cast<std::uint16_t>(move)));
    before = now;
  }
  EXPECT_FALSE(net.server.closed || net.client.closed);
  // Paths that fell silent are given up.
  net.run_for(Duration::seconds(60));
  EXPECT_LE(net.server.paths.size(), 2u);
}

TEST(Transport, goes_on_when_the_address_changes_in_the_handshake) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    TestTransports net({.link = kBadLink, .seed = seed, .sockets = 2});
    net.run([&] { return !net.server.paths.empty(); }, Duration::seconds(10));
    net.run_for(Duration::milliseconds(20));
    net.rebind(0);
    net.rebind(1);
    EXPECT_TRUE(net.connect(Duration::seconds(40)));
  }
}

TEST(Transport, changes_to_another_socket_when_one_is_cut_off) {
  TestTransports net({.sockets = 2});
  ASSERT_TRUE(net.connect());
  std::uint32_t used = net.client.transport->selected()->local;
  net.sockets[used].is_cut = true;
  ASSERT_TRUE(net.run(
      [&] { return net.client.transport->selected() && net.client.transport->selected()->local != used; },
      Duration::seconds(30)));
  net.run_for(kSecond);
  EXPECT_EQ(net.server.transport->selected()->remote, net.sockets[1 - used].seen_as);
  EXPECT_FALSE(net.server.closed || net.client.closed);
}

TEST(Transport, ends_when_consent_expires) {
  TestTransports net({.has_data = false});
  ASSERT_TRUE(net.connect());
  net.run_for(Duration::seconds(20));
  Timestamp cut_at = net.time.now();
  net.sockets[0].is_cut = true;
  ASSERT_TRUE(net.run_until_closed(net.server));
  EXPECT_EQ(net.server.closed->end, TransportEnd::kConsentLost);
  EXPECT_LE(net.server.closed_at - cut_at, Duration::seconds(30));
  EXPECT_GE(net.server.closed_at - cut_at, Duration::seconds(23));
  ASSERT_TRUE(net.run_until_closed(net.client));
  EXPECT_EQ(net.client.closed->end, TransportEnd::kConsentLost);
  EXPECT_LE(net.client.closed_at - cut_at, Duration::seconds(31));
  EXPECT_TRUE(net.server.paths.empty());
  EXPECT_TRUE(net.client.paths.empty());
}

TEST(Transport, keeps_its_keys_and_channels_over_an_ice_restart) {
  for (bool is_lossy : {false, true}) {
    TestTransports net({.link = is_lossy ? kBadLink : sim::Link::Config{}});
    ASSERT_TRUE(net.connect(Duration::seconds(20)));
    auto channel = net.client.transport->open_channel(net.time.now(), {.label = "a"}, net.client.out);
    ASSERT_TRUE(channel);
    srtp::SendContext* keys = net.client.transport->send_context();
    for (std::uint64_t round = 1; round <= 3; ++round) {
      ice::Credentials server_ice = test_credentials(500 + round), client_ice = test_credentials(600 + round);
      std::string old_server = net.server.transport->local_ice().ufrag;
      std::string old_client = net.client.transport->local_ice().ufrag;
      net.rebind(0);  // The reason for the restart.
      net.server.transport->restart_ice(net.time.now(), server_ice, client_ice, net.server.out);
      net.run_for(Duration::milliseconds(100));
      EXPECT_TRUE(net.server.transport->has_ufrag(old_server));
      EXPECT_TRUE(net.server.transport->has_ufrag(server_ice.ufrag));
      net.client.transport->restart_ice(net.time.now(), client_ice, server_ice, net.client.out);
      EXPECT_TRUE(net.client.transport->has_ufrag(old_client));
      net.add_server_candidate();
      ASSERT_TRUE(
          net.run([&] { return !net.server.transport->has_ufrag(old_server); }, Duration::seconds(20)));
      ASSERT_TRUE(
          net.run([&] { return !net.client.transport->has_ufrag(old_client); }, Duration::seconds(20)));
      EXPECT_EQ(net.server.transport->selected()->remote, net.sockets[0].seen_as);
      EXPECT_EQ(net.server.transport->local_ice(), server_ice);
      EXPECT_FALSE(net.server.transport->has_ufrag(""));
      EXPECT_EQ(net.client.transport->send_context(), keys);
      EXPECT_TRUE(net.passes_media(net.client, net.server, static_cast<std::uint16_t>(round)));
      std::string text = "after restart " + std::to_string(round);
      ASSERT_TRUE(net.client.transport->send_data(net.time.now(), *channel, sctp::MessageKind::kText,
                                                  SharedBytes::copy_of(as_bytes(text)), net.client.out));
      ASSERT_TRUE(net.run([&] { return !net.server.texts().empty() && net.server.texts().back() == text; },
                          Duration::seconds(20)));
    }
    EXPECT_FALSE(net.server.closed || net.client.closed);
  }
}

TEST(Transport, closes_at_either_end) {
  for (bool is_server : {false, true}) {
    TestTransports net;
    ASSERT_TRUE(net.connect());
    net.run_for(kSecond);
    TestPeer& here = is_server ? net.server : net.client;
    TestPeer& there = is_server ? net.client : net.server;
    here.transport->close(net.time.now(), here.out);
    net.sort();
    ASSERT_TRUE(here.closed);
    EXPECT_EQ(here.closed->end, TransportEnd::kLocal);
    EXPECT_TRUE(here.paths.empty());
    EXPECT_EQ(here.transport->next_deadline(), Timestamp::never());
    EXPECT_FALSE(here.transport->is_connected());
    ASSERT_TRUE(net.run_until_closed(there, kSecond));
    EXPECT_EQ(there.closed->end, TransportEnd::kByPeer);
    EXPECT_FALSE(there.closed->dtls);
    // Whatever comes later changes nothing; TestPeer looks for outputs.
    here.transport->close(net.time.now(), here.out);
    net.give_server({kUdpPath, net.sockets[0].seen_as}, net.client.sent.front());
    net.run_for(Duration::seconds(60));
  }
}

// Whoever holds the certificate that the offer named may do so; with the peer's last flight our handshake is
// done, and what comes behind it in the datagram ends it.
TEST(Transport, ends_when_the_last_flight_and_the_end_come_in_one_datagram) {
  for (bool has_data : {false, true}) {
    TestTransports net({.server_role = dtls::Role::kClient, .has_data = has_data});
    Buffer merged;
    net.loses = [&](const TestPeer& from, Bytes datagram) {
      bool is_last_flight = &from == &net.client && kind_of(datagram) == DatagramKind::kDtls &&
                            (datagram[0] == 20 || datagram[4] == 1);
      if (is_last_flight) merged.insert(merged.end(), datagram.begin(), datagram.end());
      return is_last_flight;
    };
    ASSERT_TRUE(net.run([&] { return net.client.connected.has_value(); }, kSecond));
    std::size_t flight = merged.size();
    ASSERT_GT(flight, 0u);
    net.client.transport->close(net.time.now(), net.client.out);
    net.sort();
    ASSERT_GT(merged.size(), flight);
    net.give_server({kUdpPath, net.sockets[0].seen_as}, merged);
    ASSERT_TRUE(net.server.closed);
    EXPECT_EQ(net.server.closed->end, TransportEnd::kByPeer);
    EXPECT_FALSE(net.server.connected);
    EXPECT_TRUE(net.server.paths.empty());
    EXPECT_EQ(net.server.transport->send_context(), nullptr);
  }
}

TEST(Transport, sends_no_larger_message_than_the_peer_takes_and_holds_no_more_than_it_may) {
  TestTransports net(
      {.server_data = {.remote_message_bytes_max = 1000, .limits = {.send_buffer_bytes_max = 3000}}});
  ASSERT_TRUE(net.connect());
  auto channel = net.client.transport->open_channel(net.time.now(), {.label = "a"}, net.client.out);
  ASSERT_TRUE(channel);
  ASSERT_TRUE(net.run([&] { return net.server.count<sctp::ChannelOpened>() == 1; }, kSecond));
  auto send = [&](std::size_t bytes) {
    return net.server.transport->send_data(net.time.now(), *channel, sctp::MessageKind::kBytes,
                                           SharedBytes(Buffer(bytes, 1)), net.server.out);
  };
  EXPECT_EQ(send(1001).error(), sctp::Refusal::kMessageTooLarge);
  EXPECT_TRUE(send(1000));
  net.sockets[0].is_cut = true;
  net.sort();
  std::size_t taken = 0;
  while (taken < 1000 && send(1000)) ++taken;
  EXPECT_LT(taken, 20u);
  EXPECT_LE(net.server.transport->data()->association().buffered_bytes(), 3000u);
}

TEST(Transport, closes_in_the_middle_of_the_handshake) {
  for (std::int64_t ms = 0; ms < 80; ms += 5) {
    TestTransports net;
    net.run_for(Duration::milliseconds(ms));
    net.server.transport->close(net.time.now(), net.server.out);
    net.sort();
    EXPECT_EQ(net.server.closed->end, TransportEnd::kLocal);
    EXPECT_TRUE(net.run_until_closed(net.client)) << ms;
  }
}

TEST(Transport, carries_data_both_ways_over_a_bad_link) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    TestTransports net({.link = kBadLink,
                        .seed = seed,
                        .server_role = seed % 2 ? dtls::Role::kServer : dtls::Role::kClient});
    Echo echo(net);
    // Before there is anything to send it on.
    auto channel = net.client.transport->open_channel(net.time.now(), {.label = "echo"}, net.client.out);
    ASSERT_TRUE(channel);
    EXPECT_EQ(*channel % 2 == 0, seed % 2 == 1) << "the DTLS client has the even numbers";
    std::vector<std::string> texts;
    for (int i = 0; i < 30; ++i)
      texts.push_back(std::string(static_cast<std::size_t>(i * 150 + 1), 'a') + std::to_string(i));
    for (const std::string& text : texts) {
      ASSERT_TRUE(net.client.transport->send_data(net.time.now(), *channel, sctp::MessageKind::kText,
                                                  SharedBytes::copy_of(as_bytes(text)), net.client.out));
    }
    EXPECT_TRUE(net.run(
        [&] {
          echo.answer();
          return net.client.texts().size() == texts.size();
        },
        Duration::seconds(60)));
    EXPECT_EQ(net.client.texts(), texts);
    EXPECT_EQ(net.server.count<sctp::ChannelOpened>(), 1u);
    EXPECT_EQ(net.client.count<sctp::ChannelReady>(), 1u);
    net.client.transport->close_channel(net.time.now(), *channel, net.client.out);
    EXPECT_TRUE(net.run([&] { return net.server.count<sctp::ChannelClosed>() == 1; }, Duration::seconds(20)));
    for (const TestPeer* peer : {&net.server, &net.client})
      for (const Buffer& sent : peer->sent) EXPECT_LE(sent.size(), dtls::kMtuDefault);
  }
}

TEST(Transport, has_no_data_channels_that_were_not_agreed_upon) {
  TestTransports net({.has_data = false});
  ASSERT_TRUE(net.connect());
  EXPECT_EQ(net.client.transport->data(), nullptr);
  auto opened = net.client.transport->open_channel(net.time.now(), {.label = "a"}, net.client.out);
  EXPECT_EQ(opened.error(), sctp::Refusal::kNotConnected);
  auto sent = net.client.transport->send_data(net.time.now(), 0, sctp::MessageKind::kText, SharedBytes(),
                                              net.client.out);
  EXPECT_EQ(sent.error(), sctp::Refusal::kNotConnected);
}

TEST(Transport, works_over_tcp_until_the_connection_ends) {
  TestTransports net({.link = {.latency = Duration::milliseconds(10)}, .is_tcp = true});
  ASSERT_TRUE(net.connect());
  EXPECT_EQ(net.server.transport->selected()->local, 1u);
  net.run_for(Duration::seconds(60));
  ASSERT_TRUE(net.server.transport->selected());
  // A second connection takes over when the first one breaks.
  std::uint32_t second = net.add_socket(true);
  ice::Path first = *net.server.transport->selected();
  net.sockets[0].is_cut = true;
  net.server.transport->handle_path_closed(net.time.now(), first, net.server.out);
  net.client.transport->handle_path_closed(net.time.now(), *net.client.transport->selected(), net.client.out);
  net.sort();
  EXPECT_FALSE(net.server.transport->selected());
  EXPECT_FALSE(net.server.transport->is_known(first));
  ASSERT_TRUE(net.run([&] { return net.server.transport->selected().has_value(); }, Duration::seconds(10)));
  EXPECT_EQ(net.server.transport->selected()->local, second + 1);
  // Without another one it is over when consent is.
  net.sockets[second].is_cut = true;
  net.server.transport->handle_path_closed(net.time.now(), *net.server.transport->selected(), net.server.out);
  net.client.transport->handle_path_closed(net.time.now(), *net.client.transport->selected(), net.client.out);
  ASSERT_TRUE(net.run_until_closed(net.server));
  EXPECT_EQ(net.server.closed->end, TransportEnd::kConsentLost);
  ASSERT_TRUE(net.run_until_closed(net.client));
  EXPECT_EQ(net.client.closed->end, TransportEnd::kConsentLost);
}

TEST(Transport, believes_no_handshake_from_elsewhere) {
  TestTransports net;
  ASSERT_TRUE(net.run([&] { return !net.client.paths.empty(); }, kSecond));
  Buffer hello;
  for (const Buffer& sent : net.client.sent)
    if (kind_of(sent) == DatagramKind::kDtls) hello = sent;
  ASSERT_FALSE(hello.empty());
  std::size_t sent_before = net.server.sent.size();
  net.give_server({kUdpPath, {IpAddress::v4(203, 0, 113, 9), 9}}, hello);
  EXPECT_EQ(net.server.transport->stats().dtls_refused, 1u);
  EXPECT_EQ(net.server.sent.size(), sent_before);
  EXPECT_TRUE(net.connect());
}

TEST(Transport, counts_garbage_and_goes_on) {
  for (bool is_connected : {false, true}) {
    TestTransports net;
    if (is_connected)
      ASSERT_TRUE(net.connect());
    else
      net.run_for(Duration::milliseconds(35));
    ice::Path known{kUdpPath, net.sockets[0].seen_as}, stranger{kUdpPath, {IpAddress::v4(203, 0, 113, 9), 9}};
    ASSERT_TRUE(net.server.transport->is_known(known));
    TransportStats before = net.server.transport->stats();
    Rng rng(7);
    std::uint64_t stun = 0, dtls = 0;
    for (int i = 0; i < 2000; ++i) {
      Buffer garbage(rng.below(200) + 1);
      for (std::uint8_t& byte : garbage) byte = static_cast<std::uint8_t>(rng.next());
      if (i % 4 == 0) garbage[0] = static_cast<std::uint8_t>(rng.below(4));
      if (i % 4 == 1) garbage[0] = static_cast<std::uint8_t>(20 + rng.below(6));
      stun += kind_of(garbage) == DatagramKind::kStun;
      dtls += kind_of(garbage) == DatagramKind::kDtls;
      net.give_server(i % 2 ? known : stranger, garbage);
    }
    TransportStats after = net.server.transport->stats();
    EXPECT_EQ(after.stun_refused - before.stun_refused, stun);
    EXPECT_EQ(after.dtls_refused - before.dtls_refused, dtls);
    EXPECT_EQ(net.server.paths.size(), 1u);
    EXPECT_TRUE(net.connect());
    EXPECT_TRUE(net.passes_media(net.client, net.server, 1));
  }
}

TEST(Transport, is_small_once_settled) {
  constexpr int kPairs = 50;
  std::vector<std::unique_ptr<TestTransports>> nets;
  auto make = [&] { return std::make_unique<TestTransports>(Options{.has_data = false}); };
  nets.push_back(make());
  ASSERT_TRUE(nets.back()->connect());  // What libraries keep from their first use on.
  std::size_t held = 0;
  std::vector<std::size_t> freed;
  for (int i = 0; i < kPairs; ++i) {
    nets.push_back(make());
    ASSERT_TRUE(nets.back()->connect());
    ASSERT_TRUE(nets.back()->passes_media(nets.back()->client, nets.back()->server, 1));
    nets.back()->run_for(Duration::seconds(60));
    held = nets.back()->server.transport->held_bytes();
    std::size_t before = sim::heap_bytes_in_use();
    nets.back()->server.transport.reset();
    freed.push_back(before - sim::heap_bytes_in_use());
    nets.pop_back();
  }
  std::size_t most = *std::max_element(freed.begin(), freed.end());
  RecordProperty("bytes_freed", std::to_string(most));
  RecordProperty("bytes_held", std::to_string(held));
  EXPECT_LE(most, 10u << 10);
  EXPECT_GT(held * 2, most);
  EXPECT_LT(held, most * 2);
}

}  // namespace
}  // namespace stoa::webrtc
