// Gzip undone (RFC 1952), for what peers send compressed; semantics.h has the other direction.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/bytes.h"

namespace stoa::http {

// Nothing: it is not one whole gzip member, or more than `bytes_max` would come out. No more than that is
// ever held.
std::optional<std::string> gunzip(Bytes compressed, std::size_t bytes_max);

}  // namespace stoa::http
