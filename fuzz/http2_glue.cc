// An HTTP/2 connection driven by actions: bytes from the peer in pieces, answers early, late or never, time
// that passes, the end of the connection in the middle of anything.
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "proto/http/http2_connection.h"

using namespace stoa;

namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct Machine {
  void collect() {
    for (auto& event : events.take()) {
      if (auto* request = std::get_if<http::Http2Request>(&event)) {
        STOA_ASSERT(!request->request.path.empty());
        STOA_ASSERT(request->request.body.size() <= limits.body_bytes);
        waiting.push_back(request->stream);
      } else if (auto* refused = std::get_if<http::Http2Refused>(&event)) {
        waiting.push_back(refused->stream);
      } else {
        std::uint32_t stream = std::get<http::Http2Cancelled>(event).stream;
        // Told once, and only of what was handed on.
        STOA_ASSERT(std::erase(waiting, stream) == 1);
      }
    }
  }
  void answer(std::uint8_t choice) {
    if (waiting.empty()) return;
    std::uint32_t stream = waiting[choice % waiting.size()];
    std::erase(waiting, stream);
    http::Response response = http::make_text_response(200, std::string(choice * 100u, 'x'));
    response.body.slices.push_back(SharedBytes(std::string(choice, 'y')));
    response.urgency = choice % 9;
    connection.respond(stream, std::move(response));
  }
  void pump(std::size_t limit) {
    std::vector<SharedBytes> chunks;
    auto produced = connection.take_output(limit, chunks, events);
    std::size_t total = 0;
    for (auto& chunk : chunks) total += chunk.size();
    if (produced) STOA_ASSERT(total == *produced);
    collect();
  }

  http::Http2Limits limits{.concurrent_streams = 8,
                           .header_bytes = 500,
                           .header_fields = 10,
                           .body_bytes = 1000,
                           .connection_body_bytes = 2000,
                           .resets = 20,
                           .control_frames = 50};
  http::Http2Connection connection{limits, "192.0.2.1", false};
  Outbox<http::Http2Event> events;
  std::vector<std::uint32_t> waiting;
  Timestamp now;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Machine machine;
  ByteReader reader({data, size});
  (void)machine.connection.handle_input(machine.now, as_bytes(kPreface), machine.events);
  while (reader.remaining() >= 2) {
    std::uint8_t action = reader.u8(), argument = reader.u8();
    switch (action % 8) {
      case 0: machine.answer(argument); break;
      case 1: machine.pump(argument * 64u); break;
      case 2: machine.now += Duration::milliseconds(argument); break;
      case 3:
        if (argument == 0) machine.connection.begin_drain();
        if (argument == 1) machine.connection.finish_drain();
        break;
      default: {
        Bytes piece = reader.take(std::min<std::size_t>(argument, reader.remaining()));
        (void)machine.connection.handle_input(machine.now, piece, machine.events);
        machine.collect();
      }
    }
    STOA_ASSERT(machine.connection.incomplete_requests() <= machine.connection.open_streams());
  }
  machine.pump(1 << 20);
  return 0;
}
