// RTCP packets as values, and the reader that takes a datagram apart (RFC 3550 §6, RFC 4585 §6).
//
// A packet is a view: lists and texts point into the datagram and live as long as it does. Nothing is copied
// or allocated. What a packet holds was checked when it was read; walking a list afterwards cannot fail.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <variant>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/rtcp/congestion_feedback.h"
#include "proto/rtcp/extended_report.h"
#include "proto/rtcp/items.h"
#include "proto/rtcp/ntp.h"
#include "proto/rtcp/refusal.h"
#include "proto/rtcp/transport_feedback.h"

namespace stoa::rtcp {

enum class PacketType : std::uint8_t {
  kSenderReport = 200,
  kReceiverReport = 201,
  kSourceDescription = 202,
  kBye = 203,
  kApp = 204,
  kTransportFeedback = 205,  // RTPFB.
  kPayloadFeedback = 206,    // PSFB.
  kExtendedReport = 207,
};
// FMT of RTPFB.
inline constexpr std::uint8_t kFormatNack = 1;
inline constexpr std::uint8_t kFormatCongestion = 11;
inline constexpr std::uint8_t kFormatTransportWide = 15;
// FMT of PSFB.
inline constexpr std::uint8_t kFormatPli = 1;
inline constexpr std::uint8_t kFormatFir = 4;
inline constexpr std::uint8_t kFormatApplication = 15;  // REMB among them.

// How one source was received since the last report (RFC 3550 §6.4.1).
struct ReportBlock {
  std::uint32_t ssrc = 0;
  std::uint8_t fraction_lost = 0;         // Of 256, since the last report.
  std::int32_t cumulative_lost = 0;       // 24 bits, signed: duplicates may make it negative.
  std::uint32_t highest_sequence = 0;     // Cycles in the upper half.
  std::uint32_t jitter = 0;               // In ticks of the stream's clock.
  std::uint32_t last_sr = 0;              // Compact NTP time of the last SR, 0 when there was none.
  std::uint32_t delay_since_last_sr = 0;  // 1/65536 s.

  bool operator==(const ReportBlock&) const = default;
  static constexpr std::size_t kBytes = 24;
  static ReportBlock load(const std::uint8_t* at);
};

// What a sender says of its own stream. The two times name the same moment (RFC 3550 §6.4.1).
struct SenderFacts {
  NtpTime ntp;
  std::uint32_t rtp_time = 0;
  std::uint32_t packets = 0;
  std::uint32_t octets = 0;  // Payload only, modulo 2^32.

  bool operator==(const SenderFacts&) const = default;
};

struct SenderReport {
  std::uint32_t ssrc = 0;
  SenderFacts sender;
  Items<ReportBlock> blocks;
};

struct ReceiverReport {
  std::uint32_t ssrc = 0;
  Items<ReportBlock> blocks;
};

enum class SdesType : std::uint8_t {
  kCname = 1,
  kName = 2,
  kEmail = 3,
  kPhone = 4,
  kLocation = 5,
  kTool = 6,
  kNote = 7,
  kPrivate = 8,
  kRtpStreamId = 12,          // RFC 8852 §4.1.
  kRepairedRtpStreamId = 13,  // RFC 8852 §4.2.
  kMid = 15,                  // RFC 9143 §16.2.
};
struct SdesItem {
  std::uint32_t ssrc = 0;
  SdesType type = SdesType::kCname;
  Bytes text;
};

// Walks the items of all chunks; a chunk without items passes unseen.
class SdesItems {
 public:
  SdesItems(Bytes chunks, int chunk_count) : reader_(chunks), chunks_left_(chunk_count) {}
  std::optional<SdesItem> next();
  // False when the walk met bytes that are no items.
  bool ok() const { return reader_.ok(); }

 private:
  ByteReader reader_;
  int chunks_left_;
  std::uint32_t ssrc_ = 0;
  bool is_in_chunk_ = false;
};

struct SourceDescription {
  Bytes chunks;
  std::uint8_t chunk_count = 0;

  SdesItems items() const { return {chunks, chunk_count}; }
  std::optional<Bytes> find(std::uint32_t ssrc, SdesType type) const;
};

struct Bye {
  Items<std::uint32_t> sources;
  Bytes reason;
};

struct App {
  std::uint32_t ssrc = 0;
  std::uint8_t subtype = 0;
  std::array<char, 4> name{};
  Bytes content;
};

// A lost packet and which of the 16 behind it are lost too (RFC 4585 §6.2.1).
struct NackItem {
  std::uint16_t first = 0;
  std::uint16_t following = 0;  // Bit i: first + i + 1.

  bool operator==(const NackItem&) const = default;
  static constexpr std::size_t kBytes = 4;
  static NackItem load(const std::uint8_t* at) { return {load_u16(at), load_u16(at + 2)}; }
  // Calls `visit(std::uint16_t sequence)` for each packet asked for: at most 17.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    visit(first);
    for (int i = 0; i < 16; ++i)
      if (following >> i & 1) visit(static_cast<std::uint16_t>(first + i + 1));
  }
};
struct Nack {
  std::uint32_t sender_ssrc = 0, media_ssrc = 0;
  Items<NackItem> items;

  // Calls `visit(std::uint16_t sequence)` for each packet asked for. At most 17 for each four bytes.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (NackItem item : items) item.for_each(visit);
  }
};

// RFC 4585 §6.3.1: a whole picture, please.
struct Pli {
  std::uint32_t sender_ssrc = 0, media_ssrc = 0;
};

// RFC 5104 §4.3.1: the same, by sequence number: a repeated number is the same request again.
struct FirItem {
  std::uint32_t ssrc = 0;
  std::uint8_t sequence = 0;

  bool operator==(const FirItem&) const = default;
  static constexpr std::size_t kBytes = 8;
  static FirItem load(const std::uint8_t* at) { return {load_u32(at), at[4]}; }
};
struct Fir {
  std::uint32_t sender_ssrc = 0;
  Items<FirItem> items;
};

// draft-alvestrand-rmcat-remb §2.2: what the receiver thinks it can take, over all `sources` together.
struct Remb {
  std::uint32_t sender_ssrc = 0;
  std::uint64_t bits_per_second = 0;  // The largest value when the wire says more than 64 bits hold.
  Items<std::uint32_t> sources;
};

// Well-formed and of a kind that is not read here (SLI, RPSI, TMMBR, other AFB, packet types to come).
struct Other {
  std::uint8_t type = 0;
  std::uint8_t format = 0;  // The five bits that are a count in some types.
  Bytes body;               // Behind the first four bytes, without padding.
};

using Packet = std::variant<SenderReport, ReceiverReport, SourceDescription, Bye, App, Nack, Pli, Fir, Remb,
                            TransportFeedback, CongestionFeedback, ExtendedReport, Other>;

// Whether a datagram that came on an RTP port is RTCP (RFC 5761 §4).
inline bool is_rtcp(Bytes datagram) {
  return datagram.size() >= 4 && datagram[0] >> 6 == 2 && datagram[1] >= 192 && datagram[1] <= 223;
}

enum class Form : std::uint8_t {
  kCompound,     // Begins with SR or RR (RFC 3550 §6.1).
  kReducedSize,  // Begins with anything (RFC 5506); what browsers send once rtcp-rsize is agreed.
};

// Takes one decrypted datagram apart.
//
//   STOA_TRY(Reader reader, Reader::open(bytes, Form::kReducedSize));
//   while (auto packet = reader.next()) {
//     if (!*packet) { count(packet->error()); continue; }
//     std::visit(Overloaded{…}, **packet);
//   }
//
// Deviates from RFC 3550 §6.4.1: padding is accepted on every packet, not the last alone, and in any number
// of bytes, since Chromium so pads transport-wide feedback wherever it stands.
class Reader {
 public:
  // Checks the frames of all packets before the first is read (RFC 3550 A.2).
  static Result<Reader, Refusal> open(Bytes datagram, Form form);

  // The next packet or why it is refused; nothing at the end. A refused packet is passed over.
  std::optional<Result<Packet, Refusal>> next();

 private:
  explicit Reader(Bytes datagram) : rest_(datagram) {}

  Bytes rest_;
};

}  // namespace stoa::rtcp
