// Lines of SDP, written. Inside this folder only: description.h and fragment.h are what others use.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "proto/sdp/description.h"
#include "proto/sdp/text.h"

namespace stoa::sdp {

// One line of its pieces: texts as they are, numbers in decimal.
template <typename... Pieces>
void append_line(std::string& out, const Pieces&... pieces) {
  auto append = [&](const auto& piece) {
    if constexpr (std::is_integral_v<std::decay_t<decltype(piece)>>) {
      append_number(out, static_cast<std::uint64_t>(piece));
    } else {
      out.append(piece);
    }
  };
  (append(pieces), ...);
  out.append("\r\n");
}

void append_bundle(const std::vector<std::string>& mids, std::string& out);
void append_ice(const IceCredentials& ice, std::string& out);
void append_ice_options(const IceOptions& options, std::string& out);
void append_media_line(const MediaSection& section, std::string& out);
// Candidates and the end of them.
void append_candidates(const std::vector<Candidate>& candidates, bool has_end, std::string& out);
std::string_view word_of(Direction direction);

}  // namespace stoa::sdp
