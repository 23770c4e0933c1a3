#include "session/webrtc/peer.h"

#include <algorithm>
#include <utility>

#include "proto/srtp/limits.h"
#include "session/webrtc/negotiation_impl.h"
#include "session/webrtc/offered_format.h"
#include "session/webrtc/peer_impl.h"

namespace stoa::webrtc {
namespace {

constexpr std::size_t kWordBytesMax = 256;

bool is_good_word(std::string_view text) {
  return !text.empty() && text.size() <= kWordBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

bool is_receiving_only(const sdp::MediaSection& section) {
  return section.is_rtp() && !section.is_rejected() && sdp::can_receive(section.direction) &&
         !sdp::can_send(section.direction);
}

bool is_of(const sdp::Payload& payload, payload::Encoding encoding) {
  return encoding_of(payload.codec) == encoding;
}

sdp::Msid msid_of(const sdp::AgreedSection& section) {
  return section.remote_msids.empty() ? sdp::Msid() : section.remote_msids.front();
}

}  // namespace

bool is_good(const PeerOutlet& outlet) {
  return is_good_word(outlet.stream_id) && is_good_word(outlet.track_id);
}

sdp::MediaKind kind_of(const PeerOutlet& outlet) {
  return outlet.track.is_video() ? sdp::MediaKind::kVideo : sdp::MediaKind::kAudio;
}

Result<void, NegotiationFault> expect_same_transport(const RemoteTransport& before,
                                                     const RemoteTransport& now, dtls::Role role_before,
                                                     dtls::Role role_now) {
  const bool is_known = std::all_of(
      now.fingerprints.begin(), now.fingerprints.end(), [&](const crypto::Fingerprint& fingerprint) {
        return std::find(before.fingerprints.begin(), before.fingerprints.end(), fingerprint) !=
               before.fingerprints.end();
      });
  if (!is_known)
    return fault(NegotiationRefusal::kTransportChanged,
                 "The certificate fingerprint is another than before; that takes a new session.");
  if (role_before != role_now)
    return fault(NegotiationRefusal::kTransportChanged,
                 "The DTLS role (a=setup) is another than before; that takes a new session.");
  return {};
}

PeerNegotiation::PeerNegotiation(PeerOptions options, std::uint64_t session_id, Rng rng)
    : options_(std::move(options)), session_id_(session_id), rng_(rng) {}
PeerNegotiation::~PeerNegotiation() = default;

LocalDescription PeerNegotiation::ours(const State& state, const LocalDescription& local) const {
  LocalDescription description = local;
  description.session_id = session_id_;
  description.session_version = state.version;
  description.is_dtls_client = state.remote && state.role == dtls::Role::kClient;
  return description;
}

// ---- Seats.

void PeerNegotiation::vacate(State& state, Section& section) {
  if (!section.seat) return;
  state.retired.push_back({section.seat->source.ssrc, section.seat->source.rtx_ssrc});
  state.outlets.reset(section.seat->outlet);
  section.seat.reset();
  section.is_draining = true;
}

void PeerNegotiation::release(State& state, std::span<const PeerOutlet> outlets) {
  for (Section& section : state.sections) {
    if (!section.seat) continue;
    const Seat& seat = *section.seat;
    const bool stays = std::any_of(outlets.begin(), outlets.end(), [&](const PeerOutlet& outlet) {
      return outlet.key == seat.key && outlet.track.encoding == seat.encoding &&
             outlet.stream_id == seat.source.msid.stream_id && outlet.track_id == seat.source.msid.track_id;
    });
    if (!stays) vacate(state, section);
  }
}

void PeerNegotiation::release(std::span<const PeerOutlet> outlets) { release(state_, outlets); }

// New ones as long as there are: what a receiver knows of one SSRC cannot then disturb another track. After
// that those that were given up longest ago, whose numbers go on.
std::optional<PeerNegotiation::Sources> PeerNegotiation::draw_sources(State& state, bool has_rtx) {
  const std::size_t needed = has_rtx ? 2 : 1;
  if (state.ssrcs.size() + needed > srtp::kSendStreamsMax) {
    auto found = std::find_if(state.retired.begin(), state.retired.end(), [&](const Sources& sources) {
      return sources.rtx_ssrc.has_value() == has_rtx;
    });
    if (found == state.retired.end()) return std::nullopt;
    Sources sources = *found;
    state.retired.erase(found);
    return sources;
  }
  auto draw = [&] {
    for (;;) {
      auto ssrc = static_cast<std::uint32_t>(rng_.next());
      if (ssrc == 0 || std::find(state.ssrcs.begin(), state.ssrcs.end(), ssrc) != state.ssrcs.end()) continue;
      state.ssrcs.push_back(ssrc);
      return ssrc;
    }
  };
  Sources sources;
  sources.ssrc = draw();
  if (has_rtx) sources.rtx_ssrc = draw();
  return sources;
}

bool PeerNegotiation::seat(State& state, Section& section, const PeerOutlet& outlet, bool has_rtx) {
  std::size_t free = 0;
  while (free < state.outlets.size() && state.outlets[free]) ++free;
  if (free == state.outlets.size()) return false;
  auto sources = draw_sources(state, has_rtx);
  if (!sources) return false;
  state.outlets.set(free);
  section.seat = Seat{.key = outlet.key, .outlet = free, .encoding = outlet.track.encoding};
  section.seat->source = {.msid = {outlet.stream_id, outlet.track_id},
                          .cname = options_.cname,
                          .ssrc = sources->ssrc,
                          .rtx_ssrc = sources->rtx_ssrc};
  return true;
}

bool PeerNegotiation::is_seated(const State& state, std::uint64_t key) {
  return std::any_of(state.sections.begin(), state.sections.end(),
                     [&](const Section& section) { return section.seat && section.seat->key == key; });
}

std::vector<SeatedOutlet> PeerNegotiation::seated() const {
  std::vector<SeatedOutlet> all;
  for (const Section& section : state_.sections)
    if (section.seat)
      all.push_back({{section.seat->key, section.mid, section.seat->outlet}, section.seat->config});
  std::sort(all.begin(), all.end(),
            [](const SeatedOutlet& a, const SeatedOutlet& b) { return a.seat.outlet < b.seat.outlet; });
  return all;
}

// ---- Offers of the peer.

// One offer that is being answered.
struct PeerNegotiation::Exchange {
  PeerNegotiation& of;
  sdp::SessionDescription offer;
  State next;
  sdp::MediaSupport from_video = make_publisher_support(sdp::MediaKind::kVideo);
  sdp::MediaSupport from_audio = make_publisher_support(sdp::MediaKind::kAudio);
  sdp::MediaSupport to_video = make_viewer_support(sdp::MediaKind::kVideo, true);
  sdp::MediaSupport to_audio = make_viewer_support(sdp::MediaKind::kAudio, true);
  std::vector<sdp::SectionIntent> intents;
  std::vector<std::size_t> used;
  Answered result;

  Exchange(PeerNegotiation& negotiation, sdp::SessionDescription offered, State state)
      : of(negotiation), offer(std::move(offered)), next(std::move(state)) {
    // The types are those of the offer.
    from_audio.codecs.push_back(make_red(63, 111));
    from_audio.prefers_red = true;
    to_audio.codecs.push_back(make_red(63, 111));
    drop_useless_extensions(offer);
    share_extensions(from_video, to_video);
    share_extensions(from_audio, to_audio);
  }
  // Browsers offer for new sections what earlier ones agreed upon, whichever way those went: one that cannot
  // name layers would leave a later one without simulcast.
  static void share_extensions(sdp::MediaSupport& from, sdp::MediaSupport& to) {
    for (sdp::HeaderExtension extension : to.extensions)
      if (std::ranges::find(from.extensions, extension) == from.extensions.end())
        from.extensions.push_back(extension);
    to.extensions = from.extensions;
  }

  const sdp::MediaSupport& support_from(std::size_t index) const {
    return offer.sections[index].kind == sdp::MediaKind::kVideo ? from_video : from_audio;
  }
  const sdp::MediaSupport& support_to(std::size_t index) const {
    return offer.sections[index].kind == sdp::MediaKind::kVideo ? to_video : to_audio;
  }
  Result<void, NegotiationFault> meet_sections();
  void meet_seat(Section& section, const sdp::MediaSection& offered);
  Result<void, NegotiationFault> learn_extensions();
  void choose_senders();
  const PeerPreference* preference(const sdp::MediaSection& offered) const;
  void choose_receivers(std::span<const PeerOutlet> outlets);
  void seat(const PeerOutlet& outlet);
  void intend();
  void settle();
  media::TrackId number(Section& section);
};

// Which section is which, and what became of those that were there.
Result<void, NegotiationFault> PeerNegotiation::Exchange::meet_sections() {
  if (offer.sections.size() < next.sections.size())
    return fault(NegotiationRefusal::kBadDescription, "The offer has fewer sections than the one before.");
  next.sections.resize(offer.sections.size());
  for (std::size_t i = 0; i < offer.sections.size(); ++i) {
    const sdp::MediaSection& offered = offer.sections[i];
    Section& section = next.sections[i];
    const bool goes_on = section.kind == offered.kind && section.mid == offered.mid && !section.is_stopped &&
                         !offered.is_rejected();
    if (!goes_on) {
      vacate(next, section);
      section = Section{.kind = offered.kind, .mid = offered.mid, .is_stopped = offered.is_rejected()};
    }
    if (section.seat) meet_seat(section, offered);
  }
  return {};
}

// A seat stays where the peer still receives what is sent there.
void PeerNegotiation::Exchange::meet_seat(Section& section, const sdp::MediaSection& offered) {
  OutletConfig& config = *section.seat->config;
  const sdp::Payload* payload = offered.find_payload(config.payload_type);
  if (!is_receiving_only(offered) || !payload || !is_of(*payload, config.encoding))
    return vacate(next, section);
  const sdp::Payload* red = config.red_payload_type ? find_red_of(offered, config.payload_type) : nullptr;
  if (!red || red->type != config.red_payload_type) config.red_payload_type.reset();
}

Result<void, NegotiationFault> PeerNegotiation::Exchange::learn_extensions() {
  for (std::size_t i = 0; i < offer.sections.size(); ++i) {
    Section& section = next.sections[i];
    for (const sdp::ExtensionMap& map : offer.sections[i].extensions)
      for (const sdp::ExtensionMap& known : section.extensions)
        if (known.id == map.id && known.extension != map.extension)
          return fault(NegotiationRefusal::kBadDescription,
                       "The offer gives the id of a header extension to another one.");
    section.extensions = offer.sections[i].extensions;
  }
  return {};
}

// Those that sent before first: who sends more than there are numbers for does not lose what flows.
void PeerNegotiation::Exchange::choose_senders() {
  std::size_t count = 0;
  for (const bool is_known : {true, false}) {
    for (std::size_t i = 0; i < offer.sections.size(); ++i) {
      sdp::MediaSection& offered = offer.sections[i];
      const bool is_candidate = offered.is_rtp() && !offered.is_rejected() && !offered.mid.empty() &&
                                sdp::can_send(offered.direction) && next.sections[i].is_sending == is_known;
      if (!is_candidate || count == media::kTracksPerPublicationMax) continue;
      if (!has_common_codec(offered, support_from(i))) continue;
      ++count;
      const PeerPreference* preferred = preference(offered);
      order_payloads({.video_first = preferred ? preferred->encoding : std::nullopt}, offered);
      choose_red(offered, preferred && preferred->has_red);
      intents[i] = {.media = &support_from(i), .direction = sdp::Direction::kRecvOnly};
    }
  }
}

const PeerPreference* PeerNegotiation::Exchange::preference(const sdp::MediaSection& offered) const {
  if (offered.msids.empty()) return nullptr;
  auto found = std::ranges::find(of.preferences_, offered.msids.front().track_id, &PeerPreference::track_id);
  return found == of.preferences_.end() ? nullptr : &*found;
}

void PeerNegotiation::Exchange::choose_receivers(std::span<const PeerOutlet> outlets) {
  for (const PeerOutlet& outlet : outlets)
    if (!is_seated(next, outlet.key)) seat(outlet);
  for (std::size_t i = 0; i < offer.sections.size(); ++i) {
    const Section& section = next.sections[i];
    if (!section.seat) continue;
    // A new one was given its payload types when it was seated.
    if (const auto& config = section.seat->config)
      keep_only(sdp::Payload(*offer.sections[i].find_payload(config->payload_type)), offer.sections[i],
                config->red_payload_type.has_value());
    intents[i] = {
        .media = &support_to(i), .direction = sdp::Direction::kSendOnly, .source = section.seat->source};
  }
}

void PeerNegotiation::Exchange::seat(const PeerOutlet& outlet) {
  bool has_room = false;
  for (std::size_t i = 0; i < offer.sections.size() && is_good(outlet); ++i) {
    sdp::MediaSection& offered = offer.sections[i];
    Section& section = next.sections[i];
    const bool is_free = is_receiving_only(offered) && !offered.mid.empty() &&
                         offered.kind == kind_of(outlet) && !section.seat && !section.is_draining;
    if (!is_free) continue;
    has_room = true;
    const sdp::Payload* fit = find_fit(offered, outlet.track);
    if (!fit) continue;
    if (!of.seat(next, section, outlet, offered.find_rtx_of(fit->type) != nullptr)) break;
    keep_only(sdp::Payload(*fit), offered, true);
    return;
  }
  (has_room ? result.unsupported : result.unseated).push_back(outlet.key);
}

// What is neither sent nor received now stays open for later.
void PeerNegotiation::Exchange::intend() {
  for (std::size_t i = 0; i < offer.sections.size(); ++i) {
    sdp::MediaSection& offered = offer.sections[i];
    if (!offered.is_rtp() || offered.is_rejected() || offered.mid.empty()) continue;
    if (!intents[i].media) choose_red(offered, false);
    if (!intents[i].media) intents[i] = {.media = &support_from(i), .direction = sdp::Direction::kInactive};
    if (has_common_codec(offered, *intents[i].media)) used.push_back(i);
  }
}

// The number of a sending section: its own, a free one, or that of a mid that does not send.
media::TrackId PeerNegotiation::Exchange::number(Section& section) {
  if (section.track) return *section.track;
  Section* idle = nullptr;
  for (int id = 0; id < media::kTracksPerPublicationMax; ++id) {
    Section* holder = nullptr;
    for (Section& other : next.sections)
      if (other.track == id) holder = &other;
    if (!holder) return *(section.track = static_cast<media::TrackId>(id));
    if (!holder->is_sending && !idle) idle = holder;
  }
  section.track = std::exchange(idle->track, std::nullopt);
  return *section.track;
}

void PeerNegotiation::Exchange::settle() {
  std::vector<const sdp::AgreedSection*> agreed(next.sections.size());
  for (const sdp::AgreedSection& section : result.agreement.sections) agreed[section.index] = &section;
  std::vector<bool> was_sending(next.sections.size());
  for (std::size_t i = 0; i < agreed.size(); ++i) {
    Section& section = next.sections[i];
    was_sending[i] = section.is_sending;
    section.is_sending = agreed[i] && !agreed[i]->receive_layers.empty();
    if (section.seat && !section.seat->config) {
      if (agreed[i] && !agreed[i]->send_layers.empty()) {
        section.seat->config = outlet_of(section.seat->encoding, *agreed[i], section.seat->source);
      } else {
        result.unsupported.push_back(section.seat->key);
        vacate(next, section);
      }
    }
    if (!section.seat) section.is_draining = false;
  }
  for (std::size_t i = 0; i < agreed.size(); ++i) {
    Section& section = next.sections[i];
    if (!section.is_sending) continue;
    sdp::Msid msid = msid_of(*agreed[i]);
    PeerTrack track;
    track.is_new = !was_sending[i] || !section.track || msid != section.msid;
    track.id = number(section);
    track.mid = section.mid;
    track.kind = section.kind == sdp::MediaKind::kVideo ? media::Kind::kVideo : media::Kind::kAudio;
    track.stream_id = msid.stream_id;
    track.track_id = msid.track_id;
    for (const sdp::Layer& layer : agreed[i]->receive_layers) track.rids.push_back(layer.rid);
    track.encoding = encoding_of(agreed[i]->codecs.front().codec).value_or(track.encoding);
    section.msid = std::move(msid);
    result.inbound.push_back({.slot = track.id, .section = i, .is_new = track.is_new});
    result.tracks.push_back(std::move(track));
  }
}

Result<PeerNegotiation::Answered, NegotiationFault> PeerNegotiation::answer(
    std::string_view offer_text, std::span<const PeerOutlet> outlets, const LocalDescription& local,
    const ice::Credentials& fresh) {
  STOA_TRY(sdp::SessionDescription offer, parse_description(offer_text, "offer", sdp::kSectionsMax));
  Exchange exchange(*this, std::move(offer), state_);
  State& next = exchange.next;
  release(next, outlets);
  if (auto outcome = exchange.meet_sections(); !outcome) return refuse(outcome.error());
  if (auto outcome = exchange.learn_extensions(); !outcome) return refuse(outcome.error());
  exchange.from_video.receive_bps_max = options_.video_bps_max;
  exchange.from_video.simulcast_streams_max =
      options_.layers_max > 1 ? std::min<std::size_t>(options_.layers_max, payload::kLayersMax) : 0;
  exchange.intents.resize(exchange.offer.sections.size());
  exchange.choose_senders();
  exchange.choose_receivers(outlets);
  exchange.intend();
  if (auto data = find_data(exchange.offer, exchange.used)) {
    exchange.intents[*data].data =
        sdp::SctpParameters{.port = kDataPort, .max_message_bytes = kDataMessageBytesMax};
    exchange.used.push_back(*data);
  }
  if (exchange.used.empty())
    return fault(NegotiationRefusal::kNoCommonCodec, "Nothing in the offer can be taken by this server.");
  if (auto outcome = expect_one_transport(exchange.offer, exchange.used); !outcome)
    return refuse(outcome.error());

  Answered& result = exchange.result;
  const auto group = sdp::bundle_of(exchange.offer, exchange.used.front());
  const sdp::MediaSection* transport = sdp::find_transport(exchange.offer, group);
  result.restarts_ice = next.remote && transport &&
                        (transport->ice->ufrag != next.remote->ice.ufrag ||
                         transport->ice->password != next.remote->ice.password);
  ++next.version;
  LocalDescription described = ours(next, local);
  if (result.restarts_ice) described.ice = fresh;
  STOA_TRY(AnsweredOffer answered, webrtc::answer(exchange.offer, described, exchange.intents));
  result.remote = remote_of(answered.agreement);
  result.dtls_role = role_of(answered.agreement);
  if (next.remote) {
    auto outcome = expect_same_transport(*next.remote, result.remote, next.role, result.dtls_role);
    if (!outcome) return refuse(outcome.error());
  }
  result.agreement = std::move(answered.agreement);
  exchange.settle();
  result.answer = sdp::write(answered.description);
  next.role = result.dtls_role;
  next.remote = result.remote;
  state_ = std::move(exchange.next);
  return std::move(exchange.result);
}

}  // namespace stoa::webrtc
