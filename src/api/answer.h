// Requests that are answered later are known by a key; what they get in the end.
#pragma once

#include <cstdint>

#include "proto/http/message.h"

namespace stoa::api {

// Names a request that waits for its answer; the caller's, opaque here.
using RequestKey = std::uint64_t;

struct Answer {
  RequestKey request;
  http::Response response;
};

}  // namespace stoa::api
