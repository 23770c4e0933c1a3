#include "proto/rtcp/extended_report.h"

namespace stoa::rtcp {

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// | block type    | type-specific |       length in words         |
// | content …
std::optional<XrBlock> XrBlocks::next() {
  if (!ok() || reader_.at_end()) return std::nullopt;
  std::uint8_t type = reader_.u8(), type_specific = reader_.u8();
  Bytes content = reader_.take(std::size_t{4} * reader_.u16());
  if (!reader_.ok()) return std::nullopt;
  switch (static_cast<XrBlockType>(type)) {
    case XrBlockType::kReferenceTime: {
      if (content.size() != 8) break;
      std::uint64_t bits = static_cast<std::uint64_t>(load_u32(content.data())) << 32;
      return ReceiverReferenceTime{NtpTime::from_bits(bits | load_u32(content.data() + 4))};
    }
    case XrBlockType::kDelaySinceLast:
      if (content.size() % DlrrItem::kBytes != 0) break;
      return DelaySinceLast{Items<DlrrItem>(content)};
    default: return OtherXrBlock{type, type_specific, content};
  }
  is_ok_ = false;
  return std::nullopt;
}

Result<ExtendedReport, Refusal> ExtendedReport::parse(std::uint32_t ssrc, Bytes content) {
  XrBlocks walk(content);
  while (walk.next()) {
  }
  if (!walk.ok()) return refuse(Refusal::kBadExtendedReport);
  return ExtendedReport{ssrc, content};
}

}  // namespace stoa::rtcp
