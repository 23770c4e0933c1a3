// What a worker says of itself once a second (relay::Progress). Any thread may call any of it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "proto/relay/worker_message.h"
#include "work/complexity.h"

namespace stoa::work {

class RungMeter {
 public:
  // A picture waits for the encoder. They are taken in the order in which they came.
  void handle_waiting(Timestamp now);
  void handle_taken();
  // A frame of so many bytes that lasts `of_media` was made.
  void handle_encoded(Duration took, Duration of_media, std::size_t bytes, const std::string& encoder);
  // The ladder that the rung was in is gone, and what waited with it.
  void handle_gone();

  // And the next second begins.
  relay::RungProgress read(Timestamp now);

 private:
  static constexpr std::size_t kTimesMax = 1'024;  // Of one second; what comes beyond is not looked at.

  std::mutex mutex_;
  std::uint64_t frames_ = 0, bytes_ = 0;
  std::deque<Timestamp> waiting_;  // Since when.
  std::vector<Duration> times_;
  Duration busy_, media_;
  std::string encoder_;
};

class Numbers {
 public:
  // Of the rung that has this number, as long as the worker lives.
  std::shared_ptr<RungMeter> meter(media::RungId rung);
  // Which rungs there are now.
  void set_rungs(std::vector<media::RungId> rungs);
  void handle_decoded(std::uint64_t pictures, std::uint64_t refused);
  void handle_measured(const Complexity& complexity);

  // And the next second begins.
  relay::Progress read(Timestamp now);

 private:
  std::mutex mutex_;
  std::map<media::RungId, std::shared_ptr<RungMeter>> meters_;
  std::vector<media::RungId> rungs_;
  std::uint64_t pictures_ = 0, refused_ = 0;
  std::uint32_t measured_ = 0;
  Complexity sum_;  // Of those.
};

}  // namespace stoa::work
