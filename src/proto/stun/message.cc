#include "proto/stun/message.h"

#include <algorithm>

#include "crypto/digest.h"
#include "crypto/legacy_digest.h"

namespace stoa::stun {
namespace {

using Type = AttributeType;
constexpr std::size_t kAttributeHeaderBytes = 4;
constexpr std::uint8_t kFamilyV4 = 1, kFamilyV6 = 2;

constexpr auto kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t rest = i;
    for (int bit = 0; bit < 8; ++bit) rest = rest & 1 ? rest >> 1 ^ 0xedb8'8320 : rest >> 1;
    table[i] = rest;
  }
  return table;
}();

// The first sixteen bits: two zeros, then method and class interleaved (RFC 8489 §5).
constexpr MessageClass class_of(std::uint16_t type) {
  return static_cast<MessageClass>((type >> 7 & 2) | (type >> 4 & 1));
}
constexpr Method method_of(std::uint16_t type) {
  return static_cast<Method>((type & 0x000f) | (type >> 1 & 0x0070) | (type >> 2 & 0x0f80));
}

constexpr std::size_t padded(std::size_t length) { return (length + 3) & ~std::size_t{3}; }

// What STUN itself asks every agent to understand.
constexpr bool is_of_stun(Type type) {
  switch (type) {
    case Type::kMappedAddress:
    case Type::kUsername:
    case Type::kMessageIntegrity:
    case Type::kErrorCode:
    case Type::kUnknownAttributes:
    case Type::kRealm:
    case Type::kNonce:
    case Type::kMessageIntegritySha256:
    case Type::kPasswordAlgorithm:
    case Type::kUserhash:
    case Type::kXorMappedAddress: return true;
    default: return false;
  }
}

}  // namespace

std::uint32_t crc32(Bytes bytes) {
  std::uint32_t crc = 0xffff'ffff;
  for (std::uint8_t byte : bytes) crc = crc >> 8 ^ kCrcTable[(crc ^ byte) & 0xff];
  return ~crc;
}

bool is_stun(Bytes datagram) {
  if (datagram.size() < kHeaderBytes || datagram[0] > 3) return false;
  return ByteReader(datagram.subspan(4)).u32() == kMagicCookie;
}

Result<std::optional<std::size_t>, Refusal> message_length(Bytes bytes) {
  if (bytes.size() < 4) return std::nullopt;
  std::size_t length = static_cast<std::size_t>(bytes[2]) << 8 | bytes[3];
  if (bytes[0] > 3) return refuse(Refusal::kNotStun);
  if (length % 4 != 0) return refuse(Refusal::kBadLength);
  return kHeaderBytes + length;
}

Result<Message, Refusal> Message::parse(Bytes datagram) {
  if (!is_stun(datagram)) return refuse(Refusal::kNotStun);
  ByteReader reader(datagram);
  std::uint16_t type = reader.u16();
  std::size_t length = reader.u16();
  if (length % 4 != 0 || kHeaderBytes + length != datagram.size()) return refuse(Refusal::kBadLength);
  Message message;
  message.bytes_ = datagram;
  message.class_ = class_of(type);
  message.method_ = method_of(type);
  if (auto read = message.read_attributes(); !read) return refuse(read.error());
  return message;
}

Result<void, Refusal> Message::read_attributes() {
  std::size_t at = kHeaderBytes;
  while (at < bytes_.size()) {
    if (fingerprint_at_ != 0) return refuse(Refusal::kFingerprintNotLast);
    ByteReader header(bytes_.subspan(at));
    auto type = static_cast<Type>(header.u16());
    std::size_t length = header.u16();
    if (!header.ok() || padded(length) > header.remaining()) return refuse(Refusal::kBadAttributeLength);
    if (auto taken = take_attribute(type, at, length); !taken) return taken;
    at += kAttributeHeaderBytes + padded(length);
  }
  return {};
}

Result<void, Refusal> Message::take_attribute(Type type, std::size_t header_at, std::size_t length) {
  const AttributeSpec* spec = find_spec(type);
  std::size_t value_at = header_at + kAttributeHeaderBytes;
  Bytes value = bytes_.subspan(value_at, length);
  bool has_its_shape = !spec || has_shape(*spec, value);
  auto at = static_cast<std::uint32_t>(header_at);
  if (type == Type::kFingerprint) {
    if (!has_its_shape) return refuse(Refusal::kBadAttributeLength);
    if ((crc32(bytes_.first(header_at)) ^ kFingerprintXor) != ByteReader(value).u32())
      return refuse(Refusal::kBadFingerprint);
    fingerprint_at_ = at;
    return {};
  }
  if (type == Type::kMessageIntegritySha256 && integrity_sha256_at_ == 0) {
    if (!has_its_shape || length % 4 != 0) return refuse(Refusal::kBadAttributeLength);
    integrity_sha256_at_ = at;
    return {};
  }
  // Nothing but the above counts behind a code that does not cover it.
  if (has_integrity()) return {};
  if (type == Type::kMessageIntegrity) {
    if (!has_its_shape) return refuse(Refusal::kBadAttributeLength);
    integrity_at_ = at;
    return {};
  }
  if (count_ == kAttributesMax) return refuse(Refusal::kTooManyAttributes);
  attributes_[count_++] = {type, static_cast<std::uint16_t>(length), static_cast<std::uint32_t>(value_at),
                           !has_its_shape};
  return {};
}

bool Message::has_shape(const AttributeSpec& spec, Bytes value) const {
  if (value.size() < spec.length_min || value.size() > spec.length_max) return false;
  switch (spec.shape) {
    case Shape::kAddress:
    case Shape::kXorAddress: return address_in(value, spec.shape).has_value();
    case Shape::kError: {
      int error_class = value[2] & 7, number = value[3];
      return error_class >= 3 && error_class <= 6 && number <= 99;
    }
    case Shape::kU16List: return value.size() % 2 == 0;
    default: return true;
  }
}

TransactionId Message::transaction_id() const {
  TransactionId id;
  std::copy_n(bytes_.begin() + 8, id.size(), id.begin());
  return id;
}

const Message::Attribute* Message::find_attribute(Type type) const {
  for (std::size_t i = 0; i < count_; ++i)
    if (attributes_[i].type == type) return &attributes_[i];
  return nullptr;
}

std::optional<Bytes> Message::find(Type type) const {
  const Attribute* attribute = find_attribute(type);
  if (!attribute || attribute->is_malformed) return std::nullopt;
  return value(*attribute);
}

std::optional<std::string_view> Message::find_text(Type type) const {
  auto value = find(type);
  if (!value) return std::nullopt;
  return as_text(*value);
}

std::optional<std::uint32_t> Message::find_number(Type type) const {
  const AttributeSpec* spec = find_spec(type);
  auto value = find(type);
  if (!spec || !value) return std::nullopt;
  ByteReader reader(*value);
  switch (spec->shape) {
    case Shape::kU8: return reader.u8();
    case Shape::kU16: return reader.u16();
    case Shape::kU32: return reader.u32();
    default: return std::nullopt;
  }
}

std::optional<std::uint64_t> Message::find_u64(Type type) const {
  auto value = find(type);
  if (!value || value->size() != 8) return std::nullopt;
  return ByteReader(*value).u64();
}

std::optional<SocketAddress> Message::find_address(Type type) const {
  const AttributeSpec* spec = find_spec(type);
  auto value = find(type);
  if (!spec || !value) return std::nullopt;
  return address_in(*value, spec->shape);
}

std::optional<SocketAddress> Message::address_in(Bytes value, Shape shape) const {
  if (shape != Shape::kAddress && shape != Shape::kXorAddress) return std::nullopt;
  ByteReader reader(value);
  reader.skip(1);
  std::uint8_t family = reader.u8();
  std::uint16_t port = reader.u16();
  Bytes raw = reader.rest();
  if (!(family == kFamilyV4 && raw.size() == 4) && !(family == kFamilyV6 && raw.size() == 16))
    return std::nullopt;
  std::array<std::uint8_t, 16> plain{};
  std::copy(raw.begin(), raw.end(), plain.begin());
  if (shape == Shape::kXorAddress) {
    port ^= static_cast<std::uint16_t>(kMagicCookie >> 16);
    // The magic cookie and behind it the transaction id, as they stand in the header.
    for (std::size_t i = 0; i < raw.size(); ++i) plain[i] ^= bytes_[4 + i];
  }
  return SocketAddress{*IpAddress::from_bytes(Bytes(plain.data(), raw.size())), port};
}

std::optional<ErrorCode> Message::find_error(Type type) const {
  const AttributeSpec* spec = find_spec(type);
  auto value = find(type);
  if (!spec || spec->shape != Shape::kError || !value) return std::nullopt;
  auto code = static_cast<std::uint16_t>(((*value)[2] & 7) * 100 + (*value)[3]);
  return ErrorCode{code, as_text(value->subspan(4))};
}

UnknownAttributes Message::unknown_attributes() const {
  UnknownAttributes unknown;
  auto value = find(Type::kUnknownAttributes);
  if (!value) return unknown;
  ByteReader reader(*value);
  while (!reader.at_end() && unknown.count < kUnknownAttributesMax)
    unknown.types[unknown.count++] = static_cast<Type>(reader.u16());
  return unknown;
}

UnknownAttributes Message::unknown_attributes(std::span<const Type> understood) const {
  UnknownAttributes unknown;
  for (std::size_t i = 0; i < count_ && unknown.count < kUnknownAttributesMax; ++i) {
    Type type = attributes_[i].type;
    auto seen = unknown.view();
    if (!is_comprehension_required(type) || is_of_stun(type) ||
        std::find(understood.begin(), understood.end(), type) != understood.end() ||
        std::find(seen.begin(), seen.end(), type) != seen.end())
      continue;
    unknown.types[unknown.count++] = type;
  }
  return unknown;
}

std::optional<Type> Message::malformed() const {
  for (std::size_t i = 0; i < count_; ++i)
    if (attributes_[i].is_malformed) return attributes_[i].type;
  return std::nullopt;
}

Buffer Message::covered_by(std::size_t attribute_at, std::size_t length) const {
  Buffer covered(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(attribute_at));
  std::size_t body = attribute_at + kAttributeHeaderBytes + length - kHeaderBytes;
  covered[2] = static_cast<std::uint8_t>(body >> 8);
  covered[3] = static_cast<std::uint8_t>(body);
  return covered;
}

Result<void, Refusal> Message::check_integrity(Bytes key) const {
  return has_integrity_sha256() ? check_integrity_sha256(key) : check_integrity_sha1(key);
}

Result<void, Refusal> Message::check_integrity_sha1(Bytes key) const {
  if (integrity_at_ == 0) return refuse(Refusal::kNoIntegrity);
  auto expected = crypto::hmac_sha1(key, covered_by(integrity_at_, crypto::kSha1Bytes));
  Bytes given = bytes_.subspan(integrity_at_ + kAttributeHeaderBytes, crypto::kSha1Bytes);
  if (!crypto::is_equal_constant_time(expected, given)) return refuse(Refusal::kBadIntegrity);
  return {};
}

Result<void, Refusal> Message::check_integrity_sha256(Bytes key) const {
  if (integrity_sha256_at_ == 0) return refuse(Refusal::kNoIntegrity);
  std::size_t length = ByteReader(bytes_.subspan(integrity_sha256_at_ + 2)).u16();
  auto expected = crypto::hmac_sha256(key, covered_by(integrity_sha256_at_, length));
  Bytes given = bytes_.subspan(integrity_sha256_at_ + kAttributeHeaderBytes, length);
  if (!crypto::is_equal_constant_time(Bytes(expected).first(length), given))
    return refuse(Refusal::kBadIntegrity);
  return {};
}

}  // namespace stoa::stun
