#include "api/pictures.h"

#include <string>

#include "api/file_name.h"

namespace stoa::api {
namespace {

constexpr std::string_view kPoster = "poster.jpg";
constexpr std::string_view kStoryboardText = "storyboard.vtt";
// After players' playlists and media.
constexpr std::uint8_t kUrgency = 6;

std::optional<std::uint64_t> storyboard_of(std::string_view file) {
  return parse_file(file, "storyboard-", ".jpg");
}

http::Response make_response(SharedBytes body, const char* type, int max_age_s, const std::string& tag) {
  http::Response response;
  response.headers.add("content-type", type);
  response.headers.add("cache-control", "max-age=" + std::to_string(max_age_s));
  response.headers.add("etag", '"' + tag + '"');
  response.urgency = kUrgency;
  response.body = std::move(body);
  return response;
}

}  // namespace

bool is_picture(std::string_view file) {
  return file == kPoster || file == kStoryboardText || storyboard_of(file);
}

std::optional<http::Response> answer_picture(const live::ChannelSnapshot& snapshot, std::string_view file) {
  const live::Pictures* pictures = snapshot.pictures.get();
  if (!pictures) return std::nullopt;
  const std::string tag = snapshot.broadcast + '-';
  if (file == kPoster) {
    if (!pictures->poster) return std::nullopt;
    return make_response(pictures->poster->jpeg, "image/jpeg", 2,
                         tag + "poster-" + std::to_string(pictures->poster->at.ms()));
  }
  if (file == kStoryboardText) {
    if (pictures->storyboards.empty()) return std::nullopt;
    const live::Storyboard &first = *pictures->storyboards.front(), &last = *pictures->storyboards.back();
    return make_response(SharedBytes(live::storyboard_text(*pictures, snapshot.broadcast)),
                         "text/vtt; charset=utf-8", 2,
                         tag + "storyboards-" + std::to_string(first.milliseconds()) + '-' +
                             std::to_string(last.milliseconds()) + '-' + std::to_string(last.tiles.size()));
  }
  const auto milliseconds = storyboard_of(file);
  const live::Storyboard* board = milliseconds ? pictures->find_storyboard(*milliseconds) : nullptr;
  if (!board) return std::nullopt;
  return make_response(
      board->jpeg, "image/jpeg", 60,
      tag + "storyboard-" + std::to_string(*milliseconds) + '-' + std::to_string(board->tiles.size()));
}

}  // namespace stoa::api
