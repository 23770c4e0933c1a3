#include "work/video_ladder.h"

#include <utility>

namespace stoa::work {

VideoLadder::VideoLadder(std::shared_ptr<const media::Format> source, std::span<const media::Rung> rungs,
                         const VideoLadderConfig& config)
    : decoder_(source, config.decoder), outputs_(config.outputs_max), stages_running_(rungs.size()) {
  for (const media::Rung& rung : rungs) {
    RungEncoderConfig encoder{.rung = rung, .preset = config.preset, .threads = config.encoder_threads};
    encoder.source_rate_numerator = source->frame_rate_numerator;
    encoder.source_rate_denominator = source->frame_rate_denominator;
    stages_.push_back(std::make_unique<Stage>(config.pictures_max, std::move(encoder)));
  }
  for (auto& stage : stages_) stage->thread = std::jthread([this, &stage = *stage] { run(stage); });
  if (stages_.empty()) outputs_.close();
}

VideoLadder::~VideoLadder() {
  drop();
  stages_.clear();  // Waits for the threads while all that they use is still there.
}

void VideoLadder::drop() {
  for (auto& stage : stages_) stage->input.drop();
  outputs_.drop();
}

void VideoLadder::run(Stage& stage) {
  RungOutputs out;
  while (auto item = stage.input.take()) {
    if (item->pixels) {
      stage.encoder.handle_picture(*item, out);
    } else {
      stage.encoder.handle_cut(item->pts, out);
    }
    for (RungOutput& output : out.take()) outputs_.put(std::move(output));
  }
  if (--stages_running_ == 0) outputs_.close();
}

void VideoLadder::handle_format(std::shared_ptr<const media::Format> source) {
  decoder_.set_format(std::move(source), pictures_);
  pass_pictures();
}

void VideoLadder::handle_cut(Duration at) {
  for (auto& stage : stages_) stage->input.put({.pts = at});
}

Result<void, DecodeRefusal> VideoLadder::handle_frame(const media::Frame& frame, Origin origin) {
  auto decoded = decoder_.decode(frame, origin, pictures_);
  pass_pictures();
  return decoded;
}

void VideoLadder::finish() {
  decoder_.finish(pictures_);
  pass_pictures();
  for (auto& stage : stages_) stage->input.close();
}

void VideoLadder::pass_pictures() {
  for (const Image& image : pictures_) {
    for (auto& stage : stages_) stage->input.put(image);
  }
  pictures_.clear();
}

}  // namespace stoa::work
