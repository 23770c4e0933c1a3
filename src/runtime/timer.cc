#include "runtime/timer.h"

#include <boost/asio/steady_timer.hpp>
#include <chrono>

#include "runtime/loop_impl.h"

namespace stoa::runtime {

struct DeadlineTimer::Impl : std::enable_shared_from_this<Impl> {
  Impl(Loop& loop, std::move_only_function<void()> handler)
      : timer(loop.impl().io), on_due(std::move(handler)) {}

  // The Asio timer is moved only to an earlier time; when it comes early, it is set to what is left.
  void arm() {
    armed_at = at;
    timer.expires_at(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(at.ns())));
    timer.async_wait([weak = weak_from_this()](boost::system::error_code error) {
      if (error) return;
      if (auto self = weak.lock()) self->handle_expiry();
    });
  }
  void handle_expiry() {
    armed_at = Timestamp::never();
    if (at == Timestamp::never()) return;
    if (at > Loop::now()) return arm();
    at = Timestamp::never();
    on_due();
  }

  boost::asio::steady_timer timer;
  std::move_only_function<void()> on_due;
  Timestamp at = Timestamp::never();
  Timestamp armed_at = Timestamp::never();
};

DeadlineTimer::DeadlineTimer(Loop& loop, std::move_only_function<void()> on_due)
    : impl_(std::make_shared<Impl>(loop, std::move(on_due))) {}

DeadlineTimer::~DeadlineTimer() { impl_->timer.cancel(); }

void DeadlineTimer::set(Timestamp at) {
  impl_->at = at;
  if (at < impl_->armed_at) impl_->arm();
}

Timestamp DeadlineTimer::at() const { return impl_->at; }

}  // namespace stoa::runtime
