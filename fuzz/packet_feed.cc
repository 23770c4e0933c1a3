// Both ways between frames and packets: a publisher of frames that does anything, its packets over a line
// that loses, doubles and swaps them, together with packets of anybody, put together again and given to a
// channel. What goes out as packets has numbers without a gap and times that rise; the channel's playlists
// keep the rules.
#include "live/packet_feed.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

#include "base/bytes.h"
#include "live/test_packets.h"
#include "live/test_source.h"
#include "media/codec.h"
#include "media/codec_vectors.h"
#include "media/payload/first_format.h"

namespace {

using namespace stoa;
using namespace stoa::live;

constexpr SourceId kSource{1};

std::shared_ptr<const media::Format> format_of(media::Codec codec, std::string_view hex) {
  auto format = media::make_format(codec, media::vectors::shared(hex));
  return format ? *format : nullptr;
}

class Run {
 public:
  explicit Run(Bytes bytes)
      : input_(bytes), packetizer_(feed_config(), Rng(1)), assembler_({}), channel_("fuzz", {}, Rng(1)) {
    checker_.rate_is_kept = false;
    channel_.handle_source_started(now_, wall(), kSource, {}, channel_out_);
  }

  void go() {
    for (int actions = 0; actions < 2'000 && !input_.at_end(); ++actions) {
      std::uint8_t what = input_.u8();
      auto track = static_cast<media::TrackId>(what >> 4 & 3);
      switch (what & 15) {
        case 0: format(track, input_.u8()); break;
        case 1: event(media::TrackEnded{track}); break;
        case 2: now_ += Duration::milliseconds(input_.u16()); break;
        case 3: clock_ += Duration::milliseconds(static_cast<std::int16_t>(input_.u16())); break;
        case 4: clock_ = Duration::milliseconds(input_.u32()); break;
        case 5: want(what & 16); break;
        case 6:
          if (what & 16)
            assembler_.set_repair_time(now_, Duration::milliseconds(input_.u16()));
          else
            packetizer_.repeat_group(packets_out_), packets_out_.clear();
          break;
        case 7: raw_frame(track); break;
        case 8: rtp_track(track, input_.u8()); break;
        case 9: assembler_.handle_track_closed(now_, track, frames_out_); break;
        case 10: map(track, input_.u8()); break;
        case 11: assembler_.handle_active_layers(now_, track, input_.u8(), frames_out_); break;
        case 12: packet(track); break;
        case 13: line_ = input_.u8(); break;
        case 14: steady(track, input_.u8()); break;
        default: frame(track, input_.u8()); break;
      }
      settle();
    }
  }

 private:
  static PacketFeedConfig feed_config() {
    return {.payload_bytes_max = 200, .group_frames_max = 40, .group_bytes_max = 20'000};
  }
  WallTime wall() const { return WallTime::from_seconds(1'800'000'000) + (now_ - Timestamp()); }
  void event(const media::TrackEvent& event) {
    packetizer_.handle_event(now_, wall(), event, packets_out_);
    check_packets();
  }
  void want(bool is_wanted) {
    // What is sent again has numbers that were there.
    packetizer_.set_wanted(now_, wall(), is_wanted, packets_out_);
    for (auto& output : packets_out_) {
      auto* made = std::get_if<PacketsMade>(&output);
      for (std::size_t i = 0; made && i < made->batch.count; ++i) note(made->track, made->batch[i]);
    }
    packets_out_.clear();
  }
  void format(media::TrackId track, std::uint8_t what) {
    using namespace media::vectors;
    std::shared_ptr<const media::Format> format;
    switch (what % 7) {
      case 0: format = format_of(media::Codec::kH264, kH264HighConfig); break;
      case 1: format = format_of(media::Codec::kH264, kH264BaselineConfig); break;
      case 2: format = format_of(media::Codec::kHevc, kHevcMainConfig); break;
      case 3: format = format_of(media::Codec::kAv1, kAv1MainConfig); break;
      case 4: format = format_of(media::Codec::kVp9, kVp9Config); break;
      case 5: format = format_of(media::Codec::kAac, "1190"); break;
      default: format = *payload::make_opus_format(what & 8 ? 1 : 2); break;
    }
    Duration wrap = what & 16 ? Duration::infinite() : Duration::milliseconds(std::int64_t{1} << 32);
    event(media::TrackFormat{.track = track, .format = std::move(format), .clock_wrap = wrap});
  }
  void frame(media::TrackId track, std::uint8_t what) {
    Buffer payload = live::testing::h264_frame(what & 1, 30 + (what & 6) * 80u, what, {}, what & 8);
    if (what & 128) payload = Buffer{0xfc, what, 1};
    push(track, std::move(payload), what);
  }
  void raw_frame(media::TrackId track) {
    std::uint8_t what = input_.u8();
    Bytes bytes = input_.take(std::min<std::size_t>(input_.u8(), input_.remaining()));
    push(track, Buffer(bytes.begin(), bytes.end()), what);
  }
  void push(media::TrackId track, Buffer payload, std::uint8_t what) {
    Duration shown = clock_ + Duration::milliseconds((what >> 4 & 7) * 33);
    event(media::TrackFrame{track, {clock_, shown, (what & 1) != 0, SharedBytes(std::move(payload))}});
  }
  void steady(media::TrackId track, int frames) {
    for (int i = 0; i < frames; ++i) {
      now_ += Duration::milliseconds(33);
      clock_ += Duration::milliseconds(33);
      frame(track, i % 30 == 0 ? 9 : 8);
      settle();
    }
  }

  void note(media::TrackId track, const payload::Packet& packet) {
    auto [last, is_new] = last_.try_emplace(track, packet);
    if (is_new || packet.sequence <= last->second.sequence) return;
    if (packet.sequence != last->second.sequence + 1) std::abort();
    if (packet.timestamp < last->second.timestamp) std::abort();
    last->second = packet;
  }
  void check_packets() {
    for (auto& output : packets_out_) {
      auto* made = std::get_if<PacketsMade>(&output);
      if (!made) continue;
      for (std::size_t i = 0; i < made->batch.count; ++i) {
        note(made->track, made->batch[i]);
        if (made->batch[i].payload_bytes > 200) std::abort();
        over_line(made->track, {made->batch.block, static_cast<std::uint16_t>(made->batch.first + i), 1});
      }
    }
    packets_out_.clear();
  }
  // Bits of line_ say what becomes of every eighth packet.
  void over_line(media::TrackId track, payload::PacketBatch batch) {
    bool is_chosen = (line_ >> (sent_++ % 8) & 1) != 0;
    if (is_chosen && sent_ % 3 == 0) return;
    if (held_.count > 0) {
      assembler_.handle_packets(now_, wall(), track, batch, frames_out_);
      assembler_.handle_packets(now_, wall(), held_track_, std::exchange(held_, {}), frames_out_);
    } else if (is_chosen && sent_ % 3 == 1) {
      held_ = std::move(batch);
      held_track_ = track;
    } else {
      assembler_.handle_packets(now_, wall(), track, batch, frames_out_);
      if (is_chosen) assembler_.handle_packets(now_, wall(), track, batch, frames_out_);
    }
  }
  void rtp_track(media::TrackId track, std::uint8_t what) {
    assembler_.handle_track(now_,
                            {.id = track,
                             .encoding = static_cast<payload::Encoding>(what % payload::kEncodings),
                             .channels = static_cast<std::uint8_t>(what >> 3 & 3),
                             .layers = static_cast<std::uint8_t>(1 + (what >> 5 & 3))},
                            frames_out_);
  }
  void map(media::TrackId track, std::uint8_t what) {
    payload::ClockMapping mapping{static_cast<std::int32_t>(input_.u32()),
                                  wall() + Duration::milliseconds(static_cast<std::int16_t>(input_.u16()))};
    if (what & 128) mapping.captured_at = WallTime::from_seconds(input_.u32());
    if (auto last = last_.find(track); what & 64 && last != last_.end()) {
      mapping.timestamp = last->second.timestamp;
    }
    assembler_.handle_clock(track, what % 5, mapping);
  }
  void packet(media::TrackId track) {
    payload::Packet packet;
    packet.sequence = static_cast<std::int16_t>(input_.u16());
    packet.timestamp = static_cast<std::int64_t>(static_cast<std::int32_t>(input_.u32()));
    std::uint8_t what = input_.u8();
    packet.marker = what & 1;
    packet.layer = what >> 1 & 7;
    if (what & 128) packet.timestamp <<= 28;
    Bytes payload = input_.take(std::min<std::size_t>(input_.u8(), input_.remaining()));
    writer_.add(packet, payload);
    std::vector<payload::PacketBatch> batches;
    writer_.take_batches(batches);
    for (auto& batch : batches) assembler_.handle_packets(now_, wall(), track, batch, frames_out_);
  }

  void settle() {
    for (int passed = 0; assembler_.next_deadline() <= now_; ++passed) {
      assembler_.handle_deadline(now_, frames_out_);
      if (passed > 1'000) std::abort();
    }
    for (auto& output : frames_out_) {
      if (auto* track_event = std::get_if<media::TrackEvent>(&output)) {
        channel_.handle_event(now_, wall(), kSource, *track_event, channel_out_);
        judge();
      }
    }
    frames_out_.clear();
    for (int passed = 0; channel_.next_deadline() <= now_; ++passed) {
      channel_.handle_deadline(now_, wall(), channel_out_);
      judge();
      if (passed > 1'000) std::abort();
    }
  }
  void judge() {
    for (auto& output : channel_out_) {
      if (auto* ready = std::get_if<SnapshotReady>(&output)) checker_.handle(*ready->snapshot);
    }
    channel_out_.clear();
    if (checker_.errors.empty()) return;
    for (const auto& error : checker_.errors) std::fprintf(stderr, "%s\n", error.c_str());
    std::abort();
  }

  ByteReader input_;
  FramePacketizer packetizer_;
  FramePacketizer::Outputs packets_out_;
  PacketAssembler assembler_;
  PacketAssembler::Outputs frames_out_;
  Channel channel_;
  ChannelOutputs channel_out_;
  live::testing::Checker checker_;
  Timestamp now_ = Timestamp::from_ns(1'000'000'000'000);
  Duration clock_ = Duration::seconds(100);
  std::map<media::TrackId, payload::Packet> last_;
  payload::PacketWriter writer_;
  std::uint8_t line_ = 0;
  std::uint64_t sent_ = 0;
  payload::PacketBatch held_;
  media::TrackId held_track_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Run({data, size}).go();
  return 0;
}
