// A STUN message as it lies in a datagram: a view that copies nothing and is valid as long as its bytes.
//
//   auto message = Message::parse(datagram);            // header, attributes, FINGERPRINT when there is one
//   if (message->check_integrity(key)) …                // nothing in it is believed before that
//   auto username = message->find_text(AttributeType::kUsername);
//
// What the specification wants ignored is not there: a second attribute of a type (except through find_all),
// and what stands behind a MESSAGE-INTEGRITY without being covered by it (RFC 8489 §14.5 and §14.6). An
// attribute whose value has another shape than attribute.h says is not found either; malformed() tells its
// type, so that a server may answer 400.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/address.h"
#include "base/bytes.h"
#include "base/result.h"
#include "proto/stun/attribute.h"
#include "proto/stun/refusal.h"

namespace stoa::stun {

inline constexpr std::size_t kHeaderBytes = 20;
inline constexpr std::uint32_t kMagicCookie = 0x2112'a442;
inline constexpr std::uint32_t kFingerprintXor = 0x5354'554e;
// More than any known use; a message of 64 KiB could otherwise hold 16,000.
inline constexpr std::size_t kAttributesMax = 48;
// As many unknown types as we name in a 420; a peer that sends more learns the rest at its next try.
inline constexpr std::size_t kUnknownAttributesMax = 16;

enum class MessageClass : std::uint8_t { kRequest, kIndication, kSuccess, kError };

// Eight bits: methods from 0x100 on would not be told from DTLS (RFC 7983 §4).
enum class Method : std::uint16_t {
  kBinding = 0x001,
  kAllocate = 0x003,  // From here TURN (RFC 8656 §17).
  kRefresh = 0x004,
  kSend = 0x006,
  kData = 0x007,
  kCreatePermission = 0x008,
  kChannelBind = 0x009,
  kConnect = 0x00a,  // From here TURN over TCP (RFC 6062 §6.1).
  kConnectionBind = 0x00b,
  kConnectionAttempt = 0x00c,
};

using TransactionId = std::array<std::uint8_t, 12>;

struct ErrorCode {
  std::uint16_t code;       // 300 to 699.
  std::string_view reason;  // What the peer wrote: not for people without escaping.
};

// A list with a fixed upper bound, so that reading stays free of allocations.
struct UnknownAttributes {
  std::array<AttributeType, kUnknownAttributesMax> types;
  std::size_t count = 0;

  std::span<const AttributeType> view() const { return {types.data(), count}; }
  bool empty() const { return count == 0; }
};

// True for what RFC 7983 §7 and the magic cookie make STUN; says nothing about the rest. For demultiplexing:
// DTLS begins with 20 to 63, TURN channels with 64 to 79, RTP and RTCP with 128 to 191.
bool is_stun(Bytes datagram);

// How long the message that begins these bytes is, for STUN over TCP. Nothing when there are fewer than four
// bytes; a refusal when they begin no STUN message.
Result<std::optional<std::size_t>, Refusal> message_length(Bytes bytes);

class Message {
 public:
  // The datagram must be the message and nothing else. A FINGERPRINT that is there must be right.
  static Result<Message, Refusal> parse(Bytes datagram);

  MessageClass message_class() const { return class_; }
  Method method() const { return method_; }
  bool is(MessageClass message_class, Method method) const {
    return class_ == message_class && method_ == method;
  }
  TransactionId transaction_id() const;
  Bytes bytes() const { return bytes_; }

  bool has(AttributeType type) const { return find(type).has_value(); }
  // The value as it is, of any type. An attribute of a wrong shape is not found.
  std::optional<Bytes> find(AttributeType type) const;
  std::optional<std::string_view> find_text(AttributeType type) const;
  // Shapes kU8, kU16 and kU32.
  std::optional<std::uint32_t> find_number(AttributeType type) const;
  std::optional<std::uint64_t> find_u64(AttributeType type) const;
  // Shapes kAddress and kXorAddress.
  std::optional<SocketAddress> find_address(AttributeType type) const;
  std::optional<ErrorCode> find_error(AttributeType type = AttributeType::kErrorCode) const;
  // The list of a 420. Empty when there is none.
  UnknownAttributes unknown_attributes() const;

  // For attributes that may stand more than once (XOR-PEER-ADDRESS): calls visit(Bytes) for each value.
  template <typename Visit>
  void for_each(AttributeType type, Visit&& visit) const {
    for (std::size_t i = 0; i < count_; ++i)
      if (attributes_[i].type == type && !attributes_[i].is_malformed) visit(value(attributes_[i]));
  }
  // An address inside a value that for_each gave. Nothing when it is none.
  std::optional<SocketAddress> address_in(Bytes value, Shape shape) const;

  // The comprehension-required attributes that are not among `understood`: what to name in a 420.
  // Those that the specification of STUN itself needs are always understood.
  UnknownAttributes unknown_attributes(std::span<const AttributeType> understood) const;
  // The first attribute of a known type whose value has not the shape of it.
  std::optional<AttributeType> malformed() const;

  bool has_fingerprint() const { return fingerprint_at_ != 0; }
  bool has_integrity() const { return integrity_at_ != 0 || integrity_sha256_at_ != 0; }
  bool has_integrity_sha256() const { return integrity_sha256_at_ != 0; }
  // With the SHA-256 code when there is one, else with the SHA-1 one. Compared in constant time. The key is
  // the password for short-term credentials, and of credentials.h for long-term ones.
  Result<void, Refusal> check_integrity(Bytes key) const;
  // One of them by name, for a client that must insist on what it asked with (RFC 8489 §9.2.5).
  Result<void, Refusal> check_integrity_sha1(Bytes key) const;
  Result<void, Refusal> check_integrity_sha256(Bytes key) const;

 private:
  struct Attribute {
    AttributeType type;
    std::uint16_t length;
    std::uint32_t offset;  // Of the value.
    bool is_malformed;
  };

  Message() = default;
  Result<void, Refusal> read_attributes();
  Result<void, Refusal> take_attribute(AttributeType type, std::size_t header_at, std::size_t length);
  bool has_shape(const AttributeSpec& spec, Bytes value) const;
  Bytes value(const Attribute& attribute) const { return bytes_.subspan(attribute.offset, attribute.length); }
  const Attribute* find_attribute(AttributeType type) const;
  // The message up to an attribute, as if it ended `length` bytes behind that attribute's header.
  Buffer covered_by(std::size_t attribute_at, std::size_t length) const;

  Bytes bytes_;
  MessageClass class_ = MessageClass::kRequest;
  Method method_ = Method::kBinding;
  std::size_t count_ = 0;
  // Offsets of attribute headers; zero when there is none.
  std::uint32_t integrity_at_ = 0, integrity_sha256_at_ = 0, fingerprint_at_ = 0;
  std::array<Attribute, kAttributesMax> attributes_;
};

// CRC-32 of ITU V.42 (as in Ethernet), the checksum of FINGERPRINT (RFC 8489 §14.7).
std::uint32_t crc32(Bytes bytes);

}  // namespace stoa::stun
