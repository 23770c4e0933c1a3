// RTCP three ways, by the first byte: a hostile datagram, whose packets must read the same after we wrote
// them; arrivals drawn from the input, which must come back out of both congestion feedbacks; and the
// machines that live on what a peer says, whose bounds must hold.
#include <algorithm>
#include <string>
#include <vector>

#include "base/assert.h"
#include "proto/rtcp/arrival_log.h"
#include "proto/rtcp/nack_generator.h"
#include "proto/rtcp/packet.h"
#include "proto/rtcp/reception.h"
#include "proto/rtcp/round_trip.h"
#include "proto/rtcp/sender_clock.h"
#include "proto/rtcp/writer.h"

namespace {

using namespace stoa;
using namespace stoa::rtcp;

template <typename T>
std::vector<T> list_of(const Items<T>& items) {
  return {items.begin(), items.end()};
}

std::vector<PacketMetric> metrics_of(const CongestionReport& report) { return list_of(report.metrics); }

bool same(Bytes a, Bytes b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

// Writes what was read; false for what has no writer or does not fit.
struct Rewrite {
  Writer& writer;

  bool operator()(const SenderReport& p) {
    return writer.write_sender_report(p.ssrc, p.sender, list_of(p.blocks));
  }
  bool operator()(const ReceiverReport& p) { return writer.write_receiver_report(p.ssrc, list_of(p.blocks)); }
  bool operator()(const SourceDescription& p) {
    std::vector<SdesItem> items;
    SdesItems walk = p.items();
    while (auto item = walk.next()) items.push_back(*item);
    return !items.empty() && writer.write_source_description(items);
  }
  bool operator()(const Bye& p) { return writer.write_bye(list_of(p.sources), as_text(p.reason)); }
  bool operator()(const App& p) { return p.content.size() % 4 == 0 && writer.write_app(p); }
  bool operator()(const Nack& p) {
    std::vector<std::uint16_t> sequences;
    p.for_each([&](std::uint16_t sequence) { sequences.push_back(sequence); });
    return writer.write_nack(p.sender_ssrc, p.media_ssrc, sequences) == sequences.size();
  }
  bool operator()(const Pli& p) { return writer.write_pli(p.sender_ssrc, p.media_ssrc); }
  bool operator()(const Fir& p) { return writer.write_fir(p.sender_ssrc, list_of(p.items)); }
  bool operator()(const Remb& p) {
    return writer.write_remb(p.sender_ssrc, p.bits_per_second, list_of(p.sources));
  }
  bool operator()(const TransportFeedback& p) {
    TransportFeedbackBuilder builder(p.first_sequence, writer.remaining());
    std::size_t next = 0;
    FeedbackArrivals walk = p.arrivals();
    while (auto arrival = walk.next()) {
      Timestamp at =
          Timestamp() + kFeedbackTick * (kTicksPerReference * p.reference_time) + arrival->since_reference;
      if (!builder.add(arrival->index - next, at)) return false;
      next = arrival->index + std::size_t{1};
    }
    return next > 0 && builder.write(p.sender_ssrc, p.media_ssrc, p.feedback_count, writer);
  }
  bool operator()(const CongestionFeedback& p) {
    std::vector<std::vector<PacketMetric>> metrics;
    std::vector<CongestionReport> read;
    CongestionReports walk = p.reports();
    while (auto report = walk.next()) {
      metrics.push_back(metrics_of(*report));
      read.push_back(*report);
    }
    std::vector<CongestionReportOut> reports;
    for (std::size_t i = 0; i < read.size(); ++i)
      reports.push_back({read[i].ssrc, read[i].first_sequence, metrics[i]});
    return writer.write_congestion_feedback(p.sender_ssrc, reports, p.report_time);
  }
  bool operator()(const ExtendedReport& p) {
    bool is_written = false;
    XrBlocks walk = p.blocks();
    while (auto block = walk.next()) {
      if (is_written) continue;  // One block of each report is enough to compare.
      if (auto* time = std::get_if<ReceiverReferenceTime>(&*block))
        is_written = writer.write_reference_time(p.ssrc, time->ntp);
      if (auto* echo = std::get_if<DelaySinceLast>(&*block))
        is_written = writer.write_delay_since_last(p.ssrc, list_of(echo->items));
    }
    return is_written;
  }
  bool operator()(const Other&) { return false; }
};

struct Compare {
  template <typename A, typename B>
  bool operator()(const A&, const B&) const {
    return false;
  }
  bool operator()(const SenderReport& a, const SenderReport& b) const {
    return a.ssrc == b.ssrc && a.sender == b.sender && list_of(a.blocks) == list_of(b.blocks);
  }
  bool operator()(const ReceiverReport& a, const ReceiverReport& b) const {
    return a.ssrc == b.ssrc && list_of(a.blocks) == list_of(b.blocks);
  }
  bool operator()(const SourceDescription& a, const SourceDescription& b) const {
    SdesItems left = a.items(), right = b.items();
    for (;;) {
      auto x = left.next(), y = right.next();
      if (!x || !y) return !x && !y;
      if (x->ssrc != y->ssrc || x->type != y->type || !same(x->text, y->text)) return false;
    }
  }
  bool operator()(const Bye& a, const Bye& b) const {
    return list_of(a.sources) == list_of(b.sources) && same(a.reason, b.reason);
  }
  bool operator()(const App& a, const App& b) const {
    return a.ssrc == b.ssrc && a.subtype == b.subtype && a.name == b.name && same(a.content, b.content);
  }
  bool operator()(const Nack& a, const Nack& b) const {
    std::vector<std::uint16_t> left, right;
    a.for_each([&](std::uint16_t sequence) { left.push_back(sequence); });
    b.for_each([&](std::uint16_t sequence) { right.push_back(sequence); });
    for (auto* list : {&left, &right}) {  // The writer asks for nothing twice in an item.
      std::sort(list->begin(), list->end());
      list->erase(std::unique(list->begin(), list->end()), list->end());
    }
    return a.sender_ssrc == b.sender_ssrc && a.media_ssrc == b.media_ssrc && left == right;
  }
  bool operator()(const Pli& a, const Pli& b) const {
    return a.sender_ssrc == b.sender_ssrc && a.media_ssrc == b.media_ssrc;
  }
  bool operator()(const Fir& a, const Fir& b) const {
    return a.sender_ssrc == b.sender_ssrc && list_of(a.items) == list_of(b.items);
  }
  bool operator()(const Remb& a, const Remb& b) const {
    bool is_saturated = a.bits_per_second == ~std::uint64_t{0} && b.bits_per_second >> 46 == 0x3ffff;
    return a.sender_ssrc == b.sender_ssrc && (a.bits_per_second == b.bits_per_second || is_saturated) &&
           list_of(a.sources) == list_of(b.sources);
  }
  bool operator()(const TransportFeedback& a, const TransportFeedback& b) const {
    FeedbackArrivals left = a.arrivals(), right = b.arrivals();
    std::int64_t shift = static_cast<std::int32_t>((b.reference_time - a.reference_time) << 8) >> 8;
    bool is_framed_alike = a.sender_ssrc == b.sender_ssrc && a.media_ssrc == b.media_ssrc &&
                           a.first_sequence == b.first_sequence && a.feedback_count == b.feedback_count &&
                           a.status_count >= b.status_count;
    for (;;) {
      auto x = left.next(), y = right.next();
      if (!x || !y) return !x && !y && is_framed_alike;
      Duration moved = y->since_reference + kFeedbackTick * (shift * kTicksPerReference);
      if (x->index != y->index || x->since_reference != moved) return false;
    }
  }
  bool operator()(const CongestionFeedback& a, const CongestionFeedback& b) const {
    CongestionReports left = a.reports(), right = b.reports();
    for (;;) {
      auto x = left.next(), y = right.next();
      if (!x || !y) return !x && !y && a.report_time == b.report_time && a.sender_ssrc == b.sender_ssrc;
      if (x->ssrc != y->ssrc || x->first_sequence != y->first_sequence || metrics_of(*x) != metrics_of(*y))
        return false;
    }
  }
  bool operator()(const ExtendedReport& a, const ExtendedReport& b) const { return a.ssrc == b.ssrc; }
};

void read_and_rewrite(Bytes datagram, Form form) {
  auto reader = Reader::open(datagram, form);
  if (!reader) return;
  Writer writer(60'000);
  while (auto packet = reader->next()) {
    if (!*packet) continue;
    writer.clear();
    if (!std::visit(Rewrite{writer}, **packet)) continue;
    auto again = Reader::open(writer.view(), Form::kReducedSize);
    STOA_ASSERT(again);
    auto same_packet = again->next();
    STOA_ASSERT(same_packet && *same_packet);
    STOA_ASSERT(std::visit(Compare{}, **packet, **same_packet));
    STOA_ASSERT(!again->next());
  }
}

void tell_and_learn(ByteReader& input) {
  ArrivalLog log({.packet_bytes_max = std::size_t{64} + 4 * input.u8()});
  CongestionLog congestion({.packet_bytes_max = std::size_t{64} + 4 * input.u8()});
  Timestamp now = Timestamp() + Duration::seconds(100);
  std::uint16_t sequence = input.u16();
  while (input.ok() && !input.at_end()) {
    std::uint8_t step = input.u8();
    sequence = static_cast<std::uint16_t>(sequence + (step < 250 ? step % 8 : input.u16()));
    now += Duration::microseconds(input.u8() * 400);
    log.handle_packet(now, sequence);
    congestion.handle_packet(now, step % 70, sequence, static_cast<Ecn>(step % 4));
    if (step % 32 != 0) continue;
    while (log.has_news()) {
      Writer writer;
      STOA_ASSERT(log.write_feedback(1, 2, writer));
      auto reader = Reader::open(writer.view(), Form::kReducedSize);
      auto packet = reader->next();
      STOA_ASSERT(packet && *packet);
      STOA_ASSERT(std::get<TransportFeedback>(**packet).arrivals().next());
    }
    while (congestion.has_news()) {
      Writer writer;
      STOA_ASSERT(congestion.write_feedback(now, NtpTime::from_bits(now.ns()), 1, writer));
      auto reader = Reader::open(writer.view(), Form::kReducedSize);
      auto packet = reader->next();
      STOA_ASSERT(packet && *packet && std::holds_alternative<CongestionFeedback>(**packet));
    }
    STOA_ASSERT(log.next_deadline() == Timestamp::never());
  }
}

void run_machines(ByteReader& input) {
  constexpr NackConfig kConfig{.missing_max = 64};
  NackGenerator nacks(kConfig);
  NackOutputs out;
  Reception reception(1, 1 + input.u24() % kClockRateMax);
  SenderClock clock(1 + input.u24() % kClockRateMax);
  RoundTrip round_trips;
  FeedbackTimeline timeline;
  Timestamp now;
  while (input.ok() && !input.at_end()) {
    now += Duration::microseconds(input.u16());
    std::uint8_t what = input.u8();
    switch (what % 8) {
      case 0: clock.handle_sender_report(NtpTime::from_bits(input.u64()), input.u32()); break;
      case 1: round_trips.handle_sent(now, NtpTime::from_bits(std::uint64_t{input.u8()} << 16)); break;
      case 2: round_trips.handle_echo(now, input.u8(), input.u32()); break;
      case 3: reception.handle_sender_report(now, NtpTime::from_bits(input.u64())); break;
      case 4:
        timeline.place(
            {.first_sequence = input.u16(), .reference_time = input.u24(), .feedback_count = what});
        break;
      case 5: nacks.drop_before(input.u16()); break;
      default: {
        std::uint16_t sequence = input.u16();
        const PacketOrigin origin = what < 32   ? PacketOrigin::kRetransmitted
                                    : what < 64 ? PacketOrigin::kRecovered
                                                : PacketOrigin::kFirstSent;
        nacks.handle_packet(now, sequence, origin, out);
        reception.handle_packet(now, sequence, input.u32());
      }
    }
    nacks.set_round_trip(round_trips.smoothed_or(Duration::milliseconds(what)));
    if (now >= nacks.next_deadline()) {
      nacks.handle_deadline(now, out);
      STOA_ASSERT(nacks.next_deadline() > now);
    }
    STOA_ASSERT(nacks.missing() <= kConfig.missing_max);
    STOA_ASSERT(nacks.missing() == 0 || nacks.next_deadline() != Timestamp::never());
    out.clear();
    reception.take_report_block(now);
    if (clock.is_known()) {
      std::uint32_t rtp_time = what * 0x0101'0101u;
      clock.rtp_time_at(*clock.capture_time(rtp_time));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  Bytes rest(data + 1, size - 1);
  ByteReader input(rest);
  switch (data[0] % 4) {
    case 0: read_and_rewrite(rest, Form::kReducedSize); break;
    case 1: read_and_rewrite(rest, Form::kCompound); break;
    case 2: tell_and_learn(input); break;
    default: run_machines(input); break;
  }
  return 0;
}
