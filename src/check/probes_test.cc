#include "check/probes.h"

#include <gtest/gtest.h>

#include "check/rendition.h"

namespace stoa::check {
namespace {

TEST(Probes, do_not_take_a_growing_segment_for_an_old_one) {
  Rendition rendition;
  rendition.list.emplace();
  rendition.list->segments.emplace_back();
  rendition.list->segments.back().is_complete = false;
  EXPECT_FALSE(make_probe(ProbeKind::kOldMsn, rendition));
  rendition.list->segments.back().is_complete = true;
  EXPECT_TRUE(make_probe(ProbeKind::kOldMsn, rendition));
}

}  // namespace
}  // namespace stoa::check
