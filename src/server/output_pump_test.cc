#include "server/output_pump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace stoa::server {
namespace {

using ::testing::ElementsAre;

TEST(OutputPump, carries_out_in_order_what_comes_while_it_carries_out) {
  OutputPump pump;
  Outbox<int> outputs;
  std::vector<int> done;
  int rests = 0;
  auto run = [&](auto& self) -> void {
    pump.run(
        outputs,
        [&](int output) {
          done.push_back(output);
          if (output != 1) return;
          outputs.push(4);  // An input that the first output led to.
          self(self);
        },
        [&] {
          if (++rests > 1) return;
          outputs.push(5);
          self(self);
        });
  };
  for (int output : {1, 2, 3}) outputs.push(output);
  run(run);
  EXPECT_THAT(done, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(rests, 2);
  outputs.push(6);
  run(run);
  EXPECT_EQ(done.back(), 6);
}

}  // namespace
}  // namespace stoa::server
