// A channel fed by encoders that do anything: frames with any times, new formats, tracks and sources that
// come and go, deadlines kept or missed; and by a worker that does anything with what it is told. Every
// snapshot is judged by the rules of HLS.
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "base/bytes.h"
#include "live/test_worker.h"

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
        case 14: worker(action / 16); break;
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
    config.ladder_wait = Duration::milliseconds(2'500);
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
  void worker(int action) {
    const std::uint8_t what = input_.u8();
    const auto rung = static_cast<media::RungId>(what % 4);
    switch (action) {
      case 0:
        if (what == 0xff) channel_.end(now_, live::SourceDropReason::kBroadcastEnded, out_);
        break;
      case 1: ladder(what); break;
      case 2: join(what); break;
      case 3: channel_.handle_worker_gone(now_, wall(), out_); break;
      case 4: begin(rung, what); break;
      case 5: channel_.handle_rung_ended(now_, wall(), rung, out_); break;
      case 6: give(rung, Duration::milliseconds(input_.u16()), (what & 4) != 0); break;
      case 7: slate(rung, what); break;
      case 8: is_working_ = (what & 1) != 0; break;
      case 9: pictures(what); break;
      default: work(what); break;
    }
  }
  void ladder(std::uint8_t what) {
    std::vector<media::Rung> rungs;
    if (what & 1) rungs.push_back(live::testing::video_rung(0, "r0", what >> 6));
    if (what & 2) rungs.push_back(live::testing::audio_rung(1, "r1", 1));
    if (what & 4) rungs.push_back(live::testing::video_rung(2, "r2", 0));
    channel_.set_ladder(now_, rungs, out_,
                        what & 8 ? std::vector<media::TrackId>{0} : std::vector<media::TrackId>{});
    if (what & 16) join(what);
  }
  std::shared_ptr<const media::Format> format_of(media::RungId rung, std::uint8_t version) {
    if (rung == 1) return live::testing::audio_format(48'000, version);
    auto format = live::testing::video_format(30, version);
    if (version == 3) format->width = 640;
    return format;
  }
  void begin(media::RungId rung, std::uint8_t what) {
    (void)channel_.handle_rung_format(now_, wall(), rung, format_of(rung, what >> 6), out_);
  }
  void give(media::RungId rung, Duration pts, bool is_keyframe) {
    (void)channel_.handle_rung_frame(now_, wall(), rung, {pts, pts, is_keyframe, SharedBytes(Buffer(100))},
                                     out_);
  }
  void slate(media::RungId rung, std::uint8_t what) {
    std::vector<media::Frame> frames;
    const Duration step = Duration::milliseconds(20 + what / 4);
    for (int i = 0; i < 10; ++i) frames.push_back({step * i, step * i, i == 0, SharedBytes(Buffer(50))});
    if (what & 8)
      (void)channel_.set_track_slate(rung, format_of(rung, what >> 6), frames);
    else
      (void)channel_.set_rung_slate(rung, format_of(rung, what >> 6), frames);
  }
  void pictures(std::uint8_t what) {
    const auto at = [&] { return Duration::milliseconds(static_cast<std::int16_t>(input_.u16())); };
    const SharedBytes jpeg{Buffer(std::size_t{what} << 12)};
    if (what & 1) {
      (void)channel_.set_poster({at(), 640, what & 2u, jpeg});
      return;
    }
    Storyboard board{.tile_width = 160, .tile_height = 90, .columns = what & 2u, .tiles = {}, .jpeg = jpeg};
    for (int i = 0; i < what >> 4; ++i) board.tiles.push_back(at() + Duration::seconds(i));
    (void)channel_.set_storyboard(std::move(board));
  }
  // A good worker that comes now.
  void join(std::uint8_t what) {
    (void)channel_.take_program();
    work(what, channel_.program_log());
  }
  // What a good worker makes of what it was told last.
  void work(std::uint8_t what) { work(what, channel_.take_program()); }
  void work(std::uint8_t what, const std::vector<ProgramOutput>& told) {
    for (media::RungId rung = 0; rung < 3; ++rung) begin(rung, what);
    for (const ProgramOutput& item : told) {
      if (const auto* cut = std::get_if<ProgramCut>(&item)) cut_at_ = cut->shown_from;
      const auto* frame = std::get_if<ProgramFrame>(&item);
      if (!frame) continue;
      if (frame->track == 1) give(1, frame->frame.pts, true);
      const bool is_cut = cut_at_ && frame->frame.pts >= *cut_at_ - kExact;
      if (frame->track == 0) {
        give(0, frame->frame.pts, is_cut);
        give(2, frame->frame.pts, is_cut);
        if (is_cut) cut_at_.reset();
      }
      drain();
    }
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
      if (is_working_) work(0);
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
    for (auto& output : out_) {
      const auto* ready = std::get_if<SnapshotReady>(&output);
      if (!ready) continue;
      checker_.handle(*ready->snapshot);
      if (ready->snapshot->pictures) judge(*ready->snapshot->pictures);
    }
    out_.clear();
    if (checker_.errors.empty()) return;
    for (const auto& error : checker_.errors) std::fprintf(stderr, "%s\n", error.c_str());
    std::abort();
  }

  void judge(const Pictures& pictures) {
    std::size_t bytes = pictures.poster ? pictures.poster->jpeg.size() : 0;
    for (const auto& board : pictures.storyboards) bytes += board->jpeg.size();
    if (pictures.storyboards.size() > Gallery::kStoryboardsMax || bytes > Gallery::kBytesMax)
      checker_.errors.emplace_back("too many pictures");
    // Cues follow one another.
    const std::string text = storyboard_text(pictures, "b");
    std::string before;
    for (std::size_t at = text.find(" --> "); at != std::string::npos; at = text.find(" --> ", at + 1)) {
      const std::string begins = text.substr(at - 12, 12), ends = text.substr(at + 5, 12);
      if (begins < before || begins >= ends) checker_.errors.emplace_back("cues overlap");
      before = ends;
    }
  }

  ByteReader input_;
  Channel channel_;
  ChannelOutputs out_;
  Timestamp now_ = Timestamp::from_ns(1'000'000'000'000);
  Duration clock_ = Duration::seconds(100);
  bool is_working_ = false;
  std::optional<Duration> cut_at_;
  live::testing::Checker checker_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Run({data, size}).go();
  return 0;
}
