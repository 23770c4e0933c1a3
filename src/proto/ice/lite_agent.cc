#include "proto/ice/lite_agent.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/assert.h"
#include "crypto/random.h"
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

// The tag, then what nobody can guess: the answer proves that our request was received.
stun::TransactionId make_request_id(std::uint32_t tag) {
  stun::TransactionId id;
  crypto::fill_random(id);
  for (std::size_t i = 0; i < 4; ++i) id[i] = static_cast<std::uint8_t>(tag >> (24 - 8 * i));
  return id;
}

}  // namespace

LiteAgent::LiteAgent(const LiteConfig& config, Credentials local, Credentials remote, Timestamp now)
    : config_(config),
      local_(std::move(local)),
      remote_(std::move(remote)),
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

const LiteAgent::Entry* LiteAgent::find(const Path& path) const {
  return const_cast<LiteAgent*>(this)->find(path);
}

bool LiteAgent::is_known(const Path& path) const { return find(path) != nullptr; }

bool LiteAgent::is_proved(const Path& path) const {
  const Entry* entry = find(path);
  return entry && entry->is_proved;
}

bool LiteAgent::is_held(Timestamp now, const Path& path) const {
  const Entry* entry = find(path);
  return entry && entry->is_proved && now - entry->heard_at < kPathHeldFor;
}

Result<Heard, Refusal> LiteAgent::handle_datagram(Timestamp now, const Path& path, Transport transport,
                                                  Bytes datagram, Outputs& out) {
  handle_received(path, datagram.size());
  auto message = stun::Message::parse(datagram);
  if (!message) return refuse(count(Refusal::kNotStun));
  if (message->method() != stun::Method::kBinding) return refuse(count(Refusal::kNotBinding));
  switch (message->message_class()) {
    case stun::MessageClass::kRequest: return handle_request(now, path, transport, *message, out);
    case stun::MessageClass::kIndication:
      return Heard::kNothing;  // Keeps a NAT's binding alive, nothing more (RFC 8445 §11).
    default: return handle_answer(now, path, *message, out);
  }
}

// An error proves as much as a success does. One that comes twice is no news.
Result<Heard, Refusal> LiteAgent::handle_answer(Timestamp now, const Path& path, const stun::Message& answer,
                                                Outputs& out) {
  Entry* entry = find(path);
  if (!entry || answer.transaction_id() != entry->request_id) return refuse(count(Refusal::kUnknownAnswer));
  bool is_authentic =
      !remote_.password.empty() && answer.check_integrity(as_bytes(remote_.password)).has_value();
  if (!is_authentic && !previous_remote_.password.empty())
    is_authentic = answer.check_integrity(as_bytes(previous_remote_.password)).has_value();
  if (!is_authentic) return refuse(count(Refusal::kBadIntegrity));
  entry->heard_at = now;
  prove(*entry, out);
  update_deadline();
  return Heard::kAnswer;
}

Result<Check, Refusal> LiteAgent::believe(const stun::Message& request, const Path& path, bool& is_current,
                                          Outputs& out) {
  auto check = parse_check(request, local_, remote_.ufrag);
  is_current = true;
  if (!check && check.error().refusal == Refusal::kWrongUsername && !previous_local_.ufrag.empty()) {
    is_current = false;
    check = parse_check(request, previous_local_, previous_remote_.ufrag);
  }
  if (check) return *check;
  if (!check.error().answer.empty()) out.push(SendDatagram{path, std::move(check.error().answer)});
  return refuse(count(check.error().refusal));
}

Result<Heard, Refusal> LiteAgent::handle_request(Timestamp now, const Path& path, Transport transport,
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
  if (!entry) {
    entry = &add(now, path, transport, out);
    entry->received_bytes = request.bytes().size();
  }
  entry->heard_at = now;
  entry->priority = pair_priority(check.priority, local_priority(transport));
  Buffer answer = write_success(request, path.remote, credentials);
  entry->sent_bytes += answer.size();
  out.push(SendDatagram{path, std::move(answer)});
  ask_for_proof(now, *entry, out);
  if (check.is_nominating) {
    if (is_current && !previous_local_.ufrag.empty()) {
      previous_local_ = {};
      previous_remote_ = {};
      nomination_.reset();
      first_nomination_ = Timestamp::never();
    }
    nominate(now, *entry, check, out);
  }
  update_deadline();
  return Heard::kCheck;
}

void LiteAgent::ask_for_proof(Timestamp now, Entry& entry, Outputs& out) {
  if (entry.is_proved || remote_.password.empty() || entry.request.next_deadline() != Timestamp::never())
    return;
  entry.request = stun::Retransmission(kProofRetransmission, now);
  send_request(entry, out);
}

void LiteAgent::send_request(Entry& entry, Outputs& out) {
  Buffer request =
      write_check(entry.request_id, local_, remote_, Role::kControlled, 0,
                  candidate_priority(CandidateType::kPeerReflexive, kUsualLocalPreference), false);
  if (may_send(entry, request.size())) out.push(SendDatagram{entry.path, std::move(request)});
}

bool LiteAgent::may_send(Entry& entry, std::size_t bytes) {
  if (entry.is_proved) return true;
  if (entry.sent_bytes + bytes > kUnprovedFactor * entry.received_bytes) return false;
  entry.sent_bytes += bytes;
  return true;
}

bool LiteAgent::may_send(const Path& path, std::size_t bytes) {
  Entry* entry = find(path);
  return entry && may_send(*entry, bytes);
}

void LiteAgent::handle_received(const Path& path, std::size_t bytes) {
  if (Entry* entry = find(path)) entry->received_bytes += bytes;
}

void LiteAgent::prove(const Path& path, Outputs& out) {
  if (Entry* entry = find(path)) prove(*entry, out);
  update_deadline();
}

void LiteAgent::prove(Entry& entry, Outputs& out) {
  if (std::exchange(entry.is_proved, true)) return;
  entry.request = {};
  ++stats_.paths_proved;
  const Path path = entry.path;
  out.push(PathProved{path});
  if (pending_ == path) select(path, out);
  if (selected_ == path) failure_at_ = Timestamp::never();
}

LiteAgent::Entry& LiteAgent::add(Timestamp now, const Path& path, Transport transport, Outputs& out) {
  if (paths_.size() == config_.paths_max) {
    std::size_t oldest = paths_.size();
    for (std::size_t i = 0; i < paths_.size(); ++i) {
      bool is_candidate = selected_ != paths_[i].path;
      if (is_candidate && (oldest == paths_.size() || paths_[i].heard_at < paths_[oldest].heard_at))
        oldest = i;
    }
    remove(oldest, out);
  }
  paths_.push_back({.path = path,
                    .heard_at = now,
                    .is_proved = is_tcp(transport),
                    .request_id = make_request_id(config_.request_tag)});
  out.push(PathAdded{path});
  return paths_.back();
}

bool LiteAgent::should_select(Timestamp now, const Entry& entry, const Check& check) {
  const Entry* before = meant() ? find(*meant()) : nullptr;
  if (check.nomination) {
    bool is_late = nomination_ && *check.nomination < *nomination_;
    if (!is_late) nomination_ = check.nomination;
    return !is_late || !before;
  }
  if (!before) return true;
  if (nomination_) return false;  // A peer that numbers its nominations means only those.
  bool is_of_previous = is_selected_of_previous_ && !pending_;
  if (is_of_previous || now - first_nomination_ >= config_.settling_time) return true;
  return entry.priority > before->priority;
}

void LiteAgent::nominate(Timestamp now, Entry& entry, const Check& check, Outputs& out) {
  entry.nominated_at = now;
  if (first_nomination_ == Timestamp::never()) first_nomination_ = now;
  if (meant() == entry.path) {
    if (!pending_) is_selected_of_previous_ = is_selected_of_previous_ && !previous_local_.ufrag.empty();
    if (check.nomination && (!nomination_ || *check.nomination > *nomination_))
      nomination_ = check.nomination;
    return;
  }
  if (!should_select(now, entry, check)) return;
  if (selected_ == entry.path) {  // It came back before the other was proved.
    pending_.reset();
    is_selected_of_previous_ = is_selected_of_previous_ && !previous_local_.ufrag.empty();
  } else if (entry.is_proved || !selected_ || !is_proved(*selected_)) {
    select(entry.path, out);
  } else {
    pending_ = entry.path;
  }
}

void LiteAgent::select(const Path& path, Outputs& out) {
  if (has_been_connected_) ++stats_.path_changes;
  has_been_connected_ = true;
  is_selected_of_previous_ = !previous_local_.ufrag.empty();
  selected_ = path;
  pending_.reset();
  if (is_proved(path)) failure_at_ = Timestamp::never();
  out.push(PathSelected{path});
}

void LiteAgent::remove(std::size_t index, Outputs& out) {
  Path path = paths_[index].path;
  paths_.erase(paths_.begin() + static_cast<std::ptrdiff_t>(index));
  if (selected_ == path) selected_.reset();
  if (pending_ == path) pending_.reset();
  out.push(PathRemoved{path});
}

void LiteAgent::select_another(Outputs& out) {
  const Entry* best = nullptr;
  auto rank = [](const Entry& entry) {
    return std::tuple(entry.is_proved, entry.is_nominated(), entry.heard_at);
  };
  for (const Entry& entry : paths_)
    if ((entry.is_proved || entry.is_nominated()) && (!best || rank(entry) > rank(*best))) best = &entry;
  if (best) return select(Path(best->path), out);
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
    if (!selected_) failure_at_ = now + std::max(config_.consent_timeout, config_.lost_timeout);
  }
  update_deadline();
}

void LiteAgent::handle_deadline(Timestamp now, Outputs& out) {
  if (now < deadline_) return;
  bool had_selected = selected_.has_value();
  for (Entry& entry : paths_)
    if (entry.request.handle_deadline(now) == stun::Retransmission::Step::kSendAgain)
      send_request(entry, out);
  for (std::size_t i = paths_.size(); i-- > 0;)
    if (now - paths_[i].heard_at >= config_.consent_timeout) remove(i, out);
  if (had_selected && !selected_) {
    select_another(out);
    if (!selected_)
      failure_at_ = now + config_.lost_timeout;  // This silence was the time that consent lasts.
  }
  if (now >= failure_at_) {
    failure_at_ = Timestamp::never();
    const bool never_proved = selected_ && !is_proved(*selected_);
    out.push(Failed{has_been_connected_ && !never_proved ? Failure::kConsentExpired : Failure::kNoPath});
  }
  update_deadline();
}

void LiteAgent::restart(Timestamp now, Credentials local, Credentials remote) {
  STOA_ASSERT(local.is_valid() && local.ufrag != local_.ufrag);
  previous_local_ = std::exchange(local_, std::move(local));
  previous_remote_ = std::exchange(remote_, std::move(remote));
  is_selected_of_previous_ = selected_.has_value();
  pending_.reset();  // It was nominated in the generation before.
  if (!selected_) failure_at_ = now + config_.first_path_timeout;
  update_deadline();
}

void LiteAgent::update_deadline() {
  deadline_ = failure_at_;
  for (const Entry& entry : paths_)
    deadline_ =
        std::min({deadline_, entry.heard_at + config_.consent_timeout, entry.request.next_deadline()});
}

}  // namespace stoa::ice
