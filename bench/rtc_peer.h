// One WebRTC client of the load: a UDP socket of its own, since servers tell their peers apart by address,
// the request that opens its session, and the peer itself. What it sends or does with what it receives is its
// subclass's: rtc_publisher.h, rtc_viewer.h.
//
//   start() -> POST -> answer -> ICE -> DTLS -> on_connected() … -> stop()
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rtc_exchange.h"
#include "rtc_socket.h"

namespace stoa::bench {

struct RtcTarget {
  Url url;
  Address address;  // Of its HTTP server.
  std::string bearer;
};

// How long it took from start(), in nanoseconds; 0: not there yet.
struct RtcJoin {
  std::int64_t started_ns = 0;
  std::int64_t answered = 0, connected = 0, first_packet = 0, first_picture = 0;
};

class RtcPeer {
 public:
  enum class State : std::uint8_t { kIdle, kPosting, kConnecting, kConnected, kEnded };

  RtcPeer(RtcShared& shared, RtcTarget target, std::uint64_t seed);
  virtual ~RtcPeer();
  RtcPeer(const RtcPeer&) = delete;
  RtcPeer& operator=(const RtcPeer&) = delete;

  void start();
  // Ends the session with the peer and makes the request that tells the server; empty when there is no
  // session.
  std::string stop();

  int udp_fd() const { return udp_.fd(); }
  int http_fd() const { return exchange_.fd(); }
  void handle_http(std::uint32_t events);
  // Reads what has arrived, up to a limit.
  void handle_readable();
  void handle_deadline(std::int64_t now);
  std::int64_t next_deadline() const;  // INT64_MAX: none.

  State state() const { return state_; }
  const Failure& failure() const { return failure_; }  // Why it ended; empty after stop().
  const RtcJoin& join() const { return join_; }
  const RtcTarget& target() const { return target_; }

 protected:
  virtual std::vector<sdp::OfferedSection> sections() = 0;
  virtual void on_connected(std::int64_t now) = 0;
  // False: not wanted, the packet stays encrypted and unread.
  virtual bool on_sealed(std::int64_t arrived_ns, Bytes packet) = 0;
  virtual void on_rtp(std::int64_t arrived_ns, Bytes packet) = 0;
  virtual void on_rtcp(std::int64_t now, Bytes packet) = 0;
  virtual void on_due(std::int64_t now) = 0;
  virtual std::int64_t next_due() const = 0;

  webrtc::Dialer& dialer() { return *dialer_; }
  const sdp::Agreement& agreement() const { return *dialer_->agreement(); }
  void send_rtp(Bytes packet);
  void send_rtcp(Bytes packet);
  // Sends what send_…() has gathered.
  void flush() { udp_.flush(shared_); }
  void fail(Failure failure);

  RtcShared& shared_;
  RtcJoin join_;
  Rng rng_;

 private:
  void take_datagrams(std::int64_t now, const RtcArrival& arrival);
  void take_outputs(std::int64_t now, std::int64_t arrived_ns);
  void handle_answer();

  RtcTarget target_;
  State state_ = State::kIdle;
  Failure failure_;
  RtcSocket udp_;
  RtcExchange exchange_;
  std::unique_ptr<webrtc::Dialer> dialer_;
  webrtc::DialerOutputs out_;
  std::string session_path_;
};

}  // namespace stoa::bench
