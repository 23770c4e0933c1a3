// The lexical ground of playlists: lines, attribute lists, numbers, dates, variables
// (draft-pantos-hls-rfc8216bis §4.1 to §4.3). Everything takes hostile text and refuses with a reason.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace stoa::m3u8 {

inline constexpr std::size_t kPlaylistBytesMax = 8u << 20;
inline constexpr std::size_t kLinesMax = 200'000;
inline constexpr std::size_t kAttributesMax = 64;
inline constexpr std::size_t kProblemsMax = 64;
inline constexpr std::size_t kVariablesMax = 256;
// One segment or part, and PART-TARGET. With kLinesMax of them a sum still fits into a Duration.
inline constexpr Duration kSegmentDurationMax = Duration::seconds(36'000);

enum class Refusal : std::uint8_t {
  kTooLarge,            // More bytes or lines than the limits above.
  kNotUtf8,             // Bytes that are no UTF-8, or control characters.
  kByteOrderMark,       // Begins with a BOM.
  kNoHeader,            // The first line is not #EXTM3U.
  kMixedTags,           // Media and multivariant tags in one playlist.
  kBadAttributeList,    // Not NAME=value,NAME=value.
  kDuplicateAttribute,  // A name twice in one list.
  kBadValue,            // A value of the wrong type or out of range.
  kMissingAttribute,    // A required attribute is not there.
  kDuplicateTag,        // A tag twice that may stand once.
  kMisplacedTag,        // A tag where it may not stand.
  kMissingTag,          // A required tag is not there, or a tag misses its URI line.
  kBadDefine,           // EXT-X-DEFINE against its rules.
  kUndefinedVariable,   // {$name} with no definition before it.
};
const char* name_of(Refusal refusal);

// One departure from the grammar. `line` counts from 1.
struct Problem {
  Refusal refusal;
  int line = 0;
  std::string tag;     // "EXT-X-PART"; empty when no tag is concerned.
  std::string detail;  // A short phrase for people.
};

struct Attribute {
  std::string name;
  std::string value;  // Without quotes.
  bool is_quoted = false;
};

class AttributeList {
 public:
  static Result<AttributeList, Refusal> parse(std::string_view text);

  const Attribute* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  const std::vector<Attribute>& all() const { return attributes_; }
  std::vector<Attribute>& all() { return attributes_; }

 private:
  std::vector<Attribute> attributes_;
};

std::optional<std::uint64_t> parse_decimal(std::string_view text);
// "5", "5.005"; never negative, at most 10^9. Exact to a nanosecond.
std::optional<Duration> parse_seconds(std::string_view text);
std::optional<Duration> parse_signed_seconds(std::string_view text);
// ISO 8601 with a time zone: 2026-01-31T12:00:00.250Z, …+01:00, …+0100. Years 1970 to 2199, so that any two
// have a Duration between them.
std::optional<WallTime> parse_date(std::string_view text);

struct ByteRange {
  std::uint64_t length = 0;
  std::optional<std::uint64_t> offset;
  bool operator==(const ByteRange&) const = default;
};
std::optional<ByteRange> parse_byte_range(std::string_view text);  // n[@o]

bool is_utf8(std::string_view text);
std::string percent_decode(std::string_view text);

// What {$name} may stand for: filled by EXT-X-DEFINE, line by line.
struct Variables {
  std::map<std::string, std::string, std::less<>> values;
  // Replaces references in `text`; false (and text untouched) when one is undefined. `used` turns true
  // when anything was replaced. References are replaced once, not again inside values.
  bool substitute(std::string& text, bool& used) const;
};

// Splits at LF or CRLF.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  // False at the end. A final line end does not make one more empty line.
  bool next(std::string_view& line);
  int number() const { return number_; }

 private:
  std::string_view rest_;
  int number_ = 0;
};

}  // namespace stoa::m3u8
