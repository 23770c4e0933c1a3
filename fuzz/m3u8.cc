// Playlists from anywhere: parsing ends, keeps its limits, and what the judge makes of it ends, too.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/bytes.h"
#include "check/ledger.h"
#include "check/playlist_rules.h"
#include "proto/m3u8/playlist.h"

// Two playlists, split at the first NUL: the second is judged as the reload of the first.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stoa;
  std::string_view text = stoa::as_text(stoa::Bytes(data, size));
  std::size_t cut = text.find('\0');
  std::string_view first = text.substr(0, cut);
  std::string_view second = cut == std::string_view::npos ? std::string_view() : text.substr(cut + 1);
  std::map<std::string, std::string, std::less<>> imports{{"host", "h"}};
  auto before = m3u8::parse_media(first, {.imports = &imports, .query = "t=1"});
  auto after = m3u8::parse_media(second, {.imports = &imports, .query = "t=1"});
  STOA_ASSERT(before.problems.size() <= m3u8::kProblemsMax);
  check::Ledger ledger;
  check::judge_problems("a", before.problems, first, ledger);
  check::judge_media_playlist("a", before.playlist, ledger);
  check::judge_media_playlist("a", after.playlist, ledger);
  check::count_skippable(after.playlist);
  if (!after.playlist.skip) {
    check::judge_change("a", before.playlist, after.playlist, ledger);
  } else if (!before.playlist.skip) {
    if (auto whole = check::apply_delta("a", before.playlist, after.playlist, ledger)) {
      check::judge_change("a", before.playlist, *whole, ledger);
    }
  }
  m3u8::kind_of(first);
  m3u8::parse_multivariant(first, {.query = "t=1"});
  return 0;
}
