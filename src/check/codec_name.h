// RFC 6381 names out of sample entries and their configuration boxes: what CODECS should have said.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace stoa::check {

struct ConfigBox {
  std::string type;  // avcC, hvcC, av1C, vpcC, esds, dOps …
  Bytes payload;
};
// The sample entry's own name when its configuration is missing or cannot be read.
std::string codec_name(std::string_view sample_entry, const std::vector<ConfigBox>& configs);

}  // namespace stoa::check
