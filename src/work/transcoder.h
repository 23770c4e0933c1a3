// What a worker makes of its owner's words: each track's to the one who works at it (track_worker.h), and
// what comes of them as messages back. Once a second it says how it goes.
//
// handle() is called by one thread and hardly ever waits. Messages are sent by threads of each track, so
// `send` must bear several at once.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "proto/relay/worker_message.h"
#include "work/track_worker.h"

namespace stoa::work {

struct TranscoderConfig {
  VideoLadderConfig video;
  std::string slate;  // A file to be shown while media is missing; empty: the channel's name is.
  Duration progress_interval = Duration::seconds(1);
};

class Transcoder {
 public:
  using Send = TrackWorker::Send;

  Transcoder(const TranscoderConfig& config, Send send);
  ~Transcoder();

  // Takes Welcome, LadderSet, RungRefused, PicturesWanted, ProgramTrack, ProgramCut, ProgramFrame, TrackGone
  // and Ping; passes over others. Pictures for people are made of tracks that have rungs alone. Rungs of
  // pictures begin at the first cut behind the next keyframe, those of sound at once.
  void handle(relay::Message& message);
  // Everything that came is encoded and sent. Nothing more is handled.
  void finish();

 private:
  void set_ladder(relay::LadderSet& set);
  void ping(std::uint64_t number);
  TrackWorker& worker_of(media::TrackId track);
  void report(const std::stop_token& stop);

  const TranscoderConfig config_;
  const Send send_;
  Numbers numbers_;
  Taken taken_;
  SlateMaker slates_{send_, config_.slate};
  PictureMaker posters_{send_};
  std::map<media::TrackId, TrackWorker> workers_;
  std::mutex reporting_;
  std::condition_variable_any is_over_;
  std::jthread reporter_;
};

}  // namespace stoa::work
