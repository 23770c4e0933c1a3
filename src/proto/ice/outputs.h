// What both agents want done, in order.
#pragma once

#include <cstdint>
#include <variant>

#include "base/bytes.h"
#include "base/outbox.h"
#include "proto/ice/path.h"

namespace stoa::ice {

struct SendDatagram {
  Path path;
  Buffer bytes;
};
// An address has proved that it is the peer's: from now on its datagrams belong to this session.
struct PathAdded {
  Path path;
};
// Its datagrams do not belong here any more. Each PathAdded has its PathRemoved, but for close().
struct PathRemoved {
  Path path;
};
// Send here from now on.
struct PathSelected {
  Path path;
};
// Lite agent only: who is at the path's address received what was sent there. Before, it may be anybody's
// that a peer only names, and no more than a few times what came from there may be sent.
struct PathProved {
  Path path;
};
// Full agent only: the selected path does not answer and others are tried. Sending may go on while consent
// lasts; PathSelected (of the same path or another), PathLost or Failed follows.
struct PathSilent {};
// Nothing may be sent for now. PathSelected or Failed follows.
struct PathLost {};

enum class Failure : std::uint8_t {
  kNoPath,          // No path was found in time.
  kConsentExpired,  // The peer has been silent for `consent_timeout` (RFC 7675 §5.1).
};
const char* name_of(Failure failure);
// The end of this session unless its owner restarts it. A late check may still bring it back (PathSelected).
struct Failed {
  Failure failure;
};
using Output = std::variant<SendDatagram, PathAdded, PathRemoved, PathSelected, PathProved, PathSilent,
                            PathLost, Failed>;
using Outputs = Outbox<Output>;

}  // namespace stoa::ice
