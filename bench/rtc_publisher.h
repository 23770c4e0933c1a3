// A WHIP client that sends a recording over and over: H.264 and Opus, stamped, with sender reports. It
// answers NACK by retransmission (RFC 4588 where agreed) and a request for a keyframe by going on from the
// recording's next one.
#pragma once

#include <array>
#include <deque>

#include "proto/rtcp/packet.h"
#include "rtc_media.h"
#include "rtc_peer.h"

namespace stoa::bench {

struct PublisherMedia {
  const Clip* clip = nullptr;  // None: no video.
  bool has_audio = true;
  std::size_t opus_bytes = 120;  // Of each 20 ms: 48 kb/s.
};

// Of all publishers of a run.
struct PublisherCounts {
  std::uint64_t packets = 0, bytes = 0;  // RTP, with headers, before encryption.
  std::uint64_t frames = 0;
  std::uint64_t nacked = 0, retransmitted = 0;
  std::uint64_t keyframe_requests = 0;
  Samples lateness_ms;  // Of frames, by this program's own fault.
  Samples round_trip_ms, loss;
};

class RtcPublisher : public RtcPeer {
 public:
  RtcPublisher(RtcShared& shared, RtcTarget target, std::uint32_t number, const PublisherMedia& media,
               PublisherCounts& counts);

 protected:
  std::vector<sdp::OfferedSection> sections() override;
  void on_connected(std::int64_t now) override;
  bool on_sealed(std::int64_t, Bytes) override { return false; }
  void on_rtp(std::int64_t, Bytes) override {}
  void on_rtcp(std::int64_t now, Bytes packet) override;
  void on_due(std::int64_t now) override;
  std::int64_t next_due() const override;

 private:
  static constexpr std::size_t kHistory =
      256;  // Packets, for NACK; 300 KB of each publisher, 2 s at 1.5 Mb/s.

  struct Track {
    std::uint32_t ssrc = 0, rtx_ssrc = 0;
    std::uint8_t payload_type = 0;
    std::optional<std::uint8_t> rtx_type;
    bool is_agreed = false;
    std::uint16_t sequence = 0, rtx_sequence = 0;
    std::uint32_t timestamp_base = 0, clock_rate = 0;
    std::int64_t interval_ns = 0;
    std::int64_t begun_ns = 0;
    std::uint32_t frame = 0;  // The next.
    std::uint32_t packets = 0, octets = 0;
    std::int64_t due() const { return begun_ns + frame * interval_ns; }
    std::uint32_t timestamp_at(std::int64_t ns) const;
  };

  void begin(Track& track, const sdp::AgreedSection* section, std::int64_t now, std::int64_t interval_ns);
  bool rests(const Track& track) const;
  void send_frame(std::int64_t now);
  void send_opus(std::int64_t now);
  void send_payload(Track& track, std::uint32_t timestamp, bool marker, Bytes payload);
  void send_reports(std::int64_t now);
  void take_report(std::int64_t now, const rtcp::ReportBlock& block);
  void retransmit(std::uint16_t sequence);
  void go_to_keyframe(std::int64_t now);

  std::uint32_t number_;
  PublisherMedia media_;
  PublisherCounts& counts_;
  sdp::MediaSupport video_support_, audio_support_;
  Track video_, audio_;
  std::size_t clip_at_ = 0;
  std::int64_t keyframe_asked_ns_ = 0;
  std::int64_t next_report_ns_ = 0;
  std::deque<std::pair<std::uint32_t, std::int64_t>> sent_reports_;  // Compact NTP and when.
  struct Sent {
    std::uint16_t sequence = 0;
    Buffer packet;
  };
  std::vector<Sent> history_;  // Of video, by sequence number modulo kHistory.
  payload::PayloadList payloads_;
};

}  // namespace stoa::bench
