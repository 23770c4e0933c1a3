#include "server/token.h"

#include <sys/stat.h>

#include <cstdio>
#include <memory>

#include "control/api_keys.h"
#include "runtime/loop.h"
#include "runtime/sqlite_store.h"

namespace stoa::server {
namespace {

int fail(const std::string& why) {
  std::fprintf(stderr, "stoa token: %s\n", why.c_str());
  return 1;
}

Result<std::unique_ptr<runtime::SqliteStore>, std::string> open_store(const TokenOptions& options) {
  return runtime::SqliteStore::open(options.data + "/stoa.db", runtime::Loop::wall());
}

}  // namespace

int create_token(const TokenOptions& options) {
  control::ApiKey key;
  if (!options.secret.empty()) {
    key.id = options.key;
    key.secret = options.secret;
    key.scopes = {control::kScopeAll};
  } else {
    if (options.data.empty()) return fail("give --secret (or STOA_TOKEN_SECRET), or --data to read it from");
    auto store = open_store(options);
    if (!store) return fail(store.error());
    control::ApiKeys keys(**store, {});
    auto found = keys.find(options.key);
    if (!found) return fail(control::name_of(found.error()));
    if (!*found) return fail("there is no API key '" + options.key + "' in " + options.data);
    key = **found;
  }
  auto token = control::make_token(
      runtime::Loop::wall(), key, {.scopes = options.scopes, .lifetime = Duration::seconds(options.seconds)});
  if (!token) return fail(control::name_of(token.error()));
  std::printf("%s\n", token->c_str());
  return 0;
}

int create_api_key(const TokenOptions& options) {
  ::mkdir(options.data.c_str(), 0700);  // As the node would; what is wrong with it the database says.
  auto store = open_store(options);
  if (!store) return fail(store.error());
  control::ApiKeys keys(**store, {});
  std::vector<std::string> scopes =
      options.scopes.empty() ? std::vector<std::string>{control::kScopeAll} : options.scopes;
  auto key = keys.create(runtime::Loop::wall(), options.label, scopes);
  if (!key) return fail(control::name_of(key.error()));
  std::printf("key %s\nsecret %s\n", key->id.c_str(), key->secret.c_str());
  return 0;
}

int list_api_keys(const TokenOptions& options) {
  auto store = open_store(options);
  if (!store) return fail(store.error());
  auto keys = control::ApiKeys(**store, {}).list();
  if (!keys) return fail(control::name_of(keys.error()));
  for (const auto& key : *keys) {
    std::string scopes;
    for (const auto& scope : key.scopes) scopes += (scopes.empty() ? "" : ",") + scope;
    std::printf("%s %s %s %s\n", key.id.c_str(), key.revoked_at ? "revoked" : "valid", scopes.c_str(),
                key.label.c_str());
  }
  return 0;
}

int revoke_api_key(const TokenOptions& options) {
  auto store = open_store(options);
  if (!store) return fail(store.error());
  auto revoked = control::ApiKeys(**store, {}).revoke(runtime::Loop::wall(), options.key);
  if (!revoked && revoked.error() == control::Refusal::kKeyNotFound)
    return fail("there is no valid API key '" + options.key + "' in " + options.data);
  return revoked ? 0 : fail(control::name_of(revoked.error()));
}

}  // namespace stoa::server
