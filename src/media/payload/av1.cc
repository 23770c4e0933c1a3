#include "media/payload/av1.h"

#include <algorithm>

namespace stoa::payload {
namespace {

enum Type : std::uint8_t {
  kSequenceHeader = 1,
  kTemporalDelimiter = 2,
  kFrameHeader = 3,
  kFrame = 6,
  kTileList = 8,
  kPadding = 15,
};

constexpr std::uint8_t kForbiddenBit = 0x80, kExtensionFlag = 0x04, kSizeFlag = 0x02;
// The aggregation header, §4.4: Z, Y, W (two bits), N.
constexpr std::uint8_t kContinues = 0x80, kIsContinued = 0x40, kBeginsSequence = 0x08;
constexpr unsigned kCountShift = 4;
constexpr std::size_t kCountedElementsMax = 3;
constexpr unsigned kLeb128BytesMax = 8;
// A piece smaller than this is not worth its bookkeeping: the next payload takes it.
constexpr std::size_t kPieceBytesMin = 16;

std::uint8_t type_of(std::uint8_t header) { return header >> 3 & 15; }
bool is_for_no_receiver(std::uint8_t type) {
  return type == kTemporalDelimiter || type == kTileList || type == kPadding;
}
std::size_t leb128_size(std::size_t value) {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

template <typename Out>
void write_leb128(std::size_t value, Out out) {
  for (; value >= 0x80; value >>= 7) out(static_cast<std::uint8_t>(value | 0x80));
  out(static_cast<std::uint8_t>(value));
}

Result<std::size_t, Refusal> read_leb128(ByteReader& reader) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < kLeb128BytesMax; ++i) {
    std::uint8_t byte = reader.u8();
    if (!reader.ok()) return refuse(Refusal::kTruncated);
    value |= std::uint64_t{byte & 0x7fu} << (7 * i);
    if (byte & 0x80) continue;
    if (value > UINT32_MAX) return refuse(Refusal::kBadValue);
    return static_cast<std::size_t>(value);
  }
  return refuse(Refusal::kBadValue);
}

// §5.9.2: show_existing_frame 0, frame_type KEY_FRAME, show_frame 1.
bool is_shown_key_frame(Bytes body) { return !body.empty() && body[0] >> 4 == 0b0001; }

// What the OBUs of a unit say, noted in their order.
struct UnitNotes {
  bool has_frame = false;
  bool has_sequence_header = false;  // Before the first frame.
  bool begins_with_key_frame = false;

  void note(std::uint8_t type, Bytes body) {
    if (type == kSequenceHeader && !has_frame) has_sequence_header = true;
    if ((type == kFrameHeader || type == kFrame) && !has_frame) {
      has_frame = true;
      begins_with_key_frame = is_shown_key_frame(body);
    }
  }
};

struct ParsedObu {
  std::uint8_t header = 0, layer = 0;
  bool has_layer = false;
  Bytes body;
};

// One OBU, which may leave its size out when it is the last.
Result<ParsedObu, Refusal> read_obu(ByteReader& reader) {
  ParsedObu obu;
  obu.header = reader.u8();
  if (obu.header & kForbiddenBit) return refuse(Refusal::kBadValue);
  obu.has_layer = obu.header & kExtensionFlag;
  if (obu.has_layer) obu.layer = reader.u8();
  if (!reader.ok()) return refuse(Refusal::kTruncated);
  std::size_t size = reader.remaining();
  if (obu.header & kSizeFlag) {
    STOA_TRY(size, read_leb128(reader));
  }
  obu.body = reader.take(size);
  if (!reader.ok()) return refuse(Refusal::kTruncated);
  return obu;
}

// Puts elements and fragments of elements back together as OBUs with sizes.
class Assembly {
 public:
  explicit Assembly(Buffer& frame) : frame_(frame) {}

  Result<void, Refusal> add_payload(Bytes payload) {
    ByteReader reader(payload);
    std::uint8_t aggregation = reader.u8();
    if (!reader.ok()) return refuse(Refusal::kTruncated);
    bool continues = aggregation & kContinues;
    if (continues && (aggregation & kBeginsSequence)) return refuse(Refusal::kBadValue);
    if (continues != is_open_) return refuse(Refusal::kBroken);
    std::size_t counted = aggregation >> kCountShift & 3;
    for (std::size_t i = 0; !reader.at_end(); ++i) {
      if (counted != 0 && i == counted) return refuse(Refusal::kBadValue);
      std::size_t size = reader.remaining();
      if (counted == 0 || i + 1 < counted) {
        STOA_TRY(size, read_leb128(reader));
      }
      Bytes element = reader.take(size);
      if (!reader.ok()) return refuse(Refusal::kTruncated);
      bool is_continued = reader.at_end() && (aggregation & kIsContinued) != 0;
      if (auto added = add_element(element, is_continued); !added) return added;
    }
    return {};
  }

  Result<AssembledFrame, Refusal> end() const {
    if (is_open_) return refuse(Refusal::kBroken);
    AssembledFrame facts;
    facts.has_parameters = notes_.has_sequence_header;
    facts.is_keyframe = facts.has_parameters && notes_.begins_with_key_frame;
    return facts;
  }

 private:
  Result<void, Refusal> add_element(Bytes element, bool is_continued) {
    if (frame_.size() + open_.size() + element.size() > kFrameBytesMax) return refuse(Refusal::kTooLarge);
    if (!is_open_ && !is_continued) return add_obu(element);
    open_.insert(open_.end(), element.begin(), element.end());
    is_open_ = is_continued;
    if (is_open_) return {};
    auto added = add_obu(open_);
    open_.clear();
    return added;
  }

  Result<void, Refusal> add_obu(Bytes element) {
    if (element.empty()) return {};
    if (++count_ > kUnitsPerFrameMax) return refuse(Refusal::kTooLarge);
    ByteReader reader(element);
    STOA_TRY(ParsedObu obu, read_obu(reader));
    std::uint8_t type = type_of(obu.header);
    if (is_for_no_receiver(type)) return {};
    notes_.note(type, obu.body);
    frame_.push_back(obu.header | kSizeFlag);
    if (obu.has_layer) frame_.push_back(obu.layer);
    write_leb128(obu.body.size(), [&](std::uint8_t byte) { frame_.push_back(byte); });
    frame_.insert(frame_.end(), obu.body.begin(), obu.body.end());
    return {};
  }

  Buffer& frame_;
  Buffer open_;
  bool is_open_ = false;
  std::size_t count_ = 0;
  UnitNotes notes_;
};

}  // namespace

Result<void, Refusal> Av1Packetizer::cut(Bytes bytes) {
  ByteReader reader(bytes);
  while (!reader.at_end()) {
    STOA_TRY(ParsedObu parsed, read_obu(reader));
    if (is_for_no_receiver(type_of(parsed.header))) continue;
    if (obus_.size() == kUnitsPerFrameMax) return refuse(Refusal::kTooLarge);
    Obu obu{};
    obu.header[0] = static_cast<std::uint8_t>(parsed.header & ~kSizeFlag);
    obu.header[1] = parsed.layer;
    obu.header_bytes = parsed.has_layer ? 2 : 1;
    obu.body = parsed.body;
    obus_.push_back(obu);
  }
  return {};
}

Result<void, Refusal> Av1Packetizer::packetize(Bytes temporal_unit, Bytes sequence_header,
                                               std::size_t payload_bytes_max, PayloadList& out) {
  STOA_DCHECK(payload_bytes_max >= kPayloadBytesFloor);
  obus_.clear();
  if (auto done = cut(temporal_unit); !done) return done;
  UnitNotes notes;
  for (const Obu& obu : obus_) notes.note(obu.type(), obu.body);
  if (notes.begins_with_key_frame && !notes.has_sequence_header && !sequence_header.empty()) {
    std::size_t own = obus_.size();
    if (auto done = cut(sequence_header); !done) return done;
    std::ranges::rotate(obus_, obus_.begin() + static_cast<std::ptrdiff_t>(own));
    notes.has_sequence_header = obus_.front().type() == kSequenceHeader;
  }
  if (obus_.empty()) return {};

  // As few payloads as the limit allows, then the lowest limit that makes no more of them: sizes even out.
  std::size_t payloads = plan(payload_bytes_max);
  std::size_t low = kPayloadBytesFloor, high = payload_bytes_max;
  while (payloads > 1 && low < high) {
    std::size_t middle = (low + high) / 2;
    if (plan(middle) <= payloads) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  plan(payloads > 1 ? high : payload_bytes_max);
  write(notes.begins_with_key_frame && notes.has_sequence_header, out);
  return {};
}

std::size_t Av1Packetizer::plan(std::size_t payload_bytes_max) {
  pieces_.clear();
  std::size_t payloads = 0, used = 0, count = 0;
  const Obu* layer = nullptr;  // The OBU that tells the open payload's layer.
  for (std::size_t i = 0; i < obus_.size(); ++i) {
    const Obu& obu = obus_[i];
    bool other_layer = layer != nullptr && obu.has_layer() && layer->header[1] != obu.header[1];
    if (other_layer) count = kCountedElementsMax;  // §5: a payload has OBUs of one layer.
    for (std::size_t offset = 0; offset < obu.size();) {
      std::size_t left = obu.size() - offset;
      // The element before, so far the last, needs its length once another follows.
      std::size_t cost = count == 0 ? 0 : leb128_size(pieces_.back().size);
      bool has_room = payloads > 0 && count < kCountedElementsMax &&
                      used + cost + std::min(left, kPieceBytesMin) <= payload_bytes_max;
      if (!has_room) {
        ++payloads;
        used = 1;
        cost = count = 0;
        layer = nullptr;
      }
      std::size_t size = std::min(left, payload_bytes_max - used - cost);
      pieces_.push_back({i, offset, size, !has_room});
      used += cost + size;
      offset += size;
      ++count;
      if (obu.has_layer()) layer = &obu;
    }
  }
  return payloads;
}

void Av1Packetizer::write(bool begins_sequence, PayloadList& out) const {
  for (std::size_t first = 0; first < pieces_.size();) {
    std::size_t last = first + 1;
    while (last < pieces_.size() && !pieces_[last].starts_payload) ++last;
    write_payload(first, last, begins_sequence && first == 0, out);
    first = last;
  }
}

void Av1Packetizer::write_payload(std::size_t first, std::size_t last, bool begins_sequence,
                                  PayloadList& out) const {
  bool continues = pieces_[first].offset != 0;
  const Piece& final_piece = pieces_[last - 1];
  bool is_continued = final_piece.offset + final_piece.size < obus_[final_piece.obu].size();
  out.u8(static_cast<std::uint8_t>((continues ? kContinues : 0) | (is_continued ? kIsContinued : 0) |
                                   (last - first) << kCountShift | (begins_sequence ? kBeginsSequence : 0)));
  for (std::size_t i = first; i < last; ++i) {
    const Piece& piece = pieces_[i];
    const Obu& obu = obus_[piece.obu];
    if (i + 1 < last) write_leb128(piece.size, [&](std::uint8_t byte) { out.u8(byte); });
    std::size_t head =
        piece.offset < obu.header_bytes ? std::min(obu.header_bytes - piece.offset, piece.size) : 0;
    if (head > 0) out.bytes(Bytes(obu.header).subspan(piece.offset, head));
    std::size_t body_at = piece.offset + head - obu.header_bytes;
    if (piece.size > head) out.bytes(obu.body.subspan(body_at, piece.size - head));
  }
  out.end_payload();
}

Result<AssembledFrame, Refusal> assemble_av1(std::span<const Bytes> payloads, Buffer& frame) {
  Assembly assembly(frame);
  for (Bytes payload : payloads) {
    if (auto added = assembly.add_payload(payload); !added) return refuse(added.error());
  }
  return assembly.end();
}

Result<PayloadFacts, Refusal> inspect_av1_payload(Bytes payload) {
  ByteReader reader(payload);
  std::uint8_t aggregation = reader.u8();
  if (!reader.ok()) return refuse(Refusal::kTruncated);
  PayloadFacts facts;
  bool continues = aggregation & kContinues, begins_sequence = aggregation & kBeginsSequence;
  if (continues && begins_sequence) return refuse(Refusal::kBadValue);
  facts.starts_frame = facts.is_keyframe = facts.is_switch_point = begins_sequence;
  if (continues || reader.at_end()) return facts;
  if ((aggregation >> kCountShift & 3) != 1) {
    if (auto size = read_leb128(reader); !size) return refuse(size.error());
  }
  std::uint8_t header = reader.u8(), layer = header & kExtensionFlag ? reader.u8() : std::uint8_t{0};
  if (!reader.ok()) return refuse(Refusal::kTruncated);
  if (header & kForbiddenBit) return refuse(Refusal::kBadValue);
  std::uint8_t type = type_of(header);
  if (type == kSequenceHeader || type == kTemporalDelimiter) facts.starts_frame = true;
  if (type == kSequenceHeader) facts.is_keyframe = facts.is_switch_point = true;
  facts.temporal_layer = layer >> 5;
  facts.spatial_layer = layer >> 3 & 3;
  return facts;
}

}  // namespace stoa::payload
