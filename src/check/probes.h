// Deliberate requests beside the ones a player makes: each asks for an answer that a rule prescribes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "check/exchange.h"
#include "check/ledger.h"
#include "check/rendition.h"

namespace stoa::check {

enum class ProbeKind : std::uint8_t {
  kPartWithoutMsn,    // D7: 400.
  kBadMsn,            // D7: a value that is no number, 400.
  kFarMsn,            // D6: 400 at once.
  kFarPart,           // D6: 400 at once.
  kOldMsn,            // D4: the oldest listed segment, at once.
  kGoneMsn,           // D4: a removed segment, at once.
  kNextSegment,       // D1: holds until the segment is complete.
  kBeyondLast,        // D3: part n of a segment with n parts.
  kUnknownPart,       // D9: 404.
  kUnknownPlaylist,   // D9: 404.
  kRepeat,            // D12: no directives; the same body at the same edge.
  kUnknownDirective,  // D11: likewise with _HLS_ directives nobody knows.
  kSkipNotOffered,    // D10: _HLS_skip where CAN-SKIP-UNTIL is absent.
  kHead,              // T7.
  kIdentity,          // G17, T7: without Accept-Encoding.
  kRange,             // T3.
  kReport,            // L12: the playlist that a report names has what it says.
  kEnded,             // D5: directives after ENDLIST.
  kRemovedSegment,    // G11.
  kRemovedPart,       // L7.
};
// In the order in which they are made, once for each rendition. The last two come when something is removed.
const std::vector<ProbeKind>& routine_probes();

struct Probe {
  ProbeKind kind;
  std::string url;
  bool is_head = false, wants_gzip = false;
  std::vector<HeaderField> headers;
  std::uint64_t msn = 0;  // What was asked for.
  std::uint64_t part = 0;
  std::uint64_t length = 0;  // kRange: bytes asked for.
  std::string name;          // In evidence.
};

// std::nullopt while the rendition gives no occasion for it.
std::optional<Probe> make_probe(ProbeKind kind, const Rendition& rendition);

// `prompt` is how long an answer "at once" may take.
void judge_probe(const Probe& probe, const Exchange& exchange, Rendition& rendition, Duration prompt,
                 Ledger& ledger);

// Does the playlist list part `part` of segment `msn`, or something later? (§6.2.5.2, also D3.)
bool has_reached(const m3u8::MediaPlaylist& list, std::uint64_t msn, std::uint64_t part);
bool has_reached_segment(const m3u8::MediaPlaylist& list, std::uint64_t msn);

// Remembers a full response under its edge; a different body at the same edge breaks `rule`.
void judge_same_body(const std::string& name, const m3u8::MediaPlaylist& list, std::string_view text,
                     Rule rule, Rendition& rendition, Ledger& ledger);

}  // namespace stoa::check
