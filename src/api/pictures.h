// Pictures of what is on air, beside the playlists (api/hls.h), as workers made them (live/pictures.h):
//
//   /live/{channel}/poster.jpg                     what was shown a moment ago
//   /live/{channel}/storyboard.vtt                 which part of which picture shows what was shown when
//   /live/{channel}/storyboard-{milliseconds}.jpg
//
// and the same below /live/{channel}/{broadcast}/.
#pragma once

#include <optional>
#include <string_view>

#include "live/snapshot.h"
#include "proto/http/message.h"

namespace stoa::api {

// Whether a file of this name is one of these, there or not.
bool is_picture(std::string_view file);

// Nothing when there is none. A storyboard grows under its name until it is whole, which is why its name
// comes with a query in storyboard.vtt.
std::optional<http::Response> answer_picture(const live::ChannelSnapshot& snapshot, std::string_view file);

}  // namespace stoa::api
