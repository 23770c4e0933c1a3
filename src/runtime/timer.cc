#include "runtime/timer.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>

#include "base/assert.h"
#include "runtime/loop.h"

namespace stoa::runtime {

struct DeadlineTimer::Impl : WatchHandler, std::enable_shared_from_this<Impl> {
  Impl(Loop& owner, std::move_only_function<void()> handler)
      : loop(owner),
        on_due(std::move(handler)),
        fd(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
    STOA_ASSERT(fd >= 0);
    watch = loop.watch(fd, *this, 0);
    STOA_ASSERT(watch.is_set());
  }
  ~Impl() override {
    loop.unwatch(watch);
    ::close(fd);
  }

  // The kernel's timer is moved only to an earlier time; when it comes early, it is set to what is left.
  void arm() {
    armed_at = at;
    // Zero would disarm it.
    std::int64_t ns = std::max<std::int64_t>(at.ns(), 1);
    itimerspec setting{};
    setting.it_value = {ns / 1'000'000'000, ns % 1'000'000'000};
    timerfd_settime(fd, TFD_TIMER_ABSTIME, &setting, nullptr);
  }
  void on_ready(std::uint64_t, Readiness) override {
    std::uint64_t expirations;
    if (::read(fd, &expirations, sizeof expirations) != sizeof expirations) return;
    armed_at = Timestamp::never();
    if (at == Timestamp::never()) return;
    if (at > Loop::now()) return arm();
    at = Timestamp::never();
    auto self = shared_from_this();  // `on_due` may destroy the timer.
    on_due();
  }

  Loop& loop;
  std::move_only_function<void()> on_due;
  int fd;
  WatchId watch;
  Timestamp at = Timestamp::never();
  Timestamp armed_at = Timestamp::never();
};

DeadlineTimer::DeadlineTimer(Loop& loop, std::move_only_function<void()> on_due)
    : impl_(std::make_shared<Impl>(loop, std::move(on_due))) {}

DeadlineTimer::~DeadlineTimer() = default;

void DeadlineTimer::set(Timestamp at) {
  impl_->at = at;
  if (at < impl_->armed_at) impl_->arm();
}

Timestamp DeadlineTimer::at() const { return impl_->at; }

}  // namespace stoa::runtime
