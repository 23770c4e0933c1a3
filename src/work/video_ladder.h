// The pictures of one source track: decoded once, encoded for each rung. Frames and cuts in, on the channel's
// timeline; frames of the rungs out, on the same.
//
// Threads: the caller's decodes, each rung has one of its own, and outputs are taken by any one thread.
// Queues between them are bounded: when outputs are not taken, or a rung cannot keep up, handle_frame()
// waits. So who calls it must not be who takes.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "work/bounded_queue.h"
#include "work/decoder.h"
#include "work/rung_encoder.h"

namespace stoa::work {

struct VideoLadderConfig {
  std::string preset = "veryfast";
  int encoder_threads = 1;  // For each rung, beside its own.
  DecoderLimits decoder;
  std::size_t pictures_max = 8;  // Decoded ones that wait for a rung, with the cuts between them.
  std::size_t outputs_max = 64;
};

class VideoLadder {
 public:
  // `source` is the format of the track; it may change later (handle_format), the rungs may not.
  VideoLadder(std::shared_ptr<const media::Format> source, std::span<const media::Rung> rungs,
              const VideoLadderConfig& config);
  ~VideoLadder();
  VideoLadder(const VideoLadder&) = delete;
  VideoLadder& operator=(const VideoLadder&) = delete;

  // From the next frame on, which must be a keyframe.
  void handle_format(std::shared_ptr<const media::Format> source);
  // Before the frame that decided it, and so before any picture at or after `at` is decoded.
  void handle_cut(Duration at);
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
  // A picture; without pixels a cut at that time.
  using Input = Image;
  struct Stage {
    Stage(std::size_t items_max, RungEncoderConfig config) : input(items_max), encoder(std::move(config)) {}
    BoundedQueue<Input> input;
    RungEncoder encoder;
    std::jthread thread;
  };
  void run(Stage& stage);
  void pass_pictures();

  Decoder decoder_;
  std::vector<Image> pictures_;
  BoundedQueue<RungOutput> outputs_;
  std::atomic<std::size_t> stages_running_;
  std::vector<std::unique_ptr<Stage>> stages_;
};

}  // namespace stoa::work
