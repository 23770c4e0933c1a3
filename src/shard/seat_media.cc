// What a seat's participant publishes and what it is sent.
#include <algorithm>
#include <utility>

#include "base/letters.h"
#include "shard/seat.h"

namespace stoa::shard {

namespace pb = livekit::pb;

namespace {

constexpr Duration kLevelInterval = Duration::milliseconds(400);
constexpr Duration kAudioPacket = Duration::milliseconds(20);
constexpr float kSimulatedLevel = 0.8f;

std::string mime_type_of(payload::Encoding encoding) {
  return (payload::is_video(encoding) ? "video/" : "audio/") + std::string(payload::name_of(encoding));
}

bool is_video(const webrtc::PeerTrack& peer) { return peer.kind == media::Kind::kVideo; }

// Which of a codec's layers are wanted: those up to `quality`.
void add_codec(pb::SubscribedQualityUpdate& update, std::string_view name, room::Quality quality) {
  pb::SubscribedCodec& codec = *update.add_subscribed_codecs();
  codec.set_codec(lower(name));
  for (room::Quality one : {room::Quality::kLow, room::Quality::kMedium, room::Quality::kHigh}) {
    pb::SubscribedQuality& entry = *codec.add_qualities();
    entry.set_quality(livekit::to_wire(one));
    entry.set_enabled(quality != room::Quality::kOff && one <= quality);
  }
}

// The highest layer that may be sent for this quality. Of spatial layers within a stream (SVC) nobody agreed
// upon a number: who may have the highest that is announced may have all.
payload::LayerIndex layer_limit(const payload::RtpTrack& track, room::Quality quality,
                                const std::vector<room::VideoLayer>& layers) {
  const auto chosen =
      layers.empty() ? static_cast<payload::LayerIndex>(quality) : room::layer_of(quality, layers);
  if (!track.may_be_scalable())
    return std::min(chosen, static_cast<payload::LayerIndex>(std::max<int>(track.layers, 1) - 1));
  return chosen + 1u < layers.size() ? chosen : payload::kLayersMax - 1;
}

}  // namespace

// ---- What it publishes.

void Seat::handle_offer(Timestamp now, const pb::SessionDescription& offer, SeatOutputs& out) {
  ++world_.counters.offers;
  std::vector<webrtc::PeerOutlet> wanted;
  if (is_single_) wanted = outlets();
  auto answered = world_.port.answer_peer(now, publisher_, offer.sdp(), wanted, {client_, is_tcp_only_},
                                          world_.port_outputs, preferences_);
  if (!answered) {
    ++world_.counters.bad_offers;
    const webrtc::OpenFault& fault = answered.error();
    if (fault.refusal != webrtc::OpenRefusal::kBadOffer)
      return lose_media(webrtc::name_of(fault.refusal), out);
    log(LogLevel::kWarning, "offer refused: " + fault.negotiation.text, out);
    return put_out(room::LeaveReason::kStateMismatch, false, out);
  }
  if (!publisher_.is_set()) out.push(SeatSession{answered->session});
  publisher_ = answered->session;
  pb::SignalResponse response;
  pb::SessionDescription& answer = *response.mutable_answer();
  answer.set_type("answer");
  answer.set_sdp(std::move(answered->answer));
  answer.set_id(offer.id());
  if (is_single_) {
    take_seats(now, answered->seats, out);
    for (const webrtc::PeerSeat& seat : answered->seats)
      if (const Subscription* subscription = find_by_key(seat.key))
        (*answer.mutable_mid_to_track_id())[seat.mid] = subscription->what.track.sid;
  }
  send(response, out);
  take_own_tracks(now, std::move(answered->tracks), out);
  if (!is_single_) return;
  is_offer_asked_ = has_section_to_free_ = false;
  handle_unsupported(now, answered->unsupported, out);
  if (!answered->unseated.empty()) needs_offer_ = true;
}

void Seat::take_own_tracks(Timestamp now, std::vector<webrtc::PeerTrack> tracks, SeatOutputs& out) {
  for (auto own = own_.begin(); own != own_.end();) {
    bool stays = std::ranges::any_of(tracks, [&](const webrtc::PeerTrack& peer) {
      return peer.id == own->first && peer.mid == own->second.peer.mid &&
             peer.track_id == own->second.peer.track_id;
    });
    if (stays) {
      ++own;
      continue;
    }
    const std::string sid = own->second.sid;
    unpublish(own->second);
    own = own_.erase(own);
    bool has_other = std::ranges::any_of(own_, [&](const auto& entry) { return entry.second.sid == sid; });
    if (sid.empty() || has_other) continue;
    announced_.erase(sid);
    command(room::UnpublishTrack{sid}, out);
  }
  for (webrtc::PeerTrack& peer : tracks) {
    OwnMedia& own = own_[peer.id];
    own.peer = std::move(peer);
  }
  match_media(now, out);
}

// Offers and announcements come in any order.
void Seat::match_media(Timestamp now, SeatOutputs& out) {
  auto is_taken = [&](const std::string& sid) {
    return std::ranges::any_of(own_, [&](const auto& entry) { return entry.second.sid == sid; });
  };
  for (auto& [id, media] : own_) {
    if (!media.sid.empty()) continue;
    for (const auto& [sid, announced] : announced_) {
      auto cid = std::ranges::find(announced.cids, media.peer.track_id);
      if (cid == announced.cids.end()) continue;
      media.sid = sid;
      media.cid = *cid;
    }
    if (!media.sid.empty() || !makes_own_names()) continue;
    // Its names are the browser's own: the only one of its kind on either side is meant.
    const std::string* only = nullptr;
    std::size_t count = 0;
    for (const auto& [sid, announced] : announced_) {
      if ((announced.info.kind == room::TrackKind::kVideo) != is_video(media.peer) || is_taken(sid)) continue;
      only = &sid;
      ++count;
    }
    if (count == 1) media.sid = *only;
  }
  for (auto& [id, media] : own_)
    if (!media.sid.empty() && media.name.empty()) publish(now, media, out);
}

// Firefox does not write the names that scripts see into its descriptions.
bool Seat::makes_own_names() const {
  return lower(params_->client.browser()).find("firefox") != std::string::npos;
}

void Seat::publish(Timestamp now, OwnMedia& media, SeatOutputs& out) {
  if (!media.rtp || media.sid.empty()) return;
  if (media.name.empty()) {
    media.name = std::string(relay::kTrackPrefix) + media.sid + '/' + std::to_string(next_publication_++);
    by_name_[media.name] = media.peer.id;
  }
  world_.hub.publish(media.name, publisher_, media.peer.id, *media.rtp, world_.hub_outputs);
  set_gate(media);
  command(room::PublishTrack{.sid = media.sid,
                             .mid = media.peer.mid,
                             .media = {mime_type_of(media.rtp->encoding), {world_.shard, media.name}},
                             .cid = media.cid},
          out);
  if (!is_video(media.peer) && levels_at_ == Timestamp::never()) levels_at_ = now + kLevelInterval;
}

void Seat::unpublish(OwnMedia& media) {
  media.sid.clear();
  if (media.name.empty()) return;
  world_.hub.unpublish(media.name, world_.hub_outputs);
  by_name_.erase(media.name);
  media.name.clear();
}

void Seat::handle_published(Timestamp now, webrtc::Published& published, SeatOutputs& out) {
  std::visit(Overloaded{
                 [&](webrtc::TrackOpened& opened) {
                   auto found = own_.find(opened.track.id);
                   if (found == own_.end()) return;
                   found->second.rtp = opened.track;
                   publish(now, found->second, out);
                 },
                 [&](webrtc::PacketsReceived& received) {
                   world_.hub.handle_packets(now, published.session, received.track, received.batch,
                                             world_.hub_outputs);
                   auto found = own_.find(received.track);
                   if (found == own_.end() || is_video(found->second.peer)) return;
                   for (std::size_t i = 0; i < received.batch.count; ++i)
                     if (received.batch[i].has_audio_level)
                       found->second.loudness.add(now, received.batch[i].audio_level & 0x7f, kAudioPacket);
                 },
                 [&](webrtc::TrackClockMapped& mapped) {
                   world_.hub.handle_clock(published.session, mapped.track, mapped.layer, mapped.mapping,
                                           world_.hub_outputs);
                 },
                 [](webrtc::LayersActive&) {},  // The fan-out sees what flows.
                 [](webrtc::TrackClosed&) {},   // Ends with its section, not with a silence.
             },
             published.event);
}

void Seat::report_levels(Timestamp now, SeatOutputs& out) {
  room::ReportLevels report;
  bool has_audio = false;
  for (auto& [id, media] : own_) {
    if (media.name.empty() || is_video(media.peer)) continue;
    has_audio = true;
    auto level = media.loudness.take_level(now);
    if (now < simulated_speech_until_) level = kSimulatedLevel;
    if (!level || (*level == 0 && media.level == 0)) continue;
    media.level = *level;
    report.levels.push_back({media.sid, *level});
  }
  levels_at_ = has_audio ? now + kLevelInterval : Timestamp::never();
  if (!report.levels.empty()) command(std::move(report), out);
}

// What nobody looks at need not be sent …
void Seat::handle_quality_news(const std::string& name, room::Quality quality, SeatOutputs& out) {
  tell_wanted(name, quality, nullptr, out);
}

// … and another codec when it is needed.
void Seat::handle_codec_news(const std::string& name, const std::string& mime_type, SeatOutputs& out) {
  tell_wanted(name, room::Quality::kHigh, &mime_type, out);
}

void Seat::tell_wanted(const std::string& name, room::Quality quality, const std::string* other,
                       SeatOutputs& out) {
  auto named = by_name_.find(name);
  if (named == by_name_.end()) return;
  const OwnMedia& media = own_.at(named->second);
  if (!is_video(media.peer) || !media.rtp) return;
  pb::SignalResponse response;
  pb::SubscribedQualityUpdate& update = *response.mutable_subscribed_quality_update();
  update.set_track_sid(media.sid);
  add_codec(update, payload::name_of(media.rtp->encoding), quality);
  *update.mutable_subscribed_qualities() = update.subscribed_codecs(0).qualities();
  if (other) add_codec(update, std::string_view(*other).substr(other->find('/') + 1), room::Quality::kHigh);
  send(response, out);
}

// ---- What it is sent.

Seat::Subscription* Seat::find_by_key(std::uint64_t key) {
  for (auto& [sid, subscription] : subscriptions_)
    if (subscription.key == key) return &subscription;
  return nullptr;
}

std::vector<webrtc::PeerOutlet> Seat::outlets() const {
  std::vector<webrtc::PeerOutlet> all;
  for (const auto& [sid, subscription] : subscriptions_)
    if (subscription.outlet) all.push_back(*subscription.outlet);
  return all;
}

void Seat::subscribe(Timestamp now, const room::Subscribed& what, SeatOutputs& out) {
  if (what.media.empty()) return unsubscribe(now, what.track.sid, out);
  auto found = subscriptions_.find(what.track.sid);
  if (found == subscriptions_.end()) {
    if (subscriptions_.size() >= world_.config.subscriptions_max) return wait_to_subscribe(what, out);
    found = subscriptions_.emplace(what.track.sid, Subscription{}).first;
    found->second.key = next_key_++;
    found->second.what = what;
    // Until it is known what there is room for.
    if (limits_.is_any()) found->second.fits = room::Quality::kLow;
    return choose_media(now, found->second, 0);
  }
  Subscription& subscription = found->second;
  const room::TrackMedia before = subscription.media();
  subscription.what = what;
  auto same = std::ranges::find(what.media, before);
  if (same != what.media.end()) {
    subscription.choice = static_cast<std::size_t>(same - what.media.begin());
    // What it could not take has got company.
    if (subscription.is_unsupported && subscription.choice + 1 < what.media.size())
      return choose_next(now, subscription);
    return feed(now, subscription);
  }
  by_feed_.erase(before.place.publication);
  world_.hub.unlisten(now, before.place.publication, id_, world_.hub_outputs);
  choose_media(now, subscription, 0);
}

void Seat::wait_to_subscribe(const room::Subscribed& what, SeatOutputs& out) {
  auto known = std::ranges::find(waiting_, what.track.sid, [](const auto& one) { return one.track.sid; });
  if (known != waiting_.end()) {
    *known = what;
    return;
  }
  if (waiting_.empty()) log(LogLevel::kWarning, "subscribes to more tracks than one connection carries", out);
  if (waiting_.size() < kWaitingMax) return waiting_.push_back(what);
  // The client may ask again when there is room.
  command(room::Subscribe{{what.track.sid}, false}, out);
}

void Seat::choose_media(Timestamp now, Subscription& subscription, std::size_t choice) {
  subscription.choice = choice;
  const room::TrackPlace& place = subscription.media().place;
  by_feed_[place.publication] = subscription.what.track.sid;
  world_.hub.listen(now, place, id_, world_.hub_outputs);
  refresh_outlet(now, subscription);
}

void Seat::handle_feed_changed(Timestamp now, const std::string& name) {
  auto sid = by_feed_.find(name);
  if (sid == by_feed_.end()) return;
  refresh_outlet(now, subscriptions_.at(sid->second));
}

void Seat::refresh_outlet(Timestamp now, Subscription& subscription) {
  const TrackHub::Feed* found = world_.hub.find_feed(subscription.media().place.publication);
  if (found == nullptr || !found->stream.is_set()) return;
  const payload::RtpTrack& track = found->track;
  if (subscription.is_unsupported && subscription.unsupported == track.encoding) return;
  const bool is_same = subscription.outlet && subscription.outlet->track.encoding == track.encoding &&
                       subscription.outlet->track.profile == track.profile;
  if (!is_same) {
    const std::string& sid = subscription.what.track.sid;
    subscription.outlet = webrtc::PeerOutlet{.key = subscription.key,
                                             .track = track,
                                             .stream_id = subscription.what.publisher_sid + '|' + sid,
                                             .track_id = sid};
    subscription.seat.reset();
    needs_offer_ = true;
  }
  feed(now, subscription);
}

void Seat::drop_subscription(Timestamp now, Subscription& subscription) {
  if (subscription.seat) world_.port.set_source(now, sending(), *subscription.seat, {}, world_.port_outputs);
  const std::string& name = subscription.media().place.publication;
  by_feed_.erase(name);
  world_.hub.unlisten(now, name, id_, world_.hub_outputs);
}

void Seat::unsubscribe(Timestamp now, const std::string& sid, SeatOutputs& out) {
  std::erase_if(waiting_, [&](const room::Subscribed& one) { return one.track.sid == sid; });
  auto found = subscriptions_.find(sid);
  if (found == subscriptions_.end()) return;
  drop_subscription(now, found->second);
  subscriptions_.erase(found);
  needs_offer_ = has_section_to_free_ = true;
  if (waiting_.empty()) return;
  const room::Subscribed next = std::move(waiting_.front());
  waiting_.erase(waiting_.begin());
  subscribe(now, next, out);
}

// The smallest picture first, as publishers' streams are.
std::vector<room::VideoLayer> Seat::layers_of(const Subscription& subscription) {
  const room::TrackInfo& track = subscription.what.track;
  std::vector<room::VideoLayer> layers = track.layers;
  if (subscription.choice < track.codecs.size() && !track.codecs[subscription.choice].layers.empty())
    layers = track.codecs[subscription.choice].layers;
  std::ranges::sort(layers, {}, &room::VideoLayer::quality);
  return layers;
}

// Which picture it is sent, if any.
void Seat::feed(Timestamp now, Subscription& subscription) {
  const std::string& name = subscription.media().place.publication;
  const bool is_picture = subscription.what.track.kind == room::TrackKind::kVideo;
  const std::vector<room::VideoLayer> layers =
      is_picture ? layers_of(subscription) : std::vector<room::VideoLayer>();
  room::Quality quality = room::quality_of(subscription.wish, layers);
  if (quality != room::Quality::kOff && is_picture) quality = room::at_most(quality, subscription.fits);
  if (quality != room::Quality::kOff && !is_picture) quality = room::Quality::kHigh;
  world_.hub.set_wish(now, name, id_, quality, world_.hub_outputs);
  if (!subscription.seat) return;
  const TrackHub::Feed* found = world_.hub.find_feed(name);
  webrtc::StreamId stream = found && quality != room::Quality::kOff ? found->stream : webrtc::StreamId{};
  std::size_t layer = 0;
  const bool has_layers = found && (found->track.layers > 1 || found->track.may_be_scalable());
  if (is_picture && has_layers && quality != room::Quality::kOff) {
    const payload::LayerIndex limit = layer_limit(found->track, quality, layers);
    world_.port.set_layer_max(now, sending(), *subscription.seat, limit, world_.port_outputs);
    layer = std::min<std::size_t>(
        limit, flowing_layers(now, world_.port.fan_out(), found->stream, found->track) - 1);
  }
  if (is_picture) {
    std::uint32_t frames = subscription.wish.frames_per_second;
    if (frames == 0 && subscription.frames != bwe::kAllFrames)
      frames = subscription.rates.frames_per_second(layer, subscription.frames);
    world_.port.set_frames_wanted(sending(), *subscription.seat, frames);
  }
  if (stream == subscription.fed_from) return;
  subscription.fed_from = stream;
  world_.port.set_source(now, sending(), *subscription.seat, stream, world_.port_outputs);
}

void Seat::take_seats(Timestamp now, const std::vector<webrtc::PeerSeat>& seats, SeatOutputs& out) {
  std::unordered_map<std::uint64_t, std::size_t> by_key;
  for (const webrtc::PeerSeat& seat : seats) by_key[seat.key] = seat.outlet;
  for (auto& [sid, subscription] : subscriptions_) {
    auto found = by_key.find(subscription.key);
    if (found == by_key.end() || subscription.seat == found->second) continue;
    subscription.seat = found->second;
    subscription.fed_from = {};
    feed(now, subscription);
  }
  share_budget(now, out);
}

void Seat::choose_next(Timestamp now, Subscription& subscription) {
  const std::string name = subscription.media().place.publication;
  by_feed_.erase(name);
  world_.hub.unlisten(now, name, id_, world_.hub_outputs);
  subscription.is_unsupported = false;
  choose_media(now, subscription, subscription.choice + 1);
}

// One that was announced for a viewer who does not know the first.
const std::string* Seat::find_unpublished_codec(const Subscription& subscription) const {
  for (const room::TrackCodec& codec : subscription.what.track.codecs) {
    bool is_there = std::ranges::any_of(subscription.what.media, [&](const room::TrackMedia& media) {
      return equals_ignoring_case(media.mime_type, codec.mime_type);
    });
    if (!is_there && !codec.mime_type.empty()) return &codec.mime_type;
  }
  return nullptr;
}

void Seat::handle_unsupported(Timestamp now, const std::vector<std::uint64_t>& keys, SeatOutputs& out) {
  for (std::uint64_t key : keys) {
    Subscription* subscription = find_by_key(key);
    if (subscription == nullptr || !subscription->outlet) continue;
    subscription->unsupported = subscription->outlet->track.encoding;
    subscription->outlet.reset();
    subscription->seat.reset();
    if (subscription->choice + 1 < subscription->what.media.size()) {
      choose_next(now, *subscription);
      continue;
    }
    subscription->is_unsupported = true;
    if (const std::string* other = find_unpublished_codec(*subscription)) {
      world_.hub.want_codec(subscription->media().place.publication, *other, world_.hub_outputs);
      continue;
    }
    log(LogLevel::kInfo, "cannot take the codec of track " + subscription->what.track.sid, out);
    pb::SignalResponse response;
    response.mutable_subscription_response()->set_track_sid(subscription->what.track.sid);
    response.mutable_subscription_response()->set_err(pb::SE_CODEC_UNSUPPORTED);
    send(response, out);
    world_.hub.set_wish(now, subscription->media().place.publication, id_, room::Quality::kOff,
                        world_.hub_outputs);
  }
}

// ---- Negotiating what it is sent.

webrtc::SessionId Seat::sending() const { return is_single_ ? publisher_ : subscriber_; }

webrtc::SessionId Seat::primary() const {
  const bool is_subscriber = traits_.is_subscriber_primary() && self_->permissions.can_subscribe;
  return !is_single_ && is_subscriber ? subscriber_ : publisher_;
}

// One offer at a time; without signalling it waits.
bool Seat::wants_flush() const {
  if (!needs_offer_ || is_closed_ || !signal_ || moved_) return false;
  return is_single_ ? !is_offer_asked_ && publisher_.is_set() : open_offer_.empty();
}

void Seat::flush(Timestamp now, SeatOutputs& out) {
  if (is_single_) {
    ask_for_offer(out);
  } else {
    offer(now, out);
  }
}

void Seat::offer(Timestamp now, SeatOutputs& out) {
  needs_offer_ = false;
  const bool restarts_ice = std::exchange(wants_restart_, false);
  if (!subscriber_.is_set()) return;
  auto offered = world_.port.make_offer(now, subscriber_, outlets(), restarts_ice, world_.port_outputs);
  if (!offered) return;
  is_short_of_sections_ = !offered->unseated.empty();
  frees_sections_ = std::exchange(has_section_to_free_, false);
  open_offer_ = std::move(offered->offer);
  send_offer(out);
}

void Seat::send_offer(SeatOutputs& out) {
  ++offer_id_;
  pb::SignalResponse response;
  pb::SessionDescription& offer = *response.mutable_offer();
  offer.set_type("offer");
  offer.set_sdp(open_offer_);
  offer.set_id(offer_id_);
  send(response, out);
}

// How many sections its next offer must have more.
void Seat::ask_for_offer(SeatOutputs& out) {
  std::uint32_t audios = 0, videos = 0;
  for (const auto& [sid, subscription] : subscriptions_) {
    if (!subscription.outlet || subscription.seat) continue;
    ++(subscription.what.track.kind == room::TrackKind::kVideo ? videos : audios);
  }
  needs_offer_ = false;
  // Without more of them it offers what it has: then what is over is told to be.
  if (audios + videos == 0 && !std::exchange(has_section_to_free_, false)) return;
  is_offer_asked_ = true;
  pb::SignalResponse response;
  response.mutable_media_sections_requirement()->set_num_audios(audios);
  response.mutable_media_sections_requirement()->set_num_videos(videos);
  send(response, out);
}

void Seat::handle_answer(Timestamp now, const pb::SessionDescription& answer, SeatOutputs& out) {
  if (is_single_ || !subscriber_.is_set()) return;
  if (answer.id() != 0 && answer.id() != offer_id_) return;  // To an offer that was given up.
  auto accepted = world_.port.accept_answer(now, subscriber_, answer.sdp(), world_.port_outputs);
  if (!accepted) {
    ++world_.counters.bad_offers;
    log(LogLevel::kWarning, "answer refused: " + accepted.error().text, out);
    return put_out(room::LeaveReason::kStateMismatch, false, out);
  }
  open_offer_.clear();
  if (is_short_of_sections_ && (frees_sections_ || !accepted->rejected.empty())) needs_offer_ = true;
  take_seats(now, accepted->seats, out);
  handle_unsupported(now, accepted->rejected, out);
  if (!reliable_) open_channels(now, out);
}

// ---- Its connections.

void Seat::handle_connected(webrtc::SessionId session, SeatOutputs& out) {
  log(LogLevel::kDebug, "connected over " + world_.port.path(session), out);
  if (session != primary() || std::exchange(is_active_, true)) return;
  log(LogLevel::kInfo, "joined over " + world_.port.path(session), out);
  command(room::BecomeActive{}, out);
}

void Seat::handle_path(bool is_there) { has_lost_path_ = !is_there; }

void Seat::handle_session_closed(Timestamp now, const webrtc::SessionClosed& closed, SeatOutputs& out) {
  const bool is_publisher = closed.session == publisher_;
  if (closed.session == sending()) {
    limits_.path.reset();
    allocator_.set_silent(now, false);
    told_demand_ = {};
  }
  if (is_publisher) publisher_ = {};
  if (closed.session == subscriber_ || is_single_) {
    subscriber_ = {};
    reliable_.reset();
    lossy_.reset();
  }
  if (is_closed_) return;
  if (!subscriber_.is_set() && (!is_single_ || is_publisher)) {
    // Its sections are gone with it.
    open_offer_.clear();
    is_offer_asked_ = false;
    for (auto& [sid, subscription] : subscriptions_) {
      subscription.seat.reset();
      subscription.fed_from = {};
    }
  }
  if (!primary().is_set()) is_active_ = false;
  if (is_publisher) take_own_tracks(now, {}, out);
  // Its client closed it: it is about to leave, or publishes no more.
  if (closed.end == webrtc::TransportEnd::kByPeer || closed.end == webrtc::TransportEnd::kLocal) return;
  lose_media(closed.why, out);
}

// Nobody fails in silence: log, metrics, the client, and by the room webhooks.
void Seat::lose_media(std::string_view why, SeatOutputs& out) {
  ++world_.counters.media_failures;
  log(LogLevel::kWarning, "no media connection: " + std::string(why), out);
  put_out(room::LeaveReason::kMediaFailure, true, out);
}

void Seat::measure(Timestamp now, SeatOutputs& out) {
  std::vector<room::StreamQuality> streams;
  const std::optional<Duration> round_trip = world_.port.round_trip(sending());
  score_.reset();
  for (auto& [sid, subscription] : subscriptions_) {
    subscription.scored.reset();
    if (!subscription.seat) continue;
    auto stats = world_.port.outlet_stats(sending(), *subscription.seat);
    if (stats) subscription.readings.add({.at = now, .bytes = stats->bytes});
    const bool is_paused = subscription.fits == room::Quality::kOff;
    if (!stats || stats->packets == 0 || (!subscription.fed_from.is_set() && !is_paused)) continue;
    streams.push_back({.is_video = subscription.what.track.kind == room::TrackKind::kVideo,
                       .loss = stats->loss,
                       .jitter = stats->jitter,
                       .round_trip = round_trip.value_or(Duration()),
                       .has_redundancy = stats->with_red * 2 > stats->packets,
                       .is_silent = has_lost_path_});
    note_held_back(subscription, streams.back());
    subscription.scored = streams.back();
  }
  for (const webrtc::TrackStats& track : world_.port.track_stats(publisher_)) {
    auto found = own_.find(track.track);
    if (found == own_.end() || found->second.name.empty()) continue;
    note_readings(now, found->second, track);
    std::int64_t expected = 0, lost = 0;
    std::uint64_t packets = 0, with_red = 0;
    Duration jitter;
    for (const webrtc::LayerStats& layer : track.layers) {
      expected += layer.expected;
      lost += layer.lost;
      packets += layer.packets;
      with_red += layer.with_red;
      jitter = std::max(jitter, layer.jitter);
    }
    const std::int64_t more = expected - std::exchange(found->second.expected, expected);
    const std::int64_t missed = lost - std::exchange(found->second.lost, lost);
    streams.push_back(
        {.is_video = is_video(found->second.peer),
         .loss = more > 0 ? std::clamp(static_cast<double>(missed) / static_cast<double>(more), 0.0, 1.0) : 0,
         .jitter = jitter,
         .round_trip = round_trip.value_or(Duration()),
         .has_redundancy = with_red * 2 > packets,
         .is_silent = has_lost_path_});
    found->second.scored = streams.back();
  }
  if (streams.empty()) return;
  const room::ConnectionScore score = room::score_of(streams);
  score_ = score;
  if (reported_ == score.quality) return;
  reported_ = score.quality;
  command(room::ReportQuality{score.quality, static_cast<float>(score.mos)}, out);
}

}  // namespace stoa::shard
