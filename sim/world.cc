#include "sim/world.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "api/livekit/wire.h"
#include "base/assert.h"
#include "sim/heap.h"

namespace stoa::sim {
namespace {

constexpr std::uint32_t kUdpHeaderBytes = 28;
constexpr Duration kWatchInterval = Duration::seconds(1);
// All that is over is gone from the node by then: rooms, seats that might have come back, sessions.
constexpr Duration kAftermath = Duration::seconds(150);
// From when on nothing may disturb two who are steady: both have joined and found their layers.
constexpr Duration kSettling = Duration::seconds(8);
constexpr Duration kSoundGapMax = Duration::milliseconds(300), kFreezeMax = Duration::milliseconds(1'500);
// What a world may hold, and what may be left of a node: its scratch, grown once.
constexpr std::size_t kHeapOfWorld = 64u << 20, kHeapOfPerson = 24u << 20, kHeapLeft = 8u << 20,
                      kHeapLeftOfPerson = 2u << 20;
constexpr std::size_t kMailMax = 10'000, kSaidMax = 10'000;
constexpr std::size_t kOverheardMax = 64;
constexpr std::size_t kSpareMax = 1024, kSpareBytes = 1500;  // A buffer that goes round has room for any.
constexpr std::size_t kLogLinesMax = 1'000;

// The same bytes for the same message: maps are written in any order.
std::uint64_t digest_of(Bytes frame) {
  livekit::pb::SignalResponse response;
  if (!response.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) return 0;
  std::string text;
  {
    google::protobuf::io::StringOutputStream stream(&text);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    response.SerializeToCodedStream(&coded);
  }
  return hash_bytes(0, as_bytes(text));
}

// Header and tag, which covers all the rest.
std::uint64_t digest_of_datagram(std::uint64_t seed, Bytes bytes) {
  constexpr std::size_t kEnd = 32;
  if (bytes.size() <= 2 * kEnd) return hash_bytes(seed, bytes);
  return hash_bytes(hash_bytes(seed ^ bytes.size(), bytes.first(kEnd)), bytes.last(kEnd));
}

std::string ms(Duration duration) { return std::to_string(duration.ms()) + " ms"; }

}  // namespace

World::World(const Story& story)
    : story_(story),
      rng_(story.seed),
      entropy_(rng_.next()),
      heap_before_(heap_bytes_in_use()),
      inspector_(faults_) {
  time_.advance(Duration::seconds(1));
  shared_ = std::make_unique<ClientShared>(time_.wall());
  Node::Config config{.shards = story_.shards};
  config.shard.rtc.port.fan_out.congestion = story_.congestion;
  config.shard.rooms.limits.seats_per_shard = story_.seats_per_shard;
  node_ = std::make_unique<Node>(config, time_.now(), time_.wall(), Rng(rng_.next()), *this);
  arrived_.resize(story_.shards);
  for (shard::ShardIndex i = 0; i < story_.shards; ++i) addresses_.push_back(node_->address_of(i));
  for (std::size_t i = 0; i < story_.people.size(); ++i) {
    const PersonPlan& plan = story_.people[i];
    const auto number = static_cast<std::uint32_t>(i + 1);
    auto client = std::make_unique<Client>();
    client->plan = &plan;
    client->inside = client->outside = new_address(number);
    client->person = std::make_unique<Person>(Person::Config{.number = number,
                                                             .room = plan.room,
                                                             .publisher = plan.publisher,
                                                             .viewer = plan.viewer,
                                                             .attention = plan.attention,
                                                             .is_hostile = plan.is_hostile},
                                              *shared_, client->inside, Rng(rng_.next()));
    client->up = std::make_unique<Path<Parcel>>(plan.up, Rng(rng_.next()), time_.now());
    client->down = std::make_unique<Path<Parcel>>(plan.down, Rng(rng_.next()), time_.now());
    client->shard = static_cast<shard::ShardIndex>(rng_.below(story_.shards));
    client->next = client->due = Timestamp::never();
    inspector_.add_person(number, plan.room);
    people_.push_back(std::move(client));
  }
  for (const AttackPlan& plan : story_.attacks) next_attack_.push_back(time_.now() + plan.from);
  next_watch_ = time_.now() + kWatchInterval;
}

World::~World() = default;

SocketAddress World::new_address(std::uint32_t person) {
  SocketAddress address{IpAddress::v4(198, 51, 100, static_cast<std::uint8_t>(1 + person % 250)),
                        next_port_++};
  owners_[address] = person;
  return address;
}

Timestamp World::next_event() const {
  Timestamp at = std::min(node_->next_deadline(), next_watch_);
  for (const auto& client : people_) at = std::min(at, client->next);
  if (next_event_ < story_.events.size())
    at = std::min(at, Timestamp() + Duration::seconds(1) + story_.events[next_event_].at);
  for (Timestamp one : next_attack_) at = std::min(at, one);
  return at;
}

void World::run_until(Timestamp end) {
  const std::int64_t quantum = story_.quantum.ns();
  for (;;) {
    Timestamp at = std::max(next_event(), time_.now());
    at = Timestamp::from_ns((at.ns() + quantum - 1) / quantum * quantum);
    if (at == time_.now()) at += story_.quantum;  // Nothing is due twice at a moment.
    if (at > end) break;
    time_.advance_to(at);
    step();
  }
  time_.advance_to(end);
}

void World::run() {
  const Timestamp start = Timestamp() + Duration::seconds(1);
  run_until(start + story_.length);
  for (auto& client : people_) {
    if (client->is_gone || !client->person->is_there()) continue;
    client->person->leave(time_.now(), time_.wall());
    take_outputs(*client);
    update_next(*client);
  }
  next_attack_.clear();
  run_until(start + story_.length + kAftermath);
  check_end();
}

void World::step() {
  ++steps_;
  while (next_event_ < story_.events.size() &&
         Timestamp() + Duration::seconds(1) + story_.events[next_event_].at <= time_.now())
    act(story_.events[next_event_++]);
  for (std::size_t i = 0; i < next_attack_.size(); ++i)
    if (next_attack_[i] <= time_.now()) attack(story_.attacks[i], i);
  for (auto& client : people_)
    if (client->next <= time_.now()) deliver_signals(*client);
  deliver_up();
  if (node_->next_deadline() <= time_.now()) node_->handle_deadline(time_.now(), time_.wall());
  for (auto& client : people_)
    if (client->next <= time_.now()) step_client(*client);
  if (next_watch_ <= time_.now()) watch();
}

void World::act(const Event& event) {
  Client& client = *people_[event.person - 1];
  Person& person = *client.person;
  const Timestamp now = time_.now();
  switch (event.kind) {
    case EventKind::kJoin:
    case EventKind::kComeBack:
      if (person.is_there() && !client.is_gone) break;
      client.is_gone = false;
      client.said.clear();
      client.heard.clear();
      client.request = 0;
      if (event.kind == EventKind::kComeBack) {
        client.inside = client.outside = new_address(event.person);
        person.restart(client.inside);
      }
      person.join(now);
      client.undisturbed_since = now + kSettling;
      break;
    case EventKind::kLeave:
      if (!client.is_gone && person.is_there()) person.leave(now, time_.wall());
      break;
    case EventKind::kVanish: client.is_gone = true; break;
    case EventKind::kLoseSocket:
      if (!client.is_gone) person.lose_socket(now);
      break;
    case EventKind::kRebind: client.outside = new_address(event.person); break;
    case EventKind::kHandover:
      client.inside = client.outside = new_address(event.person);
      if (!client.is_gone && person.is_there()) {
        person.lose_socket(now);
        person.change_network(now, client.inside);
      }
      break;
  }
  if (client.is_gone) {
    client.due = Timestamp::never();
    return file(client);
  }
  take_outputs(client);
  update_next(client);
}

void World::take_outputs(Client& client) {
  if (!client.person->has_output()) return;
  const Timestamp now = time_.now();
  sent_.clear();
  client.person->take_datagrams(sent_);
  for (Person::Datagram& datagram : sent_) {
    const auto bytes = static_cast<std::uint32_t>(datagram.bytes.size()) + kUdpHeaderBytes;
    digest_.add(digest_of_datagram(client.person->config().number, datagram.bytes));
    ++up_;
    client.up->send(now, bytes, {client.outside, datagram.to, std::move(datagram.bytes)});
  }
  for (Person::Signal& signal : client.person->take_signals()) {
    if (client.said.size() >= kSaidMax) {
      faults_.add(now, name_of(client) + " says more than is ever heard");
      break;
    }
    if (std::holds_alternative<Person::OpenSocket>(signal)) {
      client.request = next_request_++;
      requests_[client.request] = client.person->config().number;
    }
    if (auto* frame = std::get_if<Person::SendFrame>(&signal)) digest_.add(as_bytes(frame->bytes));
    client.said.push_back({now + client.plan->signal_latency, std::move(signal), client.request});
  }
}

void World::update_next(Client& client) {
  client.due = client.person->next_deadline();
  file(client);
}

void World::file(Client& client) {
  Timestamp at = std::min({client.due, client.up->next_deadline(), client.down->next_deadline()});
  if (!client.said.empty()) at = std::min(at, client.said.front().at);
  if (!client.heard.empty()) at = std::min(at, client.heard.front().at);
  client.next = at;
}

// From the client to the node. Requests of a client that is gone are heard still: they were under way.
void World::deliver_signals(Client& client) {
  const Timestamp now = time_.now();
  while (!client.said.empty() && client.said.front().at <= now) {
    Client::Said said = std::move(client.said.front());
    client.said.pop_front();
    if (auto* open = std::get_if<Person::OpenSocket>(&said.signal)) {
      node_->handle_request(now, time_.wall(), client.shard, said.request, open->request);
    } else if (auto* frame = std::get_if<Person::SendFrame>(&said.signal)) {
      node_->handle_socket_message(now, time_.wall(), client.shard, said.request, as_bytes(frame->bytes));
    } else {
      node_->handle_socket_closed(now, time_.wall(), client.shard, said.request);
    }
  }
}

void World::damage(Buffer& bytes) {
  bytes[rng_.below(bytes.size())] ^= static_cast<std::uint8_t>(1 + rng_.below(255));
}

void World::deliver_up() {
  const Timestamp now = time_.now();
  for (auto& client : people_) {
    if (client->next > now) continue;
    while (client->up->next_deadline() <= now) {
      auto arrival = client->up->take_arrived(now);
      if (!arrival) break;
      Parcel& parcel = arrival->payload;
      if (arrival->is_corrupt) damage(parcel.bytes);
      const auto to = std::find(addresses_.begin(), addresses_.end(), parcel.to);
      if (to != addresses_.end())
        arrived_[static_cast<std::size_t>(to - addresses_.begin())].push_back(std::move(parcel));
    }
  }
  for (shard::ShardIndex i = 0; i < node_->shards(); ++i) {
    if (arrived_[i].empty()) continue;
    received_.clear();
    for (Parcel& parcel : arrived_[i]) received_.push_back({kUdpPath, parcel.from, parcel.bytes});
    if (!story_.attacks.empty() && overheard_.size() < kOverheardMax)
      overheard_.push_back(arrived_[i].front().bytes);
    node_->handle_datagrams(now, time_.wall(), i, received_);
    for (Parcel& parcel : arrived_[i]) drop_buffer(std::move(parcel.bytes));
    arrived_[i].clear();
  }
}

void World::step_client(Client& client) {
  const Timestamp now = time_.now();
  Person& person = *client.person;
  parcels_.clear();
  arrived_there_.clear();
  bool is_told = client.due <= now;
  while (client.down->next_deadline() <= now) {
    auto arrival = client.down->take_arrived(now);
    if (!arrival) break;
    Parcel& parcel = arrival->payload;
    // What was sent to an address that it has no more finds nobody.
    if (client.is_gone || parcel.to != client.outside) continue;
    if (arrival->is_corrupt) damage(parcel.bytes);
    parcels_.push_back(std::move(parcel));  // Its bytes stay where they are.
    arrived_there_.push_back({std::min(arrival->at, now), parcels_.back().from, parcels_.back().bytes});
  }
  if (!arrived_there_.empty()) {
    person.handle_datagrams(now, time_.wall(), arrived_there_);
    for (Parcel& parcel : parcels_) drop_buffer(std::move(parcel.bytes));
    is_told = true;
  }
  while (!client.heard.empty() && client.heard.front().at <= now) {
    Client::Heard heard = std::move(client.heard.front());
    client.heard.pop_front();
    if (client.is_gone || heard.request != client.request) continue;
    is_told = true;
    switch (heard.what) {
      case Client::Heard::What::kOpened: person.handle_opened(now); break;
      case Client::Heard::What::kRefused: person.handle_refused(now, heard.code); break;
      case Client::Heard::What::kFrame: person.handle_frame(now, time_.wall(), heard.frame.bytes()); break;
      case Client::Heard::What::kClosed:
        person.handle_closed(now, static_cast<std::uint16_t>(heard.code));
        break;
    }
  }
  if (client.is_gone) {
    client.due = Timestamp::never();
    return file(client);
  }
  if (!is_told) return file(client);
  if (person.next_deadline() <= now) person.handle_deadline(now, time_.wall());
  take_outputs(client);
  update_next(client);
}

Buffer World::make_buffer(Bytes bytes) {
  Buffer buffer;
  if (spare_.empty()) {
    buffer.reserve(kSpareBytes);
  } else {
    buffer = std::move(spare_.back());
    spare_.pop_back();
  }
  buffer.assign(bytes.begin(), bytes.end());
  return buffer;
}

void World::drop_buffer(Buffer&& buffer) {
  if (buffer.capacity() >= kSpareBytes && spare_.size() < kSpareMax) spare_.push_back(std::move(buffer));
}

void World::handle_datagram(shard::ShardIndex from, const SocketAddress& to, Bytes datagram) {
  auto found = owners_.find(to);
  const std::uint32_t number = found == owners_.end() ? 0 : found->second;
  digest_.add(digest_of_datagram(std::uint64_t{number} << 32, datagram));
  inspector_.handle_datagram(time_.now(), number, datagram);
  if (number == 0) return;
  Client& client = *people_[number - 1];
  const auto bytes = static_cast<std::uint32_t>(datagram.size()) + kUdpHeaderBytes;
  client.down->send(time_.now(), bytes, {addresses_[from], to, make_buffer(datagram)});
  client.next = std::min(client.next, client.down->next_deadline());
}

void World::hear(api::RequestKey request, Client::Heard::What what, SharedBytes frame, int code) {
  auto found = requests_.find(request);
  if (found == requests_.end()) return faults_.add(time_.now(), "an answer to nobody's request");
  digest_.add(request << 8 | static_cast<std::uint64_t>(what));
  Client& client = *people_[found->second - 1];
  if (client.heard.size() >= kSaidMax) return faults_.add(time_.now(), name_of(client) + " is told too much");
  client.heard.push_back({what, time_.now() + client.plan->signal_latency, request, std::move(frame), code});
  if (!client.is_gone) client.next = std::min(client.next, client.heard.front().at);
}
void World::handle_answer(api::RequestKey request, const http::Response& response) {
  hear(request, Client::Heard::What::kRefused, {}, response.status);
}
void World::handle_socket_accepted(api::RequestKey request) {
  hear(request, Client::Heard::What::kOpened, {}, 0);
}
void World::handle_socket_message(api::RequestKey request, const SharedBytes& message) {
  digest_.add(digest_of(message.bytes()));
  hear(request, Client::Heard::What::kFrame, message, 0);
}
void World::handle_socket_closed(api::RequestKey request, std::uint16_t code) {
  hear(request, Client::Heard::What::kClosed, {}, code);
}
void World::handle_log(const LogLine& line) {
  digest_.add(as_bytes(line.text));
  if (log_.size() < kLogLinesMax)
    log_.push_back(std::to_string((time_.now() - Timestamp()).ms()) + " " + line.component + ": " +
                   line.text);
}

// Bytes of no sense, checks of sessions there are not, and what was overheard: from anywhere.
void World::attack(const AttackPlan& plan, std::size_t index) {
  const Timestamp now = time_.now();
  if (now >= Timestamp() + Duration::seconds(1) + plan.until) {
    next_attack_[index] = Timestamp::never();
    return;
  }
  next_attack_[index] += Duration::seconds(1) / plan.packets_per_second;
  ++attacks_;
  Buffer bytes;
  switch (rng_.below(4)) {
    case 0:
      bytes.resize(1 + rng_.below(1400));
      for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng_.next());
      break;
    case 1:  // The beginning of STUN, DTLS, RTP.
      bytes.resize(20 + rng_.below(200));
      for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng_.next());
      bytes[0] = std::array<std::uint8_t, 3>{0, 22, 128}[rng_.below(3)];
      break;
    default:
      if (overheard_.empty()) return;
      bytes = overheard_[rng_.below(overheard_.size())];
      if (rng_.chance(0.3)) bytes[rng_.below(bytes.size())] ^= static_cast<std::uint8_t>(1 + rng_.below(255));
      if (rng_.chance(0.02)) overheard_.pop_front();
  }
  SocketAddress from{IpAddress::v4(203, 0, 113, static_cast<std::uint8_t>(rng_.next())),
                     static_cast<std::uint16_t>(1024 + rng_.below(60'000))};
  if (rng_.chance(0.3) && !people_.empty()) from = people_[rng_.below(people_.size())]->outside;
  arrived_[rng_.below(arrived_.size())].push_back({from, {}, std::move(bytes)});
}

void World::watch() {
  const Timestamp now = time_.now();
  next_watch_ += kWatchInterval;
  heap_max_ = std::max(heap_max_, heap_bytes_in_use());
  if (heap_max_ > heap_before_ + kHeapOfWorld + kHeapOfPerson * people_.size() &&
      faults_.count() < Faults::kKeptMax)
    faults_.add(now, "memory grew to " + std::to_string(heap_max_ >> 20) + " MiB");
  if (node_->mail_waiting() > kMailMax) faults_.add(now, "mail piles up");
  for (auto& client : people_) {
    const auto disturbances = client->person->viewer().take_disturbances();
    if (!client->plan->is_steady || now < client->undisturbed_since) continue;
    for (const Disturbance& one : disturbances) {
      if (one.publisher == 0 || one.publisher > people_.size()) continue;
      const Client& publisher = *people_[one.publisher - 1];
      const Timestamp since = std::max(client->undisturbed_since, publisher.undisturbed_since);
      if (!publisher.plan->is_steady || one.at - one.length < since) continue;
      if (one.is_video ? one.length > kFreezeMax : one.length > kSoundGapMax)
        faults_.add(one.at, name_of(*client) + ", who is steady, " +
                                (one.is_video ? "saw nothing" : "heard nothing") + " of p" +
                                std::to_string(one.publisher) + ", who is too, for " + ms(one.length));
    }
    const auto* stats = client->person->dialer_stats();
    if (stats && stats->srtp_refused > 0)
      faults_.add(now, name_of(*client) + ", who is steady, was sent " + std::to_string(stats->srtp_refused) +
                           " packets that are not authentic or not new");
  }
}

void World::check_end() {
  const Timestamp now = time_.now();
  for (const char* name :
       {"stoa_rooms", "stoa_room_participants", "stoa_room_tracks_published", "stoa_room_tracks_subscribed",
        "stoa_webrtc_sessions", "stoa_webrtc_streams", "stoa_webrtc_receiving_sessions"})
    if (const double left = node_->metric(name); left != 0)
      faults_.add(now, std::string("at the end ") + name + " is " + std::to_string(static_cast<int>(left)));
  if (node_->room_entries() != 0)
    faults_.add(now, "at the end " + std::to_string(node_->room_entries()) + " entries are left of rooms");
  if (node_->mail_waiting() != 0) faults_.add(now, "at the end mail waits");
  // What the node has grown to once it keeps; what people hold goes with them.
  const std::size_t with_people = heap_bytes_in_use();
  for (auto& client : people_) {
    client->up.reset();
    client->down.reset();
    client->said = {};
    client->heard = {};
  }
  spare_ = {};
  const std::size_t of_paths = with_people - std::min(with_people, heap_bytes_in_use());
  heap_left_ = with_people - std::min(with_people, of_paths + heap_before_);
  if (heap_left_ > kHeapLeft + kHeapLeftOfPerson * people_.size())
    faults_.add(now, "at the end " + std::to_string(heap_left_ >> 20) + " MiB are left");
}

std::string World::report() const {
  std::string text;
  char line[256];
  auto add = [&](auto... values) {
    std::snprintf(line, sizeof line, values...);
    text += line;
  };
  const Inspector::Counts& sent = inspector_.counts();
  add("%zu people, %u shards, %llu steps; to clients %llu datagrams (%llu of pictures, %llu of sound, %llu "
      "again or padding, %llu RTCP, %llu switches), from them %llu, of attackers %llu; heap %zu MiB, %zu KiB "
      "at the end\n",
      people_.size(), node_->shards(), static_cast<unsigned long long>(steps_),
      static_cast<unsigned long long>(sent.datagrams), static_cast<unsigned long long>(sent.video),
      static_cast<unsigned long long>(sent.sound), static_cast<unsigned long long>(sent.other_rtp),
      static_cast<unsigned long long>(sent.rtcp), static_cast<unsigned long long>(sent.switches),
      static_cast<unsigned long long>(up_), static_cast<unsigned long long>(attacks_), heap_max_ >> 20,
      heap_left_ >> 10);
  for (const auto& client : people_) {
    const ViewerCounts& saw = client->person->viewer().counts();
    const Publisher::Counts& sends = client->person->publisher().counts();
    add("  %-4s %-6s%s%s joins %llu, sent %llu (%llu again), got %llu: frames %llu (keyframes %llu), sounds "
        "%llu (lost %llu), freezes %llu (longest %lld ms), longest gap of sound %lld ms, NACKs %llu, PLIs "
        "%llu\n",
        name_of(*client).c_str(), client->plan->room.c_str(), client->plan->is_steady ? " steady" : "",
        client->plan->is_hostile ? " hostile" : "", static_cast<unsigned long long>(client->person->joins()),
        static_cast<unsigned long long>(sends.packets), static_cast<unsigned long long>(sends.retransmitted),
        static_cast<unsigned long long>(saw.packets), static_cast<unsigned long long>(saw.video_frames),
        static_cast<unsigned long long>(saw.keyframes), static_cast<unsigned long long>(saw.sounds),
        static_cast<unsigned long long>(saw.sounds_lost), static_cast<unsigned long long>(saw.freezes),
        static_cast<long long>(saw.longest_freeze.ms()), static_cast<long long>(saw.longest_sound_gap.ms()),
        static_cast<unsigned long long>(saw.nacks), static_cast<unsigned long long>(saw.plis));
  }
  return text;
}

}  // namespace stoa::sim
