#include "work/track_worker.h"

#include <utility>

#include "media/picture.h"

namespace stoa::work {

namespace {

// Of slates in place of the source itself.
constexpr std::uint32_t kSlateBitrate = 4'000'000, kSlateRateFactor = 23, kSlateSoundBitrate = 96'000;

relay::RungEnd end_of(EncodeRefusal why) {
  switch (why) {
    case EncodeRefusal::kRung: return relay::RungEnd::kNoEncoder;
    case EncodeRefusal::kEncoder: return relay::RungEnd::kEncoderFailed;
    case EncodeRefusal::kOwner: return relay::RungEnd::kRefused;
  }
  return relay::RungEnd::kOther;
}

}  // namespace

TrackWorker::TrackWorker(media::TrackId track, const VideoLadderConfig& config, const Send& send,
                         Numbers& numbers, Taken& taken, SlateMaker& slates, PictureMaker& posters)
    : track_(track),
      config_(config),
      send_(send),
      numbers_(numbers),
      taken_(taken),
      slates_(slates),
      posters_(posters),
      thread_([this] { run(); }) {}

TrackWorker::~TrackWorker() {
  items_.drop();
  {
    std::lock_guard lock(dropping_);
    is_dropped_ = true;
    if (pictures_) pictures_->drop();
  }
  if (thread_.joinable()) thread_.join();
  if (sender_.joinable()) sender_.join();
}

void TrackWorker::finish() {
  items_.close();
  thread_.join();
}

void TrackWorker::run() {
  while (auto item = items_.take()) {
    std::visit([&](auto& what) { handle(what); }, *item);
  }
  end();
}

void TrackWorker::handle(Rungs& set) {
  is_measured_ = set.is_measured;
  if (set.rungs == rungs_) return;
  rungs_ = std::move(set.rungs);
  if (!pictures_ && !sound_) return begin();
  std::vector<media::Rung> rungs = rungs_to_make();
  if (rungs.empty()) return end();
  if (pictures_) return pictures_->set_rungs(rungs);
  sound_->set_rungs(rungs, outputs_);
  send_outputs();
}

void TrackWorker::handle(relay::ProgramTrack& track) {
  bool is_same_kind = format_ && format_->kind() == track.format.kind();
  format_ = std::make_shared<const media::Format>(std::move(track.format));
  if (is_same_kind && (pictures_ || sound_)) {
    if (pictures_) pictures_->handle_format(format_);
    if (sound_) sound_->handle_format(format_);
    return want_slate();  // Of the track as it is now.
  }
  end();
  begin();
}

void TrackWorker::handle(relay::ProgramCut& cut) {
  if (pictures_) pictures_->handle_cut(cut.at, cut.follows_break);
  if (!sound_) return;
  if (cut.follows_break) sound_->handle_break(cut.at, outputs_);
  sound_->handle_cut(cut.at);
  send_outputs();
}

void TrackWorker::handle(relay::ProgramFrame& frame) {
  media::Frame unit{frame.dts, frame.pts, frame.is_keyframe, std::move(frame.payload)};
  Origin origin{frame.number, frame.nominal_duration, frame.quarter_turns};
  if (pictures_) {
    std::uint64_t before = pictures_->decoder_counts().pictures;
    bool is_taken = pictures_->handle_frame(unit, origin).has_value();
    numbers_.handle_decoded(pictures_->decoder_counts().pictures - before, is_taken ? 0 : 1);
  } else if (sound_) {
    bool is_taken = sound_->handle_frame(unit, origin, outputs_).has_value();
    numbers_.handle_decoded(0, is_taken ? 0 : 1);
    send_outputs();
  }
  taken_.handle_done(frame.number);
}

void TrackWorker::handle(relay::RungRefused& refused) {
  if (pictures_) pictures_->handle_refusal(refused.rung, std::move(refused.text));
  if (!sound_) return;
  sound_->handle_refusal(refused.rung, refused.text, outputs_);
  send_outputs();
}

void TrackWorker::handle(Gone&) {
  end();
  format_.reset();
  for (const media::Rung& rung : rungs_) send_(relay::RungEnded{rung.id, relay::RungEnd::kNotWanted, ""});
}

void TrackWorker::begin() {
  if (!format_) return;
  std::vector<media::Rung> rungs = rungs_to_make();
  if (rungs.empty()) return;
  want_slate();
  if (format_->kind() == media::Kind::kAudio) {
    sound_ = std::make_unique<SoundLadder>(format_, rungs, numbers_);
    return;
  }
  auto made = std::make_unique<VideoLadder>(format_, rungs, config_, &numbers_,
                                            [this](const Image& image) { look_at(image); });
  std::lock_guard lock(dropping_);
  if (is_dropped_) return;
  pictures_ = std::move(made);
  sender_ = std::jthread([this, &ladder = *pictures_] { send_pictures(ladder); });
}

void TrackWorker::look_at(const Image& image) {
  posters_.offer(track_, image);
  if (!is_measured_) return;
  if (auto complexity = complexity_.measure(image)) numbers_.handle_measured(*complexity);
}

// Pictures are not made of sound, nor sound of pictures.
std::vector<media::Rung> TrackWorker::rungs_to_make() {
  std::vector<media::Rung> rungs;
  for (const media::Rung& rung : rungs_) {
    if (rung.kind() == format_->kind()) {
      rungs.push_back(rung);
    } else {
      send_(relay::RungEnded{rung.id, relay::RungEnd::kUndecodable, ""});
    }
  }
  return rungs;
}

// For the track as it comes, which viewers may be sent, too.
void TrackWorker::want_slate() {
  SlatePlace place{.is_of_source = true, .track = track_};
  if (format_->kind() == media::Kind::kAudio) {
    SoundEncoderConfig sound{format_->codec, kSlateSoundBitrate, static_cast<int>(format_->sample_rate),
                             static_cast<int>(format_->channels)};
    return slates_.want(place, sound);
  }
  VideoEncoderConfig pictures{.preset = config_.preset};
  pictures.rung.codec = format_->codec;
  pictures.rung.width = format_->width & ~1u;
  pictures.rung.height = format_->height & ~1u;
  pictures.rung.bitrate_max = kSlateBitrate;
  pictures.rung.rate_factor = kSlateRateFactor;
  if (auto picture = media::read_picture(*format_))
    pictures.colour = picture->colour.value_or(media::Colour{});
  if (format_->frame_rate_numerator > 0) {
    pictures.frame_rate_numerator = format_->frame_rate_numerator;
    pictures.frame_rate_denominator = format_->frame_rate_denominator;
  }
  slates_.want(place, pictures);
}

void TrackWorker::end() {
  if (sound_) {
    sound_->finish(outputs_);
    send_outputs();
    sound_.reset();
  }
  if (!pictures_) return;
  pictures_->finish();
  sender_.join();
  std::lock_guard lock(dropping_);
  pictures_.reset();
}

void TrackWorker::send_outputs() {
  for (RungOutput& output : outputs_.take()) send_output(output);
}

void TrackWorker::send_pictures(VideoLadder& ladder) {
  while (auto output = ladder.take_output()) send_output(*output);
}

void TrackWorker::send_output(RungOutput& output) {
  std::visit(Overloaded{[&](RungFormat& begun) {
                          send_(relay::RungFormat{begun.rung, *begun.format});
                          slates_.want({.rung = begun.rung}, begun.made_with);
                        },
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
                        [&](RungFellBack& fell) {
                          std::string text = "rung=" + std::to_string(fell.rung) + " " + fell.text;
                          send_(relay::Said{LogLevel::kWarning, std::move(text)});
                        },
                        [&](RungEnded& ended) {
                          std::string text = ended.text.empty() ? name_of(ended.why) : ended.text;
                          send_(relay::RungEnded{ended.rung, end_of(ended.why), std::move(text)});
                        }},
             output);
}

}  // namespace stoa::work
