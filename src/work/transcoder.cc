#include "work/transcoder.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "work/clock.h"

namespace stoa::work {

Transcoder::Transcoder(const TranscoderConfig& config, Send send)
    : config_(config),
      send_(std::move(send)),
      taken_([this](std::uint64_t number) { send_(relay::FramesTaken{number}); }),
      reporter_([this](const std::stop_token& stop) { report(stop); }) {}

Transcoder::~Transcoder() = default;

void Transcoder::handle(relay::Message& message) {
  std::visit(Overloaded{[&](relay::Welcome& welcome) { slates_.set_title(std::move(welcome.channel)); },
                        [&](relay::LadderSet& set) { set_ladder(set); },
                        [&](relay::PicturesWanted& wanted) { posters_.set_wanted(wanted); },
                        [&](relay::ProgramTrack& track) { worker_of(track.track).put(std::move(track)); },
                        [&](relay::ProgramCut& cut) {
                          for (auto& [track, worker] : workers_) worker.put(cut);
                        },
                        [&](relay::ProgramFrame& frame) {
                          taken_.handle_come(frame.number);
                          worker_of(frame.track).put(std::move(frame));
                        },
                        [&](relay::RungRefused& refused) {
                          for (auto& [track, worker] : workers_) worker.put(refused);
                        },
                        [&](relay::TrackGone& gone) { worker_of(gone.track).put(TrackWorker::Gone{}); },
                        [&](relay::Ping& asked) { ping(asked.number); }, [](auto&) {}},
             message);
}

void Transcoder::finish() {
  for (auto& [track, worker] : workers_) worker.finish();
  slates_.finish();
  posters_.finish();
}

TrackWorker& Transcoder::worker_of(media::TrackId track) {
  return workers_.try_emplace(track, track, config_.video, send_, numbers_, taken_, slates_, posters_)
      .first->second;
}

void Transcoder::set_ladder(relay::LadderSet& set) {
  std::map<media::TrackId, std::vector<media::Rung>> wanted;
  std::vector<media::RungId> ids;
  std::optional<media::TrackId> measured;
  for (auto& [track, worker] : workers_) wanted.try_emplace(track);
  for (media::Rung& rung : set.rungs) {
    ids.push_back(rung.id);
    if (rung.kind() == media::Kind::kVideo) measured = std::min(measured.value_or(rung.of), rung.of);
    wanted[rung.of].push_back(std::move(rung));
  }
  numbers_.set_rungs(std::move(ids));
  for (auto& [track, rungs] : wanted)
    worker_of(track).put(TrackWorker::Rungs{std::move(rungs), measured == track});
}

// Answered by the last of those who decode: who hangs answers for none.
void Transcoder::ping(std::uint64_t number) {
  std::shared_ptr<void> pong(nullptr, [this, number](void*) { send_(relay::Pong{number}); });
  for (auto& [track, worker] : workers_) worker.put(TrackWorker::Waiter{pong});
}

void Transcoder::report(const std::stop_token& stop) {
  std::unique_lock lock(reporting_);
  auto interval = std::chrono::nanoseconds(config_.progress_interval.ns());
  while (!is_over_.wait_for(lock, stop, interval, [&] { return stop.stop_requested(); })) {
    send_(numbers_.read(now()));
  }
}

}  // namespace stoa::work
