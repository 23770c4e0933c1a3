#include "server/pages.h"

#include <gtest/gtest.h>

#include <string>

#include "server/web_files.h"

namespace stoa::server {
namespace {

http::Response answer(std::string path) {
  http::Request request;
  request.path = std::move(path);
  return answer_page(request);
}

class Pages : public testing::Test {
 protected:
  void SetUp() override {
    if (!find_web_file("/index.html")) GTEST_SKIP() << "built without pages";
  }
};

TEST_F(Pages, answers_each_address_with_the_page_that_names_its_files) {
  struct Address {
    const char* path;
    const char* page;
  };
  for (auto [path, page] : {Address{"/", "/index.html"}, Address{"/studio", "/index.html"},
                            Address{"/meet", "/index.html"}, Address{"/watch/demo", "/watch.html"},
                            Address{"/studio/demo", "/studio.html"}, Address{"/meet/demo", "/meet.html"}}) {
    http::Response response = answer(path);
    EXPECT_EQ(response.status, 200) << path;
    EXPECT_TRUE(response.headers.get("etag").starts_with(
        find_web_file(page)->etag.substr(0, find_web_file(page)->etag.size() - 1)))
        << path;
    EXPECT_FALSE(response.headers.get("content-security-policy").empty()) << path;
  }
}

TEST_F(Pages, says_404_for_what_no_page_is_at) {
  for (const char* path : {"/nothing", "/watch/", "/watch/a/b", "/meet/", "/meet/a/b", "/index.htm"}) {
    EXPECT_EQ(answer(path).status, 404) << path;
  }
}

TEST_F(Pages, takes_only_names_that_a_room_can_have) {
  for (const std::string& name : {std::string("a"), std::string("Team_1.weekly-x"), std::string(64, 'x')}) {
    EXPECT_EQ(answer("/meet/" + name).status, 200) << name;
  }
  for (const std::string& name : {std::string("my room"), std::string("caf\xc3\xa9"), std::string(65, 'x'),
                                  std::string("."), std::string("..")}) {
    EXPECT_EQ(answer("/meet/" + name).status, 404) << name;
  }
}

}  // namespace
}  // namespace stoa::server
