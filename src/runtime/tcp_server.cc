#include "runtime/tcp_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "runtime/tcp_connection.h"
#include "runtime/tls.h"

namespace stoa::runtime {
namespace {

constexpr std::size_t kReadBytes = 64u << 10;
// Buffers full of bytes taken from one connection before the others get their turn.
constexpr int kReadRounds = 4;
constexpr int kAcceptBatch = 256;
constexpr std::uint32_t kDiscardLimit = 1u << 20;
const Duration kTick = Duration::milliseconds(50);

using Io = TcpConnection::Io;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);
  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage); }
};

std::optional<SocketAddress> parse_address(const std::string& text, std::uint16_t port) {
  SocketAddress address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.length = sizeof *v4;
    return address;
  }
  if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.length = sizeof *v6;
    return address;
  }
  return std::nullopt;
}

std::optional<SocketAddress> name_of_path(const std::string& path) {
  SocketAddress address;
  auto* local = reinterpret_cast<sockaddr_un*>(&address.storage);
  if (path.size() >= sizeof local->sun_path || path.find('\0') != std::string::npos) return std::nullopt;
  local->sun_family = AF_UNIX;
  memcpy(local->sun_path, path.data(), path.size());
  address.length = static_cast<socklen_t>(sizeof *local);
  return address;
}

// A socket that nobody listens to any more.
bool is_left_behind(SocketAddress& address, const std::string& path) {
  struct stat facts{};
  if (lstat(path.c_str(), &facts) != 0 || !S_ISSOCK(facts.st_mode)) return false;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  bool is_refused = connect(fd, address.raw(), address.length) != 0 && errno == ECONNREFUSED;
  ::close(fd);
  return is_refused;
}

std::uint16_t port_of(const SocketAddress& address) {
  if (address.storage.ss_family == AF_UNIX) return 0;
  return ntohs(address.storage.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_port
                   : reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port);
}

// "::" means every address, also where the kernel has no IPv6.
int open_socket(SocketAddress& address, const std::string& text, std::uint16_t port, int flags) {
  int fd = socket(address.storage.ss_family, SOCK_STREAM | flags, 0);
  if (fd >= 0 || errno != EAFNOSUPPORT || text != "::") return fd;
  address = *parse_address("0.0.0.0", port);
  return socket(address.storage.ss_family, SOCK_STREAM | flags, 0);
}

AddressKey key_of(const SocketAddress& address) {
  AddressKey key{};
  if (address.storage.ss_family == AF_UNIX) return key;
  if (address.storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr;
    // A subscriber has a /64; a mapped IPv4 address has its last four bytes.
    memcpy(key.data(), &v6, IN6_IS_ADDR_V4MAPPED(&v6) ? 16 : 8);
  } else {
    key[10] = key[11] = 0xff;
    memcpy(key.data() + 12, &reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr, 4);
  }
  return key;
}

std::string text_of(const SocketAddress& address) {
  if (address.storage.ss_family == AF_UNIX) return "unix";
  char text[INET6_ADDRSTRLEN] = "";
  if (address.storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&v6))
      inet_ntop(AF_INET, v6.s6_addr + 12, text, sizeof text);
    else
      inet_ntop(AF_INET6, &v6, text, sizeof text);
  } else {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr, text, sizeof text);
  }
  return text;
}

struct AddressHash {
  std::size_t operator()(const AddressKey& key) const {
    return std::hash<std::string_view>()({reinterpret_cast<const char*>(key.data()), key.size()});
  }
};

}  // namespace

const char* name_of(CloseReason reason) {
  switch (reason) {
    case CloseReason::kPeer: return "peer";
    case CloseReason::kLocal: return "local";
    case CloseReason::kSendQueueFull: return "send_queue_full";
    case CloseReason::kWriteStalled: return "write_stalled";
    case CloseReason::kProtocolFailure: return "protocol_failure";
  }
  return "unknown";
}

struct TcpServer::Impl : WatchHandler {
  struct Listener : WatchHandler {
    Listener(Impl& owner, int descriptor, const ListenOptions& options)
        : server(owner), fd(descriptor), tls(options.tls), path(options.path) {}
    ~Listener() override {
      if (watch.is_set()) server.loop.unwatch(watch);
      if (!path.empty()) ::unlink(path.c_str());
      ::close(fd);
    }
    void on_ready(std::uint64_t, Readiness) override { server.accept_from(*this); }
    Impl& server;
    int fd;
    std::shared_ptr<TlsContext> tls;
    std::string path;  // Of a Unix socket.
    WatchId watch;
    bool has_backlog = false;  // Accepting was cut short; the tick goes on.
  };
  struct Counts {
    std::uint64_t accepted = 0, refused_full = 0, refused_address = 0, refused_descriptors = 0;
    std::uint64_t handshake_failures = 0, handshake_timeouts = 0, queue_full = 0, stalled = 0;
    std::uint64_t received_bytes = 0, sent_bytes = 0;
  };

  Impl(Loop& event_loop, const TcpLimits& tcp_limits, TcpHandler& tcp_handler)
      : loop(event_loop), limits(tcp_limits), handler(tcp_handler), connections(tcp_limits.connections) {}
  ~Impl() override;

  void on_ready(std::uint64_t token, Readiness ready) override;
  void accept_from(Listener& listener);
  bool accept_one(Listener& listener);
  void refuse_for_want_of_descriptors(Listener& listener);
  void admit(Listener& listener, int fd, const SocketAddress& address);
  void proceed(ConnectionId id);
  void shake_hands(ConnectionId id, TcpConnection& c);
  void open(ConnectionId id, TcpConnection& c);
  void read_from(ConnectionId id);
  void end_of_input(ConnectionId id, TcpConnection& c);
  void write_to(ConnectionId id, TcpConnection& c);
  void after_write(ConnectionId id, TcpConnection& c, Io result);
  void begin_close(ConnectionId id, TcpConnection& c);
  void finish(ConnectionId id, TcpConnection& c, CloseReason reason);
  void remember_reap(ConnectionId id);
  void reap();
  void list_ready(ConnectionId id, TcpConnection& c);
  void set_deadline(ConnectionId id, TcpConnection& c, Timestamp at);
  void tick();
  void handle_deadline(ConnectionId id);
  template <typename Predicate>
  void drop_if(Predicate&& predicate);

  TcpConnection* find(ConnectionId id) {
    auto* slot = connections.find(id);
    return slot ? slot->get() : nullptr;
  }
  // One that its handler may still talk to.
  TcpConnection* find_open(ConnectionId id) {
    TcpConnection* c = find(id);
    return c && c->is_open && !c->is_finished && !c->is_told_closed ? c : nullptr;
  }

  Loop& loop;
  TcpLimits limits;
  TcpHandler& handler;
  SlotTable<std::unique_ptr<TcpConnection>, ConnectionTag> connections;
  std::unordered_map<AddressKey, std::size_t, AddressHash> per_address;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::vector<std::shared_ptr<TlsContext>> contexts;  // Handshakes may outlast their listener.
  std::vector<ConnectionId> to_reap, to_read;
  // Keeps posted tasks from reaching a server that is gone.
  std::shared_ptr<Impl*> self = std::make_shared<Impl*>(this);
  DeadlineWheel<ConnectionId> wheel{Loop::now(), kTick};
  DeadlineTimer timer{loop, [this] { tick(); }};
  DeadlineTimer drain_timer{loop, [this] { drop_if([](const TcpConnection&) { return true; }); }};
  std::move_only_function<void()> on_drained;
  Buffer scratch = Buffer(kReadBytes);
  int reserve_fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  Counts counts;
};

TcpServer::Impl::~Impl() {
  *self = nullptr;
  listeners.clear();
  connections.for_each([&](ConnectionId, auto& c) {
    if (!c->is_finished) loop.unwatch(c->watch);
  });
  if (reserve_fd >= 0) ::close(reserve_fd);
}

void TcpServer::Impl::accept_from(Listener& listener) {
  listener.has_backlog = false;
  for (int i = 0; i < kAcceptBatch; ++i)
    if (!accept_one(listener)) return;
  listener.has_backlog = true;
  timer.set(Loop::now());
}

bool TcpServer::Impl::accept_one(Listener& listener) {
  SocketAddress address;
  int fd = accept4(listener.fd, address.raw(), &address.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    admit(listener, fd, address);
    return true;
  }
  if (errno == EMFILE || errno == ENFILE) {
    refuse_for_want_of_descriptors(listener);
    return !listener.has_backlog;
  }
  // accept(2): what went wrong with one connection is told here too; the next may be good.
  for (int passing : {EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH,
                      ENETUNREACH, EOPNOTSUPP, EPERM})
    if (errno == passing) return true;
  return false;
}

// A connection that cannot be accepted would stay in the backlog and its client would wait: give up the
// descriptor that was put aside for this, take the connection and close it.
void TcpServer::Impl::refuse_for_want_of_descriptors(Listener& listener) {
  ++counts.refused_descriptors;
  if (reserve_fd >= 0) ::close(reserve_fd);
  int fd = accept4(listener.fd, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) ::close(fd);
  reserve_fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) return;
  listener.has_backlog = true;
  timer.set(Loop::now() + kTick);
}

void TcpServer::Impl::admit(Listener& listener, int fd, const SocketAddress& address) {
  AddressKey key = key_of(address);
  std::size_t& of_address = per_address[key];
  bool is_full = connections.size() == connections.limit();
  if (is_full || of_address >= limits.connections_per_address) {
    ++(is_full ? counts.refused_full : counts.refused_address);
    if (of_address == 0) per_address.erase(key);
    ::close(fd);
    return;
  }
  ssl_st* ssl = nullptr;
  if (listener.tls) {
    ssl = listener.tls->make_session();
    if (!ssl || SSL_set_fd(ssl, fd) != 1) {
      ++counts.handshake_failures;
      if (of_address == 0) per_address.erase(key);
      if (ssl) SSL_free(ssl);
      ::close(fd);
      return;
    }
  }
  ConnectionId id = connections.insert(std::make_unique<TcpConnection>(fd, ssl, key));
  TcpConnection& c = *find(id);
  ++of_address;
  ++counts.accepted;
  c.watch = loop.watch(fd, *this, id.value());
  if (!c.watch.is_set()) return finish(id, c, CloseReason::kLocal);
  if (ssl) {
    c.is_handshaking = true;
    set_deadline(id, c, Loop::now() + limits.handshake_timeout);
    return;
  }
  open(id, c);
}

void TcpServer::Impl::open(ConnectionId id, TcpConnection& c) {
  SocketAddress address;
  getpeername(c.fd(), address.raw(), &address.length);
  c.is_open = true;
  handler.on_open(id, Peer{text_of(address), port_of(address), c.is_secure(), c.alpn()});
}

void TcpServer::Impl::on_ready(std::uint64_t token, Readiness ready) {
  ConnectionId id = ConnectionId::from_value(token);
  TcpConnection* c = find(id);
  if (!c || c->is_finished) return;
  if (ready.readable) c->is_readable = true;
  if (ready.writable) c->is_writable = true;
  if (ready.peer_finished) c->is_peer_finished = true;
  if (ready.failed && c->is_paused) return finish(id, *c, CloseReason::kPeer);
  proceed(id);
}

void TcpServer::Impl::proceed(ConnectionId id) {
  TcpConnection* c = find(id);
  if (!c || c->is_finished) return;
  if (c->is_handshaking) return shake_hands(id, *c);
  if (c->queued_bytes() > 0 && c->is_writable) write_to(id, *c);
  c = find(id);
  if (c && !c->is_finished && c->is_readable && !c->is_paused) read_from(id);
}

void TcpServer::Impl::shake_hands(ConnectionId id, TcpConnection& c) {
  switch (c.handshake()) {
    case Io::kAgain: return;
    case Io::kProgress:
      c.is_handshaking = false;
      set_deadline(id, c, Timestamp::never());
      open(id, c);
      return proceed(id);
    default: ++counts.handshake_failures; return finish(id, c, CloseReason::kProtocolFailure);
  }
}

void TcpServer::Impl::read_from(ConnectionId id) {
  for (int round = 0; round < kReadRounds; ++round) {
    TcpConnection* c = find(id);
    if (!c || c->is_finished || c->is_paused) return;
    std::size_t length = 0;
    bool drained = false;
    Io result = c->read(scratch, length, drained);
    if (result == Io::kAgain) {
      c->is_readable = false;
      return;
    }
    if (result == Io::kEnd) return end_of_input(id, *c);
    if (result == Io::kFailed)
      return finish(id, *c, c->is_secure() ? CloseReason::kProtocolFailure : CloseReason::kPeer);
    counts.received_bytes += length;
    if (c->is_closing) {
      c->discarded += static_cast<std::uint32_t>(length);
      if (c->discarded > kDiscardLimit) return finish(id, *c, CloseReason::kLocal);
    }
    // A short read leaves nothing behind, unless the end of the stream comes right after it.
    if (drained && !c->is_peer_finished) c->is_readable = false;
    if (!c->is_closing) handler.on_bytes(id, Bytes(scratch.data(), length));
    c = find(id);
    if (!c || c->is_finished || !c->is_readable) return;
  }
  if (TcpConnection* c = find(id); c && !c->is_finished) list_ready(id, *c);
}

void TcpServer::Impl::list_ready(ConnectionId id, TcpConnection& c) {
  if (std::exchange(c.is_listed_ready, true)) return;
  to_read.push_back(id);
  if (to_read.size() > 1) return;
  loop.post([weak = std::weak_ptr(self)] {
    auto strong = weak.lock();
    if (!strong || !*strong) return;
    Impl& impl = **strong;
    for (ConnectionId listed : std::exchange(impl.to_read, {})) {
      TcpConnection* connection = impl.find(listed);
      if (!connection) continue;
      connection->is_listed_ready = false;
      impl.proceed(listed);
    }
  });
}

void TcpServer::Impl::end_of_input(ConnectionId id, TcpConnection& c) {
  c.is_peer_finished = true;
  c.is_readable = false;
  if (c.is_closing && c.queued_bytes() == 0) return finish(id, c, c.reason);
  if (c.queued_bytes() == 0) return finish(id, c, CloseReason::kPeer);
  // What was answered before the peer finished still goes out.
  if (!c.is_closing) {
    c.reason = CloseReason::kPeer;
    c.is_closing = true;
    set_deadline(id, c, Loop::now() + limits.write_stall_timeout);
    remember_reap(id);
  }
}

void TcpServer::Impl::write_to(ConnectionId id, TcpConnection& c) { after_write(id, c, c.flush()); }

void TcpServer::Impl::after_write(ConnectionId id, TcpConnection& c, Io result) {
  if (result == Io::kFailed || result == Io::kEnd) return finish(id, c, CloseReason::kPeer);
  if (c.is_closing) {
    if (c.queued_bytes() > 0) {
      if (c.take_progress()) set_deadline(id, c, Loop::now() + limits.write_stall_timeout);
      return;
    }
    if (c.is_peer_finished) return finish(id, c, c.reason);
    set_deadline(id, c, Loop::now() + limits.close_timeout);
    return c.finish_sending();
  }
  if (c.take_progress() || c.deadline.at == Timestamp::never()) {
    Timestamp at = c.queued_bytes() == 0 ? Timestamp::never() : Loop::now() + limits.write_stall_timeout;
    if (at != c.deadline.at) set_deadline(id, c, at);
  }
  if (c.wants_writable && c.queued_bytes() < kLowWater) {
    c.wants_writable = false;
    handler.on_writable(id);
  }
}

void TcpServer::Impl::begin_close(ConnectionId id, TcpConnection& c) {
  if (c.is_closing) return;
  c.is_closing = true;
  c.reason = CloseReason::kLocal;
  set_deadline(id, c,
               Loop::now() + (c.queued_bytes() > 0 ? limits.write_stall_timeout : limits.close_timeout));
  if (c.queued_bytes() == 0) {
    c.finish_sending();
    if (c.is_peer_finished && !c.is_readable) return finish(id, c, CloseReason::kLocal);
  }
  if (c.is_paused) {
    c.is_paused = false;
    list_ready(id, c);
  }
}

void TcpServer::Impl::finish(ConnectionId id, TcpConnection& c, CloseReason reason) {
  if (std::exchange(c.is_finished, true)) return;
  c.reason = reason;
  counts.sent_bytes += c.bytes_written();
  loop.unwatch(c.watch);
  c.shut();
  auto of_address = per_address.find(c.address());
  if (--of_address->second == 0) per_address.erase(of_address);
  remember_reap(id);
}

void TcpServer::Impl::remember_reap(ConnectionId id) {
  to_reap.push_back(id);
  if (to_reap.size() > 1) return;
  loop.post([weak = std::weak_ptr(self)] {
    auto strong = weak.lock();
    if (strong && *strong) (*strong)->reap();
  });
}

void TcpServer::Impl::reap() {
  for (ConnectionId id : std::exchange(to_reap, {})) {
    TcpConnection* c = find(id);
    if (!c) continue;
    bool owes_news = c->is_open && !std::exchange(c->is_told_closed, true);
    CloseReason reason = c->reason;
    if (c->is_finished) connections.erase(id);
    if (owes_news) handler.on_closed(id, reason);
  }
  if (!on_drained || connections.size() > 0) return;
  drain_timer.set(Timestamp::never());
  std::exchange(on_drained, nullptr)();
}

template <typename Predicate>
void TcpServer::Impl::drop_if(Predicate&& predicate) {
  std::vector<ConnectionId> dropped;
  connections.for_each([&](ConnectionId id, auto& c) {
    if (!c->is_finished && predicate(*c)) dropped.push_back(id);
  });
  for (ConnectionId id : dropped) finish(id, *find(id), CloseReason::kLocal);
}

void TcpServer::Impl::set_deadline(ConnectionId id, TcpConnection& c, Timestamp at) {
  bool was_idle = wheel.empty();
  wheel.set(id, c.deadline, at);
  if (was_idle && !wheel.empty()) timer.set(Loop::now() + kTick);
}

void TcpServer::Impl::tick() {
  for (auto& listener : listeners)
    if (listener->has_backlog) accept_from(*listener);
  Timestamp now = Loop::now();
  wheel.advance(
      now,
      [&](ConnectionId id) -> WheelDeadline* {
        TcpConnection* c = find(id);
        return c && !c->is_finished ? &c->deadline : nullptr;
      },
      [&](ConnectionId id) { handle_deadline(id); });
  if (!wheel.empty() && timer.at() == Timestamp::never()) timer.set(now + kTick);
}

void TcpServer::Impl::handle_deadline(ConnectionId id) {
  TcpConnection& c = *find(id);
  if (c.is_handshaking) {
    ++counts.handshake_timeouts;
    return finish(id, c, CloseReason::kProtocolFailure);
  }
  if (c.queued_bytes() > 0) {
    ++counts.stalled;
    finish(id, c, CloseReason::kWriteStalled);
  } else if (c.is_closing) {
    finish(id, c, c.reason);
  }
}

TcpServer::TcpServer(Loop& loop, const TcpLimits& limits, TcpHandler& handler)
    : impl_(std::make_unique<Impl>(loop, limits, handler)) {}

TcpServer::~TcpServer() = default;

bool is_port_free(const std::string& text, std::uint16_t port) {
  auto address = parse_address(text, port);
  int fd = address ? open_socket(*address, text, port, SOCK_CLOEXEC) : -1;
  if (fd < 0) return true;  // listen() will say what is wrong.
  int on = 1, off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address->storage.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  bool is_taken = bind(fd, address->raw(), address->length) != 0 && errno == EADDRINUSE;
  ::close(fd);
  return !is_taken;
}

namespace {

// "cannot listen on 127.0.0.1:80: bind: Permission denied".
std::unexpected<std::string> cannot_listen(const ListenOptions& options, const std::string& why) {
  std::string where = !options.path.empty() ? options.path
                      : options.address.find(':') == std::string::npos
                          ? options.address + ":" + std::to_string(options.port)
                          : "[" + options.address + "]:" + std::to_string(options.port);
  return refuse("cannot listen on " + where + ": " + why);
}

// Binds `fd` and makes it one for connections; the error is what the system refused.
Result<void, std::string> bind_ip(int fd, SocketAddress& address, const ListenOptions& options) {
  auto failure = [](const char* what) { return refuse(std::string(what) + ": " + strerror(errno)); };
  int on = 1, off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // Accepted sockets inherit both.
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (int unsent = options.unsent_bytes_max; unsent > 0)
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
  if (address.storage.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (options.reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
    return failure("SO_REUSEPORT");
  if (bind(fd, address.raw(), address.length) != 0) return failure("bind");
  return {};
}

Result<void, std::string> bind_path(int fd, SocketAddress& address, const std::string& path) {
  // Before bind: the name has the socket's mode from its first moment on.
  fchmod(fd, S_IRUSR | S_IWUSR);
  bool is_bound = bind(fd, address.raw(), address.length) == 0;
  if (!is_bound && errno == EADDRINUSE && is_left_behind(address, path)) {
    unlink(path.c_str());
    is_bound = bind(fd, address.raw(), address.length) == 0;
  }
  if (!is_bound) return refuse(std::string("bind: ") + strerror(errno));
  return {};
}

}  // namespace

Result<std::uint16_t, std::string> TcpServer::listen(const ListenOptions& options) {
  bool is_unix = !options.path.empty();
  auto address = is_unix ? name_of_path(options.path) : parse_address(options.address, options.port);
  if (!address) return cannot_listen(options, is_unix ? "not a name for a socket" : "not an IP address");
  int fd = open_socket(*address, options.address, options.port, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return cannot_listen(options, std::string("socket: ") + strerror(errno));
  auto bound = is_unix ? bind_path(fd, *address, options.path) : bind_ip(fd, *address, options);
  if (!bound) {
    ::close(fd);
    return cannot_listen(options, bound.error());
  }
  auto listener = std::make_unique<Impl::Listener>(*impl_, fd, options);
  auto failure = [&](const char* what) {
    return cannot_listen(options, std::string(what) + ": " + strerror(errno));
  };
  if (::listen(fd, kBacklog) != 0) return failure("listen");
  SocketAddress own;
  if (getsockname(fd, own.raw(), &own.length) != 0) return failure("getsockname");
  listener->watch = impl_->loop.watch(fd, *listener, 0);
  if (!listener->watch.is_set()) return failure("epoll");
  if (options.tls) impl_->contexts.push_back(options.tls);
  impl_->listeners.push_back(std::move(listener));
  return port_of(own);
}

void TcpServer::stop_listening() { impl_->listeners.clear(); }

void TcpServer::drain(Timestamp deadline, std::move_only_function<void()> on_drained) {
  stop_listening();
  impl_->drop_if([](const TcpConnection& c) { return c.is_handshaking; });
  impl_->on_drained = std::move(on_drained);
  impl_->drain_timer.set(deadline);
  impl_->remember_reap({});  // Nobody may be there to wait for.
}

bool TcpServer::send(ConnectionId id, Bytes head, std::span<const SharedBytes> slices) {
  TcpConnection* c = impl_->find_open(id);
  if (!c || c->is_closing) return false;
  Io result = c->send(head, slices);
  if (result == Io::kFailed || result == Io::kEnd) {
    impl_->finish(id, *c, CloseReason::kPeer);
    return false;
  }
  if (c->queued_bytes() > impl_->limits.send_queue_bytes) {
    ++impl_->counts.queue_full;
    impl_->finish(id, *c, CloseReason::kSendQueueFull);
    return false;
  }
  if (c->queued_bytes() > 0) {
    c->wants_writable = true;
    if (c->take_progress() || c->deadline.at == Timestamp::never())
      impl_->set_deadline(id, *c, Loop::now() + impl_->limits.write_stall_timeout);
  } else if (c->deadline.at != Timestamp::never()) {
    impl_->set_deadline(id, *c, Timestamp::never());
  }
  return true;
}

void TcpServer::close(ConnectionId id) {
  if (TcpConnection* c = impl_->find_open(id)) impl_->begin_close(id, *c);
}

void TcpServer::drop(ConnectionId id) {
  if (TcpConnection* c = impl_->find_open(id)) impl_->finish(id, *c, CloseReason::kLocal);
}

void TcpServer::pause_reading(ConnectionId id) {
  if (TcpConnection* c = impl_->find_open(id); c && !c->is_closing) c->is_paused = true;
}

void TcpServer::resume_reading(ConnectionId id) {
  TcpConnection* c = impl_->find_open(id);
  if (!c || !c->is_paused) return;
  c->is_paused = false;
  // Bytes may wait in the kernel, or decrypted in OpenSSL.
  if (c->is_secure()) c->is_readable = true;
  if (c->is_readable) impl_->list_ready(id, *c);
}

std::size_t TcpServer::queued_bytes(ConnectionId id) const {
  TcpConnection* c = impl_->find(id);
  return c ? c->queued_bytes() : 0;
}

std::size_t TcpServer::connection_count() const { return impl_->connections.size(); }

void TcpServer::append_metrics(const std::string& server, MetricSamples& samples) const {
  Impl::Counts counts = impl_->counts;
  impl_->connections.for_each([&](ConnectionId, auto& c) {
    if (!c->is_finished) counts.sent_bytes += c->bytes_written();
  });
  auto add = [&](const char* name, const char* help, MetricKind kind, std::size_t value) {
    samples.push_back({name, help, kind, {{"server", server}}, static_cast<double>(value)});
  };
  auto refused = [&](const char* reason, std::uint64_t value) {
    samples.push_back({"stoa_tcp_refused_total",
                       "Connections refused or dropped by a limit.",
                       MetricKind::kCounter,
                       {{"server", server}, {"reason", reason}},
                       static_cast<double>(value)});
  };
  add("stoa_tcp_connections", "Connections open now.", MetricKind::kGauge, impl_->connections.size());
  add("stoa_tcp_accepted_total", "Connections accepted.", MetricKind::kCounter, counts.accepted);
  add("stoa_tcp_received_bytes_total", "Bytes read.", MetricKind::kCounter, counts.received_bytes);
  add("stoa_tcp_sent_bytes_total", "Bytes written.", MetricKind::kCounter, counts.sent_bytes);
  refused("connections", counts.refused_full);
  refused("connections_per_address", counts.refused_address);
  refused("descriptors", counts.refused_descriptors);
  refused("handshake", counts.handshake_failures);
  refused("handshake_timeout", counts.handshake_timeouts);
  refused("send_queue", counts.queue_full);
  refused("write_stall", counts.stalled);
}

}  // namespace stoa::runtime
