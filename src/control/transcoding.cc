#include "control/transcoding.h"

#include <algorithm>
#include <array>
#include <utility>

namespace stoa::control {
namespace {

constexpr std::size_t kTokenBytes = 32;
// Channels off air whose trouble is kept in mind.
constexpr std::size_t kQuietMax = 1'024;
// Channels whose last broadcast is remembered for the next; further ones are not.
constexpr std::size_t kTitlesMax = 4'096;

std::string make_token(const crypto::RandomFill& fill) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<std::uint8_t, kTokenBytes> bytes{};
  fill(bytes);
  std::string token;
  for (std::uint8_t byte : bytes) {
    token += kDigits[byte >> 4];
    token += kDigits[byte & 0xf];
  }
  return token;
}

std::string to_list(const auto& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

// Caps that are others now, and rungs of pictures that are new; empty: there are none.
std::string changes_between(const LadderPlan& before, const LadderPlan& now) {
  std::vector<std::string> changes;
  for (const media::Rung& rung : now.rungs) {
    const auto known = std::ranges::find(before.rungs, rung.id, &media::Rung::id);
    if (known == before.rungs.end()) {
      if (rung.kind() == media::Kind::kVideo) changes.push_back(rung.name + " is made, too");
    } else if (known->bitrate_max != rung.bitrate_max) {
      changes.push_back(rung.name + " " + std::to_string(known->bitrate_max / 1'000) + " -> " +
                        std::to_string(rung.bitrate_max / 1'000) + " kbit/s");
    }
  }
  return to_list(changes);
}

}  // namespace

const char* name_of(TranscodingEventKind kind) {
  switch (kind) {
    case TranscodingEventKind::kWorkerStarted: return "worker_started";
    case TranscodingEventKind::kWorkerConnected: return "worker_connected";
    case TranscodingEventKind::kWorkerLost: return "worker_lost";
    case TranscodingEventKind::kWorkerStorm: return "worker_storm";
    case TranscodingEventKind::kWorkerWaiting: return "worker_waiting";
    case TranscodingEventKind::kLadderReduced: return "ladder_reduced";
    case TranscodingEventKind::kLadderRestored: return "ladder_restored";
    case TranscodingEventKind::kLadderExhausted: return "ladder_exhausted";
    case TranscodingEventKind::kCapsChanged: return "caps_changed";
    case TranscodingEventKind::kRungsLeftOut: return "rungs_left_out";
  }
  return "unknown";
}

const char* name_of(RungState state) {
  switch (state) {
    case RungState::kAwaited: return "awaited";
    case RungState::kWorking: return "working";
    case RungState::kResting: return "resting";
  }
  return "unknown";
}

const char* name_of(WorkerStage stage) {
  switch (stage) {
    case WorkerStage::kNone: return "none";
    case WorkerStage::kWaiting: return "waiting";
    case WorkerStage::kPausing: return "pausing";
    case WorkerStage::kStarting: return "starting";
    case WorkerStage::kRunning: return "running";
  }
  return "unknown";
}

const char* Transcoding::name_of_stage(Stage stage) {
  switch (stage) {
    case Stage::kStarting: return "starting";
    case Stage::kRunning: return "running";
    case Stage::kLeaving: return "leaving";
    case Stage::kKilled: return "killed";
  }
  return "unknown";
}

const char* Transcoding::name_of_end(End end) {
  switch (end) {
    case End::kEnded: return "ended";
    case End::kNotConnected: return "not_connected";
    case End::kConnectionLost: return "connection_lost";
    case End::kStartFailed: return "start_failed";
  }
  return "unknown";
}

// ---- What is on air.

void Transcoding::handle_program(Timestamp now, ProgramOnAir&& on_air, TranscodingOutputs& out) {
  auto found = programs_.find(on_air.channel);
  if (found != programs_.end() && found->second.on_air.broadcast != on_air.broadcast) {
    handle_program_ended(now, on_air.channel, out);
    found = programs_.end();
  }
  const bool is_new = found == programs_.end();
  if (is_new) {
    found = programs_.try_emplace(on_air.channel).first;
    if (auto known = quiet_.extract(on_air.channel)) found->second.restarts = std::move(known.mapped());
    if (auto known = titles_.find(on_air.channel); known != titles_.end())
      found->second.title = PerTitle(known->second);
  }
  Program& program = found->second;
  program.on_air = std::move(on_air);
  plan(program, is_new, out);
  if (program.plan.rungs_at_work().empty()) {
    set_start(program, Timestamp::never());
    leave(now, program);
  } else if (program.worker == 0 && program.start_at == Timestamp::never()) {
    set_start(program, std::max(now, program.restarts.not_before()));
    start_due(now, out);
  }
}

PerTitle::Options Transcoding::title_options(const Program& program) const {
  PerTitle::Options options = options_.per_title;
  options.is_on = wants_per_title(program.on_air.ladder).value_or(options.is_on);
  return options;
}

void Transcoding::plan(Program& program, bool is_new, TranscodingOutputs& out, std::string_view why) {
  const ProgramOnAir& on_air = program.on_air;
  std::vector<SourceTrack> tracks = on_air.tracks;
  for (SourceTrack& track : tracks) track.lacks_keyframes = track.lacks_keyframes && !program.keeps_source;
  LadderPlan plan = plan_ladder(tracks, on_air.ladder, options_.ladder, program.plan);
  const std::set<std::string> left_out = program.title.left_out();
  program.title.apply(plan, program.plan, title_options(program));
  program.load.apply(plan);
  if (!is_new && plan == program.plan) return;
  if (!why.empty())
    out.push(TranscodingEvent{on_air.channel, TranscodingEventKind::kCapsChanged,
                              changes_between(program.plan, plan) + ": " + std::string(why)});
  if (left_out.empty() && !program.title.left_out().empty())
    out.push(TranscodingEvent{on_air.channel, TranscodingEventKind::kRungsLeftOut,
                              to_list(program.title.left_out()) +
                                  ": in the broadcast before larger rungs took no more than these may"});
  program.plan = std::move(plan);
  out.push(LadderDecided{on_air.shard, on_air.channel, on_air.broadcast, ++program.revision, program.plan});
}

void Transcoding::handle_program_ended(Timestamp now, std::string_view channel, TranscodingOutputs&) {
  auto found = programs_.find(channel);
  if (found == programs_.end()) return;
  Program& program = found->second;
  set_start(program, Timestamp::never());
  leave(now, program);
  if (Title title = program.title.title(); title.needs.empty() || program.is_forgotten) {
    forget(channel);
  } else {
    if (titles_.size() >= kTitlesMax) titles_.erase(titles_.begin());
    titles_.insert_or_assign(found->first, std::move(title));
  }
  std::erase_if(quiet_, [&](const auto& entry) { return !entry.second.has_say(now, options_.restarts); });
  if (program.restarts.has_say(now, options_.restarts) && quiet_.size() < kQuietMax)
    quiet_.emplace(found->first, std::move(program.restarts));
  programs_.erase(found);
}

void Transcoding::forget(std::string_view channel) {
  if (auto known = titles_.find(channel); known != titles_.end()) titles_.erase(known);
  if (auto running = programs_.find(channel); running != programs_.end()) running->second.is_forgotten = true;
}

// ---- Workers.

Transcoding::Program* Transcoding::program_of(WorkerId id, const Worker& worker) {
  auto found = programs_.find(worker.channel);
  return found != programs_.end() && found->second.worker == id ? &found->second : nullptr;
}

void Transcoding::set_start(Program& program, Timestamp at) {
  if (program.start_at != Timestamp::never()) starts_.erase({program.start_at, program.on_air.channel});
  if (at != Timestamp::never()) starts_.emplace(at, program.on_air.channel);
  program.start_at = at;
  program.is_waiting = false;
}

// Who may be started is, who comes first before others.
void Transcoding::start_due(Timestamp now, TranscodingOutputs& out) {
  auto next = starts_.begin();
  while (next != starts_.end() && next->first <= now) {
    Program& program = programs_.find(next->second)->second;
    ++next;
    if (has_room()) {
      start(now, program, out);
    } else if (!std::exchange(program.is_waiting, true)) {
      out.push(TranscodingEvent{program.on_air.channel, TranscodingEventKind::kWorkerWaiting,
                                "all " + std::to_string(options_.workers_max) + " workers are taken"});
    }
  }
}

void Transcoding::start(Timestamp now, Program& program, TranscodingOutputs& out) {
  set_start(program, Timestamp::never());
  const std::string& channel = program.on_air.channel;
  const WorkerId id = program.worker = ++last_worker_;
  ++program.starts;
  program.numbers = {};
  program.load.handle_worker_started();
  program.title.handle_worker_started();
  workers_[id] = {.channel = channel, .deadline = now + options_.connect_patience};
  program.threads = std::max(1, options_.threads / static_cast<int>(workers_.size()));
  const std::string token = make_token(options_.fill_random);
  const std::uint32_t shard = program.on_air.shard;
  out.push(WorkerAwaited{shard, channel, program.on_air.broadcast, id, token});
  out.push(StartWorker{id, shard, channel, token, program.threads});
  out.push(TranscodingEvent{channel, TranscodingEventKind::kWorkerStarted,
                            "worker " + std::to_string(id) + " is started"});
}

void Transcoding::kill(Timestamp now, WorkerId id, Worker& worker, End end, std::string trouble,
                       TranscodingOutputs& out) {
  worker.stage = Stage::kKilled;
  worker.end = end;
  worker.deadline = now + options_.kill_patience;
  worker.trouble = std::move(trouble);
  out.push(KillWorker{id});
}

// The owner says goodbye to it.
void Transcoding::leave(Timestamp now, Program& program) {
  auto found = workers_.find(std::exchange(program.worker, 0));
  if (found == workers_.end() || found->second.stage == Stage::kKilled) return;
  found->second.stage = Stage::kLeaving;
  found->second.deadline = now + options_.leave_patience;
}

void Transcoding::handle_worker_seen(Timestamp now, WorkerSeen&& seen, TranscodingOutputs& out) {
  auto found = workers_.find(seen.worker);
  if (found == workers_.end()) return;
  auto& [id, worker] = *found;
  Program* program = program_of(id, worker);
  if (!program || worker.stage == Stage::kKilled) return;
  switch (seen.state) {
    case WorkerState::kConnected:
      if (worker.stage != Stage::kStarting) return;
      worker.stage = Stage::kRunning;
      worker.deadline = Timestamp::never();
      worker.connected_at = now;
      return out.push(TranscodingEvent{worker.channel, TranscodingEventKind::kWorkerConnected,
                                       "worker " + std::to_string(id) + " has connected"});
    case WorkerState::kReported: return handle_report(now, *program, std::move(seen.numbers), out);
    case WorkerState::kGone: return kill(now, id, worker, End::kConnectionLost, std::move(seen.text), out);
  }
}

void Transcoding::handle_report(Timestamp now, Program& program, WorkerNumbers&& numbers,
                                TranscodingOutputs& out) {
  set_bitrates(numbers, program.numbers, now - std::exchange(program.reported_at, now));
  totals_.handle_report(program.numbers, numbers);
  program.numbers = std::move(numbers);
  const auto change =
      program.load.handle_report(now, program.plan, program.numbers, program.threads, options_.load);
  const char* why = program.title.handle_report(now, program.plan, program.numbers, title_options(program));
  if (change || why) plan(program, false, out, why ? why : "");
  if (!change) return;
  const std::string name = std::ranges::find(program.plan.rungs, change->rung, &media::Rung::id)->name;
  const auto tell = [&](TranscodingEventKind kind, std::string text) {
    out.push(TranscodingEvent{program.on_air.channel, kind, std::move(text)});
  };
  switch (change->kind) {
    case LoadRule::ChangeKind::kReduced:
      ++reductions_;
      return tell(TranscodingEventKind::kLadderReduced, "the machine cannot keep up: " + name + " rests");
    case LoadRule::ChangeKind::kRestored:
      return tell(TranscodingEventKind::kLadderRestored, name + " is made again");
    case LoadRule::ChangeKind::kExhausted:
      if (!program.plan.fit_in_real_time.empty()) {
        program.keeps_source = true;
        program.load = {};
        plan(program, false, out);
        ++reductions_;
        return tell(TranscodingEventKind::kLadderReduced,
                    "the machine cannot keep up with " + name +
                        ", which stands for the source: that is offered as it is");
      }
      return tell(TranscodingEventKind::kLadderExhausted,
                  "the machine cannot keep up with " + name + " alone, and nothing is left that could rest");
  }
}

void Transcoding::handle_worker_exited(Timestamp now, WorkerId id, std::string_view how,
                                       TranscodingOutputs& out) {
  handle_gone(now, id, End::kEnded, how, out);
}

void Transcoding::handle_start_failed(Timestamp now, WorkerId id, std::string_view why,
                                      TranscodingOutputs& out) {
  handle_gone(now, id, End::kStartFailed, "it cannot be started: " + std::string(why), out);
}

void Transcoding::handle_gone(Timestamp now, WorkerId id, End end, std::string_view how,
                              TranscodingOutputs& out) {
  auto found = workers_.find(id);
  if (found == workers_.end()) return;
  Worker worker = std::move(found->second);
  workers_.erase(found);
  if (Program* program = program_of(id, worker)) {
    // Who has ended on its own loses its connection first, and how it ended says more.
    if (worker.stage != Stage::kKilled) worker.end = end;
    if (!worker.trouble.empty()) worker.trouble += ", ";
    worker.trouble += how;
    handle_lost(now, *program, worker, out);
  }
  start_due(now, out);
}

void Transcoding::handle_lost(Timestamp now, Program& program, const Worker& worker,
                              TranscodingOutputs& out) {
  const std::string name = "worker " + std::to_string(program.worker) + ": ";
  out.push(TranscodingEvent{worker.channel, TranscodingEventKind::kWorkerLost, name + worker.trouble});
  ++lost_[static_cast<std::size_t>(worker.end)];
  program.worker = 0;
  program.numbers = {};
  program.trouble = worker.trouble;
  const bool was_storm = program.restarts.is_storm();
  const Duration ran = worker.connected_at ? now - *worker.connected_at : Duration();
  set_start(program, program.restarts.handle_exit(now, ran, options_.restarts));
  if (!program.restarts.is_storm()) return;
  ++damped_;
  if (was_storm) return;
  out.push(TranscodingEvent{worker.channel, TranscodingEventKind::kWorkerStorm,
                            "its workers end again and again: one is tried every " +
                                std::to_string(options_.restarts.storm_pause.ms() / 1'000) + " s"});
}

void Transcoding::handle_deadline(Timestamp now, TranscodingOutputs& out) {
  for (auto& [id, worker] : workers_) {
    if (worker.deadline > now) continue;
    if (worker.stage != Stage::kKilled) {
      kill(now, id, worker, End::kNotConnected, "it did not connect", out);
      continue;
    }
    // In the hands of a driver, or without any processor.
    worker.deadline = Timestamp::never();
    if (Program* program = program_of(id, worker)) handle_lost(now, *program, worker, out);
  }
  start_due(now, out);
}

Timestamp Transcoding::next_deadline() const {
  Timestamp next = Timestamp::never();
  for (const auto& [id, worker] : workers_) next = std::min(next, worker.deadline);
  if (!starts_.empty() && has_room()) next = std::min(next, starts_.begin()->first);
  return next;
}

// ---- What is told of it.

WorkerStage Transcoding::stage_of(const Program& program) const {
  if (program.worker != 0)
    return workers_.at(program.worker).connected_at ? WorkerStage::kRunning : WorkerStage::kStarting;
  if (program.start_at == Timestamp::never()) return WorkerStage::kNone;
  return program.is_waiting ? WorkerStage::kWaiting : WorkerStage::kPausing;
}

std::optional<LadderStatus> Transcoding::find(std::string_view channel) const {
  auto found = programs_.find(channel);
  if (found == programs_.end()) return std::nullopt;
  const Program& program = found->second;
  LadderStatus status{.ladder = program.on_air.ladder,
                      .revision = program.revision,
                      .is_per_title = title_options(program).is_on,
                      .left_out = {program.title.left_out().begin(), program.title.left_out().end()},
                      .worker = stage_of(program),
                      .restarts = program.starts > 0 ? program.starts - 1 : 0,
                      .is_storm = program.restarts.is_storm(),
                      .trouble = program.trouble,
                      .numbers = program.numbers};
  for (const media::Rung& rung : program.plan.rungs) {
    RungStatus& told = status.rungs.emplace_back(
        RungStatus{.rung = rung, .bitrate_usual = program.title.usual_bitrate(rung)});
    if (const RungNumbers* numbers = find_rung(program.numbers, rung.name)) told.numbers = *numbers;
    if (told.numbers.frames > 0) told.state = RungState::kWorking;
    if (program.plan.is_resting(rung.id)) told.state = RungState::kResting;
  }
  return status;
}

bool Transcoding::is_reduced(std::string_view channel) const {
  auto found = programs_.find(channel);
  return found != programs_.end() && found->second.load.is_reduced();
}

void Transcoding::append_metrics(MetricSamples& samples) const {
  const auto tell = [&](const char* name, const char* help, MetricKind kind, double value) {
    samples.push_back({name, help, kind, {}, value});
  };
  std::array<int, kStages> workers = {};
  for (const auto& [id, worker] : workers_) ++workers[static_cast<std::size_t>(worker.stage)];
  for (std::size_t i = 0; i < kStages; ++i)
    samples.push_back({"stoa_work_workers",
                       "Worker processes, by state.",
                       MetricKind::kGauge,
                       {{"state", name_of_stage(static_cast<Stage>(i))}},
                       static_cast<double>(workers[i])});
  double wanted = 0, waiting = 0, storms = 0, reduced = 0, exhausted = 0, lowered = 0;
  std::vector<const WorkerNumbers*> current;
  for (const auto& [name, program] : programs_) {
    wanted += program.plan.rungs_at_work().empty() ? 0 : 1;
    waiting += program.is_waiting ? 1 : 0;
    reduced += program.load.is_reduced() ? 1 : 0;
    exhausted += program.load.is_exhausted() ? 1 : 0;
    lowered += program.title.is_lowered(program.plan) ? 1 : 0;
    storms += program.restarts.is_storm() ? 1 : 0;
    if (program.worker != 0) current.push_back(&program.numbers);
  }
  tell("stoa_work_channels", "Channels on air with a ladder.", MetricKind::kGauge, wanted);
  tell("stoa_work_channels_waiting", "Of these, those that wait until there is room for a worker.",
       MetricKind::kGauge, waiting);
  tell("stoa_work_channels_in_storm", "Of these, those whose workers end again and again.",
       MetricKind::kGauge, storms);
  tell("stoa_work_channels_reduced",
       "Of these, those of which not all is made, since the machine cannot keep up.", MetricKind::kGauge,
       reduced);
  tell("stoa_work_channels_exhausted",
       "Of these, those that have one rung of pictures left, and that is too much.", MetricKind::kGauge,
       exhausted);
  tell("stoa_work_channels_lowered",
       "Channels whose caps are lower than usual, since their pictures need less.", MetricKind::kGauge,
       lowered);
  tell("stoa_work_reductions_total", "Rungs put to rest, since the machine could not keep up.",
       MetricKind::kCounter, static_cast<double>(reductions_));
  tell("stoa_work_starts_total", "Workers that were started.", MetricKind::kCounter,
       static_cast<double>(last_worker_));
  for (std::size_t i = 0; i < kEnds; ++i)
    samples.push_back({"stoa_work_restarts_total",
                       "Workers that were wanted and had to be started anew, by reason.",
                       MetricKind::kCounter,
                       {{"reason", name_of_end(static_cast<End>(i))}},
                       static_cast<double>(lost_[i])});
  tell("stoa_work_restarts_damped_total", "Of these, those that were put off, since too many had ended.",
       MetricKind::kCounter, static_cast<double>(damped_));
  totals_.append_metrics(current, samples);
}

}  // namespace stoa::control
