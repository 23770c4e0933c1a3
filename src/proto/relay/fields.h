// The fields of a message, written and read: `varint tag | varint length | bytes`, again and again, then 0.
//
// A value says what it consists of in one function `describe(f, value)` (wire.cc), where `f` is a FieldWriter
// or a FieldReader: the same call writes a field, or looks it up. What is 0, 1 for a denominator, or empty is
// not written; what is absent reads as that.
//
// A varint has seven bits a byte, the lowest first. An integer is zig-zag coded (0, -1, 1, -2 … are 0, 1, 2,
// 3 …), so that every integer field reads alike.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/log.h"
#include "base/time.h"
#include "media/track.h"
#include "proto/relay/limits.h"
#include "proto/relay/refusal.h"

namespace stoa::relay {

// Writes what a FieldReader will take, or else says is_over_limit().
class FieldWriter {
 public:
  explicit FieldWriter(ByteWriter& out) : out_(out) {}

  template <std::unsigned_integral T>
  void number(std::uint32_t tag, T value, std::uint64_t max = std::numeric_limits<T>::max()) {
    check(value <= std::min(max, kIntegerMax));
    if (value != 0) integer(tag, static_cast<std::int64_t>(value));
  }
  void denominator(std::uint32_t tag, std::uint32_t value) {
    check(value != 0);
    if (value != 1) integer(tag, value);
  }
  void duration(std::uint32_t tag, Duration value) {
    check(value <= kTimeMax && value >= -kTimeMax);
    if (value != Duration()) integer(tag, value.ns());
  }
  void flag(std::uint32_t tag, bool value) {
    if (value) integer(tag, 1);
  }
  void codec(std::uint32_t tag, media::Codec value);
  void level(std::uint32_t tag, LogLevel value);
  template <typename Reason>
  void reason(std::uint32_t tag, Reason value, Reason /*last*/) {
    number(tag, static_cast<std::uint8_t>(value));
  }
  // For people: cut to kTextBytesMax, between two letters of UTF-8.
  void text(std::uint32_t tag, std::string_view value);
  void exact_text(std::uint32_t tag, std::string_view value, std::size_t bytes_max) {
    check(value.size() <= bytes_max);
    run(tag, as_bytes(value));
  }
  void bytes(std::uint32_t tag, const SharedBytes& value, std::size_t bytes_max) {
    check(value.size() <= bytes_max);
    run(tag, value.bytes());
  }
  // Fields in a field, with a 0 at their end as well.
  void item(std::uint32_t tag, const auto& value) {
    ByteWriter inner;
    FieldWriter fields(inner);
    describe(fields, value);
    fields.end();
    check(!fields.is_over_limit_);
    run(tag, inner.view());
  }
  // A field for each item, all with the same tag.
  void list(std::uint32_t tag, const auto& values, std::size_t count_max) {
    check(values.size() <= count_max);
    for (const auto& value : values) item(tag, value);
  }
  // What follows the fields.
  void payload(const SharedBytes& value) {
    check(value.size() <= kFrameBytesMax);
    payload_ = value;
  }
  // Several in the place of one: each has its length before it, u32.
  void frames(const std::vector<SharedBytes>& values, std::size_t count_max, std::size_t bytes_max);

  void end() { out_.u8(0); }
  bool is_over_limit() const { return is_over_limit_; }
  SharedBytes take_payload() { return std::move(payload_); }

 private:
  static constexpr std::uint64_t kIntegerMax = std::numeric_limits<std::int64_t>::max();

  void check(bool is_within_limit) { is_over_limit_ |= !is_within_limit; }
  void integer(std::uint32_t tag, std::int64_t value);
  void run(std::uint32_t tag, Bytes bytes);

  ByteWriter& out_;
  SharedBytes payload_;
  bool is_over_limit_ = false;
};

// Finds all fields first; describe() then asks for those that it knows, and nobody for the others. After the
// first refusal the values mean nothing.
class FieldReader {
 public:
  explicit FieldReader(SharedBytes bytes) : bytes_(std::move(bytes)) { find_fields(); }

  template <std::unsigned_integral T>
  void number(std::uint32_t tag, T& value, std::uint64_t max = std::numeric_limits<T>::max()) {
    std::int64_t read = integer(tag, 0);
    if (read < 0 || static_cast<std::uint64_t>(read) > max) return deny(Refusal::kBadValue);
    value = static_cast<T>(read);
  }
  void denominator(std::uint32_t tag, std::uint32_t& value);
  void duration(std::uint32_t tag, Duration& value);
  void flag(std::uint32_t tag, bool& value);
  // One that is not known: the value is not understood.
  void codec(std::uint32_t tag, media::Codec& value);
  // One that is not known is information.
  void level(std::uint32_t tag, LogLevel& value);
  // One that is not known is 0, "other".
  template <typename Reason>
  void reason(std::uint32_t tag, Reason& value, Reason last) {
    std::int64_t read = integer(tag, 0);
    value = read >= 0 && read <= static_cast<std::int64_t>(last) ? static_cast<Reason>(read) : Reason{};
  }
  void text(std::uint32_t tag, std::string& value) { exact_text(tag, value, kTextBytesMax); }
  void exact_text(std::uint32_t tag, std::string& value, std::size_t bytes_max) {
    value = as_text(run(tag, bytes_max).bytes());
  }
  // A slice of what the reader was made with.
  void bytes(std::uint32_t tag, SharedBytes& value, std::size_t bytes_max) { value = run(tag, bytes_max); }
  // One that is absent is not understood: there is no default for it.
  void item(std::uint32_t tag, auto& value) {
    const Field* field = find(tag);
    is_understood_ &= field != nullptr && read_item(*field, value);
  }
  // An item that is not understood is left out.
  template <typename T>
  void list(std::uint32_t tag, std::vector<T>& values, std::size_t count_max) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < count_ && !refusal_; ++i) {
      if (fields_[i].tag != tag) continue;
      if (++count > count_max) return deny(Refusal::kTooManyFields);
      T value;
      if (read_item(fields_[i], value)) values.push_back(std::move(value));
    }
  }
  void payload(SharedBytes& value);
  void frames(std::vector<SharedBytes>& values, std::size_t count_max, std::size_t bytes_max);

  const std::optional<Refusal>& refusal() const { return refusal_; }
  bool is_understood() const { return is_understood_; }

 private:
  struct Field {
    std::uint64_t tag;
    std::size_t offset, length;
  };

  void find_fields();
  void deny(Refusal refusal) {
    if (!refusal_) refusal_ = refusal;
  }
  const Field* find(std::uint32_t tag) const;
  std::int64_t integer(std::uint32_t tag, std::int64_t absent);
  SharedBytes run(std::uint32_t tag, std::size_t bytes_max);
  bool read_item(const Field& field, auto& value) {
    FieldReader fields(bytes_.slice(field.offset, field.length));
    if (!fields.refusal_) describe(fields, value);
    if (fields.refusal_) deny(*fields.refusal_);
    return !fields.refusal_ && fields.is_understood_;
  }

  SharedBytes bytes_;
  std::array<Field, kFieldsMax> fields_;
  std::size_t count_ = 0;
  std::size_t payload_at_ = 0;
  std::optional<Refusal> refusal_;
  bool is_understood_ = true;
};

}  // namespace stoa::relay
