#include "base/time.h"

#include <array>
#include <cstdio>

namespace stoa {
namespace {

struct CivilTime {
  std::int64_t year;
  int month, day, weekday, hour, minute, second, millisecond;
};

// Proleptic Gregorian calendar; years counted from 1 March so that the leap day comes last.
CivilTime to_civil(WallTime time) {
  std::int64_t ms = time.us() >= 0 ? time.us() / 1000 : -((-time.us() + 999) / 1000);
  std::int64_t days = ms >= 0 ? ms / 86'400'000 : -((-ms + 86'399'999) / 86'400'000);
  std::int64_t rest = ms - days * 86'400'000;
  std::int64_t shifted = days + 719'468;  // days since 0000-03-01
  std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  std::int64_t day_of_era = shifted - era * 146'097;
  std::int64_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  std::int64_t month = (5 * day_of_year + 2) / 153;
  CivilTime civil;
  civil.day = static_cast<int>(day_of_year - (153 * month + 2) / 5 + 1);
  civil.month = static_cast<int>(month < 10 ? month + 3 : month - 9);
  civil.year = year_of_era + era * 400 + (civil.month <= 2 ? 1 : 0);
  civil.weekday = static_cast<int>(((days + 4) % 7 + 7) % 7);
  civil.hour = static_cast<int>(rest / 3'600'000);
  civil.minute = static_cast<int>(rest / 60'000 % 60);
  civil.second = static_cast<int>(rest / 1'000 % 60);
  civil.millisecond = static_cast<int>(rest % 1'000);
  return civil;
}

}  // namespace

std::string to_iso8601(WallTime time) {
  CivilTime c = to_civil(time);
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ",
                static_cast<long long>(c.year), c.month, c.day, c.hour, c.minute, c.second, c.millisecond);
  return text.data();
}

std::string to_http_date(WallTime time) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  CivilTime c = to_civil(time);
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%s, %02d %s %04lld %02d:%02d:%02d GMT", kDays[c.weekday], c.day,
                kMonths[c.month - 1], static_cast<long long>(c.year), c.hour, c.minute, c.second);
  return text.data();
}

}  // namespace stoa
