#include "proto/stun/attribute.h"

#include <algorithm>
#include <iterator>

namespace stoa::stun {
namespace {

using Type = AttributeType;
constexpr std::uint16_t kAny = 0xffff;

// Sorted by type.
constexpr AttributeSpec kSpecs[] = {
    {Type::kMappedAddress, "MAPPED-ADDRESS", Shape::kAddress, 8, 20},
    {Type::kChangeRequest, "CHANGE-REQUEST", Shape::kU32, 4, 4},
    {Type::kUsername, "USERNAME", Shape::kText, 0, kUsernameBytesMax},
    {Type::kMessageIntegrity, "MESSAGE-INTEGRITY", Shape::kBytes, 20, 20},
    {Type::kErrorCode, "ERROR-CODE", Shape::kError, 4, 4 + kTextBytesMax},
    {Type::kUnknownAttributes, "UNKNOWN-ATTRIBUTES", Shape::kU16List, 0, kAny},
    {Type::kChannelNumber, "CHANNEL-NUMBER", Shape::kU16, 4, 4},
    {Type::kLifetime, "LIFETIME", Shape::kU32, 4, 4},
    {Type::kXorPeerAddress, "XOR-PEER-ADDRESS", Shape::kXorAddress, 8, 20},
    {Type::kData, "DATA", Shape::kBytes, 0, kAny},
    {Type::kRealm, "REALM", Shape::kText, 0, kTextBytesMax},
    {Type::kNonce, "NONCE", Shape::kText, 0, kTextBytesMax},
    {Type::kXorRelayedAddress, "XOR-RELAYED-ADDRESS", Shape::kXorAddress, 8, 20},
    {Type::kRequestedAddressFamily, "REQUESTED-ADDRESS-FAMILY", Shape::kU8, 4, 4},
    {Type::kEvenPort, "EVEN-PORT", Shape::kU8, 1, 1},
    {Type::kRequestedTransport, "REQUESTED-TRANSPORT", Shape::kU8, 4, 4},
    {Type::kDontFragment, "DONT-FRAGMENT", Shape::kFlag, 0, 0},
    {Type::kAccessToken, "ACCESS-TOKEN", Shape::kBytes, 0, kAny},
    {Type::kMessageIntegritySha256, "MESSAGE-INTEGRITY-SHA256", Shape::kBytes, 16, 32},
    {Type::kPasswordAlgorithm, "PASSWORD-ALGORITHM", Shape::kBytes, 4, kAny},
    {Type::kUserhash, "USERHASH", Shape::kBytes, 32, 32},
    {Type::kXorMappedAddress, "XOR-MAPPED-ADDRESS", Shape::kXorAddress, 8, 20},
    {Type::kReservationToken, "RESERVATION-TOKEN", Shape::kU64, 8, 8},
    {Type::kPriority, "PRIORITY", Shape::kU32, 4, 4},
    {Type::kUseCandidate, "USE-CANDIDATE", Shape::kFlag, 0, 0},
    {Type::kPadding, "PADDING", Shape::kBytes, 0, kAny},
    {Type::kResponsePort, "RESPONSE-PORT", Shape::kU16, 4, 4},
    {Type::kConnectionId, "CONNECTION-ID", Shape::kU32, 4, 4},
    {Type::kAdditionalAddressFamily, "ADDITIONAL-ADDRESS-FAMILY", Shape::kU8, 4, 4},
    {Type::kAddressErrorCode, "ADDRESS-ERROR-CODE", Shape::kError, 4, 4 + kTextBytesMax},
    {Type::kPasswordAlgorithms, "PASSWORD-ALGORITHMS", Shape::kBytes, 4, kAny},
    {Type::kAlternateDomain, "ALTERNATE-DOMAIN", Shape::kText, 1, 255},
    {Type::kIcmp, "ICMP", Shape::kBytes, 8, 8},
    {Type::kSoftware, "SOFTWARE", Shape::kText, 0, kTextBytesMax},
    {Type::kAlternateServer, "ALTERNATE-SERVER", Shape::kAddress, 8, 20},
    {Type::kTransactionTransmitCounter, "TRANSACTION-TRANSMIT-COUNTER", Shape::kU32, 4, 4},
    {Type::kFingerprint, "FINGERPRINT", Shape::kU32, 4, 4},
    {Type::kIceControlled, "ICE-CONTROLLED", Shape::kU64, 8, 8},
    {Type::kIceControlling, "ICE-CONTROLLING", Shape::kU64, 8, 8},
    {Type::kResponseOrigin, "RESPONSE-ORIGIN", Shape::kAddress, 8, 20},
    {Type::kOtherAddress, "OTHER-ADDRESS", Shape::kAddress, 8, 20},
    {Type::kThirdPartyAuthorization, "THIRD-PARTY-AUTHORIZATION", Shape::kText, 0, kAny},
    {Type::kMobilityTicket, "MOBILITY-TICKET", Shape::kBytes, 0, kAny},
    {Type::kCiscoStunFlowdata, "CISCO-STUN-FLOWDATA", Shape::kBytes, 0, kAny},
    {Type::kNomination, "NOMINATION", Shape::kU32, 4, 4},
    {Type::kGoogNetworkCost, "GOOG-NETWORK-INFO", Shape::kU32, 4, 4},
};
constexpr bool is_before(const AttributeSpec& a, const AttributeSpec& b) { return a.type < b.type; }
static_assert(std::is_sorted(std::begin(kSpecs), std::end(kSpecs), is_before));

}  // namespace

const AttributeSpec* find_spec(AttributeType type) {
  const auto* found = std::lower_bound(std::begin(kSpecs), std::end(kSpecs), type,
                                       [](const AttributeSpec& spec, Type key) { return spec.type < key; });
  return found != std::end(kSpecs) && found->type == type ? found : nullptr;
}

std::string_view name_of(AttributeType type) {
  const AttributeSpec* spec = find_spec(type);
  return spec ? spec->name : "unknown";
}

namespace error {

std::string_view reason_of(std::uint16_t code) {
  switch (code) {
    case kTryAlternate: return "Try Alternate";
    case kBadRequest: return "Bad Request";
    case kUnauthenticated: return "Unauthenticated";
    case kForbidden: return "Forbidden";
    case kMobilityForbidden: return "Mobility Forbidden";
    case kUnknownAttribute: return "Unknown Attribute";
    case kAllocationMismatch: return "Allocation Mismatch";
    case kStaleNonce: return "Stale Nonce";
    case kAddressFamilyNotSupported: return "Address Family not Supported";
    case kWrongCredentials: return "Wrong Credentials";
    case kUnsupportedTransport: return "Unsupported Transport Protocol";
    case kPeerAddressFamilyMismatch: return "Peer Address Family Mismatch";
    case kConnectionAlreadyExists: return "Connection Already Exists";
    case kConnectionTimeoutOrFailure: return "Connection Timeout or Failure";
    case kAllocationQuotaReached: return "Allocation Quota Reached";
    case kRoleConflict: return "Role Conflict";
    case kServerError: return "Server Error";
    case kInsufficientCapacity: return "Insufficient Capacity";
    default: return "Error";
  }
}

}  // namespace error

}  // namespace stoa::stun
