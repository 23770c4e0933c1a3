// Channels and the workers that transcode them: what is on air goes to a channel's worker, what that makes
// goes into the channel.
#include <algorithm>
#include <utility>

#include "shard/shard_parts.h"

namespace stoa::shard {

void Shard::handle_worker_opened(Timestamp now, WallTime wall, WorkerKey key, Outputs& out) {
  workers_.handle_opened(now, key, workers_outputs_);
  handle_rtc_outputs(now, wall, out);
}

void Shard::handle_worker_bytes(Timestamp now, WallTime wall, WorkerKey key, Bytes bytes, Outputs& out) {
  workers_.handle_bytes(now, key, bytes, workers_outputs_);
  handle_rtc_outputs(now, wall, out);
}

void Shard::handle_worker_closed(Timestamp now, WallTime wall, WorkerKey key, Outputs& out) {
  workers_.handle_closed(now, key, workers_outputs_);
  handle_rtc_outputs(now, wall, out);
}

template <typename Act>
void Shard::act_on_channel(const std::string& name, Timestamp now, WallTime wall, Outputs& out, Act&& act) {
  auto found = channels_.find(name);
  if (found == channels_.end()) return;
  OwnedChannel& owned = *found->second;
  act(owned);
  handle_channel_outputs(now, wall, owned, out);
}

void Shard::handle_rung(Timestamp now, WallTime wall, const RungBegan& began, Outputs& out) {
  act_on_channel(began.channel, now, wall, out, [&](OwnedChannel& owned) {
    owned.feed.handle_rung_format(began.rung, began.format);
    (void)owned.channel.handle_rung_format(now, wall, began.rung, began.format, owned.outputs);
  });
}

void Shard::handle_rung(Timestamp now, WallTime wall, const RungMade& made, Outputs& out) {
  act_on_channel(made.channel, now, wall, out, [&](OwnedChannel& owned) {
    // The channel judges what it has a rendition of.
    auto taken = owned.channel.handle_rung_frame(now, wall, made.rung, made.frame, owned.outputs);
    if (!taken && !owned.feed.is_realtime_only(made.rung)) return owned.feed.handle_rung_ended(made.rung);
    owned.feed.handle_rung_frame(made.rung, made.frame, feed_);
    send_feed(now, wall, owned);
  });
}

void Shard::handle_slate(Timestamp now, WallTime wall, const SlateCame& came, Outputs& out) {
  act_on_channel(came.channel, now, wall, out, [&](OwnedChannel& owned) {
    const auto* track = std::get_if<ProgramTrackId>(&came.of);
    if (!track && owned.feed.is_realtime_only(std::get<media::RungId>(came.of))) return;  // It shows none.
    auto kept =
        track ? owned.channel.set_track_slate(track->track, came.format, came.frames)
              : owned.channel.set_rung_slate(std::get<media::RungId>(came.of), came.format, came.frames);
    if (!kept)
      log(LogLevel::kWarning, "live",
          "channel " + came.channel + ": a slate is not taken: " + live::name_of(kept.error()), out);
  });
}

// A worker that begins anew makes the newest poster again.
void Shard::log_refused(const Result<void, live::PictureRefusal>& kept, const std::string& channel,
                        Outputs& out) {
  if (!kept && kept.error() != live::PictureRefusal::kNotNewer)
    log(LogLevel::kWarning, "live",
        "channel " + channel + ": a picture is not taken: " + live::name_of(kept.error()), out);
}

void Shard::send_feed(Timestamp now, WallTime wall, OwnedChannel& owned) {
  for (const media::TrackEvent& event : feed_)
    rtc_.handle_source_event(now, wall, owned.channel.name(), Publication::kProgram, event, rtc_outputs_);
  feed_.clear();
}

void Shard::handle_workers_outputs(Timestamp now, WallTime wall, Outputs& out) {
  for (WorkersOutput& output : workers_outputs_.take()) {
    std::visit(
        Overloaded{
            [&](WorkerCame& came) {
              if (auto found = channels_.find(came.channel); found != channels_.end())
                workers_.begin(now, came.channel, found->second->channel.program_log(), workers_outputs_);
            },
            [&](RungBegan& began) { handle_rung(now, wall, began, out); },
            [&](RungMade& made) { handle_rung(now, wall, made, out); },
            [&](RungLost& lost) {
              act_on_channel(lost.channel, now, wall, out, [&](OwnedChannel& owned) {
                owned.feed.handle_rung_ended(lost.rung);
                owned.channel.handle_rung_ended(now, wall, lost.rung, owned.outputs);
              });
            },
            [&](SlateCame& came) { handle_slate(now, wall, came, out); },
            [&](PosterCame& came) {
              act_on_channel(came.channel, now, wall, out, [&](OwnedChannel& owned) {
                log_refused(owned.channel.set_poster(std::move(came.poster)), came.channel, out);
              });
            },
            [&](StoryboardCame& came) {
              act_on_channel(came.channel, now, wall, out, [&](OwnedChannel& owned) {
                log_refused(owned.channel.set_storyboard(std::move(came.storyboard)), came.channel, out);
              });
            },
            [&](WorkerLeft& left) {
              act_on_channel(left.channel, now, wall, out, [&](OwnedChannel& owned) {
                owned.feed.handle_worker_gone();
                owned.channel.handle_worker_gone(now, wall, owned.outputs);
              });
            },
            [&](auto& other) { out.push(std::move(other)); },
        },
        output);
  }
}

void Shard::handle_ladder(Timestamp now, WallTime wall, const control::LadderDecided& decided, Outputs& out) {
  auto found = channels_.find(decided.channel);
  if (found == channels_.end() || found->second->channel.broadcast() != decided.broadcast) return;
  OwnedChannel& owned = *found->second;
  const std::vector<media::Rung> made = decided.plan.rungs_at_work();
  workers_.set_ladder(now, decided.channel, decided.revision, made, workers_outputs_);
  owned.feed.set_ladder(made, decided.plan.held_back, decided.plan.fit_in_real_time);
  if (!owned.feed.may_improve()) rtc_.expect_program(now, wall, decided.channel, now, rtc_outputs_);
  // A rung that rests is a gap, so that players take another, and its rendition is taken up again.
  std::vector<media::Rung> listed = made;
  std::erase_if(listed, [](const media::Rung& rung) { return ProgramFeed::is_realtime_only(rung); });
  owned.channel.set_ladder(now, std::move(listed), owned.outputs, decided.plan.held_back);
  handle_channel_outputs(now, wall, owned, out);
}

void Shard::handle_awaited(Timestamp now, const control::WorkerAwaited& awaited) {
  auto found = channels_.find(awaited.channel);
  if (found != channels_.end() && found->second->channel.broadcast() == awaited.broadcast)
    workers_.handle_awaited(now, awaited, workers_outputs_);
}

void Shard::follow_program(Timestamp now, WallTime wall, OwnedChannel& owned, Outputs& out) {
  if (owned.ladder == "off") return;
  const std::vector<live::ProgramOutput> program = owned.channel.take_program();
  workers_.tell(now, owned.channel.name(), program, workers_outputs_);
  const bool has_changed = owned.told_program != owned.channel.program_revision();
  if (rtc_.is_open()) {
    for (const live::ProgramOutput& item : program) owned.feed.handle_program(item, feed_);
    if (has_changed) owned.feed.set_tracks(owned.channel.program_tracks(), feed_);
    send_feed(now, wall, owned);
  }
  if (!has_changed) return;
  // Counted anew from here: what came before took its time.
  if (owned.told_program == 0)
    rtc_.expect_program(now, wall, owned.channel.name(), now + config_.ladder_wait, rtc_outputs_);
  owned.told_program = owned.channel.program_revision();
  control::ProgramOnAir on_air{.shard = config_.index,
                               .channel = owned.channel.name(),
                               .broadcast = owned.channel.broadcast(),
                               .ladder = owned.ladder};
  for (const live::ProgramTrack& track : owned.channel.program_tracks())
    on_air.tracks.push_back(
        {track.track, track.format, track.name, track.language, track.lacks_keyframes, track.orientation});
  out.push(SendControlMail{std::move(on_air)});
}

void Shard::end_program(OwnedChannel& owned, Outputs& out) {
  workers_.end_channel(owned.channel.name(), relay::ByeReason::kNotWanted, workers_outputs_);
  if (owned.ladder != "off") out.push(SendControlMail{ProgramEnded{owned.channel.name()}});
}

}  // namespace stoa::shard
