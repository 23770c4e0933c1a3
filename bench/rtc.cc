#include "rtc.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdio>

#include "rtc_load.h"
#include "rtc_publisher.h"
#include "rtc_viewer.h"

namespace stoa::bench {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr double kGoodbyeSeconds = 5, kSettlingSeconds = 1;

std::int64_t to_ns(double seconds) { return static_cast<std::int64_t>(seconds * 1e9); }
double to_ms(std::int64_t ns) { return static_cast<double>(ns) * 1e-6; }

Result<RtcTarget, Failure> make_target(const std::string& url_text, const std::string& bearer,
                                       std::size_t number, std::size_t count) {
  STOA_TRY(Url url, parse_url(number_text(url_text, number, count)));
  if (url.scheme != "http") return refuse("only http:// is understood, not " + url.scheme + "://");
  STOA_TRY(Address address, find_address(url.host, url.port));
  std::string key = bearer;
  if (auto at = key.find("{n}"); at != std::string::npos) key.replace(at, 3, std::to_string(number));
  return RtcTarget{.url = std::move(url), .address = address, .bearer = std::move(key)};
}

// What all viewers have counted so far.
struct Totals {
  std::int64_t time_ns = now_ns();
  double own_cpu = own_cpu_seconds();
  ProcessUse server;
  StreamCounts video, audio;
  std::uint64_t sent_packets = 0, sent_bytes = 0;
  std::vector<StreamCounts> each;  // Video, by viewer.
};

double loss_percent(const StreamCounts& from, const StreamCounts& to) {
  auto expected = static_cast<double>(to.expected - from.expected);
  auto received = static_cast<double>(to.received - from.received);
  return expected > 0 ? std::max(0.0, 100 * (expected - received) / expected) : 0;
}

// What it took until the viewers were there.
struct Joining {
  double seconds = 0, server_cpu = 0, own_cpu = 0;
};

class Run {
 public:
  explicit Run(const RtcOptions& options) : options_(options), load_(options.joins_per_second) {
    shared_.is_resting = options.rests_while_joining;
  }

  Result<void, Failure> take_address();
  Result<void, Failure> add_publishers();
  Result<void, Failure> add_viewers();
  Result<void, Failure> gather();
  void measure();
  Json result() const;
  void print_table() const;
  void stop() { load_.stop(kGoodbyeSeconds); }

 private:
  Totals totals() const;
  void run_for(double seconds, const char* what);
  void print_progress(const char* what);
  bool is_everybody_there() const;
  Json join_times(const std::vector<RtcPeer*>& peers, bool has_pictures) const;
  Json joining_result() const;
  Json viewer_result() const;
  Json publisher_result() const;
  std::size_t count(const std::vector<RtcPeer*>& peers, RtcPeer::State state) const {
    return static_cast<std::size_t>(
        std::count_if(peers.begin(), peers.end(), [&](RtcPeer* peer) { return peer->state() == state; }));
  }

  const RtcOptions& options_;
  RtcShared shared_;
  Clip clip_;
  RtcLoad load_;
  std::vector<RtcPeer*> publishers_, viewers_;
  PublisherCounts published_;
  ViewerCounts viewed_;
  Totals before_, after_, last_shown_;
  Joining joining_;
};

Result<void, Failure> Run::take_address() {
  if (options_.from.empty()) return {};
  in_addr bytes{};
  if (inet_pton(AF_INET, options_.from.c_str(), &bytes) != 1)
    return refuse("no IPv4 address: " + options_.from);
  shared_.from = IpAddress::from_bytes({reinterpret_cast<const std::uint8_t*>(&bytes), sizeof bytes});
  return {};
}

Result<void, Failure> Run::add_publishers() {
  if (options_.whip_url.empty()) return {};
  PublisherMedia media{.clip = options_.has_video ? &clip_ : nullptr,
                       .has_audio = options_.has_audio,
                       .opus_bytes = static_cast<std::size_t>(options_.audio_kbps) * 1000 / 8 / 50};
  media.opus_bytes = std::clamp(media.opus_bytes, kOpusBytesMin, kOpusBytesMax);
  if (options_.has_video) {
    STOA_TRY(clip_, make_clip(options_.clip));
  }
  for (std::size_t i = 0; i < options_.publishers; ++i) {
    STOA_TRY(RtcTarget target, make_target(options_.whip_url, options_.bearer, i, options_.publishers));
    auto peer = std::make_unique<RtcPublisher>(shared_, std::move(target), static_cast<std::uint32_t>(i),
                                               media, published_);
    publishers_.push_back(peer.get());
    load_.add(std::move(peer));
  }
  return {};
}

Result<void, Failure> Run::add_viewers() {
  if (options_.whep_url.empty()) return {};
  std::size_t channels = publishers_.empty() ? options_.channels : publishers_.size();
  for (std::size_t i = 0; i < options_.viewers; ++i) {
    STOA_TRY(RtcTarget target, make_target(options_.whep_url, options_.bearer, i % channels, channels));
    ViewerWishes wishes{.has_video = options_.has_video,
                        .has_audio = options_.has_audio,
                        .is_checked = options_.check_every > 0 && i % options_.check_every == 0};
    auto peer = std::make_unique<RtcViewer>(shared_, std::move(target), static_cast<std::uint32_t>(i), wishes,
                                            viewed_);
    viewers_.push_back(peer.get());
    load_.add(std::move(peer));
  }
  return {};
}

bool Run::is_everybody_there() const {
  return load_.has_started_all() &&
         std::all_of(publishers_.begin(), publishers_.end(),
                     [](RtcPeer* peer) { return peer->join().first_packet != 0; }) &&
         std::all_of(viewers_.begin(), viewers_.end(),
                     [](RtcPeer* peer) { return peer->join().first_picture != 0; });
}

// Until everybody who was added is there, has failed, or patience is over.
Result<void, Failure> Run::gather() {
  if (load_.size() == 0) return {};
  std::int64_t patience = INT64_MAX, begun = now_ns();
  ProcessUse server = read_process(options_.server_pid);
  double own_cpu = own_cpu_seconds();
  while (!is_everybody_there() && now_ns() < patience && !stop_asked()) {
    run_for(0.02, "joining");
    if (load_.has_started_all() && patience == INT64_MAX)
      patience = now_ns() + to_ns(options_.patience_seconds);
    if (load_.count(RtcPeer::State::kEnded) == load_.size()) break;
  }
  if (load_.count(RtcPeer::State::kConnected) == 0)
    return refuse("nobody was let in: " +
                  (load_.first_failure().empty() ? Failure("no path or no media") : load_.first_failure()));
  joining_ = {.seconds = static_cast<double>(now_ns() - begun) * 1e-9,
              .server_cpu = read_process(options_.server_pid).cpu_seconds - server.cpu_seconds,
              .own_cpu = own_cpu_seconds() - own_cpu};
  // What was published must be known before it can be watched.
  if (viewers_.empty() && !options_.whep_url.empty()) run_for(kSettlingSeconds, "joining");
  return {};
}

void Run::measure() {
  shared_.is_resting = false;
  run_for(options_.warmup_seconds, "warming up");
  shared_.is_measuring = true;
  before_ = totals();
  run_for(options_.seconds, "measuring");
  after_ = totals();
  shared_.is_measuring = false;
}

void Run::run_for(double seconds, const char* what) {
  std::int64_t end = now_ns() + to_ns(seconds);
  while (now_ns() < end && !stop_asked()) {
    load_.run_until(std::min(end, last_shown_.time_ns + kSecond));
    if (now_ns() >= last_shown_.time_ns + kSecond) print_progress(what);
  }
}

Totals Run::totals() const {
  Totals totals;
  totals.server = read_process(options_.server_pid);
  for (RtcPeer* peer : viewers_) {
    auto* viewer = static_cast<RtcViewer*>(peer);
    totals.each.push_back(viewer->video());
    totals.video += totals.each.back();
    totals.audio += viewer->audio();
  }
  totals.sent_packets = published_.packets;
  totals.sent_bytes = published_.bytes;
  return totals;
}

void Run::print_progress(const char* what) {
  Totals now = totals();
  double seconds = static_cast<double>(now.time_ns - last_shown_.time_ns) * 1e-9;
  if (!options_.is_quiet) {
    std::fprintf(stderr, "%-10s", what);
    if (!publishers_.empty())
      std::fprintf(stderr, "  publishers %zu/%zu  sent %.1f Mb/s",
                   count(publishers_, RtcPeer::State::kConnected), publishers_.size(),
                   static_cast<double>(now.sent_bytes - last_shown_.sent_bytes) * 8e-6 / seconds);
    if (!viewers_.empty()) {
      auto bytes = now.video.bytes + now.audio.bytes - last_shown_.video.bytes - last_shown_.audio.bytes;
      auto seen = std::count_if(viewers_.begin(), viewers_.end(),
                                [](RtcPeer* peer) { return peer->join().first_picture != 0; });
      std::fprintf(stderr, "  viewers %zu/%zu  with picture %td  received %.1f Mb/s  loss %.3f %%",
                   count(viewers_, RtcPeer::State::kConnected), viewers_.size(), seen,
                   static_cast<double>(bytes) * 8e-6 / seconds, loss_percent(last_shown_.video, now.video));
      if (!viewed_.frame_ms.empty())
        std::fprintf(stderr, "  latency p50 %.2f ms p99 %.2f ms", viewed_.frame_ms.percentile(0.5),
                     viewed_.frame_ms.percentile(0.99));
    }
    std::fprintf(stderr, "\n");
  }
  last_shown_ = std::move(now);
}

Json Run::join_times(const std::vector<RtcPeer*>& peers, bool has_pictures) const {
  Samples answered, connected, packet, picture;
  auto add_to = [](Samples& samples, std::int64_t ns) {
    if (ns != 0) samples.add(to_ms(ns));
  };
  for (RtcPeer* peer : peers) {
    add_to(answered, peer->join().answered);
    add_to(connected, peer->join().connected);
    add_to(packet, peer->join().first_packet);
    add_to(picture, peer->join().first_picture);
  }
  Json json;
  json.samples("answered_ms", answered).samples("connected_ms", connected);
  json.samples("first_packet_ms", packet);
  if (has_pictures) json.samples("first_picture_ms", picture);
  return json;
}

Json Run::joining_result() const {
  auto joined = static_cast<double>(count(viewers_, RtcPeer::State::kConnected));
  Json json;
  json.number("seconds", joining_.seconds).number("per_second", joined / joining_.seconds);
  json.number("generator_cores", joining_.own_cpu / joining_.seconds);
  if (options_.server_pid > 0) {
    json.number("server_cores", joining_.server_cpu / joining_.seconds);
    if (joining_.server_cpu > 0) json.number("per_server_cpu_second", joined / joining_.server_cpu);
  }
  return json;
}

Json Run::viewer_result() const {
  double seconds = static_cast<double>(after_.time_ns - before_.time_ns) * 1e-9;
  auto viewers = static_cast<double>(viewers_.size());
  const StreamCounts& audio = after_.audio;
  Samples jitter, kbps, loss, frozen;
  std::uint64_t with_freeze = 0;
  for (std::size_t i = 0; i < viewers_.size(); ++i) {
    const StreamCounts &from = before_.each[i], &to = after_.each[i];
    auto* viewer = static_cast<RtcViewer*>(viewers_[i]);
    if (!viewer->has_picture()) continue;
    jitter.add(viewer->jitter_ms(true));
    kbps.add(static_cast<double>(to.bytes - from.bytes) * 8e-3 / seconds);
    loss.add(loss_percent(from, to));
    frozen.add(to_ms(to.frozen_ns - from.frozen_ns));
    with_freeze += to.freezes > from.freezes ? 1 : 0;
  }
  auto packets = after_.video.packets - before_.video.packets + audio.packets - before_.audio.packets;
  auto bytes = after_.video.bytes - before_.video.bytes + audio.bytes - before_.audio.bytes;
  auto with_picture = static_cast<std::uint64_t>(std::count_if(
      viewers_.begin(), viewers_.end(), [](RtcPeer* peer) { return peer->join().first_picture != 0; }));
  Json json;
  json.count("viewers", viewers_.size())
      .count("connected", count(viewers_, RtcPeer::State::kConnected))
      .count("with_picture", with_picture);
  json.object("join", join_times(viewers_, true)).object("joining", joining_result());
  json.number("packets_per_second", static_cast<double>(packets) / seconds)
      .number("mbps", static_cast<double>(bytes) * 8e-6 / seconds)
      .number("kbps_each", static_cast<double>(bytes) * 8e-3 / seconds / std::max(viewers, 1.0));
  json.number("video_loss_percent", loss_percent(before_.video, after_.video))
      .number("audio_loss_percent", loss_percent(before_.audio, after_.audio));
  json.samples("video_loss_percent_of_viewer", loss).samples("video_kbps_of_viewer", kbps);
  json.samples("video_jitter_ms", jitter);
  json.number("frames_per_second_each", static_cast<double>(after_.video.frames - before_.video.frames) /
                                            seconds / std::max(viewers, 1.0))
      .count("broken_frames", after_.video.broken_frames - before_.video.broken_frames)
      .count("freezes", after_.video.freezes - before_.video.freezes)
      .count("viewers_with_freeze", with_freeze)
      .samples("frozen_ms_of_viewer", frozen);
  json.samples("latency_first_packet_ms", viewed_.first_packet_ms)
      .samples("latency_frame_ms", viewed_.frame_ms)
      .samples("latency_audio_ms", viewed_.audio_ms);
  json.count("frames_checked", viewed_.frames_checked)
      .count("frames_corrupt", viewed_.frames_corrupt)
      .count("frames_unstamped", viewed_.frames_unstamped)
      .count("audio_checked", viewed_.audio_checked)
      .count("audio_corrupt", viewed_.audio_corrupt)
      .count("keyframe_requests", viewed_.keyframe_requests);
  return json;
}

Json Run::publisher_result() const {
  double seconds = static_cast<double>(after_.time_ns - before_.time_ns) * 1e-9;
  auto bytes = static_cast<double>(after_.sent_bytes - before_.sent_bytes);
  Json json;
  json.count("publishers", publishers_.size())
      .count("connected", count(publishers_, RtcPeer::State::kConnected));
  json.object("join", join_times(publishers_, false));
  json.number("packets_per_second", static_cast<double>(after_.sent_packets - before_.sent_packets) / seconds)
      .number("kbps_each", bytes * 8e-3 / seconds / static_cast<double>(publishers_.size()));
  json.count("nacked", published_.nacked)
      .count("retransmitted", published_.retransmitted)
      .count("keyframe_requests", published_.keyframe_requests);
  json.samples("round_trip_ms", published_.round_trip_ms).samples("reported_loss", published_.loss);
  json.samples("generator_lateness_ms", published_.lateness_ms);
  return json;
}

Json Run::result() const {
  double seconds = static_cast<double>(after_.time_ns - before_.time_ns) * 1e-9;
  Json json;
  json.number("seconds", seconds);
  if (!publishers_.empty()) json.object("publish", publisher_result());
  if (!viewers_.empty()) json.object("watch", viewer_result());
  if (auto failure = load_.first_failure(); !failure.empty()) json.text("first_failure", failure);
  json.number("generator_cores", (after_.own_cpu - before_.own_cpu) / seconds);
  json.samples("generator_read_lag_ms", shared_.read_lag_ms)
      .count("generator_datagrams_refused", shared_.datagrams_refused)
      .count("generator_datagrams_dropped", shared_.datagrams_dropped);
  if (options_.server_pid > 0) {
    double cpu = after_.server.cpu_seconds - before_.server.cpu_seconds;
    json.number("server_cores", cpu / seconds);
    auto forwarded =
        after_.video.packets - before_.video.packets + after_.audio.packets - before_.audio.packets;
    if (forwarded > 0)
      json.number("server_us_per_forwarded_packet", cpu * 1e6 / static_cast<double>(forwarded));
    json.count("server_rss", after_.server.resident_bytes);
  }
  return json;
}

void Run::print_table() const {
  if (options_.is_quiet) return;
  auto row = [](const char* name, const Samples& samples, const char* unit) {
    if (samples.empty()) return;
    std::fprintf(stderr, "%-30s %10.2f %10.2f %10.2f %10.2f %s\n", name, samples.percentile(0.5),
                 samples.percentile(0.95), samples.percentile(0.99), samples.max(), unit);
  };
  Samples publishing, connected, packet, picture, jitter;
  for (RtcPeer* peer : publishers_)
    if (peer->join().connected != 0) publishing.add(to_ms(peer->join().connected));
  for (RtcPeer* peer : viewers_) {
    const RtcJoin& join = peer->join();
    if (join.connected != 0) connected.add(to_ms(join.connected));
    if (join.first_packet != 0) packet.add(to_ms(join.first_packet));
    if (join.first_picture == 0) continue;
    picture.add(to_ms(join.first_picture));
    jitter.add(static_cast<RtcViewer*>(peer)->jitter_ms(true));
  }
  std::fprintf(stderr, "\n%-30s %10s %10s %10s %10s\n", "", "p50", "p95", "p99", "max");
  row("publisher connected after", publishing, "ms");
  row("viewer connected after", connected, "ms");
  row("first packet after", packet, "ms");
  row("first picture after", picture, "ms");
  row("latency, first packet of frame", viewed_.first_packet_ms, "ms");
  row("latency, whole frame", viewed_.frame_ms, "ms");
  row("latency, audio", viewed_.audio_ms, "ms");
  row("jitter of video", jitter, "ms");
  row("publisher round trip", published_.round_trip_ms, "ms");
  row("this program sends late by", published_.lateness_ms, "ms");
  row("this program reads late by", shared_.read_lag_ms, "ms");
  double seconds = static_cast<double>(after_.time_ns - before_.time_ns) * 1e-9;
  if (!viewers_.empty())
    std::fprintf(stderr,
                 "video loss %.4f %%, %llu freezes, %llu broken frames; %llu frames and %llu audio packets "
                 "checked, %llu corrupt\n",
                 loss_percent(before_.video, after_.video),
                 static_cast<unsigned long long>(after_.video.freezes - before_.video.freezes),
                 static_cast<unsigned long long>(after_.video.broken_frames - before_.video.broken_frames),
                 static_cast<unsigned long long>(viewed_.frames_checked),
                 static_cast<unsigned long long>(viewed_.audio_checked),
                 static_cast<unsigned long long>(viewed_.frames_corrupt + viewed_.audio_corrupt));
  if (shared_.datagrams_dropped > 0)
    std::fprintf(stderr, "this program was too slow for %llu datagrams: what is lost is its own fault\n",
                 static_cast<unsigned long long>(shared_.datagrams_dropped));
  std::fprintf(stderr, "this program: %.2f cores", (after_.own_cpu - before_.own_cpu) / seconds);
  if (options_.server_pid > 0)
    std::fprintf(stderr, "; server: %.2f cores, %.1f MiB",
                 (after_.server.cpu_seconds - before_.server.cpu_seconds) / seconds,
                 static_cast<double>(after_.server.resident_bytes) / (1 << 20));
  std::fprintf(stderr, "\n");
}

}  // namespace

std::string number_text(const std::string& text, std::size_t number, std::size_t count) {
  std::string numbered = text;
  if (auto at = numbered.find("{n}"); at != std::string::npos) {
    numbered.replace(at, 3, std::to_string(number));
  } else if (count > 1) {
    numbered += "-" + std::to_string(number);
  }
  return numbered;
}

Result<Json, Failure> run_rtc(const RtcOptions& options) {
  Run run(options);
  auto begin = [&]() -> Result<void, Failure> {
    if (auto taken = run.take_address(); !taken) return taken;
    if (auto added = run.add_publishers(); !added) return added;
    if (auto there = run.gather(); !there) return there;
    if (auto added = run.add_viewers(); !added) return added;
    return run.gather();
  };
  if (auto begun = begin(); !begun) {
    run.stop();
    return refuse(begun.error());
  }
  run.measure();
  Json json = run.result();
  run.print_table();
  run.stop();
  return json;
}

}  // namespace stoa::bench
