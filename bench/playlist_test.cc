#include "playlist.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoa::bench {
namespace {

using testing::ElementsAre;

constexpr std::string_view kPlaylist =
    "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART-INF:PART-TARGET=0.333\n#EXT-X-MEDIA-SEQUENCE:10\n"
    "#EXTINF:2.0,\nv0/s10.m4s\n#EXT-X-PART:DURATION=0.333,URI=\"v0/p60.m4s\",INDEPENDENT=YES\n"
    "#EXTINF:0.333,\nv0/s11.m4s\n#EXT-X-PART:DURATION=0.333,URI=\"v0/p61.m4s\"\n"
    "#EXT-X-PART:DURATION=0.333,URI=\"v0/p62.m4s\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"v0/p63.m4s\"\n";

TEST(Playlist, names_what_a_blocked_reload_asks_for) {
  auto edge = find_edge(kPlaylist);
  ASSERT_TRUE(edge);
  EXPECT_EQ(edge->next_msn, 12u);
  EXPECT_EQ(edge->next_part, 2u);
  EXPECT_EQ(edge->part_target, 0.333);
  EXPECT_EQ(edge->hinted_part, "v0/p63.m4s");
  EXPECT_THAT(edge->last_parts, ElementsAre("v0/p60.m4s", "v0/p61.m4s", "v0/p62.m4s"));
  EXPECT_FALSE(edge->has_ended);
}

TEST(Playlist, counts_the_segments_a_delta_update_skips) {
  auto edge = find_edge(
      "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:5\n"
      "#EXT-X-SKIP:SKIPPED-SEGMENTS=7\n#EXTINF:2,\nx\n#EXT-X-ENDLIST\n");
  ASSERT_TRUE(edge);
  EXPECT_EQ(edge->next_msn, 13u);
  EXPECT_TRUE(edge->has_ended);
}

TEST(Playlist, offers_no_part_that_is_a_gap) {
  auto edge = find_edge(
      "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART:DURATION=0.3,URI=\"p1.m4s\"\n"
      "#EXT-X-PART:DURATION=0.3,URI=\"p2.m4s\",GAP=YES\n");
  ASSERT_TRUE(edge);
  EXPECT_EQ(edge->next_part, 2u);
  EXPECT_THAT(edge->last_parts, ElementsAre("p1.m4s"));
}

TEST(Playlist, is_not_an_error_page) { EXPECT_FALSE(find_edge("{\"error\":{}}")); }

TEST(Playlist, lists_variants_before_audio) {
  EXPECT_THAT(
      find_renditions("#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"x, y\",URI=\"b/a0.m3u8\"\n"
                      "#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"avc1,mp4a\"\nb/v0.m3u8\n"),
      ElementsAre("b/v0.m3u8", "b/a0.m3u8"));
}

}  // namespace
}  // namespace stoa::bench
