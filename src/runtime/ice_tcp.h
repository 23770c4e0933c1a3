// ICE over TCP, passive (RFC 6544): for peers whose network lets no UDP out. Every connection is a path of
// its own, which carries datagrams behind their lengths (RFC 4571).
//
// A connection is a stranger until its owner confirms it, which it does when ICE believes the peer. A
// stranger may send one small frame after the other within a small sum and a short time; there may be so many
// strangers, and one more makes the oldest go: who opens connections and says nothing keeps nobody out.
//
// TCP queues where UDP drops. A path that does not drain drops what is sent to it, datagram by datagram, so
// that what does arrive is not old.
//
// All calls are made on the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/datagram.h"
#include "base/metric.h"
#include "base/result.h"
#include "base/time.h"
#include "runtime/datagram_handler.h"

namespace stoa::runtime {

class Loop;

struct IceTcpLimits {
  std::size_t connections = 10'000;
  // One IPv4 address or one IPv6 /64. A company may sit behind one.
  std::size_t connections_per_address = 500;
  std::size_t strangers = 1'000;
  Duration stranger_timeout = Duration::seconds(10);  // Also ice::kOpeningTimeout.
  // Sum of a stranger's frames. Checks repeated over ten seconds are a tenth of it.
  std::size_t stranger_bytes = 16u << 10;
  // A confirmed peer says nothing for so long: the connection ends. One that lives asks for consent every few
  // seconds (RFC 7675), so this is for those whose session is over.
  Duration silence_timeout = Duration::seconds(60);
  // Datagrams that wait for one connection, beyond what the kernel holds. Half a second of 2 Mb/s.
  std::size_t send_queue_bytes = 128u << 10;
  // Something waits and the peer has taken nothing of it for so long: the connection ends.
  Duration write_stall_timeout = Duration::seconds(10);
};

class IceTcpServer {
 public:
  // Paths are numbered from kUdpPaths on; a number comes again after four billion others.
  IceTcpServer(Loop& loop, const IceTcpLimits& limits, DatagramHandler& handler);
  // Closes everything at once; nothing is told. Not from inside a callback.
  ~IceTcpServer();
  IceTcpServer(const IceTcpServer&) = delete;
  IceTcpServer& operator=(const IceTcpServer&) = delete;

  // The bound port, or a sentence that says what the system refused. Usually the UDP socket's number.
  Result<std::uint16_t, std::string> listen(const std::string& address, std::uint16_t port);
  void stop_listening();
  // Stops listening, lets strangers go, closes the others, and calls `on_drained` once, from the loop, when
  // no connection is left. What is left at `deadline` is dropped.
  void drain(Timestamp deadline, std::move_only_function<void()> on_drained);

  // The peer of this path is believed: it may send frames of ice::kFrameBytesMax.
  void confirm(LocalPath path);
  // The session does without it. What was sent before still goes out, nothing is taken from it any more. The
  // handler is told of its end like of any other, later.
  void close(LocalPath path);

  // In order. Trains whose path is not ICE-TCP are left to their owner. What is sent to a path that is gone
  // is dropped and counted.
  void send(const DatagramBatch& batch);
  void send_one(LocalPath path, Bytes datagram);

  std::size_t path_count() const;
  std::size_t stranger_count() const;
  // `server` becomes the label that tells servers of one process apart.
  void append_metrics(const std::string& server, MetricSamples& samples) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoa::runtime
