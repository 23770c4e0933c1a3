#include "runtime/sqlite_store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "control/store_contract_test.h"

namespace stoa::control {
namespace {

// A folder of its own for each store, gone with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "stoa-store-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string file() const { return path_ + "/data folder/stoa.db"; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

constexpr WallTime kNow = WallTime::from_seconds(1'800'000'000);

std::unique_ptr<runtime::SqliteStore> open(const std::string& file) {
  auto store = runtime::SqliteStore::open(file, kNow);
  EXPECT_TRUE(store) << store.error();
  return store ? std::move(*store) : nullptr;
}

std::unique_ptr<Store> make_store() {
  // The folder must outlive the store; on Linux an open file outlives its name.
  TemporaryFolder folder;
  return open(folder.file());
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract, ::testing::Values(StoreFactory(make_store)),
                         [](const auto&) { return "store"; });

// What a person with the sqlite3 program would do.
class RawDatabase {
 public:
  explicit RawDatabase(const std::string& file) {
    EXPECT_EQ(sqlite3_open(file.c_str(), &database_), SQLITE_OK);
  }
  ~RawDatabase() { sqlite3_close(database_); }
  void run(const char* sql) {
    EXPECT_EQ(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sql;
  }
  std::string ask(const char* sql) {
    std::string answer;
    const auto take = [](void* to, int, char** values, char**) {
      *static_cast<std::string*>(to) += values[0] ? values[0] : "null";
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(database_, sql, take, &answer, nullptr), SQLITE_OK) << sql;
    return answer;
  }

 private:
  sqlite3* database_ = nullptr;
};

Channel channel(std::string name) { return {std::move(name), "title", "", true, kNow, kNow}; }

TEST(SqliteStore, remembers_everything_over_a_restart) {
  TemporaryFolder folder;
  StreamKey key{
      "key_1", "news", crypto::sha256(as_bytes("sk_1")), "studio", kNow, kNow + Duration::seconds(1), {}};
  ApiKey api_key{"ak_1", "secret", "ci", {"channels:read", "channels:write"}, kNow, std::nullopt};
  room::RoomInfo room{.sid = "RM_1", .name = "meeting", .metadata = "m", .created_at = kNow};
  WebhookDelivery webhook{8, "http://a", "EV_1", "{}", kNow, 2};
  {
    auto store = open(folder.file());
    ASSERT_TRUE(store->create_channel(channel("news")));
    ASSERT_TRUE(store->create_stream_key(key));
    ASSERT_TRUE(store->create_api_key(api_key));
    ASSERT_TRUE(store->keep_room(room));
    ASSERT_TRUE(store->change_webhooks({.added = {webhook}}));
  }
  auto store = open(folder.file());
  EXPECT_EQ(*store->find_channel("news"), channel("news"));
  EXPECT_EQ(*store->find_stream_key(key.digest), key);
  EXPECT_EQ(*store->find_api_key("ak_1"), api_key);
  EXPECT_EQ(*store->find_room("meeting"), room);
  EXPECT_EQ(*store->list_webhooks("http://a", 0, 9), std::vector<WebhookDelivery>{webhook});
}

TEST(SqliteStore, brings_tables_of_the_first_version_up_to_date) {
  TemporaryFolder folder;
  ASSERT_TRUE(open(folder.file())->create_channel(channel("news")));
  RawDatabase(folder.file())
      .run(
          "DROP TABLE rooms; DROP TABLE webhooks; ALTER TABLE channels DROP COLUMN ladder;"
          " DELETE FROM schema_version WHERE version > 1");
  auto store = open(folder.file());
  EXPECT_EQ(store->schema_version(), 3);
  EXPECT_EQ(*store->find_channel("news"), channel("news"));
  EXPECT_TRUE(store->keep_room({.name = "meeting"}));
  EXPECT_TRUE(store->change_webhooks({.added = {{.sequence = 1}}}));
}

TEST(SqliteStore, can_be_changed_after_a_change_that_failed_in_the_middle) {
  TemporaryFolder folder;
  auto store = open(folder.file());
  RawDatabase(folder.file())
      .run("CREATE TRIGGER no BEFORE UPDATE ON webhooks BEGIN SELECT RAISE(FAIL, 'no'); END");
  WebhookDelivery webhook{1, "a", "EV_1", "{}", kNow, 0};
  EXPECT_EQ(store->change_webhooks({.added = {webhook}, .tried = {{1, 1}}}).error(),
            StoreRefusal::kUnavailable);
  EXPECT_EQ(*store->count_webhooks("a"), 0u);
  EXPECT_TRUE(store->change_webhooks({.added = {webhook}}));
  EXPECT_EQ(*store->count_webhooks("a"), 1u);
}

TEST(SqliteStore, is_migrated_once) {
  TemporaryFolder folder;
  int version = open(folder.file())->schema_version();
  EXPECT_EQ(open(folder.file())->schema_version(), version);
  RawDatabase raw(folder.file());
  EXPECT_EQ(raw.ask("SELECT COUNT(*) FROM schema_version"), std::to_string(version));
  EXPECT_EQ(raw.ask("PRAGMA journal_mode"), "wal");
  EXPECT_EQ(raw.ask("PRAGMA integrity_check"), "ok");
}

TEST(SqliteStore, takes_a_file_whose_migration_had_only_begun) {
  TemporaryFolder folder;
  std::filesystem::create_directories(std::filesystem::path(folder.file()).parent_path());
  RawDatabase(folder.file())
      .run("CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at BIGINT)");
  EXPECT_TRUE(open(folder.file())->create_channel(channel("news")));
}

TEST(SqliteStore, refuses_tables_of_a_newer_version) {
  TemporaryFolder folder;
  open(folder.file());
  RawDatabase(folder.file()).run("INSERT INTO schema_version (version, applied_at) VALUES (999, 0)");
  auto store = runtime::SqliteStore::open(folder.file(), kNow);
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().find("newer"), std::string::npos) << store.error();
}

TEST(SqliteStore, refuses_a_file_that_is_no_database_and_leaves_it_alone) {
  TemporaryFolder folder;
  std::string file = folder.path() + "/notes.txt";
  const std::string text(5000, 'x');
  std::ofstream(file) << text;
  auto store = runtime::SqliteStore::open(file, kNow);
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().find(file), std::string::npos) << store.error();
  std::ifstream back(file);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(back), {}), text);
}

TEST(SqliteStore, says_why_it_cannot_open) {
  TemporaryFolder folder;
  std::ofstream(folder.path() + "/plain") << "x";
  EXPECT_FALSE(runtime::SqliteStore::open(folder.path() + "/plain/stoa.db", kNow));
  EXPECT_FALSE(runtime::SqliteStore::open(folder.path(), kNow));
  EXPECT_FALSE(runtime::SqliteStore::open(folder.path() + "/a\" synchronous=\"OFF.db", kNow));
}

TEST(SqliteStore, lets_only_its_owner_read_its_files) {
  TemporaryFolder folder;
  auto store = open(folder.file());
  ASSERT_TRUE(store->create_channel(channel("news")));
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat facts;
    ASSERT_EQ(::stat((folder.file() + suffix).c_str(), &facts), 0) << suffix;
    EXPECT_EQ(facts.st_mode & 0777, 0600u) << suffix;
  }
}

TEST(SqliteStore, shows_another_process_what_was_acknowledged) {
  TemporaryFolder folder;
  auto writer = open(folder.file()), reader = open(folder.file());
  for (int i = 0; i < 20; ++i) {
    std::string name = "c" + std::to_string(i);
    ASSERT_TRUE(writer->create_channel(channel(name)));
    EXPECT_TRUE(reader->find_channel(name)->has_value());
    EXPECT_EQ(*reader->count_channels(), static_cast<std::size_t>(i + 1));
  }
  EXPECT_EQ(reader->create_channel(channel("c0")).error(), StoreRefusal::kExists);
}

TEST(SqliteStore, can_be_read_while_another_writes) {
  TemporaryFolder folder;
  auto store = open(folder.file());
  ASSERT_TRUE(store->create_channel(channel("before")));
  RawDatabase writer(folder.file());
  writer.run("BEGIN IMMEDIATE");
  writer.run("DELETE FROM channels");
  EXPECT_TRUE(store->find_channel("before")->has_value());  // Not committed: not seen, and nobody waits.
  writer.run("COMMIT");
  EXPECT_FALSE(store->find_channel("before")->has_value());
}

TEST(SqliteStore, says_that_it_is_unavailable_when_its_tables_are_gone) {
  TemporaryFolder folder;
  auto store = open(folder.file());
  RawDatabase(folder.file()).run("DROP TABLE stream_keys; DROP TABLE channels; DROP TABLE api_keys");
  EXPECT_EQ(store->find_channel("a").error(), StoreRefusal::kUnavailable);
  EXPECT_EQ(store->create_channel(channel("a")).error(), StoreRefusal::kUnavailable);
  EXPECT_EQ(store->list_channels("", 1).error(), StoreRefusal::kUnavailable);
  EXPECT_EQ(store->list_api_keys().error(), StoreRefusal::kUnavailable);
  std::string error = store->take_error();
  EXPECT_NE(error.find("api_keys"), std::string::npos) << error;
  EXPECT_EQ(store->take_error(), "");
  MetricSamples samples;
  store->append_metrics(samples);
  ASSERT_EQ(samples.size(), 1u);
  EXPECT_EQ(samples[0].value, 4);
}

// A child makes channels and tells of each one that was acknowledged, until it is killed in the middle of it.
[[noreturn]] void make_channels_for_ever(const std::string& file, int pipe) {
  auto store = runtime::SqliteStore::open(file, kNow);
  for (std::uint32_t i = 0; store; ++i) {
    if (!(*store)->create_channel(channel("c" + std::to_string(i)))) break;
    if (::write(pipe, &i, sizeof i) != sizeof i) break;
  }
  ::_exit(1);
}

TEST(SqliteStore, holds_what_it_acknowledged_before_it_was_killed) {
  TemporaryFolder folder;
  for (int round = 0; round < 3; ++round) {
    std::string file = folder.path() + "/" + std::to_string(round) + ".db";
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) make_channels_for_ever(file, pipe[1]);
    ::close(pipe[1]);
    std::uint32_t last = 0, told = 0;
    while (told < 20 + 7u * static_cast<unsigned>(round) &&
           ::read(pipe[0], &last, sizeof last) == sizeof last)
      ++told;
    ::kill(child, SIGKILL);
    while (::read(pipe[0], &last, sizeof last) == sizeof last) ++told;
    ::close(pipe[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));

    auto store = open(file);
    ASSERT_EQ(told, last + 1);
    for (std::uint32_t i = 0; i <= last; ++i)
      EXPECT_TRUE(store->find_channel("c" + std::to_string(i))->has_value()) << i;
    EXPECT_LE(*store->count_channels(), last + 2u);  // One more may have been written and not told.
    EXPECT_TRUE(store->create_channel(channel("after")));
  }
}

}  // namespace
}  // namespace stoa::control
