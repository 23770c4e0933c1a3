// A receiver of audio and simulcast video with bytes as actions: packets and reports that are written by hand
// or raw, BYEs, time, requests, other agreements. What must hold: packets of open tracks only and no number
// of a layer twice, RTCP that reads back, deadlines that move on.
#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include "base/assert.h"
#include "proto/rtcp/packet.h"
#include "proto/rtcp/writer.h"
#include "proto/rtp/packet.h"
#include "session/webrtc/receiver.h"

namespace {

using namespace stoa;
using namespace stoa::webrtc;

constexpr std::array<std::uint8_t, 9> kTypes = {111, 96, 97, 98, 99, 100, 101, 13, 63};
constexpr std::array<std::string_view, 5> kMids = {"", "a", "v", "w", "x"};
constexpr std::array<std::string_view, 5> kRids = {"", "q", "h", "f", "x"};

sdp::AgreedCodec codec(sdp::Codec which, std::uint8_t type, std::optional<std::uint8_t> rtx) {
  sdp::AgreedCodec agreed;
  agreed.codec = which;
  agreed.channels = 2;
  agreed.receive_payload_type = type;
  agreed.receive_rtx_type = rtx;
  return agreed;
}

// Bits: compound RTCP only, RFC 8888, feedback on request, reference times, no PLI.
sdp::Agreement agreement(std::uint8_t choices) {
  sdp::Feedback feedback{
      .nack = true, .pli = (choices & 16) == 0, .fir = true, .remb = true, .transport_cc = true};
  feedback.ccfb = choices & 2;
  feedback.rrtr = choices & 8;
  sdp::AgreedSection audio;
  audio.mid = "a";
  audio.kind = sdp::MediaKind::kAudio;
  audio.has_rtcp_rsize = (choices & 1) == 0;
  using Extension = sdp::HeaderExtension;
  Extension transport = choices & 4 ? Extension::kTransportSequence2 : Extension::kTransportSequence;
  std::uint8_t id = 1;
  for (Extension extension :
       {Extension::kMid, Extension::kRid, Extension::kRepairedRid, transport, Extension::kAbsoluteCaptureTime,
        Extension::kDependencyDescriptor, Extension::kAbsoluteSendTime})
    audio.extensions.push_back({extension, id++, true, true});
  sdp::AgreedSection video = audio, other;
  audio.codecs = {codec(sdp::Codec::kOpus, 111, {}), codec(sdp::Codec::kRed, 63, {})};
  audio.codecs[1].receive_format = sdp::RedFormat{{111, 111}};
  audio.receive_layers = {{.ssrc = 1}};
  video.mid = "v";
  video.kind = sdp::MediaKind::kVideo;
  video.codecs = {codec(sdp::Codec::kVp8, 96, 97), codec(sdp::Codec::kH264, 98, 99),
                  codec(sdp::Codec::kAv1, 100, 101)};
  other = video;
  video.receive_layers = {{.rid = "q"}, {.rid = "h"}, {.rid = "f"}};
  other.mid = "w";
  other.receive_layers.resize(1);
  sdp::Agreement agreed;
  agreed.sections = {audio, video, other};
  for (auto& section : agreed.sections) {
    for (auto& each : section.codecs) each.feedback = feedback;
  }
  return agreed;
}

// The promises of receiver.h.
class Judge {
 public:
  void take(ReceiverOutputs& out) {
    for (auto& output : out.take()) std::visit([&](const auto& one) { see(one); }, output);
  }

 private:
  void see(const SendRtcp& sent) {
    STOA_ASSERT(sent.packet.size() <= rtcp::kDatagramBytes);
    auto reader = rtcp::Reader::open(sent.packet, rtcp::Form::kReducedSize);
    STOA_ASSERT(reader);
    while (auto packet = reader->next()) STOA_ASSERT(*packet);
  }
  void see(const TrackOpened& opened) {
    STOA_ASSERT(opened.track.id < 3 && !is_open_[opened.track.id]);
    is_open_[opened.track.id] = true;
  }
  void see(const TrackClosed& closed) {
    STOA_ASSERT(is_open_[closed.track]);
    is_open_[closed.track] = false;
  }

 public:
  // Another section than before, or none, has this number from here on.
  void replace(std::size_t track, std::size_t layers) {
    STOA_ASSERT(!is_open_[track]);
    layers_[track] = layers;
    for (auto& seen : seen_[track]) seen.clear();
  }

 private:
  void see(const PacketsReceived& received) {
    STOA_ASSERT(is_open_[received.track] && received.batch.count > 0);
    for (std::size_t i = 0; i < received.batch.count; ++i) {
      const payload::Packet& packet = received.batch[i];
      STOA_ASSERT(packet.layer < layers_[received.track]);
      STOA_ASSERT(seen_[received.track][packet.layer].insert(packet.sequence).second);
      STOA_ASSERT(packet.payload_bytes > 0 || packet.facts == payload::PayloadFacts{});
    }
  }
  void see(const TrackClockMapped& mapped) { STOA_ASSERT(is_open_[mapped.track]); }
  void see(const LayersActive& active) {
    STOA_ASSERT(is_open_[active.track] && active.layers < 1u << layers_[active.track]);
  }

  std::array<bool, 3> is_open_{};
  std::array<std::size_t, 3> layers_ = {1, 3, 1};
  std::array<std::array<std::set<std::int64_t>, 3>, 3> seen_;
};

class Driver {
 public:
  explicit Driver(std::uint8_t choices)
      : agreed_(agreement(choices)), receiver_(agreed_, {.streams_max = 8}, 0x5707a, Rng(choices), now_) {
    settle();
  }

  void act(ByteReader& input) {
    switch (input.u8() % 11) {
      case 0:
      case 1:
      case 2: return send(input);
      case 3: return send_raw(input);
      case 4: return send_raw_rtcp(input);
      case 5: return send_report(input);
      case 6: return let_time_pass(Duration::milliseconds(input.u16() % 4096));
      case 7: return receiver_.flush(now_, out_), settle();
      case 8: return receiver_.request_keyframe(now_, input.u8() % 4, input.u8() % 5, out_), settle();
      case 10: return update(input.u8());
      case 9: return receiver_.set_round_trip(Duration::milliseconds(input.u8() * 20)), settle();
    }
  }

 private:
  void deliver(Bytes bytes, std::uint64_t rollovers) {
    std::uint16_t sequence = 0;
    if (bytes.size() >= 4) sequence = static_cast<std::uint16_t>(bytes[2] << 8 | bytes[3]);
    (void)receiver_.handle_rtp(now_, bytes, rollovers << 16 | sequence, out_);
    judge_.take(out_);
  }

  void send(ByteReader& input) {
    std::uint8_t who = input.u8(), labels = input.u8();
    std::size_t stream = who % 16;
    position_[stream] += input.u8() % 8 == 7 ? static_cast<std::int8_t>(input.u8()) * 16 : 1;
    position_[stream] = std::max<std::int64_t>(position_[stream], 0);
    rtp::ExtensionList list;
    if (std::string_view mid = kMids[labels % 5]; !mid.empty()) list.add(1, as_bytes(mid));
    if (std::string_view rid = kRids[labels / 5 % 5]; !rid.empty())
      list.add(labels >= 128 ? 3 : 2, as_bytes(rid));
    std::array<std::uint8_t, 4> number = {0, transport_++, 0x80, 3};
    list.add(4, Bytes(number).first(labels % 3 == 0 ? 4 : 2));
    if (who & 16) list.add(5, input.take(std::min<std::size_t>(8, input.remaining())));
    if (who & 32) list.add(6, input.take(std::min<std::size_t>(5, input.remaining())));
    rtp::Header header{.marker = (who & 64) != 0,
                       .payload_type = kTypes[input.u8() % kTypes.size()],
                       .sequence = static_cast<std::uint16_t>(position_[stream]),
                       .timestamp = input.u16() * 100'000u,
                       .ssrc = static_cast<std::uint32_t>(stream)};
    std::array<std::uint8_t, 400> bytes;
    Bytes payload = input.take(std::min<std::size_t>(input.u8() % 32, input.remaining()));
    auto size = rtp::write(header, list, payload, bytes, {.padding_bytes = who & 128 ? 9u : 0u});
    if (size) deliver(Bytes(bytes).first(*size), static_cast<std::uint64_t>(position_[stream]) >> 16);
  }

  // Each number has one of the sections, another than the other numbers have, or none.
  void update(std::uint8_t what) {
    sdp::Agreement next = agreed_;
    for (std::size_t i = 0; i < 3; ++i) next.sections[i].index = i;
    if (what & 1) std::reverse(next.sections[1].codecs.begin(), next.sections[1].codecs.end());
    if (what & 2) next.sections[2].codecs.pop_back();
    std::vector<InboundSlot> slots;
    std::array<std::optional<std::size_t>, 3> now;
    std::array<bool, 3> is_new{};
    for (std::size_t i = 0; i < 3; ++i) {
      if (what >> (2 + i) & 1) continue;
      now[i] = what & 32 ? 2 - i : i;
      is_new[i] = what & 64 && i == 1;
      slots.push_back({.slot = static_cast<std::uint8_t>(i), .section = *now[i], .is_new = is_new[i]});
    }
    receiver_.update(now_, next, slots, out_);
    judge_.take(out_);
    for (std::size_t i = 0; i < 3; ++i)
      if (is_new[i] || now[i] != sections_[i])
        judge_.replace(i, now[i] ? next.sections[*now[i]].receive_layers.size() : 0);
    sections_ = now;
    settle();
  }

  void send_raw(ByteReader& input) {
    std::uint8_t rollovers = input.u8();
    deliver(input.take(std::min<std::size_t>(input.u8(), input.remaining())), rollovers);
  }

  void send_raw_rtcp(ByteReader& input) {
    Bytes bytes = input.take(std::min<std::size_t>(input.u8(), input.remaining()));
    receiver_.handle_rtcp(now_, wall(), bytes, out_);
    settle();
  }

  void send_report(ByteReader& input) {
    rtcp::Writer writer;
    std::uint32_t ssrc = input.u8() % 16;
    switch (input.u8() % 4) {
      case 0: writer.write_bye({&ssrc, 1}, ""); break;
      case 1: writer.write_reference_time(ssrc, rtcp::NtpTime::from_wall(wall())); break;
      case 2: {
        std::array<rtcp::SdesItem, 2> items = {
            {{ssrc, rtcp::SdesType::kMid, as_bytes("v")},
             {ssrc, input.u8() % 2 ? rtcp::SdesType::kRtpStreamId : rtcp::SdesType::kRepairedRtpStreamId,
              as_bytes(kRids[input.u8() % 5])}}};
        writer.write_source_description(items);
        break;
      }
      default: {
        rtcp::NtpTime ntp = rtcp::NtpTime::from_bits(std::uint64_t{input.u32()} << 32 | input.u16());
        writer.write_sender_report(ssrc, {.ntp = ntp, .rtp_time = input.u32()}, {});
      }
    }
    receiver_.handle_rtcp(now_, wall(), writer.view(), out_);
    settle();
  }

  void let_time_pass(Duration time) {
    Timestamp until = now_ + time;
    while (receiver_.next_deadline() <= until) {
      now_ = std::max(now_, receiver_.next_deadline());
      settle();
    }
    now_ = until;
  }

  // Runs what is due now.
  void settle() {
    judge_.take(out_);
    if (receiver_.next_deadline() > now_) return;
    receiver_.handle_deadline(now_, wall(), out_);
    judge_.take(out_);
    STOA_ASSERT(receiver_.next_deadline() > now_);
  }
  WallTime wall() const { return WallTime::from_seconds(1'800'000'000) + (now_ - Timestamp()); }

  Timestamp now_ = Timestamp::from_ns(1'000'000'000);
  sdp::Agreement agreed_;
  Receiver receiver_;
  ReceiverOutputs out_;
  std::array<std::optional<std::size_t>, 3> sections_ = {0, 1, 2};  // By number.
  Judge judge_;
  std::array<std::int64_t, 16> position_{};
  std::uint8_t transport_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader input(Bytes(data, size));
  Driver driver(input.u8());
  while (!input.at_end() && input.ok()) driver.act(input);
  return 0;
}
