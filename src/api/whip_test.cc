#include "api/whip.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>

namespace stoa::api {
namespace {

http::Request make_request(http::Method method, std::string path, http::Headers headers = {},
                           std::string body = {}) {
  http::Request request;
  request.method = method;
  request.path = std::move(path);
  request.headers = std::move(headers);
  request.body = std::move(body);
  return request;
}
http::Headers headers_of(std::initializer_list<std::pair<const char*, const char*>> fields) {
  http::Headers headers;
  for (const auto& [name, value] : fields) headers.add(name, value);
  return headers;
}
http::Request make_post(std::initializer_list<std::pair<const char*, const char*>> fields = {},
                        std::string body = "v=0\r\n") {
  http::Headers headers = headers_of(fields);
  if (!headers.has("content-type")) headers.add("content-type", "application/sdp");
  return make_request(http::Method::kPost, "/whip/live1", std::move(headers), std::move(body));
}
http::Request make_patch(std::initializer_list<std::pair<const char*, const char*>> fields = {},
                         std::string body = "a=end-of-candidates\r\n") {
  http::Headers headers = headers_of(fields);
  if (!headers.has("content-type")) headers.add("content-type", "application/trickle-ice-sdpfrag");
  return make_request(http::Method::kPatch, "/whep/live1/s-1_A", std::move(headers), std::move(body));
}

std::string text_of(const http::Response& response) {
  std::string text;
  for (const SharedBytes& slice : response.body.slices) text += slice.text();
  return text;
}
std::string code_of(const http::Response& response) {
  boost::json::value value = boost::json::parse(text_of(response));
  return std::string(value.at("error").at("code").as_string());
}
// "415 unsupported_media_type", "204", or "call".
std::string outcome_of(const http::Request& request) {
  auto call = parse_rtc_request(request);
  if (call) return "call";
  const http::Response& response = call.error();
  EXPECT_EQ(response.headers.get("cache-control"), "no-store");
  EXPECT_EQ(response.headers.get("access-control-allow-origin"), "*");
  std::string status = std::to_string(response.status);
  return response.status < 400 ? status : status + " " + code_of(response);
}

TEST(RtcRequest, reads_an_offer) {
  auto call = parse_rtc_request(
      make_post({{"authorization", "Bearer sk_abc-._~+/="}, {"accept", "application/sdp"}}, "v=0\r\noffer"));
  ASSERT_TRUE(call);
  const auto& offered = std::get<RtcOffered>(*call);
  EXPECT_EQ(offered.role, RtcRole::kPublisher);
  EXPECT_EQ(offered.channel, "live1");
  EXPECT_EQ(offered.bearer, "sk_abc-._~+/=");
  EXPECT_EQ(offered.offer, "v=0\r\noffer");
  http::Request whep = make_post();
  whep.path = "/whep/live1";
  EXPECT_EQ(std::get<RtcOffered>(*parse_rtc_request(whep)).role, RtcRole::kViewer);
}

TEST(RtcRequest, reads_a_fragment) {
  auto call = parse_rtc_request(make_patch({{"if-match", "\"one\""}, {"authorization", "Bearer k"}}));
  ASSERT_TRUE(call);
  const auto& patched = std::get<RtcPatched>(*call);
  EXPECT_EQ(patched.role, RtcRole::kViewer);
  EXPECT_EQ(patched.channel, "live1");
  EXPECT_EQ(patched.session, "s-1_A");
  EXPECT_EQ(patched.bearer, "k");
  EXPECT_EQ(patched.if_match, "\"one\"");
  EXPECT_EQ(patched.fragment, "a=end-of-candidates\r\n");
  EXPECT_FALSE(std::get<RtcPatched>(*parse_rtc_request(make_patch())).if_match);
}

TEST(RtcRequest, reads_an_end) {
  auto call = parse_rtc_request(
      make_request(http::Method::kDelete, "/whip/live1/abc", headers_of({{"authorization", "bearer k"}})));
  ASSERT_TRUE(call);
  const auto& deleted = std::get<RtcDeleted>(*call);
  EXPECT_EQ(deleted.role, RtcRole::kPublisher);
  EXPECT_EQ(deleted.channel, "live1");
  EXPECT_EQ(deleted.session, "abc");
  EXPECT_EQ(deleted.bearer, "k");
}

TEST(RtcRequest, is_nothing_at_other_paths) {
  for (const char* path : {"/", "/whip", "/whip/", "/whipx/live1", "/WHIP/live1", "/whip/Live1",
                           "/whip/-live", "/whip/live 1", "/whip//s", "/api/whip/live1", "/whep/\xc3\xa9"}) {
    http::Request request = make_post();
    request.path = path;
    EXPECT_EQ(outcome_of(request), "404 not_found") << path;
  }
  http::Request request = make_post();
  request.path = "/whip/" + std::string(64, 'a');
  EXPECT_EQ(outcome_of(request), "call");
  request.path += 'a';
  EXPECT_EQ(outcome_of(request), "404 not_found");
  EXPECT_TRUE(owns_rtc_path("/whip/x"));
  EXPECT_TRUE(owns_rtc_path("/whep/x/y"));
  EXPECT_FALSE(owns_rtc_path("/whip"));
}

TEST(RtcRequest, knows_what_sessions_may_be_called) {
  http::Request request = make_patch();
  for (std::string name : {std::string(""), std::string("a/b"), std::string("a.b"), std::string("a b"),
                           std::string("s\n"), std::string(65, 'a')}) {
    request.path = "/whip/live1/" + name;
    EXPECT_EQ(outcome_of(request), "404 no_session") << name;
    EXPECT_FALSE(is_session_name(name));
  }
  request.path = "/whip/live1/" + std::string(64, 'Z');
  EXPECT_EQ(outcome_of(request), "call");
}

TEST(RtcRequest, tells_its_methods) {
  for (auto method : {http::Method::kGet, http::Method::kHead, http::Method::kPut, http::Method::kPatch,
                      http::Method::kDelete, http::Method::kOther}) {
    auto call = parse_rtc_request(make_request(method, "/whip/live1"));
    ASSERT_FALSE(call);
    EXPECT_EQ(call.error().status, 405);
    EXPECT_EQ(call.error().headers.get("allow"), "POST, OPTIONS");
  }
  for (auto method : {http::Method::kGet, http::Method::kHead, http::Method::kPut, http::Method::kPost,
                      http::Method::kOther}) {
    auto call = parse_rtc_request(make_request(method, "/whep/live1/s"));
    ASSERT_FALSE(call);
    EXPECT_EQ(call.error().status, 405);
    EXPECT_EQ(code_of(call.error()), "method_not_allowed");
    EXPECT_EQ(call.error().headers.get("allow"), "PATCH, DELETE, OPTIONS");
  }
}

TEST(RtcRequest, answers_options) {
  auto endpoint = parse_rtc_request(make_request(http::Method::kOptions, "/whip/live1")).error();
  EXPECT_EQ(endpoint.status, 204);
  EXPECT_EQ(endpoint.headers.get("accept-post"), "application/sdp");
  EXPECT_EQ(endpoint.headers.get("access-control-allow-methods"), "POST, OPTIONS");
  EXPECT_EQ(endpoint.headers.get("access-control-allow-headers"), "authorization, content-type, if-match");
  EXPECT_EQ(endpoint.headers.get("access-control-allow-origin"), "*");
  auto session = parse_rtc_request(make_request(http::Method::kOptions, "/whep/live1/s")).error();
  EXPECT_EQ(session.status, 204);
  EXPECT_EQ(session.headers.get("accept-patch"), "application/trickle-ice-sdpfrag");
  EXPECT_EQ(session.headers.get("allow"), "PATCH, DELETE, OPTIONS");
}

TEST(RtcRequest, wants_its_media_types) {
  for (const char* type :
       {"application/sdp", "Application/SDP", "application/sdp; charset=utf-8", " application/sdp ;x=y"})
    EXPECT_EQ(outcome_of(make_post({{"content-type", type}})), "call") << type;
  for (const char* type : {"", "text/plain", "application/sdpx", "application/json; application/sdp",
                           "application/trickle-ice-sdpfrag", "application/sdp, text/plain"})
    EXPECT_EQ(outcome_of(make_post({{"content-type", type}})), "415 unsupported_media_type") << type;
  http::Request bare = make_request(http::Method::kPost, "/whip/live1", {}, "v=0\r\n");
  EXPECT_EQ(outcome_of(bare), "415 unsupported_media_type");
  EXPECT_EQ(parse_rtc_request(bare).error().headers.get("accept-post"), "application/sdp");
  EXPECT_EQ(outcome_of(make_patch({{"content-type", "application/trickle-ice-sdpfrag;a=b"}})), "call");
  auto patch = parse_rtc_request(make_patch({{"content-type", "application/sdp"}}));
  EXPECT_EQ(patch.error().status, 415);
  EXPECT_EQ(patch.error().headers.get("accept-patch"), "application/trickle-ice-sdpfrag");
  EXPECT_EQ(outcome_of(make_post({{"content-encoding", "gzip"}})), "415 unsupported_media_type");
  EXPECT_EQ(outcome_of(make_post({{"content-encoding", "identity"}})), "call");
}

TEST(RtcRequest, heeds_accept) {
  for (const char* accept : {"application/sdp", "*/*", "application/*", "text/html, application/sdp;q=0.5",
                             "APPLICATION/SDP", "text/plain;q=1, */*;q=0.1", "", " , "})
    EXPECT_EQ(outcome_of(make_post({{"accept", accept}})), "call") << accept;
  for (const char* accept : {"text/html", "application/json, text/*", "application/sdp;q=0",
                             "*/*, application/sdp;q=0.0", "*/*;q=0"})
    EXPECT_EQ(outcome_of(make_post({{"accept", accept}})), "406 not_acceptable") << accept;
  EXPECT_EQ(outcome_of(make_post({{"accept", "text/html"}, {"accept", "application/sdp"}})), "call");
  EXPECT_EQ(outcome_of(make_patch({{"accept", "text/html"}})), "call");  // Often there is no body to like.
}

TEST(RtcRequest, limits_bodies) {
  std::string body(kSessionDescriptionBytesMax, 'a');
  EXPECT_EQ(outcome_of(make_post({}, body)), "call");
  EXPECT_EQ(outcome_of(make_patch({}, body)), "call");
  body += 'a';
  EXPECT_EQ(outcome_of(make_post({}, body)), "413 body_too_large");
  EXPECT_EQ(outcome_of(make_patch({}, body)), "413 body_too_large");
  EXPECT_EQ(outcome_of(make_post({}, "")), "400 bad_offer");
  EXPECT_EQ(outcome_of(make_patch({}, "")), "400 bad_fragment");
}

TEST(RtcRequest, reads_bearers) {
  auto bearer_of = [](const char* field) {
    auto call = parse_rtc_request(make_post({{"authorization", field}}));
    return call ? std::get<RtcOffered>(*call).bearer : code_of(call.error());
  };
  EXPECT_EQ(bearer_of("Bearer key"), "key");
  EXPECT_EQ(bearer_of("bEARER   key  "), "key");
  EXPECT_EQ(bearer_of("Bearer"), "");
  EXPECT_EQ(bearer_of("Bearer "), "");
  EXPECT_EQ(bearer_of("Basic dXNlcjpwYXNz"), "");
  EXPECT_EQ(bearer_of(""), "");
  for (const char* field : {"Bearer a b", "Bearer k\"ey", "Bearer =", "Bearer a=b", "Bearer k\xc3\xa9y"})
    EXPECT_EQ(bearer_of(field), "bad_authorization") << field;
  EXPECT_EQ(bearer_of(("Bearer " + std::string(kBearerBytesMax, 'k')).c_str()).size(), kBearerBytesMax);
  EXPECT_EQ(bearer_of(("Bearer " + std::string(kBearerBytesMax + 1, 'k')).c_str()), "bad_authorization");
  EXPECT_EQ(outcome_of(make_post({{"authorization", "Bearer a"}, {"authorization", "Bearer b"}})),
            "400 bad_authorization");
  EXPECT_EQ(outcome_of(make_request(http::Method::kDelete, "/whip/live1/s",
                                    headers_of({{"authorization", "Bearer a b"}}))),
            "400 bad_authorization");
}

TEST(IfMatch, is_a_list_of_tags_or_a_star) {
  for (const char* field :
       {"*", "\"a\"", "W/\"a\"", "\"a\", \"b\"", "\"a\" ,W/\"b\"", "\"\"", ", \"a\",,", "\"a,b\""})
    EXPECT_EQ(outcome_of(make_patch({{"if-match", field}})), "call") << field;
  for (const char* field :
       {"", "a", "\"a", "\"a\" \"b\"", "w/\"a\"", "*, \"a\"", "\"a b\"", ",", "W/a", "\"a\\\"\"b"})
    EXPECT_EQ(outcome_of(make_patch({{"if-match", field}})), "400 bad_if_match") << field;
  std::string longest = "\"" + std::string(kIfMatchBytesMax - 2, 'a') + "\"";
  EXPECT_EQ(outcome_of(make_patch({{"if-match", longest.c_str()}})), "call");
  EXPECT_EQ(outcome_of(make_patch({{"if-match", (longest + " ").c_str()}})), "400 bad_if_match");
  auto two = parse_rtc_request(make_patch({{"if-match", "\"a\""}, {"if-match", "\"b\""}}));
  EXPECT_EQ(std::get<RtcPatched>(*two).if_match, "\"a\", \"b\"");
}

TEST(IfMatch, compares_strongly) {
  EXPECT_TRUE(matches_if_match("\"one\"", "one"));
  EXPECT_TRUE(matches_if_match(" * ", "one"));
  EXPECT_TRUE(matches_if_match("\"two\", \"one\"", "one"));
  EXPECT_FALSE(matches_if_match("W/\"one\"", "one"));
  EXPECT_TRUE(matches_if_match("W/\"one\", \"one\"", "one"));
  EXPECT_FALSE(matches_if_match("\"One\"", "one"));
  EXPECT_FALSE(matches_if_match("\"on\"", "one"));
  EXPECT_FALSE(matches_if_match("one", "one"));
  EXPECT_FALSE(matches_if_match("\"one\" x", "one"));
  EXPECT_FALSE(matches_if_match("", "one"));
  EXPECT_FALSE(matches_if_match("\"two,one\"", "one"));
}

const RtcOffered kCall = {.role = RtcRole::kPublisher, .channel = "live1", .bearer = "", .offer = ""};

TEST(RtcResponse, says_where_the_session_is) {
  auto response = make_created_response(kCall, {"v=0\r\nanswer", "abc_1", "gen-1"}, {});
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.headers.get("content-type"), "application/sdp");
  EXPECT_EQ(response.headers.get("location"), "/whip/live1/abc_1");
  EXPECT_EQ(response.headers.get("etag"), "\"gen-1\"");
  EXPECT_EQ(response.headers.get("accept-patch"), "application/trickle-ice-sdpfrag");
  EXPECT_EQ(response.headers.get("cache-control"), "no-store");
  EXPECT_FALSE(response.headers.has("link"));
  EXPECT_EQ(text_of(response), "v=0\r\nanswer");
  std::string_view exposed = response.headers.get("access-control-expose-headers");
  for (const char* name : {"location", "etag", "link", "accept-patch", "retry-after"})
    EXPECT_NE(exposed.find(name), std::string_view::npos) << name;
  RtcOffered viewer = kCall;
  viewer.role = RtcRole::kViewer;
  EXPECT_EQ(make_created_response(viewer, {"", "s", "e"}, {}).headers.get("location"), "/whep/live1/s");
}

std::vector<std::string> links_of(const std::vector<IceServer>& servers) {
  std::vector<std::string> links;
  http::Response response = make_created_response(kCall, {"", "s", "e"}, servers);
  for (const auto& [name, value] : response.headers)
    if (name == "link") links.push_back(value);
  return links;
}

TEST(RtcResponse, names_ice_servers) {
  EXPECT_EQ(
      links_of(
          {{.url = "stun:stun.example.net:3478", .username = "", .credential = ""},
           {.url = "turn:turn.example.net:3478?transport=udp", .username = "user", .credential = "pass"}}),
      (std::vector<std::string>{
          "<stun:stun.example.net:3478>; rel=\"ice-server\"",
          "<turn:turn.example.net:3478?transport=udp>; rel=\"ice-server\"; username=\"user\"; "
          "credential=\"pass\"; credential-type=\"password\""}));
}

TEST(RtcResponse, quotes_what_ice_servers_are_called) {
  EXPECT_EQ(links_of({{.url = "turn:a>b\"c d\\\xc3", .username = "u\"; rel=\"x", .credential = "p\\,;"}}),
            (std::vector<std::string>{
                "<turn:a%3Eb%22c%20d%5C%C3>; rel=\"ice-server\"; username=\"u\\\"; rel=\\\"x\"; "
                "credential=\"p\\\\,;\"; credential-type=\"password\""}));
  EXPECT_TRUE(links_of({{.url = "turn:a", .username = "u\r\nset-cookie: x", .credential = "p"},
                        {.url = "turn:a\nb", .username = "", .credential = ""},
                        {.url = "turn:a", .username = "u", .credential = std::string("p\0", 2)},
                        {.url = "", .username = "", .credential = ""}})
                  .empty());
}

TEST(RtcResponse, answers_patches_and_ends) {
  auto restarted = make_restarted_response("a=ice-ufrag:x\r\n", "gen-2");
  EXPECT_EQ(restarted.status, 200);
  EXPECT_EQ(restarted.headers.get("content-type"), "application/trickle-ice-sdpfrag");
  EXPECT_EQ(restarted.headers.get("etag"), "\"gen-2\"");
  EXPECT_EQ(text_of(restarted), "a=ice-ufrag:x\r\n");
  EXPECT_EQ(make_patched_response().status, 204);
  EXPECT_EQ(make_patched_response().body.size(), 0u);
  EXPECT_EQ(make_deleted_response().status, 200);
  EXPECT_EQ(make_deleted_response().body.size(), 0u);
}

TEST(RtcResponse, has_a_status_and_a_code_for_each_refusal) {
  struct Row {
    RtcRefusal refusal;
    int status;
    const char* code;
  };
  constexpr Row kRows[] = {{RtcRefusal::kBadOffer, 400, "bad_offer"},
                           {RtcRefusal::kBadFragment, 400, "bad_fragment"},
                           {RtcRefusal::kUnauthorized, 401, "unauthorized"},
                           {RtcRefusal::kForbidden, 403, "forbidden"},
                           {RtcRefusal::kNoChannel, 404, "not_live"},
                           {RtcRefusal::kNoSession, 404, "no_session"},
                           {RtcRefusal::kTakenOver, 410, "taken_over"},
                           {RtcRefusal::kBroadcastStopped, 410, "broadcast_stopped"},
                           {RtcRefusal::kKeyRevoked, 410, "key_revoked"},
                           {RtcRefusal::kTooManySources, 410, "too_many_sources"},
                           {RtcRefusal::kConflict, 409, "conflict"},
                           {RtcRefusal::kPreconditionFailed, 412, "precondition_failed"},
                           {RtcRefusal::kNotAcceptable, 406, "no_common_codec"},
                           {RtcRefusal::kUnprocessable, 422, "unprocessable"},
                           {RtcRefusal::kPreconditionRequired, 428, "precondition_required"},
                           {RtcRefusal::kTooManySessions, 429, "too_many_sessions"},
                           {RtcRefusal::kOverloaded, 503, "overloaded"},
                           {RtcRefusal::kNotOffered, 501, "not_offered"}};
  EXPECT_EQ(std::size(kRows), rtc_refusal_table().size());
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.code);
    http::Response response = make_refusal_response(row.refusal, "Because \"so\".");
    EXPECT_EQ(response.status, row.status);
    EXPECT_EQ(code_of(response), row.code);
    EXPECT_EQ(boost::json::parse(text_of(response)).at("error").at("message"), "Because \"so\".");
    EXPECT_EQ(response.headers.get("content-type"), "application/json");
    EXPECT_EQ(response.headers.get("access-control-allow-origin"), "*");
    EXPECT_EQ(response.headers.has("www-authenticate"), row.status == 401);
    bool may_retry = row.refusal == RtcRefusal::kNoChannel || row.refusal == RtcRefusal::kOverloaded ||
                     row.refusal == RtcRefusal::kTooManySessions;
    EXPECT_EQ(response.headers.has("retry-after"), may_retry);
    EXPECT_NE(std::string_view(http::reason_of(row.status)), "");
    const RtcRefusalFacts& facts = rtc_refusal_table()[static_cast<std::size_t>(row.refusal)];
    EXPECT_EQ(facts.refusal, row.refusal);
    EXPECT_EQ(boost::json::parse(text_of(make_refusal_response(row.refusal, ""))).at("error").at("message"),
              facts.meaning);
  }
}

}  // namespace
}  // namespace stoa::api
