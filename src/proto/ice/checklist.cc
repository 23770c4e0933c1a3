#include "proto/ice/checklist.h"

#include <algorithm>

namespace stoa::ice {
namespace {

std::uint64_t priority_of(const Pair& pair, Role role) {
  return role == Role::kControlling ? pair_priority(pair.local_priority, pair.remote_priority)
                                    : pair_priority(pair.remote_priority, pair.local_priority);
}

}  // namespace

void Checklist::sort() {
  std::sort(pairs_.begin(), pairs_.end(), [](const Pair& a, const Pair& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.id < b.id;
  });
}

Pair* Checklist::find(std::uint32_t id) {
  auto found = std::find_if(pairs_.begin(), pairs_.end(), [&](const Pair& pair) { return pair.id == id; });
  return found == pairs_.end() ? nullptr : &*found;
}

Pair* Checklist::find(const Path& path) {
  auto found =
      std::find_if(pairs_.begin(), pairs_.end(), [&](const Pair& pair) { return pair.path == path; });
  return found == pairs_.end() ? nullptr : &*found;
}

Pair* Checklist::add(const Path& path, Transport transport, std::uint32_t local_priority,
                     std::uint32_t remote_priority, std::string foundation, Role role) {
  if (Pair* known = find(path)) return known;
  Pair pair;
  pair.path = path;
  pair.transport = transport;
  pair.local_priority = local_priority;
  pair.remote_priority = remote_priority;
  pair.foundation = std::move(foundation);
  pair.priority = priority_of(pair, role);
  if (pairs_.size() >= pairs_max_) {
    auto worst = std::find_if(pairs_.rbegin(), pairs_.rend(), [](const Pair& other) {
      return !other.is_valid && other.state != PairState::kInProgress;
    });
    if (worst == pairs_.rend() || (worst->state != PairState::kFailed && worst->priority >= pair.priority))
      return nullptr;
    pairs_.erase(std::next(worst).base());
  }
  pair.id = next_id_++;
  std::uint32_t id = pair.id;
  pairs_.push_back(std::move(pair));
  sort();
  return find(id);
}

void Checklist::trigger(Pair& pair) {
  pair.state = PairState::kWaiting;
  if (std::find(triggered_.begin(), triggered_.end(), pair.id) == triggered_.end())
    triggered_.push_back(pair.id);
}

Pair* Checklist::take_next(bool only_triggered) {
  while (!triggered_.empty()) {
    Pair* pair = find(triggered_.front());
    triggered_.pop_front();
    if (!pair || pair->state != PairState::kWaiting) continue;
    pair->state = PairState::kInProgress;
    return pair;
  }
  Pair* pair = only_triggered ? nullptr : next_by_priority();
  if (pair) pair->state = PairState::kInProgress;
  return pair;
}

Pair* Checklist::next_by_priority() {
  auto shares = [&](const Pair& pair, auto&& condition) {
    return std::any_of(pairs_.begin(), pairs_.end(), [&](const Pair& other) {
      return other.foundation == pair.foundation && condition(other.state);
    });
  };
  for (Pair& pair : pairs_) {
    if (pair.state == PairState::kWaiting) return &pair;
    // The first of its foundation.
    if (pair.state == PairState::kFrozen &&
        !shares(pair, [](PairState state) { return state != PairState::kFrozen; }))
      return &pair;
  }
  for (Pair& pair : pairs_)
    if (pair.state == PairState::kFrozen &&
        !shares(pair, [](PairState s) { return s == PairState::kWaiting || s == PairState::kInProgress; }))
      return &pair;
  return nullptr;
}

void Checklist::succeed(Pair& pair) {
  pair.state = PairState::kSucceeded;
  pair.is_valid = true;
  for (Pair& other : pairs_)
    if (other.state == PairState::kFrozen && other.foundation == pair.foundation)
      other.state = PairState::kWaiting;
}

void Checklist::recheck() {
  for (Pair& pair : pairs_) {
    pair.is_valid = false;
    pair.is_to_be_nominated = false;
    trigger(pair);
  }
}

void Checklist::forget_nominations() {
  for (Pair& pair : pairs_) pair.is_to_be_nominated = false;
}

void Checklist::set_role(Role role) {
  for (Pair& pair : pairs_) pair.priority = priority_of(pair, role);
  sort();
}

void Checklist::set_remote(const SocketAddress& remote, std::uint32_t remote_priority, Role role) {
  for (Pair& pair : pairs_)
    if (pair.path.remote == remote) pair.remote_priority = remote_priority;
  set_role(role);
}

Pair* Checklist::best_valid() {
  auto found = std::find_if(pairs_.begin(), pairs_.end(), [](const Pair& pair) {
    return pair.is_valid && pair.state == PairState::kSucceeded;
  });
  return found == pairs_.end() ? nullptr : &*found;
}

bool Checklist::has_pending() const {
  return std::any_of(pairs_.begin(), pairs_.end(), [](const Pair& pair) { return pair.is_pending(); });
}

bool Checklist::has_pending_above(std::uint64_t priority) const {
  return std::any_of(pairs_.begin(), pairs_.end(),
                     [&](const Pair& pair) { return pair.is_pending() && pair.priority > priority; });
}

bool Checklist::has_work(bool only_triggered) const {
  for (std::uint32_t id : triggered_)
    for (const Pair& pair : pairs_)
      if (pair.id == id && pair.state == PairState::kWaiting) return true;
  if (only_triggered) return false;
  return std::any_of(pairs_.begin(), pairs_.end(), [&](const Pair& pair) {
    if (pair.state == PairState::kWaiting) return true;
    if (pair.state != PairState::kFrozen) return false;
    return std::none_of(pairs_.begin(), pairs_.end(), [&](const Pair& other) {
      return other.foundation == pair.foundation &&
             (other.state == PairState::kWaiting || other.state == PairState::kInProgress);
    });
  });
}

std::size_t Checklist::pending() const {
  return static_cast<std::size_t>(std::count_if(pairs_.begin(), pairs_.end(), [](const Pair& pair) {
    return pair.state == PairState::kWaiting || pair.state == PairState::kInProgress;
  }));
}

}  // namespace stoa::ice
