// WebRTC data channels over one association (RFC 8831, RFC 8832).
//
// A channel is a pair of streams of equal number. It is opened by a DCEP message or agreed on elsewhere
// ("negotiated"), and closed by resetting both streams. The DTLS client opens even numbers, the server odd
// ones. Messages are text or bytes and may be empty. An OPEN that breaks the rules is refused by resetting
// its stream.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>

#include "base/outbox.h"
#include "base/result.h"
#include "base/rng.h"
#include "proto/sctp/association.h"
#include "proto/sctp/dcep.h"

namespace stoa::sctp {

enum class DtlsRole : std::uint8_t { kClient, kServer };
enum class MessageKind : std::uint8_t { kText, kBytes };

// The peer opened a channel; it may be used at once.
struct ChannelOpened {
  StreamId channel = 0;
  ChannelSettings settings;
};
// The peer has heard of a channel that we opened.
struct ChannelReady {
  StreamId channel = 0;
};
// Text is not checked to be UTF-8.
struct ChannelMessage {
  StreamId channel = 0;
  MessageKind kind = MessageKind::kBytes;
  Buffer payload;
};
struct ChannelBufferedLow {
  StreamId channel = 0;
};
// Nothing comes from it any more; the number may be used anew.
struct ChannelClosed {
  StreamId channel = 0;
};
// Connected comes first; Closed, after a ChannelClosed for each channel, last but for SendPackets.
using ChannelOutput = std::variant<SendPacket, Connected, ChannelOpened, ChannelReady, ChannelMessage,
                                   ChannelBufferedLow, ChannelClosed, Closed>;
using ChannelOutputs = Outbox<ChannelOutput>;

class DataChannels {
 public:
  DataChannels(const Config& config, DtlsRole role, Rng rng) : association_(config, rng), role_(role) {}

  void connect(Timestamp now, ChannelOutputs& out);
  Result<void, Refusal> handle_packet(Timestamp now, Bytes packet, ChannelOutputs& out);
  void handle_deadline(Timestamp now, ChannelOutputs& out);
  Timestamp next_deadline() const { return association_.next_deadline(); }

  // Opens under the lowest free number of our parity, also before Connected; messages may follow at once.
  // kNameTooLong, kTooManyChannels, and the refusals of Association::send().
  Result<StreamId, Refusal> open(Timestamp now, ChannelSettings settings, ChannelOutputs& out);
  // Both sides agreed on the number elsewhere; nothing is sent. kBadChannelId, kTooManyChannels.
  Result<void, Refusal> open_negotiated(StreamId channel, ChannelSettings settings);
  // kChannelNotOpen, and the refusals of Association::send().
  Result<void, Refusal> send(Timestamp now, StreamId channel, MessageKind kind, SharedBytes payload,
                             ChannelOutputs& out);
  // What was sent still goes; what comes is thrown away. ChannelClosed tells when the peer agrees.
  void close(Timestamp now, StreamId channel, ChannelOutputs& out);
  // ChannelBufferedLow when what waits falls to `bytes` or below.
  void set_low_mark(StreamId channel, std::size_t bytes) { association_.set_low_mark(channel, bytes); }

  void shutdown(Timestamp now, ChannelOutputs& out);
  void abort(Timestamp now, ChannelOutputs& out);

  const Association& association() const { return association_; }
  std::size_t channels() const { return channels_.size(); }
  // Association::memory_bytes() and the channels'.
  std::size_t memory_bytes() const {
    return association_.memory_bytes() + channels_.size() * kStreamOverheadBytes;
  }
  std::size_t buffered_bytes(StreamId channel) const { return association_.buffered_bytes(channel); }
  Stats stats() const;

 private:
  struct Channel {
    enum class State : std::uint8_t {
      kOpening,  // OPEN sent, no ACK yet: everything goes ordered (RFC 8832 §6).
      kOpen,
      kClosing,
      kStuck,  // Closed, but the peer refused the reset: the number is not used again.
    };
    ChannelSettings settings;  // Without the names: whoever opens it is told those.
    State state = State::kOpen;
    bool is_reset_asked = false, is_local_reset = false, is_remote_reset = false;
    // The number was used before, and the peer's answer to that reset is still on its way.
    bool has_old_reset = false;
  };
  using State = Channel::State;

  Result<void, Refusal> add(StreamId id, ChannelSettings&& settings, State state);
  Result<void, Refusal> send_message(Timestamp now, StreamId id, PayloadProtocol protocol,
                                     SharedBytes payload, bool is_unordered, Reliability reliability);
  void ask_reset(Timestamp now, StreamId id, Channel& channel);
  void finish_if_reset(StreamId id, ChannelOutputs& out);
  void count(Refusal refusal) { ++refusals_[static_cast<int>(refusal)]; }
  bool is_ours(StreamId id) const { return (id % 2 == 0) == (role_ == DtlsRole::kClient); }

  // Carries out what the association said, until it has nothing more to say.
  void drain(Timestamp now, ChannelOutputs& out);
  void handle_connected(Timestamp now, const Connected& connected, ChannelOutputs& out);
  void handle_message(Timestamp now, ReceivedMessage&& message, ChannelOutputs& out);
  void handle_dcep(Timestamp now, const ReceivedMessage& message, ChannelOutputs& out);
  Result<void, Refusal> handle_open(Timestamp now, StreamId id, ChannelSettings&& settings,
                                    ChannelOutputs& out);
  void handle_streams_reset(Timestamp now, const StreamsReset& reset, ChannelOutputs& out);
  void handle_reset_finished(Timestamp now, const ResetFinished& finished, ChannelOutputs& out);
  void drop_all(ChannelOutputs& out);

  Association association_;
  DtlsRole role_;
  Outputs inner_;
  std::map<StreamId, Channel> channels_;
  bool has_stream_reset_ = true;  // Until Connected says otherwise.
  std::array<std::uint64_t, kRefusals> refusals_{};
};

}  // namespace stoa::sctp
