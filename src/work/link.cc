#include "work/link.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace stoa::work {

namespace {

Timestamp now() {
  auto since = std::chrono::steady_clock::now().time_since_epoch();
  return Timestamp::from_ns(std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}

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

iovec vector_of(Bytes bytes) { return {const_cast<std::uint8_t*>(bytes.data()), bytes.size()}; }

}  // namespace

int connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return errno = ENAMETOOLONG, -1;
  std::memcpy(address.sun_path, path.data(), path.size());
  int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return -1;
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return socket;
  int reason = errno;
  ::close(socket);
  return errno = reason, -1;
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
