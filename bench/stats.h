// Samples, their percentiles, and results as JSON that scripts and docs/benchmarks.md are made from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::bench {

// Keeps every sample up to kMaxSamples, then every second, every fourth, … so that a long run stays bounded
// while percentiles stay those of the whole run.
class Samples {
 public:
  static constexpr std::size_t kMaxSamples = 1 << 20;

  void add(double value);
  std::uint64_t count() const { return seen_; }
  bool empty() const { return seen_ == 0; }
  double mean() const { return seen_ == 0 ? 0 : sum_ / static_cast<double>(seen_); }
  double max() const { return max_; }
  // Nearest rank; `fraction` in (0, 1]. 0 when there are no samples.
  double percentile(double fraction) const;

 private:
  std::vector<double> values_;
  std::uint64_t seen_ = 0, stride_ = 1;
  double sum_ = 0, max_ = 0;
};

// Writes one flat or nested JSON object, in the order of the calls.
class Json {
 public:
  Json& number(std::string_view key, double value);
  Json& count(std::string_view key, std::uint64_t value);
  Json& text(std::string_view key, std::string_view value);
  Json& boolean(std::string_view key, bool value);
  Json& object(std::string_view key, const Json& value);
  // {"count":…, "mean":…, "p50":…, "p90":…, "p95":…, "p99":…, "max":…}
  Json& samples(std::string_view key, const Samples& samples);
  std::string str() const { return "{" + body_ + "}"; }

 private:
  void quote(std::string_view text);
  void key(std::string_view key);
  std::string body_;
};

}  // namespace stoa::bench
