#include "proto/ice/candidate.h"

#include <algorithm>

#include "base/letters.h"

namespace stoa::ice {
namespace {

constexpr std::string_view kTypes[] = {"host", "prflx", "srflx", "relay"};
constexpr std::string_view kTcpTypes[] = {"active", "passive", "so"};
constexpr std::uint32_t kTypePreferences[] = {126, 110, 100, 0};

bool is_ice_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '/';
}
bool is_ice_text(std::string_view text, std::size_t max) {
  return !text.empty() && text.size() <= max && std::all_of(text.begin(), text.end(), is_ice_char);
}

bool is_host_name(std::string_view text) {
  return !text.empty() && text.size() <= kHostNameBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (is_ice_char(c) && c != '+' && c != '/') || c == '.' || c == '-' || c == '_';
         });
}

// Words between single spaces.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text) {}
  bool at_end() const { return rest_.empty(); }
  std::string_view next() {
    std::size_t space = rest_.find(' ');
    std::string_view word = rest_.substr(0, space);
    rest_ = space == std::string_view::npos ? std::string_view() : rest_.substr(space + 1);
    return word;
  }
  std::optional<std::uint32_t> next_number(std::uint32_t max) {
    std::string_view word = next();
    if (word.empty() || word.size() > 10) return std::nullopt;
    std::uint64_t value = 0;
    for (char c : word) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + static_cast<std::uint64_t>(c - '0');
    }
    if (value > max) return std::nullopt;
    return static_cast<std::uint32_t>(value);
  }

 private:
  std::string_view rest_;
};

// Position in `names`, or nothing.
template <std::size_t size>
std::optional<std::size_t> find_name(const std::string_view (&names)[size], std::string_view name) {
  for (std::size_t i = 0; i < size; ++i)
    if (equals_ignoring_case(names[i], name)) return i;
  return std::nullopt;
}

// What follows the type: raddr, rport, tcptype and extensions, in pairs of words.
std::optional<CandidateRefusal> parse_extensions(Words& words, bool is_tcp_transport, Candidate& candidate) {
  std::optional<IpAddress> related_ip;
  std::optional<std::uint16_t> related_port;
  bool has_tcp_type = false;
  while (!words.at_end()) {
    std::string_view name = words.next();
    if (name.empty() || words.at_end()) return CandidateRefusal::kMalformed;
    if (name == "rport") {
      auto port = words.next_number(65'535);
      if (!port) return CandidateRefusal::kMalformed;
      related_port = static_cast<std::uint16_t>(*port);
      continue;
    }
    std::string_view value = words.next();
    if (name == "raddr") {
      related_ip = IpAddress::parse(value);  // A name here is of no use to anybody.
    } else if (name == "tcptype") {
      auto tcp_type = find_name(kTcpTypes, value);
      if (!tcp_type) return CandidateRefusal::kUnknownKind;
      if (is_tcp_transport) candidate.transport = static_cast<Transport>(*tcp_type + 1);
      has_tcp_type = true;
    } else if (name == "ufrag") {
      if (!is_ice_text(value, 256)) return CandidateRefusal::kMalformed;
      candidate.ufrag = value;
    }
  }
  if (is_tcp_transport && !has_tcp_type) return CandidateRefusal::kMalformed;
  if (related_ip) candidate.related = SocketAddress{*related_ip, related_port.value_or(0)};
  return std::nullopt;
}

}  // namespace

const char* name_of(CandidateRefusal refusal) {
  switch (refusal) {
    case CandidateRefusal::kTooLong: return "too_long";
    case CandidateRefusal::kMalformed: return "malformed";
    case CandidateRefusal::kUnknownKind: return "unknown_kind";
  }
  return "unknown";
}

Result<Candidate, CandidateRefusal> parse_candidate(std::string_view text) {
  if (text.size() > kCandidateTextBytesMax) return refuse(CandidateRefusal::kTooLong);
  if (text.starts_with("a=")) text.remove_prefix(2);
  constexpr std::string_view kPrefix = "candidate:";
  if (!text.starts_with(kPrefix)) return refuse(CandidateRefusal::kMalformed);
  Words words(text.substr(kPrefix.size()));
  Candidate candidate;
  candidate.foundation = words.next();
  auto component = words.next_number(256);
  std::string_view transport = words.next();
  auto priority = words.next_number(0xffff'ffff);
  std::string_view address = words.next();
  auto port = words.next_number(65'535);
  if (!is_ice_text(candidate.foundation, kFoundationBytesMax) || !component || *component == 0 || !priority ||
      !port || words.next() != "typ")
    return refuse(CandidateRefusal::kMalformed);
  candidate.component = static_cast<std::uint16_t>(*component);
  candidate.priority = *priority;
  candidate.address.port = static_cast<std::uint16_t>(*port);
  if (auto ip = IpAddress::parse(address)) {
    candidate.address.ip = *ip;
  } else if (is_host_name(address)) {
    candidate.host_name = address;
  } else {
    return refuse(CandidateRefusal::kMalformed);
  }
  bool is_tcp_transport = equals_ignoring_case(transport, "tcp");
  auto type = find_name(kTypes, words.next());
  if (!type || (!is_tcp_transport && !equals_ignoring_case(transport, "udp")))
    return refuse(CandidateRefusal::kUnknownKind);
  candidate.type = static_cast<CandidateType>(*type);
  if (auto refusal = parse_extensions(words, is_tcp_transport, candidate)) return refuse(*refusal);
  return candidate;
}

std::string write_candidate(const Candidate& candidate) {
  std::string text = "candidate:" + candidate.foundation + " " + std::to_string(candidate.component) +
                     (is_tcp(candidate.transport) ? " tcp " : " udp ") + std::to_string(candidate.priority) +
                     " " +
                     (candidate.address.is_set() ? candidate.address.ip.to_text() : candidate.host_name) +
                     " " + std::to_string(candidate.address.port) + " typ ";
  text += kTypes[static_cast<std::size_t>(candidate.type)];
  if (candidate.related)
    text += " raddr " + candidate.related->ip.to_text() + " rport " + std::to_string(candidate.related->port);
  if (is_tcp(candidate.transport)) {
    text += " tcptype ";
    text += kTcpTypes[static_cast<std::size_t>(candidate.transport) - 1];
  }
  if (!candidate.ufrag.empty()) text += " ufrag " + candidate.ufrag;
  return text;
}

std::uint32_t candidate_priority(CandidateType type, std::uint16_t local_preference,
                                 std::uint16_t component) {
  return (kTypePreferences[static_cast<std::size_t>(type)] << 24) +
         (static_cast<std::uint32_t>(local_preference) << 8) + (256u - component);
}

std::uint16_t tcp_local_preference(CandidateType type, Transport transport, std::uint16_t other) {
  bool is_direct = type == CandidateType::kHost || type == CandidateType::kRelayed;
  std::uint16_t direction = 0;
  switch (transport) {
    case Transport::kUdp: break;
    case Transport::kTcpActive: direction = is_direct ? 6 : 4; break;
    case Transport::kTcpPassive: direction = is_direct ? 4 : 2; break;
    case Transport::kTcpSimultaneousOpen: direction = is_direct ? 2 : 6; break;
  }
  return static_cast<std::uint16_t>(direction << 13 | (other & 0x1fff));
}

std::string make_foundation(CandidateType type, Transport transport, const IpAddress& base,
                            const IpAddress& server) {
  // FNV-1a: short, and equal input gives equal text on every machine.
  std::uint32_t hash = 0x811c9dc5;
  auto mix = [&](std::uint8_t byte) { hash = (hash ^ byte) * 0x01000193; };
  mix(static_cast<std::uint8_t>(type));
  mix(is_tcp(transport) ? 1 : 0);
  for (std::uint8_t byte : base.bytes()) mix(byte);
  mix(0xff);
  for (std::uint8_t byte : server.bytes()) mix(byte);
  return std::to_string(hash);
}

}  // namespace stoa::ice
