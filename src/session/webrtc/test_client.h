// A WebRTC client with a camera and a screen, in virtual time: what a browser is to the server. What it sends
// can be told from what anybody else sends, and what it receives is put together again and looked at.
//
// Every picture and every sound carries its publisher and its number, and is filled with bytes that follow
// from both, so a receiver knows a whole one from a damaged one without having seen the original.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "media/codec_vectors.h"
#include "media/payload/depacketizer.h"
#include "media/payload/packetizer.h"
#include "proto/rtcp/packet.h"
#include "proto/rtcp/writer.h"
#include "proto/rtp/packet.h"
#include "proto/rtp/rtx.h"
#include "session/webrtc/dialer.h"
#include "session/webrtc/test_transports.h"

namespace stoa::webrtc {

// What a client is.
struct TestClientOptions {
  bool publishes = false;
  bool has_video = true, has_audio = true, has_data = false;
  payload::Encoding video = payload::Encoding::kH264;  // A publisher offers this one alone, a viewer all.
  bool has_one_encoding = false;                       // A viewer too.
  // Pictures that a decoder takes, in place of those that can be numbered. H.264 only.
  bool has_real_pictures = false;
  bool has_receiver =
      true;  // Of a viewer; without it nothing is repaired, and packets are kept as they came.
  bool checks_pictures = true;  // Of a viewer: they are from a TestClient.
  SocketAddress server = kServerAddress;
  SocketAddress address{IpAddress::v4(198, 51, 100, 7), 40'000};
  std::uint64_t seed = 1;
  sim::Link::Config link;
  Duration picture_interval = Duration::milliseconds(40), sound_interval = Duration::milliseconds(20);
  int keyframe_every = 50;
  std::size_t picture_bytes = 3000;
  // Of a publisher: so many sizes of each picture (simulcast), each longer by `layer_bytes` than the one
  // below.
  std::size_t layers = 1, layer_bytes = 3000;
  std::uint16_t first_sequence = 100;
  std::uint32_t first_timestamp = 1000;
  Duration wait_max = Duration::milliseconds(500);  // For repairs.
};

// What a picture or a sound says of itself.
struct Told {
  std::uint64_t publisher = 0, number = 0;
  Timestamp at;
  std::int64_t timestamp = 0;
  bool is_keyframe = false;
  std::size_t layer = 0;
};
// A packet as it came, of a viewer without a receiver.
struct Came {
  std::uint32_t ssrc = 0;
  std::uint8_t payload_type = 0;
  std::uint64_t index = 0;
  std::uint32_t timestamp = 0;
};

class TestClient {
 public:
  using Options = TestClientOptions;
  static constexpr std::size_t kHistory = 2048;

  TestClient(sim::VirtualTime& clock, srtp::Transform& transform, const Options& given)
      : options(given),
        up(clock, options.link, Rng(options.seed * 31 + 1)),
        down(clock, options.link, Rng(options.seed * 31 + 2)),
        time_(clock),
        rng_(options.seed) {
    shared_.srtp = &transform.kernel();
    shared_.identity = test_identity(static_cast<int>(options.seed % 3));
    DialerConfig config{.local_ice = test_credentials(options.seed + 1000)};
    config.candidates = {{.local = 0, .candidate = host_candidate(options.address)}};
    config.has_receiver = options.has_receiver && !options.publishes;
    video_.support = sdp::make_video_support();
    if (options.publishes || options.has_one_encoding) {
      std::erase_if(video_.support.codecs, [&](const sdp::SupportedCodec& codec) {
        return payload::find_encoding(codec.payload.name) != options.video;
      });
    }
    audio_.support = sdp::make_audio_support();
    if (options.has_video) offer(config, video_, sdp::MediaKind::kVideo);
    for (std::size_t i = 1; i < options.layers; ++i) {
      if (i == 1) config.sections.back().send_layers = {{.id = "0"}};
      config.sections.back().send_layers.push_back({.id = std::to_string(i)});
      config.sections.back().source->rtx_ssrc.reset();
    }
    if (options.has_audio) offer(config, audio_, sdp::MediaKind::kAudio);
    if (options.has_data) {
      sdp::OfferedSection section{.kind = sdp::MediaKind::kData, .mid = "data"};
      section.data = sdp::SctpParameters{};
      config.sections.push_back(section);
    }
    dialer = std::make_unique<Dialer>(shared_, transform, config, Rng(options.seed + 7), time_.now());
    video_.packetizer = std::make_unique<payload::Packetizer>(payload::PacketizerConfig{
        .encoding = options.video, .payload_bytes_max = 1100, .first_picture_id = 32'700});
    if (options.video == payload::Encoding::kH264)
      (void)video_.packetizer->set_record(media::vectors::shared(media::vectors::kH264HighConfig));
    audio_.packetizer = std::make_unique<payload::Packetizer>(
        payload::PacketizerConfig{.encoding = payload::Encoding::kOpus, .payload_bytes_max = 1100});
    for (std::size_t i = 1; i < options.layers; ++i) {
      Track& layer = higher_.emplace_back();
      layer.ssrc = video_.ssrc + static_cast<std::uint32_t>(i);
      layer.sequence = video_.sequence;
      layer.base = video_.base;
      layer.clock_rate = video_.clock_rate;
      layer.packetizer = std::make_unique<payload::Packetizer>(payload::PacketizerConfig{
          .encoding = options.video, .payload_bytes_max = 1100, .first_picture_id = 32'700});
      if (options.video == payload::Encoding::kH264)
        (void)layer.packetizer->set_record(media::vectors::shared(media::vectors::kH264HighConfig));
    }
    video_.interval = options.picture_interval;
    audio_.interval = options.sound_interval;
  }

  bool handle_answer(std::string_view answer) {
    bool is_taken = dialer->handle_answer(time_.now(), answer, out_).has_value();
    sort();
    return is_taken;
  }
  Timestamp next_event() const {
    Timestamp at = std::min(dialer->next_deadline(), down.next_arrival());
    for (const auto& [track, depacketizer] : depacketizers_) at = std::min(at, depacketizer->next_deadline());
    if (is_sending()) at = std::min({at, video_.due, audio_.due, report_due_});
    return at;
  }
  // All that is due: media, what arrived, deadlines.
  void step() {
    std::vector<Buffer> arrived = down.take_arrived();
    std::vector<ReceivedDatagram> datagrams;
    for (Buffer& bytes : arrived) datagrams.push_back({kUdpPath, options.server, bytes});
    if (!datagrams.empty()) dialer->handle_datagrams(time_.now(), time_.wall(), datagrams, out_);
    sort();  // While the datagrams are there.
    if (dialer->next_deadline() <= time_.now()) dialer->handle_deadline(time_.now(), time_.wall(), out_);
    sort();
    for (auto& [track, depacketizer] : depacketizers_) {
      if (depacketizer->next_deadline() <= time_.now()) depacketizer->handle_deadline(time_.now(), frames_);
      take_frames(track);
    }
    if (is_sending()) send_media();
    sort();
  }
  // What it believes that its path carries.
  void send_remb(std::uint64_t bits_per_second) {
    rtcp::Writer writer;
    EXPECT_TRUE(writer.write_receiver_report(1, {}) && writer.write_remb(1, bits_per_second, {}));
    (void)dialer->send_rtcp(writer.view(), out_);
    sort();
  }
  void request_keyframe() {
    dialer->request_keyframe(time_.now(), 0, 0, out_);
    sort();
  }
  void close() {
    dialer->close(time_.now(), out_);
    sort();
  }
  void say(std::string_view text) {
    if (!channel_) {
      auto opened = dialer->open_channel(time_.now(), {.label = "test"}, out_);
      if (opened) channel_ = *opened;
    }
    if (channel_)
      (void)dialer->send_data(time_.now(), *channel_, sctp::MessageKind::kText,
                              SharedBytes::copy_of(as_bytes(text)), out_);
    sort();
  }
  void restart_ice(const ice::Credentials& ours, const ice::Credentials& theirs) {
    dialer->restart_ice(time_.now(), ours, theirs, {}, out_);
    sort();
  }

  bool is_connected() const { return dialer->is_connected(); }
  bool is_closed() const { return closed.has_value(); }
  // Pictures that came after the first are the next ones, without a gap.
  static bool is_gapless(const std::vector<Told>& told) {
    for (std::size_t i = 1; i < told.size(); ++i)
      if (told[i].number != told[i - 1].number + 1 || told[i].publisher != told[i - 1].publisher)
        return false;
    return true;
  }

  Options options;
  sim::Link up, down;
  std::unique_ptr<Dialer> dialer;
  bool is_cut = false, is_paused = false;
  // How its datagrams reach the server: from an address that is not its own; over a TCP connection.
  std::optional<SocketAddress> claims;
  LocalPath local = kUdpPath;
  std::optional<TransportClosed> closed;
  std::vector<std::string> texts;
  // Received.
  std::vector<Told> pictures, sounds;
  std::vector<Came> came;
  std::size_t damaged = 0, lost = 0, tracks_opened = 0;
  std::map<media::TrackId, std::vector<std::int64_t>> sequences;  // In the order of arrival.
  bool keeps_sequences = false;
  std::vector<Buffer> real_pictures;
  // Sent.
  std::uint64_t pictures_sent = 0, sounds_sent = 0, retransmitted = 0, keyframes_asked = 0;

 private:
  struct Track {
    sdp::MediaSupport support;
    std::unique_ptr<payload::Packetizer> packetizer;
    std::uint32_t ssrc = 0, rtx_ssrc = 0, clock_rate = 0, base = 0;
    std::uint8_t payload_type = 0;
    std::optional<std::uint8_t> rtx_type;
    rtp::ExtensionList names;  // Of its section and layer.
    std::string mid, rid;
    std::uint16_t sequence = 0, rtx_sequence = 1;
    Duration interval;
    Timestamp began, due = Timestamp::never();
    std::uint64_t number = 0;
    std::uint32_t packets = 0, octets = 0;
    bool is_agreed = false;
    std::vector<Buffer> history = std::vector<Buffer>(kHistory);
  };

  void offer(DialerConfig& config, Track& track, sdp::MediaKind kind) {
    bool is_video = kind == sdp::MediaKind::kVideo;
    sdp::OfferedSection section{.kind = kind, .mid = is_video ? "v" : "a", .media = &track.support};
    section.direction = options.publishes ? sdp::Direction::kSendOnly : sdp::Direction::kRecvOnly;
    track.clock_rate = is_video ? 90'000 : 48'000;
    track.ssrc = static_cast<std::uint32_t>(rng_.next() | 1);
    track.rtx_ssrc = track.ssrc ^ 0x5555'5554;
    track.sequence = options.first_sequence;
    track.base = options.first_timestamp;
    if (options.publishes) {
      section.source = {.msid = {"stream", section.mid}, .cname = "client", .ssrc = track.ssrc};
      if (is_video) section.source->rtx_ssrc = track.rtx_ssrc;
    }
    config.sections.push_back(section);
  }
  bool is_sending() const { return options.publishes && is_connected() && !is_paused; }

  std::uint32_t timestamp_at(const Track& track, Timestamp at) const {
    auto ticks = static_cast<__int128>((at - track.began).ns()) * track.clock_rate / 1'000'000'000;
    return track.base + static_cast<std::uint32_t>(ticks);
  }
  void begin(Track& track, sdp::MediaKind kind) {
    for (const sdp::AgreedSection& section : dialer->agreement()->sections) {
      if (section.kind != kind || section.send_layers.empty()) continue;
      track.is_agreed = true;
      track.payload_type = section.codecs[0].send_payload_type;
      track.rtx_type = section.codecs[0].send_rtx_type;
      track.began = track.due = time_.now();
      if (kind == sdp::MediaKind::kVideo && !higher_.empty()) begin_layers(section);
    }
  }
  void begin_layers(const sdp::AgreedSection& section) {
    name(video_, section, 0);
    for (std::size_t i = 0; i < higher_.size(); ++i) {
      higher_[i].is_agreed = true;
      higher_[i].payload_type = video_.payload_type;
      higher_[i].began = video_.began;
      name(higher_[i], section, i + 1);
    }
  }
  void name(Track& track, const sdp::AgreedSection& section, std::size_t layer) {
    track.mid = section.mid;
    track.rid = std::to_string(layer);
    for (const sdp::AgreedExtension& extension : section.extensions)
      if (extension.extension == sdp::HeaderExtension::kMid) {
        track.names.add(extension.id, as_bytes(track.mid));
      } else if (extension.extension == sdp::HeaderExtension::kRid) {
        track.names.add(extension.id, as_bytes(track.rid));
      }
  }
  void send_media() {
    for (; video_.is_agreed && video_.due <= time_.now(); video_.due += video_.interval) {
      bool is_key = video_.number % static_cast<std::uint64_t>(options.keyframe_every) == 0 ||
                    std::exchange(is_keyframe_wanted_, false);
      send_frame(video_, make_picture(is_key, video_.number));
      for (std::size_t i = 0; i < higher_.size(); ++i) {
        higher_[i].due = video_.due;
        send_frame(higher_[i], make_picture(is_key, higher_[i].number, i + 1));
      }
      ++pictures_sent;
    }
    for (; audio_.is_agreed && audio_.due <= time_.now(); audio_.due += audio_.interval) {
      send_frame(audio_, make_sound(audio_.number));
      ++sounds_sent;
    }
    if (report_due_ > time_.now()) return;
    report_due_ = time_.now() + Duration::seconds(1);
    for (Track* track : {&video_, &audio_}) {
      if (!track->is_agreed || track->packets == 0) continue;
      rtcp::Writer writer;
      writer.write_sender_report(track->ssrc,
                                 {.ntp = rtcp::NtpTime::from_wall(time_.wall()),
                                  .rtp_time = timestamp_at(*track, time_.now()),
                                  .packets = track->packets,
                                  .octets = track->octets},
                                 {});
      writer.write_cname(track->ssrc, "client");
      (void)dialer->send_rtcp(writer.view(), out_);
    }
  }
  void send_frame(Track& track, const Buffer& frame) {
    std::uint32_t timestamp = timestamp_at(track, track.due);
    ASSERT_TRUE(track.packetizer->handle_frame(frame, timestamp, payloads_));
    for (std::size_t i = 0; i < payloads_.size(); ++i) {
      Buffer packet(1500);
      auto size = rtp::write({.marker = payloads_.has_marker(i),
                              .payload_type = track.payload_type,
                              .sequence = track.sequence,
                              .timestamp = timestamp,
                              .ssrc = track.ssrc},
                             track.names, payloads_[i], packet);
      ASSERT_TRUE(size);
      packet.resize(*size);
      (void)dialer->send_rtp(packet, out_);
      ++track.packets;
      track.octets += static_cast<std::uint32_t>(payloads_[i].size());
      track.history[track.sequence % kHistory] = std::move(packet);
      ++track.sequence;
    }
    ++track.number;
  }
  void retransmit(Track& track, std::uint16_t sequence) {
    const Buffer& packet = track.history[sequence % kHistory];
    auto parsed = rtp::parse(packet);
    if (!parsed || parsed->header.sequence != sequence) return;
    ++retransmitted;
    if (!track.rtx_type) return (void)dialer->send_rtp(packet, out_);
    Buffer again(packet.size() + rtp::kOriginalSequenceBytes);
    auto size = rtp::write_rtx(packet, {track.rtx_ssrc, *track.rtx_type}, track.rtx_sequence++, again);
    if (size) (void)dialer->send_rtp(Bytes(again).first(*size), out_);
  }
  void handle_rtcp(Bytes datagram) {
    auto reader = rtcp::Reader::open(datagram, rtcp::Form::kReducedSize);
    if (!reader) return;
    while (auto packet = reader->next()) {
      if (!*packet) continue;
      std::visit(Overloaded{[&](const rtcp::Nack& nack) {
                              Track& track = nack.media_ssrc == video_.ssrc ? video_ : audio_;
                              nack.for_each([&](std::uint16_t number) { retransmit(track, number); });
                            },
                            [&](const rtcp::Pli&) {
                              is_keyframe_wanted_ = true;
                              ++keyframes_asked;
                            },
                            [](const auto&) {}},
                 **packet);
    }
  }

  // Pictures and sounds: front, then publisher and number as eight bytes each, then what follows from them.
  static void fill(Buffer& frame, std::uint64_t publisher, std::uint64_t number, std::size_t bytes) {
    ByteWriter told;
    told.u64(publisher);
    told.u64(number);
    Buffer front = told.take();
    frame.insert(frame.end(), front.begin(), front.end());
    Rng rng(publisher * 1'000'003 + number);
    for (std::size_t i = 0; i < bytes; ++i) frame.push_back(static_cast<std::uint8_t>(rng.next() | 1));
  }
  Buffer front_of(bool is_key, std::size_t layer) const {
    if (options.video == payload::Encoding::kVp8) {
      if (!is_key) return {0x11, 0, 0};
      return {0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x00, 0x30, 0x00};
    }
    auto size = static_cast<std::uint32_t>(1 + 16 + options.picture_bytes + layer * options.layer_bytes);
    ByteWriter front;
    front.u32(size);
    front.u8(is_key ? 0x65 : 0x41);
    return front.take();
  }
  Buffer make_picture(bool is_key, std::uint64_t number, std::size_t layer = 0) const {
    if (options.has_real_pictures)
      return media::vectors::from_hex(is_key ? media::vectors::kH264HighFirst
                                             : media::vectors::kH264HighSecond);
    Buffer frame = front_of(is_key, layer);
    frame.resize(frame.size() + layer * options.layer_bytes, 1);
    fill(frame, options.seed, number, options.picture_bytes);
    return frame;
  }
  Buffer make_sound(std::uint64_t number) const {
    if (options.has_real_pictures) return media::vectors::from_hex(media::vectors::kOpusStereoFirst);
    Buffer frame{0xfc};  // 20 ms of CELT.
    fill(frame, options.seed, number, 60);
    return frame;
  }
  void look_at(media::TrackId track, payload::FrameReady& ready) {
    bool is_sound = encodings_[track] == payload::Encoding::kOpus;
    if (!options.checks_pictures) {
      auto& told = is_sound ? sounds : pictures;
      told.push_back({.at = time_.now(), .timestamp = ready.timestamp, .is_keyframe = ready.is_keyframe});
      if (!is_sound) real_pictures.push_back(std::move(ready.frame));
      return;
    }
    std::size_t body = is_sound ? 16 + 60 : 16 + options.picture_bytes;
    if (ready.frame.size() < body) return void(++damaged);
    Bytes tail = Bytes(ready.frame).last(body);
    ByteReader reader(tail);
    Told told{.publisher = reader.u64(),
              .number = reader.u64(),
              .at = time_.now(),
              .timestamp = ready.timestamp,
              .is_keyframe = ready.is_keyframe,
              .layer = (ready.frame.size() - body) / options.layer_bytes};
    Buffer expected;
    fill(expected, told.publisher, told.number, body - 16);
    if (!std::equal(tail.begin(), tail.end(), expected.begin(), expected.end())) return void(++damaged);
    (is_sound ? sounds : pictures).push_back(told);
  }
  void take_frames(media::TrackId track) {
    for (auto& output : frames_.take()) {
      std::visit(Overloaded{[&](payload::FrameReady& ready) { look_at(track, ready); },
                            [&](payload::FramesLost& gone) {
                              lost += static_cast<std::size_t>(gone.last_sequence - gone.first_sequence + 1);
                            },
                            [&](payload::KeyframeNeeded&) {
                              dialer->request_keyframe(time_.now(), track, 0, out_);
                            }},
                 output);
    }
  }
  void open_track(media::TrackId track, payload::Encoding encoding) {
    encodings_[track] = encoding;
    depacketizers_[track] = std::make_unique<payload::Depacketizer>(
        payload::DepacketizerConfig{.encoding = encoding, .wait_max = options.wait_max});
  }
  void handle_packets(const PacketsReceived& received) {
    payload::Depacketizer& depacketizer = *depacketizers_.at(received.track);
    for (std::size_t i = 0; i < received.batch.count; ++i) {
      const payload::Packet& packet = received.batch[i];
      if (keeps_sequences) sequences[received.track].push_back(packet.sequence);
      (void)depacketizer.handle_packet(time_.now(),
                                       {.sequence = packet.sequence,
                                        .timestamp = packet.timestamp,
                                        .marker = packet.marker,
                                        .payload = received.batch.payload(i)},
                                       frames_);
    }
    take_frames(received.track);
  }
  // Of one who has no receiver: by the payload types that were agreed upon.
  void handle_raw(const RtpReceived& received) {
    auto parsed = rtp::parse(received.packet);
    ASSERT_TRUE(parsed);
    const rtp::Header& header = parsed->header;
    for (const sdp::AgreedSection& section : dialer->agreement()->sections) {
      for (const sdp::AgreedCodec& codec : section.codecs) {
        if (codec.receive_payload_type != header.payload_type) continue;
        came.push_back({header.ssrc, header.payload_type, received.srtp_index, header.timestamp});
        bool is_video = section.kind == sdp::MediaKind::kVideo;
        media::TrackId track = is_video ? 0 : 1;
        if (!depacketizers_.contains(track))
          open_track(track, is_video ? options.video : payload::Encoding::kOpus);
        (void)depacketizers_.at(track)->handle_packet(
            time_.now(),
            {.sequence = static_cast<std::int64_t>(received.srtp_index),
             .timestamp = header.timestamp,
             .marker = header.marker,
             .payload = parsed->payload},
            frames_);
        take_frames(track);
        return;
      }
    }
  }
  void sort() {
    while (!out_.empty()) {
      for (DialerOutput& output : out_.take()) {
        std::visit(Overloaded{[&](SendPacket& packet) {
                                if (!is_cut && packet.path.remote == options.server) up.send(packet.bytes);
                              },
                              [&](TransportConnected&) {
                                begin(video_, sdp::MediaKind::kVideo);
                                begin(audio_, sdp::MediaKind::kAudio);
                                report_due_ = time_.now() + Duration::milliseconds(100);
                              },
                              [&](TransportClosed& end) { closed = end; },
                              [&](DataEvent& event) {
                                if (auto* message = std::get_if<sctp::ChannelMessage>(&event))
                                  texts.emplace_back(as_text(message->payload));
                              },
                              [&](TrackOpened& opened) {
                                ++tracks_opened;
                                open_track(opened.track.id, opened.track.encoding);
                              },
                              [&](PacketsReceived& received) { handle_packets(received); },
                              [&](RtpReceived& received) { handle_raw(received); },
                              [&](RtcpReceived& received) {
                                if (options.publishes) handle_rtcp(received.packet);
                              },
                              [](auto&) {}},
                   output);
      }
    }
  }

  const sim::VirtualTime& time_;
  Rng rng_;
  TransportShared shared_;
  DialerOutputs out_;
  Track video_, audio_;
  std::vector<Track> higher_;  // Layers above the first.
  Timestamp report_due_ = Timestamp::never();
  bool is_keyframe_wanted_ = false;
  payload::PayloadList payloads_;
  payload::DepacketizerOutputs frames_;
  std::map<media::TrackId, std::unique_ptr<payload::Depacketizer>> depacketizers_;
  std::map<media::TrackId, payload::Encoding> encodings_;
  std::optional<sctp::StreamId> channel_;
};

}  // namespace stoa::webrtc
