// A port with a publisher, a viewer and bytes as actions: datagrams of both in any order, from any address,
// whole, changed or invented; RTP and RTCP of any content under good keys; commands of the owner; time. What
// must hold: every output of a session stands between its opening and its end, datagrams fit, deadlines move
// on, fill() comes to an end, and nothing is left of sessions that are closed.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <deque>
#include <set>

#include "base/assert.h"
#include "base/rng.h"
#include "crypto/srtp_kernel.h"
#include "session/webrtc/dialer.h"
#include "session/webrtc/port.h"

namespace {

using namespace stoa;
using namespace stoa::webrtc;

constexpr std::size_t kLineMax = 64;
constexpr std::size_t kSessionsMax = 4;
constexpr std::size_t kDatagramBytesMax = 1500;
constexpr WallTime kWall = WallTime::from_seconds(1'800'000'000);
const SocketAddress kServer{IpAddress::v4(192, 0, 2, 1), 7882};

// So that a crash is found again from its input.
Rng* randomness = nullptr;
int give_random(unsigned char* bytes, int count) {
  for (int i = 0; i < count; ++i) bytes[i] = static_cast<unsigned char>(randomness->next());
  return 1;
}
int always() { return 1; }
const RAND_METHOD kSeeded = {nullptr, give_random, nullptr, nullptr, give_random, always};

struct World {
  Rng rng{1};
  srtp::Transform transform{crypto::make_openssl_srtp_kernel()};
  TransportShared clients;
  std::shared_ptr<const dtls::Identity> identity;
  sdp::MediaSupport video = sdp::make_video_support(), audio = sdp::make_audio_support();
  World() {
    randomness = &rng;
    RAND_set_rand_method(&kSeeded);
    clients.srtp = &transform.kernel();
    clients.identity = dtls::Identity::make(kWall, Duration::seconds(86'400));
    identity = dtls::Identity::make(kWall, Duration::seconds(86'400));
  }
};

ice::Candidate host(const SocketAddress& address) {
  return {.foundation = "h",
          .priority = ice::candidate_priority(ice::CandidateType::kHost, 65'535),
          .address = address};
}
SocketAddress address_of(std::uint8_t number) {
  return {IpAddress::v4(198, 51, 100, static_cast<std::uint8_t>(1 + number)), 5000};
}

struct Client {
  std::unique_ptr<Dialer> dialer;
  SocketAddress address;
  DialerOutputs out;
  std::deque<Buffer> line;  // To the port.
  SessionId session;
  std::uint16_t sequence = 0;
};

class Driver {
 public:
  Driver(World& world, std::uint8_t flags)
      : port_(port_config(), world.identity, crypto::make_openssl_srtp_kernel(), Rng(3)) {
    for (std::uint8_t i = 0; i < 2; ++i) {
      bool publishes = i == 0;
      DialerConfig config{.local_ice = {std::string(4, static_cast<char>('a' + i)), std::string(24, 'p')}};
      clients_[i].address = address_of(i);
      config.candidates = {{.local = 0, .candidate = host(clients_[i].address), .peer = {}}};
      config.has_receiver = (flags & 1) != 0;
      for (bool is_video : {true, false}) {
        sdp::OfferedSection section;
        section.kind = is_video ? sdp::MediaKind::kVideo : sdp::MediaKind::kAudio;
        section.mid = is_video ? "v" : "a";
        section.media = is_video ? &world.video : &world.audio;
        section.direction = publishes ? sdp::Direction::kSendOnly : sdp::Direction::kRecvOnly;
        if (publishes)
          section.source = {.msid = {"s", section.mid},
                            .cname = "c",
                            .ssrc = is_video ? 1000u : 2000u,
                            .rtx_ssrc = is_video ? std::optional(1001u) : std::nullopt};
        config.sections.push_back(section);
      }
      if (flags & 2) {
        sdp::OfferedSection section;
        section.kind = sdp::MediaKind::kData;
        section.mid = "d";
        section.data = sdp::SctpParameters{};
        config.sections.push_back(section);
      }
      clients_[i].dialer =
          std::make_unique<Dialer>(world.clients, world.transform, config, Rng(10u + i), now_);
    }
    open(clients_[0], true);
    open(clients_[1], false);
    if (flags & 4) pass(Duration::seconds(1), true);
  }

  void act(ByteReader& input) {
    std::uint8_t what = input.u8();
    Client& client = clients_[what >> 7];
    switch (what % 16) {
      case 0: return pass(Duration::milliseconds(input.u16() % 20'000), false);
      case 1: return pass(Duration::milliseconds(4 * input.u8()), true);
      case 2: return deliver(client, address_of(input.u8() % 4));
      case 3: return deliver_changed(client, input);
      case 4: return invent(input);
      case 5:
        if (!client.line.empty()) client.line.pop_front();
        return;
      case 6: return send_rtp(client, input);
      case 7: return send_rtcp(client, input);
      case 8: return send_frame(input);
      case 9: return patch(client, input);
      case 10: return command(client, input);
      case 11: return say(client, input);
      case 12: client.address = address_of(input.u8() % 4); return;
      case 13: client.dialer->close(now_, client.out); return sort(client);
      default: return pass(Duration::milliseconds(20), true);
    }
  }
  void finish() {
    port_.close_all(now_, out_);
    settle();
    STOA_ASSERT(port_.sessions() == 0 && port_.entries() == 0 && open_.empty());
    STOA_ASSERT(port_.fan_out().senders() == 0);
  }

 private:
  static PortConfig port_config() {
    PortConfig config{.candidates = {host(kServer)}, .sessions_max = kSessionsMax};
    config.ice.paths_max = 3;
    return config;
  }
  void open(Client& client, bool publishes) {
    std::string answer;
    if (publishes) {
      auto opened = port_.open_publisher(now_, client.dialer->offer());
      if (!opened) return;
      client.session = opened->session;
      answer = opened->answer;
    } else {
      for (bool is_video : {true, false}) {
        payload::RtpTrack track;
        track.id = is_video ? 0 : 1;
        track.encoding = is_video ? payload::Encoding::kH264 : payload::Encoding::kOpus;
        if (is_video) track.profile = {0x42, 0xe0, 0x1f};
        if (streams_.size() < 2) streams_.push_back(port_.fan_out().add_stream(track));
        tracks_.push_back(track);
      }
      auto opened = port_.open_viewer(now_, client.dialer->offer(), tracks_);
      if (!opened) return;
      client.session = opened->session;
      answer = opened->answer;
      for (std::size_t i = 0; i < opened->outlets.size(); ++i)
        port_.set_source(now_, opened->session, i, streams_[opened->outlets[i].track], out_);
    }
    open_.insert(client.session.value());
    (void)client.dialer->handle_answer(now_, answer, client.out);
    sort(client);
    settle();
  }
  WallTime wall() const { return kWall + (now_ - Timestamp()); }

  // What came of an input to the port.
  void settle() {
    int rounds = 0;
    do {
      STOA_ASSERT(++rounds < 1000);
      for (PortOutput& output : out_.take()) {
        std::visit(
            Overloaded{
                [&](SendDatagram& packet) { send(packet.remote, packet.bytes); },
                [&](SessionConnected& connected) { STOA_ASSERT(open_.contains(connected.session.value())); },
                [&](SessionClosed& closed) { STOA_ASSERT(open_.erase(closed.session.value()) == 1); },
                [&](Published& published) {
                  STOA_ASSERT(open_.contains(published.session.value()));
                  pass_on(published);
                },
                [&](DataReceived& data) { STOA_ASSERT(open_.contains(data.session.value())); },
                [&](StreamKeyframeWanted& wanted) {
                  STOA_ASSERT(wanted.stream.is_set());
                  port_.request_keyframe(now_, clients_[0].session, 0, wanted.layer, out_);
                },
                [](auto&) {}},
            output);
      }
      batch_.clear();
      bool has_more = port_.fill(now_, batch_);
      for (const DatagramTrain& train : batch_.trains())
        for (Bytes rest = train.bytes; !rest.empty();) {
          Bytes packet = rest.first(std::min<std::size_t>(rest.size(), train.segment_bytes));
          send(train.remote, packet);
          rest = rest.subspan(packet.size());
        }
      if (!has_more && out_.empty()) break;
    } while (true);
    STOA_ASSERT(port_.sessions() == open_.size());
    STOA_ASSERT(port_.entries() <= kSessionsMax * 8);
  }
  void pass_on(Published& published) {
    if (auto* received = std::get_if<PacketsReceived>(&published.event))
      if (received->track < streams_.size())
        port_.fan_out().append(now_, streams_[received->track], received->batch);
    if (auto* mapped = std::get_if<TrackClockMapped>(&published.event))
      if (mapped->track < streams_.size() && mapped->layer == 0)
        port_.fan_out().map_clock(streams_[mapped->track], mapped->layer, mapped->mapping);
  }
  void send(const SocketAddress& to, Bytes bytes) {
    STOA_ASSERT(!bytes.empty() && bytes.size() <= kDatagramBytesMax);
    for (Client& client : clients_) {
      if (client.address != to) continue;
      Buffer copy(bytes.begin(), bytes.end());
      ReceivedDatagram datagram{kUdpPath, kServer, copy};
      client.dialer->handle_datagrams(now_, wall(), std::span(&datagram, 1), client.out);
      return sort(client);
    }
  }
  void sort(Client& client) {
    for (DialerOutput& output : client.out.take()) {
      auto* packet = std::get_if<SendPacket>(&output);
      if (!packet || packet->path.remote != kServer) continue;
      client.line.push_back(std::move(packet->bytes));
      if (client.line.size() > kLineMax) client.line.pop_front();
    }
  }
  void give(const SocketAddress& from, Buffer bytes, LocalPath local = kUdpPath) {
    ReceivedDatagram datagram{local, from, bytes};
    port_.handle_datagrams(now_, wall(), std::span(&datagram, 1), out_);
    settle();
  }
  void deliver(Client& client, const SocketAddress& from) {
    if (client.line.empty()) return;
    Buffer bytes = std::move(client.line.front());
    client.line.pop_front();
    give(from, std::move(bytes));
  }
  void deliver_changed(Client& client, ByteReader& input) {
    if (client.line.empty()) return;
    Buffer bytes = client.line.front();
    bytes[input.u16() % bytes.size()] ^= static_cast<std::uint8_t>(input.u8() | 1);
    give(client.address, std::move(bytes));
  }
  void invent(ByteReader& input) {
    std::uint8_t what = input.u8();
    Bytes bytes = input.take(std::min<std::size_t>(input.u8(), input.remaining()));
    give(address_of(what % 4), Buffer(bytes.begin(), bytes.end()), what >> 7 ? kUdpPaths : kUdpPath);
  }
  void send_rtp(Client& client, ByteReader& input) {
    Bytes bytes = input.take(std::min<std::size_t>(input.u8(), input.remaining()));
    Buffer packet(bytes.begin(), bytes.end());
    if (packet.empty()) return;
    packet[0] = static_cast<std::uint8_t>((packet[0] & 0x3f) | 0x80);
    (void)client.dialer->send_rtp(packet, client.out);
    sort(client);
  }
  void send_rtcp(Client& client, ByteReader& input) {
    Bytes bytes = input.take(std::min<std::size_t>(input.u8(), input.remaining()));
    if (bytes.size() < 8) return;
    Buffer packet(bytes.begin(), bytes.end());
    packet[0] = static_cast<std::uint8_t>((packet[0] & 0x3f) | 0x80);
    packet[1] = static_cast<std::uint8_t>(200 + packet[1] % 8);
    (void)client.dialer->send_rtcp(packet, client.out);
    sort(client);
  }
  // A picture in one packet, as the answer wants it.
  void send_frame(ByteReader& input) {
    Client& client = clients_[0];
    const sdp::Agreement* agreement = client.dialer->agreement();
    if (!agreement || agreement->sections.empty()) return;
    std::uint8_t what = input.u8();
    client.sequence = static_cast<std::uint16_t>(client.sequence + 1 + what % 4);
    ByteWriter packet;
    packet.u8(0x80);
    packet.u8(static_cast<std::uint8_t>(0x80 | agreement->sections[0].codecs[0].send_payload_type));
    packet.u16(client.sequence);
    packet.u32(client.sequence * 3000u);
    packet.u32(1000);
    packet.u8(what & 16 ? 0x65 : 0x41);
    packet.zeros(what);
    (void)client.dialer->send_rtp(packet.view(), client.out);
    sort(client);
    deliver(client, client.address);
  }
  void patch(Client& client, ByteReader& input) {
    std::uint8_t what = input.u8();
    std::string text = "a=ice-ufrag:new" + std::to_string(what) +
                       "\r\na=ice-pwd:pppppppppppppppppppppppp\r\nm=audio 9 RTP/AVP 0\r\na=mid:v\r\n";
    if (what & 1) text = std::string(as_text(input.take(std::min<std::size_t>(what, input.remaining()))));
    (void)port_.patch(now_, client.session, text, (what & 2) != 0, out_);
    settle();
  }
  void command(Client& client, ByteReader& input) {
    std::uint8_t what = input.u8();
    switch (what % 6) {
      case 0: port_.request_keyframe(now_, client.session, what >> 6, what >> 4 & 3, out_); break;
      case 1: port_.set_source(now_, client.session, what >> 6, streams_[what >> 5 & 1], out_); break;
      case 2: port_.set_source(now_, client.session, what >> 6, {}, out_); break;
      case 3:
        (void)port_.send_data(now_, client.session, what >> 4, sctp::MessageKind::kBytes,
                              SharedBytes(Buffer(what * 8u, 0x55)), out_);
        break;
      case 4: port_.handle_path_closed(now_, kUdpPaths, address_of(what >> 6), out_); break;
      default:
        if (what < 64) port_.close(now_, client.session, out_);
    }
    settle();
  }
  void say(Client& client, ByteReader& input) {
    std::uint8_t what = input.u8();
    if (what & 1) (void)client.dialer->open_channel(now_, {.label = "x", .protocol = {}}, client.out);
    (void)client.dialer->send_data(now_, static_cast<sctp::StreamId>(what >> 4), sctp::MessageKind::kText,
                                   SharedBytes(Buffer(what * 4u, 0x41)), client.out);
    sort(client);
  }
  void pass(Duration duration, bool delivers) {
    Timestamp end = now_ + duration;
    for (int i = 0;; ++i) {
      STOA_ASSERT(i < 20'000);  // A deadline that does not move on.
      if (delivers)
        for (int round = 0; round < 50; ++round)
          for (Client& client : clients_) deliver(client, client.address);
      Timestamp next = port_.next_deadline();
      for (Client& client : clients_) next = std::min(next, client.dialer->next_deadline());
      if (next > end) break;
      now_ = std::max(now_, next);
      for (Client& client : clients_) {
        client.dialer->handle_deadline(now_, wall(), client.out);
        sort(client);
      }
      if (port_.next_deadline() <= now_) port_.handle_deadline(now_, wall(), out_);
      settle();
    }
    now_ = end;
  }

  Timestamp now_ = Timestamp() + Duration::seconds(1);
  Port port_;
  PortOutputs out_;
  DatagramBatch batch_;
  std::array<Client, 2> clients_;
  std::vector<StreamId> streams_;
  std::vector<payload::RtpTrack> tracks_;
  std::set<std::uint64_t> open_;  // Sessions.
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  world.rng = Rng(1);
  ByteReader input(Bytes(data, std::min<std::size_t>(size, 512)));
  Driver driver(world, input.u8());
  while (input.ok() && !input.at_end()) driver.act(input);
  driver.finish();
  return 0;
}
