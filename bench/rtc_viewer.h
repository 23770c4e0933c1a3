// A WHEP client that watches what comes. It counts by the headers alone; its packets stay encrypted but until
// its first picture is there, and, for one viewer in so many, for good: those put every frame together, look
// for the publisher's stamp and prove the bytes.
#pragma once

#include <map>

#include "rtc_media.h"
#include "rtc_meter.h"
#include "rtc_peer.h"

namespace stoa::bench {

// Of all viewers of a run, while it is measuring.
struct ViewerCounts {
  Samples first_packet_ms, frame_ms, audio_ms;  // From the stamp; to the kernel of this machine.
  std::uint64_t frames_checked = 0, frames_corrupt = 0;
  std::uint64_t frames_unstamped = 0;  // Most are (rtc_publisher.cc); only stamped ones can be checked.
  std::uint64_t audio_checked = 0, audio_corrupt = 0;
  std::uint64_t keyframe_requests = 0;
};

struct ViewerWishes {
  bool has_video = true, has_audio = true;  // What it offers to take.
  bool is_checked = false;
};

class RtcViewer : public RtcPeer {
 public:
  RtcViewer(RtcShared& shared, RtcTarget target, std::uint32_t number, const ViewerWishes& wishes,
            ViewerCounts& counts);

  // Sums over all streams.
  StreamCounts video() const { return sum(true); }
  StreamCounts audio() const { return sum(false); }
  // Milliseconds; of the first stream of its kind, 0 without one.
  double jitter_ms(bool of_video) const;
  bool has_picture() const { return join_.first_picture != 0; }

 protected:
  std::vector<sdp::OfferedSection> sections() override;
  void on_connected(std::int64_t now) override;
  bool on_sealed(std::int64_t arrived_ns, Bytes packet) override;
  void on_rtp(std::int64_t arrived_ns, Bytes packet) override;
  void on_rtcp(std::int64_t now, Bytes packet) override;
  void on_due(std::int64_t now) override;
  std::int64_t next_due() const override { return next_report_ns_; }

 private:
  static constexpr std::size_t kStreamsMax = 16;
  static constexpr std::size_t kOpenFrames = 8;
  static constexpr std::size_t kFramePacketsMax = 4096;

  struct Stream {
    StreamMeter meter;
    std::uint32_t ssrc = 0;
    payload::Encoding encoding = payload::Encoding::kH264;
    bool is_video = true;
  };
  struct OpenFrame {
    std::map<std::int64_t, Buffer> payloads;  // By sequence number.
    std::optional<RtcStamp> stamp;
    std::int64_t first_arrived_ns = 0;
  };

  StreamCounts sum(bool of_video) const;
  Stream* stream_of(std::uint32_t ssrc, std::uint8_t payload_type);
  void check_audio(std::int64_t arrived_ns, Bytes payload);
  void gather(std::int64_t arrived_ns, std::uint16_t sequence, std::uint32_t timestamp, Bytes payload);
  void check_whole(std::int64_t arrived_ns, std::uint32_t timestamp);
  void send_report(std::int64_t now);

  ViewerWishes wishes_;
  ViewerCounts& counts_;
  sdp::MediaSupport video_support_, audio_support_;
  std::uint32_t own_ssrc_;
  std::vector<Stream> streams_;
  bool has_video_section_ = false;
  bool is_whole_ = false;                  // The packet that on_sealed() just saw completes its frame.
  std::optional<std::uint32_t> keyframe_;  // Timestamp of the newest.
  std::map<std::uint32_t, OpenFrame> open_;
  std::int64_t last_sequence_ = 0;
  std::int64_t next_report_ns_ = 0;
};

}  // namespace stoa::bench
