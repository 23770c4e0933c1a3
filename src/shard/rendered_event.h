// What a room tells many at a time, in the form that their clients read.
#pragma once

#include <array>
#include <optional>

#include "api/livekit/convert.h"
#include "api/livekit/signal.h"
#include "base/bytes.h"
#include "room/events.h"

namespace stoa::shard {

// An event for many, rendered once for those who read the same form.
class RenderedEvent {
 public:
  explicit RenderedEvent(const room::Event& event) : event_(event) {}
  const room::Event& event() const { return event_; }
  // Null: clients are not told of this.
  const SharedBytes* frame(bool is_text, const livekit::ClientTraits& traits);

 private:
  const room::Event& event_;
  std::array<std::optional<std::optional<SharedBytes>>, 4> frames_;
};

}  // namespace stoa::shard
