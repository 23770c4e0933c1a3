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
  std::optional<RoomsQuery> query;              // Set by a handler: the response is made of what it brings.

  RestServices& services() const { return rest.services_; }
  const RestOptions& options() const { return rest.options_; }
  Rest::LiveList& live_list() const { return rest.live_list_; }
  const auto& openapi() const { return rest.openapi(); }
};

http::Response list_live(RestCall& call);
http::Response read_live(RestCall& call);
http::Response list_events(RestCall& call);
http::Response list_channels(RestCall& call);
http::Response create_channel(RestCall& call);
http::Response read_channel(RestCall& call);
http::Response update_channel(RestCall& call);
http::Response delete_channel(RestCall& call);
http::Response end_broadcast(RestCall& call);
http::Response list_keys(RestCall& call);
http::Response create_key(RestCall& call);
http::Response revoke_key(RestCall& call);
http::Response list_rooms(RestCall& call);
http::Response read_room(RestCall& call);
http::Response list_participants(RestCall& call);
http::Response read_statistics(RestCall& call);
http::Response read_server(RestCall& call);
http::Response read_openapi(RestCall& call);

// Of "limit" and "after", as all lists take them.
struct PageWish {
  std::size_t limit = 0;
  std::string after;
};
Result<PageWish, ApiError> read_page_wish(const http::Request& request, std::size_t limit_max,
                                          std::size_t after_bytes_max);

// rest_rooms.cc
http::Response write_rooms_reply(WallTime now, const RoomsQuery& query, const RoomsReply& reply);
http::Response refuse_rooms_query(RoomsRefusal refusal);

}  // namespace stoa::api
