#include "proto/m3u8/playlist.h"

#include <gtest/gtest.h>

#include <string>

namespace stoa::m3u8 {
namespace {

const std::string kLive =
    "#EXTM3U\n"
    "#EXT-X-VERSION:6\n"
    "#EXT-X-TARGETDURATION:2\n"
    "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.2,CAN-SKIP-UNTIL=12.0\n"
    "#EXT-X-PART-INF:PART-TARGET=0.4\n"
    "#EXT-X-MEDIA-SEQUENCE:7\n"
    "#EXT-X-DISCONTINUITY-SEQUENCE:3\n"
    "#EXT-X-MAP:URI=\"i0.mp4\"\n"
    "#EXT-X-PROGRAM-DATE-TIME:2026-01-31T12:00:00.250Z\n"
    "#EXTINF:2.000,\n"
    "s7.m4s\n"
    "#EXT-X-DISCONTINUITY\n"
    "#EXT-X-MAP:URI=\"i1.mp4\",BYTERANGE=\"100@0\"\n"
    "#EXT-X-PART:DURATION=0.4,URI=\"p0.m4s\",INDEPENDENT=YES\n"
    "#EXT-X-PART:DURATION=0.4,URI=\"p1.m4s\",BYTERANGE=\"10@20\"\n"
    "#EXTINF:0.8,a title, with a comma\n"
    "s8.m4s\n"
    "#EXT-X-PART:DURATION=0.35,URI=\"p2.m4s\",GAP=YES\n"
    "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"p3.m4s\"\n"
    "#EXT-X-RENDITION-REPORT:URI=\"../a0.m3u8\",LAST-MSN=9,LAST-PART=0\n";

TEST(MediaPlaylist, is_read_whole) {
  auto parsed = parse_media(kLive);
  ASSERT_TRUE(parsed.problems.empty()) << parsed.problems[0].detail << " line " << parsed.problems[0].line;
  const MediaPlaylist& list = parsed.playlist;
  EXPECT_EQ(list.version, 6);
  EXPECT_EQ(list.version_floor.version, 6);
  EXPECT_EQ(list.target_duration_s, 2u);
  EXPECT_EQ(list.part_target, Duration::milliseconds(400));
  ASSERT_TRUE(list.server_control);
  EXPECT_TRUE(list.server_control->can_block_reload);
  EXPECT_EQ(list.server_control->can_skip_until, Duration::seconds(12));
  ASSERT_EQ(list.segments.size(), 3u);
  EXPECT_EQ(list.segments[0].media_sequence_number, 7u);
  EXPECT_EQ(list.segments[0].discontinuity_sequence, 3u);
  EXPECT_EQ(list.segments[0].program_date_time->ms() % 1000, 250);
  EXPECT_EQ(list.segments[1].discontinuity_sequence, 4u);
  EXPECT_EQ(list.segments[1].map->uri, "i1.mp4");
  EXPECT_EQ(list.segments[1].map->range->length, 100u);
  EXPECT_EQ(list.segments[1].title, "a title, with a comma");
  EXPECT_EQ(list.segments[1].parts[1].range->offset, 20u);
  EXPECT_TRUE(list.segments[1].parts[0].is_independent);
  EXPECT_FALSE(list.segments[2].is_complete);
  EXPECT_TRUE(list.segments[2].parts[0].is_gap);
  EXPECT_EQ(list.segments[2].parts[0].line, 18);
  EXPECT_EQ(list.hints.at(0).uri, "p3.m4s");
  EXPECT_EQ(list.reports.at(0).last_msn, 9u);
  EXPECT_EQ(list.duration(), Duration::milliseconds(3150));
  EXPECT_TRUE(parse_media_strict(kLive));
}

TEST(MediaPlaylist, counts_skipped_segments_into_sequence_numbers) {
  auto list = parse_media(
      "#EXTM3U\n#EXT-X-VERSION:10\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:5\n"
      "#EXT-X-SKIP:SKIPPED-SEGMENTS=4,RECENTLY-REMOVED-DATERANGES=\"a\tb\"\n"
      "#EXTINF:2,\ns9.m4s\n");
  ASSERT_TRUE(list.problems.empty());
  EXPECT_EQ(list.playlist.segments[0].media_sequence_number, 9u);
  EXPECT_EQ(list.playlist.skip->removed_date_ranges->size(), 2u);
  EXPECT_EQ(list.playlist.version_floor.version, 10);
}

TEST(MediaPlaylist, replaces_variables_from_all_three_sources) {
  std::map<std::string, std::string, std::less<>> imports{{"host", "cdn"}};
  auto parsed = parse_media(
      "#EXTM3U\n#EXT-X-VERSION:11\n#EXT-X-TARGETDURATION:2\n"
      "#EXT-X-DEFINE:NAME=\"n\",VALUE=\"v\"\n#EXT-X-DEFINE:IMPORT=\"host\"\n"
      "#EXT-X-DEFINE:QUERYPARAM=\"tok\"\n#EXTINF:2,\n/{$host}/{$n}.m4s?t={$tok}\n",
      {.imports = &imports, .query = "a=1&tok=x%2Fy"});
  ASSERT_TRUE(parsed.problems.empty());
  EXPECT_EQ(parsed.playlist.segments[0].uri, "/cdn/v.m4s?t=x/y");
  EXPECT_EQ(parsed.playlist.version_floor.version, 11);
}

struct BadCase {
  const char* name;
  std::string text;
  Refusal refusal;
  int line;
};
const std::string kHead = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n";

class BadMedia : public testing::TestWithParam<BadCase> {};
TEST_P(BadMedia, is_refused_with_its_line) {
  auto result = parse_media_strict(GetParam().text);
  ASSERT_FALSE(result);
  EXPECT_STREQ(name_of(result.error().refusal), name_of(GetParam().refusal));
  EXPECT_EQ(result.error().line, GetParam().line);
}
INSTANTIATE_TEST_SUITE_P(
    Playlists, BadMedia,
    testing::Values(
        BadCase{"bom", "\xef\xbb\xbf" + kHead, Refusal::kByteOrderMark, 1},
        BadCase{"empty", "", Refusal::kNoHeader, 1},
        BadCase{"header_late", "\n" + kHead, Refusal::kNoHeader, 1},
        BadCase{"header_twice", kHead + "#EXTM3U\n", Refusal::kDuplicateTag, 3},
        BadCase{"latin1", kHead + "#EXTINF:2,\xe9\ns\n", Refusal::kNotUtf8, 3},
        BadCase{"nul", kHead + std::string("a\0b\n", 4), Refusal::kNotUtf8, 3},
        BadCase{"mixed", kHead + "#EXT-X-STREAM-INF:BANDWIDTH=1\n", Refusal::kMixedTags, 3},
        BadCase{"version_twice", kHead + "#EXT-X-VERSION:6\n#EXT-X-VERSION:6\n", Refusal::kDuplicateTag, 4},
        BadCase{"version_word", kHead + "#EXT-X-VERSION:six\n", Refusal::kBadValue, 3},
        BadCase{"no_target", "#EXTM3U\n", Refusal::kMissingTag, 1},
        BadCase{"target_twice", kHead + "#EXT-X-TARGETDURATION:2\n", Refusal::kDuplicateTag, 3},
        BadCase{"target_fraction", "#EXTM3U\n#EXT-X-TARGETDURATION:2.5\n", Refusal::kBadValue, 2},
        BadCase{"uri_alone", kHead + "s.m4s\n", Refusal::kMissingTag, 3},
        BadCase{"inf_alone", kHead + "#EXTINF:2,\n", Refusal::kMissingTag, 3},
        BadCase{"inf_twice", kHead + "#EXTINF:2,\n#EXTINF:2,\ns\n", Refusal::kMissingTag, 4},
        BadCase{"inf_negative", kHead + "#EXTINF:-2,\ns\n", Refusal::kBadValue, 3},
        BadCase{"inf_endless", kHead + "#EXTINF:999999999,\ns\n", Refusal::kBadValue, 3},
        BadCase{"part_endless", kHead + "#EXT-X-PART:DURATION=36001,URI=\"p\"\n", Refusal::kBadValue, 3},
        BadCase{"inf_no_comma", kHead + "#EXTINF:2\ns\n", Refusal::kBadValue, 3},
        BadCase{"part_no_uri", kHead + "#EXT-X-PART:DURATION=1\n", Refusal::kMissingAttribute, 3},
        BadCase{"part_no_duration", kHead + "#EXT-X-PART:URI=\"p\"\n", Refusal::kMissingAttribute, 3},
        BadCase{"part_bare_uri", kHead + "#EXT-X-PART:DURATION=1,URI=p\n", Refusal::kBadValue, 3},
        BadCase{"part_maybe", kHead + "#EXT-X-PART:DURATION=1,URI=\"p\",GAP=MAYBE\n", Refusal::kBadValue, 3},
        BadCase{"part_in_segment", kHead + "#EXTINF:2,\n#EXT-X-PART:DURATION=1,URI=\"p\"\ns\n",
                Refusal::kMisplacedTag, 4},
        BadCase{"list_spaces", kHead + "#EXT-X-PART:DURATION=1, URI=\"p\"\n", Refusal::kBadAttributeList, 3},
        BadCase{"list_open_quote", kHead + "#EXT-X-PART:URI=\"p\n", Refusal::kBadAttributeList, 3},
        BadCase{"list_trailing_comma", kHead + "#EXT-X-PART:DURATION=1,URI=\"p\",\n",
                Refusal::kBadAttributeList, 3},
        BadCase{"list_twice", kHead + "#EXT-X-PART:DURATION=1,DURATION=1,URI=\"p\"\n",
                Refusal::kDuplicateAttribute, 3},
        BadCase{"date_no_zone", kHead + "#EXT-X-PROGRAM-DATE-TIME:2026-01-31T12:00:00\n", Refusal::kBadValue,
                3},
        BadCase{"skip_late", kHead + "#EXTINF:2,\ns\n#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n",
                Refusal::kMisplacedTag, 5},
        BadCase{"define_both", kHead + "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\",IMPORT=\"c\"\n",
                Refusal::kBadDefine, 3},
        BadCase{"define_query_missing", kHead + "#EXT-X-DEFINE:QUERYPARAM=\"a\"\n", Refusal::kBadDefine, 3},
        BadCase{"variable_unknown", kHead + "#EXTINF:2,\n{$who}\n", Refusal::kUndefinedVariable, 4},
        BadCase{"huge", std::string(kPlaylistBytesMax + 1, '#'), Refusal::kTooLarge, 1}),
    [](const auto& row) { return row.param.name; });

TEST(MediaPlaylist, notes_a_parent_tag_behind_the_first_part) {
  auto list = parse_media(kHead + "#EXT-X-PART:DURATION=1,URI=\"p\"\n#EXT-X-DISCONTINUITY\n#EXTINF:1,\ns\n");
  EXPECT_EQ(list.playlist.segments.at(0).misplaced_line, 4);
  EXPECT_EQ(list.playlist.segments.at(0).misplaced_tag, "EXT-X-DISCONTINUITY");
}

TEST(MediaPlaylist, asks_for_the_version_of_its_newest_tag) {
  auto floor = [](const std::string& more) {
    return parse_media(kHead + more).playlist.version_floor.version;
  };
  EXPECT_EQ(floor("#EXTINF:2,\ns\n"), 1);
  EXPECT_EQ(floor("#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x1\n"), 2);
  EXPECT_EQ(floor("#EXTINF:2.0,\ns\n"), 3);
  EXPECT_EQ(floor("#EXT-X-BYTERANGE:10@0\n#EXTINF:2,\ns\n"), 4);
  EXPECT_EQ(floor("#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"\n"), 5);
  EXPECT_EQ(floor("#EXT-X-I-FRAMES-ONLY\n#EXT-X-MAP:URI=\"i\"\n"), 5);
  EXPECT_EQ(floor("#EXT-X-MAP:URI=\"i\"\n"), 6);
  EXPECT_EQ(floor("#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"\n"), 8);
  EXPECT_EQ(floor("#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n"), 9);
  EXPECT_EQ(floor("#EXT-X-PART:DURATION=1,URI=\"p\"\n"), 1);
}

TEST(MultivariantPlaylist, is_read_whole) {
  auto parsed = parse_multivariant(
      "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n"
      "#EXT-X-CONTENT-STEERING:SERVER-URI=\"/steer\",PATHWAY-ID=\"A\"\n"
      "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"aud\",NAME=\"en\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI="
      "\"a0.m3u8\"\n"
      "#EXT-X-STREAM-INF:BANDWIDTH=2000000,AVERAGE-BANDWIDTH=1500000,CODECS=\"avc1.64001f,mp4a.40.2\","
      "RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO=\"aud\",CLOSED-CAPTIONS=NONE\nv0.m3u8\n"
      "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=100,URI=\"if.m3u8\"\n");
  ASSERT_TRUE(parsed.problems.empty()) << parsed.problems[0].detail;
  const auto& list = parsed.playlist;
  ASSERT_EQ(list.variants.size(), 1u);
  EXPECT_EQ(list.variants[0].uri, "v0.m3u8");
  EXPECT_EQ(list.variants[0].resolution->first, 1280u);
  EXPECT_NEAR(list.variants[0].frame_rate.value(), 30.0, 1e-6);
  EXPECT_EQ(list.variants[0].closed_captions, "NONE");
  EXPECT_TRUE(list.media.at(0).is_default);
  EXPECT_EQ(list.iframe_variants.at(0).uri, "if.m3u8");
  EXPECT_EQ(list.steering.at(0).pathway_id, "A");
}

TEST(MultivariantPlaylist, refuses_what_is_wrong_with_its_line) {
  auto refusal = [](const std::string& more) {
    auto result = parse_multivariant_strict("#EXTM3U\n" + more);
    return result ? std::string("none")
                  : name_of(result.error().refusal) + std::to_string(result.error().line);
  };
  EXPECT_EQ(refusal("#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n"), "none");
  EXPECT_EQ(refusal("#EXT-X-STREAM-INF:BANDWIDTH=1\n"), "missing_tag2");
  EXPECT_EQ(refusal("v\n"), "missing_tag2");
  EXPECT_EQ(refusal("#EXTINF:1,\n"), "mixed_tags2");
  EXPECT_EQ(refusal("#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=big\nv\n"), "bad_value2");
  EXPECT_EQ(refusal("#EXT-X-MEDIA:TYPE=AUDIO,NAME=\"a\"\n"), "missing_attribute2");
  EXPECT_EQ(refusal("#EXT-X-DEFINE:IMPORT=\"a\"\n"), "bad_define2");
}

TEST(Kind, is_told_by_the_first_tag_of_one_kind) {
  EXPECT_EQ(kind_of(kLive), Kind::kMedia);
  EXPECT_EQ(kind_of("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n"), Kind::kMultivariant);
  EXPECT_EQ(kind_of("<html>"), Kind::kNone);
}

TEST(Lexer, reads_numbers_exactly_or_not_at_all) {
  EXPECT_EQ(parse_seconds("0.333333333"), Duration::nanoseconds(333'333'333));
  EXPECT_EQ(parse_seconds("5"), Duration::seconds(5));
  for (const char* bad : {"", ".5", "5.", "1e3", "-1", " 1", "99999999999", "0x1"})
    EXPECT_FALSE(parse_seconds(bad)) << bad;
  EXPECT_EQ(parse_decimal("18446744073709551615"), UINT64_MAX);
  for (const char* bad : {"", "18446744073709551616", "+1", "1 ", "abc"})
    EXPECT_FALSE(parse_decimal(bad)) << bad;
  EXPECT_EQ(parse_byte_range("10@0"), (ByteRange{10, 0}));
  EXPECT_FALSE(parse_byte_range("10@"));
}

TEST(Lexer, reads_dates_with_zones) {
  EXPECT_EQ(parse_date("1970-01-01T00:00:00Z")->us(), 0);
  EXPECT_EQ(parse_date("2026-01-31T13:00:00.5+01:00")->us(), parse_date("2026-01-31T12:00:00.500Z")->us());
  EXPECT_EQ(parse_date("2026-01-31T13:00:00+0100")->us(), parse_date("2026-01-31T12:00:00Z")->us());
  EXPECT_EQ(to_iso8601(*parse_date("2024-02-29T23:59:59.999Z")), "2024-02-29T23:59:59.999Z");
  for (const char* bad : {"", "2026-01-31", "2026-01-31T12:00:00", "2026-13-31T12:00:00Z",
                          "1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "2026-01-31T12:00:00.Z"}) {
    EXPECT_FALSE(parse_date(bad)) << bad;
  }
}

}  // namespace
}  // namespace stoa::m3u8
