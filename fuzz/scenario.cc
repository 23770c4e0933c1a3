// Networks from anywhere: reading one ends, and whatever it says, packets come in order of time, none before
// it was sent, and none that nobody sent.
#include "sim/scenario.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/bytes.h"

namespace {

using namespace stoa;
using namespace stoa::sim;

constexpr std::size_t kPacketsMax = 500;

// Each byte of `sends` is a packet: its length, and how long after the one before.
void run(const PathConfig& config, Bytes sends) {
  Path<Timestamp> path(config, Rng(1));
  Timestamp now, last;
  std::uint64_t arrived = 0;
  auto take = [&] {
    while (auto arrival = path.take_arrived(now)) {
      STOA_ASSERT(arrival->at <= now && arrival->at >= last && arrival->at >= arrival->payload);
      last = arrival->at;
      ++arrived;
    }
    STOA_ASSERT(path.next_deadline() > now);
  };
  for (std::uint8_t one : sends.first(std::min(sends.size(), kPacketsMax))) {
    now += Duration::microseconds((one & 7) * 700);
    path.send(now, 40 + 6u * one, now, (one & 8) != 0);
    take();
    STOA_ASSERT(path.queue_delay(now) >= Duration());
  }
  while (path.next_deadline() != Timestamp::never()) {
    now = std::max(now, path.next_deadline());
    take();
  }
  const PathStats& stats = path.stats();
  STOA_ASSERT(arrived == stats.delivered);
  STOA_ASSERT(stats.delivered + stats.dropped + stats.lost + stats.too_long <= stats.sent + stats.duplicated);
}

}  // namespace

// The text, then a NUL and the packets.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes all(data, size);
  std::size_t cut = std::min(as_text(all).find('\0'), size);
  auto scenario = parse_scenario(as_text(all.first(cut)));
  if (!scenario) return 0;
  run(scenario->forward, all.subspan(cut));
  run(scenario->back, all.subspan(cut));
  return 0;
}
