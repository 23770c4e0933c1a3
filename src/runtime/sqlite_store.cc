#include "runtime/sqlite_store.h"

#include <fcntl.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "crypto/text.h"
#include "runtime/sqlite_rows.h"

namespace stoa::runtime {
namespace {

using control::ApiKey;
using control::Channel;
using control::StoreRefusal;
using control::StreamKey;
using control::WebhookDelivery;
using room::RoomInfo;
using soci::into;
using soci::use;

// Step n brings version n - 1 to n. A step that was ever released is never changed: add another.
constexpr std::initializer_list<const char*> kFirstTables = {
    "CREATE TABLE channels (name TEXT NOT NULL PRIMARY KEY, title TEXT NOT NULL, description TEXT NOT NULL,"
    " is_enabled INTEGER NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)",
    "CREATE TABLE stream_keys (id TEXT NOT NULL PRIMARY KEY,"
    " channel TEXT NOT NULL REFERENCES channels (name) ON DELETE CASCADE,"
    " digest TEXT NOT NULL UNIQUE, label TEXT NOT NULL, created_at BIGINT NOT NULL,"
    " last_used_at BIGINT, revoked_at BIGINT)",
    "CREATE INDEX stream_keys_by_channel ON stream_keys (channel)",
    "CREATE TABLE api_keys (id TEXT NOT NULL PRIMARY KEY, secret TEXT NOT NULL, label TEXT NOT NULL,"
    " scopes TEXT NOT NULL, created_at BIGINT NOT NULL, revoked_at BIGINT)"};
constexpr std::initializer_list<const char*> kRoomTables = {
    "CREATE TABLE rooms (name TEXT NOT NULL PRIMARY KEY, sid TEXT NOT NULL, metadata TEXT NOT NULL,"
    " created_at BIGINT NOT NULL, empty_timeout BIGINT NOT NULL, departure_timeout BIGINT NOT NULL,"
    " participants_max BIGINT NOT NULL, publishers_max BIGINT NOT NULL)",
    "CREATE TABLE webhooks (sequence BIGINT NOT NULL PRIMARY KEY, url TEXT NOT NULL, event_id TEXT NOT NULL,"
    " body TEXT NOT NULL, created_at BIGINT NOT NULL, attempts BIGINT NOT NULL)",
    "CREATE INDEX webhooks_by_url ON webhooks (url, sequence)"};
constexpr std::initializer_list<const char*> kLadders = {
    "ALTER TABLE channels ADD COLUMN ladder TEXT NOT NULL DEFAULT ''"};
constexpr std::initializer_list<const char*> kMigrations[] = {kFirstTables, kRoomTables, kLadders};
constexpr int kNewestVersion = static_cast<int>(std::size(kMigrations));

constexpr const char* kChannelColumns =
    "name, title, description, is_enabled, created_at, updated_at, ladder";
constexpr const char* kStreamKeyColumns = "id, channel, digest, label, created_at, last_used_at, revoked_at";
constexpr const char* kApiKeyColumns = "id, secret, label, scopes, created_at, revoked_at";
constexpr const char* kRoomColumns =
    "name, sid, metadata, created_at, empty_timeout, departure_timeout, participants_max, publishers_max";
constexpr const char* kWebhookColumns = "sequence, url, event_id, body, created_at, attempts";

// One row on its way in or out, in the types that SOCI moves.
struct ChannelRow {
  std::string name, title, description, ladder;
  int is_enabled = 0;
  long long created_at = 0, updated_at = 0;

  ChannelRow() = default;
  explicit ChannelRow(const Channel& channel)
      : name(channel.name),
        title(channel.title),
        description(channel.description),
        ladder(channel.ladder),
        is_enabled(channel.is_enabled),
        created_at(channel.created_at.us()),
        updated_at(channel.updated_at.us()) {}
  Channel channel() const {
    return {name,
            title,
            description,
            is_enabled != 0,
            WallTime::from_us(created_at),
            WallTime::from_us(updated_at),
            ladder};
  }
};

struct OptionalTime {
  long long us = 0;
  soci::indicator indicator = soci::i_null;

  OptionalTime() = default;
  explicit OptionalTime(const std::optional<WallTime>& time)
      : us(time ? time->us() : 0), indicator(time ? soci::i_ok : soci::i_null) {}
  std::optional<WallTime> time() const {
    return indicator == soci::i_ok ? std::optional(WallTime::from_us(us)) : std::nullopt;
  }
};

struct StreamKeyRow {
  std::string id, channel, digest, label;
  long long created_at = 0;
  OptionalTime last_used_at, revoked_at;

  StreamKeyRow() = default;
  explicit StreamKeyRow(const StreamKey& key)
      : id(key.id),
        channel(key.channel),
        digest(crypto::write_hex(key.digest)),
        label(key.label),
        created_at(key.created_at.us()),
        last_used_at(key.last_used_at),
        revoked_at(key.revoked_at) {}
  StreamKey key() const {
    StreamKey made{
        id, channel, {}, label, WallTime::from_us(created_at), last_used_at.time(), revoked_at.time()};
    std::optional<Buffer> bytes = crypto::parse_hex(digest);
    if (bytes && bytes->size() == made.digest.size())
      std::copy(bytes->begin(), bytes->end(), made.digest.begin());
    return made;
  }
};

struct ApiKeyRow {
  std::string id, secret, label, scopes;
  long long created_at = 0;
  OptionalTime revoked_at;

  ApiKeyRow() = default;
  explicit ApiKeyRow(const ApiKey& key)
      : id(key.id),
        secret(key.secret),
        label(key.label),
        created_at(key.created_at.us()),
        revoked_at(key.revoked_at) {
    for (const std::string& scope : key.scopes) scopes += (scopes.empty() ? "" : " ") + scope;
  }
  ApiKey key() const {
    ApiKey made{id, secret, label, {}, WallTime::from_us(created_at), revoked_at.time()};
    std::string_view rest = scopes;
    while (!rest.empty()) {
      std::size_t space = std::min(rest.find(' '), rest.size());
      made.scopes.emplace_back(rest.substr(0, space));
      rest.remove_prefix(std::min(space + 1, rest.size()));
    }
    return made;
  }
};

std::string select(const char* columns, const char* rest) {
  return std::string("SELECT ") + columns + " " + rest;
}

// Makes the file before SQLite does, so that nobody else may read it; SQLite gives its log the same mode.
std::optional<std::string> make_private_file(const std::string& path) {
  std::error_code error;
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error) return "cannot make the folder " + folder.string() + ": " + error.message();
  int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return "cannot open " + path + ": " + std::strerror(errno);
  ::close(file);
  return std::nullopt;
}

int read_version(soci::session& session) {
  session << "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL PRIMARY KEY,"
             " applied_at BIGINT NOT NULL)";
  int version = 0;
  session << "SELECT COALESCE(MAX(version), 0) FROM schema_version", into(version);
  return version;
}

// All steps that are missing, in one transaction that shuts out other processes from its beginning.
int migrate(soci::session& session, WallTime now) {
  session << "BEGIN IMMEDIATE";
  int version = read_version(session);
  while (version < kNewestVersion) {
    for (const char* statement : kMigrations[version]) session << statement;
    ++version;
    long long applied_at = now.us();
    session << "INSERT INTO schema_version (version, applied_at) VALUES (:version, :at)", use(version),
        use(applied_at);
  }
  session << "COMMIT";
  return version;
}

void prepare_connection(soci::session& session) {
  session << "PRAGMA busy_timeout = " << SqliteStore::kBusyTimeout.ns() / 1'000'000;
  session << "PRAGMA foreign_keys = ON";
  session << "PRAGMA journal_mode = WAL";
  session << "PRAGMA synchronous = FULL";
}

}  // namespace

struct SqliteStore::Impl {
  soci::session session;
  int version = 0;
  std::uint64_t failures = 0;
  std::string last_error;

  // Runs `work`, which talks to SOCI; its exceptions end here.
  template <typename T, typename Work>
  Answer<T> guarded(Work&& work) {
    try {
      return work();
    } catch (const std::exception& error) {
      ++failures;
      last_error = error.what();
      return refuse(StoreRefusal::kUnavailable);
    }
  }

  // Runs one statement that changes something; `missed` when it changed nothing.
  template <typename... Uses>
  Answer<void> change(StoreRefusal missed, const std::string& sql, Uses&&... uses) {
    return guarded<void>([&]() -> Answer<void> {
      soci::statement statement = ((session.prepare << sql), ..., std::forward<Uses>(uses));
      statement.execute(true);
      if (statement.get_affected_rows() < 1) return refuse(missed);
      return {};
    });
  }

  // All that `work` does, or nothing when it is refused or fails.
  template <typename Work>
  Answer<void> transact(Work&& work) {
    return guarded<void>([&]() -> Answer<void> {
      session << "BEGIN IMMEDIATE";
      try {
        Answer<void> done = work();
        session << (done ? "COMMIT" : "ROLLBACK");
        return done;
      } catch (const std::exception&) {
        roll_back();
        throw;
      }
    });
  }
  void roll_back() {
    try {
      session << "ROLLBACK";
    } catch (const std::exception&) {  // Rolled back already, by what failed.
    }
  }
};

SqliteStore::SqliteStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqliteStore::~SqliteStore() = default;

Result<std::unique_ptr<SqliteStore>, std::string> SqliteStore::open(const std::string& path, WallTime now) {
  if (path.find('"') != std::string::npos)
    return refuse("cannot open " + path + ": a quotation mark is in its name");
  if (std::optional<std::string> error = make_private_file(path)) return refuse(std::move(*error));
  auto impl = std::make_unique<Impl>();
  try {
    impl->session.open(soci::sqlite3, "db=\"" + path + "\"");
    prepare_connection(impl->session);
    impl->version = migrate(impl->session, now);
  } catch (const std::exception& error) {
    return refuse("cannot use " + path + " as a database: " + error.what());
  }
  if (impl->version > kNewestVersion) {
    return refuse(path + " was written by a newer Stoa (its tables are version " +
                  std::to_string(impl->version) + ", this one knows " + std::to_string(kNewestVersion) + ")");
  }
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(impl)));
}

int SqliteStore::schema_version() const { return impl_->version; }
std::string SqliteStore::take_error() { return std::exchange(impl_->last_error, {}); }

void SqliteStore::append_metrics(MetricSamples& samples) const {
  samples.push_back({"stoa_store_failures_total",
                     "Calls that the database failed.",
                     MetricKind::kCounter,
                     {},
                     static_cast<double>(impl_->failures)});
}

control::Store::Answer<void> SqliteStore::create_channel(const Channel& channel) {
  const ChannelRow row(channel);
  return impl_->change(
      StoreRefusal::kExists,
      "INSERT INTO channels (name, title, description, is_enabled, created_at, updated_at, ladder)"
      " VALUES (:name, :title, :description, :enabled, :created, :updated, :ladder) ON CONFLICT DO NOTHING",
      use(row.name), use(row.title), use(row.description), use(row.is_enabled), use(row.created_at),
      use(row.updated_at), use(row.ladder));
}

control::Store::Answer<std::optional<Channel>> SqliteStore::find_channel(std::string_view name) {
  return impl_->guarded<std::optional<Channel>>([&]() -> Answer<std::optional<Channel>> {
    const std::string wanted(name);
    ChannelRow row;
    impl_->session << select(kChannelColumns, "FROM channels WHERE name = :name"), use(wanted),
        into(row.name), into(row.title), into(row.description), into(row.is_enabled), into(row.created_at),
        into(row.updated_at), into(row.ladder);
    if (!impl_->session.got_data()) return std::nullopt;
    return row.channel();
  });
}

control::Store::Answer<std::vector<Channel>> SqliteStore::list_channels(std::string_view after,
                                                                        std::size_t limit) {
  return impl_->guarded<std::vector<Channel>>([&] {
    const std::string start(after);
    const auto most = static_cast<long long>(limit);
    ChannelRow row;
    std::vector<Channel> listed;
    soci::statement statement =
        (impl_->session.prepare << select(kChannelColumns,
                                          "FROM channels WHERE name > :after ORDER BY name LIMIT :n"),
         use(start), use(most), into(row.name), into(row.title), into(row.description), into(row.is_enabled),
         into(row.created_at), into(row.updated_at), into(row.ladder));
    statement.execute();
    while (statement.fetch()) listed.push_back(row.channel());
    return listed;
  });
}

control::Store::Answer<std::size_t> SqliteStore::count_channels() {
  return impl_->guarded<std::size_t>([&] {
    long long count = 0;
    impl_->session << "SELECT COUNT(*) FROM channels", into(count);
    return static_cast<std::size_t>(count);
  });
}

control::Store::Answer<void> SqliteStore::update_channel(const Channel& channel) {
  const ChannelRow row(channel);
  return impl_->change(
      StoreRefusal::kNotFound,
      "UPDATE channels SET title = :title, description = :description, is_enabled = :enabled,"
      " updated_at = :updated, ladder = :ladder WHERE name = :name",
      use(row.title), use(row.description), use(row.is_enabled), use(row.updated_at), use(row.ladder),
      use(row.name));
}

control::Store::Answer<void> SqliteStore::delete_channel(std::string_view name) {
  const std::string wanted(name);
  return impl_->change(StoreRefusal::kNotFound, "DELETE FROM channels WHERE name = :name", use(wanted));
}

control::Store::Answer<void> SqliteStore::create_stream_key(const StreamKey& key) {
  STOA_TRY(std::optional<Channel> channel, find_channel(key.channel));
  if (!channel) return refuse(StoreRefusal::kNotFound);
  StreamKeyRow row(key);  // SOCI wants an indicator that it could write to.
  return impl_->change(
      StoreRefusal::kExists,
      "INSERT INTO stream_keys (id, channel, digest, label, created_at, last_used_at, revoked_at)"
      " VALUES (:id, :channel, :digest, :label, :created, :used, :revoked) ON CONFLICT DO NOTHING",
      use(row.id), use(row.channel), use(row.digest), use(row.label), use(row.created_at),
      use(row.last_used_at.us, row.last_used_at.indicator), use(row.revoked_at.us, row.revoked_at.indicator));
}

control::Store::Answer<std::optional<StreamKey>> SqliteStore::find_stream_key(
    const crypto::Sha256Digest& digest) {
  return impl_->guarded<std::optional<StreamKey>>([&]() -> Answer<std::optional<StreamKey>> {
    const std::string wanted = crypto::write_hex(digest);
    StreamKeyRow row;
    impl_->session << select(kStreamKeyColumns, "FROM stream_keys WHERE digest = :digest"), use(wanted),
        into(row.id), into(row.channel), into(row.digest), into(row.label), into(row.created_at),
        into(row.last_used_at.us, row.last_used_at.indicator),
        into(row.revoked_at.us, row.revoked_at.indicator);
    if (!impl_->session.got_data()) return std::nullopt;
    return row.key();
  });
}

control::Store::Answer<std::vector<StreamKey>> SqliteStore::list_stream_keys(std::string_view channel) {
  return impl_->guarded<std::vector<StreamKey>>([&] {
    const std::string wanted(channel);
    StreamKeyRow row;
    std::vector<StreamKey> listed;
    soci::statement statement =
        (impl_->session.prepare << select(kStreamKeyColumns,
                                          "FROM stream_keys WHERE channel = :channel AND revoked_at IS NULL"
                                          " ORDER BY created_at, id"),
         use(wanted), into(row.id), into(row.channel), into(row.digest), into(row.label),
         into(row.created_at), into(row.last_used_at.us, row.last_used_at.indicator),
         into(row.revoked_at.us, row.revoked_at.indicator));
    statement.execute();
    while (statement.fetch()) listed.push_back(row.key());
    return listed;
  });
}

control::Store::Answer<void> SqliteStore::revoke_stream_key(std::string_view channel, std::string_view id,
                                                            WallTime at, std::size_t kept) {
  const std::string of_channel(channel), wanted(id);
  const long long revoked_at = at.us();
  const auto most = static_cast<long long>(kept);
  auto revoked = impl_->change(StoreRefusal::kNotFound,
                               "UPDATE stream_keys SET revoked_at = :at"
                               " WHERE id = :id AND channel = :channel AND revoked_at IS NULL",
                               use(revoked_at), use(wanted), use(of_channel));
  if (!revoked) return revoked;
  // The key is revoked from here on; old ones that could not be swept out go the next time.
  static_cast<void>(
      impl_->change(StoreRefusal::kNotFound,
                    "DELETE FROM stream_keys WHERE channel = :channel AND revoked_at IS NOT NULL"
                    " AND id NOT IN (SELECT id FROM stream_keys WHERE channel = :same"
                    " AND revoked_at IS NOT NULL ORDER BY revoked_at DESC, id DESC LIMIT :kept)",
                    use(of_channel), use(of_channel), use(most)));
  return {};
}

control::Store::Answer<void> SqliteStore::touch_stream_key(std::string_view id, WallTime used_at) {
  const std::string wanted(id);
  const long long us = used_at.us();
  return impl_->change(StoreRefusal::kNotFound, "UPDATE stream_keys SET last_used_at = :at WHERE id = :id",
                       use(us), use(wanted));
}

control::Store::Answer<void> SqliteStore::create_api_key(const ApiKey& key) {
  ApiKeyRow row(key);
  return impl_->change(StoreRefusal::kExists,
                       "INSERT INTO api_keys (id, secret, label, scopes, created_at, revoked_at)"
                       " VALUES (:id, :secret, :label, :scopes, :created, :revoked) ON CONFLICT DO NOTHING",
                       use(row.id), use(row.secret), use(row.label), use(row.scopes), use(row.created_at),
                       use(row.revoked_at.us, row.revoked_at.indicator));
}

control::Store::Answer<std::optional<ApiKey>> SqliteStore::find_api_key(std::string_view id) {
  return impl_->guarded<std::optional<ApiKey>>([&]() -> Answer<std::optional<ApiKey>> {
    const std::string wanted(id);
    ApiKeyRow row;
    impl_->session << select(kApiKeyColumns, "FROM api_keys WHERE id = :id"), use(wanted), into(row.id),
        into(row.secret), into(row.label), into(row.scopes), into(row.created_at),
        into(row.revoked_at.us, row.revoked_at.indicator);
    if (!impl_->session.got_data()) return std::nullopt;
    return row.key();
  });
}

control::Store::Answer<std::vector<ApiKey>> SqliteStore::list_api_keys() {
  return impl_->guarded<std::vector<ApiKey>>([&] {
    ApiKeyRow row;
    std::vector<ApiKey> listed;
    soci::statement statement =
        (impl_->session.prepare << select(kApiKeyColumns, "FROM api_keys ORDER BY created_at, id"),
         into(row.id), into(row.secret), into(row.label), into(row.scopes), into(row.created_at),
         into(row.revoked_at.us, row.revoked_at.indicator));
    statement.execute();
    while (statement.fetch()) listed.push_back(row.key());
    return listed;
  });
}

control::Store::Answer<void> SqliteStore::revoke_api_key(std::string_view id, WallTime at) {
  const std::string wanted(id);
  const long long us = at.us();
  return impl_->change(StoreRefusal::kNotFound,
                       "UPDATE api_keys SET revoked_at = :at WHERE id = :id AND revoked_at IS NULL", use(us),
                       use(wanted));
}

control::Store::Answer<void> SqliteStore::keep_room(const RoomInfo& room) {
  const RoomRow row(room);
  return impl_->change(
      StoreRefusal::kNotFound,
      "INSERT INTO rooms (name, sid, metadata, created_at, empty_timeout, departure_timeout,"
      " participants_max, publishers_max)"
      " VALUES (:name, :sid, :metadata, :created, :empty, :departure, :participants, :publishers)"
      " ON CONFLICT (name) DO UPDATE SET sid = excluded.sid, metadata = excluded.metadata,"
      " created_at = excluded.created_at, empty_timeout = excluded.empty_timeout,"
      " departure_timeout = excluded.departure_timeout, participants_max = excluded.participants_max,"
      " publishers_max = excluded.publishers_max",
      use(row.name), use(row.sid), use(row.metadata), use(row.created_at), use(row.empty_timeout),
      use(row.departure_timeout), use(row.participants_max), use(row.publishers_max));
}

control::Store::Answer<std::optional<RoomInfo>> SqliteStore::find_room(std::string_view name) {
  return impl_->guarded<std::optional<RoomInfo>>([&]() -> Answer<std::optional<RoomInfo>> {
    const std::string wanted(name);
    RoomRow row;
    impl_->session << select(kRoomColumns, "FROM rooms WHERE name = :name"), use(wanted), into(row.name),
        into(row.sid), into(row.metadata), into(row.created_at), into(row.empty_timeout),
        into(row.departure_timeout), into(row.participants_max), into(row.publishers_max);
    if (!impl_->session.got_data()) return std::nullopt;
    return row.room();
  });
}

control::Store::Answer<std::vector<RoomInfo>> SqliteStore::list_rooms(std::string_view after,
                                                                      std::size_t limit) {
  return impl_->guarded<std::vector<RoomInfo>>([&] {
    const std::string first(after);
    const auto most = static_cast<long long>(limit);
    RoomRow row;
    std::vector<RoomInfo> listed;
    soci::statement statement =
        (impl_->session.prepare << select(kRoomColumns,
                                          "FROM rooms WHERE name > :after ORDER BY name LIMIT :limit"),
         use(first), use(most), into(row.name), into(row.sid), into(row.metadata), into(row.created_at),
         into(row.empty_timeout), into(row.departure_timeout), into(row.participants_max),
         into(row.publishers_max));
    statement.execute();
    while (statement.fetch()) listed.push_back(row.room());
    return listed;
  });
}

control::Store::Answer<void> SqliteStore::delete_room(std::string_view name) {
  const std::string wanted(name);
  return impl_->change(StoreRefusal::kNotFound, "DELETE FROM rooms WHERE name = :name", use(wanted));
}

control::Store::Answer<void> SqliteStore::change_webhooks(const control::WebhookChanges& changes) {
  return impl_->transact([&]() -> Answer<void> {
    for (const WebhookDelivery& added : changes.added) {
      const WebhookRow row(added);
      auto inserted = impl_->change(
          StoreRefusal::kExists,
          "INSERT INTO webhooks (sequence, url, event_id, body, created_at, attempts)"
          " VALUES (:sequence, :url, :event, :body, :created, :attempts) ON CONFLICT DO NOTHING",
          use(row.sequence), use(row.url), use(row.event_id), use(row.body), use(row.created_at),
          use(row.attempts));
      if (!inserted) return inserted;
    }
    for (const auto& [sequence, attempts] : changes.tried) {
      const auto wanted = static_cast<long long>(sequence);
      const long long count = attempts;
      impl_->session << "UPDATE webhooks SET attempts = :attempts WHERE sequence = :sequence", use(count),
          use(wanted);
    }
    for (std::uint64_t sequence : changes.removed) {
      const auto wanted = static_cast<long long>(sequence);
      impl_->session << "DELETE FROM webhooks WHERE sequence = :sequence", use(wanted);
    }
    return {};
  });
}

control::Store::Answer<std::vector<WebhookDelivery>> SqliteStore::list_webhooks(std::string_view url,
                                                                                std::uint64_t after,
                                                                                std::size_t limit) {
  return impl_->guarded<std::vector<WebhookDelivery>>([&] {
    const std::string wanted(url);
    const auto first = static_cast<long long>(after), most = static_cast<long long>(limit);
    WebhookRow row;
    std::vector<WebhookDelivery> listed;
    soci::statement statement =
        (impl_->session.prepare << select(kWebhookColumns,
                                          "FROM webhooks WHERE url = :url AND sequence > :after"
                                          " ORDER BY sequence LIMIT :limit"),
         use(wanted), use(first), use(most), into(row.sequence), into(row.url), into(row.event_id),
         into(row.body), into(row.created_at), into(row.attempts));
    statement.execute();
    while (statement.fetch()) listed.push_back(row.delivery());
    return listed;
  });
}

control::Store::Answer<std::size_t> SqliteStore::count_webhooks(std::string_view url) {
  return impl_->guarded<std::size_t>([&] {
    const std::string wanted(url);
    long long count = 0;
    impl_->session << "SELECT COUNT(*) FROM webhooks WHERE url = :url", use(wanted), into(count);
    return static_cast<std::size_t>(count);
  });
}

control::Store::Answer<std::uint64_t> SqliteStore::last_webhook() {
  return impl_->guarded<std::uint64_t>([&] {
    long long last = 0;
    impl_->session << "SELECT COALESCE(MAX(sequence), 0) FROM webhooks", into(last);
    return static_cast<std::uint64_t>(last);
  });
}

control::Store::Answer<std::size_t> SqliteStore::forget_webhooks_but(const std::vector<std::string>& urls) {
  return impl_->guarded<std::size_t>([&] {
    std::string url;
    std::vector<std::string> gone;
    soci::statement statement = (impl_->session.prepare << "SELECT DISTINCT url FROM webhooks", into(url));
    statement.execute();
    while (statement.fetch())
      if (std::find(urls.begin(), urls.end(), url) == urls.end()) gone.push_back(url);
    long long removed = 0;
    for (const std::string& each : gone) {
      soci::statement removal =
          (impl_->session.prepare << "DELETE FROM webhooks WHERE url = :url", use(each));
      removal.execute(true);
      removed += removal.get_affected_rows();
    }
    return static_cast<std::size_t>(removed);
  });
}

}  // namespace stoa::runtime
