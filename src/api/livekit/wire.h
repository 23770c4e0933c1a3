// The messages of the LiveKit protocol as protobuf's compiler makes them of models.proto, rtc.proto and
// room.proto, under the name `pb`: they live in ::livekit, next to this folder's stoa::livekit.
#pragma once

#include <livekit/models.pb.h>
#include <livekit/room.pb.h>
#include <livekit/rtc.pb.h>

namespace stoa::livekit {

namespace pb = ::livekit;

// What we say of ourselves.
inline constexpr int kProtocol = 17;
// Clients compare this with their own expectations: remote calls need 1.8.0, and from 1.13.7 on some choose
// other ways of sending SVC. It must read as a plain semantic version.
inline constexpr const char* kServerVersion = "1.13.5";

// Protobuf writes to standard error what it finds wrong in a peer's bytes. Call once when the program starts.
void quiet_protobuf();

}  // namespace stoa::livekit
