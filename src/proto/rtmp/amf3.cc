#include "proto/rtmp/amf.h"
#include "proto/rtmp/amf_budget.h"

namespace stoa::rtmp {
namespace {

// AMF 3 §3.1.
enum Marker : std::uint8_t {
  kUndefined = 0,
  kNull = 1,
  kFalse = 2,
  kTrue = 3,
  kInteger = 4,
  kDouble = 5,
  kString = 6,
  kXmlDocument = 7,
  kDate = 8,
  kArray = 9,
  kObject = 10,
  kXml = 11,
  kByteArray = 12,
  kVectorInt = 13,
  kVectorUint = 14,
  kVectorDouble = 15,
  kVectorObject = 16,
  kDictionary = 17,
};

constexpr std::size_t kTraitMembersMax = 256;

AmfValue reference(std::uint32_t header) {
  return {.kind = AmfValue::Kind::kReference, .number = static_cast<double>(header >> 1)};
}

}  // namespace

// Seven bits a byte, high bit for "more", eight bits in the fourth (§1.3.1).
Result<std::uint32_t, Refusal> Amf3Reader::u29() {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    std::uint8_t byte = bytes_.u8();
    if (!bytes_.ok()) return refuse(Refusal::kBadAmf);
    if (i == 3) return value << 8 | byte;
    value = value << 7 | (byte & 0x7f);
    if ((byte & 0x80) == 0) break;
  }
  return value;
}

Result<std::string, Refusal> Amf3Reader::string() {
  STOA_TRY(std::uint32_t header, u29());
  if ((header & 1) == 0) {
    if (header >> 1 >= strings_.size()) return refuse(Refusal::kBadAmf);
    const std::string& known = strings_[header >> 1];
    auto taken = budget_.take_text(known.size());
    if (!taken) return refuse(taken.error());
    return known;
  }
  Bytes view = bytes_.take(header >> 1);
  if (!bytes_.ok()) return refuse(Refusal::kBadAmf);
  auto taken = budget_.take_text(2 * view.size());  // It is kept in the table too.
  if (!taken) return refuse(taken.error());
  std::string text(as_text(view));
  if (!text.empty()) strings_.push_back(text);
  return text;
}

Result<AmfValue, Refusal> Amf3Reader::value() {
  AmfLevel level(budget_);
  if (level.is_too_deep()) return refuse(Refusal::kAmfTooDeep);
  auto taken = budget_.take_value();
  if (!taken) return refuse(taken.error());
  std::uint8_t marker = bytes_.u8();
  if (!bytes_.ok()) return refuse(Refusal::kBadAmf);
  return body(marker);
}

Result<AmfValue, Refusal> Amf3Reader::body(std::uint8_t marker) {
  switch (marker) {
    case kUndefined: return AmfValue{};
    case kNull: return AmfValue::null();
    case kFalse: return AmfValue::boolean(false);
    case kTrue: return AmfValue::boolean(true);
    case kInteger: {
      STOA_TRY(std::uint32_t bits, u29());
      return AmfValue::of_number(static_cast<std::int32_t>(bits << 3) >> 3);
    }
    case kDouble: {
      double number = bytes_.f64();
      if (!bytes_.ok()) return refuse(Refusal::kBadAmf);
      return AmfValue::of_number(number);
    }
    case kString: {
      STOA_TRY(std::string text, string());
      return AmfValue::string(text);
    }
    case kXmlDocument:
    case kXml: return bytes_or_reference(AmfValue::Kind::kString);
    case kByteArray: return bytes_or_reference(AmfValue::Kind::kBytes);
    case kDate: return date();
    case kArray: return array();
    case kObject: return object();
    case kVectorInt:
    case kVectorUint:
    case kVectorDouble:
    case kVectorObject: return vector(marker);
    case kDictionary: return dictionary();
    default: return refuse(Refusal::kBadAmf);
  }
}

Result<AmfValue, Refusal> Amf3Reader::bytes_or_reference(AmfValue::Kind kind) {
  STOA_TRY(std::uint32_t header, u29());
  if ((header & 1) == 0) return reference(header);
  Bytes view = bytes_.take(header >> 1);
  if (!bytes_.ok()) return refuse(Refusal::kBadAmf);
  auto taken = budget_.take_text(view.size());
  if (!taken) return refuse(taken.error());
  return AmfValue{.kind = kind, .text = std::string(as_text(view))};
}

Result<AmfValue, Refusal> Amf3Reader::date() {
  STOA_TRY(std::uint32_t header, u29());
  if ((header & 1) == 0) return reference(header);
  double number = bytes_.f64();
  if (!bytes_.ok()) return refuse(Refusal::kBadAmf);
  return AmfValue{.kind = AmfValue::Kind::kDate, .number = number};
}

Result<void, Refusal> Amf3Reader::dynamic_members(AmfValue& into) {
  for (;;) {
    STOA_TRY(std::string name, string());
    if (name.empty()) return {};
    STOA_TRY(AmfValue member, value());
    into.members.push_back({std::move(name), std::move(member)});
  }
}

Result<AmfValue, Refusal> Amf3Reader::array() {
  STOA_TRY(std::uint32_t header, u29());
  if ((header & 1) == 0) return reference(header);
  AmfValue made;
  auto read = dynamic_members(made);
  if (!read) return refuse(read.error());
  made.kind = made.members.empty() ? AmfValue::Kind::kArray : AmfValue::Kind::kEcmaArray;
  std::uint32_t count = header >> 1;
  if (count > bytes_.remaining()) return refuse(Refusal::kBadAmf);
  for (std::uint32_t i = 0; i < count; ++i) {
    STOA_TRY(made.items.emplace_back(), value());
  }
  return made;
}

Result<Amf3Reader::Traits, Refusal> Amf3Reader::traits(std::uint32_t header) {
  if ((header & 2) == 0) {
    if (header >> 2 >= traits_.size()) return refuse(Refusal::kBadAmf);
    return traits_[header >> 2];
  }
  // Externalizable: its bytes can be read only by the class that wrote them.
  if ((header & 4) != 0) return refuse(Refusal::kBadAmf);
  std::uint32_t count = header >> 4;
  if (count > kTraitMembersMax) return refuse(Refusal::kAmfTooLarge);
  Traits made{.is_dynamic = (header & 8) != 0};
  STOA_TRY([[maybe_unused]] std::string class_name, string());
  for (std::uint32_t i = 0; i < count; ++i) {
    STOA_TRY(made.names.emplace_back(), string());
  }
  auto taken = budget_.take_value();  // Bounds the table.
  if (!taken) return refuse(taken.error());
  traits_.push_back(made);
  return made;
}

Result<AmfValue, Refusal> Amf3Reader::object() {
  STOA_TRY(std::uint32_t header, u29());
  if ((header & 1) == 0) return reference(header);
  STOA_TRY(Traits shape, traits(header));
  AmfValue made{.kind = AmfValue::Kind::kObject};
  for (std::string& name : shape.names) {
    auto taken = budget_.take_text(name.size());
    if (!taken) return refuse(taken.error());
    STOA_TRY(AmfValue member, value());
    made.members.push_back({std::move(name), std::move(member)});
  }
  if (shape.is_dynamic) {
    auto read = dynamic_members(made);
    if (!read) return refuse(read.error());
  }
  return made;
}

Result<AmfValue, Refusal> Amf3Reader::vector(std::uint8_t marker) {
  STOA_TRY(std::uint32_t header, u29());
  if ((header & 1) == 0) return reference(header);
  bytes_.skip(1);  // Whether its length is fixed.
  if (marker == kVectorObject) {
    STOA_TRY([[maybe_unused]] std::string class_name, string());
  }
  AmfValue made{.kind = AmfValue::Kind::kArray};
  for (std::uint32_t i = 0; i < header >> 1; ++i) {
    if (marker == kVectorObject) {
      STOA_TRY(made.items.emplace_back(), value());
      continue;
    }
    auto taken = budget_.take_value();
    if (!taken) return refuse(taken.error());
    double number = marker == kVectorDouble ? bytes_.f64()
                    : marker == kVectorUint ? static_cast<double>(bytes_.u32())
                                            : static_cast<double>(static_cast<std::int32_t>(bytes_.u32()));
    if (!bytes_.ok()) return refuse(Refusal::kBadAmf);
    made.items.push_back(AmfValue::of_number(number));
  }
  if (!bytes_.ok()) return refuse(Refusal::kBadAmf);
  return made;
}

// Keys may be any value; only those that are text can be looked up.
Result<AmfValue, Refusal> Amf3Reader::dictionary() {
  STOA_TRY(std::uint32_t header, u29());
  if ((header & 1) == 0) return reference(header);
  bytes_.skip(1);  // Whether its keys are weak.
  AmfValue made{.kind = AmfValue::Kind::kObject};
  for (std::uint32_t i = 0; i < header >> 1; ++i) {
    STOA_TRY(AmfValue key, value());
    STOA_TRY(AmfValue member, value());
    made.members.push_back({std::move(key.text), std::move(member)});
  }
  if (!bytes_.ok()) return refuse(Refusal::kBadAmf);
  return made;
}

Result<std::vector<AmfValue>, Refusal> parse_amf3(Bytes bytes, const AmfLimits& limits) {
  ByteReader reader(bytes);
  AmfBudget budget(limits);
  Amf3Reader amf3(reader, budget);
  std::vector<AmfValue> values;
  while (!reader.at_end()) {
    STOA_TRY(values.emplace_back(), amf3.value());
  }
  return values;
}

namespace {

void write_u29(std::uint32_t value, ByteWriter& out) {
  value &= 0x1fff'ffff;
  if (value >= 0x20'0000) {
    out.u8(static_cast<std::uint8_t>(0x80 | value >> 22));
    out.u8(static_cast<std::uint8_t>(0x80 | value >> 15));
    out.u8(static_cast<std::uint8_t>(0x80 | value >> 8));
    out.u8(static_cast<std::uint8_t>(value));
    return;
  }
  if (value >= 0x4000) out.u8(static_cast<std::uint8_t>(0x80 | value >> 14));
  if (value >= 0x80) out.u8(static_cast<std::uint8_t>(0x80 | (value >> 7 & 0x7f)));
  out.u8(static_cast<std::uint8_t>(value & 0x7f));
}

void write_text3(std::string_view text, ByteWriter& out) {
  write_u29(static_cast<std::uint32_t>(text.size()) << 1 | 1, out);
  out.text(text);
}

void write_members3(const AmfValue& value, ByteWriter& out) {
  for (const AmfMember& member : value.members) {
    write_text3(member.name, out);
    write_amf3(member.value, out);
  }
  write_text3("", out);
}

void write_number3(double number, ByteWriter& out) {
  bool is_small = number >= -0x1000'0000 && number < 0x1000'0000;
  if (is_small && static_cast<double>(static_cast<std::int32_t>(number)) == number) {
    out.u8(kInteger);
    write_u29(static_cast<std::uint32_t>(static_cast<std::int32_t>(number)), out);
  } else {
    out.u8(kDouble);
    out.f64(number);
  }
}

}  // namespace

void write_amf3(const AmfValue& value, ByteWriter& out) {
  switch (value.kind) {
    case AmfValue::Kind::kUndefined: out.u8(kUndefined); break;
    case AmfValue::Kind::kReference:
    case AmfValue::Kind::kNull: out.u8(kNull); break;
    case AmfValue::Kind::kBoolean: out.u8(value.number != 0 ? kTrue : kFalse); break;
    case AmfValue::Kind::kNumber: write_number3(value.number, out); break;
    case AmfValue::Kind::kString:
      out.u8(kString);
      write_text3(value.text, out);
      break;
    case AmfValue::Kind::kBytes:
      out.u8(kByteArray);
      write_text3(value.text, out);
      break;
    case AmfValue::Kind::kObject:
      out.u8(kObject);
      write_u29(0x0b, out);  // Inline, inline traits, dynamic, no sealed members.
      write_text3("", out);
      write_members3(value, out);
      break;
    case AmfValue::Kind::kEcmaArray:
    case AmfValue::Kind::kArray:
      out.u8(kArray);
      write_u29(static_cast<std::uint32_t>(value.items.size()) << 1 | 1, out);
      write_members3(value, out);
      for (const AmfValue& item : value.items) write_amf3(item, out);
      break;
    case AmfValue::Kind::kDate:
      out.u8(kDate);
      write_u29(1, out);
      out.f64(value.number);
      break;
  }
}

}  // namespace stoa::rtmp
