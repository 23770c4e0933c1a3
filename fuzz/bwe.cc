// The estimator with any sender and any receiver: packets, probes taken or left, feedback that is honest or
// made up (numbers never sent, times that jump by hours, counts of 65,535), REMB, reports, routes, demand,
// deadlines kept or late. The target stays within its limits and is a number, deadlines lie ahead once they
// are handled, what is kept stays bounded, and after all of it an honest receiver is served again.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <vector>

#include "bwe/controller.h"
#include "bwe/sent_history.h"
#include "sim/heap.h"

namespace {

using namespace stoa;
using namespace stoa::bwe;

// A controller, all it may grow to, with the arrivals that one feedback speaks of.
constexpr std::size_t kHeapMax = 2 * kSentHistoryMax * sizeof(SentEntry) + 64 * 1024;

void must(bool is_so, const char* what) {
  if (is_so) return;
  std::fprintf(stderr, "bwe: %s\n", what);
  std::abort();
}

class Run {
 public:
  explicit Run(const std::uint8_t* data, std::size_t size)
      : input_(data), end_(data + size), config_(draw_config()), controller_(config_, now_) {}

  void go() {
    while (input_ < end_ && steps_++ < 2'000) {
      act();
      check();
    }
    settle();
  }

 private:
  std::uint8_t u8() { return input_ < end_ ? *input_++ : 0; }
  std::uint32_t u16() {
    std::uint32_t high = u8();
    return high << 8 | u8();
  }

  Config draw_config() {
    Config config;
    std::uint8_t bits = u8();
    config.reacts_to_ecn = bits & 1;
    if (bits & 2) config.start_bits_per_second = 30'000 + 1000ull * u16();
    if (bits & 4) config.max_bits_per_second = config.start_bits_per_second + 1000ull * u16();
    return config;
  }

  void send(int count, std::uint32_t bytes) {
    for (int i = 0; i < count; ++i)
      controller_.handle_sent(now_, {next_++, bytes, i % 3 ? probe_ : kNoProbe});
  }

  void answer_honestly(Duration delay, std::uint8_t lost_of_256) {
    std::vector<Arrival> arrivals;
    for (std::int64_t sequence = answered_; sequence < next_ && arrivals.size() < 300; ++sequence)
      if ((static_cast<std::uint64_t>(sequence) * 2654435761u >> 8 & 255) >= lost_of_256)
        arrivals.push_back(
            {sequence, (now_ - Timestamp()) + delay + Duration::microseconds(sequence - next_)});
    std::int64_t first = answered_;
    answered_ = next_;
    controller_.handle_feedback(now_, {first, static_cast<std::uint32_t>(next_ - first), arrivals});
  }

  void answer_anyhow() {
    std::vector<Arrival> arrivals;
    std::int64_t first = next_ - static_cast<std::int64_t>(u16()) + 128;
    std::uint32_t count = u16();
    Duration at = Duration::milliseconds(static_cast<std::int64_t>(u16()) * 1000 - 30'000'000);
    for (std::uint8_t left = u8(); left > 0; --left) {
      first += u8() - 40;
      at += Duration::microseconds((static_cast<std::int64_t>(u8()) - 100) *
                                   (left % 7 == 0 ? 100'000'000 : 300));
      arrivals.push_back({first, at, (left & 3) == 0});
    }
    if (count == 0xffff) arrivals.push_back({first, Duration::infinite()});
    if (count == 0xfffe) first = std::numeric_limits<std::int64_t>::max() - 3;
    controller_.handle_feedback(now_, {first, count, arrivals});
  }

  void act() {
    switch (u8() % 12) {
      case 0: return send(u8(), 40u + 6u * u8());
      case 1: return send(1, u16() * 3);
      case 2: now_ += Duration::milliseconds(u8()); return;
      case 3: now_ += Duration::milliseconds(u16()); return;
      case 4: return answer_honestly(Duration::milliseconds(u8()), u8());
      case 5: return answer_anyhow();
      case 6: return controller_.handle_remb(now_, std::uint64_t{u16()} << u8() % 48);
      case 7:
        return controller_.handle_report(now_, (static_cast<double>(u8()) - 20) / 100,
                                         Duration::milliseconds(static_cast<std::int64_t>(u16()) - 100));
      case 8:
        if (u8() % 8 == 0) controller_.handle_route_change(now_);
        return;
      case 9:
        return controller_.set_demand(
            now_, {u16(), std::uint64_t{u16()} << u8() % 48, std::uint64_t{u16()} * 1000});
      case 10:
        if (auto cluster = controller_.take_probe(now_)) {
          must(cluster->id != kNoProbe, "a probe without an id");
          must(cluster->bits_per_second <= config_.max_bits_per_second, "a probe over the limit");
          must(cluster->bytes_min <= 1'000'000 && cluster->packets_min <= 100, "a probe without end");
          probe_ = cluster->id;
        }
        return;
      default:
        if (controller_.next_deadline() == Timestamp::never()) return;
        now_ = std::max(now_, controller_.next_deadline() + Duration::milliseconds(u8() % 4 ? 0 : u8()));
        controller_.handle_deadline(now_);
        must(controller_.next_deadline() > now_, "a deadline that is due when it has been handled");
    }
  }

  void check() {
    const Target& target = controller_.target();
    must(target.bits_per_second >= config_.min_bits_per_second, "under the least");
    must(target.bits_per_second <= config_.max_bits_per_second, "over the most");
    must(target.pacing_bits_per_second <= 3 * config_.max_bits_per_second, "a pacing rate without bound");
    must(target.pacing_bits_per_second > 0, "no pacing rate");
    must(target.loss >= 0 && target.loss <= 1, "loss that is no share");
    must(target.round_trip >= Duration(), "a negative round trip");
  }

  // 20 s of an honest receiver over a path without a queue.
  void settle() {
    controller_.handle_route_change(now_);
    controller_.set_demand(now_, {100'000, 1'000'000, 1'000'000});
    probe_ = kNoProbe;
    answered_ = next_;
    for (int i = 0; i < 400; ++i) {
      auto bytes = static_cast<std::uint32_t>(controller_.target().bits_per_second / 8 / 20 / 5);
      for (int packet = 0; packet < 5; ++packet, now_ += Duration::milliseconds(10)) {
        send(1, bytes);
        if (now_ >= controller_.next_deadline()) controller_.handle_deadline(now_);
      }
      answer_honestly(Duration::milliseconds(40), 0);
      check();
    }
    std::uint64_t start = std::min<std::uint64_t>(config_.start_bits_per_second, 100'000);
    must(controller_.target().bits_per_second >= start, "an honest receiver is not served");
  }

  const std::uint8_t* input_;
  const std::uint8_t* end_;
  Timestamp now_ = Timestamp() + Duration::seconds(100);
  Config config_;
  Controller controller_;
  std::int64_t next_ = 0, answered_ = 0;
  std::uint16_t probe_ = kNoProbe;
  int steps_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::size_t before = sim::heap_bytes_in_use();
  Run run(data, size);
  run.go();
  must(sim::heap_bytes_in_use() <= before + kHeapMax, "keeps too much");
  return 0;
}
