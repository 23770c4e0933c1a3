// The worker protocol on a byte stream (docs/formats/relay.md):
//
//   u32 length | u8 type | fields … | 0 | payload        length: of all that follows it, big-endian
//   field: varint tag (1 …) | varint length | bytes      an integer in it: zig-zag varint
//
// So that either side may be upgraded first: fields that are not known are passed over, and a field that is
// absent has its default, which is 0 or empty unless wire.cc says another. Of messages that are not known,
// those below 0x80 are passed over and the others close the connection.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/relay/limits.h"
#include "proto/relay/refusal.h"
#include "proto/relay/worker_message.h"

namespace stoa::relay {

inline constexpr std::uint32_t kVersion = 1;

// 0x40 to 0x5f are kept for packets between nodes (message.h).
enum class MessageType : std::uint8_t {
  kHello = 0x01,
  kRungFormat = 0x02,
  kRungFrame = 0x03,
  kRungEnded = 0x04,
  kFramesTaken = 0x05,
  kProgress = 0x06,
  kPong = 0x07,
  kSaid = 0x08,
  kSlateMade = 0x09,
  kPosterMade = 0x0a,
  kStoryboardMade = 0x0b,

  kWelcome = 0x21,
  kLadderSet = 0x22,
  kProgramTrack = 0x23,
  kProgramCut = 0x24,
  kProgramFrame = 0x25,
  kTrackGone = 0x26,
  kPing = 0x27,
  kPicturesWanted = 0x28,
  kRungRefused = 0x29,

  kBye = 0x3f,
};
inline constexpr std::uint8_t kMustBeKnown = 0x80;

// The payload is the message's own and goes behind the head; empty where there is none.
struct SendBytes {
  Buffer head;
  SharedBytes payload;
};

// Nothing when the message is over a limit that its reader would hold it to. Only texts for people are cut
// instead.
std::optional<SendBytes> write(const Message& message);

// `body` is what lies behind the type; payload and configuration of the message are slices of it. Nothing
// when the message speaks of what this version does not know (another codec): it is to be passed over.
Result<std::optional<Message>, Refusal> parse(MessageType type, const SharedBytes& body);

// Takes messages out of a byte stream that is cut anywhere.
class MessageReader {
 public:
  // What may come. A Bye may come always.
  enum class Expected : std::uint8_t { kHello, kWelcome, kFromWorker, kFromOwner, kNothing };

  explicit MessageReader(Expected expected) : expected_(expected) {}
  void expect(Expected expected) { expected_ = expected; }

  // Takes bytes from the front of `input` until one message is whole or nothing is left. After a refusal the
  // reader is of no further use.
  Result<std::optional<Message>, Refusal> next(Bytes& input);

  std::uint64_t skipped() const { return skipped_; }  // Messages that were not known.

 private:
  static constexpr std::size_t kHeaderBytes = 5;

  Result<void, Refusal> handle_header();

  Expected expected_;
  std::array<std::uint8_t, kHeaderBytes> header_{};
  std::size_t header_bytes_ = 0;
  std::size_t left_ = 0;  // Of the message whose header has been read.
  bool is_skipping_ = false;
  Buffer body_;
  std::uint64_t skipped_ = 0;
};

}  // namespace stoa::relay
