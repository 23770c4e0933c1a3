// What both kinds of playlist share while they are read: the header, lines, tags, EXT-X-VERSION,
// EXT-X-DEFINE with substitution, and the list of problems.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/m3u8/playlist.h"

namespace stoa::m3u8 {

// One line that means something: a tag (with what follows the colon) or a URI.
struct Item {
  int line = 0;
  std::string tag;    // "EXT-X-PART"; empty for a URI line.
  std::string value;  // After the colon, or the URI. Variables are replaced in URIs, not in tags.
  bool has_value = false;
};

class Reader {
 public:
  Reader(std::string_view text, const Surroundings& surroundings, Kind kind, std::vector<Problem>& problems);

  // False at the end. Comments, blank lines, and the tags handled here (EXTM3U, VERSION, DEFINE,
  // INDEPENDENT-SEGMENTS, START) are not returned; nor are tags of the other kind, which are problems.
  bool next(Item& item);

  void problem(Refusal refusal, const Item& item, std::string detail);
  void problem(Refusal refusal, int line, std::string tag, std::string detail);
  void need_version(int version, std::string reason, int line);

  // The attributes of a tag, variables replaced. Problems are noted; what could be read is returned.
  AttributeList attributes(const Item& item);
  // Typed attributes; a value of another type is a problem and counts as absent.
  std::string quoted(const AttributeList& list, std::string_view name, const Item& item,
                     bool is_required = false);
  std::string token(const AttributeList& list, std::string_view name, const Item& item,
                    bool is_required = false);
  std::optional<std::uint64_t> number(const AttributeList& list, std::string_view name, const Item& item,
                                      bool is_required = false);
  std::optional<Duration> seconds(const AttributeList& list, std::string_view name, const Item& item,
                                  bool is_required = false);
  bool yes(const AttributeList& list, std::string_view name, const Item& item);

  int version() const { return version_; }
  int version_line() const { return version_line_; }
  const VersionFloor& version_floor() const { return version_floor_; }
  bool has_independent_segments() const { return has_independent_segments_; }
  const Variables& variables() const { return variables_; }
  int line() const { return lines_.number(); }

 private:
  bool check_text(std::string_view text);
  bool handle_shared_tag(const Item& item);
  void handle_define(const Item& item);

  Lines lines_;
  Surroundings surroundings_;
  Kind kind_;
  std::vector<Problem>& problems_;
  Variables variables_;
  VersionFloor version_floor_;
  int version_ = 1;
  int version_line_ = 0;
  bool has_independent_segments_ = false;
  bool has_start_ = false;
  bool is_readable_ = true;
};

bool is_media_tag(std::string_view tag);
bool is_multivariant_tag(std::string_view tag);

}  // namespace stoa::m3u8
