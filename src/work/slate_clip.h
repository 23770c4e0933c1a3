// The operator's own slate: a clip or a still picture in a file, shown over and over. Sound in it is not
// used. The file is the operator's, its contents may be anybody's: only a worker opens it.
#pragma once

extern "C" {
#include <libavformat/avformat.h>
}

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "work/filter_graph.h"

namespace stoa::work {

enum class ClipRefusal : std::uint8_t {
  kFile,      // Not there, or nothing that libavformat reads.
  kPictures,  // None in it.
};
const char* name_of(ClipRefusal refusal);

class SlateClip {
 public:
  // What is shown at a time after the start. Times rise from call to call. Nothing when the file cannot be
  // read any more.
  std::optional<Image> at(Duration time);

 private:
  friend Result<SlateClip, ClipRefusal> make_slate_clip(const std::string& path, int width_max,
                                                        int height_max, const media::Colour& colour);
  struct CloseInput {
    void operator()(AVFormatContext* context) const { avformat_close_input(&context); }
  };
  SlateClip(std::string path, int width_max, int height_max, const media::Colour& colour)
      : path_(std::move(path)), width_max_(width_max), height_max_(height_max), colour_(colour) {}
  std::optional<ClipRefusal> open();
  std::optional<Image> read();
  bool decode();

  std::string path_;
  int width_max_, height_max_;
  media::Colour colour_;
  std::unique_ptr<AVFormatContext, CloseInput> input_;
  CodecPtr decoder_;
  int stream_ = -1;
  std::optional<FilterGraph> filter_;
  std::vector<Image> ready_;
  std::optional<Duration> first_pts_;
  std::int64_t undated_ = 0;    // Pictures whose time the file does not say.
  std::uint64_t pictures_ = 0;  // This time through.
  bool is_still_ = false;       // There is one picture in it: it is kept.
  std::optional<Image> shown_, next_;
  Duration begun_at_;  // This time through.
};

// Pictures no larger than this where it costs nothing, in this colour.
Result<SlateClip, ClipRefusal> make_slate_clip(const std::string& path, int width_max, int height_max,
                                               const media::Colour& colour);

}  // namespace stoa::work
