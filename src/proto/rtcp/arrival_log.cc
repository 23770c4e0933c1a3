#include "proto/rtcp/arrival_log.h"

#include <algorithm>

#include "base/assert.h"

namespace stoa::rtcp {
namespace {

constexpr auto kWindow = static_cast<std::int64_t>(kArrivalWindow);
constexpr std::size_t kFeedbackBytesMin = 64;  // Below this no packet is begun.
constexpr std::size_t kCongestionHeaderBytes = 12, kCongestionReportBytes = 8;

}  // namespace

void ArrivalWindow::start(std::int64_t sequence) {
  ring_.assign(kArrivalWindow, Arrival{});
  untold_ = sequence;
  end_ = sequence + 1;
}

bool ArrivalWindow::handle_packet(Timestamp now, std::uint16_t sequence, Ecn ecn) {
  auto [step, extended] = extender_.place(sequence);
  switch (step) {
    case SequenceExtender::Step::kDoubted: return false;
    case SequenceExtender::Step::kFirst:
    case SequenceExtender::Step::kRestart: start(extended); break;
    case SequenceExtender::Step::kForward:
      if (extended - end_ >= kWindow) {
        start(extended);
        break;
      }
      for (; end_ <= extended; ++end_) ring_[index_of(end_)] = Arrival{};
      untold_ = std::max(untold_, end_ - kWindow);
      break;
    case SequenceExtender::Step::kLate:
      if (extended < end_ - kArrivalLateMax) {
        ++too_late_;
        return false;
      }
      if (ring_[index_of(extended)].at != Timestamp::never()) return false;
      untold_ = std::min(untold_, extended);
      break;
  }
  ring_[index_of(extended)] = {now, ecn};
  return true;
}

FeedbackPace::FeedbackPace(const FeedbackConfig& config)
    : interval_(config.interval),
      interval_max_(std::max(config.interval, config.interval_max)),
      packets_max_(config.packets_max) {
  STOA_ASSERT(config.packets_max > 0);
}

void FeedbackPace::handle_packet(Timestamp now, std::size_t bytes) {
  if (packets_++ == 0) first_ = now;
  bytes_ += bytes;
  const bool is_worth_it = bytes_ >= kFeedbackDatagramBytes * kFeedbackShare;
  const Timestamp due = packets_ >= packets_max_ ? now : first_ + (is_worth_it ? interval_ : interval_max_);
  due_ = std::min(due_, std::max(due, now));
}

bool ArrivalLog::handle_packet(Timestamp now, std::uint16_t transport_sequence, std::size_t bytes) {
  if (!window_.handle_packet(now, transport_sequence)) return false;
  pace_.handle_packet(now, bytes);
  return true;
}

bool ArrivalLog::leaves_out_loss() {
  if (!config_.leaves_out_loss) return false;
  const Timestamp now = window_[window_.end() - 1].at;
  if (overflowed_at_ && now - *overflowed_at_ < kLossLeftOutEvery)
    return now - *overflowed_at_ < kLossLeftOut;
  std::int64_t missing = 0;
  for (std::int64_t sequence = window_.untold(); sequence < window_.end(); ++sequence)
    missing += window_[sequence].at == Timestamp::never();
  if (missing < kLossMany || missing * 2 <= window_.end() - window_.untold()) return false;
  overflowed_at_ = now;
  return true;
}

bool ArrivalLog::write_feedback(std::uint32_t sender_ssrc, std::uint32_t media_ssrc, Writer& writer) {
  std::size_t limit = std::min(writer.remaining(), config_.packet_bytes_max);
  if (!has_news() || limit < kFeedbackBytesMin) return false;
  if (!is_left_out_) is_left_out_ = leaves_out_loss();
  const bool leaves_out = *is_left_out_;
  std::int64_t first = window_.untold();
  while (leaves_out && window_[first].at == Timestamp::never()) ++first;
  std::int64_t told = first;
  TransportFeedbackBuilder builder(static_cast<std::uint16_t>(first), limit);
  for (std::int64_t sequence = first; sequence < window_.end(); ++sequence) {
    Timestamp at = window_[sequence].at;
    if (at == Timestamp::never() && leaves_out) break;
    if (at == Timestamp::never()) continue;
    if (!builder.add(static_cast<std::size_t>(sequence - told), at)) break;
    told = sequence + 1;
  }
  bool is_written = builder.write(sender_ssrc, media_ssrc, feedback_count_, writer);
  STOA_ASSERT(is_written);
  ++feedback_count_;
  window_.set_told(told);
  if (!has_news()) {
    is_left_out_.reset();
    pace_.handle_told();
  }
  return true;
}

bool CongestionLog::handle_packet(Timestamp now, std::uint32_t ssrc, std::uint16_t sequence, Ecn ecn,
                                  std::size_t bytes) {
  auto found =
      std::find_if(sources_.begin(), sources_.end(), [&](const Source& s) { return s.ssrc == ssrc; });
  if (found == sources_.end()) {
    if (sources_.size() >= kCongestionSourcesMax) return false;
    found = sources_.insert(found, Source{ssrc, {}});
  }
  if (!found->window.handle_packet(now, sequence, ecn)) return false;
  pace_.handle_packet(now, bytes);
  return true;
}

void CongestionLog::drop_source(std::uint32_t ssrc) {
  std::erase_if(sources_, [&](const Source& s) { return s.ssrc == ssrc; });
  if (!has_news()) pace_.handle_told();
}

bool CongestionLog::has_news() const {
  return std::any_of(sources_.begin(), sources_.end(), [](const Source& s) { return s.window.has_news(); });
}

bool CongestionLog::write_feedback(Timestamp now, NtpTime ntp, std::uint32_t sender_ssrc, Writer& writer) {
  std::size_t left = std::min(writer.remaining(), config_.packet_bytes_max) / 4 * 4;
  if (!has_news() || left < kFeedbackBytesMin) return false;
  left -= kCongestionHeaderBytes;
  std::vector<PacketMetric> metrics;
  metrics.reserve(left / PacketMetric::kBytes);  // So that the spans below stay where they are.
  std::vector<CongestionReportOut> reports;
  for (Source& source : sources_) {
    ArrivalWindow& window = source.window;
    if (!window.has_news() || left < kCongestionReportBytes + 4) continue;
    std::size_t place = (left - kCongestionReportBytes) / PacketMetric::kBytes;
    std::int64_t first = window.untold();
    std::int64_t end = std::min(window.end(), first + static_cast<std::int64_t>(place));
    std::size_t begin = metrics.size();
    for (std::int64_t sequence = first; sequence < end; ++sequence) {
      const auto& [at, ecn] = window[sequence];
      bool is_received = at != Timestamp::never();
      metrics.push_back(is_received ? PacketMetric{true, ecn, PacketMetric::offset_of(now - at)}
                                    : PacketMetric{});
    }
    window.set_told(end);
    std::span<const PacketMetric> told = std::span(metrics).subspan(begin);
    reports.push_back({source.ssrc, static_cast<std::uint16_t>(first), told});
    left -= kCongestionReportBytes + (told.size() + 1) / 2 * 4;
  }
  bool is_written = writer.write_congestion_feedback(sender_ssrc, reports, ntp.compact());
  STOA_ASSERT(is_written);
  if (!has_news()) pace_.handle_told();
  return true;
}

}  // namespace stoa::rtcp
