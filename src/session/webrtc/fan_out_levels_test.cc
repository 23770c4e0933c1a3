// Receivers who want fewer frames get fewer temporal layers, and notice nothing else.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "media/payload/vp8.h"
#include "media/payload/vp9.h"
#include "session/webrtc/fan_out.h"
#include "session/webrtc/test_fan_out.h"

namespace stoa::webrtc {
namespace {

constexpr Duration kFrame = Duration::from_ticks(3000, 90'000);
constexpr bwe::PacerConfig kUnpaced{
    .bits_per_second = 1'000'000'000, .burst_bytes_min = 10'000'000, .burst_bytes_max = 10'000'000};
constexpr std::uint16_t kFirstPicture = 32'700;  // Ids wrap.

// Three temporal layers as Chromium sends them: 0 2 1 2, the second and the third of eight without a look at
// what their own layer had before.
struct Source {
  static constexpr std::array<std::uint8_t, 8> kLayers{0, 2, 1, 2, 0, 2, 1, 2};

  struct Made {
    payload::Packet packet;
    Buffer payload;
  };

  Source(FanOutWorld& in, StreamId id, payload::Encoding codec = payload::Encoding::kVp8,
         payload::LayerIndex of = 0)
      : world(in), stream(id), encoding(codec), layer(of) {}

  // A body says which picture it is of, and which piece.
  static Buffer body(std::uint32_t picture, std::size_t piece, std::size_t pieces,
                     payload::LayerIndex layer) {
    Buffer body(40, 0);
    body[0] = 1;  // Not a keyframe of VP8.
    for (std::size_t i = 0; i < 4; ++i) body[1 + i] = static_cast<std::uint8_t>(picture >> (8 * i));
    body[5] = static_cast<std::uint8_t>(piece);
    body[6] = static_cast<std::uint8_t>(pieces);
    body[7] = layer;
    return body;
  }
  void begin_pattern() {
    pattern = 0;
    key_pictures.insert(picture);
  }
  // The next picture's packets, which go nowhere yet.
  std::vector<Made> picture_of(std::size_t pieces, bool is_keyframe) {
    if (is_keyframe) begin_pattern();
    const std::uint8_t temporal = kLayers[pattern % 8];
    const bool is_sync = pattern % 8 == 1 || pattern % 8 == 2;
    if (temporal == 0) ++tl0;
    std::vector<Made> made;
    for (std::size_t i = 0; i < pieces; ++i) {
      payload::PayloadList list;
      write_descriptor(temporal, is_sync, is_keyframe, i == 0, i + 1 == pieces, list);
      list.bytes(body(picture, i, pieces, layer));
      list.end_payload();
      payload::Packet packet;
      packet.sequence = sequence++;
      packet.timestamp = timestamp;
      packet.layer = layer;
      packet.marker = i + 1 == pieces;
      packet.facts = {.starts_frame = i == 0,
                      .is_keyframe = is_keyframe && i == 0,
                      .is_switch_point = is_sync || (encoding == payload::Encoding::kVp9 && vp9_marks_all),
                      .temporal_layer = temporal};
      made.push_back({packet, Buffer(list[0].begin(), list[0].end())});
    }
    phase[picture] = pattern;
    ++pattern;
    ++picture;
    timestamp += 3000;
    return made;
  }
  void write_descriptor(std::uint8_t temporal, bool is_sync, bool is_keyframe, bool is_first, bool is_last,
                        payload::PayloadList& list) const {
    const auto id = static_cast<std::uint16_t>((kFirstPicture + picture) & 0x7fff);
    if (encoding == payload::Encoding::kVp8) {
      payload::Vp8Descriptor descriptor{.starts_partition = is_first};
      descriptor.picture_id = id;
      descriptor.tl0_index = tl0;
      descriptor.temporal_id = temporal;
      descriptor.is_layer_sync = is_sync;
      payload::write_vp8_descriptor(descriptor, list);
    } else {
      payload::Vp9Descriptor descriptor;
      descriptor.picture_id = id;
      descriptor.is_inter_predicted = !is_keyframe;
      descriptor.starts_layer_frame = is_first;
      descriptor.ends_layer_frame = is_last;
      descriptor.layer = payload::Vp9Descriptor::Layer{
          .temporal_id = temporal, .is_switch_point = is_sync || vp9_marks_all, .tl0_index = tl0};
      payload::write_vp9_descriptor(descriptor, list);
    }
  }
  void append(const Made& made) {
    writer.add(made.packet, made.payload);
    std::vector<payload::PacketBatch> batches;
    writer.take_batches(batches);
    for (const payload::PacketBatch& batch : batches) world.fan_out.append(world.now, stream, batch);
  }
  void play(int pictures, bool begins_with_keyframe = false, std::size_t pieces = 3) {
    for (int i = 0; i < pictures; ++i) {
      for (const Made& made : picture_of(pieces, begins_with_keyframe && i == 0)) append(made);
      world.drain();
      world.pass(kFrame);
    }
  }
  std::vector<std::uint32_t> references(std::uint32_t of) const {
    static constexpr std::array<std::array<std::uint32_t, 2>, 8> kBack{
        {{4, 4}, {1, 1}, {2, 2}, {3, 1}, {4, 4}, {1, 3}, {2, 4}, {3, 1}}};
    if (key_pictures.contains(of)) return {};
    const auto& back = kBack[phase.at(of) % 8];
    return {of - back[0], of - back[1]};
  }

  FanOutWorld& world;
  StreamId stream;
  payload::Encoding encoding;
  payload::LayerIndex layer;
  payload::PacketWriter writer;
  std::int64_t sequence = 65'000, timestamp = 1'000'000;
  std::uint32_t picture = 0, pattern = 0;
  std::uint8_t tl0 = 250;
  bool vp9_marks_all = false;
  std::set<std::uint32_t> key_pictures;
  std::map<std::uint32_t, std::uint32_t> phase;
};

// What a receiver has by its numbers, repeats included.
struct Piece {
  std::uint32_t picture = 0;
  std::uint8_t piece = 0, pieces = 0, layer = 0;
  bool is_filler = false;
  std::uint16_t id = 0;
  std::uint8_t tl0 = 0;
  std::uint32_t timestamp = 0;
};

Piece parse(Bytes payload, payload::Encoding encoding) {
  Piece piece;
  Bytes body;
  if (payload.empty()) {
    piece.is_filler = true;
    return piece;
  }
  if (encoding == payload::Encoding::kVp8) {
    const auto parsed = payload::parse_vp8(payload);
    body = parsed->body;
    piece.id = *parsed->descriptor.picture_id;
    piece.tl0 = *parsed->descriptor.tl0_index;
  } else {
    const auto parsed = payload::parse_vp9(payload);
    body = parsed->body;
    piece.id = *parsed->descriptor.picture_id;
    piece.tl0 = *parsed->descriptor.layer->tl0_index;
  }
  for (std::size_t i = 0; i < 4; ++i) piece.picture |= static_cast<std::uint32_t>(body[1 + i]) << (8 * i);
  piece.piece = body[5];
  piece.pieces = body[6];
  piece.layer = body[7];
  return piece;
}

struct View {
  View(Peer& of, payload::Encoding codec) : peer(of), encoding(codec) {}

  void take() {
    for (auto& got = peer.of(kVideoSsrc); seen < got.size(); ++seen) {
      Piece piece = parse(got[seen].payload, encoding);
      piece.timestamp = got[seen].timestamp;
      ASSERT_TRUE(pieces.emplace(got[seen].sequence, piece).second) << "a number twice";
    }
    for (auto& got = peer.of(kRtxSsrc); seen_again < got.size(); ++seen_again) {
      const Bytes payload = got[seen_again].payload;
      ASSERT_GE(payload.size(), 2u);
      const std::int64_t sequence = repeated_number(payload, pieces.rbegin()->first);
      const Piece piece = parse(payload.subspan(2), encoding);
      const auto [at, is_new] = pieces.emplace(sequence, piece);
      again[sequence] = piece;
      if (is_new) continue;
      ASSERT_EQ(at->second.picture, piece.picture) << "not what went under this number";
      ASSERT_EQ(at->second.piece, piece.piece);
      ASSERT_EQ(at->second.id, piece.id);
      ASSERT_EQ(at->second.is_filler, piece.is_filler);
    }
  }
  std::vector<std::uint16_t> missing(std::size_t most = 50) const { return missing_numbers(pieces, most); }
  // Pictures from the one on, each whole, in order, with all that it refers to; ids without a gap.
  // `gaps_max`: but for so many.
  void check(const Source& source, std::uint32_t gaps_max = 0) {
    take();
    ASSERT_TRUE(missing().empty());
    std::set<std::uint32_t> whole;
    const Piece* before = nullptr;
    std::uint32_t gaps = 0;
    for (const auto& [sequence, piece] : pieces) {
      if (piece.is_filler) continue;
      if (before && before->picture == piece.picture) {
        ASSERT_EQ(piece.piece, before->piece + 1) << piece.picture;
        ASSERT_EQ(piece.id, before->id);
      } else {
        if (before) {
          ASSERT_EQ(before->piece + 1, before->pieces) << before->picture << " is not whole";
          ASSERT_GT(piece.picture, before->picture);
          if (encoding == payload::Encoding::kVp8) {
            ASSERT_NE(piece.id, before->id);
            gaps += ((piece.id - before->id) & 0x7fff) - 1u;
          } else {
            ASSERT_EQ((piece.id - before->id) & 0x7fff, static_cast<int>(piece.picture - before->picture));
          }
        }
        ASSERT_EQ(piece.piece, 0) << piece.picture;
        for (const std::uint32_t reference : source.references(piece.picture))
          ASSERT_TRUE(whole.contains(reference)) << piece.picture << " without " << reference;
      }
      if (piece.piece + 1 == piece.pieces) whole.insert(piece.picture);
      before = &piece;
    }
    EXPECT_LE(gaps, gaps_max);
  }
  std::size_t pictures_since(std::uint32_t picture) {
    take();
    std::set<std::uint32_t> seen_pictures;
    for (const auto& [sequence, piece] : pieces)
      if (!piece.is_filler && piece.picture >= picture) seen_pictures.insert(piece.picture);
    return seen_pictures.size();
  }
  std::size_t fillers() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(pieces, [](const auto& entry) { return entry.second.is_filler; }));
  }

  Peer& peer;
  payload::Encoding encoding;
  std::map<std::int64_t, Piece> pieces, again;
  std::size_t seen = 0, seen_again = 0;
};

struct Stage {
  explicit Stage(payload::Encoding codec = payload::Encoding::kVp8, std::uint8_t layers = 1)
      : encoding(codec), stream(world.add_stream(codec, layers)), source(world, stream, codec) {}

  View& add_view() {
    Peer& peer = world.add_peer({FanOutWorld::video(encoding)}, kUnpaced);
    world.set_source(peer, stream);
    return views.emplace_back(peer, encoding);
  }
  void want(View& view, std::uint32_t frames) { world.fan_out.set_frames_wanted(view.peer.id, 0, frames); }

  FanOutWorld world{{.retransmission_age_max = Duration::seconds(10)}};
  payload::Encoding encoding;
  StreamId stream;
  Source source;
  std::deque<View> views;
};

TEST(FanOutLevels, send_three_receivers_three_rates_without_a_hole) {
  for (const payload::Encoding encoding : {payload::Encoding::kVp8, payload::Encoding::kVp9}) {
    Stage stage(encoding);
    View &all = stage.add_view(), &half = stage.add_view(), &quarter = stage.add_view();
    stage.want(half, 15);
    stage.want(quarter, 8);
    stage.source.play(120, true);
    const std::uint32_t from = stage.source.picture;
    stage.source.play(240);
    EXPECT_EQ(all.pictures_since(from), 240u);
    EXPECT_EQ(half.pictures_since(from), 120u);
    EXPECT_EQ(quarter.pictures_since(from), 60u);
    for (View& view : stage.views) view.check(stage.source);
    EXPECT_EQ(stage.world.fan_out.totals().refused, 0u);
    // One who comes now has what it wants from the start.
    View& late = stage.add_view();
    stage.want(late, 8);
    stage.source.play(1, true);
    stage.source.play(79);
    EXPECT_EQ(late.pictures_since(0), 20u);
    late.check(stage.source);
  }
}

TEST(FanOutLevels, go_down_at_once_and_up_where_a_layer_begins) {
  for (const payload::Encoding encoding : {payload::Encoding::kVp8, payload::Encoding::kVp9}) {
    for (int phase = 0; phase < 16; ++phase) {
      Stage stage(encoding);
      View& view = stage.add_view();
      stage.source.play(120 + phase, true);
      std::uint32_t from = stage.source.picture;
      stage.want(view, 8);
      stage.source.play(8);
      EXPECT_EQ(view.pictures_since(from), 2u) << "of the lowest layer alone";
      stage.source.play(8);
      from = stage.source.picture;
      stage.want(view, 15);
      stage.source.play(16);
      EXPECT_GE(view.pictures_since(from), 6u);
      stage.want(view, 0);
      stage.source.play(16);
      from = stage.source.picture;
      stage.source.play(16);
      EXPECT_EQ(view.pictures_since(from), 16u) << "two rounds later it has all";
      stage.want(view, 8);
      stage.source.play(6);
      stage.want(view, 0);
      stage.source.play(32);
      view.check(stage.source);
    }
  }
}

TEST(FanOutLevels, take_all_of_vp9_where_no_picture_looks_back) {
  Stage stage(payload::Encoding::kVp9);
  stage.source.vp9_marks_all = true;
  View& view = stage.add_view();
  stage.want(view, 8);
  stage.source.play(160, true);
  const std::uint32_t from = stage.source.picture;
  stage.want(view, 0);
  stage.source.play(8);
  EXPECT_EQ(view.pictures_since(from), 8u);
}

TEST(FanOutLevels, answer_nacks_with_what_went_under_the_number) {
  for (const payload::Encoding encoding : {payload::Encoding::kVp8, payload::Encoding::kVp9}) {
    Stage stage(encoding);
    View& view = stage.add_view();
    stage.want(view, 8);
    stage.source.play(120, true);
    stage.want(view, 15);
    stage.source.play(20);
    stage.want(view, 8);
    stage.source.play(20);
    view.take();
    // Of all three stretches.
    std::vector<std::uint16_t> numbers;
    const std::int64_t newest = view.pieces.rbegin()->first;
    for (std::int64_t i = newest - 59; i <= newest; ++i) numbers.push_back(static_cast<std::uint16_t>(i));
    stage.world.nack(view.peer, numbers);
    stage.world.drain();
    view.take();
    EXPECT_EQ(view.again.size(), 60u);
    EXPECT_EQ(stage.world.fan_out.stats(view.peer.id, 0).nacked_unknown, 0u);
    view.check(stage.source);
  }
}

// Nobody knew what it was when the numbers behind it went out.
TEST(FanOutLevels, fill_the_number_of_a_late_packet_above_the_level) {
  Stage stage;
  View &quarter = stage.add_view(), &all = stage.add_view();
  stage.want(quarter, 8);
  stage.source.play(121, true);  // The next is of layer 2.
  const std::vector<Source::Made> late = stage.source.picture_of(2, false);
  stage.source.play(4);
  quarter.take();
  EXPECT_EQ(quarter.missing().size(), 2u);
  for (const Source::Made& made : late) stage.source.append(made);
  stage.world.drain();
  quarter.take();
  EXPECT_TRUE(quarter.missing().empty());
  EXPECT_EQ(quarter.fillers(), 2u);
  EXPECT_EQ(all.fillers(), 0u);
  stage.source.play(20);
  quarter.check(stage.source, 1);
  all.check(stage.source);
  // Asked for again it is the same.
  std::int64_t number = 0;
  for (const auto& [sequence, piece] : quarter.pieces)
    if (piece.is_filler) number = sequence;
  stage.world.nack(quarter.peer, {static_cast<std::uint16_t>(number)});
  stage.world.drain();
  quarter.take();
  ASSERT_EQ(quarter.again.size(), 1u);
  EXPECT_TRUE(quarter.again.begin()->second.is_filler);
}

TEST(FanOutLevels, give_a_late_packet_its_number_across_a_change) {
  for (const std::uint32_t wanted : {8u, 15u}) {
    Stage stage;
    View& view = stage.add_view();
    stage.want(view, wanted);
    stage.source.play(120, true);
    const std::vector<Source::Made> made = stage.source.picture_of(3, false);  // Of layer 0.
    stage.source.append(made[0]);
    stage.source.append(made[2]);
    stage.world.drain();
    stage.want(view, wanted == 8 ? 0 : 8);
    stage.source.play(24);
    view.take();
    EXPECT_EQ(view.missing().size(), 1u);
    stage.source.append(made[1]);
    stage.world.drain();
    view.take();
    EXPECT_TRUE(view.missing().empty()) << "without being asked for";
    view.check(stage.source);
  }
}

TEST(FanOutLevels, go_along_with_a_change_of_the_simulcast_layer) {
  Stage stage(payload::Encoding::kVp8, 2);
  Source high(stage.world, stage.stream, payload::Encoding::kVp8, 1);
  high.sequence = 9'000;
  high.tl0 = 17;
  View& view = stage.add_view();
  stage.want(view, 8);
  bool has_both = true;
  const auto play = [&](int pictures, int keyframe_every) {
    for (int i = 0; i < pictures; ++i) {
      const bool is_keyframe = i % keyframe_every == 0;
      for (const auto& made : stage.source.picture_of(1, is_keyframe)) stage.source.append(made);
      if (has_both)
        for (const auto& made : high.picture_of(3, is_keyframe)) high.append(made);
      stage.world.drain();
      stage.world.pass(kFrame);
    }
    view.take();
  };
  play(120, 40);
  for (int round = 0; round < 4; ++round) {
    const payload::LayerIndex layer = round % 2 == 0 ? 0 : 1;
    stage.world.fan_out.set_layer_max(stage.world.now, view.peer.id, 0, layer, stage.world.out);
    const std::size_t before = view.pieces.size();
    play(80, 40);
    EXPECT_EQ(view.pieces.rbegin()->second.layer, layer);
    EXPECT_LE(view.pieces.size() - before, 20u * 3);
  }
  ASSERT_TRUE(view.missing().empty());
  const Piece* before = nullptr;
  for (const auto& [sequence, piece] : view.pieces) {
    if (before && (piece.layer != before->layer || piece.picture != before->picture)) {
      ASSERT_EQ(piece.id, (before->id + 1) & 0x7fff) << sequence;
      ASSERT_GT(static_cast<std::int32_t>(piece.timestamp - before->timestamp), 0);
    }
    before = &piece;
  }
}

TEST(FanOutLevels, follow_the_rate_of_the_source) {
  Stage stage;
  View& view = stage.add_view();
  stage.want(view, 8);
  stage.source.play(160, true);
  std::uint32_t from = stage.source.picture;
  stage.source.play(40);
  EXPECT_EQ(view.pictures_since(from), 10u);
  // A third of the frames a second: now it takes all of them.
  for (int i = 0; i < 100; ++i) {
    stage.source.timestamp += 6000;
    stage.world.pass(kFrame * 2);
    if (i == 60) from = stage.source.picture;
    stage.source.play(1);
  }
  EXPECT_EQ(view.pictures_since(from), 40u);
  view.check(stage.source);
}

TEST(FanOutLevels, change_nothing_of_a_stream_with_one_temporal_layer) {
  FanOutWorld world;
  const StreamId stream = world.add_stream();
  Peer& peer = world.add_peer({FanOutWorld::video()}, kUnpaced);
  world.set_source(peer, stream);
  world.fan_out.set_frames_wanted(peer.id, 0, 5);
  world.fan_out.set_frames_wanted(peer.id, 9, 5);
  for (int i = 0; i < 120; ++i) {
    world.frame(stream, {.is_keyframe = i == 0});
    world.drain();
    world.pass(kFrame);
  }
  EXPECT_EQ(peer.of(kVideoSsrc).size(), 600u);
  FanOutWorld::expect_no_holes(peer.of(kVideoSsrc));
}

// Packets are late, in another order, and lost for good now and then; wishes change; receivers ask again.
TEST(FanOutLevels, hold_whatever_happens) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    Stage stage(seed % 3 == 0 ? payload::Encoding::kVp9 : payload::Encoding::kVp8);
    stage.source.vp9_marks_all = false;
    for (int i = 0; i < 4; ++i) stage.add_view();
    std::multimap<Timestamp, Source::Made> delayed;
    const bool loses = seed % 2 == 0;
    std::int64_t lost = 0;
    for (int i = 0; i < 600; ++i) {
      const bool is_keyframe = i == 0 || rng.chance(0.005);
      const auto made = stage.source.picture_of(1 + rng.below(4), is_keyframe);
      for (const Source::Made& one : made) {
        const bool can_be_hurt = i > 5 && i < 580;
        if (can_be_hurt && loses && rng.chance(0.003)) {
          ++lost;
        } else if (can_be_hurt && rng.chance(0.04)) {
          delayed.emplace(stage.world.now + kFrame * static_cast<std::int64_t>(rng.below(12)), one);
        } else {
          stage.source.append(one);
        }
      }
      while (!delayed.empty() && delayed.begin()->first <= stage.world.now) {
        stage.source.append(delayed.begin()->second);
        delayed.erase(delayed.begin());
      }
      if (rng.chance(0.9)) stage.world.drain();
      stage.world.pass(kFrame);
      for (std::size_t v = 1; v < stage.views.size(); ++v)
        if (rng.chance(0.03))
          stage.want(stage.views[v], std::array<std::uint32_t, 4>{0, 8, 15, 30}[rng.below(4)]);
      if (i % 5 == 0)
        for (View& view : stage.views) {
          view.take();
          auto numbers = view.missing(30);
          if (numbers.empty()) continue;
          stage.world.nack(view.peer, numbers);
          stage.world.drain();
        }
    }
    for (View& view : stage.views) {
      view.take();
      const auto unanswered = static_cast<std::int64_t>(view.missing(10'000).size());
      if (loses) {
        EXPECT_LE(unanswered, lost);
      } else {
        view.check(stage.source, static_cast<std::uint32_t>(view.fillers()));
      }
    }
    if (testing::Test::HasFatalFailure() || testing::Test::HasNonfatalFailure()) return;
    EXPECT_EQ(stage.world.fan_out.totals().refused, 0u);
    EXPECT_TRUE(stage.world.refusals.empty());
    EXPECT_EQ(stage.views[0].fillers(), 0u);
  }
}

}  // namespace
}  // namespace stoa::webrtc
