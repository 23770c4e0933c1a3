#include "api/hls.h"

#include <gtest/gtest.h>

#include "proto/http/semantics.h"

namespace stoa::api {
namespace {

// Builds snapshots of a channel with one video rendition by hand; part numbers run through segments.
class Stage {
 public:
  explicit Stage(std::string broadcast = "b1") : broadcast_(std::move(broadcast)) {}

  // Adds a part to the open segment.
  Stage& part(bool is_gap = false) {
    if (segments_.empty() || segments_.back()->is_complete) {
      auto segment = std::make_shared<live::Segment>();
      segment->media_sequence_number = next_msn_++;
      segments_.push_back(segment);
    }
    auto segment = std::make_shared<live::Segment>(*segments_.back());
    live::Part part{.number = next_part_++, .duration = Duration::milliseconds(333), .is_gap = is_gap};
    if (!is_gap) part.body = SharedBytes("part" + std::to_string(part.number));
    segment->parts.push_back(part);
    segments_.back() = segment;
    return *this;
  }
  Stage& finish_segment() {
    auto segment = std::make_shared<live::Segment>(*segments_.back());
    segment->is_complete = true;
    segments_.back() = segment;
    return *this;
  }
  Stage& end() {
    has_ended_ = true;
    return *this;
  }
  std::shared_ptr<const live::ChannelSnapshot> snapshot() const {
    auto rendition = std::make_shared<live::Rendition>();
    rendition->name = "v0";
    auto format = std::make_shared<media::Format>();
    format->codec = media::Codec::kH264;
    rendition->format = format;
    rendition->part_target = Duration::milliseconds(334);
    rendition->target_duration_s = 4;
    rendition->has_ended = has_ended_;
    rendition->next_part_number = next_part_;
    rendition->retained.assign(segments_.begin(), segments_.end());
    rendition->init_sections.push_back({0, SharedBytes(std::string("init"))});
    if (!segments_.empty()) {
      const auto& last = *segments_.back();
      rendition->last_msn = last.media_sequence_number;
      rendition->last_part = static_cast<std::int64_t>(last.parts.size()) - 1;
      rendition->last_is_complete = last.is_complete;
    }
    if (next_part_ >= 3) {
      // Long enough that gzip is worth it, and telling which state it is.
      rendition->playlist = SharedBytes("full " + std::to_string(next_part_) + std::string(2000, '.'));
      rendition->playlist_delta = SharedBytes("delta " + std::to_string(next_part_));
    }
    auto snapshot = std::make_shared<live::ChannelSnapshot>();
    snapshot->channel = "news";
    snapshot->broadcast = broadcast_;
    snapshot->state = has_ended_ ? live::ChannelState::kEnded : live::ChannelState::kLive;
    if (next_part_ >= 3) snapshot->multivariant = multivariant_;
    snapshot->renditions.push_back(rendition);
    return snapshot;
  }

 private:
  std::string broadcast_;
  std::vector<std::shared_ptr<live::Segment>> segments_;
  std::uint64_t next_msn_ = 0, next_part_ = 0;
  bool has_ended_ = false;
  SharedBytes multivariant_{std::string("multivariant")};
};

class HlsOriginTest : public ::testing::Test {
 protected:
  void show(const Stage& stage) { origin_.handle_snapshot(now_, stage.snapshot(), out_); }
  RequestKey get(std::string_view target, std::string_view accept_encoding = "",
                 std::string_view user_agent = "x") {
    http::Request request;
    auto parsed = http::parse_target(target);
    request.path = parsed->path;
    request.query = parsed->query;
    request.peer_address = "192.0.2.1";
    if (!accept_encoding.empty()) request.headers.add("accept-encoding", accept_encoding);
    request.headers.add("user-agent", user_agent);
    origin_.handle_request(now_, ++key_, request, out_);
    return key_;
  }
  RequestKey playlist(const std::string& query, std::string_view accept_encoding = "") {
    return get("/live/news/b1/v0.m3u8" + query, accept_encoding);
  }
  // The answer to a request, once.
  std::optional<http::Response> answer(RequestKey key) {
    for (auto& given : out_.take()) answers_.emplace(given.request, std::move(given.response));
    auto found = answers_.find(key);
    if (found == answers_.end()) return std::nullopt;
    http::Response response = std::move(found->second);
    answers_.erase(found);
    return response;
  }
  int status(RequestKey key) {
    auto response = answer(key);
    return response ? response->status : 0;
  }
  std::string body(RequestKey key) {
    auto response = answer(key);
    std::string text;
    if (response)
      for (const auto& slice : response->body.slices) text += slice.text();
    return text.substr(0, text.find('.'));
  }

  Timestamp now_ = Timestamp() + Duration::seconds(100);
  HlsOrigin origin_{HlsOrigin::Config{}};
  HlsOrigin::Outputs out_;
  RequestKey key_ = 0;
  std::map<RequestKey, http::Response> answers_;
};

TEST_F(HlsOriginTest, gives_pictures_of_what_is_on_air) {
  EXPECT_EQ(status(get("/live/news/poster.jpg")), 404);
  Stage stage;
  for (int i = 0; i < 4; ++i) stage.part();
  show(stage);
  for (const char* none :
       {"/live/news/poster.jpg", "/live/news/storyboard.vtt", "/live/news/storyboard-0.jpg",
        "/live/news/b1/poster.jpg", "/live/news/b2/poster.jpg"})
    EXPECT_EQ(status(get(none)), 404) << none;

  live::Gallery gallery;
  const WallTime zero = WallTime::from_seconds(1'800'000'000);
  ASSERT_TRUE(gallery.set_poster({Duration::seconds(7), 640, 360, SharedBytes(std::string("poster"))}, zero));
  live::Storyboard board{.tile_width = 160, .tile_height = 90, .columns = 5, .tiles = {}, .jpeg = {}};
  board.tiles = {Duration::seconds(2), Duration::seconds(7)};
  board.jpeg = SharedBytes(std::string("board"));
  ASSERT_TRUE(gallery.set_storyboard(board, zero));
  auto snapshot = std::make_shared<live::ChannelSnapshot>(*stage.snapshot());
  snapshot->pictures = gallery.pictures();
  origin_.handle_snapshot(now_, snapshot, out_);

  for (const std::string folder : {"/live/news/", "/live/news/b1/"}) {
    auto poster = answer(get(folder + "poster.jpg?at=7000"));
    ASSERT_TRUE(poster);
    EXPECT_EQ(poster->status, 200);
    EXPECT_EQ(poster->headers.get("content-type"), "image/jpeg");
    EXPECT_EQ(poster->headers.get("etag"), "\"b1-poster-7000\"");
    EXPECT_EQ(body(get(folder + "poster.jpg")), "poster");
    EXPECT_EQ(body(get(folder + "storyboard-2000.jpg?v=b1-2")), "board");
    auto text = answer(get(folder + "storyboard.vtt"));
    ASSERT_TRUE(text);
    EXPECT_EQ(text->headers.get("content-type"), "text/vtt; charset=utf-8");
    EXPECT_EQ(text->headers.get("etag"), "\"b1-storyboards-2000-2000-2\"");
    EXPECT_NE(text->body.slices[0].text().find("storyboard-2000.jpg?v=b1-2#xywh=160,0,160,90"),
              std::string::npos);
  }
  for (const char* none :
       {"/live/news/storyboard-7000.jpg", "/live/news/storyboard-x.jpg", "/live/news/storyboard-02000.jpg",
        "/live/news/storyboard-.jpg", "/live/news/b1/v0/poster.jpg"})
    EXPECT_EQ(status(get(none)), 404) << none;
}

TEST(Directives, are_parsed_in_any_order_and_others_ignored) {
  auto directives = parse_directives("token=1&_HLS_part=2&_HLS_msn=10&_HLS_skip=v2&_HLS_new=x");
  ASSERT_TRUE(directives);
  EXPECT_EQ(directives->msn, 10u);
  EXPECT_EQ(directives->part, 2u);
  EXPECT_EQ(directives->skip, Directives::Skip::kV2);
}

TEST(Directives, are_refused_when_malformed) {
  EXPECT_EQ(parse_directives("_HLS_part=1").error(), DirectiveRefusal::kPartWithoutMsn);
  for (const char* bad : {"_HLS_msn=", "_HLS_msn=-1", "_HLS_msn=1x", "_HLS_msn=99999999999999999999",
                          "_HLS_msn", "_HLS_msn=1&_HLS_part=0x1"})
    EXPECT_EQ(parse_directives(bad).error(), DirectiveRefusal::kNotDecimal) << bad;
  EXPECT_EQ(parse_directives("_HLS_skip=NO").error(), DirectiveRefusal::kBadSkip);
}

TEST_F(HlsOriginTest, offline_channel_is_404_and_starting_channel_is_waited_for) {
  EXPECT_EQ(status(get("/live/news/index.m3u8")), 404);
  Stage stage;
  show(stage.part());
  RequestKey early = get("/live/news/index.m3u8");
  EXPECT_EQ(status(early), 0);
  show(stage.part().part());
  EXPECT_EQ(body(early), "multivariant");
}

TEST_F(HlsOriginTest, holds_a_reload_until_its_part_is_there) {
  Stage stage;
  show(stage.part().part().part());
  RequestKey there = playlist("?_HLS_msn=0&_HLS_part=2");
  EXPECT_EQ(body(there), "full 3");
  RequestKey next = playlist("?_HLS_msn=0&_HLS_part=3");
  EXPECT_EQ(status(next), 0);
  show(stage.part());
  EXPECT_EQ(body(next), "full 4");
}

TEST_F(HlsOriginTest, holds_a_reload_without_part_until_the_segment_is_complete) {
  Stage stage;
  show(stage.part().part().part());
  RequestKey reload = playlist("?_HLS_msn=0");
  show(stage.part());
  EXPECT_EQ(status(reload), 0);
  show(stage.finish_segment());
  EXPECT_EQ(body(reload), "full 4");
}

TEST_F(HlsOriginTest, part_after_the_last_means_part_0_of_the_next_segment) {
  Stage stage;
  show(stage.part().part().part());
  RequestKey reload = playlist("?_HLS_msn=0&_HLS_part=3");
  show(stage.finish_segment());
  EXPECT_EQ(status(reload), 0);
  show(stage.part());
  EXPECT_EQ(body(reload), "full 4");
  EXPECT_EQ(body(playlist("?_HLS_msn=0&_HLS_part=9")), "full 4");
}

TEST_F(HlsOriginTest, old_sequence_numbers_get_the_whole_playlist_at_once) {
  Stage stage;
  show(stage.part().part().finish_segment().part().finish_segment().part());
  EXPECT_EQ(body(playlist("?_HLS_msn=0&_HLS_part=0")), "full 4");
  EXPECT_EQ(body(playlist("")), "full 4");
}

TEST_F(HlsOriginTest, too_far_ahead_and_malformed_are_400) {
  Stage stage;
  show(stage.part().part().finish_segment().part());  // Last complete: 0. Last listed: 1.
  RequestKey held = playlist("?_HLS_msn=2&_HLS_part=0");
  EXPECT_EQ(status(held), 0);
  EXPECT_EQ(status(playlist("?_HLS_msn=3&_HLS_part=0")), 400);
  EXPECT_EQ(status(playlist("?_HLS_msn=1&_HLS_part=9")), 400);  // More than 3 / 0.334 = 8 ahead.
  EXPECT_EQ(status(playlist("?_HLS_msn=1&_HLS_part=8")), 0);
  EXPECT_EQ(status(playlist("?_HLS_msn=2&_HLS_part=9")), 400);
  EXPECT_EQ(status(playlist("?_HLS_msn=2&_HLS_part=8")), 0);
  EXPECT_EQ(status(playlist("?_HLS_part=1")), 400);
  EXPECT_EQ(status(playlist("?_HLS_msn=x")), 400);
}

TEST_F(HlsOriginTest, any_part_behind_a_complete_segment_is_the_first_of_the_next) {
  Stage stage;
  show(stage.part().part().part().finish_segment());
  RequestKey far = playlist("?_HLS_msn=0&_HLS_part=60000");
  EXPECT_EQ(status(far), 0);
  EXPECT_EQ(status(playlist("?_HLS_msn=1&_HLS_part=9")), 400);
  show(stage.part());
  EXPECT_EQ(body(far), "full 4");
}

TEST_F(HlsOriginTest, forgets_who_went_away_and_nobody_else) {
  Stage stage;
  show(stage.part().part().part());
  std::vector<RequestKey> keys;
  for (int i = 0; i < 4; ++i) keys.push_back(playlist("?_HLS_msn=0&_HLS_part=3"));
  RequestKey hinted = get("/live/news/b1/v0/p3.m4s"), segment = playlist("?_HLS_msn=0");
  EXPECT_EQ(origin_.waiters(), 6u);
  for (RequestKey gone : {keys[0], keys[2], hinted, segment, segment, RequestKey{999}})
    origin_.handle_cancelled(gone);
  EXPECT_EQ(origin_.waiters(), 2u);
  show(stage.part().finish_segment());
  EXPECT_EQ(status(keys[0]), 0);
  EXPECT_EQ(body(keys[1]), "full 4");
  EXPECT_EQ(status(keys[2]), 0);
  EXPECT_EQ(body(keys[3]), "full 4");
  EXPECT_EQ(status(hinted), 0);
  EXPECT_EQ(status(segment), 0);
  origin_.handle_cancelled(keys[1]);
  EXPECT_EQ(origin_.waiters(), 0u);
}

TEST_F(HlsOriginTest, delta_is_given_when_there_is_one_and_not_after_the_end) {
  Stage stage;
  show(stage.part().part().part());
  EXPECT_EQ(body(playlist("?_HLS_skip=YES")), "delta 3");
  EXPECT_EQ(body(playlist("?_HLS_msn=0&_HLS_part=0&_HLS_skip=v2")), "delta 3");
  show(stage.end());
  EXPECT_EQ(body(playlist("?_HLS_msn=5000&_HLS_part=1&_HLS_skip=YES")), "full 3");
}

TEST_F(HlsOriginTest, end_wakes_every_reload_and_refuses_the_hinted_part) {
  Stage stage;
  show(stage.part().part().part());
  RequestKey a = playlist("?_HLS_msn=0&_HLS_part=3"), b = playlist("?_HLS_msn=1"),
             hinted = get("/live/news/b1/v0/p3.m4s");
  show(stage.finish_segment().end());
  EXPECT_EQ(body(a), "full 3");
  EXPECT_EQ(body(b), "full 3");
  EXPECT_EQ(status(hinted), 404);
  EXPECT_EQ(origin_.waiters(), 0u);
}

TEST_F(HlsOriginTest, not_in_time_is_503_after_three_target_durations) {
  Stage stage;
  show(stage.part().part().part());
  RequestKey reload = playlist("?_HLS_msn=0&_HLS_part=3");
  EXPECT_EQ(origin_.next_deadline(), now_ + Duration::seconds(12));
  now_ += Duration::seconds(12);
  origin_.handle_deadline(now_, out_);
  EXPECT_EQ(status(reload), 503);
  EXPECT_EQ(origin_.waiters(), 0u);
  EXPECT_EQ(origin_.next_deadline(), Timestamp::never());
}

TEST_F(HlsOriginTest, hinted_part_waits_and_comes_whole_while_others_are_404) {
  Stage stage;
  show(stage.part().part().part());
  RequestKey hinted = get("/live/news/b1/v0/p3.m4s");
  EXPECT_EQ(status(get("/live/news/b1/v0/p4.m4s")), 404);
  EXPECT_EQ(status(get("/live/news/b1/v0/p03.m4s")), 404);
  EXPECT_EQ(status(hinted), 0);
  show(stage.finish_segment());  // The hint holds across the segment's end.
  EXPECT_EQ(status(hinted), 0);
  show(stage.part());
  EXPECT_EQ(body(hinted), "part3");
}

TEST_F(HlsOriginTest, hinted_part_that_becomes_a_gap_is_404) {
  Stage stage;
  show(stage.part().part().part());
  RequestKey hinted = get("/live/news/b1/v0/p3.m4s");
  show(stage.part(true));
  EXPECT_EQ(status(hinted), 404);
  EXPECT_EQ(status(get("/live/news/b1/v0/p3.m4s")), 404);
}

TEST_F(HlsOriginTest, segment_is_the_union_of_its_parts) {
  Stage stage;
  show(stage.part().part());
  EXPECT_EQ(status(get("/live/news/b1/v0/s0.m4s")), 404);  // Not complete yet.
  show(stage.part().finish_segment());
  auto response = answer(get("/live/news/b1/v0/s0.m4s"));
  ASSERT_TRUE(response);
  ASSERT_EQ(response->body.slices.size(), 3u);
  EXPECT_EQ(response->body.slices[2].text(), "part2");
  EXPECT_EQ(response->headers.get("content-type"), "video/mp4");
  EXPECT_EQ(body(get("/live/news/b1/v0/i0.mp4")), "init");
  EXPECT_EQ(status(get("/live/news/b1/v0/i1.mp4")), 404);
}

TEST_F(HlsOriginTest, fewer_bits_are_more_urgent_whatever_the_order_of_renditions) {
  struct Told {
    const char* name;
    media::Codec codec;
    std::uint32_t bitrate;
    int urgency;
  };
  Stage stage;
  auto plain = stage.part().part().part().snapshot();
  auto show_all = [&](std::initializer_list<Told> all) {
    auto snapshot = std::make_shared<live::ChannelSnapshot>(*plain);
    snapshot->renditions.clear();
    for (const Told& told : all) {
      auto rendition = std::make_shared<live::Rendition>(*plain->renditions[0]);
      auto format = std::make_shared<media::Format>();
      format->codec = told.codec;
      rendition->name = told.name;
      rendition->format = format;
      rendition->bitrate = told.bitrate;
      snapshot->renditions.push_back(rendition);
    }
    origin_.handle_snapshot(now_, snapshot, out_);
    for (const Told& told : all) {
      auto response = answer(get("/live/news/b1/" + std::string(told.name) + "/p0.m4s"));
      ASSERT_TRUE(response);
      EXPECT_EQ(response->urgency, told.urgency) << told.name << " of " << told.bitrate;
    }
  };
  using media::Codec;
  show_all({{"v0", Codec::kH264, 6'000'000, 6},
            {"a0", Codec::kAac, 128'000, 2},
            {"360p", Codec::kH264, 800'000, 4},
            {"720p", Codec::kH264, 3'000'000, 5}});
  // What a bit rate was is forgotten.
  show_all({{"v0", Codec::kH264, 500'000, 4}, {"360p", Codec::kH264, 800'000, 5}});
  show_all({{"v0", Codec::kH264, 5, 4}, {"v1", Codec::kH264, 5, 4}});
  // More of them than there are urgencies.
  show_all({{"v0", Codec::kH264, 9, 6},
            {"v1", Codec::kH264, 8, 6},
            {"v2", Codec::kH264, 7, 6},
            {"v3", Codec::kH264, 6, 5},
            {"v4", Codec::kH264, 5, 4}});
}

TEST_F(HlsOriginTest, playlists_are_packed_once_and_shared) {
  Stage stage;
  show(stage.part().part().part());
  auto first = answer(playlist("", "gzip")), second = answer(playlist("", "gzip"));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->headers.get("content-encoding"), "gzip");
  EXPECT_EQ(first->body.slices[0].data(), second->body.slices[0].data());
  auto plain = answer(playlist(""));
  EXPECT_EQ(plain->headers.get("content-encoding"), "");
  EXPECT_EQ(plain->headers.get("vary"), "accept-encoding");
}

TEST_F(HlsOriginTest, cache_control_follows_the_target_duration) {
  Stage stage;
  show(stage.part().part().part());
  EXPECT_EQ(answer(playlist("?_HLS_msn=0&_HLS_part=0"))->headers.get("cache-control"), "max-age=24");
  EXPECT_EQ(answer(playlist(""))->headers.get("cache-control"), "max-age=2");
  EXPECT_EQ(answer(playlist("?_HLS_part=0"))->headers.get("cache-control"), "max-age=1");
  EXPECT_EQ(answer(get("/live/news/b1/v0/p0.m4s"))->headers.get("cache-control"), "max-age=24");
}

TEST_F(HlsOriginTest, what_was_asked_for_without_a_name_is_cached_shortly_though_it_waited) {
  Stage stage;
  show(stage.part().part());
  RequestKey polled = playlist(""), named = playlist("?_HLS_msn=0&_HLS_part=2");
  show(stage.part());
  EXPECT_EQ(answer(polled)->headers.get("cache-control"), "max-age=2");
  EXPECT_EQ(answer(named)->headers.get("cache-control"), "max-age=24");
}

TEST_F(HlsOriginTest, earlier_broadcast_stays_until_another_comes) {
  Stage first, second("b2"), third("b3");
  show(first.part().part().part());
  show(first.finish_segment().end());
  show(second.part().part().part());
  EXPECT_EQ(status(playlist("")), 200);
  EXPECT_EQ(status(get("/live/news/b2/v0.m3u8")), 200);
  RequestKey held = get("/live/news/b2/v0.m3u8?_HLS_msn=0&_HLS_part=3");
  show(third.part());
  EXPECT_EQ(status(playlist("")), 404);
  EXPECT_EQ(status(held), 0);
  Stage fourth("b4");
  show(fourth.part());
  EXPECT_EQ(status(held), 503);
}

TEST_F(HlsOriginTest, ended_broadcast_is_forgotten_after_a_while) {
  Stage stage;
  show(stage.part().part().part().finish_segment().end());
  now_ += Duration::seconds(300);
  origin_.handle_deadline(now_, out_);
  EXPECT_EQ(status(playlist("")), 404);
  EXPECT_EQ(status(get("/live/news/index.m3u8")), 404);
}

TEST_F(HlsOriginTest, waiters_are_bounded) {
  origin_ = HlsOrigin({.waiters_max = 2});
  Stage stage;
  show(stage.part().part().part());
  RequestKey a = playlist("?_HLS_msn=0&_HLS_part=3"), b = playlist("?_HLS_msn=0&_HLS_part=3");
  EXPECT_EQ(status(playlist("?_HLS_msn=0&_HLS_part=3")), 503);
  origin_.handle_cancelled(a);
  RequestKey c = playlist("?_HLS_msn=0&_HLS_part=3");
  show(stage.part());
  EXPECT_EQ(status(a), 0);
  EXPECT_EQ(body(b), "full 4");
  EXPECT_EQ(body(c), "full 4");
}

TEST_F(HlsOriginTest, drain_answers_everything_that_waits) {
  Stage stage;
  show(stage.part().part().part());
  RequestKey a = playlist("?_HLS_msn=0&_HLS_part=3"), b = get("/live/news/b1/v0/p3.m4s"),
             c = playlist("?_HLS_msn=0");
  origin_.drain(out_);
  EXPECT_EQ(status(a), 503);
  EXPECT_EQ(status(b), 503);
  EXPECT_EQ(status(c), 503);
}

TEST_F(HlsOriginTest, counts_viewers_by_who_asks_and_by_who_waits) {
  Stage stage;
  show(stage.part().part().part());
  get("/live/news/index.m3u8", "", "a");
  get("/live/news/b1/v0.m3u8", "", "a");
  get("/live/news/b1/v0.m3u8", "", "b");
  ASSERT_EQ(origin_.audiences(now_).size(), 1u);
  EXPECT_EQ(origin_.audiences(now_)[0].count, 2u);
  for (int i = 0; i < 10; ++i) playlist("?_HLS_msn=0&_HLS_part=3");  // Many behind one address.
  EXPECT_EQ(origin_.audiences(now_)[0].count, 10u);
  show(stage.part());
  origin_.audiences(now_);
  now_ += Duration::seconds(16);
  EXPECT_TRUE(origin_.audiences(now_).empty());
}

TEST_F(HlsOriginTest, unknown_paths_are_404) {
  Stage stage;
  show(stage.part().part().part());
  for (const char* path :
       {"/live/", "/live/news", "/live/news/", "/live/news/b1", "/live/news/b1/", "/live/news/b1/v9.m3u8",
        "/live/news/b1/v0", "/live/news/b1/v0/", "/live/news/b1/v0/x.m4s", "/live/news/b1/v0/p.m4s",
        "/live/news/b1/v0.m3u8/p0.m4s", "/live/news/b2/v0.m3u8", "/live/news/b1/v0/p0.m4s/x"})
    EXPECT_EQ(status(get(path)), 404) << path;
}

}  // namespace
}  // namespace stoa::api
