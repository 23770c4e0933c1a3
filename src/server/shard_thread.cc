#include "server/shard_thread.h"

#include <algorithm>
#include <utility>

#include "api/livekit/join_params.h"
#include "api/livekit/signal.h"
#include "api/livekit/twirp.h"
#include "api/rest.h"
#include "crypto/random.h"
#include "proto/ice/candidate.h"
#include "server/pages.h"
#include "server/rtc_ports.h"

namespace stoa::server {
namespace {

// What says goodbye to WebRTC peers may wait so long for the kernel when the node stops.
constexpr Duration kMediaDrain = Duration::seconds(1);
// Connected to one shard at once.
constexpr std::size_t kWorkersMax = 1'024;

shard::ShardConfig shard_config(const Config& config, shard::ShardIndex index, shard::ShardIndex shards) {
  shard::ShardConfig made{.index = index, .shards = shards};
  made.channel.part_target = config.part_target;
  made.channel.segment_target = config.segment_target;
  made.channel.target_duration_s = config.target_duration_s;
  made.channel.grace = config.grace;
  made.channel.packager.window = config.window;
  made.rtc.port.sessions_max = config.rtc_sessions_max;
  made.rtc.port.viewers_per_address_max = config.rtc_viewers_per_address_max;
  made.rtc.port.unconnected.per_address_max = config.rtc_unconnected_per_address_max;
  made.rtc.port.fan_out.senders_max = config.rtc_sessions_max;
  made.rtc.port.viewer_bits_per_second = std::uint64_t{config.congestion_max_kbps} * 1'000;
  made.rtc.port.receiver.limits_senders = config.congestion_control;
  if (config.congestion_control)
    made.rtc.port.fan_out.congestion =
        bwe::Config{.start_bits_per_second = std::uint64_t{config.congestion_start_kbps} * 1'000,
                    .max_bits_per_second = made.rtc.port.viewer_bits_per_second,
                    .reacts_to_ecn = config.congestion_ecn};
  // Segments begin at keyframes, which browsers make when they are asked.
  made.rtc.assembler.keyframe_interval = config.segment_target;
  for (const std::string& url : config.ice_servers) made.rtc.ice_servers.push_back({.url = url});
  made.workers.pictures.every = config.transcode_pictures;
  made.rooms.seat.ice_servers = made.rtc.ice_servers;
  made.rooms.limits.participants_max =
      std::max<std::size_t>(made.rooms.limits.participants_max, config.rooms_participants_max);
  made.rooms.limits.presence_max = config.rooms_presence_max;
  made.rooms.room_egress_max = std::uint64_t{config.rooms_egress_max_kbps} * 1'000;
  made.rooms.node_egress_max = std::uint64_t{config.rtc_egress_max_kbps} * 1'000;
  made.rooms.may_unmute_remotely = config.rooms_enable_remote_unmute;
  return made;
}

runtime::HttpLimits http_limits(const Config& config) {
  runtime::HttpLimits limits;
  limits.connections = config.connections_max;
  limits.connections_per_address = config.connections_per_address_max;
  limits.body_bytes = std::max(api::kRestBodyBytesMax, api::kSessionDescriptionBytesMax);
  // A client of a meeting of hundreds describes all that it receives in one message.
  limits.socket_message_bytes = livekit::kSignalBytesMax;
  limits.socket_queue_bytes = 8u << 20;
  limits.header_bytes = 64u << 10;  // A join request is in the query.
  return limits;
}

runtime::TcpLimits rtmp_limits(const Config& config) {
  runtime::TcpLimits limits;
  limits.connections = config.rtmp_connections_max;
  limits.connections_per_address = config.rtmp_connections_per_address_max;
  limits.close_timeout = Duration::seconds(2);
  limits.send_queue_bytes = 64u << 10;  // An encoder is told little; one that does not read is let go.
  return limits;
}

runtime::TcpLimits relay_limits() {
  runtime::TcpLimits limits;
  limits.connections = kWorkersMax;
  limits.connections_per_address = kWorkersMax;
  // Of frames a worker has at most relay::QueueLimits before it; what says more than that is not reading.
  limits.send_queue_bytes = 32u << 20;
  limits.write_stall_timeout = Duration::seconds(3);
  limits.close_timeout = Duration::seconds(2);
  return limits;
}

bool is_read(const http::Request& request) {
  return request.method == http::Method::kGet || request.method == http::Method::kHead;
}

}  // namespace

ShardThread::ShardThread(const Config& config, shard::ShardIndex index, shard::ShardIndex shards,
                         runtime::Log& log, const std::atomic<bool>& is_ready)
    : config_(config),
      index_(index),
      log_(log),
      is_ready_(is_ready),
      rtmp_handler_(*this),
      relay_handler_(*this),
      http_(loop_, http_limits(config), *this),
      rtmp_(loop_, rtmp_limits(config), rtmp_handler_),
      relay_(loop_, relay_limits(), relay_handler_),
      udp_(loop_, *this),
      ice_tcp_(loop_, {}, *this),
      shard_(shard_config(config, index, shards), runtime::Loop::wall(), Rng(crypto::random_seed())),
      timer_(loop_, [this] { handle_deadline(); }),
      shards_(shards) {}

ShardThread::~ShardThread() { join(); }

runtime::Mailbox<ToShard>& ShardThread::make_mailbox() {
  mailboxes_.push_back(std::make_unique<runtime::Mailbox<ToShard>>(
      loop_, mailbox_capacity(shards_.size()),
      [this](ToShard&& message) { handle_message(std::move(message)); }));
  return *mailboxes_.back();
}

void ShardThread::connect_shard(shard::ShardIndex to, runtime::Mailbox<ToShard>& mailbox) {
  shards_[to] = std::make_unique<Postbox<ToShard>>(loop_, mailbox);
}

void ShardThread::connect_control(runtime::Mailbox<ToControl>& mailbox) {
  control_ = std::make_unique<Postbox<ToControl>>(loop_, mailbox);
}

Result<std::uint16_t, std::string> ShardThread::listen_rtc(const std::string& address, std::uint16_t port,
                                                           const std::vector<IpAddress>& reached_at,
                                                           std::uint16_t announced_port,
                                                           std::vector<std::string>& notices) {
  runtime::UdpBinding bound;
  PortOpeners openers{.open_tcp = [&](std::uint16_t wanted) { return ice_tcp_.listen(address, wanted); },
                      .close_tcp = [&] { ice_tcp_.stop_listening(); },
                      .open_udp = [&](std::uint16_t wanted) -> Result<std::uint16_t, std::string> {
                        STOA_TRY(bound, udp_.open({.address = address, .port = wanted}));
                        return bound.port;
                      }};
  STOA_TRY(port, open_port_pair(port, openers));
  if (index_ == 0) notices = std::move(bound.notices);
  std::vector<ice::Candidate> candidates;
  const std::uint16_t announced = announced_port == 0 ? port : announced_port;
  auto add = [&](const IpAddress& ip, ice::Transport transport, std::uint16_t preference) {
    candidates.push_back({.foundation = ice::make_foundation(ice::CandidateType::kHost, transport, ip),
                          .transport = transport,
                          .priority = ice::candidate_priority(ice::CandidateType::kHost, preference),
                          .address = {ip, announced},
                          .type = ice::CandidateType::kHost});
  };
  std::uint16_t rank = 0;
  for (const IpAddress& ip : reached_at) {
    add(ip, ice::Transport::kUdp, static_cast<std::uint16_t>(65'535 - rank));
    add(ip, ice::Transport::kTcpPassive,
        ice::tcp_local_preference(ice::CandidateType::kHost, ice::Transport::kTcpPassive,
                                  static_cast<std::uint16_t>(8'191 - rank)));
    ++rank;
  }
  shard_.open_rtc(std::move(candidates));
  return port;
}

void ShardThread::start() {
  thread_ = std::thread([this] {
    timer_.set(shard_.next_deadline());
    loop_.run();
  });
}

void ShardThread::join() {
  if (thread_.joinable()) thread_.join();
}

void ShardThread::end_channels(std::latch& done) {
  loop_.post([this, &done] {
    rtmp_.stop_listening();
    shard_.end_channels(loop_.now(), loop_.wall(), outputs_);
    run_outputs();
    done.count_down();
  });
}

void ShardThread::drain(Timestamp deadline) {
  loop_.post([this, deadline] {
    // The ends of broadcasts owned elsewhere come first: viewers get those instead of a 503.
    for (auto& mailbox : mailboxes_) mailbox->deliver_all();
    shard_.drain(loop_.now(), loop_.wall(), outputs_);
    run_outputs();
    // Encoders get to read why they were stopped, and WebRTC peers that their sessions are over.
    auto on_drained = [this] {
      if (--draining_ == 0) loop_.stop();
    };
    draining_ = 5;
    http_.drain(deadline, on_drained);
    rtmp_.drain(deadline, on_drained);
    relay_.drain(deadline, on_drained);
    const Timestamp media_deadline = std::min(deadline, runtime::Loop::now() + kMediaDrain);
    udp_.drain(media_deadline, on_drained);
    ice_tcp_.drain(media_deadline, on_drained);
  });
}

void ShardThread::RtmpHandler::on_open(runtime::ConnectionId id, const runtime::Peer& peer) {
  owner.shard_.handle_connection_opened(owner.loop_.now(), id.value(),
                                        peer.address + ':' + std::to_string(peer.port), peer.is_secure,
                                        owner.outputs_);
  owner.run_outputs();
}

void ShardThread::RtmpHandler::on_bytes(runtime::ConnectionId id, Bytes bytes) {
  owner.shard_.handle_bytes(owner.loop_.now(), owner.loop_.wall(), id.value(), bytes, owner.outputs_);
  owner.run_outputs();
}

void ShardThread::RtmpHandler::on_closed(runtime::ConnectionId id, runtime::CloseReason) {
  owner.shard_.handle_connection_closed(owner.loop_.now(), owner.loop_.wall(), id.value(), owner.outputs_);
  owner.run_outputs();
}

void ShardThread::RelayHandler::on_open(runtime::ConnectionId id, const runtime::Peer&) {
  owner.shard_.handle_worker_opened(owner.loop_.now(), owner.loop_.wall(), id.value(), owner.outputs_);
  owner.run_outputs();
}

void ShardThread::RelayHandler::on_bytes(runtime::ConnectionId id, Bytes bytes) {
  owner.shard_.handle_worker_bytes(owner.loop_.now(), owner.loop_.wall(), id.value(), bytes, owner.outputs_);
  owner.run_outputs();
}

void ShardThread::RelayHandler::on_closed(runtime::ConnectionId id, runtime::CloseReason) {
  owner.shard_.handle_worker_closed(owner.loop_.now(), owner.loop_.wall(), id.value(), owner.outputs_);
  owner.run_outputs();
}

void ShardThread::handle_request(runtime::RequestId id, http::Request&& request) {
  const std::string& path = request.path;
  if ((path.starts_with("/live/") && is_read(request)) || path.starts_with("/whip/") ||
      path.starts_with("/whep/") || livekit::is_join_path(path)) {
    shard_.handle_request(loop_.now(), loop_.wall(), id.value(), request, outputs_);
    run_outputs();
  } else if (path.starts_with("/api/") || path == "/metrics" || livekit::is_twirp_path(path)) {
    ask_control(id, std::move(request));
  } else if (!is_read(request)) {
    http::Response response =
        http::make_error_response(405, "method_not_allowed", "Only GET and HEAD work here.");
    response.headers.add("allow", "GET, HEAD, OPTIONS");
    http_.respond(id, std::move(response));
  } else if (path == "/healthz") {
    http_.respond(id, http::make_text_response(200, "ok\n"));
  } else if (path == "/readyz") {
    http_.respond(id, is_ready_ ? http::make_text_response(200, "ready\n")
                                : http::make_text_response(503, "starting or stopping\n"));
  } else {
    http_.respond(id, answer_page(request));
  }
}

void ShardThread::accept_socket(api::RequestKey request) {
  runtime::SocketId socket = http_.accept_socket(runtime::RequestId::from_value(request));
  if (socket.is_set()) {
    sockets_[request] = socket;
    request_of_socket_[socket] = request;
  } else {  // Gone meanwhile.
    shard_.handle_socket_closed(loop_.now(), loop_.wall(), request, outputs_);
  }
}

void ShardThread::handle_socket_message(runtime::SocketId id, Bytes message, bool is_text) {
  auto found = request_of_socket_.find(id);
  if (found == request_of_socket_.end()) return;
  shard_.handle_socket_message(loop_.now(), loop_.wall(), found->second, message, is_text, outputs_);
  run_outputs();
}

void ShardThread::handle_socket_closed(runtime::SocketId id, std::uint16_t) {
  auto found = request_of_socket_.find(id);
  if (found == request_of_socket_.end()) return;
  const api::RequestKey request = found->second;
  request_of_socket_.erase(found);
  sockets_.erase(request);
  shard_.handle_socket_closed(loop_.now(), loop_.wall(), request, outputs_);
  run_outputs();
}

// What control has not answered is bounded, whether its client still waits or not.
void ShardThread::ask_control(runtime::RequestId id, http::Request&& request) {
  if (asked_control_ >= kControlRequestsMax) {
    http::Response busy = http::make_error_response(503, "busy", "Too many requests for the API at once.");
    busy.headers.add("retry-after", "1");
    http_.respond(id, std::move(busy));
    return;
  }
  ++asked_control_;
  control_->send(HttpAsked{index_, id, std::move(request)});
}

void ShardThread::handle_message(ToShard&& message) {
  if (auto* answered = std::get_if<HttpAnswered>(&message)) {
    --asked_control_;
    http_.respond(answered->request, std::move(answered->response));
    return;
  }
  auto& mail = std::get<shard::Mail>(message);
  if (auto* wanted = std::get_if<shard::MetricsWanted>(&mail)) {
    // The pure shard does not know its sockets; both speak here.
    shard::MetricsGiven given{wanted->question, shard_.metrics()};
    http_.append_metrics(given.samples);
    rtmp_.append_metrics("rtmp", given.samples);
    relay_.append_metrics("relay", given.samples);
    udp_.append_metrics("rtc", given.samples);
    ice_tcp_.append_metrics("rtc", given.samples);
    double dropped = 0;
    for (const auto& postbox : shards_) dropped += postbox ? static_cast<double>(postbox->dropped()) : 0;
    given.samples.push_back({"stoa_mail_dropped_total",
                             "Media frames dropped between shards because a mailbox was full.",
                             MetricKind::kCounter,
                             {},
                             dropped});
    control_->send(shard::ControlMail(std::move(given)));
    return;
  }
  shard_.handle_mail(loop_.now(), loop_.wall(), std::move(mail), outputs_);
  run_outputs();
}

void ShardThread::handle_deadline() {
  shard_.handle_deadline(loop_.now(), loop_.wall(), outputs_);
  run_outputs();
}

void ShardThread::on_datagrams(std::span<ReceivedDatagram> datagrams) {
  shard_.handle_datagrams(loop_.now(), loop_.wall(), datagrams, outputs_);
  run_outputs();
}

// What WebRTC peers are to be sent, in batches that stay in the cache.
void ShardThread::send_media() {
  for (bool has_more = true; has_more;) {
    has_more = shard_.fill(loop_.now(), batch_);
    if (batch_.is_empty()) return;
    udp_.send(batch_);
    ice_tcp_.send(batch_);
    batch_.clear();
  }
}

void ShardThread::on_path_closed(LocalPath local, const SocketAddress& remote) {
  shard_.handle_path_closed(loop_.now(), loop_.wall(), local, remote, outputs_);
  run_outputs();
}

void ShardThread::run_outputs() {
  pump_.run(outputs_, [this](shard::Output& output) { carry_out(output); }, [this] { send_media(); });
  timer_.set(shard_.next_deadline());
}

void ShardThread::carry_out(shard::Output& output) {
  std::visit(Overloaded{
                 [&](shard::SendBytes& send) {
                   rtmp_.send(runtime::ConnectionId::from_value(send.connection), send.bytes);
                 },
                 [&](shard::CloseConnection& close) {
                   rtmp_.close(runtime::ConnectionId::from_value(close.connection));
                 },
                 [&](shard::SendRelay& send) {
                   relay_.send(runtime::ConnectionId::from_value(send.connection), send.bytes.head,
                               {&send.bytes.payload, send.bytes.payload.empty() ? 0u : 1u});
                 },
                 [&](shard::CloseRelay& close) {
                   relay_.close(runtime::ConnectionId::from_value(close.connection));
                 },
                 [&](api::Answer& answer) {
                   http_.respond(runtime::RequestId::from_value(answer.request), std::move(answer.response));
                 },
                 [&](shard::SendMail& send) { shards_[send.to]->send(std::move(send.mail)); },
                 [&](shard::SendControlMail& send) { control_->send(std::move(send.mail)); },
                 [&](LogLine& line) { log_.write(line); },
                 [&](webrtc::SendDatagram& send) {
                   if (is_udp_path(send.local)) {
                     udp_.send_one(send.local, send.remote, send.bytes);
                   } else {
                     ice_tcp_.send_one(send.local, send.bytes);
                   }
                 },
                 [&](shard::AcceptSocket& accept) { accept_socket(accept.request); },
                 [&](shard::SendSocket& send) {
                   if (auto found = sockets_.find(send.request); found != sockets_.end())
                     http_.send_socket(found->second, send.message, send.is_text);
                 },
                 [&](shard::CloseSocket& close) {
                   if (auto found = sockets_.find(close.request); found != sockets_.end())
                     http_.close_socket(found->second, close.code);
                 },
                 [&](webrtc::PathProved& proved) { ice_tcp_.confirm(proved.local); },
                 [&](webrtc::PathReleased& released) { ice_tcp_.close(released.local); },
             },
             output);
}

}  // namespace stoa::server
