// What people look at to choose what to watch: posters, and storyboards of small pictures
// (relay::PicturesWanted). Made on a thread of its own that nobody waits for: of the pictures that are
// offered to it one waits at most, and a newer one takes its place.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "proto/relay/limits.h"
#include "proto/relay/worker_message.h"
#include "work/libav.h"

namespace stoa::work {

// Small pictures of one size in rows, the first at the top left.
class Storyboard {
 public:
  // Nothing is kept of more pixels than kPixelsMax.
  Storyboard(int columns, int rows) : columns_(columns), rows_(rows) {}

  // False when it has no room, or is of tiles of another size: then another one is to be begun.
  bool add(const AVFrame& tile, Duration at);
  // All tiles so far, in whole rows. Nothing before the first one, or where it would be too large.
  std::optional<relay::StoryboardMade> write() const;

 private:
  static constexpr std::int64_t kPixelsMax = 16 << 20;

  int columns_, rows_;
  int tile_width_ = 0, tile_height_ = 0;
  FramePtr canvas_;
  std::vector<relay::Tile> tiles_;
};

class PictureMaker {
 public:
  using Send = std::function<void(const relay::Message&)>;

  // `send` outlives it.
  explicit PictureMaker(const Send& send);
  // What waits is gone.
  ~PictureMaker();

  // In the place of what was wanted before; a storyboard is begun anew.
  void set_wanted(const relay::PicturesWanted& wanted);
  // Upright, progressive and not HDR (filter_graph.h), in the order of their times. Never waits; any thread.
  void offer(media::TrackId track, const Image& image);
  // What waits is made. Nothing is offered any more.
  void finish();

 private:
  struct Task {
    Image image;
    relay::PicturesWanted wanted;
    std::uint64_t revision = 0;
  };
  void run();
  std::optional<Task> take();
  void make_poster(const Task& task);
  void make_tile(const Task& task);

  const Send& send_;
  std::mutex mutex_;  // Over these.
  std::condition_variable has_task_;
  relay::PicturesWanted wanted_;
  std::uint64_t revision_ = 0;
  Duration due_at_ = -Duration::infinite();
  std::optional<Task> waiting_;
  bool is_closed_ = false;

  // The thread's own.
  std::optional<Storyboard> storyboard_;
  std::uint64_t storyboard_revision_ = 0;
  std::jthread thread_;
};

}  // namespace stoa::work
