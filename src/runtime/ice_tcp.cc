#include "runtime/ice_tcp.h"

#include <algorithm>
#include <list>
#include <unordered_map>
#include <utility>
#include <vector>

#include "proto/ice/framing.h"
#include "runtime/loop.h"
#include "runtime/tcp_server.h"
#include "runtime/timer.h"

namespace stoa::runtime {
namespace {

// Handed on at once. Frames may be a byte long.
constexpr std::size_t kFramesMax = 256;
// In the kernel, beyond what is on its way to the peer.
constexpr int kUnsentBytesMax = 32 << 10;
// More than the queue of ours, which drops datagrams: the connection's own limit is never met.
constexpr std::size_t kConnectionQueueSlack = 256u << 10;

TcpLimits tcp_limits(const IceTcpLimits& limits) {
  TcpLimits tcp;
  tcp.connections = limits.connections;
  tcp.connections_per_address = limits.connections_per_address;
  tcp.send_queue_bytes = limits.send_queue_bytes + kConnectionQueueSlack;
  tcp.write_stall_timeout = limits.write_stall_timeout;
  return tcp;
}

}  // namespace

struct IceTcpServer::Impl : TcpHandler {
  struct Connection {
    LocalPath path = 0;
    SocketAddress remote;
    ice::FrameReader reader{ice::kOpeningFrameBytesMax};
    bool is_stranger = true;
    bool is_known = false;  // The handler got datagrams of it.
    bool is_ended = false;  // Nothing is taken from it any more.
    std::size_t stranger_bytes = 0;
    Timestamp deadline;
    std::list<ConnectionId>::iterator place;  // Among strangers or believed; not once it is ended.
  };
  struct Counts {
    std::uint64_t received = 0, received_bytes = 0, sent = 0, sent_bytes = 0, confirmed = 0;
    std::uint64_t not_believed = 0, silent = 0, crowded_out = 0, talkative = 0,
                  bad_frame = 0;                  // Connections.
    std::uint64_t queue_full = 0, path_gone = 0;  // Datagrams.
  };

  Impl(Loop& loop, const IceTcpLimits& tcp_limit, DatagramHandler& datagram_handler)
      : limits(tcp_limit),
        handler(datagram_handler),
        tcp(loop, tcp_limits(tcp_limit), *this),
        timer(loop, [this] { drop_silent(); }) {}

  void on_open(ConnectionId id, const Peer& peer) override;
  void on_bytes(ConnectionId id, Bytes bytes) override;
  void on_closed(ConnectionId id, CloseReason reason) override;
  bool take_frames(ConnectionId id, Bytes& bytes);
  bool admit_frame(Connection& connection, Bytes frame);
  void drop_silent();
  void drop_due(std::list<ConnectionId>& of, Timestamp now, std::uint64_t& count);
  void set_timer();
  void leave_list(Connection& connection);
  void end(ConnectionId id);    // Now.
  void close(ConnectionId id);  // Behind what is queued.
  void send(LocalPath path, Bytes datagrams, std::size_t segment_bytes);

  Connection* find(ConnectionId id) {
    auto found = connections.find(id);
    return found == connections.end() ? nullptr : &found->second;
  }
  LocalPath next_path() {
    while (last_path + 1 < kUdpPaths || paths.contains(last_path + 1)) ++last_path;
    return ++last_path;
  }

  IceTcpLimits limits;
  DatagramHandler& handler;
  std::unordered_map<ConnectionId, Connection> connections;
  std::unordered_map<LocalPath, ConnectionId> paths;
  std::list<ConnectionId> strangers, believed;  // In the order of their deadlines.
  LocalPath last_path = kUdpPaths - 1;
  Buffer frames;  // What is handed on: the handler may change it.
  std::vector<ReceivedDatagram> received;
  Buffer out;
  Counts counts;
  TcpServer tcp;
  DeadlineTimer timer;
};

void IceTcpServer::Impl::on_open(ConnectionId id, const Peer& peer) {
  Connection& connection = connections[id];
  connection.path = next_path();
  connection.remote = {IpAddress::parse(peer.address).value_or(IpAddress()).unmapped(), peer.port};
  connection.deadline = Loop::now() + limits.stranger_timeout;
  paths[connection.path] = id;
  connection.place = strangers.insert(strangers.end(), id);
  if (strangers.size() > limits.strangers) {
    ++counts.crowded_out;
    end(strangers.front());
  }
  set_timer();
}

void IceTcpServer::Impl::end(ConnectionId id) {
  Connection& connection = *find(id);
  leave_list(connection);
  tcp.drop(id);
}

void IceTcpServer::Impl::close(ConnectionId id) {
  leave_list(*find(id));
  tcp.close(id);
}

void IceTcpServer::Impl::leave_list(Connection& connection) {
  if (std::exchange(connection.is_ended, true)) return;
  (connection.is_stranger ? strangers : believed).erase(connection.place);
}

void IceTcpServer::Impl::drop_silent() {
  const Timestamp now = Loop::now();
  drop_due(strangers, now, counts.not_believed);
  drop_due(believed, now, counts.silent);
  set_timer();
}

void IceTcpServer::Impl::drop_due(std::list<ConnectionId>& of, Timestamp now, std::uint64_t& count) {
  while (!of.empty() && find(of.front())->deadline <= now) {
    ++count;
    end(of.front());
  }
}

void IceTcpServer::Impl::set_timer() {
  Timestamp at = Timestamp::never();
  for (const auto* of : {&strangers, &believed})
    if (!of->empty()) at = std::min(at, find(of->front())->deadline);
  if (at < timer.at()) timer.set(at);
}

void IceTcpServer::Impl::on_bytes(ConnectionId id, Bytes bytes) {
  if (Connection* connection = find(id); connection && !connection->is_stranger && !connection->is_ended) {
    connection->deadline = Loop::now() + limits.silence_timeout;
    believed.splice(believed.end(), believed, connection->place);
  }
  while (take_frames(id, bytes)) {
  }
}

// Hands on what is whole, up to a batch. True: there may be more.
bool IceTcpServer::Impl::take_frames(ConnectionId id, Bytes& bytes) {
  Connection* connection = find(id);
  if (!connection || connection->is_ended) return false;
  // The answer to a stranger's frame changes what it may send next.
  const std::size_t frames_max = connection->is_stranger ? 1 : kFramesMax;
  frames.clear();
  received.clear();
  // The frame that began earlier, and those in `bytes`: no more than this, and so nothing moves.
  frames.reserve(bytes.size() + connection->reader.partial_bytes());
  bool is_sound = true;
  while (received.size() < frames_max) {
    auto next = connection->reader.next(bytes);
    if (!next) ++counts.bad_frame;
    is_sound = next && (!*next || admit_frame(*connection, **next));
    if (!is_sound || !*next) break;
    const Bytes frame = **next;
    std::uint8_t* at = frames.data() + frames.size();
    frames.insert(frames.end(), frame.begin(), frame.end());
    received.push_back(
        {.local = connection->path, .remote = connection->remote, .bytes = {at, frame.size()}});
    counts.received_bytes += frame.size();
  }
  counts.received += received.size();
  if (!received.empty()) {
    connection->is_known = true;
    handler.on_datagrams(received);
  }
  if (is_sound) return received.size() == frames_max;
  end(id);
  return false;
}

bool IceTcpServer::Impl::admit_frame(Connection& connection, Bytes frame) {
  if (!connection.is_stranger) return true;
  connection.stranger_bytes += ice::kFrameHeaderBytes + frame.size();
  if (connection.stranger_bytes <= limits.stranger_bytes) return true;
  ++counts.talkative;
  return false;
}

void IceTcpServer::Impl::on_closed(ConnectionId id, CloseReason) {
  auto node = connections.extract(id);
  if (!node) return;
  Connection& connection = node.mapped();
  leave_list(connection);
  paths.erase(connection.path);
  if (connection.is_known) handler.on_path_closed(connection.path, connection.remote);
}

void IceTcpServer::Impl::send(LocalPath path, Bytes datagrams, std::size_t segment_bytes) {
  if (datagrams.empty()) return;
  const std::size_t count = (datagrams.size() + segment_bytes - 1) / segment_bytes;
  auto found = paths.find(path);
  if (found == paths.end()) {
    counts.path_gone += count;
    return;
  }
  const std::size_t queued = tcp.queued_bytes(found->second);
  std::size_t room = limits.send_queue_bytes - std::min(limits.send_queue_bytes, queued);
  std::size_t framed = 0;
  out.clear();
  while (!datagrams.empty()) {
    const Bytes datagram = datagrams.first(std::min(segment_bytes, datagrams.size()));
    if (out.size() + ice::kFrameHeaderBytes + datagram.size() > room) break;
    ice::write_frame(datagram, out);
    datagrams = datagrams.subspan(datagram.size());
    ++framed;
  }
  counts.queue_full += count - framed;
  if (framed == 0) return;
  if (tcp.send(found->second, out, {})) {
    counts.sent += framed;
    counts.sent_bytes += out.size() - framed * ice::kFrameHeaderBytes;
  } else {
    counts.path_gone += framed;
  }
}

IceTcpServer::IceTcpServer(Loop& loop, const IceTcpLimits& limits, DatagramHandler& handler)
    : impl_(std::make_unique<Impl>(loop, limits, handler)) {}

IceTcpServer::~IceTcpServer() = default;

Result<std::uint16_t, std::string> IceTcpServer::listen(const std::string& address, std::uint16_t port) {
  return impl_->tcp.listen({.address = address,
                            .port = port,
                            .tls = nullptr,
                            .reuse_port = false,
                            .unsent_bytes_max = kUnsentBytesMax});
}

void IceTcpServer::stop_listening() { impl_->tcp.stop_listening(); }

void IceTcpServer::confirm(LocalPath path) {
  auto found = impl_->paths.find(path);
  if (found == impl_->paths.end()) return;
  Impl::Connection& connection = *impl_->find(found->second);
  if (!connection.is_stranger || connection.is_ended) return;
  connection.is_stranger = false;
  connection.deadline = Loop::now() + impl_->limits.silence_timeout;
  impl_->believed.splice(impl_->believed.end(), impl_->strangers, connection.place);
  impl_->set_timer();
  connection.reader.set_frame_bytes_max(ice::kFrameBytesMax);
  ++impl_->counts.confirmed;
}

void IceTcpServer::close(LocalPath path) {
  auto found = impl_->paths.find(path);
  if (found != impl_->paths.end()) impl_->close(found->second);
}

void IceTcpServer::drain(Timestamp deadline, std::move_only_function<void()> on_drained) {
  while (!impl_->strangers.empty()) impl_->end(impl_->strangers.front());
  while (!impl_->believed.empty()) impl_->close(impl_->believed.front());
  impl_->tcp.drain(deadline, std::move(on_drained));
}

void IceTcpServer::send(const DatagramBatch& batch) {
  for (const DatagramTrain& train : batch.trains())
    if (!is_udp_path(train.local)) impl_->send(train.local, train.bytes, train.segment_bytes);
}

void IceTcpServer::send_one(LocalPath path, Bytes datagram) {
  if (!is_udp_path(path) && datagram.size() <= 0xffff) impl_->send(path, datagram, datagram.size());
}

std::size_t IceTcpServer::path_count() const { return impl_->paths.size(); }

std::size_t IceTcpServer::stranger_count() const { return impl_->strangers.size(); }

void IceTcpServer::append_metrics(const std::string& server, MetricSamples& samples) const {
  auto add = [&](const char* name, const char* help, MetricKind kind, std::uint64_t value,
                 const char* reason = nullptr) {
    samples.push_back({name, help, kind, {{"server", server}}, static_cast<double>(value)});
    if (reason) samples.back().labels.push_back({"reason", reason});
  };
  const Impl::Counts& c = impl_->counts;
  const MetricKind counter = MetricKind::kCounter;
  impl_->tcp.append_metrics(server, samples);
  add("stoa_ice_tcp_received_datagrams_total", "Datagrams received over TCP.", counter, c.received);
  add("stoa_ice_tcp_received_bytes_total", "Bytes of datagrams received over TCP.", counter,
      c.received_bytes);
  add("stoa_ice_tcp_sent_datagrams_total", "Datagrams sent over TCP.", counter, c.sent);
  add("stoa_ice_tcp_sent_bytes_total", "Bytes of datagrams sent over TCP.", counter, c.sent_bytes);
  add("stoa_ice_tcp_confirmed_total", "TCP connections that ICE believed.", counter, c.confirmed);
  add("stoa_ice_tcp_strangers", "TCP connections that ICE does not believe yet.", MetricKind::kGauge,
      impl_->strangers.size());
  const char* ended = "TCP connections ended because of what their peers did.";
  add("stoa_ice_tcp_ended_total", ended, counter, c.not_believed, "not_believed_in_time");
  add("stoa_ice_tcp_ended_total", ended, counter, c.silent, "silent");
  add("stoa_ice_tcp_ended_total", ended, counter, c.crowded_out, "too_many_strangers");
  add("stoa_ice_tcp_ended_total", ended, counter, c.talkative, "stranger_bytes");
  add("stoa_ice_tcp_ended_total", ended, counter, c.bad_frame, "bad_frame");
  const char* dropped = "Datagrams that were not sent over TCP.";
  add("stoa_ice_tcp_dropped_total", dropped, counter, c.queue_full, "queue_full");
  add("stoa_ice_tcp_dropped_total", dropped, counter, c.path_gone, "path_gone");
}

}  // namespace stoa::runtime
