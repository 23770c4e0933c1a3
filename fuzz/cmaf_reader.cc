// Init sections and segments from anywhere. The first two bytes say how long the init section is.
#include "check/cmaf_reader.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "check/media_rules.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stoa;
  if (size < 2) return 0;
  Bytes bytes(data + 2, size - 2);
  std::size_t split = std::min<std::size_t>(static_cast<std::size_t>(data[0]) << 8 | data[1], bytes.size());
  auto init = check::read_init(bytes.first(split));
  check::InitFacts any{{{.track_id = 1, .timescale = 90'000, .default_duration = 3'000, .default_size = 10}}};
  auto fragments = check::read_fragments(bytes.subspan(split), init ? *init : any);
  if (fragments) {
    STOA_ASSERT(fragments->size() <= check::kFragmentsMax);
    for (const auto& fragment : *fragments) STOA_ASSERT(fragment.size_bytes <= bytes.size());
  }
  check::SegmentRecord segment{.msn = 2, .uri = "s", .duration = Duration::seconds(2), .is_complete = true};
  segment.body.assign(bytes.begin() + static_cast<std::ptrdiff_t>(split), bytes.end());
  segment.parts.push_back(
      {.uri = "p", .duration = Duration::seconds(2), .is_fetched = true, .body = segment.body});
  check::SegmentFacts before{.msn = 1, .end = Duration::seconds(5)};
  check::Ledger ledger;
  check::judge_segment("a", segment, init ? &*init : &any, &before, &any, false, ledger);
  return 0;
}
