#include <boost/json.hpp>
#include <charconv>
#include <cmath>

#include "api/rest_call.h"
#include "api/rest_json.h"
#include "control/text.h"

namespace stoa::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kItemsPerPage = 50;

std::int64_t seconds_between(WallTime from, WallTime to) {
  return to > from ? (to.us() - from.us()) / 1'000'000 : 0;
}

http::Response refuse_with(control::Refusal refusal) { return make_json_error(error_of(refusal)); }
http::Response make_empty_response(int status) {
  http::Response response;
  response.status = status;
  return response;
}

json::array array_of(const std::vector<std::string>& texts) {
  return json::array(texts.begin(), texts.end());
}

// What a publisher wrote may be anything; what is no plain text is left away.
std::string_view plain(std::string_view text) {
  constexpr std::size_t kCharactersMax = 200;
  return control::is_plain_text(text, kCharactersMax, control::LineBreaks::kRefused) ? text
                                                                                     : std::string_view();
}

json::object json_of(const control::TrackStatus& track) {
  bool is_video = media::kind_of(track.codec) == media::Kind::kVideo;
  json::object object = {
      {"id", track.id},
      {"kind", is_video ? "video" : "audio"},
      {"codec", track.codec_string},
      {"codec_name", track.codec_name.empty() ? media::name_of(track.codec) : track.codec_name}};
  if (is_video) {
    object["width"] = track.width;
    object["height"] = track.height;
    object["frame_rate"] = std::round(track.frame_rate * 1000) / 1000;
  } else {
    object["sample_rate"] = track.sample_rate;
    object["channels"] = track.channels;
  }
  object["bitrate"] = track.bitrate;
  object["label"] = plain(track.label);
  object["language"] = plain(track.language);
  if (!track.realtime_obstacle.empty()) object["realtime_obstacle"] = track.realtime_obstacle;
  if (!track.hls_obstacle.empty()) object["hls_obstacle"] = track.hls_obstacle;
  return object;
}

json::object json_of(const control::SourceStatus& source) {
  return {{"peer", plain(source.peer)},
          {"protocol", source.protocol},
          {"priority", source.priority},
          {"is_active", source.is_active}};
}

json::object json_of_live(RestCall& call, const control::ChannelStatus& status, bool with_sources) {
  // A live channel is listed also when the database is away or never heard of it (--dev).
  auto channel = call.services().channels.read(status.channel);
  bool has_title = channel && !channel->title.empty();
  json::array warnings = array_of(status.warnings);
  const control::Transcoding* transcoding = call.services().transcoding;
  if (transcoding && transcoding->is_reduced(status.channel)) warnings.emplace_back("ladder_reduced");
  json::array tracks;
  for (const control::TrackStatus& track : status.tracks) tracks.push_back(json_of(track));
  json::object object = {{"name", status.channel},
                         {"title", has_title ? channel->title : status.channel},
                         {"state", control::name_of(status.state)},
                         {"started_at", to_iso8601(status.started_at)},
                         {"uptime_s", seconds_between(status.started_at, call.now)},
                         {"viewers", status.viewers},
                         {"hls_url", "/live/" + status.channel + "/index.m3u8"},
                         {"whep_url", "/whep/" + status.channel},
                         {"warnings", std::move(warnings)},
                         {"tracks", std::move(tracks)}};
  const std::string folder = "/live/" + status.channel + '/';
  if (status.poster_ms) object["poster_url"] = folder + "poster.jpg?at=" + std::to_string(*status.poster_ms);
  if (status.has_storyboard) object["storyboard_url"] = folder + "storyboard.vtt";
  if (with_sources) {
    json::array sources;
    for (const control::SourceStatus& source : status.sources) sources.push_back(json_of(source));
    object["sources"] = std::move(sources);
  }
  return object;
}

json::object json_of(const control::RungStatus& status) {
  const media::Rung& rung = status.rung;
  const control::RungNumbers& numbers = status.numbers;
  json::object object = {{"name", rung.name},
                         {"kind", rung.kind() == media::Kind::kVideo ? "video" : "audio"},
                         {"codec_name", media::name_of(rung.codec)},
                         {"state", control::name_of(status.state)},
                         {"bitrate_max", rung.bitrate_max},
                         {"bitrate_usual", status.bitrate_usual},
                         {"bitrate", numbers.bitrate.value_or(0)},
                         {"encoder", plain(numbers.encoder)},
                         {"frames", numbers.frames},
                         {"frames_waiting", numbers.waiting},
                         {"oldest_wait_ms", numbers.oldest_wait.ms()},
                         {"encode_p95_ms", static_cast<double>(numbers.encode_p95.us()) / 1'000},
                         {"speed", std::round(numbers.speed * 100) / 100}};
  if (rung.kind() == media::Kind::kVideo) {
    object["width"] = rung.width;
    object["height"] = rung.height;
  }
  return object;
}

json::object json_of(const control::LadderStatus& status) {
  json::array rungs;
  for (const control::RungStatus& rung : status.rungs) rungs.push_back(json_of(rung));
  json::object worker = {{"state", control::name_of(status.worker)},
                         {"restarts", status.restarts},
                         {"is_storm", status.is_storm},
                         {"trouble", plain(status.trouble)},
                         {"frames_in", status.numbers.frames_in},
                         {"frames_dropped", status.numbers.frames_dropped},
                         {"cpu_s", std::round(status.numbers.cpu_time.as_seconds() * 1'000) / 1'000},
                         {"memory_bytes", status.numbers.memory_bytes}};
  json::object object = {{"profile", status.ladder},         {"revision", status.revision},
                         {"per_title", status.is_per_title}, {"left_out", array_of(status.left_out)},
                         {"rungs", std::move(rungs)},        {"worker", std::move(worker)}};
  if (const auto& complexity = status.numbers.complexity)
    object["complexity"] = {{"spatial", complexity->spatial}, {"temporal", complexity->temporal}};
  return object;
}

std::string write_live_list(RestCall& call, bool with_sources) {
  json::array channels;
  for (const control::ChannelStatus* status : call.services().live.list())
    channels.push_back(json_of_live(call, *status, with_sources));
  return write_json(json::object{{"channels", std::move(channels)}});
}

json::object json_of(RestCall& call, const control::Channel& channel) {
  const control::ChannelStatus* status = call.services().live.find(channel.name);
  return {{"name", channel.name},
          {"title", channel.title},
          {"description", channel.description},
          {"enabled", channel.is_enabled},
          {"ladder", channel.ladder},
          {"state", status ? control::name_of(status->state) : "offline"},
          {"created_at", to_iso8601(channel.created_at)},
          {"updated_at", to_iso8601(channel.updated_at)}};
}

// Whether the answer to who asks for a channel that is not live is that it is offline or not there.
http::Response refuse_as_not_live(RestCall& call, std::string_view name) {
  auto is_known = call.services().publishing.is_known_channel(name);
  if (!is_known) return refuse_with(control::Refusal::kStoreUnavailable);
  if (!*is_known) return refuse_with(control::Refusal::kChannelNotFound);
  return make_json_error({ErrorCode::kChannelOffline, facts_of(ErrorCode::kChannelOffline).meaning, ""});
}

}  // namespace

Result<PageWish, ApiError> read_page_wish(const http::Request& request, std::size_t limit_max,
                                          std::size_t after_bytes_max) {
  PageWish wish{kItemsPerPage, request.find_query("after").value_or("")};
  if (std::optional<std::string> text = request.find_query("limit")) {
    const char* end = text->data() + text->size();
    auto [stop, error] = std::from_chars(text->data(), end, wish.limit);
    if (error != std::errc() || stop != end || wish.limit < 1 || wish.limit > limit_max)
      return refuse(ApiError{ErrorCode::kInvalidValue,
                             "\"limit\" is a number from 1 to " + std::to_string(limit_max) + ".", "limit"});
  }
  if (wish.after.size() > after_bytes_max)
    return refuse(
        ApiError{ErrorCode::kInvalidValue, "\"after\" is longer than what is listed may be.", "after"});
  return wish;
}

http::Response list_live(RestCall& call) {
  http::Response response;
  response.headers.add("content-type", "application/json");
  response.headers.add("vary", "authorization");
  if (call.principal) {
    response.headers.add("cache-control", "no-store");
    response.body = http::Body(SharedBytes(write_live_list(call, true)));
    return response;
  }
  auto& list = call.live_list();
  std::uint64_t live_revision = call.services().live.revision();
  std::uint64_t channels_revision = call.services().channels.revision();
  bool is_fresh = list.is_written && list.second == call.now.seconds() &&
                  list.live_revision == live_revision && list.channels_revision == channels_revision;
  if (!is_fresh) {
    list = {true, call.now.seconds(), live_revision, channels_revision,
            SharedBytes(write_live_list(call, false))};
  }
  response.headers.add("cache-control", "public, max-age=1");
  response.body = http::Body(list.body);
  return response;
}

http::Response read_live(RestCall& call) {
  std::string_view name = call.segments[0];
  const control::ChannelStatus* status = call.services().live.find(name);
  if (!status) return refuse_as_not_live(call, name);
  json::object live = json_of_live(call, *status, call.principal.has_value());
  if (call.principal && call.services().transcoding) {
    if (auto ladder = call.services().transcoding->find(name)) live["ladder"] = json_of(*ladder);
  }
  http::Response response = make_json_response(200, live);
  response.headers.add("vary", "authorization");
  return response;
}

// Also of a channel that is not live any more.
http::Response list_events(RestCall& call) {
  const std::string_view name = call.segments[0];
  const auto* events = call.services().events ? call.services().events->find(name) : nullptr;
  auto is_known = call.services().publishing.is_known_channel(name);
  if (!is_known && !events) return refuse_with(control::Refusal::kStoreUnavailable);
  // Also of one that is deleted word may have come.
  if (is_known && !*is_known) return refuse_with(control::Refusal::kChannelNotFound);
  json::array listed;
  if (events)
    for (const control::ChannelEvent& event : *events)
      listed.push_back(json::object{{"kind", event.kind},
                                    {"text", event.text},
                                    {"first_at", to_iso8601(event.first_at)},
                                    {"last_at", to_iso8601(event.last_at)},
                                    {"count", event.count}});
  return make_json_response(200, json::object{{"events", std::move(listed)}});
}

http::Response list_channels(RestCall& call) {
  auto wish = read_page_wish(call.request, control::kChannelsPerPageMax, control::kChannelNameCharactersMax);
  if (!wish) return make_json_error(wish.error());
  auto page = call.services().channels.list(wish->after, wish->limit);
  if (!page) return refuse_with(page.error());
  json::array channels;
  for (const control::Channel& channel : page->channels) channels.push_back(json_of(call, channel));
  json::value next = page->next ? json::value(*page->next) : json::value(nullptr);
  return make_json_response(200, json::object{{"channels", std::move(channels)}, {"next", std::move(next)}});
}

http::Response create_channel(RestCall& call) {
  auto reader = BodyReader::parse(call.request.body);
  if (!reader) return make_json_error(reader.error());
  control::NewChannel wish;
  wish.name = reader->required_text("name");
  wish.title = reader->text("title").value_or("");
  wish.description = reader->text("description").value_or("");
  wish.ladder = reader->text("ladder").value_or("");
  if (auto error = reader->error()) return make_json_error(*error);
  auto channel = call.services().channels.create(call.now, wish);
  if (!channel) return refuse_with(channel.error());
  http::Response response = make_json_response(201, json_of(call, *channel));
  response.headers.add("location", "/api/v1/channels/" + channel->name);
  call.effects.push(control::ChannelCreated{channel->name});
  return response;
}

http::Response read_channel(RestCall& call) {
  auto channel = call.services().channels.read(call.segments[0]);
  if (!channel) return refuse_with(channel.error());
  return make_json_response(200, json_of(call, *channel));
}

http::Response update_channel(RestCall& call) {
  auto reader = BodyReader::parse(call.request.body);
  if (!reader) return make_json_error(reader.error());
  control::ChannelChange change;
  change.title = reader->text("title");
  change.description = reader->text("description");
  change.is_enabled = reader->boolean("enabled");
  change.ladder = reader->text("ladder");
  if (auto error = reader->error()) return make_json_error(*error);
  auto channel = call.services().channels.update(call.now, call.segments[0], change);
  if (!channel) return refuse_with(channel.error());
  if (change.is_enabled == false) call.effects.push(control::EndBroadcast{channel->name});
  return make_json_response(200, json_of(call, *channel));
}

http::Response delete_channel(RestCall& call) {
  auto removed = call.services().channels.remove(call.segments[0]);
  if (!removed) return refuse_with(removed.error());
  call.effects.push(control::ChannelDeleted{std::string(call.segments[0])});
  return make_empty_response(204);
}

http::Response end_broadcast(RestCall& call) {
  std::string name(call.segments[0]);
  if (!call.services().live.find(name)) return refuse_as_not_live(call, name);
  call.effects.push(control::EndBroadcast{name});
  return make_json_response(202, json::object{{"name", name}, {"state", "ending"}});
}

http::Response list_keys(RestCall& call) {
  auto keys = call.services().stream_keys.list(call.segments[0]);
  if (!keys) return refuse_with(keys.error());
  json::array listed;
  for (const control::StreamKey& key : *keys) {
    json::value used = key.last_used_at ? json::value(to_iso8601(*key.last_used_at)) : json::value(nullptr);
    listed.push_back(json::object{{"id", key.id},
                                  {"label", key.label},
                                  {"created_at", to_iso8601(key.created_at)},
                                  {"last_used_at", std::move(used)}});
  }
  return make_json_response(200, json::object{{"keys", std::move(listed)}});
}

http::Response create_key(RestCall& call) {
  auto reader =
      call.request.body.empty() ? Result<BodyReader, ApiError>() : BodyReader::parse(call.request.body);
  if (!reader) return make_json_error(reader.error());
  std::string label = reader->text("label").value_or("");
  if (auto error = reader->error()) return make_json_error(*error);
  auto made = call.services().stream_keys.create(call.now, call.segments[0], label);
  if (!made) return refuse_with(made.error());
  return make_json_response(201, json::object{{"id", made->record.id},
                                              {"key", made->key},
                                              {"label", made->record.label},
                                              {"created_at", to_iso8601(made->record.created_at)}});
}

http::Response revoke_key(RestCall& call) {
  auto revoked = call.services().stream_keys.revoke(call.now, call.segments[0], call.segments[1]);
  if (!revoked) return refuse_with(revoked.error());
  call.effects.push(control::KeyRevoked{std::string(call.segments[0]), std::string(call.segments[1])});
  return make_empty_response(204);
}

http::Response read_server(RestCall& call) {
  return make_json_response(200,
                            json::object{{"version", call.options().version},
                                         {"started_at", to_iso8601(call.options().started_at)},
                                         {"uptime_s", seconds_between(call.options().started_at, call.now)}});
}

http::Response read_openapi(RestCall& call) {
  http::Response response;
  response.headers.add("content-type", "application/json");
  response.headers.add("cache-control", "no-cache");
  response.headers.add("etag", call.openapi().etag);
  response.body = http::Body(call.openapi().body);
  return response;
}

}  // namespace stoa::api
