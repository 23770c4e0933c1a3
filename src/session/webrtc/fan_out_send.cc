#include <cstring>
#include <limits>

#include "proto/rtp/extension.h"
#include "proto/rtp/extension_values.h"
#include "proto/rtp/rtx.h"
#include "session/webrtc/fan_out_impl.h"

namespace stoa::webrtc {
namespace {

constexpr std::size_t kAudio = 0, kVideo = 1;
constexpr std::uint8_t kPaddingBytes = 240;  // Of a packet that is nothing else; RTP has room for 255.

void store_u16(std::uint8_t* at, std::uint16_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}

}  // namespace

namespace {

// In place of one that the receiver's level leaves out and that came too late for numbers to close up over
// it.
constexpr payload::Packet kFiller{};

}  // namespace

// A packet that will be written: looked at twice, once for its size.
struct FanOut::Impl::Planned {
  Outlet* outlet;
  const Run* run;
  const History* history;
  const payload::Packet* packet;
  Position position;
  std::int64_t out;
  std::uint32_t bytes;  // On the wire, without padding to equal sizes.
  std::uint16_t header_bytes;
  std::uint8_t padding_bytes;  // Of a packet that is nothing else.
  bool is_again, is_rtx, is_red, tells_playout, is_padding;
  bool marker;
  const Buffer* descriptor;  // In place of the packet's own, when set.

  std::size_t payload_bytes() const { return is_red ? packet->kept_bytes() : packet->payload_bytes; }
};

struct FanOut::Impl::Plan {
  static constexpr std::size_t kMax = DatagramBatch::kTrainSegmentsMax;

  bool is_full() const { return count == kMax; }

  std::size_t count = 0, bytes = 0;
  std::array<Planned, kMax> packets;
};

bool FanOut::Impl::fill(Timestamp at, DatagramBatch& batch) {
  now = at;
  send_time = rtp::AbsSendTime::at(at).ticks();
  collect_dirty();
  bool has_room = true;
  while (work_first < work.size()) {
    prefetch_work();
    Sender* sender = find_sender(work[work_first]);
    if (sender && sender->path && send(at, *sender, batch) == Sent::kNoRoom) {
      has_room = false;
      break;
    }
    if (sender) sender->is_in_work = false;
    ++work_first;
    if (protecting.size() >= kProtectPackets) protect_all();
  }
  protect_all();
  if (work_first == work.size()) {
    work.clear();
    work_first = 0;
  } else if (work_first > 4096 && work_first * 2 > work.size()) {
    work.erase(work.begin(), work.begin() + static_cast<std::ptrdiff_t>(work_first));
    work_first = 0;
  }
  return !has_room;
}

// Of those whose turn comes next: each step finds what the step before has asked for.
void FanOut::Impl::prefetch_work() {
  const auto ahead = [&](std::size_t turns) {
    return work_first + turns < work.size() ? find_sender(work[work_first + turns]) : nullptr;
  };
  if (const Sender* sender = ahead(4)) prefetch(sender, &sender->outlets + 1);
  const auto first_of = [](const Sender& sender) -> const Outlet* {
    const std::uint16_t index = sender.first_queued[sender.first_queued[kAudio] == Outlet::kNone];
    return index == Outlet::kNone ? nullptr : &sender.outlets[index];
  };
  if (const Sender* sender = ahead(3)) {
    if (const Outlet* outlet = first_of(*sender)) prefetch(outlet, &outlet->runs);
    if (sender->congestion) sender->congestion->prefetch();
  }
  if (const Sender* sender = ahead(2)) {
    const Outlet* outlet = first_of(*sender);
    if (outlet && outlet->has_run()) {
      prefetch(&outlet->run(), &outlet->run() + 1);
      prefetch(&outlet->header, &outlet->again + 1);
      __builtin_prefetch(&outlet->stats, 1);
    }
    if (sender->congestion) sender->congestion->controller().prefetch_sent();
  }
  if (const Sender* sender = ahead(1); sender && sender->congestion)
    sender->congestion->controller().prefetch_place(now);
}

void FanOut::Impl::collect_dirty() {
  for (Layer* layer : dirty) {
    layer->is_dirty = false;
    // Nobody is always the last.
    const std::size_t count = layer->fed.size(), begin = count > 0 ? layer->turn++ % count : 0;
    for (std::size_t i = 0; i < count; ++i) {
      const OutletRef& ref = layer->fed[begin + i < count ? begin + i : begin + i - count];
      if (Sender* sender = find_sender(ref.sender)) enqueue(*sender, ref.outlet);
    }
    for (const OutletRef& ref : layer->waiting)
      if (Sender* sender = find_sender(ref.sender)) enqueue(*sender, ref.outlet);
  }
  dirty.clear();
}

// The first outlet of the list becomes the last: where the budget ended, the next one begins.
void FanOut::Impl::rotate(Sender& sender, std::size_t list) {
  const std::uint16_t first = sender.first_queued[list];
  if (first == Outlet::kNone || first == sender.last_queued[list]) return;
  sender.first_queued[list] = sender.outlets[first].next_queued;
  sender.outlets[sender.last_queued[list]].next_queued = first;
  sender.outlets[first].next_queued = Outlet::kNone;
  sender.last_queued[list] = first;
}

FanOut::Impl::Sent FanOut::Impl::send(Timestamp at, Sender& sender, DatagramBatch& batch) {
  Plan plan;
  for (;;) {
    plan.count = plan.bytes = 0;
    rewritten.clear();
    plan_list(at, sender, kAudio, std::numeric_limits<std::int64_t>::max(), plan);
    const bool is_held = !sender.is_held && plan_video(at, sender, plan);
    if (plan.count > 0 && !write_plan(at, sender, plan, batch)) return Sent::kNoRoom;
    drop_finished(sender, kAudio);
    drop_finished(sender, kVideo);
    if (is_held) {
      hold(at, sender);
      return Sent::kHeld;
    }
    const bool has_queued =
        sender.first_queued[kAudio] != Outlet::kNone || sender.first_queued[kVideo] != Outlet::kNone;
    const bool is_probing = sender.congestion && sender.congestion->is_probing();
    if (plan.count > 0 && (has_queued || is_probing)) continue;
    if (sender.is_held || !is_probing) return Sent::kAll;
    const std::int64_t budget = sender.pacer.budget(at);
    if (budget > 0 && !send_padding(at, sender, budget, batch)) return Sent::kNoRoom;
    if (budget <= 0) {
      hold(at, sender);
      return Sent::kHeld;
    }
    if (!sender.can_pad) return Sent::kAll;
  }
}

// True: the pacer holds back what is left.
bool FanOut::Impl::plan_video(Timestamp at, Sender& sender, Plan& plan) {
  if (sender.congestion) sender.congestion->finish_probe(at, sender.pacer);
  const bool is_probing = sender.congestion && sender.congestion->is_probing();
  if (sender.first_queued[kVideo] == Outlet::kNone && !is_probing) return false;
  const std::int64_t budget = sender.pacer.budget(at) - static_cast<std::int64_t>(plan.bytes);
  const std::size_t began = plan.bytes;
  bool has_more = plan_list(at, sender, kVideo, budget, plan);
  if (is_probing && !has_more) {
    const std::int64_t left = budget - static_cast<std::int64_t>(plan.bytes - began);
    has_more = left <= 0;
    if (left > 0) plan_padding(sender, left, plan);
  }
  return has_more && budget <= 0;
}

// Until the pacer lets more go.
void FanOut::Impl::hold(Timestamp at, Sender& sender) {
  if (const std::uint16_t first = sender.first_queued[kVideo]; first != Outlet::kNone && sender.congestion) {
    const Outlet& outlet = sender.outlets[first];
    const bool waits = outlet.feed != nullptr && outlet.cursor < outlet.feed->history.end();
    sender.pacer.set_wait(
        waits ? at - std::max(outlet.begun_at, outlet.feed->history.slot(outlet.cursor).arrived)
              : Duration());
  }
  rotate(sender, kVideo);
  sender.is_held = true;
  ++totals.held_back;
  pacing.set(at, sender.id.index, std::max(sender.pacer.next_release(at), at + Duration::nanoseconds(1)));
}

// Where there is nothing to send again, as of pictures that are all paused: packets of nothing but padding,
// on a retransmission stream (RFC 3550 §5.1). False: no room.
bool FanOut::Impl::send_padding(Timestamp at, Sender& sender, std::int64_t budget, DatagramBatch& batch) {
  const auto outlet = std::ranges::find_if(sender.outlets, &Outlet::can_pad);
  if (outlet == sender.outlets.end()) return true;
  const std::size_t header_bytes = outlet->header.size_bytes(kFiller);
  const std::size_t bytes = header_bytes + kPaddingBytes + sender.tag_bytes;
  const std::size_t count = std::clamp<std::size_t>((static_cast<std::size_t>(budget) + bytes - 1) / bytes, 1,
                                                    DatagramBatch::kTrainSegmentsMax);
  if (!batch.has_room(bytes * count)) return false;
  std::uint8_t* out = batch.room().data();
  for (std::size_t i = 0; i < count; ++i, out += bytes) {
    HeaderValues values;
    values.sequence = outlet->rtx_sequence++;
    values.timestamp = static_cast<std::uint32_t>(outlet->last_timestamp);
    if (outlet->header.counts_transport()) values.transport_sequence = sender.congestion->next_sequence();
    values.send_time = send_time;
    outlet->header.write(kFiller, {}, values, outlet->rtx_payload_type, outlet->rtx_ssrc, out);
    protecting.push_back({.context = sender.context,
                          .header = Bytes(out, header_bytes),
                          .prefix = {},
                          .payload = {},
                          .padding_bytes = kPaddingBytes,
                          .is_repeat = false,
                          .out = std::span(out, bytes),
                          .outcome = {}});
    if (outlet->has_ccfb) sender.congestion->note_number(outlet->rtx_ssrc, values.sequence);
    if (outlet->has_ccfb || outlet->header.counts_transport()) sender.congestion->handle_sent(at, bytes);
  }
  batch.commit(sender.path->local, sender.path->remote, bytes * count, static_cast<std::uint16_t>(bytes),
               sender.congestion->ecn());
  sender.pacer.handle_sent(bytes * count);
  totals.probe_packets += count;
  ++totals.trains;
  return true;
}

// What a probe lacks: packets that went out lately once more, as retransmissions. They do no harm, and where
// one was lost they do good.
void FanOut::Impl::plan_padding(Sender& sender, std::int64_t budget, Plan& plan) {
  const std::size_t began = plan.bytes;
  for (Outlet& outlet : sender.all()) {
    if (!outlet.can_pad() || !outlet.feed || !outlet.has_run()) continue;
    const History& history = outlet.feed->history;
    const Run& run = outlet.run();
    for (Position next = std::min(outlet.cursor, history.end()); next > history.begin(); --next) {
      const Position position = next - 1;
      const History::Slot& slot = history.slot(position);
      if (slot.sequence < run.first_source) break;
      if (run.leaves_out(history, position) || run.out_of(history, position) >= outlet.next_out) continue;
      if (plan.is_full() || static_cast<std::int64_t>(plan.bytes - began) >= budget) return;
      plan_packet(sender, outlet, run, history, position, true, plan);
      plan.packets[plan.count - 1].is_padding = true;
    }
  }
}

// Plans what the outlets of a list have, up to `budget` bytes or a full plan. True: something is left.
bool FanOut::Impl::plan_list(Timestamp at, Sender& sender, std::size_t list, std::int64_t budget,
                             Plan& plan) {
  const std::int64_t began = static_cast<std::int64_t>(plan.bytes);
  for (std::uint16_t i = sender.first_queued[list]; i != Outlet::kNone; i = sender.outlets[i].next_queued) {
    Outlet& outlet = sender.outlets[i];
    const OutletRef ref{sender.id, i};
    const bool can_send = settle(at, ref, outlet);
    const std::int64_t left = budget - (static_cast<std::int64_t>(plan.bytes) - began);
    if (plan.is_full() || left <= 0) {
      if (has_more(outlet)) return true;
      continue;
    }
    if (outlet.again && !outlet.again->is_empty()) plan_again(sender, outlet, left, plan);
    const std::int64_t rest = budget - (static_cast<std::int64_t>(plan.bytes) - began);
    if (can_send && rest > 0) plan_media(at, ref, sender, outlet, rest, plan);
  }
  return false;
}

bool FanOut::Impl::has_more(const Outlet& outlet) const {
  return (outlet.again && !outlet.again->is_empty()) ||
         (outlet.feed && outlet.cursor < outlet.feed->history.end()) ||
         (outlet.waits_for && is_ready(now, outlet));
}

// Takes outlets with nothing left off the front of the list.
void FanOut::Impl::drop_finished(Sender& sender, std::size_t list) {
  std::uint16_t* link = &sender.first_queued[list];
  sender.last_queued[list] = Outlet::kNone;
  while (*link != Outlet::kNone) {
    Outlet& outlet = sender.outlets[*link];
    if (has_more(outlet)) {
      sender.last_queued[list] = *link;
      link = &outlet.next_queued;
    } else {
      outlet.is_queued = false;
      *link = outlet.next_queued;
    }
  }
}

void FanOut::Impl::plan_again(Sender& sender, Outlet& outlet, std::int64_t budget, Plan& plan) {
  Retransmissions& again = *outlet.again;
  const std::size_t began = plan.bytes;
  for (std::size_t i = 0, planned = 0; i < again.size() && !plan.is_full();) {
    if (static_cast<std::int64_t>(plan.bytes - began) >= budget) return;
    // A repeat goes under its old number, which SRTP takes only while that is new enough.
    const bool is_late = outlet.next_out - again.at(i) > kLateMax || again.at(i) < outlet.over_before;
    const Run* run = is_late ? nullptr : outlet.find_run(again.at(i));
    Layer* layer = run ? find_layer(run->stream, run->layer) : nullptr;
    std::optional<Position> position;
    if (layer && layer->history.epoch() == run->epoch) position = run->find(layer->history, again.at(i));
    if (!position) {
      if (planned > 0) return;  // It is at the front the next time.
      again.drop_first();
      continue;
    }
    plan_packet(sender, outlet, *run, layer->history, *position, true, plan);
    ++planned;
    ++i;
  }
}

void FanOut::Impl::plan_media(Timestamp at, OutletRef ref, Sender& sender, Outlet& outlet,
                              std::int64_t budget, Plan& plan) {
  const History& history = outlet.feed->history;
  const std::size_t began = plan.bytes, before = plan.count;
  std::int64_t next = outlet.next_out;
  for (Position position = outlet.cursor; position < history.end() && !plan.is_full(); ++position) {
    if (static_cast<std::int64_t>(plan.bytes - began) >= budget) return;
    const History::Slot& slot = history.slot(position);
    if (outlet.level != outlet.run().level && !turn_level(outlet, position, next, plan)) return;
    const Run* const its = outlet.run_of(slot.sequence);
    if (its == nullptr || (its->leaves_out(history, position) && !history.above(position).is_late())) {
      if (plan.count == before) pass(at, outlet, position);  // Of the time before, or not wanted.
      continue;
    }
    const Run& run = *its;
    const std::int64_t out = run.out_of(history, position);
    if (out > next + kGapMax) {
      if (plan.count > 0) return;  // Runs that are planned with stay where they are.
      // Where the run has come to the newest keyframe there is nothing to begin with behind it.
      if (const auto keyframe = history.keyframe();
          outlet.is_video && keyframe && *keyframe <= position &&
          run.out_of(history, *history.find_position(history.keyframe_sequence())) <= next + kGapMax) {
        outlet.cursor = position + 1;  // Far ahead of what came behind it: whoever misses it asks again.
        continue;
      }
      if (pass_gap(at, ref, outlet, position)) plan_media(at, ref, sender, outlet, budget, plan);
      return;
    }
    if (out < next - kLateMax) {
      if (plan.count == before) pass(at, outlet, position);
      continue;
    }
    plan_packet(sender, outlet, run, history, position, false, plan);
    next = std::max(next, out + 1);
    // Where a switch is near, no more than to the end of a frame.
    if (outlet.waits_for && plan.packets[plan.count - 1].marker) return;
  }
}

// Begins another level with this packet where one may. False: what is planned goes first.
bool FanOut::Impl::turn_level(Outlet& outlet, Position position, std::int64_t next, const Plan& plan) {
  const Run& run = outlet.run();
  const History& history = outlet.feed->history;
  const History::Slot& slot = history.slot(position);
  const Level to = history.next_level(position, run.level, outlet.level);
  if (to == run.level || slot.sequence < run.first_source || run.out_of(history, position) < next)
    return true;
  if (plan.count > 0) return false;
  // In the middle of a picture only where that is being sent, and was not told to be over.
  const bool is_inside = to.spatial > run.level.spatial && slot.packet->facts.is_spatial_switch_point;
  const bool is_open = !outlet.ends_frame && outlet.last_source_timestamp == slot.timestamp;
  if (!is_inside || is_open) outlet.begin_level(position, to);
  return true;
}

// The marker ends a picture: with the highest of its layers that is sent.
bool FanOut::Impl::ends_picture(const Outlet& outlet, const Run& run, const History& history,
                                Position position, bool is_again) const {
  const payload::Packet& packet = *history.slot(position).packet;
  if (packet.marker || !packet.facts.ends_layer || run.level.spatial == kFullSize) return packet.marker;
  if (outlet.goes_on_behind(run, history, position)) return false;
  const auto next = history.next_in_picture(position);
  if (!next) return packet.facts.spatial_layer == run.level.spatial;
  if (!run.leaves_out(history, *next)) return false;
  // Perhaps the receiver is about to go up with what follows.
  const bool is_newest = !is_again && &run == &outlet.run() && *next > position;
  return !is_newest || history.next_level(*next, run.level, outlet.level) == run.level;
}

// What is not sent.
void FanOut::Impl::pass(Timestamp at, Outlet& outlet, Position position) { outlet.advance(at, position + 1); }

// Too much was lost to go on as if it might still come. True: there is something to go on with, which is
// farther on and begins with the next number.
bool FanOut::Impl::pass_gap(Timestamp at, OutletRef ref, Outlet& outlet, Position position) {
  Layer* layer = outlet.feed;
  if (!outlet.is_video) {
    outlet.begin_run(position, layer->history.slot(position).sequence, elapsed_to(outlet, *layer, position));
    return true;
  }
  leave_feed(outlet);
  if (outlet.waits_for == nullptr) wait_for(at, ref, outlet, layer);
  return settle(at, ref, outlet);
}

void FanOut::Impl::plan_packet(Sender& sender, Outlet& outlet, const Run& run, const History& history,
                               Position position, bool is_again, Plan& plan) {
  const History::Slot& slot = history.slot(position);
  const bool is_filler = run.leaves_out(history, position);
  const Rewritten* changed = is_filler ? nullptr : rewrite_targets(outlet, run, history, position);
  const payload::Packet& packet = is_filler ? kFiller : changed ? changed->packet : *slot.packet;
  Planned& planned = plan.packets[plan.count++];
  planned.descriptor = changed ? &changed->descriptor : nullptr;
  planned.outlet = &outlet;
  planned.run = &run;
  planned.history = &history;
  planned.packet = &packet;
  planned.position = position;
  planned.out = run.out_of(history, position);
  planned.is_again = is_again;
  planned.is_padding = false;
  planned.is_rtx = is_again && outlet.has_rtx;
  planned.is_red = outlet.sends_red(packet, planned.is_rtx);
  planned.tells_playout = outlet.tells_playout;
  planned.marker = packet.marker || (!is_filler && ends_picture(outlet, run, history, position, is_again));
  planned.header_bytes = static_cast<std::uint16_t>(outlet.header.size_bytes(packet, planned.tells_playout));
  planned.padding_bytes = packet.payload_bytes == 0 ? 1 : 0;
  planned.bytes = planned.header_bytes + static_cast<std::uint32_t>(planned.payload_bytes()) +
                  planned.padding_bytes + sender.tag_bytes +
                  (planned.is_rtx ? static_cast<std::uint32_t>(rtp::kOriginalSequenceBytes) : 0u);
  plan.bytes += planned.bytes;
}

// The packet as its receiver, who gets fewer layers, is to be told of it. Null: as it is.
const FanOut::Impl::Rewritten* FanOut::Impl::rewrite_targets(const Outlet& outlet, const Run& run,
                                                             const History& history, Position position) {
  const History::Slot& slot = history.slot(position);
  if (slot.packet->descriptor_bytes == 0 || !outlet.header.has_descriptor()) return nullptr;
  auto descriptor = history.targets().rewrite(
      slot.sequence, slot.block->descriptor(*slot.packet), run.level,
      run.goes_on && run.out_of(history, position) - run.first_out < DecodeTargets::kTold);
  if (!descriptor || descriptor->size() > rtp::kElementBytesMax) return nullptr;
  Rewritten& made = rewritten.emplace_back(Rewritten{*slot.packet, std::move(*descriptor)});
  made.packet.descriptor_bytes = static_cast<std::uint16_t>(made.descriptor.size());
  return &made;
}

// How many of the packets make the next train. All but the last can be padded to `segment_bytes`; the last
// may be shorter.
std::size_t FanOut::Impl::cut_train(std::span<Planned> planned, std::size_t& segment_bytes,
                                    std::size_t& total) {
  std::size_t largest = planned[0].bytes, count = 1;
  const auto reach = [](const Planned& packet) {
    return packet.bytes + (packet.outlet->can_repeat ? 0 : kEqualizeBytesMax);
  };
  std::size_t ceiling = reach(planned[0]);
  while (count < planned.size()) {
    const Planned& next = planned[count];
    const std::size_t grown = std::max<std::size_t>(largest, next.bytes);
    if (grown > ceiling || grown * (count + 1) > DatagramBatch::kTrainBytesMax) break;
    ++count;
    largest = grown;
    if (reach(next) < largest) break;  // Shorter than padding can help: the last.
    ceiling = std::min(ceiling, reach(next));
  }
  segment_bytes = largest;
  // The last is not padded: if it is as long as the others it needs none.
  total = largest * (count - 1) + planned[count - 1].bytes;
  return count;
}

bool FanOut::Impl::write_plan(Timestamp at, Sender& sender, Plan& plan, DatagramBatch& batch) {
  std::span<Planned> rest(plan.packets.data(), plan.count);
  while (!rest.empty()) {
    std::size_t segment_bytes = 0, total = 0;
    const std::size_t count = cut_train(rest, segment_bytes, total);
    if (!batch.has_room(total)) return false;
    std::uint8_t* out = batch.room().data();
    for (std::size_t i = 0; i < count; ++i) {
      const bool is_last = i + 1 == count;
      const std::size_t bytes = is_last ? rest[i].bytes : segment_bytes;
      write_packet(sender, rest[i], bytes, out);
      out += segment_bytes;
      if (sender.congestion) note_departure(at, *sender.congestion, rest[i], bytes);
      note_sent(at, sender, rest[i]);
    }
    batch.commit(sender.path->local, sender.path->remote, total, static_cast<std::uint16_t>(segment_bytes),
                 sender.congestion ? sender.congestion->ecn() : Ecn::kNotCapable);
    sender.pacer.handle_sent(total);
    ++totals.trains;
    rest = rest.subspan(count);
  }
  return true;
}

void FanOut::Impl::write_packet(Sender& sender, const Planned& planned, std::size_t bytes,
                                std::uint8_t* out) {
  Outlet& outlet = *planned.outlet;
  const History::Slot& slot = planned.history->slot(planned.position);
  const payload::Packet& packet = *planned.packet;
  HeaderValues values;
  values.sequence = static_cast<std::uint16_t>(planned.is_rtx ? outlet.rtx_sequence++ : planned.out);
  values.timestamp = static_cast<std::uint32_t>(planned.run->timestamp_of(slot.timestamp));
  values.marker = planned.marker;
  values.frame_offset = planned.run->frame_offset;
  values.tells_playout = planned.tells_playout;
  if (outlet.header.counts_transport())
    values.transport_sequence =
        sender.congestion ? sender.congestion->next_sequence() : sender.transport_sequence++;
  values.send_time = send_time;
  const std::uint8_t payload_type = planned.is_rtx   ? outlet.rtx_payload_type
                                    : planned.is_red ? outlet.red_payload_type
                                                     : outlet.payload_type;
  const Bytes descriptor = planned.descriptor ? Bytes(*planned.descriptor) : slot.block->descriptor(packet);
  outlet.header.write(packet, descriptor, values, payload_type,
                      planned.is_rtx ? outlet.rtx_ssrc : outlet.ssrc, out);

  Bytes payload = slot.block->payload(packet);
  std::uint8_t* prefix = out + planned.header_bytes;
  std::size_t prefix_bytes = 0;
  if (planned.is_rtx) {
    store_u16(prefix, static_cast<std::uint16_t>(planned.out));
    prefix_bytes = rtp::kOriginalSequenceBytes;
  }
  if (planned.is_red) {
    payload = slot.block->red_payload(packet);
    prefix_bytes = packet.red_headers_bytes;
    payload::write_red_headers(payload.first(prefix_bytes), outlet.payload_type, prefix);
    payload = payload.subspan(prefix_bytes);
  } else if (planned.run->rewrites_pictures && !payload.empty()) {
    const PictureFields fields = planned.history->picture(planned.position);
    if (fields.descriptor_bytes != 0) {
      write_prefix(planned, prefix + prefix_bytes);
      prefix_bytes += fields.descriptor_bytes;
      payload = payload.subspan(fields.descriptor_bytes);
    }
  }
  const std::size_t equalizing = bytes - planned.bytes;
  totals.padding_bytes += equalizing;
  protecting.push_back({.context = sender.context,
                        .header = Bytes(out, planned.header_bytes),
                        .prefix = Bytes(prefix, prefix_bytes),
                        .payload = payload,
                        .padding_bytes = static_cast<std::uint8_t>(planned.padding_bytes + equalizing),
                        .is_repeat = planned.is_again && !planned.is_rtx,
                        .out = std::span(out, bytes),
                        .outcome = {}});
}

// The payload's descriptor with the ids of this receiver.
void FanOut::Impl::write_prefix(const Planned& planned, std::uint8_t* out) const {
  const PictureFields fields = planned.history->picture(planned.position);
  const Run& run = *planned.run;
  const History::Slot& slot = planned.history->slot(planned.position);
  std::memcpy(out, slot.block->payload(*slot.packet).data(), fields.descriptor_bytes);
  const auto picture =
      static_cast<std::uint16_t>(fields.picture_id + run.picture_shift(*planned.history, planned.position));
  if (fields.picture_id_bits == 15) {
    store_u16(out + fields.picture_id_at, static_cast<std::uint16_t>(0x8000 | (picture & 0x7fff)));
  } else {
    out[fields.picture_id_at] = picture & 0x7f;
  }
  if (fields.tl0_index_at != 0)
    out[fields.tl0_index_at] = static_cast<std::uint8_t>(fields.tl0_index + run.tl0_offset);
  if (fields.key_index_at != 0) {
    std::uint8_t& key = out[fields.key_index_at];
    key = static_cast<std::uint8_t>((key & ~0x1f) | ((fields.key_index + run.key_offset) & 0x1f));
  }
}

// Requires: it was written, and nothing since.
void FanOut::Impl::note_departure(Timestamp at, Congestion& of, const Planned& planned,
                                  std::size_t bytes) const {
  const Outlet& outlet = *planned.outlet;
  if (outlet.has_ccfb) {
    const auto rtx = static_cast<std::uint16_t>(outlet.rtx_sequence - 1);
    of.note_number(planned.is_rtx ? outlet.rtx_ssrc : outlet.ssrc,
                   planned.is_rtx ? rtx : static_cast<std::uint16_t>(planned.out));
  }
  if (outlet.has_ccfb || outlet.header.counts_transport()) of.handle_sent(at, bytes);
}

void FanOut::Impl::note_sent(Timestamp at, Sender& sender, const Planned& planned) {
  Outlet& outlet = *planned.outlet;
  const History::Slot& slot = planned.history->slot(planned.position);
  const payload::Packet& packet = *planned.packet;
  if (planned.is_padding) {
    ++totals.probe_packets;
    return;
  }
  if (planned.is_again) {
    outlet.again->drop_first();
    ++outlet.stats.retransmitted;
    ++totals.retransmitted;
    return;
  }
  outlet.advance(at, planned.position + 1);
  ++outlet.stats.packets;
  outlet.stats.with_red += planned.is_red;
  const std::size_t payload_bytes = planned.payload_bytes();
  outlet.stats.bytes += payload_bytes;
  ++totals.packets;
  totals.bytes += payload_bytes;
  sender.sent.add(at, planned.bytes);
  if (packet.facts.is_keyframe) outlet.keyframe_sent_at = at;
  if (planned.tells_playout) {
    if (!outlet.playout_told_from) outlet.playout_told_from = static_cast<std::uint16_t>(planned.out);
    outlet.tells_playout = outlet.stats.packets < kPlayoutPacketsMax;
  }
  if (planned.out < outlet.next_out) return;
  outlet.next_out = planned.out + 1;
  if (planned.packet == &kFiller) return;
  outlet.last_timestamp =
      std::max(planned.run->timestamp_of(slot.timestamp),
               outlet.has_sent ? outlet.last_timestamp : std::numeric_limits<std::int64_t>::min());
  outlet.last_source_timestamp = slot.timestamp;
  outlet.last_arrived = slot.arrived;
  outlet.has_sent = true;
  outlet.ends_frame = planned.marker;
  if (planned.history->has_descriptors())
    outlet.note_picture(planned.history->picture(planned.position), *planned.run,
                        planned.run->picture_shift(*planned.history, planned.position));
  if (packet.descriptor_bytes >= 3) {
    const Bytes descriptor = slot.block->descriptor(*slot.packet);
    outlet.last_frame =
        static_cast<std::uint16_t>((descriptor[1] << 8 | descriptor[2]) + planned.run->frame_offset);
  }
}

void FanOut::Impl::protect_all() {
  if (protecting.empty()) return;
  transform.protect(protecting);
  for (const srtp::RtpToProtect& packet : protecting) {
    if (packet.outcome) continue;
    // Nothing of it may leave in the clear; what is left is dropped by whoever gets it.
    std::ranges::fill(packet.out, std::uint8_t{0});
    ++totals.refused;
  }
  protecting.clear();
}

}  // namespace stoa::webrtc
