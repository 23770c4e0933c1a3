#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "proto/sctp/association.h"

namespace stoa::sctp {
namespace {

constexpr std::uint16_t kHeartbeatInfo = 1;
constexpr int kPacketsPerSack = 2;  // RFC 9260 §6.2

}  // namespace

Association::Outcome Association::handle_data(Timestamp now, const RawChunk& chunk, Outputs& out) {
  Transfer& t = *transfer_;
  if (state_ == State::kShutdownReceived || state_ == State::kShutdownAckSent)
    return refuse(Refusal::kUnexpectedChunk);  // The peer said that there was no more.
  if (chunk.type != t.outstanding.data_type()) return refuse(Refusal::kBadData);
  STOA_TRY(auto data, parse_data(chunk));
  bool is_first = !t.has_seen_data;
  t.has_seen_data = true;
  has_data_in_packet_ = true;
  if (is_first || data.wants_sack_now) is_sack_urgent_ = true;
  if (state_ == State::kShutdownSent && replies_.empty()) send_shutdown(now);
  Tsn tsn = t.tracker.unwrap(data.tsn);
  switch (t.tracker.judge(tsn)) {
    case TsnTracker::Verdict::kDuplicate:
      ++stats_.duplicates_received;
      t.tracker.add_duplicate(tsn);
      is_sack_urgent_ = true;
      return {};
    case TsnTracker::Verdict::kTooFar: is_sack_urgent_ = true; return refuse(Refusal::kTooFarAhead);
    case TsnTracker::Verdict::kNew: break;
  }
  return take_data(tsn, data, out);
}

Association::Outcome Association::take_data(Tsn tsn, const DataChunk& data, Outputs& out) {
  Transfer& t = *transfer_;
  if (data.stream >= t.agreed.inbound_streams) {
    ByteWriter detail, error;
    detail.u16(data.stream);
    detail.u16(0);
    write_error(ChunkType::kError, 0, Cause::kInvalidStream, detail.view(), error);
    reply(std::move(error));
    t.tracker.add(tsn);
    try_deferred_reset(out);
    return refuse(Refusal::kBadStream);
  }
  std::size_t window = config_.limits.reassembly_bytes_max;
  bool is_next = tsn == t.tracker.cumulative() + 1;
  if (!is_next && t.reassembly.held_bytes() + data.payload.size() + kChunkOverheadBytes > window) {
    is_sack_urgent_ = true;
    return refuse(Refusal::kWindowFull);
  }
  std::vector<ReceivedMessage> messages;
  auto added = t.reassembly.add(tsn, data, messages);
  if (!added) return added;
  t.tracker.add(tsn);
  deliver(std::move(messages), out);
  if (t.reassembly.held_bytes() > window + kReassemblySlackBytes) return refuse(Refusal::kReassemblyFull);
  try_deferred_reset(out);
  return {};
}

void Association::deliver(std::vector<ReceivedMessage>&& messages, Outputs& out) {
  stats_.messages_received += messages.size();
  for (ReceivedMessage& message : messages) out.push(std::move(message));
}

// Once a packet that held data: at once when something is missing, every second packet otherwise.
void Association::schedule_sack(Timestamp now, bool is_urgent) {
  Transfer& t = *transfer_;
  ++t.packets_since_sack;
  if (is_urgent || t.tracker.has_gaps() || t.packets_since_sack >= kPacketsPerSack ||
      state_ != State::kEstablished) {
    t.is_sack_due = true;
  } else if (!is_running(kSackTimer)) {
    set_timer(kSackTimer, now + config_.timing.sack_delay);
  }
}

Association::Outcome Association::handle_sack(Timestamp now, const RawChunk& chunk) {
  Transfer& t = *transfer_;
  // Each walks through what is outstanding; a packet of nothing else would buy hundreds of walks.
  if (std::exchange(has_sack_in_packet_, true)) return refuse(Refusal::kExtraSack);
  STOA_TRY(auto sack, parse_sack(chunk.value));
  std::size_t in_flight_before = t.outstanding.in_flight_bytes();
  STOA_TRY(auto acked, t.outstanding.handle_sack(now, sack, t.congestion.is_recovering()));
  if (acked.is_old) return {};
  t.remote_window = sack.window;
  // A peer that answers our probes of its closed window is alive (RFC 9260 §6.1 A).
  if (sack.window == 0) failures_ = 0;
  apply_ack(now, acked, in_flight_before);
  return {};
}

void Association::apply_ack(Timestamp now, const Outstanding::Acked& acked, std::size_t in_flight_before) {
  Transfer& t = *transfer_;
  if (acked.is_old) return;
  settle_given_up();
  if (acked.advanced || acked.bytes > 0) failures_ = 0;
  if (acked.round_trip) t.rto.handle_round_trip(*acked.round_trip);
  t.congestion.handle_ack(t.outstanding.cumulative(), acked.advanced, acked.bytes, in_flight_before,
                          t.outstanding.in_flight_chunks() == 0 && !t.outstanding.has_lost());
  if (acked.has_new_loss) {
    if (!t.congestion.is_recovering()) {
      ++stats_.fast_retransmits;
      t.may_fast_retransmit = true;
    }
    t.congestion.handle_loss(t.outstanding.next_tsn() - 1);
  }
  // §6.3.2 R3 and R4; flush() starts the timer again when something still waits.
  if (acked.advanced) stop_timer(kRetransmitTimer);
  if (acked.advanced && is_running(kGuardTimer)) set_timer(kGuardTimer, now + config_.timing.shutdown_guard);
  // The peer has followed the last FORWARD TSN and there is more to tell, or it has not: say it again then,
  // once a round trip.
  Duration pause = t.rto.has_measured() ? t.rto.smoothed() : config_.timing.rto_initial;
  bool has_followed = t.outstanding.cumulative() >= t.forward_reach;
  if (t.outstanding.has_forward() && (has_followed || now - t.forward_sent_at >= pause))
    t.is_forward_due = true;
}

Association::Outcome Association::handle_forward_tsn(const RawChunk& chunk, Outputs& out) {
  Transfer& t = *transfer_;
  ChunkType right = t.agreed.has_interleaving ? ChunkType::kIForwardTsn : ChunkType::kForwardTsn;
  if (chunk.type != right || !t.agreed.has_partial_reliability) return refuse(Refusal::kBadForwardTsn);
  STOA_TRY(auto forward, parse_forward_tsn(chunk));
  has_data_in_packet_ = is_sack_urgent_ = true;
  Tsn tsn = t.tracker.unwrap(forward.cumulative_tsn);
  if (!t.tracker.forward(tsn)) return {};
  std::vector<ReceivedMessage> messages;
  auto skipped = t.reassembly.skip(tsn, forward.skipped, messages);
  deliver(std::move(messages), out);
  if (!skipped) return skipped;
  try_deferred_reset(out);
  return {};
}

Association::Outcome Association::handle_heartbeat(const RawChunk& chunk) {
  if (chunk.value.size() < 4) return refuse(Refusal::kBadControlChunk);
  ByteWriter ack;
  write_plain(ChunkType::kHeartbeatAck, 0, chunk.value, ack);
  reply(std::move(ack));
  return {};
}

void Association::send_heartbeat(Timestamp now) {
  Transfer& t = *transfer_;
  t.heartbeat = rng_.next();
  t.heartbeat_sent_at = now;
  ByteWriter chunk;
  {
    ChunkScope scope(chunk, ChunkType::kHeartbeat);
    ParameterScope parameter(chunk, kHeartbeatInfo);
    chunk.u64(*t.heartbeat);
  }
  replies_.push_back(chunk.take());
  // Spread, so that associations begun together do not beat together.
  Duration jitter =
      Duration::nanoseconds(static_cast<std::int64_t>(rng_.unit() * static_cast<double>(t.rto.value().ns())));
  set_timer(kHeartbeatTimer, now + config_.timing.heartbeat_interval + jitter);
}

Association::Outcome Association::handle_heartbeat_ack(Timestamp now, const RawChunk& chunk) {
  Transfer& t = *transfer_;
  ParameterReader parameters(chunk.value);
  STOA_TRY(auto parameter, parameters.next(Refusal::kBadControlChunk));
  if (!parameter || parameter->type != kHeartbeatInfo || parameter->value.size() != 8)
    return refuse(Refusal::kBadControlChunk);
  if (!t.heartbeat || ByteReader(parameter->value).u64() != *t.heartbeat) return {};
  t.heartbeat.reset();
  t.rto.handle_round_trip(now - t.heartbeat_sent_at);
  failures_ = 0;
  return {};
}

}  // namespace stoa::sctp
