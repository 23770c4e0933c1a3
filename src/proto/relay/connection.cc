#include "proto/relay/connection.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace stoa::relay {

using Expected = MessageReader::Expected;

Connection::Connection(Role role, const Config& config, Timestamp now)
    : role_(role),
      config_(config),
      reader_(role == Role::kOwner ? Expected::kHello : Expected::kWelcome),
      opened_at_(now),
      alive_at_(now),
      backlog_(config.queue),
      said_(kSaidBurst, now) {}

Stats Connection::stats() const {
  Stats stats = stats_;
  stats.messages_skipped += reader_.skipped();
  return stats;
}

Timestamp Connection::next_deadline() const {
  if (is_closed()) return Timestamp::never();
  if (!is_open()) return opened_at_ + config_.deadlines.hello;
  return std::min(next_ping_, alive_at_ + config_.deadlines.silence);
}

void Connection::handle_deadline(Timestamp now, Outputs& out) {
  Timestamp due = next_deadline();
  if (now < due) return;
  if (!is_open()) return (void)finish(refuse(Refusal::kHelloTimeout), out);
  // This side was away itself: the peer is not to pay for it.
  if (now - due > config_.deadlines.ping) alive_at_ = now;
  if (now - alive_at_ >= config_.deadlines.silence) return (void)finish(refuse(Refusal::kSilent), out);
  if (now < next_ping_) return;
  next_ping_ = now + config_.deadlines.ping;
  pinged_at_ = now;
  push(Ping{++pings_}, out);
}

Result<void, Refusal> Connection::handle_bytes(Timestamp now, Bytes bytes, Outputs& out) {
  if (is_closed()) return {};
  stats_.bytes_received += bytes.size();
  if (role_ == Role::kWorker) alive_at_ = now;
  return finish(consume(now, bytes, out), out);
}

Connection::Outcome Connection::consume(Timestamp now, Bytes bytes, Outputs& out) {
  while (!is_closed()) {
    auto next = reader_.next(bytes);
    if (!next) return refuse(next.error());
    if (!*next) break;
    auto handled = handle_message(now, std::move(**next), out);
    if (!handled) return handled;
  }
  return {};
}

Connection::Outcome Connection::handle_message(Timestamp now, Message&& message, Outputs& out) {
  auto passed = std::visit(Overloaded{
                               [&](const Hello& m) { return handle_hello(m); },
                               [&](const Welcome& m) { return handle_welcome(m); },
                               [&](const RungFormat& m) { return known_.set(m.rung), Passed(true); },
                               [&](const RungFrame& m) { return handle_rung_frame(m); },
                               [&](const RungEnded& m) { return known_.reset(m.rung), Passed(true); },
                               [&](const FramesTaken& m) { return handle_taken(now, m); },
                               [&](const Pong& m) { return handle_pong(now, m); },
                               [&](const Said&) { return handle_said(now); },
                               [&](const SlateMade& m) { return handle_slate(m); },
                               [&](const PosterMade& m) { return handle_poster(m); },
                               [&](const StoryboardMade& m) { return handle_storyboard(m); },
                               [&](const ProgramTrack& m) { return known_.set(m.track), Passed(true); },
                               [&](const ProgramFrame& m) { return handle_program_frame(m); },
                               [&](const TrackGone& m) { return known_.reset(m.track), Passed(true); },
                               [](const auto&) { return Passed(true); },
                           },
                           message);
  if (!passed) return refuse(passed.error());
  if (!*passed) return {};
  bool is_bye = std::holds_alternative<Bye>(message);
  std::visit([&](auto&& m) { out.push(std::forward<decltype(m)>(m)); }, std::move(message));
  if (is_bye) {
    state_ = State::kClosed;
    out.push(Closed{});
  }
  return {};
}

Connection::Passed Connection::handle_hello(const Hello& hello) {
  std::uint32_t highest = std::min(hello.version_highest, config_.version_highest);
  if (highest < std::max(hello.version_lowest, config_.version_lowest)) {
    return refuse(Refusal::kNoCommonVersion);
  }
  version_ = highest;
  state_ = State::kDecision;
  reader_.expect(Expected::kNothing);
  return true;
}

Connection::Passed Connection::handle_welcome(const Welcome& welcome) {
  if (welcome.version < config_.version_lowest || welcome.version > config_.version_highest) {
    return refuse(Refusal::kNoCommonVersion);
  }
  version_ = welcome.version;
  state_ = State::kOpen;
  reader_.expect(Expected::kFromOwner);
  return true;
}

Connection::Passed Connection::handle_rung_frame(const RungFrame& frame) const {
  if (!known_.test(frame.rung)) return refuse(Refusal::kFrameBeforeFormat);
  if (frame.of >= next_number_) return refuse(Refusal::kBadNumber);
  return true;
}

Connection::Passed Connection::handle_taken(Timestamp now, const FramesTaken& taken) {
  if (taken.number >= next_number_) return refuse(Refusal::kBadNumber);
  if (backlog_.handle_taken(taken.number)) alive_at_ = now;
  return true;
}

Connection::Passed Connection::handle_pong(Timestamp now, const Pong& pong) {
  if (pong.number > pings_) return refuse(Refusal::kBadNumber);
  if (pong.number <= pongs_) return true;
  if (pong.number == pings_) round_trip_ = now - pinged_at_;
  pongs_ = pong.number;
  alive_at_ = now;
  return true;
}

Connection::Passed Connection::handle_said(Timestamp now) {
  bool is_few = said_.has(now, 1, {.per_second = kSaidPerSecond, .most = kSaidBurst});
  if (is_few) {
    said_.take(1);
  } else {
    ++stats_.said_dropped;
  }
  return is_few;
}

Connection::Passed Connection::handle_slate(const SlateMade& slate) {
  auto count = static_cast<std::int64_t>(slate.frames.size());
  bool has_length =
      slate.frame_duration > Duration() && count > 0 && slate.frame_duration <= kSlateDurationMax / count;
  if (!has_length) return refuse(Refusal::kBadValue);
  return true;
}

Connection::Passed Connection::handle_poster(const PosterMade& poster) {
  const bool is_whole = poster.width > 0 && poster.height > 0 && !poster.jpeg.empty();
  if (!is_whole) return refuse(Refusal::kBadValue);
  return true;
}

Connection::Passed Connection::handle_storyboard(const StoryboardMade& storyboard) {
  const bool has_pictures = storyboard.tile_width > 0 && storyboard.tile_height > 0 &&
                            storyboard.columns > 0 && !storyboard.tiles.empty() && !storyboard.jpeg.empty();
  auto is_no_later = [](const Tile& a, const Tile& b) { return a.at >= b.at; };
  if (!has_pictures || std::ranges::adjacent_find(storyboard.tiles, is_no_later) != storyboard.tiles.end()) {
    return refuse(Refusal::kBadValue);
  }
  return true;
}

// A track whose ProgramTrack was passed over, for its codec is not known here.
Connection::Passed Connection::handle_program_frame(const ProgramFrame& frame) {
  if (!known_.test(frame.track)) ++stats_.messages_skipped;
  return known_.test(frame.track);
}

void Connection::start(Hello hello, Outputs& out) {
  STOA_ASSERT(role_ == Role::kWorker);
  if (is_closed()) return;
  hello.version_lowest = config_.version_lowest;
  hello.version_highest = config_.version_highest;
  STOA_ASSERT(push(hello, out));
}

void Connection::accept(Timestamp now, std::string channel, Outputs& out) {
  STOA_ASSERT(is_waiting_for_decision());
  push(Welcome{version_, std::move(channel)}, out);
  state_ = State::kOpen;
  reader_.expect(Expected::kFromWorker);
  alive_at_ = now;
  next_ping_ = now + config_.deadlines.ping;
}

bool Connection::send(Timestamp now, const Message& message, Outputs& out) {
  if (!is_open()) return false;
  auto by = [&](Role role) { STOA_ASSERT(role_ == role); };
  return std::visit(
      Overloaded{
          [&](const RungFormat& m) {
            by(Role::kWorker);
            bool is_sent = push(m, out);
            sent_rungs_.set(m.rung, is_sent);
            return is_sent;
          },
          [&](const RungFrame& m) { return by(Role::kWorker), send_rung_frame(m, out); },
          [&](const RungEnded& m) {
            by(Role::kWorker);
            sent_rungs_.reset(m.rung);
            return push(m, out);
          },
          [&](const FramesTaken& m) { return by(Role::kWorker), push(m, out); },
          [&](const Progress& m) { return by(Role::kWorker), push(m, out); },
          [&](const Pong& m) { return by(Role::kWorker), push(m, out); },
          [&](const Said& m) { return by(Role::kWorker), push(m, out); },
          [&](const SlateMade& m) { return by(Role::kWorker), push(m, out); },
          [&](const PosterMade& m) { return by(Role::kWorker), push(m, out); },
          [&](const StoryboardMade& m) { return by(Role::kWorker), push(m, out); },
          [&](const LadderSet& m) { return by(Role::kOwner), push(m, out); },
          [&](const PicturesWanted& m) { return by(Role::kOwner), push(m, out); },
          [&](const RungRefused& m) { return by(Role::kOwner), push(m, out); },
          [&](const ProgramTrack& m) { return by(Role::kOwner), send_track(m, out); },
          [&](const ProgramCut& m) { return by(Role::kOwner), push(m, out); },
          [&](const ProgramFrame& m) { return by(Role::kOwner), send_program_frame(now, m, out); },
          [&](const TrackGone& m) {
            by(Role::kOwner);
            STOA_ASSERT(m.track < sent_tracks_.size());
            sent_tracks_[m.track].reset();
            return push(m, out);
          },
          [](const auto&) {
            STOA_ASSERT(!"a message that send() sends");
            return false;
          },
      },
      message);
}

bool Connection::send_track(const ProgramTrack& track, Outputs& out) {
  STOA_ASSERT(track.track < sent_tracks_.size());
  std::optional<media::Codec>& sent = sent_tracks_[track.track];
  // Or a worker that does not know the new codec would pass this message over and keep the old one.
  if (sent && *sent != track.format.codec) push(TrackGone{track.track}, out);
  bool is_sent = push(track, out);
  sent = is_sent ? std::optional(track.format.codec) : std::nullopt;
  return is_sent;
}

bool Connection::send_program_frame(Timestamp now, const ProgramFrame& frame, Outputs& out) {
  STOA_ASSERT(frame.number >= next_number_ && frame.track < sent_tracks_.size());
  next_number_ = frame.number + 1;
  if (!sent_tracks_[frame.track]) {
    ++stats_.frames_dropped_unannounced;
    return false;
  }
  if (frame.payload.size() > kFrameBytesMax) {
    ++stats_.frames_dropped_too_large;
    backlog_.handle_lost(frame);
    return false;
  }
  if (!backlog_.admit(now, frame, media::kind_of(*sent_tracks_[frame.track]))) {
    ++stats_.frames_dropped_behind;
    return false;
  }
  ++stats_.frames_sent;
  return push(frame, out);
}

bool Connection::send_rung_frame(const RungFrame& frame, Outputs& out) {
  if (!sent_rungs_.test(frame.rung)) {
    ++stats_.frames_dropped_unannounced;
    return false;
  }
  bool is_sent = push(frame, out);
  ++(is_sent ? stats_.frames_sent : stats_.frames_dropped_too_large);
  return is_sent;
}

void Connection::close(ByeReason reason, std::string_view text, Outputs& out) {
  if (is_closed()) return;
  push(Bye{reason, std::string(text)}, out);
  state_ = State::kClosed;
  out.push(Closed{});
}

bool Connection::push(const Message& message, Outputs& out) {
  auto bytes = write(message);
  if (!bytes) return false;
  stats_.bytes_sent += bytes->head.size() + bytes->payload.size();
  out.push(std::move(*bytes));
  return true;
}

// Ends an input: a refusal is told and closes.
Connection::Outcome Connection::finish(Outcome outcome, Outputs& out) {
  if (outcome || is_closed()) return outcome;
  bool is_version = outcome.error() == Refusal::kNoCommonVersion;
  push(Bye{is_version ? ByeReason::kVersion : ByeReason::kRefused, name_of(outcome.error())}, out);
  state_ = State::kClosed;
  out.push(Closed{outcome.error()});
  return outcome;
}

}  // namespace stoa::relay
