#include "proto/ice/agent.h"

#include <algorithm>

#include "base/assert.h"

namespace stoa::ice {
namespace {

// More changes than this and somebody plays with us: the tie-breakers settle it in one.
constexpr std::uint64_t kRoleChangesMax = 8;

Role other(Role role) { return role == Role::kControlling ? Role::kControlled : Role::kControlling; }

}  // namespace

Agent::Agent(const AgentConfig& config, Credentials local, Rng rng, Timestamp now)
    : config_(config),
      local_(std::move(local)),
      rng_(rng),
      role_(config.role),
      tie_breaker_(rng_.next()),
      checklist_(config.pairs_max),
      next_check_at_(now) {
  STOA_ASSERT(local_.is_valid() && config_.pairs_max > 0);
}

Refusal Agent::count(Refusal refusal) {
  ++stats_.refusals[static_cast<std::size_t>(refusal)];
  return refusal;
}

LocalCandidate* Agent::find_local(std::uint32_t local) {
  auto found = std::find_if(locals_.begin(), locals_.end(),
                            [&](const LocalCandidate& candidate) { return candidate.local == local; });
  return found == locals_.end() ? nullptr : &*found;
}

bool Agent::can_pair(const LocalCandidate& local, const RemoteCandidate& remote) const {
  if (is_tcp(local.candidate.transport) != is_tcp(remote.transport)) return false;
  if (local.peer) return *local.peer == remote.address;
  const IpAddress& ours = local.candidate.address.ip;
  const IpAddress& theirs = remote.address.ip;
  return !is_tcp(local.candidate.transport) && ours.family() == theirs.family() &&
         (!ours.is_v6() || ours.is_link_local() == theirs.is_link_local());
}

Pair* Agent::add_pair(const LocalCandidate& local, const RemoteCandidate& remote) {
  return checklist_.add({local.local, remote.address}, local.candidate.transport, local.candidate.priority,
                        remote.priority, local.candidate.foundation + " " + remote.foundation, role_);
}

Result<void, Refusal> Agent::add_local_candidate(Timestamp now, LocalCandidate candidate, Outputs& out) {
  bool is_base =
      candidate.candidate.type == CandidateType::kHost || candidate.candidate.type == CandidateType::kRelayed;
  bool can_reach = !is_tcp(candidate.candidate.transport) || candidate.peer;
  if (!is_base || !can_reach || !candidate.candidate.address.is_set() || find_local(candidate.local))
    return refuse(count(Refusal::kBadCandidate));
  if (locals_.size() == config_.local_candidates_max) return refuse(count(Refusal::kTooManyCandidates));
  locals_.push_back(std::move(candidate));
  for (const RemoteCandidate& remote : remotes_)
    if (can_pair(locals_.back(), remote)) add_pair(locals_.back(), remote);
  next_check_at_ = std::max(next_check_at_, now);
  finish(now, out);
  return {};
}

void Agent::remove_local_candidate(Timestamp now, std::uint32_t local, Outputs& out) {
  std::erase_if(locals_, [&](const LocalCandidate& candidate) { return candidate.local == local; });
  std::erase_if(transactions_, [&](const Transaction& each) { return each.path.local == local; });
  checklist_.erase_if([&](const Pair& pair) { return pair.path.local == local; },
                      [&](const Pair& pair) {
                        if (nominating_pair_ == pair.id) nominating_pair_ = 0;
                      });
  if (selected_ && selected_->path.local == local) {
    lose_selected(now, out);
    failure_at_ = now + config_.consent_timeout;
  }
  consider_nomination(now);
  finish(now, out);
}

void Agent::set_remote_credentials(Timestamp now, Credentials remote, Outputs& out) {
  STOA_ASSERT(remote.is_valid());
  if (remote == remote_) return;
  remote_ = std::move(remote);
  if (!selected_) failure_at_ = now + config_.patience;
  next_check_at_ = std::max(next_check_at_, now);
  finish(now, out);
}

Result<void, Refusal> Agent::add_remote_candidate(Timestamp now, const Candidate& candidate, Outputs& out) {
  if (candidate.component != 1) return {};
  if (!candidate.ufrag.empty() && !remote_.ufrag.empty() && candidate.ufrag != remote_.ufrag) return {};
  const IpAddress& ip = candidate.address.ip;
  if (!ip.is_set() || ip.is_any() || ip.is_multicast() || candidate.address.port == 0)
    return refuse(count(Refusal::kBadCandidate));
  auto known = std::find_if(remotes_.begin(), remotes_.end(), [&](const RemoteCandidate& remote) {
    return remote.address == candidate.address && is_tcp(remote.transport) == is_tcp(candidate.transport);
  });
  if (known != remotes_.end()) {
    // Learned by a check that overtook the signalling: now we know its rank.
    known->is_learned = false;
    known->priority = candidate.priority;
    checklist_.set_remote(candidate.address, candidate.priority, role_);
  } else {
    if (remotes_.size() == config_.remote_candidates_max) return refuse(count(Refusal::kTooManyCandidates));
    remotes_.push_back(
        {candidate.address, candidate.transport, candidate.priority, candidate.foundation, false});
    for (const LocalCandidate& local : locals_)
      if (can_pair(local, remotes_.back())) add_pair(local, remotes_.back());
    next_check_at_ = std::max(next_check_at_, now);
  }
  finish(now, out);
  return {};
}

void Agent::restart(Timestamp now, Credentials local, Outputs& out) {
  STOA_ASSERT(local.is_valid() && local.ufrag != local_.ufrag);
  if (!selected_ || selected_->generation != previous_generation_) {
    previous_local_ = local_;
    previous_remote_ = remote_;
    previous_generation_ = generation_;
  }
  ++generation_;
  local_ = std::move(local);
  remote_ = {};
  remotes_.clear();
  checklist_.erase_if([](const Pair&) { return true; }, [](const Pair&) {});
  std::erase_if(transactions_, [](const Transaction& each) { return !each.is_consent; });
  for (Transaction& each : transactions_) each.pair_id = 0;
  nominating_pair_ = 0;
  is_looking_ = false;
  first_valid_at_ = first_nomination_ = nomination_at_ = failure_at_ = Timestamp::never();
  finish(now, out);
}

Result<void, Refusal> Agent::handle_datagram(Timestamp now, const Path& path, Bytes datagram, Outputs& out) {
  auto message = stun::Message::parse(datagram);
  if (!message) return refuse(count(Refusal::kNotStun));
  if (message->method() != stun::Method::kBinding) return refuse(count(Refusal::kNotBinding));
  Result<void, Refusal> handled;
  switch (message->message_class()) {
    case stun::MessageClass::kRequest: handled = handle_request(now, path, *message, out); break;
    case stun::MessageClass::kIndication: break;
    default: handled = handle_answer(now, path, *message, out);
  }
  if (!handled) count(handled.error());
  finish(now, out);
  return handled;
}

Result<void, Refusal> Agent::handle_request(Timestamp now, const Path& path, const stun::Message& request,
                                            Outputs& out) {
  if (!find_local(path.local)) return refuse(Refusal::kBadCandidate);
  auto check = parse_check(request, local_, remote_.ufrag);
  bool is_current = true;
  if (!check && check.error().refusal == Refusal::kWrongUsername && !previous_local_.ufrag.empty()) {
    check = parse_check(request, previous_local_, previous_remote_.ufrag);
    is_current = false;
  }
  if (!check) {
    if (!check.error().answer.empty()) out.push(SendDatagram{path, std::move(check.error().answer)});
    return refuse(check.error().refusal);
  }
  ++stats_.checks_received;
  if (!is_current) {
    out.push(SendDatagram{path, write_success(request, path.remote, previous_local_)});
    return {};
  }
  if (auto resolved = resolve_roles(path, request, *check, out); !resolved) return resolved;
  out.push(SendDatagram{path, write_success(request, path.remote, local_)});
  handle_current_check(now, path, *check, out);
  return {};
}

Result<void, Refusal> Agent::resolve_roles(const Path& path, const stun::Message& request, const Check& check,
                                           Outputs& out) {
  if (check.role != role_) return {};
  // RFC 8445 §7.3.1.1: the larger number controls, and an equal one is ours to win.
  bool we_win = tie_breaker_ >= check.tie_breaker;
  bool we_switch = role_ == Role::kControlling ? !we_win : we_win;
  if (!we_switch) {
    out.push(SendDatagram{path, write_error(request, stun::error::kRoleConflict, local_)});
    return refuse(Refusal::kRoleConflict);
  }
  switch_role(other(role_));
  return {};
}

void Agent::switch_role(Role role) {
  ++stats_.role_changes;
  role_ = role;
  nominating_pair_ = 0;
  nomination_at_ = Timestamp::never();
  checklist_.forget_nominations();
  checklist_.set_role(role);
}

Agent::RemoteCandidate* Agent::learn_remote(const Path& path, const Check& check, Transport transport) {
  for (RemoteCandidate& remote : remotes_)
    if (remote.address == path.remote && is_tcp(remote.transport) == is_tcp(transport)) return &remote;
  if (remotes_.size() == config_.remote_candidates_max) {
    // The one learned first that leads nowhere.
    auto gone = std::find_if(remotes_.begin(), remotes_.end(), [&](const RemoteCandidate& remote) {
      return remote.is_learned && std::none_of(pairs().begin(), pairs().end(), [&](const Pair& pair) {
               return pair.path.remote == remote.address && pair.is_valid;
             });
    });
    if (gone == remotes_.end()) return nullptr;
    SocketAddress address = gone->address;
    remotes_.erase(gone);
    checklist_.erase_if([&](const Pair& pair) { return pair.path.remote == address; },
                        [&](const Pair& pair) { cancel_transactions(pair.id); });
  }
  // A foundation of its own (RFC 8445 §7.3.1.3).
  std::string foundation = "prflx" + path.remote.to_text();
  remotes_.push_back({path.remote, transport, check.priority, std::move(foundation), true});
  return &remotes_.back();
}

void Agent::handle_current_check(Timestamp now, const Path& path, const Check& check, Outputs& out) {
  LocalCandidate* local = find_local(path.local);
  RemoteCandidate* remote = learn_remote(path, check, local->candidate.transport);
  Pair* pair = checklist_.find(path);
  if (!pair && remote) pair = add_pair(*local, *remote);
  if (!pair) {
    count(Refusal::kTooManyCandidates);
    return;
  }
  bool is_nominated = check.is_nominating && role_ == Role::kControlled;
  if (pair->state == PairState::kSucceeded && pair->is_valid) {
    if (is_nominated) handle_nomination(now, *pair, out);
    return;
  }
  if (is_nominated) pair->is_to_be_nominated = true;
  // RFC 8445 §7.3.1.4. One under way is begun anew at once, since its requests may have been lost before the
  // peer's opened the way.
  if (pair->state == PairState::kInProgress) cancel_transactions(pair->id);
  checklist_.trigger(*pair);
}

void Agent::handle_nomination(Timestamp now, Pair& pair, Outputs& out) {
  pair.is_to_be_nominated = false;
  if (first_nomination_ == Timestamp::never()) first_nomination_ = now;
  if (is_settled() && selected_->path != pair.path) {
    const Pair* current = checklist_.find(selected_->path);
    bool is_settling = now - first_nomination_ < config_.settling_time;
    if (is_settling && current && pair.priority <= current->priority) return;
  }
  if (!is_settled() || selected_->path != pair.path) select(now, pair, out);
}

void Agent::handle_error(Timestamp now, const Transaction& done, std::uint16_t code) {
  Pair* pair = done.is_consent ? nullptr : checklist_.find(done.pair_id);
  if (code != stun::error::kRoleConflict || stats_.role_changes >= kRoleChangesMax) {
    if (pair && !done.is_cancelled) fail_pair(now, pair->id);
    return;
  }
  // RFC 8445 §7.2.5.1.
  if (done.role == role_) {
    switch_role(other(role_));
    tie_breaker_ = rng_.next();
  }
  if (pair) checklist_.trigger(*pair);
}

void Agent::announce(const Path& path, Outputs& out) {
  if (std::find(announced_.begin(), announced_.end(), path) != announced_.end()) return;
  announced_.push_back(path);
  out.push(PathAdded{path});
}

void Agent::finish(Timestamp now, Outputs& out) {
  std::erase_if(announced_, [&](const Path& path) {
    if ((selected_ && selected_->path == path) || checklist_.find(path)) return false;
    out.push(PathRemoved{path});
    return true;
  });
  deadline_ = nomination_at_;
  for (const Transaction& each : transactions_)
    deadline_ = std::min(deadline_, each.retransmission.next_deadline());
  if (!remote_.ufrag.empty() && checklist_.has_work(is_settled()))
    deadline_ = std::min(deadline_, next_check_at_);
  if (selected_) {
    deadline_ =
        std::min({deadline_, selected_->next_consent, selected_->answered_at + config_.consent_timeout});
    if (is_settled()) deadline_ = std::min(deadline_, selected_->answered_at + config_.silence);
  } else if (!checklist_.has_pending()) {
    deadline_ = std::min(deadline_, failure_at_);
  }
  deadline_ = std::max(deadline_, now);
}

}  // namespace stoa::ice
