#include "work/complexity.h"

#include <cstdlib>
#include <utility>

namespace stoa::work {

namespace {

constexpr int kShrink = 4;

const std::uint8_t* row_of(const AVFrame& frame, int y) { return frame.data[0] + y * frame.linesize[0]; }

std::uint32_t difference(const std::uint8_t* a, const std::uint8_t* b, int count) {
  std::uint32_t sum = 0;
  for (int i = 0; i < count; ++i) sum += static_cast<std::uint32_t>(std::abs(a[i] - b[i]));
  return sum;
}

double mean(std::uint64_t sum, int columns, int rows) {
  return columns > 0 && rows > 0 ? static_cast<double>(sum) / columns / rows : 0;
}

}  // namespace

std::optional<Complexity> ComplexityMeter::measure(const Image& image) {
  const bool is_due = image.pts >= due_at_;
  if (!is_due && !has_before_) return std::nullopt;
  std::swap(luma_, before_);
  const bool had_before = std::exchange(has_before_, false);
  if (!shrink(*image.pixels)) return std::nullopt;
  if (is_due) due_at_ = image.pts + kEvery;
  has_before_ = is_due;
  const int width = luma_->width, height = luma_->height;
  if (!had_before || before_->width != width || before_->height != height) return std::nullopt;
  std::uint64_t right = 0, below = 0, changed = 0;
  for (int y = 0; y < height; ++y) {
    const std::uint8_t* row = row_of(*luma_, y);
    right += difference(row, row + 1, width - 1);
    if (y + 1 < height) below += difference(row, row_of(*luma_, y + 1), width);
    changed += difference(row, row_of(*before_, y), width);
  }
  return Complexity{mean(right, width - 1, height) + mean(below, width, height - 1),
                    mean(changed, width, height)};
}

bool ComplexityMeter::shrink(const AVFrame& frame) {
  const PixelKind source = pixel_kind_of(frame);
  const PixelKind wanted{frame.width / kShrink, frame.height / kShrink, AV_PIX_FMT_GRAY8, true};
  if (wanted.width == 0 || wanted.height == 0) return false;
  if (source != source_) {
    context_ = make_sws(source, wanted, SWS_AREA);
    source_ = source;
  }
  if (!context_) return false;
  if (!luma_ || luma_->width != wanted.width || luma_->height != wanted.height) {
    luma_ = make_picture(wanted.width, wanted.height, AV_PIX_FMT_GRAY8);
  }
  sws_scale(context_.get(), frame.data, frame.linesize, 0, frame.height, luma_->data, luma_->linesize);
  return true;
}

}  // namespace stoa::work
