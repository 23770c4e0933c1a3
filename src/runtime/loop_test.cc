#include "runtime/loop.h"

#include <gtest/gtest.h>

#include <thread>

#include "runtime/http_test_server.h"
#include "runtime/mailbox.h"
#include "runtime/timer.h"

namespace stoa::runtime {
namespace {

TEST(Loop, runs_posted_work_in_order_on_its_own_thread) {
  LoopThread thread;
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) thread.loop.post([&order, i] { order.push_back(i); });
  EXPECT_TRUE(thread.call([&] { return thread.loop.is_loop_thread(); }));
  EXPECT_FALSE(thread.loop.is_loop_thread());
  ASSERT_EQ(order.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[i], i);
}

TEST(Loop, can_run_again_after_it_was_stopped) {
  Loop loop;
  int runs = 0;
  for (int i = 0; i < 2; ++i) {
    loop.post([&] { ++runs, loop.stop(); });
    loop.run();
  }
  EXPECT_EQ(runs, 2);
}

TEST(DeadlineTimer, fires_once_at_the_time_set_last) {
  Loop loop;
  std::vector<int> fired;
  Timestamp start = Loop::now();
  Timestamp due;
  DeadlineTimer later(loop, [&] { fired.push_back(2), loop.stop(); });
  DeadlineTimer moved(loop, [&] { fired.push_back(1), due = Loop::now(); });
  DeadlineTimer never(loop, [&] { fired.push_back(0); });
  later.set(start + Duration::milliseconds(80));
  moved.set(start + Duration::milliseconds(5));
  moved.set(start + Duration::milliseconds(40));
  never.set(start + Duration::milliseconds(5));
  never.set(Timestamp::never());
  loop.run();
  EXPECT_EQ(fired, (std::vector<int>{1, 2}));
  EXPECT_GE(due, start + Duration::milliseconds(40));
}

TEST(Loop, tells_of_writability_only_while_it_is_asked_for) {
  struct Writes : WatchHandler {
    void on_ready(std::uint64_t, Readiness ready) override { writable += ready.writable; }
    int writable = 0;
  } writes;
  Loop loop;
  auto turn = [&] {
    loop.post([&] { loop.post([&] { loop.stop(); }); });
    loop.run();
  };
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
  WatchId watch = loop.watch(ends[0], writes, 0, Interest::kReadable);
  turn();
  EXPECT_EQ(writes.writable, 0);
  loop.set_interest(watch, Interest::kReadableAndWritable);
  turn();
  EXPECT_EQ(writes.writable, 1);  // It has been all the time.
  loop.set_interest(watch, Interest::kReadable);
  EXPECT_EQ(write(ends[1], "x", 1), 1);
  turn();
  EXPECT_EQ(writes.writable, 1);
  loop.unwatch(watch);
  loop.set_interest(watch, Interest::kReadableAndWritable);  // A watch that is gone.
  ::close(ends[0]);
  ::close(ends[1]);
}

struct Wheel {
  Wheel() : wheel(Timestamp::from_ns(0), Duration::milliseconds(10)), deadlines(4) {}
  void set(int id, int ms) { wheel.set(id, deadlines[id], at(ms)); }
  std::vector<int> advance(int ms) {
    std::vector<int> due;
    wheel.advance(at(ms), [&](int id) { return &deadlines[id]; }, [&](int id) { due.push_back(id); });
    return due;
  }
  static Timestamp at(int ms) { return Timestamp::from_ns(0) + Duration::milliseconds(ms); }
  DeadlineWheel<int> wheel;
  std::vector<WheelDeadline> deadlines;
};

TEST(DeadlineWheel, meets_deadlines_within_a_tick_and_never_early) {
  Wheel w;
  w.set(0, 25);
  w.set(1, 20'000);  // Goes round the wheel.
  EXPECT_TRUE(w.advance(24).empty());
  EXPECT_EQ(w.advance(35), std::vector<int>{0});
  EXPECT_TRUE(w.advance(19'999).empty());
  EXPECT_EQ(w.advance(20'010), std::vector<int>{1});
  EXPECT_TRUE(w.wheel.empty());
}

TEST(DeadlineWheel, follows_a_deadline_that_is_moved_or_cleared) {
  Wheel w;
  w.set(0, 50);
  w.set(0, 100);  // Later.
  w.set(1, 100);
  w.set(1, 20);  // Earlier.
  w.set(2, 30);
  w.wheel.set(2, w.deadlines[2], Timestamp::never());
  EXPECT_EQ(w.advance(60), std::vector<int>{1});
  EXPECT_EQ(w.advance(110), std::vector<int>{0});
  EXPECT_TRUE(w.advance(5000).empty());
}

TEST(DeadlineWheel, catches_up_after_a_long_sleep) {
  Wheel w;
  w.set(0, 30);
  w.set(1, 100'000);
  EXPECT_EQ(w.advance(60'000), std::vector<int>{0});
  EXPECT_EQ(w.advance(100'010), std::vector<int>{1});
}

TEST(Mailbox, delivers_everything_in_order_between_two_threads) {
  constexpr int kCount = 200'000;
  LoopThread receiver;
  std::vector<int> received;
  Signal done;
  Mailbox<std::unique_ptr<int>> box(receiver.loop, 64, [&](std::unique_ptr<int>&& value) {
    received.push_back(*value);
    if (*value == kCount - 1) done.raise();
  });
  std::thread sender([&] {
    for (int i = 0; i < kCount; ++i) {
      auto message = std::make_unique<int>(i);
      while (!box.try_send(std::move(message))) std::this_thread::yield();
    }
  });
  sender.join();
  ASSERT_TRUE(done.wait_for());
  receiver.call([&] { return 0; });
  ASSERT_EQ(received.size(), std::size_t{kCount});
  for (int i = 0; i < kCount; ++i) ASSERT_EQ(received[i], i);
}

TEST(Mailbox, refuses_when_full_and_leaves_the_message_with_its_sender) {
  Loop loop;
  int sum = 0;
  Mailbox<std::unique_ptr<int>> box(loop, 2, [&](std::unique_ptr<int>&& value) { sum += *value; });
  EXPECT_TRUE(box.try_send(std::make_unique<int>(1)));
  EXPECT_TRUE(box.try_send(std::make_unique<int>(2)));
  auto third = std::make_unique<int>(4);
  EXPECT_FALSE(box.try_send(std::move(third)));
  ASSERT_TRUE(third);
  EXPECT_EQ(box.size(), 2u);
  loop.post([&] { loop.stop(); });
  loop.run();
  EXPECT_EQ(sum, 3);
  EXPECT_TRUE(box.try_send(std::move(third)));
}

}  // namespace
}  // namespace stoa::runtime
