// The one way a call says that it may not have worked.
//
// Hostile or broken input gives a small per-protocol enum (`Refusal`) as the error; it is counted by the
// caller, never thrown. An error of our own is STOA_ASSERT (base/assert.h).
#pragma once

#include <expected>
#include <utility>

namespace stoa {

template <typename Value, typename Error>
using Result = std::expected<Value, Error>;

template <typename Error>
std::unexpected<std::decay_t<Error>> refuse(Error&& error) {
  return std::unexpected<std::decay_t<Error>>(std::forward<Error>(error));
}

}  // namespace stoa

#define STOA_JOIN_(a, b) a##b
#define STOA_JOIN(a, b) STOA_JOIN_(a, b)
// STOA_TRY(auto header, parse(bytes)); returns the error of a failed Result from the current function.
#define STOA_TRY(declaration, expression)                                                       \
  auto STOA_JOIN(result_, __LINE__) = (expression);                                             \
  if (!STOA_JOIN(result_, __LINE__)) return stoa::refuse(STOA_JOIN(result_, __LINE__).error()); \
  declaration = std::move(*STOA_JOIN(result_, __LINE__))
