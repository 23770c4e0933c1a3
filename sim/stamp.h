// What simulated media says of itself, at the end of each payload: whose it is and which piece of what. A
// server that forwards passes it on, so whoever reads along can tell what went where.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/time.h"

namespace stoa::sim {

struct Stamp {
  static constexpr std::size_t kBytes = 24;

  std::uint32_t publisher = 0;
  std::uint32_t frame = 0;  // Of a layer, or of the sound: one by one.
  Timestamp sent;           // To 100 µs.
  std::uint16_t packet = 0, packets = 1;
  std::uint16_t sequence = 0;  // That the publisher gave it.
  std::uint8_t layer = 0;
  bool is_video = false, is_keyframe = false;

  // Requires: at least kBytes.
  void write_at_end(std::span<std::uint8_t> payload) const;
  static std::optional<Stamp> read(Bytes payload);
};

}  // namespace stoa::sim
