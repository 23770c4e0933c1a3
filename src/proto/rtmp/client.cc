#include "proto/rtmp/client.h"

#include "base/assert.h"

namespace stoa::rtmp {
namespace {

constexpr double kConnectTransaction = 1;
constexpr double kCreateStreamTransaction = 4;
constexpr double kCapsEx = 0x02 | 0x04 | 0x08;

AmfValue capabilities(const std::vector<std::string>& fourccs) {
  AmfValue map = AmfValue::object({});
  for (const std::string& fourcc : fourccs) map.members.push_back({fourcc, AmfValue::of_number(2)});
  return map;
}

std::string text_of(const AmfValue& value, std::string_view name) {
  const AmfValue* found = value.find(name);
  return found ? found->text : std::string();
}

}  // namespace

void ClientConnection::start(ClientOutputs& out) {
  if (config_.omits_extended_on_type_three) writer_.omit_extended_on_type_three();
  ByteWriter opening;
  handshake_.start(opening);
  out.push(SendBytes{opening.take()});
}

Result<void, Refusal> ClientConnection::handle_bytes(Bytes bytes, ClientOutputs& out) {
  if (!handshake_.is_done()) {
    ByteWriter answer;
    auto handled = handshake_.handle_bytes(bytes, answer);
    if (!handled) return handled;
    if (answer.size() > 0) out.push(SendBytes{answer.take()});
    if (handshake_.is_done() && !is_connecting_) connect(out);
  }
  while (!bytes.empty()) {
    STOA_TRY(std::optional<Message> message, reader_.next(bytes));
    if (!message) break;
    auto type = static_cast<MessageType>(message->type);
    if (type == MessageType::kSetChunkSize) {
      std::uint32_t size = ByteReader(message->payload).u32();
      if (size == 0 || size > 0x7fff'ffff) return refuse(Refusal::kBadChunkSize);
      reader_.set_chunk_size(size);
    } else if (type == MessageType::kAmf0Command || type == MessageType::kAmf3Command) {
      auto handled = handle_command(*message, out);
      if (!handled) return handled;
    }
  }
  return {};
}

void ClientConnection::connect(ClientOutputs& out) {
  is_connecting_ = true;
  AmfValue fourccs = AmfValue::array({});
  for (const std::string& fourcc : config_.video_fourccs) fourccs.items.push_back(AmfValue::string(fourcc));
  for (const std::string& fourcc : config_.audio_fourccs) fourccs.items.push_back(AmfValue::string(fourcc));
  AmfValue properties = AmfValue::object({
      {"app", AmfValue::string(config_.app)},
      {"type", AmfValue::string("nonprivate")},
      {"flashVer", AmfValue::string("FMLE/3.0 (compatible; Stoa)")},
      {"tcUrl", AmfValue::string(config_.tc_url)},
      {"objectEncoding", AmfValue::of_number(config_.is_amf3 ? 3 : 0)},
      {"fourCcList", std::move(fourccs)},
      {"videoFourCcInfoMap", capabilities(config_.video_fourccs)},
      {"audioFourCcInfoMap", capabilities(config_.audio_fourccs)},
      {"capsEx", AmfValue::of_number(kCapsEx)},
  });
  send_command("connect", kConnectTransaction, {std::move(properties)}, 0, out);
}

Result<void, Refusal> ClientConnection::handle_command(const Message& message, ClientOutputs& out) {
  STOA_TRY(Command command, parse_command(message));
  const AmfValue& first = command.argument(1);
  if (command.name == "_result" && command.transaction == kConnectTransaction) {
    out.push(Connected{first});
    set_chunk_size(config_.chunk_bytes, out);
    AmfValue name = AmfValue::string(config_.stream_name);
    send_command("releaseStream", 2, {AmfValue::null(), name}, 0, out);
    send_command("FCPublish", 3, {AmfValue::null(), name}, 0, out);
    send_command("createStream", kCreateStreamTransaction, {AmfValue::null()}, 0, out);
  } else if (command.name == "_result" && command.transaction == kCreateStreamTransaction) {
    if (!first.is_number() || first.number < 1 || first.number > 0xffff'ffffu) {
      return refuse(Refusal::kBadCommand);
    }
    message_stream_ = static_cast<std::uint32_t>(first.number);
    send_command("publish", 5,
                 {AmfValue::null(), AmfValue::string(config_.stream_name), AmfValue::string("live")},
                 message_stream_, out);
  } else if (command.name == "onStatus" && text_of(first, "code") == "NetStream.Publish.Start") {
    is_published_ = true;
    out.push(Published{});
  } else if (command.name == "_error" || (command.name == "onStatus" && text_of(first, "level") == "error")) {
    is_published_ = false;
    out.push(ClientClosed{Refusal::kRejectedByServer, text_of(first, "code"), text_of(first, "description")});
    return refuse(Refusal::kRejectedByServer);
  }
  return {};
}

void ClientConnection::send(std::uint32_t chunk_stream, MessageType type, std::uint32_t timestamp_ms,
                            std::uint32_t message_stream, Bytes payload, ClientOutputs& out) {
  ByteWriter bytes(payload.size() + 64);
  writer_.write(chunk_stream, type, timestamp_ms, message_stream, payload, bytes);
  out.push(SendBytes{bytes.take()});
}

void ClientConnection::send_command(std::string_view name, double transaction,
                                    const std::vector<AmfValue>& arguments, std::uint32_t message_stream,
                                    ClientOutputs& out) {
  send(kCommandChunkStream, config_.is_amf3 ? MessageType::kAmf3Command : MessageType::kAmf0Command, 0,
       message_stream, write_command(name, transaction, arguments, config_.is_amf3), out);
}

void ClientConnection::send_audio(std::uint32_t timestamp_ms, Bytes body, ClientOutputs& out) {
  STOA_ASSERT(is_published_);
  send(kAudioChunkStream, MessageType::kAudio, timestamp_ms, message_stream_, body, out);
}

void ClientConnection::send_video(std::uint32_t timestamp_ms, Bytes body, ClientOutputs& out) {
  STOA_ASSERT(is_published_);
  send(kVideoChunkStream, MessageType::kVideo, timestamp_ms, message_stream_, body, out);
}

void ClientConnection::send_metadata(const AmfValue& metadata, ClientOutputs& out) {
  STOA_ASSERT(is_published_);
  ByteWriter body;
  if (config_.is_amf3) body.u8(0);
  write_amf0(AmfValue::string("@setDataFrame"), body);
  write_amf0(AmfValue::string("onMetaData"), body);
  if (config_.is_amf3) {
    body.u8(0x11);
    write_amf3(metadata, body);
  } else {
    write_amf0(metadata, body);
  }
  send(kAudioChunkStream, config_.is_amf3 ? MessageType::kAmf3Data : MessageType::kAmf0Data, 0,
       message_stream_, body.view(), out);
}

void ClientConnection::set_chunk_size(std::uint32_t bytes, ClientOutputs& out) {
  ByteWriter body;
  body.u32(bytes);
  send(kControlChunkStream, MessageType::kSetChunkSize, 0, 0, body.view(), out);
  writer_.set_chunk_size(bytes);
}

void ClientConnection::unpublish(ClientOutputs& out) {
  AmfValue name = AmfValue::string(config_.stream_name);
  send_command("FCUnpublish", 6, {AmfValue::null(), std::move(name)}, 0, out);
  send_command("deleteStream", 7,
               {AmfValue::null(), AmfValue::of_number(static_cast<double>(message_stream_))}, 0, out);
  is_published_ = false;
}

}  // namespace stoa::rtmp
