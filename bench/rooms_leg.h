// One of the peer connections of a client of rooms: a socket and the peer behind it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "rtc_socket.h"

namespace stoa::bench {

// Who uses a leg. Times: `now` by CLOCK_MONOTONIC, `arrived_ns` by CLOCK_REALTIME.
class RoomsLegUser {
 public:
  virtual ~RoomsLegUser() = default;
  virtual void on_connected(std::int64_t now) = 0;
  virtual void on_closed(const std::string& why) = 0;
  // False: not wanted, the packet stays encrypted and unread.
  virtual bool on_sealed(std::int64_t now, std::int64_t arrived_ns, Bytes packet) = 0;
  virtual void on_rtp(std::int64_t arrived_ns, Bytes packet) = 0;
  virtual void on_rtcp(std::int64_t now, Bytes packet) = 0;
};

class RoomsLeg {
 public:
  RoomsLeg(RtcShared& shared, RoomsLegUser& user) : shared_(shared), user_(user) {}

  // Without `sections` the server offers, and is answered with what the other two say. False: no socket.
  bool open(std::int64_t now, IpAddress own, std::uint64_t seed, std::vector<sdp::OfferedSection> sections,
            const sdp::MediaSupport& audio, const sdp::MediaSupport& video);
  bool is_open() const { return dialer_ != nullptr; }
  int fd() const { return socket_.fd(); }
  // Requires: is_open().
  webrtc::Dialer& dialer() { return *dialer_; }
  const sdp::Agreement* agreement() const { return dialer_->agreement(); }
  const std::string& offer() const { return dialer_->offer(); }
  // Both give whether the description was taken.
  bool handle_answer(std::int64_t now, const std::string& text);
  // Then send the answer, and flush().
  bool handle_offer(std::int64_t now, const std::string& text, std::string& answer);
  void add_candidate(std::int64_t now, const std::string& line);

  void handle_readable();
  void handle_deadline(std::int64_t now);
  std::int64_t next_deadline() const;  // INT64_MAX: none.
  void send_rtp(Bytes packet);
  void send_rtcp(Bytes packet);
  // Sends what send_…() has gathered.
  void flush() { socket_.flush(shared_); }
  void close();

 private:
  void take(std::int64_t now, const RtcArrival& arrival);
  void take_outputs(std::int64_t now, std::int64_t arrived_ns);

  RtcShared& shared_;
  RoomsLegUser& user_;
  RtcSocket socket_;
  std::unique_ptr<webrtc::Dialer> dialer_;
  webrtc::DialerOutputs out_;
};

}  // namespace stoa::bench
