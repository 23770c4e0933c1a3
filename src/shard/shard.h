// One core's worth of Stoa, pure: the encoders connected to this core, the channels it owns, the viewers it
// serves, their deadlines, and the mail to other shards and to control. server/ runs one on each thread;
// a simulation runs many in one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "api/hls.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/outbox.h"
#include "base/rng.h"
#include "base/time.h"
#include "base/timer_queue.h"
#include "live/channel.h"
#include "session/rtmp/session.h"
#include "shard/mail.h"
#include "shard/program_feed.h"
#include "shard/rooms.h"
#include "shard/rtc.h"
#include "shard/workers.h"

namespace stoa::shard {

// Names a TCP connection of an encoder; the caller's, opaque here.
using ConnectionKey = std::uint64_t;

struct SendBytes {
  ConnectionKey connection;
  SharedBytes bytes;
};
struct CloseConnection {  // After what was sent before has gone out.
  ConnectionKey connection;
};
using Output = std::variant<SendBytes, CloseConnection, api::Answer, SendMail, SendControlMail, LogLine,
                            webrtc::SendDatagram, webrtc::PathProved, webrtc::PathReleased, AcceptSocket,
                            SendSocket, CloseSocket, SendRelay, CloseRelay>;
using Outputs = Outbox<Output>;

struct ShardConfig {
  ShardIndex index = 0;
  ShardIndex shards = 1;
  live::ChannelConfig channel;
  api::HlsOrigin::Config hls;
  RtcConfig rtc;      // Its index and shards are this one's.
  RoomsConfig rooms;  // Likewise.
  WorkersConfig workers;
  Duration ladder_wait =
      Duration::milliseconds(2'500);  // See live::ChannelConfig; of channels with a ladder.
  std::size_t channels_max = 10'000;  // Owned by this shard at once; one more encoder is refused.
  Duration report_interval = Duration::seconds(1);
};

class Shard {
 public:
  // `wall` dates the certificate that WebRTC peers are shown.
  Shard(const ShardConfig& config, WallTime wall, Rng rng);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // An RTMP connection of this shard.
  void handle_connection_opened(Timestamp now, ConnectionKey key, std::string peer, bool is_secure,
                                Outputs& out);
  void handle_bytes(Timestamp now, WallTime wall, ConnectionKey key, Bytes bytes, Outputs& out);
  void handle_connection_closed(Timestamp now, WallTime wall, ConnectionKey key, Outputs& out);

  // A connection of a worker, to this shard's relay socket.
  void handle_worker_opened(Timestamp now, WallTime wall, WorkerKey key, Outputs& out);
  void handle_worker_bytes(Timestamp now, WallTime wall, WorkerKey key, Bytes bytes, Outputs& out);
  void handle_worker_closed(Timestamp now, WallTime wall, WorkerKey key, Outputs& out);

  // A GET under /live/, anything under /whip/ and /whep/, and what livekit::is_join_path() says. Answered now
  // or later, or its WebSocket is accepted (AcceptSocket), unless its client goes away first.
  void handle_request(Timestamp now, WallTime wall, api::RequestKey key, const http::Request& request,
                      Outputs& out);
  void handle_cancelled(api::RequestKey key) {
    origin_.handle_cancelled(key);
    rooms_.handle_cancelled(key);
  }
  // Of a WebSocket that was accepted. Closed comes once, also after CloseSocket.
  void handle_socket_message(Timestamp now, WallTime wall, api::RequestKey key, Bytes message, bool is_text,
                             Outputs& out);
  void handle_socket_closed(Timestamp now, WallTime wall, api::RequestKey key, Outputs& out);

  // The shard has a WebRTC port, which peers reach there.
  void open_rtc(std::vector<ice::Candidate> candidates) { rtc_.open(std::move(candidates)); }
  // What came in on the shard's WebRTC port; decrypted where it stands.
  void handle_datagrams(Timestamp now, WallTime wall, std::span<ReceivedDatagram> datagrams, Outputs& out);
  // A connection of ICE-TCP ended.
  void handle_path_closed(Timestamp now, WallTime wall, LocalPath local, const SocketAddress& remote,
                          Outputs& out);
  // Media for WebRTC peers: to be called after every input, and again while it says true.
  bool fill(Timestamp now, DatagramBatch& batch) { return rtc_.fill(now, batch); }

  void handle_mail(Timestamp now, WallTime wall, Mail mail, Outputs& out);
  void handle_deadline(Timestamp now, WallTime wall, Outputs& out);
  Timestamp next_deadline() const {
    return std::min({timers_.next(), rtc_.next_deadline(), rooms_.next_deadline(), workers_.next_deadline()});
  }

  // The node stops, first: encoders are told, the channels owned here end, and viewers everywhere get
  // ENDLIST.
  void end_channels(Timestamp now, WallTime wall, Outputs& out);
  // Then, when every shard has ended its channels: what still waits is answered.
  void drain(Timestamp now, WallTime wall, Outputs& out);

  MetricSamples metrics() const;
  std::size_t room_entries() const { return rooms_.entries(); }

 private:
  struct Encoder;
  struct OwnedChannel;
  struct OwnedSource {
    OwnedChannel* channel;
    control::SourceStatus status;
  };
  enum class TimerKind : std::uint8_t { kEncoder, kChannel, kOrigin, kReport };
  struct TimerKey {
    TimerKind kind;
    std::uint64_t id = 0;  // An encoder's connection, a channel's number.
    auto operator<=>(const TimerKey&) const = default;
  };

  void handle_session_outputs(Timestamp now, WallTime wall, Encoder& encoder, Outputs& out);
  void handle_publish_request(Encoder& encoder, const session::PublishRequested& request, Outputs& out);
  void handle_decision(Timestamp now, WallTime wall, const PublishDecided& decided, Outputs& out);
  void end_source(Timestamp now, WallTime wall, Encoder& encoder, Outputs& out);
  void stop_encoder(Timestamp now, WallTime wall, Encoder& encoder, session::StopReason why, Outputs& out);
  // Publishing ones of this shard.
  template <typename Predicate>
  void stop_encoders_if(Predicate&& predicate, Timestamp now, WallTime wall, Outputs& out);
  void dispatch(Timestamp now, WallTime wall, Mail mail, Outputs& out);
  // To the owner of a channel: a call when it is this shard, mail otherwise.
  void tell_owner(Timestamp now, WallTime wall, ShardIndex owner, Mail mail, Outputs& out);
  void handle_stopped(Timestamp now, WallTime wall, const BroadcastStopped& stopped, Outputs& out);
  // A WHIP or WHEP call; one to publish what this shard cannot take is refused.
  void handle_asked(Timestamp now, WallTime wall, RtcAsked& asked);

  void handle_source_started(Timestamp now, WallTime wall, SourceStarted started, Outputs& out);
  void handle_channel_outputs(Timestamp now, WallTime wall, OwnedChannel& channel, Outputs& out);
  void handle_snapshot(Timestamp now, std::shared_ptr<const live::ChannelSnapshot> snapshot, Outputs& out);
  void keep_counters(const live::Channel& channel);
  // Tells the WebRTC half which source viewers get.
  void follow_air(Timestamp now, WallTime wall, OwnedChannel& channel);
  // Those of the WebRTC half, of rooms and of workers, until nothing more follows from them.
  void handle_rtc_outputs(Timestamp now, WallTime wall, Outputs& out);
  void handle_rooms_outputs(Timestamp now, WallTime wall, Outputs& out);

  // Workers (shard_work.cc).
  void handle_workers_outputs(Timestamp now, WallTime wall, Outputs& out);
  void handle_ladder(Timestamp now, WallTime wall, const control::LadderDecided& decided, Outputs& out);
  void handle_awaited(Timestamp now, const control::WorkerAwaited& awaited);
  // What is on air goes to the channel's worker and to WebRTC viewers, and what changed of it to control.
  void follow_program(Timestamp now, WallTime wall, OwnedChannel& owned, Outputs& out);
  void handle_rung(Timestamp now, WallTime wall, const RungBegan& began, Outputs& out);
  void handle_rung(Timestamp now, WallTime wall, const RungMade& made, Outputs& out);
  void handle_slate(Timestamp now, WallTime wall, const SlateCame& came, Outputs& out);
  void log_refused(const Result<void, live::PictureRefusal>& kept, const std::string& channel, Outputs& out);
  void send_feed(Timestamp now, WallTime wall, OwnedChannel& owned);
  void end_program(OwnedChannel& owned, Outputs& out);
  // A channel's, when a worker had its say.
  template <typename Act>
  void act_on_channel(const std::string& name, Timestamp now, WallTime wall, Outputs& out, Act&& act);

  void flush_answers(Outputs& out);
  void report(Timestamp now, Outputs& out);
  // Nothing while there is nothing to watch.
  std::optional<control::ChannelStatus> describe(OwnedChannel& owned) const;
  void log(LogLevel level, const char* component, std::string text, Outputs& out);

  ShardConfig config_;
  Rng rng_;
  std::unordered_map<ConnectionKey, std::unique_ptr<Encoder>> encoders_;
  std::unordered_map<std::uint64_t, ConnectionKey>
      connection_of_source_;  // Sources of this shard's encoders.
  std::unordered_map<std::string, std::unique_ptr<OwnedChannel>> channels_;
  std::unordered_map<std::uint64_t, OwnedChannel*> channel_of_number_;
  std::unordered_map<std::uint64_t, OwnedSource> sources_;  // Of the channels owned here.
  Rtc rtc_;
  RtcOutputs rtc_outputs_;
  Rooms rooms_;
  RoomsOutputs rooms_outputs_;
  Workers workers_;
  WorkersOutputs workers_outputs_;
  ProgramFeed::Outputs feed_;  // Empty between inputs.
  api::HlsOrigin origin_;
  api::HlsOrigin::Outputs answers_;
  TimerQueue<TimerKey> timers_;
  std::uint64_t next_source_ = 1;
  std::uint64_t next_channel_ = 1;
  std::uint64_t broadcasts_started_ = 0;
  session::RtmpStats ended_sessions_;  // Sums over sessions that are gone.
  MetricSamples ended_broadcasts_;     // Likewise over broadcasts; counters only.
};

}  // namespace stoa::shard
