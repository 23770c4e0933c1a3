// What pure code has to say to the operator: values, written by whoever owns the clock and the file.
#pragma once

#include <cstdint>
#include <string>

namespace stoa {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

struct LogLine {
  LogLevel level = LogLevel::kInfo;
  const char* component = "";  // The folder that speaks: "rtmp", "live".
  std::string text;            // One sentence or `key=value` words; never a secret.
};

}  // namespace stoa
