#include "crypto/jwt.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/text.h"

namespace stoa::crypto {
namespace {

constexpr WallTime kNow = WallTime::from_seconds(1'800'000'000);
const std::string kSecret = "a secret of at least thirty-two bytes";

Claims claims_until(WallTime expiry) {
  Claims claims;
  claims.issuer = "ak_1";
  claims.scopes = {"channels:read"};
  claims.expires_at = expiry;
  return claims;
}

// A token of any header and payload, rightly signed.
std::string forge(std::string_view header, std::string_view payload, std::string_view secret = kSecret) {
  std::string token = write_base64url(as_bytes(header)) + "." + write_base64url(as_bytes(payload));
  return token + "." + write_base64url(hmac_sha256(as_bytes(secret), as_bytes(token)));
}
constexpr const char* kHeader = R"({"alg":"HS256","typ":"JWT"})";

Result<Claims, JwtRefusal> check(std::string_view text, WallTime now = kNow, const JwtPolicy& policy = {}) {
  auto token = parse_jwt(text);
  if (!token) return refuse(token.error());
  return verify_jwt(*token, as_bytes(kSecret), now, policy);
}

TEST(Jwt, takes_the_example_of_rfc_7515_appendix_a_1) {
  const char* text =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
      ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
      ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  auto secret = parse_base64url(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  ASSERT_TRUE(secret);
  auto token = parse_jwt(text);
  ASSERT_TRUE(token);
  EXPECT_EQ(token->issuer(), "joe");
  auto claims = verify_jwt(*token, *secret, WallTime::from_seconds(1'300'819'000), {});
  ASSERT_TRUE(claims) << name_of(claims.error());
  EXPECT_EQ(claims->issuer, "joe");
  EXPECT_EQ(claims->expires_at, WallTime::from_seconds(1'300'819'380));
  EXPECT_EQ(verify_jwt(*token, as_bytes(kSecret), WallTime::from_seconds(1'300'819'000), {}).error(),
            JwtRefusal::kBadSignature);
}

TEST(Jwt, gives_back_every_claim_that_was_signed) {
  Claims claims = claims_until(kNow + Duration::seconds(60));
  claims.subject = "studio";
  claims.id = "t1";
  claims.audience = {"other", "stoa"};
  claims.scopes = {"channels:read", "channels:write"};
  claims.issued_at = kNow;
  claims.not_before = kNow;
  auto token = sign_jwt(claims, as_bytes(kSecret));
  ASSERT_TRUE(token);
  auto back = check(*token);
  ASSERT_TRUE(back) << name_of(back.error());
  EXPECT_EQ(back->issuer, claims.issuer);
  EXPECT_EQ(back->subject, claims.subject);
  EXPECT_EQ(back->id, claims.id);
  EXPECT_EQ(back->audience, claims.audience);
  EXPECT_EQ(back->scopes, claims.scopes);
  EXPECT_EQ(back->issued_at, claims.issued_at);
  EXPECT_EQ(back->not_before, claims.not_before);
  EXPECT_EQ(back->expires_at, claims.expires_at);
}

TEST(Jwt, takes_scopes_as_words_of_one_string_as_well) {
  auto claims = check(forge(kHeader, R"({"iss":"k","exp":1800000060,"scope":" channels:read  * "})"));
  ASSERT_TRUE(claims);
  EXPECT_EQ(claims->scopes, (std::vector<std::string>{"channels:read", "*"}));
}

TEST(Jwt, refuses_every_other_algorithm) {
  const char* payload = R"({"iss":"k","exp":1800000060})";
  for (const char* header :
       {R"({"alg":"none"})", R"({"alg":"None","typ":"JWT"})", R"({"alg":"HS512"})", R"({"alg":"RS256"})",
        R"({"alg":"ES256"})", R"({"alg":"hs256"})", R"({"alg":["HS256"]})", R"({"alg":null})", R"({})"}) {
    EXPECT_EQ(check(forge(header, payload)).error(), JwtRefusal::kWrongAlgorithm) << header;
  }
  // "none" comes without a signature.
  std::string bare =
      write_base64url(as_bytes(R"({"alg":"none"})")) + "." + write_base64url(as_bytes(payload)) + ".";
  EXPECT_EQ(check(bare).error(), JwtRefusal::kWrongAlgorithm);
}

TEST(Jwt, refuses_headers_that_ask_for_more) {
  const char* payload = R"({"iss":"k","exp":1800000060})";
  EXPECT_EQ(check(forge(R"({"alg":"HS256","crit":["b64"],"b64":false})", payload)).error(),
            JwtRefusal::kBadHeader);
  EXPECT_EQ(check(forge(R"({"alg":"HS256","typ":"secevent+jwt"})", payload)).error(), JwtRefusal::kBadHeader);
  EXPECT_EQ(check(forge(R"({"alg":"HS256","typ":7})", payload)).error(), JwtRefusal::kBadHeader);
  EXPECT_TRUE(check(forge(R"({"alg":"HS256","typ":"jwt","kid":"x"})", payload)));
}

TEST(Jwt, refuses_a_signature_that_is_changed_cut_or_of_another_secret) {
  std::string token = *sign_jwt(claims_until(kNow + Duration::seconds(60)), as_bytes(kSecret));
  std::size_t signature = token.rfind('.') + 1;
  for (std::size_t i = signature; i + 1 < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(check(changed).error(), JwtRefusal::kBadSignature);
  }
  EXPECT_EQ(check(token.substr(0, signature)).error(), JwtRefusal::kBadSignature);
  EXPECT_EQ(
      check(forge(kHeader, R"({"iss":"k","exp":1800000060})", "another secret of thirty-two bytes!")).error(),
      JwtRefusal::kBadSignature);
}

TEST(Jwt, refuses_claims_swapped_under_a_good_signature) {
  std::string low = forge(kHeader, R"({"iss":"k","exp":1800000060,"scope":[]})");
  std::string high =
      forge(kHeader, R"({"iss":"k","exp":1800000060,"scope":["*"]})", "not known to the forger, long enough");
  std::string mixed = high.substr(0, high.rfind('.')) + low.substr(low.rfind('.'));
  EXPECT_EQ(check(mixed).error(), JwtRefusal::kBadSignature);
}

TEST(Jwt, refuses_what_is_no_token) {
  std::string good = *sign_jwt(claims_until(kNow + Duration::seconds(60)), as_bytes(kSecret));
  std::string header = write_base64url(as_bytes(kHeader));
  for (const std::string& text :
       {std::string(), std::string("a"), std::string("a.b"), std::string(".."), good + ".x", good + "=",
        " " + good, header + ".W10.", header + ".bnVsbA.", header + ".e30x.", forge("[]", "{}"),
        forge(kHeader, R"({"iss":"k"} x)"), forge(kHeader, R"({"iss":"k","x":[[[[[[[[[[1]]]]]]]]]]})"),
        forge(kHeader, "{\"iss\":\"\xff\"}")}) {
    EXPECT_EQ(check(text).error(), JwtRefusal::kMalformed) << text;
  }
}

TEST(Jwt, refuses_a_token_over_the_limit_before_reading_it) {
  EXPECT_EQ(check(std::string(kJwtBytesMax + 1, 'a')).error(), JwtRefusal::kTooLong);
  EXPECT_EQ(check(std::string(kJwtBytesMax, 'a')).error(), JwtRefusal::kMalformed);
}

TEST(Jwt, refuses_claims_of_a_wrong_type_or_size) {
  const std::string long_text(kJwtTextClaimBytesMax + 1, 'x');
  std::string many = R"({"iss":"k","scope":["a")";
  for (std::size_t i = 0; i < kJwtScopesMax; ++i) many += R"(,"a")";
  for (const std::string& payload :
       {std::string(R"({"iss":7})"), std::string(R"({"iss":"k","exp":"soon"})"),
        std::string(R"({"iss":"k","exp":-1})"), std::string(R"({"iss":"k","exp":1e300})"),
        std::string(R"({"iss":"k","exp":18446744073709551615})"), std::string(R"({"iss":"k","nbf":true})"),
        std::string(R"({"iss":"k","scope":{}})"), std::string(R"({"iss":"k","scope":[1]})"),
        std::string(R"({"iss":"k","scope":[""]})"), std::string(R"({"iss":"k","aud":1})"),
        std::string(R"({"iss":"k","sub":[]})"), many + "]}", R"({"iss":")" + long_text + R"("})",
        R"({"iss":"k","scope":")" + long_text + R"("})"}) {
    EXPECT_EQ(check(forge(kHeader, payload)).error(), JwtRefusal::kBadClaims) << payload;
  }
}

TEST(Jwt, needs_an_issuer_and_an_expiry) {
  EXPECT_EQ(check(forge(kHeader, R"({"exp":1800000060})")).error(), JwtRefusal::kNoIssuer);
  EXPECT_EQ(check(forge(kHeader, R"({"iss":"","exp":1800000060})")).error(), JwtRefusal::kNoIssuer);
  EXPECT_EQ(check(forge(kHeader, R"({"iss":"k"})")).error(), JwtRefusal::kNoExpiry);
}

TEST(Jwt, ends_at_its_expiry_and_the_leeway) {
  JwtPolicy policy;
  std::string token = *sign_jwt(claims_until(kNow), as_bytes(kSecret));
  EXPECT_TRUE(check(token, kNow + policy.leeway - Duration::microseconds(1)));
  EXPECT_EQ(check(token, kNow + policy.leeway).error(), JwtRefusal::kExpired);
  policy.leeway = Duration();
  EXPECT_EQ(check(token, kNow, policy).error(), JwtRefusal::kExpired);
}

TEST(Jwt, begins_at_its_not_before_and_issue_less_the_leeway) {
  Claims later = claims_until(kNow + Duration::seconds(600));
  later.not_before = kNow + Duration::seconds(31);
  EXPECT_EQ(check(*sign_jwt(later, as_bytes(kSecret))).error(), JwtRefusal::kNotYetValid);
  later.not_before = kNow + Duration::seconds(30);
  EXPECT_TRUE(check(*sign_jwt(later, as_bytes(kSecret))));
  later.issued_at = kNow + Duration::seconds(31);
  EXPECT_EQ(check(*sign_jwt(later, as_bytes(kSecret))).error(), JwtRefusal::kNotYetValid);
}

TEST(Jwt, may_not_live_longer_than_the_policy) {
  JwtPolicy policy;
  std::string day = *sign_jwt(claims_until(kNow + policy.lifetime_max), as_bytes(kSecret));
  EXPECT_TRUE(check(day));
  std::string longer =
      *sign_jwt(claims_until(kNow + policy.lifetime_max + Duration::seconds(31)), as_bytes(kSecret));
  EXPECT_EQ(check(longer).error(), JwtRefusal::kLivesTooLong);
  policy.lifetime_max = Duration::seconds(48 * 3600);
  EXPECT_TRUE(check(longer, kNow, policy));
}

TEST(Jwt, is_for_its_audience_only) {
  EXPECT_EQ(check(forge(kHeader, R"({"iss":"k","exp":1800000060,"aud":"bank"})")).error(),
            JwtRefusal::kWrongAudience);
  EXPECT_EQ(check(forge(kHeader, R"({"iss":"k","exp":1800000060,"aud":["a","b"]})")).error(),
            JwtRefusal::kWrongAudience);
  EXPECT_TRUE(check(forge(kHeader, R"({"iss":"k","exp":1800000060,"aud":"stoa"})")));
  EXPECT_TRUE(check(forge(kHeader, R"({"iss":"k","exp":1800000060,"aud":["a","stoa"]})")));
}

TEST(Jwt, neither_signs_nor_verifies_with_a_short_secret) {
  Claims claims = claims_until(kNow + Duration::seconds(60));
  EXPECT_EQ(sign_jwt(claims, as_bytes(std::string(31, 's'))).error(), JwtRefusal::kWeakSecret);
  auto token = parse_jwt(forge(kHeader, R"({"iss":"k","exp":1800000060})", "short"));
  EXPECT_EQ(verify_jwt(*token, as_bytes("short"), kNow, {}).error(), JwtRefusal::kWeakSecret);
}

TEST(Jwt, does_not_sign_what_it_would_refuse) {
  EXPECT_EQ(sign_jwt({}, as_bytes(kSecret)).error(), JwtRefusal::kNoIssuer);
  Claims claims = claims_until(kNow);
  claims.scopes.assign(kJwtScopesMax + 1, "a");
  EXPECT_EQ(sign_jwt(claims, as_bytes(kSecret)).error(), JwtRefusal::kBadClaims);
  claims.scopes.assign(kJwtScopesMax, std::string(200, 'a'));
  EXPECT_EQ(sign_jwt(claims, as_bytes(kSecret)).error(), JwtRefusal::kTooLong);
}

TEST(Jwt, gives_the_whole_payload_of_a_token_that_is_believed) {
  const std::string payload = R"({"iss":"k","exp":1800000060,"video":{"room":"a","roomJoin":true}})";
  auto claims = check(forge(kHeader, payload));
  ASSERT_TRUE(claims);
  EXPECT_EQ(claims->payload, payload);
}

TEST(Jwt, takes_wide_tokens_only_where_they_are_expected) {
  const std::string payload = R"({"iss":"k","exp":1800000060,"metadata":")" + std::string(8'000, 'm') + "\"}";
  auto token = sign_jwt_payload(payload, as_bytes(kSecret));
  ASSERT_TRUE(token);
  EXPECT_EQ(parse_jwt(*token).error(), JwtRefusal::kTooLong);
  auto parsed = parse_jwt(*token, kWideJwtBytesMax);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(verify_jwt(*parsed, as_bytes(kSecret), kNow, {})->payload, payload);
  EXPECT_EQ(sign_jwt_payload(R"({"iss":"k","metadata":")" + std::string(kWideJwtBytesMax, 'm') + "\"}",
                             as_bytes(kSecret))
                .error(),
            JwtRefusal::kTooLong);
}

TEST(Jwt, signs_any_payload_but_one_that_it_would_refuse) {
  auto token = sign_jwt_payload(R"({"iss":"k","exp":1800000060,"x":{"y":[1]}})", as_bytes(kSecret));
  ASSERT_TRUE(token);
  EXPECT_TRUE(check(*token));
  EXPECT_EQ(sign_jwt_payload("[]", as_bytes(kSecret)).error(), JwtRefusal::kMalformed);
  EXPECT_EQ(sign_jwt_payload("{}", as_bytes(kSecret)).error(), JwtRefusal::kNoIssuer);
  EXPECT_EQ(sign_jwt_payload(R"({"iss":"k"})", as_bytes("short")).error(), JwtRefusal::kWeakSecret);
}

TEST(Jwt, may_live_for_as_long_as_it_likes_where_the_policy_says_so) {
  JwtPolicy policy;
  policy.lifetime_max = Duration::infinite();
  EXPECT_TRUE(check(forge(kHeader, R"({"iss":"k","exp":253402300799})"), kNow, policy));
  EXPECT_EQ(check(forge(kHeader, R"({"iss":"k"})"), kNow, policy).error(), JwtRefusal::kNoExpiry);
}

TEST(Jwt, is_for_any_audience_where_the_policy_names_none) {
  JwtPolicy policy;
  policy.audience.clear();
  EXPECT_TRUE(check(forge(kHeader, R"({"iss":"k","exp":1800000060,"aud":"bank"})"), kNow, policy));
}

TEST(Jwt, names_every_refusal_differently) {
  std::vector<std::string> names;
  for (int i = 0; i <= static_cast<int>(JwtRefusal::kWrongAudience); ++i)
    names.push_back(name_of(static_cast<JwtRefusal>(i)));
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

}  // namespace
}  // namespace stoa::crypto
