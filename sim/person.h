// A participant of a meeting as a client program is one: it joins over a WebSocket, connects, publishes,
// looks at the others, and copes with what happens. It speaks the newer generation's protocol: one connection
// for all.
//
// Pure, like all machines here: what it sends comes out of take_*(), who it is sent to is the world's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "api/livekit/wire.h"
#include "base/rng.h"
#include "proto/http/semantics.h"
#include "session/webrtc/dialer.h"
#include "sim/publisher.h"
#include "sim/viewer.h"

namespace stoa::sim {

// Of all people of a world.
struct ClientShared {
  explicit ClientShared(WallTime wall);
  srtp::Transform transform;
  webrtc::TransportShared transport;
  ClientMedia media;
};

class Person {
 public:
  struct Config {
    std::uint32_t number = 0;  // In stamps; from 1.
    std::string room;
    Publisher::Config publisher;
    Viewer::Config viewer;
    // Looks at one of the others in full size, and at another one after about so long. Zero: at nobody.
    Duration attention = Duration::seconds(8);
    // One who breaks the rules: floods of feedback that cannot be, packets of streams that are not its own.
    bool is_hostile = false;
  };
  // To be carried out in order.
  struct OpenSocket {
    http::Request request;
  };
  struct SendFrame {
    std::string bytes;
  };
  struct CloseSocket {};
  using Signal = std::variant<OpenSocket, SendFrame, CloseSocket>;

  // `server`: where datagrams go. `address`: its own, as it thinks.
  Person(const Config& config, ClientShared& shared, const SocketAddress& address, Rng rng);

  void join(Timestamp now);
  // Says that it goes.
  void leave(Timestamp now, WallTime wall);
  // Forgets everything but who it is, as a program that is started again.
  void restart(const SocketAddress& address);
  // The WebSocket is gone: comes back with another one.
  void lose_socket(Timestamp now);
  // Knows that its network is another one: new candidates and an ICE restart.
  void change_network(Timestamp now, const SocketAddress& address);

  void handle_opened(Timestamp now);
  void handle_refused(Timestamp now, int status);
  void handle_frame(Timestamp now, WallTime wall, Bytes frame);
  void handle_closed(Timestamp now, std::uint16_t code);
  struct Arrived {
    Timestamp at;  // To be told of in feedback; not after now.
    SocketAddress from;
    std::span<std::uint8_t> bytes;
  };
  void handle_datagrams(Timestamp now, WallTime wall, std::span<const Arrived> arrived);
  void handle_deadline(Timestamp now, WallTime wall);
  Timestamp next_deadline() const;

  struct Datagram {
    SocketAddress to;
    Buffer bytes;
  };
  // Into what is empty, whose memory is used again.
  void take_datagrams(std::vector<Datagram>& into) { into.swap(datagrams_); }
  std::vector<Signal> take_signals() { return std::exchange(signals_, {}); }
  bool has_output() const { return !datagrams_.empty() || !signals_.empty(); }

  const Config& config() const { return config_; }
  std::string identity() const { return "p" + std::to_string(config_.number); }
  bool is_connected() const { return dialer_ && dialer_->is_connected(); }
  bool is_there() const { return is_there_; }  // Between join() and leave().
  const Publisher& publisher() const { return publisher_; }
  const Viewer& viewer() const { return viewer_; }
  Viewer& viewer() { return viewer_; }
  const webrtc::DialerStats* dialer_stats() const { return dialer_ ? &dialer_->stats() : nullptr; }
  std::uint64_t joins() const { return joins_; }
  std::uint64_t refused() const { return refused_; }

 private:
  void open(Timestamp now, bool resumes);
  void say(const livekit::pb::SignalRequest& request);
  void make_dialer(Timestamp now);
  void offer(Timestamp now, bool restarts = false);
  void handle_answer(Timestamp now, WallTime wall, const livekit::pb::SessionDescription& answer);
  void note(const livekit::pb::ParticipantInfo& info);
  void look(Timestamp now);
  void misbehave(Timestamp now);
  // `arrived`: what the outputs are of.
  void sort(Timestamp now, WallTime wall, std::span<const Arrived> arrived = {});
  void send_rtp(Bytes packet);
  void send_rtcp(Bytes packet);

  Config config_;
  ClientShared& shared_;
  SocketAddress address_;
  Rng rng_;
  Publisher publisher_;
  Viewer viewer_;
  std::unique_ptr<webrtc::Dialer> dialer_;
  webrtc::DialerOutputs out_, handling_;
  std::vector<sdp::OfferedSection> sections_;
  std::vector<ReceivedDatagram> received_;  // Scratch.
  std::vector<Datagram> datagrams_;
  std::vector<Signal> signals_;
  bool is_there_ = false, is_open_ = false, is_announced_ = false;
  bool is_offering_ = false, wants_offer_ = false, wants_restart_ = false;
  std::string sid_;
  std::uint32_t offers_ = 0;
  std::uint32_t local_ = 0;  // Of its newest socket.
  Timestamp next_ping_ = Timestamp::never(), next_try_ = Timestamp::never(), next_look_ = Timestamp::never(),
            next_misdeed_ = Timestamp::never();
  std::map<std::string, std::string>
      cameras_;  // Video tracks of the others: sid of the participant, of the track.
  std::string looked_at_;
  std::uint64_t joins_ = 0, refused_ = 0;
};

}  // namespace stoa::sim
