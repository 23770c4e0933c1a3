// Languages as MP4's media header says them.
#pragma once

#include <string_view>

namespace stoa::media {

// The ISO 639-2/T code of a BCP 47 tag's primary language ("pt-BR" gives "por", "deu" gives "deu"), "und"
// when it has none. Always three lower-case letters; the view lives as long as the program or `tag`.
std::string_view iso639_2_of(std::string_view tag);

}  // namespace stoa::media
