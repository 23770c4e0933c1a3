#include "proto/sdp/section.h"

#include <algorithm>
#include <array>

#include "proto/sdp/text.h"

namespace stoa::sdp {
namespace {

bool is_same_payload(const Payload& a, const Payload& b) {
  if (a.codec == Codec::kRtx && b.codec == Codec::kRtx) {
    const auto *left = std::get_if<RtxFormat>(&a.format), *right = std::get_if<RtxFormat>(&b.format);
    return left && right && left->associated_payload_type == right->associated_payload_type;
  }
  return is_same_format(a, b);
}

}  // namespace

bool carries_media(Codec codec) {
  return codec != Codec::kOther && !is_repair(codec) && codec != Codec::kComfortNoise &&
         codec != Codec::kTelephoneEvent;
}

bool is_good_word(std::string_view text) { return is_visible(text, kTokenBytesMax); }

bool is_good(const LocalSource& source) {
  bool has_stream = source.msid.stream_id.empty() || is_good_word(source.msid.stream_id);
  bool has_track = source.msid.track_id.empty() || is_good_word(source.msid.track_id);
  return has_stream && has_track && is_good_word(source.cname);
}

void add_source(const LocalSource& source, bool has_rtx, MediaSection& section) {
  section.msids.push_back(source.msid);
  section.sources.push_back({.ssrc = source.ssrc, .cname = source.cname, .msid = source.msid});
  if (!has_rtx || !source.rtx_ssrc) return;
  section.sources.push_back({.ssrc = *source.rtx_ssrc, .cname = source.cname, .msid = source.msid});
  section.source_groups.push_back(
      {.semantics = GroupSemantics::kFid, .ssrcs = {source.ssrc, *source.rtx_ssrc}});
}

void limit_bandwidth(const MediaSupport& support, MediaSection& section) {
  if (!support.receive_bps_max) return;
  section.bandwidth.tias_bps = support.receive_bps_max;
  section.bandwidth.as_kbps = *support.receive_bps_max / 1000;
}

void add_local_transport(const Local& local, DtlsSetup setup, MediaSection& section) {
  section.ice = local.ice;
  section.ice_options = local.ice_options;
  section.fingerprints = local.fingerprints;
  section.setup = setup;
  section.tls_id = local.tls_id;
  section.connection_address = kAnyAddress;
}

std::optional<Refusal> find_conflict(const SessionDescription& description) {
  std::array<const Payload*, 128> payloads{};
  std::array<std::optional<HeaderExtension>, 256> extensions;
  for (const MediaSection& section : description.sections) {
    if (section.is_rejected()) continue;
    for (const Payload& payload : section.payloads) {
      const Payload*& known = payloads[payload.type];
      if (known && !is_same_payload(*known, payload)) return Refusal::kPayloadTypeConflict;
      known = &payload;
    }
    for (const ExtensionMap& map : section.extensions) {
      if (map.id > 255) continue;
      auto& known = extensions[map.id];
      if (known && *known != map.extension) return Refusal::kExtensionConflict;
      known = map.extension;
    }
  }
  return std::nullopt;
}

bool has_extension(const MediaSection& section, HeaderExtension extension) {
  return std::any_of(section.extensions.begin(), section.extensions.end(),
                     [&](const ExtensionMap& map) { return map.extension == extension; });
}

std::vector<std::size_t> bundle_of(const SessionDescription& description, std::size_t section) {
  const std::string& mid = description.sections[section].mid;
  for (const auto& mids : description.bundles) {
    if (mid.empty() || std::find(mids.begin(), mids.end(), mid) == mids.end()) continue;
    std::vector<std::size_t> group;
    for (const std::string& member : mids) {
      const MediaSection* found = description.find_section(member);
      if (found) group.push_back(static_cast<std::size_t>(found - description.sections.data()));
    }
    return group;
  }
  return {section};
}

const MediaSection* find_transport(const SessionDescription& description,
                                   std::span<const std::size_t> group) {
  for (std::size_t index : group) {
    const MediaSection& section = description.sections[index];
    if (section.ice && !section.is_rejected()) return &section;
  }
  return nullptr;
}

}  // namespace stoa::sdp
