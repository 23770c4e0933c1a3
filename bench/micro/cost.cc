// What congestion control costs on top of the packet path: the same media to the same receivers, in turns
// without it and with it, in CPU time of a forwarded packet of media.
//
//   path        the fan-out alone; no pacer holds anything back
//   estimator   with feedback, controller and allocator, and a rate so high that nothing is held back
//   whole       as a server does it
//
// Each is a world of its own in virtual time, a second of it at a time: publishers of three layers, receivers
// behind wide lines of 40 ms that tell what arrived every 50 to 100 ms, as browsers do, and for each receiver
// an allocator that is told what it wants twice a second, as a seat does. Packets end in a device that throws
// them away, after the kernel has cut the trains.
//
//   forward    append() and fill(): `estimator` less `path` is what noting each packet takes
//   send       the kernel: `whole` less `estimator` is what shorter trains take
//   timers     handle_deadline(): wakes of pacers, controllers' deadlines, sender reports
//   feedback   handle_rtcp(), of which `parse` is reading the bytes alone; the rest is the controller's
//   allocator  sharing, and telling the demand
//
// Making feedback, reading what was sent, and the kernel's part of receiving are in none of them. `stoa-bench
// cost [--rounds N] [--receivers N] [--segmentation software|device]` runs this program.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bwe/allocator.h"
#include "micro/path.h"
#include "micro/sink.h"
#include "proto/rtcp/packet.h"
#include "proto/rtcp/transport_feedback.h"
#include "proto/rtcp/writer.h"
#include "proto/rtp/extension_values.h"
#include "proto/rtp/packet.h"
#include "runtime/loop.h"
#include "session/webrtc/fan_out.h"
#include "stats.h"

namespace {

using namespace stoa;
using namespace stoa::webrtc;
using bench::cpu_seconds;

constexpr Duration kStep = Duration::milliseconds(1);
constexpr Duration kRound = Duration::seconds(1);
constexpr Duration kWarmUp = Duration::seconds(9);
constexpr Duration kDelay = Duration::milliseconds(40);  // There and back, all of it on the way there.
constexpr Duration kJitter = Duration::milliseconds(4);
constexpr std::uint64_t kLineBits = 20'000'000;
constexpr Duration kShareInterval = Duration::milliseconds(500);
constexpr std::uint64_t kBitsMax = 50'000'000;   // As the server's congestion.max …
constexpr std::uint64_t kBitsStart = 1'000'000;  // … and congestion.start.
constexpr std::uint8_t kSequenceId = 3, kSendTimeId = 4;
constexpr std::uint32_t kOverheadBytes = 60;  // Of a packet of media, with all headers.
constexpr std::uint64_t kFramesPerSecond = 30;

enum class Variant { kPath, kEstimator, kWhole };
constexpr std::array kVariants{Variant::kPath, Variant::kEstimator, Variant::kWhole};
constexpr std::array kVariantNames{"path", "estimator", "whole"};

// Of one layer's frames.
struct LayerShape {
  std::size_t packets = 0, bytes = 0;
  std::uint64_t pixels = 0;
  std::uint64_t bits_per_second() const { return packets * (bytes + kOverheadBytes) * 8 * kFramesPerSecond; }
};
constexpr std::array kLayers{LayerShape{1, 500, 320 * 180}, LayerShape{2, 900, 640 * 360},
                             LayerShape{5, 1160, 1280 * 720}};
constexpr std::size_t kSoundBytes = 120;

struct Case {
  const char* name;
  std::size_t tracks;  // The first is shown large, the others small.
  bool has_sound;
};
constexpr std::array kCases{Case{"one picture, 5 of 1200 bytes a frame", 1, false},
                            Case{"one large, three small, and sound", 4, true}};

struct Stages {
  double forward = 0, send = 0, timers = 0, feedback = 0, parse = 0, allocator = 0;  // Seconds.
  double packets = 0, trains = 0, held = 0, feedbacks = 0, probes = 0;

  double all() const { return forward + send + timers + feedback + allocator; }
  Stages& operator+=(const Stages& more) {
    forward += more.forward;
    send += more.send;
    timers += more.timers;
    feedback += more.feedback;
    parse += more.parse;
    allocator += more.allocator;
    packets += more.packets;
    trains += more.trains;
    held += more.held;
    feedbacks += more.feedbacks;
    probes += more.probes;
    return *this;
  }
};

// Adds the time since it was made, or since the last call.
class Clock {
 public:
  Clock() : last_(cpu_seconds()) {}
  void add_to(double& stage) {
    const double now = cpu_seconds();
    stage += now - std::exchange(last_, now);
  }
  void skip() { last_ = cpu_seconds(); }

 private:
  double last_;
};

// What came over a receiver's line and was not told yet.
class Line {
 public:
  void take(Timestamp sent, std::uint16_t sequence, std::size_t bytes, Duration jitter) {
    const Duration takes =
        Duration::nanoseconds(static_cast<std::int64_t>(bytes * 8 * 1'000'000'000 / kLineBits));
    arrived_at_ = std::max(sent + kDelay + jitter, arrived_at_ + takes);
    untold_.push_back({arrived_at_, sequence});
  }
  // False: nothing came.
  bool write_feedback(Timestamp now, rtcp::Writer& writer) {
    std::size_t count = 0;
    while (count < untold_.size() && untold_[count].at <= now) ++count;
    if (count == 0) return false;
    rtcp::TransportFeedbackBuilder builder(untold_[0].sequence, 1200);
    for (std::size_t i = 0; i < count; ++i)
      if (!builder.add(0, untold_[i].at)) std::abort();
    untold_.erase(untold_.begin(), untold_.begin() + static_cast<std::ptrdiff_t>(count));
    return builder.write(1, 1, feedbacks_++, writer);
  }

 private:
  struct Arrived {
    Timestamp at;
    std::uint16_t sequence;
  };
  std::vector<Arrived> untold_;
  Timestamp arrived_at_;
  std::uint8_t feedbacks_ = 0;
};

struct Receiver {
  SenderId id;
  Line line;
  bwe::Allocator allocator;
  bwe::Demand told;
  Timestamp feedback_at, share_at;
  Duration feedback_interval;
};

class World {
 public:
  World(const Case& measured, Variant variant, runtime::UdpSocket& socket,
        const std::vector<SocketAddress>& destinations)
      : case_(measured),
        variant_(variant),
        socket_(socket),
        transform_(crypto::make_srtp_kernel()),
        fan_out_(config_of(variant), transform_, Rng(1)),
        payload_(1200, 7) {
    for (std::size_t i = 0; i < case_.tracks; ++i) {
      payload::RtpTrack track;
      track.encoding = payload::Encoding::kH264;
      track.layers = kLayers.size();
      streams_.push_back(fan_out_.add_stream(track));
    }
    if (case_.has_sound) {
      payload::RtpTrack track;
      track.encoding = payload::Encoding::kOpus;
      sound_ = fan_out_.add_stream(track);
    }
    sources_.resize(case_.tracks * kLayers.size());
    wanted_.resize(case_.tracks * kLayers.size(), 1);
    contexts_.reserve(destinations.size());
    receivers_.resize(destinations.size());
    for (std::size_t i = 0; i < destinations.size(); ++i) add_receiver(i, destinations[i]);
    // Nobody subscribes in the order in which memory was given out.
    for (Receiver& receiver : receivers_) order_.push_back(&receiver);
    for (std::size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[rng_.below(i)]);
    for (Receiver* receiver : order_) subscribe(*receiver);
    out_.clear();
  }

  Stages run(Duration time) {
    Stages stages;
    const FanOut::Totals before = fan_out_.totals();
    for (const Timestamp end = now_ + time; now_ < end; now_ += kStep) step(stages);
    const FanOut::Totals& after = fan_out_.totals();
    stages.packets = static_cast<double>(after.packets - before.packets);
    stages.trains = static_cast<double>(after.trains - before.trains);
    stages.held = static_cast<double>(after.held_back - before.held_back);
    stages.feedbacks = static_cast<double>(after.feedbacks - before.feedbacks);
    stages.probes = static_cast<double>(after.probe_packets - before.probe_packets);
    return stages;
  }
  std::uint64_t refused() const { return fan_out_.totals().refused; }
  // Of a receiver in the middle, to see that the estimator does what it should.
  std::uint64_t target() const {
    const auto target = fan_out_.target(receivers_[receivers_.size() / 2].id);
    return target ? target->bits_per_second : 0;
  }

  void warm_up() {
    for (payload::LayerIndex layer = 0; layer < kLayers.size(); ++layer) {
      climb(layer);
      (void)run(kWarmUp / 3);
    }
  }

 private:
  static FanOutConfig config_of(Variant variant) {
    FanOutConfig config;
    if (variant == Variant::kPath) return config;
    config.congestion = bwe::Config{.start_bits_per_second = kBitsStart, .max_bits_per_second = kBitsMax};
    if (variant == Variant::kEstimator)
      config.congestion->start_bits_per_second = config.congestion->min_bits_per_second = kBitsMax;
    return config;
  }
  bool is_controlled() const { return variant_ != Variant::kPath; }

  OutletConfig outlet_of(std::size_t receiver, std::size_t index) const {
    OutletConfig outlet;
    outlet.ssrc = static_cast<std::uint32_t>(receiver * 32 + index * 2 + 1);
    outlet.payload_type = 111;
    outlet.encoding = payload::Encoding::kOpus;
    if (index < case_.tracks) {
      outlet.encoding = payload::Encoding::kH264;
      outlet.payload_type = 96;
      outlet.rtx_ssrc = outlet.ssrc + 1;
      outlet.rtx_payload_type = 97;
      outlet.has_nack = outlet.has_pli = true;
    }
    outlet.extensions.set(rtp::ExtensionKind::kTransportSequence, kSequenceId);
    outlet.extensions.set(rtp::ExtensionKind::kAbsSendTime, kSendTimeId);
    return outlet;
  }
  void add_receiver(std::size_t i, const SocketAddress& destination) {
    contexts_.emplace_back(srtp::Profile::kAeadAes128Gcm,
                           bench::make_master(srtp::Profile::kAeadAes128Gcm, i), transform_.kernel());
    SenderConfig config;
    for (std::size_t j = 0; j < case_.tracks + case_.has_sound; ++j)
      config.outlets.push_back(outlet_of(i, j));
    config.pacer.bits_per_second = kBitsMax;
    ice::Path path;
    path.remote = destination;
    Receiver& receiver = receivers_[i];
    receiver.id = fan_out_.add_sender(now_, config, contexts_.back(), path);
    receiver.feedback_interval = Duration::from_seconds(0.05 + 0.05 * rng_.unit());
    receiver.feedback_at = now_ + Duration::from_seconds(0.1 * rng_.unit());
    receiver.share_at = now_ + Duration::from_seconds(0.5 * rng_.unit());
  }
  void subscribe(Receiver& receiver) {
    for (std::size_t j = 0; j < case_.tracks; ++j) {
      // Who is not controlled goes up as the others do: later, and layer by layer.
      fan_out_.set_layer_max(now_, receiver.id, j, 0, out_);
      fan_out_.set_source(now_, receiver.id, j, streams_[j], out_);
    }
    if (case_.has_sound) fan_out_.set_source(now_, receiver.id, case_.tracks, sound_, out_);
    if (is_controlled()) share(receiver);
  }
  // A track is wanted in so many of its layers.
  static std::size_t steps_of(std::size_t track) { return track == 0 ? kLayers.size() : 1; }

  // To this layer, whoever is not controlled.
  void climb(payload::LayerIndex layer) {
    if (is_controlled()) return;
    for (const Receiver* receiver : order_) fan_out_.set_layer_max(now_, receiver->id, 0, layer, out_);
  }

  void step(Stages& stages) {
    publish(stages);
    if (is_controlled()) take_feedback(stages);
    Clock clock;
    if (fan_out_.next_deadline() <= now_) fan_out_.handle_deadline(now_, WallTime::from_seconds(1), out_);
    clock.add_to(stages.timers);
    follow(stages);
    send(stages);
  }

  void publish(Stages& stages) {
    batches_.clear();
    const std::int64_t at = now_.ns();
    for (std::size_t i = 0; i < case_.tracks; ++i) {
      // Tracks are apart from each other by a part of a frame.
      const std::int64_t own = at + static_cast<std::int64_t>(i) * 7'000'000;
      if (own / kFrameNs == (own - kStep.ns()) / kFrameNs) continue;
      for (std::size_t layer = 0; layer < kLayers.size(); ++layer) {
        const std::size_t index = i * kLayers.size() + layer;
        const std::size_t first = batches_.size();
        sources_[index].frame({.packets = kLayers[layer].packets,
                               .payload = Bytes(payload_).first(kLayers[layer].bytes),
                               .ticks = 3000,
                               .layer = static_cast<payload::LayerIndex>(layer),
                               .is_keyframe = std::exchange(wanted_[index], 0) != 0},
                              batches_);
        of_.resize(batches_.size(), streams_[i]);
        std::fill(of_.begin() + static_cast<std::ptrdiff_t>(first), of_.end(), streams_[i]);
      }
    }
    if (case_.has_sound && at / 20'000'000 != (at - kStep.ns()) / 20'000'000) {
      sound_source_.frame({.payload = Bytes(payload_).first(kSoundBytes), .ticks = 960}, batches_);
      of_.resize(batches_.size());
      of_.back() = sound_;
    }
    Clock clock;
    for (std::size_t i = 0; i < batches_.size(); ++i) fan_out_.append(now_, of_[i], batches_[i]);
    clock.add_to(stages.forward);
  }

  void take_feedback(Stages& stages) {
    feedbacks_.clear();
    reporting_.clear();
    for (Receiver& receiver : receivers_) {
      if (now_ < receiver.feedback_at) continue;
      receiver.feedback_at += receiver.feedback_interval;
      if (receiver.line.write_feedback(now_, writer_)) {
        feedbacks_.emplace_back(receiver.id, writer_.take());
        reporting_.push_back(receiver.id);
      }
      writer_.clear();
    }
    if (feedbacks_.empty()) return;
    Clock clock;
    for (const auto& [id, bytes] : feedbacks_) parse(bytes);
    clock.add_to(stages.parse);
    fan_out_.expect_rtcp(reporting_);
    for (const auto& [id, bytes] : feedbacks_)
      fan_out_.handle_rtcp(now_, WallTime::from_seconds(1), id, bytes, out_);
    clock.add_to(stages.feedback);
  }
  void parse(Bytes bytes) {
    auto reader = rtcp::Reader::open(bytes, rtcp::Form::kReducedSize);
    while (auto next = reader->next()) {
      const auto* feedback = std::get_if<rtcp::TransportFeedback>(&**next);
      if (feedback == nullptr) std::abort();
      for (rtcp::FeedbackArrivals walk = feedback->arrivals(); const auto arrival = walk.next();)
        parsed_ += arrival->index;
    }
  }

  // What the fan-out told, and seats' turns.
  void follow(Stages& stages) {
    outputs_ = out_.take();
    for (const FanOutOutput& output : outputs_)
      if (const auto* wanted = std::get_if<StreamKeyframeWanted>(&output))
        for (std::size_t i = 0; i < streams_.size(); ++i)
          if (streams_[i] == wanted->stream) wanted_[i * kLayers.size() + wanted->layer] = 1;
    if (!is_controlled()) return;
    Clock clock;
    for (const FanOutOutput& output : outputs_) {
      const auto* news = std::get_if<SenderBandwidth>(&output);
      if (news == nullptr) continue;
      Receiver& receiver = receivers_[news->sender.index];
      receiver.allocator.set_budget(now_, news->target.bits_per_second);
      carry_out(receiver);
    }
    clock.add_to(stages.allocator);
    due_.clear();
    for (Receiver& receiver : receivers_)
      if (now_ >= std::min(receiver.share_at, receiver.allocator.next_deadline())) due_.push_back(&receiver);
    clock.skip();
    for (Receiver* receiver : due_) {
      if (now_ >= receiver->share_at) {
        receiver->share_at += kShareInterval;
        share(*receiver);
      } else {
        receiver->allocator.handle_deadline(now_);
        carry_out(*receiver);
      }
    }
    clock.add_to(stages.allocator);
  }
  void share(Receiver& receiver) {
    std::vector<bwe::Claim> claims;
    for (std::size_t j = 0; j < case_.tracks; ++j) {
      bwe::Claim claim{.track = j, .priority = 1, .is_speaking = j == 1};
      claim.pixels = kLayers[steps_of(j) - 1].pixels;
      for (std::size_t layer = 0; layer < steps_of(j); ++layer)
        claim.steps.push_back({.layer = static_cast<std::uint8_t>(layer),
                               .bits_per_second = kLayers[layer].bits_per_second() + rng_.below(1000),
                               .pixels = kLayers[layer].pixels});
      claims.push_back(std::move(claim));
    }
    receiver.allocator.set_claims(now_, std::move(claims),
                                  {.tracks = case_.has_sound, .bits_per_second = case_.has_sound * 72'000u});
    receiver.allocator.set_budget(now_, fan_out_.target(receiver.id)->bits_per_second);
    carry_out(receiver);
  }
  void carry_out(Receiver& receiver) {
    const bwe::Demand demand = receiver.allocator.demand();
    if (demand != std::exchange(receiver.told, demand)) fan_out_.set_demand(now_, receiver.id, demand);
    if (!receiver.allocator.take_news()) return;
    for (std::size_t j = 0; j < case_.tracks; ++j) {
      const bwe::Rung rung = receiver.allocator.given()[j];
      fan_out_.set_source(now_, receiver.id, j, rung == 0 ? StreamId() : streams_[j], out_);
      if (rung > 0)
        fan_out_.set_layer_max(now_, receiver.id, j, static_cast<payload::LayerIndex>(rung - 1), out_);
    }
  }

  void send(Stages& stages) {
    Clock clock;
    for (bool has_more = true; has_more;) {
      has_more = fan_out_.fill(now_, batch_);
      clock.add_to(stages.forward);
      socket_.send(batch_);
      clock.add_to(stages.send);
      for (const DatagramTrain& train : batch_.trains()) carry(train);
      batch_.clear();
      clock.skip();
    }
  }
  void carry(const DatagramTrain& train) {
    for (std::size_t at = 0; at < train.bytes.size(); at += train.segment_bytes) {
      const Bytes wire =
          train.bytes.subspan(at, std::min<std::size_t>(train.segment_bytes, train.bytes.size() - at));
      const auto packet = rtp::parse_header(wire);
      const auto element = rtp::find_element(packet->extension, kSequenceId);
      if (!element) std::abort();
      Receiver& receiver = receivers_[packet->header.ssrc / 32];
      if (is_controlled())
        receiver.line.take(now_, *rtp::parse_transport_sequence(element->value), wire.size(),
                           Duration::from_seconds(kJitter.as_seconds() * rng_.unit()));
    }
  }

  static constexpr std::int64_t kFrameNs = 1'000'000'000 / static_cast<std::int64_t>(kFramesPerSecond);

  Case case_;
  Variant variant_;
  runtime::UdpSocket& socket_;
  srtp::Transform transform_;
  FanOut fan_out_;
  FanOutOutputs out_;
  std::vector<FanOutOutput> outputs_;
  std::vector<StreamId> streams_;
  StreamId sound_;
  std::vector<bench::FrameSource> sources_;  // By track and layer.
  std::vector<char> wanted_;                 // A keyframe of each: 1.
  bench::FrameSource sound_source_;
  std::vector<srtp::SendContext> contexts_;
  std::vector<Receiver> receivers_;
  std::vector<Receiver*> order_, due_;
  std::vector<payload::PacketBatch> batches_;
  std::vector<StreamId> of_;  // Of each batch.
  std::vector<std::pair<SenderId, Buffer>> feedbacks_;
  std::vector<SenderId> reporting_;  // Of the same.
  rtcp::Writer writer_;
  DatagramBatch batch_;
  Buffer payload_;
  Rng rng_{7};
  Timestamp now_ = Timestamp::from_ns(1'000'000'000);
  std::uint64_t parsed_ = 0;
};

struct Options {
  std::size_t rounds = 20, receivers = 1000;
  std::string segmentation = "software";
};

bool parse(int count, char** arguments, Options& options) {
  for (int i = 1; i < count; i += 2) {
    const std::string_view name = arguments[i];
    if (i + 1 == count) return false;
    if (name == "--rounds") {
      options.rounds = std::strtoul(arguments[i + 1], nullptr, 10);
    } else if (name == "--receivers") {
      options.receivers = std::strtoul(arguments[i + 1], nullptr, 10);
    } else if (name == "--segmentation") {
      options.segmentation = arguments[i + 1];
    } else {
      return false;
    }
  }
  return options.rounds > 0 && options.receivers > 0 && options.receivers <= 40'000 &&
         (options.segmentation == "software" || options.segmentation == "device");
}

bench::Json row_of(const Stages& stages) {
  const auto ns = [&](double seconds) { return seconds * 1e9 / stages.packets; };
  bench::Json row;
  row.number("forward", ns(stages.forward)).number("send", ns(stages.send));
  row.number("timers", ns(stages.timers)).number("feedback", ns(stages.feedback));
  row.number("parse", ns(stages.parse)).number("allocator", ns(stages.allocator));
  row.number("all", ns(stages.all())).number("packets_a_train", stages.packets / stages.trains);
  row.number("held_a_packet", stages.held / stages.packets);
  row.number("packets_a_feedback", stages.feedbacks > 0 ? stages.packets / stages.feedbacks : 0);
  row.number("probe_packets", stages.probes / stages.packets);
  return row;
}

// True: all packets were taken.
bool measure(const Case& measured, const Options& options, runtime::UdpSocket& socket,
             const std::vector<SocketAddress>& destinations, bench::Json& result) {
  std::vector<std::unique_ptr<World>> worlds;
  for (const Variant variant : kVariants) {
    worlds.push_back(std::make_unique<World>(measured, variant, socket, destinations));
    worlds.back()->warm_up();
  }
  std::array<Stages, kVariants.size()> sums;
  bench::Samples more_estimator, more_whole;
  for (std::size_t round = 0; round < options.rounds; ++round) {
    std::array<double, kVariants.size()> ns{};
    for (std::size_t i = 0; i < kVariants.size(); ++i) {
      const Stages stages = worlds[i]->run(kRound);
      ns[i] = stages.all() / stages.packets;
      sums[i] += stages;
    }
    more_estimator.add(100 * (ns[1] / ns[0] - 1));
    more_whole.add(100 * (ns[2] / ns[0] - 1));
  }
  std::fprintf(stderr,
               "\n%s, %zu receivers: ns of CPU time a packet\n%-10s %8s %8s %8s %8s %8s %9s %8s %8s\n",
               measured.name, destinations.size(), "", "forward", "send", "timers", "feedback", "(parse)",
               "allocator", "all", "a train");
  bench::Json rows;
  bool is_whole = true;
  for (std::size_t i = 0; i < kVariants.size(); ++i) {
    const Stages& sum = sums[i];
    const auto ns = [&](double seconds) { return seconds * 1e9 / sum.packets; };
    std::fprintf(stderr, "%-10s %8.0f %8.0f %8.1f %8.1f %8.1f %9.1f %8.0f %8.2f\n", kVariantNames[i],
                 ns(sum.forward), ns(sum.send), ns(sum.timers), ns(sum.feedback), ns(sum.parse),
                 ns(sum.allocator), ns(sum.all()), sum.packets / sum.trains);
    rows.object(kVariantNames[i], row_of(sum));
    is_whole = is_whole && worlds[i]->refused() == 0;
  }
  std::fprintf(stderr,
               "on top of the path: %.1f %% (p10 %.1f, p90 %.1f), without pacing %.1f %%; target %.2f Mb/s\n",
               more_whole.percentile(0.5), more_whole.percentile(0.1), more_whole.percentile(0.9),
               more_estimator.percentile(0.5), static_cast<double>(worlds[2]->target()) * 1e-6);
  bench::Json one;
  one.object("nanoseconds_a_packet", rows);
  one.number("percent_more", more_whole.percentile(0.5));
  one.number("percent_more_p10", more_whole.percentile(0.1));
  one.number("percent_more_p90", more_whole.percentile(0.9));
  one.number("percent_more_without_pacing", more_estimator.percentile(0.5));
  one.number("target_bits_per_second", static_cast<double>(worlds[2]->target()));
  result.object(measured.name, one);
  return is_whole;
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  if (!parse(count, arguments, options)) {
    std::fprintf(stderr,
                 "stoa-bench cost [--rounds N] [--receivers N] [--segmentation software|device], receivers "
                 "from 1 to 40000\n");
    return 2;
  }
  const bench::Sink sink = bench::make_sink();
  runtime::Loop loop;
  bench::Nobody nobody;
  runtime::UdpSocket reader(loop, nobody);  // On loopback; its loop never runs.
  auto reading = reader.open({.address = "0.0.0.0", .receive_buffer_bytes = 20'000});
  const auto destinations = bench::make_destinations(sink, options.receivers, reading ? reading->port : 9);
  if (!sink.device.empty() &&
      !bench::set_feature(sink.device, "tx-udp-segmentation", options.segmentation == "device")) {
    std::fprintf(stderr, "%s cannot be told who cuts trains\n", sink.device.c_str());
    return 1;
  }
  runtime::UdpSocket socket(loop, nobody);
  if (auto opened = socket.open({.address = "0.0.0.0", .use_gso = true}); !opened) {
    std::fprintf(stderr, "%s\n", opened.error().c_str());
    return 1;
  }
  bench::Json cases;
  bool is_whole = true;
  for (const Case& measured : kCases)
    is_whole = measure(measured, options, socket, destinations, cases) && is_whole;
  bench::Json result;
  result.text("sink", sink.kind).text("note", sink.note).text("segmentation", options.segmentation);
  result.count("receivers", options.receivers).count("rounds", options.rounds);
  result.object("cases", cases).number("unsent", bench::unsent(socket));
  std::printf("%s\n", result.str().c_str());
  return is_whole ? 0 : 1;
}
