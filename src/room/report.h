// How the media of participants flows, as the shard of their seats sees it: plain values for the API, made
// when somebody asks.
//
// Counters count from when the stream began. Rates are of an interval that ends now and began at one of the
// last two times when the seat measured its streams (SeatConfig::report_interval): it is one to two of these
// long. They are absent in a stream's first moments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "room/events.h"
#include "room/info.h"
#include "room/quality.h"

namespace stoa::room {

// What a stream's counters showed at one time.
struct Reading {
  Timestamp at;
  std::uint64_t bytes = 0, frames = 0;
  std::int64_t expected = 0, lost = 0;  // Packets; not of what is sent.
};
struct Rates {
  Duration interval;
  std::uint64_t bits_per_second = 0;
  double frames_per_second = 0;
  double loss = 0;  // Before repair, 0 to 1.
};
// The last two readings of one stream.
class Readings {
 public:
  static constexpr Duration kIntervalMin = Duration::milliseconds(500);

  void add(const Reading& reading) {
    before_ = last_;
    last_ = reading;
  }
  // Since the older one. Nothing over less than kIntervalMin, and where counters began anew meanwhile.
  std::optional<Rates> rates(const Reading& now) const;

 private:
  std::optional<Reading> before_, last_;
};

// The program that a participant came with, as it says itself: any text.
struct ClientReport {
  std::string sdk, version, os, browser;  // sdk: "js", "swift", …; empty: it does not say.
};
struct ConnectionReport {
  bool is_receiving = false, is_sending = false;  // What the participant publishes; what it is sent.
  bool is_tcp = false;
  std::string address;  // Of the participant: "192.0.2.1:5000".
  std::optional<Duration> round_trip;
};

// What comes of one layer of a track.
struct LayerReport {
  std::optional<VideoLayer> announced;  // As the publisher calls it.
  bool is_active = false;               // Packets come.
  std::uint64_t packets = 0, bytes = 0, frames = 0;
  std::int64_t lost = 0;              // Before repair; negative when duplicates outweigh losses.
  std::uint64_t nacks = 0, plis = 0;  // Packets, and keyframes, that it was asked for.
  Duration jitter;
  std::optional<Rates> rates;
};
struct PublishedReport {
  std::string sid, codec;  // "VP8"
  TrackKind kind = TrackKind::kAudio;
  TrackSource source = TrackSource::kUnknown;
  bool is_muted = false;
  std::vector<LayerReport> layers;        // From the smallest.
  std::optional<StreamQuality> measured;  // What went into the connection's score last.
};
// A track that it is subscribed to.
struct SentReport {
  std::string sid, publisher_sid, publisher_identity;
  std::string codec;  // Empty: not negotiated (yet).
  TrackKind kind = TrackKind::kAudio;
  TrackSource source = TrackSource::kUnknown;
  bool is_flowing = false;            // It is wanted, and a layer that comes feeds it.
  bool is_paused = false;             // What the participant can be sent has no room for it.
  std::optional<std::uint8_t> layer;  // Which feeds it.
  std::optional<VideoLayer> announced;
  std::uint64_t packets = 0, bytes = 0;  // Without repairs.
  // What was sent again, and what the participant asked for: packets, and keyframes.
  std::uint64_t retransmitted = 0, nacked = 0, plis = 0;
  // As its last report says. No round trip: no report came.
  double loss = 0;
  Duration jitter;
  std::optional<Duration> round_trip;
  std::uint64_t remb_bps = 0;  // What it thinks that its line carries; 0: it does not say.
  std::optional<Rates> rates;
  std::optional<StreamQuality> measured;
};

struct SeatReport {
  ParticipantId participant;  // In the room that was asked for.
  ClientReport client;
  std::vector<ConnectionReport> connections;  // Those that have a path; the one that it needs most first.
  std::optional<Duration> round_trip;
  std::optional<ConnectionScore> score;  // As measured last; none while nothing flows.
  // For who asks for statistics.
  std::vector<PublishedReport> published;
  std::vector<SentReport> sent;
};

}  // namespace stoa::room
