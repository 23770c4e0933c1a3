#include "proto/stun/writer.h"

#include <array>

#include "base/assert.h"
#include "crypto/digest.h"
#include "crypto/legacy_digest.h"

namespace stoa::stun {
namespace {

using Type = AttributeType;
constexpr std::size_t kUsualBytes = 160;
constexpr std::size_t kBodyBytesMax = 0xfffc;

constexpr std::uint16_t type_of(MessageClass message_class, Method method) {
  auto m = static_cast<unsigned>(method), c = static_cast<unsigned>(message_class);
  return static_cast<std::uint16_t>((m & 0x0f) | (c & 1) << 4 | (m & 0x70) << 1 | (c & 2) << 7 |
                                    (m & 0xf80) << 2);
}
static_assert(type_of(MessageClass::kSuccess, Method::kBinding) == 0x0101);
static_assert(type_of(MessageClass::kError, Method::kAllocate) == 0x0113);

}  // namespace

TransactionId make_transaction_id(Rng& rng) {
  TransactionId id;
  std::uint64_t high = rng.next(), low = rng.next();
  for (std::size_t i = 0; i < 8; ++i) id[i] = static_cast<std::uint8_t>(high >> (8 * i));
  for (std::size_t i = 8; i < id.size(); ++i) id[i] = static_cast<std::uint8_t>(low >> (8 * (i - 4)));
  return id;
}

MessageWriter::MessageWriter(MessageClass message_class, Method method, const TransactionId& id) {
  STOA_ASSERT(static_cast<unsigned>(method) <= 0xff);
  bytes_.reserve(kUsualBytes);
  number(type_of(message_class, method), 2);
  number(0, 2);
  number(kMagicCookie, 4);
  bytes_.insert(bytes_.end(), id.begin(), id.end());
}

MessageWriter MessageWriter::success_of(const Message& request) {
  return {MessageClass::kSuccess, request.method(), request.transaction_id()};
}

MessageWriter MessageWriter::error_of(const Message& request, std::uint16_t code) {
  MessageWriter writer(MessageClass::kError, request.method(), request.transaction_id());
  writer.add_error(code, error::reason_of(code));
  return writer;
}

void MessageWriter::number(std::uint64_t value, int length) {
  for (int i = length - 1; i >= 0; --i) bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void MessageWriter::set_length(std::size_t further_bytes) {
  std::size_t length = bytes_.size() - kHeaderBytes + further_bytes;
  STOA_ASSERT(length <= kBodyBytesMax);
  bytes_[2] = static_cast<std::uint8_t>(length >> 8);
  bytes_[3] = static_cast<std::uint8_t>(length);
}

void MessageWriter::begin(Type type, std::size_t length) {
  const AttributeSpec* spec = find_spec(type);
  STOA_ASSERT(!spec || (length >= spec->length_min && length <= spec->length_max));
  STOA_ASSERT(!has_fingerprint_ && length <= kBodyBytesMax);
  bool is_code = type == Type::kMessageIntegritySha256 || type == Type::kFingerprint;
  STOA_ASSERT(is_code || (!has_sha1_ && !has_sha256_));
  number(static_cast<std::uint16_t>(type), 2);
  number(length, 2);
}

void MessageWriter::pad() {
  while (bytes_.size() % 4 != 0) bytes_.push_back(0);
  set_length(0);
}

void MessageWriter::add_bytes(Type type, Bytes value) {
  begin(type, value.size());
  bytes_.insert(bytes_.end(), value.begin(), value.end());
  pad();
}

void MessageWriter::add_number(Type type, std::uint32_t value) {
  const AttributeSpec* spec = find_spec(type);
  STOA_ASSERT(spec);
  int width = spec->shape == Shape::kU8 ? 1 : spec->shape == Shape::kU16 ? 2 : 4;
  STOA_ASSERT(width == 4 || (spec->shape != Shape::kU32 && value >> (8 * width) == 0));
  begin(type, spec->length_min);
  number(value, width);
  number(0, spec->length_min - width);
  pad();
}

void MessageWriter::add_u64(Type type, std::uint64_t value) {
  begin(type, 8);
  number(value, 8);
  pad();
}

void MessageWriter::add_address(Type type, const SocketAddress& address) {
  const AttributeSpec* spec = find_spec(type);
  STOA_ASSERT(spec && (spec->shape == Shape::kAddress || spec->shape == Shape::kXorAddress));
  STOA_ASSERT(address.is_set());
  bool is_xor = spec->shape == Shape::kXorAddress;
  Bytes raw = address.ip.bytes();
  begin(type, 4 + raw.size());
  number(address.ip.is_v4() ? 1 : 2, 2);
  number(is_xor ? address.port ^ (kMagicCookie >> 16) : address.port, 2);
  for (std::size_t i = 0; i < raw.size(); ++i)
    bytes_.push_back(is_xor ? static_cast<std::uint8_t>(raw[i] ^ bytes_[4 + i]) : raw[i]);
  pad();
}

void MessageWriter::add_error(std::uint16_t code, std::string_view reason) {
  STOA_ASSERT(code >= 300 && code <= 699);
  begin(Type::kErrorCode, 4 + reason.size());
  number(code / 100, 3);
  number(code % 100, 1);
  bytes_.insert(bytes_.end(), reason.begin(), reason.end());
  pad();
}

void MessageWriter::add_unknown_attributes(std::span<const Type> types) {
  begin(Type::kUnknownAttributes, 2 * types.size());
  for (Type type : types) number(static_cast<std::uint16_t>(type), 2);
  pad();
}

void MessageWriter::add_integrity_sha1(Bytes key) {
  set_length(4 + crypto::kSha1Bytes);
  add_bytes(Type::kMessageIntegrity, crypto::hmac_sha1(key, bytes_));
  has_sha1_ = true;
}

void MessageWriter::add_integrity_sha256(Bytes key, std::size_t length_bytes) {
  STOA_ASSERT(length_bytes >= 16 && length_bytes <= crypto::kSha256Bytes && length_bytes % 4 == 0);
  STOA_ASSERT(!has_sha256_);
  set_length(4 + length_bytes);
  auto code = crypto::hmac_sha256(key, bytes_);
  add_bytes(Type::kMessageIntegritySha256, Bytes(code).first(length_bytes));
  has_sha256_ = true;
}

void MessageWriter::add_fingerprint() {
  set_length(8);
  std::uint32_t checksum = crc32(bytes_) ^ kFingerprintXor;
  add_number(Type::kFingerprint, checksum);
  has_fingerprint_ = true;
}

}  // namespace stoa::stun
