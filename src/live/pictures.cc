#include "live/pictures.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <functional>
#include <utility>

namespace stoa::live {
namespace {

constexpr Duration kTileAlone = Duration::seconds(1);  // There is no other that says how long it is shown.

struct Cue {
  std::uint64_t begins = 0;  // Milliseconds.
  const Storyboard* storyboard = nullptr;
  std::size_t index = 0;
};

std::string cue_time(std::uint64_t milliseconds) {
  char text[40];
  std::snprintf(text, sizeof text, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%03" PRIu64,
                milliseconds / 3'600'000, milliseconds / 60'000 % 60, milliseconds / 1'000 % 60,
                milliseconds % 1'000);
  return text;
}

std::string address(const Storyboard& board, std::size_t index, std::string_view broadcast) {
  const std::uint64_t x = index % board.columns * board.tile_width;
  const std::uint64_t y = index / board.columns * board.tile_height;
  return "storyboard-" + std::to_string(board.milliseconds()) + ".jpg?v=" + std::string(broadcast) + '-' +
         std::to_string(board.tiles.size()) + "#xywh=" + std::to_string(x) + "," + std::to_string(y) + "," +
         std::to_string(board.tile_width) + "," + std::to_string(board.tile_height);
}

// Whoever begins anew may show again what another showed: what came first stands.
std::vector<Cue> cues_of(const Pictures& pictures) {
  std::vector<Cue> cues;
  for (const auto& board : pictures.storyboards)
    for (std::size_t i = 0; i < board->tiles.size(); ++i)
      cues.push_back({static_cast<std::uint64_t>(board->tiles[i].ms()), board.get(), i});
  std::ranges::stable_sort(cues, {}, &Cue::begins);
  const auto same = std::ranges::unique(cues, {}, &Cue::begins);
  cues.erase(same.begin(), same.end());
  return cues;
}

std::size_t bytes_of(const Pictures& pictures) {
  std::size_t bytes = pictures.poster ? pictures.poster->jpeg.size() : 0;
  for (const auto& board : pictures.storyboards) bytes += board->jpeg.size();
  return bytes;
}

}  // namespace

const Storyboard* Pictures::find_storyboard(std::uint64_t milliseconds) const {
  const auto found =
      std::ranges::find(storyboards, milliseconds, [](const auto& board) { return board->milliseconds(); });
  return found == storyboards.end() ? nullptr : found->get();
}

std::string storyboard_text(const Pictures& pictures, std::string_view broadcast) {
  std::string text = "WEBVTT\n\nNOTE 00:00:00.000 is " + to_iso8601(pictures.zero_at) + "\n";
  const std::vector<Cue> cues = cues_of(pictures);
  std::uint64_t length = static_cast<std::uint64_t>(kTileAlone.ms());
  for (std::size_t i = 0; i < cues.size(); ++i) {
    if (i + 1 < cues.size()) length = cues[i + 1].begins - cues[i].begins;
    text += "\n" + cue_time(cues[i].begins) + " --> " + cue_time(cues[i].begins + length) + "\n" +
            address(*cues[i].storyboard, cues[i].index, broadcast) + "\n";
  }
  return text;
}

const char* name_of(PictureRefusal refusal) {
  switch (refusal) {
    case PictureRefusal::kBadShape: return "not a poster or storyboard";
    case PictureRefusal::kAhead: return "it is ahead of what is on air";
    case PictureRefusal::kNotNewer: return "not newer than the one before";
    case PictureRefusal::kTooLarge: return "too large";
  }
  return "?";
}

Result<void, PictureRefusal> Gallery::set_poster(Poster poster, WallTime zero_at) {
  if (poster.at < Duration() || poster.width == 0 || poster.height == 0 || poster.jpeg.empty())
    return refuse(PictureRefusal::kBadShape);
  if (poster.jpeg.size() > kBytesMax) return refuse(PictureRefusal::kTooLarge);
  if (pictures_ && pictures_->poster && poster.at <= pictures_->poster->at)
    return refuse(PictureRefusal::kNotNewer);
  auto next = copy(zero_at);
  next->poster = std::move(poster);
  put(std::move(next));
  return {};
}

Result<void, PictureRefusal> Gallery::set_storyboard(Storyboard board, WallTime zero_at) {
  const bool rises =
      std::ranges::adjacent_find(board.tiles, std::ranges::greater_equal()) == board.tiles.end();
  if (board.tiles.empty() || board.tiles.size() > kTilesMax || board.tiles.front() < Duration() || !rises ||
      board.columns == 0 || board.tile_width == 0 || board.tile_height == 0 || board.jpeg.empty())
    return refuse(PictureRefusal::kBadShape);
  const std::size_t poster_bytes = pictures_ && pictures_->poster ? pictures_->poster->jpeg.size() : 0;
  if (board.jpeg.size() > kBytesMax - poster_bytes) return refuse(PictureRefusal::kTooLarge);
  auto next = copy(zero_at);
  const auto key = [](const auto& each) { return each->milliseconds(); };
  const auto place = std::ranges::lower_bound(next->storyboards, board.milliseconds(), {}, key);
  const bool is_same = place != next->storyboards.end() && key(*place) == board.milliseconds();
  auto kept = std::make_shared<const Storyboard>(std::move(board));
  if (is_same)
    *place = std::move(kept);
  else
    next->storyboards.insert(place, std::move(kept));
  put(std::move(next));
  return {};
}

void Gallery::drop_before(Duration time) {
  const auto is_past = [&](const auto& board) { return board->tiles.back() < time; };
  if (!pictures_ || std::ranges::none_of(pictures_->storyboards, is_past)) return;
  auto next = copy(pictures_->zero_at);
  std::erase_if(next->storyboards, is_past);
  put(std::move(next));
}

std::shared_ptr<Pictures> Gallery::copy(WallTime zero_at) const {
  auto next = pictures_ ? std::make_shared<Pictures>(*pictures_) : std::make_shared<Pictures>();
  next->zero_at = zero_at;
  return next;
}

void Gallery::put(std::shared_ptr<Pictures> pictures) {
  auto& boards = pictures->storyboards;
  while (boards.size() > kStoryboardsMax || bytes_of(*pictures) > kBytesMax) boards.erase(boards.begin());
  pictures_ = std::move(pictures);
}

}  // namespace stoa::live
