// A node and its clients behind bad networks, in virtual time: one loop that jumps from event to event. All
// of it follows from a story and its seed, byte for byte.
//
//   World world(story);
//   world.run();
//   world.faults(), world.report()
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "sim/digest.h"
#include "sim/entropy.h"
#include "sim/inspector.h"
#include "sim/link.h"
#include "sim/node.h"
#include "sim/path.h"
#include "sim/person.h"
#include "sim/story.h"

namespace stoa::sim {

class World : public NodeUser {
 public:
  explicit World(const Story& story);
  ~World() override;

  void run();  // To the story's end, and until all is gone.
  void run_until(Timestamp at);

  Timestamp now() const { return time_.now(); }
  std::uint64_t digest() const { return digest_.value(); }
  const Faults& faults() const { return faults_; }
  Faults& faults() { return faults_; }
  const Inspector& inspector() const { return inspector_; }
  const Node& node() const { return *node_; }
  std::size_t people() const { return people_.size(); }
  const Person& person(std::size_t i) const { return *people_[i]->person; }
  // Of its network, to the node and from it.
  const PathStats& up_stats(std::size_t i) const { return people_[i]->up->stats(); }
  const PathStats& down_stats(std::size_t i) const { return people_[i]->down->stats(); }
  std::size_t heap_bytes_max() const { return heap_max_; }
  // A few lines on what went on.
  std::string report() const;
  const std::vector<std::string>& log() const { return log_; }

 private:
  struct Parcel {
    SocketAddress from, to;
    Buffer bytes;
  };
  // One client: its machine, both directions of its network, and its WebSocket.
  struct Client {
    const PersonPlan* plan = nullptr;
    std::unique_ptr<Person> person;
    std::unique_ptr<Path<Parcel>> up, down;
    SocketAddress inside, outside;  // As it thinks, and as the node sees it: between them is a NAT.
    bool is_gone = false;           // It does nothing, and nothing reaches it.
    shard::ShardIndex shard = 0;    // Of its WebSocket.
    api::RequestKey request = 0;    // 0: none.
    struct Said {
      Timestamp at;
      Person::Signal signal;
      api::RequestKey request;
    };
    struct Heard {
      enum class What : std::uint8_t { kOpened, kRefused, kFrame, kClosed } what;
      Timestamp at;
      api::RequestKey request;
      SharedBytes frame;
      int code = 0;
    };
    std::deque<Said> said;    // On its way to the node.
    std::deque<Heard> heard;  // On its way from there.
    Timestamp next;           // When it has something to do …
    Timestamp due;            // … and its machine.
    Timestamp undisturbed_since = Timestamp::never();
  };

  void handle_datagram(shard::ShardIndex from, const SocketAddress& to, Bytes datagram) override;
  void handle_answer(api::RequestKey request, const http::Response& response) override;
  void handle_socket_accepted(api::RequestKey request) override;
  void handle_socket_message(api::RequestKey request, const SharedBytes& message) override;
  void handle_socket_closed(api::RequestKey request, std::uint16_t code) override;
  void handle_log(const LogLine& line) override;

  void step();
  Timestamp next_event() const;
  void act(const Event& event);
  void deliver_signals(Client& client);
  void deliver_up();
  void damage(Buffer& bytes);
  void step_client(Client& client);
  void take_outputs(Client& client);
  void update_next(Client& client);  // Its machine had something to do.
  static void file(Client& client);
  // Buffers go round: a run would spend much of its time in malloc.
  Buffer make_buffer(Bytes bytes);
  void drop_buffer(Buffer&& buffer);
  void hear(api::RequestKey request, Client::Heard::What what, SharedBytes frame, int code);
  SocketAddress new_address(std::uint32_t person);
  void attack(const AttackPlan& plan, std::size_t index);
  void watch();  // Once a second.
  void check_end();
  std::string name_of(const Client& client) const { return client.person->identity(); }

  Story story_;
  Rng rng_;
  SeededEntropy entropy_;
  VirtualTime time_;
  std::size_t heap_before_;
  std::unique_ptr<ClientShared> shared_;
  std::unique_ptr<Node> node_;
  std::vector<SocketAddress> addresses_;  // Of its shards.
  std::vector<std::unique_ptr<Client>> people_;
  std::unordered_map<SocketAddress, std::uint32_t> owners_;  // Person's number; of all there ever were.
  std::unordered_map<api::RequestKey, std::uint32_t> requests_;
  api::RequestKey next_request_ = 1;
  std::uint16_t next_port_ = 20'000;
  std::size_t next_event_ = 0;
  std::vector<Timestamp> next_attack_;
  std::deque<Buffer> overheard_;  // For those who replay.
  Timestamp next_watch_;
  // Scratch.
  std::vector<std::vector<Parcel>> arrived_;  // By shard.
  std::vector<ReceivedDatagram> received_;
  std::vector<Parcel> parcels_;                 // Of one client …
  std::vector<Person::Arrived> arrived_there_;  // … and when they came.
  std::vector<Person::Datagram> sent_;
  std::vector<Buffer> spare_;

  Digest digest_;
  Faults faults_;
  Inspector inspector_;
  std::size_t heap_max_ = 0, heap_left_ = 0;
  std::uint64_t steps_ = 0, up_ = 0, attacks_ = 0;
  std::vector<std::string> log_;
};

}  // namespace stoa::sim
