#include <algorithm>

#include "base/assert.h"
#include "proto/sctp/association.h"

namespace stoa::sctp {
namespace {

constexpr std::uint8_t kReflectsTag = 1;

Connected agree(const Capabilities& ours, const Cookie& known) {
  const Capabilities& theirs = known.remote_capabilities;
  Connected agreed;
  agreed.has_interleaving = ours.interleaving && theirs.interleaving;
  // RFC 8260 §2.3.1: with I-DATA in use, messages are given up by I-FORWARD TSN or not at all.
  agreed.has_partial_reliability = agreed.has_interleaving ? ours.i_forward_tsn && theirs.i_forward_tsn
                                                           : ours.forward_tsn && theirs.forward_tsn;
  agreed.has_stream_reset = ours.stream_reset && theirs.stream_reset;
  agreed.sends_zero_checksum = ours.zero_checksum && theirs.zero_checksum;
  agreed.outbound_streams = std::min(kStreamsAnnounced, known.remote_inbound_streams);
  agreed.inbound_streams = std::min(kStreamsAnnounced, known.remote_outbound_streams);
  return agreed;
}

}  // namespace

Association::Transfer::Transfer(const Config& config, const Cookie& known, std::size_t packet_bytes)
    : remote_tag(known.remote_tag),
      remote_window(known.remote_window),
      agreed(agree(config.offered, known)),
      tracker(kSerialOrigin + known.remote_tsn - 1),
      reassembly(config.limits, agreed.has_interleaving),
      outstanding(kSerialOrigin + known.local_tsn, agreed.has_interleaving, agreed.has_partial_reliability,
                  config.limits),
      congestion(packet_bytes),
      rto(config.timing),
      reconfig{.next_request = known.local_tsn, .next_remote_request = known.remote_tsn} {}

std::uint32_t Association::draw_tag() {
  for (;;) {
    auto tag = static_cast<std::uint32_t>(rng_.next() >> 32);
    if (tag != 0 && tag != local_tag_) return tag;
  }
}

void Association::send_alone(std::uint32_t tag, ByteWriter&& chunk, Outputs& out) {
  ByteWriter writer(kCommonHeaderBytes + chunk.size());
  write_packet_header(config_.local_port, config_.remote_port, tag, writer);
  writer.bytes(chunk.view());
  Buffer packet = writer.take();
  seal_packet(packet, Checksum::kCrc32c);
  ++stats_.packets_sent;
  stats_.bytes_sent += packet.size();
  out.push(SendPacket{std::move(packet)});
}

void Association::send_init(Outputs& out) {
  Init init{.tag = local_tag_,
            .window = static_cast<std::uint32_t>(config_.limits.reassembly_bytes_max),
            .outbound_streams = kStreamsAnnounced,
            .inbound_streams = kStreamsAnnounced,
            .tsn = local_tsn_,
            .capabilities = config_.offered};
  ByteWriter chunk;
  write_init(ChunkType::kInit, init, chunk);
  send_alone(0, std::move(chunk), out);
}

// RFC 9260 §5.1 B, 5.2.1, 5.2.2. Nothing is kept: what matters goes into the cookie.
Association::Outcome Association::handle_init(Timestamp now, const RawChunk& chunk, Outputs& out) {
  if (state_ == State::kClosed) return refuse(Refusal::kUnexpectedChunk);
  auto init = parse_init(chunk.value);
  if (!init || init->has_host_name) {
    std::uint32_t tag = ByteReader(chunk.value).u32();
    ByteWriter abort;
    write_error(ChunkType::kAbort, 0, init ? Cause::kUnresolvableAddress : Cause::kInvalidMandatoryParameter,
                {}, abort);
    if (tag != 0) send_alone(tag, std::move(abort), out);
    return refuse(Refusal::kBadInit);
  }
  if (state_ == State::kShutdownAckSent) {
    send_shutdown_ack(now);
    return {};
  }
  Cookie cookie{.made_at = now,
                .local_tag = local_tag_,
                .remote_tag = init->tag,
                .local_tsn = local_tsn_,
                .remote_tsn = init->tsn,
                .remote_window = init->window,
                .remote_outbound_streams = init->outbound_streams,
                .remote_inbound_streams = init->inbound_streams,
                .remote_capabilities = init->capabilities};
  if (state_ != State::kCookieWait && state_ != State::kCookieEchoed) {
    cookie.local_tag = draw_tag();
    cookie.local_tsn = static_cast<std::uint32_t>(rng_.next());
  }
  if (transfer_) {
    cookie.tie_local_tag = local_tag_;
    cookie.tie_remote_tag = transfer_->remote_tag;
  }
  Buffer baked = write_cookie(cookie, cookie_key_);
  Init answer{.tag = cookie.local_tag,
              .window = static_cast<std::uint32_t>(config_.limits.reassembly_bytes_max),
              .outbound_streams = kStreamsAnnounced,
              .inbound_streams = kStreamsAnnounced,
              .tsn = cookie.local_tsn,
              .capabilities = config_.offered,
              .cookie = baked,
              .unrecognized = std::move(init->unrecognized)};
  ByteWriter init_ack;
  write_init(ChunkType::kInitAck, answer, init_ack);
  send_alone(init->tag, std::move(init_ack), out);
  return {};
}

Association::Outcome Association::handle_init_ack(Timestamp now, const RawChunk& chunk) {
  if (state_ != State::kCookieWait) return refuse(Refusal::kUnexpectedChunk);
  STOA_TRY(auto init, parse_init(chunk.value));
  bool fits = kCommonHeaderBytes + kChunkHeaderBytes + padded(init.cookie.size()) <= config_.packet_bytes_max;
  if (init.has_host_name || init.cookie.empty() || !fits) return refuse(Refusal::kBadInit);
  begin_transfer(now, {.local_tag = local_tag_,
                       .remote_tag = init.tag,
                       .local_tsn = local_tsn_,
                       .remote_tsn = init.tsn,
                       .remote_window = init.window,
                       .remote_outbound_streams = init.outbound_streams,
                       .remote_inbound_streams = init.inbound_streams,
                       .remote_capabilities = init.capabilities});
  cookie_echo_.assign(init.cookie.begin(), init.cookie.end());
  is_cookie_echo_due_ = true;
  state_ = State::kCookieEchoed;
  setup_timeout_ = config_.timing.rto_initial;
  set_timer(kSetupTimer, now + setup_timeout_);
  if (!init.unrecognized.empty()) {
    ByteWriter echoed, error;
    for (Bytes parameter : init.unrecognized) {
      echoed.bytes(parameter);
      echoed.zeros(padded(parameter.size()) - parameter.size());
    }
    write_error(ChunkType::kError, 0, Cause::kUnrecognizedParameters, echoed.view(), error);
    reply(std::move(error));
  }
  return {};
}

void Association::begin_transfer(Timestamp now, const Cookie& known) {
  // What rode with an earlier COOKIE ECHO keeps its TSNs when the setup takes another turn.
  if (transfer_ && state_ == State::kCookieEchoed) {
    early_ = std::move(transfer_->outstanding);
  } else if (transfer_) {
    stats_.messages_given_up += transfer_->outstanding.messages_given_up();
  }
  local_tag_ = known.local_tag;
  local_tsn_ = known.local_tsn;
  transfer_.emplace(config_, known, config_.packet_bytes_max);
  transfer_->data_sent_at = now;
  queue_.set_mode(transfer_->agreed.has_interleaving, transfer_->agreed.has_partial_reliability);
  failures_ = 0;
  if (!early_) return;
  if (early_->data_type() == transfer_->outstanding.data_type()) {
    transfer_->outstanding = std::move(*early_);
    transfer_->outstanding.handle_timeout();
    settle_given_up();
  } else {
    queue_.restart();
  }
  early_.reset();
}

// RFC 9260 §5.1 D and the table of §5.2.4.
Association::Outcome Association::handle_cookie_echo(Timestamp now, const PacketHeader& header,
                                                     const RawChunk& chunk, Outputs& out) {
  if (state_ == State::kClosed) return refuse(Refusal::kUnexpectedChunk);
  STOA_TRY(auto cookie, parse_cookie(chunk.value, cookie_key_));
  if (header.verification_tag != cookie.local_tag) return refuse(Refusal::kBadCookie);
  bool is_known = transfer_ && cookie.local_tag == local_tag_ && cookie.remote_tag == transfer_->remote_tag;
  Duration stale = now - cookie.made_at - config_.timing.cookie_lifetime;
  if (!is_known && stale > Duration()) {
    ByteWriter staleness, error;
    staleness.u32(static_cast<std::uint32_t>(std::min<std::int64_t>(stale.us(), 0xffff'ffff)));
    write_error(ChunkType::kError, 0, Cause::kStaleCookie, staleness.view(), error);
    send_alone(cookie.remote_tag, std::move(error), out);
    return refuse(Refusal::kStaleCookie);
  }
  return accept_cookie(now, cookie, out);
}

Association::Outcome Association::accept_cookie(Timestamp now, const Cookie& cookie, Outputs& out) {
  bool is_local = cookie.local_tag == local_tag_;
  bool is_remote = transfer_ && cookie.remote_tag == transfer_->remote_tag;
  if (state_ == State::kIdle) {
    begin_transfer(now, cookie);
    establish(now, out);
  } else if (is_local && is_remote) {  // D: our COOKIE ACK was lost, or both sides called.
    if (state_ == State::kCookieEchoed) establish(now, out);
  } else if (is_local) {  // B: both sides called.
    if (state_ <= State::kCookieEchoed) {
      begin_transfer(now, cookie);
      establish(now, out);
    } else {
      transfer_->remote_tag = cookie.remote_tag;
    }
  } else {
    bool is_tied =
        transfer_ && cookie.tie_local_tag == local_tag_ && cookie.tie_remote_tag == transfer_->remote_tag;
    if (is_remote || !is_tied) return refuse(Refusal::kBadCookie);  // C, and what is in no row.
    if (state_ == State::kShutdownAckSent) {
      ByteWriter error;
      write_error(ChunkType::kError, 0, Cause::kCookieWhileShuttingDown, {}, error);
      send_shutdown_ack(now);
      reply(std::move(error));
      return {};
    }
    restart(now, cookie, out);  // A: the peer began anew.
  }
  ByteWriter ack;
  write_plain(ChunkType::kCookieAck, 0, {}, ack);
  reply(std::move(ack));
  return {};
}

void Association::restart(Timestamp now, const Cookie& cookie, Outputs& out) {
  ++stats_.restarts;
  timers_.fill(Timestamp::never());
  replies_.clear();
  queue_.restart();
  begin_transfer(now, cookie);
  state_ = State::kEstablished;
  if (config_.timing.heartbeat_interval > Duration())
    set_timer(kHeartbeatTimer, now + config_.timing.heartbeat_interval);
  out.push(Restarted{transfer_->agreed});
}

Association::Outcome Association::handle_cookie_ack(Timestamp now, Outputs& out) {
  if (state_ == State::kCookieEchoed) establish(now, out);
  return {};
}

void Association::establish(Timestamp now, Outputs& out) {
  stop_timer(kSetupTimer);
  cookie_echo_ = {};
  is_cookie_echo_due_ = false;
  state_ = State::kEstablished;
  if (config_.timing.heartbeat_interval > Duration())
    set_timer(kHeartbeatTimer, now + config_.timing.heartbeat_interval);
  out.push(transfer_->agreed);
}

Association::Outcome Association::handle_shutdown(Timestamp now, const RawChunk& chunk) {
  if (chunk.value.size() != 4) return refuse(Refusal::kBadControlChunk);
  if (state_ == State::kShutdownAckSent) return {};
  std::size_t in_flight = transfer_->outstanding.in_flight_bytes();
  STOA_TRY(auto acked, transfer_->outstanding.handle_cumulative(now, ByteReader(chunk.value).u32()));
  apply_ack(now, acked, in_flight);
  if (state_ == State::kShutdownSent) {
    send_shutdown_ack(now);
  } else {
    if (state_ != State::kShutdownReceived) set_timer(kGuardTimer, now + config_.timing.shutdown_guard);
    state_ = State::kShutdownReceived;
  }
  return {};
}

// Each end stops when what it was asked to deliver has been acknowledged (RFC 9260 §9.2).
void Association::progress_shutdown(Timestamp now) {
  if (state_ != State::kShutdownPending && state_ != State::kShutdownReceived) return;
  if (queue_.buffered_bytes() > 0 || !transfer_->outstanding.empty()) return;
  if (state_ == State::kShutdownPending) {
    send_shutdown(now);
  } else {
    send_shutdown_ack(now);
  }
}

void Association::send_shutdown(Timestamp now) {
  state_ = State::kShutdownSent;
  ByteWriter value, chunk;
  value.u32(static_cast<std::uint32_t>(transfer_->tracker.cumulative()));
  write_plain(ChunkType::kShutdown, 0, value.view(), chunk);
  replies_.push_back(chunk.take());
  set_timer(kShutdownTimer, now + transfer_->rto.value());
}

void Association::send_shutdown_ack(Timestamp now) {
  bool is_again = state_ == State::kShutdownAckSent && !replies_.empty();
  state_ = State::kShutdownAckSent;
  if (is_again) return;
  ByteWriter chunk;
  write_plain(ChunkType::kShutdownAck, 0, {}, chunk);
  replies_.push_back(chunk.take());
  set_timer(kShutdownTimer, now + transfer_->rto.value());
}

Association::Outcome Association::handle_shutdown_ack(const PacketHeader& header, Outputs& out) {
  bool is_expected = state_ == State::kShutdownSent || state_ == State::kShutdownAckSent;
  ByteWriter complete;
  if (is_expected) {
    write_plain(ChunkType::kShutdownComplete, 0, {}, complete);
    send_alone(transfer_->remote_tag, std::move(complete), out);
    close(std::nullopt, out);
    return {};
  }
  if (state_ >= State::kEstablished && state_ != State::kClosed) return refuse(Refusal::kUnexpectedChunk);
  if (replies_left_ == 0) return {};
  --replies_left_;
  // The peer still waits for the end of something that is over here (RFC 9260 §8.5.1 E).
  write_plain(ChunkType::kShutdownComplete, kReflectsTag, {}, complete);
  send_alone(header.verification_tag, std::move(complete), out);
  return {};
}

Association::Outcome Association::handle_shutdown_complete(Outputs& out) {
  if (state_ != State::kShutdownAckSent) return refuse(Refusal::kUnexpectedChunk);
  close(std::nullopt, out);
  return {};
}

Association::Outcome Association::handle_error(Timestamp now, const RawChunk& chunk, Outputs& out) {
  if (state_ != State::kCookieEchoed ||
      parse_first_cause(chunk.value) != static_cast<std::uint16_t>(Cause::kStaleCookie))
    return {};
  // §5.2.6: ask for a fresh cookie, as often as an INIT may be sent at all.
  if (++setup_failures_ > config_.timing.setup_retransmissions_max) return refuse(Refusal::kSetupTimeout);
  early_ = std::move(transfer_->outstanding);
  transfer_.reset();
  cookie_echo_ = {};
  is_cookie_echo_due_ = false;
  state_ = State::kCookieWait;
  send_init(out);
  set_timer(kSetupTimer, now + setup_timeout_);
  return {};
}

}  // namespace stoa::sctp
