// The UDP socket of one WebRTC peer of the load, and what all peers of a run share. Arrival times are the
// kernel's; what the kernel could not keep for us, or take from us, is counted.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "proto/srtp/transform.h"
#include "session/webrtc/dialer.h"
#include "stats.h"
#include "udp.h"
#include "world.h"

namespace stoa::bench {

// What all peers of a run share.
struct RtcShared {
  RtcShared();
  srtp::Transform transform;
  webrtc::TransportShared transport;
  std::optional<IpAddress> from;  // What sockets are bound to; none: what the route to the server says.
  bool is_measuring = false;
  bool is_resting = false;  // RtcOptions::rests_while_joining.
  // This program's own failings: what the kernel would not send, what it dropped since a socket of ours was
  // full, and how long what arrived had to wait to be read.
  std::uint64_t datagrams_refused = 0, datagrams_dropped = 0;
  Samples read_lag_ms;
};

// One read: a datagram, or several of equal size (but for the last) that the kernel has put together.
struct RtcArrival {
  std::span<std::uint8_t> bytes;  // Until the next read of any socket of this thread.
  std::size_t segment_bytes = 0;
  std::int64_t unix_ns = 0;  // When the kernel had it.
  SocketAddress from;
};

class RtcSocket {
 public:
  // On any port of `own`. False, and errno says why.
  bool open(IpAddress own);
  void close() { socket_.fd.reset(); }
  bool valid() const { return socket_.fd.valid(); }
  int fd() const { return socket_.fd.get(); }
  const SocketAddress& address() const { return socket_.address; }  // Once open.
  ice::LocalCandidate candidate() const;

  // None: nothing (more) is there.
  std::optional<RtcArrival> receive(RtcShared& shared);
  void queue(webrtc::SendPacket&& packet) { to_send_.push_back(std::move(packet)); }
  // Sends what was queued. What the kernel refuses is lost, as on any network.
  void flush(RtcShared& shared);

 private:
  UdpSocket socket_;
  std::uint32_t dropped_ = 0;
  std::vector<webrtc::SendPacket> to_send_;
};

// The address that packets to `server` leave from.
std::optional<IpAddress> find_own_address(const Address& server);

std::int64_t unix_ns();  // CLOCK_REALTIME.

}  // namespace stoa::bench
