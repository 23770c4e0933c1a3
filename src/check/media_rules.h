// What bytes say: parts against their segment, samples against durations, timestamps against
// DISCONTINUITY, the init section against both.
#pragma once

#include "check/ledger.h"
#include "check/rendition.h"

namespace stoa::check {

// Requires: segment.is_fetched, and every part is fetched, failed or a gap. `init` is null without EXT-X-MAP
// or when it could not be read; `before_init` belongs to `before`. `before` is the segment before it, null
// when unknown.
SegmentFacts judge_segment(const std::string& name, const SegmentRecord& segment, const InitFacts* init,
                           const SegmentFacts* before, const InitFacts* before_init, bool is_iframes,
                           Ledger& ledger);

}  // namespace stoa::check
