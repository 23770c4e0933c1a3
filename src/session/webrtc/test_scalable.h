// A publisher of spatial and temporal layers in one stream (SVC), as packets of VP9 or AV1 that say by
// themselves what they are of, and the judge of what a receiver has of them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <vector>

#include "media/payload/inspect.h"
#include "media/payload/vp9.h"
#include "proto/rtp/dependency_descriptor.h"
#include "session/webrtc/inbound_frames.h"
#include "session/webrtc/test_fan_out.h"

namespace stoa::webrtc {

// Which layers there are, and how they refer to each other.
struct Scalability {
  std::uint8_t spatial = 3, temporal = 3;
  bool is_key = true;        // Layers refer to lower ones of key pictures alone (k-SVC), or of each picture.
  bool is_flexible = false;  // VP9: each picture says what it refers to.
};

// One layer of one picture.
struct LayerFrame {
  std::uint32_t picture = 0;
  std::uint8_t spatial = 0;
  auto operator<=>(const LayerFrame&) const = default;
};

class ScalableSource {
 public:
  static constexpr std::size_t kBodyBytes = 24;
  static constexpr std::uint16_t kFirstPicture = 32'700, kFirstFrame = 65'400;  // Ids wrap.

  struct Made {
    payload::Packet packet;
    Buffer payload, descriptor;
  };
  struct Facts {
    std::uint8_t temporal = 0;
    std::vector<LayerFrame> references;
  };

  ScalableSource(FanOutWorld& in, StreamId id, payload::Encoding codec, Scalability of)
      : world(in), stream(id), encoding(codec), mode(of), active(of.spatial) {}

  // `with_descriptor`: of VP9, too, as browsers send it when that was agreed upon.
  bool has_descriptors() const { return encoding == payload::Encoding::kAv1 || with_descriptor; }
  std::size_t target_of(std::uint8_t spatial, std::uint8_t temporal) const {
    return std::size_t{spatial} * mode.temporal + temporal;
  }
  // Decode targets are the layers; each spatial layer has a chain.
  rtp::DependencyStructure structure() const {
    rtp::DependencyStructure all;
    all.template_id_offset = offset;
    all.decode_target_count = static_cast<std::uint8_t>(mode.spatial * mode.temporal);
    all.chain_count = mode.spatial;
    for (std::uint8_t s = 0; s < mode.spatial; ++s) {
      for (std::uint8_t t = 0; t < mode.temporal; ++t) {
        all.protected_by[target_of(s, t)] = s;
        rtp::FrameDependencies& entry = all.templates[all.template_count++];
        entry.spatial_id = s;
        entry.temporal_id = t;
        set_indications(entry, false);
      }
    }
    for (std::size_t i = 0; i < mode.spatial; ++i) {
      all.resolutions[i] = {320u << i, 180u << i};
      ++all.resolution_count;
    }
    return all;
  }
  void set_indications(rtp::FrameDependencies& frame, bool begins_layer) const {
    using Indication = rtp::DecodeTargetIndication;
    for (std::uint8_t s = 0; s < mode.spatial; ++s) {
      for (std::uint8_t t = 0; t < mode.temporal; ++t) {
        Indication& what = frame.indications[target_of(s, t)];
        const bool is_needed =
            s == frame.spatial_id || (s > frame.spatial_id && (begins_layer || !mode.is_key));
        if (!is_needed || t < frame.temporal_id) {
          what = Indication::kNotPresent;
        } else if (begins_layer || (s == frame.spatial_id && t > frame.temporal_id)) {
          what = Indication::kSwitch;
        } else if (frame.temporal_id > 0 && t == frame.temporal_id && s == frame.spatial_id) {
          what = Indication::kDiscardable;
        } else {
          what =
              frame.temporal_id == 0 && s == frame.spatial_id ? Indication::kSwitch : Indication::kRequired;
        }
      }
    }
  }

  // The packets of the next picture, which go nowhere yet. Layers from `begins` on refer to lower ones alone.
  std::vector<Made> picture_of(std::size_t pieces, bool is_keyframe, std::uint8_t begins = 0xff) {
    static constexpr std::array<std::uint8_t, 4> kThree{0, 2, 1, 2};
    if (is_keyframe) {
      pattern = 0;
      begins = 0;
      newest = {};
    }
    const std::uint8_t temporal = mode.temporal == 3   ? kThree[pattern % 4]
                                  : mode.temporal == 2 ? static_cast<std::uint8_t>(pattern % 2)
                                                       : std::uint8_t{0};
    if (temporal == 0) ++tl0;
    if (temporal > 0) begins = 0xff;
    sent = 1;
    while (sent < active && (temporal == 0 || newest[sent][0])) ++sent;  // They begin in the lowest.
    std::vector<Made> made;
    for (std::uint8_t s = 0; s < sent; ++s) {
      Facts facts{.temporal = temporal, .references = {}};
      const bool is_new = s >= begins || (s > 0 && !newest[s][0]);
      if (is_new && s > 0) newest[s] = {};
      if (s > 0 && (is_new || !mode.is_key))
        facts.references.push_back({picture, static_cast<std::uint8_t>(s - 1)});
      if (!is_new) {
        // The newest of the lower temporal layers, of its own for the lowest.
        std::optional<std::uint32_t> before;
        for (std::uint8_t t = 0; t < std::max<std::uint8_t>(temporal, 1); ++t)
          if (newest[s][t] && (!before || *newest[s][t] > *before)) before = newest[s][t];
        facts.references.push_back({*before, s});
      }
      write_frame(s, facts, pieces, is_keyframe, is_new, made);
      frames[{picture, s}] = facts;
    }
    for (std::uint8_t s = 0; s < sent; ++s) newest[s][temporal] = picture;
    for (std::uint8_t s = active; s < mode.spatial; ++s) newest[s] = {};
    if (is_keyframe || temporal == 0)
      for (std::uint8_t s = 0; s < sent; ++s)
        for (std::uint8_t t = static_cast<std::uint8_t>(temporal + 1); t < 3; ++t) newest[s][t].reset();
    ++pattern;
    ++picture;
    timestamp += 3000;
    return made;
  }

  void append(const Made& made) {
    writer.add(made.packet, made.payload, {}, made.descriptor);
    std::vector<payload::PacketBatch> batches;
    writer.take_batches(batches);
    for (const payload::PacketBatch& batch : batches) world.fan_out.append(world.now, stream, batch);
  }
  void play(int pictures, bool begins_with_keyframe = false, std::size_t pieces = 2) {
    for (int i = 0; i < pictures; ++i) {
      for (const Made& made : picture_of(pieces, begins_with_keyframe && i == 0)) append(made);
      world.drain();
      world.pass(Duration::from_ticks(3000, 90'000));
    }
  }

  FanOutWorld& world;
  StreamId stream;
  payload::Encoding encoding;
  Scalability mode;
  std::uint8_t active;           // So many spatial layers are sent. At most mode.spatial.
  std::uint8_t sent = 0;         // In the picture that is made.
  bool with_descriptor = false;  // VP9.
  payload::PacketWriter writer;
  InboundFrames inbound;
  std::int64_t sequence = 65'000, timestamp = 1'000'000;
  std::uint32_t picture = 0, pattern = 0, frame_count = 0;
  std::uint8_t tl0 = 250, offset = 60;
  std::array<std::array<std::optional<std::uint32_t>, 3>, 4> newest{};  // By spatial and temporal layer.
  std::array<std::optional<std::uint32_t>, 4> chains{};                 // Frame numbers.
  std::map<LayerFrame, Facts> frames;
  std::map<LayerFrame, std::uint32_t> numbers;

 private:
  void write_frame(std::uint8_t s, const Facts& facts, std::size_t pieces, bool is_keyframe, bool is_new,
                   std::vector<Made>& made) {
    const std::uint32_t number = kFirstFrame + frame_count++;
    numbers[{picture, s}] = number;
    rtp::DependencyDescriptor descriptor;
    const rtp::DependencyStructure known = structure();
    if (has_descriptors()) {
      const std::size_t index = std::size_t{s} * mode.temporal + facts.temporal;
      descriptor.template_id = static_cast<std::uint8_t>((offset + index) % 64);
      descriptor.frame_number = static_cast<std::uint16_t>(number);
      descriptor.frame = known.templates[index];
      set_indications(descriptor.frame, is_new);
      for (const LayerFrame& reference : facts.references)
        descriptor.frame.frame_diffs[descriptor.frame.frame_diff_count++] =
            static_cast<std::uint16_t>(number - numbers.at(reference));
      if (is_keyframe && s == 0) chains = {};
      for (std::uint8_t c = 0; c < mode.spatial; ++c) {
        descriptor.frame.chain_diffs[c] = static_cast<std::uint8_t>(chains[c] ? number - *chains[c] : 0);
        const bool is_of = c == s || (c > s && (is_new || !mode.is_key));
        if (facts.temporal == 0 && is_of) chains[c] = number;
      }
    }
    for (std::size_t i = 0; i < pieces; ++i) {
      Made one;
      one.payload = encoding == payload::Encoding::kVp9 ? vp9(s, facts, i, pieces, is_keyframe, is_new)
                                                        : av1(s, facts, i, pieces, is_keyframe);
      one.packet.sequence = sequence++;
      one.packet.timestamp = timestamp;
      one.packet.marker = i + 1 == pieces && s + 1 == sent;
      const auto said = payload::inspect_payload(encoding, one.payload);
      ASSERT_TRUE(said);
      one.packet.facts = *said;
      if (has_descriptors()) {
        descriptor.is_frame_start = i == 0;
        descriptor.is_frame_end = i + 1 == pieces;
        descriptor.structure.reset();
        descriptor.active_targets.reset();
        if (is_keyframe && s == 0 && i == 0) {
          descriptor.structure = known;
          if (mode.is_key && active < mode.spatial)
            descriptor.active_targets = (1u << target_of(active, 0)) - 1;
        }
        one.descriptor = *rtp::write_dependency_descriptor(descriptor, &known);
        if (encoding != payload::Encoding::kVp9)
          inbound.handle(one.packet.sequence, one.descriptor, one.packet.facts);
      }
      made.push_back(std::move(one));
    }
  }
  void body(std::uint8_t head, std::uint8_t s, const Facts& facts, std::size_t piece, std::size_t pieces,
            payload::PayloadList& list) const {
    list.u8(head);
    for (std::size_t i = 0; i < 4; ++i) list.u8(static_cast<std::uint8_t>(picture >> (8 * i)));
    list.u8(s);
    list.u8(facts.temporal);
    list.u8(static_cast<std::uint8_t>(piece));
    list.u8(static_cast<std::uint8_t>(pieces));
    for (std::size_t i = 9; i < kBodyBytes; ++i) list.u8(static_cast<std::uint8_t>(i));
    list.end_payload();
  }
  Buffer vp9(std::uint8_t s, const Facts& facts, std::size_t piece, std::size_t pieces, bool is_keyframe,
             bool is_new) const {
    payload::Vp9Descriptor descriptor;
    descriptor.picture_id = static_cast<std::uint16_t>((kFirstPicture + picture) & 0x7fff);
    descriptor.is_inter_predicted = !is_new;
    descriptor.is_flexible = mode.is_flexible;
    descriptor.starts_layer_frame = piece == 0;
    descriptor.ends_layer_frame = piece + 1 == pieces;
    descriptor.is_upper_reference = s + 1 < mode.spatial && (is_keyframe || !mode.is_key);
    payload::Vp9Descriptor::Layer layer{.temporal_id = facts.temporal,
                                        .spatial_id = s,
                                        .is_switch_point = true,
                                        .depends_on_lower = s > 0 && (is_new || !mode.is_key)};
    if (!mode.is_flexible) layer.tl0_index = tl0;
    descriptor.layer = layer;
    if (mode.is_flexible && !is_new) {
      descriptor.picture_diffs[0] = static_cast<std::uint8_t>(picture - facts.references.back().picture);
      descriptor.reference_count = 1;
    }
    if (is_keyframe && s == 0 && piece == 0) {
      descriptor.structure.emplace();
      descriptor.structure->spatial_layers = mode.spatial;
    }
    payload::PayloadList list;
    payload::write_vp9_descriptor(descriptor, list);
    body(is_keyframe && s == 0 ? 0x80 : 0x84, s, facts, piece, pieces, list);
    return Buffer(list[0].begin(), list[0].end());
  }
  // One OBU, begun with its header and extension, in as many pieces.
  Buffer av1(std::uint8_t s, const Facts& facts, std::size_t piece, std::size_t pieces,
             bool is_keyframe) const {
    payload::PayloadList list;
    list.u8(static_cast<std::uint8_t>((piece > 0 ? 0x80 : 0) | (piece + 1 < pieces ? 0x40 : 0) | 0x10 |
                                      (is_keyframe && s == 0 && piece == 0 ? 0x08 : 0)));
    if (piece == 0) {
      list.u8(6 << 3 | 0x04);
      list.u8(static_cast<std::uint8_t>(facts.temporal << 5 | s << 3));
    }
    body(0, s, facts, piece, pieces, list);
    return Buffer(list[0].begin(), list[0].end());
  }
};

// What one receiver has by its numbers, repeats included.
class ScalableView {
 public:
  struct Piece {
    LayerFrame frame;
    std::uint8_t temporal = 0, piece = 0, pieces = 0;
    bool is_filler = false, marker = false;
    std::uint32_t timestamp = 0;
    Buffer descriptor;
  };

  explicit ScalableView(Peer& of) : peer(of) {}

  void take() {
    for (auto& got = peer.of(kVideoSsrc); seen_ < got.size(); ++seen_) {
      const Piece piece = parse(got[seen_], got[seen_].payload);
      ASSERT_TRUE(pieces.emplace(got[seen_].sequence, piece).second) << "a number twice";
    }
    for (auto& got = peer.of(kRtxSsrc); seen_again_ < got.size(); ++seen_again_) {
      const Bytes payload = got[seen_again_].payload;
      ASSERT_GE(payload.size(), 2u);
      const std::int64_t sequence = repeated_number(payload, pieces.rbegin()->first);
      const Piece piece = parse(got[seen_again_], payload.subspan(2));
      const auto [at, is_new] = pieces.emplace(sequence, piece);
      ++again;
      if (is_new) continue;
      ASSERT_EQ(at->second.frame, piece.frame) << "not what went under this number";
      ASSERT_EQ(at->second.piece, piece.piece);
      ASSERT_EQ(at->second.is_filler, piece.is_filler);
      ASSERT_EQ(at->second.marker, piece.marker) << piece.frame.picture;
      ASSERT_EQ(at->second.descriptor, piece.descriptor) << piece.frame.picture;
    }
  }
  std::vector<std::uint16_t> missing(std::size_t most = 50) const { return missing_numbers(pieces, most); }
  // Layer frames each whole and in order, with all that they refer to; one marker for each picture, at its
  // end; no number left out.
  void check(const ScalableSource& source) {
    take();
    ASSERT_TRUE(missing().empty());
    std::set<LayerFrame> whole;
    const Piece* before = nullptr;
    for (const auto& [sequence, piece] : pieces) {
      if (piece.is_filler) continue;
      const bool is_same_frame = before && before->frame == piece.frame;
      const bool is_same_picture = before && before->frame.picture == piece.frame.picture;
      if (before) {
        ASSERT_EQ(before->marker, !is_same_picture) << before->frame.picture << '/' << before->frame.spatial;
        ASSERT_EQ(piece.timestamp == before->timestamp, is_same_picture) << piece.frame.picture;
      }
      if (is_same_frame) {
        ASSERT_EQ(piece.piece, before->piece + 1) << piece.frame.picture;
      } else {
        if (before) {
          ASSERT_EQ(before->piece + 1, before->pieces) << before->frame.picture << " is not whole";
          ASSERT_GT(piece.frame, before->frame);
        }
        ASSERT_EQ(piece.piece, 0) << piece.frame.picture;
        for (const LayerFrame& reference : source.frames.at(piece.frame).references)
          ASSERT_TRUE(whole.contains(reference))
              << piece.frame.picture << '/' << int{piece.frame.spatial} << " without " << reference.picture
              << '/' << int{reference.spatial};
      }
      if (piece.piece + 1 == piece.pieces) whole.insert(piece.frame);
      before = &piece;
    }
  }
  // What the descriptors say of it: frames refer to such that came, those of the targets that are active go
  // on without a break in their chain, and no frame came that is above all of these. Requires: check().
  void check_targets() const {
    std::optional<rtp::DependencyStructure> structure;
    std::uint32_t active = 0;
    std::set<std::uint16_t> numbers;
    for (const auto& [sequence, piece] : pieces) {
      if (piece.is_filler) continue;
      const auto parsed =
          rtp::parse_dependency_descriptor(piece.descriptor, structure ? &*structure : nullptr);
      ASSERT_TRUE(parsed) << piece.frame.picture;
      if (parsed->structure) {
        structure = parsed->structure;
        numbers.clear();
      }
      if (parsed->active_targets) active = *parsed->active_targets;
      ASSERT_EQ(parsed->is_frame_start, piece.piece == 0);
      if (!parsed->is_frame_start) continue;
      const auto has_come = [&](std::size_t back) {
        return numbers.contains(static_cast<std::uint16_t>(parsed->frame_number - back));
      };
      for (std::size_t i = 0; i < parsed->frame.frame_diff_count; ++i)
        ASSERT_TRUE(has_come(parsed->frame.frame_diffs[i])) << piece.frame.picture;
      std::uint8_t highest = 0;
      for (std::size_t target = 0; target < structure->decode_target_count; ++target) {
        if (active >> target & 1) highest = std::max(highest, structure->layer_of_target(target).spatial_id);
        const auto what = parsed->frame.indications[target];
        if (!(active >> target & 1) || what == rtp::DecodeTargetIndication::kNotPresent) continue;
        const std::uint8_t back = parsed->frame.chain_diffs[structure->protected_by[target]];
        ASSERT_TRUE(what == rtp::DecodeTargetIndication::kSwitch || back == 0 || has_come(back))
            << piece.frame.picture << '/' << int{piece.frame.spatial} << " of target " << target;
      }
      ASSERT_LE(parsed->frame.spatial_id, highest) << piece.frame.picture;
      numbers.insert(parsed->frame_number);
    }
  }
  // The targets that the packet says are active, if it says so. Null: nothing.
  static std::optional<std::uint32_t> active_of(const Piece& piece, const rtp::DependencyStructure& known) {
    const auto parsed = rtp::parse_dependency_descriptor(piece.descriptor, &known);
    return parsed ? parsed->active_targets : std::nullopt;
  }
  // Of the pictures from this one on: how many came, and of these how many with each spatial layer.
  struct Counts {
    std::size_t pictures = 0;
    std::array<std::size_t, 4> with{};
    bool operator==(const Counts&) const = default;
  };
  Counts counts_since(std::uint32_t picture) {
    take();
    std::set<LayerFrame> frames;
    std::set<std::uint32_t> pictures;
    for (const auto& [sequence, piece] : pieces) {
      if (piece.is_filler || piece.frame.picture < picture) continue;
      frames.insert(piece.frame);
      pictures.insert(piece.frame.picture);
    }
    Counts counts{.pictures = pictures.size()};
    for (const LayerFrame& frame : frames) ++counts.with[frame.spatial];
    return counts;
  }
  std::size_t fillers() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(pieces, [](const auto& entry) { return entry.second.is_filler; }));
  }

  Peer& peer;
  std::map<std::int64_t, Piece> pieces;
  std::size_t again = 0;

 private:
  static constexpr std::uint8_t kDescriptorId = 5;

  Piece parse(const Got& got, Bytes payload) const {
    Piece piece;
    piece.timestamp = got.timestamp;
    piece.marker = got.marker;
    if (payload.empty()) {
      piece.is_filler = true;
      return piece;
    }
    if (const auto descriptor = FanOutWorld::element_of(got, kDescriptorId)) piece.descriptor = *descriptor;
    const Bytes body = payload.subspan(payload.size() - ScalableSource::kBodyBytes);
    for (std::size_t i = 0; i < 4; ++i)
      piece.frame.picture |= static_cast<std::uint32_t>(body[1 + i]) << (8 * i);
    piece.frame.spatial = body[5];
    piece.temporal = body[6];
    piece.piece = body[7];
    piece.pieces = body[8];
    return piece;
  }

  std::size_t seen_ = 0, seen_again_ = 0;
};

}  // namespace stoa::webrtc
