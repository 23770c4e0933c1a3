#include "runtime/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdio>

#include "base/time.h"
#include "runtime/loop.h"

namespace stoa::runtime {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::err;
}

const char* name_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarning: return "warning";
    case LogLevel::kError: return "error";
  }
  return "";
}

// Control characters would let a peer's text forge lines.
std::string escape(const std::string& text, bool is_json) {
  std::string escaped;
  escaped.reserve(text.size());
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      std::array<char, 8> code;
      std::snprintf(code.data(), code.size(), "\\u%04x",
                    static_cast<unsigned>(static_cast<unsigned char>(c)));
      escaped += code.data();
    } else {
      if (is_json && (c == '"' || c == '\\')) escaped += '\\';
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace

std::string to_json(const LogLine& line, const std::string& iso_time) {
  return "{\"time\":\"" + iso_time + "\",\"level\":\"" + name_of(line.level) + "\",\"component\":\"" +
         line.component + "\",\"message\":\"" + escape(line.text, true) + "\"}";
}

struct Log::Impl {
  std::shared_ptr<spdlog::logger> logger;
  LogFormat format;
};

Log::Log(LogLevel least, LogFormat format) : impl_(std::make_unique<Impl>()) {
  impl_->format = format;
  impl_->logger =
      std::make_shared<spdlog::logger>("stoa", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  impl_->logger->set_level(to_spdlog(least));
  impl_->logger->set_pattern(format == LogFormat::kJson ? "%v" : "%Y-%m-%d %H:%M:%S.%e %^%-7l%$ %v");
  impl_->logger->flush_on(spdlog::level::debug);
}
Log::~Log() = default;

void Log::write(const LogLine& line) {
  spdlog::level::level_enum level = to_spdlog(line.level);
  if (!impl_->logger->should_log(level)) return;
  if (impl_->format == LogFormat::kJson) {
    impl_->logger->log(level, to_json(line, to_iso8601(Loop::wall())));
  } else {
    impl_->logger->log(level, "{:<8} {}", line.component, escape(line.text, false));
  }
}

}  // namespace stoa::runtime
