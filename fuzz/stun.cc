// STUN messages: raw bytes, which must be read in bounds and consistently; and messages drawn from the input
// through the writer, which must come back as they were and break when a bit changes.
#include "base/assert.h"
#include "proto/ice/credentials.h"
#include "proto/stun/binding_client.h"
#include "proto/stun/credentials.h"
#include "proto/stun/writer.h"

namespace {

using namespace stoa;
using namespace stoa::stun;
using Type = AttributeType;

constexpr std::string_view kKey = "a key";
constexpr Type kTypes[] = {Type::kMappedAddress,
                           Type::kUsername,
                           Type::kErrorCode,
                           Type::kUnknownAttributes,
                           Type::kRealm,
                           Type::kNonce,
                           Type::kXorMappedAddress,
                           Type::kPriority,
                           Type::kUseCandidate,
                           Type::kIceControlled,
                           Type::kIceControlling,
                           Type::kChannelNumber,
                           Type::kLifetime,
                           Type::kXorPeerAddress,
                           Type::kData,
                           Type::kXorRelayedAddress,
                           Type::kEvenPort,
                           Type::kRequestedTransport,
                           Type::kReservationToken,
                           Type::kPasswordAlgorithms,
                           Type::kAlternateServer,
                           Type::kNomination,
                           Type::kIcmp,
                           static_cast<Type>(0x7fff)};

std::size_t touch(std::optional<Bytes> bytes) {
  std::size_t sum = 0;
  if (bytes)
    for (std::uint8_t byte : *bytes) sum += byte;
  return sum;
}

void read_everything(const Message& message) {
  std::size_t sum = 0;
  for (Type type : kTypes) {
    auto value = message.find(type);
    sum += touch(value);
    auto number = message.find_number(type);
    auto wide = message.find_u64(type);
    auto address = message.find_address(type);
    auto error = message.find_error(type);
    // Whatever is found in some shape is found as bytes.
    STOA_ASSERT(value || (!number && !wide && !address && !error && !message.find_text(type)));
    if (address) STOA_ASSERT(SocketAddress::parse(address->to_text())->ip.is_set());
    if (error) STOA_ASSERT(error->code >= 300 && error->code <= 699);
    message.for_each(type, [&](Bytes bytes) { sum += touch(bytes); });
  }
  STOA_ASSERT(message.unknown_attributes().count <= kUnknownAttributesMax);
  STOA_ASSERT(message.unknown_attributes(kTypes).count <= kUnknownAttributesMax);
  STOA_ASSERT(message.has_integrity() || !message.check_integrity(as_bytes(kKey)));
  (void)message.check_integrity(as_bytes(kKey));
  if (auto nonce = message.find_text(Type::kNonce)) (void)parse_nonce(*nonce);
  if (auto list = message.find(Type::kPasswordAlgorithms)) {
    (void)parse_password_algorithms(*list);
    (void)parse_password_algorithm(*list);
  }
  STOA_ASSERT(sum < std::size_t{1} << 32);
}

void read(Bytes bytes) {
  auto message = Message::parse(bytes);
  if (message) {
    STOA_ASSERT(is_stun(bytes));
    auto length = message_length(bytes);
    STOA_ASSERT(length && *length == bytes.size());
    read_everything(*message);
  }
  if (auto ufrag = ice::find_local_ufrag(bytes); ufrag && message) {
    auto username = message->find_text(Type::kUsername);
    STOA_ASSERT(!username || username->starts_with(*ufrag));
  }
  Rng rng(1);
  BindingClient client({}, rng);
  BindingOutputs out;
  client.start({}, out);
  STOA_ASSERT(!client.handle_datagram(bytes, out) || out.size() == 2);
}

SocketAddress take_address(ByteReader& input) {
  Bytes raw = input.take(input.u8() % 2 == 0 ? 4 : 16);
  auto ip = IpAddress::from_bytes(raw);
  return {ip ? *ip : IpAddress::v4(192, 0, 2, 1), input.u16()};
}

void write_attribute(MessageWriter& writer, Type type, ByteReader& input) {
  const AttributeSpec* spec = find_spec(type);
  if (!spec) return writer.add_bytes(type, input.take(std::min<std::size_t>(input.u8(), input.remaining())));
  switch (spec->shape) {
    case Shape::kFlag: return writer.add_flag(type);
    case Shape::kU8: return writer.add_number(type, input.u8());
    case Shape::kU16: return writer.add_number(type, input.u16());
    case Shape::kU32: return writer.add_number(type, input.u32());
    case Shape::kU64: return writer.add_u64(type, input.u64());
    case Shape::kAddress:
    case Shape::kXorAddress: return writer.add_address(type, take_address(input));
    case Shape::kError: {
      Bytes reason = input.take(std::min<std::size_t>(input.u8(), input.remaining()));
      return writer.add_error(static_cast<std::uint16_t>(300 + input.u16() % 400), as_text(reason));
    }
    case Shape::kU16List: return writer.add_unknown_attributes(kTypes);
    case Shape::kUnknown:
    case Shape::kBytes:
    case Shape::kText: {
      Bytes value = input.take(std::min<std::size_t>(input.u8(), input.remaining()));
      if (value.size() >= spec->length_min && value.size() <= spec->length_max) writer.add_bytes(type, value);
    }
  }
}

void write_and_read(ByteReader& input) {
  TransactionId id{};
  for (auto& byte : id) byte = input.u8();
  auto message_class = static_cast<MessageClass>(input.u8() % 4);
  auto method = static_cast<Method>(input.u16() % 0x100);
  MessageWriter writer(message_class, method, id);
  std::uint8_t tail = input.u8();
  std::size_t flip = input.u16();
  for (std::size_t i = 0; i < kAttributesMax && !input.at_end(); ++i)
    write_attribute(writer, kTypes[input.u8() % std::size(kTypes)], input);
  if (tail & 1) writer.add_integrity_sha1(as_bytes(kKey));
  if (tail & 2) writer.add_integrity_sha256(as_bytes(kKey), 16 + 4 * (tail >> 4 & 3));
  if (tail & 4) writer.add_fingerprint();
  Buffer bytes = writer.take();
  auto message = Message::parse(bytes);
  STOA_ASSERT(message && message->is(message_class, method) && message->transaction_id() == id);
  STOA_ASSERT(!message->malformed());
  STOA_ASSERT(!(tail & 1) || message->check_integrity_sha1(as_bytes(kKey)));
  STOA_ASSERT(!(tail & 2) || message->check_integrity_sha256(as_bytes(kKey)));
  STOA_ASSERT(message->has_fingerprint() == ((tail & 4) != 0));
  read_everything(*message);
  bytes[flip / 8 % bytes.size()] ^= static_cast<std::uint8_t>(1 << flip % 8);
  read(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Bytes rest(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    read(rest);
  } else {
    ByteReader input(rest);
    write_and_read(input);
  }
  return 0;
}
