// A publisher's NTP clock against ours: one offset for the whole session, so that all of its tracks stay in
// step, whatever the way of each packet.
//
// A sender report arrives late, never early; the one that was fastest tells the offset best. So the offset is
// the smallest (arrival - NTP time) seen, and it grows by kDriftPpm, since clocks drift apart and paths
// change. A sample far off that is the clock being set: it is believed once a second one agrees.
#pragma once

#include <optional>

#include "base/time.h"
#include "proto/rtcp/ntp.h"

namespace stoa::webrtc {

class PeerClock {
 public:
  static constexpr std::int64_t kDriftPpm = 100;
  static constexpr Duration kStep = Duration::seconds(2);  // Further off is a clock that was set.

  static constexpr Duration kNotable = Duration::milliseconds(1);

  // A sender report with this NTP time came at `arrived`. True when the offset moved by kNotable since this
  // last said so. Requires: ntp.is_set().
  bool handle_report(WallTime arrived, rtcp::NtpTime ntp);
  bool is_known() const { return offset_.has_value(); }
  // By our clock. Requires: is_known().
  rtcp::NtpTime to_ours(rtcp::NtpTime peers) const { return peers + *offset_; }

 private:
  std::optional<Duration> offset_, doubted_, noted_;
  WallTime at_;  // Of the last report.
};

}  // namespace stoa::webrtc
