#include "media/payload/hevc.h"

#include <algorithm>
#include <array>

#include "media/payload/nal_units.h"

namespace stoa::payload {
namespace {

enum Type : std::uint8_t {
  kLastNonReference = 14,  // Below 16, even types are of sub-layer non-reference pictures.
  kFirstIrap = 16,
  kLastIrap = 21,
  kFirstNonSlice = 32,
  kVps = 32,
  kSps = 33,
  kPps = 34,
  kDelimiter = 35,
  kFiller = 38,
  kPrefixSei = 39,
  kAggregate = 48,
  kFragment = 49,
};

constexpr std::size_t kHeaderBytes = 2, kFuHeadBytes = 3, kLengthBytes = 2;
constexpr std::uint8_t kForbiddenBit = 0x80, kTypeMask = 0x7e, kFuStart = 0x80, kFuEnd = 0x40;
constexpr unsigned kTsaFirst = 2, kStsaLast = 5;  // Temporal sub-layer access: one may begin this sub-layer.

std::uint8_t type_of(Bytes nal) { return nal[0] >> 1 & 0x3f; }
std::uint8_t layer_of(Bytes nal) { return static_cast<std::uint8_t>((nal[0] & 1) << 5 | nal[1] >> 3); }
std::uint8_t temporal_plus1_of(Bytes nal) { return nal[1] & 7; }
bool is_for_no_decoder(std::uint8_t type) { return type == kDelimiter || type == kFiller; }
bool is_irap(std::uint8_t type) { return type >= kFirstIrap && type <= kLastIrap; }

bool can_start_frame(std::uint8_t type, Bytes body) {
  if (type < kFirstNonSlice) return !body.empty() && (body[0] & 0x80) != 0;
  return type == kVps || type == kSps || type == kDelimiter || type == kPrefixSei;
}
bool is_of_keyframe(std::uint8_t type) { return is_irap(type) || type == kVps || type == kSps; }

Result<void, Refusal> check_header(Bytes bytes) {
  if (bytes.size() < kHeaderBytes) return refuse(Refusal::kTruncated);
  if (bytes[0] & kForbiddenBit || temporal_plus1_of(bytes) == 0) return refuse(Refusal::kBadValue);
  return {};
}

void write_fragments(Bytes nal, std::size_t payload_bytes_max, PayloadList& out) {
  std::uint8_t first = static_cast<std::uint8_t>((nal[0] & ~kTypeMask) | kFragment << 1);
  cut_evenly(
      nal.subspan(kHeaderBytes), payload_bytes_max - kFuHeadBytes,
      [&](Bytes piece, bool is_first, bool is_last) {
        out.u8(first);
        out.u8(nal[1]);
        out.u8(static_cast<std::uint8_t>((is_first ? kFuStart : 0) | (is_last ? kFuEnd : 0) | type_of(nal)));
        out.bytes(piece);
        out.end_payload();
      });
}

// RFC 7798 §4.4.2: the aggregate has the lowest layer and the lowest temporal id of its units.
void write_aggregate(std::span<const Bytes> nals, PayloadList& out) {
  unsigned layer = 63, temporal = 7;
  for (Bytes nal : nals) {
    layer = std::min<unsigned>(layer, layer_of(nal));
    temporal = std::min<unsigned>(temporal, temporal_plus1_of(nal));
  }
  out.u8(static_cast<std::uint8_t>(kAggregate << 1 | layer >> 5));
  out.u8(static_cast<std::uint8_t>((layer & 31) << 3 | temporal));
  for (Bytes nal : nals) {
    out.u16(static_cast<std::uint16_t>(nal.size()));
    out.bytes(nal);
  }
  out.end_payload();
}

std::size_t aggregate_size(std::span<const Bytes> nals, std::size_t payload_bytes_max) {
  std::size_t bytes = kHeaderBytes, count = 0;
  for (Bytes nal : nals) {
    bytes += kLengthBytes + nal.size();
    if (bytes > payload_bytes_max || nal.size() > 0xffff || is_for_no_decoder(type_of(nal))) break;
    ++count;
  }
  return count;
}

struct Assembly {
  NalWriter writer;
  AssembledFrame facts;

  void note(std::uint8_t type) {
    if (is_irap(type)) facts.is_keyframe = true;
    if (type == kSps) facts.has_parameters = true;
  }
};

Result<void, Refusal> add_unit(Assembly& assembly, Bytes nal) {
  if (auto checked = check_header(nal); !checked) return checked;
  std::uint8_t type = type_of(nal);
  if (type >= kAggregate) return refuse(Refusal::kBadValue);
  if (!assembly.writer.is_closed()) return refuse(Refusal::kBroken);
  if (is_for_no_decoder(type)) return {};
  assembly.note(type);
  return assembly.writer.add(nal);
}

Result<void, Refusal> add_aggregate(Assembly& assembly, Bytes payload) {
  ByteReader reader(payload.subspan(kHeaderBytes));
  while (!reader.at_end()) {
    Bytes nal = reader.take(reader.u16());
    if (!reader.ok()) return refuse(Refusal::kTruncated);
    if (auto added = add_unit(assembly, nal); !added) return added;
  }
  return {};
}

Result<void, Refusal> add_fragment(Assembly& assembly, Bytes payload) {
  if (payload.size() < kFuHeadBytes) return refuse(Refusal::kTruncated);
  std::uint8_t fu = payload[2], type = fu & 0x3f;
  if (type >= kAggregate) return refuse(Refusal::kBadValue);
  if (fu & kFuStart) {
    std::array<std::uint8_t, kHeaderBytes> header{
        static_cast<std::uint8_t>((payload[0] & ~kTypeMask) | type << 1), payload[1]};
    if (auto begun = assembly.writer.begin(header); !begun) return begun;
    assembly.note(type);
  }
  if (auto added = assembly.writer.append(payload.subspan(kFuHeadBytes)); !added) return added;
  if (fu & kFuEnd) return assembly.writer.end();
  return {};
}

}  // namespace

Result<void, Refusal> packetize_hevc(std::span<const Bytes> nals, std::size_t payload_bytes_max,
                                     PayloadList& out) {
  STOA_DCHECK(payload_bytes_max >= kPayloadBytesFloor);
  for (Bytes nal : nals) {
    if (auto checked = check_header(nal); !checked) return checked;
    if (type_of(nal) >= kAggregate) return refuse(Refusal::kBadValue);
  }
  for (std::size_t i = 0; i < nals.size();) {
    if (is_for_no_decoder(type_of(nals[i]))) {
      ++i;
    } else if (nals[i].size() > payload_bytes_max) {
      write_fragments(nals[i++], payload_bytes_max, out);
    } else if (std::size_t count = aggregate_size(nals.subspan(i), payload_bytes_max); count >= 2) {
      write_aggregate(nals.subspan(i, count), out);
      i += count;
    } else {
      out.bytes(nals[i++]);
      out.end_payload();
    }
  }
  return {};
}

Result<AssembledFrame, Refusal> assemble_hevc(std::span<const Bytes> payloads, Buffer& frame) {
  Assembly assembly{NalWriter(frame), {}};
  for (Bytes payload : payloads) {
    if (auto checked = check_header(payload); !checked) return refuse(checked.error());
    std::uint8_t type = type_of(payload);
    Result<void, Refusal> added = type == kAggregate  ? add_aggregate(assembly, payload)
                                  : type == kFragment ? add_fragment(assembly, payload)
                                  : type > kFragment  ? refuse(Refusal::kUnsupported)
                                                      : add_unit(assembly, payload);
    if (!added) return refuse(added.error());
  }
  if (!assembly.writer.is_closed()) return refuse(Refusal::kBroken);
  return assembly.facts;
}

Result<PayloadFacts, Refusal> inspect_hevc_payload(Bytes payload) {
  if (auto checked = check_header(payload); !checked) return refuse(checked.error());
  PayloadFacts facts;
  facts.spatial_layer = layer_of(payload);
  facts.temporal_layer = static_cast<std::uint8_t>(temporal_plus1_of(payload) - 1);
  std::uint8_t type = type_of(payload);
  if (type > kFragment) return refuse(Refusal::kUnsupported);
  Bytes unit_body = payload.subspan(kHeaderBytes);
  bool is_unit_start = true;
  if (type == kFragment) {
    if (payload.size() < kFuHeadBytes) return refuse(Refusal::kTruncated);
    type = payload[2] & 0x3f;
    if (type >= kAggregate) return refuse(Refusal::kBadValue);
    is_unit_start = payload[2] & kFuStart;
    unit_body = payload.subspan(kFuHeadBytes);
  } else if (type == kAggregate) {
    ByteReader reader(unit_body);
    for (bool is_first = true; !reader.at_end(); is_first = false) {
      Bytes nal = reader.take(reader.u16());
      if (!reader.ok()) return refuse(Refusal::kTruncated);
      if (auto checked = check_header(nal); !checked) return refuse(checked.error());
      if (is_first) facts.starts_frame = can_start_frame(type_of(nal), nal.subspan(kHeaderBytes));
      if (is_of_keyframe(type_of(nal))) facts.is_keyframe = true;
    }
    return facts;
  }
  facts.starts_frame = is_unit_start && can_start_frame(type, unit_body);
  facts.is_keyframe = is_of_keyframe(type);
  facts.is_discardable = type <= kLastNonReference && type % 2 == 0;
  facts.is_switch_point = is_irap(type) || (type >= kTsaFirst && type <= kStsaLast);
  return facts;
}

}  // namespace stoa::payload
