#include "media/payload/picture_id.h"

#include <gtest/gtest.h>

namespace stoa::payload {
namespace {

SourceIds source(unsigned picture, unsigned tl0 = 0, unsigned key = 0) {
  return {.picture_id = static_cast<std::uint16_t>(picture & 0x7fff),
          .tl0_index = static_cast<std::uint8_t>(tl0),
          .key_index = static_cast<std::uint8_t>(key)};
}
int id_of(PictureIdRewriter& rewriter, unsigned picture) {
  auto ids = rewriter.rewrite(source(picture));
  return ids ? ids->picture_id : -1;
}

TEST(PictureIdRewriter, leaves_the_first_source_as_it_is) {
  PictureIdRewriter rewriter;
  EXPECT_EQ(rewriter.rewrite(source(100, 7, 3)), (PictureIds{100, 7, 3}));
  EXPECT_EQ(rewriter.rewrite(source(100, 7, 3)), (PictureIds{100, 7, 3}));
  EXPECT_EQ(rewriter.rewrite(source(101, 8, 3)), (PictureIds{101, 8, 3}));
}

TEST(PictureIdRewriter, goes_on_where_the_last_source_ended) {
  PictureIdRewriter rewriter;
  rewriter.rewrite(source(100, 7, 30));
  rewriter.switch_source();
  EXPECT_EQ(rewriter.rewrite(source(5000, 200, 4)), (PictureIds{101, 8, 31}));
  EXPECT_EQ(rewriter.rewrite(source(5001, 201, 5)), (PictureIds{102, 9, 0}));
  EXPECT_EQ(rewriter.rewrite(source(4999, 199, 4)), std::nullopt);
}

TEST(PictureIdRewriter, closes_up_behind_dropped_pictures) {
  PictureIdRewriter rewriter;
  EXPECT_EQ(id_of(rewriter, 10), 10);
  rewriter.drop(source(11));
  rewriter.drop(source(11));
  EXPECT_EQ(id_of(rewriter, 12), 11);
  rewriter.drop(source(13));
  rewriter.drop(source(14));
  EXPECT_EQ(id_of(rewriter, 15), 12);
  EXPECT_EQ(id_of(rewriter, 13), -1);
}

TEST(PictureIdRewriter, gives_late_pictures_the_id_they_were_due) {
  PictureIdRewriter rewriter;
  EXPECT_EQ(id_of(rewriter, 10), 10);
  EXPECT_EQ(id_of(rewriter, 13), 13);  // 11 and 12 are not here yet.
  rewriter.drop(source(14));
  EXPECT_EQ(id_of(rewriter, 15), 14);
  EXPECT_EQ(id_of(rewriter, 12), 12);
  EXPECT_EQ(id_of(rewriter, 11), 11);
  EXPECT_EQ(id_of(rewriter, 15), 14);
}

TEST(PictureIdRewriter, never_gives_one_id_to_two_pictures_when_a_drop_comes_late) {
  PictureIdRewriter rewriter;
  EXPECT_EQ(id_of(rewriter, 10), 10);
  EXPECT_EQ(id_of(rewriter, 12), 12);
  rewriter.drop(source(11));
  EXPECT_EQ(id_of(rewriter, 11), -1);
  EXPECT_EQ(id_of(rewriter, 13), 13);
}

TEST(PictureIdRewriter, goes_on_over_the_wrap) {
  PictureIdRewriter rewriter;
  EXPECT_EQ(id_of(rewriter, 0x7ffe), 0x7ffe);
  rewriter.drop(source(0x7fff));
  EXPECT_EQ(id_of(rewriter, 0), 0x7fff);
  EXPECT_EQ(id_of(rewriter, 1), 0);
  EXPECT_EQ(id_of(rewriter, 0x7ffe), 0x7ffe);
}

TEST(PictureIdRewriter, keeps_to_seven_bits_where_the_source_does) {
  PictureIdRewriter rewriter;
  SourceIds ids{.picture_id = 127, .picture_id_bits = 7};
  EXPECT_EQ(rewriter.rewrite(ids)->picture_id, 127);
  ids.picture_id = 0;
  EXPECT_EQ(rewriter.rewrite(ids)->picture_id, 0);
}

TEST(PictureIdRewriter, forgets_what_is_too_old) {
  PictureIdRewriter rewriter;
  id_of(rewriter, 10);
  EXPECT_EQ(id_of(rewriter, 10 + PictureIdRewriter::kPicturesRemembered - 1), 137);
  EXPECT_EQ(id_of(rewriter, 10), 10);
  EXPECT_EQ(id_of(rewriter, 10 + PictureIdRewriter::kPicturesRemembered), 138);
  EXPECT_EQ(id_of(rewriter, 10), -1);
  EXPECT_EQ(id_of(rewriter, 11), 11);
}

TEST(PictureIdRewriter, drops_nothing_before_its_first_picture) {
  PictureIdRewriter rewriter;
  rewriter.drop(source(9));
  EXPECT_EQ(id_of(rewriter, 10), 10);
}

}  // namespace
}  // namespace stoa::payload
