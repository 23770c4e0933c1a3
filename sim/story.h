// What happens in a world: who there is, behind what networks, and what befalls them. Drawn from a seed, or
// written by hand.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "bwe/controller.h"
#include "shard/mail.h"
#include "sim/path.h"
#include "sim/publisher.h"
#include "sim/viewer.h"

namespace stoa::sim {

struct PersonPlan {
  std::string room;
  PathConfig up, down;
  Duration signal_latency = Duration::milliseconds(20);
  Publisher::Config publisher;
  Viewer::Config viewer;
  Duration attention = Duration::seconds(8);
  // Its network is good and nothing befalls it: nobody else's troubles may disturb it.
  bool is_steady = false;
  bool is_hostile = false;
};

enum class EventKind : std::uint8_t {
  kJoin,
  kLeave,
  kVanish,    // Without a word.
  kComeBack,  // Of who vanished or left: as a program that is started again.
  kLoseSocket,
  kRebind,    // Its NAT gives it another address, and it does not know.
  kHandover,  // It goes to another network, and knows.
};
const char* name_of(EventKind kind);
struct Event {
  Duration at;
  EventKind kind = EventKind::kJoin;
  std::uint32_t person = 0;  // Its number, from 1.
};

// One who is no client: sends to the node's ports from addresses of its own and of others.
struct AttackPlan {
  Duration from, until;
  std::uint32_t packets_per_second = 1'000;
};

struct Story {
  std::uint64_t seed = 0;
  shard::ShardIndex shards = 1;
  Duration length = Duration::seconds(30);
  std::vector<PersonPlan> people;  // Their numbers are their places, from 1.
  std::vector<Event> events;       // By time.
  std::vector<AttackPlan> attacks;
  // Everything due within a step of this length happens at its end, as in a loop that reads what has come.
  Duration quantum = Duration::microseconds(500);
  bwe::Config congestion{.start_bits_per_second = 1'000'000};
  std::size_t seats_per_shard = 100;
};

// Whatever comes to the seed's mind: rooms, bad networks, people who come and go, attackers.
Story make_story(std::uint64_t seed, Duration length);
// So many people in one room on good networks, each with camera and microphone: what is measured.
Story make_call(std::uint64_t seed, std::size_t people, Duration length);

}  // namespace stoa::sim
