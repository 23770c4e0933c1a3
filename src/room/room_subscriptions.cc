// Who receives which track.
#include <algorithm>
#include <utility>

#include "room/room_impl.h"

namespace stoa::room {

bool Room::Impl::lets(const Participant& owner, const Track& track, const Participant& subscriber) const {
  if (owner.lets_everybody) return true;
  auto permits = [&](const auto& grants, const std::string& name) {
    auto grant = grants.find(name);
    return grant != grants.end() &&
           (grant->second.all_tracks || grant->second.tracks.contains(track.info.sid));
  };
  return permits(owner.lets_sid, subscriber.info.sid) ||
         permits(owner.lets_identity, subscriber.info.identity);
}

// The one place where a subscription begins or ends.
void Room::Impl::settle(TrackId id, Track& track, Participant& p, Outputs& out) {
  if (!p.has_seat() || p.id == track.owner) return;
  const Participant& owner = *find(track.owner);
  bool wants =
      p.is_active() && p.info.permissions.can_subscribe && p.auto_subscribe != p.contrary.test(id.index);
  bool was_subscribed = p.subscribed.test(id.index), was_refused = p.refused.test(id.index);
  if (!wants && !was_subscribed && !was_refused) return;
  bool is_allowed = lets(owner, track, p);
  bool is_refused = !is_allowed && (wants || was_refused), is_subscribed = wants && is_allowed;
  if (is_refused != was_refused) {
    p.refused.set(id.index, is_refused);
    to(p, SubscriptionAllowed{owner.info.sid, track.info.sid, !is_refused}, out);
  }
  if (is_subscribed == was_subscribed) return;
  p.subscribed.set(id.index, is_subscribed);
  if (!is_subscribed) return to(p, Unsubscribed{track.info.sid}, out);
  to(p, Subscribed{owner.info.sid, owner.info.identity, track.info, track.places()}, out);
  if (!std::exchange(track.had_subscriber, true)) to(owner, FirstSubscriber{track.info.sid}, out);
}

void Room::Impl::settle_track(TrackId id, Outputs& out) {
  Track& track = at(id);
  participants.for_each([&](ParticipantId, std::unique_ptr<Participant>& p) { settle(id, track, *p, out); });
}

void Room::Impl::settle_subscriber(Participant& subscriber, Outputs& out) {
  tracks.for_each([&](TrackId id, std::unique_ptr<Track>& track) {
    if (track->is_published) settle(id, *track, subscriber, out);
  });
}

void Room::Impl::retell_media(TrackId id, Outputs& out) {
  const Track& track = at(id);
  const Participant& owner = *find(track.owner);
  Subscribed event{owner.info.sid, owner.info.identity, track.info, track.places()};
  participants.for_each([&](ParticipantId, std::unique_ptr<Participant>& p) {
    if (p->subscribed.test(id.index)) to(*p, event, out);
  });
}

void Room::Impl::fulfil_awaited(TrackId id) {
  const std::string& sid = at(id).info.sid;
  participants.for_each([&](ParticipantId, std::unique_ptr<Participant>& p) {
    if (std::erase(p->awaited, sid) > 0) p->contrary.set(id.index, true);
  });
}

// Its index will be another's.
void Room::Impl::forget_track(TrackId id, Outputs& out) {
  const std::string& sid = at(id).info.sid;
  participants.for_each([&](ParticipantId, std::unique_ptr<Participant>& p) {
    if (p->subscribed.test(id.index)) to(*p, Unsubscribed{sid}, out);
    p->subscribed.set(id.index, false);
    p->contrary.set(id.index, false);
    p->refused.set(id.index, false);
  });
}

void Room::Impl::subscribe(Participant& p, const std::string& sid, bool is_wanted, Outputs& out) {
  auto failed = [&](SubscribeRefusal why) {
    if (is_wanted) to(p, SubscribeFailed{sid, why}, out);
  };
  TrackId id;
  Track* track = find_track(sid, &id);
  if (track && track->owner == p.id) return failed(SubscribeRefusal::kNotAllowed);
  if (!track || !track->is_published) {
    std::erase(p.awaited, sid);
    if (is_wanted != p.auto_subscribe && sid.size() <= kShortTextBytesMax) p.awaited.push_back(sid);
    if (p.awaited.size() > kUnknownSubscriptionsMax) p.awaited.pop_front();
    return failed(SubscribeRefusal::kTrackNotFound);
  }
  p.contrary.set(id.index, is_wanted != p.auto_subscribe);
  settle(id, *track, p, out);
  if (!p.info.permissions.can_subscribe || !lets(*find(track->owner), *track, p))
    failed(SubscribeRefusal::kNotAllowed);
}

void Room::Impl::take_grants(Participant& p, SetSubscribers command) const {
  p.lets_everybody = command.everybody;
  p.lets_sid.clear();
  p.lets_identity.clear();
  std::size_t room_left = kTrackPermissionsMax;
  if (command.permissions.size() > kTrackPermissionsMax) command.permissions.resize(kTrackPermissionsMax);
  for (auto& permission : command.permissions) {
    permission.tracks.resize(std::min(permission.tracks.size(), room_left));
    room_left -= permission.tracks.size();
    auto grant = [&](auto& grants, const std::string& name) {
      if (name.empty() || name.size() > kIdentityBytesMax) return;
      Participant::Grant& g = grants[name];
      g.all_tracks = g.all_tracks || permission.all_tracks;
      for (const std::string& sid : permission.tracks)
        if (sid.size() <= kShortTextBytesMax) g.tracks.insert(sid);
    };
    grant(p.lets_sid, permission.participant_sid);
    grant(p.lets_identity, permission.participant_identity);
  }
  p.subscribers = std::move(command);
}

void Room::Impl::set_subscribers(Participant& p, SetSubscribers command, Outputs& out) {
  take_grants(p, std::move(command));
  for (TrackId id : p.tracks)
    if (at(id).is_published) settle_track(id, out);
  tell_forwards(p, false, out);
}

}  // namespace stoa::room
