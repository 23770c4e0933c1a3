// Shards with rooms and people in them, who speak the client protocol over WebSockets and send and receive
// media, in virtual time. A token is "room/identity".
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/livekit/signal.h"
#include "crypto/text.h"
#include "session/webrtc/test_peer.h"
#include "shard/shard.h"

namespace stoa::shard {

namespace pb = livekit::pb;
using webrtc::PeerClient;

// A participant: one or two connections and a WebSocket.
struct Person {
  std::string room, identity;
  bool is_single = false;
  ShardIndex shard = 0;  // Of its WebSocket.
  api::RequestKey request = 0;
  bool is_open = false;
  int status = 0;                                  // Of a request that was refused …
  std::uint16_t code = 0;                          // … and of a WebSocket that was closed.
  std::unique_ptr<PeerClient> sending, receiving;  // The latter of the older generation.
  std::vector<pb::SignalResponse> heard;
  std::map<std::string, pb::ParticipantInfo> known;  // By sid, as told.
  std::string sid;
  std::uint32_t offers = 0;
  bool is_offering = false, wants_offer = false;  // One at a time.
  std::optional<sctp::StreamId> reliable, lossy;  // Channels, once it opened them.

  PeerClient& receiver() { return is_single ? *sending : *receiving; }
  std::vector<pb::SignalResponse> all(pb::SignalResponse::MessageCase what) const {
    std::vector<pb::SignalResponse> found;
    for (const pb::SignalResponse& one : heard)
      if (one.message_case() == what) found.push_back(one);
    return found;
  }
  // Data that it was sent.
  std::vector<pb::DataPacket> data() {
    std::vector<pb::DataPacket> all;
    for (const std::string& message : receiver().messages)
      EXPECT_TRUE(all.emplace_back().ParseFromString(message));
    return all;
  }
  const pb::ParticipantInfo* find(std::string_view name) const {
    for (const auto& [id, info] : known)
      if (info.identity() == name && info.state() != pb::ParticipantInfo::DISCONNECTED) return &info;
    return nullptr;
  }
};

// Everybody on a shard of his own, when there are enough.
inline ShardConfig spread() {
  ShardConfig config;
  config.rooms.limits.seats_per_shard = 1;
  return config;
}

// What came of one that was sent is all of it, in order, without a hole in the numbers of SRTP.
inline void expect_whole(const std::vector<webrtc::PeerGot>& got) {
  ASSERT_GT(got.size(), 10u);
  for (std::size_t i = 1; i < got.size(); ++i) {
    ASSERT_EQ(got[i].index, got[i - 1].index + 1) << i;
    ASSERT_EQ(got[i].number, got[i - 1].number + 1) << i;
  }
}

class RoomsTown {
 public:
  explicit RoomsTown(ShardIndex shards, ShardConfig config = {}) : transform_(crypto::make_srtp_kernel()) {
    time.advance(Duration::seconds(1));
    for (ShardIndex i = 0; i < shards; ++i) {
      config.index = i;
      config.shards = shards;
      shards_.push_back(std::make_unique<Shard>(config, time.wall(), Rng(100 + i)));
      // All say the same address, and all hear what is sent there: who knows the sender takes it.
      shards_.back()->open_rtc({webrtc::host_candidate(webrtc::kServerAddress)});
    }
  }

  // Asks to come in.
  Person& ask(const std::string& room, const std::string& identity, ShardIndex shard, bool is_single = false,
              bool takes_red = false) {
    people_.push_back(std::make_unique<Person>());
    Person& person = *people_.back();
    person.room = room;
    person.identity = identity;
    person.is_single = is_single;
    person.sending = make_client();
    if (!is_single) person.receiving = make_client();
    for (PeerClient* client : {person.sending.get(), person.receiving.get()})
      if (client && takes_red) client->take_red();
    add_first_sections(person);
    call(person, shard);
    return person;
  }
  // A new connection in place of the single one that it had.
  void connect_anew(Person& person) {
    person.sending = make_client();
    add_first_sections(person);
    person.reliable = person.lossy = std::nullopt;
    offer(person);
  }
  Person& join(const std::string& room, const std::string& identity, ShardIndex shard, bool is_single = false,
               bool takes_red = false) {
    Person& person = ask(room, identity, shard, is_single, takes_red);
    EXPECT_TRUE(run_until([&] { return person.is_open && !person.sid.empty(); })) << person.status;
    if (is_single) offer(person);
    EXPECT_TRUE(run_until([&] { return person.receiver().is_connected(); }));
    return person;
  }
  // Publishes; the tag names what it sends.
  void publish(Person& person, sdp::MediaKind kind, std::uint32_t tag, pb::SignalRequest request = {}) {
    announce(person, kind, tag, std::move(request));
    offer(person);
  }
  // A camera in three sizes, with tags from this one on: 50 packets a second, 150, 270 and 390 kb/s with all
  // headers. `is_scalable`: as layers of one stream.
  void publish_layers(Person& person, std::uint32_t tag, bool is_scalable = false) {
    pb::SignalRequest request;
    pb::AddTrackRequest& track = *request.mutable_add_track();
    track.set_cid("cid" + std::to_string(tag));
    track.set_type(pb::VIDEO);
    track.set_source(pb::CAMERA);
    for (int i = 0; i < 3; ++i) {
      pb::VideoLayer& layer = *track.add_layers();
      layer.set_quality(static_cast<pb::VideoQuality>(i));
      layer.set_width(320u << i);
      layer.set_height(180u << i);
      layer.set_bitrate(150'000 + 120'000 * static_cast<std::uint32_t>(i));
    }
    say(person, request);
    if (is_scalable) {
      person.sending->send_scalable(track.cid(), tag, 300);
    } else {
      person.sending->send_layers(track.cid(), tag, {"q", "h", "f"}, 300);
    }
    offer(person);
  }
  // With its next offer.
  void announce(Person& person, sdp::MediaKind kind, std::uint32_t tag, pb::SignalRequest request = {}) {
    const std::string cid = "cid" + std::to_string(tag);
    request.mutable_add_track()->set_cid(cid);
    request.mutable_add_track()->set_type(kind == sdp::MediaKind::kVideo ? pb::VIDEO : pb::AUDIO);
    request.mutable_add_track()->set_source(kind == sdp::MediaKind::kVideo ? pb::CAMERA : pb::MICROPHONE);
    say(person, request);
    person.sending->send(kind, cid, tag);
  }
  void offer(Person& person) {
    if (std::exchange(person.is_offering, true)) {
      person.wants_offer = true;
      return;
    }
    pb::SignalRequest request;
    request.mutable_offer()->set_type("offer");
    request.mutable_offer()->set_sdp(person.sending->offer());
    request.mutable_offer()->set_id(++person.offers);
    say(person, request);
  }
  void say(Person& person, const pb::SignalRequest& request) {
    say_bytes(person, as_bytes(request.SerializeAsString()));
  }
  void say_bytes(Person& person, Bytes bytes) {
    shards_[person.shard]->handle_socket_message(time.now(), time.wall(), person.request, bytes, false, out_);
    carry(person.shard);
  }
  // Numbered from 1, if reliable.
  void send_data(Person& person, const std::string& text, std::uint32_t sequence = 0) {
    pb::DataPacket packet;
    packet.mutable_user()->set_payload(text);
    packet.set_sequence(sequence);
    send_packet(person, packet, sequence != 0);
  }
  void send_packet(Person& person, const pb::DataPacket& packet, bool is_reliable) {
    if (!person.sending->is_connected()) {
      offer(person);
      EXPECT_TRUE(run_until([&] { return person.sending->is_connected(); }));
    }
    auto& channel = is_reliable ? person.reliable : person.lossy;
    if (!channel) channel = person.sending->open_channel(is_reliable ? "_reliable" : "_lossy");
    person.sending->send_data(*channel, packet.SerializeAsString());
  }
  // A call of the server's API. `to`: the room that it moves to.
  std::uint64_t ask_server(livekit::TwirpRequest request, const std::string& to = "") {
    const std::string room = livekit::room_of(request);
    auto asked = std::make_shared<livekit::TwirpCall>();
    asked->request = std::move(request);
    give_mail(owner(room), RoomCalled{++questions_, std::move(asked), {.name = to.empty() ? room : to}});
    return questions_;
  }
  void move(Person& person, const std::string& to) {
    pb::MoveParticipantRequest request;
    request.set_room(person.room);
    request.set_identity(person.identity);
    request.set_destination_room(to);
    ask_server(request, to);
    person.room = to;
  }
  ShardIndex owner(const std::string& room) const {
    return owner_of(room, static_cast<ShardIndex>(shards_.size()));
  }
  // A name that this shard owns.
  std::string room_of(ShardIndex shard) const {
    for (int i = 0;; ++i)
      if (std::string name = "room" + std::to_string(i); owner(name) == shard) return name;
  }
  // What was held goes its way.
  void release() {
    holds = nullptr;
    for (Posted& posted : std::exchange(held_, {}))
      mail_.push_back({time.now(), posted.to, std::move(posted.mail)});
  }
  // Its WebSocket is lost; media is not.
  void cut(Person& person) {
    person.is_open = false;
    shards_[person.shard]->handle_socket_closed(time.now(), time.wall(), person.request, out_);
    carry(person.shard);
  }
  void resume(Person& person, ShardIndex shard) { call(person, shard, person.sid); }

  bool run_until(const std::function<bool()>& is_met, Duration limit = Duration::seconds(10)) {
    for (Timestamp end = time.now() + limit; time.now() < end;) {
      if (is_met()) return true;
      step();
    }
    return is_met();
  }
  void run_for(Duration duration) {
    run_until([] { return false; }, duration);
  }
  // As control does: the owner of the room is asked, and it asks those who have the seats. What they say is
  // in `found` and `seats`.
  void ask_about(api::RoomsQuery wish) {
    found.reset();
    seats.clear();
    const ShardIndex to = owner(wish.room);
    post(to, RoomsQueried{++queries_, std::make_shared<const api::RoomsQuery>(std::move(wish))});
    EXPECT_TRUE(
        run_until([&] { return found && seats.size() >= found->seat_answers; }, Duration::seconds(1)));
  }
  // The node stops.
  void end() {
    for (ShardIndex i = 0; i < shards_.size(); ++i) {
      shards_[i]->end_channels(time.now(), time.wall(), out_);
      carry(i);
    }
  }
  // Over all shards.
  double metric(std::string_view name) const {
    double sum = 0;
    bool is_known = false;
    for (const auto& shard : shards_)
      for (const MetricSample& sample : shard->metrics()) {
        if (name != sample.name) continue;
        is_known = true;
        sum += sample.value;
      }
    EXPECT_TRUE(is_known) << name;
    return sum;
  }

  // In the tables of rooms, of all shards.
  std::size_t entries() const {
    std::size_t sum = 0;
    for (const auto& shard : shards_) sum += shard->room_entries();
    return sum;
  }

  sim::VirtualTime time;
  std::vector<room::Happened> happened;
  std::vector<std::string> log;
  std::size_t relayed = 0;  // Packets from shard to shard.
  std::size_t tokens = 0;
  std::optional<RoomsFound> found;
  std::vector<SeatsFound> seats;
  std::map<std::uint64_t, RoomAnswered> answers;  // Of ask_server().
  std::vector<RpcAnswered> rpc_answers;
  std::function<bool(const Mail&)> holds;  // What is held until release().
  std::function<void(const Mail&)> on_mail;
  std::string query;     // Of requests to join, besides what they need.
  std::string room_sid;  // As of a room that is kept; empty: a new one each time.

 private:
  struct Posted {
    Timestamp at;
    ShardIndex to;
    Mail mail;
  };
  std::unique_ptr<PeerClient> make_client() {
    return std::make_unique<PeerClient>(time, transform_, ++seeds_, false);
  }
  void add_first_sections(Person& person) {
    person.sending->add_data();
    if (!person.is_single) return;
    for (sdp::MediaKind kind : {sdp::MediaKind::kAudio, sdp::MediaKind::kVideo})
      person.sending->receive(kind);
  }
  void call(Person& person, ShardIndex shard, const std::string& resumed = "") {
    http::Request request{
        .method = http::Method::kGet,
        .path = "/rtc",
        .query = "access_token=" + person.room + "/" + person.identity + "&protocol=16&sdk=js&version=2.9.1",
        .peer_address = "198.51.100.7"};
    request.query += query;
    if (!resumed.empty()) request.query += "&reconnect=1&sid=" + resumed;
    if (person.is_single) {
      pb::WrappedJoinRequest wrapped;
      pb::JoinRequest join;
      join.mutable_client_info()->set_protocol(16);
      join.mutable_client_info()->set_sdk(pb::ClientInfo::JS);
      join.mutable_client_info()->set_version("2.9.1");
      join.mutable_connection_settings()->set_auto_subscribe(true);
      join.set_reconnect(!resumed.empty());
      join.set_participant_sid(resumed);
      wrapped.set_join_request(join.SerializeAsString());
      request.path = "/rtc/v1";
      request.query += "&join_request=" + crypto::write_base64url(as_bytes(wrapped.SerializeAsString()));
    }
    for (auto [name, value] : {std::pair("upgrade", "websocket"), std::pair("connection", "Upgrade"),
                               std::pair("sec-websocket-version", "13"),
                               std::pair("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")})
      request.headers.add(name, value);
    person.shard = shard;
    person.request = ++requests_;
    shards_[shard]->handle_request(time.now(), time.wall(), person.request, request, out_);
    carry(shard);
  }

  // One millisecond.
  void step() {
    time.advance(Duration::milliseconds(1));
    for (auto& person : people_)
      for (PeerClient* client : {person->sending.get(), person->receiving.get()})
        if (client) step_client(*client);
    for (Person* person : std::exchange(offering_, {}))
      if (person->is_open) offer(*person);
    while (!said_.empty() && said_.front().at <= time.now()) {
      Said said = std::move(said_.front());
      said_.pop_front();
      if (said.who->is_open) say(*said.who, said.request);
    }
    while (!mail_.empty() && mail_.front().at <= time.now()) {
      Posted posted = std::move(mail_.front());
      mail_.pop_front();
      give_mail(posted.to, std::move(posted.mail));
    }
    for (ShardIndex i = 0; i < shards_.size(); ++i) {
      if (shards_[i]->next_deadline() > time.now()) continue;
      shards_[i]->handle_deadline(time.now(), time.wall(), out_);
      carry(i);
    }
  }
  void step_client(PeerClient& client) {
    for (Buffer& bytes : client.up.take_arrived())
      for (ShardIndex i = 0; i < shards_.size(); ++i) {
        Buffer copy = bytes;
        ReceivedDatagram datagram{kUdpPath, client.address, copy};
        shards_[i]->handle_datagrams(time.now(), time.wall(), std::span(&datagram, 1), out_);
        carry(i);
      }
    if (client.dialer && client.next_event() <= time.now()) client.step();
  }
  void carry(ShardIndex from) {
    do {
      for (auto& output : out_.take()) handle(from, output);
      batch_.clear();
      bool has_more = shards_[from]->fill(time.now(), batch_);
      webrtc::for_each_packet(batch_,
                              [&](LocalPath, const SocketAddress& to, Bytes packet) { deliver(to, packet); });
      if (!has_more && out_.empty()) return;
    } while (true);
  }
  void deliver(const SocketAddress& to, Bytes bytes) {
    for (auto& person : people_)
      for (PeerClient* client : {person->sending.get(), person->receiving.get()})
        if (client && client->address == to) return client->down.send(bytes);
  }
  Person* find(ShardIndex shard, api::RequestKey request) {
    for (auto& person : people_)
      if (person->request == request && person->shard == shard) return person.get();
    return nullptr;
  }
  void handle(ShardIndex from, Output& output) {
    std::visit(Overloaded{
                   [&](api::Answer& answer) {
                     if (Person* person = find(from, answer.request)) person->status = answer.response.status;
                   },
                   [&](AcceptSocket& accept) {
                     if (Person* person = find(from, accept.request)) person->is_open = true;
                   },
                   [&](SendSocket& send) {
                     Person* person = find(from, send.request);
                     if (!person || !person->is_open) return;
                     pb::SignalResponse response;
                     ASSERT_TRUE(
                         response.ParseFromArray(send.message.data(), static_cast<int>(send.message.size())));
                     hear(*person, response);
                   },
                   [&](CloseSocket& close) {
                     if (Person* person = find(from, close.request)) {
                       person->is_open = false;
                       person->code = close.code;
                     }
                   },
                   [&](SendMail& send) {
                     EXPECT_NE(send.to, from);
                     if (auto* relay = std::get_if<relay::ToSubscriber>(&send.mail))
                       if (auto* sent = std::get_if<relay::PacketsSent>(relay)) relayed += sent->batch.count;
                     post(send.to, std::move(send.mail));
                   },
                   [&](SendControlMail& send) { handle_control(send.mail); },
                   [&](LogLine& line) { log.push_back(line.text); },
                   [&](webrtc::SendDatagram& send) { deliver(send.remote, send.bytes); },
                   [](auto&) {},
               },
               output);
  }
  void post(ShardIndex to, Mail mail) {
    if (on_mail) on_mail(mail);
    const bool is_held = holds && holds(mail);
    (is_held ? held_ : mail_).push_back({time.now() + Duration::milliseconds(1), to, std::move(mail)});
  }
  void give_mail(ShardIndex to, Mail mail) {
    shards_[to]->handle_mail(time.now(), time.wall(), std::move(mail), out_);
    carry(to);
  }
  void say_later(Person& who, const pb::SignalRequest& request) {
    said_.push_back({time.now() + Duration::milliseconds(1), &who, request});
  }
  void hear(Person& person, const pb::SignalResponse& response) {
    person.heard.push_back(response);
    auto note = [&](const pb::ParticipantInfo& info) { person.known[info.sid()] = info; };
    switch (response.message_case()) {
      case pb::SignalResponse::kJoin:
        person.sid = response.join().participant().sid();
        for (const auto& other : response.join().other_participants()) note(other);
        break;
      case pb::SignalResponse::kRoomMoved:
        person.known.clear();
        for (const auto& other : response.room_moved().other_participants()) note(other);
        break;
      case pb::SignalResponse::kUpdate:
        for (const auto& one : response.update().participants()) note(one);
        break;
      case pb::SignalResponse::kOffer: {
        pb::SignalRequest request;
        request.mutable_answer()->set_type("answer");
        request.mutable_answer()->set_sdp(person.receiving->answer(response.offer().sdp()));
        request.mutable_answer()->set_id(response.offer().id());
        say_later(person, request);
        break;
      }
      case pb::SignalResponse::kAnswer:
        EXPECT_EQ(response.answer().id(), person.offers);
        EXPECT_TRUE(person.sending->handle_answer(response.answer().sdp())) << response.answer().sdp();
        person.is_offering = false;
        if (std::exchange(person.wants_offer, false)) offering_.push_back(&person);
        break;
      case pb::SignalResponse::kMediaSectionsRequirement: {
        const auto& wanted = response.media_sections_requirement();
        for (std::uint32_t i = 0; i < wanted.num_audios(); ++i)
          person.sending->receive(sdp::MediaKind::kAudio);
        for (std::uint32_t i = 0; i < wanted.num_videos(); ++i)
          person.sending->receive(sdp::MediaKind::kVideo);
        offering_.push_back(&person);
        break;
      }
      default: break;
    }
  }
  void handle_control(ControlMail& mail) {
    if (auto* asked = std::get_if<JoinAsked>(&mail)) {
      post(asked->shard, JoinDecided{asked->request, decide(asked->token)});
    } else if (auto* wanted = std::get_if<TokenWanted>(&mail)) {
      ++tokens;
      post(wanted->shard, TokenMade{wanted->seat, "token of " + wanted->room, wanted->room});
    } else if (auto* told = std::get_if<RoomHappened>(&mail)) {
      happened.push_back(told->happened);
    } else if (auto* rooms = std::get_if<RoomsFound>(&mail)) {
      EXPECT_EQ(rooms->question, queries_);
      found = std::move(*rooms);
    } else if (auto* some = std::get_if<SeatsFound>(&mail)) {
      EXPECT_EQ(some->question, queries_);
      seats.push_back(std::move(*some));
    } else if (auto* answered = std::get_if<RoomAnswered>(&mail)) {
      answers.emplace(answered->question, std::move(*answered));
    } else if (auto* rpc = std::get_if<RpcAnswered>(&mail)) {
      rpc_answers.push_back(std::move(*rpc));
    }
  }
  Result<std::shared_ptr<const RoomGrant>, RequestDenied> decide(const std::string& token) const {
    const std::size_t slash = token.find('/');
    if (slash == std::string::npos || slash == 0) return refuse(RequestDenied{401, "no token"});
    auto access = std::make_shared<livekit::AccessGrant>();
    access->identity = token.substr(slash + 1);
    access->video.emplace();
    access->video->room_join = true;
    access->video->can_update_own_metadata = true;
    access->video->room = token.substr(0, slash);
    access->video->hidden = access->identity.starts_with("ghost");
    auto grant = std::make_shared<RoomGrant>();
    grant->room.name = access->video->room;
    grant->room.sid = room_sid;
    grant->access = std::move(access);
    return grant;
  }

  srtp::Transform transform_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::unique_ptr<Person>> people_;
  std::deque<Posted> mail_, held_;
  struct Said {
    Timestamp at;
    Person* who;
    pb::SignalRequest request;
  };
  std::deque<Said> said_;
  std::vector<Person*> offering_;
  Outputs out_;
  DatagramBatch batch_;
  api::RequestKey requests_ = 0;
  std::uint64_t seeds_ = 0, questions_ = 0, queries_ = 0;
};

}  // namespace stoa::shard
