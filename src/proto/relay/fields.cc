#include "proto/relay/fields.h"

#include <bit>

namespace stoa::relay {
namespace {

// On the wire these are 1, 2, …
constexpr std::array kCodecs = {media::Codec::kH264, media::Codec::kHevc, media::Codec::kAv1,
                                media::Codec::kVp9,  media::Codec::kAac,  media::Codec::kOpus};
constexpr std::array kLevels = {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError};

std::int64_t place_of(const auto& values, auto value) {
  return std::ranges::find(values, value) - values.begin() + 1;
}
template <typename Values>
std::optional<typename Values::value_type> value_at(const Values& values, std::int64_t place) {
  if (place < 1 || static_cast<std::size_t>(place) > values.size()) return std::nullopt;
  return values[static_cast<std::size_t>(place) - 1];
}

std::uint64_t zig_zag(std::int64_t value) {
  return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}
std::int64_t zag_zig(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1 ^ (0 - (value & 1)));
}

void write_varint(ByteWriter& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.u8(static_cast<std::uint8_t>(value | 0x80));
  out.u8(static_cast<std::uint8_t>(value));
}
std::size_t varint_size(std::uint64_t value) {
  return static_cast<std::size_t>(std::bit_width(value | 1) + 6) / 7;
}
// Nothing when it ends too early or does not fit 64 bits.
std::optional<std::uint64_t> read_varint(ByteReader& in) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    std::uint64_t byte = in.u8();
    if (!in.ok() || (shift == 63 && byte > 1)) return std::nullopt;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

}  // namespace

void FieldWriter::codec(std::uint32_t tag, media::Codec value) { integer(tag, place_of(kCodecs, value)); }

void FieldWriter::level(std::uint32_t tag, LogLevel value) { integer(tag, place_of(kLevels, value)); }

void FieldWriter::text(std::uint32_t tag, std::string_view value) {
  std::size_t size = std::min(value.size(), kTextBytesMax);
  while (size < value.size() && size > 0 && (value[size] & 0xc0) == 0x80) --size;
  run(tag, as_bytes(value.substr(0, size)));
}

void FieldWriter::integer(std::uint32_t tag, std::int64_t value) {
  write_varint(out_, tag);
  write_varint(out_, varint_size(zig_zag(value)));
  write_varint(out_, zig_zag(value));
}

void FieldWriter::run(std::uint32_t tag, Bytes bytes) {
  if (bytes.empty()) return;
  write_varint(out_, tag);
  write_varint(out_, bytes.size());
  out_.bytes(bytes);
}

void FieldWriter::frames(const std::vector<SharedBytes>& values, std::size_t count_max,
                         std::size_t bytes_max) {
  ByteWriter all;
  for (const SharedBytes& value : values) {
    check(!value.empty() && value.size() <= bytes_max);
    all.u32(static_cast<std::uint32_t>(value.size()));
    all.bytes(value.bytes());
  }
  check(values.size() <= count_max && all.size() <= bytes_max);
  payload_ = SharedBytes(all.take());
}

void FieldReader::find_fields() {
  ByteReader in(bytes_.bytes());
  for (;;) {
    auto tag = read_varint(in);
    if (!tag) return deny(Refusal::kBadField);
    if (*tag == 0) break;
    auto length = read_varint(in);
    if (!length || *length > in.remaining()) return deny(Refusal::kBadField);
    if (count_ == kFieldsMax) return deny(Refusal::kTooManyFields);
    fields_[count_++] = {*tag, in.offset(), static_cast<std::size_t>(*length)};
    in.skip(static_cast<std::size_t>(*length));
  }
  payload_at_ = in.offset();
}

// Of several the last one counts.
const FieldReader::Field* FieldReader::find(std::uint32_t tag) const {
  for (std::size_t i = count_; i-- > 0;) {
    if (fields_[i].tag == tag) return &fields_[i];
  }
  return nullptr;
}

std::int64_t FieldReader::integer(std::uint32_t tag, std::int64_t absent) {
  const Field* field = find(tag);
  if (field == nullptr) return absent;
  ByteReader in(bytes_.bytes().subspan(field->offset, field->length));
  auto value = read_varint(in);
  if (value && in.at_end()) return zag_zig(*value);
  deny(Refusal::kBadValue);
  return absent;
}

SharedBytes FieldReader::run(std::uint32_t tag, std::size_t bytes_max) {
  const Field* field = find(tag);
  if (field == nullptr) return {};
  if (field->length <= bytes_max) return bytes_.slice(field->offset, field->length);
  deny(Refusal::kFieldTooLarge);
  return {};
}

void FieldReader::denominator(std::uint32_t tag, std::uint32_t& value) {
  std::int64_t read = integer(tag, 1);
  if (read < 1 || read > std::numeric_limits<std::uint32_t>::max()) return deny(Refusal::kBadValue);
  value = static_cast<std::uint32_t>(read);
}

void FieldReader::duration(std::uint32_t tag, Duration& value) {
  Duration read = Duration::nanoseconds(integer(tag, 0));
  if (read > kTimeMax || read < -kTimeMax) return deny(Refusal::kBadValue);
  value = read;
}

void FieldReader::flag(std::uint32_t tag, bool& value) {
  std::int64_t read = integer(tag, 0);
  if (read != 0 && read != 1) return deny(Refusal::kBadValue);
  value = read == 1;
}

void FieldReader::codec(std::uint32_t tag, media::Codec& value) {
  auto read = value_at(kCodecs, integer(tag, 0));
  is_understood_ &= read.has_value();
  value = read.value_or(value);
}

void FieldReader::level(std::uint32_t tag, LogLevel& value) {
  value = value_at(kLevels, integer(tag, 0)).value_or(LogLevel::kInfo);
}

void FieldReader::payload(SharedBytes& value) {
  if (refusal_) return;
  if (bytes_.size() - payload_at_ > kFrameBytesMax) return deny(Refusal::kFieldTooLarge);
  value = bytes_.slice(payload_at_);
}

void FieldReader::frames(std::vector<SharedBytes>& values, std::size_t count_max, std::size_t bytes_max) {
  if (refusal_) return;
  if (bytes_.size() - payload_at_ > bytes_max) return deny(Refusal::kFieldTooLarge);
  ByteReader in(bytes_.bytes().subspan(payload_at_));
  while (!in.at_end()) {
    std::size_t length = in.u32(), at = payload_at_ + in.offset();
    if (!in.ok() || length == 0 || length > in.remaining()) return deny(Refusal::kBadValue);
    if (values.size() == count_max) return deny(Refusal::kTooManyFields);
    values.push_back(bytes_.slice(at, length));
    in.skip(length);
  }
}

}  // namespace stoa::relay
