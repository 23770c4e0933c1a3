// Decoder configuration records: byte 0 picks the codec, the rest is the record. What is taken must be
// playable enough to make an initialization section, and must be taken again the same.
#include "base/assert.h"
#include "media/cmaf.h"
#include "media/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stoa::media;
  if (size == 0) return 0;
  stoa::Bytes record(data + 1, size - 1);
  auto codec = static_cast<Codec>(data[0] % 7);
  if (data[0] % 7 == 6) {
    auto config = make_opus_config(record);
    if (!config) return 0;
    STOA_ASSERT(make_format(Codec::kOpus, *config).has_value());
    return 0;
  }
  auto format = make_format(codec, stoa::SharedBytes::copy_of(record));
  if (!format) return 0;
  const Format& made = **format;
  STOA_ASSERT(made.codec == codec && !made.codec_string.empty() && made.frame_rate_denominator != 0);
  if (made.kind() == Kind::kAudio) {
    STOA_ASSERT(made.sample_rate != 0 && made.channels != 0 && made.samples_per_frame != 0);
  } else {
    STOA_ASSERT((made.width == 0) == (made.height == 0) && made.width <= 16384 && made.height <= 16384);
  }
  video_range_of(made);
  stoa::SharedBytes init = write_init_section(made, "en");
  STOA_ASSERT(init.size() > 400);
  auto again = make_format(codec, made.config);
  STOA_ASSERT(again && (*again)->is_same_as(made) && (*again)->codec_string == made.codec_string);
  return 0;
}
