#include "check/transport_rules.h"

#include <algorithm>
#include <optional>

#include "base/letters.h"
#include "check/url.h"
#include "proto/m3u8/lexer.h"

namespace stoa::check {
namespace {

bool has_word(std::string_view list, std::string_view word) {
  return lower(list).find(lower(word)) != std::string::npos;
}

std::optional<std::uint64_t> max_age_of(std::string_view cache_control) {
  std::string text = lower(cache_control);
  std::size_t at = text.find("max-age=");
  if (at == std::string::npos) return std::nullopt;
  std::string_view digits = std::string_view(text).substr(at + 8);
  return m3u8::parse_decimal(digits.substr(0, digits.find_first_not_of("0123456789")));
}

bool came_through_cache(const Exchange& exchange) {
  return exchange.has_header("via") || exchange.has_header("x-cache") ||
         exchange.has_header("cf-cache-status") || exchange.has_header("x-cache-status");
}

// Appendix B.1.
void judge_cache_control(const Circumstances& about, const Exchange& exchange, Ledger& ledger) {
  if (about.target_duration <= Duration() || about.is_multivariant) return;
  std::string_view value = exchange.header("cache-control");
  auto age = max_age_of(value);
  Duration advice;
  bool is_success = exchange.status >= 200 && exchange.status < 300;
  bool is_playlist = about.kind == ResourceKind::kPlaylist;
  if (exchange.status == 400) {
    ledger.expect(Rule::kT6, !age || *age <= 1 || has_word(value, "no-store"), about.name,
                  " 400 may be cached for ", age.value_or(0), " s, longer than it is true");
    return;
  }
  if (is_success) {
    advice = !is_playlist || about.is_blocking ? about.target_duration * 6 : about.target_duration / 2;
  } else if (exchange.status == 404 || exchange.status == 410 || exchange.status == 503) {
    advice = about.is_blocking && is_playlist ? about.target_duration * 4 : about.target_duration;
  } else {
    return;
  }
  if (is_success && (!is_playlist || about.is_blocking)) {
    ledger.expect(
        Rule::kT6,
        age && Duration::seconds(static_cast<std::int64_t>(std::min<std::uint64_t>(*age, 1u << 30))) * 2 >=
                   advice,
        about.name, " Cache-Control \"", value, "\", about ", advice, " s are advised");
  }
  bool may_last = is_success && !is_playlist;  // Media never changes, longer is fine.
  if (age && !may_last) {
    Duration given = Duration::seconds(static_cast<std::int64_t>(std::min<std::uint64_t>(*age, 1u << 30)));
    ledger.expect(Rule::kT6, given <= std::max(advice * 2, Duration::seconds(1)), about.name,
                  " Cache-Control \"", value, "\", no more than ", advice, " s are advised");
  }
}

void judge_type(const Circumstances& about, const Exchange& exchange, Ledger& ledger) {
  if (about.kind == ResourceKind::kPlaylist) {
    std::string type = lower(exchange.header("content-type"));
    type = type.substr(0, type.find(';'));
    bool is_right = type == "application/vnd.apple.mpegurl";
    bool is_named = Url::parse(about.url).path.ends_with(".m3u8") || is_right || type == "audio/mpegurl";
    ledger.require(Rule::kT7, is_named, about.name, " Content-Type \"", type, "\" and no .m3u8 path");
    ledger.expect(Rule::kT7, is_right, about.name, " Content-Type \"", type,
                  "\", not application/vnd.apple.mpegurl");
    if (exchange.has_header("content-encoding")) {
      ledger.expect(Rule::kT7, has_word(exchange.header("vary"), "accept-encoding"), about.name,
                    " is compressed without Vary: Accept-Encoding");
    }
    if (about.asked_gzip) {
      ledger.expect(Rule::kG17, exchange.header("content-encoding") == "gzip", about.name,
                    " is not compressed");
    }
  }
  ledger.expect(Rule::kT7, exchange.has_header("access-control-allow-origin"), about.name,
                " has no Access-Control-Allow-Origin");
  std::string_view exposed = exchange.header("access-control-expose-headers");
  bool is_exposed = exposed == "*" || (has_word(exposed, "age") && has_word(exposed, "date"));
  ledger.expect(Rule::kT7, is_exposed, about.name, " does not expose Age and Date to scripts");
}

}  // namespace

int urgency_of(const Exchange& exchange) {
  if (!exchange.has_header("priority")) return -1;
  std::string_view value = exchange.header("priority");
  std::size_t at = value.find("u=");
  if (at == std::string_view::npos || at + 2 >= value.size()) return 3;
  char digit = value[at + 2];
  return digit >= '0' && digit <= '7' ? digit - '0' : 3;
}

void judge_transport(const Circumstances& about, const Exchange& exchange, Ledger& ledger) {
  ledger.require(Rule::kT1, exchange.http_version >= 20, about.name, " came over HTTP/1.",
                 exchange.http_version == 10 ? 0 : 1);
  judge_cache_control(about, exchange, ledger);
  if (!exchange.tls.empty())
    ledger.expect(Rule::kT4, exchange.tls == "TLSv1.3", about.name, " came over ", exchange.tls);
  bool has_age = exchange.has_header("age");
  if (came_through_cache(exchange)) {
    ledger.expect(Rule::kT5, has_age, about.name, " came through a cache that tells no Age");
  } else {
    ledger.require(Rule::kT8, !has_age, about.name, " carries Age: ", exchange.header("age"),
                   " though no cache shows itself");
  }
  bool is_success = exchange.status == 200 || exchange.status == 206;
  if (!is_success) return;
  judge_type(about, exchange, ledger);
  if (about.kind == ResourceKind::kPlaylist) {
    ledger.require(Rule::kG5, !exchange.is_cut, about.name, " broke off after ", exchange.body.size(),
                   " bytes");
  }
  if (exchange.http_version < 20) return;
  int urgency = urgency_of(exchange);
  if (exchange.http_version >= 30) {
    ledger.require(Rule::kT2, urgency >= 0, about.name, " over HTTP/3 carries no priority");
  } else {
    ledger.expect(Rule::kT2, urgency >= 0, about.name, " carries no priority");
  }
  if (urgency < 0) return;
  bool is_playlist = about.kind == ResourceKind::kPlaylist;
  ledger.expect(Rule::kT2, is_playlist ? urgency == 1 : urgency >= 2 && urgency <= 6, about.name,
                " has urgency ", urgency, is_playlist ? ", playlists have 1" : ", media has 2 to 6");
}

}  // namespace stoa::check
