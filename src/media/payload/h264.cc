#include "media/payload/h264.h"

#include <algorithm>

#include "media/payload/nal_units.h"

namespace stoa::payload {
namespace {

enum Type : std::uint8_t {
  kSlice = 1,
  kSlicePartitionA = 2,
  kSlicePartitionC = 4,
  kIdrSlice = 5,
  kSei = 6,
  kSps = 7,
  kPps = 8,
  kDelimiter = 9,
  kFiller = 12,
  kStapA = 24,
  kFuA = 28,
};

constexpr std::uint8_t kReferenceMask = 0x60, kForbiddenBit = 0x80;
constexpr std::size_t kFuHeadBytes = 2, kStapHeadBytes = 1, kStapLengthBytes = 2;
constexpr std::uint8_t kFuStart = 0x80, kFuEnd = 0x40;

std::uint8_t type_of(std::uint8_t header) { return header & 0x1f; }
bool is_unit_type(std::uint8_t type) { return type >= kSlice && type < kStapA; }
bool is_partition(std::uint8_t type) { return type >= kSlicePartitionA && type <= kSlicePartitionC; }
bool is_for_no_decoder(std::uint8_t type) { return type == kDelimiter || type == kFiller; }

// `body` is what follows the NAL unit header. first_mb_in_slice is 0 when its code's first bit is 1.
bool can_start_frame(std::uint8_t type, Bytes body) {
  if (type == kSlice || type == kIdrSlice) return !body.empty() && (body[0] & 0x80) != 0;
  return type == kSei || type == kSps || type == kDelimiter;
}
// Whether a unit is of a picture that nothing refers to. Units that are no slices do not say.
bool is_unreferenced(std::uint8_t header, std::uint8_t type) {
  return (header & kReferenceMask) == 0 && (type == kSlice || type == kIdrSlice);
}
bool is_of_keyframe(std::uint8_t type) { return type == kIdrSlice || type == kSps; }

Result<void, Refusal> check_unit(Bytes nal) {
  if (nal.empty()) return refuse(Refusal::kTruncated);
  if (nal[0] & kForbiddenBit || !is_unit_type(type_of(nal[0]))) return refuse(Refusal::kBadValue);
  if (is_partition(type_of(nal[0]))) return refuse(Refusal::kUnsupported);
  return {};
}

void write_fragments(Bytes nal, std::size_t payload_bytes_max, PayloadList& out) {
  std::uint8_t indicator = static_cast<std::uint8_t>((nal[0] & 0xe0) | kFuA);
  cut_evenly(nal.subspan(1), payload_bytes_max - kFuHeadBytes, [&](Bytes piece, bool is_first, bool is_last) {
    out.u8(indicator);
    out.u8(static_cast<std::uint8_t>((is_first ? kFuStart : 0) | (is_last ? kFuEnd : 0) | type_of(nal[0])));
    out.bytes(piece);
    out.end_payload();
  });
}

void write_aggregate(std::span<const Bytes> nals, PayloadList& out) {
  int reference = 0;
  for (Bytes nal : nals) reference = std::max(reference, nal[0] & kReferenceMask);
  out.u8(static_cast<std::uint8_t>(reference | kStapA));
  for (Bytes nal : nals) {
    out.u16(static_cast<std::uint16_t>(nal.size()));
    out.bytes(nal);
  }
  out.end_payload();
}

// How many of the first units fit into one STAP-A.
std::size_t aggregate_size(std::span<const Bytes> nals, std::size_t payload_bytes_max) {
  std::size_t bytes = kStapHeadBytes, count = 0;
  for (Bytes nal : nals) {
    bytes += kStapLengthBytes + nal.size();
    if (bytes > payload_bytes_max || nal.size() > 0xffff || is_for_no_decoder(type_of(nal[0]))) break;
    ++count;
  }
  return count;
}

struct Assembly {
  NalWriter writer;
  AssembledFrame facts;

  void note(std::uint8_t type) {
    if (type == kIdrSlice) facts.is_keyframe = true;
    if (type == kSps) facts.has_parameters = true;
  }
};

Result<void, Refusal> add_unit(Assembly& assembly, Bytes nal) {
  if (auto checked = check_unit(nal); !checked) return checked;
  std::uint8_t type = type_of(nal[0]);
  if (!assembly.writer.is_closed()) return refuse(Refusal::kBroken);
  if (is_for_no_decoder(type)) return {};
  assembly.note(type);
  return assembly.writer.add(nal);
}

Result<void, Refusal> add_aggregate(Assembly& assembly, Bytes payload) {
  ByteReader reader(payload.subspan(kStapHeadBytes));
  while (!reader.at_end()) {
    Bytes nal = reader.take(reader.u16());
    if (!reader.ok()) return refuse(Refusal::kTruncated);
    if (nal.empty()) return refuse(Refusal::kBadValue);
    if (auto added = add_unit(assembly, nal); !added) return added;
  }
  return {};
}

Result<void, Refusal> add_fragment(Assembly& assembly, Bytes payload) {
  if (payload.size() < kFuHeadBytes) return refuse(Refusal::kTruncated);
  std::uint8_t fu = payload[1], type = type_of(fu);
  if (!is_unit_type(type)) return refuse(Refusal::kBadValue);
  if (is_partition(type)) return refuse(Refusal::kUnsupported);
  if (fu & kFuStart) {
    std::uint8_t header = static_cast<std::uint8_t>((payload[0] & kReferenceMask) | type);
    if (auto begun = assembly.writer.begin(Bytes(&header, 1)); !begun) return begun;
    assembly.note(type);
  }
  if (auto added = assembly.writer.append(payload.subspan(kFuHeadBytes)); !added) return added;
  if (fu & kFuEnd) return assembly.writer.end();
  return {};
}

}  // namespace

Result<void, Refusal> packetize_h264(std::span<const Bytes> nals, std::size_t payload_bytes_max,
                                     bool may_aggregate, PayloadList& out) {
  STOA_DCHECK(payload_bytes_max >= kPayloadBytesFloor);
  for (Bytes nal : nals) {
    if (auto checked = check_unit(nal); !checked) return checked;
  }
  for (std::size_t i = 0; i < nals.size();) {
    if (is_for_no_decoder(type_of(nals[i][0]))) {
      ++i;
      continue;
    }
    if (nals[i].size() > payload_bytes_max) {
      if (!may_aggregate) return refuse(Refusal::kTooLarge);
      write_fragments(nals[i++], payload_bytes_max, out);
      continue;
    }
    std::size_t count = may_aggregate ? aggregate_size(nals.subspan(i), payload_bytes_max) : 1;
    if (count >= 2) {
      write_aggregate(nals.subspan(i, count), out);
      i += count;
    } else {
      out.bytes(nals[i++]);
      out.end_payload();
    }
  }
  return {};
}

Result<AssembledFrame, Refusal> assemble_h264(std::span<const Bytes> payloads, Buffer& frame) {
  Assembly assembly{NalWriter(frame), {}};
  for (Bytes payload : payloads) {
    if (payload.empty()) return refuse(Refusal::kTruncated);
    std::uint8_t type = type_of(payload[0]);
    Result<void, Refusal> added = type == kStapA  ? add_aggregate(assembly, payload)
                                  : type == kFuA  ? add_fragment(assembly, payload)
                                  : type > kStapA ? refuse(Refusal::kUnsupported)
                                                  : add_unit(assembly, payload);
    if (!added) return refuse(added.error());
  }
  if (!assembly.writer.is_closed()) return refuse(Refusal::kBroken);
  return assembly.facts;
}

Result<PayloadFacts, Refusal> inspect_h264_payload(Bytes payload) {
  if (payload.empty()) return refuse(Refusal::kTruncated);
  std::uint8_t type = type_of(payload[0]);
  if (payload[0] & kForbiddenBit || type == 0) return refuse(Refusal::kBadValue);
  PayloadFacts facts;
  if (type == kFuA) {
    if (payload.size() < kFuHeadBytes) return refuse(Refusal::kTruncated);
    std::uint8_t unit = type_of(payload[1]);
    if (!is_unit_type(unit)) return refuse(Refusal::kBadValue);
    facts.starts_frame = (payload[1] & kFuStart) != 0 && can_start_frame(unit, payload.subspan(kFuHeadBytes));
    facts.is_keyframe = is_of_keyframe(unit);
    facts.is_discardable = is_unreferenced(payload[0], unit);
    return facts;
  }
  if (type > kStapA) return refuse(Refusal::kUnsupported);
  if (type != kStapA) {
    if (is_partition(type)) return refuse(Refusal::kUnsupported);
    facts.starts_frame = can_start_frame(type, payload.subspan(1));
    facts.is_keyframe = is_of_keyframe(type);
    facts.is_discardable = is_unreferenced(payload[0], type);
    return facts;
  }
  ByteReader reader(payload.subspan(kStapHeadBytes));
  for (bool is_first = true; !reader.at_end(); is_first = false) {
    Bytes nal = reader.take(reader.u16());
    if (!reader.ok()) return refuse(Refusal::kTruncated);
    if (nal.empty()) return refuse(Refusal::kBadValue);
    if (is_first) facts.starts_frame = can_start_frame(type_of(nal[0]), nal.subspan(1));
    if (is_of_keyframe(type_of(nal[0]))) facts.is_keyframe = true;
    if (is_unreferenced(nal[0], type_of(nal[0]))) facts.is_discardable = true;
  }
  return facts;
}

}  // namespace stoa::payload
