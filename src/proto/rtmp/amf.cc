#include "proto/rtmp/amf.h"

namespace stoa::rtmp {

AmfValue AmfValue::null() { return {.kind = Kind::kNull}; }
AmfValue AmfValue::boolean(bool value) { return {.kind = Kind::kBoolean, .number = value ? 1.0 : 0.0}; }
AmfValue AmfValue::of_number(double value) { return {.kind = Kind::kNumber, .number = value}; }
AmfValue AmfValue::string(std::string_view value) {
  return {.kind = Kind::kString, .text = std::string(value)};
}
AmfValue AmfValue::object(std::vector<AmfMember> members) {
  return {.kind = Kind::kObject, .members = std::move(members)};
}
AmfValue AmfValue::ecma_array(std::vector<AmfMember> members) {
  return {.kind = Kind::kEcmaArray, .members = std::move(members)};
}
AmfValue AmfValue::array(std::vector<AmfValue> items) {
  return {.kind = Kind::kArray, .items = std::move(items)};
}

const AmfValue* AmfValue::find(std::string_view name) const {
  for (const AmfMember& member : members) {
    if (member.name == name) return &member.value;
  }
  return nullptr;
}

bool AmfValue::operator==(const AmfValue& other) const {
  return kind == other.kind && number == other.number && text == other.text && members == other.members &&
         items == other.items;
}

}  // namespace stoa::rtmp
