// The worker protocol: messages parsed and written again, and whole connections with bytes, messages and time
// as actions. What must hold: what was parsed is written and reads the same; outputs in their order, nothing
// after Closed, and never more under way than the limits allow.
#include <algorithm>

#include "base/assert.h"
#include "proto/relay/connection.h"

namespace {

using namespace stoa;
using namespace stoa::relay;

Buffer bytes_of(const SendBytes& sent) {
  Buffer bytes = sent.head;
  bytes.insert(bytes.end(), sent.payload.bytes().begin(), sent.payload.bytes().end());
  return bytes;
}

void read_and_rewrite(MessageType type, Bytes body) {
  auto parsed = parse(type, SharedBytes::copy_of(body));
  if (!parsed || !*parsed) return;
  auto sent = write(**parsed);
  if (!sent) return;  // Longer than its type may be.
  Buffer bytes = bytes_of(*sent);
  auto again = parse(MessageType{bytes[4]}, SharedBytes::copy_of(Bytes(bytes).subspan(5)));
  STOA_ASSERT(again && *again);
  STOA_ASSERT(bytes_of(*write(**again)) == bytes);
}

class Driver {
 public:
  explicit Driver(Role role)
      : role_(role), connection_(role, {.queue = {.bytes = 4'096, .frames = 16}}, now_) {}

  void act(ByteReader& input) {
    switch (input.u8() % 8) {
      case 0: deliver(input.take(std::min<std::size_t>(input.u8(), input.remaining()))); break;
      case 1: {  // A message, whose fields are the input's.
        std::uint8_t type = input.u8();
        Bytes body = input.take(std::min<std::size_t>(input.u8(), input.remaining()));
        ByteWriter out;
        out.u32(static_cast<std::uint32_t>(body.size() + 1));
        out.u8(type);
        out.bytes(body);
        deliver(out.view());
        break;
      }
      case 2:
        now_ += Duration::milliseconds(input.u16());
        connection_.handle_deadline(now_, out_);
        STOA_ASSERT(connection_.next_deadline() > now_);
        break;
      case 3: open(); break;
      case 4: send(input); break;
      case 5: deliver(bytes_of(*write(FramesTaken{input.u16()}))); break;
      case 6:
        deliver(bytes_of(*write(RungFormat{.rung = static_cast<media::RungId>(input.u8() % 4)})));
        break;
      default:
        if (input.u8() % 16 == 0) connection_.close(ByeReason::kStopping, "", out_);
    }
    check();
  }

 private:
  void deliver(Bytes bytes) {
    bool was_closed = connection_.is_closed();
    auto handled = connection_.handle_bytes(now_, bytes, out_);
    STOA_ASSERT(handled || (!was_closed && connection_.is_closed()));
    check();
  }
  void open() {
    if (role_ == Role::kWorker) {
      connection_.start({}, out_);
      deliver(bytes_of(*write(Welcome{1, "show"})));
    } else {
      deliver(bytes_of(*write(Hello{.version_lowest = 1, .version_highest = 9})));
      if (connection_.is_waiting_for_decision()) connection_.accept(now_, "show", out_);
    }
  }
  void send(ByteReader& input) {
    std::uint8_t what = input.u8();
    std::uint8_t id = input.u8() % 4;
    SharedBytes payload{Buffer(input.u8())};
    if (role_ == Role::kWorker) {
      if (what % 4 == 0) connection_.send(now_, RungFormat{.rung = id}, out_);
      connection_.send(now_, RungFrame{.rung = id, .payload = payload}, out_);
      connection_.send(now_, Pong{what}, out_);
    } else {
      media::Codec codec = what < 128 ? media::Codec::kH264 : media::Codec::kAac;
      if (what % 4 == 0) connection_.send(now_, ProgramTrack{.track = id, .format = {.codec = codec}}, out_);
      if (what % 32 == 1) connection_.send(now_, TrackGone{id}, out_);
      connection_.send(
          now_,
          ProgramFrame{.number = number_++, .track = id, .is_keyframe = what % 8 == 0, .payload = payload},
          out_);
    }
  }
  void check() {
    for (const Output& output : out_.take()) {
      STOA_ASSERT(!has_closed_);
      has_closed_ = std::holds_alternative<Closed>(output);
    }
    STOA_ASSERT(has_closed_ == connection_.is_closed());
    STOA_ASSERT(connection_.backlog().frames() <= 16 && connection_.backlog().bytes() <= 4'096);
  }

  Role role_;
  Timestamp now_;
  Connection connection_;
  Outputs out_;
  std::uint64_t number_ = 0;
  bool has_closed_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  ByteReader input(Bytes(data + 1, size - 1));
  if (data[0] % 3 == 0) {
    auto type = MessageType{input.u8()};
    read_and_rewrite(type, input.rest());
    return 0;
  }
  Driver driver(data[0] % 3 == 1 ? Role::kOwner : Role::kWorker);
  while (input.ok() && !input.at_end()) driver.act(input);
  return 0;
}
