// The verdicts on paper: a line a rule for people, or JSON for programs.
#pragma once

#include <string>
#include <vector>

#include "base/time.h"
#include "check/ledger.h"

namespace stoa::check {

struct Report {
  std::string url;
  bool could_fetch = false;  // False: nothing could be judged at all.
  std::string problem;       // Why not.
  bool is_low_latency = false;
  Duration watched;
  std::uint64_t playlists = 0, reloads = 0, parts = 0, segments = 0;
  std::vector<RuleResult> results;

  int count(Verdict verdict) const;
  // 0: no M rule broken; 1: at least one; 2: the stream could not be fetched.
  int exit_code() const { return !could_fetch ? 2 : count(Verdict::kFail) ? 1 : 0; }
};

std::string write_text(const Report& report);
std::string write_json(const Report& report);

}  // namespace stoa::check
