#include "session/webrtc/fan_out_impl.h"

namespace stoa::webrtc {

void FanOut::Impl::append(Timestamp at, StreamId id, std::span<const payload::PacketBatch> batches,
                          bool is_group) {
  now = at;
  Stream* stream = find_stream(id);
  if (stream == nullptr) return;
  unsigned present = 0, aside = 0;
  for (const payload::PacketBatch& batch : batches) {
    for (std::size_t i = 0; i < batch.count; ++i) {
      present |= 1u << (batch[i].layer & 31u);
      aside = batch[i].layers_aside;
    }
  }
  bool has_changed = false;
  for (std::size_t i = 0; i < stream->layer_count(); ++i) {
    if (!(present >> i & 1)) continue;
    Layer& layer = *stream->layers[i];
    const std::int64_t shift = layer.history.timestamp_shift();
    const auto newest = [&] { return std::pair(layer.history.newest_sequence(), layer.history.frames()); };
    const auto before = newest();
    if (is_group) {
      take_group(at, layer, batches);
    } else {
      const bool was_cut_off = layer.history.has_cut_off();
      for (const payload::PacketBatch& batch : batches) layer.history.append(at, batch, layer.index);
      if (!was_cut_off && layer.history.has_cut_off())
        for (const OutletRef& ref : layer.fed) climb(at, *find_outlet(ref));
      if (layer.is_group_too_large) layer.is_group_too_large = !layer.history.keyframe();
    }
    // Another clock from here on, until somebody says what it shows.
    if (layer.history.timestamp_shift() != shift) layer.clock.reset();
    if (newest() != before) {
      layer.appended_at = at;
      stream->flow.note(at, i, layer.history.frames());
      has_changed |= !layer.is_alive;
      layer.is_alive = true;
    }
    if (!layer.is_dirty) note_dirty(at, layer, !payload::is_video(stream->track.encoding));
  }
  for (std::size_t i = 0; i < stream->layer_count(); ++i)
    if (aside >> i & 1) has_changed |= std::exchange(stream->layers[i]->is_alive, false);
  if (has_changed && stream->layer_count() > 1) reconsider(at, *stream);
  if (trimmed_at == Timestamp::never()) trimmed_at = at + kTrimInterval;
}

// A datagram by itself costs several times what it costs in a train, and a receiver of several who speak gets
// one of each within a few milliseconds: where that is many receivers, the first waits for the others.
void FanOut::Impl::note_dirty(Timestamp at, Layer& layer, bool is_sound) {
  layer.is_dirty = true;
  if (!is_sound || !may_wait(at, layer)) return dirty.push_back(&layer);
  if (gathered.empty()) gathered_until = at + config.gather_max;
  gathered.push_back(&layer);
}

bool FanOut::Impl::may_wait(Timestamp at, const Layer& layer) {
  if (layer.fed.size() < kGatherOutlets || config.gather_max <= Duration()) return false;
  // One of its receivers stands for all.
  const Sender* receiver = find_sender(layer.fed.front().sender);
  return receiver && std::ranges::any_of(receiver->outlets, [&](const Outlet& outlet) {
           const Layer* other = outlet.feed;
           return other && other != &layer && !outlet.is_video && other->fed.size() >= kGatherOutlets &&
                  at - other->appended_at < kGatherCompany;
         });
}

void FanOut::Impl::release_gathered() {
  dirty.insert(dirty.end(), gathered.begin(), gathered.end());
  gathered.clear();
  gathered_until = Timestamp::never();
}

// Who is fed goes on where it was; the packets have the numbers that they had.
void FanOut::Impl::take_group(Timestamp at, Layer& layer, std::span<const payload::PacketBatch> group) {
  History& history = layer.history;
  const bool is_video = payload::is_video(find_stream(layer.stream)->track.encoding);
  if (!is_video && history.end() > 0) return;  // Sound that is over.
  if (!is_video || history.keyframe()) {
    for (const payload::PacketBatch& batch : group) history.append(at, batch, layer.index);
    return;
  }
  history.restore(at, group, layer.index);
  layer.is_group_too_large = !history.keyframe();
  for (const OutletRef& ref : layer.fed) {
    Outlet& outlet = *find_outlet(ref);
    if (outlet.run().epoch == history.epoch())
      outlet.cursor = history.position_from(outlet.run().source_of(outlet.next_out));
  }
}

void FanOut::Impl::subscribe(Timestamp at, OutletRef ref, StreamId id) {
  Outlet& outlet = *find_outlet(ref);
  Stream* stream = find_stream(id);
  if (stream && stream->track.encoding != outlet.encoding) stream = nullptr;  // No payload type for it.
  if (Stream* before = find_stream(outlet.source)) leave(Role::kSubscribed, before->subscribed, outlet);
  outlet.source = stream ? id : StreamId{};
  if (stream == nullptr) {
    stop_waiting(outlet);
    leave_feed(outlet);
    return;
  }
  enter(Role::kSubscribed, stream->subscribed, ref, outlet);
  choose_layer(at, ref);
}

// The highest layer that is alive and allowed; while none is, the highest allowed.
void FanOut::Impl::choose_layer(Timestamp at, OutletRef ref) {
  Outlet& outlet = *find_outlet(ref);
  Stream* stream = find_stream(outlet.source);
  if (stream == nullptr) return;
  const std::size_t highest = std::min<std::size_t>(outlet.layer_max, stream->layer_count() - 1);
  Layer* chosen = nullptr;
  for (std::size_t i = highest + 1; i-- > 0 && chosen == nullptr;)
    if (stream->layers[i]->is_alive) chosen = stream->layers[i].get();
  if (chosen == nullptr) {
    // What is above the limit is better kept than nothing, and what is waited for need not change if it may
    // be.
    if (outlet.feed && outlet.feed->stream == outlet.source && outlet.feed->index <= highest) {
      const Layer* waits_for = outlet.waits_for;
      if (waits_for && (waits_for->stream != outlet.source || waits_for->index > highest))
        stop_waiting(outlet);
      return;
    }
    chosen = stream->layers[highest].get();
  }
  if (chosen == outlet.feed) {
    stop_waiting(outlet);
  } else if (chosen != outlet.waits_for) {
    wait_for(at, ref, outlet, chosen);
  }
}

void FanOut::Impl::reconsider(Timestamp at, Stream& stream) {
  for (std::size_t i = 0; i < stream.subscribed.size(); ++i) choose_layer(at, stream.subscribed[i]);
}

void FanOut::Impl::wait_for(Timestamp at, OutletRef ref, Outlet& outlet, Layer* layer) {
  stop_waiting(outlet);
  outlet.waits_for = layer;
  outlet.waits_from = layer->history.end();
  if (const auto keyframe = layer->history.keyframe(); keyframe && outlet.is_video)
    if (at - layer->history.slot(*keyframe).arrived <= kSwitchReplayMax) outlet.waits_from = *keyframe;
  enter(Role::kWaiting, layer->waiting, ref, outlet);
  if (is_ready(at, outlet)) {
    enqueue(*find_sender(ref.sender), ref.outlet);
  } else if (outlet.is_video && !has_keyframe(at, outlet)) {
    want_keyframe(*layer);
  }
}

// Of what it waits for: only the end of the frame that is being sent may be missing.
bool FanOut::Impl::has_keyframe(Timestamp at, const Outlet& outlet) const {
  if (is_silent(at, outlet)) return false;
  const auto keyframe = outlet.waits_for->history.keyframe();
  return keyframe && *keyframe >= outlet.waits_from;
}

void FanOut::Impl::stop_waiting(Outlet& outlet) {
  if (outlet.waits_for == nullptr) return;
  leave(Role::kWaiting, outlet.waits_for->waiting, outlet);
  outlet.waits_for = nullptr;
}

void FanOut::Impl::leave_feed(Outlet& outlet) {
  if (outlet.feed == nullptr) return;
  if (outlet.feed->clock && outlet.has_sent) {
    outlet.last_captured = outlet.feed->captured_at(outlet.last_source_timestamp);
  } else {
    outlet.last_captured.reset();
  }
  leave(Role::kFed, outlet.feed->fed, outlet);
  outlet.feed = nullptr;
}

// Whether nothing is to be expected from what feeds it.
bool FanOut::Impl::is_silent(Timestamp at, const Outlet& outlet) const {
  const Layer* feed = outlet.feed;
  if (feed == nullptr || !feed->is_alive) return true;
  return feed->stream != outlet.waits_for->stream && at - feed->appended_at > kSourceSilence;
}

// Whether what it waits for is there.
bool FanOut::Impl::is_ready(Timestamp at, const Outlet& outlet) const {
  const History& history = outlet.waits_for->history;
  if (!outlet.is_video) return history.end() > std::max(outlet.waits_from, history.begin());
  const auto keyframe = history.keyframe();
  if (!keyframe) return false;
  const Duration age = at - history.slot(*keyframe).arrived;
  if (is_silent(at, outlet)) return age <= config.catch_up_max || !outlet.waits_for->can_ask;
  if (*keyframe < outlet.waits_from) return false;
  return outlet.ends_frame || age > kFrameEndWait;
}

// From the newest packet sent to the newest of the layer, or to the one at `to` for audio.
Duration FanOut::Impl::elapsed_to(const Outlet& outlet, const Layer& layer, Position to) const {
  const History& history = layer.history;
  if (!outlet.has_sent || history.end() == history.begin()) return {};
  if (outlet.is_video) to = history.end() - 1;
  const std::int64_t timestamp = outlet.is_video ? history.newest_timestamp() : history.slot(to).timestamp;
  const Duration arrived = history.slot(to).arrived - outlet.last_arrived;
  // In ticks of its own clock where the newest packet sent was of this layer too.
  const Run* run = outlet.has_run() ? &outlet.run() : nullptr;
  if (run && run->stream == layer.stream && run->layer == layer.index && run->epoch == history.epoch() &&
      outlet.next_out > run->entered_out)
    return Duration::from_ticks(timestamp - outlet.last_source_timestamp, layer.clock_rate);
  std::optional<WallTime> last = outlet.last_captured;
  if (outlet.feed)
    last = outlet.feed->clock ? std::optional(outlet.feed->captured_at(outlet.last_source_timestamp))
                              : std::nullopt;
  if (!last || !layer.clock) return arrived;
  const Duration captured = layer.captured_at(timestamp) - *last;
  return (captured - arrived).abs() <= kClockSkewMax ? captured : arrived;
}

// Requires: is_ready().
void FanOut::Impl::enter_feed(Timestamp at, OutletRef ref, Outlet& outlet) {
  Layer* layer = outlet.waits_for;
  const History& history = layer->history;
  const Position audio = std::max(outlet.waits_from, history.begin());
  const Duration elapsed = elapsed_to(outlet, *layer, audio);
  const bool is_down =
      outlet.feed && outlet.feed->stream == layer->stream && outlet.feed->index > layer->index;
  stop_waiting(outlet);
  leave_feed(outlet);
  outlet.feed = layer;
  outlet.begun_at = at;
  enter(Role::kFed, layer->fed, ref, outlet);
  if (outlet.is_video) {
    outlet.level = {outlet.spatial_wanted(), layer->rates.level_for(outlet.frames_wanted, kFullRate)};
    outlet.begin_run(*history.keyframe(), history.keyframe_sequence(), elapsed);
    outlet.replay_until = history.end();
    outlet.keyframe_sent_at = at;
    if (is_down) outlet.over_before = outlet.run().first_out;
  } else {
    outlet.begin_run(audio, history.slot(audio).sequence, elapsed);
  }
}

// Brings the outlet where it can send from. False when there is nothing for it to send now.
bool FanOut::Impl::settle(Timestamp at, OutletRef ref, Outlet& outlet) {
  if (outlet.waits_for && is_ready(at, outlet)) enter_feed(at, ref, outlet);
  if (outlet.feed == nullptr) return false;
  const History& history = outlet.feed->history;
  const bool is_behind = outlet.cursor < history.begin();
  const bool is_late = !outlet.is_video && !is_behind && outlet.cursor < history.end() &&
                       at - history.slot(outlet.cursor).arrived > config.audio_late_max;
  if (!is_behind && !is_late && outlet.run().epoch == history.epoch()) return true;
  // Fell behind: on from the newest keyframe, or with the newest sound.
  const Position next = is_late ? history.end() - 1 : history.begin();
  const auto skipped = static_cast<std::uint64_t>(std::max<Position>(0, next - outlet.cursor));
  outlet.stats.skipped += skipped;
  totals.skipped += skipped;
  Layer* layer = outlet.feed;
  if (outlet.waits_for == nullptr) {
    leave_feed(outlet);
    wait_for(at, ref, outlet, layer);
    outlet.waits_from = outlet.is_video ? history.begin() : std::max(history.begin(), history.end() - 1);
  } else {
    leave_feed(outlet);
  }
  if (!is_ready(at, outlet)) return false;
  enter_feed(at, ref, outlet);
  return true;
}

// Of a source that cannot be asked the group that its owner keeps is wished for, where it is not here.
void FanOut::Impl::want_keyframe(Layer& layer) {
  if (layer.is_wanted) return;
  if (!layer.can_ask && (layer.history.keyframe() || layer.is_group_too_large)) return;
  layer.is_wanted = true;
  layer.wanted_at = now;
  layer.wanted_from = layer.history.end();
  wanted.push_back(&layer);
}

// The spatial layers that it is to be sent may begin with a keyframe only.
void FanOut::Impl::climb(Timestamp at, const Outlet& outlet) {
  if (outlet.feed == nullptr || !outlet.has_run()) return;
  if (outlet.feed->history.needs_keyframe(at, outlet.run().level, outlet.level)) want_keyframe(*outlet.feed);
}

Timestamp FanOut::Impl::wish_due(const Layer& layer) const {
  return layer.asked_at ? std::max(layer.wanted_at, *layer.asked_at + kAskInterval) : layer.wanted_at;
}

Timestamp FanOut::Impl::next_wish() const {
  Timestamp next = Timestamp::never();
  for (const Layer* layer : wanted) next = std::min(next, wish_due(*layer));
  return next;
}

void FanOut::Impl::emit_wanted(FanOutOutputs& out) {
  std::erase_if(wanted, [&](Layer* layer) {
    const auto keyframe = layer->history.keyframe();
    const bool has_come = keyframe && *keyframe >= layer->wanted_from;
    if (!has_come && wish_due(*layer) > now) return false;
    layer->is_wanted = false;
    if (has_come) return true;
    layer->asked_at = now;
    out.push(StreamKeyframeWanted{layer->stream, layer->index});
    return true;
  });
}

void FanOut::Impl::check_layers(Timestamp at) {
  streams.for_each([&](StreamId, Stream& stream) {
    if (stream.layer_count() < 2) return;
    bool has_changed = false;
    for (std::size_t i = 0; i < stream.layer_count(); ++i) {
      Layer& layer = *stream.layers[i];
      if (!layer.is_alive || !stream.flow.is_given_up(at, i, kLayerStall)) continue;
      layer.is_alive = false;
      has_changed = true;
    }
    if (has_changed) reconsider(at, stream);
  });
}

// Who wants fewer frames gets as many as before though their rate has changed.
void FanOut::Impl::measure(Timestamp at, Layer& layer) {
  if (!layer.rates.measure(at, layer.history.layer_frames())) return;
  for (const OutletRef& ref : layer.fed) {
    Outlet& outlet = *find_outlet(ref);
    if (outlet.frames_wanted != 0)
      outlet.level.temporal = layer.rates.level_for(outlet.frames_wanted, outlet.level.temporal);
  }
}

void FanOut::Impl::trim_histories(Timestamp at) {
  trimmed_at = Timestamp::never();
  streams.for_each([&](StreamId, Stream& stream) {
    for (std::size_t i = 0; i < stream.layer_count(); ++i) {
      History& history = stream.layers[i]->history;
      measure(at, *stream.layers[i]);
      history.trim(at);
      if (history.begin() < history.end()) trimmed_at = at + kTrimInterval;
    }
  });
}

}  // namespace stoa::webrtc
