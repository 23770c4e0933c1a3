// The pictures of one source track: decoded once, encoded for each rung. Frames and cuts in, on the channel's
// timeline; frames of the rungs out, on the same.
//
// Threads: the caller's decodes, each rung has one of its own, and outputs are taken by any one thread.
// Queues between them are bounded: when outputs are not taken, or a rung cannot keep up, handle_frame()
// waits. So who calls it must not be who takes.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "work/bounded_queue.h"
#include "work/decoder.h"
#include "work/filter_graph.h"
#include "work/numbers.h"
#include "work/rung_encoder.h"

namespace stoa::work {

struct VideoLadderConfig {
  std::string preset = "veryfast";
  // Of all encoders together; each has one at least (share_threads). The filters before them take as many.
  int threads = 1;
  std::map<media::Codec, std::vector<std::string>> encoders;  // RungEncoderConfig::encoders.
  DecoderLimits decoder;
  std::size_t pictures_max = 8;  // Decoded ones that wait for a rung, with the cuts between them.
  std::size_t outputs_max = 64;
};

// How many of them each rung's encoder gets: by their pixels, one at least.
std::vector<int> share_threads(std::span<const media::Rung> rungs, int threads);

class VideoLadder {
 public:
  using LookAt = std::function<void(const Image&)>;

  // `source` is the format of the track; it may change later (handle_format), and so may the rungs. Each
  // picture that rungs are made of is also given to `look_at`, by the caller's thread.
  VideoLadder(std::shared_ptr<const media::Format> source, std::span<const media::Rung> rungs,
              const VideoLadderConfig& config, Numbers* numbers = nullptr, LookAt look_at = {});
  ~VideoLadder();
  VideoLadder(const VideoLadder&) = delete;
  VideoLadder& operator=(const VideoLadder&) = delete;

  // The whole ladder as it is wanted now. Rungs that stay as they are go on untouched, those with other bit
  // rates change them at the next cut; new ones begin at the next cut, and those that are left out end at
  // once. At least one.
  void set_rungs(std::span<const media::Rung> rungs);
  // From the next frame on, which must be a keyframe.
  void handle_format(std::shared_ptr<const media::Format> source);
  // Before the frame that decided it, and so before any picture at or after `at` is decoded. When it follows
  // a break, what was before is not shown behind it, nor what is behind before it.
  void handle_cut(Duration at, bool follows_break = false);
  // Of one rung nothing more is taken (RungEncoder::handle_refusal). No rung of that number: nothing happens.
  void handle_refusal(media::RungId rung, std::string text);
  // A refused unit is counted, what follows up to the next keyframe left out.
  Result<void, DecodeRefusal> handle_frame(const media::Frame& frame, Origin origin = {});
  // Nothing more comes: what is on its way still comes out.
  void finish();

  // Nothing more is wanted: what is on its way is gone.
  void drop();

  // The next of any rung; waits for it. Nothing after drop(), or after finish() once all has come. Whoever
  // waits here must have come back before the ladder goes.
  std::optional<RungOutput> take_output() { return outputs_.take(); }

  const DecoderCounts& decoder_counts() const { return decoder_.counts(); }

 private:
  // A picture; without pixels a cut at that time, a new rate of the source, new bit rates, or what the rung
  // was refused for.
  struct Input {
    Image image;
    std::optional<SourceRate> rate;
    std::optional<media::Rung> rung;
    std::optional<std::string> refused;
  };
  struct Stage {
    Stage(std::size_t items_max, RungEncoderConfig config, std::shared_ptr<RungMeter> numbers)
        : input(items_max), encoder(std::move(config)), meter(std::move(numbers)) {}
    BoundedQueue<Input> input;
    RungEncoder encoder;
    std::shared_ptr<RungMeter> meter;
    media::Rung rung;
    std::optional<Duration> last_pts;
    std::jthread thread;
  };
  void add(const media::Rung& rung, int threads);
  void run(Stage& stage);
  static void encode(Stage& stage, const Image& image, RungOutputs& out);
  void filter_pictures();
  void pass_pictures();

  const VideoLadderConfig config_;
  Numbers* const numbers_;
  const LookAt look_at_;
  SourceRate source_rate_;
  Decoder decoder_;
  FilterGraph filter_;
  std::vector<Image> pictures_, filtered_;
  BoundedQueue<RungOutput> outputs_;
  std::atomic<std::size_t> stages_running_;
  std::mutex changing_;  // Over which stages there are: drop() comes from another thread.
  std::vector<std::unique_ptr<Stage>> stages_;
};

}  // namespace stoa::work
