#include "proto/rtcp/nack_generator.h"

#include <algorithm>

#include "base/assert.h"

namespace stoa::rtcp {

NackGenerator::NackGenerator(const NackConfig& config)
    : config_(config), round_trip_(config.round_trip), reorder_wait_(config.wait_min) {
  STOA_ASSERT(config.missing_max > 0 && config.wait_min <= config.wait_max && config.retry_min > Duration());
}

std::vector<NackGenerator::Missing>::iterator NackGenerator::find(std::int64_t sequence) {
  auto found = std::lower_bound(missing_.begin(), missing_.end(), sequence,
                                [](const Missing& m, std::int64_t s) { return m.sequence < s; });
  return found != missing_.end() && found->sequence == sequence ? found : missing_.end();
}

void NackGenerator::handle_packet(Timestamp now, std::uint16_t sequence, PacketOrigin origin,
                                  NackOutputs& out) {
  if (origin != PacketOrigin::kFirstSent) {
    if (!extender_.is_started()) return;
    std::int64_t ahead = extend_sequence(extender_.highest(), sequence) - extender_.highest();
    if (ahead > 0 && ahead <= kDropoutMax) {
      add_gap(now, end_, extender_.place(sequence).extended, out);
      end_ = extender_.highest() + 1;
      return;
    }
    auto found = find(extender_.highest() + ahead);
    if (found == missing_.end()) return;
    if (origin == PacketOrigin::kRecovered) {
      ++stats_.recovered;
    } else {
      ++stats_.answered;
      reorder_wait_ = std::max(reorder_wait_ - reorder_wait_ / 16, config_.wait_min);
    }
    missing_.erase(found);
    return;
  }
  auto [step, extended] = extender_.place(sequence);
  switch (step) {
    case SequenceExtender::Step::kDoubted: return;
    case SequenceExtender::Step::kRestart: give_up_first(missing_.size(), out); [[fallthrough]];
    case SequenceExtender::Step::kFirst: break;
    case SequenceExtender::Step::kForward: add_gap(now, end_, extended, out); break;
    case SequenceExtender::Step::kLate: {
      auto found = find(extended);
      if (found == missing_.end()) return;
      // An answer takes a round trip. What comes sooner was on its way before it was asked for.
      bool is_answer = found->tries > 0 && now - found->asked >= round_trip_ / 2;
      ++(is_answer ? stats_.answered : stats_.reordered);
      if (!is_answer) learn_wait(now - found->noticed);
      missing_.erase(found);
      return;
    }
  }
  end_ = extended + 1;
}

void NackGenerator::add_gap(Timestamp now, std::int64_t first, std::int64_t end, NackOutputs& out) {
  if (first >= end) return;
  auto count = static_cast<std::size_t>(end - first);
  stats_.noticed += count;
  if (count > config_.missing_max) {
    std::size_t before = missing_.size();
    missing_.clear();
    stats_.given_up += before + count;
    out.push(GivenUp{before + count});
    return;
  }
  if (missing_.size() + count > config_.missing_max)
    give_up_first(missing_.size() + count - config_.missing_max, out);
  Timestamp due = now + reorder_wait_;
  for (std::int64_t sequence = first; sequence < end; ++sequence)
    missing_.push_back({sequence, now, due, now, 0});
  next_deadline_ = std::min(next_deadline_, due);
}

void NackGenerator::give_up_first(std::size_t count, NackOutputs& out) {
  if (count == 0) return;
  missing_.erase(missing_.begin(), missing_.begin() + static_cast<std::ptrdiff_t>(count));
  stats_.given_up += count;
  out.push(GivenUp{count});
}

void NackGenerator::learn_wait(Duration late_by) {
  if (late_by <= reorder_wait_) return;
  reorder_wait_ = std::min(late_by + late_by / 4, config_.wait_max);
}

Duration NackGenerator::retry_after() const {
  return std::max(round_trip_ + round_trip_ / 4, config_.retry_min);
}

void NackGenerator::handle_deadline(Timestamp now, NackOutputs& out) {
  NackWanted wanted;
  std::size_t given_up = 0;
  auto kept = missing_.begin();
  for (Missing& packet : missing_) {
    bool is_due = packet.due <= now;
    if (now - packet.noticed >= config_.lifetime || (is_due && packet.tries >= config_.tries_max)) {
      ++given_up;
      continue;
    }
    if (is_due) {
      ++packet.tries;
      packet.asked = now;
      packet.due = now + retry_after();
      wanted.sequences.push_back(static_cast<std::uint16_t>(packet.sequence));
    }
    *kept++ = packet;
  }
  missing_.erase(kept, missing_.end());
  update_deadline();
  if (!wanted.sequences.empty()) {
    stats_.requests += wanted.sequences.size();
    out.push(std::move(wanted));
  }
  if (given_up > 0) {
    stats_.given_up += given_up;
    out.push(GivenUp{given_up});
  }
}

void NackGenerator::update_deadline() {
  next_deadline_ = Timestamp::never();
  for (const Missing& packet : missing_)
    next_deadline_ = std::min({next_deadline_, packet.due, packet.noticed + config_.lifetime});
}

void NackGenerator::drop_before(std::uint16_t sequence) {
  if (!extender_.is_started()) return;
  std::int64_t before = extend_sequence(extender_.highest(), sequence);
  auto end =
      std::find_if(missing_.begin(), missing_.end(), [&](const Missing& m) { return m.sequence >= before; });
  stats_.given_up += static_cast<std::uint64_t>(end - missing_.begin());
  missing_.erase(missing_.begin(), end);
  update_deadline();
}

}  // namespace stoa::rtcp
