// What a sender to us may send while its own estimator lets a queue stand before us, to be said by REMB
// (draft-alvestrand-rmcat-remb-03 §2), which senders take as a cap.
//
// Senders have estimators of their own, fed by our feedback, and mostly know best. But those of browsers take
// seconds to come down to a line that became much narrower, and count redundant sound (RED) for half of what
// it takes, so that a full queue may stay for good. What they do not look at is known here: how long packets
// wait on their way. Those of browsers say when they were sent; of others there is sound, which leaves at
// even times and ahead of all pictures.
//
// A queue that does not shrink for what is said is of others, and nothing is said for a while.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"
#include "bwe/queue_delay.h"
#include "bwe/throughput.h"

namespace stoa::bwe {

class UplinkLimit {
 public:
  // More than anybody sends. (Receivers of REMB may take what needs all 64 bits for a negative number.)
  static constexpr std::uint64_t kNone = 10'000'000'000;
  // Nobody is told to send less.
  static constexpr std::uint64_t kLeast = 150'000;
  static constexpr double kMuchNarrower = 0.5;

  // Any packet of the sender; `bytes` with all headers.
  void handle_packet(Timestamp now, std::uint32_t bytes);
  // A packet that was sent at `sent`, by a clock of whatever origin: one in 20 ms or so. For sound that was
  // sent for the first time its RTP clock will do. A delay that is much longer at once is of a clock that
  // stood still (a microphone was changed) or of another path: queues grow by and by.
  void handle_sent(Timestamp now, Duration sent);
  // Another clock from here on.
  void forget_clock();
  // What to say now, in bits a second, if anything; kNone: all it likes. To be asked after handle_sent(),
  // and every second or so where nothing comes.
  std::optional<std::uint64_t> take_news(Timestamp now);
  // While a line is drained that carries much less than what came over it before: what its sender gives up is
  // not yet to be seen. Not of a queue that did not shrink once: it may be of others.
  bool is_much_narrower() const {
    return state_ == State::kDraining && drains_ == 1 && capacity_ < kMuchNarrower * free_rate_;
  }
  // What the newest packets waited.
  Duration waited() const { return queue_.newest(); }
  // How many queues were drained, or tried to be.
  std::uint64_t begun() const { return begun_count_; }
  void set_round_trip(Duration round_trip) { round_trip_ = round_trip; }

 private:
  enum class State : std::uint8_t {
    kOpen,      // No limit.
    kDraining,  // Less than the line carries, until the queue is gone.
    kHolding,   // A little less than it carries, for a while.
    kGivenUp,   // No limit for a longer while.
  };

  bool has_stepped(Timestamp now, Duration sent) const;
  void update(Timestamp now, Duration passed);  // Since the sample before.
  std::optional<double> rate(Timestamp now) const;
  void begin_drain(Timestamp now, double rate);
  void drain(Timestamp now, double rate);
  double said_for(double bits_per_second) const { return bits_per_second / (1 + uncounted_); }
  Duration step() const;
  void enter(Timestamp now, State state, double limit);

  std::optional<Timestamp> began_, newest_at_;
  Duration newest_sent_;
  std::uint64_t bytes_since_ = 0;
  std::optional<Timestamp> came_at_;
  Timestamp resumed_at_;  // Behind the last stall.
  // Bits a second, when nothing waited: then, and the most of the last seconds.
  double came_rate_ = 0, free_rate_ = 0;
  QueueDelay queue_;
  Throughput received_;
  std::optional<Timestamp> busy_since_, full_since_;
  Duration full_then_;

  State state_ = State::kOpen;
  Timestamp entered_at_;
  double capacity_ = 0;   // Bits a second, while a queue stood.
  double uncounted_ = 0;  // What came beyond what was said, of that.
  Duration queue_then_, round_trip_;
  int drains_ = 0;  // Of this queue.
  std::uint64_t begun_count_ = 0;

  std::uint64_t limit_ = kNone;
  int repeats_ = 0;
  Timestamp told_at_;
};

}  // namespace stoa::bwe
