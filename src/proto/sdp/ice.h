// What SDP says of ICE (RFC 8839, RFC 6544 for TCP): credentials, options, candidates. The agent that uses
// them lives in proto/ice; here they are only read and written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "proto/sdp/refusal.h"

namespace stoa::sdp {

struct IceCredentials {
  std::string ufrag, password;
  bool operator==(const IceCredentials&) const = default;
};
bool is_ice_ufrag(std::string_view text);     // 4 to 256 ice-chars (RFC 8839 §5.4).
bool is_ice_password(std::string_view text);  // 22 to 256 ice-chars.

// RFC 8839 §5.6. Others are dropped.
struct IceOptions {
  bool trickle = false;       // RFC 8840 §5.1
  bool ice2 = false;          // RFC 8445 §10
  bool renomination = false;  // Chromium
  bool operator==(const IceOptions&) const = default;
};

enum class CandidateTransport : std::uint8_t { kUdp, kTcp };
enum class CandidateType : std::uint8_t { kHost, kServerReflexive, kPeerReflexive, kRelayed };
enum class TcpType : std::uint8_t { kActive, kPassive, kSimultaneousOpen };  // RFC 6544 §4.5

// RFC 8839 §5.1. Addresses are the text that was sent: an IP address, or a name (an mDNS name of a browser).
struct Candidate {
  std::string foundation;
  std::uint16_t component = 1;  // 1 to 256
  CandidateTransport transport = CandidateTransport::kUdp;
  std::uint32_t priority = 0;
  std::string address;
  std::uint16_t port = 0;  // 9 for an active TCP candidate.
  CandidateType type = CandidateType::kHost;
  std::string related_address;  // raddr; empty when absent.
  std::uint16_t related_port = 0;
  std::optional<TcpType> tcp_type;  // Present exactly with kTcp.
  std::string ufrag;                // The generation it belongs to, when the writer says so (trickle).
  bool operator==(const Candidate&) const = default;
};

// "1 1 udp 2130706431 192.0.2.1 7882 typ host …", with or without "candidate:" and "a=" before it. Words
// that are not known (generation, network-id, network-cost, …) are passed over. std::nullopt: well formed,
// but of a transport or a type that we do not know, which RFC 8839 §5.1 has ignored.
Result<std::optional<Candidate>, Refusal> parse_candidate(std::string_view text);
std::string write_candidate(const Candidate& candidate);  // Without "candidate:".

}  // namespace stoa::sdp
