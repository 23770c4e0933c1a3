// An SRTP kernel that leaves text as it is and tags it with a checksum of key, counter and bytes: what is
// damaged, replayed or forged is refused as with the real ones, but whoever watches a link reads along. That
// is what the simulator's checks live on.
#pragma once

#include <memory>

#include "crypto/srtp_kernel.h"

namespace stoa::sim {

std::unique_ptr<crypto::SrtpKernel> make_checksum_kernel();

}  // namespace stoa::sim
