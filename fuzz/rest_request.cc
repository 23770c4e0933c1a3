// A session of requests to the REST API. Each line of the input is one: a letter for its method, a letter for
// its token (none, good, read only, the rest of the line's first word), then path, query, body, parted by
// tabs. Whatever is asked: the answer has a status that the route documents and a body that is JSON, and only
// commands that succeeded have effects.
#include <algorithm>
#include <boost/json.hpp>

#include "api/rest.h"
#include "api/rest_routes.h"
#include "base/assert.h"
#include "control/memory_store.h"

namespace {

using namespace stoa;

constexpr WallTime kNow = WallTime::from_seconds(1'800'000'000);
constexpr std::size_t kRequestsMax = 32;
const control::ApiKey kKey = {"devkey",    "secret-for-development-only-0123456789", "", {"*"}, {},
                              std::nullopt};

struct House {
  control::MemoryStore store;
  control::Channels channels{store};
  // Not secret here, and the same each time: ids can be guessed, so that they are.
  control::StreamKeys stream_keys{store, [n = std::uint8_t{0}](std::span<std::uint8_t> bytes) mutable {
                                    for (auto& byte : bytes) byte = n;
                                    ++n;
                                  }};
  control::ApiKeys api_keys{store, {.tokens = {}, .fixed = {kKey}}};
  control::Publishing publishing{store, {.is_dev = false}};
  control::LiveDirectory live;
  api::Rest rest{{channels, stream_keys, api_keys, publishing, live}, {"1", kNow}};
  control::Effects effects;
};

std::string_view take(std::string_view& text, char end) {
  std::size_t length = std::min(text.find(end), text.size());
  std::string_view taken = text.substr(0, length);
  text.remove_prefix(std::min(length + 1, text.size()));
  return taken;
}

http::Request request_of(std::string_view line) {
  static const std::string kAll = *control::make_token(kNow, kKey, {});
  static const std::string kRead = *control::make_token(kNow, kKey, {.scopes = {"channels:read"}});
  http::Request request;
  request.method = static_cast<http::Method>(line[0] % 8);
  char token = line[1];
  line.remove_prefix(2);
  request.path = "/" + std::string(take(line, '\t'));
  request.query = take(line, '\t');
  request.body = line;
  request.headers.add("content-type", token == 'x' ? "text/plain" : "application/json");
  if (token == 'r') request.headers.add("authorization", "Bearer " + kRead);
  if (token == 'w' || token == 'x') request.headers.add("authorization", "Bearer " + kAll);
  if (token == 'f') request.headers.add("authorization", line);
  return request;
}

// One room is there, and whom they ask for says of its program what the request says.
Result<api::RoomsReply, api::RoomsRefusal> reply_to(const api::RoomsQuery& query) {
  using Kind = api::RoomsQuery::Kind;
  if (query.kind != Kind::kRooms && query.room != "hall") return refuse(api::RoomsRefusal::kNoRoom);
  api::RoomsReply reply;
  if (query.kind == Kind::kRooms || query.kind == Kind::kRoom) {
    reply.rooms.push_back({.sid = "RM_1", .name = "hall"});
    return reply;
  }
  room::SeatReport seat{.client = {.version = query.participant, .os = query.after}};
  seat.published.push_back({.sid = "TR_1"});
  seat.published.back().layers.resize(query.participant.size() % 4);
  seat.sent.push_back({.sid = "TR_2"});
  reply.participants.push_back({std::make_shared<const room::ParticipantInfo>(), std::move(seat)});
  if (!query.sees_hidden) reply.participants.push_back({reply.participants[0].info, {}});
  return reply;
}

void check_answer(const http::Request& request, const http::Response& response, bool has_effects) {
  STOA_ASSERT(!has_effects || (response.status >= 200 && response.status < 300));
  if (response.body.size() > 0) {
    std::string text;
    for (const SharedBytes& slice : response.body.slices) text += slice.text();
    boost::system::error_code error;
    boost::json::parse(text, error);
    STOA_ASSERT(!error);
  }
  http::Method method = request.method == http::Method::kHead ? http::Method::kGet : request.method;
  for (const api::Route& route : api::route_table()) {
    if (route.method != method || !api::match_path(route.path, request.path)) continue;
    std::vector<api::ErrorCode> errors = api::errors_of(route);
    bool is_documented = response.status == route.status ||
                         std::any_of(errors.begin(), errors.end(), [&](api::ErrorCode code) {
                           return api::facts_of(code).status == response.status;
                         });
    STOA_ASSERT(is_documented);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest = as_text({data, size});
  House house;
  control::ChannelStatus status;
  status.channel = "live1";
  house.live.handle_status(Timestamp(), std::move(status));
  for (std::size_t i = 0; i < kRequestsMax && !rest.empty(); ++i) {
    std::string_view line = take(rest, '\n');
    if (line.size() < 2) continue;
    http::Request request = request_of(line);
    api::RestOutcome outcome = house.rest.handle(kNow, request, house.effects);
    if (const auto* query = std::get_if<api::RoomsQuery>(&outcome))
      outcome = house.rest.finish(kNow, *query, reply_to(*query));
    const http::Response& response = std::get<http::Response>(outcome);
    check_answer(request, response, !house.effects.empty());
    house.effects.clear();
  }
  return 0;
}
