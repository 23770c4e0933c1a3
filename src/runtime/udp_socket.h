// The UDP socket of one shard: batches of datagrams in, trains of datagrams out.
//
// In: recvmmsg with UDP_GRO, so that one buffer of the kernel may hold a whole train of a peer; it is handed
// on as datagrams that lie in it. A wake-up reads so many batches and then lets the rest of the loop have its
// turn. Out: one message with UDP_SEGMENT for a train, one sendmmsg for many. What the kernel does not take
// waits in a bounded queue, in order; what is over it, and what the kernel refuses, is dropped and counted by
// reason. Nothing that a network does closes the socket.
//
// Bound to a wildcard, it says by LocalPath which of the machine's addresses a datagram came to, and what is
// sent through that path leaves from there (IP_PKTINFO): an ICE check is answered from where it was sent to.
//
// All calls are made on the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/datagram.h"
#include "base/metric.h"
#include "base/result.h"
#include "base/time.h"
#include "runtime/datagram_handler.h"

namespace stoa::runtime {

class Loop;

struct UdpOptions {
  std::string address = "127.0.0.1";  // An IP address; "::" takes IPv4 too, and is "0.0.0.0" without IPv6.
  std::uint16_t port = 0;             // 0: the kernel chooses.
  // Segmentation of what is sent, coalescing of what is received; used where the kernel has them.
  bool use_gso = true;
  bool use_gro = true;
  // Asked of the kernel, which may give less (net.core.rmem_max, wmem_max); UdpBinding says what it gave.
  // 4 MiB are 30 ms of 1 Gb/s.
  std::size_t receive_buffer_bytes = 4u << 20;
  std::size_t send_buffer_bytes = 4u << 20;
  // Of datagrams that wait for the kernel. send_one() may use 64 KiB more.
  std::size_t send_queue_bytes = 1u << 20;
  // recvmmsg calls before the loop's other work gets its turn.
  int batches_per_wakeup = 8;
};

// What open() came to.
struct UdpBinding {
  std::uint16_t port = 0;
  std::size_t receive_buffer_bytes = 0, send_buffer_bytes = 0;
  bool has_gso = false, has_gro = false;
  // Sentences for the log: an offload or a buffer that was asked for and not given.
  std::vector<std::string> notices;
};

class UdpSocket {
 public:
  // A longer datagram may be dropped and counted (it is not, where the kernel coalesces): a jumbo frame.
  static constexpr std::size_t kReceivedBytesMax = 9216;

  UdpSocket(Loop& loop, DatagramHandler& handler);
  // Closes at once; nothing is told. Not from inside on_datagrams().
  ~UdpSocket();
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  // Until it is open. What was bound, or a sentence that says what the system refused. The port is not shared
  // with anybody.
  Result<UdpBinding, std::string> open(const UdpOptions& options);

  // In order. Trains whose path is not UDP are left to their owner.
  void send(const DatagramBatch& batch);
  // The same for one datagram, behind what was sent before.
  void send_one(LocalPath local, const SocketAddress& remote, Bytes datagram);

  // Calls `on_drained` once, from the loop, when nothing waits for the kernel any more, at `deadline` at the
  // latest.
  void drain(Timestamp deadline, std::move_only_function<void()> on_drained);

  std::size_t queued_bytes() const;
  bool has_gso() const;
  // `socket` becomes the label that tells sockets of one process apart: "rtc", "turn".
  void append_metrics(const std::string& socket, MetricSamples& samples) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoa::runtime
