// FLV tag bodies through the parser and the table of tracks. Byte by byte: kind, length, body, again.
#include "base/assert.h"
#include "session/rtmp/tracks.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stoa;
  ByteReader reader(Bytes(data, size));
  session::Tracks tracks;
  session::TrackOutputs out;
  std::uint32_t open = 0;
  std::uint32_t time = 0;
  while (reader.ok() && !reader.at_end()) {
    std::uint8_t kind = reader.u8();
    std::size_t length = std::min<std::size_t>(reader.u16() & 0x3fff, reader.remaining());
    SharedBytes body = SharedBytes::copy_of(reader.take(length));
    time += kind;
    auto parsed = kind % 2 == 0 ? flv::parse_video(body) : flv::parse_audio(body);
    if (parsed) {
      for (const auto& packet : *parsed) {
        STOA_ASSERT(packet.body.size() <= body.size() && packet.offset_ns < 1'000'000);
        STOA_ASSERT(packet.composition_ms >= -(1 << 23) && packet.composition_ms < 1 << 23);
      }
    }
    kind % 2 == 0 ? tracks.handle_video(time, body, out) : tracks.handle_audio(time, body, out);
    for (auto& output : out.take()) {
      auto* event = std::get_if<media::TrackEvent>(&output);
      if (!event) continue;
      if (auto* format = std::get_if<media::TrackFormat>(event)) {
        STOA_ASSERT(format->track < media::kTracksPerPublicationMax && format->format);
        open |= 1u << format->track;
      } else if (auto* frame = std::get_if<media::TrackFrame>(event)) {
        STOA_ASSERT((open >> frame->track & 1) != 0 && !frame->frame.payload.empty());
      } else {
        auto track = std::get<media::TrackEnded>(*event).track;
        STOA_ASSERT((open >> track & 1) != 0);
        open &= ~(1u << track);
      }
    }
  }
  tracks.end(out);
  for (auto& output : out.take()) {
    open &= ~(1u << std::get<media::TrackEnded>(std::get<media::TrackEvent>(output)).track);
  }
  STOA_ASSERT(open == 0);
  return 0;
}
