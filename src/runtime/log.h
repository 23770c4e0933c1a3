// Log lines to standard error: text for people or one JSON object a line.
#pragma once

#include <memory>
#include <string>

#include "base/log.h"

namespace stoa::runtime {

enum class LogFormat { kText, kJson };

// Any thread may write.
class Log {
 public:
  Log(LogLevel least, LogFormat format);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void write(const LogLine& line);
  void info(const char* component, std::string text) { write({LogLevel::kInfo, component, std::move(text)}); }
  void warn(const char* component, std::string text) {
    write({LogLevel::kWarning, component, std::move(text)});
  }
  void error(const char* component, std::string text) {
    write({LogLevel::kError, component, std::move(text)});
  }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// One JSON object without the newline; what a peer sent cannot break out of its string.
std::string to_json(const LogLine& line, const std::string& iso_time);

}  // namespace stoa::runtime
