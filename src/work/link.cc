#include "work/link.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "work/clock.h"

namespace stoa::work {

namespace {

// Both at once, and the rest of them in more calls when the socket takes less.
bool write_all(int socket, std::array<iovec, 2> parts) {
  std::size_t first = 0;
  while (true) {
    while (first < parts.size() && parts[first].iov_len == 0) ++first;
    if (first == parts.size()) return true;
    msghdr message{};
    message.msg_iov = &parts[first];
    message.msg_iovlen = parts.size() - first;
    ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    for (auto left = static_cast<std::size_t>(sent); left > 0;) {
      std::size_t taken = std::min(left, parts[first].iov_len);
      parts[first].iov_base = static_cast<char*>(parts[first].iov_base) + taken;
      parts[first].iov_len -= taken;
      left -= taken;
      if (parts[first].iov_len == 0) ++first;
    }
  }
}

constexpr std::string_view kTcp = "tcp://";

Result<int, std::string> connect_socket(int family, const sockaddr* address, socklen_t length) {
  int socket = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket >= 0 && ::connect(socket, address, length) == 0) return socket;
  std::string why = std::strerror(errno);
  if (socket >= 0) ::close(socket);
  return refuse(std::move(why));
}

// Of several addresses the first that answers.
Result<int, std::string> connect_to_host(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return refuse(std::string("no port"));
  std::string host(address.substr(0, colon));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string port(address.substr(colon + 1));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0)
    return refuse(std::string(::gai_strerror(error)));
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, ::freeaddrinfo);
  Result<int, std::string> socket = refuse(std::string("no address"));
  for (const addrinfo* one = found; one && !socket; one = one->ai_next)
    socket = connect_socket(one->ai_family, one->ai_addr, one->ai_addrlen);
  // Frames are many and small, and each is waited for.
  const int on = 1;
  if (socket) ::setsockopt(*socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

iovec vector_of(Bytes bytes) { return {const_cast<std::uint8_t*>(bytes.data()), bytes.size()}; }

}  // namespace

Result<int, std::string> connect_to(const std::string& address) {
  if (address.starts_with(kTcp)) return connect_to_host(std::string_view(address).substr(kTcp.size()));
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  if (address.empty() || address.size() >= sizeof local.sun_path)
    return refuse(std::string("no path of a socket"));
  std::memcpy(local.sun_path, address.data(), address.size());
  return connect_socket(AF_UNIX, reinterpret_cast<const sockaddr*>(&local), sizeof local);
}

Link::Link(int socket, const relay::Config& config)
    : socket_(socket), connection_(relay::Role::kWorker, config, now()) {
  timeval timeout{.tv_sec = kWriteTimeout.ms() / 1000, .tv_usec = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
}

Link::~Link() { ::close(socket_); }

void Link::run(relay::Hello hello, const std::function<void(relay::Message&)>& handle) {
  Buffer buffer(kReadBytes);
  std::vector<relay::Message> messages;
  relay::Outputs out;
  std::unique_lock lock(mutex_);
  connection_.start(std::move(hello), out);
  carry_out(out, messages);
  while (!is_over()) {
    Timestamp until = connection_.next_deadline();
    lock.unlock();
    ssize_t received = -1;
    bool has_bytes = wait_for_bytes(until);
    if (has_bytes) received = ::recv(socket_, buffer.data(), buffer.size(), 0);
    int reason = errno;
    lock.lock();
    if (has_bytes && (received == 0 || (received < 0 && reason != EINTR))) break;
    if (received > 0) {
      (void)connection_.handle_bytes(now(), Bytes(buffer.data(), static_cast<std::size_t>(received)), out);
    } else {
      connection_.handle_deadline(now(), out);
    }
    carry_out(out, messages);
    lock.unlock();
    for (relay::Message& message : messages) handle(message);
    messages.clear();
    lock.lock();
  }
  is_broken_ = true;
}

bool Link::send(const relay::Message& message) {
  std::lock_guard lock(mutex_);
  if (is_over()) return false;
  relay::Outputs out;
  std::vector<relay::Message> messages;
  bool is_sent = connection_.send(now(), message, out);
  carry_out(out, messages);
  return is_sent && !is_broken_;
}

void Link::carry_out(relay::Outputs& out, std::vector<relay::Message>& messages) {
  for (relay::Output& output : out.take()) {
    std::visit(Overloaded{[&](relay::SendBytes& bytes) { write(bytes); },
                          [&](relay::Closed& closed) { refusal_ = closed.refusal; },
                          [&](auto& message) { messages.emplace_back(std::move(message)); }},
               output);
  }
}

void Link::write(const relay::SendBytes& bytes) {
  if (is_broken_) return;
  if (write_all(socket_, {vector_of(bytes.head), vector_of(bytes.payload.bytes())})) return;
  is_broken_ = true;
  ::shutdown(socket_, SHUT_RDWR);  // So that the thread that reads comes back, too.
}

bool Link::wait_for_bytes(Timestamp until) const {
  pollfd wanted{.fd = socket_, .events = POLLIN, .revents = 0};
  int timeout_ms = -1;
  if (until != Timestamp::never()) {
    timeout_ms = static_cast<int>(std::clamp<std::int64_t>((until - now()).ms() + 1, 0, 60'000));
  }
  return ::poll(&wanted, 1, timeout_ms) > 0;
}

}  // namespace stoa::work
