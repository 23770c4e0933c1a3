#include "session/webrtc/outlet.h"

#include <algorithm>

namespace stoa::webrtc {
namespace {

std::uint16_t frame_number_of(const History::Entry& entry) {
  if (entry.descriptor.size() < 3) return 0;
  return static_cast<std::uint16_t>(entry.descriptor[1] << 8 | entry.descriptor[2]);
}

}  // namespace

void Run::set_level(const History& history, Position at, Level to) {
  level = to;
  packets_above = history.above(at).packets[to.index()];
  if (to.temporal == kFullRate) return;
  pictures_above = history.above(at).pictures[to.temporal];
  rewrites_pictures |= history.counts_pictures();
}

void Outlet::push(const Run& begun) {
  if (run_count == kRuns) {
    std::ranges::copy(runs.begin() + 1, runs.end(), runs.begin());
    --run_count;
  }
  runs[run_count++] = begun;
}

void Outlet::begin_level(Position at, Level to) {
  const History& history = feed->history;
  Run begun = run();
  begun.first_out = begun.out_of(history, at);
  begun.first_source = history.slot(at).sequence;
  begun.picture_offset = begun.picture_shift(history, at);
  begun.set_level(history, at, to);
  begun.goes_on = true;
  push(begun);
}

bool Outlet::goes_on_behind(const Run& of, const History& history, Position at) const {
  const std::size_t next = static_cast<std::size_t>(&of - runs.data()) + 1;
  return next < run_count && runs[next].goes_on && runs[next].first_source == history.slot(at).sequence + 1;
}

const Run* Outlet::find_earlier(std::int64_t sequence) const {
  for (std::size_t i = run_count - 1u; i > 0 && runs[i].goes_on;)
    if (runs[--i].first_source <= sequence) return &runs[i];
  return nullptr;
}

void Outlet::begin_run(Position at, std::int64_t sequence, Duration elapsed) {
  const History& history = feed->history;
  Run begun;
  begun.stream = feed->stream;
  begun.layer = feed->index;
  begun.epoch = history.epoch();
  // A frame that stays half sent must not look whole with what follows: a number is left out.
  begun.first_out = next_out + (is_video && has_sent && !ends_frame ? 1 : 0);
  begun.entered_out = begun.first_out;
  begun.first_source = sequence;
  std::int64_t first_timestamp = history.newest_timestamp();
  begun.edge = first_timestamp;
  if (const auto first_at = history.find_position(sequence)) {
    const History::Entry first = history.entry(*first_at);
    begun.set_level(history, *first_at, level);
    first_timestamp = first.timestamp;
    if (!is_video) begun.edge = first_timestamp;
    const PictureFields& picture = first.picture;
    if (has_sent) {
      begun.picture_offset = static_cast<std::uint16_t>(last_picture + 1 - picture.picture_id);
      begun.tl0_offset = static_cast<std::uint8_t>(last_tl0 + 1 - picture.tl0_index);
      begun.key_offset = static_cast<std::uint8_t>(last_key + 1 - picture.key_index);
      begun.frame_offset = static_cast<std::uint16_t>(last_frame + 1 - frame_number_of(first));
      begun.rewrites_pictures |= picture.descriptor_bytes != 0;
    }
  }
  const std::int64_t rate = feed->clock_rate;
  // A frame later at the least, a tick of a thousandth of a second.
  const std::int64_t live = last_timestamp + std::max(rate / 1'000, elapsed.to_ticks(rate));
  begun.timestamp_offset = live - begun.edge;
  if (has_sent) {
    const std::int64_t begins = begun.timestamp_of(first_timestamp);
    begun.excess = std::max<std::int64_t>(0, last_timestamp + rate / 1'000 - begins);
  }
  push(begun);
  cursor = at;
}

void Outlet::note_picture(const PictureFields& fields, const Run& of, std::uint16_t picture_shift) {
  last_picture = static_cast<std::uint16_t>(fields.picture_id + picture_shift);
  last_tl0 = static_cast<std::uint8_t>(fields.tl0_index + of.tl0_offset);
  last_key = static_cast<std::uint8_t>((fields.key_index + of.key_offset) & 0x1f);
}

}  // namespace stoa::webrtc
