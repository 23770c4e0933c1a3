#include "shaper.h"

#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace stoa::bench {
namespace {

constexpr std::size_t kHeaderBytes = 28;  // Of IPv4 and UDP.
constexpr int kPortTriesMax = 64;
constexpr int kDatagramsPerTurn = 256;  // Of one socket, before the others and what is due get their turn.

std::int64_t realtime_ns() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

sim::PathStats operator-(sim::PathStats a, const sim::PathStats& b) {
  a.too_long -= b.too_long;
  a.dropped -= b.dropped;
  a.lost -= b.lost;
  a.marked -= b.marked;
  a.corrupted -= b.corrupted;
  a.duplicated -= b.duplicated;
  a.held_back -= b.held_back;
  return a;
}

void add(sim::PathStats& a, const sim::PathStats& b) {
  a.too_long += b.too_long;
  a.dropped += b.dropped;
  a.lost += b.lost;
  a.marked += b.marked;
  a.corrupted += b.corrupted;
  a.duplicated += b.duplicated;
  a.held_back += b.held_back;
}

}  // namespace

Shaper::Shaper(ShaperOptions options)
    : options_(std::move(options)), rng_(options_.seed), start_(now()), latest_(start_) {
  up_.config = options_.up;
  down_.config = options_.down;
  if (options_.is_per_client) return;
  up_.shared = make_path(up_);
  down_.shared = make_path(down_);
}

Result<std::unique_ptr<Shaper>, Failure> Shaper::open(ShaperOptions options) {
  if (options.ports == 0 || options.ports > kPortsMax) return refuse(Failure("too few or too many ports"));
  if (!options.servers.empty() && options.servers.size() != options.ports)
    return refuse(Failure("as many servers as ports are needed"));
  // epoll wakes up late by this much otherwise (50 us, and more on a busy machine).
  prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
  auto shaper = std::unique_ptr<Shaper>(new Shaper(std::move(options)));
  if (!shaper->poller_.valid() || !shaper->open_listeners())
    return refuse("cannot listen on " +
                  SocketAddress{shaper->options_.listen, shaper->options_.port}.to_text() + ": " +
                  std::strerror(errno));
  return shaper;
}

// Where the kernel chooses the first, those after it may be taken.
bool Shaper::open_listeners() {
  for (int tries = 0; tries < kPortTriesMax; ++tries) {
    std::vector<ShapeSocket> opened;
    std::size_t first = options_.port;
    for (std::size_t i = 0; i < options_.ports; ++i) {
      std::size_t port = first == 0 && i == 0 ? 0 : first + i;
      ShapeSocket socket;
      if (port > 65'535 || !socket.open({options_.listen, static_cast<std::uint16_t>(port)})) break;
      if (i == 0) first = socket.address().port;
      opened.push_back(std::move(socket));
    }
    if (opened.size() == options_.ports) {
      listeners_ = std::move(opened);
      for (std::size_t i = 0; i < listeners_.size(); ++i) poller_.add(listeners_[i].fd(), EPOLLIN, i);
      return true;
    }
    if (options_.port != 0) return false;
  }
  return false;
}

std::unique_ptr<Shaper::Path> Shaper::make_path(const Direction& direction) {
  return std::make_unique<Path>(direction.config, Rng(rng_.next()), start_);
}

Shaper::Client* Shaper::find_client(std::size_t port, const SocketAddress& from) {
  if (auto known = client_ids_.find({port, from}); known != client_ids_.end())
    return &clients_.at(known->second);
  if (clients_.size() >= kClientsMax || options_.servers.empty()) return nullptr;
  const std::uint64_t id = next_client_++;
  Client client{.port = port, .address = from};
  if (!open_socket(id, client)) return nullptr;
  if (options_.is_per_client) {
    client.up = make_path(up_);
    client.down = make_path(down_);
  }
  client_ids_[{port, from}] = id;
  return &clients_.emplace(id, std::move(client)).first->second;
}

bool Shaper::open_socket(std::uint64_t id, Client& client) {
  IpAddress own =
      options_.from.empty() ? IpAddress::v4(0, 0, 0, 0) : options_.from[from_ % options_.from.size()];
  ShapeSocket socket;
  if (!socket.open({own, 0}, options_.servers[client.port])) return false;
  client.socket = std::move(socket);
  poller_.add(client.socket.fd(), EPOLLIN, id);
  return true;
}

bool Shaper::turn(std::int64_t until_ns) {
  const std::int64_t deadline = std::min(until_ns, next_deadline().ns());
  bool is_readable = false;
  const std::vector<epoll_event>& events = poller_.wait_until(deadline);
  clock_offset_ns_ = now_ns() - realtime_ns();
  for (const epoll_event& event : events) {
    const std::uint64_t id = event.data.u64;
    if (id == kWatched) {
      is_readable = true;
    } else if (id < listeners_.size()) {
      read_listener(id);
    } else {
      read_client(id);
    }
  }
  deliver(now());
  return is_readable;
}

std::optional<ShapeDatagram> Shaper::receive(ShapeSocket& socket) {
  const std::uint32_t unread = socket.unread();
  auto datagram = socket.receive();
  faults_.unread += socket.unread() - unread;
  return datagram;
}

void Shaper::read_listener(std::size_t port) {
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    auto datagram = receive(listeners_[port]);
    if (!datagram) return;
    Client* client = find_client(port, datagram->from);
    if (!client) {
      ++faults_.turned_away;
      continue;
    }
    client->last = now();
    carry(up_, client->up ? *client->up : *up_.shared, client_ids_.at({port, datagram->from}), *datagram);
  }
}

void Shaper::read_client(std::uint64_t id) {
  auto found = clients_.find(id);
  if (found == clients_.end()) return;
  Client& client = found->second;
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    auto datagram = receive(client.socket);
    if (!datagram) return;
    client.last = now();
    carry(down_, client.down ? *client.down : *down_.shared, id, *datagram);
  }
}

void Shaper::carry(Direction& direction, Path& path, std::uint64_t client, const ShapeDatagram& datagram) {
  const std::size_t bytes = datagram.bytes.size() + kHeaderBytes;
  ++direction.counters.packets;
  direction.counters.bytes += bytes;
  if (bytes_ + datagram.bytes.size() > kBytesMax) {
    ++faults_.turned_away;
    return;
  }
  // When the kernel had it, not when this program came to it; but time never goes back.
  Timestamp at = datagram.unix_ns == 0 ? now() : Timestamp::from_ns(datagram.unix_ns + clock_offset_ns_);
  latest_ = std::clamp(at, latest_, std::max(latest_, now()));
  const bool can_ecn = datagram.ecn != 0 && datagram.ecn != kEcnMarked;
  path.send(latest_, static_cast<std::uint32_t>(bytes), {client, datagram.ecn, keep(datagram.bytes)},
            can_ecn);
}

// A path that drops a datagram late lets go of its bytes when another takes its place.
std::shared_ptr<const Buffer> Shaper::keep(Bytes bytes) {
  bytes_ += bytes.size();
  return {new Buffer(bytes.begin(), bytes.end()), [this](const Buffer* kept) {
            bytes_ -= kept->size();
            delete kept;
          }};
}

void Shaper::deliver(Timestamp now) {
  latest_ = std::max(latest_, now);
  if (up_.shared) deliver(latest_, up_, *up_.shared, true);
  if (down_.shared) deliver(latest_, down_, *down_.shared, false);
  if (!options_.is_per_client) return;
  for (auto& [id, client] : clients_) {
    deliver(latest_, up_, *client.up, true);
    deliver(latest_, down_, *client.down, false);
  }
}

void Shaper::deliver(Timestamp now, Direction& direction, Path& path, bool is_up) {
  while (auto arrival = path.take_arrived(now)) {
    const Carried& carried = arrival->payload;
    auto found = clients_.find(carried.client);
    if (found == clients_.end()) continue;
    Client& client = found->second;
    Buffer damaged;
    if (arrival->is_corrupt && !carried.bytes->empty()) {
      damaged = *carried.bytes;
      std::uint64_t bit = rng_.below(damaged.size() * 8);
      damaged[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    }
    const Buffer& bytes = damaged.empty() ? *carried.bytes : damaged;
    const std::uint8_t ecn = arrival->is_marked ? kEcnMarked : carried.ecn;
    bool is_sent =
        is_up ? client.socket.send(bytes, ecn) : listeners_[client.port].send(bytes, ecn, client.address);
    if (!is_sent) ++faults_.refused;
    ++direction.counters.delivered_packets;
    direction.counters.delivered_bytes += arrival->bytes;
    direction.counters.queue_ms.add(arrival->waited.as_seconds() * 1e3);
    faults_.late_ms.add(std::max(0.0, static_cast<double>(now_ns() - arrival->at.ns()) * 1e-6));
  }
}

template <typename Visit>
void Shaper::for_each_path(const Visit& visit) const {
  if (up_.shared) visit(*up_.shared, true);
  if (down_.shared) visit(*down_.shared, false);
  for (const auto& [id, client] : clients_) {
    if (client.up) visit(*client.up, true);
    if (client.down) visit(*client.down, false);
  }
}

Timestamp Shaper::next_deadline() const {
  Timestamp next = Timestamp::never();
  for_each_path([&](const Path& path, bool) { next = std::min(next, path.next_deadline()); });
  return next;
}

Result<void, Failure> Shaper::handle_command(const ShapeCommand& command) {
  const Duration at = now() - start_;
  if (const auto* change = std::get_if<ShapeChange>(&command)) {
    if (change->is_up) apply_change(*change, at, up_.config);
    if (change->is_down) apply_change(*change, at, down_.config);
  } else if (const auto* outage = std::get_if<ShapeOutage>(&command)) {
    add_outage(at, outage->length, up_.config);
    add_outage(at, outage->length, down_.config);
  } else if (const auto* servers = std::get_if<ShapeServers>(&command)) {
    if (servers->addresses.size() != options_.ports)
      return refuse(Failure("as many servers as ports are needed"));
    options_.servers = servers->addresses;
    return {};
  } else {
    ++from_;
    // What was on its way to the old sockets is lost, as it is to a phone that has left a network.
    for (auto& [id, client] : clients_)
      if (!open_socket(id, client))
        return refuse(Failure("no socket for a handover: ") + std::strerror(errno));
    return {};
  }
  configure(up_, true);
  configure(down_, false);
  return {};
}

void Shaper::configure(Direction& direction, bool is_up) {
  latest_ = std::max(latest_, now());
  if (direction.shared) direction.shared->configure(latest_, direction.config);
  for (auto& [id, client] : clients_)
    if (auto& path = is_up ? client.up : client.down) path->configure(latest_, direction.config);
}

Duration Shaper::queue_delay_up() const {
  Duration longest;
  for_each_path([&](const Path& path, bool is_up) {
    if (is_up) longest = std::max(longest, path.queue_delay(latest_));
  });
  return longest;
}

Duration Shaper::queue_delay_down() const {
  Duration longest;
  for_each_path([&](const Path& path, bool is_up) {
    if (!is_up) longest = std::max(longest, path.queue_delay(latest_));
  });
  return longest;
}

ShapeCounters Shaper::take_counters(Direction& direction) {
  sim::PathStats all = direction.ended;
  for_each_path([&](const Path& path, bool is_up) {
    if (is_up == (&direction == &up_)) add(all, path.stats());
  });
  const sim::PathStats since = all - std::exchange(direction.taken, all);
  ShapeCounters counters = std::exchange(direction.counters, {});
  counters.dropped = since.dropped + since.too_long;
  counters.lost = since.lost;
  counters.marked = since.marked;
  counters.corrupted = since.corrupted;
  counters.duplicated = since.duplicated;
  counters.held_back = since.held_back;
  return counters;
}

void Shaper::drop_idle() {
  const Timestamp oldest = now() - kClientIdle;
  std::erase_if(clients_, [&](auto& entry) {
    auto& [id, client] = entry;
    if (client.last > oldest) return false;
    if (client.up) add(up_.ended, client.up->stats());
    if (client.down) add(down_.ended, client.down->stats());
    client_ids_.erase({client.port, client.address});
    return true;
  });
}

}  // namespace stoa::bench
