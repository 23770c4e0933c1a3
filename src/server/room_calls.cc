#include "server/room_calls.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <utility>

#include "api/livekit/convert.h"
#include "api/livekit/grant.h"
#include "api/livekit/join_params.h"
#include "crypto/random.h"
#include "shard/mail.h"

namespace stoa::server {

namespace pb = livekit::pb;
using livekit::TwirpCode;

namespace {

constexpr std::string_view kTokensPrefix = "/api/v1/rooms/";
constexpr std::string_view kTokensSuffix = "/tokens";
constexpr std::size_t kTokenBodyBytesMax = 64u << 10;

// The room of ".../rooms/{room}/tokens"; empty when it is another path.
std::string room_of_path(std::string_view path) {
  if (!path.starts_with(kTokensPrefix) || !path.ends_with(kTokensSuffix)) return "";
  path.remove_prefix(kTokensPrefix.size());
  if (path.size() <= kTokensSuffix.size()) return "";
  path.remove_suffix(kTokensSuffix.size());
  return path.find('/') == std::string_view::npos ? std::string(path) : "";
}

std::string text_of(const boost::json::object& object, std::string_view name) {
  const boost::json::value* found = object.if_contains(name);
  return found && found->is_string() ? std::string(found->get_string()) : std::string();
}

livekit::TwirpError rpc_error(const pb::RpcError& error) {
  return {TwirpCode::kFailedPrecondition,
          "the participant's method failed: " + std::to_string(error.code()) + " " + error.message()};
}

}  // namespace

bool RoomCalls::owns_path(std::string_view path) {
  return livekit::is_twirp_path(path) || !room_of_path(path).empty();
}

void RoomCalls::respond(const HttpAsked& asked, http::Response response) {
  send_(asked.shard, HttpAnswered{asked.request, std::move(response)});
}

void RoomCalls::refuse(const HttpAsked& asked, TwirpCode code, std::string text) {
  ++refused_;
  respond(asked, livekit::write_twirp_error({code, std::move(text)}));
}

void RoomCalls::handle_request(Timestamp now, WallTime wall, const HttpAsked& asked) {
  if (!livekit::is_twirp_path(asked.message.path)) return make_token(wall, asked);
  ++calls_;
  auto call = livekit::parse_twirp(asked.message);
  if (!call) return refuse(asked, call.error().code, call.error().text);
  const std::string token = livekit::token_of(asked.message);
  if (token.empty()) return refuse(asked, TwirpCode::kUnauthenticated, "no token was given");
  auto believed = keys_.authenticate_claims(wall, token);
  if (!believed) return refuse(asked, TwirpCode::kUnauthenticated, control::name_of(believed.error()));
  auto grant = livekit::parse_grant(believed->claims);
  if (!grant) return refuse(asked, TwirpCode::kUnauthenticated, "the token's claims do not read");
  if (auto may = livekit::authorize(*call, *grant); !may)
    return refuse(asked, may.error().code, may.error().text);
  ask(now, asked, std::move(*call));
}

void RoomCalls::ask(Timestamp now, const HttpAsked& asked, livekit::TwirpCall call) {
  if (questions_.size() >= kQuestionsMax)
    return refuse(asked, TwirpCode::kUnavailable, "too many calls at once");
  const std::uint64_t number = ++asked_;
  Question question{.shard = asked.shard, .request = asked.request, .deadline = now + kPatience};
  room::RoomInfo room;
  if (const auto* create = std::get_if<pb::CreateRoomRequest>(&call.request)) {
    auto made = desk_.make_room(*create);
    if (!made) return refuse(asked, made.error().code, made.error().text);
    room = std::move(*made);
  } else if (const auto* move = std::get_if<pb::MoveParticipantRequest>(&call.request)) {
    room = desk_.find_room(move->destination_room());
  } else if (auto* rpc = std::get_if<pb::PerformRpcRequest>(&call.request)) {
    question.is_rpc = true;
    const std::uint32_t wait =
        rpc->response_timeout_ms() > 0 ? rpc->response_timeout_ms() : livekit::kRpcTimeoutMsDefault;
    question.deadline = now + std::min(Duration::milliseconds(wait), kRpcPatienceMax);
  }
  const bool is_list = std::holds_alternative<pb::ListRoomsRequest>(call.request);
  question.call = std::make_shared<const livekit::TwirpCall>(std::move(call));
  if (is_list) question.answers_due = shards_;
  for (shard::ShardIndex to = 0; to < shards_; ++to)
    if (is_list || to == shard::owner_of(livekit::room_of(question.call->request), shards_))
      send_(to, shard::Mail(shard::RoomCalled{number, question.call, room}));
  questions_.emplace(number, std::move(question));
}

void RoomCalls::handle_answer(Timestamp, shard::RoomAnswered& answered) {
  auto found = questions_.find(answered.question);
  if (found == questions_.end()) return;
  Question& question = found->second;
  if (!answered.answer) {
    // Nobody came since a restart: no shard knows it, it is kept all the same.
    const auto* deleted = std::get_if<pb::DeleteRoomRequest>(&question.call->request);
    if (deleted && answered.answer.error().code == TwirpCode::kNotFound && desk_.end_room(deleted->room()))
      return finish(found->first, livekit::write_twirp(*question.call, pb::DeleteRoomResponse()));
    const auto* changed = std::get_if<pb::UpdateRoomMetadataRequest>(&question.call->request);
    if (changed && answered.answer.error().code == TwirpCode::kNotFound)
      if (auto room = desk_.keep_metadata(changed->room(), changed->metadata()))
        return finish(found->first, livekit::write_twirp(*question.call, livekit::to_wire(*room)));
    return finish(found->first, livekit::write_twirp_error(answered.answer.error()));
  }
  if (const auto* update = std::get_if<pb::UpdateRoomMetadataRequest>(&question.call->request))
    (void)desk_.keep_metadata(update->room(), update->metadata());
  if (question.is_rpc) return;  // It is on its way; the participant answers.
  if (const auto* rooms = dynamic_cast<const pb::ListRoomsResponse*>(answered.answer->get())) {
    question.rooms.MergeFrom(*rooms);
    if (--question.answers_due > 0) return;
    desk_.add_kept(std::get<pb::ListRoomsRequest>(question.call->request), question.rooms);
    return finish(found->first, livekit::write_twirp(*question.call, question.rooms));
  }
  finish(found->first, livekit::write_twirp(*question.call, **answered.answer));
}

void RoomCalls::handle_rpc(const shard::RpcAnswered& answered) {
  const livekit::RpcReply& reply = answered.reply;
  if (reply.is_ack) return;
  const std::uint64_t number =
      std::strtoull(reply.id.c_str() + std::string_view(livekit::kServerRpcPrefix).size(), nullptr, 10);
  auto found = questions_.find(number);
  if (found == questions_.end() || !found->second.is_rpc) return;
  const auto& asked = std::get<pb::PerformRpcRequest>(found->second.call->request);
  if (asked.room() != answered.room || asked.destination_identity() != answered.identity) return;
  if (reply.error) return finish(number, livekit::write_twirp_error(rpc_error(*reply.error)));
  pb::PerformRpcResponse response;
  response.set_payload(reply.payload);
  finish(number, livekit::write_twirp(*found->second.call, response));
}

void RoomCalls::finish(std::uint64_t number, http::Response response) {
  auto found = questions_.find(number);
  if (found == questions_.end()) return;
  send_(found->second.shard, HttpAnswered{found->second.request, std::move(response)});
  questions_.erase(found);
}

void RoomCalls::handle_tick(Timestamp now) {
  std::vector<std::uint64_t> late;
  for (const auto& [number, question] : questions_)
    if (question.deadline <= now) late.push_back(number);
  for (std::uint64_t number : late) {
    ++timed_out_;
    const bool is_rpc = questions_.at(number).is_rpc;
    finish(number,
           livekit::write_twirp_error(
               {is_rpc ? TwirpCode::kDeadlineExceeded : TwirpCode::kUnavailable,
                is_rpc ? "the participant did not answer in time" : "a shard did not answer in time"}));
  }
}

// For the meeting page: whoever may sign tokens gets one to pass on, and in development anybody does.
void RoomCalls::make_token(WallTime wall, const HttpAsked& asked) {
  const http::Request& request = asked.message;
  auto refuse_token = [&](int status, const char* code, const char* text) {
    ++refused_;
    respond(asked, http::make_error_response(status, code, text));
  };
  if (request.method != http::Method::kPost)
    return refuse_token(405, "method_not_allowed", "Only POST works here.");
  if (request.body.size() > kTokenBodyBytesMax)
    return refuse_token(413, "too_large", "The body is too long.");
  boost::system::error_code error;
  boost::json::value body = request.body.empty() ? boost::json::value(boost::json::object())
                                                 : boost::json::parse(request.body, error);
  if (error || !body.is_object()) return refuse_token(400, "bad_request", "The body is no JSON object.");
  const boost::json::object& wish = body.get_object();
  std::string key_id;
  bool is_host = options_.is_dev;
  if (const std::string token = livekit::token_of(request); !token.empty()) {
    auto believed = keys_.authenticate(wall, token);
    if (!believed) return refuse_token(401, "unauthorized", control::name_of(believed.error()));
    if (!believed->may(control::kScopeRooms))
      return refuse_token(403, "forbidden", "The token has not the scope rooms.");
    key_id = believed->key_id;
    const boost::json::value* host = wish.if_contains("host");
    is_host = host && host->is_bool() && host->get_bool();
  } else if (options_.is_dev) {
    key_id = control::development_key().id;
  } else {
    return refuse_token(401, "unauthorized", "An invitation is needed: a link with a token.");
  }
  auto key = keys_.find_valid(key_id);
  if (!key || !*key) return refuse_token(503, "unavailable", "The key cannot be read now.");
  livekit::AccessGrant grant;
  grant.name = text_of(wish, "name");
  grant.identity = text_of(wish, "identity");
  if (grant.identity.empty()) grant.identity = "guest-" + crypto::make_base62(10);
  const std::string room = room_of_path(request.path);  // Decoded by now.
  if (room.empty() || grant.identity.size() > room::kIdentityBytesMax ||
      grant.name.size() > room::kDisplayNameBytesMax || room.size() > room::kNameCharactersMax)
    return refuse_token(400, "bad_request", "The room, the identity or the name is over its limit.");
  grant.video.emplace();
  grant.video->room = room;
  grant.video->room_join = true;
  grant.video->room_admin = is_host;
  grant.video->can_update_own_metadata = true;
  auto made = livekit::make_access_token(grant, (*key)->id, (*key)->secret, wall, kTokenLifetime);
  if (!made) return refuse_token(400, "bad_request", crypto::name_of(made.error()));
  ++tokens_;
  boost::json::object answer{{"token", *made}, {"identity", grant.identity}, {"room", room}};
  http::Response response = http::make_text_response(201, boost::json::serialize(answer));
  response.headers.set("content-type", "application/json");
  response.headers.set("cache-control", "no-store");
  respond(asked, std::move(response));
}

void RoomCalls::append_metrics(MetricSamples& samples) const {
  auto add = [&](const char* name, const char* help, std::uint64_t value) {
    samples.push_back({name, help, MetricKind::kCounter, {}, static_cast<double>(value)});
  };
  add("stoa_room_api_calls_total", "Calls of the server's API for rooms.", calls_);
  add("stoa_room_api_refused_total", "Calls and tokens that were refused.", refused_);
  add("stoa_room_api_timed_out_total", "Calls that nobody answered in time.", timed_out_);
  add("stoa_room_tokens_total", "Tokens that were made for meetings.", tokens_);
}

}  // namespace stoa::server
