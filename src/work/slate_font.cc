#include "work/slate_font.h"

#include <algorithm>

namespace stoa::work {

namespace {

constexpr float kBetweenLetters = 2, kSpace = 3;
constexpr std::string_view kBox = "0040460600";

// Lines from point to point, each point a digit across and a digit down; a point alone is a dot.
std::string_view lines_of(char letter) {
  switch (letter) {
    case 'A': return "062046;1434";
    case 'B': return "00063645443303;0030414233";
    case 'C': return "4130100105163645";
    case 'D': return "00062644422000";
    case 'E': return "40000646;0333";
    case 'F': return "400006;0333";
    case 'G': return "41301001051636454323";
    case 'H': return "0006;4046;0343";
    case 'I': return "1030;2026;1636";
    case 'J': return "4045361605";
    case 'K': return "0006;400346";
    case 'L': return "000646";
    case 'M': return "0600234046";
    case 'N': return "06004640";
    case 'O': return "103041453616050110";
    case 'P': return "06003041423303";
    case 'Q': return "103041453616050110;2446";
    case 'R': return "06003041423303;2346";
    case 'S': return "413010010213334445361605";
    case 'T': return "0040;2026";
    case 'U': return "000516364540";
    case 'V': return "002640";
    case 'W': return "0016233640";
    case 'X': return "0046;4006";
    case 'Y': return "002340;2326";
    case 'Z': return "00400646";
    case 'a': return "4246;4332120305163645";
    case 'b': return "0006;0312324345361605";
    case 'c': return "4332120305163645";
    case 'd': return "4046;4332120305163645";
    case 'e': return "04444332120305163645";
    case 'f': return "302126;1232";
    case 'g': return "4247381807;4332120305163645";
    case 'h': return "0006;0312324346";
    case 'i': return "2226;2020";
    case 'j': return "22271808;2020";
    case 'k': return "0006;320436";
    case 'l': return "202536";
    case 'm': return "0206;03122326;23324346";
    case 'n': return "0206;0312324346";
    case 'o': return "123243453616050312";
    case 'p': return "0208;0312324345361605";
    case 'q': return "4248;4332120305163645";
    case 'r': return "0206;031232";
    case 's': return "43321203143445361605";
    case 't': return "202536;1232";
    case 'u': return "0205163645;4246";
    case 'v': return "022642";
    case 'w': return "0216243642";
    case 'x': return "0246;4206";
    case 'y': return "0226;4218";
    case 'z': return "02420646";
    case '0': return "103041453616050110;3115";
    case '1': return "112026;1636";
    case '2': return "01103041420646";
    case '3': return "01103041423323;334445361605";
    case '4': return "36300444";
    case '5': return "400002324345361605";
    case '6': return "4130100105163645443303";
    case '7': return "004016";
    case '8': return "103041423313020110;1304051636454433";
    case '9': return "4313020110304145361605";
    case '-': return "1333";
    case '_': return "0747";
    case '.': return "2626";
    case ',': return "2617";
    case ':': return "2323;2626";
    case ';': return "2323;2617";
    case '\'': return "2021";
    case '"': return "1011;3031";
    case '!': return "2024;2626";
    case '?': return "011030414223;2424;2626";
    case '/': return "4006";
    case '(': return "30212536";
    case ')': return "10212516";
    case '+': return "0343;2125";
    case '=': return "0242;0444";
    case '#': return "1016;3036;0242;0444";
    case '&': return "461120311305163644";
    case '*': return "2024;0143;4103";
    default: return kBox;
  }
}

}  // namespace

Lettering make_lettering(std::string_view text) {
  Lettering lettering;
  for (char letter : text) {
    // Of a letter in several bytes one box.
    if ((static_cast<unsigned char>(letter) & 0xc0) == 0x80) continue;
    float from = lettering.width > 0 ? lettering.width + kBetweenLetters : 0;
    if (letter == ' ') {
      lettering.width += kSpace;
      continue;
    }
    std::string_view lines = lines_of(letter);
    float left = 9, right = 0;
    for (std::size_t at = 0; at + 1 < lines.size(); at += lines[at] == ';' ? 1 : 2) {
      if (lines[at] == ';') continue;
      left = std::min(left, static_cast<float>(lines[at] - '0'));
      right = std::max(right, static_cast<float>(lines[at] - '0'));
    }
    bool has_point = false;
    float x = 0, y = 0;
    for (std::size_t at = 0; at + 1 < lines.size();) {
      if (lines[at] == ';') {
        has_point = false;
        ++at;
        continue;
      }
      float to_x = from + static_cast<float>(lines[at] - '0') - left,
            to_y = static_cast<float>(lines[at + 1] - '0');
      if (has_point) lettering.strokes.push_back({x, y, to_x, to_y});
      has_point = true;
      x = to_x, y = to_y;
      at += 2;
    }
    lettering.width = from + right - left;
  }
  return lettering;
}

}  // namespace stoa::work
