// What arrived when, until the sender has been told: the receiving side of both congestion feedbacks.
//
// ArrivalLog speaks transport-wide feedback, one number sequence for all streams of a transport;
// CongestionLog speaks RFC 8888, one for each stream. Both stand on ArrivalWindow. When to tell is theirs
// (`next_deadline`), where the bytes go is the caller's:
//
//   if (now >= log.next_deadline())
//     while (log.has_news() && log.write_feedback(now, …, writer)) {}  // Send and clear the writer when it
//     is full.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "proto/rtcp/congestion_feedback.h"
#include "proto/rtcp/limits.h"
#include "proto/rtcp/ntp.h"
#include "proto/rtcp/sequence.h"
#include "proto/rtcp/writer.h"

namespace stoa::rtcp {

// The last kArrivalWindow numbers of one sequence. Memory is 32 KiB from the first arrival on, and never
// grows.
class ArrivalWindow {
 public:
  struct Arrival {
    Timestamp at = Timestamp::never();  // never(): not arrived.
    Ecn ecn = Ecn::kNotCapable;
  };

  // False for a duplicate, a jump that is not believed yet, and what comes later than kArrivalLateMax allows.
  // The first arrival of a packet counts.
  bool handle_packet(Timestamp now, std::uint16_t sequence, Ecn ecn = Ecn::kNotCapable);

  // Numbers in [untold(), end()) are news. A late packet moves untold() back, so that its neighbours are told
  // again with it; a sender ignores what it knows.
  std::int64_t untold() const { return untold_; }
  std::int64_t end() const { return end_; }
  bool has_news() const { return untold_ < end_; }
  // Requires: untold() <= sequence < end().
  const Arrival& operator[](std::int64_t sequence) const { return ring_[index_of(sequence)]; }
  // Requires: untold() <= sequence <= end().
  void set_told(std::int64_t sequence) { untold_ = sequence; }

  std::uint64_t too_late() const { return too_late_; }

 private:
  static std::size_t index_of(std::int64_t sequence) {
    return static_cast<std::uint64_t>(sequence) % kArrivalWindow;
  }
  void start(std::int64_t sequence);

  SequenceExtender extender_;
  std::vector<Arrival> ring_;
  std::int64_t untold_ = 0;
  std::int64_t end_ = 0;  // The ring speaks of [end_ - kArrivalWindow, end_).
  std::uint64_t too_late_ = 0;
};

// What feedback costs (RFC 8888 §4): a datagram with a short packet of it. It takes about a fifth of what it
// tells of at most. libwebrtc is content with a twentieth, but senders rise feedback by feedback: after an
// outage Chromium would then be at its lowest rate for ten seconds.
inline constexpr std::size_t kFeedbackDatagramBytes = 70;
inline constexpr std::size_t kFeedbackShare = 5;

struct FeedbackConfig {
  // From the first news to the feedback, where that is worth a datagram; and where little comes, as of sound
  // alone: never less than `interval`.
  Duration interval = Duration::milliseconds(50);
  Duration interval_max = Duration::milliseconds(100);
  // So many packets are told of at once.
  std::size_t packets_max = 400;
  // Of one feedback packet. Requires: >= 64.
  std::size_t packet_bytes_max = kDatagramBytes;
  // Of a queue that overflows: kLossLeftOut. For senders that would send all of it again.
  bool leaves_out_loss = false;
};

// When feedback is due, by what came since the last.
class FeedbackPace {
 public:
  explicit FeedbackPace(const FeedbackConfig& config);
  void handle_packet(Timestamp now, std::size_t bytes);
  void handle_told() {
    packets_ = bytes_ = 0;
    due_ = Timestamp::never();
  }
  Timestamp due() const { return due_; }

 private:
  Duration interval_, interval_max_;
  std::size_t packets_max_, packets_ = 0, bytes_ = 0;
  Timestamp first_, due_ = Timestamp::never();
};

// A queue that overflows loses most of what is sent, for the quarter of a second that its sender takes to
// hear of it. Browsers send again at once what a feedback ends with as lost, ahead of all that is new, and so
// for another second; what they need to know is in what came. So for kLossLeftOut from the first news on in
// which more, and kLossMany at least, is missing than came, only what came is told of; not again for
// kLossLeftOutEvery, since a sender must know of loss that stays.
inline constexpr Duration kLossLeftOut = Duration::seconds(1);
inline constexpr Duration kLossLeftOutEvery = Duration::seconds(5);
inline constexpr std::int64_t kLossMany = 5;

class ArrivalLog {
 public:
  explicit ArrivalLog(const FeedbackConfig& config = {}) : config_(config), pace_(config) {}

  // A packet with a transport-wide number, of whatever stream. `bytes`: of its datagram; where nobody knows,
  // it is taken for one of pictures.
  bool handle_packet(Timestamp now, std::uint16_t transport_sequence, std::size_t bytes = kDatagramBytes);

  bool has_news() const { return window_.has_news(); }
  // Writes one feedback packet with as much news as it takes; while loss is left out, up to the next packet
  // that is missing. False when there is none or no place for it.
  bool write_feedback(std::uint32_t sender_ssrc, std::uint32_t media_ssrc, Writer& writer);
  Timestamp next_deadline() const { return pace_.due(); }
  std::uint64_t too_late() const { return window_.too_late(); }

 private:
  bool leaves_out_loss();  // Of the news.

  FeedbackConfig config_;
  ArrivalWindow window_;
  FeedbackPace pace_;
  std::uint8_t feedback_count_ = 0;
  std::optional<Timestamp> overflowed_at_;
  std::optional<bool> is_left_out_;  // Judged once of all that is told at a time.
};

class CongestionLog {
 public:
  explicit CongestionLog(const FeedbackConfig& config = {}) : config_(config), pace_(config) {}

  // False as ArrivalWindow::handle_packet(), and for a source beyond kCongestionSourcesMax. `bytes` as above.
  bool handle_packet(Timestamp now, std::uint32_t ssrc, std::uint16_t sequence, Ecn ecn,
                     std::size_t bytes = kDatagramBytes);
  // The source said BYE or its stream was taken down.
  void drop_source(std::uint32_t ssrc);

  bool has_news() const;
  // As ArrivalLog::write_feedback(); `ntp` is the wall clock's reading of `now`.
  bool write_feedback(Timestamp now, NtpTime ntp, std::uint32_t sender_ssrc, Writer& writer);
  Timestamp next_deadline() const { return pace_.due(); }

 private:
  struct Source {
    std::uint32_t ssrc;
    ArrivalWindow window;
  };

  FeedbackConfig config_;
  FeedbackPace pace_;
  std::vector<Source> sources_;
};

}  // namespace stoa::rtcp
