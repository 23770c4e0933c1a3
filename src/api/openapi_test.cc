#include "api/openapi.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>

#include "api/whip.h"

namespace stoa::api {
namespace {

namespace json = boost::json;

json::value make_document() { return json::parse(write_openapi(route_table(), "1.2.3")); }

std::string lower_name_of(http::Method method) {
  std::string name = http::name_of(method);
  for (char& c : name) c = static_cast<char>(std::tolower(c));
  return name;
}

TEST(OpenApi, has_each_route_and_no_other) {
  const json::value document = make_document();
  std::set<std::string> documented, routed;
  for (const auto& [path, operations] : document.at("paths").as_object()) {
    if (owns_rtc_path(path)) continue;
    for (const auto& [method, unused] : operations.as_object())
      documented.insert(std::string(method) + " " + std::string(path));
  }
  for (const Route& route : route_table()) routed.insert(lower_name_of(route.method) + " " + route.path);
  EXPECT_EQ(documented, routed);
  EXPECT_EQ(routed.size(), route_table().size());
  EXPECT_EQ(document.at("openapi"), "3.1.0");
  EXPECT_EQ(document.at("info").at("version"), "1.2.3");
}

TEST(OpenApi, tells_of_whip_and_whep) {
  const json::value document = make_document();
  std::set<std::string> documented, codes;
  for (const auto& [path, operations] : document.at("paths").as_object()) {
    if (!owns_rtc_path(path)) continue;
    for (const auto& [method, operation] : operations.as_object()) {
      documented.insert(std::string(method) + " " + std::string(path));
      for (const auto& [status, response] : operation.at("responses").as_object()) {
        if (status[0] == '2') continue;
        if (status == "429" || status == "503") {
          EXPECT_TRUE(response.at("headers").as_object().contains("Retry-After")) << path << ' ' << status;
        }
        for (const json::value& code :
             response
                 .at_pointer(
                     "/content/application~1json/schema/allOf/1/properties/error/properties/code/enum")
                 .as_array())
          codes.insert(std::string(status) + " " + std::string(code.as_string()));
      }
    }
  }
  EXPECT_EQ(documented,
            (std::set<std::string>{"post /whip/{channel}", "patch /whip/{channel}/{session}",
                                   "delete /whip/{channel}/{session}", "post /whep/{channel}",
                                   "patch /whep/{channel}/{session}", "delete /whep/{channel}/{session}"}));
  for (const RtcRefusalFacts& facts : rtc_refusal_table())
    EXPECT_TRUE(codes.contains(std::to_string(facts.status) + " " + facts.code)) << facts.code;
  EXPECT_EQ(document.at_pointer("/paths/~1whep~1{channel}/post/security"),
            json::parse(R"([{},{"streamKey":[]}])"));
  EXPECT_EQ(document.at_pointer("/paths/~1whip~1{channel}/post/security"),
            json::parse(R"([{"streamKey":[]}])"));
}

TEST(OpenApi, names_each_operation_once) {
  std::set<std::string> names;
  const json::value document = make_document();
  for (const auto& [path, operations] : document.at("paths").as_object()) {
    if (!owns_rtc_path(path)) continue;
    for (const auto& [method, operation] : operations.as_object())
      EXPECT_TRUE(names.insert(std::string(operation.at("operationId").as_string())).second);
  }
  for (const Route& route : route_table())
    EXPECT_TRUE(names.insert(route.operation).second) << route.operation;
}

TEST(OpenApi, tells_each_error_that_a_route_may_give_and_no_other) {
  const json::value document = make_document();
  for (const Route& route : route_table()) {
    const json::value& operation = document.at("paths").at(route.path).at(lower_name_of(route.method));
    std::set<std::string> expected, told;
    for (ErrorCode code : errors_of(route))
      expected.insert(std::to_string(facts_of(code).status) + " " + facts_of(code).name);
    for (const auto& [status, response] : operation.at("responses").as_object()) {
      if (status == std::to_string(route.status)) continue;
      const json::value& schema = response.at("content").at("application/json").at("schema");
      for (const json::value& code :
           schema.at_pointer("/allOf/1/properties/error/properties/code/enum").as_array())
        told.insert(std::string(status) + " " + std::string(code.as_string()));
    }
    EXPECT_EQ(told, expected) << route.operation;
  }
}

TEST(OpenApi, tells_each_parameter_of_a_path) {
  const json::value document = make_document();
  const json::value& operation =
      document.at("paths").at("/api/v1/channels/{channel}/keys/{key}").at("delete");
  EXPECT_EQ(operation.at_pointer("/parameters/0/name"), "channel");
  EXPECT_EQ(operation.at_pointer("/parameters/1/name"), "key");
  EXPECT_EQ(operation.at_pointer("/parameters/1/required"), true);
  const json::value& list = document.at("paths").at("/api/v1/channels").at("get");
  EXPECT_EQ(list.at_pointer("/parameters/0/name"), "limit");
  EXPECT_EQ(list.at_pointer("/parameters/0/schema/maximum"), 200);
}

TEST(OpenApi, tells_who_may) {
  const json::value document = make_document();
  for (const Route& route : route_table()) {
    const json::array& security =
        document.at("paths").at(route.path).at(lower_name_of(route.method)).at("security").as_array();
    switch (route.access) {
      case Access::kPublic: EXPECT_EQ(json::serialize(security), "[]"); break;
      case Access::kPublicOrRead:
        EXPECT_EQ(json::serialize(security), R"([{},{"bearer":["channels:read"]}])");
        break;
      case Access::kRead: EXPECT_EQ(json::serialize(security), R"([{"bearer":["channels:read"]}])"); break;
      case Access::kWrite: EXPECT_EQ(json::serialize(security), R"([{"bearer":["channels:write"]}])"); break;
      case Access::kReadRooms: EXPECT_EQ(json::serialize(security), R"([{"bearer":["rooms:read"]}])"); break;
    }
  }
}

void collect_references(const json::value& value, std::set<std::string>& found) {
  if (value.is_array())
    for (const json::value& item : value.get_array()) collect_references(item, found);
  if (!value.is_object()) return;
  for (const auto& [name, member] : value.get_object()) {
    if (name == "$ref") found.insert(std::string(member.as_string()));
    collect_references(member, found);
  }
}

TEST(OpenApi, defines_each_schema_it_refers_to_and_uses_each_it_defines) {
  const json::value document = make_document();
  std::set<std::string> used, defined;
  collect_references(document, used);
  for (const auto& [name, unused] : document.at("components").at("schemas").as_object())
    defined.insert("#/components/schemas/" + std::string(name));
  EXPECT_EQ(used, defined);
}

TEST(ErrorTable, is_in_order_and_its_names_are_unique) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < error_table().size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(error_table()[i].code), i);
    EXPECT_TRUE(names.insert(error_table()[i].name).second);
  }
}

TEST(PathPattern, matches_segment_by_segment) {
  using Values = std::vector<std::string_view>;
  EXPECT_EQ(match_path("/a/{b}/c", "/a/x/c"), Values{"x"});
  EXPECT_EQ(match_path("/a/{b}/{c}", "/a/x/y"), (Values{"x", "y"}));
  EXPECT_EQ(match_path("/a", "/a"), Values());
  for (const char* path :
       {"", "/", "/a", "/a/", "/a/x", "/a/x/", "/a/x/d", "/a/x/c/", "/a//c", "a/x/c", "/a/x/c/d", "//a/x/c"})
    EXPECT_EQ(match_path("/a/{b}/c", path), std::nullopt) << path;
}

}  // namespace
}  // namespace stoa::api
