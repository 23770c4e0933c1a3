// Pictures of any source in, pictures that a ladder's rungs can be made of out: progressive, upright, in one
// colour space that is not HDR. Most sources are so already, and their pictures are passed on as they are.
// Size, pixels that are not square and full range are the rungs' business (scaler.h).
//
//  - Interlaced (as frames are flagged): two fields become one picture, which keeps the time of the first.
//  This
//    takes one picture's time, since the next one is looked at.
//  - Turned or mirrored (Origin): upright.
//  - HLG and PQ: BT.709 whose diffuse white (203 nits, ITU-R BT.2408) stays near white; what is brighter than
//    1,000 nits is white.
//  - Other colour than at the start, in mid-stream or of BT.2020: the rungs' own, which decoders were told.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "media/picture.h"
#include "work/libav.h"

namespace stoa::work {

// What a picture's colour is: as it says, and where it says nothing what players take for granted at its
// size.
media::Colour colour_of(const AVFrame& frame);

enum class FilterRefusal : std::uint8_t {
  kGraph,  // libavfilter would not.
};

class FilterGraph {
 public:
  // Pictures of HDR need not be larger than this, which saves most of the work; other sizes stay.
  // Without a colour it is that of the first picture, if that is not HDR.
  FilterGraph(int width_max, int height_max, std::optional<media::Colour> colour = std::nullopt,
              int threads = 1)
      : width_max_(width_max), height_max_(height_max), threads_(threads), colour_(colour) {}

  // Appends what is ready. A picture that is refused is gone.
  Result<void, FilterRefusal> filter(const Image& image, std::vector<Image>& out);
  // Appends what is inside.
  void finish(std::vector<Image>& out);

 private:
  static constexpr std::size_t kInsideMax = 16;
  // What is to be done to pictures of a kind.
  struct Recipe {
    int width = 0, height = 0, format = -1;
    AVRational pixel{1, 1};
    bool is_interlaced = false;
    int quarter_turns = 0;
    bool is_mirrored = false;
    media::Colour from, to;
    bool operator==(const Recipe& other) const;
  };
  Recipe recipe_of(const Image& image);
  static bool is_plain(const Recipe& recipe);
  std::string text_of(const Recipe& recipe) const;
  bool open(const Recipe& recipe);
  bool receive(std::vector<Image>& out);

  int width_max_, height_max_;
  int threads_;                          // They share a picture: no delay.
  std::optional<media::Colour> colour_;  // Of all that leaves.
  Recipe recipe_;
  GraphPtr graph_;
  AVFilterContext* source_ = nullptr;  // The graph's.
  AVFilterContext* sink_ = nullptr;
  std::map<Duration, Origin> inside_;
};

}  // namespace stoa::work
