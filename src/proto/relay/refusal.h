// Why a peer of the worker protocol was refused. Each closes the connection and is counted.
#pragma once

#include <cstdint>

namespace stoa::relay {

enum class Refusal : std::uint8_t {
  kBadLength,          // A message without a type.
  kMessageTooLarge,    // kHelloBytesMax, kControlBytesMax or kMessageBytesMax, by its type.
  kUnknownMessage,     // Of a type that must be understood (0x80 and above).
  kUnexpectedMessage,  // Of a type that this side does not take, or not now.
  kBadField,           // A field that goes beyond its message, or a message that does not end its fields.
  kTooManyFields,      // kFieldsMax, or the limit of a list.
  kBadValue,           // A number, time or flag outside its range.
  kFieldTooLarge,      // kTextBytesMax, kConfigBytesMax, kFrameBytesMax.
  kNoCommonVersion,    // The peer speaks only versions that this side does not.
  kFrameBeforeFormat,  // A rung's frame before its format.
  kBadNumber,          // Frames were taken, or a ping answered, that were never sent.
  kHelloTimeout,       // Deadlines::hello.
  kSilent,             // Deadlines::silence.
};
inline constexpr int kRefusals = static_cast<int>(Refusal::kSilent) + 1;

// "bad_length": for metrics and logs.
const char* name_of(Refusal refusal);

}  // namespace stoa::relay
