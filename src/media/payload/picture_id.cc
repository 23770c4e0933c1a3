#include "media/payload/picture_id.h"

#include <algorithm>

namespace stoa::payload {
namespace {

constexpr std::uint8_t kKeyIndexMask = 0x1f;

}  // namespace

std::int64_t PictureIdRewriter::unwrap(const SourceIds& source) const {
  std::int64_t range = std::int64_t{1} << source.picture_id_bits;
  std::int64_t wire = source.picture_id & (range - 1);
  if (!has_source_) return wire;
  std::int64_t forward = (wire - newest_) & (range - 1);
  return newest_ + (forward < range / 2 ? forward : forward - range);
}

void PictureIdRewriter::begin_source(std::int64_t picture, const SourceIds& source) {
  has_source_ = true;
  first_ = newest_ = picture;
  std::uint8_t tl0 = source.tl0_index.value_or(0), key = source.key_index.value_or(0);
  if (has_sent_) {
    offset_ = last_sent_ + 1 - picture;
    tl0_offset_ = static_cast<std::uint8_t>(last_tl0_ + 1 - tl0);
    key_offset_ = static_cast<std::uint8_t>(last_key_ + 1 - key);
  } else {
    offset_ = 0;
    tl0_offset_ = key_offset_ = 0;
  }
  entry_of(picture) = {.offset = offset_};
}

void PictureIdRewriter::go_on_to(std::int64_t picture) {
  std::int64_t from = std::max(newest_ + 1, picture - static_cast<std::int64_t>(kPicturesRemembered) + 1);
  for (std::int64_t each = from; each <= picture; ++each) entry_of(each) = {.offset = offset_};
  newest_ = picture;
}

bool PictureIdRewriter::is_remembered(std::int64_t picture) const {
  return picture >= first_ && newest_ - picture < static_cast<std::int64_t>(kPicturesRemembered);
}

std::optional<PictureIds> PictureIdRewriter::rewrite(const SourceIds& source) {
  std::int64_t picture = unwrap(source);
  if (!has_source_) begin_source(picture, source);
  if (picture > newest_) go_on_to(picture);
  if (!is_remembered(picture) || entry_of(picture).is_dropped) return std::nullopt;
  std::int64_t sent = picture + entry_of(picture).offset;
  PictureIds ids;
  ids.picture_id = static_cast<std::uint16_t>(sent & ((std::int64_t{1} << source.picture_id_bits) - 1));
  ids.tl0_index = static_cast<std::uint8_t>(source.tl0_index.value_or(0) + tl0_offset_);
  ids.key_index = static_cast<std::uint8_t>((source.key_index.value_or(0) + key_offset_) & kKeyIndexMask);
  if (!has_sent_ || sent >= last_sent_) {
    last_sent_ = sent;
    last_tl0_ = ids.tl0_index;
    last_key_ = ids.key_index;
    has_sent_ = true;
  }
  return ids;
}

void PictureIdRewriter::drop(const SourceIds& source) {
  if (!has_source_) return;
  std::int64_t picture = unwrap(source);
  if (picture > newest_) {
    go_on_to(picture);
    --offset_;
  } else if (!is_remembered(picture)) {
    return;
  }
  entry_of(picture).is_dropped = true;
}

}  // namespace stoa::payload
