// Who is told of what.
#include <algorithm>
#include <utility>

#include "room/room_impl.h"

namespace stoa::room {

bool Room::Impl::knows(const Participant& viewer, const Participant& p) const {
  if (viewer.id == p.id) return true;
  return !p.is_hidden() && (p.is_public || (p.is_familiar && viewer.is_familiar));
}

bool Room::Impl::is_known_to_all(const Participant& p) const {
  return !p.is_hidden() && (p.is_public || (p.is_familiar && unfamiliar == 0));
}

void Room::Impl::to(const Participant& p, Event event, Outputs& out) const {
  if (p.has_seat()) out.push(ToParticipant{p.shard, p.id, std::move(event)});
}

void Room::Impl::to_all(Event event, const Participant* except, Outputs& out) const {
  auto shared = std::make_shared<const Event>(std::move(event));
  if (except && !except->has_seat()) except = nullptr;
  for (std::uint32_t shard = 0; shard < seats.size(); ++shard) {
    std::size_t alone = except && except->shard == shard ? 1 : 0;
    if (seats[shard] <= alone) continue;
    ToShard message{shard, shared, std::nullopt, {}};
    if (except) message.except = except->id;
    out.push(std::move(message));
  }
}

void Room::Impl::to_these(Event event, std::span<const Participant* const> these, Outputs& out) const {
  std::map<std::uint32_t, std::vector<ParticipantId>> by_shard;
  for (const Participant* p : these)
    if (p->has_seat()) by_shard[p->shard].push_back(p->id);
  if (by_shard.empty()) return;
  auto shared = std::make_shared<const Event>(std::move(event));
  for (auto& [shard, ids] : by_shard) out.push(ToShard{shard, shared, std::nullopt, std::move(ids)});
}

void Room::Impl::to_knowing(Event event, const Participant& about, bool with_itself, Outputs& out) const {
  if (is_known_to_all(about)) {
    to_all(std::move(event), with_itself ? nullptr : &about, out);
  } else if (!about.is_hidden() && about.is_familiar) {
    std::vector<const Participant*> these;
    participants.for_each([&](ParticipantId, const std::unique_ptr<Participant>& p) {
      if (p->is_familiar && (with_itself || p->id != about.id)) these.push_back(p.get());
    });
    to_these(std::move(event), these, out);
  } else if (with_itself) {
    to(about, std::move(event), out);
  }
}

void Room::Impl::make_version(Participant& p) const {
  ++p.info.version;
  p.info.tracks.clear();
  for (TrackId id : p.tracks) {
    const Track& track = at(id);
    if (track.is_published) p.info.tracks.push_back(track.info);
  }
  p.shared = std::make_shared<const ParticipantInfo>(p.info);
}

void Room::Impl::tell_change(Participant& p, Outputs& out, bool with_itself) {
  make_version(p);
  to_knowing(ParticipantsChanged{{p.shared}}, p, with_itself, out);
  tell_forwards(p, false, out);
}

void Room::Impl::tell_gone(Participant& p, LeaveReason reason, WallTime wall, Outputs& out) {
  ParticipantState state = std::exchange(p.info.state, ParticipantState::kDisconnected);
  p.info.left_for = reason;
  make_version(p);
  p.info.state = state;
  p.info.left_for = LeaveReason::kUnknown;
  to_knowing(ParticipantsChanged{{p.shared}}, p, false, out);
  tell_forwards(p, true, out);
  p.forwards.clear();
  if (p.is_hidden()) return;
  while (!gone.empty() && (gone.size() >= kGoneMax || wall - gone.front().at > kGoneFor)) gone.pop_front();
  gone.push_back({p.shared, wall, p.is_familiar, p.is_public, ++gone_count});
}

void Room::Impl::tell_forward(const Participant& p, const std::string& room, bool is_gone,
                              Outputs& out) const {
  ForwardChanged forward{room, info.name, p.shared, {}, p.subscribers, is_gone};
  for (TrackId id : p.tracks) {
    const Track& track = at(id);
    if (track.is_published) forward.media.emplace_back(track.info.sid, track.places());
  }
  out.push(std::move(forward));
}

void Room::Impl::tell_forwards(const Participant& p, bool is_gone, Outputs& out) const {
  for (const std::string& room : p.forwards) tell_forward(p, room, is_gone, out);
}

void Room::Impl::answer_forward(const Participant& p, Outputs& out) const {
  out.push(ForwardChanged{p.forwarded_from, info.name, p.shared, {}, {}, true});
}

// The room is small again: who was passed over is told of to all, and those who came since are told of the
// others.
void Room::Impl::become_familiar(Outputs& out) {
  if (!is_small()) return;
  ParticipantsChanged strangers, acquainted;
  std::vector<const Participant*> newcomers;
  participants.for_each([&](ParticipantId, std::unique_ptr<Participant>& p) {
    if (!p->is_hidden() && !p->is_public)
      (p->is_familiar ? acquainted : strangers).participants.push_back(p->shared);
    if (!p->is_familiar && p->has_seat()) newcomers.push_back(p.get());
  });
  if (newcomers.empty() && strangers.participants.empty()) return;
  participants.for_each([&](ParticipantId, std::unique_ptr<Participant>& p) {
    if (!std::exchange(p->is_familiar, true)) p->gone_before_familiar = gone_count;
  });
  unfamiliar = 0;
  if (!strangers.participants.empty()) to_all(std::move(strangers), nullptr, out);
  if (!acquainted.participants.empty()) to_these(std::move(acquainted), newcomers, out);
}

std::vector<SharedParticipant> Room::Impl::others_of(const Participant& viewer) const {
  std::vector<SharedParticipant> others;
  participants.for_each([&](ParticipantId id, const std::unique_ptr<Participant>& p) {
    if (id != viewer.id && knows(viewer, *p)) others.push_back(p->shared);
  });
  return others;
}

std::vector<SharedParticipant> Room::Impl::gone_of(const Participant& viewer, WallTime since) const {
  std::vector<SharedParticipant> named;
  for (const Gone& g : gone) {
    bool was_acquainted = g.is_familiar && viewer.is_familiar && g.number > viewer.gone_before_familiar;
    if (g.at < since || g.number <= viewer.gone_before || !(g.is_public || was_acquainted)) continue;
    auto back = by_sid.find(g.participant->sid);
    if (back != by_sid.end() && knows(viewer, *find(back->second))) continue;
    named.push_back(g.participant);
  }
  return named;
}

std::vector<SpeakerLevel> Room::Impl::speaking() const {
  std::vector<SpeakerLevel> speakers;
  participants.for_each([&](ParticipantId, const std::unique_ptr<Participant>& p) {
    if (p->told_level > 0) speakers.push_back({p->info.sid, p->told_level, true});
  });
  std::stable_sort(speakers.begin(), speakers.end(),
                   [](const SpeakerLevel& a, const SpeakerLevel& b) { return a.level > b.level; });
  return speakers;
}

}  // namespace stoa::room
