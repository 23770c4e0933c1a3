// Extended reports (RFC 3611): the receiver's reference time and its echo, by which one who sends no media
// learns the round-trip time. Other blocks are handed on unread.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/rtcp/items.h"
#include "proto/rtcp/ntp.h"
#include "proto/rtcp/refusal.h"

namespace stoa::rtcp {

enum class XrBlockType : std::uint8_t { kReferenceTime = 4, kDelaySinceLast = 5 };

// RRTR, RFC 3611 §4.4: when this report left, by the receiver's clock.
struct ReceiverReferenceTime {
  NtpTime ntp;
};

// RFC 3611 §4.5: to the receiver `ssrc`, what it said last and how long ago that was.
struct DlrrItem {
  std::uint32_t ssrc = 0;
  std::uint32_t last_rr = 0;              // Compact NTP time of its RRTR.
  std::uint32_t delay_since_last_rr = 0;  // 1/65536 s.

  bool operator==(const DlrrItem&) const = default;
  static constexpr std::size_t kBytes = 12;
  static DlrrItem load(const std::uint8_t* at) { return {load_u32(at), load_u32(at + 4), load_u32(at + 8)}; }
};
struct DelaySinceLast {
  Items<DlrrItem> items;
};

struct OtherXrBlock {
  std::uint8_t type = 0;
  std::uint8_t type_specific = 0;
  Bytes content;
};

using XrBlock = std::variant<ReceiverReferenceTime, DelaySinceLast, OtherXrBlock>;

class XrBlocks {
 public:
  explicit XrBlocks(Bytes blocks) : reader_(blocks) {}
  std::optional<XrBlock> next();
  // False when the walk met a block that does not fit.
  bool ok() const { return is_ok_ && reader_.ok(); }

 private:
  ByteReader reader_;
  bool is_ok_ = true;
};

struct ExtendedReport {
  std::uint32_t ssrc = 0;
  Bytes block_bytes;

  // `content` is what stands behind the SSRC.
  static Result<ExtendedReport, Refusal> parse(std::uint32_t ssrc, Bytes content);
  XrBlocks blocks() const { return XrBlocks(block_bytes); }
};

}  // namespace stoa::rtcp
