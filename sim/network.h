// Flows that share a network in virtual time: each has a sender at one end of it and a receiver at the other.
//
//   Network network(scenario, Rng(seed));
//   auto& media = network.add(std::make_unique<MediaFlow>(…), {});
//   network.run_until(Timestamp() + Duration::seconds(100));
//
// What many flows meet in is the scenario's two paths; a flow may have a longer way to them of its own.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/outbox.h"
#include "base/rng.h"
#include "base/time.h"
#include "sim/path.h"
#include "sim/scenario.h"

namespace stoa::sim {

struct FlowPacket {
  std::uint32_t flow = 0;  // Set by the network.
  bool is_reply = false;   // From the flow's receiver to its sender.
  bool can_ecn = false;
  std::int64_t sequence = 0;  // What these numbers mean is the flow's.
  std::int64_t echo = 0;
  Timestamp sent_at;
  Buffer bytes;  // Where real bytes matter.
};

struct Departure {
  std::uint32_t bytes = 0;  // With IP and UDP headers.
  FlowPacket packet;
};
using Departures = Outbox<Departure>;
using FlowPath = Path<FlowPacket>;

// Both ends of a flow. It shares nothing between them but what it sends from one to the other.
class Flow {
 public:
  virtual ~Flow() = default;
  virtual void handle_arrival(Timestamp now, FlowPath::Arrival& arrival, Departures& out) = 0;
  virtual void handle_deadline(Timestamp now, Departures& out) = 0;
  virtual Timestamp next_deadline() const = 0;
};

class Network {
 public:
  struct Place {
    bool is_backward = false;  // Its data goes on the `back` path.
    Duration access_delay;     // Each way, between its sender and the shared paths.
  };

  Network(const Scenario& scenario, Rng rng);

  template <typename F>
  F& add(std::unique_ptr<F> flow, const Place& place) {
    F& added = *flow;
    add_flow(std::move(flow), place);
    return added;
  }
  // Everything that happens until then, and at that moment.
  void run_until(Timestamp end);
  // To be called when a flow was changed from outside of it.
  void renew_deadlines();

  Timestamp now() const { return now_; }
  const FlowPath& forward() const { return paths_[0]; }
  const FlowPath& back() const { return paths_[1]; }

 private:
  struct Seat {
    std::unique_ptr<Flow> flow;
    bool is_backward = false;
    std::optional<FlowPath> away, home;  // From its sender; to its sender.
    Timestamp deadline;
  };

  void add_flow(std::unique_ptr<Flow> flow, const Place& place);
  void send(FlowPath& path, std::uint32_t bytes, FlowPacket packet);
  FlowPath& shared_path(const Seat& seat, bool is_reply) {
    return paths_[seat.is_backward != is_reply ? 1 : 0];
  }
  void depart(std::uint32_t index);
  void arrive(FlowPath::Arrival& arrival);
  void move_packets();
  Timestamp next_event() const;

  Rng rng_;
  Timestamp now_;
  std::vector<FlowPath> paths_;  // Forward, back.
  std::vector<Seat> seats_;
  Departures out_;
};

}  // namespace stoa::sim
