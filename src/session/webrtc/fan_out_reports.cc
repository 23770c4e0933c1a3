#include <algorithm>
#include <bit>

#include "session/webrtc/fan_out_impl.h"

namespace stoa::webrtc {

// Each step finds what the step before has asked for, and asks for that of all before it needs any.
void FanOut::expect_rtcp(std::span<const SenderId> senders) const {
  for (const SenderId id : senders)
    if (const Sender* sender = impl_->find_sender(id)) prefetch(sender, &sender->outlets);
  for (const SenderId id : senders)
    if (const Sender* sender = impl_->find_sender(id); sender && sender->congestion)
      prefetch(sender->congestion.get(), sender->congestion.get() + 1);
  for (const SenderId id : senders)
    if (const Sender* sender = impl_->find_sender(id); sender && sender->congestion)
      sender->congestion->controller().prefetch_feedback();
}

void FanOut::handle_rtcp(Timestamp now, WallTime, SenderId id, Bytes packet, FanOutOutputs& out) {
  impl_->now = now;
  Sender* sender = impl_->find_sender(id);
  if (sender == nullptr) return;
  auto reader = rtcp::Reader::open(packet, rtcp::Form::kReducedSize);
  if (!reader) return;
  while (auto next = reader->next())
    if (*next) impl_->handle_packet(now, *sender, **next);
  impl_->emit_wanted(out);
  impl_->steer(now, *sender, out);
}

// What the controller has made of what it was told: rate and probes for the pacer, and news.
void FanOut::Impl::steer(Timestamp at, Sender& sender, FanOutOutputs& out) {
  if (!sender.congestion) return;
  if (sender.congestion->update(at, sender.pacer, sender.can_pad)) {
    ++totals.probes;
    release(sender);
  }
  if (const auto news = sender.congestion->take_news(at)) out.push(SenderBandwidth{sender.id, *news});
  if (const Timestamp next = sender.congestion->controller().next_deadline(); next != Timestamp::never())
    congestion.set(at, sender.id.index, next);
}

void FanOut::Impl::handle_packet(Timestamp at, Sender& sender, const rtcp::Packet& packet) {
  const auto take_blocks = [&](const auto& report) {
    for (const rtcp::ReportBlock block : report.blocks) handle_report_block(at, sender, block);
    tell_loss(at, sender);
  };
  std::uint16_t index = 0;
  std::visit(Overloaded{
                 [&](const rtcp::SenderReport& report) { take_blocks(report); },
                 [&](const rtcp::ReceiverReport& report) { take_blocks(report); },
                 [&](const rtcp::Nack& nack) {
                   if (find_ssrc(sender, nack.media_ssrc, index)) handle_nack(at, sender, index, nack);
                 },
                 [&](const rtcp::Pli& pli) {
                   if (find_ssrc(sender, pli.media_ssrc, index)) handle_keyframe_request(at, sender, index);
                 },
                 [&](const rtcp::Fir& fir) { handle_fir(at, sender, fir); },
                 [&](const rtcp::Remb& remb) {
                   for (const std::uint32_t ssrc : remb.sources)
                     if (Outlet* outlet = find_ssrc(sender, ssrc, index))
                       outlet->stats.remb_bps = remb.bits_per_second;
                   if (sender.congestion)
                     sender.congestion->controller().handle_remb(at, remb.bits_per_second);
                 },
                 [&](const rtcp::TransportFeedback& feedback) {
                   ++totals.feedbacks;
                   if (sender.congestion) sender.congestion->handle_feedback(at, feedback);
                 },
                 [&](const rtcp::CongestionFeedback& feedback) {
                   ++totals.feedbacks;
                   if (sender.congestion) sender.congestion->handle_feedback(at, feedback);
                 },
                 [&](const rtcp::ExtendedReport& report) { handle_extended(at, sender, report); },
                 [](const auto&) {},
             },
             packet);
}

Outlet* FanOut::Impl::find_ssrc(Sender& sender, std::uint32_t ssrc, std::uint16_t& index) {
  for (index = 0; index < sender.outlets.size(); ++index)
    if (sender.outlets[index].is_open && sender.outlets[index].ssrc == ssrc) return &sender.outlets[index];
  return nullptr;
}

void FanOut::Impl::handle_fir(Timestamp at, Sender& sender, const rtcp::Fir& fir) {
  for (const rtcp::FirItem item : fir.items) {
    std::uint16_t index = 0;
    Outlet* outlet = find_ssrc(sender, item.ssrc, index);
    const Outlet::FullIntraRequest request{fir.sender_ssrc, item.sequence};
    if (outlet == nullptr || outlet->intra_request == request) continue;
    outlet->intra_request = request;
    handle_keyframe_request(at, sender, index);
  }
}

void FanOut::Impl::handle_report_block(Timestamp at, Sender& sender, const rtcp::ReportBlock& block) {
  std::uint16_t index = 0;
  Outlet* outlet = find_ssrc(sender, block.ssrc, index);
  if (outlet == nullptr) return;
  outlet->stats.loss = block.fraction_lost / 256.0;
  // Of so many packets: the extended number is as far as ours, however the receiver counts its wraps.
  const auto reported = static_cast<std::uint16_t>(
      static_cast<std::uint16_t>(block.highest_sequence) -
      std::exchange(outlet->reported_to, static_cast<std::uint16_t>(block.highest_sequence)));
  sender.reported_packets += reported;
  sender.reported_losses += reported * outlet->stats.loss;
  // All packets from there on had it, so the newest that came does.
  if (outlet->tells_playout && outlet->playout_told_from)
    outlet->tells_playout = static_cast<std::int16_t>(static_cast<std::uint16_t>(block.highest_sequence) -
                                                      *outlet->playout_told_from) < 0;
  outlet->stats.jitter = Duration::from_ticks(block.jitter, payload::clock_rate_of(outlet->encoding));
  if (block.last_sr == 0) return;
  if (sender.round_trip.handle_echo(at, block.last_sr, block.delay_since_last_sr))
    outlet->stats.round_trip = sender.round_trip.smoothed_or(Duration());
}

// Of all that a report speaks of.
void FanOut::Impl::tell_loss(Timestamp at, Sender& sender) {
  const auto packets = std::exchange(sender.reported_packets, 0u);
  const double losses = std::exchange(sender.reported_losses, 0.0);
  if (packets == 0) return;
  call_for_red(at, sender, losses / packets);
  if (!sender.congestion) return;
  std::optional<Duration> round_trip;
  if (sender.round_trip.is_known()) round_trip = sender.round_trip.smoothed_or({});
  sender.congestion->controller().handle_report(at, losses / packets, round_trip);
}

void FanOut::Impl::call_for_red(Timestamp at, Sender& sender, double loss) {
  if (loss >= config.red_from_loss) sender.red_until = at + config.red_kept;
  const bool is_called_for = at < sender.red_until;
  for (Outlet& outlet : sender.all()) {
    if (!outlet.has_red || outlet.is_red_called_for == is_called_for) continue;
    outlet.is_red_called_for = is_called_for;
    outlet.end_repeats();
  }
}

void FanOut::Impl::handle_extended(Timestamp at, Sender& sender, const rtcp::ExtendedReport& report) {
  rtcp::XrBlocks blocks = report.blocks();
  while (const auto block = blocks.next())
    if (const auto* reference = std::get_if<rtcp::ReceiverReferenceTime>(&*block))
      sender.reference_time = {report.ssrc, reference->ntp.compact(), at};
}

void FanOut::Impl::handle_nack(Timestamp at, Sender& sender, std::uint16_t index, const rtcp::Nack& nack) {
  Outlet& outlet = sender.outlets[index];
  if (at >= sender.nacks_until) {
    sender.nacks_left = kNacksMax;
    sender.nacks_until = at + kNacksInterval;
  }
  // After the first that there is no room for, none is looked at any more.
  bool has_room = true;
  std::uint64_t ignored = 0;
  for (const rtcp::NackItem item : nack.items) {
    has_room = has_room && sender.nacks_left > 0;
    if (!has_room) {
      ignored += 1u + static_cast<unsigned>(std::popcount(item.following));
      continue;
    }
    item.for_each([&](std::uint16_t sequence) {
      has_room = has_room && sender.nacks_left > 0 && ask_again(at, sender, outlet, sequence);
      ignored += !has_room;
    });
  }
  outlet.stats.nacks_ignored += ignored;
  totals.nacks_ignored += ignored;
  if (outlet.again && !outlet.again->is_empty()) enqueue(sender, index);
}

// False when there is no room for it, and so for none that follows.
bool FanOut::Impl::ask_again(Timestamp at, Sender& sender, Outlet& outlet, std::uint16_t sequence) {
  --sender.nacks_left;
  ++outlet.stats.nacked;
  // The number nearest before the next one.
  const std::int64_t out =
      outlet.next_out - 1 -
      static_cast<std::uint16_t>(static_cast<std::uint16_t>(outlet.next_out - 1) - sequence);
  if (out < outlet.over_before) {
    ++outlet.stats.nacked_late;
    return true;
  }
  const Run* run = outlet.next_out - out <= kLateMax ? outlet.find_run(out) : nullptr;
  const Layer* layer = run ? find_layer(run->stream, run->layer) : nullptr;
  std::optional<Position> position;
  if (layer && layer->history.epoch() == run->epoch) position = run->find(layer->history, out);
  // What has come but was not sent yet will be.
  if (position && layer == outlet.feed && *position >= outlet.cursor) return true;
  const bool can_send = outlet.has_rtx || (outlet.can_repeat && out >= outlet.repeats_from);
  if (!position || !can_send) {
    ++outlet.stats.nacked_unknown;
    return true;
  }
  const History::Slot& slot = layer->history.slot(*position);
  const Duration round_trip = sender.round_trip.smoothed_or(kRoundTripUnknown);
  if (at - std::max(slot.arrived, outlet.begun_at) > config.retransmission_age_max + round_trip) {
    ++outlet.stats.nacked_late;
    return true;
  }
  const std::size_t bytes = slot.packet->kept_bytes();
  const auto allowed = static_cast<std::uint64_t>(static_cast<double>(sender.sent.bytes(at)) *
                                                  config.retransmission_share_max);
  if (sender.sent_again.bytes(at) + bytes > std::max(allowed, kRetransmissionFloorBytes)) return false;
  if (!outlet.again) outlet.again = std::make_unique<Retransmissions>();
  if (outlet.again->is_full()) return false;
  if (outlet.again->ask(at, out, round_trip)) sender.sent_again.add(at, bytes);
  return true;
}

// From the history when its keyframe is new, or when the source cannot be asked; else from the source.
void FanOut::Impl::handle_keyframe_request(Timestamp at, Sender& sender, std::uint16_t index) {
  Outlet& outlet = sender.outlets[index];
  ++outlet.stats.plis;
  ++totals.plis;
  if (!outlet.is_video || outlet.feed == nullptr) {
    if (outlet.is_video && outlet.waits_for) want_keyframe(*outlet.waits_for);
    return;
  }
  const Duration on_its_way = std::max(kKeyframeOnItsWay, sender.round_trip.smoothed_or(Duration()) * 3 / 2);
  if (outlet.has_sent && at - outlet.keyframe_sent_at < on_its_way) return;
  if (can_replay(at, sender, outlet)) return replay(at, sender, index);
  want_keyframe(outlet.waits_for ? *outlet.waits_for : *outlet.feed);
}

bool FanOut::Impl::can_replay(Timestamp at, const Sender& sender, const Outlet& outlet) const {
  const History& history = outlet.feed->history;
  const auto keyframe = history.keyframe();
  if (!keyframe) return false;
  const bool was_replayed = outlet.replayed_keyframe == history.keyframe_sequence();
  if (outlet.feed->can_ask) return !was_replayed && at - history.slot(*keyframe).arrived <= kReplayMax;
  if (outlet.cursor < outlet.replay_until) return false;  // It is being sent what it asks for.
  if (was_replayed && at - outlet.replayed_at < kReplayInterval) return false;
  return sender.pacer.time_of(history.keyframe_bytes()) <= kReplaySendMax;
}

// The newest keyframe once more. Requires: there is one.
void FanOut::Impl::replay(Timestamp at, Sender& sender, std::uint16_t index) {
  Outlet& outlet = sender.outlets[index];
  const History& history = outlet.feed->history;
  const Position keyframe = *history.keyframe();
  outlet.replayed_keyframe = history.keyframe_sequence();
  outlet.replayed_at = at;
  if (keyframe >= outlet.cursor) return;  // It is about to be sent.
  outlet.begun_at = at;
  outlet.begin_run(keyframe, history.keyframe_sequence(), elapsed_to(outlet, *outlet.feed, keyframe));
  outlet.replay_until = history.end();
  outlet.keyframe_sent_at = at;
  enqueue(sender, index);
}

// What the outlet's RTP clock shows at `wall`.
std::uint32_t FanOut::Impl::report_time_of(Timestamp at, WallTime wall, const Outlet& outlet) const {
  const Layer& layer = *outlet.feed;
  const std::int64_t source =
      layer.clock ? layer.clock->timestamp + (wall - layer.clock->captured_at).to_ticks(layer.clock_rate)
                  : outlet.last_source_timestamp + (at - outlet.last_arrived).to_ticks(layer.clock_rate);
  return static_cast<std::uint32_t>(outlet.run().timestamp_of(source));
}

void FanOut::Impl::report(Timestamp at, WallTime wall, Sender& sender, FanOutOutputs& out) {
  const rtcp::NtpTime ntp = rtcp::NtpTime::from_wall(wall);
  bool has_told_reference = false;
  for (Outlet& outlet : sender.all()) {
    // Asking once may not have been enough.
    if (outlet.waits_for && outlet.is_video && !is_ready(at, outlet) && !has_keyframe(at, outlet))
      want_keyframe(*outlet.waits_for);
    climb(at, outlet);
    if (!outlet.has_sent || outlet.feed == nullptr || !outlet.has_run()) continue;
    const rtcp::SenderFacts facts{.ntp = ntp,
                                  .rtp_time = report_time_of(at, wall, outlet),
                                  .packets = static_cast<std::uint32_t>(outlet.stats.packets),
                                  .octets = static_cast<std::uint32_t>(outlet.stats.bytes)};
    const std::size_t needed = 28 + 4 + 4 + 2 + sender.cname.size() + 4 + 24;
    if (writer.remaining() < needed) flush_report(sender, out);
    writer.write_sender_report(outlet.ssrc, facts, {});
    writer.write_cname(outlet.ssrc, sender.cname);
    if (sender.reference_time && !has_told_reference) {
      const rtcp::DlrrItem item{.ssrc = sender.reference_time->ssrc,
                                .last_rr = sender.reference_time->compact,
                                .delay_since_last_rr = rtcp::to_compact(at - sender.reference_time->at)};
      has_told_reference = writer.write_delay_since_last(outlet.ssrc, std::span(&item, 1));
    }
  }
  if (has_told_reference) sender.reference_time.reset();
  if (writer.empty()) return;
  sender.round_trip.handle_sent(at, ntp);
  flush_report(sender, out);
}

void FanOut::Impl::flush_report(Sender& sender, FanOutOutputs& out) {
  ++totals.reports;
  out.push(SendReport{sender.id, writer.take()});
}

}  // namespace stoa::webrtc
