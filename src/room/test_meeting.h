// A room with people in it, for tests: short commands, and what each was told.
#pragma once

#include <deque>
#include <string>

#include "room/room.h"

namespace stoa::room {

class Meeting {
 public:
  explicit Meeting(RoomConfig config = {}, RoomInfo info = named("demo"), std::uint64_t seed = 1)
      : room(std::move(info), config, now, wall, Rng(seed)) {}

  static RoomInfo named(std::string name) {
    RoomInfo info;
    info.name = std::move(name);
    return info;
  }
  static JoinWish wish(std::string identity) {
    JoinWish wish;
    wish.identity = std::move(identity);
    return wish;
  }

  Joined join(std::string identity, Permissions permissions = {}, bool is_active = true) {
    JoinWish wanted = wish(std::move(identity));
    wanted.permissions = std::move(permissions);
    return join(std::move(wanted), is_active);
  }
  Joined join(JoinWish wanted, bool is_active = true) {
    Joined joined = room.join(now, wall, std::move(wanted), out).value();
    if (is_active) say(joined, BecomeActive{});
    return joined;
  }
  void say(const Joined& who, Command command) {
    room.handle(now, wall, who.participant, std::move(command), out);
  }
  // The sid of a new track, which is announced.
  std::string announce(const Joined& who, TrackKind kind = TrackKind::kAudio,
                       TrackSource source = TrackSource::kMicrophone) {
    AnnounceTrack command;
    command.cid = "cid" + std::to_string(next_cid_++);
    command.track.kind = kind;
    command.track.source = source;
    say(who, command);
    auto answers = all<TrackAnnounced>(who);
    return answers.empty() || answers.back().cid != command.cid ? "" : answers.back().track.sid;
  }
  std::string publish(const Joined& who, TrackKind kind = TrackKind::kAudio,
                      TrackSource source = TrackSource::kMicrophone) {
    std::string sid = announce(who, kind, source);
    say(who, PublishTrack{sid, "0", {"audio/opus", {who.shard, sid}}, ""});
    return sid;
  }
  void speak(const Joined& who, const std::string& track, float level) {
    say(who, ReportLevels{{{track, level}}});
  }
  void pass(Duration time) {
    Timestamp until = now + time;
    while (room.next_deadline() <= until) {
      to(std::max(now, room.next_deadline()));
      room.handle_deadline(now, wall, out);
    }
    to(until);
  }

  // All events of one kind that one was told since clear(), oldest first.
  template <typename T>
  std::vector<T> all(const Joined& who) const {
    std::vector<T> events;
    for (const Output& output : out) {
      const Event* event = event_for(who, output);
      if (event)
        if (const T* one = std::get_if<T>(event)) events.push_back(*one);
    }
    return events;
  }
  template <typename T>
  std::vector<T> outputs() const {
    std::vector<T> some;
    for (const Output& output : out)
      if (const T* one = std::get_if<T>(&output)) some.push_back(*one);
    return some;
  }
  // What it was told last of somebody; null: nothing.
  SharedParticipant last_told(const Joined& who, std::string_view sid) const {
    SharedParticipant last;
    for (const auto& change : all<ParticipantsChanged>(who))
      for (const auto& p : change.participants)
        if (p->sid == sid) last = p;
    return last;
  }
  std::vector<Happening> happenings() const {
    std::vector<Happening> what;
    for (const Happened& happened : outputs<Happened>()) what.push_back(happened.what);
    return what;
  }
  void clear() { out.clear(); }

  Timestamp now = Timestamp::from_ns(1'000'000'000);
  WallTime wall = WallTime::from_seconds(1'700'000'000);
  Outputs out;
  Room room;

 private:
  static const Event* event_for(const Joined& who, const Output& output) {
    if (const auto* one = std::get_if<ToParticipant>(&output))
      return one->participant == who.participant ? &one->event : nullptr;
    const auto* many = std::get_if<ToShard>(&output);
    if (!many || many->shard != who.shard || many->except == who.participant) return nullptr;
    bool is_meant = many->only.empty();
    for (ParticipantId id : many->only) is_meant = is_meant || id == who.participant;
    return is_meant ? many->event.get() : nullptr;
  }
  void to(Timestamp time) {
    wall = wall + (time - now);
    now = time;
  }

  int next_cid_ = 0;
};

}  // namespace stoa::room
