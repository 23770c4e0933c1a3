// Coming, changing and going.
#include <algorithm>
#include <utility>

#include "room/room_impl.h"

namespace stoa::room {
namespace {

using Attributes = std::map<std::string, std::string>;

bool are_within_limits(const Attributes& attributes) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : attributes) {
    if (!is_text(name) || !is_text(value)) return false;
    bytes += name.size() + value.size();
  }
  return attributes.size() <= kAttributesMax && bytes <= kAttributesBytesMax;
}

bool is_within(std::string_view text, std::size_t bytes_max) {
  return text.size() <= bytes_max && is_text(text);
}

// Of a character of `text` at `i`; 0: none that UTF-8 knows (RFC 3629 §4).
std::size_t character_bytes(std::string_view text, std::size_t i) {
  auto byte = [&](std::size_t at) -> unsigned {
    return i + at < text.size() ? static_cast<unsigned char>(text[i + at]) : 0u;
  };
  auto follows = [&](std::size_t at) { return (byte(at) & 0xc0) == 0x80; };
  unsigned first = byte(0), second = byte(1);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if ((first & 0xf0) == 0xe0) {
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return 0;
    return follows(1) && follows(2) ? 3 : 0;
  }
  if (first < 0xf0 || first > 0xf4) return 0;
  if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return 0;
  return follows(1) && follows(2) && follows(3) ? 4 : 0;
}

}  // namespace

bool is_text(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    std::size_t bytes = character_bytes(text, i);
    if (bytes == 0) return false;
    i += bytes;
  }
  return true;
}

std::optional<JoinRefusal> Room::Impl::refusal_of(const JoinWish& wish) const {
  if (has_ended) return JoinRefusal::kEnded;
  if (wish.identity.empty() || !is_within(wish.identity, kIdentityBytesMax) ||
      !is_within(wish.name, kDisplayNameBytesMax) || !is_within(wish.metadata, kMetadataBytesMax) ||
      !are_within_limits(wish.attributes) || wish.kind_details.size() > kFeaturesMax ||
      wish.capabilities.size() > kFeaturesMax || wish.permissions.sources.size() > kFeaturesMax)
    return JoinRefusal::kBadWish;
  auto entry = by_identity.find(wish.identity);
  const Participant* old = entry == by_identity.end() ? nullptr : find(entry->second);
  if (participants.size() - (old ? 1 : 0) >= config.limits.participants_max) return JoinRefusal::kFull;
  Participant candidate;
  candidate.info.kind = wish.kind;
  candidate.info.permissions = wish.permissions;
  std::size_t counted = keepers - (old && !old->is_dependent() ? 1 : 0);
  if (info.participants_max > 0 && !candidate.is_dependent() && counted >= info.participants_max)
    return JoinRefusal::kFull;
  return std::nullopt;
}

std::uint32_t Room::Impl::choose_shard() const {
  auto shards = static_cast<std::uint32_t>(seats.size());
  std::uint32_t best = config.shard;
  for (std::uint32_t i = 0; i < shards; ++i) {
    std::uint32_t shard = (config.shard + i) % shards;
    if (seats[shard] < config.limits.seats_per_shard) return shard;
    if (seats[shard] < seats[best]) best = shard;
  }
  return best;
}

std::unique_ptr<Participant> Room::Impl::make_participant(JoinWish wish, WallTime wall) {
  auto p = std::make_unique<Participant>();
  p->info.identity = std::move(wish.identity);
  p->info.name = std::move(wish.name);
  p->info.metadata = std::move(wish.metadata);
  p->info.attributes = std::move(wish.attributes);
  std::erase_if(p->info.attributes, [](const auto& attribute) { return attribute.second.empty(); });
  p->info.state = ParticipantState::kJoined;
  p->info.kind = wish.kind;
  p->info.kind_details = std::move(wish.kind_details);
  p->info.permissions = std::move(wish.permissions);
  p->info.joined_at = wall;
  p->info.client_protocol = wish.client_protocol;
  p->info.capabilities = std::move(wish.capabilities);
  p->auto_subscribe = wish.auto_subscribe;
  return p;
}

// Makes it one of the room; telling of it is the caller's.
Participant& Room::Impl::admit(Timestamp now, std::unique_ptr<Participant> admitted) {
  ParticipantId id = participants.insert(std::move(admitted));
  STOA_ASSERT(id.is_set());
  Participant& p = *find(id);
  p.id = id;
  by_identity[p.info.identity] = id;
  by_sid[p.info.sid] = id;
  if (!p.is_hidden()) {
    ++visible;
    count_changed(now);
  }
  p.is_familiar = is_small();
  p.gone_before = p.gone_before_familiar = gone_count;
  if (p.has_seat()) {
    ++seats[p.shard];
    if (!p.is_familiar) ++unfamiliar;
    if (!p.is_active()) join_timers.set(id.value(), now + config.limits.join_timeout);
  }
  if (!p.is_dependent()) keeper_came();
  return p;
}

void Room::Impl::keeper_came() {
  ++keepers;
  ends_at = Timestamp::never();
}

void Room::Impl::keeper_went(Timestamp now) {
  if (--keepers == 0) ends_at = now + info.departure_timeout;
}

Joined Room::Impl::joined(const Participant& p) const {
  return {p.id, p.shard, room_info(), p.shared, others_of(p)};
}

Result<Joined, JoinRefusal> Room::Impl::join(Timestamp now, WallTime wall, JoinWish wish, Outputs& out) {
  if (auto refusal = refusal_of(wish)) return refuse(*refusal);
  begin(out);
  if (Participant* old = find(wish.identity))
    leave(now, wall, *old, LeaveReason::kDuplicateIdentity, true, out);
  std::unique_ptr<Participant> made = make_participant(std::move(wish), wall);
  made->info.sid = make_sid("PA_");
  made->shard = choose_shard();
  Participant& p = admit(now, std::move(made));
  tell_change(p, out, false);
  return joined(p);
}

void Room::Impl::become_active(Participant& p, Outputs& out) {
  if (p.is_active()) return;
  p.info.state = ParticipantState::kActive;
  join_timers.set(p.id.value(), Timestamp::never());
  tell_change(p, out);
  happened(Happening::kParticipantJoined, &p, nullptr, out);
  greet(p, out);
}

// What somebody with a connection is told at first.
void Room::Impl::greet(Participant& p, Outputs& out) {
  SpeakersChanged now_speaking{speaking()};
  if (!now_speaking.speakers.empty()) to(p, std::move(now_speaking), out);
  settle_subscriber(p, out);
}

void Room::Impl::leave(Timestamp now, WallTime wall, Participant& p, LeaveReason reason, bool is_told,
                       Outputs& out) {
  if (is_told) to(p, Removed{reason}, out);
  if (p.has_seat()) out.push(Left{p.shard, p.id, reason});
  if (p.is_forwarded) answer_forward(p, out);
  take_away(now, wall, p, reason, out);
}

void Room::Impl::take_away(Timestamp now, WallTime wall, Participant& p, LeaveReason reason, Outputs& out) {
  fall_silent(p, &p, out);
  for (TrackId id : std::vector(p.tracks)) remove_track(now, p, id, out);
  tell_gone(p, reason, wall, out);
  bool lost_media = reason == LeaveReason::kMediaFailure || reason == LeaveReason::kConnectionTimeout;
  happened(p.is_active() && !lost_media ? Happening::kParticipantLeft : Happening::kParticipantAborted, &p,
           nullptr, out);
  by_identity.erase(p.info.identity);
  by_sid.erase(p.info.sid);
  if (!p.is_hidden()) {
    --visible;
    count_changed(now);
  }
  if (p.has_seat()) {
    --seats[p.shard];
    if (!p.is_familiar) --unfamiliar;
    join_timers.set(p.id.value(), Timestamp::never());
  }
  bool was_keeper = !p.is_dependent();
  participants.erase(p.id);
  if (was_keeper) keeper_went(now);
  become_familiar(out);
}

bool Room::Impl::is_within_limits(const Participant& p, const ParticipantUpdate& update) const {
  Attributes merged = p.info.attributes;
  for (const auto& [name, value] : update.attributes) merged[name] = value;
  std::erase_if(merged, [](const auto& attribute) { return attribute.second.empty(); });
  return (!update.metadata || is_within(*update.metadata, kMetadataBytesMax)) &&
         (!update.name || is_within(*update.name, kDisplayNameBytesMax)) &&
         (!update.permissions || update.permissions->sources.size() <= kFeaturesMax) &&
         are_within_limits(merged);
}

void Room::Impl::update(Timestamp now, WallTime wall, Participant& p, const ParticipantUpdate& update,
                        Outputs& out) {
  std::uint32_t version = p.info.version;
  ParticipantInfo before = p.info;
  if (update.metadata) p.info.metadata = *update.metadata;
  if (update.name) p.info.name = *update.name;
  for (const auto& [name, value] : update.attributes) {
    if (value.empty()) {
      p.info.attributes.erase(name);
    } else {
      p.info.attributes[name] = value;
    }
  }
  bool has_news = p.info != before;
  if (update.permissions && *update.permissions != p.info.permissions) {
    set_permissions(now, wall, p, *update.permissions, out);
    has_news = true;
  }
  if (has_news || p.info.version != version) tell_change(p, out);
  become_familiar(out);
}

void Room::Impl::set_permissions(Timestamp now, WallTime wall, Participant& p, Permissions permissions,
                                 Outputs& out) {
  bool was_keeper = !p.is_dependent(), was_hidden = p.is_hidden(), hides = permissions.is_hidden;
  p.info.permissions = std::move(permissions);
  p.info.permissions.is_hidden = was_hidden;
  unpublish_forbidden(now, p, hides, out);
  if (hides != was_hidden) {
    if (hides) {
      fall_silent(p, nullptr, out);
      tell_gone(p, LeaveReason::kUnknown, wall, out);
      p.is_public = false;
    }
    p.info.permissions.is_hidden = hides;
    visible = hides ? visible - 1 : visible + 1;
    count_changed(now);
  }
  if (bool is_keeper = !p.is_dependent(); is_keeper != was_keeper) {
    if (is_keeper) {
      keeper_came();
    } else {
      keeper_went(now);
    }
  }
  settle_subscriber(p, out);
}

void Room::Impl::update_self(Timestamp now, WallTime wall, Participant& p, const UpdateSelf& command,
                             Outputs& out) {
  auto answer = [&](RequestOutcome outcome, const char* text) {
    if (command.request != 0) to(p, Answered{command.request, outcome, text}, out);
  };
  ParticipantUpdate wanted{command.metadata, command.name, command.attributes, std::nullopt};
  if (!p.info.permissions.can_update_metadata)
    return answer(RequestOutcome::kNotAllowed, "may not update its own metadata");
  if (!is_within_limits(p, wanted))
    return answer(RequestOutcome::kLimitExceeded, "a text is over its limit or no UTF-8");
  update(now, wall, p, wanted, out);
  answer(RequestOutcome::kDone, "");
}

void Room::Impl::send_data(const Participant* from, const SendData& data, Outputs& out) {
  if (data.payload.size() > kDataBytesMax || data.identities.size() + data.sids.size() > kDestinationsMax)
    return;
  DataArrived event{.is_reliable = data.is_reliable, .payload = data.payload, .sequence = data.sequence};
  if (from) {
    event.from_identity = from->info.identity;
    event.from_sid = from->info.sid;
  }
  if (data.identities.empty() && data.sids.empty()) return to_all(std::move(event), from, out);
  std::set<std::uint64_t> named;
  auto name = [&](const auto& table, const std::string& key) {
    if (auto entry = table.find(key); entry != table.end()) named.insert(entry->second.value());
  };
  for (const std::string& identity : data.identities) name(by_identity, identity);
  for (const std::string& sid : data.sids) name(by_sid, sid);
  if (from) named.erase(from->id.value());
  std::vector<const Participant*> these;
  for (std::uint64_t id : named) these.push_back(find(ParticipantId::from_value(id)));
  to_these(std::move(event), these, out);
}

}  // namespace stoa::room
