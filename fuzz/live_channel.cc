// A channel fed by encoders that do anything: frames with any times, new formats, tracks and sources that
// come and go, deadlines kept or missed. Every snapshot is judged by the rules of HLS.
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "base/bytes.h"
#include "live/test_source.h"

namespace {

using namespace stoa;
using namespace stoa::live;

class Run {
 public:
  explicit Run(Bytes bytes) : input_(bytes), channel_("fuzz", config(), Rng(1)) {}

  void go() {
    checker_.rate_is_kept = false;
    for (int actions = 0; actions < 4'000 && !input_.at_end(); ++actions) {
      std::uint8_t action = input_.u8();
      SourceId source{1 + action / 16 % 4ull};
      switch (action % 16) {
        case 0:
          channel_.handle_source_started(now_, wall(), source, {static_cast<int>(source.value % 3), "f"},
                                         out_);
          break;
        case 1: channel_.handle_source_ended(now_, wall(), source, out_); break;
        case 2: format(source); break;
        case 3: event(source, media::TrackEnded{static_cast<media::TrackId>(input_.u8() % 4)}); break;
        case 4: now_ += Duration::milliseconds(input_.u16()); break;
        case 5: now_ += Duration::milliseconds(input_.u8()); break;
        case 6: clock_ += Duration::milliseconds(static_cast<std::int16_t>(input_.u16())); break;
        case 7: clock_ = Duration::milliseconds(input_.u32()); break;
        case 8: deadlines(); break;
        case 9: frame(source, Duration::milliseconds(input_.u32()), 0); break;
        case 10: steady(source, input_.u8()); break;
        case 11:
          channel_.handle_source_started(now_, wall(), SourceId{input_.u8()}, {input_.u8() % 6, "f"}, out_);
          break;
        case 12: format(source, static_cast<media::TrackId>(input_.u8() % 18)); break;
        case 13: frame(source, clock_, input_.u8(), static_cast<media::TrackId>(input_.u8() % 18)); break;
        case 14:
          if (input_.u8() == 0xff) channel_.end(now_, live::SourceDropReason::kBroadcastEnded, out_);
          break;
        default: frame(source, clock_, input_.u8()); break;
      }
      drain();
    }
    channel_.end(now_, live::SourceDropReason::kBroadcastEnded, out_);
    drain();
    if (!channel_.has_ended()) std::abort();
  }

 private:
  static ChannelConfig config() {
    ChannelConfig config;
    config.packager.window = Duration::seconds(20);
    config.grace = Duration::seconds(15);
    config.packager.window_bytes = 1 << 20;
    config.packager.part_bytes = 20'000;
    return config;
  }
  WallTime wall() const { return WallTime::from_seconds(1'800'000'000) + (now_ - Timestamp()); }
  void event(SourceId source, media::TrackEvent track_event) {
    channel_.handle_event(now_, wall(), source, track_event, out_);
  }
  void format(SourceId source, std::optional<media::TrackId> wanted = {}) {
    std::uint8_t what = input_.u8();
    auto track = wanted.value_or(static_cast<media::TrackId>(what % 4));
    std::shared_ptr<const media::Format> format;
    if (what & 4)
      format = live::testing::audio_format(what & 8 ? 44'100 : 48'000, what >> 4);
    else
      format = live::testing::video_format(what & 8 ? 0 : 30, what >> 4);
    event(source,
          media::TrackFormat{track, format, Duration::milliseconds(std::int64_t{1} << 32), "n", "en"});
  }
  void frame(SourceId source, Duration time, std::uint8_t what, std::optional<media::TrackId> track = {}) {
    event(source, media::TrackFrame{track.value_or(static_cast<media::TrackId>(what % 4)),
                                    {time, time + Duration::milliseconds(what >> 5) * 33, (what & 8) != 0,
                                     SharedBytes(Buffer(what & 16 ? 300 : 20))}});
  }
  // Audio and video as a good encoder sends them, so that parts and segments come to be.
  void steady(SourceId source, int frames) {
    for (int i = 0; i < frames; ++i) {
      now_ += Duration::milliseconds(33);
      clock_ += Duration::milliseconds(33);
      frame(source, clock_, i % 30 == 0 ? 8 : 0);
      frame(source, clock_, 1 | 8);
      if (i % 4 == 0) deadlines();
      drain();
    }
  }
  void deadlines() {
    int passed = 0;
    while (channel_.next_deadline() <= now_) {
      channel_.handle_deadline(now_, wall(), out_);
      drain();
      if (++passed > 1'000) std::abort();
    }
  }
  void drain() {
    for (auto& output : out_)
      if (auto* ready = std::get_if<SnapshotReady>(&output)) checker_.handle(*ready->snapshot);
    out_.clear();
    if (checker_.errors.empty()) return;
    for (const auto& error : checker_.errors) std::fprintf(stderr, "%s\n", error.c_str());
    std::abort();
  }

  ByteReader input_;
  Channel channel_;
  ChannelOutputs out_;
  Timestamp now_ = Timestamp::from_ns(1'000'000'000'000);
  Duration clock_ = Duration::seconds(100);
  live::testing::Checker checker_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Run({data, size}).go();
  return 0;
}
