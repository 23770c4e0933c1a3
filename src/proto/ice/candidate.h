// Candidates: addresses that may reach an agent, with the order in which to try them (RFC 8445 §5.1), and the
// text that carries them in SDP and in trickled fragments (RFC 8839 §5.1, RFC 6544 §4.5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/result.h"

namespace stoa::ice {

enum class CandidateType : std::uint8_t { kHost, kPeerReflexive, kServerReflexive, kRelayed };

// UDP, or the part that a TCP candidate plays when a connection is made (RFC 6544 §4.5).
enum class Transport : std::uint8_t { kUdp, kTcpActive, kTcpPassive, kTcpSimultaneousOpen };
inline bool is_tcp(Transport transport) { return transport != Transport::kUdp; }

struct Candidate {
  std::string foundation;  // Equal for candidates of one type, one base address, one server, one protocol.
  std::uint16_t component = 1;
  Transport transport = Transport::kUdp;
  std::uint32_t priority = 0;
  SocketAddress address;  // Not set when `host_name` is: only the port counts then.
  std::string host_name;  // "….local" of a browser that hides its addresses (mDNS), or any other name.
  CandidateType type = CandidateType::kHost;
  std::optional<SocketAddress> related;  // raddr and rport: for people who look for faults.
  std::string ufrag;                     // Extension: which generation it belongs to (RFC 8840 §4.1).

  bool operator==(const Candidate&) const = default;
};

enum class CandidateRefusal : std::uint8_t {
  kTooLong,      // kCandidateTextBytesMax.
  kMalformed,    // Not as RFC 8839 §5.1 writes it.
  kUnknownKind,  // Another transport or type than ours: to be passed over, without harm (§5.1).
};
const char* name_of(CandidateRefusal refusal);

inline constexpr std::size_t kCandidateTextBytesMax = 512;
inline constexpr std::size_t kFoundationBytesMax = 32;
inline constexpr std::size_t kHostNameBytesMax = 253;

// Takes "candidate:…", with "a=" before it or without. Extensions that are not named above are passed over.
Result<Candidate, CandidateRefusal> parse_candidate(std::string_view text);
// "candidate:…", without "a=".
std::string write_candidate(const Candidate& candidate);

// RFC 8445 §5.1.2.1. Type preferences: host 126, peer reflexive 110, server reflexive 100, relayed 0.
std::uint32_t candidate_priority(CandidateType type, std::uint16_t local_preference,
                                 std::uint16_t component = 1);
// Local preference of a TCP candidate (RFC 6544 §4.2); `other` (13 bits) orders candidates that are alike.
std::uint16_t tcp_local_preference(CandidateType type, Transport transport, std::uint16_t other);

// RFC 8445 §6.1.2.3: of the controlling agent's candidate and the controlled agent's.
constexpr std::uint64_t pair_priority(std::uint32_t controlling, std::uint32_t controlled) {
  std::uint64_t low = controlling < controlled ? controlling : controlled;
  std::uint64_t high = controlling < controlled ? controlled : controlling;
  return (low << 32) + 2 * high + (controlling > controlled ? 1 : 0);
}

// A foundation from what it depends on (RFC 8445 §5.1.1.3): equal arguments give equal text.
std::string make_foundation(CandidateType type, Transport transport, const IpAddress& base,
                            const IpAddress& server = {});

}  // namespace stoa::ice
