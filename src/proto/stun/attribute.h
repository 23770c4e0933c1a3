// What a STUN message may hold: attribute types and the shape that the value of each must have.
//
// An attribute is a type (16 bits), a length (16 bits) and a value, padded to four bytes. Types below 0x8000
// are comprehension-required: who does not understand one in a request answers 420 (RFC 8489 §14).
#pragma once

#include <cstdint>
#include <string_view>

namespace stoa::stun {

enum class AttributeType : std::uint16_t {
  // RFC 8489 §18.3
  kMappedAddress = 0x0001,
  kUsername = 0x0006,
  kMessageIntegrity = 0x0008,
  kErrorCode = 0x0009,
  kUnknownAttributes = 0x000a,
  kRealm = 0x0014,
  kNonce = 0x0015,
  kMessageIntegritySha256 = 0x001c,
  kPasswordAlgorithm = 0x001d,
  kUserhash = 0x001e,
  kXorMappedAddress = 0x0020,
  kPasswordAlgorithms = 0x8002,
  kAlternateDomain = 0x8003,
  kSoftware = 0x8022,
  kAlternateServer = 0x8023,
  kFingerprint = 0x8028,
  // RFC 8445 §16.1
  kPriority = 0x0024,
  kUseCandidate = 0x0025,
  kIceControlled = 0x8029,
  kIceControlling = 0x802a,
  // RFC 8656 §18
  kChannelNumber = 0x000c,
  kLifetime = 0x000d,
  kXorPeerAddress = 0x0012,
  kData = 0x0013,
  kXorRelayedAddress = 0x0016,
  kRequestedAddressFamily = 0x0017,
  kEvenPort = 0x0018,
  kRequestedTransport = 0x0019,
  kDontFragment = 0x001a,
  kReservationToken = 0x0022,
  kAdditionalAddressFamily = 0x8000,
  kAddressErrorCode = 0x8001,
  kIcmp = 0x8004,
  kAccessToken = 0x001b,              // RFC 7635 §6.2
  kThirdPartyAuthorization = 0x802e,  // RFC 7635 §6.1
  kConnectionId = 0x002a,             // RFC 6062 §6.2.1
  kMobilityTicket = 0x8030,           // RFC 8016 §3.5
  // RFC 5780 §7
  kChangeRequest = 0x0003,
  kPadding = 0x0026,
  kResponsePort = 0x0027,
  kResponseOrigin = 0x802b,
  kOtherAddress = 0x802c,
  // Registered and seen in the field.
  kTransactionTransmitCounter = 0x8025,  // RFC 7982 §3
  kCiscoStunFlowdata = 0xc000,
  kNomination = 0xc001,       // draft-thatcher-ice-renomination: the highest number is what counts.
  kGoogNetworkCost = 0xc057,  // Chromium: id and cost of the network a check came from.
};

// How the value of an attribute is read. A value of another shape counts as malformed (message.h).
enum class Shape : std::uint8_t {
  kUnknown,  // Not in our table.
  kFlag,     // No value.
  kU8,       // One byte and three reserved ones; kEvenPort: one byte.
  kU16,      // Two bytes, and for kChannelNumber and kResponsePort two reserved ones.
  kU32,
  kU64,
  kBytes,       // Length bounds only.
  kText,        // UTF-8, length bounds only.
  kAddress,     // Family, port, address.
  kXorAddress,  // The same, hidden from address-rewriting NATs by the magic cookie.
  kError,       // Class, number, reason.
  kU16List,     // Unknown attributes.
};

// Attributes are a closed table so that limits stand in one place. Lengths are of the value, in bytes.
struct AttributeSpec {
  AttributeType type;
  const char* name;  // As the registry spells it: "XOR-MAPPED-ADDRESS".
  Shape shape;
  std::uint16_t length_min, length_max;
};

// Longest texts (RFC 8489 §14.3, §14.9, §14.10, §14.14): 508 bytes of USERNAME, 127 characters of the others,
// up to 763 bytes.
inline constexpr std::uint16_t kUsernameBytesMax = 508;
inline constexpr std::uint16_t kTextBytesMax = 763;

// Null for a type that is not in the table.
const AttributeSpec* find_spec(AttributeType type);
// The registry's name, or "unknown".
std::string_view name_of(AttributeType type);

inline bool is_comprehension_required(AttributeType type) {
  return static_cast<std::uint16_t>(type) < 0x8000;
}

// Numbers of ERROR-CODE (RFC 8489 §14.8, RFC 8445 §16.2, RFC 8656 §19, RFC 6062 §6.3, RFC 8016 §3.6).
namespace error {
inline constexpr std::uint16_t kTryAlternate = 300;
inline constexpr std::uint16_t kBadRequest = 400;
inline constexpr std::uint16_t kUnauthenticated = 401;
inline constexpr std::uint16_t kForbidden = 403;
inline constexpr std::uint16_t kMobilityForbidden = 405;
inline constexpr std::uint16_t kUnknownAttribute = 420;
inline constexpr std::uint16_t kAllocationMismatch = 437;
inline constexpr std::uint16_t kStaleNonce = 438;
inline constexpr std::uint16_t kAddressFamilyNotSupported = 440;
inline constexpr std::uint16_t kWrongCredentials = 441;
inline constexpr std::uint16_t kUnsupportedTransport = 442;
inline constexpr std::uint16_t kPeerAddressFamilyMismatch = 443;
inline constexpr std::uint16_t kConnectionAlreadyExists = 446;
inline constexpr std::uint16_t kConnectionTimeoutOrFailure = 447;
inline constexpr std::uint16_t kAllocationQuotaReached = 486;
inline constexpr std::uint16_t kRoleConflict = 487;
inline constexpr std::uint16_t kServerError = 500;
inline constexpr std::uint16_t kInsufficientCapacity = 508;
// The phrase that the specification gives the number; "Error" for others.
std::string_view reason_of(std::uint16_t code);
}  // namespace error

}  // namespace stoa::stun
