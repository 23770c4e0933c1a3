#include "session/webrtc/stream.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "media/payload/vp8.h"
#include "media/payload/vp9.h"

namespace stoa::webrtc {
namespace {

constexpr std::size_t kSlotsAtFirst = 64, kBlocksAtFirst = 8;
constexpr std::int64_t kNoSequence = std::numeric_limits<std::int64_t>::min();

template <typename Parsed>
PictureFields fields_of(const Parsed& parsed) {
  PictureFields fields;
  if (!parsed.descriptor.picture_id || parsed.descriptor_bytes > History::kPictureDescriptorBytesMax)
    return fields;
  const payload::SourceIds ids = parsed.source_ids();
  fields.descriptor_bytes = static_cast<std::uint8_t>(parsed.descriptor_bytes);
  fields.picture_id_bits = ids.picture_id_bits;
  fields.picture_id = ids.picture_id;
  fields.picture_id_at = parsed.picture_id_at;
  fields.tl0_index_at = parsed.tl0_index_at;
  fields.tl0_index = ids.tl0_index.value_or(0);
  fields.key_index = ids.key_index.value_or(0);
  if constexpr (requires { parsed.key_index_at; }) fields.key_index_at = parsed.key_index_at;
  return fields;
}

std::uint8_t temporal_layer_of(const payload::Packet& packet) {
  return std::min<std::uint8_t>(packet.facts.temporal_layer, kTemporalLevels);
}

std::uint8_t spatial_layer_of(const payload::Packet& packet) {
  return std::min<std::uint8_t>(packet.facts.spatial_layer, kSpatialLevels);
}

std::uint16_t lateness(Position at, Position newest) {
  return static_cast<std::uint16_t>(
      std::min<Position>(at - newest, std::numeric_limits<std::uint16_t>::max()));
}

}  // namespace

History::History(const HistoryLimits& limits, payload::Encoding encoding,
                 const std::optional<HistoryLimits>& group)
    : limits_(limits),
      group_(group),
      packets_max_(group ? std::max(limits.packets, group->packets) : limits.packets),
      encoding_(encoding),
      clock_(payload::clock_rate_of(encoding)) {
  STOA_ASSERT(std::has_single_bit(packets_max_));
  const std::size_t count = std::min(packets_max_, kSlotsAtFirst);
  slots_.resize(count);
  known_.assign(count, {kNoSequence, -1});
  if (encoding == payload::Encoding::kVp8 || encoding == payload::Encoding::kVp9) pictures_.resize(count);
  held_.resize(kBlocksAtFirst);
}

void History::append(Timestamp now, const payload::PacketBatch& batch, payload::LayerIndex layer) {
  for (std::size_t i = 0; i < batch.count; ++i)
    if (batch[i].layer == layer) append_packet(now, batch, batch[i]);
  trim(now);
}

void History::restore(Timestamp now, std::span<const payload::PacketBatch> group, payload::LayerIndex layer) {
  const std::uint32_t epoch = epoch_;
  const std::int64_t shift = timestamp_shift();
  const std::uint64_t frames = frames_;
  const auto layer_frames = layer_frames_;
  clear();
  for (const payload::PacketBatch& batch : group) append(now, batch, layer);
  frames_ = frames;
  layer_frames_ = layer_frames;
  // What was left out before is not known any more, and numbers with it.
  if (timestamp_shift() == shift && aboves_.empty()) epoch_ = epoch;
}

void History::clear() {
  while (begin_ < end_) drop_first();
  std::ranges::fill(known_, Known{kNoSequence, -1});
  holes_.clear();
  keyframe_.reset();
  padding_count_ = 0;
  clock_.clear();
  above_ = {};
  highest_layer_ = highest_spatial_ = top_ = cut_top_ = 0;
  spatial_ = {};
  targets_.clear();
  keyframe_timestamp_ = std::numeric_limits<std::int64_t>::min();
  newest_picture_ = -1;
  is_new_ = true;
  refused_in_a_row_ = 0;
  ++epoch_;
}

History::Entry History::entry(Position at) const {
  STOA_DCHECK(begin_ <= at && at < end_);
  const Slot& kept = slot(at);
  return {.packet = kept.packet,
          .payload = kept.block->payload(*kept.packet),
          .descriptor = kept.block->descriptor(*kept.packet),
          .arrived = kept.arrived,
          .sequence = kept.sequence,
          .timestamp = kept.timestamp,
          .picture = picture(at)};
}

std::optional<Position> History::find_position(std::int64_t sequence) const {
  const Known& known = known_[index_of(sequence)];
  if (known.sequence != sequence || known.position < begin_) return std::nullopt;
  return known.position;
}

Position History::position_from(std::int64_t sequence) const {
  if (begin_ == end_) return end_;
  const std::int64_t first = newest_ - static_cast<std::int64_t>(slots_.size()) + 1;
  for (std::int64_t each = std::max(sequence, first); each <= newest_; ++each)
    if (const auto position = find_position(each)) return *position;
  return end_;
}

std::optional<History::Entry> History::find(std::int64_t sequence) const {
  const auto position = find_position(sequence);
  if (!position) return std::nullopt;
  return entry(*position);
}

std::optional<Position> History::keyframe() const {
  if (!keyframe_ || !find_position(keyframe_->sequence)) return std::nullopt;
  if (!holes_.empty() && holes_.back().begin > keyframe_->sequence) return std::nullopt;
  return keyframe_->position;
}

// True: a duplicate, or from before all that is kept.
bool History::is_refused(std::int64_t sequence) {
  const Known& known = known_[index_of(sequence)];
  if (known.sequence == sequence) return true;
  const auto window = static_cast<std::int64_t>(slots_.size());
  if (!is_new_ && (known.sequence > sequence || sequence <= newest_ - window)) {
    if (++refused_in_a_row_ < kRestartPackets) return true;
    clear();
    return false;
  }
  refused_in_a_row_ = 0;
  return false;
}

void History::append_packet(Timestamp now, const payload::PacketBatch& batch, const payload::Packet& packet) {
  std::int64_t sequence = close_up(packet.sequence);
  if (packet.payload_bytes == 0 && (is_new_ || sequence > newest_)) {
    if (!is_new_ && sequence > newest_ + 1) {
      note_hole(newest_ + 1, sequence);
      newest_ = sequence - 1;
    }
    note_padding(packet.sequence);
    return;
  }
  if (is_refused(sequence)) return;
  if (!is_new_ && is_before_paddings(packet.sequence)) return;  // Nobody knows its number any more.
  if (is_new_) sequence = close_up(packet.sequence);
  const std::optional<Above> before = above_before(sequence);
  if (!before) return;
  // What is missing has a place among the numbers, too.
  const auto span = [&] { return sequence - slot(begin_).sequence; };
  while (begin_ < end_ && span() >= static_cast<std::int64_t>(slots_.size()) && slots_.size() < packets_max_)
    grow();
  if (static_cast<std::size_t>(end_ - begin_) == slots_.size()) {
    if (slots_.size() < packets_max_) {
      grow();
    } else {
      drop_first();
    }
  }
  const std::int64_t timestamp = clock_.place(now, packet.timestamp, is_new_ || sequence > newest_);
  const Position at = end_++;
  slots_[index_of(at)] = {&packet, batch.block.get(), sequence, timestamp, now};
  known_[index_of(sequence)] = {sequence, at};
  held_bytes_ += packet.kept_bytes();
  appended_bytes_ += packet.kept_bytes();
  hold(batch.block);
  if (!pictures_.empty()) read_picture(at, batch.block->payload(packet));
  if (is_new_) {
    is_new_ = false;
    oldest_ = newest_ = sequence;
    newest_timestamp_ = timestamp;
    ++frames_;
    ++layer_frames_[temporal_layer_of(packet)];
  } else if (sequence > newest_) {
    if (sequence > newest_ + 1) note_hole(newest_ + 1, sequence);
    newest_ = sequence;
    if (timestamp > newest_timestamp_) {
      ++frames_;
      ++layer_frames_[temporal_layer_of(packet)];
    }
    newest_timestamp_ = std::max(newest_timestamp_, timestamp);
  } else {
    fill_hole(sequence);
  }
  if (packet.descriptor_bytes != 0) targets_.handle(sequence, batch.block->descriptor(packet));
  note_spatial(at);
  note_level(at, *before);
  note_keyframe(sequence);
  if (sequence < newest_) note_late(sequence);
}

// The number without the padding before it.
std::int64_t History::close_up(std::int64_t raw) const {
  std::int64_t before = padding_count_;
  if (before == 0 || padding(before - 1) < raw) return raw - before;
  for (std::int64_t low = std::max<std::int64_t>(before - kPaddingsKept, 0); low < before;) {
    const std::int64_t middle = low + (before - low) / 2;
    if (padding(middle) < raw) {
      low = middle + 1;
    } else {
      before = middle;
    }
  }
  return raw - before;
}

void History::note_padding(std::int64_t raw) {
  if (padding_count_ > 0 && padding(padding_count_ - 1) >= raw) return;
  paddings_.resize(static_cast<std::size_t>(kPaddingsKept));
  paddings_[static_cast<std::size_t>(padding_count_++) % paddings_.size()] = raw;
}

// The oldest. What it may have been of is not begun with any longer.
void History::give_up_hole() {
  if (keyframe_ && holes_.front().begin > keyframe_->sequence) keyframe_.reset();
  holes_.erase(holes_.begin());
}

void History::note_hole(std::int64_t from, std::int64_t to) {
  if (holes_.size() == kHolesMax) give_up_hole();
  holes_.push_back({from, to, above_});
}

const History::Hole* History::find_hole(std::int64_t sequence) const {
  for (auto hole = holes_.rbegin(); hole != holes_.rend() && sequence < hole->end; ++hole)
    if (sequence >= hole->begin) return &*hole;
  return nullptr;
}

void History::fill_hole(std::int64_t sequence) {
  const Hole* found = find_hole(sequence);
  if (found == nullptr) return;
  const auto hole = holes_.begin() + (found - holes_.data());
  const Hole rest{sequence + 1, hole->end, hole->above};
  if (sequence == hole->begin) {
    if (++hole->begin == hole->end) holes_.erase(hole);
    return;
  }
  hole->end = sequence;
  if (rest.begin < rest.end) holes_.insert(hole + 1, rest);
  if (holes_.size() > kHolesMax) give_up_hole();
}

// Nothing: which number it would have is not known any more.
std::optional<Above> History::above_before(std::int64_t sequence) const {
  if (is_new_ || sequence > newest_) return above_;
  Above above;
  if (const Hole* hole = find_hole(sequence)) {
    above = hole->above;
  } else if (!aboves_.empty() && sequence > oldest_) {
    return std::nullopt;
  }
  above.late_by = 1;
  return above;
}

// Of what is kept before `end`. What its first packets came behind may be gone: they count as in order.
void History::note_lateness(Position end) {
  Position newest = begin_;
  for (Position at = begin_; at < end; ++at) {
    if (slot(at).sequence >= slot(newest).sequence) {
      newest = at;
    } else {
      aboves_[index_of(at)].late_by = lateness(at, newest);
    }
  }
}

void History::note_level(Position at, const Above& before) {
  const payload::Packet& packet = *slot(at).packet;
  const std::uint8_t layer = temporal_layer_of(packet), spatial = spatial_layer_of(packet);
  if (aboves_.empty()) {
    if (!before.is_late()) newest_at_ = at;
    if (layer == 0 && spatial == 0) {
      for (auto& by_rate : level_bytes_) by_rate[0] += packet.kept_bytes();
      return;
    }
    aboves_.resize(slots_.size());
    note_lateness(at);
  }
  Above& its = aboves_[index_of(at)] = before;
  if (!before.is_late()) note_top(at);
  its.sizes = sizes_of(at, before.is_late());
  its.top = top_;
  its.is_cut = has_cut_off();
  for (std::size_t size = 0; size < level_bytes_.size(); ++size)
    if (its.sizes >> size & 1) level_bytes_[size][layer] += packet.kept_bytes();
  if (before.is_late()) {
    its.late_by = lateness(at, newest_at_);
    return;
  }
  newest_at_ = at;
  if (!packet.facts.is_needed_above && spatial < top_) above_.cut_from = std::min(above_.cut_from, spatial);
  highest_layer_ = std::max(highest_layer_, layer);
  highest_spatial_ = std::max(highest_spatial_, spatial);
  const PictureFields picture = this->picture(at);
  const bool is_new_picture =
      counts_pictures() && picture.descriptor_bytes != 0 && picture.picture_id != newest_picture_;
  if (is_new_picture) newest_picture_ = picture.picture_id;
  for (SpatialLevel s = 0; s <= kSpatialLevels; ++s)
    for (TemporalLevel t = 0; t <= kTemporalLevels; ++t)
      if ((its.sizes >> s & 1) == 0 || t < layer) ++above_.packets[Level{s, t}.index()];
  if (!is_new_picture) return;
  for (std::size_t level = 0; level < layer; ++level) ++above_.pictures[level];
}

// Of a keyframe all layers begin anew: which there are, its picture tells. A layer that ends later is missed
// for a few pictures before it counts as gone.
void History::note_top(Position at) {
  const std::uint8_t layer = spatial_layer_of(*slot(at).packet);
  if (layer == 0 && slot(at).packet->facts.is_keyframe) {
    top_ = cut_top_ = 0;
    above_.cut_from = Above::kNone;
  }
  if (layer > top_) top_ = layer;
  const auto has_ended = [&](std::uint8_t of) {
    return frames_ - spatial_[of].frames >= kLayerPausePictures;
  };
  if (!has_ended(top_)) return;
  const std::uint8_t before = top_;
  while (top_ > layer && has_ended(top_)) --top_;
  // Who had it was not sent all of the layers below.
  if (above_.cut_from <= top_) cut_top_ = std::max(cut_top_, before);
}

std::uint8_t History::sizes_of(Position at, bool is_late) const {
  const std::uint8_t layer = spatial_layer_of(*slot(at).packet);
  const bool is_needed_above = slot(at).packet->facts.is_needed_above;
  const std::uint8_t top = is_late ? std::max(top_, layer) : top_;
  std::uint8_t sizes = 0;
  for (std::uint8_t size = 0; size <= kSpatialLevels; ++size) {
    const std::uint8_t own = std::min(size, top);
    if (is_cut_off({.spatial = size}) || layer > own || (layer < own && !is_needed_above)) continue;
    sizes |= static_cast<std::uint8_t>(1u << size);
  }
  return sizes;
}

void History::note_spatial(Position at) {
  const Slot& came = slot(at);
  const payload::PayloadFacts& facts = came.packet->facts;
  const std::uint8_t layer = spatial_layer_of(*came.packet);
  SpatialLayer& its = spatial_[layer];
  its.has_come = true;
  its.came_at = came.arrived;
  its.frames = frames_;
  if (facts.is_keyframe) keyframe_timestamp_ = came.timestamp;
  if (facts.is_spatial_switch_point && came.timestamp != keyframe_timestamp_) its.began_at = came.arrived;
}

std::uint8_t History::spatial_layers(Timestamp now) const {
  std::uint8_t count = 1;
  for (std::uint8_t layer = 1; layer < spatial_.size(); ++layer) {
    const SpatialLayer& its = spatial_[layer];
    if (its.has_come && (now - its.came_at < kLayerPause || frames_ - its.frames < kLayerPausePictures))
      count = static_cast<std::uint8_t>(layer + 1);
  }
  return count;
}

// Numbers grow with sequence numbers, and these with positions but for what came late, which is looked for by
// what came before it.
std::optional<Position> History::find_in_level(Level level, std::uint32_t since, std::int64_t number) const {
  if (aboves_.empty()) return find_position(number);
  const std::size_t index = level.index();
  const auto left_out = [&](Position at) {
    return static_cast<std::int32_t>(above(at).packets[index] - since);
  };
  const auto number_of = [&](Position at) { return slot(at).sequence - left_out(at); };
  std::optional<Position> last;  // In order, that has this number or a lower one.
  for (Position low = begin_, high = end_; low < high;) {
    const Position middle = low + (high - low) / 2, newest = middle - above(middle).late_by;
    if (newest >= begin_ && number_of(newest) > number) {
      high = newest;
      continue;
    }
    if (newest >= begin_) last = newest;
    low = middle + 1;
  }
  if (!last) return std::nullopt;
  if (number_of(*last) == number && !is_left_out(*last, level)) return last;
  const auto late = find_position(number + left_out(*last) + (is_left_out(*last, level) ? 1 : 0));
  return late && above(*late).is_late() && number_of(*late) == number ? late : std::nullopt;
}

// Down at any picture, but to a spatial layer of which something was left out: there with the next keyframe,
// and till then with fewer frames of the higher one. Up to spatial layers at a keyframe, which begins all of
// them, and with a frame that refers to the layer below alone; no more than one at a time, since the next has
// the same choice.
Level History::next_level(Position at, Level level, Level wanted) const {
  const payload::PayloadFacts& facts = slot(at).packet->facts;
  const Slot* before = find_slot(slot(at).sequence - 1);
  // Where what is before it is missing, that may be of the same picture.
  if (!before || above(at).is_late()) return level;
  if (before->timestamp == slot(at).timestamp) {
    if (facts.is_spatial_switch_point && wanted.spatial > level.spatial &&
        facts.spatial_layer == level.spatial + 1)
      level.spatial = facts.spatial_layer < kSpatialLevels ? facts.spatial_layer : wanted.spatial;
    return level;
  }
  const Above& its = above(at);
  const bool can_fall =
      facts.is_keyframe || its.cut_from > wanted.spatial || (its.top <= wanted.spatial && !its.is_cut);
  const bool has_to_wait = wanted.spatial < level.spatial && !can_fall;
  level.temporal = next_temporal(facts, level.temporal, has_to_wait ? TemporalLevel{0} : wanted.temporal);
  if (wanted.spatial < level.spatial ? can_fall : facts.is_keyframe || highest_spatial_ <= level.spatial)
    level.spatial = wanted.spatial;
  return level;
}

bool History::needs_keyframe(Timestamp now, Level level, Level wanted) const {
  if (is_cut_off(level)) return true;
  if (wanted.spatial < level.spatial) return above_.cut_from <= wanted.spatial && wanted.spatial < top_;
  if (wanted.spatial == level.spatial || spatial_layers(now) <= level.spatial + 1) return false;
  const std::optional<Timestamp>& began_at = spatial_[level.spatial + 1u].began_at;
  return !began_at || now - *began_at > kSwitchPointWait;
}

std::optional<Position> History::next_in_picture(Position at) const {
  const auto next = find_position(slot(at).sequence + 1);
  return next && slot(*next).timestamp == slot(at).timestamp ? next : std::nullopt;
}

// Who has all layers below a frame's own may begin with it where it is a switch point: VP8 marks those that
// refer to the lowest layer alone (RFC 7741 §4.2, Y), with the dependency descriptor it is those that refer
// to lower ones alone. VP9 marks a picture behind which no higher layer refers to what was before it (RFC
// 9628 §4.2, U); encoders mark those of a higher layer alike which refer to lower ones alone, some no others.
TemporalLevel History::next_temporal(const payload::PayloadFacts& facts, TemporalLevel level,
                                     TemporalLevel wanted) const {
  if (wanted <= level || facts.is_keyframe || highest_layer_ <= level) return wanted;
  if (!facts.is_switch_point) return level;
  if (encoding_ == payload::Encoding::kVp9 && facts.temporal_layer <= level) return wanted;
  if (facts.temporal_layer != level + 1) return level;
  return facts.temporal_layer < kTemporalLevels ? facts.temporal_layer : wanted;
}

const History::Slot* History::find_slot(std::int64_t sequence) const {
  const auto position = find_position(sequence);
  return position ? &slot(*position) : nullptr;
}

// Of the keyframe that this packet is of.
std::optional<std::int64_t> History::find_keyframe_start(std::int64_t sequence) const {
  const Slot* start = find_slot(sequence);
  if (start == nullptr || !start->packet->facts.is_keyframe) return std::nullopt;
  const bool is_nal = encoding_ == payload::Encoding::kH264 || encoding_ == payload::Encoding::kHevc;
  const Slot* before = find_slot(sequence - 1);
  const auto is_same = [&] { return before != nullptr && before->timestamp == start->timestamp; };
  // Those after the first need no look: it is the first that says what frame it is …
  if (is_same() && (!is_nal || before->packet->facts.is_keyframe)) return std::nullopt;
  // … but for units that may be in front of any picture.
  for (std::int64_t walked = 0; is_same() && walked < kLeadingPacketsMax; ++walked) {
    start = before;
    before = find_slot(start->sequence - 1);
  }
  if (is_same()) return std::nullopt;
  if (before != nullptr) return start->sequence;
  if (!start->packet->facts.starts_frame) return std::nullopt;
  // Parameter sets may be what is missing before a slice; what came and was let go of is long over.
  const std::int64_t previous = start->sequence - 1;
  const bool is_sure =
      !is_nal || start->sequence == oldest_ || known_[index_of(previous)].sequence == previous;
  return is_sure ? std::optional(start->sequence) : std::nullopt;
}

void History::note_keyframe(std::int64_t sequence) {
  const auto start = find_keyframe_start(sequence);
  if (!start || (keyframe_ && *start <= keyframe_->sequence)) return;
  // Packets behind it may have come before it.
  Position first = *find_position(*start);
  for (std::int64_t each = *start + 1; each <= newest_; ++each)
    if (const auto position = find_position(each)) first = std::min(first, *position);
  std::uint64_t bytes_before = appended_bytes_;
  for (Position at = first; at < end_; ++at) bytes_before -= slot(at).packet->kept_bytes();
  keyframe_ = {*start, first, bytes_before};
}

// What came late may have shown where a keyframe began.
void History::note_late(std::int64_t sequence) {
  const Slot* next = find_slot(sequence + 1);
  for (std::int64_t walked = 0; next != nullptr && walked < kLeadingPacketsMax; ++walked) {
    if (next->packet->facts.is_keyframe) return note_keyframe(next->sequence);
    const Slot* following = find_slot(next->sequence + 1);
    next = following && following->timestamp == next->timestamp ? following : nullptr;
  }
}

void History::read_picture(Position at, Bytes payload) {
  PictureFields fields;
  if (encoding_ == payload::Encoding::kVp8) {
    if (const auto parsed = payload::parse_vp8(payload)) fields = fields_of(*parsed);
  } else if (const auto parsed = payload::parse_vp9(payload)) {
    fields = fields_of(*parsed);
  }
  pictures_[index_of(at)] = fields;
}

void History::hold(const std::shared_ptr<const payload::PacketBlock>& block) {
  const std::size_t mask = held_.size() - 1;
  if (held_count_ > 0) {
    Held& last = held_[(held_first_ + held_count_ - 1) & mask];
    if (last.block == block) {
      last.end = end_;
      return;
    }
  }
  if (held_count_ == held_.size()) {
    std::vector<Held> larger(held_.size() * 2);
    for (std::size_t i = 0; i < held_count_; ++i) larger[i] = std::move(held_[(held_first_ + i) & mask]);
    held_ = std::move(larger);
    held_first_ = 0;
  }
  held_[(held_first_ + held_count_++) & (held_.size() - 1)] = {block, end_};
}

void History::drop_first() {
  Slot& first = slots_[index_of(begin_)];
  held_bytes_ -= first.packet->kept_bytes();
  first.packet = nullptr;
  first.block = nullptr;
  ++begin_;
  while (held_count_ > 0 && held_[held_first_].end <= begin_) {
    held_[held_first_].block.reset();
    held_first_ = (held_first_ + 1) & (held_.size() - 1);
    --held_count_;
  }
}

bool History::is_over_limits(Timestamp now) const {
  const bool is_group = group_ && keyframe_ && begin_ >= keyframe_->position && keyframe();
  const HistoryLimits& limits = is_group ? *group_ : limits_;
  return held_bytes_ > limits.bytes || now - slot(begin_).arrived > limits.age ||
         static_cast<std::size_t>(end_ - begin_) > limits.packets;
}

void History::trim(Timestamp now) {
  while (begin_ < end_ && is_over_limits(now)) drop_first();
}

void History::grow() {
  const std::size_t mask = slots_.size() - 1;
  std::vector<Slot> slots(slots_.size() * 2);
  std::vector<PictureFields> pictures(pictures_.empty() ? 0 : slots.size());
  std::vector<Above> aboves(aboves_.empty() ? 0 : slots.size());
  std::vector<Known> known(slots.size(), {kNoSequence, -1});
  for (Position at = begin_; at < end_; ++at) {
    const std::size_t from = static_cast<std::size_t>(at) & mask,
                      to = static_cast<std::size_t>(at) & (slots.size() - 1);
    slots[to] = slots_[from];
    if (!pictures.empty()) pictures[to] = pictures_[from];
    if (!aboves.empty()) aboves[to] = aboves_[from];
  }
  for (const Known& each : known_) {
    if (each.sequence == kNoSequence) continue;
    Known& to = known[static_cast<std::size_t>(each.sequence) & (slots.size() - 1)];
    if (to.sequence < each.sequence) to = each;
  }
  slots_ = std::move(slots);
  pictures_ = std::move(pictures);
  aboves_ = std::move(aboves);
  known_ = std::move(known);
}

}  // namespace stoa::webrtc
