// AMF of both versions: what parses is written, and what was written parses to the same again.
#include "proto/rtmp/amf.h"

#include <cmath>

#include "base/assert.h"
#include "proto/rtmp/command.h"

namespace {

using namespace stoa::rtmp;

// Kinds that are written as another kind, and NaN, are not the same again.
bool is_faithful(const AmfValue& value) {
  if (value.kind == AmfValue::Kind::kReference || value.kind == AmfValue::Kind::kBytes) return false;
  if (value.kind == AmfValue::Kind::kEcmaArray && !value.items.empty()) return false;
  if (value.kind == AmfValue::Kind::kEcmaArray && value.members.empty()) return false;
  if (std::isnan(value.number)) return false;
  for (const auto& member : value.members) {
    if (member.name.empty() || member.name.size() > 1000 || !is_faithful(member.value)) return false;
  }
  for (const auto& item : value.items) {
    if (!is_faithful(item)) return false;
  }
  return true;
}

void check(const std::vector<AmfValue>& values) {
  AmfLimits wide{.depth_max = 100, .values_max = 1 << 20, .text_bytes_max = 1 << 24};
  for (const AmfValue& value : values) {
    stoa::ByteWriter zero, three;
    write_amf0(value, zero);
    write_amf3(value, three);
    auto from_zero = parse_amf0(zero.view(), wide);
    auto from_three = parse_amf3(three.view(), wide);
    if (!is_faithful(value)) continue;
    STOA_ASSERT(from_zero && from_zero->size() == 1 && from_zero->front() == value);
    STOA_ASSERT(from_three && from_three->size() == 1 && from_three->front() == value);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  stoa::Bytes bytes(data + 1, size - 1);
  auto parsed = data[0] % 2 == 0 ? parse_amf0(bytes) : parse_amf3(bytes);
  if (parsed) check(*parsed);
  Message message{.type = static_cast<std::uint8_t>(data[0] % 2 == 0 ? 20 : 17)};
  message.payload.assign(bytes.begin(), bytes.end());
  (void)parse_command(message);
  return 0;
}
