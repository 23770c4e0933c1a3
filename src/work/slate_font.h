// Letters as strokes of a round pen, for the names on slates: no font file, no library. ASCII; what else
// comes is a box. On a grid whose capitals are 6 high and whose small letters reach to 8 below the top.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace stoa::work {

struct Stroke {
  float x0, y0, x1, y1;
};
struct Lettering {
  std::vector<Stroke> strokes;
  float width = 0;  // From 0 on.
};
inline constexpr float kCapitalHeight = 6;

// The text in one line, its upper left corner at 0, 0.
Lettering make_lettering(std::string_view text);

}  // namespace stoa::work
