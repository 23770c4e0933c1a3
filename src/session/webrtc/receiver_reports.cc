#include <algorithm>
#include <utility>

#include "session/webrtc/receiver_impl.h"

namespace stoa::webrtc {

void Receiver::Impl::handle_rtcp(Timestamp now, Bytes bytes, ReceiverOutputs& out) {
  auto& malformed = stats.refused[static_cast<std::size_t>(ReceiveRefusal::kMalformed)];
  auto reader = rtcp::Reader::open(bytes, rtcp::Form::kReducedSize);
  if (!reader) {
    ++malformed;
    return;
  }
  bool is_echoed = false;
  while (auto packet = reader->next()) {
    if (!*packet) {
      ++malformed;
      continue;
    }
    if (const auto* report = std::get_if<rtcp::SenderReport>(&**packet)) {
      handle_sender_report(now, *report, out);
    } else if (const auto* description = std::get_if<rtcp::SourceDescription>(&**packet)) {
      handle_description(now, *description);
    } else if (const auto* bye = std::get_if<rtcp::Bye>(&**packet)) {
      for (std::uint32_t ssrc : bye->sources) handle_bye(now, ssrc, out);
    } else if (const auto* extended = std::get_if<rtcp::ExtendedReport>(&**packet)) {
      is_echoed |= handle_extended_report(now, *extended);
    }
  }
  // Once for a datagram, which may say it many times.
  if (is_echoed) set_round_trip(round_trips.smoothed_or({}));
}

void Receiver::Impl::handle_sender_report(Timestamp now, const rtcp::SenderReport& report,
                                          ReceiverOutputs& out) {
  InboundSource* source = demux.find(report.ssrc);
  if (!source || !report.sender.ntp.is_set()) return;
  source->reception.handle_sender_report(now, report.sender.ntp);
  if (source->place.is_rtx) return;
  bool has_moved = peer_clock.handle_report(wall_at(now), report.sender.ntp);
  Track& track = all_tracks[source->place.section];
  InboundLayer& layer = track.layers[source->place.layer];
  bool is_used = (!layer.ssrc() || layer.ssrc() == report.ssrc) &&
                 layer.clock.handle_sender_report(report.sender.ntp, report.sender.rtp_time);
  if (is_used && layer.is_mapped) map_clock(now, track, source->place.layer, report.sender.rtp_time, out);
  if (!has_moved) return;
  for (Track& other : all_tracks) {
    auto layers = static_cast<std::uint8_t>(other.layers.size());
    for (std::uint8_t i = 0; i < layers; ++i) {
      InboundLayer& moved = other.layers[i];
      if (&moved != &layer && moved.is_mapped && moved.clock.is_known())
        map_clock(now, other, i, moved.last_rtp_time(), out);
    }
  }
}

void Receiver::Impl::handle_description(Timestamp now, const rtcp::SourceDescription& description) {
  std::uint32_t ssrc = 0;
  StreamLabels labels;
  rtcp::SdesItems items = description.items();
  while (auto item = items.next()) {
    if (item->ssrc != ssrc) labels = {};
    ssrc = item->ssrc;
    if (item->type == rtcp::SdesType::kMid) {
      labels.mid = as_text(item->text);
    } else if (item->type == rtcp::SdesType::kRtpStreamId) {
      labels.rid = as_text(item->text);
    } else if (item->type == rtcp::SdesType::kRepairedRtpStreamId) {
      labels.repaired_rid = as_text(item->text);
    } else {
      continue;
    }
    demux.bind(now, ssrc, labels);
  }
}

// The SSRC keeps its place: a sender that pauses a layer says BYE, goes on later, and does not say again
// which layer it was.
void Receiver::Impl::handle_bye(Timestamp now, std::uint32_t ssrc, ReceiverOutputs& out) {
  InboundSource* source = demux.find(ssrc);
  if (!source || !source->has_begun) return;
  source->has_begun = false;
  if (has_congestion) congestion.drop_source(ssrc);
  Track& track = all_tracks[source->place.section];
  InboundLayer& layer = track.layers[source->place.layer];
  if (source->place.is_rtx || layer.ssrc() != ssrc) return;
  bool was_active = layer.is_active;
  layer.end(now);
  if (!track.is_open) return;
  if (track.is_over(now, config.layer_silence)) {
    close(track, out);
    return;
  }
  if (was_active) tell_active(track, out);
  silence_due = std::min(silence_due, now + config.layer_silence);
}

bool Receiver::Impl::Track::is_over(Timestamp now, Duration silence) const {
  std::optional<Timestamp> last_bye;
  for (const InboundLayer& layer : layers) {
    if (layer.has_ended) last_bye = last_bye ? std::max(*last_bye, layer.ended_at()) : layer.ended_at();
  }
  if (!last_bye) return false;
  bool is_silent_since = now - *last_bye >= silence;
  return std::all_of(layers.begin(), layers.end(), [&](const InboundLayer& layer) {
    if (!layer.ssrc() || layer.has_ended) return true;
    return is_silent_since && layer.last_media - *last_bye < InboundLayer::kByeHold;
  });
}

bool Receiver::Impl::handle_extended_report(Timestamp now, const rtcp::ExtendedReport& report) {
  bool is_echoed = false;
  rtcp::XrBlocks blocks_of_report = report.blocks();
  while (auto block = blocks_of_report.next()) {
    if (const auto* time = std::get_if<rtcp::ReceiverReferenceTime>(&*block)) {
      auto found = std::find_if(reference_times.begin(), reference_times.end(),
                                [&](const ReferenceTime& known) { return known.ssrc == report.ssrc; });
      if (found == reference_times.end()) {
        if (reference_times.size() == kReferenceTimesMax) continue;
        found = reference_times.insert(found, ReferenceTime{report.ssrc, {}, false});
      }
      found->echo.handle_report(now, time->ntp);
      found->is_new = true;
      start_reports(now);
    } else if (const auto* delays = std::get_if<rtcp::DelaySinceLast>(&*block)) {
      for (const rtcp::DlrrItem& item : delays->items) {
        if (item.ssrc != local_ssrc) continue;
        is_echoed |= round_trips.handle_echo(now, item.last_rr, item.delay_since_last_rr).has_value();
      }
    }
  }
  return is_echoed;
}

void Receiver::Impl::take_nack_outputs(Timestamp now, Track& track, InboundLayer& layer,
                                       ReceiverOutputs& out) {
  if (nack_outputs.empty()) return;
  const InboundCodec* codec = codec_of(track);
  const bool is_video = codec && codec->track.is_video();
  // What is shown of the picture stays broken until the next keyframe.
  auto heal = [&](std::uint16_t newest) {
    const auto index = layer.extend(newest);
    if (is_video && index && !layer.is_healed(*index)) wish_keyframe(now, layer, *index);
  };
  for (auto& output : nack_outputs) {
    if (const auto* wanted = std::get_if<rtcp::NackWanted>(&output)) {
      if (!codec || !layer.ssrc()) continue;
      if (!codec->feedback.nack) {
        heal(wanted->sequences.back());
        continue;
      }
      const rtcp::NackStats& asked = layer.nack.stats();
      std::span<const std::uint16_t> sequences = wanted->sequences;
      // Who never answered is asked for one at a time: an answer to that begins it all again.
      bool is_unanswered = asked.answered == 0 && asked.requests - sequences.size() > kUnansweredMax;
      if (!codec->has_rtx && is_unanswered) sequences = sequences.first(1);
      feedback.write_nack(*layer.ssrc(), sequences, out);
      stats.nacks_sent += sequences.size();
      layer.nacks += sequences.size();
    } else if (const auto* given_up = std::get_if<rtcp::GivenUp>(&output)) {
      stats.lost += given_up->packets;
      // Where nothing that others are decoded with is gone there is nothing to heal.
      if (is_video && layer.handle_lost()) heal(given_up->newest);
    }
  }
  nack_outputs.clear();
}

// All that a line has place for which became much narrower. A full queue loses much of it, too, but not for
// long all of it: what is silent was given up.
const InboundLayer* Receiver::Impl::least_of(Timestamp now, const Track& track) const {
  if (!has_remb || !uplink_limit.is_much_narrower()) return nullptr;
  const InboundCodec* codec = codec_of(track);
  if (!codec || !(codec->feedback.pli || codec->feedback.fir)) return nullptr;
  const auto least = std::ranges::find_if(track.layers, [&](const InboundLayer& layer) {
    return layer.is_active && now - layer.last_media < kLayerQuiet;
  });
  return least == track.layers.end() ? nullptr : &*least;
}

bool Receiver::Impl::is_too_large(Timestamp now, const Track& track, const InboundLayer& layer) const {
  const InboundLayer* least = least_of(now, track);
  return least && least < &layer;
}

bool Receiver::Impl::may_ask(Timestamp now, const Track& track, const InboundLayer& layer) const {
  if (has_remb && uplink_limit.is_much_narrower()) return !is_too_large(now, track, layer);
  return !track.is_given_up(now, layer);
}

// The sender will give them up, too, and what is still on its way of them is in pieces. Receivers go over to
// the least layer with its next keyframe; what is repeated of it would only leave before that.
void Receiver::Impl::put_larger_layers_aside(Timestamp now) {
  for (Track& track : all_tracks) {
    std::uint8_t aside = 0;
    for (InboundLayer& layer : track.layers) {
      if (!layer.is_active || !is_too_large(now, track, layer)) continue;
      aside |= track.bit_of(layer);
      layer.keyframe.hold(now + kGivenUpGone);
      layer.aside_until = now + kAsideMax;
    }
    if (aside == 0) continue;
    track.aside |= aside;
    InboundLayer& least = track.layers[track.index_of(*least_of(now, track))];
    const Timestamp heeded = now + kLimitHeeded;
    least.keyframe.hold(heeded);
    wish_keyframe(now, least, *least.highest());
    least.repaired_from = heeded + least.round_trip() + uplink_limit.waited() + kEncoded;
    deadline = std::min(deadline, least.keyframe.due());
  }
}

void Receiver::Impl::send_due_feedback(Timestamp now, ReceiverOutputs& out) {
  for (Track& track : all_tracks) {
    for (InboundLayer& layer : track.layers) {
      if (layer.nack.next_deadline() <= now) {
        const bool may_repair = now >= layer.repaired_from && may_ask(now, track, layer);
        layer.nack.handle_deadline(now, nack_outputs, may_repair);
        take_nack_outputs(now, track, layer, out);
      }
      send_keyframe_wish(now, track, layer, out);
    }
  }
  send_arrivals(now, out);
  send_limit(now, out);
}

void Receiver::Impl::wish_keyframe(Timestamp now, InboundLayer& layer, std::int64_t index) {
  layer.keyframe.request(now, config.keyframe_interval_min, layer.sequence_of(index));
}

void Receiver::Impl::send_keyframe_wish(Timestamp now, const Track& track, InboundLayer& layer,
                                        ReceiverOutputs& out) {
  if (layer.keyframe.due() > now) return;
  if (!may_ask(now, track, layer)) return layer.keyframe.put_off();
  const InboundCodec* codec = codec_of(track);
  bool can_ask =
      codec && layer.ssrc() && codec->track.is_video() && (codec->feedback.pli || codec->feedback.fir);
  if (!can_ask) {
    layer.keyframe.drop();
    return;
  }
  if (codec->feedback.pli) {
    feedback.write_pli(*layer.ssrc(), out);
  } else {
    feedback.write_fir(*layer.ssrc(), layer.keyframe.command(), out);
  }
  ++stats.plis_sent;
  ++layer.plis;
  layer.keyframe.mark_sent(now, layer.round_trip());
}

void Receiver::Impl::send_arrivals(Timestamp now, ReceiverOutputs& out) {
  bool is_due = has_arrivals && arrivals.next_deadline() <= now;
  if (is_due || is_arrival_asked) {
    is_arrival_asked = false;
    feedback.write_arrivals(arrivals, last_media_ssrc, out);
  }
  if (has_congestion && congestion.next_deadline() <= now && wall_base_)
    feedback.write_arrivals(now, rtcp::NtpTime::from_wall(wall_at(now)), congestion, out);
}

void Receiver::Impl::send_limit(Timestamp now, ReceiverOutputs& out) {
  if (!has_remb) return;
  if (const auto limit = uplink_limit.take_news(now)) {
    std::vector<std::uint32_t> sources;
    for (const Track& track : all_tracks)
      for (const InboundLayer& layer : track.layers)
        if (const auto ssrc = layer.ssrc();
            ssrc && sources.size() < rtcp::kRembSourcesMax && !layer.has_ended)
          sources.push_back(*ssrc);
    feedback.write_remb(*limit, sources, out);
  }
  stats.limits_begun = uplink_limit.begun();
}

void Receiver::Impl::start_reports(Timestamp now) {
  if (report_due != Timestamp::never()) return;
  report_due = now + config.report_interval / 2;
  deadline = std::min(deadline, report_due);
}

void Receiver::Impl::send_report(Timestamp now, ReceiverOutputs& out) {
  blocks.clear();
  for (InboundSource& source : demux.sources()) {
    if (!source.has_begun) continue;
    if (auto block = source.reception.take_report_block(now)) blocks.push_back(*block);
  }
  feedback.write_report(blocks, out);
  rtcp::NtpTime ntp = rtcp::NtpTime::from_wall(wall_at(now));
  feedback.write_reference_time(ntp, out);
  round_trips.handle_sent(now, ntp);
  std::array<rtcp::DlrrItem, kReferenceTimesMax> items;
  std::size_t count = 0;
  for (ReferenceTime& known : reference_times) {
    if (std::exchange(known.is_new, false)) items[count++] = known.echo.item(known.ssrc, now);
  }
  if (count > 0) feedback.write_delays(std::span(items).first(count), out);
  // Half to one and a half intervals, so that reports of many sessions do not fall together (RFC 3550 §6.2).
  report_due = now + Duration::from_seconds(config.report_interval.as_seconds() * (0.5 + rng.unit()));
}

void Receiver::Impl::find_silent(Timestamp now, ReceiverOutputs& out) {
  if (silence_due > now) return;
  silence_due = Timestamp::never();
  for (Track& track : all_tracks) {
    bool has_changed = false;
    for (InboundLayer& layer : track.layers) {
      if (layer.has_ended && now - layer.ended_at() < config.layer_silence)
        silence_due = std::min(silence_due, layer.ended_at() + config.layer_silence);
      if (!layer.is_active) continue;
      if (now - layer.last_media >= config.layer_silence) {
        layer.is_active = false;
        has_changed = true;
      } else {
        silence_due = std::min(silence_due, layer.last_media + config.layer_silence);
      }
    }
    if (track.is_open && track.is_over(now, config.layer_silence)) {
      close(track, out);
    } else if (has_changed) {
      tell_active(track, out);
    }
  }
}

void Receiver::Impl::set_round_trip(Duration round_trip) {
  round_trip = std::clamp(round_trip, Duration(), kRoundTripMax);
  for (Track& track : all_tracks) {
    for (InboundLayer& layer : track.layers) layer.set_round_trip(round_trip);
  }
  uplink_limit.set_round_trip(round_trip);
}

// Until the wall clock is known, a deadline is always due: handle_deadline() brings it.
void Receiver::Impl::update_deadline() {
  deadline = std::min(report_due, silence_due);
  if (!wall_base_) deadline = std::min(deadline, born);
  if (has_arrivals) deadline = std::min(deadline, arrivals.next_deadline());
  if (has_congestion) deadline = std::min(deadline, congestion.next_deadline());
  for (const Track& track : all_tracks) {
    for (const InboundLayer& layer : track.layers)
      deadline = std::min({deadline, layer.nack.next_deadline(), layer.keyframe.due()});
  }
}

void Receiver::Impl::learn_wall(Timestamp now, WallTime wall) {
  if (!wall_base_) wall_base_ = WallBase{now, wall};
}

void Receiver::Impl::map_clock(Timestamp arrived, Track& track, payload::LayerIndex layer,
                               std::uint32_t rtp_time, ReceiverOutputs& out) {
  InboundLayer& mapped = track.layers[layer];
  mapped.is_mapped = true;
  if (!wall_base_) {
    std::erase_if(waiting_maps, [&](const WaitingMap& waiting) {
      return waiting.track == track.id && waiting.layer == layer;
    });
    waiting_maps.push_back({track.id, layer, rtp_time, arrived});
    return;
  }
  payload::ClockMapping mapping{mapped.peek_timestamp(rtp_time), wall_at(arrived)};
  if (auto captured = mapped.clock.capture_time(rtp_time); captured && peer_clock.is_known())
    mapping.captured_at = peer_clock.to_ours(*captured).to_wall();
  out.push(TrackClockMapped{track.id, layer, mapping});
}

void Receiver::Impl::map_waiting(ReceiverOutputs& out) {
  for (const WaitingMap& waiting : waiting_maps) {
    Track& track = all_tracks[waiting.track];
    if (track.is_open) map_clock(waiting.arrived, track, waiting.layer, waiting.rtp_time, out);
  }
  waiting_maps.clear();
}

}  // namespace stoa::webrtc
