// Everything in the process that asks OpenSSL for random bytes gets them from a seed: keys, cookies, ICE
// credentials, nonces of signatures. With it a DTLS handshake is the same bytes in each run, and the server
// needs no seam for the simulator's sake.
//
// For programs that simulate and nothing else: what is made so is no secret.
#pragma once

#include <cstdint>

namespace stoa::sim {

// From construction to destruction. One at a time.
class SeededEntropy {
 public:
  explicit SeededEntropy(std::uint64_t seed);
  ~SeededEntropy();
  SeededEntropy(const SeededEntropy&) = delete;
  SeededEntropy& operator=(const SeededEntropy&) = delete;
};

}  // namespace stoa::sim
