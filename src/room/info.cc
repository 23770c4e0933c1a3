#include "room/info.h"

#include <algorithm>

namespace stoa::room {

bool Permissions::may_publish(TrackSource source) const {
  if (sources.empty()) return can_publish;
  return std::find(sources.begin(), sources.end(), source) != sources.end();
}

}  // namespace stoa::room
