// The agent's own requests: paced checks, nominations, consent, and what the answers do.
#include <algorithm>

#include "base/assert.h"
#include "proto/ice/agent.h"
#include "proto/stun/writer.h"

namespace stoa::ice {
namespace {

// Over a reliable transport a request goes out once and waits as long as all repetitions would (RFC 8489
// §6.2.2).
constexpr int kReliableWait = 79;
// Consent checks that wait for an answer: one each interval until it expires, and some.
constexpr std::size_t kOutstandingConsentMax = 16;

}  // namespace

void Agent::handle_deadline(Timestamp now, Outputs& out) {
  if (now < deadline_) return;
  repeat_requests(now, out);
  if (now >= nomination_at_) consider_nomination(now);
  handle_consent(now, out);
  send_next_check(now, out);
  handle_failure(now, out);
  finish(now, out);
}

void Agent::repeat_requests(Timestamp now, Outputs& out) {
  std::vector<std::uint32_t> failed;
  for (std::size_t i = transactions_.size(); i-- > 0;) {
    Transaction& each = transactions_[i];
    switch (each.retransmission.handle_deadline(now)) {
      case stun::Retransmission::Step::kWait: break;
      case stun::Retransmission::Step::kSendAgain:
        if (each.is_cancelled) break;
        ++stats_.checks_sent;
        out.push(SendDatagram{each.path, each.request});
        break;
      case stun::Retransmission::Step::kGiveUp:
        if (!each.is_cancelled && !each.is_consent) failed.push_back(each.pair_id);
        transactions_.erase(transactions_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  for (std::uint32_t pair_id : failed) fail_pair(now, pair_id);
}

void Agent::fail_pair(Timestamp now, std::uint32_t pair_id) {
  Pair* pair = checklist_.find(pair_id);
  if (!pair) return;
  checklist_.fail(*pair);
  pair->is_valid = false;
  pair->is_to_be_nominated = false;
  if (nominating_pair_ == pair_id) nominating_pair_ = 0;
  consider_nomination(now);
}

void Agent::cancel_transactions(std::uint32_t pair_id) {
  for (Transaction& each : transactions_)
    if (each.pair_id == pair_id && !each.is_consent) each.is_cancelled = true;
}

stun::Retransmission::Config Agent::timing_of(const Path& path, bool is_consent) {
  if (is_consent) return {.rto = config_.consent_timeout, .requests_max = 1, .last_wait = 1};
  auto under_way = static_cast<std::int64_t>(checklist_.pending());
  Duration rto = std::max(config_.rto_min, config_.pace * under_way);
  const LocalCandidate* local = find_local(path.local);
  if (local && is_tcp(local->candidate.transport))
    return {.rto = config_.rto_min, .requests_max = 1, .last_wait = kReliableWait};
  return {.rto = rto, .requests_max = config_.requests_max, .last_wait = config_.last_wait};
}

void Agent::send_request(Timestamp now, const Path& path, const Pair* pair, bool is_nominating,
                         bool is_consent, Outputs& out) {
  bool is_current = !selected_ || !is_consent || selected_->generation == generation_;
  const Credentials& ours = is_current ? local_ : previous_local_;
  const Credentials& theirs = is_current ? remote_ : previous_remote_;
  const LocalCandidate* local = find_local(path.local);
  STOA_ASSERT(local && !theirs.ufrag.empty());
  auto preference = static_cast<std::uint16_t>(local->candidate.priority >> 8);
  std::uint32_t priority = candidate_priority(CandidateType::kPeerReflexive, preference);
  if (transactions_.size() >= 2 * config_.pairs_max + kOutstandingConsentMax) {
    auto gone = std::find_if(transactions_.begin(), transactions_.end(),
                             [](const Transaction& each) { return each.is_cancelled || each.is_consent; });
    transactions_.erase(gone == transactions_.end() ? transactions_.begin() : gone);
  }
  Transaction transaction{.id = stun::make_transaction_id(rng_),
                          .pair_id = pair ? pair->id : 0,
                          .path = path,
                          .generation = is_current ? generation_ : previous_generation_,
                          .role = role_,
                          .is_nominating = is_nominating,
                          .is_consent = is_consent,
                          .is_cancelled = false,
                          .request = {},
                          .retransmission = {timing_of(path, is_consent), now}};
  Buffer request = write_check(transaction.id, ours, theirs, role_, tie_breaker_, priority, is_nominating);
  if (!is_consent) transaction.request = request;
  transactions_.push_back(std::move(transaction));
  ++stats_.checks_sent;
  out.push(SendDatagram{path, std::move(request)});
}

void Agent::send_next_check(Timestamp now, Outputs& out) {
  if (remote_.ufrag.empty() || now < next_check_at_) return;
  Pair* pair = checklist_.take_next(is_settled());
  if (!pair) return;
  cancel_transactions(pair->id);
  bool is_nominating = role_ == Role::kControlling && pair->is_to_be_nominated;
  send_request(now, pair->path, pair, is_nominating, false, out);
  next_check_at_ = now + config_.pace;
}

Result<void, Refusal> Agent::handle_answer(Timestamp now, const Path& path, const stun::Message& answer,
                                           Outputs& out) {
  auto found = std::find_if(transactions_.begin(), transactions_.end(),
                            [&](const Transaction& each) { return each.id == answer.transaction_id(); });
  if (found == transactions_.end()) return refuse(Refusal::kUnknownAnswer);
  const Credentials& theirs = found->generation == generation_ ? remote_ : previous_remote_;
  // Without a code it may be from anybody; if it was the peer who did not know us yet, repetition will help.
  if (!answer.has_integrity()) return refuse(Refusal::kNoIntegrity);
  if (!answer.check_integrity(as_bytes(theirs.password))) return refuse(Refusal::kBadIntegrity);
  Transaction done = std::move(*found);
  transactions_.erase(found);
  bool is_error = answer.message_class() == stun::MessageClass::kError;
  if (is_error && path == done.path) {
    auto error = answer.find_error();
    handle_error(now, done, error ? error->code : stun::error::kBadRequest);
    return {};
  }
  bool is_understood = !is_error && answer.has(stun::AttributeType::kXorMappedAddress) &&
                       answer.unknown_attributes(std::span<const stun::AttributeType>()).empty();
  if (path != done.path || !is_understood) {
    if (!done.is_consent && !done.is_cancelled) fail_pair(now, done.pair_id);
    return refuse(path != done.path ? Refusal::kAsymmetricAnswer : Refusal::kMalformedCheck);
  }
  handle_success(now, done, path, out);
  return {};
}

void Agent::handle_success(Timestamp now, const Transaction& done, const Path& path, Outputs& out) {
  if (selected_ && selected_->path == path && selected_->generation == done.generation) {
    selected_->answered_at = now;
    if (is_looking_) {
      is_looking_ = false;
      out.push(PathSelected{path});
    }
  }
  Pair* pair = done.is_consent ? nullptr : checklist_.find(done.pair_id);
  if (!pair) return;
  // A later check of this pair, begun when this one was cancelled, stays under way only if it says more.
  bool says_less =
      done.is_cancelled && !done.is_nominating && pair->is_to_be_nominated && role_ == Role::kControlling;
  if (!says_less) {
    cancel_transactions(pair->id);
    checklist_.succeed(*pair);
  }
  announce(path, out);
  if (first_valid_at_ == Timestamp::never()) first_valid_at_ = now;
  if (role_ == Role::kControlling) {
    if (done.is_nominating && done.role == role_) {
      if (nominating_pair_ == pair->id) nominating_pair_ = 0;
      pair->is_to_be_nominated = false;
      select(now, *pair, out);
    }
  } else if (pair->is_to_be_nominated) {
    handle_nomination(now, *pair, out);
  }
  consider_nomination(now);
}

void Agent::consider_nomination(Timestamp now) {
  nomination_at_ = Timestamp::never();
  if (role_ != Role::kControlling || is_settled() || nominating_pair_ != 0) return;
  Pair* best = checklist_.best_valid();
  if (!best) return;
  Timestamp at_last = first_valid_at_ + config_.nomination_wait;
  if (now < at_last && checklist_.has_pending_above(best->priority)) {
    nomination_at_ = at_last;
    return;
  }
  best->is_to_be_nominated = true;
  nominating_pair_ = best->id;
  checklist_.trigger(*best);
}

void Agent::select(Timestamp now, const Pair& pair, Outputs& out) {
  bool is_new = !selected_ || selected_->path != pair.path;
  if (has_been_selected_ && is_new) ++stats_.path_changes;
  has_been_selected_ = true;
  is_looking_ = false;
  if (first_nomination_ == Timestamp::never()) first_nomination_ = now;
  failure_at_ = Timestamp::never();
  nomination_at_ = Timestamp::never();
  selected_ = Selected{pair.path, generation_, now, now};
  selected_->next_consent = now + config_.consent_interval * 8 / 10;
  if (generation_ != previous_generation_) {
    previous_local_ = {};
    previous_remote_ = {};
    previous_generation_ = 0;
  }
  out.push(PathSelected{pair.path});
}

void Agent::lose_selected(Timestamp now, Outputs& out) {
  selected_.reset();
  out.push(PathLost{});
  look_for_another(now);
}

void Agent::look_for_another(Timestamp now) {
  for (Transaction& each : transactions_)
    if (!each.is_consent) each.is_cancelled = true;
  checklist_.recheck();
  nominating_pair_ = 0;
  first_valid_at_ = nomination_at_ = Timestamp::never();
  is_looking_ = selected_.has_value();
  next_check_at_ = std::max(next_check_at_, now);
}

void Agent::send_consent_check(Timestamp now, Outputs& out) {
  // RFC 7675 §5.1: drawn anew each time, so that agents do not fall into step.
  auto jitter = static_cast<std::int64_t>(rng_.below(401));
  selected_->next_consent = now + config_.consent_interval * (800 + jitter) / 1000;
  bool is_current = selected_->generation == generation_;
  if (is_current ? remote_.ufrag.empty() : selected_->generation != previous_generation_) return;
  Pair* pair = is_current ? checklist_.find(selected_->path) : nullptr;
  bool is_nominating = is_current && role_ == Role::kControlling;
  send_request(now, selected_->path, pair, is_nominating, true, out);
}

void Agent::handle_consent(Timestamp now, Outputs& out) {
  if (!selected_) return;
  if (now - selected_->answered_at >= config_.consent_timeout) {
    bool is_restarting = selected_->generation != generation_;
    lose_selected(now, out);
    if (is_restarting) {
      failure_at_ = now + config_.patience;
      return;
    }
    out.push(Failed{Failure::kConsentExpired});
    failure_at_ = Timestamp::never();
    return;
  }
  if (is_settled() && now - selected_->answered_at >= config_.silence) {
    out.push(PathSilent{});
    look_for_another(now);
  }
  if (now >= selected_->next_consent) send_consent_check(now, out);
}

void Agent::handle_failure(Timestamp now, Outputs& out) {
  if (selected_ || now < failure_at_ || checklist_.has_pending()) return;
  failure_at_ = Timestamp::never();
  out.push(Failed{has_been_selected_ ? Failure::kConsentExpired : Failure::kNoPath});
}

}  // namespace stoa::ice
