#include "proto/sdp/writer.h"

namespace stoa::sdp {
namespace {

constexpr std::array<std::string_view, 5> kHashNames = {"sha-1", "sha-224", "sha-256", "sha-384", "sha-512"};
constexpr std::array<std::string_view, 4> kSetups = {"active", "passive", "actpass", "holdconn"};
constexpr std::array<std::string_view, 3> kSemantics = {"FID", "FEC-FR", "SIM"};
constexpr std::array<std::string_view, 4> kDirections = {"sendrecv", "sendonly", "recvonly", "inactive"};

std::string_view net_type_of(std::string_view address) {
  return address.find(':') == std::string_view::npos ? "IN IP4 " : "IN IP6 ";
}

std::string text_of(const Fingerprint& fingerprint) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string text;
  for (std::uint8_t byte : fingerprint.bytes()) {
    if (!text.empty()) text.push_back(':');
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

std::string text_of(const Msid& msid) {
  std::string text = msid.stream_id.empty() ? "-" : msid.stream_id;
  if (!msid.track_id.empty()) text.append(" ").append(msid.track_id);
  return text;
}

void append_transport(const MediaSection& section, std::string& out) {
  append_candidates(section.candidates, section.has_end_of_candidates, out);
  if (section.ice) append_ice(*section.ice, out);
  append_ice_options(section.ice_options, out);
  for (const Fingerprint& fingerprint : section.fingerprints) {
    append_line(out, "a=fingerprint:", kHashNames[static_cast<std::size_t>(fingerprint.hash)], " ",
                text_of(fingerprint));
  }
  if (section.setup) append_line(out, "a=setup:", kSetups[static_cast<std::size_t>(*section.setup)]);
  if (!section.tls_id.empty()) append_line(out, "a=tls-id:", section.tls_id);
}

void append_extensions(const MediaSection& section, std::string& out) {
  if (section.has_extmap_allow_mixed) append_line(out, "a=extmap-allow-mixed");
  for (const ExtensionMap& map : section.extensions) {
    bool is_plain = map.direction == Direction::kSendRecv;
    append_line(out, "a=extmap:", map.id, is_plain ? "" : "/", is_plain ? "" : word_of(map.direction), " ",
                uri_of(map.extension));
  }
}

void append_payloads(const MediaSection& section, std::string& out) {
  for (const Payload& payload : section.payloads) {
    if (!payload.name.empty()) {
      std::string channels;
      if (payload.channels != 1) {
        channels = "/";
        append_number(channels, payload.channels);
      }
      append_line(out, "a=rtpmap:", payload.type, " ", payload.name, "/", payload.clock_rate, channels);
    }
    for (std::string_view text : write_feedback(payload.feedback)) {
      append_line(out, "a=rtcp-fb:", payload.type, " ", text);
    }
    std::string format = write_format(payload.format);
    if (!format.empty()) append_line(out, "a=fmtp:", payload.type, " ", format);
  }
}

std::string restrictions_of(const Rid& rid) {
  std::string text;
  auto begin = [&](std::string_view name) { text.append(text.empty() ? " " : ";").append(name).append("="); };
  auto amount = [&](std::string_view name, const std::optional<std::uint32_t>& value) {
    if (!value) return;
    begin(name);
    append_number(text, *value);
  };
  for (std::size_t i = 0; i < rid.payload_types.size(); ++i) {
    if (i == 0) begin("pt");
    if (i > 0) text.push_back(',');
    append_number(text, rid.payload_types[i]);
  }
  amount("max-width", rid.max_width);
  amount("max-height", rid.max_height);
  if (rid.max_millifps) {
    begin("max-fps");
    append_number(text, *rid.max_millifps / 1000);
    std::uint32_t fraction = *rid.max_millifps % 1000;
    for (std::uint32_t weight = 100; fraction > 0; fraction %= weight, weight /= 10) {
      if (weight == 100) text.push_back('.');
      text.push_back(static_cast<char>('0' + fraction / weight));
    }
  }
  amount("max-fs", rid.max_fs);
  amount("max-br", rid.max_br);
  amount("max-pps", rid.max_pps);
  for (std::size_t i = 0; i < rid.depends.size(); ++i) {
    if (i == 0) begin("depend");
    if (i > 0) text.push_back(',');
    text.append(rid.depends[i]);
  }
  return text;
}

std::string text_of(const std::vector<SimulcastStream>& streams, std::string_view direction) {
  std::string text;
  for (const SimulcastStream& stream : streams) {
    text.append(text.empty() ? direction : ";");
    for (std::size_t i = 0; i < stream.size(); ++i) {
      if (i > 0) text.push_back(',');
      if (stream[i].is_paused) text.push_back('~');
      text.append(stream[i].rid);
    }
  }
  return text;
}

void append_streams(const MediaSection& section, std::string& out) {
  for (const Msid& msid : section.msids) append_line(out, "a=msid:", text_of(msid));
  for (const Rid& rid : section.rids) {
    append_line(out, "a=rid:", rid.id, rid.is_send ? " send" : " recv", restrictions_of(rid));
  }
  if (section.simulcast) {
    std::string send = text_of(section.simulcast->send, "send ");
    std::string receive = text_of(section.simulcast->receive, "recv ");
    append_line(out, "a=simulcast:", send, send.empty() || receive.empty() ? "" : " ", receive);
  }
  for (const SourceGroup& group : section.source_groups) {
    std::string ssrcs;
    for (std::uint32_t ssrc : group.ssrcs) {
      ssrcs.push_back(' ');
      append_number(ssrcs, ssrc);
    }
    append_line(out, "a=ssrc-group:", kSemantics[static_cast<std::size_t>(group.semantics)], ssrcs);
  }
  for (const Source& source : section.sources) {
    if (!source.cname.empty()) append_line(out, "a=ssrc:", source.ssrc, " cname:", source.cname);
    if (source.msid) append_line(out, "a=ssrc:", source.ssrc, " msid:", text_of(*source.msid));
    if (source.cname.empty() && !source.msid) append_line(out, "a=ssrc:", source.ssrc);
  }
}

void append_sctp(const SctpParameters& sctp, std::string& out) {
  if (sctp.is_old_syntax) {
    append_line(out, "a=sctpmap:", sctp.port, " webrtc-datachannel 1024");
  } else {
    append_line(out, "a=sctp-port:", sctp.port);
  }
  append_line(out, "a=max-message-size:", sctp.max_message_bytes);
}

void append_section(const MediaSection& section, std::string& out) {
  append_media_line(section, out);
  if (!section.connection_address.empty()) {
    append_line(out, "c=", net_type_of(section.connection_address), section.connection_address);
  }
  if (section.bandwidth.as_kbps) append_line(out, "b=AS:", *section.bandwidth.as_kbps);
  if (section.bandwidth.tias_bps) append_line(out, "b=TIAS:", *section.bandwidth.tias_bps);
  append_transport(section, out);
  if (!section.mid.empty()) append_line(out, "a=mid:", section.mid);
  if (section.is_bundle_only) append_line(out, "a=bundle-only");
  append_extensions(section, out);
  bool has_direction = section.kind != MediaKind::kData || section.direction != Direction::kSendRecv;
  if (has_direction) append_line(out, "a=", word_of(section.direction));
  if (section.has_rtcp_mux) append_line(out, "a=rtcp-mux");
  if (section.has_rtcp_mux_only) append_line(out, "a=rtcp-mux-only");
  if (section.has_rtcp_rsize) append_line(out, "a=rtcp-rsize");
  append_payloads(section, out);
  if (section.ptime_ms) append_line(out, "a=ptime:", *section.ptime_ms);
  if (section.maxptime_ms) append_line(out, "a=maxptime:", *section.maxptime_ms);
  append_streams(section, out);
  if (section.sctp) append_sctp(*section.sctp, out);
}

}  // namespace

std::string_view word_of(Direction direction) { return kDirections[static_cast<std::size_t>(direction)]; }

void append_bundle(const std::vector<std::string>& mids, std::string& out) {
  out.append("a=group:BUNDLE");
  for (const std::string& mid : mids) out.append(" ").append(mid);
  out.append("\r\n");
}

void append_ice(const IceCredentials& ice, std::string& out) {
  append_line(out, "a=ice-ufrag:", ice.ufrag);
  append_line(out, "a=ice-pwd:", ice.password);
}

void append_ice_options(const IceOptions& options, std::string& out) {
  if (options == IceOptions{}) return;
  append_line(out, "a=ice-options:", options.trickle ? "trickle " : "", options.ice2 ? "ice2 " : "",
              options.renomination ? "renomination " : "");
  out.erase(out.size() - 3, 1);  // The space before the line end.
}

void append_candidates(const std::vector<Candidate>& candidates, bool has_end, std::string& out) {
  for (const Candidate& candidate : candidates) append_line(out, "a=candidate:", write_candidate(candidate));
  if (has_end) append_line(out, "a=end-of-candidates");
}

void append_media_line(const MediaSection& section, std::string& out) {
  out.append("m=").append(section.kind_name).append(" ");
  append_number(out, section.port);
  out.append(" ").append(section.protocol);
  for (const std::string& format : section.formats) out.append(" ").append(format);
  for (const Payload& payload : section.payloads) {
    out.push_back(' ');
    append_number(out, payload.type);
  }
  out.append("\r\n");
}

std::string write(const SessionDescription& description) {
  std::string out = "v=0\r\n";
  append_line(out, "o=", description.user_name, " ", description.session_id, " ", description.session_version,
              " ", net_type_of(description.origin_address), description.origin_address);
  append_line(out, "s=", description.session_name);
  append_line(out, "t=0 0");
  for (const auto& mids : description.bundles) append_bundle(mids, out);
  if (description.is_ice_lite) append_line(out, "a=ice-lite");
  for (const MediaSection& section : description.sections) append_section(section, out);
  return out;
}

}  // namespace stoa::sdp
