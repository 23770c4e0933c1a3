#include "proto/m3u8/lexer.h"

#include <cstdio>

namespace stoa::m3u8 {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_attribute_name_character(char c) { return (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-'; }
bool is_variable_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '_';
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Days since 1970-01-01 of a proleptic Gregorian date.
std::int64_t days_from_civil(std::int64_t year, int month, int day) {
  year -= month <= 2;
  std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  std::int64_t year_of_era = year - era * 400;
  std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

// Reads exactly `count` digits at `at` and moves past them.
std::optional<int> take_digits(std::string_view text, std::size_t& at, int count) {
  int value = 0;
  for (int i = 0; i < count; ++i, ++at) {
    if (at >= text.size() || !is_digit(text[at])) return std::nullopt;
    value = value * 10 + (text[at] - '0');
  }
  return value;
}
bool take_character(std::string_view text, std::size_t& at, char wanted) {
  if (at >= text.size() || text[at] != wanted) return false;
  ++at;
  return true;
}

// Minutes east of UTC.
std::optional<int> take_zone(std::string_view text, std::size_t& at) {
  if (take_character(text, at, 'Z')) return 0;
  int sign = take_character(text, at, '+') ? 1 : take_character(text, at, '-') ? -1 : 0;
  if (sign == 0) return std::nullopt;
  auto hours = take_digits(text, at, 2);
  take_character(text, at, ':');
  auto minutes = at < text.size() ? take_digits(text, at, 2) : std::optional<int>(0);
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return sign * (*hours * 60 + *minutes);
}

}  // namespace

const char* name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kTooLarge: return "too_large";
    case Refusal::kNotUtf8: return "not_utf8";
    case Refusal::kByteOrderMark: return "byte_order_mark";
    case Refusal::kNoHeader: return "no_header";
    case Refusal::kMixedTags: return "mixed_tags";
    case Refusal::kBadAttributeList: return "bad_attribute_list";
    case Refusal::kDuplicateAttribute: return "duplicate_attribute";
    case Refusal::kBadValue: return "bad_value";
    case Refusal::kMissingAttribute: return "missing_attribute";
    case Refusal::kDuplicateTag: return "duplicate_tag";
    case Refusal::kMisplacedTag: return "misplaced_tag";
    case Refusal::kMissingTag: return "missing_tag";
    case Refusal::kBadDefine: return "bad_define";
    case Refusal::kUndefinedVariable: return "undefined_variable";
  }
  return "unknown";
}

Result<AttributeList, Refusal> AttributeList::parse(std::string_view text) {
  AttributeList list;
  std::size_t at = 0;
  while (at < text.size() || !list.attributes_.empty()) {
    if (list.attributes_.size() == kAttributesMax) return refuse(Refusal::kTooLarge);
    std::size_t name_end = at;
    while (name_end < text.size() && is_attribute_name_character(text[name_end])) ++name_end;
    if (name_end == at || name_end >= text.size() || text[name_end] != '=') {
      return refuse(Refusal::kBadAttributeList);
    }
    Attribute attribute;
    attribute.name = text.substr(at, name_end - at);
    if (list.has(attribute.name)) return refuse(Refusal::kDuplicateAttribute);
    at = name_end + 1;
    if (at < text.size() && text[at] == '"') {
      std::size_t close = text.find('"', at + 1);
      if (close == std::string_view::npos) return refuse(Refusal::kBadAttributeList);
      attribute.value = text.substr(at + 1, close - at - 1);
      attribute.is_quoted = true;
      at = close + 1;
    } else {
      std::size_t end = text.find(',', at);
      if (end == std::string_view::npos) end = text.size();
      attribute.value = text.substr(at, end - at);
      if (attribute.value.empty() || attribute.value.find_first_of("\" \t") != std::string::npos) {
        return refuse(Refusal::kBadAttributeList);
      }
      at = end;
    }
    list.attributes_.push_back(std::move(attribute));
    if (at == text.size()) return list;
    if (text[at] != ',') return refuse(Refusal::kBadAttributeList);
    ++at;
  }
  return list;
}

const Attribute* AttributeList::find(std::string_view name) const {
  for (const auto& attribute : attributes_) {
    if (attribute.name == name) return &attribute;
  }
  return nullptr;
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) {
  if (text.empty() || text.size() > 20) return std::nullopt;
  std::uint64_t value = 0;
  for (char c : text) {
    if (!is_digit(c)) return std::nullopt;
    auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (UINT64_MAX - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

std::optional<Duration> parse_seconds(std::string_view text) {
  std::size_t dot = text.find('.');
  auto whole = parse_decimal(text.substr(0, dot));
  if (!whole || *whole > 1'000'000'000) return std::nullopt;
  std::int64_t ns = static_cast<std::int64_t>(*whole) * 1'000'000'000;
  if (dot != std::string_view::npos) {
    std::string_view fraction = text.substr(dot + 1);
    if (fraction.empty() || fraction.size() > 30) return std::nullopt;
    std::int64_t unit = 100'000'000;
    for (char c : fraction) {
      if (!is_digit(c)) return std::nullopt;
      ns += unit * (c - '0');
      unit /= 10;
    }
  }
  return Duration::nanoseconds(ns);
}

std::optional<Duration> parse_signed_seconds(std::string_view text) {
  if (!text.empty() && text.front() == '-') {
    auto magnitude = parse_seconds(text.substr(1));
    if (!magnitude) return std::nullopt;
    return -*magnitude;
  }
  return parse_seconds(text);
}

std::optional<WallTime> parse_date(std::string_view text) {
  std::size_t at = 0;
  auto year = take_digits(text, at, 4);
  if (!year || !take_character(text, at, '-')) return std::nullopt;
  auto month = take_digits(text, at, 2);
  if (!month || !take_character(text, at, '-')) return std::nullopt;
  auto day = take_digits(text, at, 2);
  if (!day || (!take_character(text, at, 'T') && !take_character(text, at, 't'))) return std::nullopt;
  auto hour = take_digits(text, at, 2);
  if (!hour || !take_character(text, at, ':')) return std::nullopt;
  auto minute = take_digits(text, at, 2);
  if (!minute || !take_character(text, at, ':')) return std::nullopt;
  auto second = take_digits(text, at, 2);
  if (!second) return std::nullopt;
  if (*year < 1970 || *year > 2199) return std::nullopt;
  if (*month < 1 || *month > 12 || *day < 1 || *day > 31 || *hour > 23 || *minute > 59 || *second > 60) {
    return std::nullopt;
  }
  std::int64_t micros = 0;
  if (take_character(text, at, '.')) {
    std::int64_t unit = 100'000;
    std::size_t first = at;
    for (; at < text.size() && is_digit(text[at]); ++at, unit /= 10) micros += unit * (text[at] - '0');
    if (at == first) return std::nullopt;
  }
  auto zone = take_zone(text, at);
  if (!zone || at != text.size()) return std::nullopt;
  std::int64_t seconds =
      days_from_civil(*year, *month, *day) * 86'400 + *hour * 3'600 + *minute * 60 + *second;
  return WallTime::from_us((seconds - *zone * 60) * 1'000'000 + micros);
}

std::optional<ByteRange> parse_byte_range(std::string_view text) {
  std::size_t sign = text.find('@');
  auto length = parse_decimal(text.substr(0, sign));
  if (!length || *length > INT64_MAX) return std::nullopt;
  ByteRange range{.length = *length, .offset = std::nullopt};
  if (sign != std::string_view::npos) {
    auto offset = parse_decimal(text.substr(sign + 1));
    if (!offset || *offset > INT64_MAX) return std::nullopt;
    range.offset = offset;
  }
  return range;
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    int extra = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || i + static_cast<std::size_t>(extra) >= text.size()) return false;
    std::uint32_t point = lead & (0x3f >> extra);
    for (int k = 1; k <= extra; ++k) {
      auto byte = static_cast<unsigned char>(text[i + static_cast<std::size_t>(k)]);
      if ((byte & 0xc0) != 0x80) return false;
      point = point << 6 | (byte & 0x3f);
    }
    static constexpr std::uint32_t kFloor[] = {0, 0x80, 0x800, 0x10000};
    if (point < kFloor[extra] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    i += static_cast<std::size_t>(extra) + 1;
  }
  return true;
}

std::string percent_decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
      decoded += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

bool Variables::substitute(std::string& text, bool& used) const {
  if (text.find("{$") == std::string::npos) return true;
  std::string replaced;
  bool any = false;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i + 2;
    if (text.compare(i, 2, "{$") == 0) {
      while (end < text.size() && is_variable_name_character(text[end])) ++end;
    }
    if (text.compare(i, 2, "{$") != 0 || end >= text.size() || text[end] != '}' || end == i + 2) {
      replaced += text[i++];
      continue;
    }
    auto found = values.find(std::string_view(text).substr(i + 2, end - i - 2));
    if (found == values.end() || replaced.size() + found->second.size() > kPlaylistBytesMax) return false;
    replaced += found->second;
    any = true;
    i = end + 1;
  }
  text = std::move(replaced);
  used = used || any;
  return true;
}

bool Lines::next(std::string_view& line) {
  if (rest_.empty()) return false;
  std::size_t end = rest_.find('\n');
  line = rest_.substr(0, end);
  rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  ++number_;
  return true;
}

}  // namespace stoa::m3u8
