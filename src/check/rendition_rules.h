// What several media playlists, and the multivariant that names them, say together.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "check/ledger.h"
#include "check/rendition.h"

namespace stoa::check {

void judge_multivariant(const std::string& name, const m3u8::MultivariantPlaylist& list, Ledger& ledger);

// RENDITION-REPORTs of one response of `self` (its newest list), against what is known of the others. `slack`
// is how long a report may lag behind what this judge has itself seen.
void judge_reports(const Rendition& self, const std::vector<Rendition>& all, const m3u8::MediaPlaylist& list,
                   Timestamp first_byte, Duration slack, Ledger& ledger);

// At the end of the run: L3, L13, X1, X2, and urgencies (T2).
void judge_together(const m3u8::MultivariantPlaylist* multivariant, const std::string& multivariant_url,
                    const std::vector<Rendition>& all, const std::map<std::string, InitRecord>& inits,
                    Ledger& ledger);

}  // namespace stoa::check
