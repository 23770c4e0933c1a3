// Webhooks over a database on the disk, when the process is killed at any moment.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "control/webhooks.h"
#include "runtime/sqlite_store.h"

namespace stoa::runtime {
namespace {

constexpr WallTime kNow = WallTime::from_seconds(1'800'000'000);
constexpr Timestamp kStart = Timestamp::from_ns(1'000'000'000);
const std::vector<std::string> kUrls = {"http://a"};

// What a child says over a pipe.
struct Said {
  std::uint32_t number;
  bool is_delivery;  // To the web server; otherwise: the event is kept.
};

// Adds events, one after the other, and delivers them two behind, until it is killed.
[[noreturn]] void deliver_for_ever(const std::string& file, int pipe) {
  const auto say = [&](std::uint32_t number, bool is_delivery) {
    const Said said{number, is_delivery};
    if (::write(pipe, &said, sizeof said) != sizeof said) ::_exit(1);
  };
  auto store = SqliteStore::open(file, kNow);
  if (!store) ::_exit(1);
  control::Webhooks hooks(**store, kUrls, Rng(1));
  control::WebhookOutputs out;
  if (!hooks.load()) ::_exit(1);
  for (std::uint32_t i = 0;; ++i) {
    const std::string text = std::to_string(i);
    hooks.add(kStart, kNow, text, text, out);
    if (!hooks.flush(kStart, kNow, out)) ::_exit(1);
    say(i, false);
    if (hooks.queued(0) <= 2) continue;
    for (auto& output : out.take()) {
      auto& sent = std::get<control::DeliverWebhook>(output);
      say(static_cast<std::uint32_t>(std::stoul(sent.event_id)), true);
      hooks.handle_result(kStart, kNow, 0, sent.sequence, true, out);
    }
  }
}

// Ids, in the order of their delivery by the next process.
std::vector<std::uint32_t> deliver_the_rest(const std::string& file) {
  auto store = SqliteStore::open(file, kNow);
  EXPECT_TRUE(store);
  control::Webhooks hooks(**store, kUrls, Rng(1));
  control::WebhookOutputs out;
  EXPECT_TRUE(hooks.load());
  hooks.handle_deadline(kStart, kNow, out);
  std::vector<std::uint32_t> delivered;
  while (!out.empty()) {
    for (auto& output : out.take()) {
      auto& sent = std::get<control::DeliverWebhook>(output);
      EXPECT_EQ(sent.body, sent.event_id);
      delivered.push_back(static_cast<std::uint32_t>(std::stoul(sent.event_id)));
      hooks.handle_result(kStart, kNow, 0, sent.sequence, true, out);
    }
  }
  EXPECT_TRUE(hooks.flush(kStart, kNow, out));
  EXPECT_EQ(*(*store)->count_webhooks(kUrls[0]), 0u);
  return delivered;
}

TEST(Webhooks, are_delivered_at_least_once_and_in_order_when_the_process_is_killed) {
  std::string folder = (std::filesystem::temp_directory_path() / "stoa-hooks-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  for (unsigned round = 0; round < 4; ++round) {
    const std::string file = folder + "/" + std::to_string(round) + ".db";
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) deliver_for_ever(file, pipe[1]);
    ::close(pipe[1]);
    std::int64_t kept = -1, delivered = -1;
    Said said{};
    for (unsigned heard = 0; ::read(pipe[0], &said, sizeof said) == sizeof said; ++heard) {
      std::int64_t& last = said.is_delivery ? delivered : kept;
      EXPECT_EQ(said.number, last + 1);
      last = said.number;
      if (heard == 30 + round) ::kill(child, SIGKILL);
    }
    ::close(pipe[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));

    const std::vector<std::uint32_t> rest = deliver_the_rest(file);
    ASSERT_FALSE(rest.empty());
    EXPECT_GE(delivered, 5);
    EXPECT_GT(rest.front(), 0u) << "what was delivered long ago is not sent again";
    EXPECT_LE(rest.front(), delivered + 1) << "nothing is left out";
    EXPECT_GE(rest.back(), kept) << "all that was kept is delivered";
    for (std::size_t i = 1; i < rest.size(); ++i) EXPECT_EQ(rest[i], rest[i - 1] + 1);
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace stoa::runtime
