// Whole shards in virtual time: encoders that speak RTMP over slow lines, viewers that hold reloads, mail
// that takes a while, and control's own rules for who may publish.
#include "shard/shard.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "control/memory_store.h"
#include "control/publishing.h"
#include "proto/http/semantics.h"
#include "shard/test_encoder.h"

namespace stoa::shard {
namespace {

class Town {
 public:
  explicit Town(ShardIndex shards) {
    for (ShardIndex i = 0; i < shards; ++i)
      shards_.push_back(
          std::make_unique<Shard>(ShardConfig{.index = i, .shards = shards}, WallTime(), Rng(100 + i)));
  }
  TestEncoder& add_encoder(const std::string& key, ShardIndex shard) {
    ConnectionKey connection = next_connection_++;
    encoders_.push_back(std::make_unique<TestEncoder>(time, key, shard, connection, 1000 * connection));
    shards_[shard]->handle_connection_opened(time.now(), connection, "192.0.2.1:1000", false, out_);
    carry(shard);
    started_ms_[connection] = ms();
    return *encoders_.back();
  }
  // The encoder's line is cut; `is_told` when the server sees it (a half-open connection is not seen).
  void cut(TestEncoder& encoder, bool is_told) {
    encoder.is_paused = true;
    encoder.is_connected = false;
    if (is_told)
      shards_[encoder.shard]->handle_connection_closed(time.now(), time.wall(), encoder.connection, out_);
    carry(encoder.shard);
  }
  api::RequestKey get(ShardIndex shard, const std::string& target) {
    http::Request request;
    auto parsed = http::parse_target(target);
    request.path = parsed->path;
    request.query = parsed->query;
    shards_[shard]->handle_request(time.now(), time.wall(), ++next_request_, request, out_);
    carry(shard);
    return next_request_;
  }
  bool is_answered(api::RequestKey key) const { return answers.contains(key); }
  int status(api::RequestKey key) const { return answers.contains(key) ? answers.at(key).status : 0; }
  std::string body(api::RequestKey key) const {
    std::string text;
    if (answers.contains(key))
      for (const auto& slice : answers.at(key).body.slices) text += slice.text();
    return text;
  }
  std::string fetch(ShardIndex shard, const std::string& target) { return body(get(shard, target)); }
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
  void tell_all(Mail mail) {
    for (ShardIndex i = 0; i < shards_.size(); ++i) mail_.push_back({time.now(), i, mail});
  }

  void end_channels(ShardIndex shard) {
    shards_[shard]->end_channels(time.now(), time.wall(), out_);
    carry(shard);
  }
  void tell_now(ShardIndex shard, Mail mail) {
    shards_[shard]->handle_mail(time.now(), time.wall(), std::move(mail), out_);
    carry(shard);
  }

  sim::VirtualTime time;
  std::map<api::RequestKey, http::Response> answers;
  std::map<std::string, control::ChannelStatus> reported;
  std::vector<std::string> log;

 private:
  struct Posted {
    Timestamp at;
    ShardIndex to;
    Mail mail;
  };
  std::uint32_t ms() const { return static_cast<std::uint32_t>((time.now() - Timestamp()).ms()); }

  // One millisecond.
  void step() {
    time.advance(Duration::milliseconds(1));
    for (auto& encoder : encoders_) {
      encoder->send_media(ms() - started_ms_[encoder->connection]);
      for (auto& output : encoder->out.take()) {
        if (auto* send = std::get_if<rtmp::SendBytes>(&output)) encoder->up.send(send->bytes);
        if (auto* end = std::get_if<rtmp::ClientClosed>(&output)) encoder->closed_because = end->code;
      }
      if (!encoder->is_connected) continue;
      for (auto& bytes : encoder->up.take_arrived()) {
        shards_[encoder->shard]->handle_bytes(time.now(), time.wall(), encoder->connection, bytes, out_);
        carry(encoder->shard);
      }
      for (auto& bytes : encoder->down.take_arrived())
        (void)encoder->client.handle_bytes(bytes, encoder->out);
    }
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
  void carry(ShardIndex from) {
    for (auto& output : out_.take()) {
      std::visit(
          Overloaded{
              [&](SendBytes& send) {
                for (auto& encoder : encoders_)
                  if (encoder->connection == send.connection) encoder->down.send(send.bytes.bytes());
              },
              [&](CloseConnection& close) { closed.push_back(close.connection); },
              [&](api::Answer& answer) { answers[answer.request] = std::move(answer.response); },
              [&](SendMail& send) {
                EXPECT_NE(send.to, from);
                mail_.push_back({time.now() + Duration::milliseconds(1), send.to, std::move(send.mail)});
              },
              [&](SendControlMail& send) { handle_control(send.mail); },
              [&](LogLine& line) { log.push_back(line.text); }, [&](auto&) {},  // WebRTC: rtc_test.cc.
          },
          output);
    }
  }
  void handle_control(ControlMail& mail) {
    if (auto* asked = std::get_if<PublishAsked>(&mail)) {
      mail_.push_back({time.now() + Duration::milliseconds(1), asked->shard,
                       PublishDecided{asked->source, publishing_.authorize_publish(time.wall(), asked->app,
                                                                                   asked->stream_name)}});
    } else if (auto* report = std::get_if<ChannelReported>(&mail)) {
      reported[report->status.channel] = report->status;
    }
  }

 public:
  std::vector<ConnectionKey> closed;

 private:
  control::MemoryStore store_;
  control::Publishing publishing_{store_, {.is_dev = true}};
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::unique_ptr<TestEncoder>> encoders_;
  std::map<ConnectionKey, std::uint32_t> started_ms_;
  std::deque<Posted> mail_;
  Outputs out_;
  ConnectionKey next_connection_ = 1;
  api::RequestKey next_request_ = 0;
};

bool is_closed(const Town& town, const TestEncoder& encoder) {
  return std::find(town.closed.begin(), town.closed.end(), encoder.connection) != town.closed.end();
}

TEST(Shard, every_shard_serves_a_channel_whoever_receives_it) {
  for (ShardIndex ingest = 0; ingest < 3; ++ingest) {
    Town town(3);
    town.add_encoder("news", ingest);
    std::vector<api::RequestKey> asked;
    town.run_for(Duration::milliseconds(800));
    for (ShardIndex i = 0; i < 3; ++i) asked.push_back(town.get(i, "/live/news/index.m3u8"));
    town.run_for(Duration::milliseconds(1200));
    for (auto key : asked) EXPECT_EQ(town.status(key), 200) << ingest;
    std::string folder = town.folder(0, "news");
    ASSERT_FALSE(folder.empty());
    EXPECT_EQ(folder, town.folder(1, "news"));
    EXPECT_EQ(town.fetch(0, folder + "v0.m3u8"), town.fetch(2, folder + "v0.m3u8"));
    EXPECT_FALSE(town.fetch(1, folder + "v0/p0.m4s").empty());
  }
}

TEST(Shard, a_part_reaches_waiting_viewers_of_all_shards_within_mail_time) {
  Town town(2);
  town.add_encoder("news", 0);
  town.run_for(Duration::seconds(3));
  std::string folder = town.folder(0, "news");
  std::string playlist = town.fetch(0, folder + "v0.m3u8");
  std::size_t hint = playlist.find("v0/p", playlist.find("PRELOAD-HINT"));
  std::string next = playlist.substr(hint, playlist.find('"', hint) - hint);
  api::RequestKey here = town.get(0, folder + next), there = town.get(1, folder + next);
  ASSERT_TRUE(town.run_until([&] { return town.is_answered(here) || town.is_answered(there); },
                             Duration::seconds(1)));
  town.run_for(Duration::milliseconds(1));
  EXPECT_EQ(town.status(here), 200);
  EXPECT_EQ(town.body(here), town.body(there));
  EXPECT_FALSE(town.body(here).empty());
}

TEST(Shard, an_encoder_that_reconnects_takes_over_from_its_half_open_self) {
  for (ShardIndex second : {0u, 1u}) {
    Town town(2);
    TestEncoder& old = town.add_encoder("news", 0);
    town.run_for(Duration::seconds(3));
    std::string folder = town.folder(0, "news");
    town.cut(old, false);
    TestEncoder& fresh = town.add_encoder("news", second);
    Timestamp began = town.time.now();
    ASSERT_TRUE(town.run_until([&] { return is_closed(town, old); }, Duration::seconds(2)));
    // The new one has media on the same playlist in under a second.
    ASSERT_TRUE(town.run_until(
        [&] { return town.fetch(0, folder + "v0.m3u8").find("#EXT-X-DISCONTINUITY\n") != std::string::npos; },
        Duration::seconds(2)));
    EXPECT_LT(town.time.now() - began, Duration::seconds(1));
    EXPECT_FALSE(is_closed(town, fresh));
    EXPECT_EQ(town.folder(1, "news"), folder);
  }
}

TEST(Shard, a_backup_takes_over_within_two_seconds_when_the_first_stops) {
  Town town(2);
  TestEncoder& primary = town.add_encoder("news", 0);
  TestEncoder& backup = town.add_encoder("news?priority=1", 1);
  town.run_for(Duration::seconds(5));
  EXPECT_FALSE(is_closed(town, backup));
  std::string folder = town.folder(0, "news");
  EXPECT_EQ(town.fetch(0, folder + "v0.m3u8").find("#EXT-X-DISCONTINUITY\n"), std::string::npos);
  primary.is_paused = true;
  Timestamp stopped = town.time.now();
  ASSERT_TRUE(town.run_until(
      [&] { return town.fetch(1, folder + "v0.m3u8").find("#EXT-X-DISCONTINUITY\n") != std::string::npos; },
      Duration::seconds(3)));
  EXPECT_LE(town.time.now() - stopped, Duration::seconds(2));
}

TEST(Shard, a_channel_ends_when_the_grace_time_is_over_and_begins_anew) {
  Town town(2);
  TestEncoder& first = town.add_encoder("news", 0);
  town.run_for(Duration::seconds(3));
  std::string folder = town.folder(1, "news");
  town.cut(first, true);
  town.run_for(Duration::seconds(20));
  EXPECT_EQ(town.fetch(1, folder + "v0.m3u8").find("#EXT-X-ENDLIST"), std::string::npos);
  EXPECT_NE(town.fetch(1, folder + "v0.m3u8").find("#EXT-X-GAP"), std::string::npos);
  town.run_for(Duration::seconds(12));
  EXPECT_NE(town.fetch(1, folder + "v0.m3u8").find("#EXT-X-ENDLIST"), std::string::npos);
  EXPECT_EQ(town.reported["news"].state, control::LiveState::kEnded);
  town.add_encoder("news", 1);
  town.run_for(Duration::seconds(3));
  EXPECT_NE(town.folder(0, "news"), folder);
  EXPECT_FALSE(town.folder(0, "news").empty());
}

TEST(Shard, a_wrong_name_is_refused_and_nothing_else_disturbed) {
  Town town(1);
  town.add_encoder("news", 0);
  town.run_for(Duration::seconds(2));
  TestEncoder& wrong = town.add_encoder("No Such Key!", 0);
  town.run_for(Duration::seconds(2));
  EXPECT_TRUE(is_closed(town, wrong));
  EXPECT_EQ(wrong.closed_because, "NetStream.Publish.BadName");
  EXPECT_EQ(town.reported.size(), 1u);
  EXPECT_EQ(town.reported["news"].tracks.size(), 2u);
}

TEST(Shard, a_stop_that_overtakes_the_start_stops_it_all_the_same) {
  Town town(2);
  ShardIndex owner = owner_of("news", 2), other = 1 - owner;
  TestEncoder& encoder = town.add_encoder("news", other);
  ASSERT_TRUE(town.run_until(
      [&] { return !town.log.empty() && town.log.back().find("publishes channel") != std::string::npos; },
      Duration::seconds(1)));
  // The owner has not heard of the encoder yet.
  town.tell_now(owner, BroadcastStopped{"news"});
  town.tell_now(other, BroadcastStopped{"news"});
  town.run_for(Duration::seconds(3));
  EXPECT_TRUE(is_closed(town, encoder));
  EXPECT_TRUE(town.folder(0, "news").empty());
}

TEST(Shard, a_stopped_broadcast_and_a_revoked_key_close_the_encoder) {
  Town town(2);
  TestEncoder& news = town.add_encoder("news", 0);
  TestEncoder& sport = town.add_encoder("sport", 1);
  town.run_for(Duration::seconds(2));
  town.tell_all(BroadcastStopped{"news"});
  town.tell_all(KeyRevoked{"sport", "dev"});
  town.run_for(Duration::milliseconds(100));
  EXPECT_TRUE(is_closed(town, news));
  EXPECT_TRUE(is_closed(town, sport));
  EXPECT_EQ(town.reported["news"].state, control::LiveState::kEnded);
}

// Shards stop one after the other: an encoder may hear from its channel's shard before its own stops.
TEST(Shard, a_stop_is_told_as_a_stop_to_encoders_of_other_shards) {
  Town town(2);
  ShardIndex owner = owner_of("news", 2), other = 1 - owner;
  TestEncoder& encoder = town.add_encoder("news", other);
  town.run_for(Duration::seconds(2));
  town.end_channels(owner);
  town.run_for(Duration::milliseconds(100));
  EXPECT_TRUE(is_closed(town, encoder));
  EXPECT_EQ(encoder.closed_because, "NetConnection.Connect.AppShutdown");
}

}  // namespace
}  // namespace stoa::shard
