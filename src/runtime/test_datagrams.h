// For the tests of this folder: who collects datagrams on a loop that the test itself runs until enough came.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/metric.h"
#include "runtime/datagram_handler.h"
#include "runtime/loop.h"
#include "runtime/timer.h"

namespace stoa::runtime {

// Runs until `is_done`, which is asked whenever a Collector got something. Fails after ten seconds.
class TestLoop {
 public:
  template <typename Predicate>
  bool run_until(Predicate is_done) {
    const Timestamp end = Loop::now() + Duration::seconds(10);
    is_done_ = is_done;
    guard_.set(end);
    while (!is_done() && Loop::now() < end) loop.run();
    guard_.set(Timestamp::never());
    is_done_ = nullptr;
    return is_done();
  }
  void check() {
    if (is_done_ && is_done_()) loop.stop();
  }
  // One turn: what is ready and posted now.
  void run_once() {
    loop.post([this] { loop.post([this] { loop.stop(); }); });
    loop.run();
  }

  Loop loop;

 private:
  std::function<bool()> is_done_;
  DeadlineTimer guard_{loop, [this] { loop.stop(); }};
};

class Collector : public DatagramHandler {
 public:
  struct Datagram {
    LocalPath local;
    SocketAddress remote;
    Buffer bytes;
    Ecn ecn = Ecn::kNotCapable;
  };
  explicit Collector(TestLoop& test_loop) : loop(test_loop) {}

  void on_datagrams(std::span<ReceivedDatagram> batch) override {
    ++batches;
    for (ReceivedDatagram& datagram : batch) {
      datagrams.push_back({datagram.local, datagram.remote,
                           Buffer(datagram.bytes.begin(), datagram.bytes.end()), datagram.ecn});
      std::fill(datagram.bytes.begin(), datagram.bytes.end(), std::uint8_t{0xee});  // It is ours.
    }
    if (on_batch) on_batch(batch);
    loop.check();
  }
  void on_path_closed(LocalPath path, const SocketAddress&) override {
    closed.push_back(path);
    loop.check();
  }
  void on_notice(std::string_view notice) override { notices.emplace_back(notice); }

  TestLoop& loop;
  std::vector<Datagram> datagrams;
  std::vector<LocalPath> closed;
  std::vector<std::string> notices;
  int batches = 0;
  std::function<void(std::span<ReceivedDatagram>)> on_batch;
};

template <typename Source>
double metric(const Source& source, std::string_view name, std::string_view label = {}) {
  MetricSamples samples;
  source.append_metrics("test", samples);
  double sum = 0;
  for (const MetricSample& sample : samples) {
    bool matches = label.empty();
    for (const auto& [key, value] : sample.labels) matches |= value == label;
    if (sample.name == name && matches) sum += sample.value;
  }
  return sum;
}

}  // namespace stoa::runtime
