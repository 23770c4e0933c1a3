// The only source of entropy in the house: bytes that nobody can guess, from the operating system through
// OpenSSL. For keys, secrets and tokens; what need not be secret takes its randomness from a seed
// (base/rng.h), so that a test can run twice and see the same.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace stoa::crypto {

// Fills `bytes`. An operating system without entropy stops the process: there is no safe way to go on.
void fill_random(std::span<std::uint8_t> bytes);
Buffer random_bytes(std::size_t count);

// A seed for base/rng.h.
std::uint64_t random_seed();

// How pure services are given randomness: as a function that fills bytes. Tests give a counting one.
using RandomFill = std::function<void(std::span<std::uint8_t>)>;

// `length` characters of 0-9 A-Z a-z, each equally likely: 5.95 bits a character, 190 bits in 32.
std::string make_base62(std::size_t length, const RandomFill& fill = fill_random);
// Whether make_base62() could have made it.
bool is_base62(std::string_view text);

}  // namespace stoa::crypto
