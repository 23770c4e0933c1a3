// Lines, the session level, and what holds between sections.
#include <algorithm>
#include <array>

#include "proto/sdp/reader.h"

namespace stoa::sdp {
namespace {

constexpr std::uint64_t kKilobitsMax = 1'000'000'000;  // A terabit a second: the product still fits.

// "IN IP4 192.0.2.1/127": the address without its time to live; empty when it is none.
std::string_view read_address(Words& words) {
  std::string_view net = words.take(), type = words.take(), address = words.take();
  bool is_known = net == "IN" && (type == "IP4" || type == "IP6") && words.take().empty();
  address = split_at(address, '/').first;
  return is_known && is_visible(address, kHostBytesMax) ? address : std::string_view();
}

}  // namespace

Result<SessionDescription, Fault> parse(std::string_view text) { return Reader(text).read(); }

Result<SessionDescription, Fault> Reader::read() {
  if (text_.size() > kDescriptionBytesMax) return refuse(Fault{Refusal::kTooLarge, 0});
  if (auto outcome = read_lines(); !outcome) return refuse(Fault{outcome.error(), line_});
  return std::move(description_);
}

Reader::Outcome Reader::read_lines() {
  bool has_blank = false;
  std::string_view line;
  while (lines_.next(line)) {
    line_ = lines_.number();
    if (line.size() > kLineBytesMax) return refuse(Refusal::kTooLarge);
    if (!has_no_controls(line)) return refuse(Refusal::kBadText);
    if (line.empty()) {
      has_blank = true;  // Only at the end: some append a line end too many.
      continue;
    }
    if (has_blank || line.size() < 2 || line[1] != '=') return refuse(Refusal::kBadLine);
    if ((line_ == 1) != (line[0] == 'v')) return refuse(Refusal::kMisplacedLine);
    if (auto outcome = handle_line(line[0], line.substr(2)); !outcome) return outcome;
  }
  if (auto outcome = close_section(); !outcome) return outcome;
  return close_session();
}

Reader::Outcome Reader::handle_line(char type, std::string_view value) {
  switch (type) {
    case 'a': return handle_attribute(value);
    case 'm': return handle_media(value);
    case 'c': return handle_connection(value);
    case 'b': return handle_bandwidth(value);
    case 'i':
    case 'k': return {};
    default: break;
  }
  if (!is_at_session())
    return refuse(std::string_view("osuptrze").find(type) == std::string_view::npos
                      ? Refusal::kBadLine
                      : Refusal::kMisplacedLine);
  return handle_session_line(type, value);
}

Reader::Outcome Reader::handle_session_line(char type, std::string_view value) {
  switch (type) {
    case 'v': return value == "0" ? Outcome() : refuse(Refusal::kBadVersion);
    case 'o': return handle_origin(value);
    case 't': return handle_time(value);
    case 's':
      if (std::exchange(has_name_, true)) return refuse(Refusal::kMisplacedLine);
      if (value.size() > kTokenBytesMax) return refuse(Refusal::kTooLarge);
      if (!trim(value).empty()) description_.session_name = value;
      return {};
    case 'u':
    case 'e':
    case 'p':
    case 'r':
    case 'z': return {};
    default: return refuse(Refusal::kBadLine);
  }
}

Reader::Outcome Reader::handle_attribute(std::string_view text) {
  auto [name, value, has_value] = split_at(text, ':');
  const Attribute* attribute = find_attribute(name);
  if (!attribute || !(is_at_session() ? attribute->at_session : attribute->at_media)) return {};
  return (this->*attribute->handle)(trim(value));
}

Reader::Outcome Reader::handle_origin(std::string_view value) {
  if (std::exchange(has_origin_, true)) return refuse(Refusal::kMisplacedLine);
  Words words(value);
  std::string_view user = words.take(), id = words.take(), version = words.take();
  std::string_view address = read_address(words);
  if (!is_visible(user, kTokenBytesMax) || address.empty() ||
      !read_number(id, description_.session_id, UINT64_MAX) ||
      !read_number(version, description_.session_version, UINT64_MAX)) {
    return refuse(Refusal::kBadOrigin);
  }
  description_.user_name = user;
  description_.origin_address = address;
  return {};
}

Reader::Outcome Reader::handle_time(std::string_view value) {
  has_time_ = true;
  Words words(value);
  bool is_time = parse_number(words.take()) && parse_number(words.take()) && words.take().empty();
  return is_time ? Outcome() : refuse(Refusal::kBadTime);
}

Reader::Outcome Reader::handle_connection(std::string_view value) {
  Words words(value);
  std::string_view address = read_address(words);
  if (address.empty()) return refuse(Refusal::kBadConnection);
  if (section().connection_address.empty()) section().connection_address = address;
  return {};
}

Reader::Outcome Reader::handle_bandwidth(std::string_view value) {
  auto [type, number, has_number] = split_at(value, ':');
  if (!has_number || !is_token(type, kNameBytesMax)) return refuse(Refusal::kBadBandwidth);
  bool is_as = type == "AS", is_tias = type == "TIAS";
  if (!is_as && !is_tias) return {};
  auto amount = parse_number(trim(number), is_as ? kKilobitsMax : kKilobitsMax * 1000);
  if (!amount) return refuse(Refusal::kBadBandwidth);
  (is_as ? section().bandwidth.as_kbps : section().bandwidth.tias_bps) = amount;
  return {};
}

Reader::Outcome Reader::handle_group(std::string_view value) {
  Words words(value);
  if (words.take() != "BUNDLE") return {};
  std::vector<std::string> mids;
  for (std::string_view mid; words.next(mid);) {
    if (mids.size() == kSectionsMax) return refuse(Refusal::kTooMany);
    if (!is_token(mid, kTokenBytesMax)) return refuse(Refusal::kBadGroup);
    mids.emplace_back(mid);
  }
  if (mids.empty()) return {};  // Chromium's answer that accepts nothing.
  if (description_.bundles.size() == kGroupsMax) return refuse(Refusal::kTooMany);
  description_.bundles.push_back(std::move(mids));
  bundle_lines_.push_back(line_);
  return {};
}

Reader::Outcome Reader::handle_ice_lite(std::string_view value) {
  if (!value.empty()) return refuse(Refusal::kBadIce);
  description_.is_ice_lite = true;
  return {};
}

Reader::Outcome Reader::close_session() {
  line_ = 0;
  if (!has_origin_ || !has_name_ || !has_time_) return refuse(Refusal::kMissingLine);
  if (auto outcome = check_mids(); !outcome) return outcome;
  if (auto outcome = check_bundles(); !outcome) return outcome;
  return check_sources();
}

Reader::Outcome Reader::check_mids() {
  std::vector<std::pair<std::string_view, std::uint32_t>> mids;
  for (std::size_t i = 0; i < description_.sections.size(); ++i) {
    const std::string& mid = description_.sections[i].mid;
    if (!mid.empty()) mids.emplace_back(mid, section_lines_[i]);
  }
  std::sort(mids.begin(), mids.end());
  auto twice =
      std::adjacent_find(mids.begin(), mids.end(), [](auto& a, auto& b) { return a.first == b.first; });
  if (twice == mids.end()) return {};
  line_ = (twice + 1)->second;
  return refuse(Refusal::kBadMid);
}

Reader::Outcome Reader::check_bundles() {
  std::vector<std::string_view> known, bundled;
  for (const MediaSection& section : description_.sections) known.push_back(section.mid);
  std::sort(known.begin(), known.end());
  for (std::size_t i = 0; i < description_.bundles.size(); ++i) {
    line_ = bundle_lines_[i];
    for (std::string_view mid : description_.bundles[i]) {
      if (!std::binary_search(known.begin(), known.end(), mid)) return refuse(Refusal::kBadGroup);
      bundled.push_back(mid);
      if (bundled.size() > known.size()) return refuse(Refusal::kBadGroup);
    }
  }
  std::sort(bundled.begin(), bundled.end());
  bool is_twice = std::adjacent_find(bundled.begin(), bundled.end()) != bundled.end();
  return is_twice ? refuse(Refusal::kBadGroup) : Outcome();
}

Reader::Outcome Reader::check_sources() {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> sources;
  for (std::size_t i = 0; i < description_.sections.size(); ++i) {
    for (const Source& source : description_.sections[i].sources)
      sources.emplace_back(source.ssrc, section_lines_[i]);
  }
  std::sort(sources.begin(), sources.end());
  auto twice =
      std::adjacent_find(sources.begin(), sources.end(), [](auto& a, auto& b) { return a.first == b.first; });
  if (twice == sources.end()) return {};
  line_ = (twice + 1)->second;
  return refuse(Refusal::kBadSource);
}

}  // namespace stoa::sdp
