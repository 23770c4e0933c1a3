// A whole session with bytes as actions: deliver raw bytes, deliver a well-formed message or command, let
// time pass, accept, reject, stop, disconnect. What must hold: outputs in their order, nothing after Closed
// and never more sent than the limits allow.
#include "base/assert.h"
#include "proto/rtmp/client.h"
#include "session/rtmp/session.h"

namespace {

using namespace stoa;

constexpr const char* kCommands[] = {"connect",   "createStream", "publish",  "releaseStream",
                                     "FCPublish", "FCUnpublish",  "play",     "deleteStream",
                                     "_checkbw",  "closeStream",  "onStatus", "nothing"};

class Driver {
 public:
  explicit Driver(bool skips_handshake) : session_({}, Rng(1), now_) {
    if (!skips_handshake) return;
    Buffer opening(1 + 2 * rtmp::kHandshakeBytes, 0);
    opening[0] = rtmp::kVersion;
    deliver(opening);
  }

  void act(ByteReader& input) {
    switch (input.u8() % 9) {
      case 0: deliver(input.take(std::min<std::size_t>(input.u8(), input.remaining()))); break;
      case 1: command(input); break;
      case 2: message(input); break;
      case 3:
        now_ += Duration::milliseconds(input.u16());
        if (now_ >= session_.next_deadline()) session_.handle_deadline(now_, out_);
        break;
      case 4: session_.accept(now_, out_); break;
      case 5:
        if (input.u8() % 8 == 0) session_.reject("no", out_);
        break;
      case 6:
        if (input.u8() % 16 == 0) session_.stop(session::StopReason::kTakenOver, out_);
        break;
      case 7:
        if (input.u8() % 16 == 0) session_.handle_disconnect(out_);
        break;
      default: {  // A usual beginning.
        connect();
        session_.accept(now_, out_);
      }
    }
    check();
  }

 private:
  void deliver(Bytes bytes) {
    received_ += bytes.size();
    session_.handle_bytes(now_, bytes, out_);
    check();
  }
  void send(std::uint32_t chunk_stream, std::uint8_t type, std::uint32_t time, Bytes payload) {
    ByteWriter wire;
    writer_.write(chunk_stream, type, time, 1, payload, wire);
    deliver(wire.view());
  }
  void send_command(std::string_view name, std::vector<rtmp::AmfValue> arguments, bool is_amf3) {
    send(3, is_amf3 ? 17 : 20, 0, rtmp::write_command(name, 1, arguments, is_amf3));
  }
  void connect() {
    send_command("connect", {rtmp::AmfValue::object({{"app", rtmp::AmfValue::string("live")}})}, false);
    send_command("publish", {rtmp::AmfValue::null(), rtmp::AmfValue::string("key")}, false);
  }
  void command(ByteReader& input) {
    std::uint8_t which = input.u8();
    Bytes text = input.take(std::min<std::size_t>(input.u8() % 32, input.remaining()));
    rtmp::AmfValue first = which >= 128 ? rtmp::AmfValue::null()
                                        : rtmp::AmfValue::object({{"app", rtmp::AmfValue::string("a")}});
    send_command(kCommands[which % 12], {std::move(first), rtmp::AmfValue::string(as_text(text))},
                 which % 3 == 0);
  }
  void message(ByteReader& input) {
    std::uint8_t type = input.u8() % 23;
    Bytes payload = input.take(std::min<std::size_t>(input.u8(), input.remaining()));
    send(4 + type % 3, type, input.u16(), payload);
    if (type == 1 && payload.size() >= 4) {
      std::uint32_t size = ByteReader(payload).u32();
      if (size >= 1 && size <= 0x7fff'ffff) writer_.set_chunk_size(size);
    }
  }

  void check() {
    for (auto& output : out_.take()) {
      STOA_ASSERT(!is_closed_);
      if (auto* send = std::get_if<rtmp::SendBytes>(&output)) sent_ += send->bytes.size();
      if (std::holds_alternative<session::PublishRequested>(output)) was_asked_ = true;
      if (auto* event = std::get_if<media::TrackEvent>(&output)) {
        STOA_ASSERT(was_asked_ && !has_ended_);
        auto* format = std::get_if<media::TrackFormat>(event);
        if (format) STOA_ASSERT(format->format && format->track < media::kTracksPerPublicationMax);
      }
      if (std::holds_alternative<session::Ended>(output)) {
        STOA_ASSERT(was_asked_ && !has_ended_);
        has_ended_ = true;
      }
      if (std::holds_alternative<session::Closed>(output)) is_closed_ = true;
    }
    STOA_ASSERT(session_.is_closed() == is_closed_);
    STOA_ASSERT(!is_closed_ || session_.next_deadline() == Timestamp::never());
    // The handshake, then less than 2 KiB an answer and some bytes an acknowledgement.
    std::uint64_t minutes = static_cast<std::uint64_t>(now_.ns()) / 60'000'000'000 + 1;
    STOA_ASSERT(sent_ <= 3 * 1536 + minutes * 2048 * rtmp::kCommandsPerMinuteMax + received_);
  }

  Timestamp now_;
  session::RtmpSession session_;
  session::RtmpOutputs out_;
  rtmp::ChunkWriter writer_;
  std::uint64_t sent_ = 0, received_ = 0;
  bool was_asked_ = false, has_ended_ = false, is_closed_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  ByteReader input(Bytes(data + 1, size - 1));
  Driver driver(data[0] % 8 != 0);
  for (int i = 0; i < 2000 && !input.at_end(); ++i) driver.act(input);
  return 0;
}
