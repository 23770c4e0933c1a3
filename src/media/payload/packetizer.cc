#include "media/payload/packetizer.h"

#include <utility>

#include "media/payload/h264.h"
#include "media/payload/hevc.h"
#include "media/payload/nal_units.h"
#include "media/payload/opus.h"
#include "media/payload/vp8.h"
#include "media/payload/vp9.h"

namespace stoa::payload {
namespace {

constexpr std::size_t kAv1RecordHeadBytes = 4;
constexpr std::uint16_t kPictureIdMask = 0x7fff;

bool is_keyframe_without_sets(Encoding encoding, const std::vector<Bytes>& nals) {
  bool has_key = false, has_sets = false;
  for (Bytes nal : nals) {
    if (encoding == Encoding::kH264) {
      std::uint8_t type = nal[0] & 0x1f;
      has_key |= type == 5;
      has_sets |= type == 7;
    } else {
      std::uint8_t type = nal[0] >> 1 & 0x3f;
      has_key |= type >= 16 && type <= 21;
      has_sets |= type == 33;
    }
  }
  return has_key && !has_sets;
}

}  // namespace

Packetizer::Packetizer(const PacketizerConfig& config)
    : config_(config), picture_id_(config.first_picture_id & kPictureIdMask) {
  STOA_ASSERT(config.payload_bytes_max >= kPayloadBytesFloor && config.payload_bytes_max <= 0xffff);
}

Result<void, Refusal> Packetizer::set_record(SharedBytes record) {
  if (config_.encoding == Encoding::kH264 || config_.encoding == Encoding::kHevc) {
    auto parsed = config_.encoding == Encoding::kH264 ? parse_h264_record(record.bytes())
                                                      : parse_hevc_record(record.bytes());
    if (!parsed) return refuse(parsed.error());
    record_sets_ = std::move(parsed->sets);
    length_size_ = parsed->length_size;
  } else if (config_.encoding == Encoding::kAv1) {
    if (record.size() < kAv1RecordHeadBytes) return refuse(Refusal::kTruncated);
    sequence_header_ = record.bytes().subspan(kAv1RecordHeadBytes);
  }
  record_ = std::move(record);
  return {};
}

Result<void, Refusal> Packetizer::handle_frame(Bytes frame, std::int64_t timestamp, PayloadList& out) {
  out.clear();
  if (frame.size() > kFrameBytesMax) return refuse(Refusal::kTooLarge);
  auto done = packetize(frame, timestamp, out);
  if (!done) {
    out.clear();
  } else if (is_video(config_.encoding) && !out.empty()) {
    out.mark(out.size() - 1);
  }
  return done;
}

Result<void, Refusal> Packetizer::packetize(Bytes frame, std::int64_t timestamp, PayloadList& out) {
  std::size_t limit = config_.payload_bytes_max;
  auto next_picture_id = [this] {
    return std::exchange(picture_id_, static_cast<std::uint16_t>((picture_id_ + 1) & kPictureIdMask));
  };
  switch (config_.encoding) {
    case Encoding::kH264:
    case Encoding::kHevc: return packetize_nals(frame, out);
    case Encoding::kAv1: return av1_.packetize(frame, sequence_header_, limit, out);
    case Encoding::kVp8: return packetize_vp8(frame, next_picture_id(), false, limit, out);
    case Encoding::kVp9: return packetize_vp9(frame, next_picture_id(), limit, out);
    case Encoding::kOpus: return handle_opus(frame, timestamp, out);
  }
  return refuse(Refusal::kUnsupported);
}

Result<void, Refusal> Packetizer::packetize_nals(Bytes frame, PayloadList& out) {
  nals_.clear();
  if (auto cut = cut_nals(frame, length_size_, nals_); !cut) return cut;
  if (is_keyframe_without_sets(config_.encoding, nals_)) {
    nals_.insert(nals_.begin(), record_sets_.begin(), record_sets_.end());
  }
  if (config_.encoding == Encoding::kHevc) return packetize_hevc(nals_, config_.payload_bytes_max, out);
  return packetize_h264(nals_, config_.payload_bytes_max, config_.may_aggregate, out);
}

Result<void, Refusal> Packetizer::handle_opus(Bytes packet, std::int64_t timestamp, PayloadList& out) {
  STOA_TRY(std::uint32_t duration, opus_duration(packet));
  if (auto done = packetize_opus(packet, config_.payload_bytes_max, out); !done) return done;
  if (next_timestamp_ != timestamp) out.mark(0);
  next_timestamp_ = timestamp + duration;
  return {};
}

}  // namespace stoa::payload
