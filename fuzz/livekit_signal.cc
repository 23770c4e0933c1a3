// A frame of LiveKit signalling: byte 0 says text or binary. What is read is translated, whatever it asks,
// and what was read must be written and read again the same.
#include "api/livekit/convert.h"
#include "api/livekit/signal.h"
#include "base/assert.h"

namespace {

using namespace stoa;
using namespace stoa::livekit;

void translate(const pb::SignalRequest& request) {
  STOA_ASSERT(from_wire(request.add_track()).track.codecs.size() >= 1);
  (void)from_wire(request.mute());
  (void)from_wire(request.subscription());
  (void)from_wire(request.subscription_permission());
  (void)from_wire(request.update_metadata());
  (void)from_wire(request.update_audio_track());
  (void)from_wire(request.update_video_track());
  (void)from_wire(request.track_setting());
  (void)from_wire(request.leave().reason());
  for (const pb::TrackPublishedResponse& published : request.sync_state().publish_tracks()) {
    room::TrackInfo track = from_wire(published.track());
    STOA_ASSERT(from_wire(to_wire(track)) == track);
  }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  quiet_protobuf();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  auto request = parse_signal({data + 1, size - 1}, data[0] % 2 == 1);
  if (!request) return 0;
  translate(*request);
  auto again = parse_signal(as_bytes(request->SerializeAsString()), false);
  STOA_ASSERT(again && again->message_case() == request->message_case());
  auto by_text = parse_signal(as_bytes(write_json(*request)), true);
  STOA_ASSERT(!by_text || by_text->message_case() == request->message_case());
  return 0;
}
