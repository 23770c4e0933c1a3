#include "media/language.h"

#include <algorithm>

namespace stoa::media {
namespace {

constexpr std::string_view kUndetermined = "und";

// ISO 639-1 with its 639-2/T beside it, six characters an entry.
constexpr std::string_view kCodes =
    "aaaar ababk aeave afafr akaka amamh anarg arara asasm avava ayaym azaze babak bebel bgbul bhbih "
    "bibis bmbam bnben bobod brbre bsbos cacat ceche chcha cocos crcre csces cuchu cvchv cycym dadan "
    "dedeu dvdiv dzdzo eeewe elell eneng eoepo esspa etest eueus fafas ffful fifin fjfij fofao frfra "
    "fyfry gagle gdgla glglg gngrn guguj gvglv hahau heheb hihin hohmo hrhrv hthat huhun hyhye hzher "
    "iaina idind ieile igibo iiiii ikipk ioido isisl itita iuiku jajpn jvjav kakat kgkon kikik kjkua "
    "kkkaz klkal kmkhm knkan kokor krkau kskas kukur kvkom kwcor kykir lalat lbltz lglug lilim lnlin "
    "lolao ltlit lulub lvlav mgmlg mhmah mimri mkmkd mlmal mnmon mrmar msmsa mtmlt mymya nanau nbnob "
    "ndnde nenep ngndo nlnld nnnno nonor nrnbl nvnav nynya ococi ojoji omorm orori ososs papan pipli "
    "plpol pspus ptpor quque rmroh rnrun roron rurus rwkin sasan scsrd sdsnd sesme sgsag sisin skslk "
    "slslv smsmo snsna sosom sqsqi srsrp ssssw stsot susun svswe swswa tatam tetel tgtgk ththa titir "
    "tktuk tltgl tntsn toton trtur tstso tttat twtwi tytah uguig ukukr ururd uzuzb veven vivie vovol "
    "wawln wowol xhxho yiyid yoyor zazha zhzho zuzul ";
constexpr std::size_t kEntry = 6;

bool is_lower_case(std::string_view text) {
  return std::ranges::all_of(text, [](char letter) { return letter >= 'a' && letter <= 'z'; });
}
char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

}  // namespace

std::string_view iso639_2_of(std::string_view tag) {
  std::string_view primary = tag.substr(0, tag.find('-'));
  if (primary.size() == 3 && is_lower_case(primary)) return primary;
  if (primary.size() != 2) return kUndetermined;
  for (std::size_t at = 0; at + 5 <= kCodes.size(); at += kEntry) {
    if (kCodes[at] == lower(primary[0]) && kCodes[at + 1] == lower(primary[1]))
      return kCodes.substr(at + 2, 3);
  }
  return kUndetermined;
}

}  // namespace stoa::media
