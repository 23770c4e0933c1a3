// The Store of one node: a SQLite file under the data folder, through SOCI.
//
// What a call has acknowledged is on the disk: the write-ahead log is synced at every commit (journal_mode
// WAL, synchronous FULL), so neither kill -9 nor a lost power supply takes it back. Writing costs that
// sync, which is why nothing here is called for a packet or a viewer. Other processes (`stoa token` while
// the server runs) may open the same file; a writer waits for another up to kBusyTimeout.
//
// The statements keep to what PostgreSQL takes as well (with a database of collation "C", since names are
// listed in byte order). Files are made readable for their owner only: API secrets are in them.
#pragma once

#include <memory>
#include <string>

#include "base/metric.h"
#include "control/store.h"

namespace stoa::runtime {

class SqliteStore final : public control::Store {
 public:
  static constexpr Duration kBusyTimeout = Duration::seconds(5);

  // Opens `path` (usually <data>/stoa.db), makes it and its folder when they are not there, and brings its
  // tables up to date. The error is a sentence for people: a folder that cannot be written, a file that is no
  // database, or one written by a newer Stoa.
  static Result<std::unique_ptr<SqliteStore>, std::string> open(const std::string& path, WallTime now);

  ~SqliteStore() override;
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

  Answer<void> create_channel(const control::Channel& channel) override;
  Answer<std::optional<control::Channel>> find_channel(std::string_view name) override;
  Answer<std::vector<control::Channel>> list_channels(std::string_view after, std::size_t limit) override;
  Answer<std::size_t> count_channels() override;
  Answer<void> update_channel(const control::Channel& channel) override;
  Answer<void> delete_channel(std::string_view name) override;
  Answer<void> create_stream_key(const control::StreamKey& key) override;
  Answer<std::optional<control::StreamKey>> find_stream_key(const crypto::Sha256Digest& digest) override;
  Answer<std::vector<control::StreamKey>> list_stream_keys(std::string_view channel) override;
  Answer<void> revoke_stream_key(std::string_view channel, std::string_view id, WallTime at,
                                 std::size_t kept) override;
  Answer<void> touch_stream_key(std::string_view id, WallTime used_at) override;
  Answer<void> create_api_key(const control::ApiKey& key) override;
  Answer<std::optional<control::ApiKey>> find_api_key(std::string_view id) override;
  Answer<std::vector<control::ApiKey>> list_api_keys() override;
  Answer<void> revoke_api_key(std::string_view id, WallTime at) override;
  Answer<void> keep_room(const room::RoomInfo& room) override;
  Answer<std::optional<room::RoomInfo>> find_room(std::string_view name) override;
  Answer<std::vector<room::RoomInfo>> list_rooms(std::string_view after, std::size_t limit) override;
  Answer<void> delete_room(std::string_view name) override;
  Answer<void> change_webhooks(const control::WebhookChanges& changes) override;
  Answer<std::vector<control::WebhookDelivery>> list_webhooks(std::string_view url, std::uint64_t after,
                                                              std::size_t limit) override;
  Answer<std::size_t> count_webhooks(std::string_view url) override;
  Answer<std::uint64_t> last_webhook() override;
  Answer<std::size_t> forget_webhooks_but(const std::vector<std::string>& urls) override;

  // The number of the newest migration in force.
  int schema_version() const;
  std::string take_error() override;
  void append_metrics(MetricSamples& samples) const override;

 private:
  struct Impl;
  explicit SqliteStore(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace stoa::runtime
