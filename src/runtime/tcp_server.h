// Accepted TCP connections of one loop, plain or TLS: who they are, bytes in, bytes out, limits.
//
// Every shard opens its own listener on the same port (SO_REUSEPORT) and the kernel spreads connections.
// A listener may be a Unix socket instead: its connections are like any others, of one address.
// A connection belongs to the loop that accepted it and is named by a generational id; calls with the id of
// a connection that is gone do nothing. All calls are made on the loop's thread.
//
// Handlers may call any method from inside a callback. `on_closed` is told exactly once per `on_open`, from
// the loop, never from inside one of these methods; after it the id is dead.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/metric.h"
#include "base/result.h"
#include "base/slot_table.h"
#include "base/time.h"

namespace stoa::runtime {

class Loop;
class TlsContext;

using ConnectionId = SlotId<struct ConnectionTag>;

struct TcpLimits {
  std::size_t connections = 50'000;
  // One IPv4 address or one IPv6 /64. Viewers behind one carrier's NAT share an address, so keep it generous.
  std::size_t connections_per_address = 20'000;
  // Bytes accepted by `send` and not yet by the kernel. Above it the connection is dropped and counted.
  std::size_t send_queue_bytes = 4u << 20;
  // From accept to the end of the TLS handshake.
  Duration handshake_timeout = Duration::seconds(10);
  // Something is queued and the peer has taken nothing of it for so long.
  Duration write_stall_timeout = Duration::seconds(20);
  // How long `close` waits for the peer's FIN once all that was queued is sent.
  Duration close_timeout = Duration::seconds(5);
};

enum class CloseReason : std::uint8_t {
  kPeer,             // The peer finished or reset.
  kLocal,            // close() or drop().
  kSendQueueFull,    // It did not read what was sent.
  kWriteStalled,     // Likewise, told by time.
  kProtocolFailure,  // TLS broke.
};
const char* name_of(CloseReason reason);

struct Peer {
  // "192.0.2.1", "2001:db8::1"; IPv4-mapped addresses are shown as IPv4. "unix" over a Unix socket.
  std::string address;
  std::uint16_t port = 0;
  bool is_secure = false;
  std::string alpn;  // What TLS agreed on: "h2", "http/1.1" or empty.
};

class TcpHandler {
 public:
  virtual ~TcpHandler() = default;
  // After the TLS handshake, if any.
  virtual void on_open(ConnectionId id, const Peer& peer) = 0;
  // `bytes` is valid during the call only.
  virtual void on_bytes(ConnectionId id, Bytes bytes) = 0;
  virtual void on_closed(ConnectionId id, CloseReason reason) = 0;
  // The queue, which was not empty after a `send`, has fallen below `kLowWater`.
  virtual void on_writable(ConnectionId) {}
};

struct ListenOptions {
  std::string address = "127.0.0.1";  // An IP address; "::" takes IPv4 too.
  std::uint16_t port = 0;             // 0: the kernel chooses.
  std::shared_ptr<TlsContext> tls;    // Null: plain.
  // Several loops may listen on the port.
  bool reuse_port = true;
  // What the kernel takes of a connection beyond what is on its way to the peer (TCP_NOTSENT_LOWAT), for what
  // must not grow old in it. 0: as much as its buffer holds.
  int unsent_bytes_max = 0;
  // Not empty: a Unix socket of this name (at most 107 bytes) instead of address and port. Only this user may
  // connect (mode 0600). One that a server left behind is removed; one that is listened to, and what is no
  // socket, are not. The name goes away with the listener.
  std::string path;
};

// False when somebody listens there already. With SO_REUSEPORT the kernel would let two servers of one user
// share a port and split its connections without a word.
bool is_port_free(const std::string& address, std::uint16_t port);

class TcpServer {
 public:
  static constexpr std::size_t kLowWater = 128u << 10;
  static constexpr int kBacklog = 4096;

  TcpServer(Loop& loop, const TcpLimits& limits, TcpHandler& handler);
  // Closes every socket at once; nothing is told.
  ~TcpServer();
  TcpServer(const TcpServer&) = delete;
  TcpServer& operator=(const TcpServer&) = delete;

  // The bound port (0 for a Unix socket), or a sentence that says what the system refused.
  Result<std::uint16_t, std::string> listen(const ListenOptions& options);
  void stop_listening();
  // Stops listening, gives up handshakes, and calls `on_drained` once, from the loop, when no connection is
  // left. What is left at `deadline` is dropped. Closing the others is the handler's business.
  void drain(Timestamp deadline, std::move_only_function<void()> on_drained);

  // Writes at once what the kernel takes and queues the rest without copying it. `head`, which is only
  // looked at during the call, goes first in the same write. False when the connection is gone or was
  // dropped because its queue is over the limit.
  bool send(ConnectionId id, Bytes head, std::span<const SharedBytes> slices);
  bool send(ConnectionId id, const SharedBytes& bytes) { return send(id, {}, {&bytes, 1}); }

  // Sends what is queued (however long that takes, as long as it goes on: see write_stall_timeout), finishes
  // the sending side, waits for the peer to finish.
  // Nothing is read from the connection any more.
  void close(ConnectionId id);
  // Closes now and throws away what is queued.
  void drop(ConnectionId id);

  // Reading stops (the kernel's buffer fills, then the peer stops) until it is resumed. Nothing already
  // read is held back.
  void pause_reading(ConnectionId id);
  void resume_reading(ConnectionId id);

  std::size_t queued_bytes(ConnectionId id) const;
  std::size_t connection_count() const;
  // `server` becomes the label that tells listeners of one process apart: "http", "rtmp".
  void append_metrics(const std::string& server, MetricSamples& samples) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoa::runtime
