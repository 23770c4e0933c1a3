#include "runtime/log.h"

#include <gtest/gtest.h>

namespace stoa::runtime {
namespace {

TEST(Log, json_line_cannot_be_broken_by_a_peer) {
  EXPECT_EQ(to_json({LogLevel::kWarning, "rtmp", "a \"b\"\n{\\}"}, "2026-01-01T00:00:00.000Z"),
            "{\"time\":\"2026-01-01T00:00:00.000Z\",\"level\":\"warning\",\"component\":\"rtmp\",\"message\":"
            "\"a \\\"b\\\"\\u000a{\\\\}\"}");
}

}  // namespace
}  // namespace stoa::runtime
