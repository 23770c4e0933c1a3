#include "shard/track_hub.h"

#include <algorithm>
#include <utility>

namespace stoa::shard {

TrackHub::Source* TrackHub::find_source(webrtc::SessionId session, media::TrackId track) {
  auto found = by_key_.find({session.value(), track});
  return found == by_key_.end() ? nullptr : found->second;
}

relay::TracksChanged TrackHub::describe(const Source& source) const {
  return {.publication = source.name, .generation = source.generation, .tracks = {source.track}};
}

void TrackHub::publish(const std::string& name, webrtc::SessionId session, media::TrackId track,
                       const payload::RtpTrack& rtp, HubOutputs& out) {
  auto [found, is_new] = sources_.try_emplace(name);
  Source& source = found->second;
  if (!is_new) {
    by_key_.erase(source.key);
    ++source.generation;
    source.clocks = {};
  }
  source.name = name;
  source.key = {session.value(), track};
  source.track = rtp;
  by_key_[source.key] = &source;
  announce(source, out);
}

void TrackHub::introduce(const Source& source, std::uint32_t shard, HubOutputs& out) const {
  out.push(RelayToSubscriber{shard, describe(source)});
  for (std::size_t layer = 0; layer < source.clocks.size(); ++layer)
    if (source.clocks[layer])
      out.push(RelayToSubscriber{
          shard, relay::ClockMapped{source.name, source.generation, source.track.id,
                                    static_cast<payload::LayerIndex>(layer), *source.clocks[layer]}});
}

void TrackHub::announce(Source& source, HubOutputs& out) {
  for (std::uint32_t shard : source.shards) introduce(source, shard, out);
  begin_local(source);
  if (source.local.is_set()) out.push(FeedChanged{source.name});
}

// Listeners of this shard get what comes without a detour.
void TrackHub::begin_local(Source& source) {
  auto found = feeds_.find(source.name);
  if (found == feeds_.end()) return;
  Receiving& receiving = found->second;
  receiving.generation = source.generation;
  set_stream(receiving, source.name, source.track);
  source.local = receiving.feed.stream;
  if (!source.local.is_set()) return;
  for (std::size_t layer = 0; layer < source.clocks.size(); ++layer)
    if (source.clocks[layer])
      port_.fan_out().map_clock(source.local, static_cast<payload::LayerIndex>(layer), *source.clocks[layer]);
}

void TrackHub::unpublish(const std::string& name, HubOutputs& out) {
  auto found = sources_.find(name);
  if (found == sources_.end()) return;
  Source& source = found->second;
  for (std::uint32_t shard : source.shards)
    out.push(RelayToSubscriber{
        shard,
        relay::TracksChanged{.publication = name, .generation = source.generation + 1, .has_ended = true}});
  if (auto local = feeds_.find(name); local != feeds_.end()) {
    drop_stream(local->second);
    out.push(FeedChanged{name});
  }
  timers_.set(name, Timestamp::never());
  by_key_.erase(source.key);
  sources_.erase(found);
}

void TrackHub::handle_packets(Timestamp now, webrtc::SessionId session, media::TrackId track,
                              const payload::PacketBatch& batch, HubOutputs& out) {
  Source* source = find_source(session, track);
  if (source == nullptr || !source->is_open) return;
  if (source->local.is_set()) port_.fan_out().append(now, source->local, batch);
  for (std::uint32_t shard : source->shards)
    out.push(RelayToSubscriber{
        shard, relay::PacketsSent{source->name, source->generation, source->track.id, batch}});
}

void TrackHub::handle_clock(webrtc::SessionId session, media::TrackId track, payload::LayerIndex layer,
                            const payload::ClockMapping& mapping, HubOutputs& out) {
  Source* source = find_source(session, track);
  if (source == nullptr || layer >= source->clocks.size()) return;
  source->clocks[layer] = mapping;
  if (source->local.is_set()) port_.fan_out().map_clock(source->local, layer, mapping);
  for (std::uint32_t shard : source->shards)
    out.push(RelayToSubscriber{
        shard, relay::ClockMapped{source->name, source->generation, source->track.id, layer, mapping}});
}

// What was held back is no loss: whoever listens begins another generation.
void TrackHub::set_gate(const std::string& name, bool is_open, HubOutputs& out) {
  auto found = sources_.find(name);
  if (found == sources_.end() || std::exchange(found->second.is_open, is_open) == is_open || !is_open) return;
  ++found->second.generation;
  announce(found->second, out);
}

std::optional<webrtc::SessionId> TrackHub::find_publisher(const std::string& name) const {
  auto found = sources_.find(name);
  if (found == sources_.end()) return std::nullopt;
  return webrtc::SessionId::from_value(found->second.key.session);
}

void TrackHub::listen(Timestamp now, const room::TrackPlace& place, Listener listener, HubOutputs& out) {
  auto [found, is_new] = feeds_.try_emplace(place.publication);
  Receiving& receiving = found->second;
  if (!receiving.listeners.emplace(listener, room::Quality::kHigh).second) return;
  ++receiving.wishes[static_cast<std::size_t>(room::Quality::kHigh)];
  if (is_new) {
    receiving.from = place.shard;
    if (place.shard != shard_) {
      out.push(RelayToOwner{place.shard, relay::Subscribe{place.publication, shard_}});
    } else if (auto source = sources_.find(place.publication); source != sources_.end()) {
      begin_local(source->second);
    }
  }
  tell_wish(now, place.publication, receiving, out);
}

void TrackHub::unlisten(Timestamp now, const std::string& name, Listener listener, HubOutputs& out) {
  auto found = feeds_.find(name);
  if (found == feeds_.end()) return;
  Receiving& receiving = found->second;
  auto known = receiving.listeners.find(listener);
  if (known == receiving.listeners.end()) return;
  --receiving.wishes[static_cast<std::size_t>(known->second)];
  receiving.listeners.erase(known);
  if (!receiving.listeners.empty()) return tell_wish(now, name, receiving, out);
  drop_stream(receiving);
  auto source = receiving.from == shard_ ? sources_.find(name) : sources_.end();
  if (source != sources_.end()) {
    source->second.local = {};
    source->second.demand.remove(now, shard_);
    note_demand(now, source->second, out);
  } else if (receiving.from != shard_) {
    out.push(RelayToOwner{receiving.from, relay::Unsubscribe{name, shard_}});
  }
  feeds_.erase(found);
}

void TrackHub::set_wish(Timestamp now, const std::string& name, Listener listener, room::Quality quality,
                        HubOutputs& out) {
  auto found = feeds_.find(name);
  if (found == feeds_.end()) return;
  auto known = found->second.listeners.find(listener);
  if (known == found->second.listeners.end() || known->second == quality) return;
  --found->second.wishes[static_cast<std::size_t>(known->second)];
  known->second = quality;
  ++found->second.wishes[static_cast<std::size_t>(quality)];
  tell_wish(now, name, found->second, out);
}

void TrackHub::want_codec(const std::string& name, const std::string& mime_type, HubOutputs& out) {
  auto found = feeds_.find(name);
  if (found == feeds_.end()) return;
  if (found->second.from == shard_) {
    out.push(CodecNews{name, mime_type});
  } else {
    out.push(RelayToOwner{found->second.from, relay::CodecWanted{name, shard_, mime_type}});
  }
}

// The best that anybody here wants.
void TrackHub::tell_wish(Timestamp now, const std::string& name, Receiving& receiving, HubOutputs& out) {
  room::Quality best = room::Quality::kOff;
  for (room::Quality quality : {room::Quality::kLow, room::Quality::kMedium, room::Quality::kHigh})
    if (receiving.wishes[static_cast<std::size_t>(quality)] > 0) best = quality;
  if (receiving.told == best) return;
  receiving.told = best;
  if (receiving.from != shard_) {
    out.push(
        RelayToOwner{receiving.from, relay::QualityWanted{name, shard_, static_cast<std::uint8_t>(best)}});
  } else if (auto source = sources_.find(name); source != sources_.end()) {
    source->second.demand.set(now, shard_, best);
    note_demand(now, source->second, out);
  }
}

void TrackHub::note_demand(Timestamp now, Source& source, HubOutputs& out) {
  if (auto news = source.demand.take_news(now)) out.push(QualityNews{source.name, *news});
  timers_.set(source.name, source.demand.next_deadline());
}

const TrackHub::Feed* TrackHub::find_feed(const std::string& name) const {
  auto found = feeds_.find(name);
  return found == feeds_.end() ? nullptr : &found->second.feed;
}

std::vector<TrackHub::Listener> TrackHub::listeners(const std::string& name) const {
  std::vector<Listener> all;
  auto found = feeds_.find(name);
  if (found == feeds_.end()) return all;
  for (const auto& [listener, quality] : found->second.listeners) all.push_back(listener);
  return all;
}

// The old stream, if any, goes only when its successor is there: outlets are moved by whoever hears of it.
void TrackHub::set_stream(Receiving& receiving, const std::string& name, const payload::RtpTrack& track) {
  drop_stream(receiving);
  receiving.feed.track = track;
  receiving.feed.stream = port_.fan_out().add_stream(track);
  if (receiving.feed.stream.is_set()) streams_[receiving.feed.stream] = name;
}

void TrackHub::drop_stream(Receiving& receiving) {
  if (!receiving.feed.stream.is_set()) return;
  streams_.erase(receiving.feed.stream);
  port_.fan_out().remove_stream(std::exchange(receiving.feed.stream, {}));
}

void TrackHub::handle_keyframe_wanted(Timestamp now, const webrtc::StreamKeyframeWanted& wanted,
                                      webrtc::PortOutputs& port_out, HubOutputs& out) {
  auto stream = streams_.find(wanted.stream);
  if (stream == streams_.end()) return;
  const std::string& name = stream->second;
  const Receiving& receiving = feeds_.at(name);
  if (receiving.from != shard_) {
    out.push(RelayToOwner{receiving.from, relay::KeyframeWanted{name, shard_, receiving.generation,
                                                                receiving.feed.track.id, wanted.layer}});
  } else if (auto source = sources_.find(name); source != sources_.end()) {
    ask_keyframe(now, source->second, wanted.layer, port_out);
  }
}

void TrackHub::ask_keyframe(Timestamp now, const Source& source, payload::LayerIndex layer,
                            webrtc::PortOutputs& port_out) {
  port_.request_keyframe(now, webrtc::SessionId::from_value(source.key.session), source.key.track, layer,
                         port_out);
}

void TrackHub::handle(Timestamp now, relay::ToOwner& message, webrtc::PortOutputs& port_out,
                      HubOutputs& out) {
  auto find = [&](const std::string& name) {
    auto found = sources_.find(name);
    return found == sources_.end() ? nullptr : &found->second;
  };
  std::visit(
      Overloaded{
          [&](relay::Subscribe& wanted) {
            Source* source = find(wanted.publication);
            if (source == nullptr) {
              out.push(RelayToSubscriber{
                  wanted.shard, relay::TracksChanged{.publication = wanted.publication, .has_ended = true}});
              return;
            }
            if (std::ranges::find(source->shards, wanted.shard) == source->shards.end())
              source->shards.push_back(wanted.shard);
            introduce(*source, wanted.shard, out);
          },
          [&](relay::Unsubscribe& left) {
            Source* source = find(left.publication);
            if (source == nullptr) return;
            std::erase(source->shards, left.shard);
            source->demand.remove(now, left.shard);
            note_demand(now, *source, out);
          },
          [&](relay::KeyframeWanted& wanted) {
            if (Source* source = find(wanted.publication); source && source->generation == wanted.generation)
              ask_keyframe(now, *source, wanted.layer, port_out);
          },
          [&](relay::CodecWanted& wanted) {
            if (find(wanted.publication)) out.push(CodecNews{wanted.publication, wanted.mime_type});
          },
          [&](relay::QualityWanted& wanted) {
            Source* source = find(wanted.publication);
            if (source == nullptr || wanted.quality > static_cast<std::uint8_t>(room::Quality::kOff)) return;
            source->demand.set(now, wanted.shard, static_cast<room::Quality>(wanted.quality));
            note_demand(now, *source, out);
          },
      },
      message);
}

void TrackHub::handle(Timestamp now, relay::ToSubscriber& message, HubOutputs& out) {
  auto find = [&](const std::string& name) {
    auto found = feeds_.find(name);
    return found == feeds_.end() ? nullptr : &found->second;
  };
  std::visit(
      Overloaded{
          [&](relay::TracksChanged& changed) {
            Receiving* receiving = find(changed.publication);
            if (receiving == nullptr) return;
            receiving->generation = changed.generation;
            if (changed.tracks.empty()) {
              drop_stream(*receiving);
            } else {
              set_stream(*receiving, changed.publication, changed.tracks.front());
            }
            out.push(FeedChanged{changed.publication});
          },
          [&](relay::PacketsSent& sent) {
            Receiving* receiving = find(sent.publication);
            if (receiving && receiving->generation == sent.generation && receiving->feed.stream.is_set())
              port_.fan_out().append(now, receiving->feed.stream, sent.batch);
          },
          [](relay::GroupSent&) {},  // Publishers of rooms can be asked.
          [&](relay::ClockMapped& mapped) {
            Receiving* receiving = find(mapped.publication);
            if (receiving && receiving->generation == mapped.generation)
              port_.fan_out().map_clock(receiving->feed.stream, mapped.layer, mapped.mapping);
          },
      },
      message);
}

void TrackHub::handle_deadline(Timestamp now, HubOutputs& out) {
  while (auto name = timers_.take_due(now)) {
    auto found = sources_.find(*name);
    if (found != sources_.end()) note_demand(now, found->second, out);
  }
}

}  // namespace stoa::shard
