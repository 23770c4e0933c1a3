#include "proto/rtcp/writer.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace stoa::rtcp {
namespace {

constexpr std::size_t kHeaderBytes = 4;

constexpr std::size_t up_to_word(std::size_t bytes) { return (bytes + 3) / 4 * 4; }

std::uint8_t* store_block(std::uint8_t* at, const ReportBlock& block) {
  at = store_u32(at, block.ssrc);
  at = store_u32(at, static_cast<std::uint32_t>(block.fraction_lost) << 24 |
                         (static_cast<std::uint32_t>(block.cumulative_lost) & 0xff'ffff));
  at = store_u32(at, block.highest_sequence);
  at = store_u32(at, block.jitter);
  at = store_u32(at, block.last_sr);
  return store_u32(at, block.delay_since_last_sr);
}

std::uint8_t* store_u64(std::uint8_t* at, std::uint64_t value) {
  return store_u32(store_u32(at, static_cast<std::uint32_t>(value >> 32)), static_cast<std::uint32_t>(value));
}

std::uint8_t* store_text(std::uint8_t* at, Bytes text) {
  *at++ = static_cast<std::uint8_t>(text.size());
  return std::copy(text.begin(), text.end(), at);
}

// The bytes of receiver reports that hold `blocks`; one report even for none.
std::size_t receiver_reports_bytes(std::size_t blocks) {
  std::size_t reports = blocks == 0 ? 1 : (blocks + kReportBlocksMax - 1) / kReportBlocksMax;
  return reports * (kHeaderBytes + 4) + blocks * ReportBlock::kBytes;
}

// Items of the first SSRC of `items`.
std::span<const SdesItem> first_chunk(std::span<const SdesItem> items) {
  std::size_t count = 0;
  while (count < items.size() && items[count].ssrc == items[0].ssrc) ++count;
  return items.first(count);
}

// SSRC, items, and at least one zero up to the next word.
std::size_t chunk_bytes(std::span<const SdesItem> chunk) {
  std::size_t bytes = 4 + 1;
  for (const SdesItem& item : chunk) bytes += 2 + item.text.size();
  return up_to_word(bytes);
}

}  // namespace

Writer::Writer(std::size_t limit_bytes) : limit_bytes_(limit_bytes) {
  STOA_ASSERT(limit_bytes % 4 == 0);
  out_.reserve(limit_bytes);
}

Buffer Writer::take() {
  Buffer taken(out_.begin(), out_.end());
  out_.clear();
  return taken;
}

std::uint8_t* Writer::append(PacketType type, unsigned count, std::size_t body_bytes) {
  STOA_DCHECK(count <= 31 && body_bytes % 4 == 0);
  if (kHeaderBytes + body_bytes > remaining()) return nullptr;
  std::size_t offset = out_.size();
  out_.resize(offset + kHeaderBytes + body_bytes);
  std::uint8_t* at = out_.data() + offset;
  *at++ = static_cast<std::uint8_t>(0x80 | count);
  *at++ = static_cast<std::uint8_t>(type);
  return store_u16(at, static_cast<std::uint16_t>(body_bytes / 4));
}

bool Writer::write_sender_report(std::uint32_t ssrc, const SenderFacts& sender,
                                 std::span<const ReportBlock> blocks) {
  auto first = blocks.first(std::min(blocks.size(), kReportBlocksMax));
  auto others = blocks.subspan(first.size());
  std::size_t body = 24 + first.size() * ReportBlock::kBytes;
  std::size_t behind = others.empty() ? 0 : receiver_reports_bytes(others.size());
  if (kHeaderBytes + body + behind > remaining()) return false;
  std::uint8_t* at = append(PacketType::kSenderReport, static_cast<unsigned>(first.size()), body);
  if (!at) return false;
  at = store_u32(at, ssrc);
  at = store_u64(at, sender.ntp.bits());
  at = store_u32(at, sender.rtp_time);
  at = store_u32(at, sender.packets);
  at = store_u32(at, sender.octets);
  for (const ReportBlock& block : first) at = store_block(at, block);
  return others.empty() || write_receiver_report(ssrc, others);
}

bool Writer::write_receiver_report(std::uint32_t ssrc, std::span<const ReportBlock> blocks) {
  if (receiver_reports_bytes(blocks.size()) > remaining()) return false;
  do {
    auto part = blocks.first(std::min(blocks.size(), kReportBlocksMax));
    blocks = blocks.subspan(part.size());
    std::uint8_t* at = append(PacketType::kReceiverReport, static_cast<unsigned>(part.size()),
                              4 + part.size() * ReportBlock::kBytes);
    if (!at) return false;
    at = store_u32(at, ssrc);
    for (const ReportBlock& block : part) at = store_block(at, block);
  } while (!blocks.empty());
  return true;
}

bool Writer::write_source_description(std::span<const SdesItem> items) {
  std::size_t body = 0;
  unsigned chunks = 0;
  for (auto rest = items; !rest.empty(); ++chunks) {
    auto chunk = first_chunk(rest);
    body += chunk_bytes(chunk);
    rest = rest.subspan(chunk.size());
  }
  STOA_ASSERT(chunks <= 31);
  std::uint8_t* at = append(PacketType::kSourceDescription, chunks, body);
  if (!at) return false;
  while (!items.empty()) {
    auto chunk = first_chunk(items);
    items = items.subspan(chunk.size());
    std::uint8_t* end = at + chunk_bytes(chunk);
    at = store_u32(at, chunk[0].ssrc);
    for (const SdesItem& item : chunk) {
      STOA_ASSERT(item.text.size() <= kSdesTextBytesMax);
      *at++ = static_cast<std::uint8_t>(item.type);
      at = store_text(at, item.text);
    }
    at = end;
  }
  return true;
}

bool Writer::write_cname(std::uint32_t ssrc, std::string_view cname) {
  SdesItem item{ssrc, SdesType::kCname, as_bytes(cname)};
  return write_source_description({&item, 1});
}

bool Writer::write_bye(std::span<const std::uint32_t> sources, std::string_view reason) {
  STOA_ASSERT(sources.size() <= 31 && reason.size() <= kSdesTextBytesMax);
  std::size_t reason_bytes = reason.empty() ? 0 : up_to_word(1 + reason.size());
  std::uint8_t* at =
      append(PacketType::kBye, static_cast<unsigned>(sources.size()), 4 * sources.size() + reason_bytes);
  if (!at) return false;
  for (std::uint32_t ssrc : sources) at = store_u32(at, ssrc);
  if (!reason.empty()) store_text(at, as_bytes(reason));
  return true;
}

bool Writer::write_app(const App& app) {
  STOA_ASSERT(app.subtype <= 31 && app.content.size() % 4 == 0);
  std::uint8_t* at = append(PacketType::kApp, app.subtype, 8 + app.content.size());
  if (!at) return false;
  at = store_u32(at, app.ssrc);
  at = std::copy(app.name.begin(), app.name.end(), at);
  std::copy(app.content.begin(), app.content.end(), at);
  return true;
}

std::size_t Writer::write_nack(std::uint32_t sender_ssrc, std::uint32_t media_ssrc,
                               std::span<const std::uint16_t> sequences) {
  if (remaining() < kHeaderBytes + 8 + NackItem::kBytes) return 0;
  std::size_t items_max = (remaining() - kHeaderBytes - 8) / NackItem::kBytes;
  // Twice the same walk: once to know the size, once to write.
  auto walk = [&](auto&& visit) {
    std::size_t taken = 0;
    for (std::size_t items = 0; items < items_max && taken < sequences.size(); ++items) {
      NackItem item{.first = sequences[taken++]};
      for (; taken < sequences.size(); ++taken) {
        unsigned distance = static_cast<std::uint16_t>(sequences[taken] - item.first);
        if (distance > 16) break;
        if (distance > 0) item.following |= static_cast<std::uint16_t>(1u << (distance - 1));
      }
      visit(item);
    }
    return taken;
  };
  std::size_t items = 0;
  std::size_t taken = walk([&](const NackItem&) { ++items; });
  if (taken == 0) return 0;
  std::uint8_t* at = append(PacketType::kTransportFeedback, kFormatNack, 8 + items * NackItem::kBytes);
  if (!at) return 0;
  at = store_u32(at, sender_ssrc);
  at = store_u32(at, media_ssrc);
  walk([&](const NackItem& item) { at = store_u16(store_u16(at, item.first), item.following); });
  return taken;
}

bool Writer::write_pli(std::uint32_t sender_ssrc, std::uint32_t media_ssrc) {
  std::uint8_t* at = append(PacketType::kPayloadFeedback, kFormatPli, 8);
  if (!at) return false;
  store_u32(store_u32(at, sender_ssrc), media_ssrc);
  return true;
}

bool Writer::write_fir(std::uint32_t sender_ssrc, std::span<const FirItem> items) {
  std::uint8_t* at = append(PacketType::kPayloadFeedback, kFormatFir, 8 + items.size() * FirItem::kBytes);
  if (!at) return false;
  at = store_u32(at, sender_ssrc);
  at = store_u32(at, 0);  // RFC 5104 §4.3.1.2: the media source is named in the items alone.
  for (const FirItem& item : items) {
    at = store_u32(at, item.ssrc);
    at = store_u32(at, static_cast<std::uint32_t>(item.sequence) << 24);
  }
  return true;
}

bool Writer::write_remb(std::uint32_t sender_ssrc, std::uint64_t bits_per_second,
                        std::span<const std::uint32_t> sources) {
  STOA_ASSERT(sources.size() <= kRembSourcesMax);
  std::uint8_t* at = append(PacketType::kPayloadFeedback, kFormatApplication, 16 + 4 * sources.size());
  if (!at) return false;
  int exponent = std::max(0, static_cast<int>(std::bit_width(bits_per_second)) - 18);
  at = store_u32(at, sender_ssrc);
  at = store_u32(at, 0);
  at = std::copy_n("REMB", 4, at);
  at = store_u32(at, static_cast<std::uint32_t>(sources.size()) << 24 |
                         static_cast<std::uint32_t>(exponent) << 18 |
                         static_cast<std::uint32_t>(bits_per_second >> exponent));
  for (std::uint32_t ssrc : sources) at = store_u32(at, ssrc);
  return true;
}

bool Writer::write_congestion_feedback(std::uint32_t sender_ssrc,
                                       std::span<const CongestionReportOut> reports,
                                       std::uint32_t report_time) {
  std::size_t body = 8;
  for (const CongestionReportOut& report : reports) {
    STOA_ASSERT(report.metrics.size() <= kCongestionMetricsMax);
    body += 8 + up_to_word(report.metrics.size() * PacketMetric::kBytes);
  }
  std::uint8_t* at = append(PacketType::kTransportFeedback, kFormatCongestion, body);
  if (!at) return false;
  at = store_u32(at, sender_ssrc);
  for (const CongestionReportOut& report : reports) {
    at = store_u32(at, report.ssrc);
    at = store_u16(at, report.first_sequence);
    at = store_u16(at, static_cast<std::uint16_t>(report.metrics.size()));
    for (const PacketMetric& metric : report.metrics) at = store_u16(at, metric.bits());
    if (report.metrics.size() % 2 != 0) at = store_u16(at, 0);
  }
  store_u32(at, report_time);
  return true;
}

bool Writer::write_reference_time(std::uint32_t sender_ssrc, NtpTime now) {
  std::uint8_t* at = append(PacketType::kExtendedReport, 0, 16);
  if (!at) return false;
  at = store_u32(at, sender_ssrc);
  at = store_u32(at, static_cast<std::uint32_t>(XrBlockType::kReferenceTime) << 24 | 2);
  store_u64(at, now.bits());
  return true;
}

bool Writer::write_delay_since_last(std::uint32_t sender_ssrc, std::span<const DlrrItem> items) {
  std::uint8_t* at = append(PacketType::kExtendedReport, 0, 8 + items.size() * DlrrItem::kBytes);
  if (!at) return false;
  at = store_u32(at, sender_ssrc);
  at = store_u32(at, static_cast<std::uint32_t>(XrBlockType::kDelaySinceLast) << 24 |
                         static_cast<std::uint32_t>(3 * items.size()));
  for (const DlrrItem& item : items) {
    at = store_u32(at, item.ssrc);
    at = store_u32(at, item.last_rr);
    at = store_u32(at, item.delay_since_last_rr);
  }
  return true;
}

}  // namespace stoa::rtcp
