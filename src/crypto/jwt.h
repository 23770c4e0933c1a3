// JSON Web Tokens signed with HMAC-SHA-256 (RFC 7515, RFC 7519; "HS256" of RFC 7518 §3.2), and no others.
//
// Reading goes in two steps, because the issuer says which secret to check with:
//     auto token = parse_jwt(text);             // shape and limits; nothing in it is believed yet
//     find the secret of token->issuer()
//     auto claims = verify_jwt(*token, secret, now, policy);
// The algorithm is fixed here and never taken from the token: "none", RS256 and the like are refused
// before anything else is looked at (RFC 8725 §3.1). Claims that are not named here are left to the caller
// (Claims::payload).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/digest.h"

namespace stoa::crypto {

inline constexpr std::size_t kJwtBytesMax = 4096;
// Of tokens that carry claims of an application (attributes, configurations).
inline constexpr std::size_t kWideJwtBytesMax = 16u << 10;
inline constexpr std::size_t kJwtSecretBytesMin = 32;  // RFC 7518 §3.2: no shorter than the digest.
inline constexpr std::size_t kJwtScopesMax = 32;
inline constexpr std::size_t kJwtTextClaimBytesMax = 256;  // Each of iss, sub, jti and one scope.

struct Claims {
  std::string issuer;                  // iss
  std::string subject;                 // sub; may be empty
  std::string id;                      // jti; may be empty
  std::vector<std::string> audience;   // aud: one or a list; may be empty
  std::vector<std::string> scopes;     // scope: a list, or words in one string (RFC 8693 §4.2)
  std::optional<WallTime> issued_at;   // iat; these three in whole seconds
  std::optional<WallTime> not_before;  // nbf
  std::optional<WallTime> expires_at;  // exp
  // The whole payload as it was signed (a JSON object), for claims that are not named here. sign_jwt() does
  // not look at it.
  std::string payload;
};

enum class JwtRefusal : std::uint8_t {
  kTooLong,         // More than kJwtBytesMax.
  kMalformed,       // Not three base64url parts of which the first two are JSON objects.
  kWrongAlgorithm,  // "alg" is not HS256.
  kBadHeader,       // "typ" is not JWT, or "crit" asks for something we do not know (RFC 7515 §4.1.11).
  kBadClaims,       // A claim of a wrong type, out of range, or over a limit.
  kNoIssuer,
  kWeakSecret,  // Our secret is shorter than kJwtSecretBytesMin.
  kBadSignature,
  kNoExpiry,
  kExpired,
  kNotYetValid,    // Before "nbf", or issued in the future.
  kLivesTooLong,   // "exp" is further ahead than the policy allows.
  kWrongAudience,  // "aud" is there and does not name us.
};
const char* name_of(JwtRefusal refusal);

struct JwtPolicy {
  Duration leeway = Duration::seconds(30);               // How far the signer's clock may be off.
  Duration lifetime_max = Duration::seconds(24 * 3600);  // infinite(): any, that ends.
  std::string audience = "stoa";                         // Empty: "aud" is not looked at.
};

class UnverifiedJwt {
 public:
  // Only to find the secret. Whoever sent the token may have written anything here.
  const std::string& issuer() const { return claims_.issuer; }

 private:
  friend Result<UnverifiedJwt, JwtRefusal> parse_jwt(std::string_view text, std::size_t bytes_max);
  friend Result<Claims, JwtRefusal> verify_jwt(const UnverifiedJwt&, Bytes, WallTime, const JwtPolicy&);

  Claims claims_;
  std::string signing_input_;
  Buffer signature_;
};

Result<UnverifiedJwt, JwtRefusal> parse_jwt(std::string_view text, std::size_t bytes_max = kJwtBytesMax);

// The signature is looked at first: what is wrong with the times of a forged token is nobody's business.
Result<Claims, JwtRefusal> verify_jwt(const UnverifiedJwt& token, Bytes secret, WallTime now,
                                      const JwtPolicy& policy);

// Refuses what verify_jwt would: a weak secret, a missing issuer, claims over their limits.
Result<std::string, JwtRefusal> sign_jwt(const Claims& claims, Bytes secret);
// Signs any claims: `payload` is a JSON object with "iss". The token is kWideJwtBytesMax at most.
Result<std::string, JwtRefusal> sign_jwt_payload(std::string_view payload, Bytes secret);

}  // namespace stoa::crypto
