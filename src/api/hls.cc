#include "api/hls.h"

#include <algorithm>
#include <utility>

#include "api/file_name.h"
#include "api/pictures.h"
#include "base/assert.h"
#include "proto/http/semantics.h"

namespace stoa::api {
namespace {

constexpr std::string_view kPlaylistType = "application/vnd.apple.mpegurl";
constexpr std::uint8_t kPlaylistUrgency = 1;
constexpr std::uint64_t kPartBits = 16;  // Parts of one segment that can be waited for: 65,535.

// The next path element of `rest`, which loses it and its slash.
std::string_view take_element(std::string_view& rest) {
  std::size_t slash = rest.find('/');
  std::string_view element = rest.substr(0, slash);
  rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  return element;
}

std::uint64_t edge_position(const live::Rendition& rendition) {
  return (rendition.last_msn << kPartBits) + static_cast<std::uint64_t>(rendition.last_part + 1);
}

// One more than the newest segment that is complete and listed; 0 when there is none.
std::uint64_t complete_end(const live::Rendition& rendition) {
  return rendition.last_is_complete ? rendition.last_msn + 1 : rendition.last_msn;
}

// T6: six target durations for what was asked for by name, half of one for what was merely polled.
std::string cache_control(const live::Rendition& rendition, bool is_blocking) {
  std::uint32_t td = rendition.target_duration_s;
  return "max-age=" + std::to_string(is_blocking ? 6 * td : std::max(1u, td / 2));
}

// T2: a higher bit rate is never more urgent than a lower one; sound goes before pictures.
std::uint8_t urgency_of(const live::Rendition& rendition, const live::ChannelSnapshot& snapshot) {
  if (rendition.format->kind() == media::Kind::kAudio) return 2;
  auto lower = std::ranges::count_if(snapshot.renditions, [&](const auto& other) {
    return other->format->kind() == media::Kind::kVideo && other->bitrate < rendition.bitrate;
  });
  return static_cast<std::uint8_t>(std::min<std::ptrdiff_t>(4 + lower, 6));  // 3 is the default: not told.
}

std::uint32_t fnv1a(std::uint32_t hash, std::string_view text) {
  for (char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 16'777'619u;
  return hash;
}

// The gzip form is made when the first viewer wants it and kept for the others.
void set_body(http::Response& response, const SharedBytes& plain, SharedBytes* packed) {
  if (packed && packed->empty()) *packed = http::gzip(plain).value_or(SharedBytes());
  if (packed && !packed->empty()) {
    response.headers.add("content-encoding", "gzip");
    response.body = *packed;
  } else {
    response.body = plain;
  }
}

constexpr Duration kViewerMemory = Duration::seconds(15);

}  // namespace

Result<Directives, DirectiveRefusal> parse_directives(std::string_view query) {
  Directives directives;
  while (!query.empty()) {
    std::size_t end = query.find('&');
    std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (!pair.starts_with("_HLS_")) continue;
    std::size_t equals = pair.find('=');
    std::string_view key = pair.substr(0, equals);
    std::string_view value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    if (key == "_HLS_msn" || key == "_HLS_part") {
      auto number = parse_decimal(value);
      if (!number) return refuse(DirectiveRefusal::kNotDecimal);
      (key == "_HLS_msn" ? directives.msn : directives.part) = number;
    } else if (key == "_HLS_skip") {
      if (value != "YES" && value != "v2") return refuse(DirectiveRefusal::kBadSkip);
      directives.skip = value == "v2" ? Directives::Skip::kV2 : Directives::Skip::kYes;
    }
  }
  if (directives.part && !directives.msn) return refuse(DirectiveRefusal::kPartWithoutMsn);
  return directives;
}

void HlsOrigin::answer_error(RequestKey key, int status, std::string_view code, std::string_view message,
                             std::uint32_t max_age_s, Outputs& out) {
  switch (status) {
    case 400: ++counted_[kBadRequest]; break;
    case 404: ++counted_[kNotFound]; break;
    default: break;  // The caller knows which.
  }
  http::Response response = http::make_error_response(status, code, message);
  response.headers.set("cache-control", "max-age=" + std::to_string(max_age_s));
  response.urgency = kPlaylistUrgency;
  if (status == 503) response.headers.set("retry-after", "1");
  out.push(Answer{key, std::move(response)});
}

void HlsOrigin::hold(Timestamp now, WaiterList& list, Waiter waiter, Duration patience, Outputs& out) {
  if (waiters_.size() >= config_.waiters_max) {
    ++counted_[kTooMany];
    return answer_error(waiter.request, 503, "too_many_waiting",
                        "Too many requests are waiting on this server.", 1, out);
  }
  auto [entry, is_new] = waiters_.try_emplace(waiter.request, waiter);
  STOA_ASSERT(is_new);
  Waiter& node = entry->second;
  node.deadline = now + patience;
  node.list = &list;
  node.previous = list.last;
  (list.last ? list.last->next : list.first) = &node;
  list.last = &node;
  if (node.reloads) {
    Stand& stand = *node.reloads;
    stand.reloads_waiting_peak = std::max(stand.reloads_waiting_peak, ++stand.reloads_waiting);
  }
  ++counted_[kHeld];
  next_deadline_ = std::min(next_deadline_, node.deadline);
}

void HlsOrigin::let_go(Waiter& waiter) {
  (waiter.previous ? waiter.previous->next : waiter.list->first) = waiter.next;
  (waiter.next ? waiter.next->previous : waiter.list->last) = waiter.previous;
  if (waiter.reloads) --waiter.reloads->reloads_waiting;
  waiters_.erase(waiter.request);
}

template <typename Answerer>
void HlsOrigin::release(WaiterList& list, Answerer&& answer) {
  while (list.first) {
    answer(*list.first);
    let_go(*list.first);
  }
}

void HlsOrigin::handle_cancelled(RequestKey key) {
  auto found = waiters_.find(key);
  if (found != waiters_.end()) let_go(found->second);
}

void HlsOrigin::handle_snapshot(Timestamp now, std::shared_ptr<const live::ChannelSnapshot> snapshot,
                                Outputs& out) {
  auto found = channels_.find(snapshot->channel);
  if (found == channels_.end()) {
    if (channels_.size() >= config_.channels_max) return;
    found = channels_.emplace(snapshot->channel, Channel()).first;
  }
  auto& broadcasts = found->second.broadcasts;
  if (broadcasts.empty() || broadcasts.back().snapshot->broadcast != snapshot->broadcast) {
    // A new broadcast: the one before stays for those who are still watching its end.
    if (broadcasts.size() == 2) {
      expire(Timestamp::never(), broadcasts.front(), out);
      broadcasts.pop_front();
    }
    broadcasts.emplace_back();
  }
  Broadcast& broadcast = broadcasts.back();
  bool has_new_multivariant =
      !broadcast.snapshot || broadcast.snapshot->multivariant.data() != snapshot->multivariant.data();
  broadcast.snapshot = std::move(snapshot);
  if (has_new_multivariant) {
    broadcast.multivariant_gzip = SharedBytes();
    if (!broadcast.snapshot->multivariant.empty()) {
      release(broadcast.multivariant_waiters, [&](const Waiter& waiter) {
        answer_multivariant(broadcast, waiter.request, waiter.is_gzip, out);
      });
    }
  }
  for (const auto& rendition : broadcast.snapshot->renditions) {
    auto stand = broadcast.stands.find(rendition->name);
    if (stand == broadcast.stands.end()) stand = broadcast.stands.emplace(rendition->name, Stand()).first;
    stand->second.urgency = urgency_of(*rendition, *broadcast.snapshot);
    if (stand->second.rendition == rendition) continue;
    stand->second.rendition = rendition;
    stand->second.playlist_gzip = stand->second.playlist_delta_gzip = SharedBytes();
    wake(stand->second, out);
  }
  if (broadcast.snapshot->state == live::ChannelState::kEnded && broadcast.forget_at == Timestamp::never()) {
    release(broadcast.multivariant_waiters, [&](const Waiter& waiter) {
      answer_offline(waiter.request, out);
    });  // It never came to a playlist.
    broadcast.forget_at = now + config_.ended_kept;
    next_deadline_ = std::min(next_deadline_, broadcast.forget_at);
  }
}

void HlsOrigin::handle_request(Timestamp now, RequestKey key, const http::Request& request, Outputs& out) {
  std::string_view rest = std::string_view(request.path).substr(6);  // "/live/"
  std::string_view channel_name = take_element(rest);
  auto found = channels_.find(channel_name);
  Channel* channel = found == channels_.end() ? nullptr : &found->second;
  if (rest == "index.m3u8") {
    if (channel) count_viewer(now, *channel, request);
    return handle_multivariant(now, key, channel, http::accepts_gzip(request), out);
  }
  if (is_picture(rest)) {
    const bool is_here = channel && !channel->broadcasts.empty();
    return handle_picture(key, is_here ? &channel->broadcasts.back() : nullptr, rest, out);
  }
  std::string_view broadcast_name = take_element(rest);
  Broadcast* broadcast = nullptr;
  if (channel)
    for (auto& candidate : channel->broadcasts)
      if (candidate.snapshot->broadcast == broadcast_name) broadcast = &candidate;
  if (!broadcast)
    return answer_error(key, 404, "broadcast_not_found", "This broadcast is not here (any more).", 1, out);
  if (is_picture(rest)) return handle_picture(key, broadcast, rest, out);
  std::string_view rendition_name = take_element(rest);
  bool is_playlist = rest.empty() && rendition_name.ends_with(".m3u8");
  if (is_playlist) rendition_name.remove_suffix(5);
  auto stand = broadcast->stands.find(rendition_name);
  if (stand == broadcast->stands.end() || (is_playlist ? !rest.empty() : rest.empty()))
    return answer_error(key, 404, "not_found", "There is no such rendition.", 1, out);
  if (is_playlist) {
    count_viewer(now, *channel, request);
    return handle_playlist(now, key, stand->second, request, out);
  }
  handle_media(now, key, stand->second, broadcast_name, rest, out);
}

void HlsOrigin::handle_multivariant(Timestamp now, RequestKey key, Channel* channel, bool gzip,
                                    Outputs& out) {
  Broadcast* broadcast = channel && !channel->broadcasts.empty() ? &channel->broadcasts.back() : nullptr;
  if (!broadcast ||
      (broadcast->snapshot->multivariant.empty() && broadcast->snapshot->state == live::ChannelState::kEnded))
    return answer_offline(key, out);
  if (broadcast->snapshot->multivariant.empty()) {
    // Starting: three parts are on their way, so waiting is quicker than asking again.
    return hold(now, broadcast->multivariant_waiters, {.request = key, .is_gzip = gzip},
                Duration::seconds(10), out);
  }
  answer_multivariant(*broadcast, key, gzip, out);
}

void HlsOrigin::handle_picture(RequestKey key, const Broadcast* broadcast, std::string_view file,
                               Outputs& out) {
  auto response = broadcast ? answer_picture(*broadcast->snapshot, file) : std::nullopt;
  if (!response) return answer_error(key, 404, "no_picture", "There is no such picture (yet).", 1, out);
  ++counted_[kPicture];
  out.push(Answer{key, std::move(*response)});
}

void HlsOrigin::answer_offline(RequestKey key, Outputs& out) {
  answer_error(key, 404, "channel_offline", "The channel is not live.", 1, out);
}

void HlsOrigin::answer_multivariant(Broadcast& broadcast, RequestKey key, bool gzip, Outputs& out) {
  ++counted_[kMultivariant];
  http::Response response;
  response.headers.add("content-type", kPlaylistType);
  // Short: the next broadcast of this channel has another one under this name.
  response.headers.add("cache-control", "max-age=1");
  response.headers.add("vary", "accept-encoding");
  response.urgency = kPlaylistUrgency;
  set_body(response, broadcast.snapshot->multivariant, gzip ? &broadcast.multivariant_gzip : nullptr);
  out.push(Answer{key, std::move(response)});
}

void HlsOrigin::handle_playlist(Timestamp now, RequestKey key, Stand& stand, const http::Request& request,
                                Outputs& out) {
  const live::Rendition& rendition = *stand.rendition;
  auto directives = parse_directives(request.query);
  if (!directives) {
    std::string_view what =
        directives.error() == DirectiveRefusal::kPartWithoutMsn ? "_HLS_part needs _HLS_msn."
        : directives.error() == DirectiveRefusal::kBadSkip      ? "_HLS_skip takes YES or v2."
                                                           : "_HLS_msn and _HLS_part take decimal integers.";
    return answer_error(key, 400, "bad_directive", what, 1, out);
  }
  Waiter waiter{.request = key,
                .is_delta = directives->skip != Directives::Skip::kNo && !rendition.has_ended,
                .is_gzip = http::accepts_gzip(request),
                .is_blocking = directives->msn.has_value() && !rendition.has_ended,
                .reloads = &stand};
  auto hold_reload = [&](WaiterList& list) {
    hold(now, list, waiter, Duration::seconds(3) * rendition.target_duration_s, out);
  };
  if (rendition.playlist.empty()) return hold_reload(stand.part_waiters[0]);  // Before the third part.
  if (!waiter.is_blocking) return answer_playlist(stand, waiter, out);        // D5.
  // D6: too far ahead is a mistake of the client, not something to wait for. D3: a part behind the last of
  // a complete segment is the first of the next, whatever its number.
  std::uint64_t msn = *directives->msn;
  bool is_too_far = msn > complete_end(rendition) + 1;
  if (directives->part && msn >= complete_end(rendition)) {
    double target = rendition.part_target.as_seconds();
    std::uint64_t advance = target < 1 ? static_cast<std::uint64_t>(3 / target) : 3;
    std::int64_t newest = msn == rendition.last_msn ? std::max<std::int64_t>(rendition.last_part, 0) : 0;
    is_too_far |= *directives->part > static_cast<std::uint64_t>(newest) + advance;
  }
  if (is_too_far || (directives->part && *directives->part >= (1u << kPartBits)))
    return answer_error(key, 400, "too_far_ahead", "That is too far ahead of the live edge.", 1, out);
  WaiterList* list = nullptr;
  if (directives->part) {
    std::uint64_t position = (msn << kPartBits) + *directives->part;
    if (position >= edge_position(rendition)) list = &stand.part_waiters[position];
  } else if (msn >= complete_end(rendition)) {
    list = &stand.segment_waiters[msn];
  }
  if (!list) return answer_playlist(stand, waiter, out);
  hold_reload(*list);
}

void HlsOrigin::wake(Stand& stand, Outputs& out) {
  const live::Rendition& rendition = *stand.rendition;
  if (rendition.playlist.empty()) return;
  auto wake_before = [&](std::map<std::uint64_t, WaiterList>& waiters, std::uint64_t end) {
    while (!waiters.empty() && (rendition.has_ended || waiters.begin()->first < end)) {
      release(waiters.begin()->second, [&](const Waiter& waiter) { answer_playlist(stand, waiter, out); });
      waiters.erase(waiters.begin());
    }
  };
  wake_before(stand.part_waiters, edge_position(rendition));
  wake_before(stand.segment_waiters, complete_end(rendition));
  while (!stand.media_waiters.empty()) {
    auto first = stand.media_waiters.begin();
    const live::Part* part = rendition.find_part(first->first);
    if (!part && !rendition.has_ended && first->first >= rendition.next_part_number) break;
    release(first->second, [&](const Waiter& waiter) {
      if (part && !part->is_gap) {
        answer_part(stand, waiter.request, *part, out);
      } else {
        answer_error(waiter.request, 404, "hint_withdrawn", "The part that was hinted at did not come.",
                     rendition.target_duration_s, out);
      }
    });
    stand.media_waiters.erase(first);
  }
}

void HlsOrigin::answer_playlist(Stand& stand, const Waiter& waiter, Outputs& out) {
  const live::Rendition& rendition = *stand.rendition;
  bool is_delta = waiter.is_delta && !rendition.has_ended && !rendition.playlist_delta.empty();
  ++counted_[is_delta ? kPlaylistDelta : kPlaylist];
  const SharedBytes& plain = is_delta ? rendition.playlist_delta : rendition.playlist;
  SharedBytes& packed = is_delta ? stand.playlist_delta_gzip : stand.playlist_gzip;
  http::Response response;
  response.headers.add("content-type", kPlaylistType);
  response.headers.add("cache-control", cache_control(rendition, waiter.is_blocking));
  response.headers.add("vary", "accept-encoding");
  response.urgency = kPlaylistUrgency;
  set_body(response, plain, waiter.is_gzip ? &packed : nullptr);
  out.push(Answer{waiter.request, std::move(response)});
}

void HlsOrigin::answer_part(Stand& stand, RequestKey key, const live::Part& part, Outputs& out) {
  ++counted_[kMedia];
  http::Response response;
  response.headers.add("content-type",
                       stand.rendition->format->kind() == media::Kind::kAudio ? "audio/mp4" : "video/mp4");
  response.headers.add("cache-control", cache_control(*stand.rendition, true));
  response.urgency = stand.urgency;
  response.body = part.body;
  out.push(Answer{key, std::move(response)});
}

void HlsOrigin::handle_media(Timestamp now, RequestKey key, Stand& stand, std::string_view broadcast,
                             std::string_view file, Outputs& out) {
  const live::Rendition& rendition = *stand.rendition;
  if (auto number = parse_file(file, "p", ".m4s")) {
    if (const live::Part* part = rendition.find_part(*number); part && !part->is_gap)
      return answer_part(stand, key, *part, out);
    if (*number == rendition.next_part_number && !rendition.has_ended)  // L10: the hinted part.
      return hold(now, stand.media_waiters[*number], {.request = key},
                  Duration::seconds(3) * rendition.target_duration_s, out);
    // A part of the future must be fetchable as soon as it is there, whatever a cache remembers.
    std::uint32_t max_age = *number > rendition.next_part_number ? 1 : rendition.target_duration_s;
    return answer_error(key, 404, "part_not_found", "There is no such part.", max_age, out);
  }
  http::Response response;
  response.urgency = stand.urgency;
  std::string etag = "\"" + std::string(broadcast) + '-' + rendition.name + '-';
  if (auto msn = parse_file(file, "s", ".m4s")) {
    const live::Segment* segment = rendition.find_segment(*msn);
    if (segment && segment->is_complete && !segment->is_gap)
      for (const auto& part : segment->parts)
        if (!part.is_gap) response.body.slices.push_back(part.body);
  } else if (auto number = parse_file(file, "i", ".mp4")) {
    if (const live::InitSection* init = rendition.find_init(*number)) {
      response.body = init->body;
      response.urgency = 2;
    }
  }
  if (response.body.slices.empty())
    return answer_error(key, 404, "not_found", "There is no such segment.", 1, out);
  ++counted_[kMedia];
  response.headers.add("content-type",
                       rendition.format->kind() == media::Kind::kAudio ? "audio/mp4" : "video/mp4");
  // These names never mean anything else: the broadcast is in the path.
  response.headers.add("cache-control", "max-age=3600, immutable");
  response.headers.add("etag", etag + std::string(file.substr(0, file.find('.'))) + '"');
  out.push(Answer{key, std::move(response)});
}

Timestamp HlsOrigin::expire(Timestamp now, WaiterList& list, Outputs& out) {
  Timestamp earliest = Timestamp::never();
  for (Waiter *waiter = list.first, *next; waiter; waiter = next) {
    next = waiter->next;
    if (waiter->deadline > now) {
      earliest = std::min(earliest, waiter->deadline);
      continue;
    }
    ++counted_[kTimedOut];
    answer_error(waiter->request, 503, "not_in_time", "What was asked for did not come in time.", 1, out);
    let_go(*waiter);
  }
  return earliest;
}

Timestamp HlsOrigin::expire(Timestamp now, Broadcast& broadcast, Outputs& out) {
  Timestamp earliest = expire(now, broadcast.multivariant_waiters, out);
  for (auto& [rendition, stand] : broadcast.stands) {
    for (auto* waiters : {&stand.part_waiters, &stand.segment_waiters, &stand.media_waiters}) {
      for (auto entry = waiters->begin(); entry != waiters->end();) {
        earliest = std::min(earliest, expire(now, entry->second, out));
        entry = entry->second.first ? std::next(entry) : waiters->erase(entry);
      }
    }
  }
  return earliest;
}

Timestamp HlsOrigin::expire_all(Timestamp now, Outputs& out) {
  Timestamp earliest = Timestamp::never();
  for (auto& [name, channel] : channels_)
    for (auto& broadcast : channel.broadcasts) earliest = std::min(earliest, expire(now, broadcast, out));
  return earliest;
}

void HlsOrigin::handle_deadline(Timestamp now, Outputs& out) {
  if (now < next_deadline_) return;
  next_deadline_ = expire_all(now, out);
  for (auto channel = channels_.begin(); channel != channels_.end();) {
    std::erase_if(channel->second.broadcasts, [&](Broadcast& b) {
      if (b.forget_at > now) return false;
      expire(Timestamp::never(), b, out);
      return true;
    });
    for (auto& b : channel->second.broadcasts) next_deadline_ = std::min(next_deadline_, b.forget_at);
    channel = channel->second.broadcasts.empty() ? channels_.erase(channel) : std::next(channel);
  }
}

void HlsOrigin::drain(Outputs& out) { next_deadline_ = expire_all(Timestamp::never(), out); }

void HlsOrigin::count_viewer(Timestamp now, Channel& channel, const http::Request& request) {
  std::uint32_t hash = fnv1a(2'166'136'261u, request.peer_address);
  hash = fnv1a(hash, request.headers.get("user-agent"));
  hash = fnv1a(hash, request.headers.get("x-playback-session-id"));
  auto found = channel.viewers.find(hash);
  if (found != channel.viewers.end()) {
    found->second = now;
  } else if (channel.viewers.size() < config_.viewers_counted_max) {
    channel.viewers.emplace(hash, now);
  }
}

std::vector<HlsOrigin::Audience> HlsOrigin::audiences(Timestamp now) {
  std::vector<Audience> audiences;
  for (auto& [name, channel] : channels_) {
    Audience audience{.channel = name};
    std::erase_if(channel.viewers, [&](const auto& viewer) { return viewer.second + kViewerMemory < now; });
    for (const auto& [hash, seen] : channel.viewers) audience.hashes.push_back(hash);
    std::size_t waiting = 0;
    if (!channel.broadcasts.empty()) {
      for (auto& [rendition, stand] : channel.broadcasts.back().stands) {
        waiting = std::max(waiting, stand.reloads_waiting_peak);
        stand.reloads_waiting_peak = stand.reloads_waiting;
      }
    }
    audience.count = std::max(waiting, audience.hashes.size());
    if (audience.count > 0) audiences.push_back(std::move(audience));
  }
  return audiences;
}

void HlsOrigin::append_metrics(MetricSamples& samples) const {
  static constexpr const char* kResponses = "stoa_hls_responses_total";
  static constexpr const char* kHelp = "LL-HLS responses by kind.";
  static constexpr const char* kKinds[] = {"playlist",  "playlist_delta", "multivariant", "media",
                                           "picture",   "held",           "bad_request",  "not_found",
                                           "timed_out", "too_many"};
  for (std::size_t i = 0; i < kCountedEnd; ++i)
    samples.push_back(
        {kResponses, kHelp, MetricKind::kCounter, {{"kind", kKinds[i]}}, static_cast<double>(counted_[i])});
  samples.push_back({"stoa_hls_waiting",
                     "Requests held until what they ask for exists.",
                     MetricKind::kGauge,
                     {},
                     static_cast<double>(waiters_.size())});
}

}  // namespace stoa::api
