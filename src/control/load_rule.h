// What is left out when a machine cannot keep up with a ladder, so that what is made stays live: the lowest
// renditions of pictures first, one at a time. Whoever watched them sees the next better one; the source as
// it is, sound, and the best rung that is made are never left out. (One that stands for a source that lacks
// keyframes is, by control/transcoding.cc: the source is offered again.)
//
//   Pictures wait over 300 ms before an encoder, or frames were dropped before the worker, in two reports
//   running (one a second): the lowest rung rests. In the first 2 s of a worker and of a change that is
//   usual. The load stays below 60 % for 30 s: the rung that was put to rest last comes back. When that was
//   too much it takes twice as long the next time, ten minutes at most.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "control/ladder.h"
#include "control/worker_numbers.h"

namespace stoa::control {

class LoadRule {
 public:
  struct Options {
    Duration wait_max = Duration::milliseconds(300);
    int strikes_max = 2;
    Duration settle = Duration::seconds(2);  // A worker or ladder is new for so long: its waits say nothing.
    double load_low = 0.6;
    Duration calm = Duration::seconds(30);
    Duration calm_longest = Duration::seconds(600);
  };
  enum class ChangeKind : std::uint8_t {
    kReduced,
    kRestored,
    kExhausted,  // The best rung is all that is made, and still too much. Said once until it is not.
  };
  struct Change {
    media::RungId rung = 0;
    ChangeKind kind = ChangeKind::kReduced;
  };

  // A worker that has `threads` to itself says of what `plan` lets it make. What changes, if anything does.
  std::optional<Change> handle_report(Timestamp now, const LadderPlan& plan, const WorkerNumbers& numbers,
                                      int threads, const Options& options);
  // It counts anew. What rests goes on resting: the machine is the same.
  void handle_worker_started();

  // Lets the rungs of a plan rest that this rule has put to rest, all but the best one of pictures.
  void apply(LadderPlan& plan) const;
  bool is_reduced() const { return !resting_.empty(); }
  bool is_exhausted() const { return is_exhausted_; }

  // How much of what it could do a worker does: 1 is all. By how long encoders are busy and by the time that
  // it had of processors; nothing when it made nothing since the report before.
  static std::optional<double> load_of(const WorkerNumbers& before, const WorkerNumbers& now,
                                       Duration between, int threads);

 private:
  std::optional<Change> reduce(Timestamp now, const LadderPlan& plan, const Options& options);
  std::optional<Change> restore(Timestamp now);

  std::vector<media::RungId> resting_;  // In the order in which they were put to rest.
  int strikes_ = 0;
  bool is_exhausted_ = false;
  std::optional<Timestamp> new_since_;
  std::optional<Timestamp> calm_since_;
  std::optional<Timestamp> enough_since_;  // It keeps up, calm or not.
  std::optional<Timestamp> restored_at_;
  Duration calm_;  // Zero: as the options say.
  std::optional<WorkerNumbers> last_;
  Timestamp last_at_;
};

}  // namespace stoa::control
