// Who transcodes what: plans the ladder of each broadcast that wants one (ladder.h), keeps a worker process
// running for it, and says whom the channel's owner may let in. Pure: processes are started elsewhere.
//
//   handle_program() -> LadderDecided, and if it has rungs StartWorker, WorkerAwaited
//   the worker connects to the owner: handle_worker_seen() …
//   it ends, or is silent, or never comes: KillWorker, then after a pause StartWorker, WorkerAwaited anew
//   handle_program_ended() -> the worker leaves by itself; KillWorker if it does not
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/metric.h"
#include "base/outbox.h"
#include "base/time.h"
#include "control/ladder.h"
#include "control/load_rule.h"
#include "control/per_title.h"
#include "control/restart_rule.h"
#include "control/work_totals.h"
#include "control/worker_numbers.h"
#include "crypto/random.h"
#include "media/rung.h"

namespace stoa::control {

using WorkerId = std::uint64_t;  // Never used twice while the node runs.

// What is on air in a channel. Told by the shard that owns it: first, and whenever it changes.
struct ProgramOnAir {
  std::uint32_t shard = 0;
  std::string channel;
  std::string broadcast;
  std::string ladder;  // The profile that the publisher's grant named.
  std::vector<SourceTrack> tracks;
};

// For the shard that owns the channel.
struct LadderDecided {
  std::uint32_t shard = 0;
  std::string channel;
  std::string broadcast;
  std::uint64_t revision = 0;  // Grows with each decision for the broadcast.
  LadderPlan plan;
};
// The next to connect with this token is the channel's worker; one before it is put out.
struct WorkerAwaited {
  std::uint32_t shard = 0;
  std::string channel;
  std::string broadcast;
  WorkerId worker = 0;
  std::string token;
};
// For whoever starts processes.
struct StartWorker {
  WorkerId worker = 0;
  std::uint32_t shard = 0;  // Whose socket it connects to.
  std::string channel;
  std::string token;
  int threads = 0;
};
struct KillWorker {
  WorkerId worker = 0;
};

// From the shard: the worker's connection.
enum class WorkerState : std::uint8_t { kConnected, kReported, kGone };
struct WorkerSeen {
  WorkerId worker = 0;
  std::string channel;
  WorkerState state = WorkerState::kConnected;
  std::string text;       // Of one that is gone: why.
  WorkerNumbers numbers;  // Of a report.
};

// For the operator.
enum class TranscodingEventKind : std::uint8_t {
  kWorkerStarted,
  kWorkerConnected,
  kWorkerLost,     // It ended, fell silent, or never came.
  kWorkerStorm,    // It ended so often that it is tried once a minute from here on.
  kWorkerWaiting,  // The node runs as many workers as it may.
  kLadderReduced,  // The machine cannot keep up: a rung rests (load_rule.h).
  kLadderRestored,
  kLadderExhausted,  // There is nothing left to rest, and the machine still cannot keep up.
  kCapsChanged,      // By what the pictures need (per_title.h).
  kRungsLeftOut,
};
const char* name_of(TranscodingEventKind kind);  // "worker_started", …
struct TranscodingEvent {
  std::string channel;
  TranscodingEventKind kind = TranscodingEventKind::kWorkerStarted;
  std::string text;
};

using TranscodingOutput =
    std::variant<LadderDecided, WorkerAwaited, StartWorker, KillWorker, TranscodingEvent>;
using TranscodingOutputs = Outbox<TranscodingOutput>;

// For the API: how a channel's ladder fares.
enum class RungState : std::uint8_t {
  kAwaited,  // Nothing was made of it yet by the worker that is there.
  kWorking,
  kResting,
};
const char* name_of(RungState state);  // "awaited", …
struct RungStatus {
  media::Rung rung;
  std::uint32_t bitrate_usual = 0;  // Its cap as it is planned for pictures of any kind.
  RungState state = RungState::kAwaited;
  RungNumbers numbers;
};
enum class WorkerStage : std::uint8_t {
  kNone,      // There is nothing to be made.
  kWaiting,   // For room among the workers.
  kPausing,   // The one before it ended.
  kStarting,  // Has not connected.
  kRunning,
};
const char* name_of(WorkerStage stage);  // "none", …
struct LadderStatus {
  std::string ladder;  // As it was asked for.
  std::uint64_t revision = 0;
  std::vector<RungStatus> rungs;
  bool is_per_title = false;
  std::vector<std::string> left_out;  // Rungs, by name, that these pictures do not need.
  WorkerStage worker = WorkerStage::kNone;
  std::uint64_t restarts = 0;  // Since the broadcast began.
  bool is_storm = false;
  std::string trouble;  // Why the worker before this one ended; empty: there was none.
  WorkerNumbers numbers;
};

class Transcoding {
 public:
  struct Options {
    int workers_max = 1;  // Processes at a time, those that are on their way out among them.
    int threads = 1;      // Cores that workers share.
    LadderOptions ladder;
    Duration connect_patience = Duration::seconds(5);  // From its start until the owner has seen it.
    Duration leave_patience = Duration::seconds(2);    // When it is not wanted any more.
    Duration kill_patience = Duration::seconds(2);     // Then the next is started; it still takes room.
    RestartRule::Options restarts;
    LoadRule::Options load;
    PerTitle::Options per_title;
    crypto::RandomFill fill_random = crypto::fill_random;
  };

  explicit Transcoding(Options options) : options_(std::move(options)) {}

  // First answered by LadderDecided, also when there are no rungs; later only when the plan changes.
  void handle_program(Timestamp now, ProgramOnAir&& program, TranscodingOutputs& out);
  void handle_program_ended(Timestamp now, std::string_view channel, TranscodingOutputs& out);
  // Of workers that are not known any more nothing is taken.
  void handle_worker_seen(Timestamp now, WorkerSeen&& seen, TranscodingOutputs& out);
  // `how` is a sentence without a subject: "ended with status 1".
  void handle_worker_exited(Timestamp now, WorkerId worker, std::string_view how, TranscodingOutputs& out);
  void handle_start_failed(Timestamp now, WorkerId worker, std::string_view why, TranscodingOutputs& out);
  void handle_deadline(Timestamp now, TranscodingOutputs& out);
  Timestamp next_deadline() const;

  // The channel is deleted: what its pictures were like counts no more.
  void forget(std::string_view channel);

  // Nothing when it is not on air.
  std::optional<LadderStatus> find(std::string_view channel) const;
  // Rungs of it rest since the machine cannot keep up.
  bool is_reduced(std::string_view channel) const;
  void append_metrics(MetricSamples& samples) const;

 private:
  enum class Stage : std::uint8_t { kStarting, kRunning, kLeaving, kKilled };
  enum class End : std::uint8_t { kEnded, kNotConnected, kConnectionLost, kStartFailed };
  static constexpr std::size_t kStages = 4, kEnds = 4;
  static const char* name_of_stage(Stage stage);
  static const char* name_of_end(End end);
  struct Worker {
    std::string channel;
    Stage stage = Stage::kStarting;
    Timestamp deadline = Timestamp::never();  // To be killed then; of one that was: not to be waited for.
    std::optional<Timestamp> connected_at;
    End end = End::kEnded;  // And why, when it was killed.
    std::string trouble;
  };
  // What is on air, and the worker of it.
  struct Program {
    ProgramOnAir on_air;
    std::uint64_t revision = 0;
    LadderPlan plan;
    WorkerId worker = 0;                      // 0: none.
    Timestamp start_at = Timestamp::never();  // Is in starts_ then.
    bool is_waiting = false;                  // For room among the workers.
    RestartRule restarts;
    LoadRule load;
    PerTitle title;
    bool is_forgotten = false;  // Its channel was deleted meanwhile.
    // A source that lacks keyframes stays as it is: to make all of it anew is too much for the machine.
    bool keeps_source = false;
    int threads = 0;  // Of its worker.
    std::uint64_t starts = 0;
    std::string trouble;
    WorkerNumbers numbers;
    Timestamp reported_at;  // Of these.
  };
  using Programs = std::map<std::string, Program, std::less<>>;

  // `why` caps change, if they do.
  void plan(Program& program, bool is_new, TranscodingOutputs& out, std::string_view why = {});
  PerTitle::Options title_options(const Program& program) const;
  void handle_report(Timestamp now, Program& program, WorkerNumbers&& numbers, TranscodingOutputs& out);
  void set_start(Program& program, Timestamp at);
  void start_due(Timestamp now, TranscodingOutputs& out);
  void start(Timestamp now, Program& program, TranscodingOutputs& out);
  void kill(Timestamp now, WorkerId id, Worker& worker, End end, std::string trouble,
            TranscodingOutputs& out);
  void leave(Timestamp now, Program& program);
  void handle_gone(Timestamp now, WorkerId id, End end, std::string_view how, TranscodingOutputs& out);
  void handle_lost(Timestamp now, Program& program, const Worker& worker, TranscodingOutputs& out);
  Program* program_of(WorkerId id, const Worker& worker);
  WorkerStage stage_of(const Program& program) const;
  bool has_room() const { return workers_.size() < static_cast<std::size_t>(options_.workers_max); }

  Options options_;
  Programs programs_;
  std::map<WorkerId, Worker> workers_;
  std::set<std::pair<Timestamp, std::string>> starts_;  // Wanted workers, by when.
  // Of channels that are off air and had trouble lately: a source that comes again and again tries no more.
  std::map<std::string, RestartRule, std::less<>> quiet_;
  // What the last broadcasts of channels were like.
  std::map<std::string, Title, std::less<>> titles_;
  WorkerId last_worker_ = 0;
  WorkTotals totals_;
  std::array<std::uint64_t, kEnds> lost_ = {};
  std::uint64_t damped_ = 0;
  std::uint64_t reductions_ = 0;
};

}  // namespace stoa::control
