#include "proto/ice/agent.h"

#include <gtest/gtest.h>

#include "proto/ice/test_network.h"
#include "proto/stun/writer.h"

namespace stoa::ice {
namespace {

constexpr const char* kClient = "192.168.1.10:5000";
constexpr const char* kServer = "203.0.113.1:7882";

// A full agent that dials, and the server's lite one.
struct Call : Network<Agent, LiteAgent> {
  explicit Call(const sim::Link::Config& line = {}, std::uint64_t seed = 1, const AgentConfig& config = {})
      : Network(Agent(config, credentials("client"), Rng(seed), {}),
                LiteAgent({}, credentials("server"), credentials("client"), {}), line, seed) {
    right_side.sockets[0] = at(kServer);
    add_socket(0, kClient);
    left.set_remote_credentials(time.now(), credentials("server"), left_side.out);
    EXPECT_TRUE(left.add_remote_candidate(time.now(), host(at(kServer)), left_side.out));
  }
  void add_socket(std::uint32_t local, std::string_view address, std::uint16_t preference = 65'535) {
    left_side.sockets[local] = at(address);
    EXPECT_TRUE(
        left.add_local_candidate(time.now(), {local, host(at(address), preference), {}}, left_side.out));
  }
  bool connect(Duration limit = Duration::seconds(30)) {
    return run_until([&] { return left.selected() && right.selected(); }, limit);
  }
};

// Two full agents.
struct Peers : Network<Agent, Agent> {
  Peers(const sim::Link::Config& line, std::uint64_t seed, Role left_role = Role::kControlling,
        Role right_role = Role::kControlled)
      : Network(Agent({.role = left_role}, credentials("left"), Rng(seed), {}),
                Agent({.role = right_role}, credentials("right"), Rng(seed + 50), {}), line, seed) {
    for (std::uint32_t i = 0; i < 2; ++i) {
      left_side.sockets[i] = {IpAddress::v4(10, 0, static_cast<std::uint8_t>(i), 1), 1000};
      right_side.sockets[i] = {IpAddress::v4(10, 0, static_cast<std::uint8_t>(i), 2), 2000};
      auto preference = static_cast<std::uint16_t>(65'535 - i);
      EXPECT_TRUE(
          left.add_local_candidate({}, {i, host(left_side.sockets[i], preference), {}}, left_side.out));
      EXPECT_TRUE(
          right.add_local_candidate({}, {i, host(right_side.sockets[i], preference), {}}, right_side.out));
    }
  }
  void signal() {
    left.set_remote_credentials(time.now(), right.local_credentials(), left_side.out);
    right.set_remote_credentials(time.now(), left.local_credentials(), right_side.out);
    for (std::uint32_t i = 0; i < 2; ++i) {
      auto preference = static_cast<std::uint16_t>(65'535 - i);
      EXPECT_TRUE(left.add_remote_candidate(
          time.now(), host(right_side.outside(right_side.sockets[i]), preference), left_side.out));
      EXPECT_TRUE(right.add_remote_candidate(
          time.now(), host(left_side.outside(left_side.sockets[i]), preference), right_side.out));
    }
  }
  bool agree() const {
    if (!left.selected() || !right.selected()) return false;
    auto ours = left_side.outside(left_side.sockets.at(left.selected()->local));
    auto theirs = right_side.outside(right_side.sockets.at(right.selected()->local));
    return left.selected()->remote == theirs && right.selected()->remote == ours;
  }
};

TEST(Agent, reaches_a_lite_server_in_two_round_trips) {
  Call call({.latency = Duration::milliseconds(20)});
  ASSERT_TRUE(call.connect());
  EXPECT_LE(call.time.now() - Timestamp(), Duration::milliseconds(100));
  EXPECT_EQ(call.left.selected()->remote, at(kServer));
  EXPECT_EQ(call.right.selected()->remote, at(kClient));
}

TEST(Agent, reaches_a_lite_server_over_any_bad_line) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Call call({.jitter = Duration::milliseconds(60), .loss = 0.3, .duplication = 0.1, .reordering = 0.2},
              seed);
    ASSERT_TRUE(call.connect(Duration::seconds(60))) << seed;
    call.run_for(Duration::seconds(5));
    EXPECT_FALSE(call.left_side.has<Failed>() || call.right_side.has<Failed>()) << seed;
  }
}

TEST(Agent, reaches_another_full_agent_over_any_bad_line) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Peers peers({.jitter = Duration::milliseconds(60), .loss = 0.3, .duplication = 0.1, .reordering = 0.2},
                seed);
    peers.signal();
    ASSERT_TRUE(peers.run_until([&] { return peers.agree(); }, Duration::seconds(90))) << seed;
  }
}

TEST(Agent, takes_the_best_pair_on_a_good_line) {
  Peers peers({}, 3);
  peers.signal();
  ASSERT_TRUE(peers.run_until([&] { return peers.agree(); }, Duration::seconds(5)));
  EXPECT_EQ(peers.left.selected()->local, 0u);
  peers.run_for(Duration::seconds(60));
  EXPECT_EQ(peers.left.stats().path_changes, 0u);
  EXPECT_EQ(peers.left_side.count<PathSelected>(), 1u);
}

TEST(Agent, settles_who_controls) {
  for (Role role : {Role::kControlling, Role::kControlled})
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
      Peers peers({.loss = 0.1}, seed, role, role);
      peers.signal();
      ASSERT_TRUE(peers.run_until([&] { return peers.agree(); }, Duration::seconds(60))) << seed;
      EXPECT_NE(peers.left.role(), peers.right.role()) << seed;
      EXPECT_LE(peers.left.stats().role_changes + peers.right.stats().role_changes, 2u) << seed;
    }
}

TEST(Agent, takes_control_of_a_lite_server_that_sends_it_back) {
  Call call({}, 1, {.role = Role::kControlled});
  ASSERT_TRUE(call.connect());
  EXPECT_EQ(call.left.role(), Role::kControlling);
}

TEST(Agent, gets_through_a_nat) {
  Peers peers({}, 1);
  peers.left_side.nat[peers.left_side.sockets[0]] = at("198.51.100.1:60000");
  peers.left_side.nat[peers.left_side.sockets[1]] = at("198.51.100.1:60001");
  // The right one is told the inside addresses, which lead nowhere.
  peers.left.set_remote_credentials({}, peers.right.local_credentials(), peers.left_side.out);
  peers.right.set_remote_credentials({}, peers.left.local_credentials(), peers.right_side.out);
  for (std::uint32_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(peers.left.add_remote_candidate({}, host(peers.right_side.sockets[i]), peers.left_side.out));
    ASSERT_TRUE(peers.right.add_remote_candidate({}, host(peers.left_side.sockets[i]), peers.right_side.out));
  }
  ASSERT_TRUE(peers.run_until([&] { return peers.agree(); }, Duration::seconds(10)));
  EXPECT_EQ(peers.right.selected()->remote.ip.to_text(), "198.51.100.1");
}

TEST(Agent, survives_a_nat_that_forgets_it) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Call call({.loss = 0.05}, seed);
    call.left_side.nat[at(kClient)] = at("198.51.100.1:60000");
    ASSERT_TRUE(call.connect());
    call.run_for(Duration::seconds(20));
    call.left_side.nat[at(kClient)] = at("198.51.100.1:61234");
    Timestamp moved = call.time.now();
    ASSERT_TRUE(
        call.run_until([&] { return call.right.selected()->remote.port == 61234; }, Duration::seconds(30)))
        << seed;
    EXPECT_LE(call.time.now() - moved, Duration::seconds(20)) << seed;
    call.run_for(Duration::seconds(60));
    EXPECT_FALSE(call.left_side.has<Failed>() || call.right_side.has<Failed>()) << seed;
    EXPECT_EQ(call.right_side.count<PathRemoved>(), 1u) << "the old address is let go";
  }
}

TEST(Agent, survives_a_change_of_network) {
  Call call;
  ASSERT_TRUE(call.connect());
  call.run_for(Duration::seconds(12));
  // The wireless network goes, the mobile one was there or comes.
  call.left_side.sockets.erase(0);
  call.left.remove_local_candidate(call.time.now(), 0, call.left_side.out);
  call.run_for(Duration::seconds(2));
  EXPECT_FALSE(call.left.selected());
  call.add_socket(1, "100.64.3.4:40000", 100);
  ASSERT_TRUE(call.run_until(
      [&] { return call.left.selected() && call.right.selected()->remote == at("100.64.3.4:40000"); },
      Duration::seconds(1)));
  EXPECT_EQ(call.left_side.count<PathLost>(), 1u);
  call.run_for(Duration::seconds(60));
  EXPECT_FALSE(call.left_side.has<Failed>() || call.right_side.has<Failed>());
}

TEST(Agent, leaves_a_path_that_falls_silent) {
  Call call;
  call.add_socket(1, "100.64.3.4:40000", 100);
  ASSERT_TRUE(call.connect());
  EXPECT_EQ(call.left.selected()->local, 0u);
  call.run_for(Duration::seconds(10));
  call.block_both(kClient, kServer);
  ASSERT_TRUE(call.run_until([&] { return call.left.selected()->local == 1; }, Duration::seconds(12)));
  EXPECT_TRUE(call.left_side.has<PathSilent>());
  EXPECT_FALSE(call.left_side.has<PathLost>()) << "consent never ended";
  ASSERT_TRUE(call.run_until([&] { return call.right.selected()->remote == at("100.64.3.4:40000"); },
                             Duration::seconds(1)));
}

TEST(Agent, goes_on_when_a_silent_path_speaks_again) {
  Call call;
  ASSERT_TRUE(call.connect());
  call.cut();
  call.run_for(Duration::seconds(15));
  EXPECT_TRUE(call.left_side.has<PathSilent>());
  EXPECT_TRUE(call.left.selected());
  call.mend();
  call.run_for(Duration::seconds(15));
  EXPECT_TRUE(call.left.selected() && call.right.selected());
  EXPECT_EQ(call.left_side.count<PathSelected>(), 2u);
  EXPECT_FALSE(call.left_side.has<PathLost>());
}

TEST(Agent, stops_without_consent) {
  Call call;
  ASSERT_TRUE(call.connect());
  call.run_for(Duration::seconds(60));
  call.cut();
  Timestamp cut_at = call.time.now();
  ASSERT_TRUE(call.run_until([&] { return call.left_side.has<Failed>() && call.right_side.has<Failed>(); },
                             Duration::seconds(31)));
  EXPECT_GE(call.time.now() - cut_at, Duration::seconds(24));
  EXPECT_FALSE(call.left.selected());
  EXPECT_FALSE(call.right.selected());
  EXPECT_TRUE(call.left_side.has<PathLost>());
  call.run_for(Duration::seconds(120));
  EXPECT_EQ(call.left_side.count<Failed>(), 1u);
}

TEST(Agent, asks_for_consent_every_four_to_six_seconds) {
  Call call;
  ASSERT_TRUE(call.connect());
  call.run_for(Duration::milliseconds(500));
  call.left_side.sent_at.clear();
  call.run_for(Duration::seconds(300));
  const auto& sent = call.left_side.sent_at;
  ASSERT_GE(sent.size(), 50u);
  ASSERT_LE(sent.size(), 75u);
  Duration shortest = Duration::infinite(), longest;
  for (std::size_t i = 1; i < sent.size(); ++i) {
    shortest = std::min(shortest, sent[i] - sent[i - 1]);
    longest = std::max(longest, sent[i] - sent[i - 1]);
  }
  EXPECT_GE(shortest, Duration::seconds(4));
  EXPECT_LE(longest, Duration::seconds(6));
  EXPECT_GT(longest - shortest, Duration::milliseconds(500)) << "drawn, not fixed";
  EXPECT_LE(call.left.transactions(), 1u);
}

TEST(Agent, holds_a_lossy_path_for_an_hour) {
  Call call({.jitter = Duration::milliseconds(40), .loss = 0.05, .duplication = 0.02, .reordering = 0.05}, 9);
  ASSERT_TRUE(call.connect());
  call.run_for(Duration::seconds(3600));
  EXPECT_TRUE(call.left.selected() && call.right.selected());
  EXPECT_FALSE(call.left_side.has<Failed>() || call.right_side.has<Failed>());
}

TEST(Agent, restarts_without_a_gap) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Peers peers({.loss = 0.1}, seed);
    peers.signal();
    ASSERT_TRUE(peers.run_until([&] { return peers.agree(); }, Duration::seconds(60)));
    peers.run_for(Duration::seconds(10));
    peers.left.restart(peers.time.now(), credentials("left2"), peers.left_side.out);
    peers.run_for(Duration::seconds(3));  // The other hears of it later.
    EXPECT_TRUE(peers.left.selected() && peers.right.selected());
    peers.right.restart(peers.time.now(), credentials("right2"), peers.right_side.out);
    peers.left_side.events.clear();
    peers.right_side.events.clear();
    peers.signal();
    ASSERT_TRUE(peers.run_until(
        [&] {
          return peers.left_side.has<PathSelected>() && peers.right_side.has<PathSelected>() && peers.agree();
        },
        Duration::seconds(60)))
        << seed;
    EXPECT_FALSE(peers.left_side.has<PathLost>() || peers.right_side.has<PathLost>()) << seed;
    peers.run_for(Duration::seconds(60));
    EXPECT_TRUE(peers.agree()) << seed;
    EXPECT_FALSE(peers.left_side.has<Failed>() || peers.right_side.has<Failed>()) << seed;
  }
}

TEST(Agent, restarts_towards_a_lite_server) {
  Call call;
  ASSERT_TRUE(call.connect());
  call.run_for(Duration::seconds(5));
  call.left.restart(call.time.now(), credentials("client2"), call.left_side.out);
  call.right.restart(call.time.now(), credentials("server2"), credentials("client2"));
  call.run_for(Duration::seconds(10));
  EXPECT_TRUE(call.left.selected() && call.right.selected()) << "the old generation holds";
  call.left_side.events.clear();
  call.left.set_remote_credentials(call.time.now(), credentials("server2"), call.left_side.out);
  ASSERT_TRUE(call.left.add_remote_candidate(call.time.now(), host(at(kServer)), call.left_side.out));
  ASSERT_TRUE(call.run_until([&] { return call.left_side.has<PathSelected>(); }, Duration::seconds(2)));
  call.run_for(Duration::seconds(60));
  EXPECT_TRUE(call.right.previous_credentials().ufrag.empty());
  EXPECT_FALSE(call.left_side.has<Failed>() || call.right_side.has<Failed>());
}

TEST(Agent, is_patient_before_it_fails) {
  Call call;
  call.cut();
  call.run_for(Duration::milliseconds(39'400));
  EXPECT_FALSE(call.left_side.has<Failed>());
  call.run_for(Duration::seconds(2));
  ASSERT_EQ(call.left_side.count<Failed>(), 1u);
  EXPECT_EQ(std::get<Failed>(call.left_side.events.back()).failure, Failure::kNoPath);
  EXPECT_EQ(call.left.next_deadline(), Timestamp::never());
}

TEST(Agent, tries_candidates_that_come_late) {
  Call call;
  Agent& agent = call.left;
  call.cut();
  call.run_for(Duration::seconds(5));
  call.mend();
  call.right_side.sockets[1] = at("203.0.113.2:7882");
  call.block(kClient, kServer);
  auto late = parse_candidate("candidate:9 1 udp 2130706431 203.0.113.2 7882 typ host ufrag server");
  ASSERT_TRUE(late);
  auto other = parse_candidate("candidate:9 1 udp 2130706431 203.0.113.3 7882 typ host ufrag another");
  ASSERT_TRUE(agent.add_remote_candidate(call.time.now(), *other, call.left_side.out));
  EXPECT_EQ(agent.pairs().size(), 1u) << "of another generation";
  ASSERT_TRUE(agent.add_remote_candidate(call.time.now(), *late, call.left_side.out));
  ASSERT_TRUE(call.connect(Duration::seconds(2)));
  EXPECT_EQ(agent.selected()->remote, at("203.0.113.2:7882"));
}

TEST(Agent, paces_its_checks) {
  Agent agent({}, credentials("client"), Rng(1), {});
  Outputs out;
  ASSERT_TRUE(agent.add_local_candidate({}, {0, host(at("10.0.0.1:1")), {}}, out));
  agent.set_remote_credentials({}, credentials("server"), out);
  for (std::uint16_t i = 1; i <= 20; ++i) {
    Candidate candidate = host({IpAddress::v4(192, 0, 2, 1), i});
    candidate.foundation = std::to_string(i);
    ASSERT_TRUE(agent.add_remote_candidate({}, candidate, out));
  }
  Timestamp now;
  std::vector<Timestamp> first_sent;
  std::set<std::uint16_t> asked;
  while (now < Timestamp::from_ns(2'000'000'000)) {
    now = std::max(now, agent.next_deadline());
    agent.handle_deadline(now, out);
    for (auto& output : out.take())
      if (auto* send = std::get_if<SendDatagram>(&output);
          send && asked.insert(send->path.remote.port).second)
        first_sent.push_back(now);
  }
  ASSERT_EQ(first_sent.size(), 20u);
  for (std::size_t i = 1; i < first_sent.size(); ++i)
    EXPECT_GE(first_sent[i] - first_sent[i - 1], Duration::milliseconds(50));
}

TEST(Agent, answers_checks_before_it_knows_the_peer) {
  Peers peers({}, 1);
  // Only the left one has heard of the other.
  peers.left.set_remote_credentials({}, peers.right.local_credentials(), peers.left_side.out);
  ASSERT_TRUE(peers.left.add_remote_candidate({}, host(peers.right_side.sockets[0]), peers.left_side.out));
  peers.run_for(Duration::seconds(2));
  EXPECT_TRUE(peers.left.selected()) << "the answers suffice for the controlling one";
  EXPECT_FALSE(peers.right.selected());
  peers.right.set_remote_credentials(peers.time.now(), peers.left.local_credentials(), peers.right_side.out);
  ASSERT_TRUE(peers.run_until([&] { return peers.agree(); }, Duration::seconds(1)));
}

TEST(Agent, believes_no_answer_from_elsewhere) {
  Agent agent({}, credentials("client"), Rng(1), {});
  Outputs out;
  ASSERT_TRUE(agent.add_local_candidate({}, {0, host(at(kClient)), {}}, out));
  agent.set_remote_credentials({}, credentials("server"), out);
  ASSERT_TRUE(agent.add_remote_candidate({}, host(at(kServer)), out));
  agent.handle_deadline({}, out);
  ASSERT_EQ(out.size(), 1u);
  Buffer request = std::get<SendDatagram>(*out.begin()).bytes;
  out.clear();
  auto message = stun::Message::parse(request);
  ASSERT_TRUE(message);
  Path right{0, at(kServer)}, wrong{0, at("203.0.113.66:1")};
  Buffer bare = stun::MessageWriter::error_of(*message, 400).take();
  EXPECT_EQ(agent.handle_datagram({}, right, bare, out).error(), Refusal::kNoIntegrity);
  Buffer forged = write_success(*message, at(kClient), credentials("mallory"));
  EXPECT_EQ(agent.handle_datagram({}, right, forged, out).error(), Refusal::kBadIntegrity);
  Buffer unknown = write_success(
      *stun::Message::parse(
          stun::MessageWriter(stun::MessageClass::kRequest, stun::Method::kBinding, {1}).take()),
      at(kClient), credentials("server"));
  EXPECT_EQ(agent.handle_datagram({}, right, unknown, out).error(), Refusal::kUnknownAnswer);
  EXPECT_EQ(agent.pairs()[0].state, PairState::kInProgress);
  Buffer answer = write_success(*message, at(kClient), credentials("server"));
  EXPECT_EQ(agent.handle_datagram({}, wrong, answer, out).error(), Refusal::kAsymmetricAnswer);
  EXPECT_EQ(agent.pairs()[0].state, PairState::kFailed);
}

TEST(Agent, pairs_only_what_can_reach_each_other) {
  Agent agent({}, credentials("client"), Rng(1), {});
  Outputs out;
  auto add = [&](std::uint32_t local, std::string_view address) {
    return agent.add_local_candidate({}, {local, host(at(address)), {}}, out).has_value();
  };
  EXPECT_TRUE(add(0, "10.0.0.1:1"));
  EXPECT_TRUE(add(1, "[2001:db8::1]:1"));
  EXPECT_TRUE(add(2, "[fe80::1]:1"));
  EXPECT_FALSE(add(2, "10.0.0.2:1")) << "a number twice";
  Candidate connection = host(at("10.0.0.1:40000"));
  connection.transport = Transport::kTcpActive;
  EXPECT_FALSE(agent.add_local_candidate({}, {3, connection, {}}, out)) << "reaches nothing";
  EXPECT_TRUE(agent.add_local_candidate({}, {3, connection, at("192.0.2.1:9")}, out));
  for (const char* text :
       {"candidate:1 1 udp 1 192.0.2.1 9 typ host", "candidate:2 1 udp 1 2001:db8::9 9 typ host",
        "candidate:3 1 udp 1 fe80::9 9 typ host", "candidate:4 1 tcp 1 192.0.2.1 9 typ host tcptype passive",
        "candidate:5 1 tcp 1 192.0.2.2 9 typ host tcptype passive",
        "candidate:6 2 udp 1 192.0.2.7 9 typ host"})
    EXPECT_TRUE(agent.add_remote_candidate({}, *parse_candidate(text), out)) << text;
  EXPECT_EQ(agent.pairs().size(), 4u);
  for (const char* text :
       {"candidate:1 1 udp 1 0.0.0.0 9 typ host", "candidate:1 1 udp 1 192.0.2.1 0 typ host",
        "candidate:1 1 udp 1 224.0.0.1 9 typ host", "candidate:1 1 udp 1 a.local 9 typ host"})
    EXPECT_EQ(agent.add_remote_candidate({}, *parse_candidate(text), out).error(), Refusal::kBadCandidate);
}

TEST(Agent, keeps_to_its_limits) {
  Agent agent({.local_candidates_max = 2, .remote_candidates_max = 5, .pairs_max = 7}, credentials("client"),
              Rng(1), {});
  Outputs out;
  for (std::uint32_t i = 0; i < 4; ++i) {
    auto added = agent.add_local_candidate({}, {i, host({IpAddress::v4(10, 0, 0, 1), 1}), {}}, out);
    EXPECT_EQ(added.has_value(), i < 2);
  }
  for (std::uint16_t i = 1; i <= 10; ++i)
    EXPECT_EQ(agent.add_remote_candidate({}, host({IpAddress::v4(192, 0, 2, 1), i}), out).has_value(),
              i <= 5);
  EXPECT_EQ(agent.pairs().size(), 7u);
  // A peer that knows the password and comes from everywhere.
  for (std::uint16_t i = 1; i <= 300; ++i) {
    Buffer request =
        write_check({static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8)}, credentials("server"),
                    credentials("client"), Role::kControlled, 1, i, false);
    (void)agent.handle_datagram({}, {0, {IpAddress::v4(198, 51, 100, 1), i}}, request, out);
    EXPECT_LE(agent.pairs().size(), 7u);
  }
}

}  // namespace
}  // namespace stoa::ice
