// The clock that this folder waits and measures by.
#pragma once

#include "base/time.h"

namespace stoa::work {

Timestamp now();

}  // namespace stoa::work
