// One SCTP association above DTLS, one side of it (RFC 9260 as RFC 8261 and RFC 8831 narrow it).
//
//   idle -> connect() or the peer's INIT -> Connected -> send(), ReceivedMessage ... -> Closed
//
// DTLS has proved who the peer is and carries each SendPacket as one record; losing, doubling and swapping
// packets is expected. There is one path, so no addresses. What the peer may make us hold is in limits.h.
// Messages may be given to send() before Connected; they wait. After Closed every command is refused, and
// packets are answered only where the peer still waits for the end of a shutdown.
//
// The window that we advertise is what reassembly may still hold: a whole message leaves at once, and the
// owner is expected to take it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/outbox.h"
#include "base/result.h"
#include "base/rng.h"
#include "base/time.h"
#include "proto/sctp/chunk.h"
#include "proto/sctp/congestion.h"
#include "proto/sctp/cookie.h"
#include "proto/sctp/limits.h"
#include "proto/sctp/outstanding.h"
#include "proto/sctp/reassembly.h"
#include "proto/sctp/refusal.h"
#include "proto/sctp/rto.h"
#include "proto/sctp/send_queue.h"
#include "proto/sctp/stats.h"
#include "proto/sctp/tsn_tracker.h"

namespace stoa::sctp {

struct SendPacket {
  Buffer packet;  // At most Config::packet_bytes_max.
};
// What both ends can do, and streams each way.
struct Connected {
  bool has_interleaving = false;
  bool has_partial_reliability = false;
  bool has_stream_reset = false;
  bool sends_zero_checksum = false;
  std::uint16_t outbound_streams = 0, inbound_streams = 0;
};
// The peer lost its state and began anew: streams start from nothing, what was on its way may be lost.
struct Restarted {
  Connected now;
};
// The peer's direction of these streams begins anew; none means all.
struct StreamsReset {
  std::vector<StreamId> streams;
};
// Our direction, as reset_streams() or the peer asked. Not performed: the peer refused.
struct ResetFinished {
  std::vector<StreamId> streams;
  bool is_performed = false;
};
// What waits on the stream fell to its low mark.
struct BufferedLow {
  StreamId stream = 0;
};
// The last output that is not a SendPacket. Absent refusal: shut down by either side, or our abort().
struct Closed {
  std::optional<Refusal> refusal;
};
using Output = std::variant<SendPacket, Connected, Restarted, ReceivedMessage, StreamsReset, ResetFinished,
                            BufferedLow, Closed>;
using Outputs = Outbox<Output>;

struct Config {
  std::uint16_t local_port = kPort, remote_port = kPort;
  // Cut down to a multiple of four and into [kPacketBytesFloor, kPacketBytesCeiling].
  std::size_t packet_bytes_max = kPacketBytesDefault;
  Capabilities offered = {.forward_tsn = true,
                          .i_forward_tsn = true,
                          .stream_reset = true,
                          .interleaving = true,
                          .zero_checksum = true};
  Limits limits;
  Timing timing;
};

class Association {
 public:
  // Tags, first TSN and the cookie's key are drawn from `rng`. DTLS keeps them from all but the peer, which
  // gains nothing by guessing them.
  Association(const Config& config, Rng rng);

  // Sends INIT. Does nothing unless idle; both sides may call it.
  void connect(Timestamp now, Outputs& out);
  // The error is of the chunk that was refused last; those before it were handled.
  Result<void, Refusal> handle_packet(Timestamp now, Bytes packet, Outputs& out);
  void handle_deadline(Timestamp now, Outputs& out);
  Timestamp next_deadline() const { return deadline_; }

  // kNotConnected after Closed or while shutting down, kNoSuchStream, and the refusals of SendQueue::add().
  Result<void, Refusal> send(Timestamp now, OutgoingMessage&& message, Outputs& out);
  // Resets our direction once all that waits on the streams is sent; ResetFinished tells. kNotConnected,
  // kResetRefused, kNoSuchStream, or kStreamIsResetting with nothing begun.
  Result<void, Refusal> reset_streams(Timestamp now, std::span<const StreamId> streams, Outputs& out);
  void set_weight(StreamId stream, std::uint16_t weight) { queue_.set_weight(stream, weight); }
  void set_low_mark(StreamId stream, std::size_t bytes) { queue_.set_low_mark(stream, bytes); }

  // Lets what waits arrive, then closes. New messages are refused at once.
  void shutdown(Timestamp now, Outputs& out);
  // Tells the peer and closes.
  void abort(Timestamp now, Outputs& out);

  bool is_idle() const { return state_ == State::kIdle; }
  bool is_connected() const { return state_ == State::kEstablished; }
  bool is_closed() const { return state_ == State::kClosed; }
  std::size_t buffered_bytes() const { return queue_.buffered_bytes(); }
  std::size_t buffered_bytes(StreamId stream) const { return queue_.buffered_bytes(stream); }
  // Of what the peer sent and we could not deliver yet.
  std::size_t held_bytes() const { return transfer_ ? transfer_->reassembly.held_bytes() : 0; }
  std::size_t in_flight_bytes() const { return transfer_ ? transfer_->outstanding.in_flight_bytes() : 0; }
  // Of messages not wholly handed to the wire, as Limits::send_buffer_bytes_max counts them.
  std::size_t queued_bytes() const { return queue_.held_bytes(); }
  // All that the peer makes us keep beyond what every association has: received, to be sent, sent and not
  // acknowledged, with what each stream, message and chunk costs beside its bytes.
  std::size_t memory_bytes() const;
  std::size_t congestion_window_bytes() const { return transfer_ ? transfer_->congestion.bytes() : 0; }
  // Absent before the first measurement.
  std::optional<Duration> round_trip() const;
  Stats stats() const;

 private:
  enum class State : std::uint8_t {
    kIdle,  // RFC 9260 calls it CLOSED; ours comes after an association and is final.
    kCookieWait,
    kCookieEchoed,
    kEstablished,
    kShutdownPending,
    kShutdownSent,
    kShutdownReceived,
    kShutdownAckSent,
    kClosed,
  };
  enum Timer : std::uint8_t {
    kSetupTimer,       // T1-init, T1-cookie
    kShutdownTimer,    // T2-shutdown
    kRetransmitTimer,  // T3-rtx
    kGuardTimer,       // T5-shutdown-guard
    kSackTimer,
    kHeartbeatTimer,
    kResetTimer,
    kTimers,
  };
  using Outcome = Result<void, Refusal>;

  // Our requests to reset streams and the peer's (RFC 6525 §5).
  struct Reconfig {
    struct Request {
      OutgoingReset reset;
      bool is_due = true;  // To be sent with the next packet.
    };
    std::uint32_t next_request;  // Ours.
    std::uint32_t next_remote_request;
    std::optional<ResetResult> last_result;  // Of the peer's last request; absent before the first.
    std::optional<OutgoingReset> deferred;   // The peer's, until what it sent before has arrived.
    std::optional<Request> asked;            // Ours, unanswered.
    std::vector<StreamId> waiting;           // Ours, not yet asked for.
    std::optional<std::uint32_t> answers;    // The peer's request that our next one answers.
  };
  // What exists between the handshake and the end.
  struct Transfer {
    Transfer(const Config& config, const Cookie& known, std::size_t packet_bytes);

    std::uint32_t remote_tag;
    std::uint32_t remote_window;
    Connected agreed;
    TsnTracker tracker;
    Reassembly reassembly;
    Outstanding outstanding;
    CongestionWindow congestion;
    RetransmissionTimeout rto;
    Reconfig reconfig;
    bool has_seen_data = false;
    int packets_since_sack = 0;
    bool is_sack_due = false;
    bool is_forward_due = false;
    Tsn forward_sent = 0;   // The forward point when we last told of it,
    Tsn forward_reach = 0;  // and how far of it that chunk reached.
    Timestamp forward_sent_at;
    bool may_fast_retransmit = false;  // One packet past the congestion window (§7.2.4).
    Timestamp data_sent_at;
    std::optional<std::uint64_t> heartbeat;  // Nonce of the one not answered yet.
    Timestamp heartbeat_sent_at;
  };
  class Packer;

  // association.cc
  Outcome check_tag(const PacketHeader& header, const RawChunk& first) const;
  Outcome handle_chunks(Timestamp now, PacketReader& reader, Outputs& out);
  Outcome handle_chunk(Timestamp now, const PacketHeader& header, const RawChunk& chunk, Outputs& out);
  Outcome handle_unknown(const RawChunk& chunk);
  Outcome refuse_counted(Refusal refusal);
  Outcome finish(Timestamp now, Outcome outcome, Outputs& out);
  void handle_timer(Timer timer, Timestamp now, Outputs& out);
  bool count_failure(Refusal refusal, Outputs& out);
  void close(std::optional<Refusal> refusal, Outputs& out);
  void abort_with(Cause cause, std::optional<Refusal> refusal, Outputs& out);
  void set_timer(Timer timer, Timestamp at) { timers_[timer] = at; }
  void stop_timer(Timer timer) { timers_[timer] = Timestamp::never(); }
  bool is_running(Timer timer) const { return timers_[timer] != Timestamp::never(); }
  bool can_transfer() const {
    return state_ >= State::kEstablished && state_ <= State::kShutdownAckSent && transfer_;
  }

  // association_setup.cc
  void send_init(Outputs& out);
  std::uint32_t draw_tag();
  Outcome handle_init(Timestamp now, const RawChunk& chunk, Outputs& out);
  Outcome handle_init_ack(Timestamp now, const RawChunk& chunk);
  Outcome handle_cookie_echo(Timestamp now, const PacketHeader& header, const RawChunk& chunk, Outputs& out);
  Outcome accept_cookie(Timestamp now, const Cookie& cookie, Outputs& out);
  Outcome handle_cookie_ack(Timestamp now, Outputs& out);
  void begin_transfer(Timestamp now, const Cookie& known);
  void establish(Timestamp now, Outputs& out);
  void restart(Timestamp now, const Cookie& cookie, Outputs& out);
  Outcome handle_shutdown(Timestamp now, const RawChunk& chunk);
  Outcome handle_shutdown_ack(const PacketHeader& header, Outputs& out);
  Outcome handle_shutdown_complete(Outputs& out);
  Outcome handle_error(Timestamp now, const RawChunk& chunk, Outputs& out);
  void progress_shutdown(Timestamp now);
  void send_shutdown(Timestamp now);
  void send_shutdown_ack(Timestamp now);
  void send_alone(std::uint32_t tag, ByteWriter&& chunk, Outputs& out);

  // association_receive.cc
  Outcome handle_data(Timestamp now, const RawChunk& chunk, Outputs& out);
  Outcome take_data(Tsn tsn, const DataChunk& data, Outputs& out);
  Outcome handle_sack(Timestamp now, const RawChunk& chunk);
  void apply_ack(Timestamp now, const Outstanding::Acked& acked, std::size_t in_flight_before);
  Outcome handle_forward_tsn(const RawChunk& chunk, Outputs& out);
  Outcome handle_heartbeat(const RawChunk& chunk);
  Outcome handle_heartbeat_ack(Timestamp now, const RawChunk& chunk);
  void deliver(std::vector<ReceivedMessage>&& messages, Outputs& out);
  void schedule_sack(Timestamp now, bool is_urgent);
  void send_heartbeat(Timestamp now);

  // association_reset.cc
  Outcome handle_reconfig(Timestamp now, const RawChunk& chunk, Outputs& out);
  bool take_request(std::uint32_t request);
  void answer_reset(std::uint32_t request, ResetResult result);
  void handle_request(const OutgoingReset& reset, Outputs& out);
  void handle_request(const IncomingReset& reset);
  void handle_request(const AddStreams& add);
  void handle_response(Timestamp now, const ResetResponse& response, Outputs& out);
  void perform_reset(const OutgoingReset& reset, Outputs& out);
  void try_deferred_reset(Outputs& out);
  void try_next_reset();

  // association_send.cc
  void reply(ByteWriter&& chunk);
  void flush(Timestamp now, Outputs& out);
  void pack_control(Timestamp now, Packer& packer);
  void pack_data(Timestamp now, Packer& packer);
  bool waits_for_acknowledgement() const;
  bool may_send_data() const;
  bool has_data_to_send() const;
  std::optional<DataChunk> next_data(Timestamp now, std::size_t room);
  void settle_given_up();

  Config config_;
  Rng rng_;
  CookieKey cookie_key_{};
  State state_ = State::kIdle;
  std::uint32_t local_tag_ = 0;
  std::uint32_t local_tsn_ = 0;  // The first.
  SendQueue queue_;
  std::optional<Transfer> transfer_;
  std::array<Timestamp, kTimers> timers_;
  Timestamp deadline_ = Timestamp::never();
  Duration setup_timeout_;
  int setup_failures_ = 0;
  int failures_ = 0;  // Timeouts in a row without a sign of the peer.
  Buffer cookie_echo_;
  std::optional<Outstanding> early_;  // Sent with a COOKIE ECHO that came to nothing.
  bool is_cookie_echo_due_ = false;
  std::vector<Buffer> replies_;
  std::size_t replies_left_ = 0;
  std::size_t burst_left_ = 0;  // Packets of data that this input may still send.
  bool has_data_in_packet_ = false, has_sack_in_packet_ = false, is_sack_urgent_ = false;
  Stats stats_;
};

}  // namespace stoa::sctp
