// Which section and layer an SSRC belongs to (RFC 9143 §9.2, RFC 8852): what was signalled, else the mid and
// rid that packets and SDES carry, else the payload type where one section alone has it.
//
// Only SSRCs that found a place are remembered, one for each layer and one for its retransmissions, so a peer
// that probes with strange SSRCs fills nothing.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "media/payload/packet.h"
#include "proto/rtcp/reception.h"
#include "proto/sdp/negotiate.h"
#include "session/webrtc/inbound_slot.h"
#include "session/webrtc/receiver.h"

namespace stoa::webrtc {

// A layer keeps its SSRC until that was silent for so long. Stragglers of an old SSRC then cannot take the
// layer back, and a peer that changes SSRCs all the time makes us do little.
inline constexpr Duration kRebindSilence = Duration::milliseconds(500);

// A codec of a section in which packets come: what track it makes.
struct InboundCodec {
  payload::RtpTrack track;
  sdp::Feedback feedback;
  bool has_rtx = false;
  std::uint8_t payload_type = 0;
};

// A section that we receive in.
struct InboundSection {
  static constexpr std::uint8_t kNone = 0xff;

  std::string mid;
  std::vector<std::string> rids;  // Of each layer; empty where it has none. At most payload::kLayersMax.
  std::vector<InboundCodec> codecs;
  std::array<std::uint8_t, 128> media_types, rtx_types;  // Payload type to index of codec, or kNone.
  std::bitset<128> red_types;                            // Those of media_types that are RED of their codec.
  bool is_video = false;
  bool is_used = true;  // Else nobody sends in it, and nothing is placed in it.

  static InboundSection unused();

  std::uint32_t clock_rate() const { return is_video ? 90'000 : 48'000; }
  bool has_rids() const { return !rids.empty() && !rids.front().empty(); }
  std::optional<std::uint8_t> find_layer(std::string_view rid) const;
};
// The sections of an agreement that bring media, in order. At most media::kTracksPerPublicationMax.
std::vector<InboundSection> inbound_sections_of(const sdp::Agreement& agreement);
InboundSection inbound_section_of(const sdp::AgreedSection& agreed, media::TrackId id);

struct InboundPlace {
  std::uint8_t section = 0, layer = 0;
  bool is_rtx = false;
  bool operator==(const InboundPlace&) const = default;
};
struct InboundSource {
  InboundSource(std::uint32_t its_ssrc, InboundPlace its_place, std::uint32_t clock_rate)
      : ssrc(its_ssrc), place(its_place), reception(its_ssrc, clock_rate) {}

  std::uint32_t ssrc;
  InboundPlace place;
  void handle_packet(Timestamp now) {
    if (first_heard == Timestamp::never()) first_heard = now;
    has_begun = true;
    heard = now;
  }

  bool has_begun = false;  // A packet came, and no BYE since.
  Timestamp heard;         // The last one, once it has begun.
  Timestamp first_heard = Timestamp::never();
  rtcp::Reception reception;
};

// What a packet says of its own stream; empty where it says nothing.
struct StreamLabels {
  std::string_view mid, rid, repaired_rid;
};

class InboundDemux {
 public:
  InboundDemux(const sdp::Agreement& agreement, std::size_t streams_max);

  const std::vector<InboundSection>& sections() const { return sections_; }
  // Whether what is sent in a section would go on when it becomes `next`: the same layers of the same mid.
  bool goes_on(std::uint8_t slot, const InboundSection& next) const;
  // Another section at this place. What is known of its streams stays where it goes on, else it is dropped.
  void set_section(std::uint8_t slot, InboundSection next, bool goes_on);
  // Names SSRCs of a section that was set, as the peer signals them.
  void add_signalled(Timestamp now, const sdp::AgreedSection& agreed, std::uint8_t section);
  // The source of an RTP packet, placed now if it was not before. Valid until the next call.
  // Errors: kUnknownStream, kUnknownPayload, kTooManyStreams.
  Result<InboundSource*, ReceiveRefusal> place(Timestamp now, std::uint32_t ssrc, std::uint8_t payload_type,
                                               const StreamLabels& labels);
  // By what SDES says. Nothing happens where that does not suffice.
  void bind(Timestamp now, std::uint32_t ssrc, const StreamLabels& labels);
  // Another SSRC took this place over from one that was heard last at `last_media`. What repaired that one
  // speaks of numbers that mean nothing any more: it loses its place and gets none in this layer again.
  // Repairs that were first heard later belong to the new one and stay.
  void retire_repairs(InboundPlace place, Timestamp last_media);
  InboundSource* find(std::uint32_t ssrc);
  std::vector<InboundSource>& sources() { return sources_; }

 private:
  Result<InboundPlace, ReceiveRefusal> find_place(std::uint8_t payload_type,
                                                  const StreamLabels& labels) const;
  std::optional<std::uint8_t> find_section(std::uint8_t payload_type, const StreamLabels& labels) const;
  // Gives the place to this SSRC if nobody holds it who was heard of late.
  Result<InboundSource*, ReceiveRefusal> take_place(Timestamp now, std::uint32_t ssrc, InboundPlace place);

  std::size_t streams_max_;
  std::vector<InboundSection> sections_;
  std::vector<InboundSource> sources_;
  // By section and layer: the SSRC that repaired the one before.
  std::vector<std::array<std::optional<std::uint32_t>, payload::kLayersMax>> retired_repairs_;
  std::size_t last_found_ = 0;  // Packets come in runs.
};

}  // namespace stoa::webrtc
