#include <algorithm>

#include "proto/rtmp/amf.h"
#include "proto/rtmp/amf_budget.h"

namespace stoa::rtmp {
namespace {

// AMF 0 §2.1.
enum Marker : std::uint8_t {
  kNumber = 0,
  kBoolean = 1,
  kString = 2,
  kObject = 3,
  kNull = 5,
  kUndefined = 6,
  kReference = 7,
  kEcmaArray = 8,
  kObjectEnd = 9,
  kStrictArray = 10,
  kDate = 11,
  kLongString = 12,
  kUnsupported = 13,
  kXmlDocument = 15,
  kTypedObject = 16,
  kAvmPlus = 17,
};

class Reader {
 public:
  Reader(Bytes bytes, const AmfLimits& limits) : bytes_(bytes), budget_(limits) {}

  Result<std::vector<AmfValue>, Refusal> all() {
    std::vector<AmfValue> values;
    while (!bytes_.at_end()) {
      STOA_TRY(values.emplace_back(), value());
    }
    return values;
  }

 private:
  Result<AmfValue, Refusal> value() {
    AmfLevel level(budget_);
    if (level.is_too_deep()) return refuse(Refusal::kAmfTooDeep);
    STOA_TRY([[maybe_unused]] auto taken, budget_value());
    std::uint8_t marker = bytes_.u8();
    AmfValue made;
    switch (marker) {
      case kNumber: made = AmfValue::of_number(bytes_.f64()); break;
      case kBoolean: made = AmfValue::boolean(bytes_.u8() != 0); break;
      case kString: return text(bytes_.u16());
      case kLongString:
      case kXmlDocument: return text(bytes_.u32());
      case kObject: return members(AmfValue::Kind::kObject);
      case kTypedObject: {
        STOA_TRY([[maybe_unused]] auto class_name, text(bytes_.u16()));
        return members(AmfValue::Kind::kObject);
      }
      case kEcmaArray:
        bytes_.skip(4);  // The count is a hint that encoders get wrong; the end marker is what counts.
        return members(AmfValue::Kind::kEcmaArray);
      case kStrictArray: return array();
      case kDate:
        made = {.kind = AmfValue::Kind::kDate, .number = bytes_.f64()};
        bytes_.skip(2);
        break;
      case kNull: made = AmfValue::null(); break;
      case kUndefined:
      case kUnsupported: break;
      case kReference:
        made = {.kind = AmfValue::Kind::kReference, .number = static_cast<double>(bytes_.u16())};
        break;
      case kAvmPlus: return Amf3Reader(bytes_, budget_).value();
      default: return refuse(Refusal::kBadAmf);
    }
    if (!bytes_.ok()) return refuse(Refusal::kBadAmf);
    return made;
  }

  Result<bool, Refusal> budget_value() {
    auto taken = budget_.take_value();
    if (!taken) return refuse(taken.error());
    return true;
  }

  Result<AmfValue, Refusal> text(std::size_t length) {
    Bytes view = bytes_.take(length);
    if (!bytes_.ok()) return refuse(Refusal::kBadAmf);
    auto taken = budget_.take_text(length);
    if (!taken) return refuse(taken.error());
    return AmfValue::string(as_text(view));
  }

  Result<AmfValue, Refusal> members(AmfValue::Kind kind) {
    AmfValue made{.kind = kind};
    for (;;) {
      STOA_TRY(AmfValue name, text(bytes_.u16()));
      if (name.text.empty() && bytes_.remaining() > 0) {
        ByteReader ahead = bytes_;
        if (ahead.u8() == kObjectEnd) {
          bytes_.skip(1);
          return made;
        }
      }
      STOA_TRY(AmfValue member, value());
      made.members.push_back({std::move(name.text), std::move(member)});
    }
  }

  Result<AmfValue, Refusal> array() {
    std::uint32_t count = bytes_.u32();
    // Every item takes at least its marker.
    if (!bytes_.ok() || count > bytes_.remaining()) return refuse(Refusal::kBadAmf);
    AmfValue made{.kind = AmfValue::Kind::kArray};
    for (std::uint32_t i = 0; i < count; ++i) {
      STOA_TRY(made.items.emplace_back(), value());
    }
    return made;
  }

  ByteReader bytes_;
  AmfBudget budget_;
};

void write_members(const AmfValue& value, ByteWriter& out) {
  for (const AmfMember& member : value.members) {
    out.u16(static_cast<std::uint16_t>(member.name.size()));
    out.text(member.name);
    write_amf0(member.value, out);
  }
  out.u16(0);
  out.u8(kObjectEnd);
}

void write_text(std::string_view text, ByteWriter& out) {
  if (text.size() > 0xffff) {
    out.u8(kLongString);
    out.u32(static_cast<std::uint32_t>(text.size()));
  } else {
    out.u8(kString);
    out.u16(static_cast<std::uint16_t>(text.size()));
  }
  out.text(text);
}

}  // namespace

Result<std::vector<AmfValue>, Refusal> parse_amf0(Bytes bytes, const AmfLimits& limits) {
  return Reader(bytes, limits).all();
}

void write_amf0(const AmfValue& value, ByteWriter& out) {
  switch (value.kind) {
    case AmfValue::Kind::kUndefined: out.u8(kUndefined); break;
    case AmfValue::Kind::kReference:
    case AmfValue::Kind::kNull: out.u8(kNull); break;
    case AmfValue::Kind::kBoolean:
      out.u8(kBoolean);
      out.u8(value.number != 0);
      break;
    case AmfValue::Kind::kNumber:
      out.u8(kNumber);
      out.f64(value.number);
      break;
    case AmfValue::Kind::kBytes:
    case AmfValue::Kind::kString: write_text(value.text, out); break;
    case AmfValue::Kind::kObject:
      out.u8(kObject);
      write_members(value, out);
      break;
    case AmfValue::Kind::kEcmaArray:
      out.u8(kEcmaArray);
      out.u32(static_cast<std::uint32_t>(value.members.size()));
      write_members(value, out);
      break;
    case AmfValue::Kind::kArray:
      out.u8(kStrictArray);
      out.u32(static_cast<std::uint32_t>(value.items.size()));
      for (const AmfValue& item : value.items) write_amf0(item, out);
      break;
    case AmfValue::Kind::kDate:
      out.u8(kDate);
      out.f64(value.number);
      out.u16(0);
      break;
  }
}

}  // namespace stoa::rtmp
