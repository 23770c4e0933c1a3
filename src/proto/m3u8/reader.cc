#include "proto/m3u8/reader.h"

#include <algorithm>
#include <array>

namespace stoa::m3u8 {
namespace {

constexpr std::array<std::string_view, 25> kMediaTags = {"EXTINF",
                                                         "EXT-X-BYTERANGE",
                                                         "EXT-X-DISCONTINUITY",
                                                         "EXT-X-KEY",
                                                         "EXT-X-MAP",
                                                         "EXT-X-PROGRAM-DATE-TIME",
                                                         "EXT-X-GAP",
                                                         "EXT-X-BITRATE",
                                                         "EXT-X-PART",
                                                         "EXT-X-DATERANGE",
                                                         "EXT-X-SKIP",
                                                         "EXT-X-PRELOAD-HINT",
                                                         "EXT-X-RENDITION-REPORT",
                                                         "EXT-X-TARGETDURATION",
                                                         "EXT-X-MEDIA-SEQUENCE",
                                                         "EXT-X-DISCONTINUITY-SEQUENCE",
                                                         "EXT-X-ENDLIST",
                                                         "EXT-X-PLAYLIST-TYPE",
                                                         "EXT-X-I-FRAMES-ONLY",
                                                         "EXT-X-PART-INF",
                                                         "EXT-X-SERVER-CONTROL",
                                                         "EXT-X-ALLOW-CACHE",
                                                         "EXT-X-CUE-OUT",
                                                         "EXT-X-CUE-IN",
                                                         "EXT-X-CUE-OUT-CONT"};
constexpr std::array<std::string_view, 6> kMultivariantTags = {
    "EXT-X-MEDIA",        "EXT-X-STREAM-INF",  "EXT-X-I-FRAME-STREAM-INF",
    "EXT-X-SESSION-DATA", "EXT-X-SESSION-KEY", "EXT-X-CONTENT-STEERING"};

bool is_variable_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

std::optional<std::string> find_query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    std::size_t end = query.find('&');
    std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos && percent_decode(pair.substr(0, equals)) == name) {
      return percent_decode(pair.substr(equals + 1));
    }
  }
  return std::nullopt;
}

Item split(std::string_view line, int number) {
  Item item{.line = number, .tag = {}, .value = {}, .has_value = false};
  if (!line.starts_with("#EXT")) {
    item.value = line;
    return item;
  }
  std::size_t colon = line.find(':');
  item.tag = line.substr(1, colon == std::string_view::npos ? colon : colon - 1);
  if (colon != std::string_view::npos) {
    item.value = line.substr(colon + 1);
    item.has_value = true;
  }
  return item;
}

}  // namespace

bool is_media_tag(std::string_view tag) {
  return std::find(kMediaTags.begin(), kMediaTags.end(), tag) != kMediaTags.end();
}
bool is_multivariant_tag(std::string_view tag) {
  return std::find(kMultivariantTags.begin(), kMultivariantTags.end(), tag) != kMultivariantTags.end();
}

Reader::Reader(std::string_view text, const Surroundings& surroundings, Kind kind,
               std::vector<Problem>& problems)
    : lines_({}), surroundings_(surroundings), kind_(kind), problems_(problems) {
  if (text.size() > kPlaylistBytesMax) {
    problem(Refusal::kTooLarge, 1, "", "more than 8 MiB");
    is_readable_ = false;
    return;
  }
  if (text.starts_with("\xef\xbb\xbf")) {
    problem(Refusal::kByteOrderMark, 1, "", "begins with a byte order mark");
    text.remove_prefix(3);
  }
  is_readable_ = check_text(text);
  lines_ = Lines(text);
  std::string_view first;
  if (is_readable_ && (!lines_.next(first) || first != "#EXTM3U")) {
    problem(Refusal::kNoHeader, 1, "EXTM3U", "the first line is not #EXTM3U");
    is_readable_ = first.starts_with("#EXT");
  }
}

bool Reader::check_text(std::string_view text) {
  if (is_utf8(text) && text.find('\0') == std::string_view::npos) return true;
  int number = 0;
  std::string_view line;
  for (Lines lines(text); lines.next(line);) {
    if (!is_utf8(line) || line.find('\0') != std::string_view::npos) {
      number = lines.number();
      break;
    }
  }
  problem(Refusal::kNotUtf8, number, "", "not UTF-8 text");
  return false;
}

bool Reader::next(Item& item) {
  std::string_view line;
  while (is_readable_ && lines_.next(line)) {
    if (static_cast<std::size_t>(lines_.number()) > kLinesMax) {
      problem(Refusal::kTooLarge, lines_.number(), "", "more than 200000 lines");
      return is_readable_ = false;
    }
    if (line.empty() || (line.front() == '#' && !line.starts_with("#EXT"))) continue;
    item = split(line, lines_.number());
    if (item.tag.empty()) {
      bool used = false;
      if (!variables_.substitute(item.value, used)) {
        problem(Refusal::kUndefinedVariable, item.line, "", "a variable in a URI is not defined");
      }
      if (used) need_version(8, "variable substitution", item.line);
      return true;
    }
    if (handle_shared_tag(item)) continue;
    bool is_foreign = kind_ == Kind::kMedia ? is_multivariant_tag(item.tag) : is_media_tag(item.tag);
    if (is_foreign) {
      problem(Refusal::kMixedTags, item, "belongs to the other kind of playlist");
      continue;
    }
    return true;
  }
  return false;
}

void Reader::problem(Refusal refusal, const Item& item, std::string detail) {
  problem(refusal, item.line, item.tag, std::move(detail));
}
void Reader::problem(Refusal refusal, int line, std::string tag, std::string detail) {
  if (problems_.size() < kProblemsMax)
    problems_.push_back({refusal, line, std::move(tag), std::move(detail)});
}

void Reader::need_version(int version, std::string reason, int line) {
  if (version > version_floor_.version) version_floor_ = {version, std::move(reason), line};
}

bool Reader::handle_shared_tag(const Item& item) {
  if (item.tag == "EXTM3U") {
    problem(Refusal::kDuplicateTag, item, "stands once, on the first line");
  } else if (item.tag == "EXT-X-VERSION") {
    if (version_line_) problem(Refusal::kDuplicateTag, item, "a second VERSION");
    auto version = parse_decimal(item.value);
    if (!version || *version < 1 || *version > 1'000) {
      problem(Refusal::kBadValue, item, "not a version number");
    } else if (!version_line_) {
      version_ = static_cast<int>(*version);
    }
    version_line_ = item.line;
  } else if (item.tag == "EXT-X-INDEPENDENT-SEGMENTS") {
    if (has_independent_segments_) problem(Refusal::kDuplicateTag, item, "stands once");
    has_independent_segments_ = true;
  } else if (item.tag == "EXT-X-START") {
    AttributeList list = attributes(item);
    const Attribute* offset = list.find("TIME-OFFSET");
    if (has_start_) problem(Refusal::kDuplicateTag, item, "stands once");
    has_start_ = true;
    if (!offset) {
      problem(Refusal::kMissingAttribute, item, "TIME-OFFSET");
    } else if (!parse_signed_seconds(offset->value)) {
      problem(Refusal::kBadValue, item, "TIME-OFFSET");
    }
  } else if (item.tag == "EXT-X-DEFINE") {
    handle_define(item);
  } else {
    return false;
  }
  return true;
}

void Reader::handle_define(const Item& item) {
  need_version(8, "EXT-X-DEFINE", item.line);
  AttributeList list = attributes(item);
  const Attribute* name = list.find("NAME");
  const Attribute* import = list.find("IMPORT");
  const Attribute* query = list.find("QUERYPARAM");
  if ((name != nullptr) + (import != nullptr) + (query != nullptr) != 1) {
    return problem(Refusal::kBadDefine, item, "takes exactly one of NAME, IMPORT and QUERYPARAM");
  }
  const Attribute& chosen = name ? *name : import ? *import : *query;
  std::string value;
  if (!is_variable_name(chosen.value)) return problem(Refusal::kBadDefine, item, "not a variable name");
  if (variables_.values.contains(chosen.value)) return problem(Refusal::kBadDefine, item, "defined twice");
  if (name) {
    const Attribute* given = list.find("VALUE");
    if (!given || !given->is_quoted) return problem(Refusal::kBadDefine, item, "NAME without VALUE");
    value = given->value;
  } else if (import) {
    if (kind_ == Kind::kMultivariant)
      return problem(Refusal::kBadDefine, item, "IMPORT in a multivariant playlist");
    const auto* imports = surroundings_.imports;
    auto found = imports ? imports->find(chosen.value) : decltype(imports->end()){};
    if (!imports || found == imports->end()) {
      return problem(Refusal::kBadDefine, item, "IMPORT of a variable that the multivariant playlist lacks");
    }
    value = found->second;
  } else {
    need_version(11, "DEFINE:QUERYPARAM", item.line);
    auto found = find_query_value(surroundings_.query, chosen.value);
    if (!found) return problem(Refusal::kBadDefine, item, "QUERYPARAM that the URL does not carry");
    value = *found;
  }
  if (variables_.values.size() == kVariablesMax)
    return problem(Refusal::kTooLarge, item, "too many variables");
  variables_.values.emplace(chosen.value, std::move(value));
}

AttributeList Reader::attributes(const Item& item) {
  auto parsed = AttributeList::parse(item.value);
  if (!parsed) {
    problem(parsed.error(), item, "attribute list");
    return {};
  }
  bool used = false;
  for (auto& attribute : parsed->all()) {
    if (attribute.name.starts_with("REQ-")) need_version(12, attribute.name, item.line);
    if (attribute.is_quoted && !variables_.substitute(attribute.value, used)) {
      problem(Refusal::kUndefinedVariable, item, attribute.name);
    }
  }
  if (used) need_version(8, "variable substitution", item.line);
  return std::move(*parsed);
}

std::string Reader::quoted(const AttributeList& list, std::string_view name, const Item& item,
                           bool is_required) {
  const Attribute* attribute = list.find(name);
  if (!attribute) {
    if (is_required) problem(Refusal::kMissingAttribute, item, std::string(name));
    return {};
  }
  if (!attribute->is_quoted || (is_required && attribute->value.empty())) {
    problem(Refusal::kBadValue, item, std::string(name) + " is not a quoted string");
    return {};
  }
  return attribute->value;
}

std::string Reader::token(const AttributeList& list, std::string_view name, const Item& item,
                          bool is_required) {
  const Attribute* attribute = list.find(name);
  if (!attribute) {
    if (is_required) problem(Refusal::kMissingAttribute, item, std::string(name));
    return {};
  }
  if (attribute->is_quoted) {
    problem(Refusal::kBadValue, item, std::string(name) + " is quoted");
    return {};
  }
  return attribute->value;
}

std::optional<std::uint64_t> Reader::number(const AttributeList& list, std::string_view name,
                                            const Item& item, bool is_required) {
  const Attribute* attribute = list.find(name);
  if (!attribute) {
    if (is_required) problem(Refusal::kMissingAttribute, item, std::string(name));
    return std::nullopt;
  }
  auto value = attribute->is_quoted ? std::nullopt : parse_decimal(attribute->value);
  if (!value) problem(Refusal::kBadValue, item, std::string(name) + " is not a number");
  return value;
}

std::optional<Duration> Reader::seconds(const AttributeList& list, std::string_view name, const Item& item,
                                        bool is_required) {
  const Attribute* attribute = list.find(name);
  if (!attribute) {
    if (is_required) problem(Refusal::kMissingAttribute, item, std::string(name));
    return std::nullopt;
  }
  auto value = attribute->is_quoted ? std::nullopt : parse_seconds(attribute->value);
  if (!value) problem(Refusal::kBadValue, item, std::string(name) + " is not a number of seconds");
  return value;
}

bool Reader::yes(const AttributeList& list, std::string_view name, const Item& item) {
  std::string value = token(list, name, item);
  if (!value.empty() && value != "YES" && value != "NO") {
    problem(Refusal::kBadValue, item, std::string(name) + " is neither YES nor NO");
  }
  return value == "YES";
}

Kind kind_of(std::string_view text) {
  std::string_view line;
  for (Lines lines(text); lines.next(line);) {
    if (!line.starts_with("#EXT")) continue;
    std::size_t colon = line.find(':');
    std::string_view tag = line.substr(1, colon == std::string_view::npos ? colon : colon - 1);
    if (is_media_tag(tag)) return Kind::kMedia;
    if (is_multivariant_tag(tag)) return Kind::kMultivariant;
  }
  return Kind::kNone;
}

}  // namespace stoa::m3u8
