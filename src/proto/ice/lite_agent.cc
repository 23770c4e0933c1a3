#include "proto/ice/lite_agent.h"

#include <algorithm>

#include "base/assert.h"
#include "proto/stun/message.h"

namespace stoa::ice {
namespace {

constexpr std::uint16_t kUsualLocalPreference = 65'535;

std::uint32_t local_priority(Transport transport) {
  std::uint16_t preference = is_tcp(transport)
                                 ? tcp_local_preference(CandidateType::kHost, Transport::kTcpPassive, 0x1fff)
                                 : kUsualLocalPreference;
  return candidate_priority(CandidateType::kHost, preference);
}

}  // namespace

LiteAgent::LiteAgent(const LiteConfig& config, Credentials local, std::string remote_ufrag, Timestamp now)
    : config_(config),
      local_(std::move(local)),
      remote_ufrag_(std::move(remote_ufrag)),
      failure_at_(now + config.first_path_timeout),
      deadline_(failure_at_) {
  STOA_ASSERT(local_.is_valid() && config_.paths_max >= 2);
}

Refusal LiteAgent::count(Refusal refusal) {
  ++stats_.refusals[static_cast<std::size_t>(refusal)];
  return refusal;
}

LiteAgent::Entry* LiteAgent::find(const Path& path) {
  auto found =
      std::find_if(paths_.begin(), paths_.end(), [&](const Entry& entry) { return entry.path == path; });
  return found == paths_.end() ? nullptr : &*found;
}

bool LiteAgent::is_known(const Path& path) const {
  return std::any_of(paths_.begin(), paths_.end(), [&](const Entry& entry) { return entry.path == path; });
}

Result<void, Refusal> LiteAgent::handle_datagram(Timestamp now, const Path& path, Transport transport,
                                                 Bytes datagram, Outputs& out) {
  auto message = stun::Message::parse(datagram);
  if (!message) return refuse(count(Refusal::kNotStun));
  if (message->method() != stun::Method::kBinding) return refuse(count(Refusal::kNotBinding));
  switch (message->message_class()) {
    case stun::MessageClass::kRequest: return handle_request(now, path, transport, *message, out);
    case stun::MessageClass::kIndication:
      return {};  // Keeps a NAT's binding alive, nothing more (RFC 8445 §11).
    default: return refuse(count(Refusal::kUnknownAnswer));
  }
}

Result<Check, Refusal> LiteAgent::believe(const stun::Message& request, const Path& path, bool& is_current,
                                          Outputs& out) {
  auto check = parse_check(request, local_, remote_ufrag_);
  is_current = true;
  if (!check && check.error().refusal == Refusal::kWrongUsername && !previous_local_.ufrag.empty()) {
    is_current = false;
    check = parse_check(request, previous_local_, previous_remote_ufrag_);
  }
  if (check) return *check;
  if (!check.error().answer.empty()) out.push(SendDatagram{path, std::move(check.error().answer)});
  return refuse(count(check.error().refusal));
}

Result<void, Refusal> LiteAgent::handle_request(Timestamp now, const Path& path, Transport transport,
                                                const stun::Message& request, Outputs& out) {
  bool is_current = true;
  STOA_TRY(Check check, believe(request, path, is_current, out));
  const Credentials& credentials = is_current ? local_ : previous_local_;
  if (check.role == Role::kControlled) {
    // The full one of the two controls (RFC 8445 §6.1.1), whatever the tie-breakers say.
    out.push(SendDatagram{path, write_error(request, stun::error::kRoleConflict, credentials)});
    return refuse(count(Refusal::kRoleConflict));
  }
  ++stats_.checks;
  Entry* entry = find(path);
  if (!entry) entry = &add(now, path, out);
  entry->heard_at = now;
  entry->priority = pair_priority(check.priority, local_priority(transport));
  out.push(SendDatagram{path, write_success(request, path.remote, credentials)});
  if (check.is_nominating) {
    if (is_current && !previous_local_.ufrag.empty()) {
      previous_local_ = {};
      previous_remote_ufrag_.clear();
      nomination_.reset();
      first_nomination_ = Timestamp::never();
    }
    nominate(now, *entry, check, out);
  }
  update_deadline();
  return {};
}

LiteAgent::Entry& LiteAgent::add(Timestamp now, const Path& path, Outputs& out) {
  if (paths_.size() == config_.paths_max) {
    std::size_t oldest = paths_.size();
    for (std::size_t i = 0; i < paths_.size(); ++i) {
      bool is_candidate = selected_ != paths_[i].path || paths_.size() == 1;
      if (is_candidate && (oldest == paths_.size() || paths_[i].heard_at < paths_[oldest].heard_at))
        oldest = i;
    }
    remove(oldest, out);
  }
  paths_.push_back({.path = path, .heard_at = now});
  out.push(PathAdded{path});
  return paths_.back();
}

bool LiteAgent::should_select(Timestamp now, const Entry& entry, const Check& check) {
  Entry* now_selected = selected_ ? find(*selected_) : nullptr;
  if (check.nomination) {
    bool is_late = nomination_ && *check.nomination < *nomination_;
    if (!is_late) nomination_ = check.nomination;
    return !is_late || !now_selected;
  }
  if (!now_selected) return true;
  if (nomination_) return false;  // A peer that numbers its nominations means only those.
  if (is_selected_of_previous_ || now - first_nomination_ >= config_.settling_time) return true;
  return entry.priority > now_selected->priority;
}

void LiteAgent::nominate(Timestamp now, Entry& entry, const Check& check, Outputs& out) {
  entry.nominated_at = now;
  if (first_nomination_ == Timestamp::never()) first_nomination_ = now;
  if (selected_ == entry.path) {
    is_selected_of_previous_ = is_selected_of_previous_ && !previous_local_.ufrag.empty();
    if (check.nomination && (!nomination_ || *check.nomination > *nomination_))
      nomination_ = check.nomination;
    return;
  }
  if (should_select(now, entry, check)) select(entry.path, out);
}

void LiteAgent::select(const Path& path, Outputs& out) {
  if (has_been_connected_) ++stats_.path_changes;
  has_been_connected_ = true;
  is_selected_of_previous_ = !previous_local_.ufrag.empty();
  selected_ = path;
  failure_at_ = Timestamp::never();
  out.push(PathSelected{path});
}

void LiteAgent::remove(std::size_t index, Outputs& out) {
  Path path = paths_[index].path;
  paths_.erase(paths_.begin() + static_cast<std::ptrdiff_t>(index));
  if (selected_ == path) selected_.reset();
  out.push(PathRemoved{path});
}

void LiteAgent::select_another(Outputs& out) {
  const Entry* best = nullptr;
  for (const Entry& entry : paths_)
    if (entry.is_nominated() && (!best || entry.heard_at > best->heard_at)) best = &entry;
  if (best) return select(best->path, out);
  out.push(PathLost{});
}

// The deadline is left where it was: when it comes, it finds what was heard since.
void LiteAgent::handle_authentic_packet(Timestamp now, const Path& path) {
  if (Entry* entry = find(path)) entry->heard_at = now;
}

void LiteAgent::handle_path_closed(Timestamp now, const Path& path, Outputs& out) {
  Entry* entry = find(path);
  if (!entry) return;
  bool was_selected = selected_ == path;
  remove(static_cast<std::size_t>(entry - paths_.data()), out);
  if (was_selected) {
    select_another(out);
    if (!selected_) failure_at_ = now + config_.consent_timeout;
  }
  update_deadline();
}

void LiteAgent::handle_deadline(Timestamp now, Outputs& out) {
  if (now < deadline_) return;
  bool had_selected = selected_.has_value();
  for (std::size_t i = paths_.size(); i-- > 0;)
    if (now - paths_[i].heard_at >= config_.consent_timeout) remove(i, out);
  if (had_selected && !selected_) {
    select_another(out);
    if (!selected_) failure_at_ = now;  // This silence was the time that consent lasts.
  }
  if (now >= failure_at_) {
    failure_at_ = Timestamp::never();
    out.push(Failed{has_been_connected_ ? Failure::kConsentExpired : Failure::kNoPath});
  }
  update_deadline();
}

void LiteAgent::restart(Timestamp now, Credentials local, std::string remote_ufrag) {
  STOA_ASSERT(local.is_valid() && local.ufrag != local_.ufrag);
  previous_local_ = std::exchange(local_, std::move(local));
  previous_remote_ufrag_ = std::exchange(remote_ufrag_, std::move(remote_ufrag));
  is_selected_of_previous_ = selected_.has_value();
  if (!selected_) failure_at_ = now + config_.first_path_timeout;
  update_deadline();
}

void LiteAgent::update_deadline() {
  deadline_ = failure_at_;
  for (const Entry& entry : paths_) deadline_ = std::min(deadline_, entry.heard_at + config_.consent_timeout);
}

}  // namespace stoa::ice
