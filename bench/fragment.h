// Finds the last sample of a part (ISO/IEC 14496-12: moof with traf, tfhd and trun, then mdat).
#pragma once

#include <optional>

#include "base/bytes.h"

namespace stoa::bench {

struct Fragment {
  std::size_t samples = 0;
  Bytes last_sample;  // Within the bytes that were parsed.
};

// Of the last moof in the bytes. Nullopt when there is none or its sizes do not fit.
std::optional<Fragment> parse_fragment(Bytes bytes);

}  // namespace stoa::bench
