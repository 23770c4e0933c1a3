// How clients ask to come in. Byte 0: a query as it is; a JoinRequest that is wrapped here, plain or gzipped,
// so that what lies behind base64 and gzip is reached; or claims of a token, with which the rest joins.
#include "api/livekit/convert.h"
#include "api/livekit/join_params.h"
#include "api/livekit/signal.h"
#include "base/assert.h"
#include "crypto/text.h"
#include "proto/http/semantics.h"

namespace {

using namespace stoa;
using namespace stoa::livekit;

std::string wrap(std::string_view join, bool is_gzipped) {
  pb::WrappedJoinRequest wrapped;
  wrapped.set_join_request(std::string(join));
  if (is_gzipped) {
    auto zipped = http::gzip(http::Body(SharedBytes(std::string(join))));
    wrapped.set_compression(pb::WrappedJoinRequest::GZIP);
    wrapped.set_join_request(std::string(zipped->text()));
  }
  return "join_request=" + crypto::write_base64url(as_bytes(wrapped.SerializeAsString()));
}

void join(std::string path, std::string query, const AccessGrant& grant) {
  http::Request request;
  request.path = std::move(path);
  request.query = std::move(query);
  auto params = parse_join(request);
  if (!params) {
    STOA_ASSERT(params.error().status >= 400 && !params.error().text.empty());
    return;
  }
  STOA_ASSERT(params->add_track_requests.size() <= kAddTrackRequestsMax);
  STOA_ASSERT(params->client.os().size() <= kClientTextBytesMax);
  STOA_ASSERT(!params->client.SerializeAsString().empty() || params->client.ByteSizeLong() == 0);
  room::JoinWish wish = make_join_wish(grant, *params);
  STOA_ASSERT(params->publish.empty() ? wish.identity == grant.identity : wish.identity != grant.identity);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  quiet_protobuf();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  std::string_view rest = as_text({data + 1, size - 1});
  AccessGrant grant;
  grant.video.emplace().can_update_own_metadata = true;
  switch (data[0] % 4) {
    case 0: join("/rtc", std::string(rest), grant); break;
    case 1: join("/rtc/v1", wrap(rest, false), grant); break;
    case 2: join("/rtc", wrap(rest, true), grant); break;
    default:
      auto read = parse_grant(rest);
      if (!read) break;
      join("/rtc/validate", "auto_subscribe=0", *read);
      room::Permissions permissions = permissions_of(*read);
      set_permissions(*read, permissions);
      STOA_ASSERT(permissions_of(*read) == permissions);
  }
  return 0;
}
