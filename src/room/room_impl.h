// The inside of a Room, for room*.cc alone.
//
// Sideways links are ids: a participant knows its tracks by TrackId, and its subscriptions are bits at the
// indexes of tracks, so that whoever leaves takes them along and only a track that goes costs a walk over
// participants.
#pragma once

#include <algorithm>
#include <deque>
#include <set>
#include <unordered_map>

#include "base/assert.h"
#include "base/slot_table.h"
#include "base/timer_queue.h"
#include "room/room.h"

namespace stoa::room {

// Valid UTF-8.
bool is_text(std::string_view text);

using TrackId = SlotId<struct TrackTag>;

// A set of small numbers.
class Bits {
 public:
  bool test(std::uint32_t i) const { return i / 64 < words_.size() && (words_[i / 64] >> (i % 64) & 1) != 0; }
  void set(std::uint32_t i, bool value) {
    if (i / 64 >= words_.size()) {
      if (!value) return;
      words_.resize(i / 64 + 1);
    }
    std::uint64_t bit = std::uint64_t{1} << (i % 64);
    words_[i / 64] = value ? words_[i / 64] | bit : words_[i / 64] & ~bit;
  }

 private:
  std::vector<std::uint64_t> words_;
};

struct Track {
  ParticipantId owner;
  TrackInfo info;
  std::string cid;
  std::vector<std::optional<TrackMedia>> media;  // In the order of info.codecs.
  bool is_published = false;
  bool had_subscriber = false;
  float level = 0;
  bool is_among_loudest = false;
  bool is_audible = false;
  Timestamp audible_until;  // Once it is not among the loudest any more.

  bool is_open_audio() const { return is_published && info.kind == TrackKind::kAudio && !info.is_muted; }
  std::vector<TrackMedia> places() const;
};

struct Participant {
  ParticipantId id;
  ParticipantInfo info;
  SharedParticipant shared;  // `info`, as it was told last.
  std::uint32_t shard = 0;
  bool auto_subscribe = true;
  bool is_forwarded = false;  // Has no seat; from `forwarded_from`.
  std::string forwarded_from;
  bool is_familiar = false;  // Came while the room was small, or was here when it became so.
  std::uint64_t gone_before = 0, gone_before_familiar = 0;  // Of Impl::gone_count: of these it knows nothing.
  bool is_public = false;       // Published since it can be seen: everybody was told of it.
  std::vector<TrackId> tracks;  // Announced ones too, in the order they came.
  std::size_t published = 0;    // Of them.

  // By the index of a track.
  Bits subscribed;
  Bits contrary;                    // It said so, against `auto_subscribe`.
  Bits refused;                     // It was told that the publisher does not let it.
  std::deque<std::string> awaited;  // `contrary`, of tracks that are not there; the newest last.

  struct Grant {
    bool all_tracks = false;
    std::set<std::string, std::less<>> tracks;
  };
  bool lets_everybody = true;  // Subscribe to its tracks.
  std::map<std::string, Grant, std::less<>> lets_sid, lets_identity;
  SetSubscribers subscribers;  // As it was said.

  std::vector<std::string> forwards;  // Names of rooms.
  float told_level = 0;
  bool is_level_new = false;
  ReportQuality quality;
  ConnectionQuality told_quality = ConnectionQuality::kExcellent;
  bool is_quality_new = false;

  bool is_hidden() const { return info.permissions.is_hidden; }
  bool has_seat() const { return !is_forwarded; }
  bool is_active() const { return info.state == ParticipantState::kActive; }
  // There for others alone.
  bool is_dependent() const {
    return is_forwarded || info.permissions.is_recorder || info.permissions.is_agent ||
           info.kind == ParticipantKind::kEgress || info.kind == ParticipantKind::kAgent;
  }
};

struct Room::Impl {
  Impl(RoomInfo i, const RoomConfig& c, Timestamp now, WallTime wall, Rng r);

  // ---- room.cc
  RoomInfo room_info() const;
  void begin(Outputs& out);
  void handle_deadline(Timestamp now, WallTime wall, Outputs& out);
  Timestamp next_deadline() const;
  void close(LeaveReason reason, Outputs& out);
  void forget_all();
  void count_changed(Timestamp now);
  void tell_room(Outputs& out);
  std::string make_sid(std::string_view prefix);
  Participant* find(ParticipantId id);
  const Participant* find(ParticipantId id) const;
  Participant* find(std::string_view identity);
  Track* find_track(std::string_view sid, TrackId* id = nullptr);
  Track& at(TrackId id) { return **tracks.find(id); }
  const Track& at(TrackId id) const { return const_cast<Impl*>(this)->at(id); }
  void happened(Happening what, const Participant* p, const Track* track, Outputs& out) const;

  // ---- room_told.cc
  bool is_small() const { return visible <= config.limits.presence_max; }
  bool knows(const Participant& viewer, const Participant& p) const;
  bool is_known_to_all(const Participant& p) const;
  void to(const Participant& p, Event event, Outputs& out) const;
  void to_all(Event event, const Participant* except, Outputs& out) const;
  void to_these(Event event, std::span<const Participant* const> these, Outputs& out) const;
  // To all who know `about`.
  void to_knowing(Event event, const Participant& about, bool with_itself, Outputs& out) const;
  void make_version(Participant& p) const;
  void tell_change(Participant& p, Outputs& out, bool with_itself = true);
  void tell_gone(Participant& p, LeaveReason reason, WallTime wall, Outputs& out);
  void tell_forward(const Participant& p, const std::string& room, bool is_gone, Outputs& out) const;
  void tell_forwards(const Participant& p, bool is_gone, Outputs& out) const;
  void answer_forward(const Participant& p, Outputs& out) const;
  void become_familiar(Outputs& out);
  std::vector<SharedParticipant> others_of(const Participant& viewer) const;
  std::vector<SharedParticipant> gone_of(const Participant& viewer, WallTime since) const;
  std::vector<SpeakerLevel> speaking() const;

  // ---- room_members.cc
  std::optional<JoinRefusal> refusal_of(const JoinWish& wish) const;
  Result<Joined, JoinRefusal> join(Timestamp now, WallTime wall, JoinWish wish, Outputs& out);
  static std::unique_ptr<Participant> make_participant(JoinWish wish, WallTime wall);
  Participant& admit(Timestamp now, std::unique_ptr<Participant> admitted);
  Joined joined(const Participant& p) const;
  std::uint32_t choose_shard() const;
  void keeper_came();
  void keeper_went(Timestamp now);
  void become_active(Participant& p, Outputs& out);
  void greet(Participant& p, Outputs& out);
  // With all that its seat is told; of `p` nothing is left.
  void leave(Timestamp now, WallTime wall, Participant& p, LeaveReason reason, bool is_told, Outputs& out);
  void take_away(Timestamp now, WallTime wall, Participant& p, LeaveReason reason, Outputs& out);
  bool is_within_limits(const Participant& p, const ParticipantUpdate& update) const;
  void update(Timestamp now, WallTime wall, Participant& p, const ParticipantUpdate& update, Outputs& out);
  void set_permissions(Timestamp now, WallTime wall, Participant& p, Permissions permissions, Outputs& out);
  void update_self(Timestamp now, WallTime wall, Participant& p, const UpdateSelf& command, Outputs& out);
  // From null: the server.
  void send_data(const Participant* from, const SendData& data, Outputs& out);

  // ---- room_moves.cc
  Luggage pack(const Participant& p) const;
  void unpack_tracks(Timestamp now, Participant& p, Luggage& luggage);
  void place_media(Track& track, TrackMedia media) const;
  Result<Joined, JoinRefusal> put_in(Timestamp now, WallTime wall, Luggage luggage, Outputs& out);
  Result<void, JoinRefusal> handle_forward(Timestamp now, WallTime wall, const ForwardChanged& forward,
                                           Outputs& out);
  void update_forwarded(Timestamp now, Participant& p, const ForwardChanged& forward, Outputs& out);

  // ---- room_tracks.cc: telling of the owner is the caller's in insert_, open_, remove_track() and
  // unpublish_forbidden().
  void announce(WallTime wall, Participant& p, AnnounceTrack command, Outputs& out);
  void add_codec(WallTime wall, Participant& p, const AnnounceTrack& command, Outputs& out);
  void publish(Timestamp now, WallTime wall, Participant& p, const PublishTrack& command, Outputs& out);
  void unpublish(Timestamp now, Participant& p, const UnpublishTrack& command, Outputs& out);
  void mute(Timestamp now, WallTime wall, Participant& p, Track& track, bool is_muted, Outputs& out);
  void update_track(WallTime wall, Participant& p, const UpdateTrack& command, Outputs& out);
  void unpublish_forbidden(Timestamp now, Participant& p, bool all, Outputs& out);
  TrackId insert_track(Participant& p, Track track);
  void open_track(Timestamp now, Participant& p, TrackId id);
  void remove_track(Timestamp now, Participant& p, TrackId id, Outputs& out);
  Track* find_own(const Participant& p, std::string_view sid, TrackId* id = nullptr);
  bool has_room_for_publishers(std::size_t others) const;

  // ---- room_subscriptions.cc
  bool lets(const Participant& owner, const Track& track, const Participant& subscriber) const;
  void settle(TrackId id, Track& track, Participant& p, Outputs& out);
  void settle_track(TrackId id, Outputs& out);
  void settle_subscriber(Participant& subscriber, Outputs& out);
  void retell_media(TrackId id, Outputs& out);
  void fulfil_awaited(TrackId id);
  void forget_track(TrackId id, Outputs& out);
  void subscribe(Participant& p, const std::string& sid, bool is_wanted, Outputs& out);
  void take_grants(Participant& p, SetSubscribers command) const;
  void set_subscribers(Participant& p, SetSubscribers command, Outputs& out);

  // ---- room_speakers.cc
  void set_levels(Timestamp now, Participant& p, const ReportLevels& report);
  void level_changed(Timestamp now, Participant& p);
  void audible_changed(Timestamp now) { audible_due = std::min(audible_due, now); }
  void tell_speakers(Timestamp now, Outputs& out);
  void fall_silent(Participant& p, const Participant* except, Outputs& out);
  void choose_audible(Timestamp now, std::vector<Track*>& open);
  void settle_audible(Timestamp now, Outputs& out);
  void set_quality(Timestamp now, Participant& p, const ReportQuality& report);
  void tell_qualities(Timestamp now, Outputs& out);

  RoomInfo info;  // Counts are made when asked.
  const RoomConfig config;
  Rng rng;
  bool has_begun = false, has_ended = false;

  SlotTable<std::unique_ptr<Participant>, ParticipantTag> participants;
  SlotTable<std::unique_ptr<Track>, TrackTag> tracks;
  std::unordered_map<std::string, ParticipantId> by_identity, by_sid;
  std::unordered_map<std::string, TrackId> track_by_sid;
  std::vector<std::size_t> seats;  // By shard.
  std::size_t visible = 0;         // Not hidden.
  std::size_t keepers = 0;         // Not dependent.
  std::size_t announcers = 0;      // With any track.
  std::size_t publishers = 0;      // With a published one.
  std::size_t unfamiliar = 0;      // With a seat.

  struct Gone {
    SharedParticipant participant;
    WallTime at;
    bool is_familiar, is_public;
    std::uint64_t number;
  };
  std::deque<Gone> gone;
  std::uint64_t gone_count = 0;

  Timestamp begun_at, ends_at;
  TimerQueue<std::uint64_t> join_timers;
  Timestamp room_due = Timestamp::never();
  Timestamp speakers_due = Timestamp::never(), speakers_told_at;
  Timestamp audible_due = Timestamp::never();
  Timestamp quality_due = Timestamp::never(), quality_told_at;
  bool has_told_speakers = false, has_told_quality = false;
  std::vector<ParticipantId> new_levels, new_qualities;
  std::map<std::uint32_t, std::vector<std::string>> told_audible;  // Of limited shards.
};

}  // namespace stoa::room
