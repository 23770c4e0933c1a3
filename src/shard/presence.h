// Who comes, changes and goes and has no tracks (any more), on its way to the seats that a shard has of a
// room.
//
// Where hundreds come in a second, a frame to everybody for each of them would be the square of them. So in a
// crowd such news is gathered for a moment and told as one frame. Other news of participants, and data of one
// who is news itself, comes after what was gathered: nothing overtakes what it builds on.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "room/events.h"

namespace stoa::shard {

inline constexpr std::size_t kCrowdSeats = 32;  // From so many of a room here on, news waits …
inline constexpr Duration kPresenceWait = Duration::milliseconds(250);  // … for so long …
inline constexpr std::size_t kPresenceMax = 256;                        // … or until it is about so many …
inline constexpr std::size_t kPresenceBytesMax = 128u << 10;            // … or so much text.

class Presence {
 public:
  // How much was told when a seat came: that, and all before it, it knows from its first words.
  using Mark = std::uint64_t;

  // Whether it may wait: it is of participants without tracks alone.
  static bool may_wait(const room::Event& event);

  // What it says of a participant takes the place of what was gathered of the same one.
  void add(Timestamp now, const room::ParticipantsChanged& changed);
  Mark mark() const { return next_; }
  bool is_empty() const { return entries_.empty(); }
  bool has(std::string_view sid) const;   // Whether news of this participant waits.
  Timestamp due() const { return due_; }  // Never: nothing waits.

  // What waits, for who came at `mark`, in order. Nothing of it when that is later than all of it.
  room::ParticipantsChanged since(Mark mark) const;
  // Of what waits: whoever came at it or earlier is told all.
  Mark first() const { return first_; }
  // What it is once that was told: empty, and the numbers go on.
  Presence next() const;

 private:
  struct Entry {
    Mark number;
    room::SharedParticipant participant;
  };
  std::vector<Entry> entries_;  // By number.
  Mark next_ = 0, first_ = 0;
  std::size_t bytes_ = 0;  // Of texts, what was replaced included.
  Timestamp due_ = Timestamp::never();
};

}  // namespace stoa::shard
