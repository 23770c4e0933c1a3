#include "crypto/jwt.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>

#include "crypto/text.h"

namespace stoa::crypto {
namespace {

namespace json = boost::json;

constexpr std::size_t kJsonDepthMax = 8;
constexpr std::int64_t kNumericDateMax = 253'402'300'799;  // The last second of the year 9999.

std::optional<json::object> parse_object(std::string_view text) {
  json::parse_options options;
  options.max_depth = kJsonDepthMax;
  boost::system::error_code error;
  json::value value = json::parse(text, error, {}, options);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

bool is_ascii_equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(x) == lower(y);
  });
}

std::optional<JwtRefusal> check_header(const json::object& header) {
  const json::value* algorithm = header.if_contains("alg");
  if (!algorithm || !algorithm->is_string() || algorithm->get_string() != "HS256")
    return JwtRefusal::kWrongAlgorithm;
  if (header.contains("crit")) return JwtRefusal::kBadHeader;
  if (const json::value* type = header.if_contains("typ")) {
    if (!type->is_string() || !is_ascii_equal_ignoring_case(type->get_string(), "JWT"))
      return JwtRefusal::kBadHeader;
  }
  return std::nullopt;
}

bool read_text(const json::object& object, std::string_view name, std::string& text) {
  const json::value* value = object.if_contains(name);
  if (!value) return true;
  if (!value->is_string() || value->get_string().size() > kJwtTextClaimBytesMax) return false;
  text = value->get_string();
  return true;
}

// NumericDate: seconds since 1970, maybe with a fraction (RFC 7519 §2).
bool read_date(const json::object& object, std::string_view name, std::optional<WallTime>& time) {
  const json::value* value = object.if_contains(name);
  if (!value) return true;
  if (!value->is_number()) return false;
  double seconds = value->is_double()  ? value->get_double()
                   : value->is_int64() ? static_cast<double>(value->get_int64())
                                       : static_cast<double>(value->get_uint64());
  if (!(seconds >= 0 && seconds <= static_cast<double>(kNumericDateMax))) return false;
  time = WallTime::from_seconds(static_cast<std::int64_t>(std::floor(seconds)));
  return true;
}

bool add_word(std::string_view word, std::vector<std::string>& words) {
  if (word.empty() || word.size() > kJwtTextClaimBytesMax || words.size() == kJwtScopesMax) return false;
  words.emplace_back(word);
  return true;
}

bool read_list(const json::value& value, std::vector<std::string>& words) {
  if (!value.is_array()) return false;
  return std::all_of(value.get_array().begin(), value.get_array().end(), [&](const json::value& item) {
    return item.is_string() && add_word(item.get_string(), words);
  });
}

bool read_audience(const json::object& object, std::vector<std::string>& words) {
  const json::value* value = object.if_contains("aud");
  if (!value) return true;
  return value->is_string() ? add_word(value->get_string(), words) : read_list(*value, words);
}

bool read_scopes(const json::object& object, std::vector<std::string>& words) {
  const json::value* value = object.if_contains("scope");
  if (!value) return true;
  if (!value->is_string()) return read_list(*value, words);
  std::string_view text = value->get_string();
  while (!text.empty()) {
    std::size_t space = std::min(text.find(' '), text.size());
    if (space > 0 && !add_word(text.substr(0, space), words)) return false;
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return true;
}

bool read_claims(const json::object& object, Claims& claims) {
  return read_text(object, "iss", claims.issuer) && read_text(object, "sub", claims.subject) &&
         read_text(object, "jti", claims.id) && read_audience(object, claims.audience) &&
         read_scopes(object, claims.scopes) && read_date(object, "iat", claims.issued_at) &&
         read_date(object, "nbf", claims.not_before) && read_date(object, "exp", claims.expires_at);
}

json::array array_of(const std::vector<std::string>& words) {
  json::array array;
  for (const std::string& word : words) array.emplace_back(word);
  return array;
}

void write_date(json::object& object, std::string_view name, const std::optional<WallTime>& time) {
  if (time) object[name] = time->seconds();
}

std::optional<JwtRefusal> check_times(const Claims& claims, WallTime now, const JwtPolicy& policy) {
  if (!claims.expires_at) return JwtRefusal::kNoExpiry;
  if (now >= *claims.expires_at + policy.leeway) return JwtRefusal::kExpired;
  if (claims.not_before && now + policy.leeway < *claims.not_before) return JwtRefusal::kNotYetValid;
  if (claims.issued_at && now + policy.leeway < *claims.issued_at) return JwtRefusal::kNotYetValid;
  bool has_lifetime_max = policy.lifetime_max != Duration::infinite();
  if (has_lifetime_max && *claims.expires_at > now + policy.lifetime_max + policy.leeway)
    return JwtRefusal::kLivesTooLong;
  return std::nullopt;
}

Result<std::string, JwtRefusal> sign(std::string_view payload, Bytes secret, std::size_t bytes_max) {
  if (secret.size() < kJwtSecretBytesMin) return refuse(JwtRefusal::kWeakSecret);
  std::string token = write_base64url(as_bytes(R"({"alg":"HS256","typ":"JWT"})"));
  token += '.';
  token += write_base64url(as_bytes(payload));
  Sha256Digest signature = hmac_sha256(secret, as_bytes(token));
  token += '.';
  token += write_base64url(signature);
  // What we sign must be what we take.
  STOA_TRY(UnverifiedJwt check, parse_jwt(token, bytes_max));
  return token;
}

}  // namespace

const char* name_of(JwtRefusal refusal) {
  static constexpr const char* kNames[] = {"too_long",      "malformed", "wrong_algorithm", "bad_header",
                                           "bad_claims",    "no_issuer", "weak_secret",     "bad_signature",
                                           "no_expiry",     "expired",   "not_yet_valid",   "lives_too_long",
                                           "wrong_audience"};
  return kNames[static_cast<std::size_t>(refusal)];
}

Result<UnverifiedJwt, JwtRefusal> parse_jwt(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) return refuse(JwtRefusal::kTooLong);
  std::size_t first_dot = text.find('.');
  if (first_dot == std::string_view::npos) return refuse(JwtRefusal::kMalformed);
  std::size_t second_dot = text.find('.', first_dot + 1);
  if (second_dot == std::string_view::npos) return refuse(JwtRefusal::kMalformed);

  std::optional<Buffer> header_bytes = parse_base64url(text.substr(0, first_dot));
  if (!header_bytes) return refuse(JwtRefusal::kMalformed);
  std::optional<json::object> header = parse_object(as_text(*header_bytes));
  if (!header) return refuse(JwtRefusal::kMalformed);
  if (std::optional<JwtRefusal> refusal = check_header(*header)) return refuse(*refusal);
  std::optional<Buffer> payload_bytes =
      parse_base64url(text.substr(first_dot + 1, second_dot - first_dot - 1));
  std::optional<Buffer> signature = parse_base64url(text.substr(second_dot + 1));
  if (!payload_bytes || !signature) return refuse(JwtRefusal::kMalformed);
  std::optional<json::object> payload = parse_object(as_text(*payload_bytes));
  if (!payload) return refuse(JwtRefusal::kMalformed);

  UnverifiedJwt token;
  if (!read_claims(*payload, token.claims_)) return refuse(JwtRefusal::kBadClaims);
  if (token.claims_.issuer.empty()) return refuse(JwtRefusal::kNoIssuer);
  token.claims_.payload = as_text(*payload_bytes);
  token.signing_input_ = text.substr(0, second_dot);
  token.signature_ = std::move(*signature);
  return token;
}

Result<Claims, JwtRefusal> verify_jwt(const UnverifiedJwt& token, Bytes secret, WallTime now,
                                      const JwtPolicy& policy) {
  if (secret.size() < kJwtSecretBytesMin) return refuse(JwtRefusal::kWeakSecret);
  Sha256Digest expected = hmac_sha256(secret, as_bytes(token.signing_input_));
  if (!is_equal_constant_time(expected, token.signature_)) return refuse(JwtRefusal::kBadSignature);
  const Claims& claims = token.claims_;
  if (std::optional<JwtRefusal> refusal = check_times(claims, now, policy)) return refuse(*refusal);
  bool is_for_us =
      policy.audience.empty() || claims.audience.empty() ||
      std::find(claims.audience.begin(), claims.audience.end(), policy.audience) != claims.audience.end();
  if (!is_for_us) return refuse(JwtRefusal::kWrongAudience);
  return claims;
}

Result<std::string, JwtRefusal> sign_jwt(const Claims& claims, Bytes secret) {
  json::object payload;
  payload["iss"] = claims.issuer;
  if (!claims.subject.empty()) payload["sub"] = claims.subject;
  if (!claims.id.empty()) payload["jti"] = claims.id;
  if (!claims.audience.empty()) payload["aud"] = array_of(claims.audience);
  payload["scope"] = array_of(claims.scopes);
  write_date(payload, "iat", claims.issued_at);
  write_date(payload, "nbf", claims.not_before);
  write_date(payload, "exp", claims.expires_at);

  return sign(json::serialize(payload), secret, kJwtBytesMax);
}

Result<std::string, JwtRefusal> sign_jwt_payload(std::string_view payload, Bytes secret) {
  return sign(payload, secret, kWideJwtBytesMax);
}

}  // namespace stoa::crypto
