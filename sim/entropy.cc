// The method is deprecated in favour of providers; it still stands before them (RAND_bytes_ex).
#define OPENSSL_SUPPRESS_DEPRECATED
#include "sim/entropy.h"

#include <openssl/rand.h>

#include <algorithm>
#include <optional>

#include "base/assert.h"
#include "base/rng.h"

namespace stoa::sim {
namespace {

std::optional<Rng> rng;  // OpenSSL asks a function without an argument of ours.

int fill(unsigned char* bytes, int count) {
  std::generate_n(bytes, count, [] { return static_cast<unsigned char>(rng->next() >> 32); });
  return 1;
}
int is_ready() { return 1; }

const RAND_METHOD kMethod = {nullptr, fill, nullptr, nullptr, fill, is_ready};

}  // namespace

SeededEntropy::SeededEntropy(std::uint64_t seed) {
  STOA_ASSERT(!rng);
  rng.emplace(seed);
  STOA_ASSERT(RAND_set_rand_method(&kMethod) == 1);
}

SeededEntropy::~SeededEntropy() {
  (void)RAND_set_rand_method(nullptr);
  rng.reset();
}

}  // namespace stoa::sim
