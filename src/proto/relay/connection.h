// One side of the worker protocol, the owner's or the worker's: from the first byte to the last.
//
//   worker: start()  ->  owner: Hello -> accept() -> Ping … Ping -> close(), or the peer's Bye
//                                    \-> close()
//   worker: Welcome  ->  send() on both sides
//
// The messages of the peer come out as they are (worker_message.h); those that it must not send, or not now,
// close the connection. Each side gives up a peer without a sign of life: for the worker that is any byte,
// for the owner an answer to its Ping, or that frames are taken: both come from the worker's decoder. Whoever
// owns both a socket and this hands over what has arrived before it calls handle_deadline().
//
// After Closed every input is ignored and nothing is sent; the owner closes the socket once what was sent
// before is written.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "base/outbox.h"
#include "base/result.h"
#include "base/time.h"
#include "base/token_bucket.h"
#include "media/track.h"
#include "proto/relay/backlog.h"
#include "proto/relay/limits.h"
#include "proto/relay/refusal.h"
#include "proto/relay/wire.h"
#include "proto/relay/worker_message.h"

namespace stoa::relay {

enum class Role : std::uint8_t { kOwner, kWorker };

struct Closed {
  std::optional<Refusal> refusal;  // Absent when it was our command, or the peer's Bye.
};
// Hello: answer with accept() or close() within Deadlines::hello. Ping: answer with a Pong from where
// decoding is done. After Bye comes Closed.
using Output =
    std::variant<SendBytes, Hello, RungFormat, RungFrame, RungEnded, FramesTaken, Progress, Pong, Said,
                 SlateMade, PosterMade, StoryboardMade, Welcome, LadderSet, ProgramTrack, ProgramCut,
                 ProgramFrame, TrackGone, Ping, PicturesWanted, RungRefused, Bye, Closed>;
using Outputs = Outbox<Output>;

struct Config {
  std::uint32_t version_lowest = 1;
  std::uint32_t version_highest = kVersion;
  Deadlines deadlines;
  QueueLimits queue;
};

struct Stats {
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t messages_skipped = 0;  // Not known, or of a track that is not known.
  std::uint64_t said_dropped = 0;      // Over kSaidPerSecond.
  std::uint64_t frames_sent = 0;
  std::uint64_t frames_dropped_behind = 0;  // QueueLimits, and what of a track came before its next keyframe.
  std::uint64_t frames_dropped_too_large = 0;
  std::uint64_t frames_dropped_unannounced = 0;  // Their track's or rung's format was not sent.
};

class Connection {
 public:
  Connection(Role role, const Config& config, Timestamp now);

  // The error is also in the Closed that was pushed.
  Result<void, Refusal> handle_bytes(Timestamp now, Bytes bytes, Outputs& out);
  void handle_deadline(Timestamp now, Outputs& out);
  Timestamp next_deadline() const;

  // The worker's first call; fills in the versions of `hello`.
  void start(Hello hello, Outputs& out);
  // The owner's yes. Requires: is_waiting_for_decision().
  void accept(Timestamp now, std::string channel, Outputs& out);

  // False when the message did not go out: the connection is not open, a limit of the wire is too small for
  // it, or, of a ProgramFrame, the worker has too much before it (backlog.h). Frames whose ProgramTrack or
  // RungFormat did not go out do not either. A track that changes its codec goes and comes again.
  // Requires: a message that is this side's to send; Hello, Welcome, Ping and Bye have calls of their own.
  // Numbers of program frames rise.
  bool send(Timestamp now, const Message& message, Outputs& out);

  // Says Bye and closes. Does nothing when closed.
  void close(ByeReason reason, std::string_view text, Outputs& out);

  bool is_waiting_for_decision() const { return state_ == State::kDecision; }
  bool is_open() const { return state_ == State::kOpen; }
  bool is_closed() const { return state_ == State::kClosed; }
  std::uint32_t version() const { return version_; }  // Agreed upon; 0 before.
  // From the newest Ping that was answered to its Pong, through the worker's decoder.
  std::optional<Duration> round_trip() const { return round_trip_; }
  const Backlog& backlog() const { return backlog_; }
  Stats stats() const;

 private:
  enum class State : std::uint8_t { kHello, kDecision, kOpen, kClosed };
  using Outcome = Result<void, Refusal>;
  using Passed = Result<bool, Refusal>;  // Whether the message is the owner's business, too.

  Outcome consume(Timestamp now, Bytes bytes, Outputs& out);
  Outcome handle_message(Timestamp now, Message&& message, Outputs& out);
  Passed handle_hello(const Hello& hello);
  Passed handle_welcome(const Welcome& welcome);
  Passed handle_rung_frame(const RungFrame& frame) const;
  Passed handle_taken(Timestamp now, const FramesTaken& taken);
  Passed handle_pong(Timestamp now, const Pong& pong);
  Passed handle_said(Timestamp now);
  static Passed handle_slate(const SlateMade& slate);
  static Passed handle_poster(const PosterMade& poster);
  static Passed handle_storyboard(const StoryboardMade& storyboard);
  Passed handle_program_frame(const ProgramFrame& frame);

  bool send_track(const ProgramTrack& track, Outputs& out);
  bool send_program_frame(Timestamp now, const ProgramFrame& frame, Outputs& out);
  bool send_rung_frame(const RungFrame& frame, Outputs& out);
  bool push(const Message& message, Outputs& out);
  Outcome finish(Outcome outcome, Outputs& out);

  Role role_;
  Config config_;
  MessageReader reader_;
  State state_ = State::kHello;
  Timestamp opened_at_;
  Timestamp alive_at_;  // The peer's last sign of life.
  std::uint32_t version_ = 0;

  Timestamp next_ping_ = Timestamp::never();
  Timestamp pinged_at_;
  std::uint64_t pings_ = 0;
  std::uint64_t pongs_ = 0;
  std::optional<Duration> round_trip_;

  std::array<std::optional<media::Codec>, media::kTracksPerPublicationMax> sent_tracks_;
  std::bitset<256> sent_rungs_;
  std::bitset<256> known_;  // Tracks or rungs of the peer whose format has come.
  Backlog backlog_;
  std::uint64_t next_number_ = 0;  // Program frames below this have been sent, or dropped.
  TokenBucket said_;
  Stats stats_;
};

}  // namespace stoa::relay
