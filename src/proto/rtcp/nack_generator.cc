#include "proto/rtcp/nack_generator.h"

#include <algorithm>

#include "base/assert.h"

namespace stoa::rtcp {

NackGenerator::NackGenerator(const NackConfig& config)
    : config_(config), round_trip_(config.round_trip), reorder_wait_(config.wait_min) {
  STOA_ASSERT(config.missing_max > 0 && config.wait_min <= config.wait_max && config.retry_min > Duration() &&
              config.lifetime <= config.lifetime_max);
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
      handle_answer(now, *found);
    }
    missing_.erase(found);
    return;
  }
  auto [step, extended] = extender_.place(sequence);
  switch (step) {
    case SequenceExtender::Step::kDoubted: return;
    case SequenceExtender::Step::kRestart: give_up_first(missing_.size(), extended - 1, out); [[fallthrough]];
    case SequenceExtender::Step::kFirst: break;
    case SequenceExtender::Step::kForward: add_gap(now, end_, extended, out); break;
    case SequenceExtender::Step::kLate: {
      auto found = find(extended);
      if (found == missing_.end()) return;
      // An answer takes a round trip: what comes sooner was on its way before it was asked for. Who does not
      // know the round trip takes for an answer what comes later than anybody waits for reordered packets.
      const bool is_late = round_trip_from_ == RoundTripFrom::kOwner
                               ? now - found->asked >= round_trip_ / 2
                               : now - found->noticed > config_.wait_max;
      if (found->tries > 0 && is_late) {
        handle_answer(now, *found);
      } else {
        ++stats_.reordered;
        learn_wait(now - found->noticed);
      }
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
    out.push(GivenUp{before + count, static_cast<std::uint16_t>(end - 1)});
    return;
  }
  if (missing_.size() + count > config_.missing_max) {
    const std::size_t excess = missing_.size() + count - config_.missing_max;
    give_up_first(excess, missing_[excess - 1].sequence, out);
  }
  Timestamp due = now + reorder_wait_;
  for (std::int64_t sequence = first; sequence < end; ++sequence)
    missing_.push_back({sequence, now, due, now, now, 0});
  next_deadline_ = std::min(next_deadline_, due);
}

void NackGenerator::give_up_first(std::size_t count, std::int64_t newest, NackOutputs& out) {
  if (count == 0) return;
  missing_.erase(missing_.begin(), missing_.begin() + static_cast<std::ptrdiff_t>(count));
  stats_.given_up += count;
  out.push(GivenUp{count, static_cast<std::uint16_t>(newest)});
}

void NackGenerator::set_round_trip(Duration round_trip) {
  round_trip_ = round_trip;
  round_trip_from_ = RoundTripFrom::kOwner;
  hasten_deadline();
}

// Of a packet that was asked for several times nobody knows which request was answered, and while the round
// trip is thought to be too short all are: the first is taken then, which asks rather too seldom. No more
// than three quarters of the lifetime is learned: else no time to ask would be left, and so no answer to
// learn better from.
void NackGenerator::handle_answer(Timestamp now, const Missing& packet) {
  ++stats_.answered;
  reorder_wait_ = std::max(reorder_wait_ - reorder_wait_ / 16, config_.wait_min);
  if (packet.tries == 0 || round_trip_from_ == RoundTripFrom::kOwner) return;
  const Duration taken = std::min(now - packet.first_asked, config_.lifetime_max * 3 / 4);
  if (packet.tries == 1) {
    round_trip_ =
        round_trip_from_ == RoundTripFrom::kAnswers ? round_trip_ + (taken - round_trip_) / 8 : taken;
    round_trip_from_ = RoundTripFrom::kAnswers;
  } else if (taken > round_trip_) {
    if (round_trip_from_ == RoundTripFrom::kAnswers) {
      round_trip_ += (taken - round_trip_) / 8;
    } else {
      round_trip_ = taken;
      round_trip_from_ = RoundTripFrom::kRepeats;
    }
  }
  hasten_deadline();
}

void NackGenerator::learn_wait(Duration late_by) {
  if (late_by <= reorder_wait_) return;
  reorder_wait_ = std::min(late_by + late_by / 4, config_.wait_max);
}

// A round trip that nobody measures may be longer by now: the answer gets more time with each request.
Duration NackGenerator::retry_after(int tries) const {
  const Duration once = std::max(round_trip_ + round_trip_ / 4, config_.retry_min);
  return round_trip_from_ == RoundTripFrom::kOwner ? once : once * tries;
}

Duration NackGenerator::lifetime() const {
  return std::max(config_.lifetime, std::min(round_trip_ * 5 / 2, config_.lifetime_max));
}

void NackGenerator::handle_deadline(Timestamp now, NackOutputs& out, bool may_ask) {
  NackWanted wanted;
  GivenUp given_up;
  auto kept = missing_.begin();
  for (Missing& packet : missing_) {
    const Duration age = now - packet.noticed;
    const bool is_due = packet.due <= now;
    const bool is_of_use = packet.tries < config_.tries_max && age + round_trip_ <= lifetime();
    if (age >= lifetime() || (is_due && !is_of_use)) {
      ++given_up.packets;
      given_up.newest = static_cast<std::uint16_t>(packet.sequence);
      continue;
    }
    if (is_due && !may_ask) {
      packet.due = now + retry_after(1);
    } else if (is_due) {
      if (packet.tries++ == 0) packet.first_asked = now;
      packet.asked = now;
      packet.due = now + retry_after(packet.tries);
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
  if (given_up.packets > 0) {
    stats_.given_up += given_up.packets;
    out.push(given_up);
  }
}

void NackGenerator::update_deadline() {
  next_deadline_ = Timestamp::never();
  for (const Missing& packet : missing_)
    next_deadline_ = std::min({next_deadline_, packet.due, packet.noticed + lifetime()});
}

// After the lifetime became shorter: what is first was noticed first.
void NackGenerator::hasten_deadline() {
  if (!missing_.empty()) next_deadline_ = std::min(next_deadline_, missing_.front().noticed + lifetime());
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
