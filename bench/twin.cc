#include "twin.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>

#include "shaper.h"
#include "sim/network.h"

namespace stoa::bench {
namespace {

constexpr std::size_t kHeaderBytes = 28;  // Of IPv4 and UDP.
const IpAddress kLoopback = IpAddress::v4(127, 0, 0, 1);

// What a datagram begins with; padding makes it as long as the flow wants, or the bytes of a reply follow.
struct Head {
  std::int64_t sequence = 0;
  std::int64_t sent_ns = 0;
};

TwinRun judge(const TwinOptions& options, const sim::MediaLog& log) {
  const Timestamp start = options.flow.start;
  const auto steps = static_cast<std::size_t>(options.length / kTwinStep);
  TwinRun run{.kbps = std::vector<double>(steps), .one_way_ms = std::vector<double>(steps)};
  std::vector<std::vector<double>> one_way(steps);
  for (const sim::MediaLog::Arrived& packet : log.arrived) {
    const auto step = static_cast<std::size_t>((packet.at - start) / kTwinStep);
    if (step >= steps) continue;
    run.kbps[step] += log.sent[packet.number].bytes * 8e-3 / kTwinStep.as_seconds();
    one_way[step].push_back(packet.one_way.as_seconds() * 1e3);
  }
  for (std::size_t step = 0; step < steps; ++step) {
    if (one_way[step].empty()) continue;
    auto middle = one_way[step].begin() + static_cast<std::ptrdiff_t>(one_way[step].size() / 2);
    std::ranges::nth_element(one_way[step], middle);
    run.one_way_ms[step] = *middle;
  }
  const auto sent = static_cast<double>(log.sent.size()), arrived = static_cast<double>(log.arrived.size());
  run.loss_percent = sent > 0 ? 100 * (sent - arrived) / sent : 0;
  return run;
}

// Both ends of the flow, each with a socket; what one sends to the other goes through the shaper.
class SocketEnds {
 public:
  explicit SocketEnds(const TwinOptions& options) : options_(options) {}

  Result<void, Failure> open() {
    if (!sender_.open({kLoopback, 0}) || !receiver_.open({kLoopback, 0}))
      return refuse(Failure("no sockets"));
    ShaperOptions shaper{.servers = {sender_.address()},
                         .up = options_.scenario.back,
                         .down = options_.scenario.forward,
                         .seed = options_.seed};
    STOA_TRY(shaper_, Shaper::open(std::move(shaper)));
    // The receiver is the client, who has to speak first. What it says goes through the path as anything
    // does.
    const Head hello{.sequence = -1};
    const std::int64_t patience = now_ns() + 5'000'000'000;
    while (!client_) {
      receiver_.send(Bytes(reinterpret_cast<const std::uint8_t*>(&hello), sizeof hello), 0,
                     SocketAddress{kLoopback, shaper_->port()});
      for (std::int64_t again = now_ns() + 200'000'000; !client_ && now_ns() < again;) {
        shaper_->turn(again);
        if (auto datagram = sender_.receive()) client_ = datagram->from;
      }
      if (now_ns() > patience) return refuse(Failure("nothing comes through the path"));
    }
    return {};
  }

  TwinRun run() {
    sim::MediaFlow::Config config = options_.flow;
    options_.flow.start = config.start = Timestamp::from_ns(now_ns());
    flow_ = std::make_unique<sim::MediaFlow>(config, Rng(options_.seed));
    shaper_->take_faults();
    const Timestamp end = config.start + options_.length;
    for (Timestamp now = config.start; now < end; now = Timestamp::from_ns(now_ns())) {
      if (now >= flow_->next_deadline()) flow_->handle_deadline(now, out_);
      send();
      shaper_->turn(std::min(end, flow_->next_deadline()).ns());
      receive(receiver_);
      receive(sender_);
      send();
    }
    TwinRun run = judge(options_, flow_->log());
    run.late_ms_p99 = shaper_->take_faults().late_ms.percentile(0.99);
    return run;
  }

 private:
  void send() {
    for (const sim::Departure& departure : out_) {
      const sim::FlowPacket& packet = departure.packet;
      const Head head{packet.sequence, packet.sent_at.ns()};
      Buffer bytes(std::max<std::size_t>(departure.bytes - kHeaderBytes, sizeof head + packet.bytes.size()));
      std::memcpy(bytes.data(), &head, sizeof head);
      std::ranges::copy(packet.bytes, bytes.begin() + sizeof head);
      // A reply is as long as its bytes say, which its reader has to know.
      if (packet.is_reply) bytes.resize(sizeof head + packet.bytes.size());
      const std::uint8_t ecn = packet.can_ecn ? 1 : 0;
      if (packet.is_reply) {
        receiver_.send(bytes, ecn, SocketAddress{kLoopback, shaper_->port()});
      } else {
        sender_.send(bytes, ecn, *client_);
      }
    }
    out_.clear();
  }

  void receive(ShapeSocket& socket) {
    while (auto datagram = socket.receive()) {
      Head head;
      if (datagram->bytes.size() < sizeof head) continue;
      std::memcpy(&head, datagram->bytes.data(), sizeof head);
      if (head.sequence < 0) continue;
      sim::FlowPath::Arrival arrival;
      arrival.at = Timestamp::from_ns(now_ns());
      arrival.bytes = static_cast<std::uint32_t>(datagram->bytes.size() + kHeaderBytes);
      arrival.is_marked = datagram->ecn == kEcnMarked;
      arrival.payload.is_reply = &socket == &sender_;
      arrival.payload.sequence = head.sequence;
      arrival.payload.sent_at = Timestamp::from_ns(head.sent_ns);
      Bytes rest = datagram->bytes.subspan(sizeof head);
      if (arrival.payload.is_reply) arrival.payload.bytes = Buffer(rest.begin(), rest.end());
      flow_->handle_arrival(arrival.at, arrival, out_);
    }
  }

  TwinOptions options_;
  ShapeSocket sender_, receiver_;
  std::unique_ptr<Shaper> shaper_;
  std::optional<SocketAddress> client_;  // As the sender sees it.
  std::unique_ptr<sim::MediaFlow> flow_;
  sim::Departures out_;
};

Json write_run(const TwinRun& run) {
  Json json;
  double sum = 0;
  for (double kbps : run.kbps) sum += kbps;
  json.number("kbps_mean", sum / static_cast<double>(std::max<std::size_t>(1, run.kbps.size())))
      .number("loss_percent", run.loss_percent)
      .number("late_ms_p99", run.late_ms_p99);
  Json kbps, one_way;
  for (std::size_t i = 0; i < run.kbps.size(); ++i) {
    const std::string at = std::to_string((kTwinStep * static_cast<std::int64_t>(i)).ms());
    kbps.number(at, run.kbps[i]);
    one_way.number(at, run.one_way_ms[i]);
  }
  return json.object("kbps", kbps).object("one_way_ms", one_way);
}

}  // namespace

TwinRun run_in_virtual_time(const TwinOptions& options) {
  TwinOptions own = options;
  own.flow.start = Timestamp();
  sim::Network network(own.scenario, Rng(own.seed));
  auto& flow = network.add(std::make_unique<sim::MediaFlow>(own.flow, Rng(own.seed)), {});
  network.run_until(Timestamp() + own.length);
  return judge(own, flow.log());
}

Result<TwinRun, Failure> run_over_sockets(const TwinOptions& options) {
  SocketEnds ends(options);
  if (auto opened = ends.open(); !opened) return refuse(opened.error());
  return ends.run();
}

Result<Json, Failure> run_twin(const TwinArguments& arguments) {
  std::ifstream file(arguments.scenario);
  std::string text(std::istreambuf_iterator<char>(file), {});
  auto scenario = sim::parse_scenario(text);
  if (!scenario) return refuse(arguments.scenario + ": " + scenario.error());
  TwinOptions options{.scenario = std::move(*scenario),
                      .seed = arguments.seed,
                      .length = Duration::from_seconds(arguments.seconds)};
  options.flow.controller.start_bits_per_second = arguments.start_kbps * 1000;
  options.flow.encoder.max_bits_per_second = arguments.encoder_kbps * 1000;
  const TwinRun virtual_run = run_in_virtual_time(options);
  STOA_TRY(TwinRun real, run_over_sockets(options));
  return Json().object("simulator", write_run(virtual_run)).object("shaper", write_run(real));
}

}  // namespace stoa::bench
