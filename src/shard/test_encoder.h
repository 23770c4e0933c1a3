// An RTMP encoder behind a slow line, in virtual time.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "media/codec_vectors.h"
#include "proto/flv/tag.h"
#include "proto/rtmp/client.h"
#include "shard/shard.h"
#include "sim/link.h"

namespace stoa::shard {

// An encoder of 25 pictures a second, a keyframe every two seconds at first, and stereo sound.
struct TestEncoder {
  TestEncoder(sim::VirtualTime& time, std::string key, ShardIndex at, ConnectionKey c, std::uint64_t seed)
      : client({.app = "live", .tc_url = "rtmp://h/live", .stream_name = std::move(key)}, Rng(seed)),
        up(time, {.latency = Duration::milliseconds(15), .is_stream = true}, Rng(seed + 1)),
        down(time, {.latency = Duration::milliseconds(15), .is_stream = true}, Rng(seed + 2)),
        shard(at),
        connection(c) {
    client.start(out);
  }
  void send_media(std::uint32_t ms) {
    if (!client.is_published() || is_paused || (next_ms == 0 && ms == 0)) return;
    if (!has_begun) {
      if (has_video)
        client.send_video(
            0,
            flv::write_legacy_video({flv::PacketKind::kSequenceStart, flv::kAvc, 0, 0, true, 0, 0,
                                     media::vectors::shared(media::vectors::kH264HighConfig)}),
            out);
      client.send_audio(0,
                        flv::write_legacy_audio({flv::PacketKind::kSequenceStart, flv::kAac, 0, 0, true, 0, 0,
                                                 media::vectors::shared(media::vectors::kAacStereoConfig)}),
                        out);
      has_begun = true;
    }
    for (; next_ms <= ms; next_ms += 40) {
      bool is_key = picture++ % pictures_per_group == 0;
      if (has_video)
        client.send_video(
            next_ms,
            flv::write_legacy_video({flv::PacketKind::kFrames, flv::kAvc, 0, 0, is_key, 0, 0,
                                     media::vectors::shared(is_key ? media::vectors::kH264HighFirst
                                                                   : media::vectors::kH264HighSecond)}),
            out);
      for (; sound_ms <= static_cast<double>(next_ms); sound_ms += 1024 * 1000.0 / 48'000)
        client.send_audio(static_cast<std::uint32_t>(sound_ms),
                          flv::write_legacy_audio({flv::PacketKind::kFrames, flv::kAac, 0, 0, true, 0, 0,
                                                   media::vectors::shared(media::vectors::kAacStereoFirst)}),
                          out);
    }
  }
  rtmp::ClientConnection client;
  rtmp::ClientOutputs out;
  sim::Link up, down;
  ShardIndex shard;
  ConnectionKey connection;
  std::uint32_t next_ms = 0;
  double sound_ms = 0;
  int picture = 0, pictures_per_group = 50;
  bool has_video = true;
  bool has_begun = false, is_paused = false, is_connected = true;
  std::string closed_because;
};

}  // namespace stoa::shard
