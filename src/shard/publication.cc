#include "shard/publication.h"

#include <algorithm>
#include <utility>

#include "media/payload/first_format.h"

namespace stoa::shard {
namespace {

// What both kinds are worth when viewers get them whole.
constexpr int kWhole = 4;

// Batches that follow on each other in a block become one.
void add_part(media::TrackId track, payload::PacketBatch batch, std::vector<relay::GroupSent::Part>& parts) {
  if (!parts.empty() && parts.back().track == track) {
    payload::PacketBatch& last = parts.back().batch;
    if (last.block == batch.block && last.first + last.count == batch.first) {
      last.count = static_cast<std::uint16_t>(last.count + batch.count);
      return;
    }
  }
  parts.push_back({track, std::move(batch)});
}

}  // namespace

Publication::Source& Publication::source_of(live::SourceId id) {
  auto [found, is_new] = sources_.try_emplace(id.value);
  if (is_new)
    found->second.packetizer =
        std::make_unique<live::FramePacketizer>(live::PacketFeedConfig(), Rng(rng_.next()));
  return found->second;
}

Publication::Source* Publication::on_air() {
  if (!on_air_) return nullptr;
  auto found = sources_.find(on_air_->value);
  return found == sources_.end() ? nullptr : &found->second;
}

void Publication::handle_event(Timestamp now, WallTime wall, live::SourceId id,
                               const media::TrackEvent& event, PublicationOutputs& out) {
  Source& source = source_of(id);
  if (!source.packetizer) return;  // Its packets came by themselves.
  source.packetizer->handle_event(now, wall, event, feed_outputs_);
  handle_feed_outputs(now, id, source, out);
}

void Publication::handle_feed_outputs(Timestamp now, live::SourceId id, Source& source,
                                      PublicationOutputs& out) {
  for (auto& output : feed_outputs_.take()) {
    std::visit(
        Overloaded{
            [&](live::PacketTrackChanged& changed) {
              auto found = source.tracks.find(changed.track.id);
              bool is_new_kind =
                  found != source.tracks.end() && (found->second.track.encoding != changed.track.encoding ||
                                                   found->second.codec != changed.codec);
              if (is_new_kind)  // The clock of what was before says nothing of this.
                std::erase_if(source.clocks,
                              [&](const auto& entry) { return entry.first.first == changed.track.id; });
              source.tracks[changed.track.id] = {std::move(changed.track), changed.codec, changed.obstacle};
              handle_tracks_changed(now, id, is_new_kind, out);
            },
            [&](live::PacketsMade& made) {
              if (is_on_air(id) && is_announced_)
                send_all(relay::PacketsSent{name_, generation_, made.track, std::move(made.batch)}, out);
            },
            [&](live::PacketClockMapped& mapped) {
              handle_clock(id, mapped.track, mapped.layer, mapped.mapping, out);
            },
            [&](live::PacketTrackEnded& ended) { handle_track_closed(now, id, ended.track, out); },
        },
        output);
  }
}

void Publication::add_packet_source(live::SourceId id) { sources_[id.value].packetizer = nullptr; }

void Publication::handle_track(Timestamp now, live::SourceId id, const payload::RtpTrack& track,
                               PublicationOutputs& out) {
  auto found = sources_.find(id.value);
  if (found == sources_.end()) return;
  Track made{.track = track};
  // For the API alone: VP8 is no codec of media's.
  if (auto codec = payload::find_codec(track.encoding)) made.codec = *codec;
  auto known = found->second.tracks.find(track.id);
  bool is_new_kind = known != found->second.tracks.end() && known->second.track.encoding != track.encoding;
  found->second.tracks[track.id] = std::move(made);
  choose(now, {}, out);
  handle_tracks_changed(now, id, is_new_kind, out);
}

void Publication::handle_packets(live::SourceId id, media::TrackId track, const payload::PacketBatch& batch,
                                 PublicationOutputs& out) {
  if (is_on_air(id) && is_announced_) send_all(relay::PacketsSent{name_, generation_, track, batch}, out);
}

void Publication::handle_clock(live::SourceId id, media::TrackId track, payload::LayerIndex layer,
                               const payload::ClockMapping& mapping, PublicationOutputs& out) {
  auto found = sources_.find(id.value);
  if (found == sources_.end()) return;
  found->second.clocks[{track, layer}] = mapping;
  if (is_on_air(id) && is_announced_)
    send_all(relay::ClockMapped{name_, generation_, track, layer, mapping}, out);
}

void Publication::handle_track_closed(Timestamp now, live::SourceId id, media::TrackId track,
                                      PublicationOutputs& out) {
  auto found = sources_.find(id.value);
  if (found == sources_.end() || found->second.tracks.erase(track) == 0) return;
  handle_tracks_changed(now, id, false, out);
}

void Publication::remove_source(Timestamp now, live::SourceId id, PublicationOutputs& out) {
  bool was_on_air = is_on_air(id);
  if (channel_on_air_ == id) channel_on_air_.reset();
  sources_.erase(id.value);
  if (was_on_air) choose(now, {}, out);
}

void Publication::set_on_air(Timestamp now, WallTime wall, std::optional<live::SourceId> id,
                             PublicationOutputs& out) {
  channel_on_air_ = id;
  choose(now, wall, out);
}

bool Publication::is_unpackable(const Source& source) const {
  return !source.packetizer && std::ranges::any_of(source.tracks, [](const auto& entry) {
    return !payload::find_codec(entry.second.track.encoding);
  });
}

void Publication::expect_program(Timestamp now, Timestamp until) {
  program_until_ = until;
  if (until <= now && settle_at_ != Timestamp::never()) settle_at_ = now;
}

int Publication::worth(const Source& source) {
  int video = 0, audio = 0;
  for (const auto& [id, known] : source.tracks) {
    int& kind = media::kind_of(known.codec) == media::Kind::kVideo ? video : audio;
    kind = std::max(kind, known.obstacle == payload::Obstacle::kNone    ? 2
                          : known.obstacle == payload::Obstacle::kCodec ? 0
                                                                        : 1);
  }
  return video + audio;
}

void Publication::choose(Timestamp now, WallTime wall, PublicationOutputs& out) {
  std::optional<live::SourceId> id = channel_on_air_;
  if (!id) {
    auto found =
        std::ranges::find_if(sources_, [&](const auto& entry) { return is_unpackable(entry.second); });
    if (found != sources_.end()) id = live::SourceId{found->first};
  }
  if (channel_on_air_) {
    const auto native = sources_.find(channel_on_air_->value), program = sources_.find(kProgram.value);
    if (native != sources_.end() && program != sources_.end() &&
        worth(program->second) > worth(native->second))
      id = kProgram;
  }
  if (on_air_ == id) return;
  if (Source* before = on_air(); before && before->packetizer) {
    before->packetizer->set_wanted(now, wall, false, feed_outputs_);
    feed_outputs_.clear();
  }
  on_air_ = id;
  is_announced_ = false;
  settle_at_ = Timestamp::never();
  ++generation_;
  Source* source = on_air();
  if (!source || source->tracks.empty()) {
    announce(out);  // Nothing for now.
    is_announced_ = false;
    return;
  }
  handle_tracks_changed(now, *id, false, out);
}

// Of the source on air: settles first, then every change is told.
void Publication::handle_tracks_changed(Timestamp now, live::SourceId id, bool is_new_kind,
                                        PublicationOutputs& out) {
  choose(now, {}, out);
  if (!is_on_air(id)) return;
  Source& source = *on_air();
  if (is_announced_) {
    if (is_new_kind) ++generation_;
    announce(out);
    if (!is_new_kind) return;
    // Receivers have nothing of the new generation yet.
    if (!source.packetizer) return ask_all_keyframes(out);
    for (std::uint32_t shard : subscribers_) repeat_group(now, shard, source, out);
    return;
  }
  bool has_video = false, has_audio = false;
  for (const auto& [track, known] : source.tracks)
    (media::kind_of(known.codec) == media::Kind::kVideo ? has_video : has_audio) = true;
  if (now < program_until_ && worth(source) < kWhole) {
    settle_at_ = program_until_;
  } else if (has_video && has_audio) {
    settle_at_ = now;
  } else if (settle_at_ == Timestamp::never()) {
    settle_at_ = now + kSettle;
  }
}

void Publication::handle_deadline(Timestamp now, WallTime wall, PublicationOutputs& out) {
  if (now < settle_at_) return;
  settle_at_ = Timestamp::never();
  Source* source = on_air();
  if (!source) return;
  announce(out);
  if (subscribers_.empty()) return;
  if (source->packetizer) {
    start_feed(now, wall, *source, out);
  } else {
    ask_all_keyframes(out);
  }
}

// The packetizer of the source on air begins, with the group that it kept as one message.
void Publication::start_feed(Timestamp now, WallTime wall, Source& source, PublicationOutputs& out) {
  source.packetizer->set_wanted(now, wall, true, feed_outputs_);
  live::FramePacketizer::Outputs others;
  relay::GroupSent group{.publication = name_, .generation = generation_, .parts = {}};
  for (auto& output : feed_outputs_.take()) {
    if (auto* made = std::get_if<live::PacketsMade>(&output)) {
      add_part(made->track, std::move(made->batch), group.parts);
    } else {
      others.push(std::move(output));
    }
  }
  feed_outputs_ = std::move(others);
  handle_feed_outputs(now, *on_air_, source, out);
  for (std::uint32_t shard : subscribers_) repeated_at_[shard] = now;
  if (!group.parts.empty()) send_all(group, out);
}

void Publication::repeat_group(Timestamp now, std::uint32_t shard, Source& source, PublicationOutputs& out) {
  repeated_at_[shard] = now;
  relay::GroupSent group{.publication = name_, .generation = generation_, .parts = {}};
  live::FramePacketizer::Outputs repeated;
  source.packetizer->repeat_group(repeated);
  for (auto& output : repeated)
    if (auto* made = std::get_if<live::PacketsMade>(&output))
      add_part(made->track, std::move(made->batch), group.parts);
  if (!group.parts.empty()) out.push(SendToSubscriber{shard, std::move(group)});
}

void Publication::announce(PublicationOutputs& out) {
  is_announced_ = true;
  send_all(describe(), out);
  if (Source* source = on_air())
    for (std::uint32_t shard : subscribers_) send_clocks(*source, shard, out);
}

relay::TracksChanged Publication::describe() {
  relay::TracksChanged changed{.publication = name_, .generation = generation_};
  if (Source* source = on_air())
    for (const auto& [id, known] : source->tracks)
      if (known.obstacle != payload::Obstacle::kCodec) changed.tracks.push_back(known.track);
  changed.obstacles = obstacles();
  return changed;
}

std::vector<relay::TrackObstacle> Publication::obstacles() const {
  std::vector<relay::TrackObstacle> found;
  auto source = on_air_ ? sources_.find(on_air_->value) : sources_.end();
  if (source == sources_.end()) return found;
  for (const auto& [id, known] : source->second.tracks)
    if (known.obstacle != payload::Obstacle::kNone) found.push_back({id, known.codec, known.obstacle});
  return found;
}

std::vector<payload::RtpTrack> Publication::realtime_only() const {
  std::vector<payload::RtpTrack> found;
  auto source = on_air_ ? sources_.find(on_air_->value) : sources_.end();
  if (source == sources_.end() || source->second.packetizer) return found;
  for (const auto& [id, known] : source->second.tracks)
    if (!payload::find_codec(known.track.encoding)) found.push_back(known.track);
  return found;
}

void Publication::send_clocks(Source& source, std::uint32_t shard, PublicationOutputs& out) {
  for (const auto& [key, mapping] : source.clocks)
    out.push(SendToSubscriber{shard, relay::ClockMapped{name_, generation_, key.first, key.second, mapping}});
}

void Publication::send_all(const relay::ToSubscriber& message, PublicationOutputs& out) {
  for (std::uint32_t shard : subscribers_) out.push(SendToSubscriber{shard, message});
}

void Publication::ask_all_keyframes(PublicationOutputs& out) {
  Source* source = on_air();
  if (!source || source->packetizer) return;
  for (const auto& [id, known] : source->tracks) {
    if (!known.track.is_video()) continue;
    for (payload::LayerIndex layer = 0; layer < known.track.layers; ++layer)
      out.push(SourceKeyframeWanted{*on_air_, id, layer});
  }
}

void Publication::end(PublicationOutputs& out) {
  on_air_.reset();
  channel_on_air_.reset();
  is_announced_ = false;
  settle_at_ = Timestamp::never();
  relay::TracksChanged changed{.publication = name_, .generation = ++generation_, .has_ended = true};
  send_all(changed, out);
  subscribers_.clear();
  repeated_at_.clear();
  sources_.clear();
}

void Publication::subscribe(Timestamp now, WallTime wall, std::uint32_t shard, PublicationOutputs& out) {
  bool is_first = subscribers_.empty();
  if (!is_subscribed(shard)) subscribers_.push_back(shard);
  Source* source = on_air();
  // While the tracks settle the answer comes with the announcement.
  if (source && !is_announced_ && settle_at_ != Timestamp::never()) return;
  out.push(SendToSubscriber{shard, describe()});
  if (!source || !is_announced_) return;
  send_clocks(*source, shard, out);
  if (!source->packetizer) return ask_all_keyframes(out);
  if (is_first) return start_feed(now, wall, *source, out);
  repeat_group(now, shard, *source, out);
}

bool Publication::is_subscribed(std::uint32_t shard) const {
  return std::ranges::find(subscribers_, shard) != subscribers_.end();
}

void Publication::unsubscribe(Timestamp now, WallTime wall, std::uint32_t shard, PublicationOutputs& out) {
  repeated_at_.erase(shard);
  if (std::erase(subscribers_, shard) == 0 || !subscribers_.empty()) return;
  if (Source* source = on_air(); source && source->packetizer) {
    source->packetizer->set_wanted(now, wall, false, feed_outputs_);
    handle_feed_outputs(now, *on_air_, *source, out);
  }
}

void Publication::handle_keyframe_wanted(Timestamp now, const relay::KeyframeWanted& wanted,
                                         PublicationOutputs& out) {
  Source* source = on_air();
  if (!source || wanted.generation != generation_) return;
  if (!source->packetizer) {
    out.push(SourceKeyframeWanted{*on_air_, wanted.track, wanted.layer});
    return;
  }
  if (!is_announced_ || !is_subscribed(wanted.shard)) return;
  auto last = repeated_at_.find(wanted.shard);
  if (last != repeated_at_.end() && now - last->second < kRepeatInterval) return;
  repeat_group(now, wanted.shard, *source, out);
}

}  // namespace stoa::shard
