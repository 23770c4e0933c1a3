#include "proto/sdp/fragment.h"

#include <algorithm>

#include "proto/sdp/text.h"
#include "proto/sdp/writer.h"

namespace stoa::sdp {
namespace {

class FragmentReader {
 public:
  explicit FragmentReader(std::string_view text) : lines_(text) {}

  Result<Fragment, Fault> read() {
    if (auto outcome = read_lines(); !outcome) return refuse(Fault{outcome.error(), lines_.number()});
    return std::move(fragment_);
  }

 private:
  using Outcome = Result<void, Refusal>;

  bool is_at_head() const { return fragment_.sections.empty(); }

  Outcome read_lines() {
    bool has_blank = false;
    for (std::string_view line; lines_.next(line);) {
      if (line.size() > kLineBytesMax) return refuse(Refusal::kTooLarge);
      if (!has_no_controls(line)) return refuse(Refusal::kBadText);
      if (line.empty()) {
        has_blank = true;
        continue;
      }
      if (has_blank || line.size() < 2 || line[1] != '=') return refuse(Refusal::kBadLine);
      auto outcome = handle_line(line[0], line.substr(2));
      if (!outcome) return outcome;
    }
    return close_section();
  }

  Outcome handle_line(char type, std::string_view value) {
    if (type == 'a') return handle_attribute(value);
    if (type == 'm') return handle_media(value);
    // Some send the whole description's other lines along; they say nothing about candidates.
    return std::string_view("vosictb").find(type) == std::string_view::npos ? refuse(Refusal::kBadLine)
                                                                            : Outcome();
  }

  Outcome handle_media(std::string_view value) {
    if (auto outcome = close_section(); !outcome) return outcome;
    if (fragment_.sections.size() == kSectionsMax) return refuse(Refusal::kTooMany);
    Words words(value);
    bool is_media = is_token(words.take(), kNameBytesMax) && !words.take().empty() && !words.take().empty() &&
                    !words.take().empty();
    if (!is_media) return refuse(Refusal::kBadMediaLine);
    fragment_.sections.push_back({.media_line = std::string(value)});
    return {};
  }

  Outcome handle_attribute(std::string_view text) {
    auto [name, value, has_value] = split_at(text, ':');
    value = trim(value);
    if (name == "mid") return handle_mid(value);
    if (name == "ice-ufrag") return handle_ice(value, is_ice_ufrag(value), ufrag_);
    if (name == "ice-pwd") return handle_ice(value, is_ice_password(value), password_);
    if (name == "candidate") return handle_candidate(value);
    if (name == "ice-options") return handle_ice_options(value);
    if (name == "group") return handle_group(value);
    if (name == "ice-lite") fragment_.is_ice_lite = true;
    if (name == "end-of-candidates") {
      bool& flag =
          is_at_head() ? fragment_.has_end_of_candidates : fragment_.sections.back().has_end_of_candidates;
      flag = true;
    }
    return {};
  }

  Outcome handle_mid(std::string_view value) {
    if (is_at_head() || !is_token(value, kTokenBytesMax)) return refuse(Refusal::kBadMid);
    if (!fragment_.sections.back().mid.empty()) return refuse(Refusal::kDuplicate);
    for (const FragmentSection& section : fragment_.sections) {
      if (section.mid == value) return refuse(Refusal::kBadMid);
    }
    fragment_.sections.back().mid = value;
    return {};
  }

  static Outcome handle_ice(std::string_view value, bool is_good, std::string_view& word) {
    if (!is_good) return refuse(Refusal::kBadIce);
    if (!word.empty()) return refuse(Refusal::kDuplicate);
    word = value;
    return {};
  }

  Outcome handle_candidate(std::string_view value) {
    auto& candidates = is_at_head() ? fragment_.candidates : fragment_.sections.back().candidates;
    if (candidates.size() == kCandidatesMax) return refuse(Refusal::kTooMany);
    STOA_TRY(auto candidate, parse_candidate(value));
    if (candidate) candidates.push_back(std::move(*candidate));
    return {};
  }

  Outcome handle_ice_options(std::string_view value) {
    Words words(value);
    for (std::string_view option; words.next(option);) {
      if (option == "trickle") fragment_.ice_options.trickle = true;
      if (option == "ice2") fragment_.ice_options.ice2 = true;
      if (option == "renomination") fragment_.ice_options.renomination = true;
    }
    return {};
  }

  Outcome handle_group(std::string_view value) {
    Words words(value);
    if (words.take() != "BUNDLE" || !is_at_head()) return {};
    if (!fragment_.bundle.empty()) return refuse(Refusal::kDuplicate);
    for (std::string_view mid; words.next(mid);) {
      if (fragment_.bundle.size() == kSectionsMax) return refuse(Refusal::kTooMany);
      if (!is_token(mid, kTokenBytesMax)) return refuse(Refusal::kBadGroup);
      fragment_.bundle.emplace_back(mid);
    }
    return {};
  }

  // Also the end of the head.
  Outcome close_section() {
    if (ufrag_.empty() != password_.empty()) return refuse(Refusal::kBadIce);
    std::optional<IceCredentials> ice;
    if (!ufrag_.empty()) ice = IceCredentials{std::string(ufrag_), std::string(password_)};
    ufrag_ = password_ = {};
    if (is_at_head()) {
      fragment_.ice = std::move(ice);
      return {};
    }
    FragmentSection& section = fragment_.sections.back();
    if (section.mid.empty()) return refuse(Refusal::kBadMid);
    section.ice = ice ? std::move(ice) : fragment_.ice;
    section.has_end_of_candidates |= fragment_.has_end_of_candidates;
    return {};
  }

  Lines lines_;
  Fragment fragment_;
  std::string_view ufrag_, password_;
};

}  // namespace

Result<Fragment, Fault> parse_fragment(std::string_view text) {
  if (text.size() > kFragmentBytesMax) return refuse(Fault{Refusal::kTooLarge, 0});
  return FragmentReader(text).read();
}

std::string write(const Fragment& fragment) {
  std::string out;
  append_ice_options(fragment.ice_options, out);
  if (fragment.is_ice_lite) append_line(out, "a=ice-lite");
  if (!fragment.bundle.empty()) append_bundle(fragment.bundle, out);
  if (fragment.ice) append_ice(*fragment.ice, out);
  append_candidates(fragment.candidates, fragment.has_end_of_candidates, out);
  for (const FragmentSection& section : fragment.sections) {
    append_line(out, "m=", section.media_line);
    append_line(out, "a=mid:", section.mid);
    if (section.ice && section.ice != fragment.ice) append_ice(*section.ice, out);
    append_candidates(section.candidates, section.has_end_of_candidates && !fragment.has_end_of_candidates,
                      out);
  }
  return out;
}

std::vector<Candidate> Fragment::candidates_of(std::string_view mid) const {
  std::vector<Candidate> all;
  if (mid.empty()) all = candidates;
  for (const FragmentSection& section : sections) {
    if (!mid.empty() && section.mid != mid) continue;
    all.insert(all.end(), section.candidates.begin(), section.candidates.end());
  }
  return all;
}

std::optional<IceCredentials> Fragment::credentials() const {
  if (ice) return ice;
  for (const FragmentSection& section : sections) {
    if (section.ice) return section.ice;
  }
  return std::nullopt;
}

}  // namespace stoa::sdp
