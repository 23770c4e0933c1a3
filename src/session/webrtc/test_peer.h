// A port and peers of a meeting that negotiate again and again, in virtual time. Peers send pictures (VP8, or
// VP9 in layers) and sounds of one packet each, that say whose they are and which; what they get is kept as
// it came. Sound is sent with the packet before it (RED) where that was agreed upon.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "media/payload/red.h"
#include "media/payload/test_red.h"
#include "media/payload/vp9.h"
#include "proto/rtcp/packet.h"
#include "proto/rtcp/writer.h"
#include "proto/rtp/extension_values.h"
#include "proto/rtp/packet.h"
#include "session/webrtc/dialer.h"
#include "session/webrtc/port.h"
#include "session/webrtc/test_transports.h"

namespace stoa::webrtc {

struct PeerGot {
  std::uint64_t index = 0;  // Of SRTP.
  std::uint32_t ssrc = 0, tag = 0, number = 0, timestamp = 0;
  std::uint8_t payload_type = 0;
  std::string mid;
  bool is_keyframe = false;
  std::size_t earlier = 0;  // Frames that came along with it: RED.
};

class PeerClient {
 public:
  // What it sends in one section.
  struct Sending {
    std::size_t section = 0;
    std::uint32_t ssrc = 0, tag = 0, number = 0;
    std::uint16_t sequence = 500;
    std::uint32_t pattern = 0;  // Of temporal layers.
    bool is_on = true, wants_keyframe = true;
    Buffer before;                      // The payload of the packet before.
    std::optional<std::uint8_t> level;  // Of sounds, as RFC 6464 says it.
    std::string rid;                    // Of one of several layers.
    std::size_t filler = 0;             // So many bytes longer than it need be.
    bool is_scalable = false;           // VP9 with three spatial and temporal layers (L3T3_KEY).
  };

  PeerClient(sim::VirtualTime& clock, srtp::Transform& transform, std::uint64_t seed, bool has_receiver,
             std::vector<sdp::OfferedSection> first = {})
      : address{IpAddress::v4(198, 51, 100, 7), static_cast<std::uint16_t>(40'000 + seed)},
        up(clock, {}, Rng(seed * 31 + 1)),
        down(clock, {}, Rng(seed * 31 + 2)),
        sections(std::move(first)),
        time_(clock),
        transform_(transform),
        seed_(seed),
        has_receiver_(has_receiver) {
    shared_.srtp = &transform.kernel();
    shared_.identity = test_identity(static_cast<int>(seed % 3));
  }

  // Offers, and accepts, redundancy of sound. Before all else.
  void take_red() {
    sdp::Payload red = sdp::make_payload(63, sdp::Codec::kRed, sdp::RedFormat{{111, 111}});
    red.clock_rate = 48'000;
    red.channels = 2;
    audio_.codecs.push_back({.payload = std::move(red)});
  }
  void take_no_red() {
    std::erase_if(audio_.codecs, [](const auto& codec) { return codec.payload.codec == sdp::Codec::kRed; });
  }
  // Sections, to be offered with the next negotiation.
  std::string send(sdp::MediaKind kind, const std::string& track_id, std::uint32_t tag) {
    std::string mid = add(kind, sdp::Direction::kSendOnly);
    sendings.push_back(
        {.section = sections.size() - 1, .ssrc = static_cast<std::uint32_t>(seed_ * 1000 + tag), .tag = tag});
    sections.back().source =
        sdp::LocalSource{.msid = {"stream", track_id}, .cname = "peer", .ssrc = sendings.back().ssrc};
    return mid;
  }
  // One picture in several sizes, with tags from this one on, each longer by `filler` than the one before.
  void send_layers(const std::string& track_id, std::uint32_t tag, const std::vector<std::string>& rids,
                   std::size_t filler) {
    send(sdp::MediaKind::kVideo, track_id, tag);
    const Sending first = sendings.back();
    sendings.pop_back();
    for (std::uint32_t i = 0; i < rids.size(); ++i) {
      sections.back().send_layers.push_back({.id = rids[i]});
      sendings.push_back(first);
      Sending& sending = sendings.back();
      sending.ssrc += i;
      sending.tag += i;
      sending.rid = rids[i];
      sending.filler = filler * (i + 1);
    }
  }
  // The same as layers of one stream, which refer to lower ones in keyframes alone.
  void send_scalable(const std::string& track_id, std::uint32_t tag, std::size_t filler) {
    send(sdp::MediaKind::kVideo, track_id, tag);
    sendings.back().is_scalable = true;
    sendings.back().filler = filler;
  }
  std::string receive(sdp::MediaKind kind) { return add(kind, sdp::Direction::kRecvOnly); }
  void add_data() {
    sections.push_back({.kind = sdp::MediaKind::kData, .mid = std::to_string(next_mid_++)});
    sections.back().data = sdp::SctpParameters{};
  }
  std::string offer(bool restarts = false) {
    if (!dialer) {
      make_dialer();
      return dialer->offer();
    }
    std::optional<ice::Credentials> fresh;
    if (restarts) fresh = test_credentials(seed_ + 5000 + ++restarts_);
    auto offered = dialer->offer_again(sections, fresh);
    EXPECT_TRUE(offered);
    return offered ? *offered : std::string();
  }
  bool handle_answer(std::string_view answer) {
    bool is_taken = dialer->handle_answer(time_.now(), answer, out_).has_value();
    sort();
    return is_taken;
  }
  std::string answer(std::string_view offer) {
    if (!dialer) make_dialer();
    auto answered = dialer->handle_offer(time_.now(), offer, out_);
    EXPECT_TRUE(answered) << offer;
    sort();
    return answered ? *answered : std::string();
  }
  void close() {
    dialer->close(time_.now(), out_);
    sort();
  }
  sctp::StreamId open_channel(const std::string& label) {
    auto channel = dialer->open_channel(time_.now(), {.label = label}, out_);
    EXPECT_TRUE(channel);
    sort();
    return channel.value_or(0);
  }

  void send_rtcp(Bytes packet) {
    (void)dialer->send_rtcp(packet, out_);
    sort();
  }
  // What it believes that its path carries.
  void send_remb(std::uint64_t bits_per_second) {
    rtcp::Writer writer;
    EXPECT_TRUE(writer.write_receiver_report(1, {}) && writer.write_remb(1, bits_per_second, {}));
    send_rtcp(writer.view());
  }
  void send_data(sctp::StreamId channel, std::string_view text) {
    EXPECT_TRUE(dialer->send_data(time_.now(), channel, sctp::MessageKind::kBytes,
                                  SharedBytes(std::string(text)), out_));
    sort();
  }

  Timestamp next_event() const {
    Timestamp at = down.next_arrival();
    if (!dialer) return at;
    at = std::min(at, dialer->next_deadline());
    return dialer->is_connected() && !sendings.empty() ? std::min(at, due_) : at;
  }
  void step() {
    std::vector<Buffer> arrived = down.take_arrived();
    std::vector<ReceivedDatagram> datagrams;
    for (Buffer& bytes : arrived) datagrams.push_back({kUdpPath, kServerAddress, bytes});
    if (!datagrams.empty()) dialer->handle_datagrams(time_.now(), time_.wall(), datagrams, out_);
    sort();
    if (dialer->next_deadline() <= time_.now()) dialer->handle_deadline(time_.now(), time_.wall(), out_);
    sort();
    if (!dialer->is_connected() || due_ > time_.now()) return;
    due_ = time_.now() + Duration::milliseconds(20);
    for (Sending& sending : sendings) send_next(sending);
    sort();
  }
  bool is_connected() const { return dialer && dialer->is_connected(); }
  // Of one that was sent with this tag, in the order of arrival.
  std::vector<PeerGot> of(std::uint32_t tag) const {
    std::vector<PeerGot> found;
    for (const PeerGot& one : got)
      if (one.tag == tag) found.push_back(one);
    return found;
  }
  Sending& sending(std::uint32_t tag) {
    for (Sending& one : sendings)
      if (one.tag == tag) return one;
    ADD_FAILURE() << tag;
    return sendings.front();
  }

  SocketAddress address;
  sim::Link up, down;
  std::unique_ptr<Dialer> dialer;
  std::vector<sdp::OfferedSection> sections;
  std::vector<Sending> sendings;
  std::vector<PeerGot> got;
  std::map<media::TrackId, std::size_t> packets;  // With a receiver.
  std::vector<media::TrackId> opened, closed_tracks;
  std::vector<std::string> channels;
  std::vector<std::string> messages;  // Of all channels.
  std::optional<TransportClosed> closed;
  bool is_cut = false;

 private:
  std::string add(sdp::MediaKind kind, sdp::Direction direction) {
    sections.push_back({.kind = kind, .mid = std::to_string(next_mid_++)});
    sections.back().media = kind == sdp::MediaKind::kVideo ? &video_ : &audio_;
    sections.back().direction = direction;
    return sections.back().mid;
  }
  void make_dialer() {
    DialerConfig config{.local_ice = test_credentials(seed_ + 1000)};
    config.candidates = {{.local = 0, .candidate = host_candidate(address)}};
    config.has_receiver = has_receiver_;
    config.audio = &audio_;
    config.sections = sections;
    dialer = std::make_unique<Dialer>(shared_, transform_, config, Rng(seed_ + 7), time_.now());
  }
  void send_next(Sending& sending) {
    const sdp::OfferedSection& section = sections[sending.section];
    const sdp::AgreedSection* agreed = dialer->agreement()->find_section(section.mid);
    if (!agreed || agreed->send_layers.empty() || !sending.is_on) return;
    const bool is_video = section.kind == sdp::MediaKind::kVideo;
    const sdp::Codec wanted = sending.is_scalable ? sdp::Codec::kVp9
                              : is_video          ? sdp::Codec::kVp8
                                                  : sdp::Codec::kOpus;
    const sdp::AgreedCodec* codec = nullptr;
    for (const sdp::AgreedCodec& one : agreed->codecs)
      if (one.codec == wanted) codec = &one;
    if (!codec) return;
    if (sending.is_scalable) return send_picture(sending, *agreed, codec->send_payload_type);
    Buffer payload{0xfc};
    if (is_video && std::exchange(sending.wants_keyframe, false)) {
      payload = {0x10, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01};
    } else if (is_video) {
      payload = {0x10, 0x11, 0x02, 0x00};
    }
    payload.resize(payload.size() + sending.filler);
    ByteWriter told;
    told.u32(sending.tag);
    told.u32(sending.number++);
    Buffer tail = told.take();
    payload.insert(payload.end(), tail.begin(), tail.end());
    std::uint8_t type = codec->send_payload_type;
    Buffer before = std::exchange(sending.before, payload);
    for (const sdp::AgreedCodec& red : agreed->codecs)
      if (red.codec == sdp::Codec::kRed && !is_video && !before.empty()) {
        payload = payload::make_red(type, {{960, std::move(before)}}, payload);
        type = red.send_payload_type;
        break;
      }
    send_payload(sending, *agreed, type, payload, true);
  }
  // All layers of it, a packet each.
  void send_picture(Sending& sending, const sdp::AgreedSection& agreed, std::uint8_t type) {
    static constexpr std::array<std::uint8_t, 4> kTemporal{0, 2, 1, 2};
    const bool is_keyframe = std::exchange(sending.wants_keyframe, false);
    if (is_keyframe) sending.pattern = 0;
    const std::uint8_t temporal = kTemporal[sending.pattern++ % 4];
    for (std::uint8_t s = 0; s < 3; ++s) {
      payload::Vp9Descriptor descriptor;
      descriptor.picture_id = static_cast<std::uint16_t>(sending.number & 0x7fff);
      descriptor.is_inter_predicted = !is_keyframe;
      descriptor.starts_layer_frame = descriptor.ends_layer_frame = true;
      descriptor.is_upper_reference = is_keyframe && s < 2;
      descriptor.layer =
          payload::Vp9Descriptor::Layer{.temporal_id = temporal,
                                        .spatial_id = s,
                                        .is_switch_point = true,
                                        .depends_on_lower = is_keyframe && s > 0,
                                        .tl0_index = static_cast<std::uint8_t>(sending.number)};
      payload::PayloadList list;
      payload::write_vp9_descriptor(descriptor, list);
      list.u8(is_keyframe && s == 0 ? 0x80 : 0x84);
      for (std::size_t i = 0; i < sending.filler * (s + 1u); ++i) list.u8(0);
      ByteWriter told;
      told.u32(sending.tag + s);
      told.u32(sending.number);
      list.bytes(told.take());
      list.end_payload();
      send_payload(sending, agreed, type, list[0], s == 2);
    }
    ++sending.number;
  }
  void send_payload(Sending& sending, const sdp::AgreedSection& agreed, std::uint8_t type, Bytes payload,
                    bool ends_picture) {
    const bool is_video = agreed.kind == sdp::MediaKind::kVideo;
    rtp::ExtensionList list;
    for (const sdp::AgreedExtension& extension : agreed.extensions)
      if (extension.extension == sdp::HeaderExtension::kMid) {
        list.add(extension.id, as_bytes(agreed.mid));
      } else if (extension.extension == sdp::HeaderExtension::kRid && !sending.rid.empty()) {
        list.add(extension.id, as_bytes(sending.rid));
      } else if (extension.extension == sdp::HeaderExtension::kAudioLevel && sending.level) {
        list.add(extension.id, rtp::write_audio_level({.level = *sending.level, .has_voice = true}));
      }
    Buffer packet(1500);
    auto size = rtp::write({.marker = ends_picture,
                            .payload_type = type,
                            .sequence = sending.sequence++,
                            .timestamp = sending.number * (is_video ? 1800u : 960u),
                            .ssrc = sending.ssrc},
                           list, payload, packet);
    ASSERT_TRUE(size);
    (void)dialer->send_rtp(Bytes(packet).first(*size), out_);
  }
  void handle_raw(const RtpReceived& received) {
    auto parsed = rtp::parse(received.packet);
    ASSERT_TRUE(parsed);
    if (parsed->payload.size() < 9) return;  // Retransmitted, or padding.
    PeerGot one{.index = received.srtp_index,
                .ssrc = parsed->header.ssrc,
                .timestamp = parsed->header.timestamp,
                .payload_type = parsed->header.payload_type};
    const std::size_t tail = parsed->payload.size() - 8;
    ByteReader reader(parsed->payload.subspan(tail));
    one.tag = reader.u32();
    one.number = reader.u32();
    one.is_keyframe = tail >= 11 && parsed->payload[0] == 0x10 && parsed->payload[1] == 0x10;
    for (const sdp::AgreedSection& section : dialer->agreement()->sections)
      for (const sdp::AgreedCodec& codec : section.codecs)
        if (codec.codec == sdp::Codec::kRed && codec.receive_payload_type == one.payload_type)
          one.earlier = count_earlier(parsed->payload, section.codecs.front().receive_payload_type);
    for (const sdp::AgreedSection& section : dialer->agreement()->sections)
      for (const sdp::AgreedExtension& extension : section.extensions)
        if (extension.extension == sdp::HeaderExtension::kMid && one.mid.empty())
          if (auto found = rtp::find_element(parsed->extension, extension.id))
            one.mid = std::string(as_text(found->value));
    got.push_back(std::move(one));
  }
  static std::size_t count_earlier(Bytes payload, std::uint8_t type) {
    auto red = payload::parse_red(payload, type);
    EXPECT_TRUE(red);
    return red ? red->earlier_count() : 0;
  }
  void handle_rtcp(Bytes datagram) {
    auto reader = rtcp::Reader::open(datagram, rtcp::Form::kReducedSize);
    while (reader) {
      auto packet = reader->next();
      if (!packet) return;
      const auto* pli = *packet ? std::get_if<rtcp::Pli>(&**packet) : nullptr;
      for (Sending& sending : sendings) sending.wants_keyframe |= pli && pli->media_ssrc == sending.ssrc;
    }
  }
  void sort() {
    while (!out_.empty()) {
      for (DialerOutput& output : out_.take()) {
        std::visit(
            Overloaded{[&](SendPacket& packet) {
                         if (!is_cut) up.send(packet.bytes);
                       },
                       [&](TransportClosed& end) { closed = end; },
                       [&](TrackOpened& track) { opened.push_back(track.track.id); },
                       [&](TrackClosed& track) { closed_tracks.push_back(track.track); },
                       [&](PacketsReceived& received) { packets[received.track] += received.batch.count; },
                       [&](DataEvent& event) {
                         if (auto* channel = std::get_if<sctp::ChannelOpened>(&event))
                           channels.push_back(channel->settings.label);
                         if (auto* message = std::get_if<sctp::ChannelMessage>(&event))
                           messages.emplace_back(as_text(message->payload));
                       },
                       [&](RtpReceived& received) { handle_raw(received); },
                       [&](RtcpReceived& received) { handle_rtcp(received.packet); }, [](auto&) {}},
            output);
      }
    }
  }

  const sim::VirtualTime& time_;
  srtp::Transform& transform_;
  std::uint64_t seed_, restarts_ = 0;
  bool has_receiver_;
  TransportShared shared_;
  DialerOutputs out_;
  sdp::MediaSupport video_ = sdp::make_video_support(), audio_ = sdp::make_audio_support();
  Timestamp due_;
  int next_mid_ = 0;
};

class PeerWorld {
 public:
  explicit PeerWorld(PortConfig config = {})
      : transform(crypto::make_srtp_kernel()),
        port(with_candidates(std::move(config)), test_identity(0), crypto::make_srtp_kernel(), Rng(77)) {
    time.advance(Duration::seconds(1));
  }

  PeerClient& add_client(bool has_receiver = false) {
    clients.push_back(std::make_unique<PeerClient>(time, transform, clients.size() + 1, has_receiver));
    return *clients.back();
  }
  // The peer offers, and is given what answers.
  Result<PeerAnswered, OpenFault> negotiate(PeerClient& client, const std::vector<PeerOutlet>& outlets = {},
                                            bool restarts = false,
                                            const std::vector<PeerPreference>& preferences = {}) {
    auto answered = port.answer_peer(time.now(), sessions[&client], client.offer(restarts), outlets, {}, out_,
                                     preferences);
    EXPECT_TRUE(answered) << answered.error().negotiation.text;
    if (answered) {
      sessions[&client] = answered->session;
      EXPECT_TRUE(client.handle_answer(answered->answer)) << answered->answer;
      feed(answered->session, answered->seats);
    }
    carry();
    return answered;
  }
  // We offer, and the peer answers.
  struct Offered {
    PeerOffered offered;
    PeerAccepted accepted;
  };
  std::optional<Offered> serve(PeerClient& client, const std::vector<PeerOutlet>& outlets,
                               bool restarts = false) {
    if (!sessions[&client].is_set()) sessions[&client] = *port.open_offering_peer(time.now(), {});
    auto offered = port.make_offer(time.now(), sessions[&client], outlets, restarts, out_);
    EXPECT_TRUE(offered);
    if (!offered) return std::nullopt;
    std::string answer = client.answer(offered->offer);
    auto accepted = port.accept_answer(time.now(), sessions[&client], answer, out_);
    EXPECT_TRUE(accepted) << accepted.error().text;
    if (!accepted) return std::nullopt;
    feed(sessions[&client], accepted->seats);
    carry();
    return Offered{std::move(*offered), std::move(*accepted)};
  }
  SessionId session_of(const PeerClient& client) { return sessions[&client]; }
  // An outlet that is fed from what `publisher` sends as track `track`.
  PeerOutlet outlet(std::uint64_t key, const PeerClient& publisher, media::TrackId track,
                    const std::string& track_id = "t") {
    const std::uint64_t source = source_key(sessions[&publisher], track);
    EXPECT_TRUE(tracks.contains(source)) << "track " << int{track};
    sources[key] = source;
    return {
        .key = key, .track = tracks[source], .stream_id = "s", .track_id = track_id + std::to_string(key)};
  }

  bool run_until(const std::function<bool()>& is_met, Duration most = Duration::seconds(10)) {
    auto next = [&] {
      Timestamp at = port.next_deadline();
      for (const auto& client : clients) at = std::min({at, client->next_event(), client->up.next_arrival()});
      return at;
    };
    return webrtc::run_until(time, most, is_met, next, [&] { step(); });
  }
  void run_for(Duration duration) {
    run_until([] { return false; }, duration);
  }
  void close(PeerClient& client) {
    port.close(time.now(), session_of(client), out_);
    carry();
  }
  void carry() {
    for (bool has_more = true; has_more || !out_.empty();) {
      for (PortOutput& output : out_.take()) handle(output);
      batch_.clear();
      has_more = port.fill(time.now(), batch_);
      for_each_packet(batch_, [&](LocalPath, const SocketAddress& to, Bytes packet) { send(to, packet); });
    }
  }

  sim::VirtualTime time;
  srtp::Transform transform;  // Of the clients.
  Port port;
  std::vector<std::unique_ptr<PeerClient>> clients;
  std::map<const PeerClient*, SessionId> sessions;
  std::map<std::uint64_t, payload::RtpTrack> tracks;  // By source_key(): what is open.
  std::map<std::uint64_t, StreamId> streams;
  std::map<std::uint64_t, std::uint64_t> sources;  // By the key of an outlet.
  std::vector<SessionId> connected, closed, lost, back;
  std::vector<TransportEnd> ends;
  std::vector<std::string> channels;
  std::vector<std::pair<SessionId, media::TrackId>> closed_tracks;
  PortOutputs out_;

  static std::uint64_t source_key(SessionId session, media::TrackId track) {
    return session.value() * 32 + track;
  }

 private:
  static PortConfig with_candidates(PortConfig config) {
    config.candidates = {host_candidate(kServerAddress)};
    return config;
  }
  void feed(SessionId session, const std::vector<PeerSeat>& seats) {
    for (const PeerSeat& seat : seats)
      if (sources.contains(seat.key) && streams.contains(sources[seat.key]))
        port.set_source(time.now(), session, seat.outlet, streams[sources[seat.key]], out_);
  }
  void step() {
    std::vector<Buffer> arrived;
    std::vector<SocketAddress> from;
    for (const auto& client : clients) {
      for (Buffer& bytes : client->up.take_arrived()) {
        from.push_back(client->address);
        arrived.push_back(std::move(bytes));
      }
    }
    std::vector<ReceivedDatagram> datagrams;
    for (std::size_t i = 0; i < arrived.size(); ++i) datagrams.push_back({kUdpPath, from[i], arrived[i]});
    if (!datagrams.empty()) {
      port.handle_datagrams(time.now(), time.wall(), datagrams, out_);
      carry();
    }
    if (port.next_deadline() <= time.now()) port.handle_deadline(time.now(), time.wall(), out_);
    carry();
    for (const auto& client : clients)
      if (client->next_event() <= time.now()) client->step();
  }
  void send(const SocketAddress& to, Bytes bytes) {
    for (const auto& client : clients)
      if (client->address == to && !client->is_cut) client->down.send(bytes);
  }
  void handle(PortOutput& output) {
    std::visit(Overloaded{[&](SendDatagram& packet) { send(packet.remote, packet.bytes); },
                          [&](SessionConnected& session) { connected.push_back(session.session); },
                          [&](SessionClosed& end) {
                            closed.push_back(end.session);
                            ends.push_back(end.end);
                          },
                          [&](SessionPathLost& one) { lost.push_back(one.session); },
                          [&](SessionPathBack& one) { back.push_back(one.session); },
                          [&](Published& published) { pass_on(published); },
                          [&](DataReceived& data) {
                            if (auto* channel = std::get_if<sctp::ChannelOpened>(&data.event))
                              channels.push_back(channel->settings.label);
                          },
                          [&](StreamKeyframeWanted& wanted) {
                            for (const auto& [key, stream] : streams)
                              if (stream == wanted.stream)
                                port.request_keyframe(time.now(), SessionId::from_value(key / 32),
                                                      static_cast<media::TrackId>(key % 32), wanted.layer,
                                                      out_);
                          },
                          [](auto&) {}},
               output);
  }
  void pass_on(Published& published) {
    auto key = [&](media::TrackId track) { return source_key(published.session, track); };
    std::visit(Overloaded{[&](TrackOpened& opened) {
                            tracks[key(opened.track.id)] = opened.track;
                            streams[key(opened.track.id)] = port.fan_out().add_stream(opened.track);
                          },
                          [&](PacketsReceived& received) {
                            port.fan_out().append(time.now(), streams.at(key(received.track)),
                                                  received.batch);
                          },
                          [&](TrackClosed& gone) {
                            port.fan_out().remove_stream(streams.at(key(gone.track)));
                            streams.erase(key(gone.track));
                            tracks.erase(key(gone.track));
                            closed_tracks.emplace_back(published.session, gone.track);
                          },
                          [](auto&) {}},
               published.event);
  }

  DatagramBatch batch_;
};

}  // namespace stoa::webrtc
