// Makes slates (relay::SlateMade) ahead of the need for them, one for each rung and for each track of the
// source: two seconds of pictures that begin again where they end, and silence. On a thread of its own that
// takes what the others leave.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "base/result.h"
#include "proto/relay/worker_message.h"
#include "work/bounded_queue.h"
#include "work/encoder_config.h"
#include "work/rung_output.h"

namespace stoa::work {

// What it is shown in place of.
struct SlatePlace {
  bool is_of_source = false;
  media::RungId rung = 0;
  media::TrackId track = 0;
  auto operator<=>(const SlatePlace&) const = default;
};

// Of the clip in the file, if there is one; what is too much for a slate, or cannot be read, is not shown.
Result<relay::SlateMade, EncodeRefusal> make_slate(const SlatePlace& place, const EncoderConfig& config,
                                                   std::string_view title, const std::string& clip = "");

class SlateMaker {
 public:
  using Send = std::function<void(const relay::Message&)>;

  // `send` outlives it.
  explicit SlateMaker(const Send& send, std::string clip = "");
  ~SlateMaker();

  // From the next one on.
  void set_title(std::string title);
  // Makes one if there is none for this place that was made so. Any thread may ask.
  void want(const SlatePlace& place, const EncoderConfig& config);
  // All that was asked for is made. Nothing is asked for any more.
  void finish();

 private:
  static constexpr std::size_t kWaitingMax = 64;
  struct Wanted {
    SlatePlace place;
    EncoderConfig config;
    std::string title;
  };
  void run();

  const Send& send_;
  const std::string clip_;
  std::mutex mutex_;
  std::string title_;
  std::map<SlatePlace, EncoderConfig> asked_;
  BoundedQueue<Wanted> queue_{kWaitingMax};
  std::jthread thread_;
};

}  // namespace stoa::work
