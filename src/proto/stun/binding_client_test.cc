#include "proto/stun/binding_client.h"

#include <gtest/gtest.h>

#include "proto/stun/writer.h"
#include "sim/link.h"

namespace stoa::stun {
namespace {

using Type = AttributeType;

TEST(Retransmission, follows_the_timetable_of_rfc_8489) {
  Timestamp start = Timestamp::from_ns(7);
  Retransmission retransmission({}, start);
  std::vector<std::int64_t> at{0};
  for (;;) {
    Timestamp due = retransmission.next_deadline();
    EXPECT_EQ(retransmission.handle_deadline(due - Duration::nanoseconds(1)), Retransmission::Step::kWait);
    auto step = retransmission.handle_deadline(due);
    at.push_back((due - start).ms());
    if (step == Retransmission::Step::kGiveUp) break;
    EXPECT_EQ(step, Retransmission::Step::kSendAgain);
  }
  EXPECT_EQ(at, (std::vector<std::int64_t>{0, 500, 1500, 3500, 7500, 15500, 31500, 39500}));
  EXPECT_EQ(retransmission.next_deadline(), Timestamp::never());
}

struct Asking {
  explicit Asking(double loss, std::uint64_t seed = 1)
      : to_server(time, {.loss = loss}, Rng(seed)),
        to_client(time, {.loss = loss}, Rng(seed + 1)),
        client({}, Rng(seed + 2)) {
    client.start(time.now(), out);
  }
  static Buffer answer(Bytes request) {
    auto message = Message::parse(request);
    EXPECT_TRUE(message);
    MessageWriter writer = MessageWriter::success_of(*message);
    writer.add_address(Type::kXorMappedAddress, *SocketAddress::parse("198.51.100.7:4711"));
    return writer.take();
  }
  // Until the client is done.
  BindingOutput run() {
    for (;;) {
      for (auto& output : out.take()) {
        auto* send = std::get_if<SendRequest>(&output);
        if (!send) return output;
        to_server.send(send->bytes);
      }
      time.advance_to(sim::earliest(client.next_deadline(),
                                    sim::earliest(to_server.next_arrival(), to_client.next_arrival())));
      for (auto& bytes : to_server.take_arrived()) to_client.send(answer(bytes));
      for (auto& bytes : to_client.take_arrived()) client.handle_datagram(bytes, out);
      client.handle_deadline(time.now(), out);
    }
  }
  sim::VirtualTime time;
  sim::Link to_server, to_client;
  BindingClient client;
  BindingOutputs out;
};

TEST(BindingClient, learns_its_address_over_a_bad_line) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Asking asking(0.3, seed);
    BindingOutput end = asking.run();
    ASSERT_TRUE(std::holds_alternative<Mapped>(end)) << seed;
    EXPECT_EQ(std::get<Mapped>(end).address.to_text(), "198.51.100.7:4711");
    EXPECT_EQ(asking.client.next_deadline(), Timestamp::never());
  }
}

TEST(BindingClient, gives_up_on_a_dead_line) {
  Asking asking(1.0);
  BindingOutput end = asking.run();
  ASSERT_TRUE(std::holds_alternative<BindingFailed>(end));
  EXPECT_EQ(asking.time.now() - Timestamp(), Duration::milliseconds(39'500));
}

TEST(BindingClient, passes_on_what_the_server_refuses) {
  Asking asking(0);
  Buffer request = std::get<SendRequest>(*asking.out.begin()).bytes;
  auto message = Message::parse(request);
  ASSERT_TRUE(message);
  MessageWriter writer = MessageWriter::error_of(*message, error::kTryAlternate);
  writer.add_address(Type::kAlternateServer, *SocketAddress::parse("192.0.2.9:3478"));
  asking.out.clear();
  EXPECT_TRUE(asking.client.handle_datagram(writer.take(), asking.out));
  auto failed = std::get<BindingFailed>(*asking.out.begin());
  EXPECT_EQ(failed.code, 300);
  EXPECT_EQ(failed.alternate_server->to_text(), "192.0.2.9:3478");
}

TEST(BindingClient, passes_over_answers_to_others) {
  Asking asking(0);
  Buffer other = Asking::answer(MessageWriter(MessageClass::kRequest, Method::kBinding, {}).take());
  asking.out.clear();
  EXPECT_FALSE(asking.client.handle_datagram(other, asking.out));
  EXPECT_TRUE(asking.out.empty());
  EXPECT_FALSE(asking.client.is_done());
}

}  // namespace
}  // namespace stoa::stun
