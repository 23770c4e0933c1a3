#include "proto/dtls/record.h"

namespace stoa::dtls {
namespace {

constexpr std::uint16_t kVersion10 = 0xfeff;  // Also what a ClientHello of DTLS 1.2 may travel in.
constexpr std::uint16_t kVersion12 = 0xfefd;

}  // namespace

Result<Record, Refusal> take_record(Bytes& datagram) {
  if (!is_dtls(datagram) || datagram.size() < kRecordHeaderBytes) return refuse(Refusal::kNotDtls);
  ByteReader reader(datagram);
  Record record;
  record.type = reader.u8();
  std::uint16_t version = reader.u16();
  record.epoch = reader.u16();
  record.sequence = static_cast<std::uint64_t>(reader.u16()) << 32;
  record.sequence |= reader.u32();
  std::size_t length = reader.u16();
  if (version != kVersion10 && version != kVersion12) return refuse(Refusal::kMalformedRecord);
  if (length > kRecordBodyBytesMax || length > reader.remaining()) return refuse(Refusal::kMalformedRecord);
  record.whole = datagram.first(kRecordHeaderBytes + length);
  datagram = datagram.subspan(record.whole.size());
  return record;
}

}  // namespace stoa::dtls
