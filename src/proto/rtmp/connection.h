// The server's side of one RTMP connection, up to and through one publication.
//
//   handshake -> connect -> publish -> PublishRequested -> accept_publish() -> messages -> Unpublished
//                                                       \-> reject_publish() -> Closed
//
// Each step has a deadline, so that a peer that sends a byte a second is dropped. Bytes that arrive while
// a publish is being decided upon are kept (kHeldBytesMax) and handled after the yes. After Closed every
// input is ignored; the owner closes the socket once what was sent before is written.
//
// Nothing validates that bytes sent are read: the owner bounds its write queue. What this sends is bounded
// by what it is asked: kCommandsPerMinuteMax answers and an acknowledgement per kAckWindowBytesMin.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/bytes.h"
#include "base/outbox.h"
#include "base/result.h"
#include "base/rng.h"
#include "base/time.h"
#include "proto/rtmp/chunk.h"
#include "proto/rtmp/command.h"
#include "proto/rtmp/handshake.h"
#include "proto/rtmp/limits.h"
#include "proto/rtmp/stats.h"

namespace stoa::rtmp {

struct SendBytes {
  Buffer bytes;
};
// Answer with accept_publish() or reject_publish() within Deadlines::decision.
struct PublishRequested {
  std::string app;  // Without slashes at its ends and without a query.
  std::string tc_url;
  std::string stream_name;  // Usually the stream key: a secret, never to be logged.
  std::string query;        // Behind '?' of the app and of the stream name, joined by '&'; not decoded.
};
// Timestamps are absolute, modulo 2^32 ms. The payload is a tag body as proto/flv reads it; it may be empty.
struct AudioMessage {
  std::uint32_t timestamp_ms;
  SharedBytes payload;
};
struct VideoMessage {
  std::uint32_t timestamp_ms;
  SharedBytes payload;
};
// "onMetaData" and such; @setDataFrame is taken off.
struct DataMessage {
  std::uint32_t timestamp_ms;
  std::string name;
  std::vector<AmfValue> values;
};
// The publisher said that it is done. It may publish again on this connection.
struct Unpublished {};
struct Closed {
  std::optional<Refusal> refusal;  // Absent when it was our command.
};
using Output =
    std::variant<SendBytes, PublishRequested, AudioMessage, VideoMessage, DataMessage, Unpublished, Closed>;
using Outputs = Outbox<Output>;

struct Config {
  ChunkLimits chunks;
  AmfLimits amf;
  Deadlines deadlines;
};

class Connection {
 public:
  Connection(const Config& config, Rng rng, Timestamp now);

  // The error is also in the Closed that was pushed.
  Result<void, Refusal> handle_bytes(Timestamp now, Bytes bytes, Outputs& out);
  void handle_deadline(Timestamp now, Outputs& out);
  Timestamp next_deadline() const { return deadline_; }

  // Require: is_waiting_for_decision().
  void accept_publish(Timestamp now, Outputs& out);
  void reject_publish(std::string_view reason, Outputs& out);
  // Tells the publisher why (onStatus when it publishes) and closes. Does nothing when closed.
  void close(std::string_view code, std::string_view description, Outputs& out);

  bool is_waiting_for_decision() const { return state_ == State::kDecision; }
  bool is_publishing() const { return state_ == State::kPublishing; }
  bool is_closed() const { return state_ == State::kClosed; }
  HandshakeKind handshake_kind() const { return handshake_.kind(); }
  const Stats& stats() const { return stats_; }

 private:
  enum class State : std::uint8_t { kHandshake, kConnect, kConnected, kDecision, kPublishing, kClosed };
  using Outcome = Result<void, Refusal>;

  Outcome consume(Bytes bytes, Outputs& out);
  Outcome handle_message(Message&& message, Outputs& out);
  Outcome handle_control(const Message& message);
  Outcome handle_user_control(const Message& message);
  Outcome handle_media(Message&& message, Outputs& out);
  Outcome handle_data(const Message& message, Outputs& out);
  Outcome handle_aggregate(const Message& message, Outputs& out);
  Outcome handle_command(const Message& message, Outputs& out);
  Outcome handle_connect(const Command& command);
  Outcome handle_create_stream(const Command& command);
  Outcome handle_publish(const Command& command, std::uint32_t message_stream, Outputs& out);
  Outcome handle_play(std::uint32_t message_stream);
  void handle_unpublish(Outputs& out);
  Outcome count_command();
  AmfValue connect_result(const AmfValue& asked) const;

  void enter(State state);
  void acknowledge();
  void send(MessageType type, std::uint32_t message_stream, Bytes payload);
  void send_command(std::string_view name, double transaction, const std::vector<AmfValue>& arguments,
                    std::uint32_t message_stream);
  void send_status(std::string_view level, std::string_view code, std::string_view description);
  void flush(Outputs& out);
  Outcome finish(Outcome outcome, Outputs& out);

  Config config_;
  ServerHandshake handshake_;
  ChunkReader reader_;
  ChunkWriter writer_;
  State state_ = State::kHandshake;
  Timestamp now_;
  Timestamp deadline_;
  ByteWriter send_;

  std::string app_, app_query_, tc_url_;
  bool is_amf3_ = false;  // Commands came as AMF 3 messages and are answered so.
  std::uint32_t message_streams_ = 0;
  std::uint32_t publish_stream_ = 0;
  double publish_transaction_ = 0;
  bool wants_on_fc_publish_ = false;
  Buffer held_;

  std::uint32_t ack_window_ = kWindowBytes;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t progress_at_bytes_ = 0;
  Timestamp command_window_;
  int commands_in_window_ = 0;
  Stats stats_;
};

}  // namespace stoa::rtmp
