// What a Shard is made of; for its own sources only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "shard/program_feed.h"
#include "shard/shard.h"

namespace stoa::shard {

// One encoder's connection and, once it publishes, its source.
struct Shard::Encoder {
  Encoder(ConnectionKey k, std::string p, bool secure, session::RtmpSession s)
      : key(k), peer(std::move(p)), is_secure(secure), session(std::move(s)) {}
  ConnectionKey key;
  std::string peer;
  bool is_secure;
  session::RtmpSession session;
  session::RtmpOutputs outputs;
  std::optional<live::SourceId> source;  // From the publish request on.
  bool is_publishing = false;            // The owner knows of the source.
  int priority = 0;
  ShardIndex owner = 0;
  std::string channel, key_id;
  bool is_closing = false;
};

struct Shard::OwnedChannel {
  OwnedChannel(std::uint64_t n, std::string name, const live::ChannelConfig& config, Rng rng)
      : number(n), channel(std::move(name), config, rng) {}
  std::uint64_t number;
  live::Channel channel;
  live::ChannelOutputs outputs;
  std::optional<live::SourceId> on_air;  // As the WebRTC half was told.
  ProgramFeed feed;                      // Of it, for WebRTC viewers.
  std::string ladder = "off";            // The profile that control plans renditions by.
  std::uint64_t told_program = 0;        // Channel::program_revision() that control was told.
  WallTime began_at;                     // Its first source came.
  std::optional<WallTime> started_at;    // As it was reported first: it names the broadcast.
};

}  // namespace stoa::shard
