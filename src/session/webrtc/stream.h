// One published track as a shard's receivers see it: the packets kept for those who join, ask again or fall
// behind, once for all of them.
//
// Packets of a layer are found by sequence number (retransmission) and walked in the order of their arrival
// (forwarding): a receiver is a position in that order, which costs it eight bytes instead of a queue.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "media/payload/packet.h"
#include "session/webrtc/decode_targets.h"
#include "session/webrtc/level.h"

namespace stoa::webrtc {

struct HistoryLimits {
  std::size_t packets = 4096;    // Of one layer; a power of two.
  std::size_t bytes = 8u << 20;  // Of payloads of one layer.
  Duration age = Duration::seconds(4);
};
// Of a source that cannot be asked for a keyframe: the newest keyframe and what follows it stays as long as
// all of it is within these, so that a receiver can begin at any time. A larger group is not kept.
inline constexpr HistoryLimits kGroupLimits{
    .packets = 16'384, .bytes = 16u << 20, .age = Duration::seconds(30)};

// Where in the order of arrival: grows by one with every packet of the layer, also over clear().
using Position = std::int64_t;

// The fields at the front of a VP8 or VP9 payload that a receiver's own ids go into, found once for all
// receivers. Offsets are 0 where a field is not there.
struct PictureFields {
  std::uint8_t descriptor_bytes = 0;  // 0: nothing that can be rewritten.
  std::uint8_t picture_id_bits = 15;
  std::uint8_t picture_id_at = 0, tl0_index_at = 0, key_index_at = 0;
  std::uint8_t tl0_index = 0, key_index = 0;
  std::uint16_t picture_id = 0;
};

// How much that a level leaves out came before a packet, in the order of sequence numbers; without it numbers
// close up, for all receivers of that level alike. What was missing when the numbers behind it were given
// away counts as kept: its number stays free for it.
struct Above {
  static constexpr std::uint8_t kNone = 0xff;

  std::array<std::uint32_t, Level::kCount> packets{};     // By Level::index(). Wrap …
  std::array<std::uint16_t, kTemporalLevels> pictures{};  // … too. VP8 only: its ids must go on without gaps.
  // The spatial levels that the packet itself is sent to, a bit for each, and the highest layer that flows.
  std::uint8_t sizes = 0xff, top = 0;
  bool is_cut =
      false;  // Who had a higher one was not sent what those below refer to (History::has_cut_off()).
  // The lowest spatial layer of which something was left out for higher levels since the newest keyframe.
  std::uint8_t cut_from = kNone;
  // Positions back to the packet with the highest number when it came; 0: it was that itself.
  std::uint16_t late_by = 0;

  bool is_late() const { return late_by != 0; }
};

class History {
 public:
  // Sequence numbers that may be missing at a time; the oldest are given up beyond that.
  static constexpr std::size_t kHolesMax = 128;
  // So many packets in a row from before everything that is kept: the source counts anew, and so do we.
  static constexpr int kRestartPackets = 32;
  static constexpr std::size_t kPictureDescriptorBytesMax = 64;
  // Packets of an access unit before the first that says that it is a keyframe's: delimiters, SEI.
  static constexpr std::int64_t kLeadingPacketsMax = 32;

  // `encoding` tells where picture ids are, and how sure the first packet of a frame is.
  // `group`: see kGroupLimits; without, also what follows the newest keyframe goes by `limits`.
  explicit History(const HistoryLimits& limits, payload::Encoding encoding = payload::Encoding::kH264,
                   const std::optional<HistoryLimits>& group = {});

  // The packets of `batch` that are of layer `layer`. Duplicates are dropped. A packet without payload
  // (padding to probe with) is left out and the numbers behind it close up; when they are past that already
  // it is kept, and is an Entry with an empty payload.
  void append(Timestamp now, const payload::PacketBatch& batch, payload::LayerIndex layer);
  // The newest keyframe and all that followed it, which came before, in place of what is kept. Positions go
  // on, and numbers mean what they did unless the epoch changes. Its frames are not counted: how many come in
  // a second is told by those that come now.
  void restore(Timestamp now, std::span<const payload::PacketBatch> group, payload::LayerIndex layer);
  // Lets go of what is too old. Done by append() as well.
  void trim(Timestamp now);
  // Nothing before belongs to what follows (the source changed): empties it. Positions go on.
  void clear();

  Position begin() const { return begin_; }
  Position end() const { return end_; }  // Behind the newest.
  struct Entry {
    const payload::Packet* packet = nullptr;
    Bytes payload, descriptor;
    Timestamp arrived;
    std::int64_t sequence = 0;   // packet->sequence less the padding packets before it.
    std::int64_t timestamp = 0;  // packet->timestamp on a line without breaks (payload::UnbrokenClock).
    PictureFields picture;
  };
  // Requires: begin() <= at < end().
  Entry entry(Position at) const;
  // The packet with this sequence number (as Entry has it), if it is kept.
  std::optional<Entry> find(std::int64_t sequence) const;
  // Where the newest keyframe begins whose packets are all kept and whose followers have no hole. From there
  // on, what has a lower number than the keyframe's first packet is of the past.
  std::optional<Position> keyframe() const;
  // Of that keyframe. Requires: keyframe().
  std::int64_t keyframe_sequence() const { return keyframe_->sequence; }
  // Of payloads, from there to the end. Requires: keyframe().
  std::uint64_t keyframe_bytes() const { return appended_bytes_ - keyframe_->bytes_before; }
  std::size_t held_bytes() const { return held_bytes_; }
  // Of payloads that came, ever.
  std::uint64_t appended_bytes() const { return appended_bytes_; }

  // For whoever walks it at speed.
  struct Slot {
    const payload::Packet* packet = nullptr;
    const payload::PacketBlock* block = nullptr;
    std::int64_t sequence = 0, timestamp = 0;
    Timestamp arrived;
  };
  const Slot& slot(Position at) const { return slots_[index_of(at)]; }
  PictureFields picture(Position at) const {
    return pictures_.empty() ? PictureFields{} : pictures_[index_of(at)];
  }
  std::optional<Position> find_position(std::int64_t sequence) const;
  // Of the first that is kept from this number on. end(): none.
  Position position_from(std::int64_t sequence) const;
  // Changes with clear(): numbers of before mean nothing any longer.
  std::uint32_t epoch() const { return epoch_; }
  std::int64_t newest_sequence() const { return newest_; }
  std::int64_t newest_timestamp() const { return newest_timestamp_; }
  // Added to the source's timestamps. Changes where its clock was set.
  std::int64_t timestamp_shift() const { return clock_.shift(); }
  // How many came, ever; those of groups apart.
  std::uint64_t frames() const { return frames_; }
  // The same by temporal layer.
  const std::array<std::uint64_t, kTemporalLevels + 1>& layer_frames() const { return layer_frames_; }
  // Bytes of payloads that came, ever, for each spatial level, by temporal layer. Sums over the latter are
  // what a level costs.
  using LevelBytes = std::array<std::array<std::uint64_t, kTemporalLevels + 1>, kSpatialLevels + 1>;
  const LevelBytes& level_bytes() const { return level_bytes_; }
  // How many spatial layers flow: those that had no packet in the last kLayerPause and in as many pictures as
  // kLayerPausePictures do not.
  std::uint8_t spatial_layers(Timestamp now) const;
  static constexpr Duration kLayerPause = Duration::milliseconds(500);
  static constexpr std::uint64_t kLayerPausePictures = 4;
  // Zeros for a stream without layers.
  const Above& above(Position at) const { return aboves_.empty() ? kNothing : aboves_[index_of(at)]; }
  // Whether this packet is not sent to who is sent this level.
  bool is_left_out(Position at, Level level) const {
    return (above(at).sizes >> level.spatial_index() & 1) == 0 ||
           slot(at).packet->facts.temporal_layer > level.temporal;
  }
  // Of the packets that this level has, and those that came late: the one whose number less what was above
  // the level since `since` is `number`.
  std::optional<Position> find_in_level(Level level, std::uint32_t since, std::int64_t number) const;
  // The level from this packet on, for who was sent `level` up to here and is to come to `wanted`.
  Level next_level(Position at, Level level, Level wanted) const;
  // Whether who is sent `level` cannot come to `wanted` but by a keyframe: there are spatial layers between
  // that let nobody in elsewhere, or did not lately; or it was not sent all that the lower layer refers to,
  // as of layers that refer to lower ones in keyframes alone (`_KEY` modes).
  bool needs_keyframe(Timestamp now, Level level, Level wanted) const;
  static constexpr Duration kSwitchPointWait = Duration::seconds(1);
  // Whether the layer of who is sent this level ended, and those below it cannot take its place: nothing is
  // sent to it before the next keyframe.
  bool is_cut_off(Level level) const { return cut_top_ > top_ && level.spatial > top_; }
  bool has_cut_off() const { return cut_top_ > top_; }
  // The packet behind this one, if it is here and of the same picture.
  std::optional<Position> next_in_picture(Position at) const;
  const DecodeTargets& targets() const { return targets_; }
  bool has_descriptors() const { return !pictures_.empty(); }
  bool counts_pictures() const { return encoding_ == payload::Encoding::kVp8; }

 private:
  struct Known {
    std::int64_t sequence;
    Position position;
  };
  struct Hole {
    std::int64_t begin, end;
    Above above;
  };
  struct Keyframe {
    std::int64_t sequence;
    Position position;
    std::uint64_t bytes_before;  // As appended_bytes_ counts.
  };
  struct Held {
    std::shared_ptr<const payload::PacketBlock> block;
    Position end = 0;
  };

  std::size_t index_of(std::int64_t number) const {
    return static_cast<std::size_t>(number) & (slots_.size() - 1);
  }
  void append_packet(Timestamp now, const payload::PacketBatch& batch, const payload::Packet& packet);
  bool is_refused(std::int64_t sequence);
  const Hole* find_hole(std::int64_t sequence) const;
  void fill_hole(std::int64_t sequence);
  std::optional<Above> above_before(std::int64_t sequence) const;
  void note_level(Position at, const Above& before);
  void note_top(Position at);
  std::uint8_t sizes_of(Position at, bool is_late) const;
  void note_lateness(Position end);
  void note_spatial(Position at);
  TemporalLevel next_temporal(const payload::PayloadFacts& facts, TemporalLevel level,
                              TemporalLevel wanted) const;
  void note_hole(std::int64_t from, std::int64_t to);
  void give_up_hole();
  std::int64_t close_up(std::int64_t raw) const;
  void note_padding(std::int64_t raw);
  std::int64_t padding(std::int64_t at) const {
    return paddings_[static_cast<std::size_t>(at) % static_cast<std::size_t>(kPaddingsKept)];
  }
  bool is_before_paddings(std::int64_t raw) const {
    return padding_count_ > kPaddingsKept && raw < padding(padding_count_ - kPaddingsKept);
  }
  void note_keyframe(std::int64_t sequence);
  void note_late(std::int64_t sequence);
  std::optional<std::int64_t> find_keyframe_start(std::int64_t sequence) const;
  const Slot* find_slot(std::int64_t sequence) const;
  void read_picture(Position at, Bytes payload);
  void hold(const std::shared_ptr<const payload::PacketBlock>& block);
  void drop_first();
  bool is_over_limits(Timestamp now) const;
  void grow();

  // A broken layer is as much padding as it had packets, and repairs may take a second.
  static constexpr std::int64_t kPaddingsKept = 1024;
  static constexpr Above kNothing{};

  HistoryLimits limits_;
  std::optional<HistoryLimits> group_;
  std::size_t packets_max_;
  payload::Encoding encoding_;
  std::vector<Slot> slots_;  // Rings, by position …
  std::vector<PictureFields> pictures_;
  std::vector<Above> aboves_;  // Empty before the first packet of a higher layer.
  std::vector<Known> known_;   // … and by sequence number.
  std::vector<Held> held_;     // A ring: the blocks that slots point into.
  std::size_t held_first_ = 0, held_count_ = 0;
  Position begin_ = 0, end_ = 0;
  std::size_t held_bytes_ = 0;
  std::uint64_t appended_bytes_ = 0;  // Ever.
  std::uint32_t epoch_ = 0;
  bool is_new_ = true;  // Nothing came since clear().
  int refused_in_a_row_ = 0;
  std::int64_t oldest_ = 0, newest_ = 0;  // Sequence numbers.
  std::int64_t newest_timestamp_ = 0;
  std::uint64_t frames_ = 0;
  std::array<std::uint64_t, kTemporalLevels + 1> layer_frames_{};
  Above above_;                     // Of what comes behind the newest.
  Position newest_at_ = 0;          // Of the highest sequence number.
  std::uint8_t highest_layer_ = 0;  // Temporal, since clear().
  std::uint8_t highest_spatial_ = 0;
  // The highest spatial layer that flows, and the one before it ended without a keyframe. 0: none did.
  std::uint8_t top_ = 0, cut_top_ = 0;
  // Of each spatial layer.
  struct SpatialLayer {
    bool has_come = false;
    Timestamp came_at;         // The newest packet,
    std::uint64_t frames = 0;  // and frames() then.
    // The newest switch point that was no keyframe's.
    std::optional<Timestamp> began_at;
  };
  std::array<SpatialLayer, kSpatialLevels + 1> spatial_{};
  std::int64_t keyframe_timestamp_ = std::numeric_limits<std::int64_t>::min();  // Of the newest that came.
  LevelBytes level_bytes_{};
  std::int32_t newest_picture_ = -1;
  payload::UnbrokenClock clock_;
  std::vector<Hole> holes_;  // In order.
  // Raw numbers of those that were closed up, a ring of kPaddingsKept in order. Empty before the first.
  std::vector<std::int64_t> paddings_;
  std::int64_t padding_count_ = 0;
  std::optional<Keyframe> keyframe_;
  DecodeTargets targets_;
};

}  // namespace stoa::webrtc
