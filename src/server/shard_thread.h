// One shard on its thread: carries bytes, requests, mail and time between runtime/ and shard::Shard.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "runtime/http_server.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/mailbox.h"
#include "runtime/tcp_server.h"
#include "runtime/timer.h"
#include "server/config.h"
#include "server/postbox.h"
#include "shard/shard.h"

namespace stoa::server {

class ShardThread : public runtime::HttpHandler {
 public:
  // Messages that may be under way between two threads.
  static constexpr std::size_t kMailboxMessages = 8192;

  ShardThread(const Config& config, shard::ShardIndex index, shard::ShardIndex shards, runtime::Log& log,
              const std::atomic<bool>& is_ready);
  ~ShardThread() override;
  ShardThread(const ShardThread&) = delete;
  ShardThread& operator=(const ShardThread&) = delete;

  // Before start(). One for each sender.
  runtime::Mailbox<ToShard>& make_mailbox();
  void connect_shard(shard::ShardIndex to, runtime::Mailbox<ToShard>& mailbox);
  void connect_control(runtime::Mailbox<ToControl>& mailbox);
  Result<std::uint16_t, std::string> listen_http(const runtime::ListenOptions& options) {
    return http_.listen(options);
  }
  Result<std::uint16_t, std::string> listen_rtmp(const runtime::ListenOptions& options) {
    return rtmp_.listen(options);
  }

  void start();
  // Any thread: finishes what is in flight until `deadline`, then ends the thread. join() waits for it.
  void drain(Timestamp deadline);
  void join();

 private:
  // RTMP connections are told apart from HTTP's by going through here.
  struct RtmpHandler : runtime::TcpHandler {
    explicit RtmpHandler(ShardThread& o) : owner(o) {}
    void on_open(runtime::ConnectionId id, const runtime::Peer& peer) override;
    void on_bytes(runtime::ConnectionId id, Bytes bytes) override;
    void on_closed(runtime::ConnectionId id, runtime::CloseReason reason) override;
    ShardThread& owner;
  };

  void handle_request(runtime::RequestId id, http::Request&& request) override;
  void handle_message(ToShard&& message);
  void handle_deadline();
  // Carries out what the shard wants and sets the timer anew.
  void run_outputs();
  void retry_postboxes();

  const Config& config_;
  shard::ShardIndex index_;
  runtime::Log& log_;
  const std::atomic<bool>& is_ready_;
  runtime::Loop loop_;
  RtmpHandler rtmp_handler_;
  runtime::HttpServer http_;
  runtime::TcpServer rtmp_;
  shard::Shard shard_;
  shard::Outputs outputs_;
  runtime::DeadlineTimer timer_;
  runtime::DeadlineTimer postbox_timer_;
  std::vector<std::unique_ptr<runtime::Mailbox<ToShard>>> mailboxes_;
  std::vector<std::unique_ptr<Postbox<ToShard>>> shards_;  // By index; nullptr for itself.
  std::unique_ptr<Postbox<ToControl>> control_;
  std::thread thread_;
};

}  // namespace stoa::server
