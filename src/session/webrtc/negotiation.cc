#include "session/webrtc/negotiation.h"

#include <algorithm>
#include <utility>

#include "session/webrtc/negotiation_impl.h"
#include "session/webrtc/offered_format.h"

namespace stoa::webrtc {

const char* name_of(NegotiationRefusal refusal) {
  switch (refusal) {
    case NegotiationRefusal::kBadDescription: return "bad_description";
    case NegotiationRefusal::kNoFingerprint: return "no_fingerprint";
    case NegotiationRefusal::kNotBundled: return "not_bundled";
    case NegotiationRefusal::kNoCommonCodec: return "no_common_codec";
    case NegotiationRefusal::kWrongDirection: return "wrong_direction";
    case NegotiationRefusal::kTooManySections: return "too_many_sections";
    case NegotiationRefusal::kTransportChanged: return "transport_changed";
    case NegotiationRefusal::kNotExpected: return "not_expected";
  }
  return "?";
}

namespace {

// The section that carries the transport of those that are used, when it is not used itself but may stay.
std::optional<std::size_t> find_idle_tag(const sdp::SessionDescription& offer,
                                         std::span<const std::size_t> used) {
  std::vector<std::size_t> group = sdp::bundle_of(offer, used.front());
  std::size_t tag = group.front();
  bool is_used = std::find(used.begin(), used.end(), tag) != used.end();
  bool is_candidate = !is_used && offer.sections[tag].is_rtp() && !offer.sections[tag].is_rejected();
  return is_candidate ? std::optional(tag) : std::nullopt;
}

}  // namespace

// ---- Publishers.

namespace {

struct PublisherSections {
  std::vector<std::size_t> taken;
  bool has_sender = false;  // A section that would send.
};
PublisherSections choose_sections(const sdp::SessionDescription& offer, const PublisherOptions& options,
                                  const sdp::MediaSupport& video, const sdp::MediaSupport& audio) {
  PublisherSections sections;
  std::size_t videos = 0, audios = 0;
  for (std::size_t i = 0; i < offer.sections.size(); ++i) {
    const sdp::MediaSection& section = offer.sections[i];
    if (!section.is_rtp() || section.is_rejected() || !sdp::can_send(section.direction)) continue;
    sections.has_sender = true;
    bool is_video = section.kind == sdp::MediaKind::kVideo;
    std::size_t& count = is_video ? videos : audios;
    std::size_t max = is_video ? options.video_sections_max : options.audio_sections_max;
    if (count == max || !has_common_codec(section, is_video ? video : audio)) continue;
    ++count;
    sections.taken.push_back(i);
  }
  return sections;
}

}  // namespace

Result<PublisherAnswer, NegotiationFault> answer_publisher(std::string_view offer_text,
                                                           const LocalDescription& local,
                                                           const PublisherOptions& options) {
  STOA_TRY(sdp::SessionDescription offer, parse_description(offer_text, "offer", kOfferedSectionsMax));
  drop_useless_extensions(offer);
  sdp::MediaSupport video = make_publisher_support(sdp::MediaKind::kVideo);
  // Browsers then turn pictures before they encode them: HLS has no other way to have them upright.
  std::erase(video.extensions, sdp::HeaderExtension::kVideoOrientation);
  sdp::MediaSupport audio = make_publisher_support(sdp::MediaKind::kAudio);
  video.simulcast_streams_max =
      options.layers_max > 1 ? std::min<std::size_t>(options.layers_max, payload::kLayersMax) : 0;
  video.receive_bps_max = options.video_bps_max;

  PublisherSections sections = choose_sections(offer, options, video, audio);
  if (!sections.has_sender)
    return fault(NegotiationRefusal::kWrongDirection, "No section of the offer sends anything.");
  if (sections.taken.empty())
    return fault(NegotiationRefusal::kNoCommonCodec,
                 "No codec of the offer can be taken; H.264, HEVC, AV1, VP8, VP9 and Opus can.");
  if (auto outcome = expect_one_transport(offer, sections.taken); !outcome) return refuse(outcome.error());

  std::vector<sdp::SectionIntent> intents(offer.sections.size());
  for (std::size_t index : sections.taken) {
    sdp::MediaSection& section = offer.sections[index];
    bool is_video = section.kind == sdp::MediaKind::kVideo;
    if (is_video) order_payloads(options, section);
    intents[index] = {.media = is_video ? &video : &audio, .direction = sdp::Direction::kRecvOnly};
  }
  if (auto tag = find_idle_tag(offer, sections.taken)) {
    bool is_video = offer.sections[*tag].kind == sdp::MediaKind::kVideo;
    intents[*tag] = {.media = is_video ? &video : &audio, .direction = sdp::Direction::kInactive};
  }
  STOA_TRY(AnsweredOffer answered, answer(offer, local, intents));
  PublisherAnswer result;
  result.answer = sdp::write(answered.description);
  result.remote = remote_of(answered.agreement);
  result.dtls_role = role_of(answered.agreement);
  result.agreement = std::move(answered.agreement);
  return result;
}

// ---- Viewers.

namespace {

// Gives the sections of an offer to tracks.
class Seating {
 public:
  Seating(sdp::SessionDescription& offer, std::span<const payload::RtpTrack> tracks)
      : offer_(offer), tracks_(tracks), is_given_(tracks.size()) {
    for (std::size_t i = 0; i < offer.sections.size(); ++i) {
      const sdp::MediaSection& section = offer.sections[i];
      if (!section.is_rtp() || section.is_rejected() || !sdp::can_receive(section.direction)) continue;
      has_receiver_ = true;
      seat(i);
    }
  }

  struct Seat {
    std::size_t section;
    const payload::RtpTrack* track;
  };
  const std::vector<Seat>& seats() const { return seats_; }
  bool has_receiver() const { return has_receiver_; }
  std::vector<media::Kind> unseated() const {
    std::vector<media::Kind> kinds;
    for (std::size_t i = 0; i < offer_.sections.size(); ++i) {
      const sdp::MediaSection& section = offer_.sections[i];
      if (!section.is_rtp() || section.is_rejected() || !sdp::can_receive(section.direction)) continue;
      if (std::ranges::none_of(seats_, [&](const Seat& seat) { return seat.section == i; }))
        kinds.push_back(section.kind == sdp::MediaKind::kVideo ? media::Kind::kVideo : media::Kind::kAudio);
    }
    return kinds;
  }
  std::vector<media::TrackId> left_out() const {
    std::vector<media::TrackId> left;
    for (std::size_t i = 0; i < tracks_.size(); ++i) {
      if (!is_given_[i]) left.push_back(tracks_[i].id);
    }
    return left;
  }

 private:
  void seat(std::size_t index) {
    sdp::MediaSection& section = offer_.sections[index];
    bool is_video = section.kind == sdp::MediaKind::kVideo;
    for (std::size_t i = 0; i < tracks_.size(); ++i) {
      if (is_given_[i] || tracks_[i].is_video() != is_video) continue;
      const sdp::Payload* fit = find_fit(section, tracks_[i]);
      if (!fit) continue;
      is_given_[i] = true;
      seats_.push_back({index, &tracks_[i]});
      keep_only(*fit, section);
      return;
    }
  }

  sdp::SessionDescription& offer_;
  std::span<const payload::RtpTrack> tracks_;
  std::vector<bool> is_given_;
  std::vector<Seat> seats_;
  bool has_receiver_ = false;
};

// SSRCs that neither side uses yet.
class SourceNumbers {
 public:
  SourceNumbers(const sdp::SessionDescription& offer, Rng& rng) : rng_(rng) {
    for (const sdp::MediaSection& section : offer.sections)
      for (const sdp::Source& source : section.sources) taken_.push_back(source.ssrc);
  }
  std::uint32_t draw() {
    for (;;) {
      auto ssrc = static_cast<std::uint32_t>(rng_.next());
      if (ssrc == 0 || std::find(taken_.begin(), taken_.end(), ssrc) != taken_.end()) continue;
      taken_.push_back(ssrc);
      return ssrc;
    }
  }

 private:
  Rng& rng_;
  std::vector<std::uint32_t> taken_;
};

sdp::LocalSource make_source(const payload::RtpTrack& track, const sdp::MediaSection& section,
                             std::string_view cname, SourceNumbers& numbers) {
  sdp::LocalSource source;
  source.cname = cname;
  source.msid.stream_id = cname;
  source.msid.track_id = (track.is_video() ? "video" : "audio") + std::to_string(track.id);
  source.ssrc = numbers.draw();
  if (section.payloads.size() > 1) source.rtx_ssrc = numbers.draw();
  return source;
}

}  // namespace

Result<ViewerAnswer, NegotiationFault> answer_viewer(std::string_view offer_text,
                                                     std::span<const payload::RtpTrack> tracks,
                                                     const LocalDescription& local, std::string_view cname,
                                                     Rng& rng, bool has_data) {
  STOA_TRY(sdp::SessionDescription offer, parse_description(offer_text, "offer", kOfferedSectionsMax));
  Seating seating(offer, tracks);
  std::vector<std::size_t> used;
  for (const Seating::Seat& seat : seating.seats()) used.push_back(seat.section);
  if (auto outcome = expect_one_transport(offer, used); !outcome) return refuse(outcome.error());
  auto data = has_data ? find_data(offer, used) : std::nullopt;
  if (!seating.has_receiver() && !data)
    return fault(NegotiationRefusal::kWrongDirection, "No section of the offer receives anything.");
  if (seating.has_receiver() && seating.seats().empty())
    return fault(NegotiationRefusal::kNoCommonCodec, "No track can be sent in a codec that was offered.");

  sdp::MediaSupport video = make_viewer_support(sdp::MediaKind::kVideo, false);
  sdp::MediaSupport audio = make_viewer_support(sdp::MediaKind::kAudio, false);
  auto support_of = [&](std::size_t index) {
    return offer.sections[index].kind == sdp::MediaKind::kVideo ? &video : &audio;
  };
  std::vector<sdp::SectionIntent> intents(offer.sections.size());
  std::vector<sdp::LocalSource> sources;
  SourceNumbers numbers(offer, rng);
  for (const Seating::Seat& seat : seating.seats()) {
    sources.push_back(make_source(*seat.track, offer.sections[seat.section], cname, numbers));
    intents[seat.section] = {
        .media = support_of(seat.section), .direction = sdp::Direction::kSendOnly, .source = sources.back()};
  }
  if (data) {
    intents[*data].data = sdp::SctpParameters{.port = kDataPort, .max_message_bytes = kDataMessageBytesMax};
    used.push_back(*data);
  }
  if (auto tag = find_idle_tag(offer, used))
    intents[*tag] = {.media = support_of(*tag), .direction = sdp::Direction::kInactive};

  STOA_TRY(AnsweredOffer answered, answer(offer, local, intents));
  ViewerAnswer result;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const Seating::Seat& seat = seating.seats()[i];
    const auto& agreed = answered.agreement.sections;
    auto section = std::find_if(agreed.begin(), agreed.end(),
                                [&](const sdp::AgreedSection& one) { return one.index == seat.section; });
    if (section == agreed.end()) return refuse(fault_of(sdp::Refusal::kAnswerMismatch));
    result.outlets.push_back({.track = seat.track->id,
                              .mid = section->mid,
                              .config = outlet_of(seat.track->encoding, *section, sources[i])});
  }
  result.left_out = seating.left_out();
  result.unseated = seating.unseated();
  result.answer = sdp::write(answered.description);
  result.remote = remote_of(answered.agreement);
  result.dtls_role = role_of(answered.agreement);
  result.agreement = std::move(answered.agreement);
  return result;
}

}  // namespace stoa::webrtc
