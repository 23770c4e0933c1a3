// What one media playlist, and two of them in a row, say about the rules. Text only; media and time are
// judged elsewhere.
#pragma once

#include <string>
#include <string_view>

#include "check/ledger.h"
#include "proto/m3u8/playlist.h"

namespace stoa::check {

// How far two durations may differ and still be called the same: playlists print milliseconds.
inline constexpr Duration kDurationSlack = Duration::milliseconds(2);

// Notes every problem of the grammar under the rule it belongs to.
void judge_problems(const std::string& name, const std::vector<m3u8::Problem>& problems,
                    std::string_view text, Ledger& ledger);

// One response as it came (full or delta). `name` is how the playlist is called in evidence.
void judge_media_playlist(const std::string& name, const m3u8::MediaPlaylist& list, Ledger& ledger);

// Two playlists of one URL, the earlier one first; deltas made whole before.
void judge_change(const std::string& name, const m3u8::MediaPlaylist& before,
                  const m3u8::MediaPlaylist& after, Ledger& ledger);

// A delta update made whole with what was known before (§6.2.5.1). Breaches go under D10; std::nullopt when
// the delta cannot be applied.
std::optional<m3u8::MediaPlaylist> apply_delta(const std::string& name, const m3u8::MediaPlaylist& before,
                                               const m3u8::MediaPlaylist& delta, Ledger& ledger);

// Segments that a delta update must skip, at least: those that lie beyond the boundary by every reading.
std::uint64_t count_skippable(const m3u8::MediaPlaylist& list);

}  // namespace stoa::check
