// What fits of what a seat's participant is sent.
#include <limits>
#include <utility>

#include "shard/seat.h"

namespace stoa::shard {

namespace pb = livekit::pb;

namespace {

constexpr Duration kBudgetInterval = Duration::milliseconds(500);
// Of a layer that does not come (nobody may want it) the last rate counts for so long, then the announced
// one.
constexpr Duration kRateKept = Duration::seconds(8);
constexpr std::uint64_t kPacketOverhead = 60;  // IP, UDP, RTP with its extensions, and SRTP's tag, in bytes.
constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

void add_state(pb::StreamStateUpdate& update, const room::Subscribed& what, room::Quality fits) {
  pb::StreamStateInfo& state = *update.add_stream_states();
  state.set_participant_sid(what.publisher_sid);
  state.set_track_sid(what.track.sid);
  state.set_state(fits == room::Quality::kOff ? pb::PAUSED : pb::ACTIVE);
}

}  // namespace

void Seat::set_budget(Timestamp now, std::int64_t bits_per_second, SeatOutputs& out) {
  if (bits_per_second > 0) {
    budget_bps_ = static_cast<std::uint64_t>(bits_per_second);
    budget_at_ = now + kBudgetInterval;
  } else {
    budget_bps_.reset();
    budget_at_ = Timestamp::never();
  }
  had_budget_ = had_budget_ || budget_bps_;
  rates_at_ = now;
  for (auto& [sid, subscription] : subscriptions_) subscription.measured = {};
  share_budget(now, out);
}

// How fast layers come to this shard, smoothed over a few intervals: keyframes are large.
void Seat::measure_rates(Timestamp now) {
  budget_at_ = now + kBudgetInterval;
  const double elapsed = (now - std::exchange(rates_at_, now)).as_seconds();
  for (auto& [sid, subscription] : subscriptions_) {
    const TrackHub::Feed* found = world_.hub.find_feed(subscription.media().place.publication);
    const webrtc::StreamId stream = found ? found->stream : webrtc::StreamId{};
    const bool is_known = std::exchange(subscription.measured, stream) == stream && elapsed > 0;
    for (std::size_t i = 0; i < subscription.rates.size(); ++i) {
      const auto* history = stream.is_set() && i < found->track.layers
                                ? world_.port.fan_out().history(stream, static_cast<payload::LayerIndex>(i))
                                : nullptr;
      Subscription::Rate& rate = subscription.rates[i];
      const std::uint64_t bytes =
          history ? history->appended_bytes() + static_cast<std::uint64_t>(history->end()) * kPacketOverhead
                  : 0;
      const std::uint64_t more = bytes - std::min(bytes, std::exchange(rate.bytes, bytes));
      if (is_known && more > 0) {
        const auto newest = static_cast<std::uint64_t>(static_cast<double>(more * 8) / elapsed);
        rate.bits_per_second = rate.bits_per_second == 0 ? newest : (rate.bits_per_second * 3 + newest) / 4;
        rate.flowed_at = now;
      } else if (now - rate.flowed_at > kRateKept) {
        rate.bits_per_second = 0;
      }
    }
  }
}

room::BudgetClaim Seat::claim_of(const Subscription& subscription) const {
  const room::TrackInfo& track = subscription.what.track;
  const std::vector<room::VideoLayer> layers = layers_of(subscription);
  room::BudgetClaim claim{.priority = room::priority_of(subscription.wish, track.source),
                          .wanted = track.is_muted || subscription.is_unsupported
                                        ? room::Quality::kOff
                                        : room::quality_of(subscription.wish, layers),
                          .given = subscription.fits,
                          .steps = {}};
  const TrackHub::Feed* found = world_.hub.find_feed(subscription.media().place.publication);
  const std::size_t flowing = found ? found->track.layers : 1;
  for (std::size_t i = 0; i < std::min<std::size_t>(flowing, layers.size()); ++i) {
    const room::VideoLayer& layer = layers[flowing == 1 ? layers.size() - 1 : i];
    const std::uint64_t measured = subscription.rates[i].bits_per_second;
    claim.steps.push_back({layer.quality, measured > 0 ? measured : layer.bits_per_second});
  }
  if (claim.steps.empty())
    claim.steps.push_back({room::Quality::kHigh, subscription.rates[0].bits_per_second});
  return claim;
}

// Pictures get what sound leaves; whoever is paused is told, and told when it comes back.
void Seat::share_budget(Timestamp now, SeatOutputs& out) {
  std::uint64_t left = budget_bps_.value_or(kUnlimited);
  std::vector<Subscription*> pictures;
  std::vector<room::BudgetClaim> claims;
  for (auto& [sid, subscription] : subscriptions_) {
    if (subscription.what.track.kind == room::TrackKind::kVideo) {
      pictures.push_back(&subscription);
      claims.push_back(claim_of(subscription));
    } else if (subscription.fed_from.is_set()) {
      left -= std::min(left, subscription.rates[0].bits_per_second);
    }
  }
  const std::vector<room::Quality> shares = room::share_budget(left, claims);
  pb::SignalResponse response;
  pb::StreamStateUpdate& update = *response.mutable_stream_state_update();
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    Subscription& picture = *pictures[i];
    // Nothing is held back from who does not want it.
    const bool is_bounded = budget_bps_ && claims[i].wanted != room::Quality::kOff;
    const room::Quality fits = is_bounded ? shares[i] : room::Quality::kHigh;
    const room::Quality before = std::exchange(picture.fits, fits);
    if (before == fits) continue;
    feed(now, picture);
    if ((before == room::Quality::kOff) != (fits == room::Quality::kOff))
      add_state(update, picture.what, fits);
  }
  if (update.stream_states_size() > 0) send(response, out);
}

// What is muted takes nothing.
void Seat::note_muted(const room::ParticipantInfo& publisher) {
  for (const room::TrackInfo& track : publisher.tracks)
    if (auto found = subscriptions_.find(track.sid); found != subscriptions_.end())
      found->second.what.track.is_muted = track.is_muted;
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
