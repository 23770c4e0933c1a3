// One request on its way through the REST API, as the handlers see it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/rest.h"
#include "api/rest_routes.h"
#include "base/result.h"

namespace stoa::api {

struct RestCall {
  Rest& rest;
  WallTime now;
  const http::Request& request;
  control::Effects& effects;
  std::vector<std::string_view> segments;       // The values of the path's {names}.
  std::optional<control::Principal> principal;  // Who asks; absent when nobody had to say.

  RestServices& services() const { return rest.services_; }
  const RestOptions& options() const { return rest.options_; }
  Rest::LiveList& live_list() const { return rest.live_list_; }
  const auto& openapi() const { return rest.openapi(); }
};

http::Response list_live(RestCall& call);
http::Response read_live(RestCall& call);
http::Response list_channels(RestCall& call);
http::Response create_channel(RestCall& call);
http::Response read_channel(RestCall& call);
http::Response update_channel(RestCall& call);
http::Response delete_channel(RestCall& call);
http::Response end_broadcast(RestCall& call);
http::Response list_keys(RestCall& call);
http::Response create_key(RestCall& call);
http::Response revoke_key(RestCall& call);
http::Response read_server(RestCall& call);
http::Response read_openapi(RestCall& call);

}  // namespace stoa::api
