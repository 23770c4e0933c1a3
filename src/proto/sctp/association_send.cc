#include <algorithm>

#include "base/assert.h"
#include "proto/sctp/packer.h"

namespace stoa::sctp {

void Association::Packer::send() {
  if (is_fresh()) return;
  Buffer packet = writer_.take();
  bool may_be_zero = association_.transfer_->agreed.sends_zero_checksum && !needs_checksum_;
  seal_packet(packet, may_be_zero ? Checksum::kZero : Checksum::kCrc32c);
  ++association_.stats_.packets_sent;
  association_.stats_.bytes_sent += packet.size();
  out_.push(SendPacket{std::move(packet)});
  writer_ = ByteWriter(association_.config_.packet_bytes_max);
  needs_checksum_ = false;
  open();
}

void Association::reply(ByteWriter&& chunk) {
  bool fits = chunk.size() + kCommonHeaderBytes <= config_.packet_bytes_max;
  if (replies_left_ == 0 || !fits) return;
  --replies_left_;
  replies_.push_back(chunk.take());
}

void Association::flush(Timestamp now, Outputs& out) {
  if (!transfer_) return;
  Packer packer(*this, out);
  if (state_ == State::kCookieEchoed) {
    // Before COOKIE ACK only what rides with the COOKIE ECHO is sent, one packet of it (RFC 9260 §5.1 C).
    if (!is_cookie_echo_due_) return;
    is_cookie_echo_due_ = false;
    ByteWriter& writer = packer.make_room(kChunkHeaderBytes + cookie_echo_.size());
    write_plain(ChunkType::kCookieEcho, 0, cookie_echo_, writer);
    packer.require_checksum();
    for (const Buffer& chunk : replies_)
      if (chunk.size() <= packer.room()) writer.bytes(chunk);
    replies_.clear();
    while (auto data = next_data(now, packer.room())) {
      write_data(transfer_->outstanding.data_type(), *data, writer);
    }
    return;
  }
  pack_control(now, packer);
  pack_data(now, packer);
  if (!waits_for_acknowledgement()) {
    stop_timer(kRetransmitTimer);
  } else if (!is_running(kRetransmitTimer)) {
    set_timer(kRetransmitTimer, now + transfer_->rto.value());
  }
}

bool Association::waits_for_acknowledgement() const {
  const Outstanding& outstanding = transfer_->outstanding;
  return outstanding.in_flight_chunks() > 0 || outstanding.has_lost() || outstanding.has_forward();
}

void Association::pack_control(Timestamp now, Packer& packer) {
  Transfer& t = *transfer_;
  for (const Buffer& chunk : replies_) packer.make_room(chunk.size()).bytes(chunk);
  replies_.clear();
  // An acknowledgement that waits anyway rides with data.
  bool rides = t.packets_since_sack > 0 && may_send_data() && has_data_to_send();
  if (t.is_sack_due || rides) {
    constexpr std::size_t kSackBytesMin = 16;
    if (packer.room() < kSackBytesMin + 4 * std::min<std::size_t>(t.tracker.runs(), 16)) packer.send();
    Sack sack = t.tracker.take_sack(packer.room());
    std::size_t held = t.reassembly.held_bytes();
    sack.window = static_cast<std::uint32_t>(config_.limits.reassembly_bytes_max -
                                             std::min(held, config_.limits.reassembly_bytes_max));
    write_sack(sack, packer.make_room(kSackBytesMin));
    t.is_sack_due = false;
    t.packets_since_sack = 0;
    stop_timer(kSackTimer);
  }
  if (t.is_forward_due && t.outstanding.has_forward()) {
    ForwardTsn forward = t.outstanding.make_forward(config_.packet_bytes_max - kCommonHeaderBytes);
    bool is_interleaved = t.agreed.has_interleaving;
    ByteWriter& writer = packer.make_room(8 + forward.skipped.size() * (is_interleaved ? 8 : 4));
    write_forward_tsn(is_interleaved ? ChunkType::kIForwardTsn : ChunkType::kForwardTsn, forward, writer);
    t.forward_sent = t.outstanding.forward_point();
    t.forward_reach = unwrap32(forward.cumulative_tsn, t.outstanding.cumulative());
    t.forward_sent_at = now;
  }
  t.is_forward_due = false;
  if (t.reconfig.asked && t.reconfig.asked->is_due) {
    t.reconfig.asked->is_due = false;
    const OutgoingReset& reset = t.reconfig.asked->reset;
    ReconfigParameter parameter = reset;
    write_reconfig({&parameter, 1}, packer.make_room(kChunkHeaderBytes + 16 + 2 * reset.streams.size()));
    set_timer(kResetTimer, now + t.rto.value());
  }
}

void Association::pack_data(Timestamp now, Packer& packer) {
  if (!may_send_data()) return;
  bool holds_data = false;
  auto count_packet = [&] {
    if (!holds_data) return;
    --burst_left_;
    transfer_->may_fast_retransmit = false;
    holds_data = false;
  };
  while (burst_left_ > 0) {
    if (auto data = next_data(now, packer.room())) {
      data->wants_sack_now = state_ != State::kEstablished;  // RFC 9260 §9.2
      write_data(transfer_->outstanding.data_type(), *data, packer.make_room(0));
      holds_data = true;
      continue;
    }
    if (packer.is_fresh() || !has_data_to_send()) break;
    packer.send();
    count_packet();
  }
  if (burst_left_ > 0) count_packet();
}

bool Association::may_send_data() const {
  return state_ == State::kEstablished || state_ == State::kShutdownPending ||
         state_ == State::kShutdownReceived;
}

bool Association::has_data_to_send() const {
  const Transfer& t = *transfer_;
  std::size_t in_flight = t.outstanding.in_flight_bytes();
  bool fits = in_flight < t.congestion.bytes();
  if (t.outstanding.has_lost() && (fits || t.may_fast_retransmit)) return true;
  if (!fits || queue_.empty() || t.outstanding.is_full()) return false;
  // Less than a packet is waited for, unless only a probe can open the window (§6.1 A).
  return in_flight == 0 || t.remote_window >= in_flight + config_.packet_bytes_max;
}

std::optional<DataChunk> Association::next_data(Timestamp now, std::size_t room) {
  Transfer& t = *transfer_;
  if (!has_data_to_send()) return std::nullopt;
  if (t.outstanding.has_lost()) {
    auto lost = t.outstanding.take_lost(now, room);
    settle_given_up();
    if (lost) ++stats_.chunks_retransmitted;
    // What was lost goes before what is new.
    if (lost || t.outstanding.has_lost() || !has_data_to_send()) return lost;
  }
  std::size_t header = t.outstanding.header_bytes();
  std::size_t payload_max = config_.packet_bytes_max - kCommonHeaderBytes - header;
  if (room <= header) return std::nullopt;
  if (t.outstanding.in_flight_bytes() == 0) t.congestion.handle_idle(now - t.data_sent_at, t.rto.value());
  for (;;) {
    if (t.outstanding.is_full()) return std::nullopt;
    if (auto chunk = queue_.take(now, room - header, payload_max)) {
      ++stats_.chunks_sent;
      t.data_sent_at = now;
      return t.outstanding.add(now, std::move(*chunk));
    }
    auto expired = queue_.take_expired();
    if (expired.empty()) return std::nullopt;
    for (const auto& key : expired) t.outstanding.give_up(key);
    settle_given_up();
  }
}

// Messages given up take their unsent rest with them; the peer is told to go on without.
void Association::settle_given_up() {
  Transfer& t = *transfer_;
  for (const auto& key : t.outstanding.take_given_up()) {
    if (auto end = queue_.drop_rest(key)) t.outstanding.add_given_up(std::move(*end));
  }
  if (t.outstanding.has_forward() && t.outstanding.forward_point() != t.forward_sent) t.is_forward_due = true;
}

}  // namespace stoa::sctp
