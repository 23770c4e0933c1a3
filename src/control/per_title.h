// Caps and rungs by what a title needs: slides or a talking head take a small part of the bits that sports
// do. Encoders aim at a quality, so simple pictures take less by themselves; what is lowered here is the most
// that they may take, and rungs that would hardly be smaller than the next larger one are not made.
//
//   A rung's need is what its busier seconds take (95 of 100 take no more), of the last minute and of half a
//   minute at least. Its cap is two and a half times that: at most the usual one, a third of it at least.
//   What a rung needs that takes all that it may nobody knows: its cap is as usual.
//
//   Complexity says that a title has changed: three times as complex as it was, or a third, for five seconds.
//   What was measured before counts no more then; of a title that has become more complex caps are as usual
//   at once. (Of complexity alone what libx264 takes can be said within a factor of two to four, not better:
//   no cap is made of it.)
//
//   Caps change once in 30 s at most and by a quarter or more, since encoders are begun anew for it, at the
//   next cut.
//
//   A rung is left out only when a broadcast begins, and only if a larger one that is made has a cap no
//   higher than this one's usual one, by what the broadcast before took: whoever the rung is for can watch
//   the larger. The largest and the smallest are always made, since players read the list of renditions once
//   and what was simple may not stay so. When the larger one's cap rises the rung is made after all, for
//   those who come then; what is there never goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/time.h"
#include "control/ladder.h"
#include "control/worker_numbers.h"

namespace stoa::control {

// What a channel's pictures are like, for its next broadcast.
struct Title {
  std::map<std::string, std::uint32_t> needs;  // Bits per second, by the rung's name. Of others: as usual.
  std::optional<double> effort;                // Which is usual.
};

class PerTitle {
 public:
  struct Options {
    bool is_on = false;
    Duration hold = Duration::seconds(30);
    // A cap by a need. libx264 gives one picture at most half of what is left of a second's bits, so with
    // less than about 2.2 keyframes of pictures that hardly move become worse.
    double headroom = 2.5;
    double share_least = 1.0 / 3;  // Of a rung's usual cap.
    double all = 0.9;              // Of a cap: rate control does not meet it exactly.
    double change_least = 0.25;    // Of a cap as it is.
    double other_title = 3;        // Times as complex, or a part of it.
    int other_title_reports = 5;   // One after the other.
    int settle_reports = 3;        // Of a new worker: it begins with what was kept for it, at once.
  };

  explicit PerTitle(Title known = {}) : title_(std::move(known)) {}

  // Once a second, by a worker that makes `plan`. A reason (a sentence): apply() says something else from
  // here on; nullptr: it does not.
  const char* handle_report(Timestamp now, const LadderPlan& plan, const WorkerNumbers& numbers,
                            const Options& options);
  void handle_worker_started() { settled_ = 0; }

  // Lowers caps of a plan that grew out of `before`, and leaves rungs out.
  void apply(LadderPlan& plan, const LadderPlan& before, const Options& options);

  // For the next broadcast.
  Title title() const { return has_risen_ ? Title() : title_; }
  // The cap as it was before it was lowered.
  std::uint32_t usual_bitrate(const media::Rung& rung) const;
  bool is_lowered(const LadderPlan& plan) const;
  // Names of rungs.
  const std::set<std::string>& left_out() const { return left_out_; }

 private:
  static constexpr std::size_t kSecondsMax = 60, kSecondsMin = 30;
  struct Second {
    std::map<media::RungId, std::uint32_t> bits;
    std::optional<double> effort;
  };

  void note(const LadderPlan& plan, const WorkerNumbers& numbers, const Options& options);
  void note_effort(double effort, const Options& options);
  std::map<std::string, std::uint32_t> measured_needs(const LadderPlan& plan, const Options& options) const;
  std::uint32_t cap_of(const media::Rung& usual, const std::map<std::string, std::uint32_t>& needs,
                       const Options& options) const;
  void leave_out(LadderPlan& plan, const LadderPlan& before, const std::set<std::string>& known);

  Title title_;                 // By which caps are.
  std::deque<Second> seconds_;  // Of the title that is on.
  int settled_ = 0;
  int above_ = 0, below_ = 0;  // Reports one after the other that are more, or less, complex than usual.
  bool has_risen_ = false;     // The title has become more complex, and what it needs is not known yet.
  std::optional<Timestamp> changed_at_;
  std::map<media::RungId, media::Rung> usual_;
  std::set<std::string> left_out_;
};

// Roughly in proportion to what pictures take at one size and quality.
double effort_of(const Complexity& complexity);

}  // namespace stoa::control
