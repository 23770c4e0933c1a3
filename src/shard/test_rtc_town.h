// Shards with their mail, RTMP encoders and WebRTC clients that call by WHIP and WHEP, in virtual time.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/memory_store.h"
#include "control/publishing.h"
#include "proto/http/semantics.h"
#include "session/webrtc/test_client.h"
#include "shard/test_encoder.h"

namespace stoa::shard {

using webrtc::TestClient;
using webrtc::TestClientOptions;

// A client and its call.
struct RtcParty {
  std::unique_ptr<TestClient> client;
  std::string role, channel;  // "whip" or "whep".
  api::RequestKey call = 0;
  bool is_answered = false;
  int status = 0;
  std::string location, etag;
  ShardIndex home = 0;  // Of the session.
};

class RtcTown {
 public:
  explicit RtcTown(ShardIndex shards, ShardConfig config = {}) : transform_(crypto::make_srtp_kernel()) {
    time.advance(Duration::seconds(1));
    for (ShardIndex i = 0; i < shards; ++i) {
      config.index = i;
      config.shards = shards;
      shards_.push_back(std::make_unique<Shard>(config, time.wall(), Rng(100 + i)));
      shards_.back()->open_rtc({webrtc::host_candidate(address_of(i))});
    }
  }
  static SocketAddress address_of(ShardIndex shard) {
    return {IpAddress::v4(192, 0, 2, static_cast<std::uint8_t>(1 + shard)), 7882};
  }
  ShardIndex owner(const std::string& channel) const {
    return owner_of(channel, static_cast<ShardIndex>(shards_.size()));
  }
  ShardIndex other(const std::string& channel) const {
    return (owner(channel) + 1) % static_cast<ShardIndex>(shards_.size());
  }

  TestEncoder& add_encoder(const std::string& key, ShardIndex shard) {
    ConnectionKey connection = next_connection_++;
    encoders_.push_back(std::make_unique<TestEncoder>(time, key, shard, connection, 1000 * connection));
    shards_[shard]->handle_connection_opened(time.now(), connection, "192.0.2.1:1000", false, out_);
    carry(shard);
    started_ms_[connection] = ms();
    return *encoders_.back();
  }
  // Calls, and goes on by itself when it is answered with 201.
  RtcParty& call(const std::string& role, const std::string& channel, ShardIndex shard,
                 TestClientOptions options = {}, const std::string& bearer = "") {
    options.publishes = role == "whip";
    options.seed = ++seeds_;
    options.address = {IpAddress::v4(198, 51, 100, 7), static_cast<std::uint16_t>(40'000 + seeds_)};
    auto party = std::make_unique<RtcParty>();
    party->client = std::make_unique<TestClient>(time, transform_, options);
    party->role = role;
    party->channel = channel;
    std::string path = "/";
    path += role + '/' + channel;
    parties_.push_back(std::move(party));
    RtcParty& added = *parties_.back();
    added.call =
        request(shard, http::Method::kPost, path, "application/sdp", added.client->dialer->offer(), bearer);
    return added;
  }
  RtcParty& publish(const std::string& channel, ShardIndex shard, TestClientOptions options = {}) {
    RtcParty& party = call("whip", channel, shard, options);
    EXPECT_TRUE(run_until([&] { return party.client->is_connected(); }, Duration::seconds(5)));
    run_for(Duration::milliseconds(800));  // Until viewers are told of both tracks.
    return party;
  }
  RtcParty& watch(const std::string& channel, ShardIndex shard, TestClientOptions options = {}) {
    RtcParty& party = call("whep", channel, shard, options);
    EXPECT_TRUE(run_until([&] { return party.client->is_connected(); }, Duration::seconds(5)));
    EXPECT_EQ(party.status, 201);
    return party;
  }
  api::RequestKey request(ShardIndex shard, http::Method method, const std::string& path,
                          const std::string& type = "", const std::string& body = "",
                          const std::string& bearer = "", const std::string& if_match = "") {
    http::Request request{.method = method, .path = path, .body = body, .peer_address = "198.51.100.7"};
    if (!type.empty()) request.headers.add("content-type", type);
    if (!bearer.empty()) request.headers.add("authorization", "Bearer " + bearer);
    if (!if_match.empty()) request.headers.add("if-match", if_match);
    shards_[shard]->handle_request(time.now(), time.wall(), ++next_request_, request, out_);
    carry(shard);
    return next_request_;
  }
  srtp::Transform& transform() { return transform_; }  // Of the clients.
  int status(api::RequestKey key) const { return answers.contains(key) ? answers.at(key).status : 0; }
  std::string body(api::RequestKey key) const {
    std::string text;
    if (answers.contains(key))
      for (const auto& slice : answers.at(key).body.slices) text += slice.text();
    return text;
  }
  std::string fetch(ShardIndex shard, const std::string& path) {
    return body(request(shard, http::Method::kGet, path));
  }
  // "/live/x/<broadcast>/" of a channel, read from its multivariant playlist.
  std::string folder(ShardIndex shard, const std::string& channel) {
    std::string text = fetch(shard, "/live/" + channel + "/index.m3u8");
    std::size_t end = text.find("/v0.m3u8");
    std::size_t begin = text.rfind('\n', end) + 1;
    return end == std::string::npos ? "" : "/live/" + channel + "/" + text.substr(begin, end - begin) + "/";
  }

  void run_for(Duration duration) {
    for (Timestamp end = time.now() + duration; time.now() < end;) step();
  }
  template <typename Condition>
  bool run_until(Condition&& is_met, Duration limit) {
    for (Timestamp end = time.now() + limit; time.now() < end;) {
      if (is_met()) return true;
      step();
    }
    return is_met();
  }
  void tell_all(const Mail& mail) {
    for (ShardIndex i = 0; i < shards_.size(); ++i) post(i, mail);
  }
  void tell_now(ShardIndex shard, Mail mail) {
    shards_[shard]->handle_mail(time.now(), time.wall(), std::move(mail), out_);
    carry(shard);
  }
  void end_channels(ShardIndex shard) {
    shards_[shard]->end_channels(time.now(), time.wall(), out_);
    carry(shard);
  }
  void drain(ShardIndex shard) {
    shards_[shard]->drain(time.now(), time.wall(), out_);
    carry(shard);
  }
  // What was held goes its way.
  void release() {
    holds_mail = holds_decisions = false;
    for (Posted& posted : std::exchange(held_mail_, {})) post(posted.to, std::move(posted.mail));
    for (ControlMail& mail : std::exchange(held_questions_, {})) handle_control(mail);
  }
  // Over all shards.
  double metric(std::string_view name) const {
    double sum = 0;
    for (const auto& shard : shards_)
      for (const MetricSample& sample : shard->metrics())
        if (name == sample.name) sum += sample.value;
    return sum;
  }
  bool has_logged(std::string_view text) const {
    return std::ranges::any_of(log, [&](const std::string& line) { return line.find(text) != line.npos; });
  }
  // Lines with this text that are no less serious.
  std::size_t count_logged(LogLevel least, std::string_view text) const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < log.size(); ++i)
      count += log_levels[i] >= least && log[i].find(text) != std::string::npos;
    return count;
  }

  // Packets that were mailed from shard to shard.
  struct Relayed {
    std::size_t packets = 0;
    std::set<std::tuple<ShardIndex, relay::Generation, media::TrackId, std::int64_t>> different;
    std::size_t groups = 0;  // Messages.
  };

  sim::VirtualTime time;
  std::map<api::RequestKey, http::Response> answers;
  std::map<std::string, control::ChannelStatus> reported;
  std::map<std::pair<ShardIndex, std::string>, std::size_t> receivers;  // As reported.
  std::vector<std::string> log;
  std::vector<LogLevel> log_levels;
  std::vector<ConnectionKey> closed_encoders;
  Relayed relayed;
  std::size_t subscriptions = 0, unsubscriptions = 0;
  bool holds_mail = false;         // Between shards, until release().
  bool holds_decisions = false;    // Of control, likewise.
  std::size_t groups_to_lose = 0;  // On their way to another shard, whose mailbox is full.

 private:
  struct Posted {
    Timestamp at;
    ShardIndex to;
    Mail mail;
  };
  std::uint32_t ms() const { return static_cast<std::uint32_t>((time.now() - Timestamp()).ms()); }
  void post(ShardIndex to, Mail mail) {
    mail_.push_back({time.now() + Duration::milliseconds(1), to, std::move(mail)});
  }

  // One millisecond.
  void step() {
    time.advance(Duration::milliseconds(1));
    for (auto& encoder : encoders_) step_encoder(*encoder);
    for (auto& party : parties_) step_client(*party);
    while (!mail_.empty() && mail_.front().at <= time.now()) {
      Posted posted = std::move(mail_.front());
      mail_.pop_front();
      shards_[posted.to]->handle_mail(time.now(), time.wall(), std::move(posted.mail), out_);
      carry(posted.to);
    }
    for (ShardIndex i = 0; i < shards_.size(); ++i) {
      if (shards_[i]->next_deadline() > time.now()) continue;
      shards_[i]->handle_deadline(time.now(), time.wall(), out_);
      carry(i);
    }
  }
  void step_encoder(TestEncoder& encoder) {
    encoder.send_media(ms() - started_ms_[encoder.connection]);
    for (auto& output : encoder.out.take()) {
      if (auto* send = std::get_if<rtmp::SendBytes>(&output)) encoder.up.send(send->bytes);
      if (auto* end = std::get_if<rtmp::ClientClosed>(&output)) encoder.closed_because = end->code;
    }
    for (auto& bytes : encoder.up.take_arrived()) {
      shards_[encoder.shard]->handle_bytes(time.now(), time.wall(), encoder.connection, bytes, out_);
      carry(encoder.shard);
    }
    for (auto& bytes : encoder.down.take_arrived()) (void)encoder.client.handle_bytes(bytes, encoder.out);
  }
  void step_client(RtcParty& party) {
    TestClient& client = *party.client;
    if (!party.is_answered && answers.contains(party.call)) take_answer(party);
    std::vector<Buffer> arrived = client.up.take_arrived();
    std::vector<ReceivedDatagram> datagrams;
    for (Buffer& bytes : arrived) datagrams.push_back({kUdpPath, client.options.address, bytes});
    if (!datagrams.empty()) {
      shards_[party.home]->handle_datagrams(time.now(), time.wall(), datagrams, out_);
      carry(party.home);
    }
    if (client.next_event() <= time.now()) client.step();
  }
  void take_answer(RtcParty& party) {
    party.is_answered = true;
    const http::Response& response = answers.at(party.call);
    party.status = response.status;
    if (response.status != 201) return;
    party.location = response.headers.get("location");
    party.etag = response.headers.get("etag");
    std::string token = party.location.substr(party.location.rfind('/') + 1);
    party.home = static_cast<ShardIndex>(std::stoul(token));
    party.client->options.server = address_of(party.home);
    EXPECT_TRUE(party.client->handle_answer(body(party.call)));
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
    for (auto& party : parties_)
      if (party->client->options.address == to && !party->client->is_cut && !party->client->is_closed())
        return party->client->down.send(bytes);
  }
  void handle(ShardIndex from, Output& output) {
    std::visit(Overloaded{
                   [&](SendBytes& send) {
                     for (auto& encoder : encoders_)
                       if (encoder->connection == send.connection) encoder->down.send(send.bytes.bytes());
                   },
                   [&](CloseConnection& close) { closed_encoders.push_back(close.connection); },
                   [&](api::Answer& answer) {
                     EXPECT_FALSE(answers.contains(answer.request)) << "answered twice";
                     answers[answer.request] = std::move(answer.response);
                   },
                   [&](SendMail& send) {
                     EXPECT_NE(send.to, from);
                     note_relay(send);
                     if (is_lost(send)) return;
                     if (!holds_mail) return post(send.to, std::move(send.mail));
                     held_mail_.push_back({{}, send.to, std::move(send.mail)});
                   },
                   [&](SendControlMail& send) { handle_control(send.mail); },
                   [&](LogLine& line) {
                     log.push_back(line.text);
                     log_levels.push_back(line.level);
                   },
                   [&](webrtc::SendDatagram& send) { deliver(send.remote, send.bytes); },
                   [&](auto&) {},
               },
               output);
  }
  bool is_lost(const SendMail& send) {
    auto* told = std::get_if<relay::ToSubscriber>(&send.mail);
    if (!told || !std::holds_alternative<relay::GroupSent>(*told) || groups_to_lose == 0) return false;
    --groups_to_lose;
    return true;
  }
  void note_relay(const SendMail& send) {
    if (auto* asked = std::get_if<relay::ToOwner>(&send.mail)) {
      subscriptions += std::holds_alternative<relay::Subscribe>(*asked);
      unsubscriptions += std::holds_alternative<relay::Unsubscribe>(*asked);
    }
    auto* told = std::get_if<relay::ToSubscriber>(&send.mail);
    auto note = [&](relay::Generation generation, media::TrackId track, const payload::PacketBatch& batch) {
      relayed.packets += batch.count;
      for (std::size_t i = 0; i < batch.count; ++i)
        relayed.different.insert({send.to, generation, track, batch[i].sequence});
    };
    if (auto* sent = told ? std::get_if<relay::PacketsSent>(told) : nullptr)
      note(sent->generation, sent->track, sent->batch);
    auto* group = told ? std::get_if<relay::GroupSent>(told) : nullptr;
    if (!group) return;
    ++relayed.groups;
    for (const auto& part : group->parts) note(group->generation, part.track, part.batch);
  }
  void handle_control(ControlMail& mail) {
    if (auto* asked = std::get_if<PublishAsked>(&mail)) {
      if (holds_decisions) return held_questions_.push_back(std::move(mail));
      post(asked->shard, PublishDecided{asked->source, publishing_.authorize_publish(time.wall(), asked->app,
                                                                                     asked->stream_name)});
    } else if (auto* report = std::get_if<ChannelReported>(&mail)) {
      reported[report->status.channel] = report->status;
    } else if (auto* audience = std::get_if<AudienceReported>(&mail)) {
      std::erase_if(receivers, [&](const auto& entry) { return entry.first.first == audience->shard; });
      for (const auto& [channel, count] : audience->receivers) receivers[{audience->shard, channel}] = count;
    }
  }

  srtp::Transform transform_;
  control::MemoryStore store_;
  control::Publishing publishing_{store_, {.is_dev = true}};
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::unique_ptr<TestEncoder>> encoders_;
  std::vector<std::unique_ptr<RtcParty>> parties_;
  std::map<ConnectionKey, std::uint32_t> started_ms_;
  std::deque<Posted> mail_;
  std::vector<Posted> held_mail_;
  std::vector<ControlMail> held_questions_;
  Outputs out_;
  DatagramBatch batch_;
  ConnectionKey next_connection_ = 1;
  api::RequestKey next_request_ = 0;
  std::uint64_t seeds_ = 0;
};

}  // namespace stoa::shard
