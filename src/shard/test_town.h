// For tests: whole shards in virtual time, with encoders that speak RTMP and workers behind slow lines, mail
// that takes a while, and control's own rules for who may publish.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/memory_store.h"
#include "control/publishing.h"
#include "proto/http/semantics.h"
#include "shard/shard.h"
#include "shard/test_encoder.h"
#include "shard/test_relay_worker.h"

namespace stoa::shard {

class Town {
 public:
  explicit Town(ShardIndex shards, const std::string& ladder = "off")
      : publishing_(store_, {.is_dev = true, .ladder = ladder}) {
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
  // A worker connects to the shard and says hello.
  RelayWorker& add_worker(ShardIndex shard, std::string token) {
    workers_.push_back(std::make_unique<RelayWorker>(time, shard, next_connection_++, std::move(token)));
    shards_[shard]->handle_worker_opened(time.now(), time.wall(), workers_.back()->key, out_);
    carry(shard);
    return *workers_.back();
  }
  // Its process dies.
  void kill(RelayWorker& worker) {
    worker.is_dead = true;
    shards_[worker.shard]->handle_worker_closed(time.now(), time.wall(), worker.key, out_);
    carry(worker.shard);
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
  std::vector<control::ProgramOnAir> programs;
  std::vector<std::string> ended_programs;
  std::vector<control::WorkerSeen> seen;
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
    for (auto& worker : workers_) {
      if (worker->is_dead) continue;
      worker->run(time.now());
      for (auto& bytes : worker->up.take_arrived()) {
        shards_[worker->shard]->handle_worker_bytes(time.now(), time.wall(), worker->key, bytes, out_);
        carry(worker->shard);
      }
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
              [&](SendRelay& send) {
                for (auto& worker : workers_)
                  if (worker->key == send.connection) worker->take(send.bytes);
              },
              [&](CloseRelay& close) {
                for (auto& worker : workers_)
                  if (worker->key == close.connection) worker->is_closed = true;
              },
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
    } else if (auto* program = std::get_if<control::ProgramOnAir>(&mail)) {
      programs.push_back(*program);
    } else if (auto* ended = std::get_if<ProgramEnded>(&mail)) {
      ended_programs.push_back(ended->channel);
    } else if (auto* worker = std::get_if<control::WorkerSeen>(&mail)) {
      seen.push_back(*worker);
    }
  }

 public:
  std::vector<ConnectionKey> closed;

 private:
  control::MemoryStore store_;
  control::Publishing publishing_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::unique_ptr<TestEncoder>> encoders_;
  std::vector<std::unique_ptr<RelayWorker>> workers_;
  std::map<ConnectionKey, std::uint32_t> started_ms_;
  std::deque<Posted> mail_;
  Outputs out_;
  ConnectionKey next_connection_ = 1;
  api::RequestKey next_request_ = 0;
};

inline bool is_closed(const Town& town, const TestEncoder& encoder) {
  return std::find(town.closed.begin(), town.closed.end(), encoder.connection) != town.closed.end();
}

}  // namespace stoa::shard
