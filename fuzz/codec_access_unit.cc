// Access units: byte 0 picks the codec, the next two the length of its configuration record, the rest is one
// access unit. A configuration that an access unit brings must be taken, and must make that unit
// unremarkable.
#include "base/assert.h"
#include "media/codec.h"
#include "media/orientation.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stoa::media;
  if (size < 3) return 0;
  auto codec = static_cast<Codec>(data[0] % 6);
  std::size_t config_bytes = static_cast<std::size_t>(data[1]) << 8 | data[2];
  stoa::Bytes rest(data + 3, size - 3);
  if (config_bytes > rest.size()) return 0;
  auto format = make_format(codec, stoa::SharedBytes::copy_of(rest.first(config_bytes)));
  if (!format) return 0;
  stoa::Bytes access_unit = rest.subspan(config_bytes);
  STOA_ASSERT(read_orientation(**format, access_unit).quarter_turns < 4);
  auto facts = inspect(**format, access_unit);
  if (!facts) return 0;
  STOA_ASSERT(facts->new_config.has_value() == (facts->new_format != nullptr));
  if (!facts->new_config) return 0;
  auto made = make_format(codec, *facts->new_config);
  STOA_ASSERT(made && (*made)->codec_string.size() > 0);
  auto again = inspect(*facts->new_format, access_unit);
  STOA_ASSERT(again && again->is_keyframe == facts->is_keyframe && !again->new_config);
  return 0;
}
