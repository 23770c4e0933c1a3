// The simulator roof of rooms: what is done in them, and what the model makes of it (test_room_sim.h).
// STOA_SIM_SEEDS: how many seeds; STOA_SIM_SEED: this one alone.
#include <gtest/gtest.h>

#include <cstdlib>

#include "room/test_room_sim.h"

namespace stoa::room {

void Sim::act() {
  House& house = houses_[rng_.below(2)];
  House& other = &house == &houses_[0] ? houses_[1] : houses_[0];
  std::vector<Person*> seated;
  for (Person& p : house.people)
    if (!p.is_forwarded) seated.push_back(&p);
  if (seated.empty() || rng_.chance(0.12)) return join(house);
  Person& p = *seated[rng_.below(seated.size())];
  switch (rng_.below(24)) {
    case 0: return leave(house, p);
    case 1:
    case 2:
    case 3: return become_active(house, p);
    case 4:
    case 5:
    case 6: return announce(house, p);
    case 7:
    case 8:
    case 9: return publish(house, p);
    case 10: return unpublish(house, p);
    case 11: return mute(house, p);
    case 12:
    case 13: return subscribe(house, p);
    case 14: return set_subscribers(house, p);
    case 15: return set_permissions(house, p);
    case 16: return send_data(house, p);
    case 17:
    case 18:
    case 19: return report(house, p);
    case 20: return rename(house, p);
    case 21: return move(house, other, p);
    case 22: return forward(house, other, p);
    default: return tell_room(house);
  }
}

void Sim::join(House& house) {
  JoinWish wish;
  wish.identity = "p" + std::to_string(rng_.below(18));
  wish.permissions = any_permissions();
  if (rng_.chance(0.1)) wish.kind = ParticipantKind::kAgent;
  wish.auto_subscribe = rng_.chance(0.75);
  Person* old = find(house, wish.identity);
  Person fresh;
  fresh.identity = wish.identity;
  fresh.permissions = wish.permissions;
  fresh.kind = wish.kind;
  fresh.auto_subscribe = wish.auto_subscribe;
  fresh.came_at = now_;
  std::size_t most = house.config.limits.participants_max, counted = keepers(house);
  bool is_full = house.people.size() - (old ? 1 : 0) >= most;
  if (old && !old->is_dependent()) --counted;
  if (house.info.participants_max > 0 && !fresh.is_dependent() && counted >= house.info.participants_max)
    is_full = true;
  Outputs out;
  auto joined = house.room->join(now_, wall_, wish, out);
  deliver(house, out);
  if (!expect(joined.has_value() != is_full, "full or not full") || !joined) return;
  std::set<std::string> replaced;
  if (old && !old->is_forwarded) {
    expect(old->was_removed, "a duplicate was not told");
    replaced.insert(old->sid);
  } else if (old) {
    old->has_left = true;
    replaced.insert(old->sid);
  }
  remove_left(house, replaced);
  fresh.id = joined->participant;
  fresh.shard = joined->shard;
  fresh.self = joined->self;
  fresh.sid = joined->self->sid;
  for (const auto& one : joined->others) fresh.others[one->sid] = one;
  admit(house, std::move(fresh));
  route();
}

void Sim::admit(House& house, Person person) {
  std::size_t had = keepers(house);
  house.people.push_back(std::move(person));
  note(house, had);
}

void Sim::leave(House& house, Person& p) {
  std::set<std::string> sid{p.sid};
  if (rng_.chance(0.5)) {
    command(house, p, Leave{rng_.chance(0.5) ? LeaveReason::kByParticipant : LeaveReason::kMediaFailure});
    expect(!p.was_removed, "told to be removed by itself");
  } else {
    Outputs out;
    expect(house.room->remove(now_, wall_, p.identity, LeaveReason::kRemoved, out).has_value(),
           "not removed");
    deliver(house, out);
    expect(p.was_removed, "removed without a word");
  }
  remove_left(house, sid);
  route();
}

void Sim::become_active(House& house, Person& p) {
  p.is_active = true;
  command(house, p, BecomeActive{});
  route();
}

void Sim::announce(House& house, Person& p) {
  AnnounceTrack wish;
  wish.cid = "cid" + std::to_string(next_name_++);
  wish.track.kind = rng_.chance(0.6) ? TrackKind::kAudio : TrackKind::kVideo;
  bool is_audio = wish.track.kind == TrackKind::kAudio;
  wish.track.source = is_audio ? TrackSource::kMicrophone : TrackSource::kCamera;
  wish.track.is_muted = rng_.chance(0.2);
  std::size_t announcers = 0;
  for (const Person& one : house.people) announcers += !one.is_forwarded && !one.tracks.empty() ? 1 : 0;
  bool may = !p.permissions.is_hidden && p.tracks.size() < kTracksMax &&
             (p.permissions.sources.empty() ? p.permissions.can_publish : is_audio) &&
             (!p.tracks.empty() || announcers < house.config.limits.publishers_max);
  std::set<std::string> before = p.own;
  command(house, p, wish);
  expect((p.own.size() > before.size()) == may, "announced against the rules, or refused");
  for (const std::string& sid : p.own)
    if (!before.contains(sid))
      p.tracks[sid] = {false, wish.track.is_muted, wish.track.kind, wish.track.source};
}

void Sim::publish(House& house, Person& p) {
  std::string sid = own_track(p);
  if (auto track = p.tracks.find(sid); track != p.tracks.end()) {
    track->second.is_published = true;
    p.did_publish = true;
  }
  command(house, p,
          PublishTrack{sid, "0", {"audio/opus", {p.shard, sid + std::to_string(rng_.below(3))}}, ""});
  route();
}

void Sim::unpublish(House& house, Person& p) {
  std::string sid = own_track(p);
  p.tracks.erase(sid);
  p.own.erase(sid);
  command(house, p, UnpublishTrack{sid});
  forget(house, sid);
  route();
}

// Choices are of a published track, and end with it; of others they wait.
void Sim::forget(House& house, const std::string& sid) {
  for (Person& p : house.people) p.choices.erase(sid);
}

void Sim::mute(House& house, Person& p) {
  std::string sid = own_track(p);
  bool is_muted = rng_.chance(0.6);
  auto track = p.tracks.find(sid);
  if (rng_.chance(0.5)) {
    if (track != p.tracks.end()) track->second.is_muted = is_muted;
    command(house, p, MuteTrack{sid, is_muted});
    return route();
  }
  Outputs out;
  bool done = house.room->mute(now_, wall_, p.identity, sid, is_muted, out).has_value();
  deliver(house, out);
  bool may =
      track != p.tracks.end() && (is_muted || house.config.may_unmute_remotely || !track->second.is_muted);
  expect(done == may, "muted against the rules, or not muted");
  if (may) track->second.is_muted = is_muted;
  route();
}

void Sim::subscribe(House& house, Person& p) {
  bool is_wanted = rng_.chance(0.5);
  if (rng_.chance(0.2)) {
    const Person& publisher = house.people[rng_.below(house.people.size())];
    for (const auto& [sid, track] : publisher.tracks)
      if (track.is_published && publisher.id != p.id) p.choices[sid] = is_wanted;
    Outputs out;
    std::vector<std::string> all{publisher.sid};
    expect(house.room->update_subscriptions(now_, wall_, p.identity, all, is_wanted, out).has_value(), "");
    return deliver(house, out);
  }
  std::string sid = any_track(house, true);
  if (!p.tracks.contains(sid)) p.choices[sid] = is_wanted;
  command(house, p, Subscribe{{sid}, is_wanted});
}

void Sim::set_subscribers(House& house, Person& p) {
  SetSubscribers wish;
  wish.everybody = rng_.chance(0.3);
  for (std::uint64_t i = rng_.below(4); i > 0; --i) {
    const Person& other = house.people[rng_.below(house.people.size())];
    SetSubscribers::Permission permission;
    (rng_.chance(0.5) ? permission.participant_sid : permission.participant_identity) =
        rng_.chance(0.5) ? other.sid : other.identity;
    permission.all_tracks = rng_.chance(0.4);
    permission.tracks = {own_track(p), "TR_other"};
    wish.permissions.push_back(std::move(permission));
  }
  p.lets = wish;
  command(house, p, std::move(wish));
  route();
}

void Sim::set_permissions(House& house, Person& p) {
  std::size_t had = keepers(house);
  ParticipantUpdate update;
  update.permissions = any_permissions();
  Outputs out;
  p.permissions = *update.permissions;
  std::vector<std::string> lost;
  for (const auto& [sid, track] : p.tracks)
    if (p.permissions.is_hidden || !p.permissions.may_publish(track.source)) lost.push_back(sid);
  for (const std::string& sid : lost) p.tracks.erase(sid);
  if (p.permissions.is_hidden) {
    p.did_publish = false;
    p.forwards.clear();
  }
  expect(house.room->update_participant(now_, wall_, p.identity, update, out).has_value(), "not updated");
  deliver(house, out);
  for (const std::string& sid : lost) forget(house, sid);
  note(house, had);
  route();
}

void Sim::send_data(House& house, Person& p) {
  SendData data;
  std::string text = "data" + std::to_string(next_name_++);
  data.payload = SharedBytes(std::string(text));
  bool from_server = rng_.chance(0.2);
  if (rng_.chance(0.6))
    for (int i = 0; i < 3; ++i) data.identities.push_back("p" + std::to_string(rng_.below(18)));
  std::set<std::string> meant;
  for (const Person& one : house.people) {
    bool is_named = data.identities.empty() || std::find(data.identities.begin(), data.identities.end(),
                                                         one.identity) != data.identities.end();
    if (is_named && !one.is_forwarded && (from_server || one.id != p.id)) meant.insert(one.sid);
  }
  if (!from_server && !p.permissions.can_publish_data) meant.clear();
  if (from_server) {
    Outputs out;
    house.room->send_data(now_, data, out);
    deliver(house, out);
  } else {
    command(house, p, data);
  }
  std::string expected = (from_server ? "" : p.identity) + "/" + text;
  for (Person& one : house.people) {
    std::vector<std::string> should;
    if (meant.contains(one.sid)) should.push_back(expected);
    expect(one.data == should, "data came to whom it was not meant for, or not to whom it was");
    one.data.clear();
  }
}

void Sim::report(House& house, Person& p) {
  if (rng_.chance(0.2))
    return command(house, p, ReportQuality{static_cast<ConnectionQuality>(rng_.below(4)), 3});
  ReportLevels report;
  for (const auto& [sid, track] : p.tracks)
    report.levels.push_back({sid, rng_.chance(0.3) ? 0.f : static_cast<float>(rng_.unit())});
  command(house, p, std::move(report));
}

void Sim::rename(House& house, Person& p) {
  UpdateSelf wish;
  wish.name = "name" + std::to_string(rng_.below(5));
  wish.attributes["a" + std::to_string(rng_.below(3))] = rng_.chance(0.3) ? "" : "value";
  wish.request = 1;
  std::string before = p.self->name;
  command(house, p, wish);
  expect(p.self->name == (p.permissions.can_update_metadata ? *wish.name : before), "renamed or not renamed");
  route();
}

void Sim::tell_room(House& house) {
  Outputs out;
  if (rng_.chance(0.5)) {
    std::string metadata = "m" + std::to_string(rng_.below(3));
    expect(house.room->update_metadata(now_, wall_, metadata, out).has_value(), "no metadata");
  } else {
    house.room->set_recorded(now_, rng_.chance(0.5), out);
  }
  deliver(house, out);
}

void Sim::move(House& house, House& other, Person& p) {
  Person moved = p;
  Outputs out;
  auto luggage = house.room->take_out(now_, wall_, p.identity, out);
  if (!expect(luggage.has_value(), "not taken out")) return;
  deliver(house, out);
  expect(p.subscribed.empty(), "took subscriptions along");
  p.has_left = true;
  remove_left(house, {moved.sid});
  route();
  Person* old = find(other, moved.identity);
  std::set<std::string> replaced;
  if (old) replaced.insert(old->sid);
  bool was_forwarded = old && old->is_forwarded;
  // Its new seat takes nothing before Moved. Its id there is known only afterwards.
  Outputs in;
  auto joined = other.room->put_in(now_, wall_, std::move(*luggage), in);
  Person arrived = moved;
  arrived.others.clear();
  arrived.speakers.clear();
  arrived.refused.clear();
  arrived.gone.clear();
  arrived.subscribed.clear();
  arrived.choices.clear();
  arrived.forwards.clear();
  arrived.saw_small = false;
  arrived.did_publish = arrived.publishes();
  arrived.came_at = now_;
  arrived.awaits_moved = true;
  if (!joined) return deliver(other, in);
  for (const auto& [sid, track] : moved.tracks) firsts_.erase(other.info.sid + sid);
  arrived.id = joined->participant;
  expect(joined->shard == moved.shard, "moved to another seat");
  other.people.push_back(arrived);
  deliver(other, in);
  Person settled = other.people.back();
  other.people.pop_back();
  expect(!settled.awaits_moved, "not told where it is");
  if (was_forwarded) find(other, moved.identity)->has_left = true;
  remove_left(other, replaced);
  admit(other, std::move(settled));
  route();
}

void Sim::forward(House& house, House& other, Person& p) {
  const std::string& name = other.info.name;
  Outputs out;
  if (p.forwards.contains(name)) {
    house.room->stop_forwarding(now_, p.identity, name, out);
    p.forwards.erase(name);
  } else {
    bool done = house.room->forward(now_, p.identity, name, out).has_value();
    expect(done != p.permissions.is_hidden, "forwarded or not forwarded");
    if (done) p.forwards.insert(name);
  }
  deliver(house, out);
  route();
}

void Sim::route() {
  for (int turns = 0; !mail_.empty() && wrong_.empty(); ++turns) {
    if (!expect(turns < 1'000, "forwards without end")) return;
    ForwardChanged forward = std::move(mail_.front());
    mail_.pop_front();
    take_forward(houses_[forward.to_room == "a" ? 0 : 1], forward);
  }
}

void Sim::take_forward(House& house, const ForwardChanged& forward) {
  const ParticipantInfo& shown = *forward.participant;
  Person* here = find(house, shown.identity);
  bool is_shown = here && here->is_forwarded;
  std::set<std::string> before;
  if (is_shown)
    for (const auto& [sid, track] : here->tracks) before.insert(sid);
  if (forward.is_gone) {
    if (is_shown) here->has_left = true;
    if (here && !is_shown) here->forwards.erase(forward.from_room);
  }
  bool is_full = !here && house.people.size() >= house.config.limits.participants_max;
  Outputs out;
  bool done = house.room->handle_forward(now_, wall_, forward, out).has_value();
  deliver(house, out);
  if (forward.is_gone) {
    if (is_shown) remove_left(house, {here->sid});
    for (const std::string& sid : before) forget(house, sid);
    return;
  }
  if (!expect(done == ((is_shown || !here) && !is_full), "shown or not shown") || !done) return;
  Person fresh;
  fresh.is_forwarded = true;
  fresh.identity = shown.identity;
  if (is_shown && here->sid == shown.sid) fresh = *here;
  if (is_shown && here->sid != shown.sid) {
    here->has_left = true;
    remove_left(house, {here->sid});
    is_shown = false;
  }
  fresh.sid = shown.sid;
  fresh.id = *house.room->find_by_sid(shown.sid);
  fresh.permissions = shown.permissions;
  fresh.shard = shown.tracks.empty() ? fresh.shard : forward.media.front().second.front().place.shard;
  fresh.lets = forward.subscribers;
  fresh.tracks.clear();
  for (const TrackInfo& track : shown.tracks)
    fresh.tracks[track.sid] = {true, track.is_muted, track.kind, track.source};
  for (const std::string& sid : before)
    if (!fresh.tracks.contains(sid)) forget(house, sid);
  fresh.did_publish = fresh.did_publish || fresh.publishes();
  if (is_shown) {
    *find(house, shown.identity) = fresh;
    note(house, keepers(house));
  } else {
    admit(house, std::move(fresh));
  }
}

namespace {

TEST(RoomSim, holds_in_random_rooms) {
  const char *one = std::getenv("STOA_SIM_SEED"), *many = std::getenv("STOA_SIM_SEEDS");
  std::uint64_t first = one ? std::strtoull(one, nullptr, 10) : 1;
  std::uint64_t count = one ? 1 : many ? std::strtoull(many, nullptr, 10) : 300;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    std::string wrong = Sim(seed).run();
    ASSERT_EQ(wrong, "") << "again: STOA_SIM_SEED=" << seed
                         << " build/dev/stoa_room_test --gtest_filter='RoomSim.*'";
  }
}

}  // namespace
}  // namespace stoa::room
