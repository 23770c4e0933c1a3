#include "session/webrtc/peer_clock.h"

#include <algorithm>

namespace stoa::webrtc {

bool PeerClock::handle_report(WallTime arrived, rtcp::NtpTime ntp) {
  Duration sample = rtcp::NtpTime::from_wall(arrived) - ntp;
  Duration passed = std::max(arrived - at_, Duration());
  at_ = arrived;
  if (!offset_) {
    offset_ = sample;
  } else if ((sample - *offset_).abs() <= kStep) {
    offset_ = std::min(*offset_ + passed / 1'000'000 * kDriftPpm, sample);
    doubted_.reset();
  } else if (doubted_ && (sample - *doubted_).abs() <= kStep) {
    offset_ = std::min(sample, *doubted_);
    doubted_.reset();
  } else {
    doubted_ = sample;
  }
  if (noted_ && (*offset_ - *noted_).abs() < kNotable) return false;
  noted_ = offset_;
  return true;
}

}  // namespace stoa::webrtc
