#include "work/pictures.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "work/jpeg.h"

namespace stoa::work {

namespace {

constexpr std::uint8_t kBlack = 0, kGrey = 128;  // In full range.

// One that has no more bytes than the owner takes.
std::optional<SharedBytes> write_jpeg(const AVFrame& frame) {
  auto jpeg = encode_jpeg(frame);
  if (jpeg && jpeg->size() > relay::kJpegBytesMax) return std::nullopt;
  return jpeg;
}

FramePtr make_canvas(int width, int height) {
  FramePtr canvas = make_picture(width, height, AV_PIX_FMT_YUVJ420P);
  canvas->color_range = AVCOL_RANGE_JPEG;
  for (int plane = 0; plane < 3; ++plane) {
    const int rows = plane == 0 ? height : height / 2;
    std::fill_n(canvas->data[plane], rows * canvas->linesize[plane], plane == 0 ? kBlack : kGrey);
  }
  return canvas;
}

}  // namespace

bool Storyboard::add(const AVFrame& tile, Duration at) {
  if (!canvas_) {
    if (std::int64_t{tile.width} * columns_ * tile.height * rows_ > kPixelsMax) return false;
    tile_width_ = tile.width, tile_height_ = tile.height;
    canvas_ = make_canvas(tile_width_ * columns_, tile_height_ * rows_);
  }
  const int number = static_cast<int>(tiles_.size());
  if (number == columns_ * rows_ || tile.width != tile_width_ || tile.height != tile_height_) return false;
  for (int plane = 0; plane < 3; ++plane) {
    const int shift = plane == 0 ? 0 : 1, stride = canvas_->linesize[plane];
    const int left = number % columns_ * tile_width_ >> shift,
              top = number / columns_ * tile_height_ >> shift;
    for (int y = 0; y < tile_height_ >> shift; ++y) {
      std::memcpy(canvas_->data[plane] + (top + y) * stride + left,
                  tile.data[plane] + y * tile.linesize[plane],
                  static_cast<std::size_t>(tile_width_ >> shift));
    }
  }
  tiles_.push_back({at});
  return true;
}

std::optional<relay::StoryboardMade> Storyboard::write() const {
  if (tiles_.empty()) return std::nullopt;
  FramePtr begun(av_frame_clone(canvas_.get()));
  if (!begun) throw std::bad_alloc();
  begun->height = tile_height_ * ((static_cast<int>(tiles_.size()) + columns_ - 1) / columns_);
  auto jpeg = write_jpeg(*begun);
  if (!jpeg) return std::nullopt;
  return relay::StoryboardMade{static_cast<std::uint32_t>(tile_width_),
                               static_cast<std::uint32_t>(tile_height_), static_cast<std::uint32_t>(columns_),
                               tiles_, std::move(*jpeg)};
}

PictureMaker::PictureMaker(const Send& send) : send_(send), thread_([this] { run(); }) {}

PictureMaker::~PictureMaker() {
  std::lock_guard lock(mutex_);
  waiting_.reset();
  is_closed_ = true;
  has_task_.notify_one();
}

void PictureMaker::set_wanted(const relay::PicturesWanted& wanted) {
  std::lock_guard lock(mutex_);
  wanted_ = wanted;
  ++revision_;
  due_at_ = -Duration::infinite();
  waiting_.reset();
}

void PictureMaker::offer(media::TrackId track, const Image& image) {
  std::lock_guard lock(mutex_);
  if (wanted_.every <= Duration() || track != wanted_.track || image.pts < due_at_) return;
  due_at_ = image.pts + wanted_.every;
  waiting_ = Task{image, wanted_, revision_};
  has_task_.notify_one();
}

void PictureMaker::finish() {
  {
    std::lock_guard lock(mutex_);
    is_closed_ = true;
    has_task_.notify_one();
  }
  thread_.join();
}

std::optional<PictureMaker::Task> PictureMaker::take() {
  std::unique_lock lock(mutex_);
  has_task_.wait(lock, [this] { return is_closed_ || waiting_; });
  return std::exchange(waiting_, std::nullopt);
}

void PictureMaker::run() {
  while (auto task = take()) {
    make_poster(*task);
    make_tile(*task);
  }
}

void PictureMaker::make_poster(const Task& task) {
  FramePtr small = shrink_for_jpeg(task.image, static_cast<int>(task.wanted.poster_width),
                                   static_cast<int>(task.wanted.poster_height));
  auto jpeg = small ? write_jpeg(*small) : std::nullopt;
  if (!jpeg) return;
  send_(relay::PosterMade{task.image.pts, static_cast<std::uint32_t>(small->width),
                          static_cast<std::uint32_t>(small->height), std::move(*jpeg)});
}

void PictureMaker::make_tile(const Task& task) {
  const int columns = static_cast<int>(std::min<std::size_t>(task.wanted.columns, relay::kTilesMax));
  if (columns == 0) return;
  const int rows = std::min(static_cast<int>(task.wanted.rows), static_cast<int>(relay::kTilesMax) / columns);
  FramePtr tile = shrink_for_jpeg(task.image, static_cast<int>(task.wanted.tile_width),
                                  static_cast<int>(task.wanted.tile_height));
  if (rows == 0 || !tile) return;
  if (std::exchange(storyboard_revision_, task.revision) != task.revision) storyboard_.reset();
  if (!storyboard_ || !storyboard_->add(*tile, task.image.pts)) {
    storyboard_.emplace(columns, rows);
    if (!storyboard_->add(*tile, task.image.pts)) return;
  }
  if (auto made = storyboard_->write()) send_(std::move(*made));
}

}  // namespace stoa::work
