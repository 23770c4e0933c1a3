#include "work/transcoder.h"

#include <utility>

#include "media/codec.h"

namespace stoa::work {

namespace {

relay::RungEnd end_of(EncodeRefusal why) {
  return why == EncodeRefusal::kRung ? relay::RungEnd::kNoEncoder : relay::RungEnd::kEncoderFailed;
}

}  // namespace

Transcoder::Transcoder(const VideoLadderConfig& config, Send send)
    : config_(config), send_(std::move(send)) {}

Transcoder::~Transcoder() {
  for (auto& [track, source] : sources_) {
    if (!source.ladder) continue;
    source.ladder->drop();
    source.sender.join();
  }
}

void Transcoder::handle(relay::Message& message) {
  std::visit(Overloaded{[&](relay::LadderSet& set) { set_ladder(set); },
                        [&](relay::ProgramTrack& track) { set_format(track); },
                        [&](relay::ProgramCut& cut) {
                          for (auto& [track, source] : sources_) {
                            if (source.ladder) source.ladder->handle_cut(cut.at);
                          }
                        },
                        [&](relay::ProgramFrame& frame) { handle_frame(frame); },
                        [&](relay::TrackGone& gone) {
                          auto source = sources_.find(gone.track);
                          if (source == sources_.end()) return;
                          end(source->second);
                          refuse_rungs(source->second.rungs, relay::RungEnd::kNotWanted);
                          source->second.format.reset();
                        },
                        [&](relay::Ping& ping) { send_(relay::Pong{ping.number}); }, [](auto&) {}},
             message);
}

void Transcoder::finish() {
  for (auto& [track, source] : sources_) end(source);
}

void Transcoder::set_ladder(const relay::LadderSet& set) {
  std::map<media::TrackId, std::vector<media::Rung>> wanted;
  for (const media::Rung& rung : set.rungs) {
    if (rung.codec == media::Codec::kH264) {
      wanted[rung.of].push_back(rung);
    } else {
      refuse_rungs({rung}, relay::RungEnd::kNoEncoder);
    }
  }
  for (auto& [track, source] : sources_) wanted.try_emplace(track);
  for (auto& [track, rungs] : wanted) {
    Source& source = sources_[track];
    if (source.rungs == rungs) continue;
    end(source);
    source.rungs = std::move(rungs);
    begin(source);
  }
}

void Transcoder::set_format(const relay::ProgramTrack& track) {
  Source& source = sources_[track.track];
  source.format = std::make_shared<const media::Format>(track.format);
  if (source.ladder && source.format->codec == media::Codec::kH264) {
    source.ladder->handle_format(source.format);
  } else {
    end(source);
    begin(source);
  }
}

void Transcoder::handle_frame(const relay::ProgramFrame& frame) {
  auto source = sources_.find(frame.track);
  if (source != sources_.end() && source->second.ladder) {
    media::Frame unit{frame.dts, frame.pts, frame.is_keyframe, frame.payload};
    // What is refused is counted, and the decoder goes on by itself.
    (void)source->second.ladder->handle_frame(unit, {frame.number, frame.nominal_duration});
  }
  send_(relay::FramesTaken{frame.number});
}

void Transcoder::begin(Source& source) {
  if (!source.format || source.rungs.empty()) return;
  if (source.format->codec != media::Codec::kH264) {
    return refuse_rungs(source.rungs, relay::RungEnd::kUndecodable);
  }
  source.ladder = std::make_unique<VideoLadder>(source.format, source.rungs, config_);
  source.sender = std::jthread([this, &ladder = *source.ladder] { send_outputs(ladder); });
}

void Transcoder::end(Source& source) {
  if (!source.ladder) return;
  source.ladder->finish();
  source.sender.join();
  source.ladder.reset();
}

void Transcoder::send_outputs(VideoLadder& ladder) {
  while (auto output = ladder.take_output()) send_output(*output);
}

void Transcoder::send_output(RungOutput& output) {
  std::visit(Overloaded{[&](RungFormat& begun) { send_(relay::RungFormat{begun.rung, *begun.format}); },
                        [&](RungFrame& made) {
                          relay::RungFrame frame{.rung = made.rung, .of = made.origin.number};
                          frame.dts = made.frame.dts;
                          frame.pts = made.frame.pts;
                          frame.nominal_duration = made.origin.nominal_duration;
                          frame.is_keyframe = made.frame.is_keyframe;
                          frame.payload = std::move(made.frame.payload);
                          send_(std::move(frame));
                        },
                        [&](RungCutMissed& cut) {
                          std::string text = "rung=" + std::to_string(cut.rung) + " missed the cut at " +
                                             std::to_string(cut.at.ms()) + " ms";
                          send_(relay::Said{LogLevel::kWarning, std::move(text)});
                        },
                        [&](RungEnded& ended) {
                          send_(relay::RungEnded{ended.rung, end_of(ended.why), name_of(ended.why)});
                        }},
             output);
}

void Transcoder::refuse_rungs(const std::vector<media::Rung>& rungs, relay::RungEnd why) {
  for (const media::Rung& rung : rungs) send_(relay::RungEnded{rung.id, why, ""});
}

}  // namespace stoa::work
