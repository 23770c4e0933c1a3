// A whole node of the pure column in virtual time: shards with their mail, and as much of control as rooms
// need (a store in memory, and a desk that believes every token). What a node has besides, sockets and
// threads, is the world's.
//
// A token is "room/identity". Shards are reached at addresses of their own, as over the ports of a real node.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/datagram.h"
#include "base/rng.h"
#include "base/time.h"
#include "control/memory_store.h"
#include "control/room_records.h"
#include "shard/shard.h"

namespace stoa::sim {

// Where a node's effects go. Requests are numbered by whoever makes them.
class NodeUser {
 public:
  virtual ~NodeUser() = default;
  virtual void handle_datagram(shard::ShardIndex from, const SocketAddress& to, Bytes datagram) = 0;
  virtual void handle_answer(api::RequestKey request, const http::Response& response) = 0;
  virtual void handle_socket_accepted(api::RequestKey request) = 0;
  virtual void handle_socket_message(api::RequestKey request, const SharedBytes& message) = 0;
  virtual void handle_socket_closed(api::RequestKey request, std::uint16_t code) = 0;
  virtual void handle_log(const LogLine& line) = 0;
};

class Node {
 public:
  struct Config {
    shard::ShardConfig shard;
    shard::ShardIndex shards = 1;
    Duration mail_latency = Duration::microseconds(50);
    std::uint8_t number = 0;  // In its addresses.
  };
  Node(const Config& config, Timestamp now, WallTime wall, Rng rng, NodeUser& user);

  SocketAddress address_of(shard::ShardIndex shard) const;
  shard::ShardIndex shards() const { return static_cast<shard::ShardIndex>(shards_.size()); }

  void handle_request(Timestamp now, WallTime wall, shard::ShardIndex shard, api::RequestKey key,
                      const http::Request& request);
  void handle_socket_message(Timestamp now, WallTime wall, shard::ShardIndex shard, api::RequestKey key,
                             Bytes message);
  void handle_socket_closed(Timestamp now, WallTime wall, shard::ShardIndex shard, api::RequestKey key);
  void handle_datagrams(Timestamp now, WallTime wall, shard::ShardIndex shard,
                        std::span<ReceivedDatagram> datagrams);
  void handle_deadline(Timestamp now, WallTime wall);
  Timestamp next_deadline() const;

  // Over all shards and labels.
  double metric(std::string_view name) const;
  // In the tables of rooms, of all shards.
  std::size_t room_entries() const;
  std::size_t mail_waiting() const { return mail_.size(); }

 private:
  struct Posted {
    Timestamp at;
    shard::ShardIndex to;
    shard::Mail mail;
  };
  void carry(Timestamp now, shard::ShardIndex from);
  void handle(Timestamp now, shard::ShardIndex from, shard::Output& output);
  void handle_control(Timestamp now, shard::ControlMail& mail);
  void post(Timestamp now, shard::ShardIndex to, shard::Mail mail);

  Config config_;
  NodeUser& user_;
  WallTime wall_;  // Of the input that is handled.
  Rng rng_;
  control::MemoryStore store_;
  control::RoomRecords records_;
  std::vector<std::unique_ptr<shard::Shard>> shards_;
  std::deque<Posted> mail_;
  shard::Outputs out_;
  DatagramBatch batch_;
};

}  // namespace stoa::sim
