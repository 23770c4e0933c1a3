// One frame of a signalling WebSocket is one message: protobuf in a binary frame, JSON in a text frame. A
// server answers in what the client used last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/livekit/wire.h"
#include "base/bytes.h"
#include "base/result.h"

namespace stoa::livekit {

// Of one frame. A session description of some hundred tracks fits; what is read of a hostile one takes up to
// a hundred times as much for a moment. JSON costs more to read.
inline constexpr std::size_t kSignalBytesMax = 512u << 10;
inline constexpr std::size_t kSignalJsonBytesMax = 256u << 10;

enum class SignalRefusal : std::uint8_t {
  kTooLong,
  kMalformed,
};
const char* name_of(SignalRefusal refusal);

// Fields that are not known are passed over; a message that is not known has MESSAGE_NOT_SET.
Result<pb::SignalRequest, SignalRefusal> parse_signal(Bytes frame, bool is_text);
SharedBytes write_signal(const pb::SignalResponse& response, bool as_text);

// JSON as protobuf has it (protojson): lowerCamel names, 64-bit numbers as strings, bytes in base64; read in
// both spellings of names, unknown ones passed over. For everything of this folder that is JSON.
bool parse_json(std::string_view text, google::protobuf::Message& message);
std::string write_json(const google::protobuf::Message& message);

}  // namespace stoa::livekit
