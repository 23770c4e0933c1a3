// Action Message Format: the values in command and data messages (AMF 0, 2007; AMF 3, 2013).
//
// Both versions give the same AmfValue. What a publisher may send and nobody here reads (XML, vectors,
// typed objects' class names) is kept as the nearest plain kind, so that the values after it are found.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/rtmp/limits.h"
#include "proto/rtmp/refusal.h"

namespace stoa::rtmp {

struct AmfMember;

struct AmfValue {
  enum class Kind : std::uint8_t {
    kUndefined,
    kNull,
    kBoolean,    // number: 0 or 1
    kNumber,     // number
    kString,     // text; also XML
    kObject,     // members, in wire order
    kEcmaArray,  // members and, in AMF 3, the dense items
    kArray,      // items
    kDate,       // number: milliseconds since 1970, UTC
    kBytes,      // text holds the bytes
    kReference,  // number: the index of an object sent earlier; not followed
  };
  Kind kind = Kind::kUndefined;
  double number = 0;
  std::string text;
  std::vector<AmfMember> members;
  std::vector<AmfValue> items;

  static AmfValue null();
  static AmfValue boolean(bool value);
  static AmfValue of_number(double value);
  static AmfValue string(std::string_view value);
  static AmfValue object(std::vector<AmfMember> members);
  static AmfValue ecma_array(std::vector<AmfMember> members);
  static AmfValue array(std::vector<AmfValue> items);

  bool is_number() const { return kind == Kind::kNumber; }
  bool is_string() const { return kind == Kind::kString; }
  bool has_members() const { return kind == Kind::kObject || kind == Kind::kEcmaArray; }
  // The first member of that name; nullptr when there is none or this has no members.
  const AmfValue* find(std::string_view name) const;
  bool operator==(const AmfValue& other) const;
};

struct AmfMember {
  std::string name;
  AmfValue value;
  bool operator==(const AmfMember& other) const = default;
};

// All values up to the end of `bytes`. An AMF 0 sequence may turn to AMF 3 for a value (marker 0x11).
Result<std::vector<AmfValue>, Refusal> parse_amf0(Bytes bytes, const AmfLimits& limits = {});
// One or more AMF 3 values that share one set of reference tables.
Result<std::vector<AmfValue>, Refusal> parse_amf3(Bytes bytes, const AmfLimits& limits = {});

// kReference is written as null, kBytes as a string in AMF 0. Requires: names of at most 65535 bytes.
void write_amf0(const AmfValue& value, ByteWriter& out);
void write_amf3(const AmfValue& value, ByteWriter& out);

}  // namespace stoa::rtmp
