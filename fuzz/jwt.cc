// Tokens. Byte 0 says how the rest is meant: as a whole token, which can hardly be signed by our secret; or
// as a header and a payload (a line each), which are signed rightly, so that what lies behind the signature
// is reached. Claims that were taken once must be signed and taken again, unchanged.
#include "crypto/jwt.h"

#include <algorithm>

#include "base/assert.h"
#include "crypto/text.h"

namespace {

using namespace stoa;
using namespace stoa::crypto;

constexpr std::string_view kSecret = "the secret of the fuzz target, long enough";
constexpr WallTime kNow = WallTime::from_seconds(1'800'000'000);

void try_signed(std::string_view text) {
  std::size_t line = std::min(text.find('\n'), text.size());
  std::string token = write_base64url(as_bytes(text.substr(0, line))) + "." +
                      write_base64url(as_bytes(text.substr(std::min(line + 1, text.size()))));
  token += "." + write_base64url(hmac_sha256(as_bytes(kSecret), as_bytes(token)));
  auto parsed = parse_jwt(token);
  if (!parsed) return;
  auto claims = verify_jwt(*parsed, as_bytes(kSecret), kNow, {});
  if (!claims) {
    STOA_ASSERT(claims.error() != JwtRefusal::kBadSignature);
    return;
  }
  STOA_ASSERT(!claims->issuer.empty() && claims->scopes.size() <= kJwtScopesMax);
  auto again = sign_jwt(*claims, as_bytes(kSecret));
  if (!again) {
    STOA_ASSERT(again.error() == JwtRefusal::kTooLong);  // Escapes may grow.
    return;
  }
  auto back = verify_jwt(*parse_jwt(*again), as_bytes(kSecret), kNow, {});
  STOA_ASSERT(back && back->issuer == claims->issuer && back->subject == claims->subject &&
              back->id == claims->id);
  STOA_ASSERT(back->scopes == claims->scopes && back->audience == claims->audience);
  STOA_ASSERT(back->expires_at == claims->expires_at && back->not_before == claims->not_before);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  std::string_view text = as_text({data + 1, size - 1});
  if (data[0] % 2 == 1) {
    try_signed(text);
  } else if (auto parsed = parse_jwt(text)) {
    STOA_ASSERT(!verify_jwt(*parsed, as_bytes(kSecret), kNow, {}));
  }
  return 0;
}
