#include "proto/rtmp/connection.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace stoa::rtmp {
Connection::Connection(const Config& config, Rng rng, Timestamp now)
    : config_(config), handshake_(rng), reader_(config.chunks), now_(now), command_window_(now) {
  stats_.connections = 1;
  enter(State::kHandshake);
}

void Connection::enter(State state) {
  state_ = state;
  switch (state) {
    case State::kHandshake: deadline_ = now_ + config_.deadlines.handshake; break;
    case State::kConnect: deadline_ = now_ + config_.deadlines.connect; break;
    case State::kConnected: deadline_ = now_ + config_.deadlines.publish; break;
    case State::kDecision: deadline_ = now_ + config_.deadlines.decision; break;
    case State::kPublishing: deadline_ = now_ + config_.deadlines.idle; break;
    case State::kClosed: deadline_ = Timestamp::never(); break;
  }
}

Result<void, Refusal> Connection::handle_bytes(Timestamp now, Bytes bytes, Outputs& out) {
  if (state_ == State::kClosed) return {};
  now_ = now;
  stats_.bytes_received += bytes.size();
  return finish(consume(bytes, out), out);
}

void Connection::handle_deadline(Timestamp now, Outputs& out) {
  if (now < deadline_) return;
  now_ = now;
  Refusal refusal = Refusal::kIdleTimeout;
  switch (state_) {
    case State::kHandshake: refusal = Refusal::kHandshakeTimeout; break;
    case State::kConnect: refusal = Refusal::kConnectTimeout; break;
    case State::kConnected: refusal = Refusal::kPublishTimeout; break;
    case State::kDecision: refusal = Refusal::kDecisionTimeout; break;
    case State::kPublishing: break;
    case State::kClosed: return;
  }
  if (state_ == State::kPublishing || state_ == State::kDecision) {
    send_status("error", "NetConnection.Connect.IdleTimeOut", "Timed out.");
  }
  (void)finish(refuse(refusal), out);
}

Connection::Outcome Connection::consume(Bytes bytes, Outputs& out) {
  if (state_ == State::kHandshake) {
    auto handled = handshake_.handle_bytes(bytes, send_);
    if (!handled) return handled;
    if (handshake_.is_done()) enter(State::kConnect);
  }
  while (!bytes.empty() && state_ != State::kClosed) {
    if (state_ == State::kDecision) {
      if (held_.size() + bytes.size() > kHeldBytesMax) return refuse(Refusal::kTooMuchBeforeAccept);
      held_.insert(held_.end(), bytes.begin(), bytes.end());
      break;
    }
    auto next = reader_.next(bytes);
    if (!next) return refuse(next.error());
    if (!*next) break;
    auto handled = handle_message(std::move(**next), out);
    if (!handled) return handled;
  }
  if (state_ == State::kPublishing && stats_.bytes_received - progress_at_bytes_ >= kProgressBytes) {
    progress_at_bytes_ = stats_.bytes_received;
    enter(State::kPublishing);
  }
  acknowledge();
  return {};
}

// Ends an input: what was written goes out, and a refusal closes.
Connection::Outcome Connection::finish(Outcome outcome, Outputs& out) {
  flush(out);
  if (!outcome && state_ != State::kClosed) {
    ++stats_.refusals[static_cast<std::size_t>(outcome.error())];
    enter(State::kClosed);
    held_ = Buffer();
    out.push(Closed{outcome.error()});
  }
  return outcome;
}

Connection::Outcome Connection::handle_message(Message&& message, Outputs& out) {
  switch (static_cast<MessageType>(message.type)) {
    case MessageType::kSetChunkSize:
    case MessageType::kAbort:
    case MessageType::kAcknowledgement:
    case MessageType::kWindowAckSize:
    case MessageType::kSetPeerBandwidth: return handle_control(message);
    case MessageType::kUserControl: return handle_user_control(message);
    case MessageType::kAudio:
    case MessageType::kVideo: return handle_media(std::move(message), out);
    case MessageType::kAmf0Data:
    case MessageType::kAmf3Data: return handle_data(message, out);
    case MessageType::kAggregate: return handle_aggregate(message, out);
    case MessageType::kAmf0Command:
    case MessageType::kAmf3Command: return handle_command(message, out);
    case MessageType::kAmf0SharedObject:
    case MessageType::kAmf3SharedObject: break;
  }
  ++stats_.dropped_messages;
  return count_command();
}

Connection::Outcome Connection::handle_control(const Message& message) {
  auto type = static_cast<MessageType>(message.type);
  auto counted = type == MessageType::kAcknowledgement ? Outcome{} : count_command();
  if (!counted) return counted;
  ByteReader reader(message.payload);
  std::uint32_t value = reader.u32();
  bool has_limit_type = type == MessageType::kSetPeerBandwidth;
  if (!reader.ok() || (has_limit_type && reader.remaining() < 1)) return refuse(Refusal::kBadControlMessage);
  switch (type) {
    case MessageType::kSetChunkSize:
      if (value == 0 || value > 0x7fff'ffff) return refuse(Refusal::kBadChunkSize);
      reader_.set_chunk_size(value);
      break;
    case MessageType::kAbort: reader_.drop_partial(value); break;
    case MessageType::kWindowAckSize: ack_window_ = std::max(value, kAckWindowBytesMin); break;
    default: break;
  }
  return {};
}

Connection::Outcome Connection::handle_user_control(const Message& message) {
  auto counted = count_command();
  if (!counted) return counted;
  ByteReader reader(message.payload);
  auto event = static_cast<UserControl>(reader.u16());
  if (!reader.ok()) return refuse(Refusal::kBadControlMessage);
  if (event != UserControl::kPingRequest) return {};
  std::uint32_t stamp = reader.u32();
  if (!reader.ok()) return refuse(Refusal::kBadControlMessage);
  ByteWriter answer;
  answer.u16(static_cast<std::uint16_t>(UserControl::kPingResponse));
  answer.u32(stamp);
  send(MessageType::kUserControl, 0, answer.view());
  return {};
}

Connection::Outcome Connection::handle_media(Message&& message, Outputs& out) {
  if (state_ != State::kPublishing) return refuse(Refusal::kMediaBeforePublish);
  enter(State::kPublishing);
  progress_at_bytes_ = stats_.bytes_received;
  SharedBytes payload(std::move(message.payload));
  if (message.type == static_cast<std::uint8_t>(MessageType::kAudio)) {
    ++stats_.audio_messages;
    out.push(AudioMessage{message.timestamp_ms, std::move(payload)});
  } else {
    ++stats_.video_messages;
    out.push(VideoMessage{message.timestamp_ms, std::move(payload)});
  }
  return {};
}

Connection::Outcome Connection::handle_data(const Message& message, Outputs& out) {
  auto values = parse_values(message, config_.amf);
  bool is_named = values && !values->empty() && values->front().is_string();
  if (state_ != State::kPublishing || !is_named) {
    ++stats_.dropped_messages;
    return {};
  }
  if (values->front().text == "@setDataFrame") {
    values->erase(values->begin());
    if (values->empty() || !values->front().is_string()) {
      ++stats_.dropped_messages;
      return {};
    }
  }
  ++stats_.data_messages;
  std::string name = std::move(values->front().text);
  values->erase(values->begin());
  out.push(DataMessage{message.timestamp_ms, std::move(name), std::move(*values)});
  return {};
}

// FLV tags one after another (RTMP §7.1.6); their times count from the first.
Connection::Outcome Connection::handle_aggregate(const Message& message, Outputs& out) {
  ByteReader reader(message.payload);
  std::optional<std::uint32_t> first;
  for (std::size_t tags = 0; !reader.at_end(); ++tags) {
    if (tags == kAggregateTagsMax) return refuse(Refusal::kBadAggregate);
    Message inner{.type = reader.u8(), .stream_id = message.stream_id};
    std::uint32_t length = reader.u24();
    std::uint32_t timestamp = reader.u24();
    timestamp |= static_cast<std::uint32_t>(reader.u8()) << 24;
    reader.skip(3);
    Bytes body = reader.take(length);
    reader.skip(4);
    if (!reader.ok()) return refuse(Refusal::kBadAggregate);
    if (!first) first = timestamp;
    inner.timestamp_ms = message.timestamp_ms + (timestamp - *first);
    inner.payload.assign(body.begin(), body.end());
    bool is_media = inner.type == static_cast<std::uint8_t>(MessageType::kAudio) ||
                    inner.type == static_cast<std::uint8_t>(MessageType::kVideo);
    bool is_data = inner.type == static_cast<std::uint8_t>(MessageType::kAmf0Data);
    if (!is_media && !is_data) return refuse(Refusal::kBadAggregate);
    auto handled = is_media ? handle_media(std::move(inner), out) : handle_data(inner, out);
    if (!handled) return handled;
  }
  return {};
}

Connection::Outcome Connection::count_command() {
  if (now_ - command_window_ >= Duration::seconds(60)) {
    command_window_ = now_;
    commands_in_window_ = 0;
  }
  if (++commands_in_window_ > kCommandsPerMinuteMax) return refuse(Refusal::kTooManyCommands);
  return {};
}

void Connection::acknowledge() {
  if (state_ == State::kHandshake || state_ == State::kClosed) return;
  if (stats_.bytes_received - acknowledged_ < ack_window_) return;
  acknowledged_ = stats_.bytes_received;
  ByteWriter sequence;
  sequence.u32(static_cast<std::uint32_t>(stats_.bytes_received));
  send(MessageType::kAcknowledgement, 0, sequence.view());
}

void Connection::accept_publish(Timestamp now, Outputs& out) {
  STOA_ASSERT(is_waiting_for_decision());
  now_ = now;
  ByteWriter begin;
  begin.u16(static_cast<std::uint16_t>(UserControl::kStreamBegin));
  begin.u32(publish_stream_);
  send(MessageType::kUserControl, 0, begin.view());
  if (wants_on_fc_publish_) {
    send_command("onFCPublish", 0,
                 {AmfValue::null(), status("status", "NetStream.Publish.Start", "Publishing.")}, 0);
  }
  send_status("status", "NetStream.Publish.Start", "Publishing.");
  progress_at_bytes_ = stats_.bytes_received;
  enter(State::kPublishing);
  Buffer held = std::exchange(held_, {});
  (void)finish(consume(held, out), out);
}

void Connection::reject_publish(std::string_view reason, Outputs& out) {
  STOA_ASSERT(is_waiting_for_decision());
  close("NetStream.Publish.BadName", reason, out);
}

void Connection::close(std::string_view code, std::string_view description, Outputs& out) {
  if (state_ == State::kClosed) return;
  if (state_ == State::kPublishing || state_ == State::kDecision) send_status("error", code, description);
  flush(out);
  enter(State::kClosed);
  held_ = Buffer();
  out.push(Closed{});
}

void Connection::send(MessageType type, std::uint32_t message_stream, Bytes payload) {
  bool is_command = type == MessageType::kAmf0Command || type == MessageType::kAmf3Command;
  writer_.write(is_command ? kCommandChunkStream : kControlChunkStream, type, 0, message_stream, payload,
                send_);
  if (type == MessageType::kSetChunkSize) writer_.set_chunk_size(kServerChunkBytes);
}

void Connection::send_command(std::string_view name, double transaction,
                              const std::vector<AmfValue>& arguments, std::uint32_t message_stream) {
  send(is_amf3_ ? MessageType::kAmf3Command : MessageType::kAmf0Command, message_stream,
       write_command(name, transaction, arguments, is_amf3_));
}

void Connection::send_status(std::string_view level, std::string_view code, std::string_view description) {
  send_command("onStatus", 0, {AmfValue::null(), status(level, code, description)}, publish_stream_);
}

void Connection::flush(Outputs& out) {
  if (send_.size() == 0) return;
  stats_.bytes_sent += send_.size();
  out.push(SendBytes{send_.take()});
  send_ = ByteWriter();
}

}  // namespace stoa::rtmp
