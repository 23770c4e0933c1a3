#include "proto/http/inflate.h"

#include <gtest/gtest.h>

#include "proto/http/semantics.h"

namespace stoa::http {
namespace {

SharedBytes zip(std::string text) { return *gzip(Body(SharedBytes(std::move(text)))); }

TEST(Gunzip, undoes_gzip) {
  for (std::size_t length : {0u, 1u, 1'000u, 100'000u}) {
    std::string text;
    for (std::size_t i = 0; i < length; ++i) text += static_cast<char>('a' + i * i % 23);
    EXPECT_EQ(gunzip(zip(text).bytes(), 1u << 20), text);
  }
}

TEST(Gunzip, stops_at_the_limit) {
  SharedBytes bomb = zip(std::string(4u << 20, 'x'));
  EXPECT_LT(bomb.size(), 8'000u);
  EXPECT_EQ(gunzip(bomb.bytes(), (4u << 20) - 1), std::nullopt);
  EXPECT_EQ(gunzip(bomb.bytes(), 100), std::nullopt);
  EXPECT_EQ(gunzip(bomb.bytes(), 4u << 20)->size(), 4u << 20);
  EXPECT_EQ(gunzip(zip("").bytes(), 0), "");
}

TEST(Gunzip, refuses_what_is_cut_broken_or_followed_by_more) {
  SharedBytes whole = zip(std::string(1'000, 'y'));
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_EQ(gunzip(whole.bytes().first(length), 10'000), std::nullopt) << length;
  Buffer more(whole.bytes().begin(), whole.bytes().end());
  more[more.size() - 5] ^= 1;  // The checksum.
  EXPECT_EQ(gunzip(more, 10'000), std::nullopt);
  more[more.size() - 5] ^= 1;
  more.push_back(0);
  EXPECT_EQ(gunzip(more, 10'000), std::nullopt);
  EXPECT_EQ(gunzip(as_bytes("plain text"), 10'000), std::nullopt);
}

}  // namespace
}  // namespace stoa::http
