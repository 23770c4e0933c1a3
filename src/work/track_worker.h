// One track of the program on a thread of its own: decoded, and made into its rungs, whatever their kind.
// Since each track has a thread, sound never waits for pictures.
//
// What is put comes in the order of the owner's messages. Nothing of it makes who puts wait, unless the owner
// sends more than it may (relay::QueueLimits).
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "proto/relay/limits.h"
#include "proto/relay/worker_message.h"
#include "work/bounded_queue.h"
#include "work/complexity.h"
#include "work/numbers.h"
#include "work/pictures.h"
#include "work/slate.h"
#include "work/sound_ladder.h"
#include "work/taken.h"
#include "work/video_ladder.h"

namespace stoa::work {

class TrackWorker {
 public:
  using Send = std::function<void(const relay::Message&)>;

  // The whole ladder of the track, as it is wanted now, and whether the complexity of its pictures is.
  struct Rungs {
    std::vector<media::Rung> rungs;
    bool is_measured = false;
  };
  struct Gone {};
  // Let go once all that was put before is done.
  struct Waiter {
    std::shared_ptr<void> let_go;
  };
  using Item = std::variant<Rungs, relay::ProgramTrack, relay::ProgramCut, relay::ProgramFrame,
                            relay::RungRefused, Gone, Waiter>;

  // What it is given by reference outlives it. Frames that are put are in `taken` already.
  TrackWorker(media::TrackId track, const VideoLadderConfig& config, const Send& send, Numbers& numbers,
              Taken& taken, SlateMaker& slates, PictureMaker& posters);
  // What is on its way is gone.
  ~TrackWorker();

  void put(Item item) { items_.put(std::move(item)); }
  // All that was put is encoded and sent. Nothing is put any more.
  void finish();

 private:
  // Frames that the owner may send ahead, and what lies between them.
  static constexpr std::size_t kItemsMax = 2 * relay::QueueLimits{}.frames;

  void run();
  void handle(Rungs& set);
  void handle(relay::ProgramTrack& track);
  void handle(relay::ProgramCut& cut);
  void handle(relay::ProgramFrame& frame);
  void handle(relay::RungRefused& refused);
  void handle(Gone& gone);
  void handle(Waiter&) {}

  void begin();
  void look_at(const Image& image);
  std::vector<media::Rung> rungs_to_make();
  void want_slate();
  void end();
  void send_outputs();
  void send_pictures(VideoLadder& ladder);
  void send_output(RungOutput& output);

  const media::TrackId track_;
  const VideoLadderConfig& config_;
  const Send& send_;
  Numbers& numbers_;
  Taken& taken_;
  SlateMaker& slates_;
  PictureMaker& posters_;
  BoundedQueue<Item> items_{kItemsMax};

  // The thread's own.
  std::shared_ptr<const media::Format> format_;
  std::vector<media::Rung> rungs_;
  bool is_measured_ = false;
  ComplexityMeter complexity_;
  std::unique_ptr<SoundLadder> sound_;  // One of these while there are a format and rungs.
  std::unique_ptr<VideoLadder> pictures_;
  std::jthread sender_;  // Of pictures.
  RungOutputs outputs_;

  std::mutex dropping_;  // Over `pictures_` where it changes, and where another thread looks at it.
  bool is_dropped_ = false;
  std::jthread thread_;
};

}  // namespace stoa::work
