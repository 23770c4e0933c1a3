// `stoa token`: access tokens and API keys from the command line.
#pragma once

#include <string>
#include <vector>

namespace stoa::server {

struct TokenOptions {
  std::string key;     // API key id.
  std::string secret;  // Empty: read from the database in `data`.
  std::string data;
  std::string label;
  std::vector<std::string> scopes;  // Empty: everything ("*").
  int seconds = 3600;
};

// Print the token, the new key and its secret, or the keys there are, to standard output. Exit codes.
int create_token(const TokenOptions& options);
int create_api_key(const TokenOptions& options);
int list_api_keys(const TokenOptions& options);
// A running node believes its tokens no more from the next request on.
int revoke_api_key(const TokenOptions& options);

}  // namespace stoa::server
