// Calls of the server's API for rooms (Twirp, as LiveKit's server SDKs make them), and tokens for meetings:
// believed or refused here, on control's thread, and carried out by the shards that own the rooms.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/livekit/twirp.h"
#include "base/metric.h"
#include "base/time.h"
#include "control/api_keys.h"
#include "server/postbox.h"
#include "server/room_desk.h"
#include "shard/mail.h"

namespace stoa::server {

class RoomCalls {
 public:
  struct Options {
    bool is_dev = false;  // Anybody may have a token for any room.
  };
  // What waits for the shards, whoever asked.
  static constexpr std::size_t kQuestionsMax = 4'096;
  static constexpr Duration kPatience = Duration::seconds(5);
  static constexpr Duration kRpcPatienceMax = Duration::seconds(60);
  static constexpr Duration kTokenLifetime = Duration::seconds(6 * 3600);

  using Send = std::move_only_function<void(shard::ShardIndex, ToShard&&)>;
  RoomCalls(control::ApiKeys& keys, RoomDesk& desk, shard::ShardIndex shards, Options options, Send send)
      : keys_(keys), desk_(desk), shards_(shards), options_(options), send_(std::move(send)) {}

  // "/twirp/…" and "/api/v1/rooms/{room}/tokens".
  static bool owns_path(std::string_view path);
  void handle_request(Timestamp now, WallTime wall, const HttpAsked& asked);
  void handle_answer(Timestamp now, shard::RoomAnswered& answered);
  void handle_rpc(const shard::RpcAnswered& answered);
  void handle_tick(Timestamp now);
  void append_metrics(MetricSamples& samples) const;

 private:
  struct Question {
    shard::ShardIndex shard;
    runtime::RequestId request;
    std::shared_ptr<const livekit::TwirpCall> call;
    std::size_t answers_due = 1;
    livekit::pb::ListRoomsResponse rooms;  // Of all shards.
    bool is_rpc = false;                   // Waits for the participant's own answer.
    Timestamp deadline;
  };

  void respond(const HttpAsked& asked, http::Response response);
  void refuse(const HttpAsked& asked, livekit::TwirpCode code, std::string text);
  void make_token(WallTime wall, const HttpAsked& asked);
  void ask(Timestamp now, const HttpAsked& asked, livekit::TwirpCall call);
  void finish(std::uint64_t number, http::Response response);

  control::ApiKeys& keys_;
  RoomDesk& desk_;
  shard::ShardIndex shards_;
  Options options_;
  Send send_;
  std::map<std::uint64_t, Question> questions_;
  std::uint64_t asked_ = 0, calls_ = 0, refused_ = 0, timed_out_ = 0, tokens_ = 0;
};

}  // namespace stoa::server
