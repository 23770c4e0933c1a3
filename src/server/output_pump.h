// Carries out what a machine puts out, in order. What is carried out may give the machine its next input
// before it returns (a connection that ends while it is written to): what comes of that stands behind what
// is there already, and is never carried out in between.
#pragma once

#include <utility>

#include "base/outbox.h"

namespace stoa::server {

class OutputPump {
 public:
  // `carry_out` gets each output; `rest` runs when there is none left, and may lead to more. A call from
  // inside either does nothing: the one that runs goes on until all is done.
  template <typename Output, typename CarryOut, typename Rest>
  void run(Outbox<Output>& outputs, CarryOut&& carry_out, Rest&& rest) {
    if (std::exchange(is_running_, true)) return;
    do {
      while (!outputs.empty())
        for (Output& output : outputs.take()) carry_out(output);
      rest();
    } while (!outputs.empty());
    is_running_ = false;
  }

 private:
  bool is_running_ = false;
};

}  // namespace stoa::server
