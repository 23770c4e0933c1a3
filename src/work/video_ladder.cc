#include "work/video_ladder.h"

#include <algorithm>
#include <utility>

#include "work/clock.h"

namespace stoa::work {

namespace {

constexpr Duration kShownMax = Duration::seconds(1);  // What a picture counts for in a rung's speed.

// Without anything that a new encoder would have to be begun for.
bool may_become(const media::Rung& now, media::Rung wanted) {
  wanted.bitrate_mean = now.bitrate_mean;
  wanted.bitrate_max = now.bitrate_max;
  wanted.rate_factor = now.rate_factor;
  return now == wanted;
}

int largest(std::span<const media::Rung> rungs, std::uint32_t media::Rung::* side) {
  std::uint32_t most = 2;
  for (const media::Rung& rung : rungs) most = std::max(most, rung.*side);
  return static_cast<int>(most);
}

}  // namespace

std::vector<int> share_threads(std::span<const media::Rung> rungs, int threads) {
  auto pixels_of = [](const media::Rung& rung) { return std::uint64_t{rung.width} * rung.height; };
  std::uint64_t pixels = 0;
  for (const media::Rung& rung : rungs) pixels += pixels_of(rung);
  std::vector<int> shares;
  for (const media::Rung& rung : rungs) {
    std::uint64_t share = static_cast<std::uint64_t>(std::max(threads, 1)) * pixels_of(rung);
    shares.push_back(
        std::max(1, static_cast<int>((share + pixels / 2) / std::max<std::uint64_t>(pixels, 1))));
  }
  return shares;
}

VideoLadder::VideoLadder(std::shared_ptr<const media::Format> source, std::span<const media::Rung> rungs,
                         const VideoLadderConfig& config, Numbers* numbers, LookAt look_at)
    : config_(config),
      numbers_(numbers),
      look_at_(std::move(look_at)),
      source_rate_{source->frame_rate_numerator, source->frame_rate_denominator},
      decoder_(source, config.decoder),
      filter_(largest(rungs, &media::Rung::width), largest(rungs, &media::Rung::height), std::nullopt,
              config.threads),
      outputs_(config.outputs_max),
      stages_running_(rungs.size()) {
  std::vector<int> shares = share_threads(rungs, config.threads);
  for (const media::Rung& rung : rungs) add(rung, shares[stages_.size()]);
  if (stages_.empty()) outputs_.close();
}

// Is in stages_running_ already.
void VideoLadder::add(const media::Rung& rung, int threads) {
  RungEncoderConfig encoder{
      .rung = rung, .source_rate = source_rate_, .preset = config_.preset, .threads = threads};
  if (auto encoders = config_.encoders.find(rung.codec); encoders != config_.encoders.end()) {
    encoder.encoders = encoders->second;
  }
  auto meter = numbers_ != nullptr ? numbers_->meter(rung.id) : std::make_shared<RungMeter>();
  stages_.push_back(std::make_unique<Stage>(config_.pictures_max, std::move(encoder), std::move(meter)));
  Stage& stage = *stages_.back();
  stage.rung = rung;
  stage.thread = std::jthread([this, &stage] { run(stage); });
}

void VideoLadder::set_rungs(std::span<const media::Rung> rungs) {
  std::vector<int> shares = share_threads(rungs, config_.threads);
  std::vector<std::unique_ptr<Stage>> before;
  std::vector<Stage*> changed;
  {
    std::lock_guard lock(changing_);
    before = std::exchange(stages_, {});
    stages_running_ += rungs.size();  // So that the ladder does not end in between.
    for (const media::Rung& rung : rungs) {
      auto found =
          std::ranges::find_if(before, [&](auto& stage) { return stage && may_become(stage->rung, rung); });
      if (found == before.end()) {
        add(rung, shares[stages_.size()]);
        continue;
      }
      --stages_running_;
      Stage& stage = **found;
      if (stage.rung != rung) changed.push_back(&stage);
      stage.rung = rung;
      stages_.push_back(std::move(*found));
    }
    // The others: what waits for their encoders is wanted no more.
    for (auto& stage : before) {
      if (stage) stage->input.drop();
    }
  }
  for (Stage* stage : changed) stage->input.put({.rung = stage->rung});
}

VideoLadder::~VideoLadder() {
  drop();
  stages_.clear();  // Waits for the threads while all that they use is still there.
}

void VideoLadder::drop() {
  std::lock_guard lock(changing_);
  for (auto& stage : stages_) stage->input.drop();
  outputs_.drop();
}

void VideoLadder::run(Stage& stage) {
  RungOutputs out;
  while (auto item = stage.input.take()) {
    if (item->rung) {
      stage.encoder.handle_bitrates(*item->rung);
    } else if (item->refused) {
      stage.encoder.handle_refusal(*item->refused, out);
    } else if (item->rate) {
      stage.encoder.handle_source_rate(*item->rate);
    } else if (item->image.pixels) {
      encode(stage, item->image, out);
    } else {
      stage.encoder.handle_cut(item->image.pts, out);
    }
    for (RungOutput& output : out.take()) outputs_.put(std::move(output));
  }
  stage.meter->handle_gone();
  if (--stages_running_ == 0) outputs_.close();
}

void VideoLadder::encode(Stage& stage, const Image& image, RungOutputs& out) {
  stage.meter->handle_taken();
  Timestamp began = now();
  stage.encoder.handle_picture(image, out);
  for (RungOutput& output : out) {
    auto* made = std::get_if<RungFrame>(&output);
    if (made == nullptr) continue;
    Duration lasts = made->frame.pts - stage.last_pts.value_or(made->frame.pts);
    stage.last_pts = made->frame.pts;
    lasts = std::min(lasts, kShownMax);
    stage.meter->handle_encoded(now() - began, lasts, made->frame.payload.size(),
                                stage.encoder.encoder_name());
  }
}

void VideoLadder::handle_format(std::shared_ptr<const media::Format> source) {
  source_rate_ = {source->frame_rate_numerator, source->frame_rate_denominator};
  decoder_.set_format(std::move(source), pictures_);
  filter_pictures();
  filter_.finish(filtered_);
  pass_pictures();
  for (auto& stage : stages_) stage->input.put({.rate = source_rate_});
}

void VideoLadder::handle_cut(Duration at, bool follows_break) {
  if (follows_break) decoder_.handle_break(at);
  for (auto& stage : stages_) stage->input.put({.image = {.pts = at}});
}

void VideoLadder::handle_refusal(media::RungId rung, std::string text) {
  auto stage = std::ranges::find(stages_, rung, [](const auto& each) { return each->rung.id; });
  if (stage != stages_.end()) (*stage)->input.put({.refused = std::move(text)});
}

Result<void, DecodeRefusal> VideoLadder::handle_frame(const media::Frame& frame, Origin origin) {
  auto decoded = decoder_.decode(frame, origin, pictures_);
  filter_pictures();
  pass_pictures();
  return decoded;
}

void VideoLadder::finish() {
  decoder_.finish(pictures_);
  filter_pictures();
  filter_.finish(filtered_);
  pass_pictures();
  for (auto& stage : stages_) stage->input.close();
}

void VideoLadder::filter_pictures() {
  for (const Image& image : pictures_) {
    // Odd pictures are better than none.
    if (!filter_.filter(image, filtered_)) filtered_.push_back(image);
  }
  pictures_.clear();
}

void VideoLadder::pass_pictures() {
  for (const Image& image : filtered_) {
    if (look_at_) look_at_(image);
    for (auto& stage : stages_) {
      stage->meter->handle_waiting(now());
      stage->input.put({.image = image});
    }
  }
  filtered_.clear();
}

}  // namespace stoa::work
