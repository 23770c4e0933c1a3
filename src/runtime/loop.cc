#include "runtime/loop.h"

#include <signal.h>
#include <sys/epoll.h>
#include <time.h>

#include <array>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <thread>

#include "base/assert.h"

namespace stoa::runtime {
namespace {

constexpr int kReadyBatch = 256;

std::int64_t read_clock(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

epoll_event event_of(WatchId id, Interest interest) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
  if (interest == Interest::kReadableAndWritable) event.events |= EPOLLOUT;
  event.data.u64 = id.value();
  return event;
}

}  // namespace

struct Loop::Impl {
  struct Watch {
    int fd;
    WatchHandler* handler;
    std::uint64_t token;
  };

  Impl();
  void await_readiness();
  void dispatch_ready();

  boost::asio::io_context io{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard{io.get_executor()};
  SlotTable<Watch, WatchTag> watches{kWatchLimit};
  boost::asio::posix::stream_descriptor epoll{io};
  std::atomic<std::thread::id> thread;
};

Loop::Impl::Impl() {
  int fd = epoll_create1(EPOLL_CLOEXEC);
  STOA_ASSERT(fd >= 0);
  epoll.assign(fd);
  await_readiness();
}

void Loop::Impl::await_readiness() {
  epoll.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code error) {
    if (error) return;
    dispatch_ready();
    await_readiness();
  });
}

void Loop::Impl::dispatch_ready() {
  std::array<epoll_event, kReadyBatch> events;
  int count = epoll_wait(epoll.native_handle(), events.data(), kReadyBatch, 0);
  for (int i = 0; i < count; ++i) {
    // An earlier event of the batch may have ended this watch: its id finds nothing then.
    const Watch* watch = watches.find(WatchId::from_value(events[i].data.u64));
    if (!watch) continue;
    std::uint32_t bits = events[i].events;
    Readiness ready;
    ready.readable = bits & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    ready.writable = bits & EPOLLOUT;
    ready.peer_finished = bits & (EPOLLRDHUP | EPOLLHUP);
    ready.failed = bits & (EPOLLHUP | EPOLLERR);
    watch->handler->on_ready(watch->token, ready);
  }
}

Loop::Loop() {
  signal(SIGPIPE, SIG_IGN);
  impl_ = std::make_unique<Impl>();
}

Loop::~Loop() = default;

void Loop::run() {
  impl_->thread.store(std::this_thread::get_id());
  impl_->io.restart();
  impl_->io.run();
  impl_->thread.store({});
}

void Loop::stop() { impl_->io.stop(); }

void Loop::post(std::move_only_function<void()> task) { boost::asio::post(impl_->io, std::move(task)); }

Timestamp Loop::now() { return Timestamp::from_ns(read_clock(CLOCK_MONOTONIC)); }

WallTime Loop::wall() { return WallTime::from_us(read_clock(CLOCK_REALTIME) / 1'000); }

bool Loop::is_loop_thread() const { return impl_->thread.load() == std::this_thread::get_id(); }

WatchId Loop::watch(int fd, WatchHandler& handler, std::uint64_t token, Interest interest) {
  WatchId id = impl_->watches.insert(Impl::Watch{fd, &handler, token});
  if (!id.is_set()) return id;
  epoll_event event = event_of(id, interest);
  if (epoll_ctl(impl_->epoll.native_handle(), EPOLL_CTL_ADD, fd, &event) == 0) return id;
  impl_->watches.erase(id);
  return {};
}

void Loop::set_interest(WatchId id, Interest interest) {
  const Impl::Watch* watch = impl_->watches.find(id);
  if (!watch) return;
  epoll_event event = event_of(id, interest);
  epoll_ctl(impl_->epoll.native_handle(), EPOLL_CTL_MOD, watch->fd, &event);
}

void Loop::unwatch(WatchId id) {
  const Impl::Watch* watch = impl_->watches.find(id);
  if (!watch) return;
  epoll_ctl(impl_->epoll.native_handle(), EPOLL_CTL_DEL, watch->fd, nullptr);
  impl_->watches.erase(id);
}

}  // namespace stoa::runtime
