#include "session/webrtc/dialer.h"

#include <gtest/gtest.h>

#include "session/webrtc/test_transports.h"

namespace stoa::webrtc {
namespace {

const SocketAddress kDialerAddress{IpAddress::v4(198, 51, 100, 7), 40'000};
const sdp::MediaSupport kVideo = sdp::make_video_support();

sdp::Fingerprint sdp_fingerprint(const dtls::Identity& identity) {
  return sdp::make_fingerprint(sdp::HashFunction::kSha256, identity.fingerprint().digest());
}

sdp::OfferedSection video_section(sdp::Direction direction) {
  sdp::OfferedSection section{.kind = sdp::MediaKind::kVideo, .mid = "0", .media = &kVideo};
  section.direction = direction;
  return section;
}
sdp::OfferedSection data_section() {
  sdp::OfferedSection section{.kind = sdp::MediaKind::kData, .mid = "1"};
  section.data = sdp::SctpParameters{};
  return section;
}

Buffer make_rtp(std::uint16_t sequence_number, std::uint8_t payload_type = 96) {
  ByteWriter writer;
  writer.u8(0x80);
  writer.u8(payload_type);
  writer.u16(sequence_number);
  writer.u32(sequence_number * 3000u);
  writer.u32(77);
  writer.zeros(300);
  return writer.take();
}
// A receiver report about nothing.
Buffer make_report(std::uint32_t ssrc) {
  ByteWriter writer;
  writer.u8(0x80);
  writer.u8(201);
  writer.u16(1);
  writer.u32(ssrc);
  return writer.take();
}

// A dialer, and a server that answers with a bare transport.
class Call {
 public:
  struct Options {
    sim::Link::Config link;
    std::uint64_t seed = 1;
    sdp::Direction direction = sdp::Direction::kRecvOnly;
    bool has_receiver = false;
    bool has_candidate = true;
  };
  explicit Call(const Options& given)
      : options(given),
        to_server(time, options.link, Rng(options.seed * 2)),
        to_dialer(time, options.link, Rng(options.seed * 2 + 1)) {
    time.advance(Duration::seconds(1));
    ours.srtp = theirs.srtp = &transform.kernel();
    ours.identity = test_identity(0);
    theirs.identity = test_identity(1);
    DialerConfig config{.local_ice = test_credentials(2)};
    config.sections = {video_section(options.direction), data_section()};
    config.has_receiver = options.has_receiver;
    if (options.has_candidate)
      config.candidates = {{.local = 0, .candidate = host_candidate(kDialerAddress)}};
    dialer = std::make_unique<Dialer>(ours, transform, config, Rng(options.seed), time.now());
  }

  // What a server says to the offer.
  std::string answer(const std::string& text) {
    auto offer = sdp::parse(text);
    EXPECT_TRUE(offer);
    sdp::Local local{.session_id = 1,
                     .session_version = 1,
                     .ice = {.ufrag = server_ice.ufrag, .password = server_ice.password},
                     .is_ice_lite = true};
    local.candidates = {**sdp::parse_candidate(ice::write_candidate(host_candidate(kServerAddress)))};
    local.fingerprints = {sdp_fingerprint(*theirs.identity)};
    std::vector<sdp::SectionIntent> intents(2);
    intents[0].media = &kVideo;
    intents[1].data = sdp::SctpParameters{};
    auto made = sdp::make_answer(*offer, local, intents);
    EXPECT_TRUE(made);
    auto agreed = sdp::agree(*offer, *made, sdp::Side::kAnswerer);
    EXPECT_TRUE(agreed);
    TransportConfig config{.side = TransportConfig::Side::kServer, .local_ice = server_ice};
    config.data = DataConfig{};
    RemoteTransport remote{.ice = {agreed->remote_ice.ufrag, agreed->remote_ice.password}};
    remote.fingerprints = {{crypto::FingerprintHash::kSha256, agreed->remote_fingerprints[0].bytes()}};
    server = std::make_unique<Transport>(theirs, config, remote, Rng(options.seed + 9), time.now());
    return sdp::write(*made);
  }
  void dial() {
    std::string text = answer(dialer->offer());
    EXPECT_TRUE(dialer->handle_answer(time.now(), text, dialer_out));
    sort();
  }
  bool run(const std::function<bool()>& is_done, Duration most = Duration::seconds(20)) {
    Timestamp end = time.now() + most;
    sort();
    while (!is_done()) {
      Timestamp at = std::min({to_server.next_arrival(), to_dialer.next_arrival(), server->next_deadline(),
                               dialer->next_deadline()});
      time.advance_to(std::clamp(at, time.now(), end));
      if (at > end) return is_done();
      step();
    }
    return true;
  }
  bool connect() {
    dial();
    return run([&] { return connected.has_value() && server->is_connected(); });
  }
  // A packet of the server's.
  void send(Bytes packet) {
    Buffer sealed(packet.size() + srtp::kOverheadBytesMax);
    auto size = transform.protect(srtp::RtpToProtect{.context = server->send_context(),
                                                     .header = packet.first(12),
                                                     .prefix = {},
                                                     .payload = packet.subspan(12),
                                                     .out = sealed,
                                                     .outcome = {}});
    ASSERT_TRUE(size);
    to_dialer.send(Bytes(sealed).first(*size));
  }
  void sort() {
    for (TransportOutput& output : server_out.take()) {
      if (auto* packet = std::get_if<SendPacket>(&output)) to_dialer.send(packet->bytes);
      if (auto* end = std::get_if<TransportClosed>(&output)) server_closed = *end;
      if (auto* event = std::get_if<DataEvent>(&output)) server_data.push_back(std::move(*event));
    }
    for (DialerOutput& output : dialer_out.take()) {
      EXPECT_FALSE(closed);
      std::visit(
          Overloaded{
              [&](SendPacket& packet) { to_server.send(packet.bytes); },
              [&](TransportConnected& event) { connected = event; },
              [&](TransportClosed& event) { closed = event; },
              [&](DataEvent& event) { data.push_back(std::move(event)); },
              [&](RtpReceived& event) { rtp.emplace_back(event.packet.begin(), event.packet.end()); },
              [&](RtcpReceived& event) { rtcp.emplace_back(event.packet.begin(), event.packet.end()); },
              [](auto&) {}},
          output);
    }
  }

  Options options;
  sim::VirtualTime time;
  srtp::Transform transform{crypto::make_srtp_kernel()};
  TransportShared ours, theirs;
  sim::Link to_server, to_dialer;
  ice::Credentials server_ice = test_credentials(1);
  std::unique_ptr<Dialer> dialer;
  std::unique_ptr<Transport> server;
  DialerOutputs dialer_out;
  TransportOutputs server_out;
  std::optional<TransportConnected> connected;
  std::optional<TransportClosed> closed, server_closed;
  std::vector<DataEvent> data, server_data;
  std::vector<Buffer> rtp, rtcp;        // That the dialer received.
  std::vector<Buffer> server_received;  // RTP and RTCP, in the clear.

 private:
  void step() {
    for (Buffer& bytes : to_server.take_arrived()) {
      ice::Path path{kUdpPath, kDialerAddress};
      switch (kind_of(bytes)) {
        case DatagramKind::kStun:
          server->handle_stun(time.now(), path, ice::Transport::kUdp, bytes, server_out);
          break;
        case DatagramKind::kDtls: server->handle_dtls(time.now(), path, bytes, server_out); break;
        default: open(bytes);
      }
    }
    std::vector<Buffer> arrived = to_dialer.take_arrived();
    std::vector<ReceivedDatagram> datagrams;
    for (Buffer& bytes : arrived) datagrams.push_back({kUdpPath, kServerAddress, bytes});
    if (!datagrams.empty()) dialer->handle_datagrams(time.now(), time.wall(), datagrams, dialer_out);
    sort();  // While the datagrams are there.
    if (server->next_deadline() <= time.now()) server->handle_deadline(time.now(), server_out);
    if (dialer->next_deadline() <= time.now()) dialer->handle_deadline(time.now(), time.wall(), dialer_out);
    sort();
  }
  void open(Buffer& bytes) {
    srtp::ReceiveContext* context = server->receive_context();
    if (!context) return;
    srtp::PacketToUnprotect opening{.context = context, .packet = bytes, .outcome = {}};
    transform.unprotect(std::span(&opening, 1));
    if (!opening.outcome) return;
    server->confirm_peer(time.now());
    bytes.resize(*opening.outcome);
    server_received.push_back(bytes);
  }
};

TEST(Dialer, connects_and_receives) {
  Call call({});
  EXPECT_NE(call.dialer->offer().find("a=recvonly"), std::string::npos);
  EXPECT_NE(call.dialer->offer().find("198.51.100.7 40000"), std::string::npos);
  ASSERT_TRUE(call.connect());
  EXPECT_TRUE(call.dialer->offer().empty());
  ASSERT_TRUE(call.dialer->agreement());
  EXPECT_EQ(call.dialer->agreement()->sections.size(), 1u);
  std::vector<Buffer> sent;
  for (std::uint16_t i = 0; i < 200; ++i) {
    sent.push_back(make_rtp(i));
    call.send(sent.back());
  }
  ASSERT_TRUE(call.run([&] { return call.rtp.size() == 200; }));
  EXPECT_EQ(call.rtp, sent);
  EXPECT_EQ(call.dialer->stats().rtp_received, 200u);
  EXPECT_EQ(call.dialer->stats().srtp_refused, 0u);
}

TEST(Dialer, connects_and_sends) {
  Call call({.direction = sdp::Direction::kSendOnly});
  EXPECT_FALSE(call.dialer->send_rtp(make_rtp(1), call.dialer_out));
  ASSERT_TRUE(call.connect());
  EXPECT_TRUE(call.dialer->send_rtp(make_rtp(1), call.dialer_out));
  EXPECT_TRUE(call.dialer->send_rtcp(make_report(77), call.dialer_out));
  EXPECT_FALSE(call.dialer->send_rtp(Buffer(5, 0x80), call.dialer_out));
  ASSERT_TRUE(call.run([&] { return call.server_received.size() == 2; }));
  EXPECT_EQ(call.server_received[0], make_rtp(1));
  EXPECT_EQ(call.server_received[1], make_report(77));
  EXPECT_EQ(call.dialer->stats().rtp_sent, 1u);
  EXPECT_EQ(call.dialer->stats().rtcp_sent, 1u);
}

TEST(Dialer, connects_over_a_bad_link) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Call call(
        {.link = {.jitter = Duration::milliseconds(10), .loss = 0.1, .duplication = 0.05, .reordering = 0.1},
         .seed = seed});
    ASSERT_TRUE(call.connect());
    for (std::uint16_t i = 0; i < 100; ++i) call.send(make_rtp(i));
    call.run([] { return false; }, Duration::seconds(2));
    EXPECT_GE(call.rtp.size(), 70u);
    EXPECT_LE(call.rtp.size(), 100u);  // What came twice is refused.
    EXPECT_FALSE(call.closed);
  }
}

TEST(Dialer, may_find_its_socket_after_the_answer) {
  Call call({.has_candidate = false});
  call.dial();
  call.run([] { return false; }, Duration::seconds(5));
  EXPECT_FALSE(call.connected);
  call.dialer->add_local_candidate(call.time.now(), {.local = 0, .candidate = host_candidate(kDialerAddress)},
                                   call.dialer_out);
  EXPECT_TRUE(call.run([&] { return call.connected.has_value(); }));
}

TEST(Dialer, has_data_channels) {
  Call call({});
  ASSERT_TRUE(call.connect());
  auto channel = call.dialer->open_channel(call.time.now(), {.label = "chat"}, call.dialer_out);
  ASSERT_TRUE(channel);
  EXPECT_TRUE(call.dialer->send_data(call.time.now(), *channel, sctp::MessageKind::kText,
                                     SharedBytes::copy_of(as_bytes("hello")), call.dialer_out));
  auto heard = [&] {
    for (const DataEvent& event : call.server_data)
      if (auto* message = std::get_if<sctp::ChannelMessage>(&event))
        return as_text(message->payload) == "hello";
    return false;
  };
  EXPECT_TRUE(call.run(heard));
  auto is_ready = [](const DataEvent& event) { return std::holds_alternative<sctp::ChannelReady>(event); };
  EXPECT_TRUE(call.run([&] { return std::any_of(call.data.begin(), call.data.end(), is_ready); }));
}

TEST(Dialer, restarts_ice) {
  Call call({});
  ASSERT_TRUE(call.connect());
  ice::Credentials ours = test_credentials(11), theirs = test_credentials(12);
  std::string before = call.server->local_ice().ufrag;
  call.server->restart_ice(call.time.now(), theirs, ours, call.server_out);
  call.dialer->restart_ice(call.time.now(), ours, theirs, {}, call.dialer_out);
  ASSERT_TRUE(call.run([&] { return !call.server->has_ufrag(before); }));
  call.send(make_rtp(1));
  EXPECT_TRUE(call.run([&] { return call.rtp.size() == 1; }));
  EXPECT_FALSE(call.closed);
}

TEST(Dialer, refuses_what_is_no_answer) {
  Call call({});
  std::string answer = call.answer(call.dialer->offer());
  auto dial = [&](std::string_view text) {
    return call.dialer->handle_answer(call.time.now(), text, call.dialer_out);
  };
  EXPECT_EQ(dial("").error(), DialRefusal::kBadAnswer);
  EXPECT_EQ(dial("v=0\r\n").error(), DialRefusal::kBadAnswer);
  EXPECT_FALSE(dial(call.dialer->offer()));  // Two offers.
  for (std::string_view missing : {"a=ice-ufrag", "a=ice-pwd", "a=fingerprint"}) {
    std::string broken = answer;
    for (std::size_t at; (at = broken.find(missing)) != std::string::npos;)
      broken.erase(at, broken.find("\r\n", at) + 2 - at);
    EXPECT_FALSE(dial(broken)) << missing;
  }
  EXPECT_TRUE(dial(answer));
  EXPECT_EQ(dial(answer).error(), DialRefusal::kNotExpected);
  EXPECT_TRUE(call.run([&] { return call.connected.has_value(); }));
}

TEST(Dialer, takes_of_an_offer_only_what_it_was_told_to) {
  Call call({.direction = sdp::Direction::kSendOnly});  // Its offer is what a server could say.
  sdp::MediaSupport video;
  video.codecs = {{.payload = sdp::make_payload(96, sdp::Codec::kVp8, {}, {.pli = true})}};
  DialerConfig config{.local_ice = test_credentials(3)};
  config.video = &video;
  Dialer narrow(call.theirs, call.transform, config, Rng(9), call.time.now());
  DialerOutputs out;
  auto text = narrow.handle_offer(call.time.now(), call.dialer->offer(), out);
  ASSERT_TRUE(text);
  auto answer = sdp::parse(*text);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->sections[0].payloads.size(), 1u);
  EXPECT_EQ(answer->sections[0].payloads[0].codec, sdp::Codec::kVp8);
  EXPECT_EQ(answer->sections[0].payloads[0].feedback, (sdp::Feedback{.pli = true}));
  EXPECT_TRUE(answer->sections[0].extensions.empty());
}

TEST(Dialer, closes) {
  Call call({});
  ASSERT_TRUE(call.connect());
  call.dialer->close(call.time.now(), call.dialer_out);
  call.sort();
  ASSERT_TRUE(call.closed);
  EXPECT_EQ(call.closed->end, TransportEnd::kLocal);
  EXPECT_EQ(call.dialer->next_deadline(), Timestamp::never());
  EXPECT_FALSE(call.dialer->send_rtp(make_rtp(1), call.dialer_out));
  ASSERT_TRUE(call.run([&] { return call.server_closed.has_value(); }));
  EXPECT_EQ(call.server_closed->end, TransportEnd::kByPeer);

  Call unanswered({});
  unanswered.dialer->close(unanswered.time.now(), unanswered.dialer_out);
  EXPECT_TRUE(unanswered.dialer->is_closed());
  EXPECT_EQ(unanswered.dialer->handle_answer(unanswered.time.now(), "", unanswered.dialer_out).error(),
            DialRefusal::kNotExpected);
}

TEST(Dialer, counts_garbage) {
  Call call({});
  ASSERT_TRUE(call.connect());
  Rng rng(3);
  for (int i = 0; i < 2000; ++i) {
    Buffer garbage(rng.below(100) + 1);
    for (std::uint8_t& byte : garbage) byte = static_cast<std::uint8_t>(rng.next());
    ReceivedDatagram datagram{kUdpPath, i % 2 ? kServerAddress : kDialerAddress, garbage};
    call.dialer->handle_datagrams(call.time.now(), call.time.wall(), std::span(&datagram, 1),
                                  call.dialer_out);
    call.sort();
  }
  EXPECT_GT(call.dialer->stats().srtp_refused, 300u);
  EXPECT_GT(call.dialer->stats().unknown_datagrams, 300u);
  EXPECT_TRUE(call.rtp.empty());
  call.send(make_rtp(1));
  EXPECT_TRUE(call.run([&] { return call.rtp.size() == 1; }));
}

}  // namespace
}  // namespace stoa::webrtc
