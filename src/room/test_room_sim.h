// Random rooms against a model that is recomputed from scratch after each step.
//
// Two rooms, some twenty identities, every command. Each seat keeps what it was told, as a client would; the
// checkers compare that with the room's snapshot and with the model, and look at each event as it comes.
#pragma once

#include <algorithm>
#include <deque>
#include <set>
#include <string>

#include "room/room.h"

namespace stoa::room {

inline constexpr int kSteps = 160;
inline constexpr std::uint32_t kShards = 3;

struct ModelTrack {
  bool is_published = false, is_muted = false;
  TrackKind kind = TrackKind::kAudio;
  TrackSource source = TrackSource::kUnknown;
};

// Somebody in a room: what the model knows of it, and what it was told.
struct Person {
  ParticipantId id;
  std::string sid, identity;
  std::uint32_t shard = 0;
  Permissions permissions;
  ParticipantKind kind = ParticipantKind::kStandard;
  bool auto_subscribe = true, is_active = false, is_forwarded = false;
  bool saw_small = false, did_publish = false;
  Timestamp came_at;
  std::map<std::string, ModelTrack> tracks;
  std::map<std::string, bool> choices;
  SetSubscribers lets;
  std::set<std::string> forwards;

  SharedParticipant self;
  std::map<std::string, SharedParticipant> others;
  std::map<std::string, std::vector<TrackMedia>> subscribed;
  std::set<std::string> refused, own;
  std::map<std::string, float> speakers;
  std::vector<std::string> data;
  std::vector<std::pair<WallTime, std::string>> gone;
  bool was_removed = false, has_left = false, awaits_moved = false;

  bool is_dependent() const {
    return is_forwarded || permissions.is_recorder || permissions.is_agent ||
           kind == ParticipantKind::kEgress || kind == ParticipantKind::kAgent;
  }
  bool publishes() const {
    return std::any_of(tracks.begin(), tracks.end(), [](const auto& t) { return t.second.is_published; });
  }
};

struct House {
  std::unique_ptr<Room> room;
  RoomInfo info;
  RoomConfig config;
  std::deque<Person> people;
  Timestamp alone_since;
  bool had_keeper = false;
  std::map<std::uint32_t, std::vector<std::string>> audible;  // Of limited shards.
  std::optional<Timestamp> speakers_told_at;
  long joined = 0, left = 0, published = 0, unpublished = 0, finished = 0, ended = 0;
};

class Sim {
 public:
  explicit Sim(std::uint64_t seed) : rng_(seed) {
    open(houses_[0], "a");
    open(houses_[1], "b");
  }

  // What went wrong first; empty: nothing.
  std::string run() {
    for (step_ = 0; step_ < kSteps && wrong_.empty(); ++step_) {
      act();
      if (rng_.chance(0.3)) advance(Duration::milliseconds(static_cast<std::int64_t>(rng_.below(1'500))));
      if (rng_.chance(0.02)) advance(Duration::seconds(static_cast<std::int64_t>(rng_.below(70))));
      for (House& house : houses_) check_all(house);
    }
    for (House& house : houses_)
      if (wrong_.empty()) finish(house);
    return wrong_;
  }

 private:
  // ---- The world.

  void open(House& house, const std::string& name) {
    house = House();
    house.info.name = name;
    house.info.sid = "RM_" + std::to_string(next_name_++);
    house.info.empty_timeout = Duration::seconds(40);
    house.info.departure_timeout = Duration::seconds(15);
    house.info.participants_max = static_cast<std::uint32_t>(rng_.chance(0.3) ? 6 : 0);
    Limits& limits = house.config.limits;
    limits.participants_max = 8 + rng_.below(8);
    limits.publishers_max = 3 + rng_.below(8);
    limits.presence_max = rng_.chance(0.3) ? 100 : rng_.below(8);
    limits.loudest_max = 1 + rng_.below(4);
    limits.seats_per_shard = 2 + rng_.below(4);
    house.config.shard = static_cast<std::uint32_t>(rng_.below(kShards));
    house.config.shards = kShards;
    house.config.may_unmute_remotely = rng_.chance(0.5);
    house.room = std::make_unique<Room>(house.info, house.config, now_, wall_, Rng(rng_.next()));
    house.alone_since = now_;
  }

  void advance(Duration by) {
    Timestamp until = now_ + by;
    for (int turns = 0; wrong_.empty(); ++turns) {
      Timestamp next = std::min(houses_[0].room->next_deadline(), houses_[1].room->next_deadline());
      if (next > until) break;
      if (!expect(turns < 1'000, "deadlines without end")) return;
      pass_to(std::max(now_, next));
      for (House& house : houses_) fire(house);
    }
    pass_to(until);
  }
  void pass_to(Timestamp to) {
    wall_ = wall_ + (to - now_);
    now_ = to;
  }

  void fire(House& house) {
    if (house.room->next_deadline() > now_) return;
    std::set<std::string> late;
    for (const Person& p : house.people)
      if (!p.is_forwarded && !p.is_active && now_ - p.came_at >= house.config.limits.join_timeout)
        late.insert(p.sid);
    Outputs out;
    house.room->handle_deadline(now_, wall_, out);
    deliver(house, out);
    if (house.room->has_ended()) {
      Duration timeout = house.had_keeper ? house.info.departure_timeout : house.info.empty_timeout;
      expect(keepers(house) == 0 && now_ - house.alone_since >= timeout, "ended too early");
      return check_ended(house);
    }
    expect(house.room->next_deadline() > now_, "a deadline stays due");
    remove_left(house, late);
  }

  // Checks that these and no others left.
  void remove_left(House& house, const std::set<std::string>& expected) {
    std::set<std::string> left;
    for (const Person& p : house.people)
      if (p.has_left) left.insert(p.sid);
    expect(left == expected, "who left is not who had to");
    std::size_t had = keepers(house);
    for (const Person& p : house.people)
      for (const auto& [sid, track] : p.tracks)
        if (p.has_left && track.is_published) forget(house, sid);
    std::erase_if(house.people, [&](const Person& p) { return expected.contains(p.sid); });
    note(house, had);
  }
  // After anybody came, went or changed.
  void note(House& house, std::size_t keepers_before) {
    if (keepers(house) > 0) house.had_keeper = true;
    if (keepers(house) == 0 && keepers_before > 0) house.alone_since = now_;
    if (visible(house) <= house.config.limits.presence_max)
      for (Person& p : house.people) p.saw_small = true;
  }
  static std::size_t keepers(const House& house) {
    return static_cast<std::size_t>(std::count_if(house.people.begin(), house.people.end(),
                                                  [](const Person& p) { return !p.is_dependent(); }));
  }
  static std::size_t visible(const House& house) {
    return static_cast<std::size_t>(std::count_if(house.people.begin(), house.people.end(),
                                                  [](const Person& p) { return !p.permissions.is_hidden; }));
  }
  static bool knows(const Person& v, const Person& p) {
    return !p.permissions.is_hidden && (p.did_publish || (p.saw_small && v.saw_small));
  }
  static bool lets(const Person& owner, const std::string& track, const Person& v) {
    if (owner.lets.everybody) return true;
    for (const auto& permission : owner.lets.permissions) {
      if (permission.participant_sid != v.sid && permission.participant_identity != v.identity) continue;
      if (permission.all_tracks) return true;
      for (const std::string& sid : permission.tracks)
        if (sid == track) return true;
    }
    return false;
  }
  static bool wants(const Person& v, const std::string& track) {
    auto choice = v.choices.find(track);
    return v.is_active && v.permissions.can_subscribe &&
           (choice == v.choices.end() ? v.auto_subscribe : choice->second);
  }
  static Person* find(House& house, std::string_view identity) {
    for (Person& p : house.people)
      if (p.identity == identity) return &p;
    return nullptr;
  }

  // ---- What comes out.

  void deliver(House& house, Outputs& out) {
    for (Output& output : out)
      std::visit(Overloaded{[&](ToParticipant& to) { to_participant(house, to); },
                            [&](ToShard& to) { to_shard(house, to); },
                            [&](AudibleTracks& audible) { take_audible(house, audible); },
                            [&](Happened& happened) { take_happened(house, happened); },
                            [&](ForwardChanged& forward) { mail_.push_back(forward); },
                            [&](Left& left) { take_left(house, left); }, [&](Ended&) { ++house.ended; }},
                 output);
  }
  void to_participant(House& house, const ToParticipant& to) {
    for (Person& p : house.people)
      if (!p.is_forwarded && p.id == to.participant && !p.has_left) {
        expect(p.shard == to.shard, "an event for another shard");
        return take(house, p, to.event);
      }
    expect(false, "an event for nobody");
  }
  void to_shard(House& house, const ToShard& to) {
    std::size_t heard = 0;
    for (Person& p : house.people) {
      bool is_named = to.only.empty() || std::find(to.only.begin(), to.only.end(), p.id) != to.only.end();
      if (p.is_forwarded || p.has_left || p.shard != to.shard || p.id == to.except || !is_named) continue;
      ++heard;
      if (!p.awaits_moved) take(house, p, *to.event);
    }
    expect(to.only.empty() || heard == to.only.size(), "an event for somebody who is not there");
    expect(heard > 0, "an event for a shard where nobody is");
    if (const auto* speakers = std::get_if<SpeakersChanged>(to.event.get())) {
      bool only_silent = std::all_of(speakers->speakers.begin(), speakers->speakers.end(),
                                     [](const SpeakerLevel& level) { return !level.is_active; });
      if (!only_silent) {
        Duration since = house.speakers_told_at ? now_ - *house.speakers_told_at : Duration::infinite();
        expect(since == Duration() || since >= house.config.limits.speaker_interval, "speakers too often");
        house.speakers_told_at = now_;
      }
    }
  }
  void take_audible(House& house, const AudibleTracks& audible) {
    auto told = house.audible.find(audible.shard);
    bool is_news = audible.is_limited ? told == house.audible.end() || told->second != audible.tracks
                                      : told != house.audible.end();
    expect(is_news, "the same tracks are audible as before");
    house.audible.erase(audible.shard);
    if (audible.is_limited) house.audible[audible.shard] = audible.tracks;
  }
  void take_happened(House& house, const Happened& happened) {
    switch (happened.what) {
      case Happening::kRoomStarted: expect(house.joined == 0, "started late"); break;
      case Happening::kRoomFinished: ++house.finished; break;
      case Happening::kParticipantJoined: ++house.joined; break;
      case Happening::kParticipantLeft: ++house.left; break;
      case Happening::kParticipantAborted: break;
      case Happening::kTrackPublished: ++house.published; break;
      case Happening::kTrackUnpublished: ++house.unpublished; break;
    }
    bool of_track = happened.what >= Happening::kTrackPublished;
    expect(happened.track.has_value() == of_track, "a happening without its track");
  }
  void take_left(House& house, const Left& left) {
    for (Person& p : house.people)
      if (p.id == left.participant && !p.is_forwarded) {
        expect(!p.has_left, "left twice");
        p.has_left = true;
        return;
      }
    expect(false, "somebody unknown left");
  }

  // ---- What a seat is told.

  void take(House& house, Person& p, const Event& event) {
    if (p.awaits_moved && !std::holds_alternative<Moved>(event)) return;
    expect(!p.was_removed, "told something after Removed");
    std::visit(
        Overloaded{
            [&](const ParticipantsChanged& e) {
              for (const auto& one : e.participants) take_participant(p, one);
            },
            [&](const Subscribed& e) { take_subscribed(p, e); },
            [&](const Unsubscribed& e) { expect(p.subscribed.erase(e.track) == 1, "unsubscribed twice"); },
            [&](const SubscriptionAllowed& e) {
              bool is_news = e.is_allowed ? p.refused.erase(e.track) == 1 : p.refused.insert(e.track).second;
              expect(is_news && p.others.contains(e.publisher_sid), "allowed or refused twice");
            },
            [&](const TrackAnnounced& e) { p.own.insert(e.track.sid); },
            [&](const TrackUnpublished& e) {
              expect(p.own.erase(e.sid) == 1, "a track taken back that is not there");
            },
            [&](const TrackMuted& e) { expect(p.own.contains(e.sid), "muted what is not its own"); },
            [&](const FirstSubscriber& e) {
              expect(p.own.contains(e.track) && firsts_.insert(house.info.sid + e.track).second,
                     "first again");
            },
            [&](const SpeakersChanged& e) { take_speakers(p, e); },
            [&](const QualityChanged& e) {
              for (const auto& one : e.qualities)
                expect(one.participant == p.sid || p.others.contains(one.participant),
                       "the quality of a stranger");
            },
            [&](const DataArrived& e) {
              p.data.push_back(e.from_identity + "/" + std::string(e.payload.text()));
            },
            [&](const Removed&) { p.was_removed = true; },
            [&](const Moved& e) {
              p.awaits_moved = false;
              p.self = e.self;
              for (const auto& other : e.others) p.others[other->sid] = other;
            },
            [&](const RoomChanged& e) { expect(e.room.name == house.info.name, "another room"); },
            [](const auto&) {}},
        event);
  }
  void take_participant(Person& p, const SharedParticipant& told) {
    if (told->sid == p.sid) {
      expect(told->version >= p.self->version, "its own version falls");
      p.self = told;
      return;
    }
    auto known = p.others.find(told->sid);
    bool is_gone = told->state == ParticipantState::kDisconnected;
    expect(!told->permissions.is_hidden, "told of somebody hidden");
    expect(!is_gone || known != p.others.end(), "told of a stranger's going");
    if (known != p.others.end()) {
      expect(told->version > known->second->version, "a version does not rise");
      for (const TrackInfo& before : known->second->tracks)
        for (const TrackInfo& after : told->tracks)
          if (before.sid == after.sid && before != after)
            expect(after.version > before.version, "a track's version does not rise");
    }
    if (known != p.others.end())
      for (const TrackInfo& before : known->second->tracks)
        if (is_gone || std::none_of(told->tracks.begin(), told->tracks.end(),
                                    [&](const TrackInfo& t) { return t.sid == before.sid; }))
          p.refused.erase(before.sid);
    if (!is_gone) {
      p.others[told->sid] = told;
    } else if (known != p.others.end()) {
      for (const TrackInfo& track : known->second->tracks)
        expect(!p.subscribed.contains(track.sid), "subscribed to who is gone");
      expect(!p.speakers.contains(told->sid), "who is gone speaks");
      p.others.erase(known);
      p.gone.emplace_back(wall_, told->sid);
    }
  }
  void take_subscribed(Person& p, const Subscribed& e) {
    auto publisher = p.others.find(e.publisher_sid);
    if (!expect(publisher != p.others.end(), "subscribed to a stranger's track")) return;
    const auto& shown = publisher->second->tracks;
    expect(publisher->second->identity == e.publisher_identity &&
               std::find(shown.begin(), shown.end(), e.track) != shown.end(),
           "subscribed to a track it was not told of");
    auto [known, is_new] = p.subscribed.try_emplace(e.track.sid, e.media);
    expect(is_new || known->second != e.media, "subscribed twice");
    expect(!e.media.empty() && p.is_active, "subscribed to nothing, or too early");
    known->second = e.media;
  }
  void take_speakers(Person& p, const SpeakersChanged& e) {
    for (const SpeakerLevel& level : e.speakers) {
      auto known = p.speakers.find(level.participant);
      expect(level.participant == p.sid || p.others.contains(level.participant), "a stranger speaks");
      if (!level.is_active) {
        expect(known != p.speakers.end() || !p.is_active, "silent again");
        p.speakers.erase(level.participant);
      } else {
        expect(level.level > 0, "active but silent");
        p.speakers[level.participant] = level.level;
      }
    }
  }

  // ---- Checkers.

  void check_all(House& house) {
    if (!wrong_.empty()) return;
    std::size_t publishers = 0;
    std::set<std::string> sids, shown;
    for (const Person& p : house.people) {
      sids.insert(p.sid);
      publishers += p.publishes() ? 1 : 0;
      if (!p.is_forwarded) check_seat(house, p);
      SharedParticipant told = house.room->participant(*house.room->find_by_sid(p.sid));
      std::map<std::string, bool> is, should;
      for (const TrackInfo& track : told->tracks) is[track.sid] = track.is_muted;
      for (const auto& [sid, track] : p.tracks)
        if (track.is_published) should[sid] = track.is_muted;
      expect(is == should, "not the tracks that it publishes");
      expect(told->permissions == p.permissions, "not its permissions");
    }
    for (const auto& p : house.room->participants()) shown.insert(p->sid);
    RoomInfo info = house.room->info();
    expect(shown == sids && house.room->size() == sids.size(), "not those who are in");
    expect(info.participants == visible(house) && info.publishers == publishers, "counted wrongly");
    if (house.room->next_deadline() > now_) check_audible(house);
  }
  void check_seat(House& house, const Person& p) {
    auto snapshot = house.room->snapshot(p.id, wall_);
    if (!expect(snapshot.has_value(), "no snapshot")) return;
    std::map<std::string, SharedParticipant> others;
    for (const auto& other : snapshot->others) others[other->sid] = other;
    expect(others.size() == p.others.size(), "told of more or fewer than it sees");
    for (const auto& [sid, other] : p.others)
      expect(others.contains(sid) && *others[sid] == *other, "what it was told is not what is");
    expect(*snapshot->self == *p.self, "what it was told of itself is not what is");
    std::set<std::string> subscribed, is;
    for (const Person& owner : house.people) {
      if (owner.id == p.id) continue;
      expect(p.others.contains(owner.sid) == knows(p, owner),
             "sees whom it should not, or not whom it should");
      for (const auto& [sid, track] : owner.tracks) {
        if (!track.is_published) continue;
        bool may = lets(owner, sid, p);
        if (wants(p, sid) && may) subscribed.insert(sid);
        if (may || wants(p, sid)) expect(p.refused.contains(sid) == !may, "refused wrongly");
      }
    }
    for (const auto& [sid, media] : p.subscribed) is.insert(sid);
    expect(is == subscribed, "subscribed to what it should not, or not to what it should");
    std::set<std::string> own;
    for (const auto& [sid, track] : p.tracks) own.insert(sid);
    expect(p.own == own, "its own tracks are others");
    check_gone(house, p);
    if (!p.is_active) return;
    std::map<std::string, float> speakers;
    for (const SpeakerLevel& level : snapshot->speakers) speakers[level.participant] = level.level;
    expect(speakers == p.speakers, "other speakers than it was told");
  }
  void check_gone(House& house, const Person& p) {
    WallTime since = wall_ - Duration::seconds(static_cast<std::int64_t>(rng_.below(60)));
    std::set<std::string> is, should;
    auto snapshot = house.room->snapshot(p.id, since);
    for (const auto& one : snapshot->gone) is.insert(one->sid);
    for (const auto& [at, sid] : p.gone)
      if (at >= since && !p.others.contains(sid)) should.insert(sid);
    expect(is == should, "those who left are not those it was told of");
  }
  void check_audible(House& house) {
    std::set<std::string> open, all, audible;
    std::set<std::uint32_t> shards;
    for (const Person& p : house.people)
      for (const auto& [sid, track] : p.tracks) {
        if (!track.is_published || track.kind != TrackKind::kAudio) continue;
        all.insert(sid);
        shards.insert(p.shard);
        if (!track.is_muted && !p.is_forwarded) open.insert(sid);
      }
    for (const auto& [shard, tracks] : house.audible) {
      audible.insert(tracks.begin(), tracks.end());
      expect(shards.contains(shard), "a limit where nobody publishes");
    }
    std::size_t most = house.config.limits.loudest_max;
    if (open.size() <= most) return void(expect(house.audible.empty(), "limited without need"));
    expect(std::includes(all.begin(), all.end(), audible.begin(), audible.end()), "audible but not there");
    expect(audible.size() >= most && house.audible.size() == shards.size(), "too few are audible");
  }
  void check_ended(House& house) {
    for (const Person& p : house.people)
      expect(p.is_forwarded || (p.has_left && p.was_removed), "left behind");
    expect(house.room->size() == 0 && house.room->participants().empty(), "not empty at the end");
    expect(house.room->next_deadline() == Timestamp::never(), "a deadline after the end");
    expect(house.joined >= house.left && house.published == house.unpublished, "happenings do not add up");
    expect(house.finished == 1 && house.ended == 1, "did not end once");
    if (!wrong_.empty()) return;
    open(house, std::string(house.info.name));
    route();
  }
  void finish(House& house) {
    Outputs out;
    std::string name = house.info.name;
    house.room->close(now_, wall_, LeaveReason::kServerShutdown, out);
    deliver(house, out);
    check_ended(house);
  }
  bool expect(bool is_so, const char* what) {
    if (!is_so && wrong_.empty()) wrong_ = std::string(what) + " (step " + std::to_string(step_) + ")";
    return is_so;
  }

  // ---- What is done.

  void act();
  void join(House& house);
  void admit(House& house, Person person);
  void leave(House& house, Person& p);
  void become_active(House& house, Person& p);
  void announce(House& house, Person& p);
  void publish(House& house, Person& p);
  void unpublish(House& house, Person& p);
  void forget(House& house, const std::string& sid);
  void mute(House& house, Person& p);
  void subscribe(House& house, Person& p);
  void set_subscribers(House& house, Person& p);
  void set_permissions(House& house, Person& p);
  void send_data(House& house, Person& p);
  void report(House& house, Person& p);
  void rename(House& house, Person& p);
  void tell_room(House& house);
  void move(House& house, House& other, Person& p);
  void forward(House& house, House& other, Person& p);
  void route();
  void take_forward(House& house, const ForwardChanged& forward);

  void command(House& house, const Person& p, Command c) {
    Outputs out;
    house.room->handle(now_, wall_, p.id, std::move(c), out);
    deliver(house, out);
  }
  std::string any_track(House& house, bool of_all) {
    std::vector<std::string> sids{"TR_none"};
    for (const Person& p : house.people)
      for (const auto& [sid, track] : p.tracks)
        if (of_all || track.is_published) sids.push_back(sid);
    return sids[rng_.below(sids.size())];
  }
  std::string own_track(const Person& p) {
    if (p.tracks.empty()) return "TR_none";
    auto track = p.tracks.begin();
    std::advance(track, static_cast<long>(rng_.below(p.tracks.size())));
    return track->first;
  }
  Permissions any_permissions() {
    Permissions permissions;
    permissions.can_subscribe = rng_.chance(0.8);
    permissions.can_publish = rng_.chance(0.85);
    permissions.can_publish_data = rng_.chance(0.8);
    if (rng_.chance(0.15)) permissions.sources = {TrackSource::kMicrophone};
    permissions.can_update_metadata = rng_.chance(0.5);
    permissions.is_hidden = rng_.chance(0.15);
    permissions.is_recorder = rng_.chance(0.05);
    return permissions;
  }

  Rng rng_;
  Timestamp now_ = Timestamp::from_ns(1'000'000'000);
  WallTime wall_ = WallTime::from_seconds(1'700'000'000);
  House houses_[2];
  std::deque<ForwardChanged> mail_;
  std::set<std::string> firsts_;
  std::string wrong_;
  int step_ = 0;
  int next_name_ = 0;
};

}  // namespace stoa::room
