#include "session/webrtc/congestion.h"

#include <algorithm>

#include "proto/rtcp/limits.h"

namespace stoa::webrtc {
namespace {

bool is_news(const bwe::Target& target, const bwe::Target& told) {
  const std::uint64_t before = told.bits_per_second, now = target.bits_per_second;
  const std::uint64_t change = now > before ? now - before : before - now;
  return change * 100 > before * kToldPercent || target.is_congested != told.is_congested ||
         target.is_told != told.is_told || target.is_silent != told.is_silent;
}

}  // namespace

void Congestion::handle_sent(Timestamp now, std::size_t bytes) {
  const std::uint32_t on_wire = static_cast<std::uint32_t>(bytes) + kDatagramOverheadBytes;
  bwe::SentPacket packet{.sequence = next_++, .bytes = on_wire};
  if (probe_) {
    packet.probe = probe_->cluster.id;
    probe_->bytes += on_wire;
    ++probe_->packets;
  }
  controller_.handle_sent(now, packet);
}

Congestion::Numbers* Congestion::find_numbers(std::uint32_t ssrc) {
  for (Numbers& numbers : numbers_)
    if (numbers.ssrc == ssrc) return &numbers;
  return nullptr;
}

void Congestion::note_number(std::uint32_t ssrc, std::uint16_t sequence) {
  Numbers* numbers = find_numbers(ssrc);
  if (numbers == nullptr) {
    if (numbers_.size() == rtcp::kCongestionSourcesMax) return;
    numbers = &numbers_.emplace_back(Numbers{ssrc, std::vector<Numbers::Sent>(Numbers::kKept)});
  }
  numbers->sent[sequence % Numbers::kKept] = {next_, sequence, sends_ecn_};
}

void Congestion::handle_feedback(Timestamp now, const rtcp::CongestionFeedback& feedback) {
  constexpr std::int64_t kTicks = 65'536;  // Of compact NTP, a second.
  const std::int64_t before = report_time_.value_or(feedback.report_time);
  const auto step = static_cast<std::int32_t>(feedback.report_time - static_cast<std::uint32_t>(before));
  if (!report_time_) sends_ecn_ = may_send_ecn_;
  report_time_ = before + step;
  const Duration reported_at = Duration::from_ticks(*report_time_, kTicks);
  std::vector<Scratch::Told>& told = scratch_->told_of_;
  told.clear();
  rtcp::CongestionReports reports = feedback.reports();
  while (const auto report = reports.next()) {
    const Numbers* numbers = find_numbers(report->ssrc);
    if (numbers == nullptr) continue;
    std::uint16_t sequence = report->first_sequence;
    for (const rtcp::PacketMetric metric : report->metrics) {
      const Numbers::Sent& sent = numbers->sent[sequence % Numbers::kKept];
      const auto age = metric.age();
      // That it came, but not when, is of no use.
      const bool is_ours = sent.sequence == sequence++ && sent.of_all > 0;
      if (is_ours && sent.has_ecn && metric.is_received) note_ecn(metric.ecn);
      if (is_ours && metric.is_received == age.has_value())
        told.push_back({.sequence = sent.of_all,
                        .at = age ? std::optional(reported_at - *age) : std::nullopt,
                        .is_marked = metric.ecn == Ecn::kCongestion});
    }
  }
  std::ranges::sort(told, {}, &Scratch::Told::sequence);
  tell_runs(now);
}

void Congestion::note_ecn(Ecn ecn) {
  unmarked_ = ecn == Ecn::kNotCapable ? unmarked_ + 1 : 0;
  if (unmarked_ < kBleachedPackets) return;
  sends_ecn_ = may_send_ecn_ = false;
}

// The streams' reports together may leave holes, of streams that they do not speak of.
void Congestion::tell_runs(Timestamp now) {
  const std::vector<Scratch::Told>& told = scratch_->told_of_;
  std::vector<bwe::Arrival>& arrivals = scratch_->arrivals_;
  for (std::size_t i = 0; i < told.size();) {
    arrivals.clear();
    const std::int64_t first = told[i].sequence;
    std::uint32_t count = 0;
    for (; i < told.size() && told[i].sequence <= first + count; ++i) {
      if (told[i].sequence < first + count) continue;  // Twice.
      ++count;
      if (told[i].at) arrivals.push_back({told[i].sequence, *told[i].at, told[i].is_marked});
    }
    controller_.handle_feedback(now, {.first_sequence = first, .count = count, .arrivals = arrivals});
  }
}

void Congestion::handle_feedback(Timestamp now, const rtcp::TransportFeedback& feedback) {
  if (report_time_) return;
  const rtcp::FeedbackTimeline::Placed placed = timeline_.place(feedback);
  // The number nearest before the next one: nobody has seen what was not sent.
  const std::int64_t newest = next_ - 1;
  const auto behind = static_cast<std::uint16_t>(static_cast<std::uint16_t>(newest) -
                                                 static_cast<std::uint16_t>(feedback.first_sequence));
  const std::int64_t first = newest - behind;
  std::vector<bwe::Arrival>& arrivals = scratch_->arrivals_;
  arrivals.clear();
  for (rtcp::FeedbackArrivals walk = feedback.arrivals(); const auto arrival = walk.next();)
    arrivals.push_back(
        {.sequence = first + arrival->index, .at = placed.reference + arrival->since_reference});
  controller_.handle_feedback(
      now, {.first_sequence = first, .count = feedback.status_count, .arrivals = arrivals});
}

bool Congestion::update(Timestamp now, bwe::Pacer& pacer, bool can_pad) {
  const bwe::Target& target = controller_.target();
  if (target.is_congested) trial_until_ = Timestamp();
  pacer.set_rate(target.pacing_bits_per_second);
  pacer.set_room(target.has_room);
  const auto cluster = controller_.take_probe(now);
  if (!cluster) return false;
  if (!can_pad && !target.is_congested) {
    if (now >= trial_until_) {
      trial_bits_per_second_ = cluster->bits_per_second;
      trial_from_ = now;
      trial_until_ = now + kTrialMax;
    }
    if (now - trial_from_ < kTrialStart) return false;
  }
  probe_ = {.cluster = *cluster, .begun_at = now};
  pacer.set_probe(now, std::max(cluster->bits_per_second, target.pacing_bits_per_second));
  return true;
}

void Congestion::finish_probe(Timestamp now, bwe::Pacer& pacer) {
  if (!probe_) return;
  const bool is_complete =
      probe_->bytes >= probe_->cluster.bytes_min && probe_->packets >= probe_->cluster.packets_min;
  if (!is_complete && now - probe_->begun_at < kProbeTimeout) return;
  trial_until_ = std::min(trial_until_, now + kTrialAnswer);
  probe_.reset();
  pacer.set_probe(now, std::nullopt);
}

std::optional<bwe::Target> Congestion::take_news(Timestamp now) {
  bwe::Target target = controller_.target();
  if (now < trial_until_) target.bits_per_second = std::max(target.bits_per_second, trial_bits_per_second_);
  if (has_told_ && now - told_at_ < kToldInterval && !is_news(target, told_)) return std::nullopt;
  has_told_ = true;
  told_ = target;
  told_at_ = now;
  return target;
}

}  // namespace stoa::webrtc
