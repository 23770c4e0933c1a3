#include "media/payload/encoding.h"

#include <array>

#include "base/letters.h"

namespace stoa::payload {
namespace {

constexpr std::array<std::string_view, kEncodings> kNames{"H264", "H265", "AV1", "VP8", "VP9", "opus"};

}  // namespace

std::string_view name_of(Encoding encoding) { return kNames[static_cast<std::size_t>(encoding)]; }

std::optional<Encoding> find_encoding(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (equals_ignoring_case(name, kNames[i])) return static_cast<Encoding>(i);
  }
  return std::nullopt;
}

const char* name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kTruncated: return "truncated";
    case Refusal::kBadValue: return "bad_value";
    case Refusal::kUnsupported: return "unsupported";
    case Refusal::kBroken: return "broken";
    case Refusal::kTooLarge: return "too_large";
    case Refusal::kLate: return "late";
    case Refusal::kDuplicate: return "duplicate";
  }
  return "unknown";
}

}  // namespace stoa::payload
