// What peer.cc (offers of the peer) and peer_offer.cc (ours) share.
#pragma once

#include "session/webrtc/peer.h"

namespace stoa::webrtc {

// Its words may stand in a description.
bool is_good(const PeerOutlet& outlet);
sdp::MediaKind kind_of(const PeerOutlet& outlet);
// Keys go on as long as a session does, so who has them may not change.
Result<void, NegotiationFault> expect_same_transport(const RemoteTransport& before,
                                                     const RemoteTransport& now, dtls::Role role_before,
                                                     dtls::Role role_now);

}  // namespace stoa::webrtc
