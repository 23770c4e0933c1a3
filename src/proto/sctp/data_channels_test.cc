#include "proto/sctp/data_channels.h"

#include <gtest/gtest.h>

#include "sim/link.h"

namespace stoa::sctp {
namespace {

struct Side {
  Side(const Config& config, DtlsRole role, std::uint64_t seed) : channels(config, role, Rng(seed)) {}
  template <typename T>
  std::vector<T> all() const {
    std::vector<T> found;
    for (const ChannelOutput& event : events)
      if (auto* each = std::get_if<T>(&event)) found.push_back(*each);
    return found;
  }
  DataChannels channels;
  ChannelOutputs out;
  std::vector<ChannelOutput> events;
};

struct Call {
  explicit Call(const sim::Link::Config& line = {}, std::uint64_t seed = 1, const Config& config_b = {})
      : a({}, DtlsRole::kClient, seed * 4 + 1),
        b(config_b, DtlsRole::kServer, seed * 4 + 2),
        to_a(time, line, Rng(seed * 4 + 3)),
        to_b(time, line, Rng(seed * 4 + 4)) {}
  void collect() {
    auto move = [](Side& from, sim::Link& link) {
      for (ChannelOutput& output : from.out.take()) {
        if (auto* send = std::get_if<SendPacket>(&output)) {
          link.send(send->packet);
        } else {
          from.events.push_back(std::move(output));
        }
      }
    };
    move(a, to_b);
    move(b, to_a);
  }
  template <typename Until>
  bool run(Until until, Duration most = Duration::seconds(120)) {
    Timestamp end = time.now() + most;
    collect();
    while (!until()) {
      Timestamp at = std::min(
          {to_a.next_arrival(), to_b.next_arrival(), a.channels.next_deadline(), b.channels.next_deadline()});
      if (at > end) {
        time.advance_to(end);
        return until();
      }
      if (at > time.now()) time.advance_to(at);
      feed(a, to_a);
      feed(b, to_b);
    }
    return true;
  }
  void feed(Side& side, sim::Link& link) {
    for (Buffer& packet : link.take_arrived()) {
      (void)side.channels.handle_packet(time.now(), packet, side.out);
      collect();
    }
    if (side.channels.next_deadline() <= time.now()) side.channels.handle_deadline(time.now(), side.out);
    collect();
  }
  bool connect() {
    a.channels.connect(time.now(), a.out);
    b.channels.connect(time.now(), b.out);
    return run(
        [&] { return a.channels.association().is_connected() && b.channels.association().is_connected(); });
  }
  StreamId open(Side& side, ChannelSettings settings) {
    auto id = side.channels.open(time.now(), std::move(settings), side.out);
    EXPECT_TRUE(id.has_value());
    collect();
    return id.value_or(0);
  }
  Result<void, Refusal> send(Side& side, StreamId id, MessageKind kind, std::string_view text) {
    auto sent = side.channels.send(time.now(), id, kind, SharedBytes::copy_of(as_bytes(text)), side.out);
    collect();
    return sent;
  }

  sim::VirtualTime time;
  Side a, b;
  sim::Link to_a, to_b;
};

// RFC 8832 §5.1, byte for byte.
TEST(Dcep, open_has_the_layout_of_the_rfc) {
  ChannelSettings settings{.label = "chat",
                           .protocol = "p",
                           .is_ordered = false,
                           .retransmissions_max = std::uint16_t{3},
                           .priority = 512};
  Buffer expected = {3, 0x81, 2, 0, 0, 0, 0, 3, 0, 4, 0, 1, 'c', 'h', 'a', 't', 'p'};
  EXPECT_EQ(write_channel_open(settings), expected);
  EXPECT_EQ(write_channel_ack(), Buffer{2});
}

TEST(Dcep, comes_back_as_it_was_written) {
  for (ChannelSettings settings :
       {ChannelSettings{}, ChannelSettings{.label = "ünï", .protocol = "json"},
        ChannelSettings{.is_ordered = false, .lifetime = Duration::milliseconds(1500)},
        ChannelSettings{.retransmissions_max = std::uint16_t{0}, .priority = 128}}) {
    auto parsed = parse_dcep(write_channel_open(settings));
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(std::get<ChannelOpen>(*parsed).settings, settings);
  }
}

TEST(Dcep, that_is_broken_is_refused) {
  Buffer whole = write_channel_open({.label = "label", .protocol = "proto"});
  for (std::size_t i = 0; i < whole.size(); ++i)
    EXPECT_EQ(parse_dcep(Bytes(whole).first(i)).error(), Refusal::kBadChannelMessage) << i;
  Buffer longer = whole, kind = whole;
  longer.push_back(0);
  EXPECT_EQ(parse_dcep(longer).error(), Refusal::kBadChannelMessage);
  kind[1] = 0x03;
  EXPECT_EQ(parse_dcep(kind).error(), Refusal::kBadChannelMessage);
  EXPECT_EQ(parse_dcep(Buffer{1}).error(), Refusal::kBadChannelMessage);
  EXPECT_EQ(parse_dcep(write_channel_open({.label = std::string(kLabelBytesMax + 1, 'a')})).error(),
            Refusal::kNameTooLong);
  EXPECT_EQ(parse_dcep(write_channel_open({.label = "\xff"})).error(), Refusal::kBadChannelMessage);
}

TEST(Utf8, is_told_from_what_only_looks_like_it) {
  for (std::string_view good : {"", "a", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(is_utf8(as_bytes(good)));
  for (std::string_view bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "\xe2\x28\xa1"})
    EXPECT_FALSE(is_utf8(as_bytes(bad)));
}

TEST(DataChannels, open_by_the_parity_of_the_dtls_role_and_carry_all_kinds_of_messages) {
  Call call;
  ASSERT_TRUE(call.connect());
  StreamId first = call.open(call.a, {.label = "one", .protocol = "x", .priority = 512});
  StreamId second = call.open(call.a, {.label = "two"});
  StreamId third = call.open(call.b, {.label = "three"});
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 2);
  EXPECT_EQ(third, 1);
  ASSERT_TRUE(call.run([&] { return call.a.all<ChannelReady>().size() == 2; }));
  ASSERT_TRUE(call.run([&] { return call.b.all<ChannelReady>().size() == 1; }));
  auto opened = call.b.all<ChannelOpened>();
  ASSERT_EQ(opened.size(), 2u);
  EXPECT_EQ(opened[0].settings.label, "one");
  EXPECT_EQ(opened[0].settings.protocol, "x");
  EXPECT_EQ(opened[0].settings.priority, 512);
  ASSERT_TRUE(call.send(call.b, 0, MessageKind::kText, "hello"));
  ASSERT_TRUE(call.send(call.b, 0, MessageKind::kBytes, std::string(100'000, 'x')));
  ASSERT_TRUE(call.send(call.b, 0, MessageKind::kText, ""));
  ASSERT_TRUE(call.send(call.b, 0, MessageKind::kBytes, ""));
  ASSERT_TRUE(call.run([&] { return call.a.all<ChannelMessage>().size() == 4; }));
  auto messages = call.a.all<ChannelMessage>();
  EXPECT_EQ(messages[0].kind, MessageKind::kText);
  EXPECT_EQ(as_text(messages[0].payload), "hello");
  EXPECT_EQ(messages[1].kind, MessageKind::kBytes);
  EXPECT_EQ(messages[1].payload.size(), 100'000u);
  EXPECT_EQ(messages[2].kind, MessageKind::kText);
  EXPECT_TRUE(messages[2].payload.empty() && messages[3].payload.empty());
  EXPECT_EQ(messages[3].kind, MessageKind::kBytes);
}

TEST(DataChannels, keep_messages_behind_their_open_even_when_unordered) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Call call({.jitter = Duration::milliseconds(30), .loss = 0.2, .reordering = 0.3}, seed);
    StreamId id = call.open(call.a, {.label = "early", .is_ordered = false});
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(call.send(call.a, id, MessageKind::kText, std::to_string(i)));
    ASSERT_TRUE(call.connect());
    ASSERT_TRUE(call.run([&] { return call.b.all<ChannelMessage>().size() == 20; })) << seed;
    EXPECT_EQ(call.b.all<ChannelOpened>().size(), 1u);
    EXPECT_TRUE(call.b.all<ChannelMessage>()[0].payload == Buffer{'0'});
    EXPECT_EQ(call.b.channels.stats().refusals[static_cast<int>(Refusal::kBadChannelMessage)], 0u);
  }
}

TEST(DataChannels, close_on_both_sides_and_their_numbers_are_used_again) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Call call({.jitter = Duration::milliseconds(20), .loss = seed == 1 ? 0 : 0.25}, seed);
    ASSERT_TRUE(call.connect());
    for (std::size_t round = 1; round <= 5; ++round) {
      StreamId id = call.open(call.a, {.label = std::to_string(round), .is_ordered = round % 2 == 0});
      EXPECT_EQ(id, 0);
      ASSERT_TRUE(call.send(call.a, id, MessageKind::kText, "last words"));
      Side& closer = round % 3 == 0 ? call.b : call.a;
      if (&closer == &call.b) {
        ASSERT_TRUE(call.run([&] { return call.b.all<ChannelMessage>().size() == round; }));
      }
      closer.channels.close(call.time.now(), id, closer.out);
      call.collect();
      EXPECT_EQ(call.send(closer, id, MessageKind::kText, "no").error(), Refusal::kChannelNotOpen);
      ASSERT_TRUE(call.run([&] { return call.a.all<ChannelClosed>().size() == round; })) << seed;
    }
    ASSERT_TRUE(call.run([&] { return call.b.all<ChannelClosed>().size() == 5; })) << seed;
    EXPECT_EQ(call.b.all<ChannelMessage>().size(), 5u) << seed;
    EXPECT_EQ(call.b.all<ChannelOpened>().size(), 5u);
    EXPECT_EQ(call.a.channels.channels(), 0u);
    EXPECT_EQ(call.b.channels.channels(), 0u);
  }
}

TEST(DataChannels, close_from_both_sides_at_once) {
  Call call;
  ASSERT_TRUE(call.connect());
  StreamId id = call.open(call.a, {});
  ASSERT_TRUE(call.run([&] { return call.a.all<ChannelReady>().size() == 1; }));
  call.a.channels.close(call.time.now(), id, call.a.out);
  call.b.channels.close(call.time.now(), id, call.b.out);
  ASSERT_TRUE(call.run(
      [&] { return call.a.all<ChannelClosed>().size() == 1 && call.b.all<ChannelClosed>().size() == 1; }));
}

TEST(DataChannels, close_before_the_association_stands) {
  Call call;
  StreamId id = call.open(call.a, {.label = "brief"});
  call.a.channels.close(call.time.now(), id, call.a.out);
  ASSERT_TRUE(call.connect());
  ASSERT_TRUE(call.run(
      [&] { return call.a.all<ChannelClosed>().size() == 1 && call.b.all<ChannelClosed>().size() == 1; }));
}

TEST(DataChannels, close_at_once_when_the_peer_cannot_reset_streams) {
  Config without;
  without.offered.stream_reset = false;
  Call call({}, 1, without);
  ASSERT_TRUE(call.connect());
  StreamId id = call.open(call.a, {});
  call.a.channels.close(call.time.now(), id, call.a.out);
  call.collect();
  EXPECT_EQ(call.a.all<ChannelClosed>().size(), 1u);
}

TEST(DataChannels, agreed_on_elsewhere_need_no_message) {
  Call call;
  ASSERT_TRUE(call.a.channels.open_negotiated(7, {.label = "n"}));
  ASSERT_TRUE(call.b.channels.open_negotiated(7, {.label = "n"}));
  EXPECT_EQ(call.a.channels.open_negotiated(7, {}).error(), Refusal::kBadChannelId);
  EXPECT_EQ(call.a.channels.open_negotiated(65'535, {}).error(), Refusal::kBadChannelId);
  ASSERT_TRUE(call.connect());
  ASSERT_TRUE(call.send(call.a, 7, MessageKind::kText, "hi"));
  ASSERT_TRUE(call.run([&] { return call.b.all<ChannelMessage>().size() == 1; }));
  EXPECT_TRUE(call.b.all<ChannelOpened>().empty());
}

TEST(DataChannels, refuse_what_is_too_many_or_too_long) {
  Call call;
  EXPECT_EQ(call.a.channels.open(call.time.now(), {.label = std::string(kLabelBytesMax + 1, 'x')}, call.a.out)
                .error(),
            Refusal::kNameTooLong);
  for (std::size_t i = 0; i < kChannelsMax; ++i) call.open(call.a, {});
  EXPECT_EQ(call.a.channels.open(call.time.now(), {}, call.a.out).error(), Refusal::kTooManyChannels);
  EXPECT_EQ(call.send(call.a, 1, MessageKind::kText, "x").error(), Refusal::kChannelNotOpen);
}

TEST(DataChannels, close_one_after_another_when_the_association_ends) {
  Call call;
  ASSERT_TRUE(call.connect());
  call.open(call.a, {});
  call.open(call.a, {});
  ASSERT_TRUE(call.run([&] { return call.b.all<ChannelOpened>().size() == 2; }));
  call.a.channels.abort(call.time.now(), call.a.out);
  ASSERT_TRUE(call.run([&] { return call.b.all<Closed>().size() == 1; }));
  EXPECT_EQ(call.b.all<ChannelClosed>().size(), 2u);
  EXPECT_TRUE(std::holds_alternative<Closed>(call.b.events.back()));
}

// A peer that speaks SCTP well and DCEP badly.
TEST(DataChannels, refuse_an_open_of_the_wrong_parity_by_resetting_its_stream) {
  sim::VirtualTime time;
  Association peer({}, Rng(5));
  DataChannels channels({}, DtlsRole::kServer, Rng(6));
  Outputs from_peer;
  ChannelOutputs from_channels;
  std::vector<ChannelOutput> events;
  std::vector<Output> peer_events;
  auto settle = [&] {
    while (!from_peer.empty() || !from_channels.empty()) {
      for (Output& output : from_peer.take()) {
        if (auto* send = std::get_if<SendPacket>(&output)) {
          (void)channels.handle_packet(time.now(), send->packet, from_channels);
        } else {
          peer_events.push_back(std::move(output));
        }
      }
      for (ChannelOutput& output : from_channels.take()) {
        if (auto* send = std::get_if<SendPacket>(&output)) {
          (void)peer.handle_packet(time.now(), send->packet, from_peer);
        } else {
          events.push_back(std::move(output));
        }
      }
    }
  };
  peer.connect(time.now(), from_peer);
  settle();
  auto send = [&](StreamId stream, PayloadProtocol protocol, Buffer payload) {
    ASSERT_TRUE(peer.send(
        time.now(), {.stream = stream, .protocol = protocol, .payload = SharedBytes(std::move(payload))},
        from_peer));
    settle();
  };
  auto refused = [&](Refusal refusal) { return channels.stats().refusals[static_cast<int>(refusal)]; };
  send(1, 50, write_channel_open({}));
  EXPECT_EQ(refused(Refusal::kBadChannelId), 1u);
  send(4, 50, Buffer{3, 0});
  EXPECT_EQ(refused(Refusal::kBadChannelMessage), 1u);
  std::vector<StreamId> reset;
  for (const Output& event : peer_events)
    if (auto* each = std::get_if<StreamsReset>(&event))
      reset.insert(reset.end(), each->streams.begin(), each->streams.end());
  EXPECT_EQ(reset, (std::vector<StreamId>{1, 4}));
  send(6, 51, Buffer{'x'});
  send(6, 50, write_channel_ack());
  EXPECT_EQ(refused(Refusal::kBadChannelMessage), 3u);
  send(8, 50, write_channel_open({}));
  send(8, 50, write_channel_open({}));
  EXPECT_EQ(refused(Refusal::kBadChannelId), 2u);
  send(8, 99, Buffer{'x'});
  EXPECT_EQ(refused(Refusal::kBadChannelMessage), 4u);
  EXPECT_EQ(channels.channels(), 1u);
}

}  // namespace
}  // namespace stoa::sctp
