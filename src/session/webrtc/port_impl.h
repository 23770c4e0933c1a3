// A session as Port keeps it. port.cc: sessions' lives and the owner's commands; port_wire.cc: whose a
// datagram is; port_metrics.cc: what is counted.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "session/webrtc/port.h"

namespace stoa::webrtc {

struct Port::Session {
  SessionId id;
  Transport transport;
  IpAddress client;                    // Who made the offer.
  std::unique_ptr<Receiver> receiver;  // Of publishers.
  // Of viewers.
  SenderConfig sender_config;
  SenderId sender;
  std::vector<StreamId> sources;  // By outlet.

  std::string remote_ufrag;
  std::vector<std::string> ufrags;  // Under which it is filed.
  std::vector<ice::Path> paths;     // Likewise.
  std::optional<ice::Path> path;    // Where media goes.
  std::size_t data_bytes = 0;       // As accounted for.
  bool is_connected = false, is_confirmed = false, is_touched = false;

  Session(const TransportShared& shared, TransportConfig config, RemoteTransport remote, Rng rng,
          Timestamp now)
      : transport(shared, std::move(config), std::move(remote), rng, now) {}
};

void add_to(ReceiverStats& sum, const ReceiverStats& stats);

}  // namespace stoa::webrtc
