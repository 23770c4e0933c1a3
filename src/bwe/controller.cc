#include "bwe/controller.h"

#include <algorithm>
#include <utility>

#include "base/prefetch.h"
#include "bwe/app_limit.h"
#include "bwe/loss_model.h"
#include "bwe/prober.h"
#include "bwe/queue_delay.h"
#include "bwe/rate_control.h"
#include "bwe/sent_history.h"
#include "bwe/throughput.h"

namespace stoa::bwe {
namespace {

// Frames leave a quarter faster than they come, so that the longest queue of a link that is just wide enough
// is a fifth of a frame (GCC: 2.5, and three fifths: 10 ms more at the 95th percentile).
constexpr double kPacingFactor = 1.25;
constexpr double kPacingFactorLimited = 2;  // The path has not been full yet.

constexpr Duration kRateWindow = Duration::milliseconds(500);
constexpr Duration kRateWindowMin = Duration::milliseconds(100);
constexpr Duration kBusyMin = Duration::milliseconds(60);
constexpr int kBusyPacketsMin = 4;

constexpr Duration kSilenceMin = Duration::seconds(1);  // Without feedback that is due.
constexpr Duration kBackOffEvery = Duration::milliseconds(500);
constexpr Duration kFormerLife = Duration::seconds(60);
constexpr Duration kPauseMin = Duration::seconds(5);  // Nothing sent: the path may be another's now.
constexpr Duration kRembLife = Duration::seconds(5);
constexpr Duration kRoundTripMax = Duration::seconds(10);
constexpr double kRoundTripWeight = 1.0 / 8;

constexpr double kStartProbe = 3, kNextProbe = 2, kRecoveryProbe = 0.85;
constexpr double kPeriodicProbe = 1.5, kPeriodicProbeLimited = 2;
constexpr double kContinue = 0.7;  // Of what was asked, shown: there may be more.
constexpr double kSaturatedShare = 0.93;
constexpr double kSmallStep = 1.3;
constexpr double kWantedMargin = 1.2;  // Over all there is to send.
constexpr double kRoomMargin = 1.1;    // The same, of a path that has room.
constexpr double kRoomLossMax = 0.01;
// What a cluster may queue where the path carries no more than is known: sound waits behind it.
constexpr Duration kProbeQueueMax = Duration::milliseconds(60);
constexpr Duration kPeriodicEvery = Duration::seconds(3);
constexpr Duration kAgainAfter = Duration::milliseconds(700);
constexpr int kAgainMax = 2;  // Of one request.
constexpr int kPeriodicBackOffMax = 8;
constexpr Duration kDemandEvery = Duration::milliseconds(500);
constexpr Duration kAfterDecrease = Duration::milliseconds(500);
constexpr Duration kRefutedWithin = Duration::milliseconds(1500);
constexpr double kRefutedShare = 0.85;

// Times that no clock shows.
constexpr Duration kClockMax = Duration::seconds(2'000'000'000);

bool looks_for_more(ProbeReason reason) {
  return reason == ProbeReason::kPeriodic || reason == ProbeReason::kStep;
}

}  // namespace

struct alignas(kCacheLineBytes) Controller::Impl {
  Impl(const Config& given, Timestamp now)
      : config(given),
        rate(now, static_cast<double>(given.start_bits_per_second),
             {static_cast<double>(given.min_bits_per_second),
              static_cast<double>(given.max_bits_per_second)}) {
    periodic_at = now + kPeriodicEvery;
    publish(now);
  }

  void handle_arrival(SentEntry& entry, const Arrival& arrival);
  void handle_missing(SentEntry& entry);
  void measure_round_trip(Duration sample);
  std::optional<double> rate_while_waiting() const;
  double in_flight_bits() const {
    return static_cast<std::uint32_t>(history.bytes_until() - arrived_until) * 8.0;
  }
  void end_silence(Timestamp now);
  void handle_probe_result(Timestamp now, const ProbeResult& result);
  void ask_again(Timestamp now, const ProbeResult& result);
  void plan_next(Timestamp now, ProbeReason reason, double bits_per_second);
  void watch_raise(Timestamp now);
  void plan_probe(Timestamp now);
  double wanted() const;
  std::optional<double> offered() const;
  bool has_room(double carried) const;
  void begin_probes(Timestamp now, ProbeReason reason, double bits_per_second) {
    again = 0;
    request_probe(now, reason, bits_per_second);
  }
  void request_probe(Timestamp now, ProbeReason reason, double bits_per_second);
  Duration silence_max() const { return std::max(kSilenceMin, round_trip * 3); }
  void publish(Timestamp now);

  // What each packet sent needs comes first; prefetch_sent() counts on it.
  SentHistory history;
  Timestamp last_sent_at;
  // Feedback that is due since; nothing: all is answered.
  std::optional<Timestamp> unanswered_since;
  bool has_feedback = false;
  bool has_started = false;  // A first probe was asked for.
  AppLimit app;
  Config config;
  Throughput arrived;
  QueueDelay queue;
  RateControl rate;
  Target target;
  FeedbackCounts counts;

  std::int64_t newest_arrived = -1;  // Sequence.
  std::uint32_t arrived_until = 0;   // SentEntry::bytes_until of it.
  Timestamp newest_sent_at;
  Duration round_trip;
  std::uint32_t lost_now = 0, arrived_now = 0, marked_now = 0;  // By the feedback at hand.

  std::optional<Timestamp> back_off_at;  // In silence.
  double former = 0;                     // The target before it.
  Timestamp former_at;
  Timestamp delays_count_from;  // Packets sent before stood in an outage.

  std::optional<Demand> demand;
  Timestamp periodic_at, demand_probed_at;
  int periodic_back_off = 1;
  struct Planned {
    ProbeReason reason;
    double bits_per_second;
    Timestamp since;  // A decrease behind it ends it, and a few seconds.
  };
  std::optional<Planned> planned;
  int again = 0;           // Clusters of the last request that showed little.
  bool is_second = false;  // The cluster under way is the one that confirms a rise.
  double raised_to = 0;    // By a probe; 0: it has stood its test.
  Timestamp raised_at;
  ProbeReason raised_by = ProbeReason::kStart;

  std::optional<double> remb;
  Timestamp remb_at;

  // Of these most feedback needs the beginning.
  LossModel loss;
  Prober prober;
};

Controller::Controller(const Config& config, Timestamp now) : impl_(std::make_unique<Impl>(config, now)) {}
Controller::~Controller() = default;
Controller::Controller(Controller&&) noexcept = default;
Controller& Controller::operator=(Controller&&) noexcept = default;
const Target& Controller::target() const { return impl_->target; }
const FeedbackCounts& Controller::counts() const { return impl_->counts; }

// With all of the ring: where its few lines alone were asked for, half of them came late (bench rtc cost).
void Controller::prefetch_sent() const { prefetch(&impl_->history, impl_->app.end_of_head()); }
void Controller::prefetch_place(Timestamp now) const {
  impl_->history.prefetch_next();
  impl_->app.prefetch_slot(now);
}
void Controller::prefetch_feedback() const {
  prefetch(impl_.get(), impl_->loss.end_of_head());
  prefetch(&impl_->prober, impl_->prober.end_of_head());
}

void Controller::handle_sent(Timestamp now, const SentPacket& packet) {
  Impl& s = *impl_;
  if (now - s.last_sent_at > kPauseMin && s.has_feedback &&
      s.rate.sustained() > s.config.start_bits_per_second) {
    s.former = s.rate.sustained();
    s.rate.set(now, std::max<double>(s.former / 2, s.config.start_bits_per_second));
    s.begin_probes(now, ProbeReason::kRecovery, kRecoveryProbe * s.former);
    s.publish(now);
  }
  s.last_sent_at = now;
  s.history.add(now, packet);
  s.app.handle_sent(now, packet.bytes);
  if (packet.probe != kNoProbe) s.prober.handle_sent(now, packet.probe, packet.bytes);
  if (!s.unanswered_since) s.unanswered_since = now;
}

void Controller::Impl::handle_arrival(SentEntry& entry, const Arrival& arrival) {
  if (entry.fate == static_cast<std::uint64_t>(Fate::kArrived)) {
    ++counts.duplicates;
    return;
  }
  if (arrival.at.abs() > kClockMax) {
    ++counts.clock_jumps;
    return;
  }
  if (entry.fate == static_cast<std::uint64_t>(Fate::kLost)) {
    ++counts.late;
    loss.take_back();
  } else {
    loss.add(entry.sent_at(), entry.bytes, false);
  }
  entry.fate = static_cast<std::uint64_t>(Fate::kArrived);
  ++arrived_now;
  marked_now += arrival.is_marked;
  arrived.add(arrival.at, entry.bytes);
  if (entry.probe != kNoProbe) prober.handle_arrival(entry.probe, arrival.at, entry.bytes);
  if (arrival.sequence > newest_arrived) {
    newest_arrived = arrival.sequence;
    newest_sent_at = entry.sent_at();
    arrived_until = entry.bytes_until;
  }
  if (entry.sent_at() < delays_count_from) return;
  if (!queue.add(entry.sent_at(), arrival.at, entry.bytes)) {
    ++counts.clock_jumps;
    arrived.clear();
  }
}

void Controller::Impl::handle_missing(SentEntry& entry) {
  if (entry.fate != static_cast<std::uint64_t>(Fate::kUnknown)) return;
  entry.fate = static_cast<std::uint64_t>(Fate::kLost);
  ++lost_now;
  loss.add(entry.sent_at(), entry.bytes, true);
  if (entry.probe != kNoProbe) prober.handle_loss(entry.probe);
}

void Controller::Impl::measure_round_trip(Duration sample) {
  if (sample <= Duration() || sample > kRoundTripMax) return;
  round_trip =
      round_trip == Duration()
          ? sample
          : round_trip + Duration::from_seconds(kRoundTripWeight * (sample - round_trip).as_seconds());
}

std::optional<double> Controller::Impl::rate_while_waiting() const {
  if (queue.busy_since() == Duration::infinite()) return std::nullopt;
  Duration busy = arrived.newest() - queue.busy_since();
  if (busy < kBusyMin || queue.busy_packets() < kBusyPacketsMin) return std::nullopt;
  if (busy > kRateWindow) return arrived.rate(kRateWindow, kRateWindow / 2);
  return static_cast<double>(queue.busy_bytes()) * 8 / busy.as_seconds();
}

void Controller::handle_feedback(Timestamp now, const Feedback& feedback) {
  Impl& s = *impl_;
  ++s.counts.feedback;
  s.lost_now = s.arrived_now = s.marked_now = 0;
  bool was_silent = s.back_off_at.has_value();
  std::int64_t newest_before = s.newest_arrived;

  s.history.prefetch(feedback.first_sequence, feedback.count);
  // Only what was sent, whatever it speaks of.
  std::int64_t next = std::max(feedback.first_sequence, s.history.oldest());
  for (const Arrival& arrival : feedback.arrivals) {
    SentEntry* entry = s.history.find(arrival.sequence);
    if (!entry || arrival.sequence < next) {
      ++s.counts.unknown;
      continue;
    }
    for (; next < arrival.sequence; ++next) s.handle_missing(*s.history.find(next));
    s.handle_arrival(*entry, arrival);
    next = arrival.sequence + 1;
  }
  if (s.arrived_now == 0 && s.lost_now == 0) return;
  s.has_feedback = true;
  if (s.newest_arrived > newest_before) {
    if (s.newest_sent_at >= s.delays_count_from) s.measure_round_trip(now - s.newest_sent_at);
    s.back_off_at.reset();
    s.unanswered_since.reset();
    if (s.newest_arrived + 1 < s.history.next()) s.unanswered_since = now;
    if (was_silent) s.end_silence(now);
  }

  PathState path;
  path.has_delay = s.queue.is_known();
  path.standing = s.queue.standing();
  path.newest = s.queue.newest();
  path.noise = s.queue.noise();
  path.newest_sent_at = s.newest_sent_at;
  path.in_flight_bits = s.in_flight_bits();
  path.arrived = s.arrived.rate(kRateWindow, kRateWindowMin);
  path.of_newest = s.queue.newest_rate();
  path.while_waiting = s.rate_while_waiting();
  path.sent = s.app.sent_bits_per_second(now);
  path.offered = s.offered();
  path.round_trip = s.round_trip;
  path.lost_packets = s.lost_now;
  path.is_app_limited = s.app.update(path.sent, s.rate.sustained());
  if (s.config.reacts_to_ecn && s.marked_now > 0)
    path.marked = static_cast<double>(s.marked_now) / s.arrived_now;
  s.rate.handle_feedback(now, path);
  if (s.rate.collapsed_at() == now) s.queue.restart_busy();
  s.queue.hold_base(s.rate.competes());
  if (s.loss.update() && s.loss.bound()) s.rate.handle_loss_bound(*s.loss.bound());
  s.watch_raise(now);
  if (auto result = s.prober.take_result(now)) s.handle_probe_result(now, *result);
  s.plan_probe(now);
  s.publish(now);
}

// What stood in the outage says nothing, and the rate has become small in it.
void Controller::Impl::end_silence(Timestamp now) {
  delays_count_from = now;
  queue.forget_waiting();
  arrived.clear();
  loss.clear();
  prober.cancel();
  planned.reset();
  if (former > rate.sustained() && now - former_at < kFormerLife)
    begin_probes(now, ProbeReason::kRecovery, kRecoveryProbe * former);
}

void Controller::Impl::handle_probe_result(Timestamp now, const ProbeResult& result) {
  bool was_first = !std::exchange(is_second, false);
  if (result.is_bunched) return ask_again(now, result);
  // On a path that others may hold full jitter is no excuse: clusters would push them aside.
  bool is_excused = result.may_be_jitter && (result.reason != ProbeReason::kPeriodic || rate.is_wider());
  bool is_saturated = result.is_saturated && !is_excused;
  if (is_saturated) rate.handle_room(kSaturatedShare * result.bits_per_second);
  if (result.reason == ProbeReason::kPeriodic) {
    if (is_saturated || rate.is_congested()) return;
    // Jitter may also have pressed a first one together.
    if (was_first && !rate.is_wider() && !offered()) {
      request_probe(now, ProbeReason::kPeriodic, result.asked);
      is_second = prober.has_requested();
      return;
    }
  }
  double shown = result.bits_per_second * (is_saturated ? kSaturatedShare : 1);
  double before = rate.sustained();
  if (rate.handle_probe(now, shown)) {
    raised_to = shown;
    raised_at = now;
    raised_by = result.reason;
    again = 0;
    loss.clear();
  }
  if (shown < kContinue * result.asked || rate.is_draining()) return ask_again(now, result);
  if (shown <= before || rate.sustained() >= wanted()) return;
  // Layers do not follow: nothing would be tested by waiting.
  if (looks_for_more(result.reason) && !offered())
    return plan_next(now, ProbeReason::kStep, kNextProbe * shown);
  request_probe(now, ProbeReason::kStart, kNextProbe * shown);
}

// What comes every few seconds does so anyway. Little, on a path that is known, or of a cluster that was
// drawn out by more than jitter, is what that carries; at the start a queue may have been that of the
// clusters before.
void Controller::Impl::ask_again(Timestamp now, const ProbeResult& result) {
  bool is_known = looks_for_more(result.reason) || result.reason == ProbeReason::kDemand;
  bool is_shown = result.reason == ProbeReason::kRecovery && result.is_saturated && !result.may_be_jitter;
  if (result.is_bunched ? result.reason == ProbeReason::kPeriodic : is_known || is_shown) return;
  if (again >= kAgainMax) return;
  ++again;
  plan_next(now, result.reason, result.asked);
}

void Controller::Impl::plan_next(Timestamp now, ProbeReason reason, double bits_per_second) {
  planned = {reason, bits_per_second, now};
}

// A rise that ends in a queue was a mistake, and the next one waits longer.
void Controller::Impl::watch_raise(Timestamp now) {
  if (raised_to == 0) return;
  if (rate.decreased_at() > raised_at && rate.sustained() < kRefutedShare * raised_to) {
    raised_to = 0;
    if (looks_for_more(raised_by)) {
      periodic_back_off = std::min(periodic_back_off * 2, kPeriodicBackOffMax);
      periodic_at = std::max(periodic_at, now + kPeriodicEvery * periodic_back_off);
    } else {
      periodic_at = now + kAgainAfter;
    }
  } else if (now - raised_at > kRefutedWithin) {
    raised_to = 0;
    periodic_back_off = 1;
  }
}

double Controller::Impl::wanted() const {
  double most = static_cast<double>(config.max_bits_per_second);
  if (!demand) return most;
  return std::min(most, kWantedMargin * static_cast<double>(demand->all_bits_per_second));
}

// Nothing: as much as it may. An encoder's rate follows the target; layers do not.
std::optional<double> Controller::Impl::offered() const {
  if (!demand || demand->sends_bits_per_second == 0) return std::nullopt;
  auto sends = static_cast<double>(demand->sends_bits_per_second);
  bool can_follow = demand->next_bits_per_second > 0 &&
                    static_cast<double>(demand->next_bits_per_second) < kSmallStep * sends;
  return can_follow ? std::nullopt : std::optional(sends);
}

// Of a sender that says nothing of what it has: it has not made use of what it may for a while. Where packets
// are lost it may be that trains are too long for a buffer on the way.
bool Controller::Impl::has_room(double carried) const {
  if (!has_feedback || rate.is_congested() || loss.loss() >= kRoomLossMax) return false;
  if (!demand || demand->all_bits_per_second == 0) return app.is_limited();
  return carried >= kRoomMargin * static_cast<double>(demand->all_bits_per_second);
}

void Controller::Impl::request_probe(Timestamp now, ProbeReason reason, double bits_per_second) {
  double most = std::min(wanted() * 1.1, static_cast<double>(config.max_bits_per_second));
  bits_per_second = std::min(bits_per_second, most);
  if (bits_per_second <= rate.sustained()) return;
  bool is_known = looks_for_more(reason) || reason == ProbeReason::kDemand || again > 0;
  double queued = bits_per_second / rate.sustained() - 1;  // Of each second of it.
  prober.request(
      now, reason, bits_per_second, queue.noise(),
      is_known ? Duration::from_seconds(kProbeQueueMax.as_seconds() / queued) : Duration::infinite());
  periodic_at = now + kPeriodicEvery * periodic_back_off;
  planned.reset();
  is_second = false;
}

void Controller::Impl::plan_probe(Timestamp now) {
  if (prober.is_busy(now) || rate.sustained() >= wanted()) return;
  if (!has_started) {
    has_started = true;
    return request_probe(now, ProbeReason::kStart, kStartProbe * rate.sustained());
  }
  if (planned && (rate.decreased_at() > planned->since || now - planned->since > kPeriodicEvery))
    planned.reset();
  bool is_calm = !rate.is_congested() && now - rate.decreased_at() > kAfterDecrease;
  if (!has_feedback || !is_calm) return;
  if (planned && now - planned->since >= kAgainAfter) {
    const Planned next = *std::exchange(planned, std::nullopt);
    if (next.bits_per_second > rate.sustained()) return request_probe(now, next.reason, next.bits_per_second);
  }
  if (now < periodic_at) return;
  begin_probes(now, ProbeReason::kPeriodic,
               rate.sustained() * (app.is_limited() ? kPeriodicProbeLimited : kPeriodicProbe));
}

void Controller::handle_remb(Timestamp now, std::uint64_t bits_per_second) {
  Impl& s = *impl_;
  s.remb = static_cast<double>(bits_per_second);
  s.remb_at = now;
  if (!s.has_feedback) s.rate.set(now, *s.remb);
  s.publish(now);
}

void Controller::handle_report(Timestamp now, double loss, std::optional<Duration> round_trip) {
  Impl& s = *impl_;
  if (round_trip) s.measure_round_trip(*round_trip);
  if (s.has_feedback) return s.publish(now);
  loss = loss >= 0 ? std::min(loss, 1.0) : 0;
  s.target.loss = loss;
  double followed = follow_report(s.rate.sustained(), loss);
  // Nobody knows what would come of more than is sent.
  if (followed > s.rate.sustained() && s.app.update(now, s.rate.sustained())) followed = s.rate.sustained();
  s.rate.set(now, followed);
  s.publish(now);
}

void Controller::handle_route_change(Timestamp now) {
  Impl& s = *impl_;
  s.former = s.rate.sustained();
  s.history.clear();
  s.arrived.clear();
  s.queue.clear();
  s.loss.clear();
  s.prober.cancel();
  s.planned.reset();
  s.unanswered_since.reset();
  s.back_off_at.reset();
  s.round_trip = Duration();
  s.raised_to = 0;
  s.periodic_back_off = 1;
  s.rate.set(now, std::min<double>(s.former, static_cast<double>(s.config.start_bits_per_second)));
  s.begin_probes(now, ProbeReason::kRecovery,
                 std::max(kRecoveryProbe * s.former, kStartProbe * s.rate.sustained()));
  s.publish(now);
}

void Controller::set_demand(Timestamp now, const Demand& demand) {
  Impl& s = *impl_;
  double before = s.demand ? s.wanted() : 0;
  s.demand = demand;
  if (s.has_feedback && s.wanted() > before * 1.05 && s.wanted() > s.rate.sustained() &&
      !s.rate.is_congested() && !s.prober.is_busy(now) && now - s.demand_probed_at >= kDemandEvery) {
    s.demand_probed_at = now;
    s.begin_probes(now, ProbeReason::kDemand, s.wanted());
  } else {
    s.plan_probe(now);
  }
  s.publish(now);
}

void Controller::handle_deadline(Timestamp now) {
  Impl& s = *impl_;
  if (now >= s.rate.next_deadline()) s.rate.advance(now, s.in_flight_bits());
  if (s.has_feedback && s.unanswered_since) {
    if (!s.back_off_at && now - *s.unanswered_since >= s.silence_max()) {
      s.former = s.rate.sustained();
      s.former_at = now;
      s.back_off_at = now;
    }
    if (s.back_off_at && now >= *s.back_off_at) {
      s.rate.back_off(now);
      s.back_off_at = now + kBackOffEvery;
    }
  }
  s.publish(now);
}

Timestamp Controller::next_deadline() const {
  const Impl& s = *impl_;
  Timestamp deadline = s.rate.next_deadline();
  if (s.back_off_at) {
    deadline = std::min(deadline, *s.back_off_at);
  } else if (s.has_feedback && s.unanswered_since) {
    deadline = std::min(deadline, *s.unanswered_since + s.silence_max());
  }
  if (s.remb) deadline = std::min(deadline, s.remb_at + kRembLife);
  return deadline;
}

std::optional<ProbeCluster> Controller::take_probe(Timestamp now) {
  Impl& s = *impl_;
  if (!s.has_started) s.plan_probe(now);
  return s.prober.take(now);
}

void Controller::Impl::publish(Timestamp now) {
  if (remb && now - remb_at >= kRembLife) remb.reset();
  double carried = rate.target();
  if (remb) carried = std::min(carried, *remb);
  carried = std::clamp(carried, static_cast<double>(config.min_bits_per_second),
                       static_cast<double>(config.max_bits_per_second));
  target.bits_per_second = static_cast<std::uint64_t>(carried);
  double factor = app.is_limited() && !rate.capacity() ? kPacingFactorLimited : kPacingFactor;
  double paced = rate.is_draining() ? std::min(rate.pacing(), carried) : carried * factor;
  target.pacing_bits_per_second = static_cast<std::uint64_t>(paced);
  target.round_trip = round_trip;
  if (has_feedback) target.loss = loss.loss();
  target.is_app_limited = app.is_limited();
  target.is_congested = rate.is_congested();
  target.is_told = has_feedback || remb.has_value();
  target.has_room = has_room(carried);
  target.is_silent = back_off_at.has_value();
}

}  // namespace stoa::bwe
