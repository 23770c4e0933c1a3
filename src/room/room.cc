#include "room/room.h"

#include <algorithm>
#include <utility>

#include "room/room_impl.h"

namespace stoa::room {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr int kSidCharacters = 12;

}  // namespace

Room::Impl::Impl(RoomInfo i, const RoomConfig& c, Timestamp now, WallTime wall, Rng r)
    : info(std::move(i)),
      config(c),
      rng(r),
      participants(c.limits.participants_max),
      tracks(c.limits.participants_max * kTracksMax),
      seats(std::max(c.shards, c.shard + 1)),
      begun_at(now),
      ends_at(now + info.empty_timeout) {
  if (info.sid.empty()) info.sid = make_sid("RM_");
  if (info.created_at == WallTime()) info.created_at = wall;
}

RoomInfo Room::Impl::room_info() const {
  RoomInfo now = info;
  now.participants = static_cast<std::uint32_t>(visible);
  now.publishers = static_cast<std::uint32_t>(publishers);
  return now;
}

std::string Room::Impl::make_sid(std::string_view prefix) {
  std::string sid;
  do {
    sid = prefix;
    for (int i = 0; i < kSidCharacters; ++i) sid += kAlphabet[rng.below(kAlphabet.size())];
  } while (by_sid.contains(sid) || track_by_sid.contains(sid));
  return sid;
}

Participant* Room::Impl::find(ParticipantId id) {
  auto* p = participants.find(id);
  return p ? p->get() : nullptr;
}
const Participant* Room::Impl::find(ParticipantId id) const { return const_cast<Impl*>(this)->find(id); }
Participant* Room::Impl::find(std::string_view identity) {
  auto entry = by_identity.find(std::string(identity));
  return entry == by_identity.end() ? nullptr : find(entry->second);
}
Track* Room::Impl::find_track(std::string_view sid, TrackId* id) {
  auto entry = track_by_sid.find(std::string(sid));
  if (entry == track_by_sid.end()) return nullptr;
  if (id) *id = entry->second;
  return &at(entry->second);
}

void Room::Impl::happened(Happening what, const Participant* p, const Track* track, Outputs& out) const {
  if (p && p->is_forwarded) return;
  Happened event{what, room_info(), p ? p->shared : nullptr, std::nullopt};
  if (track) event.track = track->info;
  out.push(std::move(event));
}

void Room::Impl::begin(Outputs& out) {
  if (has_begun) return;
  has_begun = true;
  happened(Happening::kRoomStarted, nullptr, nullptr, out);
}

void Room::Impl::count_changed(Timestamp now) {
  room_due = std::min(room_due, now + config.limits.room_update_interval);
}

void Room::Impl::tell_room(Outputs& out) {
  room_due = Timestamp::never();
  to_all(RoomChanged{room_info()}, nullptr, out);
}

void Room::Impl::close(LeaveReason reason, Outputs& out) {
  if (has_ended) return;
  begin(out);
  has_ended = true;
  participants.for_each([&](ParticipantId, std::unique_ptr<Participant>& p) {
    if (p->has_seat()) to(*p, Removed{reason}, out);
    for (TrackId id : p->tracks) {
      Track& track = at(id);
      if (track.is_published) happened(Happening::kTrackUnpublished, p.get(), &track, out);
      tracks.erase(id);
    }
    p->tracks.clear();
    bool was_active = p->is_active();
    p->info.state = ParticipantState::kDisconnected;
    p->info.left_for = reason;
    make_version(*p);
    tell_forwards(*p, true, out);
    if (p->is_forwarded) answer_forward(*p, out);
    happened(was_active ? Happening::kParticipantLeft : Happening::kParticipantAborted, p.get(), nullptr,
             out);
    if (p->has_seat()) out.push(Left{p->shard, p->id, reason});
  });
  forget_all();
  happened(Happening::kRoomFinished, nullptr, nullptr, out);
  out.push(Ended{});
}

void Room::Impl::forget_all() {
  participants = decltype(participants)(0);
  tracks = decltype(tracks)(0);
  by_identity.clear();
  by_sid.clear();
  track_by_sid.clear();
  gone.clear();
  join_timers = {};
  new_levels.clear();
  new_qualities.clear();
  told_audible.clear();
  std::fill(seats.begin(), seats.end(), 0);
  visible = keepers = announcers = publishers = unfamiliar = 0;
  room_due = speakers_due = audible_due = quality_due = ends_at = Timestamp::never();
}

void Room::Impl::handle_deadline(Timestamp now, WallTime wall, Outputs& out) {
  if (has_ended) return;
  begin(out);
  while (auto due = join_timers.take_due(now))
    if (Participant* p = find(ParticipantId::from_value(*due)))
      leave(now, wall, *p, LeaveReason::kJoinFailure, true, out);
  if (speakers_due <= now) tell_speakers(now, out);
  if (audible_due <= now) settle_audible(now, out);
  if (quality_due <= now) tell_qualities(now, out);
  if (room_due <= now) tell_room(out);
  if (ends_at <= now) close(LeaveReason::kRoomClosed, out);
}

Timestamp Room::Impl::next_deadline() const {
  if (has_ended) return Timestamp::never();
  if (!has_begun) return begun_at;
  return std::min({join_timers.next(), speakers_due, audible_due, quality_due, room_due, ends_at});
}

Room::Room(RoomInfo info, const RoomConfig& config, Timestamp now, WallTime wall, Rng rng)
    : impl_(std::make_unique<Impl>(std::move(info), config, now, wall, rng)) {}
Room::~Room() = default;

Result<Joined, JoinRefusal> Room::join(Timestamp now, WallTime wall, JoinWish wish, Outputs& out) {
  return impl_->join(now, wall, std::move(wish), out);
}

void Room::handle(Timestamp now, WallTime wall, ParticipantId participant, Command command, Outputs& out) {
  Impl& room = *impl_;
  Participant* p = room.find(participant);
  if (!p || p->is_forwarded) return;
  std::visit(Overloaded{[&](AnnounceTrack& c) { room.announce(wall, *p, std::move(c), out); },
                        [&](PublishTrack& c) { room.publish(now, wall, *p, c, out); },
                        [&](UnpublishTrack& c) { room.unpublish(now, *p, c, out); },
                        [&](MuteTrack& c) {
                          if (Track* track = room.find_own(*p, c.sid))
                            room.mute(now, wall, *p, *track, c.is_muted, out);
                        },
                        [&](UpdateTrack& c) { room.update_track(wall, *p, c, out); },
                        [&](Subscribe& c) {
                          for (const std::string& sid : c.tracks) room.subscribe(*p, sid, c.is_wanted, out);
                        },
                        [&](SetSubscribers& c) { room.set_subscribers(*p, std::move(c), out); },
                        [&](UpdateSelf& c) { room.update_self(now, wall, *p, c, out); },
                        [&](SendData& c) {
                          if (p->info.permissions.can_publish_data) room.send_data(p, c, out);
                        },
                        [&](BecomeActive&) { room.become_active(*p, out); },
                        [&](ReportLevels& c) { room.set_levels(now, *p, c); },
                        [&](ReportQuality& c) { room.set_quality(now, *p, c); },
                        [&](Leave& c) { room.leave(now, wall, *p, c.reason, false, out); }},
             command);
}

std::optional<Room::Snapshot> Room::snapshot(ParticipantId participant, WallTime gone_since) const {
  const Participant* p = impl_->find(participant);
  if (!p || p->is_forwarded) return std::nullopt;
  return Snapshot{impl_->room_info(), p->shared, impl_->others_of(*p), impl_->gone_of(*p, gone_since),
                  impl_->speaking()};
}

std::optional<ParticipantId> Room::find_by_sid(std::string_view sid) const {
  auto entry = impl_->by_sid.find(std::string(sid));
  return entry == impl_->by_sid.end() ? std::nullopt : std::optional(entry->second);
}
std::optional<ParticipantId> Room::find_by_identity(std::string_view identity) const {
  const Participant* p = impl_->find(identity);
  return p ? std::optional(p->id) : std::nullopt;
}
SharedParticipant Room::participant(ParticipantId id) const {
  const Participant* p = impl_->find(id);
  return p ? p->shared : nullptr;
}
std::uint32_t Room::shard_of(ParticipantId id) const {
  const Participant* p = impl_->find(id);
  return p ? p->shard : impl_->config.shard;
}
RoomInfo Room::info() const { return impl_->room_info(); }
std::size_t Room::size() const { return impl_->participants.size(); }
bool Room::has_ended() const { return impl_->has_ended; }

void Room::close(Timestamp, WallTime, LeaveReason reason, Outputs& out) { impl_->close(reason, out); }
void Room::handle_deadline(Timestamp now, WallTime wall, Outputs& out) {
  impl_->handle_deadline(now, wall, out);
}
Timestamp Room::next_deadline() const { return impl_->next_deadline(); }

}  // namespace stoa::room
