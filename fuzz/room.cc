// A room that is asked anything: commands, API calls, moves and forwards with any texts, sizes and numbers,
// by those who are in, were in, or never came. What each seat is told fits together: nothing before it came
// or after it left, nobody known twice or gone unknown, subscriptions that begin and end in turn, versions
// that rise; and what it was told is what a snapshot says.
#include "room/room.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

#include "base/bytes.h"

namespace {

using namespace stoa;
using namespace stoa::room;

void must(bool is_so, const char* what) {
  if (is_so) return;
  std::fprintf(stderr, "room: %s\n", what);
  std::abort();
}

struct Seat {
  std::string sid;
  std::uint32_t shard = 0;
  std::map<std::string, std::uint32_t> others;  // Versions.
  std::set<std::string> subscribed;
};

class Run {
 public:
  explicit Run(Bytes bytes) : input_(bytes), room_(info(), config(), now_, wall_, Rng(1)) {}

  void go() {
    for (int actions = 0; actions < 600 && !input_.at_end(); ++actions) {
      act();
      settle();
      check();
    }
    room_.close(now_, wall_, LeaveReason::kServerShutdown, out_);
    settle();
    must(seats_.empty() && room_.size() == 0, "somebody is left at the end");
    must(room_.has_ended() && room_.next_deadline() == Timestamp::never(), "not over at the end");
  }

 private:
  static RoomInfo info() {
    RoomInfo info;
    info.name = "fuzz";
    return info;
  }
  RoomConfig config() {
    RoomConfig config;
    std::uint8_t bits = input_.u8();
    config.limits.participants_max = 1 + (bits & 15);
    config.limits.presence_max = bits >> 4 & 7;
    config.limits.publishers_max = 4;
    config.limits.loudest_max = 2;
    config.limits.seats_per_shard = 2;
    config.shards = 3;
    config.may_unmute_remotely = (bits & 128) != 0;
    return config;
  }

  // ---- Out of bytes.

  std::string text() {
    std::uint8_t what = input_.u8();
    if (what < 128) return std::string(1, static_cast<char>('a' + what % 12));
    if (what < 160) return std::string(std::size_t{1} << (what % 18), 'x');
    if (what < 224)
      return std::string(as_text(input_.take(std::min<std::size_t>(what % 16, input_.remaining()))));
    return {};
  }
  std::string sid() {
    std::uint8_t what = input_.u8();
    if (what >= 250 || sids_.empty()) return text();
    return sids_[what % sids_.size()];
  }
  std::vector<std::string> some_sids() {
    std::vector<std::string> some(input_.u8() % 5);
    for (std::string& one : some) one = sid();
    return some;
  }
  Permissions permissions() {
    std::uint8_t bits = input_.u8();
    Permissions p;
    p.can_subscribe = !(bits & 1);
    p.can_publish = !(bits & 2);
    p.can_publish_data = !(bits & 4);
    p.can_update_metadata = (bits & 8) != 0;
    p.is_hidden = (bits & 0x30) == 0x30;
    p.is_recorder = (bits & 0x41) == 0x41;
    if ((bits & 0xc0) == 0xc0) p.sources = {TrackSource::kMicrophone};
    return p;
  }
  SetSubscribers subscribers() {
    SetSubscribers s;
    s.everybody = (input_.u8() & 1) != 0;
    s.permissions.resize(input_.u8() % 4);
    for (auto& p : s.permissions) p = {sid(), text(), (input_.u8() & 1) != 0, some_sids()};
    return s;
  }
  TrackInfo track() {
    TrackInfo track;
    std::uint8_t bits = input_.u8();
    track.kind = (bits & 1) != 0 ? TrackKind::kVideo : TrackKind::kAudio;
    track.source = static_cast<TrackSource>((bits >> 1) % 5);
    track.is_muted = (bits & 128) != 0;
    track.name = text();
    track.codecs.resize((bits >> 4) % 4);
    for (TrackCodec& codec : track.codecs) codec = {text(), "", text(), {}, LayerMode::kUnknown};
    track.layers.resize(input_.u8() % 6);
    return track;
  }
  ParticipantId who() {
    std::uint8_t what = input_.u8();
    if (ids_.empty() || what >= 250) return {what, static_cast<std::uint32_t>(what & 3)};
    return ids_[what % ids_.size()];
  }

  // ---- Actions.

  void act() {
    switch (input_.u8() % 24) {
      case 0:
      case 1: return join();
      case 2: return say(BecomeActive{});
      case 3: return say(AnnounceTrack{text(), track(), 1});
      case 4: {
        AnnounceTrack codec{text(), track(), 2};
        codec.track.sid = sid();
        return say(std::move(codec));
      }
      case 5:
      case 6: return say(PublishTrack{sid(), text(), {text(), {input_.u8(), text()}}, text()});
      case 7: return say(UnpublishTrack{sid()});
      case 8: return say(MuteTrack{sid(), (input_.u8() & 1) != 0});
      case 9: return say(UpdateTrack{sid(), input_.u8(), {}, std::vector<std::uint32_t>(input_.u8())});
      case 10: return say(Subscribe{some_sids(), (input_.u8() & 1) != 0});
      case 11: return say(subscribers());
      case 12: return say(UpdateSelf{text(), text(), {{text(), text()}}, input_.u8()});
      case 13:
        return say(SendData{.identities = {text(), text()}, .sids = {sid()}, .payload = SharedBytes(text())});
      case 14: return say(ReportLevels{{{sid(), static_cast<float>(input_.u8()) / 100}}});
      case 15: return say(ReportQuality{static_cast<ConnectionQuality>(input_.u8() & 3), 3});
      case 16: return say(Leave{});
      case 17: return (void)room_.remove(now_, wall_, text(), LeaveReason::kRemoved, out_);
      case 18: return (void)room_.mute(now_, wall_, text(), sid(), (input_.u8() & 1) != 0, out_);
      case 19:
        return (void)room_.update_participant(now_, wall_, text(),
                                              {text(), text(), {{text(), text()}}, permissions()}, out_);
      case 20: return move();
      case 21: return forward();
      case 22: return pass();
      default: return rest();
    }
  }
  void join() {
    JoinWish wish;
    wish.identity = text();
    wish.metadata = text();
    wish.attributes[text()] = text();
    wish.permissions = permissions();
    wish.auto_subscribe = (input_.u8() & 3) != 0;
    wish.kind = static_cast<ParticipantKind>(input_.u8() % 6);
    auto joined = room_.join(now_, wall_, std::move(wish), out_);
    settle();
    if (joined) seat(*joined);
  }
  void seat(const Joined& joined) {
    must(!seats_.contains(joined.participant), "one id for two");
    Seat& seat = seats_[joined.participant];
    seat.sid = joined.self->sid;
    seat.shard = joined.shard;
    for (const auto& other : joined.others) seat.others[other->sid] = other->version;
    if (ids_.size() < 64) ids_.push_back(joined.participant);
    remember(seat.sid);
  }
  void move() {
    auto luggage = room_.take_out(now_, wall_, text(), out_);
    if (!luggage) return;
    seats_.erase(luggage->id);
    pass_over();
    if ((input_.u8() & 1) != 0) luggage->wish.permissions = permissions();
    luggage->shard = input_.u8() % 5;
    auto joined = room_.put_in(now_, wall_, std::move(*luggage), out_);
    if (!joined) return;
    pass_over();
    seat(*joined);
  }
  // All that comes out but who left; what was told is taken from snapshots instead.
  void pass_over() {
    for (const Output& output : out_)
      if (const Left* left = std::get_if<Left>(&output)) seats_.erase(left->participant);
    out_.clear();
    for (auto& [id, seat] : seats_) {
      auto snapshot = room_.snapshot(id, wall_);
      must(snapshot.has_value(), "a seat without a participant");
      seat.others.clear();
      for (const auto& other : snapshot->others) seat.others[other->sid] = other->version;
    }
    is_lenient_ = true;
  }
  void forward() {
    std::uint8_t what = input_.u8();
    if ((what & 3) == 0) return (void)room_.forward(now_, text(), text(), out_);
    if ((what & 3) == 1) return room_.stop_forwarding(now_, text(), text(), out_);
    ParticipantInfo shown;
    shown.identity = text();
    shown.sid = "PA_" + shown.identity;
    shown.version = input_.u8();
    shown.state = ParticipantState::kActive;
    ForwardChanged forward{"fuzz", text(), nullptr, {}, subscribers(), (what & 4) != 0};
    for (int i = what >> 4 & 3; i > 0; --i) {
      shown.tracks.push_back(track());
      shown.tracks.back().sid = "TR_" + text();
      remember(shown.tracks.back().sid);
      forward.media.emplace_back(shown.tracks.back().sid,
                                 std::vector<TrackMedia>{{text(), {input_.u8(), "x"}}});
    }
    forward.participant = std::make_shared<const ParticipantInfo>(std::move(shown));
    (void)room_.handle_forward(now_, wall_, forward, out_);
  }
  void pass() {
    Timestamp until = now_ + Duration::milliseconds(std::int64_t{input_.u8()} * 40);
    for (int turns = 0; room_.next_deadline() <= until; ++turns) {
      must(turns < 1'000, "deadlines without end");
      now_ = std::max(now_, room_.next_deadline());
      room_.handle_deadline(now_, wall_, out_);
      settle();
    }
    wall_ = wall_ + (until - now_);
    now_ = until;
  }
  void rest() {
    std::uint8_t what = input_.u8();
    if ((what & 3) == 0) (void)room_.update_metadata(now_, wall_, text(), out_);
    if ((what & 3) == 1) room_.set_recorded(now_, (what & 4) != 0, out_);
    if ((what & 3) == 2)
      (void)room_.update_subscriptions(now_, wall_, text(), some_sids(), (what & 4) != 0, out_);
    if ((what & 3) == 3) room_.send_data(now_, {.identities = {text()}, .sids = some_sids()}, out_);
  }
  template <typename T>
  void say(T command) {
    room_.handle(now_, wall_, who(), Command(std::move(command)), out_);
  }
  void remember(const std::string& sid) {
    if (sids_.size() < 200) sids_.push_back(sid);
  }

  // ---- What comes out.

  void settle() {
    for (Output& output : out_)
      std::visit(Overloaded{[&](ToParticipant& to) {
                              auto seat = seats_.find(to.participant);
                              must(seat != seats_.end(), "an event for nobody");
                              take(seat->second, to.event);
                            },
                            [&](ToShard& to) { to_shard(to); },
                            [&](Left& left) { must(seats_.erase(left.participant) == 1, "nobody left"); },
                            [](auto&) {}},
                 output);
    out_.clear();
  }
  void to_shard(const ToShard& to) {
    std::set<std::uint64_t> only;
    for (ParticipantId id : to.only) only.insert(id.value());
    for (auto& [id, seat] : seats_)
      if (seat.shard == to.shard && id != to.except && (only.empty() || only.contains(id.value())))
        take(seat, *to.event);
  }
  void take(Seat& seat, const Event& event) {
    if (const auto* changed = std::get_if<ParticipantsChanged>(&event))
      for (const auto& p : changed->participants) take(seat, *p);
    if (const auto* announced = std::get_if<TrackAnnounced>(&event)) remember(announced->track.sid);
    if (is_lenient_) return;
    if (const auto* subscribed = std::get_if<Subscribed>(&event)) {
      must(seat.others.contains(subscribed->publisher_sid), "subscribed to a stranger");
      seat.subscribed.insert(subscribed->track.sid);
    }
    if (const auto* ended = std::get_if<Unsubscribed>(&event))
      must(seat.subscribed.erase(ended->track) == 1, "unsubscribed from what it was not");
  }
  void take(Seat& seat, const ParticipantInfo& told) {
    if (told.sid == seat.sid) return;
    must(!told.permissions.is_hidden, "told of somebody hidden");
    auto known = seat.others.find(told.sid);
    if (told.state == ParticipantState::kDisconnected) {
      must(known != seat.others.end(), "told of a stranger's going");
      seat.others.erase(known);
    } else {
      must(known == seat.others.end() || told.version > known->second, "a version that does not rise");
      seat.others[told.sid] = told.version;
    }
  }
  void check() {
    for (const auto& [id, seat] : seats_) {
      auto snapshot = room_.snapshot(id, wall_);
      must(snapshot.has_value(), "a seat without a participant");
      must(snapshot->others.size() == seat.others.size(), "told of more or fewer than it sees");
      for (const auto& other : snapshot->others) {
        auto known = seat.others.find(other->sid);
        must(known != seat.others.end() && known->second == other->version, "not told what is");
      }
    }
  }

  struct ById {
    bool operator()(ParticipantId a, ParticipantId b) const { return a.value() < b.value(); }
  };
  ByteReader input_;
  Timestamp now_ = Timestamp::from_ns(1'000'000'000);
  WallTime wall_ = WallTime::from_seconds(1'800'000'000);
  Outputs out_;
  Room room_;
  std::map<ParticipantId, Seat, ById> seats_;
  std::vector<ParticipantId> ids_;
  std::vector<std::string> sids_;
  bool is_lenient_ = false;  // Subscriptions were passed over once.
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 8'192) return 0;
  Run({data, size}).go();
  return 0;
}
