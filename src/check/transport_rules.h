// What the head of a response says about the rules of transport and caching (T1 to T8, G17, G5).
#pragma once

#include <string>

#include "base/time.h"
#include "check/exchange.h"
#include "check/ledger.h"

namespace stoa::check {

enum class ResourceKind : std::uint8_t { kPlaylist, kMedia };

struct Circumstances {
  std::string name;  // In evidence.
  ResourceKind kind = ResourceKind::kPlaylist;
  std::string url;
  bool is_blocking = false;  // Carried _HLS_msn, or was a preload hint.
  bool asked_gzip = false;
  bool is_multivariant = false;
  Duration target_duration;  // Zero while unknown.
};

// Requires: exchange.status != 0.
void judge_transport(const Circumstances& circumstances, const Exchange& exchange, Ledger& ledger);

// The urgency of `priority: u=N`; 3 when u is absent, -1 when there is no such header (RFC 9218 §4.1).
int urgency_of(const Exchange& exchange);

}  // namespace stoa::check
