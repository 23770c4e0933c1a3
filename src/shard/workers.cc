#include "shard/workers.h"

#include <algorithm>
#include <utility>

#include "media/codec.h"

namespace stoa::shard {
namespace {

// Formats, ends and slates that a worker tells: more than a ladder that begins anew needs.
constexpr TokenBucket::Rate kAnnounceRate{.per_second = 10, .most = 64};
// Posters and storyboards; more are dropped.
constexpr TokenBucket::Rate kPictureRate{.per_second = 4, .most = 16};
// Lines of the log about who was not let in.
constexpr TokenBucket::Rate kStrangerRate{.per_second = 1, .most = 10};

void add(relay::Stats& sum, const relay::Stats& stats) {
  sum.bytes_received += stats.bytes_received;
  sum.bytes_sent += stats.bytes_sent;
  sum.messages_skipped += stats.messages_skipped;
  sum.said_dropped += stats.said_dropped;
  sum.frames_sent += stats.frames_sent;
  sum.frames_dropped_behind += stats.frames_dropped_behind;
  sum.frames_dropped_too_large += stats.frames_dropped_too_large;
  sum.frames_dropped_unannounced += stats.frames_dropped_unannounced;
}

std::uint64_t dropped(const relay::Stats& stats) {
  return stats.frames_dropped_behind + stats.frames_dropped_too_large + stats.frames_dropped_unannounced;
}

relay::Message to_message(const live::ProgramOutput& item) {
  return std::visit(
      Overloaded{
          [](const live::ProgramTrack& track) -> relay::Message {
            return relay::ProgramTrack{track.track, *track.format, track.name, track.language};
          },
          [](const live::ProgramCut& cut) -> relay::Message {
            return relay::ProgramCut{cut.msn, cut.shown_from, cut.has_discontinuity};
          },
          [](const live::ProgramFrame& told) -> relay::Message {
            const live::ChannelFrame& frame = told.frame;
            return relay::ProgramFrame{.number = told.number,
                                       .track = told.track,
                                       .dts = frame.dts,
                                       .pts = frame.pts,
                                       .nominal_duration = frame.nominal_duration,
                                       .is_keyframe = frame.is_keyframe,
                                       .payload = frame.payload};
          },
          [](const live::ProgramGone& gone) -> relay::Message { return relay::TrackGone{gone.track}; },
          [](const live::RungStopped& stopped) -> relay::Message {
            return relay::RungRefused{stopped.rung, live::name_of(stopped.why)};
          },
      },
      item);
}

live::Storyboard to_storyboard(relay::StoryboardMade& made) {
  live::Storyboard storyboard{.tile_width = made.tile_width,
                              .tile_height = made.tile_height,
                              .columns = made.columns,
                              .tiles = {},
                              .jpeg = std::move(made.jpeg)};
  for (const relay::Tile& tile : made.tiles) storyboard.tiles.push_back(tile.at);
  return storyboard;
}

}  // namespace

// ---- Connections.

void Workers::handle_opened(Timestamp now, WorkerKey key, WorkersOutputs& out) {
  make_room(out);
  auto [entry, is_new] = sessions_.try_emplace(key, config_.relay, now, kAnnounceRate.most);
  set_timer(key, entry->second);
}

// Whoever reaches the socket may connect: that must not keep workers out.
void Workers::make_room(WorkersOutputs& out) {
  std::size_t strangers = 0;
  auto oldest = sessions_.end();
  for (auto session = sessions_.begin(); session != sessions_.end(); ++session) {
    if (!session->second.is_stranger()) continue;
    ++strangers;
    if (oldest == sessions_.end() || session->second.opened_at < oldest->second.opened_at) oldest = session;
  }
  if (strangers < config_.strangers_max) return;
  ++crowded_out_;
  close(oldest->first, relay::ByeReason::kOther, "too many connections", out);
}

void Workers::handle_bytes(Timestamp now, WorkerKey key, Bytes bytes, WorkersOutputs& out) {
  auto found = sessions_.find(key);
  if (found == sessions_.end()) return;
  relay::Outputs outputs;
  (void)found->second.connection.handle_bytes(now, bytes, outputs);
  handle_outputs(now, key, outputs, out);
}

void Workers::handle_closed(Timestamp, WorkerKey key, WorkersOutputs& out) {
  auto found = sessions_.find(key);
  if (found == sessions_.end()) return;
  leave(key, "its connection ended", out);
  add(ended_, found->second.connection.stats());
  timers_.set(key, Timestamp::never());
  sessions_.erase(found);
}

void Workers::handle_deadline(Timestamp now, WorkersOutputs& out) {
  while (auto key = timers_.take_due(now)) {
    auto found = sessions_.find(*key);
    if (found == sessions_.end()) continue;
    Session& session = found->second;
    if (now >= session.token_until) {
      ++refused_tokens_;
      warn_of_stranger(now, session.name + ": refused: its token was not given out", out);
      close(*key, relay::ByeReason::kToken, "", out);
      continue;
    }
    relay::Outputs outputs;
    session.connection.handle_deadline(now, outputs);
    handle_outputs(now, *key, outputs, out);
  }
}

void Workers::set_timer(WorkerKey key, const Session& session) {
  timers_.set(key, std::min(session.connection.next_deadline(), session.token_until));
}

void Workers::handle_outputs(Timestamp now, WorkerKey key, relay::Outputs& outputs, WorkersOutputs& out) {
  while (!outputs.empty()) {
    for (relay::Output& output : outputs.take()) {
      Session& session = sessions_.at(key);
      std::visit(
          Overloaded{
              [&](relay::SendBytes& send) { out.push(SendRelay{key, std::move(send)}); },
              [&](relay::Hello& hello) { handle_hello(now, key, hello, out); },
              [&](relay::RungFormat& begun) {
                if (may_announce(now, session, outputs)) handle_format(key, begun, outputs, out);
              },
              [&](relay::SlateMade& made) {
                if (may_announce(now, session, outputs)) handle_slate(key, made, outputs, out);
              },
              [&](relay::PosterMade& made) {
                if (takes_picture(now, session))
                  out.push(PosterCame{session.channel, {made.at, made.width, made.height, made.jpeg}});
              },
              [&](relay::StoryboardMade& made) {
                if (takes_picture(now, session))
                  out.push(StoryboardCame{session.channel, to_storyboard(made)});
              },
              [&](relay::RungFrame& made) {
                out.push(RungMade{session.channel,
                                  made.rung,
                                  {made.dts, made.pts, made.is_keyframe, std::move(made.payload)}});
              },
              [&](relay::RungEnded& ended) {
                if (!may_announce(now, session, outputs)) return;
                out.push(LogLine{LogLevel::kWarning, "work",
                                 session.name + ": rung " + std::to_string(ended.rung) + " ended: " +
                                     name_of(ended.why) + (ended.text.empty() ? "" : ", ") + ended.text});
                out.push(RungLost{session.channel, ended.rung});
              },
              [&](relay::Progress& progress) {
                // Said too often it is not passed on: control's mail is for all channels.
                if (now < session.reported_at + config_.report_interval_min) return;
                session.reported_at = now;
                out.push(SendControlMail{control::WorkerSeen{.worker = session.worker,
                                                             .channel = session.channel,
                                                             .state = control::WorkerState::kReported,
                                                             .numbers = numbers_of(session, progress)}});
              },
              [&](relay::Said& said) {
                out.push(LogLine{said.level, "work", session.name + ": " + said.text});
              },
              [&](relay::Bye& bye) {
                out.push(LogLine{LogLevel::kInfo, "work",
                                 session.name + ": says goodbye: " + name_of(bye.reason) +
                                     (bye.text.empty() ? "" : ", ") + bye.text});
              },
              [&](relay::Closed& closed) {
                if (closed.refusal) {
                  ++refused_;
                  std::string text = session.name + ": given up: " + name_of(*closed.refusal);
                  if (session.channel.empty()) {
                    warn_of_stranger(now, std::move(text), out);
                  } else {
                    out.push(LogLine{LogLevel::kWarning, "work", std::move(text)});
                  }
                }
                leave(key, closed.refusal ? name_of(*closed.refusal) : "goodbye was said", out);
                session.token_until = Timestamp::never();
                out.push(CloseRelay{key});
              },
              [](relay::FramesTaken&) {},  // These two are for the connection.
              [](relay::Pong&) {},
              // What an owner says.
              [](relay::Welcome&) {},
              [](relay::LadderSet&) {},
              [](relay::ProgramTrack&) {},
              [](relay::ProgramCut&) {},
              [](relay::ProgramFrame&) {},
              [](relay::TrackGone&) {},
              [](relay::Ping&) {},
              [](relay::PicturesWanted&) {},
              [](relay::RungRefused&) {},
          },
          output);
    }
  }
  set_timer(key, sessions_.at(key));
}

void Workers::handle_hello(Timestamp now, WorkerKey key, const relay::Hello& hello, WorkersOutputs& out) {
  Session& session = sessions_.at(key);
  if (!hello.worker.empty()) session.name = hello.worker;
  session.token = hello.token;
  if (!admit(now, key, out)) session.token_until = now + config_.token_wait;
}

// So often a rung begins or ends, or has a slate: each is an event of the channel.
bool Workers::may_announce(Timestamp now, Session& session, relay::Outputs& outputs) {
  if (session.connection.is_closed()) return false;
  if (session.announced.has(now, 1, kAnnounceRate)) return session.announced.take(1), true;
  session.connection.close(relay::ByeReason::kRefused, "too many announcements", outputs);
  return false;
}

// They are never needed.
bool Workers::takes_picture(Timestamp now, Session& session) {
  if (session.connection.is_closed()) return false;
  if (session.pictured.has(now, 1, kPictureRate)) return session.pictured.take(1), true;
  ++pictures_dropped_;
  return false;
}

// Whoever reaches the socket could fill the log otherwise; all are counted.
void Workers::warn_of_stranger(Timestamp now, std::string text, WorkersOutputs& out) {
  if (!strangers_said_.has(now, 1, kStrangerRate)) return;
  strangers_said_.take(1);
  out.push(LogLine{LogLevel::kWarning, "work", std::move(text)});
}

bool Workers::admit(Timestamp now, WorkerKey key, WorkersOutputs& out) {
  Session& session = sessions_.at(key);
  if (!session.connection.is_waiting_for_decision()) return false;  // What came with its Hello closed it.
  const auto entry = std::ranges::find_if(desks_, [&](const auto& candidate) {
    const auto& awaited = candidate.second.awaited;
    return awaited && awaited->token == session.token;
  });
  if (session.token.empty() || entry == desks_.end()) return false;
  Desk& desk = entry->second;
  if (desk.worker) close(*desk.worker, relay::ByeReason::kTakenOver, "", out);
  session.channel = entry->first;
  session.worker = desk.awaited->worker;
  session.token.clear();
  session.token_until = Timestamp::never();
  desk.awaited.reset();
  desk.worker = key;
  relay::Outputs outputs;
  session.connection.accept(now, session.channel, outputs);
  if (desk.ladder) send_ladder(now, session, *desk.ladder, outputs);
  handle_outputs(now, key, outputs, out);
  out.push(SendControlMail{control::WorkerSeen{
      .worker = session.worker, .channel = session.channel, .state = control::WorkerState::kConnected}});
  out.push(WorkerCame{session.channel});
  return true;
}

std::shared_ptr<const media::Format> Workers::read_format(Session& session, const media::Format& said,
                                                          relay::Outputs& outputs, WorkersOutputs& out) {
  auto made = media::make_format(said.codec, said.config);
  if (!made) {
    ++refused_;
    out.push(LogLine{LogLevel::kWarning, "work",
                     session.name + ": given up: a configuration of " + media::name_of(said.codec) + ": " +
                         name_of(made.error())});
    session.connection.close(relay::ByeReason::kRefused, "bad configuration", outputs);
    return nullptr;
  }
  if ((*made)->kind() == media::Kind::kAudio || (*made)->width > 0) return std::move(*made);
  auto sized = std::make_shared<media::Format>(**made);
  sized->width = said.width;
  sized->height = said.height;
  return sized;
}

void Workers::handle_format(WorkerKey key, const relay::RungFormat& begun, relay::Outputs& outputs,
                            WorkersOutputs& out) {
  Session& session = sessions_.at(key);
  if (auto format = read_format(session, begun.format, outputs, out))
    out.push(RungBegan{session.channel, begun.rung, std::move(format)});
}

void Workers::handle_slate(WorkerKey key, const relay::SlateMade& made, relay::Outputs& outputs,
                           WorkersOutputs& out) {
  Session& session = sessions_.at(key);
  auto format = read_format(session, made.format, outputs, out);
  if (!format) return;
  SlateCame came{.channel = session.channel, .of = made.rung, .format = std::move(format), .frames = {}};
  if (made.is_of_source) came.of = ProgramTrackId{made.track};
  Duration at;
  for (const SharedBytes& payload : made.frames) {
    const bool is_keyframe = at == Duration() || came.format->kind() == media::Kind::kAudio;
    came.frames.push_back({at, at, is_keyframe, payload});
    at = at + made.frame_duration;
  }
  out.push(std::move(came));
}

// Pictures for people are of the first track that pictures are made of.
void Workers::send_ladder(Timestamp now, Session& session, const relay::LadderSet& ladder,
                          relay::Outputs& outputs) {
  session.connection.send(now, ladder, outputs);
  std::optional<media::TrackId> first;
  for (const media::Rung& rung : ladder.rungs)
    if (rung.kind() == media::Kind::kVideo) first = std::min(first.value_or(rung.of), rung.of);
  if (!first || config_.pictures.every == Duration()) return;
  relay::PicturesWanted wanted = config_.pictures;
  wanted.track = *first;
  if (session.wanted == wanted) return;
  session.wanted = wanted;
  session.connection.send(now, wanted, outputs);
}

void Workers::close(WorkerKey key, relay::ByeReason why, std::string_view text, WorkersOutputs& out) {
  Session& session = sessions_.at(key);
  relay::Outputs outputs;
  session.connection.close(why, text, outputs);
  for (relay::Output& output : outputs.take())
    if (auto* send = std::get_if<relay::SendBytes>(&output)) out.push(SendRelay{key, std::move(*send)});
  leave(key, name_of(why), out);
  session.token_until = Timestamp::never();
  timers_.set(key, Timestamp::never());
  out.push(CloseRelay{key});
}

void Workers::leave(WorkerKey key, std::string why, WorkersOutputs& out) {
  Session& session = sessions_.at(key);
  if (session.channel.empty()) return;
  if (auto desk = desks_.find(session.channel); desk != desks_.end() && desk->second.worker == key)
    desk->second.worker.reset();
  out.push(WorkerLeft{session.channel});
  out.push(SendControlMail{control::WorkerSeen{.worker = session.worker,
                                               .channel = std::exchange(session.channel, {}),
                                               .state = control::WorkerState::kGone,
                                               .text = std::move(why)}});
}

// ---- Channels.

void Workers::handle_awaited(Timestamp now, const control::WorkerAwaited& awaited, WorkersOutputs& out) {
  desks_[awaited.channel].awaited = awaited;
  for (auto& [key, session] : sessions_)
    if (session.token == awaited.token && session.connection.is_waiting_for_decision()) {
      admit(now, key, out);
      return set_timer(key, session);
    }
}

void Workers::set_ladder(Timestamp now, const std::string& channel, std::uint64_t revision,
                         const std::vector<media::Rung>& rungs, WorkersOutputs& out) {
  Desk& desk = desks_[channel];
  desk.ladder = relay::LadderSet{revision, rungs};
  if (!desk.worker) return;
  if (rungs.empty()) return close(*desk.worker, relay::ByeReason::kNotWanted, "", out);
  relay::Outputs outputs;
  send_ladder(now, sessions_.at(*desk.worker), *desk.ladder, outputs);
  handle_outputs(now, *desk.worker, outputs, out);
}

void Workers::begin(Timestamp now, const std::string& channel, const std::vector<live::ProgramOutput>& log,
                    WorkersOutputs& out) {
  auto desk = desks_.find(channel);
  if (desk == desks_.end() || !desk->second.worker) return;
  sessions_.at(*desk->second.worker).is_told = true;
  tell(now, channel, log, out);
}

void Workers::tell(Timestamp now, const std::string& channel, const std::vector<live::ProgramOutput>& program,
                   WorkersOutputs& out) {
  auto desk = desks_.find(channel);
  if (program.empty() || desk == desks_.end() || !desk->second.worker) return;
  const WorkerKey key = *desk->second.worker;
  if (!sessions_.at(key).is_told) return;  // It is in the log that it begins with.
  relay::Outputs outputs;
  for (const live::ProgramOutput& item : program)
    sessions_.at(key).connection.send(now, to_message(item), outputs);
  handle_outputs(now, key, outputs, out);
}

void Workers::end_channel(const std::string& channel, relay::ByeReason why, WorkersOutputs& out) {
  auto desk = desks_.find(channel);
  if (desk == desks_.end()) return;
  if (desk->second.worker) close(*desk->second.worker, why, "", out);
  desks_.erase(desk);
}

// ---- Numbers.

control::WorkerNumbers Workers::numbers_of(const Session& session, const relay::Progress& progress) const {
  const relay::Stats stats = session.connection.stats();
  control::WorkerNumbers numbers{.frames_in = stats.frames_sent,
                                 .frames_dropped = dropped(stats),
                                 .pictures_decoded = progress.pictures_decoded,
                                 .frames_refused = progress.frames_refused,
                                 .cpu_time = progress.cpu_time,
                                 .memory_bytes = progress.memory_bytes};
  if (progress.pictures > 0)
    numbers.complexity = {progress.spatial_permille / 1000.0, progress.temporal_permille / 1000.0};
  const auto& ladder = desks_.at(session.channel).ladder;
  for (const relay::RungProgress& rung : progress.rungs) {
    if (!ladder) break;
    const auto planned = std::ranges::find(ladder->rungs, rung.rung, &media::Rung::id);
    if (planned == ladder->rungs.end()) continue;
    numbers.rungs.push_back({.rung = planned->name,
                             .encoder = rung.encoder,
                             .frames = rung.frames,
                             .waiting = rung.waiting,
                             .oldest_wait = rung.oldest_wait,
                             .encode_p95 = rung.encode_p95,
                             .speed = rung.speed_permille / 1000.0,
                             .bytes = rung.bytes});
  }
  return numbers;
}

void Workers::append_metrics(MetricSamples& samples) const {
  relay::Stats stats = ended_;
  for (const auto& [key, session] : sessions_) add(stats, session.connection.stats());
  auto count = [&](const char* name, const char* help, std::uint64_t value, const char* reason = nullptr) {
    MetricSample sample{name, help, MetricKind::kCounter, {}, static_cast<double>(value)};
    if (reason) sample.labels.emplace_back("reason", reason);
    samples.push_back(std::move(sample));
  };
  samples.push_back({"stoa_work_connections",
                     "Connections of workers.",
                     MetricKind::kGauge,
                     {},
                     static_cast<double>(sessions_.size())});
  count("stoa_work_bytes_sent_total", "Bytes sent to workers.", stats.bytes_sent);
  count("stoa_work_bytes_received_total", "Bytes received from workers.", stats.bytes_received);
  count("stoa_work_frames_sent_total", "Frames sent to workers.", stats.frames_sent);
  const char* help = "Frames that workers were not sent, by reason.";
  count("stoa_work_frames_dropped_total", help, stats.frames_dropped_behind, "behind");
  count("stoa_work_frames_dropped_total", help, stats.frames_dropped_too_large, "too_large");
  count("stoa_work_frames_dropped_total", help, stats.frames_dropped_unannounced, "unannounced");
  count("stoa_work_pictures_dropped_total", "Posters and storyboards that came too fast.", pictures_dropped_);
  help = "Connections of workers that were given up, by reason.";
  count("stoa_work_connections_refused_total", help, refused_tokens_, "token");
  count("stoa_work_connections_refused_total", help, refused_, "protocol");
  count("stoa_work_connections_refused_total", help, crowded_out_, "crowd");
}

}  // namespace stoa::shard
