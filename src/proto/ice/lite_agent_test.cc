#include "proto/ice/lite_agent.h"

#include <gtest/gtest.h>

#include "proto/ice/test_network.h"
#include "proto/stun/writer.h"

namespace stoa::ice {
namespace {

using Type = stun::AttributeType;
constexpr std::uint32_t kLow = 1'845'501'695, kHigh = 1'853'824'767;

struct Server {
  explicit Server(const LiteConfig& config = {})
      : agent(config, credentials("server"), credentials("client"), time.now()) {}

  struct Ask {
    bool is_nominating = true;
    std::uint32_t priority = kHigh;
    std::optional<std::uint32_t> nomination;
    Role role = Role::kControlling;
    Credentials to = credentials("server");
    std::string from = "client";
    std::uint16_t extra_attribute = 0;
  };
  Buffer request(const Ask& ask) {
    stun::MessageWriter writer(stun::MessageClass::kRequest, stun::Method::kBinding,
                               stun::make_transaction_id(rng));
    writer.add_text(Type::kUsername, ask.to.ufrag + ":" + ask.from);
    writer.add_number(Type::kPriority, ask.priority);
    writer.add_u64(ask.role == Role::kControlling ? Type::kIceControlling : Type::kIceControlled, 7);
    if (ask.is_nominating && !ask.nomination) writer.add_flag(Type::kUseCandidate);
    if (ask.nomination) writer.add_number(Type::kNomination, *ask.nomination);
    if (ask.extra_attribute != 0) writer.add_flag(static_cast<Type>(ask.extra_attribute));
    writer.add_integrity_sha1(as_bytes(ask.to.password));
    writer.add_fingerprint();
    return writer.take();
  }
  // The error code of the answer, 0 for success, -1 for none.
  int ask(const Path& path, const Ask& ask) {
    Buffer bytes = request(ask);
    (void)agent.handle_datagram(time.now(), path, Transport::kUdp, bytes, out);
    int code = -1;
    for (auto& output : out.take()) {
      auto* send = std::get_if<SendDatagram>(&output);
      if (!send) {
        events.push_back(std::move(output));
        continue;
      }
      EXPECT_EQ(send->path, path);
      auto answer = stun::Message::parse(send->bytes);
      EXPECT_TRUE(answer);
      if (answer->message_class() == stun::MessageClass::kRequest) {
        requests.push_back(std::move(*send));
        continue;
      }
      EXPECT_TRUE(std::ranges::equal(answer->transaction_id(), Bytes(bytes).subspan(8, 12)));
      code = answer->find_error() ? answer->find_error()->code : 0;
      if (code == 0) {
        EXPECT_EQ(answer->find_address(Type::kXorMappedAddress), path.remote);
        EXPECT_TRUE(answer->check_integrity(as_bytes(ask.to.password)));
      }
    }
    for (const SendDatagram& request : std::exchange(requests, {})) {
      if (answers) {
        (void)answer(request, ask.from);
      } else {
        unanswered.push_back(request);
      }
    }
    return code;
  }
  // To a request of the agent. What follows from it is among the events.
  Result<Heard, Refusal> answer(const SendDatagram& request, std::string_view from = "client") {
    auto message = stun::Message::parse(request.bytes);
    EXPECT_TRUE(message && message->check_integrity(as_bytes(credentials(from).password)));
    Buffer bytes = write_success(*message, at("192.0.2.1:7882"), credentials(from));
    auto heard = agent.handle_datagram(time.now(), request.path, Transport::kUdp, bytes, out);
    for (auto& output : out.take()) events.push_back(std::move(output));
    return heard;
  }
  int ask(const Path& path) { return ask(path, Ask{}); }
  void wait(Duration duration) {
    Timestamp end = time.now() + duration;
    while (agent.next_deadline() <= end) {
      time.advance_to(std::max(agent.next_deadline(), time.now()));
      agent.handle_deadline(time.now(), out);
      for (auto& output : out.take()) {
        if (auto* send = std::get_if<SendDatagram>(&output)) {
          unanswered.push_back(std::move(*send));
        } else {
          events.push_back(std::move(output));
        }
      }
    }
    time.advance_to(end);
  }
  template <typename T>
  std::size_t count() const {
    std::size_t n = 0;
    for (const Output& event : events) n += std::holds_alternative<T>(event);
    return n;
  }

  sim::VirtualTime time;
  Rng rng{5};
  LiteAgent agent;
  Outputs out;
  std::vector<Output> events;
  bool answers = true;                             // The agent's own requests, at once.
  std::vector<SendDatagram> requests, unanswered;  // Those.
};

const Path kWifi{0, at("203.0.113.5:50000")}, kMobile{0, at("198.51.100.9:41234")};

TEST(LiteAgent, answers_a_check_and_learns_the_path) {
  Server server;
  EXPECT_EQ(server.ask(kWifi, {.is_nominating = false}), 0);
  EXPECT_TRUE(server.agent.is_known(kWifi));
  EXPECT_FALSE(server.agent.selected());
  EXPECT_EQ(server.count<PathAdded>(), 1u);
  EXPECT_EQ(server.ask(kWifi), 0);
  EXPECT_EQ(server.agent.selected(), kWifi);
  EXPECT_EQ(server.count<PathSelected>(), 1u);
  EXPECT_EQ(server.count<PathAdded>(), 1u);
}

TEST(LiteAgent, takes_the_best_of_what_is_nominated_at_once) {
  Server server;
  server.ask(kMobile, {.priority = kLow});
  EXPECT_EQ(server.agent.selected(), kMobile);
  server.ask(kWifi, {.priority = kHigh});
  EXPECT_EQ(server.agent.selected(), kWifi);
  server.ask(kMobile, {.priority = kLow});
  EXPECT_EQ(server.agent.selected(), kWifi);
}

TEST(LiteAgent, follows_a_client_that_moved) {
  Server server;
  server.ask(kWifi, {.priority = kHigh});
  server.wait(Duration::seconds(10));
  // From another network, with a lower priority: its first nominated check is enough.
  server.ask(kMobile, {.is_nominating = false, .priority = kLow});
  EXPECT_EQ(server.agent.selected(), kWifi);
  server.ask(kMobile, {.priority = kLow});
  EXPECT_EQ(server.agent.selected(), kMobile);
  EXPECT_EQ(server.agent.stats().path_changes, 1u);
  // And back.
  server.wait(Duration::seconds(5));
  server.ask(kWifi, {.priority = kHigh});
  EXPECT_EQ(server.agent.selected(), kWifi);
  EXPECT_EQ(server.count<PathRemoved>(), 0u);
}

TEST(LiteAgent, follows_the_highest_nomination_number) {
  Server server;
  server.ask(kWifi, {.nomination = 1});
  server.ask(kMobile, {.priority = kLow, .nomination = 2});
  EXPECT_EQ(server.agent.selected(), kMobile);
  server.ask(kWifi, {.nomination = 1});  // Late.
  EXPECT_EQ(server.agent.selected(), kMobile);
  server.wait(Duration::seconds(5));
  server.ask(kWifi, {.is_nominating = true});  // Without a number it does not count any more.
  EXPECT_EQ(server.agent.selected(), kMobile);
  server.ask(kWifi, {.nomination = 3});
  EXPECT_EQ(server.agent.selected(), kWifi);
}

TEST(LiteAgent, holds_a_silent_peer_for_lost_after_thirty_seconds) {
  Server server;
  server.ask(kWifi);
  for (int i = 0; i < 20; ++i) {
    server.wait(Duration::seconds(29));
    EXPECT_EQ(server.count<Failed>(), 0u);
    server.ask(kWifi, {.is_nominating = false});  // Consent needs no nomination.
  }
  server.wait(Duration::milliseconds(29'999));
  EXPECT_TRUE(server.agent.selected());
  server.wait(Duration::milliseconds(1));
  EXPECT_FALSE(server.agent.selected());
  EXPECT_EQ(server.count<PathLost>(), 1u);
  ASSERT_EQ(server.count<Failed>(), 1u);
  EXPECT_EQ(std::get<Failed>(server.events.back()).failure, Failure::kConsentExpired);
  EXPECT_EQ(server.agent.next_deadline(), Timestamp::never());
}

TEST(LiteAgent, counts_an_authentic_packet_as_consent) {
  Server server;
  server.ask(kWifi);
  for (int i = 0; i < 10; ++i) {
    server.wait(Duration::seconds(20));
    server.agent.handle_authentic_packet(server.time.now(), kWifi);
    server.agent.handle_authentic_packet(server.time.now(), kMobile);
  }
  EXPECT_EQ(server.agent.selected(), kWifi);
  EXPECT_FALSE(server.agent.is_known(kMobile)) << "paths are learnt from checks alone";
  server.wait(Duration::milliseconds(29'999));
  EXPECT_TRUE(server.agent.selected());
  server.wait(Duration::milliseconds(1));
  EXPECT_FALSE(server.agent.selected());
  EXPECT_EQ(server.count<PathLost>(), 1u);
}

TEST(LiteAgent, gives_up_when_nobody_comes) {
  Server server;
  server.wait(Duration::milliseconds(29'999));
  EXPECT_EQ(server.count<Failed>(), 0u);
  server.wait(Duration::milliseconds(1));
  ASSERT_EQ(server.count<Failed>(), 1u);
  EXPECT_EQ(std::get<Failed>(server.events.back()).failure, Failure::kNoPath);
}

TEST(LiteAgent, gives_up_who_nominates_and_never_proves_to_be_there) {
  Server server({.first_path_timeout = Duration::seconds(10)});
  server.answers = false;
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(server.ask(kWifi), 0);
    server.wait(Duration::seconds(1));
  }
  EXPECT_EQ(server.count<Failed>(), 0u);
  server.wait(Duration::seconds(2));
  ASSERT_EQ(server.count<Failed>(), 1u);
}

TEST(LiteAgent, forgets_what_waited_for_proof_when_it_restarts) {
  Server server;
  EXPECT_EQ(server.ask(kWifi), 0);
  server.answers = false;
  EXPECT_EQ(server.ask(kMobile, {.priority = kHigh + 1}), 0);
  server.answers = true;
  server.agent.restart(server.time.now(), credentials("again"), credentials("new"));
  const Path third{0, at("203.0.113.77:5")};
  EXPECT_EQ(server.ask(third, {.to = credentials("again"), .from = "new"}), 0);
  EXPECT_EQ(server.agent.selected(), third);
}

TEST(LiteAgent, falls_back_to_a_nominated_path_that_lives) {
  Server server;
  server.ask(kMobile, {.priority = kLow});
  server.ask(kWifi, {.priority = kHigh});
  for (int i = 0; i < 7; ++i) {
    server.wait(Duration::seconds(5));
    server.ask(kMobile, {.is_nominating = false, .priority = kLow});
  }
  EXPECT_EQ(server.agent.selected(), kMobile);
  EXPECT_EQ(server.count<Failed>(), 0u);
  EXPECT_EQ(server.count<PathRemoved>(), 1u);
}

TEST(LiteAgent, sends_the_peer_back_to_its_role) {
  Server server;
  EXPECT_EQ(server.ask(kWifi, {.role = Role::kControlled}), 487);
  EXPECT_FALSE(server.agent.is_known(kWifi));
}

TEST(LiteAgent, believes_only_who_knows_the_password) {
  Server server;
  Credentials wrong = credentials("server");
  wrong.password.back() ^= 1;
  EXPECT_EQ(server.ask(kWifi, {.to = wrong}), 401);
  EXPECT_EQ(server.ask(kWifi, {.from = "another"}), 401);
  EXPECT_EQ(server.ask(kWifi, {.to = credentials("elsewhere")}), 401);
  EXPECT_FALSE(server.agent.is_known(kWifi));
  EXPECT_EQ(server.agent.stats().refusals[static_cast<int>(Refusal::kBadIntegrity)], 1u);
  EXPECT_EQ(server.agent.stats().refusals[static_cast<int>(Refusal::kWrongUsername)], 2u);
  // Who proves nothing is answered with no more than it sent.
  stun::MessageWriter bare(stun::MessageClass::kRequest, stun::Method::kBinding, {});
  (void)server.agent.handle_datagram(server.time.now(), kWifi, Transport::kUdp, bare.take(), server.out);
  EXPECT_TRUE(server.out.empty());
}

TEST(LiteAgent, names_what_it_does_not_understand) {
  Server server;
  EXPECT_EQ(server.ask(kWifi, {.extra_attribute = 0x7abc}), 420);
  EXPECT_EQ(server.ask(kWifi, {.extra_attribute = 0xc057 + 1}), 0);
}

TEST(LiteAgent, passes_over_what_is_no_check) {
  Server server;
  auto handle = [&](Bytes bytes) {
    return server.agent.handle_datagram(server.time.now(), kWifi, Transport::kUdp, bytes, server.out);
  };
  EXPECT_EQ(handle(as_bytes("hello")).error(), Refusal::kNotStun);
  EXPECT_EQ(
      handle(stun::MessageWriter(stun::MessageClass::kRequest, stun::Method::kAllocate, {}).take()).error(),
      Refusal::kNotBinding);
  EXPECT_EQ(
      handle(stun::MessageWriter(stun::MessageClass::kSuccess, stun::Method::kBinding, {}).take()).error(),
      Refusal::kUnknownAnswer);
  EXPECT_TRUE(
      handle(stun::MessageWriter(stun::MessageClass::kIndication, stun::Method::kBinding, {}).take()));
  EXPECT_TRUE(server.out.empty());
}

TEST(LiteAgent, keeps_the_path_through_a_restart) {
  Server server;
  server.ask(kWifi);
  server.agent.restart(server.time.now(), credentials("second"), credentials("renewed"));
  EXPECT_EQ(server.agent.selected(), kWifi);
  // The old generation still counts, until the new one nominates.
  EXPECT_EQ(server.ask(kWifi), 0);
  EXPECT_EQ(server.ask(kMobile, {.is_nominating = false, .to = credentials("second"), .from = "renewed"}), 0);
  EXPECT_EQ(server.ask(kWifi), 0);
  EXPECT_EQ(server.agent.selected(), kWifi);
  EXPECT_EQ(server.ask(kMobile, {.priority = kLow, .to = credentials("second"), .from = "renewed"}), 0);
  EXPECT_EQ(server.agent.selected(), kMobile) << "the first of the new generation, whatever its priority";
  EXPECT_EQ(server.ask(kWifi), 401) << "the old credentials are of the past";
}

TEST(LiteAgent, keeps_no_more_paths_than_allowed) {
  Server server({.paths_max = 4});
  server.ask(kWifi);
  for (std::uint16_t port = 1; port <= 100; ++port) {
    server.wait(Duration::milliseconds(1));
    EXPECT_EQ(
        server.ask({0, {IpAddress::v4(192, 0, 2, 1), port}}, {.is_nominating = false, .priority = kLow}), 0);
  }
  EXPECT_EQ(server.agent.selected(), kWifi) << "the selected one is never the one to go";
  EXPECT_EQ(server.count<PathAdded>(), 101u);
  EXPECT_EQ(server.count<PathRemoved>(), 97u);
}

TEST(LiteAgent, loses_a_tcp_path_with_its_connection) {
  Server server;
  Path tcp{7, at("203.0.113.5:50001")};
  Outputs out;
  Buffer request = server.request({});
  ASSERT_TRUE(server.agent.handle_datagram(server.time.now(), tcp, Transport::kTcpPassive, request, out));
  EXPECT_EQ(server.agent.selected(), tcp);
  server.agent.handle_path_closed(server.time.now(), tcp, server.out);
  EXPECT_FALSE(server.agent.selected());
  server.wait(Duration::seconds(10));
  server.ask(kWifi);
  EXPECT_EQ(server.agent.selected(), kWifi);
  server.wait(Duration::seconds(25));
  EXPECT_EQ(server.count<Failed>(), 0u);
}

TEST(LiteAgent, asks_each_new_path_for_proof_once) {
  Server server;
  server.ask(kWifi, {.is_nominating = false});
  EXPECT_TRUE(server.agent.is_proved(kWifi));
  EXPECT_EQ(server.count<PathProved>(), 1u);
  server.answers = false;
  server.ask(kWifi);
  EXPECT_TRUE(server.unanswered.empty());
  // Who does not answer is asked again while it asks, too, and gets no more than three times what came.
  for (int i = 0; i < 10; ++i) server.ask(kMobile, {.is_nominating = false});
  server.wait(Duration::seconds(4));
  EXPECT_EQ(server.unanswered.size(), 3u);
  server.wait(Duration::seconds(4));
  EXPECT_EQ(server.unanswered.size(), 3u);
  EXPECT_FALSE(server.agent.is_proved(kMobile));
  server.ask(kMobile, {.is_nominating = false});
  EXPECT_EQ(server.unanswered.size(), 4u);
  // An answer that is late is one nevertheless.
  ASSERT_TRUE(server.answer(server.unanswered[0]));
  EXPECT_TRUE(server.agent.is_proved(kMobile));
  EXPECT_EQ(server.answer(server.unanswered[0]).value(), Heard::kAnswer);
  EXPECT_EQ(server.count<PathProved>(), 2u);
}

TEST(LiteAgent, believes_no_proof_from_elsewhere_or_of_a_stranger) {
  Server server;
  server.answers = false;
  server.ask(kWifi);
  server.ask(kMobile);
  ASSERT_EQ(server.unanswered.size(), 2u);
  SendDatagram elsewhere = server.unanswered[0];
  elsewhere.path = kMobile;
  EXPECT_EQ(server.answer(elsewhere).error(), Refusal::kUnknownAnswer);
  elsewhere.path = {0, at("192.0.2.77:1")};
  EXPECT_EQ(server.answer(elsewhere).error(), Refusal::kUnknownAnswer);
  // A server of STUN answers whoever asks, with no code that is the peer's.
  auto message = stun::Message::parse(server.unanswered[0].bytes);
  stun::MessageWriter bare = stun::MessageWriter::success_of(*message);
  bare.add_address(Type::kXorMappedAddress, kWifi.remote);
  EXPECT_EQ(server.agent.handle_datagram(server.time.now(), kWifi, Transport::kUdp, bare.take(), server.out)
                .error(),
            Refusal::kBadIntegrity);
  EXPECT_FALSE(server.agent.is_proved(kWifi) || server.agent.is_proved(kMobile));
}

TEST(LiteAgent, moves_to_a_new_path_only_when_it_is_proved) {
  Server server;
  server.ask(kWifi);
  server.wait(Duration::seconds(10));
  // The peer writes somebody else's address into its checks.
  server.answers = false;
  for (int i = 0; i < 20; ++i) server.ask(kMobile);
  EXPECT_EQ(server.agent.selected(), kWifi);
  ASSERT_TRUE(server.answer(server.unanswered[0]));
  EXPECT_EQ(server.agent.selected(), kMobile);
  // One who changes its mind in between stays where it is.
  server.wait(Duration::seconds(3));
  const Path third{0, at("198.51.100.10:1000")};
  server.ask(third);
  server.ask(kMobile);
  ASSERT_TRUE(server.answer(server.unanswered.back()));
  EXPECT_TRUE(server.agent.is_proved(third));
  EXPECT_EQ(server.agent.selected(), kMobile);
}

TEST(LiteAgent, sends_three_times_what_came_to_a_path_without_proof) {
  Server server;
  server.answers = false;
  server.ask(kWifi);
  EXPECT_EQ(server.agent.selected(), kWifi) << "a handshake may begin";
  std::size_t sent = 0;
  while (server.agent.may_send(kWifi, 50)) sent += 50;
  EXPECT_LE(sent, 3 * server.request({}).size());
  server.agent.handle_received(kWifi, 100);
  for (sent = 0; server.agent.may_send(kWifi, 50);) sent += 50;
  EXPECT_GE(sent, 300u);
  EXPECT_LE(sent, 350u);
  EXPECT_FALSE(server.agent.may_send(kMobile, 1)) << "and nothing to where nobody asked";
  server.agent.prove(kWifi, server.out);
  EXPECT_TRUE(server.agent.may_send(kWifi, 1'000'000));
}

TEST(LiteAgent, holds_a_proved_path_for_five_seconds_after_it_was_heard) {
  Server server;
  server.answers = false;
  server.ask(kWifi);
  EXPECT_FALSE(server.agent.is_held(server.time.now(), kWifi)) << "it may be anybody's";
  ASSERT_TRUE(server.answer(server.unanswered[0]));
  server.wait(Duration::milliseconds(4'999));
  EXPECT_TRUE(server.agent.is_held(server.time.now(), kWifi));
  server.wait(Duration::milliseconds(1));
  EXPECT_FALSE(server.agent.is_held(server.time.now(), kWifi));
  server.agent.handle_authentic_packet(server.time.now(), kWifi);
  EXPECT_TRUE(server.agent.is_held(server.time.now(), kWifi));
}

TEST(LiteAgent, falls_back_to_a_proved_path_when_a_connection_ends) {
  Server server;
  Path tcp{7, at("203.0.113.5:50001")};
  server.ask(kWifi, {.is_nominating = false});
  ASSERT_TRUE(server.agent.handle_datagram(server.time.now(), tcp, Transport::kTcpPassive, server.request({}),
                                           server.out));
  EXPECT_EQ(server.agent.selected(), tcp);
  EXPECT_TRUE(server.agent.is_proved(tcp));
  server.agent.handle_path_closed(server.time.now(), tcp, server.out);
  EXPECT_EQ(server.agent.selected(), kWifi);
}

TEST(LiteAgent, prefers_udp_to_tcp) {
  Server server;
  Outputs out;
  Path tcp{7, at("203.0.113.5:50001")};
  ASSERT_TRUE(
      server.agent.handle_datagram(server.time.now(), tcp, Transport::kTcpPassive, server.request({}), out));
  server.ask(kWifi);
  EXPECT_EQ(server.agent.selected(), kWifi);
}

}  // namespace
}  // namespace stoa::ice
