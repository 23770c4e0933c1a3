#include <algorithm>

#include "proto/rtcp/limits.h"
#include "proto/rtcp/packet.h"

namespace stoa::rtcp {
namespace {

using Read = Result<Packet, Refusal>;

constexpr std::size_t kHeaderBytes = 4;
constexpr std::size_t kSenderFactsBytes = 20;
constexpr std::uint32_t kRemb = 0x52454d42;  // "REMB".

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// |V=2|P|  count  |  packet type  |     length in words - 1       |
std::size_t packet_bytes(const std::uint8_t* header) { return (std::size_t{load_u16(header + 2)} + 1) * 4; }
bool is_padded(const std::uint8_t* header) { return header[0] >> 5 & 1; }

Result<void, Refusal> check_frames(Bytes datagram) {
  if (datagram.empty() || datagram.size() % 4 != 0) return refuse(Refusal::kTruncated);
  for (Bytes rest = datagram; !rest.empty();) {
    if (rest[0] >> 6 != 2) return refuse(Refusal::kBadVersion);
    std::size_t size = packet_bytes(rest.data());
    if (size > rest.size()) return refuse(Refusal::kTruncated);
    if (is_padded(rest.data())) {
      std::size_t padding = rest[size - 1];
      if (padding == 0 || padding > size - kHeaderBytes) return refuse(Refusal::kBadPadding);
    }
    rest = rest.subspan(size);
  }
  return {};
}

Result<Items<ReportBlock>, Refusal> read_blocks(Bytes body, unsigned count) {
  std::size_t size = count * ReportBlock::kBytes;
  if (body.size() < size) return refuse(Refusal::kBadReport);
  return Items<ReportBlock>(body.first(size));  // Behind them stand profile-specific extensions, unread.
}

Read read_sender_report(Bytes body, unsigned count) {
  ByteReader reader(body);
  SenderReport report;
  report.ssrc = reader.u32();
  report.sender.ntp = NtpTime::from_bits(reader.u64());
  report.sender.rtp_time = reader.u32();
  report.sender.packets = reader.u32();
  report.sender.octets = reader.u32();
  if (!reader.ok()) return refuse(Refusal::kBadReport);
  STOA_TRY(report.blocks, read_blocks(body.subspan(4 + kSenderFactsBytes), count));
  return report;
}

Read read_receiver_report(Bytes body, unsigned count) {
  if (body.size() < 4) return refuse(Refusal::kBadReport);
  ReceiverReport report{.ssrc = load_u32(body.data())};
  STOA_TRY(report.blocks, read_blocks(body.subspan(4), count));
  return report;
}

Read read_source_description(Bytes body, unsigned count) {
  SourceDescription description{body, static_cast<std::uint8_t>(count)};
  SdesItems walk = description.items();
  while (walk.next()) {
  }
  if (!walk.ok()) return refuse(Refusal::kBadSourceDescription);
  return description;
}

Read read_bye(Bytes body, unsigned count) {
  ByteReader reader(body);
  Bye bye{.sources = Items<std::uint32_t>(reader.take(count * 4))};
  if (reader.ok() && !reader.at_end()) bye.reason = reader.take(reader.u8());
  if (!reader.ok()) return refuse(Refusal::kBadBye);
  return bye;
}

Read read_app(Bytes body, unsigned subtype) {
  if (body.size() < 8) return refuse(Refusal::kBadApp);
  App app{.ssrc = load_u32(body.data()), .subtype = static_cast<std::uint8_t>(subtype)};
  std::copy_n(body.begin() + 4, 4, app.name.begin());
  app.content = body.subspan(8);
  return app;
}

Other other_packet(PacketType type, unsigned format, Bytes body) {
  return {static_cast<std::uint8_t>(type), static_cast<std::uint8_t>(format), body};
}

// | SSRC of the sender | SSRC of the media source | feedback control information … |
Read read_transport_feedback(Bytes body, unsigned format) {
  if (body.size() < 4) return refuse(Refusal::kBadFeedback);
  std::uint32_t sender = load_u32(body.data());
  // RFC 8888 has no media source here, but its first report.
  if (format == kFormatCongestion) {
    STOA_TRY(Packet congestion, CongestionFeedback::parse(sender, body.subspan(4)));
    return congestion;
  }
  if (body.size() < 8) return refuse(Refusal::kBadFeedback);
  std::uint32_t media = load_u32(body.data() + 4);
  Bytes content = body.subspan(8);
  switch (format) {
    case kFormatNack:
      if (content.empty() || content.size() % NackItem::kBytes != 0) return refuse(Refusal::kBadFeedback);
      return Nack{sender, media, Items<NackItem>(content)};
    case kFormatTransportWide: {
      STOA_TRY(Packet feedback, TransportFeedback::parse(sender, media, content));
      return feedback;
    }
    default: return other_packet(PacketType::kTransportFeedback, format, body);
  }
}

// |   'R' 'E' 'M' 'B'   |
// | sources | exponent (6) | mantissa (18) |
// | SSRC …  |
Read read_remb(std::uint32_t sender, Bytes content) {
  ByteReader reader(content);
  reader.skip(4);
  std::size_t count = reader.u8();
  std::uint32_t rate = reader.u24();
  Items<std::uint32_t> sources(reader.take(count * 4));
  if (!reader.ok()) return refuse(Refusal::kBadFeedback);
  std::uint64_t mantissa = rate & 0x3ffff;
  unsigned exponent = rate >> 18;
  bool overflows = mantissa != 0 && exponent > 46 && mantissa >> (64 - exponent) != 0;
  return Remb{sender, overflows ? ~std::uint64_t{0} : mantissa << exponent, sources};
}

Read read_payload_feedback(Bytes body, unsigned format) {
  if (body.size() < 8) return refuse(Refusal::kBadFeedback);
  std::uint32_t sender = load_u32(body.data()), media = load_u32(body.data() + 4);
  Bytes content = body.subspan(8);
  switch (format) {
    case kFormatPli: return Pli{sender, media};
    case kFormatFir:
      if (content.empty() || content.size() % FirItem::kBytes != 0) return refuse(Refusal::kBadFeedback);
      return Fir{sender, Items<FirItem>(content)};
    case kFormatApplication:
      if (content.size() >= 4 && load_u32(content.data()) == kRemb) return read_remb(sender, content);
      break;
    default: break;
  }
  return other_packet(PacketType::kPayloadFeedback, format, body);
}

Read read_extended_report(Bytes body) {
  if (body.size() < 4) return refuse(Refusal::kBadExtendedReport);
  STOA_TRY(Packet report, ExtendedReport::parse(load_u32(body.data()), body.subspan(4)));
  return report;
}

Read read_packet(PacketType type, unsigned count, Bytes body) {
  switch (type) {
    case PacketType::kSenderReport: return read_sender_report(body, count);
    case PacketType::kReceiverReport: return read_receiver_report(body, count);
    case PacketType::kSourceDescription: return read_source_description(body, count);
    case PacketType::kBye: return read_bye(body, count);
    case PacketType::kApp: return read_app(body, count);
    case PacketType::kTransportFeedback: return read_transport_feedback(body, count);
    case PacketType::kPayloadFeedback: return read_payload_feedback(body, count);
    case PacketType::kExtendedReport: return read_extended_report(body);
  }
  return other_packet(type, count, body);
}

}  // namespace

ReportBlock ReportBlock::load(const std::uint8_t* at) {
  ReportBlock block;
  block.ssrc = load_u32(at);
  block.fraction_lost = at[4];
  block.cumulative_lost = static_cast<std::int32_t>(load_u24(at + 5) << 8) >> 8;
  block.highest_sequence = load_u32(at + 8);
  block.jitter = load_u32(at + 12);
  block.last_sr = load_u32(at + 16);
  block.delay_since_last_sr = load_u32(at + 20);
  return block;
}

// A chunk: | SSRC | type | length | text | … | 0 up to the next word |
std::optional<SdesItem> SdesItems::next() {
  while (reader_.ok()) {
    if (!is_in_chunk_) {
      if (chunks_left_ == 0) return std::nullopt;
      --chunks_left_;
      ssrc_ = reader_.u32();
      is_in_chunk_ = true;
      continue;
    }
    std::uint8_t type = reader_.u8();
    if (type == 0) {
      reader_.skip((4 - reader_.offset() % 4) % 4);
      is_in_chunk_ = false;
      continue;
    }
    Bytes text = reader_.take(reader_.u8());
    if (reader_.ok()) return SdesItem{ssrc_, static_cast<SdesType>(type), text};
  }
  return std::nullopt;
}

std::optional<Bytes> SourceDescription::find(std::uint32_t ssrc, SdesType type) const {
  SdesItems walk = items();
  while (auto item = walk.next())
    if (item->ssrc == ssrc && item->type == type) return item->text;
  return std::nullopt;
}

Result<Reader, Refusal> Reader::open(Bytes datagram, Form form) {
  if (datagram.size() > kDatagramBytesMax) return refuse(Refusal::kTooLarge);
  auto checked = check_frames(datagram);
  if (!checked) return refuse(checked.error());
  auto first = static_cast<PacketType>(datagram[1]);
  bool is_report = first == PacketType::kSenderReport || first == PacketType::kReceiverReport;
  if (form == Form::kCompound && !is_report) return refuse(Refusal::kNotCompound);
  return Reader(datagram);
}

std::optional<Result<Packet, Refusal>> Reader::next() {
  if (rest_.empty()) return std::nullopt;
  const std::uint8_t* header = rest_.data();
  std::size_t size = packet_bytes(header);
  Bytes body = rest_.subspan(kHeaderBytes, size - kHeaderBytes);
  if (is_padded(header)) body = body.first(body.size() - body.back());
  rest_ = rest_.subspan(size);
  return read_packet(static_cast<PacketType>(header[1]), header[0] & 0x1f, body);
}

}  // namespace stoa::rtcp
