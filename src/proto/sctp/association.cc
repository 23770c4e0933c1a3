#include "proto/sctp/association.h"

#include <algorithm>

#include "base/assert.h"
#include "proto/sctp/packer.h"

namespace stoa::sctp {
namespace {

Config normal(Config config) {
  config.packet_bytes_max =
      std::clamp(config.packet_bytes_max, kPacketBytesFloor, kPacketBytesCeiling) & ~std::size_t{3};
  return config;
}

// Whether the chunks behind a refused one are left alone.
bool stops_packet(Refusal refusal) {
  switch (refusal) {
    case Refusal::kTruncatedPacket:
    case Refusal::kBadVerificationTag:
    case Refusal::kBadChunkLength:
    case Refusal::kBadBundling:
    case Refusal::kBadInit:
    case Refusal::kBadCookie:
    case Refusal::kStaleCookie:
    case Refusal::kUnknownChunk: return true;
    default: return ends_association(refusal);
  }
}

Cause cause_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kReassemblyFull:
    case Refusal::kTooManyStreams:
    case Refusal::kMessageTooLarge: return Cause::kOutOfResource;
    default: return Cause::kProtocolViolation;
  }
}

constexpr std::uint8_t kReflectsTag = 1;  // T: the tag is the receiver's own, returned (RFC 9260 §8.5.1).

}  // namespace

Association::Association(const Config& config, Rng rng)
    : config_(normal(config)), rng_(rng), queue_(config_.limits) {
  for (std::size_t i = 0; i < cookie_key_.size(); i += 8) {
    std::uint64_t word = rng_.next();
    for (std::size_t k = 0; k < 8; ++k) cookie_key_[i + k] = static_cast<std::uint8_t>(word >> (8 * k));
  }
  timers_.fill(Timestamp::never());
}

void Association::connect(Timestamp now, Outputs& out) {
  if (state_ != State::kIdle) return;
  local_tag_ = draw_tag();
  local_tsn_ = static_cast<std::uint32_t>(rng_.next());
  state_ = State::kCookieWait;
  setup_timeout_ = config_.timing.rto_initial;
  send_init(out);
  set_timer(kSetupTimer, now + setup_timeout_);
  (void)finish(now, {}, out);
}

Result<void, Refusal> Association::handle_packet(Timestamp now, Bytes packet, Outputs& out) {
  ++stats_.packets_received;
  stats_.bytes_received += packet.size();
  bool may_be_zero = config_.offered.zero_checksum && state_ != State::kIdle;
  auto reader = PacketReader::parse(packet, may_be_zero ? Checksum::kZero : Checksum::kCrc32c);
  if (!reader) return refuse_counted(reader.error());
  if (reader->header().source_port != config_.remote_port ||
      reader->header().destination_port != config_.local_port)
    return refuse_counted(Refusal::kBadPort);
  replies_left_ = kRepliesPerPacketMax;
  has_data_in_packet_ = has_sack_in_packet_ = is_sack_urgent_ = false;
  Outcome outcome = handle_chunks(now, *reader, out);
  if (has_data_in_packet_ && can_transfer()) schedule_sack(now, is_sack_urgent_);
  return finish(now, outcome, out);
}

Association::Outcome Association::check_tag(const PacketHeader& header, const RawChunk& first) const {
  std::uint32_t remote_tag = transfer_ ? transfer_->remote_tag : 0;
  switch (first.type) {
    case ChunkType::kInit:
      if (header.verification_tag != 0) return refuse(Refusal::kBadVerificationTag);
      return {};
    case ChunkType::kCookieEcho: return {};  // The cookie holds it.
    case ChunkType::kShutdownAck:
      if (state_ < State::kEstablished || state_ == State::kClosed) return {};
      break;
    case ChunkType::kAbort:
    case ChunkType::kShutdownComplete:
      if ((first.flags & kReflectsTag) != 0) {
        if (remote_tag == 0 || header.verification_tag != remote_tag)
          return refuse(Refusal::kBadVerificationTag);
        return {};
      }
      break;
    default: break;
  }
  if (state_ == State::kIdle || state_ == State::kClosed) return refuse(Refusal::kUnexpectedChunk);
  if (header.verification_tag != local_tag_) return refuse(Refusal::kBadVerificationTag);
  return {};
}

Association::Outcome Association::handle_chunks(Timestamp now, PacketReader& reader, Outputs& out) {
  Outcome worst;
  bool is_first = true;
  for (;;) {
    auto next = reader.next();
    if (!next) return refuse_counted(next.error());
    if (!*next) return worst;
    const RawChunk& chunk = **next;
    bool stands_alone = chunk.type == ChunkType::kInit || chunk.type == ChunkType::kInitAck ||
                        chunk.type == ChunkType::kShutdownComplete;
    if (stands_alone && (!is_first || !reader.at_end())) return refuse_counted(Refusal::kBadBundling);
    Outcome outcome = is_first ? check_tag(reader.header(), chunk) : Outcome();
    bool is_ours = outcome.has_value();
    if (is_ours) outcome = handle_chunk(now, reader.header(), chunk, out);
    is_first = false;
    if (state_ == State::kClosed) return outcome;
    if (outcome) continue;
    worst = refuse_counted(outcome.error());
    if (!is_ours || stops_packet(outcome.error())) return worst;
  }
}

Association::Outcome Association::handle_chunk(Timestamp now, const PacketHeader& header,
                                               const RawChunk& chunk, Outputs& out) {
  switch (chunk.type) {
    case ChunkType::kInit: return handle_init(now, chunk, out);
    case ChunkType::kInitAck: return handle_init_ack(now, chunk);
    case ChunkType::kCookieEcho: return handle_cookie_echo(now, header, chunk, out);
    case ChunkType::kCookieAck: return handle_cookie_ack(now, out);
    case ChunkType::kShutdownAck: return handle_shutdown_ack(header, out);
    case ChunkType::kShutdownComplete: return handle_shutdown_complete(out);
    case ChunkType::kError: return handle_error(now, chunk, out);
    case ChunkType::kAbort:
      ++stats_.refusals[static_cast<int>(Refusal::kPeerAborted)];
      close(Refusal::kPeerAborted, out);
      return refuse(Refusal::kPeerAborted);
    default: break;
  }
  if (!can_transfer()) return refuse(Refusal::kUnexpectedChunk);
  switch (chunk.type) {
    case ChunkType::kData:
    case ChunkType::kIData: return handle_data(now, chunk, out);
    case ChunkType::kSack: return handle_sack(now, chunk);
    case ChunkType::kForwardTsn:
    case ChunkType::kIForwardTsn: return handle_forward_tsn(chunk, out);
    case ChunkType::kHeartbeat: return handle_heartbeat(chunk);
    case ChunkType::kHeartbeatAck: return handle_heartbeat_ack(now, chunk);
    case ChunkType::kReConfig: return handle_reconfig(now, chunk, out);
    case ChunkType::kShutdown: return handle_shutdown(now, chunk);
    default: return handle_unknown(chunk);
  }
}

// The two top bits of a type say what to do with it (RFC 9260 §3.2).
Association::Outcome Association::handle_unknown(const RawChunk& chunk) {
  auto type = static_cast<std::uint8_t>(chunk.type);
  if ((type & 0x40) != 0) {
    ByteWriter echoed, error;
    write_plain(chunk.type, chunk.flags, chunk.value.first(std::min(chunk.value.size(), kEchoBytesMax)),
                echoed);
    write_error(ChunkType::kError, 0, Cause::kUnrecognizedChunk, echoed.view(), error);
    reply(std::move(error));
  }
  if ((type & 0x80) != 0) return {};
  return refuse(Refusal::kUnknownChunk);
}

Association::Outcome Association::refuse_counted(Refusal refusal) {
  ++stats_.refusals[static_cast<int>(refusal)];
  return refuse(refusal);
}

// Every input ends here: what the input made due is sent, and the deadline is right again.
Association::Outcome Association::finish(Timestamp now, Outcome outcome, Outputs& out) {
  if (!outcome && ends_association(outcome.error()) && state_ != State::kClosed)
    abort_with(cause_of(outcome.error()), outcome.error(), out);
  if (state_ != State::kClosed) {
    burst_left_ = kPacketsPerFlushMax;
    progress_shutdown(now);
    flush(now, out);
    // What was sent may have been the last that a reset or a shutdown waited for.
    try_next_reset();
    progress_shutdown(now);
    flush(now, out);
    for (StreamId stream : queue_.take_low()) out.push(BufferedLow{stream});
  }
  deadline_ = *std::min_element(timers_.begin(), timers_.end());
  return outcome;
}

void Association::handle_deadline(Timestamp now, Outputs& out) {
  if (now < deadline_) return;
  for (std::size_t i = 0; i < kTimers && state_ != State::kClosed; ++i) {
    auto timer = static_cast<Timer>(i);
    if (timers_[timer] > now) continue;
    stop_timer(timer);
    handle_timer(timer, now, out);
  }
  (void)finish(now, {}, out);
}

void Association::handle_timer(Timer timer, Timestamp now, Outputs& out) {
  switch (timer) {
    case kSetupTimer:
      if (++setup_failures_ > config_.timing.setup_retransmissions_max) {
        (void)refuse_counted(Refusal::kSetupTimeout);
        return close(Refusal::kSetupTimeout, out);
      }
      if (state_ == State::kCookieWait) {
        send_init(out);
      } else {
        transfer_->outstanding.handle_timeout();
        settle_given_up();
        is_cookie_echo_due_ = true;
      }
      setup_timeout_ = std::min(setup_timeout_ * 2, config_.timing.rto_max);
      return set_timer(kSetupTimer, now + setup_timeout_);
    case kShutdownTimer:
      transfer_->rto.back_off();
      if (!count_failure(Refusal::kShutdownTimeout, out)) return;
      return state_ == State::kShutdownSent ? send_shutdown(now) : send_shutdown_ack(now);
    case kRetransmitTimer:
      if (!count_failure(Refusal::kPeerUnreachable, out)) return;
      ++stats_.timeouts;
      transfer_->congestion.handle_timeout();
      transfer_->rto.back_off();
      transfer_->outstanding.handle_timeout();
      settle_given_up();
      transfer_->is_forward_due = transfer_->outstanding.has_forward();
      return;
    case kGuardTimer:
      (void)refuse_counted(Refusal::kShutdownTimeout);
      return abort_with(Cause::kUserAbort, Refusal::kShutdownTimeout, out);
    case kSackTimer: transfer_->is_sack_due = true; return;
    case kHeartbeatTimer:
      if (transfer_->heartbeat && !count_failure(Refusal::kPeerUnreachable, out)) return;
      return send_heartbeat(now);
    case kResetTimer:
      // While data waits too, its timer alone tells how silent the peer is.
      if (!waits_for_acknowledgement()) {
        transfer_->rto.back_off();
        if (!count_failure(Refusal::kPeerUnreachable, out)) return;
      }
      if (transfer_->reconfig.asked) transfer_->reconfig.asked->is_due = true;
      return;
    case kTimers: return;
  }
}

// False when that was one too many and the association is closed.
bool Association::count_failure(Refusal refusal, Outputs& out) {
  if (++failures_ <= config_.timing.retransmissions_max) return true;
  (void)refuse_counted(refusal);
  close(refusal, out);
  return false;
}

void Association::close(std::optional<Refusal> refusal, Outputs& out) {
  if (state_ == State::kClosed) return;
  stats_.messages_given_up += queue_.given_up();
  if (transfer_) stats_.messages_given_up += transfer_->outstanding.messages_given_up();
  state_ = State::kClosed;
  transfer_.reset();
  early_.reset();
  queue_ = SendQueue(config_.limits);
  timers_.fill(Timestamp::never());
  deadline_ = Timestamp::never();
  replies_.clear();
  cookie_echo_ = {};
  out.push(Closed{refusal});
}

void Association::abort_with(Cause cause, std::optional<Refusal> refusal, Outputs& out) {
  if (transfer_) {
    ByteWriter chunk;
    write_error(ChunkType::kAbort, 0, cause, {}, chunk);
    send_alone(transfer_->remote_tag, std::move(chunk), out);
  }
  close(refusal, out);
}

Result<void, Refusal> Association::send(Timestamp now, OutgoingMessage&& message, Outputs& out) {
  if (state_ >= State::kShutdownPending) return refuse_counted(Refusal::kNotConnected);
  std::uint16_t streams = transfer_ ? transfer_->agreed.outbound_streams : kStreamsAnnounced;
  if (message.stream >= streams) return refuse_counted(Refusal::kNoSuchStream);
  auto added = queue_.add(now, std::move(message));
  if (!added) return refuse_counted(added.error());
  ++stats_.messages_sent;
  return finish(now, {}, out);
}

void Association::shutdown(Timestamp now, Outputs& out) {
  if (state_ == State::kEstablished) {
    state_ = State::kShutdownPending;
    set_timer(kGuardTimer, now + config_.timing.shutdown_guard);
    (void)finish(now, {}, out);
  } else if (state_ < State::kEstablished) {
    close(std::nullopt, out);
  }
}

void Association::abort(Timestamp now, Outputs& out) {
  abort_with(Cause::kUserAbort, std::nullopt, out);
  (void)finish(now, {}, out);
}

std::optional<Duration> Association::round_trip() const {
  if (!transfer_ || !transfer_->rto.has_measured()) return std::nullopt;
  return transfer_->rto.smoothed();
}

std::size_t Association::memory_bytes() const {
  std::size_t bytes = queue_.memory_bytes() + cookie_echo_.capacity();
  if (early_) bytes += early_->memory_bytes();
  if (!transfer_) return bytes;
  const Reconfig& reconfig = transfer_->reconfig;
  if (reconfig.deferred) bytes += reconfig.deferred->streams.capacity() * sizeof(StreamId);
  return bytes + transfer_->tracker.memory_bytes() + transfer_->reassembly.memory_bytes() +
         transfer_->outstanding.memory_bytes();
}

Stats Association::stats() const {
  Stats stats = stats_;
  stats.messages_given_up += queue_.given_up();
  if (transfer_) stats.messages_given_up += transfer_->outstanding.messages_given_up();
  return stats;
}

}  // namespace stoa::sctp
