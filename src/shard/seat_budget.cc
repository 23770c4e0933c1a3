// What fits of what a seat's participant is sent.
#include "shard/seat_budget.h"

#include <algorithm>
#include <utility>

#include "shard/seat.h"

namespace stoa::shard {

namespace pb = livekit::pb;

namespace {

constexpr Duration kBudgetInterval = Duration::milliseconds(500);
void add_state(pb::StreamStateUpdate& update, const room::Subscribed& what, room::Quality fits) {
  pb::StreamStateInfo& state = *update.add_stream_states();
  state.set_participant_sid(what.publisher_sid);
  state.set_track_sid(what.track.sid);
  state.set_state(fits == room::Quality::kOff ? pb::PAUSED : pb::ACTIVE);
}

}  // namespace

// ---- What bounds it.

void RecentSpeakers::note(Timestamp now, const room::SpeakersChanged& changed) {
  std::erase_if(until_, [&](const auto& one) { return one.second <= now; });
  for (const room::SpeakerLevel& speaker : changed.speakers) {
    auto known = until_.find(speaker.participant);
    if (known == until_.end() && (!speaker.is_active || until_.size() >= kMax)) continue;
    until_[speaker.participant] = speaker.is_active ? Timestamp::never() : now + kKept;
  }
}

bool RecentSpeakers::has(Timestamp now, const std::string& participant_sid) const {
  auto known = until_.find(participant_sid);
  return known != until_.end() && known->second > now;
}

bwe::EgressWish SeatLimits::wish(const bwe::EgressWish& wanted) const {
  bwe::EgressWish wish = wanted;
  for (const auto& limit : {asked, path}) {
    if (!limit) continue;
    wish.all_bits_per_second = std::min(wish.all_bits_per_second, *limit);
    wish.least_bits_per_second = std::min(wish.least_bits_per_second, *limit);
  }
  return wish;
}

std::optional<std::uint64_t> SeatLimits::total(const bwe::EgressWish& wanted) const {
  std::optional<std::uint64_t> total;
  auto bound = [&](std::uint64_t bits) { total = std::min(total.value_or(bits), bits); };
  if (asked) bound(*asked);
  if (path) bound(*path);
  if (has_egress()) bound(bwe::egress_of(wish(wanted), bwe::tighter(room, node)));
  return total;
}

bool SeatLimits::is_of_path(const bwe::EgressWish& wanted) const { return path && total(wanted) == path; }

// ---- What follows from it.

// A claim's steps call layers by their quality.
bwe::Claim Seat::claim_of(Timestamp now, const Subscription& subscription) const {
  const room::TrackInfo& track = subscription.what.track;
  const room::TrackWish& wish = subscription.wish;
  const std::vector<room::VideoLayer> layers = layers_of(subscription);
  bwe::Claim claim{.track = subscription.key,
                   .priority = room::priority_of(wish, track.source),
                   .is_speaking = speakers_.has(now, subscription.what.publisher_sid),
                   .pixels = std::uint64_t{wish.width} * wish.height};
  const room::Quality wanted = room::quality_of(wish, layers);
  if (track.is_muted || subscription.is_unsupported || wanted == room::Quality::kOff) return claim;
  const TrackHub::Feed* found = world_.hub.find_feed(subscription.media().place.publication);
  const std::size_t flowing =
      found ? flowing_layers(now, world_.port.fan_out(), found->stream, found->track) : 1;
  // Of faces a smaller picture is given up last but frames: who stutters is worse to talk to than who is
  // blurred. Of a screen the size comes last: text that moves seldom is still text.
  const bool is_screen = track.source == room::TrackSource::kScreenShare;
  for (std::size_t i = 0; i < std::max<std::size_t>(1, std::min(flowing, layers.size())); ++i) {
    const room::VideoLayer layer =
        layers.empty() ? room::VideoLayer() : layers[flowing == 1 ? layers.size() - 1 : i];
    if (!claim.steps.empty() &&
        (layer.quality > wanted || claim.steps.back().layer == static_cast<std::uint8_t>(layer.quality)))
      continue;
    const std::uint64_t measured = subscription.rates.bits_per_second(i);
    const std::uint64_t bits = measured > 0 ? measured : layer.bits_per_second;
    add_steps(subscription.rates, i,
              {.layer = static_cast<std::uint8_t>(layer.quality),
               .bits_per_second = bits,
               .pixels = std::uint64_t{layer.width} * layer.height},
              wish.frames_per_second == 0 && (i == 0 || is_screen), claim.steps);
  }
  return claim;
}

// What a client asks to be bounded by.
void Seat::set_budget(Timestamp now, std::int64_t bits_per_second, SeatOutputs& out) {
  limits_.asked.reset();
  if (bits_per_second > 0) limits_.asked = static_cast<std::uint64_t>(bits_per_second);
  share_budget(now, out);
}

void Seat::handle_bandwidth(Timestamp now, webrtc::SessionId session, const bwe::Target& target,
                            SeatOutputs& out) {
  if (is_closed_ || session != sending()) return;
  allocator_.set_silent(now, target.is_silent);
  const bool is_first = !std::exchange(limits_.path, target.bits_per_second);
  if (is_first) return share_budget(now, out);
  bound(now, out);
}

void Seat::handle_egress(Timestamp now, const bwe::EgressShare& room, const bwe::EgressShare& node,
                         SeatOutputs& out) {
  if (is_closed_ || (limits_.room == room && limits_.node == node)) return;
  limits_.room = room;
  limits_.node = node;
  bound(now, out);
}

void Seat::measure_rates(Timestamp now) {
  for (auto& [sid, subscription] : subscriptions_) {
    const TrackHub::Feed* found = world_.hub.find_feed(subscription.media().place.publication);
    const TrackHub::Feed feed = found ? *found : TrackHub::Feed();
    subscription.rates.measure(now, world_.port.fan_out(), feed.stream, feed.track);
  }
}

// What it wants may be new, and what that takes.
void Seat::share_budget(Timestamp now, SeatOutputs& out) {
  if (!limits_.path)
    if (const auto target = world_.port.target(sending())) limits_.path = target->bits_per_second;
  const bool is_metered = limits_.is_any() || world_.config.has_egress_budget;
  budget_at_ = is_metered ? now + kBudgetInterval : Timestamp::never();
  if (!is_metered && !was_limited_) return;
  std::vector<bwe::Claim> claims;
  bwe::Sound sound;
  for (const auto& [sid, subscription] : subscriptions_) {
    if (subscription.what.track.kind == room::TrackKind::kVideo) {
      claims.push_back(claim_of(now, subscription));
    } else if (subscription.fed_from.is_set() && !subscription.what.track.is_muted) {
      ++sound.tracks;
      sound.bits_per_second += subscription.rates.bits_per_second(0);
    }
  }
  allocator_.set_claims(now, std::move(claims), sound);
  bound(now, out);
}

void Seat::bound(Timestamp now, SeatOutputs& out) {
  allocator_.set_budget(now, limits_.total(allocator_.wish()));
  carry_out(now, out);
}

// Who is paused is told, and told when it comes back.
void Seat::carry_out(Timestamp now, SeatOutputs& out) {
  tell_demand(now);
  if (!allocator_.take_news()) return;
  was_limited_ = limits_.is_any();
  pb::SignalResponse response;
  pb::StreamStateUpdate& update = *response.mutable_stream_state_update();
  for (std::size_t i = 0; i < allocator_.claims().size(); ++i) {
    const bwe::Claim& claim = allocator_.claims()[i];
    Subscription* picture = find_by_key(claim.track);
    if (picture == nullptr) continue;
    const bwe::Rung rung = allocator_.given()[i];
    // Nothing is held back from who has all it wants, or wants none.
    room::Quality fits = room::Quality::kHigh;
    std::uint8_t frames = bwe::kAllFrames;
    if (rung < claim.steps.size()) {
      fits = rung == 0 ? room::Quality::kOff : static_cast<room::Quality>(claim.steps[rung - 1].layer);
      if (rung > 0) frames = claim.steps[rung - 1].frames;
    }
    const room::Quality before = std::exchange(picture->fits, fits);
    if (before == fits && picture->frames == frames) continue;
    picture->frames = frames;
    feed(now, *picture);
    if ((before == room::Quality::kOff) == (fits == room::Quality::kOff)) continue;
    add_state(update, picture->what, fits);
    has_told_states_ = true;
  }
  if (update.stream_states_size() > 0) send(response, out);
}

// What is worth probing for: nothing that another limit forbids.
void Seat::tell_demand(Timestamp now) {
  if (!limits_.path) return;
  SeatLimits others = limits_;
  others.path.reset();
  bwe::Demand demand = allocator_.demand();
  if (const auto most = others.total(allocator_.wish())) {
    demand.all_bits_per_second = std::min(demand.all_bits_per_second, *most);
    if (demand.next_bits_per_second > *most) demand.next_bits_per_second = 0;
  }
  if (demand == std::exchange(told_demand_, demand)) return;
  world_.port.set_demand(now, sending(), demand);
}

// What is muted takes nothing.
void Seat::note_muted(Timestamp now, const room::ParticipantInfo& publisher, SeatOutputs& out) {
  bool has_changed = false;
  for (const room::TrackInfo& track : publisher.tracks)
    if (auto found = subscriptions_.find(track.sid); found != subscriptions_.end())
      has_changed |= std::exchange(found->second.what.track.is_muted, track.is_muted) != track.is_muted;
  if (has_changed) share_budget(now, out);
}

// How far from what it wants the path keeps it.
void Seat::note_held_back(const Subscription& subscription, room::StreamQuality& quality) const {
  if (subscription.fits == room::Quality::kHigh || !limits_.is_of_path(allocator_.wish())) return;
  const std::vector<room::VideoLayer> layers = layers_of(subscription);
  const room::Quality wanted = room::quality_of(subscription.wish, layers);
  if (wanted == room::Quality::kOff) return;
  auto height_of = [&](room::Quality one) -> std::uint32_t {
    if (one == room::Quality::kOff) return 0;
    auto layer = std::ranges::find(layers, one, &room::VideoLayer::quality);
    return layer != layers.end() && layer->height != 0 ? layer->height : 180u << static_cast<unsigned>(one);
  };
  quality.wanted_height = height_of(wanted);
  quality.delivered_height = height_of(room::at_most(wanted, subscription.fits));
}

// To who may have missed some of it.
void Seat::tell_stream_states(SeatOutputs& out) {
  pb::SignalResponse response;
  for (const auto& [sid, subscription] : subscriptions_)
    if (subscription.what.track.kind == room::TrackKind::kVideo)
      add_state(*response.mutable_stream_state_update(), subscription.what, subscription.fits);
  if (response.has_stream_state_update()) send(response, out);
}

}  // namespace stoa::shard
