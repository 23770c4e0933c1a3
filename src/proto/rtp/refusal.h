// Why RTP bytes are not taken. Whoever asked counts them.
#pragma once

#include <cstdint>

namespace stoa::rtp {

enum class Refusal : std::uint8_t {
  kTruncated,         // Ends inside a field.
  kBadVersion,        // Not RTP version 2.
  kBadPadding,        // Says that it has padding, and how much cannot be.
  kBadExtension,      // Extension elements that run over their block.
  kBadValue,          // A field holds what its specification forbids.
  kUnknownStructure,  // A dependency descriptor without the structure that it refers to.
  kNoOriginal,        // A retransmission that carries no original (only padding, sent to probe).
  kNoRoom,            // Ours: what should be written does not fit where it should go.
};
inline constexpr int kRefusals = 8;
const char* name_of(Refusal refusal);

}  // namespace stoa::rtp
