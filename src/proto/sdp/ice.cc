#include "proto/sdp/ice.h"

#include <array>

#include "proto/sdp/limits.h"
#include "proto/sdp/text.h"

namespace stoa::sdp {
namespace {

constexpr std::array<std::string_view, 4> kTypes = {"host", "srflx", "prflx", "relay"};
constexpr std::array<std::string_view, 3> kTcpTypes = {"active", "passive", "so"};
constexpr std::array<std::string_view, 2> kTransports = {"udp", "tcp"};

template <typename Enum, std::size_t kCount>
bool read_word(std::string_view text, const std::array<std::string_view, kCount>& words, Enum& value) {
  for (std::size_t i = 0; i < kCount; ++i) {
    if (!equals_ignoring_case(words[i], text)) continue;
    value = static_cast<Enum>(i);
    return true;
  }
  return false;
}

// The name-value pairs behind the type. False when one that we know is broken.
bool read_extensions(Words& words, Candidate& candidate) {
  std::string_view name;
  while (words.next(name)) {
    std::string_view value = words.take();
    if (value.empty()) return false;
    if (name == "raddr") {
      if (!is_visible(value, kHostBytesMax)) return false;
      candidate.related_address = value;
    } else if (name == "rport") {
      if (!read_number(value, candidate.related_port, UINT16_MAX)) return false;
    } else if (name == "tcptype") {
      TcpType type;
      if (!read_word(value, kTcpTypes, type)) return false;
      candidate.tcp_type = type;
    } else if (name == "ufrag") {
      if (!is_ice_ufrag(value)) return false;
      candidate.ufrag = value;
    }
  }
  return true;
}

bool is_foundation(std::string_view text) {
  // RFC 8839 has ice-chars only; other signs are seen and do no harm, except where the next reader would take
  // them for a prefix.
  return is_visible(text, kFoundationBytesMax) && text.find(':') == std::string_view::npos &&
         !text.starts_with("a=");
}

}  // namespace

bool is_ice_ufrag(std::string_view text) {
  return text.size() >= kUfragBytesMin && text.size() <= kIceWordBytesMax && is_ice_word(text);
}

bool is_ice_password(std::string_view text) {
  return text.size() >= kPasswordBytesMin && text.size() <= kIceWordBytesMax && is_ice_word(text);
}

Result<std::optional<Candidate>, Refusal> parse_candidate(std::string_view text) {
  if (text.starts_with("a=")) text.remove_prefix(2);
  if (text.starts_with("candidate:")) text.remove_prefix(10);
  if (text.size() > kLineBytesMax) return refuse(Refusal::kTooLarge);
  if (!has_no_controls(text)) return refuse(Refusal::kBadText);

  Words words(text);
  Candidate candidate;
  std::string_view foundation = words.take(), component = words.take(), transport = words.take();
  std::string_view priority = words.take(), address = words.take(), port = words.take();
  std::string_view typ = words.take(), type = words.take();
  bool is_read = is_foundation(foundation) && read_number(component, candidate.component, 256) &&
                 candidate.component > 0 && read_number(priority, candidate.priority, UINT32_MAX) &&
                 is_visible(address, kHostBytesMax) && read_number(port, candidate.port, UINT16_MAX) &&
                 typ == "typ" && is_token(transport, kNameBytesMax) && is_token(type, kNameBytesMax);
  if (!is_read) return refuse(Refusal::kBadCandidate);
  bool is_known =
      read_word(transport, kTransports, candidate.transport) && read_word(type, kTypes, candidate.type);
  candidate.foundation = foundation;
  candidate.address = address;
  if (!read_extensions(words, candidate)) return refuse(Refusal::kBadCandidate);
  if (candidate.related_address.empty()) candidate.related_port = 0;
  if (!is_known) return std::optional<Candidate>();
  bool is_tcp = candidate.transport == CandidateTransport::kTcp;
  if (is_tcp && !candidate.tcp_type) return refuse(Refusal::kBadCandidate);
  if (!is_tcp) candidate.tcp_type.reset();
  return std::optional<Candidate>(std::move(candidate));
}

std::string write_candidate(const Candidate& candidate) {
  std::string out = candidate.foundation + " ";
  append_number(out, candidate.component);
  out.append(" ").append(kTransports[static_cast<std::size_t>(candidate.transport)]).append(" ");
  append_number(out, candidate.priority);
  out.append(" ").append(candidate.address).append(" ");
  append_number(out, candidate.port);
  out.append(" typ ").append(kTypes[static_cast<std::size_t>(candidate.type)]);
  if (!candidate.related_address.empty()) {
    out.append(" raddr ").append(candidate.related_address).append(" rport ");
    append_number(out, candidate.related_port);
  }
  if (candidate.tcp_type) {
    out.append(" tcptype ").append(kTcpTypes[static_cast<std::size_t>(*candidate.tcp_type)]);
  }
  if (!candidate.ufrag.empty()) out.append(" ufrag ").append(candidate.ufrag);
  return out;
}

}  // namespace stoa::sdp
