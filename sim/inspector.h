// Looks at every datagram that a node sends to its clients, and says what must never be. It reads along since
// packets are not encrypted (checksum_kernel.h).
//
// Held here: media goes to nobody but a peer of its room, and to none its own; an SRTP index is used once per
// key; a stream's numbers have no holes but those that its source has (and may fill later); its timestamps
// and picture ids do not go back; another source or layer begins with a keyframe.
#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "sim/stamp.h"

namespace stoa::sim {

struct Fault {
  Timestamp at;
  std::string text;
};

// The first so many are kept; all are counted.
class Faults {
 public:
  static constexpr std::size_t kKeptMax = 100;
  void add(Timestamp at, std::string text) {
    if (++count_ <= kKeptMax) kept_.push_back({at, std::move(text)});
  }
  std::size_t count() const { return count_; }
  const std::vector<Fault>& kept() const { return kept_; }

 private:
  std::vector<Fault> kept_;
  std::size_t count_ = 0;
};

class Inspector {
 public:
  struct Counts {
    std::uint64_t datagrams = 0, video = 0, sound = 0, other_rtp = 0, rtcp = 0, switches = 0;
  };
  explicit Inspector(Faults& faults) : faults_(faults) {}

  // Who publishes under this number in stamps, and in which room.
  void add_person(std::uint32_t number, const std::string& room);
  // `person`: whose address the datagram goes to; 0: nobody's.
  void handle_datagram(Timestamp now, std::uint32_t person, Bytes datagram);

  const Counts& counts() const { return counts_; }

 private:
  static constexpr std::int64_t kWindow = 2048;  // Numbers that are known to be used or not.
  // Of another source or layer: a keyframe's first packet has this number, or one more. It may leave late.
  struct Beginning {
    Timestamp until;
    std::uint32_t publisher = 0;
    std::uint8_t layer = 0;
    std::int64_t index = 0, left_out = 0;
  };
  struct Stream {
    std::int64_t highest = -1;  // Of SRTP's index, from the first number on.
    std::bitset<kWindow> used;
    std::uint32_t timestamp = 0;
    bool has_stamp = false, ends_frame = true;
    Stamp stamp;               // Of the highest.
    std::uint16_t offset = 0;  // Its number less the publisher's.
    std::uint16_t picture_id = 0;
    std::optional<Beginning> begins;
  };
  // False where it cannot be.
  bool use_index(Timestamp now, std::uint32_t person, std::uint32_t ssrc, Stream& stream, std::int64_t index);
  void check_beginning(Timestamp now, std::uint32_t person, std::uint32_t ssrc, Stream& stream,
                       const Stamp& stamp, std::int64_t index);
  void handle_rtp(Timestamp now, std::uint32_t person, Bytes packet);
  void handle_rtcp(Timestamp now, std::uint32_t person, Bytes datagram);
  void say(Timestamp now, std::uint32_t person, std::uint32_t ssrc, const std::string& what);

  Faults& faults_;
  // Null: nobody's.
  const std::string* room_of(std::uint32_t number) const {
    return number < rooms_.size() ? rooms_[number] : nullptr;
  }
  std::set<std::string> names_;                        // Of rooms.
  std::vector<const std::string*> rooms_;              // By number; equal where the room is the same.
  std::unordered_map<std::uint64_t, Stream> streams_;  // By person and SSRC.
  std::unordered_map<std::uint64_t, std::uint32_t> srtcp_next_;  // Likewise.
  Counts counts_;
};

}  // namespace stoa::sim
