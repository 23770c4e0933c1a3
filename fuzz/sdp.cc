// Descriptions from anywhere. What is read is read again as it was after writing; what can be answered gives
// an answer that both sides come to agree on; fragments and lone candidates likewise.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/bytes.h"
#include "proto/sdp/fragment.h"
#include "proto/sdp/negotiate.h"

namespace {

using namespace stoa;
using namespace stoa::sdp;

Local make_local() {
  Local local{.session_id = 1, .session_version = 1};
  local.ice = {"abcd", "0123456789012345678901"};
  local.is_ice_lite = true;
  local.candidates.push_back({.foundation = "1", .priority = 1, .address = "192.0.2.1", .port = 7882});
  local.fingerprints.push_back(make_fingerprint(HashFunction::kSha256, Buffer(32, 0x5a)));
  return local;
}

void check_rewritten(const SessionDescription& description) {
  std::string text = write(description);
  if (text.size() > kDescriptionBytesMax) return;  // What the session said stands in every section now.
  auto again = parse(text);
  STOA_ASSERT(again && *again == description);
  STOA_ASSERT(write(*again) == text);
}

void check_answered(const SessionDescription& offer) {
  MediaSupport audio = make_audio_support(), video = make_video_support();
  std::vector<SectionIntent> intents;
  for (const MediaSection& section : offer.sections) {
    SectionIntent intent;
    if (section.kind == MediaKind::kAudio) intent.media = &audio;
    if (section.kind == MediaKind::kVideo) intent.media = &video;
    if (section.kind == MediaKind::kData) intent.data = SctpParameters{};
    intents.push_back(intent);
  }
  auto answer = make_answer(offer, make_local(), intents);
  if (!answer) return;
  check_rewritten(*answer);
  auto ours = agree(offer, *answer, Side::kAnswerer);
  STOA_ASSERT(ours && ours->sections.size() + (ours->data ? 1 : 0) > 0);
  for (const AgreedSection& section : ours->sections) STOA_ASSERT(!section.codecs.empty());
  auto theirs = agree(offer, *answer, Side::kOfferer);
  STOA_ASSERT(theirs && theirs->dtls_role != ours->dtls_role);
  STOA_ASSERT(theirs->sections.size() == ours->sections.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text = as_text(Bytes(data, size));
  std::size_t cut = text.find('\0');
  auto first = parse(text.substr(0, cut));
  if (first) {
    check_rewritten(*first);
    check_answered(*first);
  }
  // Behind a NUL: an answer to the first, whatever it is.
  auto second = parse(cut == std::string_view::npos ? std::string_view() : text.substr(cut + 1));
  if (first && second) {
    auto ours = agree(*first, *second, Side::kOfferer), theirs = agree(*first, *second, Side::kAnswerer);
    if (ours && theirs) STOA_ASSERT(ours->sections.size() == theirs->sections.size());
  }
  if (auto fragment = parse_fragment(text)) {
    auto again = parse_fragment(write(*fragment));
    STOA_ASSERT(again && *again == *fragment);
  }
  if (auto candidate = parse_candidate(text); candidate && *candidate) {
    auto again = parse_candidate(write_candidate(**candidate));
    STOA_ASSERT(again && *again == *candidate);
  }
  return 0;
}
