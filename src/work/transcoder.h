// What a worker makes of its owner's words: a VideoLadder for each source track that rungs are asked of, and
// the rungs' frames as messages back.
//
// handle() is called by one thread, which decodes; it waits when rungs cannot keep up. Messages are sent by
// that thread and by one more for each ladder, so `send` must bear it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "proto/relay/worker_message.h"
#include "work/video_ladder.h"

namespace stoa::work {

class Transcoder {
 public:
  using Send = std::function<void(const relay::Message&)>;

  Transcoder(const VideoLadderConfig& config, Send send);
  ~Transcoder();

  // Takes LadderSet, ProgramTrack, ProgramCut, ProgramFrame, TrackGone and Ping; passes over others. Rungs of
  // a new ladder begin at the first cut behind the next keyframe.
  void handle(relay::Message& message);
  // Everything that came is encoded and sent.
  void finish();

 private:
  struct Source {
    std::shared_ptr<const media::Format> format;
    std::vector<media::Rung> rungs;
    std::unique_ptr<VideoLadder> ladder;  // While there are a format and rungs.
    std::jthread sender;
  };

  void set_ladder(const relay::LadderSet& set);
  void set_format(const relay::ProgramTrack& track);
  void handle_frame(const relay::ProgramFrame& frame);
  void begin(Source& source);
  void end(Source& source);
  void send_outputs(VideoLadder& ladder);
  void send_output(RungOutput& output);
  void refuse_rungs(const std::vector<media::Rung>& rungs, relay::RungEnd why);

  VideoLadderConfig config_;
  Send send_;
  std::map<media::TrackId, Source> sources_;
};

}  // namespace stoa::work
