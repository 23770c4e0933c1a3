// A publisher's side of one RTMP connection: what tests and the E-RTMP generator speak with.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/outbox.h"
#include "base/rng.h"
#include "proto/rtmp/chunk.h"
#include "proto/rtmp/command.h"
#include "proto/rtmp/connection.h"
#include "proto/rtmp/handshake.h"

namespace stoa::rtmp {

struct Connected {
  AmfValue result;  // The information object of connect's _result, with the server's capabilities.
};
struct Published {};
struct ClientClosed {
  Refusal refusal;
  std::string code;  // Of the server's onStatus or _error: "NetStream.Publish.BadName".
  std::string description;
};
using ClientOutput = std::variant<SendBytes, Connected, Published, ClientClosed>;
using ClientOutputs = Outbox<ClientOutput>;

class ClientConnection {
 public:
  struct Config {
    std::string app, tc_url, stream_name;
    HandshakeKind handshake = HandshakeKind::kPlain;
    std::uint32_t chunk_bytes = 4096;
    bool is_amf3 = false;  // Ask for objectEncoding 3 and send AMF 3 messages.
    bool omits_extended_on_type_three = false;
    std::vector<std::string> video_fourccs = {"avc1", "hvc1", "av01", "vp09"};
    std::vector<std::string> audio_fourccs = {"mp4a", "Opus"};
  };
  ClientConnection(const Config& config, Rng rng) : config_(config), handshake_(config.handshake, rng) {}

  void start(ClientOutputs& out);
  Result<void, Refusal> handle_bytes(Bytes bytes, ClientOutputs& out);

  // Require: is_published().
  void send_audio(std::uint32_t timestamp_ms, Bytes body, ClientOutputs& out);
  void send_video(std::uint32_t timestamp_ms, Bytes body, ClientOutputs& out);
  void send_metadata(const AmfValue& metadata, ClientOutputs& out);
  // Also mid-stream. Requires: 1 <= bytes <= 0x7fffffff.
  void set_chunk_size(std::uint32_t bytes, ClientOutputs& out);
  void unpublish(ClientOutputs& out);
  // Any command, for tests.
  void send_command(std::string_view name, double transaction, const std::vector<AmfValue>& arguments,
                    std::uint32_t message_stream, ClientOutputs& out);

  bool is_published() const { return is_published_; }

 private:
  Result<void, Refusal> handle_command(const Message& message, ClientOutputs& out);
  void connect(ClientOutputs& out);
  void send(std::uint32_t chunk_stream, MessageType type, std::uint32_t timestamp_ms,
            std::uint32_t message_stream, Bytes payload, ClientOutputs& out);

  Config config_;
  ClientHandshake handshake_;
  ChunkReader reader_;
  ChunkWriter writer_;
  std::uint32_t message_stream_ = 0;
  bool is_connecting_ = false;
  bool is_published_ = false;
};

}  // namespace stoa::rtmp
