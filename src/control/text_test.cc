#include "control/text.h"

#include <gtest/gtest.h>

#include <string>

namespace stoa::control {
namespace {

TEST(ChannelName, is_lower_case_letters_digits_hyphen_and_underscore) {
  for (const std::string& name :
       {std::string("a"), std::string("0"), std::string("news-24_hd"), std::string(64, 'a')})
    EXPECT_TRUE(is_channel_name(name)) << name;
  for (const std::string& name :
       {std::string(), std::string("-a"), std::string("_a"), std::string("News"), std::string("a b"),
        std::string("a/b"), std::string("a.b"), std::string("\xc3\xa9"), std::string("a\0", 2),
        std::string(65, 'a'), std::string("a\n")})
    EXPECT_FALSE(is_channel_name(name)) << name;
}

TEST(PlainText, counts_characters_not_bytes) {
  EXPECT_TRUE(is_plain_text("", 0, LineBreaks::kRefused));
  EXPECT_TRUE(is_plain_text("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 3, LineBreaks::kRefused));
  EXPECT_FALSE(is_plain_text("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 2, LineBreaks::kRefused));
}

TEST(PlainText, refuses_control_characters) {
  for (const std::string& text : {std::string("a\0b", 3), std::string("\x1b[1m"), std::string("\x7f"),
                                  std::string("\xc2\x85"), std::string("a\rb")}) {
    EXPECT_FALSE(is_plain_text(text, 10, LineBreaks::kRefused));
    EXPECT_FALSE(is_plain_text(text, 10, LineBreaks::kAllowed));
  }
  EXPECT_TRUE(is_plain_text("a\n\tb", 10, LineBreaks::kAllowed));
  EXPECT_FALSE(is_plain_text("a\nb", 10, LineBreaks::kRefused));
  EXPECT_FALSE(is_plain_text("a\tb", 10, LineBreaks::kRefused));
}

TEST(PlainText, refuses_what_is_no_utf8) {
  for (const char* text : {"\xff", "\x80", "\xc0\xaf", "\xc3", "\xc3(", "\xe0\x80\x80", "\xe2\x82",
                           "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80"})
    EXPECT_FALSE(is_plain_text(text, 100, LineBreaks::kAllowed)) << text;
}

}  // namespace
}  // namespace stoa::control
