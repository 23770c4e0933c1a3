// One shard on its thread: carries bytes, requests, mail and time between runtime/ and shard::Shard.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "runtime/http_server.h"
#include "runtime/ice_tcp.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/mailbox.h"
#include "runtime/tcp_server.h"
#include "runtime/timer.h"
#include "runtime/udp_socket.h"
#include "server/config.h"
#include "server/output_pump.h"
#include "server/postbox.h"
#include "shard/shard.h"

namespace stoa::server {

class ShardThread : public runtime::HttpHandler, public runtime::DatagramHandler {
 public:
  // Messages that may be under way to one thread, shared out among its senders: memory of all mailboxes
  // grows with the number of shards, not with its square.
  static constexpr std::size_t kMailboxMessages = 16'384;
  static constexpr std::size_t kMailboxMessagesMin = 256;
  // REST and metrics requests under way; bodies are at most HttpLimits::body_bytes.
  static constexpr std::size_t kControlRequestsMax = 256;
  static std::size_t mailbox_capacity(std::size_t senders) {
    return std::max(kMailboxMessagesMin, kMailboxMessages / std::max<std::size_t>(senders, 1));
  }

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

  // Workers of this shard's channels come there.
  Result<std::uint16_t, std::string> listen_relay(const runtime::ListenOptions& options) {
    return relay_.listen(options);
  }

  // The shard's own WebRTC port, UDP and TCP under one number. Peers are told `announced_port` in its place,
  // unless that is 0. Sentences for the log are appended to `notices`.
  Result<std::uint16_t, std::string> listen_rtc(const std::string& address, std::uint16_t port,
                                                const std::vector<IpAddress>& reached_at,
                                                std::uint16_t announced_port,
                                                std::vector<std::string>& notices);

  void start();
  // Any thread. First end_channels() on all shards, then drain(), which finishes what is in flight until
  // `deadline` and ends the thread. join() waits for it.
  void end_channels(std::latch& done);
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

  // Likewise those of workers.
  struct RelayHandler : runtime::TcpHandler {
    explicit RelayHandler(ShardThread& o) : owner(o) {}
    void on_open(runtime::ConnectionId id, const runtime::Peer& peer) override;
    void on_bytes(runtime::ConnectionId id, Bytes bytes) override;
    void on_closed(runtime::ConnectionId id, runtime::CloseReason reason) override;
    ShardThread& owner;
  };

  void handle_request(runtime::RequestId id, http::Request&& request) override;
  void handle_cancelled(runtime::RequestId id) override { shard_.handle_cancelled(id.value()); }
  void handle_socket_message(runtime::SocketId id, Bytes message, bool is_text) override;
  void handle_socket_closed(runtime::SocketId id, std::uint16_t code) override;
  void accept_socket(api::RequestKey request);
  void on_datagrams(std::span<ReceivedDatagram> datagrams) override;
  void on_path_closed(LocalPath local, const SocketAddress& remote) override;
  void on_notice(std::string_view text) override { log_.warn("rtc", std::string(text)); }
  void handle_message(ToShard&& message);
  void handle_deadline();
  // Carries out what the shard wants and sets the timer anew. Inside itself it does nothing.
  void run_outputs();
  void carry_out(shard::Output& output);
  void send_media();
  void ask_control(runtime::RequestId id, http::Request&& request);

  const Config& config_;
  shard::ShardIndex index_;
  runtime::Log& log_;
  const std::atomic<bool>& is_ready_;
  runtime::Loop loop_;
  RtmpHandler rtmp_handler_;
  RelayHandler relay_handler_;
  runtime::HttpServer http_;
  runtime::TcpServer rtmp_;
  runtime::TcpServer relay_;
  runtime::UdpSocket udp_;
  runtime::IceTcpServer ice_tcp_;
  DatagramBatch batch_;  // Empty between inputs.
  shard::Shard shard_;
  shard::Outputs outputs_;
  OutputPump pump_;
  runtime::DeadlineTimer timer_;
  std::vector<std::unique_ptr<runtime::Mailbox<ToShard>>> mailboxes_;
  std::vector<std::unique_ptr<Postbox<ToShard>>> shards_;  // By index; nullptr for itself.
  std::unique_ptr<Postbox<ToControl>> control_;
  int draining_ = 0;  // Servers that still have connections after drain().
  // WebSockets, by the request that each began with, which is what the shard knows them by.
  std::unordered_map<api::RequestKey, runtime::SocketId> sockets_;
  std::unordered_map<runtime::SocketId, api::RequestKey> request_of_socket_;
  std::size_t asked_control_ = 0;  // Requests that control has not answered yet.
  std::thread thread_;
};

}  // namespace stoa::server
