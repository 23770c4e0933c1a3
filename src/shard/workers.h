// The workers that transcode channels owned by this shard: whom control awaits, their connections, what they
// are told of the program and what they make of it. Pure; the protocol is proto/relay, what a rendition is
// is live/'s business.
//
//   handle_awaited() · handle_opened(), handle_bytes() -> WorkerCame -> tell()  …  RungBegan, RungMade …
//                                                         -> WorkerLeft
//
// A channel has one worker at a time: a later one that control awaits takes over. What a worker does not
// take in time is dropped up to its next keyframe (relay/backlog.h); nobody waits for it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/log.h"
#include "base/metric.h"
#include "base/outbox.h"
#include "base/time.h"
#include "base/timer_queue.h"
#include "base/token_bucket.h"
#include "control/transcoding.h"
#include "live/pictures.h"
#include "live/program.h"
#include "media/rung.h"
#include "media/track.h"
#include "proto/relay/connection.h"
#include "shard/outputs.h"

namespace stoa::shard {

struct WorkersConfig {
  relay::Config relay;
  // Of the pictures that a channel's rungs are made of; its track is not looked at.
  relay::PicturesWanted pictures{.every = Duration::seconds(5),
                                 .poster_width = 1280,
                                 .poster_height = 720,
                                 .tile_width = 160,
                                 .tile_height = 90,
                                 .columns = 5,
                                 .rows = 5};
  // A worker that is here before control's word of it waits so long.
  Duration token_wait = Duration::seconds(1);
  Duration report_interval_min =
      Duration::milliseconds(500);  // What a worker says of itself more often is passed over.
  std::size_t strangers_max = 512;  // Not let in yet; of more the first to come goes.
};

// Names a connection of a worker; the caller's, opaque here.
using WorkerKey = std::uint64_t;

struct SendRelay {
  WorkerKey connection;
  relay::SendBytes bytes;
};
struct CloseRelay {  // After what was sent before has gone out.
  WorkerKey connection;
};
// Of one channel, in this order.
struct WorkerCame {
  std::string channel;
};
struct RungBegan {
  std::string channel;
  media::RungId rung;
  std::shared_ptr<const media::Format> format;
};
struct RungMade {
  std::string channel;
  media::RungId rung;
  media::Frame frame;
};
struct RungLost {
  std::string channel;
  media::RungId rung;
};
// As workers know a track of what is on air.
struct ProgramTrackId {
  media::TrackId track = 0;
};
// One closed group of frames, from time 0 on, to stand in for a rung, or for a track of the source.
struct SlateCame {
  std::string channel;
  std::variant<media::RungId, ProgramTrackId> of;
  std::shared_ptr<const media::Format> format;
  std::vector<media::Frame> frames;
};
struct PosterCame {
  std::string channel;
  live::Poster poster;
};
struct StoryboardCame {
  std::string channel;
  live::Storyboard storyboard;
};
struct WorkerLeft {
  std::string channel;
};
using WorkersOutput =
    std::variant<SendRelay, CloseRelay, WorkerCame, RungBegan, RungMade, RungLost, SlateCame, PosterCame,
                 StoryboardCame, WorkerLeft, SendControlMail, LogLine>;
using WorkersOutputs = Outbox<WorkersOutput>;

class Workers {
 public:
  explicit Workers(const WorkersConfig& config) : config_(config) {}

  // A connection of this shard's relay socket.
  void handle_opened(Timestamp now, WorkerKey key, WorkersOutputs& out);
  void handle_bytes(Timestamp now, WorkerKey key, Bytes bytes, WorkersOutputs& out);
  void handle_closed(Timestamp now, WorkerKey key, WorkersOutputs& out);
  void handle_deadline(Timestamp now, WorkersOutputs& out);
  Timestamp next_deadline() const { return timers_.next(); }

  // Of a channel that is owned here: the next to come with this token is its worker.
  void handle_awaited(Timestamp now, const control::WorkerAwaited& awaited, WorkersOutputs& out);
  // What its worker is to make; also for one that comes later. With no rungs the worker goes.
  void set_ladder(Timestamp now, const std::string& channel, std::uint64_t revision,
                  const std::vector<media::Rung>& rungs, WorkersOutputs& out);
  // To its worker, if it has one: first what is kept of the program, then what comes.
  void begin(Timestamp now, const std::string& channel, const std::vector<live::ProgramOutput>& log,
             WorkersOutputs& out);
  void tell(Timestamp now, const std::string& channel, const std::vector<live::ProgramOutput>& program,
            WorkersOutputs& out);
  // Nobody is awaited for it any more, and its worker goes.
  void end_channel(const std::string& channel, relay::ByeReason why, WorkersOutputs& out);

  void append_metrics(MetricSamples& samples) const;

 private:
  struct Session {
    Session(const relay::Config& config, Timestamp now, double announcements)
        : connection(relay::Role::kOwner, config, now),
          opened_at(now),
          announced(announcements, now),
          pictured(announcements, now) {}
    bool is_stranger() const { return channel.empty() && !connection.is_closed(); }
    relay::Connection connection;
    Timestamp opened_at;
    std::string channel;  // From its acceptance on.
    control::WorkerId worker = 0;
    std::string name = "a worker";  // For the log.
    std::string token;              // While control's word is awaited, until `token_until`.
    Timestamp token_until = Timestamp::never();
    Timestamp reported_at;
    TokenBucket announced;
    TokenBucket pictured;
    std::optional<relay::PicturesWanted> wanted;  // As it was told.
    bool is_told = false;                         // The program.
  };
  struct Desk {
    std::optional<control::WorkerAwaited> awaited;
    std::optional<WorkerKey> worker;
    std::optional<relay::LadderSet> ladder;
  };

  void handle_outputs(Timestamp now, WorkerKey key, relay::Outputs& outputs, WorkersOutputs& out);
  void handle_hello(Timestamp now, WorkerKey key, const relay::Hello& hello, WorkersOutputs& out);
  bool may_announce(Timestamp now, Session& session, relay::Outputs& outputs);
  bool takes_picture(Timestamp now, Session& session);
  void warn_of_stranger(Timestamp now, std::string text, WorkersOutputs& out);
  void handle_format(WorkerKey key, const relay::RungFormat& begun, relay::Outputs& outputs,
                     WorkersOutputs& out);
  void handle_slate(WorkerKey key, const relay::SlateMade& made, relay::Outputs& outputs,
                    WorkersOutputs& out);
  // What it says is believed where the configuration does not say it. Nothing: the worker is given up.
  std::shared_ptr<const media::Format> read_format(Session& session, const media::Format& said,
                                                   relay::Outputs& outputs, WorkersOutputs& out);
  void make_room(WorkersOutputs& out);
  // Whether somebody with this token is awaited; then it is let in.
  bool admit(Timestamp now, WorkerKey key, WorkersOutputs& out);
  void send_ladder(Timestamp now, Session& session, const relay::LadderSet& ladder, relay::Outputs& outputs);
  void close(WorkerKey key, relay::ByeReason why, std::string_view text, WorkersOutputs& out);
  // It is its channel's worker no more.
  void leave(WorkerKey key, std::string why, WorkersOutputs& out);
  control::WorkerNumbers numbers_of(const Session& session, const relay::Progress& progress) const;
  void set_timer(WorkerKey key, const Session& session);

  WorkersConfig config_;
  std::unordered_map<WorkerKey, Session> sessions_;
  std::unordered_map<std::string, Desk>
      desks_;  // By channel: those with somebody awaited, there, or a ladder.
  TimerQueue<WorkerKey> timers_;
  relay::Stats ended_;  // Sums over sessions that are gone.
  std::uint64_t refused_tokens_ = 0;
  std::uint64_t crowded_out_ = 0;
  std::uint64_t pictures_dropped_ = 0;
  TokenBucket strangers_said_;
  std::uint64_t refused_ = 0;  // Connections given up for what the worker sent, or did not.
};

}  // namespace stoa::shard
