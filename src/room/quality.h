// How good a connection is, as a mean opinion score of 1 (bad) to 4.5 (the best that the model knows).
//
// Audio: the E-model (ITU-T G.107) in the short form of Cole and Rosenbluth (2001): R = 94.2 - Id - Ie, where
//   Id = 0.024 d + 0.11 (d - 177.3) H(d - 177.3), d: one-way delay in ms: half the round trip, twice the
//     jitter for the receiver's buffer, and 20 ms for coding;
//   Ie = 0 + 30 ln(1 + 15 e), e: loss after repair (0 to 1); with RED or FEC, e is the loss squared.
//   MOS = 1 + 0.035 R + R (R - 60)(100 - R) 7e-6.
// Video: no such model is agreed upon. The score is 4.5 less what the loss takes (as above), less 1.5 times
// the share of the wanted layers' height that is not delivered, at least 1.
// Assumed: Opus at 20 ms, no echo, headphones or echo cancellation.
#pragma once

#include <cstdint>
#include <span>

#include "base/time.h"
#include "room/info.h"

namespace stoa::room {

struct StreamQuality {
  bool is_video = false;
  double loss = 0;  // After retransmission, 0 to 1.
  Duration jitter, round_trip;
  bool has_redundancy = false;
  // Video: what should come and what comes.
  std::uint32_t wanted_height = 0, delivered_height = 0;
  bool is_silent = false;  // Nothing came though it should.
};
double mos_of(const StreamQuality& stream);
// The same, and what it is made of: Id (sound alone) and Ie.
struct ScoreParts {
  double mos = 4.5, delay_impairment = 0, loss_impairment = 0;
};
ScoreParts parts_of(const StreamQuality& stream);

struct ConnectionScore {
  ConnectionQuality quality = ConnectionQuality::kExcellent;
  double mos = 4.5;
};
// Of a whole connection: its worst stream counts. kLost: every stream that should flow is silent. kExcellent
// from a MOS of 4.1 on, kGood from 3.1. None: kExcellent.
ConnectionScore score_of(std::span<const StreamQuality> streams);

}  // namespace stoa::room
