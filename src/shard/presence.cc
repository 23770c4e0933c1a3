#include "shard/presence.h"

#include <algorithm>

namespace stoa::shard {
namespace {

// What may be long in what is told of a participant.
std::size_t bytes_of(const room::ParticipantInfo& info) {
  std::size_t bytes = info.identity.size() + info.name.size() + info.metadata.size();
  for (const auto& [name, value] : info.attributes) bytes += name.size() + value.size();
  return bytes;
}

}  // namespace

bool Presence::may_wait(const room::Event& event) {
  const auto* changed = std::get_if<room::ParticipantsChanged>(&event);
  return changed &&
         std::ranges::none_of(changed->participants, &room::ParticipantInfo::is_publisher,
                              [](const auto& one) -> const room::ParticipantInfo& { return *one; });
}

void Presence::add(Timestamp now, const room::ParticipantsChanged& changed) {
  if (entries_.empty()) {
    first_ = next_;
    due_ = now + kPresenceWait;
  }
  for (const room::SharedParticipant& one : changed.participants) {
    std::erase_if(entries_, [&](const Entry& entry) { return entry.participant->sid == one->sid; });
    entries_.push_back({next_++, one});
    bytes_ += bytes_of(*one);
  }
  if (entries_.size() >= kPresenceMax || bytes_ >= kPresenceBytesMax) due_ = now;
}

bool Presence::has(std::string_view sid) const {
  return std::ranges::any_of(entries_, [&](const Entry& entry) { return entry.participant->sid == sid; });
}

room::ParticipantsChanged Presence::since(Mark mark) const {
  room::ParticipantsChanged changed;
  for (const Entry& entry : entries_)
    if (entry.number >= mark) changed.participants.push_back(entry.participant);
  return changed;
}

Presence Presence::next() const {
  Presence next;
  next.next_ = next_;
  return next;
}

}  // namespace stoa::shard
