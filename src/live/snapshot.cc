#include "live/snapshot.h"

#include <algorithm>

namespace stoa::live {

const Segment* Rendition::find_segment(std::uint64_t media_sequence_number) const {
  if (retained.empty()) return nullptr;
  // Numbers rise by one, so the place is known.
  std::uint64_t first = retained.front()->media_sequence_number;
  if (media_sequence_number < first || media_sequence_number - first >= retained.size()) return nullptr;
  return retained[media_sequence_number - first].get();
}

const Part* Rendition::find_part(std::uint64_t number) const {
  auto first_after = std::ranges::upper_bound(retained, number, {}, [](const auto& segment) {
    // Segments without parts stand only at the end.
    return segment->parts.empty() ? ~std::uint64_t{0} : segment->parts.front().number;
  });
  if (first_after == retained.begin()) return nullptr;
  const Segment& segment = **(first_after - 1);
  if (segment.parts.empty()) return nullptr;
  std::uint64_t index = number - segment.parts.front().number;
  return index < segment.parts.size() ? &segment.parts[index] : nullptr;
}

const InitSection* Rendition::find_init(std::uint64_t number) const {
  auto found = std::ranges::find(init_sections, number, &InitSection::number);
  return found == init_sections.end() ? nullptr : &*found;
}

const char* name_of(ChannelState state) {
  switch (state) {
    case ChannelState::kOffline: return "offline";
    case ChannelState::kLive: return "live";
    case ChannelState::kInterrupted: return "interrupted";
    case ChannelState::kEnded: return "ended";
  }
  return "?";
}

const Rendition* ChannelSnapshot::find_rendition(std::string_view name) const {
  auto found =
      std::ranges::find_if(renditions, [&](const auto& rendition) { return rendition->name == name; });
  return found == renditions.end() ? nullptr : found->get();
}

}  // namespace stoa::live
