#include "stats.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace stoa::bench {

void Samples::add(double value) {
  if (seen_ % stride_ == 0) {
    if (values_.size() == kMaxSamples) {
      for (std::size_t i = 0; i < kMaxSamples / 2; ++i) values_[i] = values_[2 * i];
      values_.resize(kMaxSamples / 2);
      stride_ *= 2;
    }
    if (seen_ % stride_ == 0) values_.push_back(value);
  }
  max_ = seen_ == 0 ? value : std::max(max_, value);
  sum_ += value;
  ++seen_;
}

double Samples::percentile(double fraction) const {
  if (values_.empty()) return 0;
  if (fraction >= 1) return max_;
  std::vector<double> sorted = values_;
  auto rank = static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(sorted.size())));
  auto at = sorted.begin() + static_cast<std::ptrdiff_t>(rank == 0 ? 0 : rank - 1);
  std::nth_element(sorted.begin(), at, sorted.end());
  return *at;
}

void Json::quote(std::string_view text) {
  body_ += '"';
  for (char c : text) {
    char escaped[8];
    if (c == '"' || c == '\\') {
      body_ += '\\', body_ += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::snprintf(escaped, sizeof escaped, "\\u%04x", c);
      body_ += escaped;
    } else {
      body_ += c;
    }
  }
  body_ += '"';
}

void Json::key(std::string_view key) {
  if (!body_.empty()) body_ += ',';
  quote(key);
  body_ += ':';
}

Json& Json::number(std::string_view name, double value) {
  key(name);
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", std::isfinite(value) ? value : 0.0);
  body_ += text;
  return *this;
}

Json& Json::count(std::string_view name, std::uint64_t value) {
  key(name);
  body_ += std::to_string(value);
  return *this;
}

Json& Json::text(std::string_view name, std::string_view value) {
  key(name);
  quote(value);
  return *this;
}

Json& Json::boolean(std::string_view name, bool value) {
  key(name);
  body_ += value ? "true" : "false";
  return *this;
}

Json& Json::object(std::string_view name, const Json& value) {
  key(name);
  body_ += value.str();
  return *this;
}

Json& Json::samples(std::string_view name, const Samples& samples) {
  Json inner;
  inner.count("count", samples.count()).number("mean", samples.mean());
  inner.number("p50", samples.percentile(0.50)).number("p90", samples.percentile(0.90));
  inner.number("p95", samples.percentile(0.95)).number("p99", samples.percentile(0.99));
  inner.number("max", samples.max());
  return object(name, inner);
}

}  // namespace stoa::bench
