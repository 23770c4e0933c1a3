#include "session/webrtc/fan_out.h"

#include "session/webrtc/fan_out_impl.h"

namespace stoa::webrtc {
namespace {

template <typename T>
void erase_value(std::vector<T>& values, const T& value) {
  std::erase(values, value);
}

}  // namespace

FanOut::Impl::Impl(const FanOutConfig& settings, srtp::Transform& cipher, Rng random)
    : config(settings),
      transform(cipher),
      rng(random),
      streams(settings.streams_max),
      senders(settings.senders_max) {
  protecting.reserve(kProtectPackets + DatagramBatch::kTrainSegmentsMax);
}

void FanOut::Impl::enter(Role role, std::vector<OutletRef>& list, OutletRef ref, Outlet& outlet) {
  outlet.places[static_cast<std::size_t>(role)] = static_cast<std::uint32_t>(list.size());
  list.push_back(ref);
}

void FanOut::Impl::leave(Role role, std::vector<OutletRef>& list, Outlet& outlet) {
  const std::size_t role_index = static_cast<std::size_t>(role);
  const std::uint32_t place = outlet.places[role_index];
  STOA_DCHECK(place < list.size());
  list[place] = list.back();
  list.pop_back();
  if (place == list.size()) return;
  if (Outlet* moved = find_outlet(list[place])) moved->places[role_index] = place;
}

Sender* FanOut::Impl::find_sender(SenderId id) {
  std::unique_ptr<Sender>* found = senders.find(id);
  return found ? found->get() : nullptr;
}

Outlet* FanOut::Impl::find_outlet(OutletRef ref) {
  Sender* sender = find_sender(ref.sender);
  const bool is_there = sender && ref.outlet < sender->outlets.size() && sender->outlets[ref.outlet].is_open;
  return is_there ? &sender->outlets[ref.outlet] : nullptr;
}

Stream* FanOut::Impl::find_stream(StreamId id) { return streams.find(id); }

Layer* FanOut::Impl::find_layer(StreamId id, std::size_t layer) {
  Stream* stream = find_stream(id);
  return stream && layer < stream->layer_count() ? stream->layers[layer].get() : nullptr;
}

// Out of all lists but those of its sender.
void FanOut::Impl::detach(Outlet& outlet) {
  stop_waiting(outlet);
  leave_feed(outlet);
  if (Stream* stream = find_stream(outlet.source)) leave(Role::kSubscribed, stream->subscribed, outlet);
  outlet.source = {};
}

void FanOut::Impl::enqueue(Sender& sender) {
  if (sender.is_in_work) return;
  sender.is_in_work = true;
  work.push_back(sender.id);
}

void FanOut::Impl::enqueue(Sender& sender, std::uint16_t index) {
  Outlet& outlet = sender.outlets[index];
  const std::size_t list = outlet.is_video ? 1 : 0;
  if (!outlet.is_queued) {
    outlet.is_queued = true;
    outlet.next_queued = Outlet::kNone;
    if (sender.first_queued[list] == Outlet::kNone) {
      sender.first_queued[list] = index;
    } else {
      sender.outlets[sender.last_queued[list]].next_queued = index;
    }
    sender.last_queued[list] = index;
  }
  // Video that is held back waits for its turn.
  if (list == 0 || !sender.is_held) enqueue(sender);
}

// Video need not wait for the pacer any longer.
void FanOut::Impl::release(Sender& sender) {
  pacing.drop(sender.id.index);
  sender.is_held = false;
  enqueue(sender);
}

// Requires: an outlet that is new.
void FanOut::Impl::open(Sender& sender, Outlet& outlet, const OutletConfig& from) {
  const srtp::ProfileShape shape = srtp::shape_of(sender.context->profile());
  outlet.is_open = true;
  outlet.encoding = from.encoding;
  outlet.is_video = payload::is_video(from.encoding);
  outlet.ssrc = from.ssrc;
  outlet.payload_type = from.payload_type & 0x7f;
  outlet.set_red(from.red_payload_type);
  outlet.has_nack = from.has_nack;
  outlet.has_ccfb = from.has_ccfb;
  outlet.has_rtx = from.rtx_ssrc && from.rtx_payload_type;
  outlet.rtx_ssrc = from.rtx_ssrc.value_or(0);
  outlet.rtx_payload_type = from.rtx_payload_type.value_or(0) & 0x7f;
  outlet.can_repeat = from.has_nack && !outlet.has_rtx && !crypto::is_aead(shape.cipher);
  outlet.header = HeaderTemplate(from, outlet.can_repeat, config.playout_delay);
  outlet.tells_playout = outlet.header.has_playout();
  outlet.next_out = first_number(sender, outlet.ssrc);
  if (outlet.has_rtx) outlet.rtx_sequence = first_number(sender, outlet.rtx_ssrc);
  outlet.last_timestamp = static_cast<std::int64_t>(rng.below(0x8000'0000));
  sender.note_outlets();
}

void FanOut::Impl::close(Sender& sender, std::uint16_t index) {
  Outlet& outlet = sender.outlets[index];
  detach(outlet);
  dequeue(sender, index);
  sender.retired.push_back({outlet.ssrc, static_cast<std::uint16_t>(outlet.next_out)});
  if (outlet.has_rtx) sender.retired.push_back({outlet.rtx_ssrc, outlet.rtx_sequence});
  outlet = Outlet();
  sender.note_outlets();
}

// RFC 3711 §3.3.1: in the lower half, so that a loss at the start does not confuse the rollover counter.
std::uint16_t FanOut::Impl::first_number(Sender& sender, std::uint32_t ssrc) {
  for (std::size_t i = 0; i < sender.retired.size(); ++i) {
    if (sender.retired[i].ssrc != ssrc) continue;
    const std::uint16_t next = sender.retired[i].next;
    sender.retired.erase(sender.retired.begin() + static_cast<std::ptrdiff_t>(i));
    return next;
  }
  return static_cast<std::uint16_t>(rng.below(0x8000));
}

void FanOut::Impl::dequeue(Sender& sender, std::uint16_t index) {
  const Outlet& outlet = sender.outlets[index];
  if (!outlet.is_queued) return;
  const std::size_t list = outlet.is_video ? 1 : 0;
  std::uint16_t* link = &sender.first_queued[list];
  std::uint16_t before = Outlet::kNone;
  while (*link != index) {
    before = *link;
    link = &sender.outlets[before].next_queued;
  }
  *link = outlet.next_queued;
  if (sender.last_queued[list] == index) sender.last_queued[list] = before;
}

FanOut::FanOut(const FanOutConfig& config, srtp::Transform& transform, Rng rng)
    : impl_(std::make_unique<Impl>(config, transform, rng)) {}

FanOut::~FanOut() = default;

StreamId FanOut::add_stream(const payload::RtpTrack& track) {
  const StreamId id = impl_->streams.insert();
  if (!id.is_set()) return id;
  Stream& stream = *impl_->streams.find(id);
  stream.track = track;
  for (std::size_t i = 0; i < stream.layer_count(); ++i)
    stream.layers[i] =
        std::make_unique<Layer>(impl_->config.history, track, id, static_cast<payload::LayerIndex>(i));
  if (stream.layer_count() > 1 && impl_->layered_streams++ == 0)
    impl_->layers_checked_at = impl_->now + kLayerCheck;
  return id;
}

void FanOut::remove_stream(StreamId id) {
  Stream* stream = impl_->find_stream(id);
  if (stream == nullptr) return;
  while (!stream->subscribed.empty()) {
    Outlet& outlet = *impl_->find_outlet(stream->subscribed.back());
    impl_->stop_waiting(outlet);
    impl_->leave(Role::kSubscribed, stream->subscribed, outlet);
    outlet.source = {};
  }
  for (std::size_t i = 0; i < stream->layer_count(); ++i) {
    Layer* layer = stream->layers[i].get();
    while (!layer->waiting.empty()) impl_->stop_waiting(*impl_->find_outlet(layer->waiting.back()));
    while (!layer->fed.empty()) impl_->leave_feed(*impl_->find_outlet(layer->fed.back()));
    erase_value(impl_->dirty, layer);
    erase_value(impl_->gathered, layer);
    erase_value(impl_->wanted, layer);
  }
  if (stream->layer_count() > 1 && --impl_->layered_streams == 0)
    impl_->layers_checked_at = Timestamp::never();
  impl_->streams.erase(id);
}

void FanOut::append(Timestamp now, StreamId id, const payload::PacketBatch& batch) {
  impl_->append(now, id, std::span(&batch, 1), false);
}

void FanOut::append_group(Timestamp now, StreamId id, std::span<const payload::PacketBatch> group) {
  impl_->append(now, id, group, true);
}

void FanOut::map_clock(StreamId stream, payload::LayerIndex layer, const payload::ClockMapping& mapping) {
  Layer* found = impl_->find_layer(stream, layer);
  if (found == nullptr) return;
  found->clock = mapping;
  found->clock->timestamp += found->history.timestamp_shift();
}

const History* FanOut::history(StreamId stream, payload::LayerIndex layer) const {
  const Layer* found = impl_->find_layer(stream, layer);
  return found ? &found->history : nullptr;
}

SenderId FanOut::add_sender(Timestamp now, const SenderConfig& config, srtp::SendContext& context,
                            const ice::Path& path) {
  if (config.outlets.size() > kOutletsMax) return {};
  const SenderId id = impl_->senders.insert(std::make_unique<Sender>(config.pacer, context, path));
  if (!id.is_set()) return id;
  Sender& sender = *impl_->find_sender(id);
  sender.id = id;
  sender.red_until = now + impl_->config.red_kept;
  sender.tag_bytes = srtp::shape_of(context.profile()).rtp_tag_bytes;
  sender.cname = config.cname.substr(0, rtcp::kSdesTextBytesMax);
  sender.outlets.resize(config.outlets.size());
  for (std::size_t i = 0; i < config.outlets.size(); ++i)
    impl_->open(sender, sender.outlets[i], config.outlets[i]);
  if (impl_->ids.size() <= id.index) impl_->ids.resize(id.index + 1u);
  impl_->ids[id.index] = id;
  if (impl_->config.congestion) {
    sender.congestion =
        std::make_unique<Congestion>(*impl_->config.congestion, now, impl_->congestion_scratch);
    impl_->congestion.set(now, id.index, now);
  }
  const double phase = 0.1 + 0.4 * impl_->rng.unit();
  impl_->reports.set(now, id.index,
                     now + Duration::from_seconds(impl_->config.report_interval.as_seconds() * phase));
  return id;
}

void FanOut::remove_sender(SenderId id) {
  Sender* sender = impl_->find_sender(id);
  if (sender == nullptr) return;
  for (Outlet& outlet : sender->all())
    if (outlet.is_open) impl_->detach(outlet);
  impl_->pacing.drop(id.index);
  impl_->reports.drop(id.index);
  impl_->congestion.drop(id.index);
  impl_->ids[id.index] = {};
  impl_->senders.erase(id);
}

void FanOut::open_outlet(SenderId id, std::size_t index, const OutletConfig& config) {
  Sender* sender = impl_->find_sender(id);
  if (sender == nullptr || index >= kOutletsMax) return;
  close_outlet(id, index);
  if (sender->outlets.size() <= index) sender->outlets.resize(index + 1);
  impl_->open(*sender, sender->outlets[index], config);
}

void FanOut::close_outlet(SenderId id, std::size_t index) {
  Sender* sender = impl_->find_sender(id);
  if (sender == nullptr || index >= sender->outlets.size() || !sender->outlets[index].is_open) return;
  impl_->close(*sender, static_cast<std::uint16_t>(index));
}

void FanOut::set_red(SenderId id, std::size_t outlet, std::optional<std::uint8_t> payload_type) {
  const OutletRef ref{id, static_cast<std::uint16_t>(std::min<std::size_t>(outlet, Outlet::kNone))};
  Outlet* found = impl_->find_outlet(ref);
  if (found == nullptr) return;
  found->set_red(payload_type);
  found->end_repeats();
}

void FanOut::set_path(SenderId id, const std::optional<ice::Path>& path) {
  Sender* sender = impl_->find_sender(id);
  if (sender == nullptr) return;
  sender->path = path;
  if (!path) return;
  const bool has_moved = std::exchange(sender->route, path->remote) != path->remote;
  if (has_moved && sender->congestion) sender->congestion->controller().handle_route_change(impl_->now);
  impl_->enqueue(*sender);
}

void FanOut::set_demand(Timestamp now, SenderId id, const bwe::Demand& demand) {
  Sender* sender = impl_->find_sender(id);
  if (sender == nullptr || !sender->congestion) return;
  sender->congestion->controller().set_demand(now, demand);
  impl_->congestion.set(now, id.index, now);
}

void FanOut::set_source(Timestamp now, SenderId id, std::size_t outlet, StreamId stream, FanOutOutputs& out) {
  impl_->now = now;
  const OutletRef ref{id, static_cast<std::uint16_t>(std::min<std::size_t>(outlet, Outlet::kNone))};
  if (impl_->find_outlet(ref) == nullptr) return;
  impl_->subscribe(now, ref, stream);
  impl_->emit_wanted(out);
}

void FanOut::set_layer_max(Timestamp now, SenderId id, std::size_t outlet, payload::LayerIndex layer,
                           FanOutOutputs& out) {
  impl_->now = now;
  const OutletRef ref{id, static_cast<std::uint16_t>(std::min<std::size_t>(outlet, Outlet::kNone))};
  Outlet* found = impl_->find_outlet(ref);
  if (found == nullptr || found->layer_max == layer) return;
  found->layer_max = layer;
  if (found->feed) {
    found->level.spatial = found->spatial_wanted();
    impl_->climb(now, *found);
  }
  impl_->choose_layer(now, ref);
  impl_->emit_wanted(out);
}

void FanOut::set_frames_wanted(SenderId id, std::size_t outlet, std::uint32_t frames_per_second) {
  const OutletRef ref{id, static_cast<std::uint16_t>(std::min<std::size_t>(outlet, Outlet::kNone))};
  Outlet* found = impl_->find_outlet(ref);
  if (found == nullptr || found->frames_wanted == frames_per_second) return;
  found->frames_wanted = frames_per_second;
  if (found->feed) found->level.temporal = found->feed->rates.level_for(frames_per_second, kFullRate);
}

void FanOut::handle_deadline(Timestamp now, WallTime wall, FanOutOutputs& out) {
  impl_->now = now;
  for (std::uint32_t index; (index = impl_->pacing.take_due(now)) != Wheel::kNone;) {
    Sender* sender = impl_->find_sender(impl_->ids[index]);
    if (sender != nullptr) impl_->release(*sender);
  }
  for (std::uint32_t index; (index = impl_->reports.take_due(now)) != Wheel::kNone;) {
    Sender* sender = impl_->find_sender(impl_->ids[index]);
    if (sender == nullptr) continue;
    impl_->report(now, wall, *sender, out);
    const double share = 0.8 + 0.4 * impl_->rng.unit();
    const Duration wait = Duration::from_seconds(impl_->config.report_interval.as_seconds() * share);
    impl_->reports.set(now, index, now + std::max(wait, Duration::milliseconds(20)));
  }
  for (std::uint32_t index; (index = impl_->congestion.take_due(now)) != Wheel::kNone;) {
    Sender* sender = impl_->find_sender(impl_->ids[index]);
    if (sender == nullptr) continue;
    sender->congestion->controller().handle_deadline(now);
    impl_->steer(now, *sender, out);
  }
  if (now >= impl_->layers_checked_at) {
    impl_->layers_checked_at = now + kLayerCheck;
    impl_->check_layers(now);
  }
  if (now >= impl_->trimmed_at) impl_->trim_histories(now);
  if (now >= impl_->gathered_until) impl_->release_gathered();
  impl_->emit_wanted(out);
}

Timestamp FanOut::next_deadline() const {
  return std::min({impl_->pacing.next(), impl_->reports.next(), impl_->congestion.next(),
                   impl_->layers_checked_at, impl_->trimmed_at, impl_->gathered_until, impl_->next_wish()});
}

bool FanOut::fill(Timestamp now, DatagramBatch& batch) { return impl_->fill(now, batch); }

bool FanOut::has_work() const { return !impl_->dirty.empty() || impl_->work_first < impl_->work.size(); }

std::size_t FanOut::streams() const { return impl_->streams.size(); }
std::size_t FanOut::senders() const { return impl_->senders.size(); }

OutletStats FanOut::stats(SenderId sender, std::size_t outlet) const {
  const Sender* found = impl_->find_sender(sender);
  if (!found || outlet >= found->outlets.size()) return {};
  OutletStats stats = found->outlets[outlet].stats;
  const Layer* feed = found->outlets[outlet].feed;
  if (feed) stats.layer = feed->index;
  if (feed && feed->may_be_scalable && found->outlets[outlet].has_run())
    stats.layer = std::min<payload::LayerIndex>(found->outlets[outlet].run().level.spatial,
                                                feed->history.spatial_layers(impl_->now) - 1);
  return stats;
}

std::optional<Duration> FanOut::round_trip(SenderId sender) const {
  const Sender* found = impl_->find_sender(sender);
  if (!found || !found->round_trip.is_known()) return std::nullopt;
  return found->round_trip.smoothed_or({});
}

std::optional<bwe::Target> FanOut::target(SenderId sender) const {
  const Sender* found = impl_->find_sender(sender);
  if (!found || !found->congestion) return std::nullopt;
  return found->congestion->controller().target();
}

const FanOut::Totals& FanOut::totals() const { return impl_->totals; }

}  // namespace stoa::webrtc
