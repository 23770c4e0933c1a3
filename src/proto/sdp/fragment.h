// Trickled candidates between two HTTP peers: application/trickle-ice-sdpfrag (RFC 8840 §9), as WHIP and
// WHEP carry it in PATCH (RFC 9725 §4.3). A fragment with other credentials than the session's asks for an
// ICE restart; the answer to that is a fragment, too.
//
// Candidates stand below an m= line, which says nothing where there is one transport. Some clients leave it
// out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "proto/sdp/ice.h"
#include "proto/sdp/limits.h"
#include "proto/sdp/refusal.h"

namespace stoa::sdp {

inline constexpr std::string_view kFragmentMediaType = "application/trickle-ice-sdpfrag";

struct FragmentSection {
  std::string media_line;  // Behind "m=": only there to follow the grammar.
  std::string mid;
  std::optional<IceCredentials> ice;  // Its own, or those of the fragment's head.
  std::vector<Candidate> candidates;
  bool has_end_of_candidates = false;  // Its own, or that of the fragment's head.
  bool operator==(const FragmentSection&) const = default;
};

struct Fragment {
  std::vector<std::string> bundle;
  std::optional<IceCredentials> ice;  // Of the head.
  IceOptions ice_options;
  bool is_ice_lite = false;
  std::vector<Candidate> candidates;   // Of the head: before, or without, any m= line.
  bool has_end_of_candidates = false;  // Of the head: no section will get more.
  std::vector<FragmentSection> sections;
  bool operator==(const Fragment&) const = default;

  // What BUNDLE makes of it: one transport. All candidates, in order, of the section `mid`, or of the head
  // and all sections when it is empty.
  std::vector<Candidate> candidates_of(std::string_view mid) const;
  // The credentials that the fragment speaks of, wherever they stand; std::nullopt when none.
  std::optional<IceCredentials> credentials() const;
};

// Refuses, beside wrong text, a section without a=mid: RFC 8840 §9 has it there.
Result<Fragment, Fault> parse_fragment(std::string_view text);
std::string write(const Fragment& fragment);

}  // namespace stoa::sdp
