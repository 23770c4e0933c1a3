// Frames of one video track in, pictures out, in the order they are shown. H.264, HEVC, VP9, AV1.
//
// Each unit is refused by itself. What was decoded before it still comes out; then units are left out until
// the next keyframe, since pictures that lean on a broken one are worse than none.
//
// A picture leaves as soon as the bitstream allows: at once without B-frames, else as late as the sequence
// parameter set says. A set that does not say (no bitstream_restriction) costs nothing where the keyframe is
// shown when it is decoded; where it is shown later there are B-frames, and the decoder waits for as many
// frames as the level allows (H.264 §C.4.5.3): late, but in order and complete.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "base/result.h"
#include "media/track.h"
#include "work/libav.h"

namespace stoa::work {

enum class DecodeRefusal : std::uint8_t {
  kCodec,           // None of these, or nothing here decodes it.
  kBadUnit,         // No access unit: cut off, or not what its configuration record says.
  kBroken,          // The decoder could not make a whole picture of it.
  kBeforeKeyframe,  // Nothing to start from: left out until a keyframe.
};
const char* name_of(DecodeRefusal refusal);

struct DecoderLimits {
  std::int64_t picture_pixels = 8192 * 4352;  // Larger pictures are refused (kBroken). 8K fits.
  int threads = 1;                            // They share the slices of a picture: no delay.
};

struct DecoderCounts {
  std::uint64_t units = 0;           // All that came.
  std::uint64_t units_refused = 0;   // For what they hold.
  std::uint64_t units_left_out = 0;  // Between a refused one and a keyframe, or before the first keyframe.
  std::uint64_t pictures = 0;        // All that left.
  std::uint64_t pictures_late = 0;   // Not shown after the one before, or over a break, and so left out.
};

class Decoder {
 public:
  explicit Decoder(std::shared_ptr<const media::Format> format, const DecoderLimits& limits = {});

  // Appends what is ready to `out`, also when the unit is refused. Times of `out` rise strictly. How pictures
  // are to be turned by what the bitstream says is added to the origin's.
  Result<void, DecodeRefusal> decode(const media::Frame& frame, Origin origin, std::vector<Image>& out);
  Result<void, DecodeRefusal> decode(const media::Frame& frame, std::vector<Image>& out) {
    return decode(frame, {}, out);
  }
  // What was given before is not shown from `at` on, what is given from now on not before: such pictures are
  // left out. Decoding goes on, if the next unit continues what was.
  void handle_break(Duration at);
  // Appends what is still inside. The next unit must be a keyframe.
  void finish(std::vector<Image>& out);
  // The same, and from the next unit on it is this format. Counts go on, times of pictures still rise.
  void set_format(std::shared_ptr<const media::Format> format, std::vector<Image>& out);

  const DecoderCounts& counts() const { return counts_; }

 private:
  bool open(const media::Frame& keyframe);
  bool send(const media::Frame& frame);
  // False at the first picture that is not whole; what follows it is left out too.
  bool receive(std::vector<Image>& out);
  struct Unit {
    Origin origin;
    bool is_keyframe = false;
    bool is_left_out = false;
  };
  Unit take_unit(Duration pts);
  void turn(const AVFrame& frame, Unit& unit);
  void close();
  Result<void, DecodeRefusal> refuse_unit(DecodeRefusal why, std::vector<Image>& out);

  std::shared_ptr<const media::Format> format_;
  DecoderLimits limits_;
  DecoderCounts counts_;
  CodecPtr context_;  // Absent while a keyframe is waited for.
  PacketPtr packet_ = make_packet();
  std::map<Duration, Unit> inside_;  // By pts: units whose pictures have not left.
  Duration not_before_ = -Duration::infinite();
  int quarter_turns_ = 0;  // As the bitstream says.
  bool is_mirrored_ = false;
  Duration last_pts_ = -Duration::infinite();
};

}  // namespace stoa::work
