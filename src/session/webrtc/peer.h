// A peer of a meeting: a session that negotiates again and again while it is connected. What it is to be
// sent and what it sends come and go in sections of one description; this keeps what both descriptions said
// so far. Descriptions in, descriptions out; no transport, no packets.
//
// One side makes all offers of a session (two that offer at once would have to roll back):
// - the peer: answer() (a single connection for both ways, or one that a client only publishes on);
// - we: offer(), accept() (a connection that a client only receives on).
//
// A section of a peer
// - keeps its mid and its place for good; where the peer stopped it (port 0), its place may get another mid
//   and begins anew (RFC 9429 §5.2.2);
// - that sends is a track, under a number that its mid keeps as long as there are numbers left (those of
//   mids that do not send are taken over); with another msid it is another track under the same number;
// - that receives may have an outlet of ours in it, its seat. An outlet that is gone leaves its section
//   inactive, and that may serve another outlet only after one exchange of descriptions said so: then the
//   receiver has closed the one track before it is told of the next.
//
// Redundancy of sound (RED) is agreed upon for each section by itself: from a publisher that prefers it, to
// whoever offers it or accepts it in our offer. Where it was and a later description has it no more, what is
// sent goes on without.
//
// Payload types and extension ids of ours stay what they were for the life of the session, those of a peer as
// long as their section does: packets under way know no versions (RFC 3264 §8.3.2, RFC 8285 §5).
#pragma once

#include <bitset>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/rng.h"
#include "media/payload/packet.h"
#include "proto/sdp/negotiate.h"
#include "session/webrtc/fan_out.h"
#include "session/webrtc/inbound_slot.h"
#include "session/webrtc/negotiation.h"

namespace stoa::webrtc {

// What a peer is to be sent, in a section of its own. Another encoding, or another msid, under the same key
// gets another section.
struct PeerOutlet {
  std::uint64_t key = 0;    // The owner's name for it, unique in the session.
  payload::RtpTrack track;  // What feeds it: tells which payload types fit.
  // a=msid. Requires: words of 1 to 256 visible characters.
  std::string stream_id, track_id;
};

// What the publisher of a track (by a=msid) wants to send, where its offer has it: the answer names it first.
struct PeerPreference {
  std::string track_id;
  std::optional<payload::Encoding> encoding;
  // Sound with redundancy (RED). Never unasked: where frames are encrypted nobody can take it apart.
  bool has_red = false;
};

// A section that the peer sends in.
struct PeerTrack {
  media::TrackId id = 0;  // As Published has it.
  std::string mid;
  media::Kind kind = media::Kind::kVideo;
  std::string stream_id, track_id;  // a=msid; empty where it has none.
  // Of its layers, in order, from the smallest picture as browsers have it. One empty text without simulcast.
  std::vector<std::string> rids;
  payload::Encoding encoding = payload::Encoding::kH264;  // The first that was agreed upon.
  bool is_new = false;  // Was not in the description before, or as another track.
  bool operator==(const PeerTrack&) const = default;
};

struct PeerSeat {
  std::uint64_t key = 0;
  std::string mid;
  std::size_t outlet = 0;  // For set_source(), set_layer_max(), outlet_stats(). Others' stay what they were.
  bool operator==(const PeerSeat&) const = default;
};

struct PeerOptions {
  std::string cname = "stoa";  // Of what we send.
  std::size_t layers_max = payload::kLayersMax;
  std::optional<std::uint64_t> video_bps_max;
};

// An outlet and its section. Without `config` it may not be sent yet: its offer is not answered.
struct SeatedOutlet {
  PeerSeat seat;
  std::optional<OutletConfig> config;
};

class PeerNegotiation {
 public:
  PeerNegotiation(PeerOptions options, std::uint64_t session_id, Rng rng);
  ~PeerNegotiation();

  struct Answered {
    std::string answer;
    sdp::Agreement agreement;
    RemoteTransport remote;
    dtls::Role dtls_role = dtls::Role::kServer;
    bool restarts_ice = false;  // The peer has new credentials, the answer those of `fresh`.
    std::vector<PeerTrack> tracks;
    std::vector<InboundSlot> inbound;  // Of the agreement: which track each section is.
    std::vector<std::uint64_t> unseated, unsupported;
  };
  // `local` has the credentials in use, or those to begin with. Nothing changes where this refuses.
  Result<Answered, NegotiationFault> answer(std::string_view offer, std::span<const PeerOutlet> outlets,
                                            const LocalDescription& local, const ice::Credentials& fresh);

  // For answers to come.
  void prefer(std::span<const PeerPreference> preferences) {
    preferences_.assign(preferences.begin(), preferences.end());
  }
  // Takes the seats of those that are not in the list any more; done by the others as well.
  void release(std::span<const PeerOutlet> outlets);
  struct Offered {
    std::string offer;
    std::vector<std::uint64_t> unseated;  // No room, or no payload type left for the format.
  };
  // Nothing while an offer is not answered.
  std::optional<Offered> offer(std::span<const PeerOutlet> outlets, const LocalDescription& local);
  struct Accepted {
    sdp::Agreement agreement;
    RemoteTransport remote;
    dtls::Role dtls_role = dtls::Role::kServer;
    std::vector<std::uint64_t> rejected;
  };
  // may_restart: the offer had new credentials, so the answer may. Nothing changes where this refuses.
  Result<Accepted, NegotiationFault> accept(std::string_view answer, bool may_restart);

  // All that have a section now, by outlet.
  std::vector<SeatedOutlet> seated() const;
  const std::string& cname() const { return options_.cname; }
  bool has_open_offer() const { return open_offer_.has_value(); }

 private:
  struct Seat {
    std::uint64_t key = 0;
    std::size_t outlet = 0;
    payload::Encoding encoding = payload::Encoding::kH264;
    sdp::LocalSource source;
    std::optional<OutletConfig> config;
  };
  struct Section {
    sdp::MediaKind kind = sdp::MediaKind::kOther;
    std::string mid;
    std::optional<media::TrackId> track;  // Of the mid.
    bool is_sending = false;              // The peer, as the last descriptions say.
    sdp::Msid msid;                       // Of what it sends.
    std::optional<Seat> seat;
    bool is_draining = false;                   // Its outlet is gone, and no descriptions said so yet.
    bool is_stopped = false;                    // Port 0: its place is free for another mid.
    std::vector<sdp::ExtensionMap> extensions;  // As the peer offered them.
    std::vector<sdp::SupportedCodec> codecs;    // Where we offer: what it is offered with.
  };
  // A format that we offer, and the payload type that it has for good. The next one repairs it.
  struct Format {
    sdp::Codec codec;
    sdp::CodecFormat format;
    std::uint8_t type;
  };
  struct Sources {
    std::uint32_t ssrc = 0;
    std::optional<std::uint32_t> rtx_ssrc;
  };
  // What all descriptions so far come to; a copy is changed first.
  struct State {
    std::vector<Section> sections;  // By place.
    std::bitset<kOutletsMax> outlets;
    std::vector<Format> formats;
    std::vector<std::uint32_t> ssrcs;  // Ours, of all times.
    std::deque<Sources> retired;       // Of them, those of outlets that are gone.
    std::uint64_t version = 0;         // Of our descriptions.
    std::uint32_t next_mid = 0;        // Where we offer.
    std::optional<RemoteTransport> remote;
    dtls::Role role = dtls::Role::kServer;
  };
  struct Exchange;  // One offer that is being answered.

  static void release(State& state, std::span<const PeerOutlet> outlets);
  static bool is_seated(const State& state, std::uint64_t key);
  static void vacate(State& state, Section& section);
  std::optional<Sources> draw_sources(State& state, bool has_rtx);
  // False where there is no number left for it.
  bool seat(State& state, Section& section, const PeerOutlet& outlet, bool has_rtx);
  static Section* find_free(State& state, sdp::MediaKind kind);
  static std::vector<sdp::SupportedCodec> codecs_of(State& state, const payload::RtpTrack& track);
  std::optional<sdp::SessionDescription> write_offer(const State& state, const LocalDescription& local) const;
  void settle_section(State& state, std::size_t index, const sdp::SessionDescription& answer,
                      Accepted& accepted) const;
  LocalDescription ours(const State& state, const LocalDescription& local) const;

  std::vector<PeerPreference> preferences_;
  PeerOptions options_;
  std::uint64_t session_id_;
  Rng rng_;
  State state_;
  std::optional<sdp::SessionDescription> open_offer_;
};

}  // namespace stoa::webrtc
