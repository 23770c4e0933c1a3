#include "server/web_files.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <string>
#include <vector>

namespace stoa::server {
namespace {

std::string gunzip(Bytes bytes, std::size_t expected_size) {
  std::string text(expected_size + 1, '\0');
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);
  stream.next_in = const_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

TEST(WebFiles, has_the_pages_and_they_are_asked_for_again) {
  for (std::string_view path : {"/index.html", "/watch.html", "/studio.html", "/meet.html"}) {
    const WebFile* page = find_web_file(path);
    ASSERT_NE(page, nullptr) << path;
    EXPECT_EQ(page->content_type, "text/html; charset=utf-8");
    EXPECT_FALSE(page->is_immutable);
    EXPECT_TRUE(as_text(page->identity).starts_with("<!doctype html>"));
  }
}

TEST(WebFiles, names_no_script_inside_a_page) {
  for (std::string_view path : {"/index.html", "/watch.html", "/studio.html", "/meet.html"}) {
    std::string_view text = as_text(find_web_file(path)->identity);
    for (std::size_t at = 0; (at = text.find("<script", at)) != text.npos; ++at) {
      std::string_view tag = text.substr(at, text.find('>', at) - at);
      EXPECT_NE(tag.find(" src=\"/"), tag.npos) << path << ": " << tag;
    }
  }
}

TEST(WebFiles, holds_every_file_that_a_page_names) {
  for (std::string_view path : {"/index.html", "/watch.html", "/studio.html", "/meet.html"}) {
    std::string_view text = as_text(find_web_file(path)->identity);
    int count = 0;
    for (std::size_t at = 0; (at = text.find("\"/", at)) != text.npos; ++at) {
      std::string_view name = text.substr(at + 1, text.find('"', at + 1) - at - 1);
      EXPECT_NE(find_web_file(name), nullptr) << path << " names " << name;
      ++count;
    }
    EXPECT_GT(count, 2);
  }
}

TEST(WebFiles, keeps_for_good_exactly_what_has_a_hash_in_its_name) {
  for (const WebFile& file : web_files()) {
    EXPECT_EQ(file.is_immutable, file.path.starts_with("/assets/")) << file.path;
  }
}

TEST(WebFiles, compresses_without_changing_a_byte) {
  int compressed = 0;
  for (const WebFile& file : web_files()) {
    ASSERT_FALSE(file.identity.empty()) << file.path;
    EXPECT_LT(file.brotli.size(), file.identity.size()) << file.path;
    if (file.gzip.empty()) continue;
    EXPECT_LT(file.gzip.size(), file.identity.size()) << file.path;
    EXPECT_EQ(gunzip(file.gzip, file.identity.size()), as_text(file.identity)) << file.path;
    ++compressed;
  }
  EXPECT_GT(compressed, 5);
}

TEST(WebFiles, gives_every_file_a_tag_of_its_own) {
  std::vector<std::string_view> tags;
  for (const WebFile& file : web_files()) {
    EXPECT_TRUE(file.etag.starts_with("\"") && file.etag.ends_with("\"")) << file.etag;
    tags.push_back(file.etag);
  }
  std::sort(tags.begin(), tags.end());
  // The pages differ, so no two files are the same.
  EXPECT_EQ(std::adjacent_find(tags.begin(), tags.end()), tags.end());
}

TEST(WebFiles, finds_nothing_by_a_name_it_does_not_hold) {
  for (std::string_view path :
       {"", "/", "index.html", "/index.htm", "/assets", "/assets/", "/zzz", "/../index.html"}) {
    EXPECT_EQ(find_web_file(path), nullptr) << path;
  }
}

}  // namespace
}  // namespace stoa::server
