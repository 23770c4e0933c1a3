// Hostile request fields against target parsing, ranges, conditions and WebSocket frames.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "proto/http/semantics.h"
#include "proto/http/websocket.h"

using namespace stoa;

namespace {

std::string_view take_line(std::string_view& text) {
  std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return line;
}

void judge_target(std::string_view line, http::Request& request) {
  auto target = http::parse_target(line);
  if (!target) return;
  STOA_ASSERT(target->path == "*" || target->path.starts_with('/'));
  STOA_ASSERT(target->path.find('\0') == std::string::npos);
  STOA_ASSERT((target->path + "/").find("/../") == std::string::npos);
  request.query = target->query;
  request.find_query("_HLS_msn");
}

void judge_response(const http::Request& request) {
  http::Response response = http::make_text_response(200, std::string(1500, 'x') + "yz");
  response.headers.add("etag", "\"a\"");
  response.body.slices.push_back(SharedBytes(std::string(300, 'z')));
  std::size_t whole = response.body.size();
  http::apply_semantics(http::conditions_of(request), WallTime::from_seconds(0), response);
  STOA_ASSERT(response.body.size() <= whole);
  if (response.status == 206) STOA_ASSERT(response.body.size() > 0 && response.headers.has("content-range"));
  if (response.status == 304) STOA_ASSERT(response.body.size() == 0);
}

void judge_frames(std::string_view text) {
  http::WebSocketReader whole(1000), bitwise(1000);
  Outbox<http::WebSocketEvent> once, often;
  bool ok = whole.handle_input(as_bytes(text), once).has_value();
  bool same = true;
  for (char c : text) same = bitwise.handle_input(as_bytes({&c, 1}), often).has_value() && same;
  STOA_ASSERT(ok == same);
  STOA_ASSERT(once.size() == often.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text = as_text({data, size});
  judge_frames(text);
  http::Request request;
  judge_target(take_line(text), request);
  for (const char* name : {"range", "if-range", "if-none-match", "if-modified-since", "accept-encoding",
                           "upgrade", "connection", "access-control-request-headers"})
    request.headers.add(name, take_line(text));
  judge_response(request);
  http::is_websocket_upgrade(request);
  http::make_preflight_response(request);
  http::matches_etag(text, "\"a\"");
  return 0;
}
