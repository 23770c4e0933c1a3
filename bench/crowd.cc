#include "crowd.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace stoa::bench {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::int64_t kSecond = 1'000'000'000;

// Reads and, when the kernel gives it, says when the bytes arrived on the monotonic clock (else 0).
ssize_t receive_stamped(int fd, std::vector<std::uint8_t>& buffer, std::int64_t& arrived_ns) {
  iovec piece{buffer.data(), buffer.size()};
  alignas(cmsghdr) char control[128];
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got = recvmsg(fd, &message, 0);
  arrived_ns = 0;
  if (got <= 0) return got;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec stamp, wall;
    std::memcpy(&stamp, CMSG_DATA(part), sizeof stamp);
    clock_gettime(CLOCK_REALTIME, &wall);
    std::int64_t age = (wall.tv_sec - stamp.tv_sec) * kSecond + (wall.tv_nsec - stamp.tv_nsec);
    arrived_ns = now_ns() - std::max<std::int64_t>(age, 0);
  }
  return got;
}

}  // namespace

Crowd::Crowd(Address server, std::size_t size, std::size_t connects_per_second, Plot& plot)
    : server_(server),
      plot_(plot),
      connect_interval_ns_(kSecond /
                           static_cast<std::int64_t>(std::max<std::size_t>(connects_per_second, 1))),
      next_connect_ns_(now_ns()),
      viewers_(size),
      buffer_(kReadBytes) {
  for (std::size_t i = size; i-- > 0;) to_connect_.push_back(i);
}

void Crowd::connect_one(std::size_t index) {
  Viewer& viewer = viewers_[index];
  auto fd = start_connect(server_);
  if (!fd) return lose(index, counters_.connect_errors);
  viewer.fd = std::move(*fd);
  viewer.state = State::kConnecting;
  int yes = 1;
  setsockopt(viewer.fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes);
  poller_.add(viewer.fd.get(), EPOLLOUT, index);
}

void Crowd::connect_some() {
  std::int64_t now = now_ns();
  while (!to_connect_.empty() && next_connect_ns_ <= now) {
    std::size_t index = to_connect_.back();
    to_connect_.pop_back();
    next_connect_ns_ = std::max(next_connect_ns_ + connect_interval_ns_, now - kSecond / 10);
    connect_one(index);
  }
}

void Crowd::lose(std::size_t index, std::uint64_t& counter) {
  Viewer& viewer = viewers_[index];
  ++counter;
  if (viewer.state == State::kReady || viewer.state == State::kAsked) --connected_;
  bool was_known = viewer.state >= State::kReady;
  viewer.fd.reset();
  viewer.state = State::kClosed;
  // Last in the line, so that one refused connection does not stop the others from being made.
  to_connect_.insert(to_connect_.begin(), index);
  next_connect_ns_ = std::max(next_connect_ns_, now_ns() + connect_interval_ns_);
  if (was_known) plot_.handle_lost(index);
}

void Crowd::ask(std::size_t index, std::string_view request, bool keep_body) {
  Viewer& viewer = viewers_[index];
  if (viewer.state != State::kReady) return;
  viewer.reader.start(keep_body);
  viewer.sent_ns = now_ns();
  viewer.state = State::kAsked;
  ssize_t sent = send(viewer.fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
  // A keep-alive connection with nothing in flight takes a request whole, or it is dead.
  if (sent != static_cast<ssize_t>(request.size())) lose(index, counters_.lost_connections);
}

void Crowd::read(std::size_t index) {
  Viewer& viewer = viewers_[index];
  auto step = ResponseReader::Step::kMore;
  Times times;
  while (step == ResponseReader::Step::kMore) {
    ssize_t got;
    if (auto surplus = viewer.reader.discardable(); surplus > 0) {
      got = recv(viewer.fd.get(), nullptr, static_cast<std::size_t>(surplus), MSG_TRUNC);
      if (got > 0) step = viewer.reader.discard(static_cast<std::uint64_t>(got));
      times.arrived_ns = 0;
    } else {
      got = receive_stamped(viewer.fd.get(), buffer_, times.arrived_ns);
      if (got > 0) step = viewer.reader.feed({buffer_.data(), static_cast<std::size_t>(got)});
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return lose(index, counters_.lost_connections);
    counters_.bytes += static_cast<std::uint64_t>(got);
  }
  if (step == ResponseReader::Step::kBroken || viewer.state != State::kAsked) {
    return lose(index, counters_.broken_responses);
  }
  times.sent_ns = viewer.sent_ns;
  times.read_ns = now_ns();
  if (times.arrived_ns == 0) times.arrived_ns = times.read_ns;
  ++counters_.responses;
  viewer.state = State::kReady;
  plot_.handle_response(index, viewer.reader, times);
}

void Crowd::handle_event(std::size_t index, std::uint32_t events) {
  Viewer& viewer = viewers_[index];
  if (viewer.state == State::kClosed) return;
  if (viewer.state != State::kConnecting) {
    if (viewer.state == State::kReady) viewer.reader.start(false);  // Closed by the server, or unasked bytes.
    return read(index);
  }
  if (take_socket_error(viewer.fd.get()) != 0 || (events & (EPOLLERR | EPOLLHUP)) != 0) {
    return lose(index, counters_.connect_errors);
  }
  poller_.modify(viewer.fd.get(), EPOLLIN, index);
  viewer.state = State::kReady;
  ++connected_;
  plot_.handle_connected(index);
}

void Crowd::run_until(std::int64_t deadline_ns) {
  while (now_ns() < deadline_ns && !stop_asked()) {
    connect_some();
    std::int64_t until = to_connect_.empty() ? deadline_ns : std::min(deadline_ns, next_connect_ns_);
    for (const auto& event : poller_.wait_until(until)) handle_event(event.data.u64, event.events);
  }
}

}  // namespace stoa::bench
