#include <cstdlib>

#include "proto/m3u8/reader.h"

namespace stoa::m3u8 {
namespace {

std::optional<std::pair<std::uint32_t, std::uint32_t>> parse_resolution(std::string_view text) {
  std::size_t x = text.find('x');
  if (x == std::string_view::npos) return std::nullopt;
  auto width = parse_decimal(text.substr(0, x));
  auto height = parse_decimal(text.substr(x + 1));
  if (!width || !height || *width > UINT32_MAX || *height > UINT32_MAX) return std::nullopt;
  return std::pair(static_cast<std::uint32_t>(*width), static_cast<std::uint32_t>(*height));
}

class MultivariantParser {
 public:
  MultivariantParser(std::string_view text, const Surroundings& surroundings)
      : reader_(text, surroundings, Kind::kMultivariant, parsed_.problems) {}

  Parsed<MultivariantPlaylist> parse() {
    Item item;
    while (reader_.next(item)) {
      if (has_pending_ && !item.tag.empty()) {
        reader_.problem(Refusal::kMissingTag, pending_.line, "EXT-X-STREAM-INF", "no URI line after it");
        has_pending_ = false;
      }
      handle(item);
    }
    if (has_pending_) {
      reader_.problem(Refusal::kMissingTag, pending_.line, "EXT-X-STREAM-INF", "no URI line after it");
    }
    list().version = reader_.version();
    list().version_line = reader_.version_line();
    list().version_floor = reader_.version_floor();
    list().has_independent_segments = reader_.has_independent_segments();
    list().variables = reader_.variables().values;
    list().lines = reader_.line();
    return std::move(parsed_);
  }

 private:
  MultivariantPlaylist& list() { return parsed_.playlist; }

  void handle(const Item& item) {
    if (item.tag.empty()) {
      if (!has_pending_) return reader_.problem(Refusal::kMissingTag, item, "a URI without EXT-X-STREAM-INF");
      pending_.uri = item.value;
      list().variants.push_back(std::move(pending_));
      has_pending_ = false;
    } else if (item.tag == "EXT-X-STREAM-INF") {
      pending_ = read_variant(item);
      has_pending_ = true;
    } else if (item.tag == "EXT-X-I-FRAME-STREAM-INF") {
      Variant variant = read_variant(item);
      variant.uri = reader_.quoted(reader_.attributes(item), "URI", item, true);
      list().iframe_variants.push_back(std::move(variant));
    } else if (item.tag == "EXT-X-MEDIA") {
      read_media(item);
    } else if (item.tag == "EXT-X-CONTENT-STEERING") {
      AttributeList attributes = reader_.attributes(item);
      list().steering.push_back({reader_.quoted(attributes, "SERVER-URI", item, true),
                                 reader_.quoted(attributes, "PATHWAY-ID", item), item.line});
    } else if (item.tag == "EXT-X-SESSION-KEY") {
      AttributeList attributes = reader_.attributes(item);
      Key key;
      key.method = reader_.token(attributes, "METHOD", item, true);
      key.uri = reader_.quoted(attributes, "URI", item);
      key.key_format = reader_.quoted(attributes, "KEYFORMAT", item);
      list().session_keys.push_back(std::move(key));
    }
  }

  Variant read_variant(const Item& item) {
    AttributeList attributes = reader_.attributes(item);
    Variant variant;
    variant.line = item.line;
    variant.bandwidth = reader_.number(attributes, "BANDWIDTH", item);
    variant.average_bandwidth = reader_.number(attributes, "AVERAGE-BANDWIDTH", item);
    variant.codecs = reader_.quoted(attributes, "CODECS", item);
    variant.video_range = reader_.token(attributes, "VIDEO-RANGE", item);
    variant.audio = reader_.quoted(attributes, "AUDIO", item);
    variant.video = reader_.quoted(attributes, "VIDEO", item);
    variant.subtitles = reader_.quoted(attributes, "SUBTITLES", item);
    variant.pathway_id = reader_.quoted(attributes, "PATHWAY-ID", item);
    variant.stable_id = reader_.quoted(attributes, "STABLE-VARIANT-ID", item);
    if (const Attribute* captions = attributes.find("CLOSED-CAPTIONS"))
      variant.closed_captions = captions->value;
    if (attributes.has("RESOLUTION")) {
      variant.resolution = parse_resolution(reader_.token(attributes, "RESOLUTION", item));
      if (!variant.resolution) reader_.problem(Refusal::kBadValue, item, "RESOLUTION is not WIDTHxHEIGHT");
    }
    if (auto rate = reader_.seconds(attributes, "FRAME-RATE", item)) variant.frame_rate = rate->as_seconds();
    return variant;
  }

  void read_media(const Item& item) {
    AttributeList attributes = reader_.attributes(item);
    MediaOption option;
    option.line = item.line;
    option.type = reader_.token(attributes, "TYPE", item, true);
    option.group_id = reader_.quoted(attributes, "GROUP-ID", item, true);
    option.name = reader_.quoted(attributes, "NAME", item, true);
    option.uri = reader_.quoted(attributes, "URI", item);
    option.language = reader_.quoted(attributes, "LANGUAGE", item);
    option.channels = reader_.quoted(attributes, "CHANNELS", item);
    option.instream_id = reader_.quoted(attributes, "INSTREAM-ID", item);
    option.stable_id = reader_.quoted(attributes, "STABLE-RENDITION-ID", item);
    option.is_default = reader_.yes(attributes, "DEFAULT", item);
    option.has_autoselect = attributes.has("AUTOSELECT");
    option.autoselect = reader_.yes(attributes, "AUTOSELECT", item);
    option.forced = reader_.yes(attributes, "FORCED", item);
    if (option.instream_id.starts_with("SERVICE")) reader_.need_version(7, "INSTREAM-ID SERVICE", item.line);
    if (!option.instream_id.empty() && option.type != "CLOSED-CAPTIONS") {
      reader_.need_version(13, "INSTREAM-ID on " + option.type, item.line);
    }
    list().media.push_back(std::move(option));
  }

  Parsed<MultivariantPlaylist> parsed_;
  Reader reader_;
  Variant pending_;
  bool has_pending_ = false;
};

}  // namespace

Parsed<MultivariantPlaylist> parse_multivariant(std::string_view text, const Surroundings& surroundings) {
  return MultivariantParser(text, surroundings).parse();
}

Result<MultivariantPlaylist, Problem> parse_multivariant_strict(std::string_view text,
                                                                const Surroundings& surroundings) {
  auto parsed = parse_multivariant(text, surroundings);
  if (!parsed.problems.empty()) return refuse(parsed.problems.front());
  return std::move(parsed.playlist);
}

}  // namespace stoa::m3u8
