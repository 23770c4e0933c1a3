// Requests of any path and query against an origin that serves a little channel, with deadlines in between:
// every request is answered exactly once, at the latest when the origin drains.
#include <memory>
#include <set>
#include <string>

#include "api/hls.h"
#include "base/assert.h"
#include "proto/http/semantics.h"

using namespace stoa;

namespace {

std::shared_ptr<const live::ChannelSnapshot> make_snapshot(std::uint64_t parts, bool has_ended) {
  auto segment = std::make_shared<live::Segment>();
  for (std::uint64_t number = 0; number < parts; ++number)
    segment->parts.push_back({.number = number, .body = SharedBytes(std::string("part"))});
  auto format = std::make_shared<media::Format>();
  format->codec = media::Codec::kH264;
  auto rendition = std::make_shared<live::Rendition>();
  rendition->name = "v0";
  rendition->format = format;
  rendition->last_part = static_cast<std::int64_t>(parts) - 1;
  rendition->next_part_number = parts;
  rendition->part_target = Duration::milliseconds(334);
  rendition->target_duration_s = 4;
  rendition->has_ended = has_ended;
  rendition->retained = {segment};
  rendition->playlist = SharedBytes(std::string("playlist"));
  rendition->playlist_delta = SharedBytes(std::string("delta"));
  auto snapshot = std::make_shared<live::ChannelSnapshot>();
  snapshot->channel = "c";
  snapshot->broadcast = "b";
  snapshot->state = has_ended ? live::ChannelState::kEnded : live::ChannelState::kLive;
  snapshot->multivariant = SharedBytes(std::string("multivariant"));
  snapshot->renditions = {rendition};
  return snapshot;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  api::HlsOrigin origin({.waiters_max = 64});
  api::HlsOrigin::Outputs out;
  Timestamp now = Timestamp() + Duration::seconds(1);
  std::uint64_t parts = 3;
  api::RequestKey asked = 0;
  std::set<api::RequestKey> answered;
  auto collect = [&] {
    for (auto& answer : out.take()) STOA_ASSERT(answered.insert(answer.request).second);
  };
  origin.handle_snapshot(now, make_snapshot(parts, false), out);
  std::string_view text(reinterpret_cast<const char*>(data), size);
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line == "+") {
      origin.handle_snapshot(now, make_snapshot(++parts, false), out);
    } else if (line == ".") {
      origin.handle_snapshot(now, make_snapshot(parts, true), out);
    } else if (line == ">") {
      now += Duration::seconds(5);
      origin.handle_deadline(now, out);
    } else if (auto target = http::parse_target("/live/c/" + std::string(line))) {
      if (!target->path.starts_with("/live/")) continue;
      http::Request request;
      request.path = target->path;
      request.query = target->query;
      origin.handle_request(now, ++asked, request, out);
    }
    collect();
  }
  origin.drain(out);
  collect();
  STOA_ASSERT(answered.size() == asked && origin.waiters() == 0);
  return 0;
}
