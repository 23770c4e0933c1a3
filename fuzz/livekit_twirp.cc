// Requests of the server's API: the method's path on the first line, the body after it. Byte 0: JSON or
// protobuf.
#include <algorithm>

#include "api/livekit/convert.h"
#include "api/livekit/data_packet.h"
#include "api/livekit/twirp.h"
#include "base/assert.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  stoa::livekit::quiet_protobuf();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stoa;
  using namespace stoa::livekit;
  if (size < 1) return 0;
  std::string_view text = as_text({data + 1, size - 1});
  std::size_t line = std::min(text.find('\n'), text.size());
  http::Request request;
  request.method = http::Method::kPost;
  request.path = "/twirp/livekit." + std::string(text.substr(0, line));
  request.body = text.substr(std::min(line + 1, text.size()));
  request.headers.add("content-type", data[0] % 2 == 1 ? "application/json" : "application/protobuf");
  auto call = parse_twirp(request);
  if (!call) {
    STOA_ASSERT(write_twirp_error(call.error()).status >= 400);
    return 0;
  }
  STOA_ASSERT(!authorize(*call, {}));
  if (auto* create = std::get_if<pb::CreateRoomRequest>(&call->request)) (void)from_wire(*create, {});
  if (auto* update = std::get_if<pb::UpdateParticipantRequest>(&call->request)) (void)from_wire(*update);
  if (auto* data_request = std::get_if<pb::SendDataRequest>(&call->request)) {
    // What is too large for a channel is refused by whoever sends it.
    if (data_request->data().size() < 1'000) (void)make_user_packet(*data_request);
  }
  STOA_ASSERT(write_twirp(*call, pb::Room()).status == 200);
  return 0;
}
