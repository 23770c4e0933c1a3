// The m= line and the attributes of a section that say which media and how it is coded.
#include <algorithm>
#include <array>

#include "proto/sdp/reader.h"

namespace stoa::sdp {
namespace {

constexpr std::string_view kDataFormat = "webrtc-datachannel";

// RFC 3551 §6: the static payload types that need no a=rtpmap.
Codec static_codec_of(MediaKind kind, std::uint8_t type) {
  if (kind != MediaKind::kAudio) return Codec::kOther;
  switch (type) {
    case 0: return Codec::kPcmu;
    case 8: return Codec::kPcma;
    case 9: return Codec::kG722;
    case 13: return Codec::kComfortNoise;
    default: return Codec::kOther;
  }
}

bool ends_with_sctp(std::string_view protocol) { return protocol.ends_with("/SCTP"); }

}  // namespace

Reader::Outcome Reader::handle_media(std::string_view value) {
  std::uint32_t line = line_;
  if (auto outcome = close_section(); !outcome) return outcome;
  line_ = line;
  if (description_.sections.size() == kSectionsMax) return refuse(Refusal::kTooMany);
  open_ = Open();
  open_.media_line = line;
  current_ = &open_;

  Words words(value);
  std::string_view kind = words.take(), port = words.take(), protocol = words.take();
  auto [first_port, ports, has_ports] = split_at(port, '/');
  if (!is_token(kind, kNameBytesMax) || !is_visible(protocol, kNameBytesMax) ||
      !read_number(first_port, section().port, UINT16_MAX) ||
      (has_ports && !parse_number(ports, UINT16_MAX))) {
    return refuse(Refusal::kBadMediaLine);
  }
  bool is_rtp = protocol.find("RTP/") != std::string_view::npos;
  section().kind_name = kind;
  section().protocol = protocol;
  if (kind == "audio" && is_rtp) section().kind = MediaKind::kAudio;
  if (kind == "video" && is_rtp) section().kind = MediaKind::kVideo;
  return take_formats(words);
}

Reader::Outcome Reader::take_formats(Words& words) {
  std::size_t count = 0;
  for (std::string_view format; words.next(format); ++count) {
    if (count == kFormatsMax) return refuse(Refusal::kTooMany);
    if (!section().is_rtp()) {
      if (!is_visible(format, kNameBytesMax)) return refuse(Refusal::kBadMediaLine);
      section().formats.emplace_back(format);
      continue;
    }
    auto type = parse_number(format, 127);
    if (!type || open_.listed[*type]) return refuse(Refusal::kBadPayloadType);
    open_.listed[*type] = true;
    auto payload_type = static_cast<std::uint8_t>(*type);
    Codec codec = static_codec_of(section().kind, payload_type);
    section().payloads.push_back(codec == Codec::kOther ? Payload{.type = payload_type}
                                                        : make_payload(payload_type, codec));
  }
  if (count == 0) return refuse(Refusal::kBadMediaLine);
  if (section().kind_name != "application" || !ends_with_sctp(section().protocol)) return {};
  SctpParameters sctp;
  sctp.is_old_syntax = section().protocol == "DTLS/SCTP";
  const std::string& format = section().formats.front();
  bool is_data = sctp.is_old_syntax ? read_number(format, sctp.port, UINT16_MAX) : format == kDataFormat;
  if (!is_data) return {};
  section().kind = MediaKind::kData;
  section().sctp = sctp;
  return {};
}

Reader::Outcome Reader::handle_mid(std::string_view value) {
  if (!section().mid.empty()) return refuse(Refusal::kDuplicate);
  if (!is_token(value, kTokenBytesMax)) return refuse(Refusal::kBadMid);
  section().mid = value;
  return {};
}

Reader::Outcome Reader::handle_rtpmap(std::string_view value) {
  if (!section().is_rtp()) return {};
  Words words(value);
  auto type = parse_number(words.take(), 127);
  auto [name, parameters, has_parameters] = split_at(words.take(), '/');
  auto [rate, channels, has_channels] = split_at(parameters, '/');
  if (!type) return refuse(Refusal::kBadPayloadType);
  if (!open_.listed[*type]) return {};
  Payload payload{
      .type = static_cast<std::uint8_t>(*type), .codec = find_codec(name), .name = std::string(name)};
  bool is_map = is_token(name, kNameBytesMax) && words.take().empty() &&
                read_number(rate, payload.clock_rate, UINT32_MAX) && payload.clock_rate > 0 &&
                (!has_channels || (read_number(channels, payload.channels, 255) && payload.channels > 0));
  if (!is_map) return refuse(Refusal::kBadRtpMap);
  if (open_.mapped[*type]) return refuse(Refusal::kDuplicate);
  open_.mapped[*type] = true;
  auto& payloads = section().payloads;
  auto listed =
      std::find_if(payloads.begin(), payloads.end(), [&](auto& known) { return known.type == *type; });
  *listed = std::move(payload);
  return {};
}

Reader::Outcome Reader::handle_fmtp(std::string_view value) {
  if (!section().is_rtp()) return {};
  auto [word, text, has_text] = split_at(value, ' ');
  auto type = parse_number(word, 127);
  if (!type) return refuse(Refusal::kBadPayloadType);
  if (!open_.listed[*type]) return {};
  open_.formats.push_back({line_, static_cast<std::uint8_t>(*type), false, trim(text)});
  return {};
}

Reader::Outcome Reader::handle_rtcp_feedback(std::string_view value) {
  if (!section().is_rtp()) return {};
  auto [word, text, has_text] = split_at(value, ' ');
  Unsettled feedback{.line = line_, .payload_type = 0, .is_wildcard = word == "*", .text = trim(text)};
  if (!feedback.is_wildcard) {
    auto type = parse_number(word, 127);
    if (!type) return refuse(Refusal::kBadPayloadType);
    // Firefox, told which codecs to offer, still says the feedback of the others.
    if (!open_.listed[*type]) return {};
    feedback.payload_type = static_cast<std::uint8_t>(*type);
  }
  open_.feedback.push_back(feedback);
  return {};
}

Reader::Outcome Reader::settle_payloads() {
  std::array<std::string, 128> texts;
  std::array<std::uint32_t, 128> lines{};
  for (const Unsettled& format : open_.formats) {
    std::string& text = texts[format.payload_type];
    if (!text.empty()) text.push_back(';');
    text += format.text;
    lines[format.payload_type] = format.line;
  }
  Feedback of_all;
  std::array<Feedback, 128> feedback;
  for (const Unsettled& entry : open_.feedback) {
    add_feedback(entry.text, entry.is_wildcard ? of_all : feedback[entry.payload_type]);
  }
  for (Payload& payload : section().payloads) {
    bool is_dynamic = payload.type >= 35;
    bool is_refused = section().is_rejected();  // Its list of formats is only there for the grammar.
    if (payload.name.empty() && is_dynamic && !is_refused) {
      line_ = open_.media_line;
      return refuse(Refusal::kBadRtpMap);
    }
    bool has_nothing = payload.codec == Codec::kRtx && texts[payload.type].empty() && is_refused;
    auto parsed = has_nothing ? CodecFormat() : parse_format(payload.codec, texts[payload.type]);
    if (!parsed) {
      line_ = lines[payload.type] ? lines[payload.type] : open_.media_line;
      return refuse(parsed.error());
    }
    payload.format = std::move(*parsed);
    payload.feedback = feedback[payload.type] | of_all;
  }
  return {};
}

Reader::Outcome Reader::handle_extmap(std::string_view value) {
  if (!is_at_session() && !section().is_rtp()) return {};
  Words words(value);
  auto [number, direction, has_direction] = split_at(words.take(), '/');
  std::string_view uri = words.take();
  ExtensionMap map;
  if (!read_number(number, map.id, 4351) || map.id == 0 || (map.id > 255 && map.id < 4096) ||
      !is_visible(uri, kTokenBytesMax)) {
    return refuse(Refusal::kBadExtension);
  }
  if (has_direction) {
    static constexpr std::array<std::string_view, 4> kDirections = {"sendrecv", "sendonly", "recvonly",
                                                                    "inactive"};
    auto found = std::find(kDirections.begin(), kDirections.end(), direction);
    if (found == kDirections.end()) return refuse(Refusal::kBadExtension);
    map.direction = static_cast<Direction>(found - kDirections.begin());
  }
  if (map.id < 256) {
    if (current_->extension_ids[map.id]) return refuse(Refusal::kBadExtension);
    current_->extension_ids[map.id] = true;
  }
  auto extension = find_extension(uri);
  if (!extension) return {};
  map.extension = *extension;
  for (const ExtensionMap& other : section().extensions) {
    if (other.extension == map.extension) return {};
  }
  section().extensions.push_back(map);
  return {};
}

template <std::optional<std::uint32_t> MediaSection::* duration>
Reader::Outcome Reader::handle_ptime(std::string_view value) {
  auto milliseconds = parse_number(value, 100'000);
  if (!milliseconds) return refuse(Refusal::kBadAttribute);
  section().*duration = static_cast<std::uint32_t>(*milliseconds);
  return {};
}

template <bool MediaSection::* flag>
Reader::Outcome Reader::handle_flag(std::string_view value) {
  if (!value.empty()) return refuse(Refusal::kBadAttribute);
  section().*flag = true;
  return {};
}

template <Direction direction>
Reader::Outcome Reader::handle_direction(std::string_view value) {
  if (!value.empty()) return refuse(Refusal::kBadAttribute);
  if (std::exchange(current_->has_direction, true)) return refuse(Refusal::kDuplicate);
  section().direction = direction;
  return {};
}

Reader::Outcome Reader::handle_sctp_port(std::string_view value) {
  if (section().kind != MediaKind::kData || section().sctp->is_old_syntax) return {};
  if (std::exchange(open_.has_sctp_port, true)) return refuse(Refusal::kDuplicate);
  return read_number(value, section().sctp->port, UINT16_MAX) ? Outcome() : refuse(Refusal::kBadSctp);
}

Reader::Outcome Reader::handle_max_message_size(std::string_view value) {
  if (section().kind != MediaKind::kData) return {};
  if (std::exchange(open_.has_message_size, true)) return refuse(Refusal::kDuplicate);
  return read_number(value, section().sctp->max_message_bytes, UINT64_MAX) ? Outcome()
                                                                           : refuse(Refusal::kBadSctp);
}

// "5000 webrtc-datachannel 1024": draft-ietf-mmusic-sctp-sdp-07 and before. It says no more than m= did.
Reader::Outcome Reader::handle_sctpmap(std::string_view value) {
  if (section().kind != MediaKind::kData || !section().sctp->is_old_syntax) return {};
  Words words(value);
  auto port = parse_number(words.take(), UINT16_MAX);
  bool is_map = port && *port == section().sctp->port && words.take() == kDataFormat;
  return is_map ? Outcome() : refuse(Refusal::kBadSctp);
}

const Reader::Attribute* Reader::find_attribute(std::string_view name) {
  static constexpr Attribute kAttributes[] = {
      {"candidate", false, true, &Reader::handle_candidate},
      {"rtpmap", false, true, &Reader::handle_rtpmap},
      {"rtcp-fb", false, true, &Reader::handle_rtcp_feedback},
      {"fmtp", false, true, &Reader::handle_fmtp},
      {"ssrc", false, true, &Reader::handle_ssrc},
      {"extmap", true, true, &Reader::handle_extmap},
      {"mid", false, true, &Reader::handle_mid},
      {"msid", false, true, &Reader::handle_msid},
      {"ssrc-group", false, true, &Reader::handle_ssrc_group},
      {"rid", false, true, &Reader::handle_rid},
      {"simulcast", false, true, &Reader::handle_simulcast},
      {"group", true, false, &Reader::handle_group},
      {"sendrecv", true, true, &Reader::handle_direction<Direction::kSendRecv>},
      {"sendonly", true, true, &Reader::handle_direction<Direction::kSendOnly>},
      {"recvonly", true, true, &Reader::handle_direction<Direction::kRecvOnly>},
      {"inactive", true, true, &Reader::handle_direction<Direction::kInactive>},
      {"fingerprint", true, true, &Reader::handle_fingerprint},
      {"setup", true, true, &Reader::handle_setup},
      {"tls-id", true, true, &Reader::handle_tls_id},
      {"ice-ufrag", true, true, &Reader::handle_ice_ufrag},
      {"ice-pwd", true, true, &Reader::handle_ice_password},
      {"ice-options", true, true, &Reader::handle_ice_options},
      {"ice-lite", true, false, &Reader::handle_ice_lite},
      {"end-of-candidates", true, true, &Reader::handle_end_of_candidates},
      {"rtcp-mux", false, true, &Reader::handle_flag<&MediaSection::has_rtcp_mux>},
      {"rtcp-mux-only", false, true, &Reader::handle_flag<&MediaSection::has_rtcp_mux_only>},
      {"rtcp-rsize", false, true, &Reader::handle_flag<&MediaSection::has_rtcp_rsize>},
      {"bundle-only", false, true, &Reader::handle_flag<&MediaSection::is_bundle_only>},
      {"extmap-allow-mixed", true, true, &Reader::handle_flag<&MediaSection::has_extmap_allow_mixed>},
      {"ptime", false, true, &Reader::handle_ptime<&MediaSection::ptime_ms>},
      {"maxptime", false, true, &Reader::handle_ptime<&MediaSection::maxptime_ms>},
      {"sctp-port", false, true, &Reader::handle_sctp_port},
      {"max-message-size", false, true, &Reader::handle_max_message_size},
      {"sctpmap", false, true, &Reader::handle_sctpmap},
  };
  for (const Attribute& attribute : kAttributes) {
    if (attribute.name == name) return &attribute;
  }
  return nullptr;
}

}  // namespace stoa::sdp
