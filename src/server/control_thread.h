// Control on its thread: the database, REST, who may publish or join, what is live, which rooms there are,
// webhooks, metrics. It may wait for the disk; no packet and no viewer waits for it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "api/rest.h"
#include "base/result.h"
#include "control/api_keys.h"
#include "control/channel_events.h"
#include "control/channels.h"
#include "control/live_directory.h"
#include "control/publishing.h"
#include "control/store.h"
#include "control/stream_keys.h"
#include "runtime/child_process.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/mailbox.h"
#include "runtime/timer.h"
#include "server/config.h"
#include "server/postbox.h"
#include "server/room_calls.h"
#include "server/room_desk.h"
#include "server/room_queries.h"
#include "server/work_desk.h"

namespace stoa::server {

class ControlThread {
 public:
  static Result<std::unique_ptr<ControlThread>, std::string> make(const Config& config,
                                                                  shard::ShardIndex shards,
                                                                  runtime::Log& log);
  ~ControlThread();
  ControlThread(const ControlThread&) = delete;
  ControlThread& operator=(const ControlThread&) = delete;

  // Before start().
  runtime::Mailbox<ToControl>& make_mailbox();
  void connect_shard(runtime::Mailbox<ToShard>& mailbox);
  // By shard; see WorkDesk.
  void set_worker_addresses(std::vector<std::string> addresses) { work_.set_addresses(std::move(addresses)); }
  // Keeps the generated channel running, which publishes to this RTMP port.
  void add_demo(std::uint16_t rtmp_port);

  void start();
  // Any other thread, before the shards end their rooms: these go on in the next process.
  void begin_stop();
  // Any other thread, after the shards: what they said last is kept. Returns when the thread has ended.
  void stop();

 private:
  // What the shards are asked for /metrics, and the requests that wait for their samples.
  struct Question {
    struct Asker {
      shard::ShardIndex shard;
      runtime::RequestId request;
    };
    std::uint64_t number;
    std::vector<Asker> askers;
    std::vector<MetricSamples> answers;
    Timestamp deadline;
  };
  static constexpr std::size_t kAskersMax = 64;

  ControlThread(const Config& config, shard::ShardIndex shards, runtime::Log& log,
                std::unique_ptr<control::Store> store);
  void handle_message(ToControl&& message);
  void handle_http(HttpAsked&& asked);
  void handle_publish(const shard::PublishAsked& asked);
  void handle_join(const shard::JoinAsked& asked);
  void handle_token_wanted(const shard::TokenWanted& wanted);
  void handle_audience(shard::AudienceReported&& reported);
  void handle_metrics(shard::MetricsGiven&& given);
  void ask_metrics(HttpAsked&& asked);
  void forget(std::string_view channel);  // What happened in it, and what it was like.
  void answer_metrics();
  void handle_tick();
  void send(shard::ShardIndex to, ToShard&& message);

  const Config& config_;
  shard::ShardIndex shards_count_;
  runtime::Log& log_;
  std::unique_ptr<control::Store> store_;
  control::Publishing publishing_;
  control::Channels channels_;
  control::StreamKeys stream_keys_;
  control::ApiKeys api_keys_;
  control::LiveDirectory directory_;
  control::ChannelEvents events_;
  api::Rest rest_;
  // Viewers by channel and shard; the same viewer on two shards counts once (see HlsOrigin::Audience).
  struct Audience {
    api::HlsOrigin::Audience hls;
    std::size_t receivers = 0;  // Over WebRTC.
  };
  std::map<std::string, std::vector<Audience>> audiences_;
  std::optional<Question> question_;
  std::uint64_t questions_asked_ = 0;
  runtime::Loop loop_;
  runtime::DeadlineTimer tick_;
  RoomDesk rooms_;
  RoomCalls room_calls_;
  RoomQueries room_queries_;
  WorkDesk work_;
  std::vector<std::unique_ptr<runtime::Mailbox<ToControl>>> mailboxes_;
  std::vector<std::unique_ptr<Postbox<ToShard>>> shards_;
  std::unique_ptr<runtime::ChildProcess> demo_;
  std::thread thread_;
};

// What `--demo` runs: ffmpeg, a moving test picture with a clock and a tone, 720p30, to
// rtmp://127.0.0.1:port/live/demo.
std::vector<std::string> demo_command(std::uint16_t rtmp_port);

}  // namespace stoa::server
