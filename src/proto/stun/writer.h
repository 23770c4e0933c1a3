// Writes STUN messages: attributes in the order they are added, then integrity, then the fingerprint.
//
//   MessageWriter writer = MessageWriter::success_of(request);
//   writer.add_address(AttributeType::kXorMappedAddress, source);
//   writer.add_integrity_sha1(password);
//   writer.add_fingerprint();
//   send(writer.take());
//
// Behind an integrity code only a SHA-256 one and a fingerprint may be added, behind a fingerprint nothing;
// values must have the shape that attribute.h asks for. All of that is the caller's doing and is asserted.
#pragma once

#include <span>
#include <string_view>

#include "base/address.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "proto/stun/message.h"

namespace stoa::stun {

class MessageWriter {
 public:
  MessageWriter(MessageClass message_class, Method method, const TransactionId& id);
  static MessageWriter success_of(const Message& request);
  // With ERROR-CODE and the reason that the specification gives the code.
  static MessageWriter error_of(const Message& request, std::uint16_t code);

  void add_bytes(AttributeType type, Bytes value);
  void add_text(AttributeType type, std::string_view text) { add_bytes(type, as_bytes(text)); }
  void add_flag(AttributeType type) { add_bytes(type, {}); }
  // Shapes kU8, kU16, kU32. Requires: it fits.
  void add_number(AttributeType type, std::uint32_t value);
  void add_u64(AttributeType type, std::uint64_t value);
  // Shapes kAddress and kXorAddress. Requires: the address is set.
  void add_address(AttributeType type, const SocketAddress& address);
  // Requires: 300 <= code <= 699, reason <= kTextBytesMax.
  void add_error(std::uint16_t code, std::string_view reason);
  void add_unknown_attributes(std::span<const AttributeType> types);

  void add_integrity_sha1(Bytes key);
  // A shorter code (16, 20, 24, 28 bytes) saves room where the peer is known to take it.
  void add_integrity_sha256(Bytes key, std::size_t length_bytes = 32);
  void add_fingerprint();

  Buffer take() { return std::move(bytes_); }

 private:
  void begin(AttributeType type, std::size_t length);
  void number(std::uint64_t value, int length);
  void pad();
  // The length field as if `further_bytes` more followed.
  void set_length(std::size_t further_bytes);

  Buffer bytes_;
  bool has_sha1_ = false, has_sha256_ = false, has_fingerprint_ = false;
};

// Twelve bytes of the generator. Enough where answers are authenticated or only tried out; a generator that
// is seeded by crypto/random.h cannot be guessed from outside either.
TransactionId make_transaction_id(Rng& rng);

}  // namespace stoa::stun
