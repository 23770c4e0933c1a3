// What a client of rooms receives. It counts by the headers alone, which are not encrypted; packets of one
// client in so many are decrypted and looked through for the publisher's stamp.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "proto/rtcp/arrival_log.h"
#include "rtc_meter.h"
#include "rtc_socket.h"
#include "rtc_stamp.h"

namespace stoa::bench {

// A pause longer than this in a video that one is subscribed to is a freeze.
inline constexpr std::int64_t kFreezeNs = 500'000'000;

// Of all who receive, while it is measuring.
struct WatcherCounts {
  Samples video_ms, audio_ms;  // From the stamp to the kernel of this machine; of video the whole frame.
  std::uint64_t audio_corrupt = 0;
  std::uint64_t freezes = 0;
  double frozen_ms = 0, longest_ms = 0;
};

class RoomsWatcher {
 public:
  RoomsWatcher(RtcShared& shared, WatcherCounts& counts, bool is_checked, std::uint32_t ssrc)
      : shared_(shared), counts_(counts), is_checked_(is_checked), own_ssrc_(ssrc) {}

  // The packet's header; true when it is to be decrypted. `now`: CLOCK_MONOTONIC.
  bool handle_sealed(std::int64_t now, std::int64_t arrived_ns, Bytes packet,
                     const sdp::Agreement& agreement);
  void handle_rtp(std::int64_t arrived_ns, Bytes packet);
  void handle_rtcp(std::int64_t now, Bytes packet);

  using Send = std::function<void(Bytes packet)>;
  // Receiver reports. To be called every second.
  void send_reports(std::int64_t now, const Send& send);
  // Transport-wide feedback, where it was agreed on.
  void send_feedback(std::int64_t now, const Send& send);
  std::int64_t next_feedback() const { return log_.next_deadline().ns(); }

  // Sums over all streams.
  StreamCounts video() const { return sum(true); }
  StreamCounts audio() const { return sum(false); }
  std::size_t videos_alive(std::int64_t now) const;  // That had a packet in the last kFreezeNs.
  // Pauses that have not ended yet count too. `since`: when measuring began.
  void finish(std::int64_t now, std::int64_t since);
  std::int64_t first_packet_ns() const { return first_packet_ns_; }  // CLOCK_MONOTONIC; 0: none yet.

 private:
  static constexpr std::size_t kStreamsMax = 256;
  static constexpr std::size_t kStampsMax = 8;

  struct Stream {
    StreamMeter meter;
    bool is_video = true;
    std::int64_t last_ns = 0;                  // CLOCK_MONOTONIC.
    std::map<std::uint32_t, RtcStamp> stamps;  // Of frames that are not whole yet, by timestamp.
  };

  StreamCounts sum(bool of_video) const;
  Stream* stream_of(std::uint32_t ssrc, std::uint8_t payload_type, const sdp::Agreement& agreement);
  Stream* find(std::uint32_t ssrc);
  void note_pause(std::int64_t pause_ns);

  RtcShared& shared_;
  WatcherCounts& counts_;
  bool is_checked_;
  std::uint32_t own_ssrc_;
  std::vector<std::uint32_t> ssrcs_;
  std::vector<Stream> streams_;  // Beside ssrcs_.
  bool is_whole_ = false;        // The packet that handle_sealed() just saw completes its frame.
  std::int64_t first_packet_ns_ = 0;
  rtcp::ArrivalLog log_;
};

}  // namespace stoa::bench
