#include "rooms.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdio>

#include "rooms_load.h"

namespace stoa::bench {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::size_t kFailuresNamed = 16;

std::int64_t to_ns(double seconds) { return static_cast<std::int64_t>(seconds * 1e9); }
double to_ms(std::int64_t ns) { return static_cast<double>(ns) * 1e-6; }
double to_double(std::uint64_t count) { return static_cast<double>(count); }

// What has been counted so far.
struct Totals {
  std::int64_t time_ns = now_ns();
  double own_cpu = own_cpu_seconds();
  ProcessUse server;
  StreamCounts video, audio;
  std::uint64_t sent_video = 0, sent_audio = 0, sent_bytes = 0;
};

double loss_percent(const StreamCounts& from, const StreamCounts& to) {
  auto expected = static_cast<double>(to.expected - from.expected);
  auto received = static_cast<double>(to.received - from.received);
  return expected > 0 ? std::max(0.0, 100 * (expected - received) / expected) : 0;
}

class Run {
 public:
  explicit Run(const RoomsOptions& options) : options_(options), load_(shared_, options.joins_per_second) {}

  Result<void, Failure> prepare();
  Result<void, Failure> gather();
  void measure();
  Json result();
  void print_table() const;
  void stop() { load_.stop(); }

 private:
  Result<void, Failure> find_own_side();
  Result<std::vector<RoomsClip>, Failure> make_clips() const;
  void seat_everybody();
  Totals totals() const;
  void run_for(double seconds, const char* what);
  void print_progress(const char* what);
  Json join_result() const;
  Json received_result() const;
  Json sent_result() const;
  std::size_t publishers() const { return options_.publishers + options_.members; }
  double seconds() const { return static_cast<double>(after_.time_ns - before_.time_ns) * 1e-9; }
  double frames_expected() const;

  const RoomsOptions& options_;
  RoomsShared shared_;
  RoomsLoad load_;
  ProcessUse idle_;  // The server before anybody came.
  Totals before_, after_, last_shown_;
  double joining_seconds_ = 0, joining_own_cpu_ = 0;
  ProcessUse joining_server_;  // Used meanwhile.
};

Result<void, Failure> Run::find_own_side() {
  STOA_TRY(shared_.url, parse_url(options_.url));
  if (shared_.url.scheme != "ws" && shared_.url.scheme != "http")
    return refuse("only ws:// is understood, not " + shared_.url.scheme + "://");
  STOA_TRY(shared_.address, find_address(shared_.url.host, shared_.url.port));
  std::optional<IpAddress> own = find_own_address(shared_.address);
  if (!options_.from.empty()) {
    in_addr bytes{};
    if (inet_pton(AF_INET, options_.from.c_str(), &bytes) != 1)
      return refuse("no IPv4 address: " + options_.from);
    own = IpAddress::from_bytes({reinterpret_cast<const std::uint8_t*>(&bytes), sizeof bytes});
  }
  if (!own) return refuse("there is no route to " + shared_.url.host);
  shared_.own = *own;
  return {};
}

Result<std::vector<RoomsClip>, Failure> Run::make_clips() const {
  std::vector<RoomsClip> clips;
  if (options_.video == RoomsVideo::kNone || publishers() == 0) return clips;
  std::vector<RoomsLayer> layers = simulcast_layers();
  if (options_.video == RoomsVideo::kSingle)
    layers = {{.rid = "f", .width = 1280, .height = 720, .kbps = options_.video_kbps}};
  auto encoding = options_.is_vp8 ? payload::Encoding::kVp8 : payload::Encoding::kH264;
  for (const RoomsLayer& layer : layers) {
    STOA_TRY(RoomsClip clip,
             make_rooms_clip(layer, encoding, options_.frames_per_second, options_.keyframe_seconds));
    clips.push_back(std::move(clip));
  }
  return clips;
}

Result<void, Failure> Run::prepare() {
  if (auto found = find_own_side(); !found) return found;
  STOA_TRY(std::vector<RoomsClip> clips, make_clips());
  auto encoding = options_.is_vp8 ? payload::Encoding::kVp8 : payload::Encoding::kH264;
  shared_.media = make_rooms_media(std::move(clips), encoding, options_.has_audio, options_.audio_kbps,
                                   options_.has_feedback);
  shared_.api_key = options_.api_key;
  shared_.api_secret = options_.api_secret;
  shared_.layout = options_.layout;
  idle_ = read_process(options_.server_pid);
  seat_everybody();
  return {};
}

// Those who publish come first, room by room.
void Run::seat_everybody() {
  std::string run = std::to_string(unix_ms() % 1'000'000'000);
  std::size_t watchers = 0;
  auto add = [&](std::size_t room, std::size_t number, bool is_publishing, bool is_watching) {
    bool is_checked = is_watching && options_.check_every > 0 && watchers % options_.check_every == 0;
    watchers += is_watching ? 1 : 0;
    load_.add({.room = options_.name + "-" + std::to_string(room) + "-" + run,
               .number = number,
               .publishers = shared_.media.layers.empty() && !shared_.media.has_audio ? 0 : publishers(),
               .is_publishing = is_publishing && (shared_.media.has_audio || !shared_.media.layers.empty()),
               .is_watching = is_watching,
               .is_checked = is_checked});
  };
  for (std::size_t room = 0; room < options_.rooms; ++room)
    for (std::size_t i = 0; i < publishers(); ++i) add(room, i, true, i >= options_.publishers);
  for (std::size_t room = 0; room < options_.rooms; ++room)
    for (std::size_t i = 0; i < options_.subscribers; ++i) add(room, publishers() + i, false, true);
}

// Until everybody is there, has failed, or patience is over.
Result<void, Failure> Run::gather() {
  std::int64_t patience = INT64_MAX, begun = now_ns();
  double own_cpu = own_cpu_seconds();
  ProcessUse server = read_process(options_.server_pid);
  auto is_settled = [](const auto& one) {
    return one->is_there() || one->state() == RoomsClient::State::kEnded;
  };
  while (now_ns() < patience && !stop_asked()) {
    run_for(0.02, "joining");
    if (!load_.has_started_all()) continue;
    if (patience == INT64_MAX) patience = now_ns() + to_ns(options_.patience_seconds);
    if (std::all_of(load_.clients().begin(), load_.clients().end(), is_settled)) break;
  }
  joining_seconds_ = static_cast<double>(now_ns() - begun) * 1e-9;
  joining_own_cpu_ = own_cpu_seconds() - own_cpu;
  joining_server_ = read_process(options_.server_pid);
  joining_server_.cpu_seconds -= server.cpu_seconds;
  joining_server_.waiting_seconds -= server.waiting_seconds;
  if (load_.count(RoomsClient::State::kConnected) > 0) return {};
  auto failures = load_.failures();
  return refuse("nobody was let in: " + (failures.empty() ? Failure("no path") : failures.begin()->first));
}

void Run::measure() {
  run_for(options_.warmup_seconds, "warming up");
  shared_.rtc.is_measuring = true;
  before_ = totals();
  run_for(options_.seconds, "measuring");
  after_ = totals();
  for (const auto& client : load_.clients())
    if (client->state() == RoomsClient::State::kConnected)
      client->watcher().finish(after_.time_ns, before_.time_ns);
  shared_.rtc.is_measuring = false;
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
  for (const auto& client : load_.clients()) {
    totals.video += client->watcher().video();
    totals.audio += client->watcher().audio();
  }
  totals.sent_video = shared_.sent.video_packets;
  totals.sent_audio = shared_.sent.audio_packets;
  totals.sent_bytes = shared_.sent.bytes;
  return totals;
}

void Run::print_progress(const char* what) {
  Totals now = totals();
  double seconds = static_cast<double>(now.time_ns - last_shown_.time_ns) * 1e-9;
  if (!options_.is_quiet) {
    auto there = std::count_if(load_.clients().begin(), load_.clients().end(),
                               [](const auto& one) { return one->is_there(); });
    auto bytes = now.video.bytes + now.audio.bytes - last_shown_.video.bytes - last_shown_.audio.bytes;
    std::fprintf(stderr, "%-10s  connected %zu/%zu  with all media %td  sent %.1f Mb/s  received %.1f Mb/s",
                 what, load_.count(RoomsClient::State::kConnected), load_.clients().size(), there,
                 to_double(now.sent_bytes - last_shown_.sent_bytes) * 8e-6 / seconds,
                 to_double(bytes) * 8e-6 / seconds);
    if (auto failed = load_.count(RoomsClient::State::kEnded); failed > 0)
      std::fprintf(stderr, "  failed %zu", failed);
    const Samples& latency =
        shared_.watched.video_ms.empty() ? shared_.watched.audio_ms : shared_.watched.video_ms;
    if (!latency.empty())
      std::fprintf(stderr, "  latency p50 %.2f ms p95 %.2f ms", latency.percentile(0.5),
                   latency.percentile(0.95));
    std::fprintf(stderr, "\n");
  }
  last_shown_ = now;
}

Json Run::join_result() const {
  Samples signalled, connected, packet;
  std::size_t succeeded = 0;
  for (const auto& client : load_.clients()) {
    const RoomsJoin& join = client->join();
    if (join.signalled != 0) signalled.add(to_ms(join.signalled));
    if (join.first_packet != 0 && client->seat().is_watching) packet.add(to_ms(join.first_packet));
    if (join.connected == 0) continue;
    connected.add(to_ms(join.connected));
    ++succeeded;
  }
  Json reasons;
  std::size_t named = 0;
  for (const auto& [reason, count] : load_.failures())
    if (named++ < kFailuresNamed) reasons.count(reason, count);
  Json json;
  json.count("wanted", load_.clients().size())
      .count("succeeded", succeeded)
      .count("failed", load_.clients().size() - succeeded)
      .count("ended", load_.count(RoomsClient::State::kEnded))
      .object("reasons", reasons);
  json.samples("signalled_ms", signalled)
      .samples("connected_ms", connected)
      .samples("first_packet_ms", packet);
  json.number("seconds", joining_seconds_).number("per_second", to_double(succeeded) / joining_seconds_);
  json.number("generator_cores", joining_own_cpu_ / joining_seconds_);
  if (options_.server_pid > 0) {
    json.number("server_cores", joining_server_.cpu_seconds / joining_seconds_)
        .number("server_waiting_cores", joining_server_.waiting_seconds / joining_seconds_);
    if (joining_server_.cpu_seconds > 0)
      json.number("per_server_cpu_second", to_double(succeeded) / joining_server_.cpu_seconds);
  }
  return json;
}

// Every layer of a video has the same frame rate, so this holds whatever layers are sent.
double Run::frames_expected() const {
  std::size_t videos = 0;
  for (const auto& client : load_.clients()) videos += client->videos_wanted();
  return to_double(videos) * options_.frames_per_second * seconds();
}

Json Run::received_result() const {
  const StreamCounts &video = after_.video, &audio = after_.audio;
  auto bytes = video.bytes - before_.video.bytes + audio.bytes - before_.audio.bytes;
  auto packets = video.packets - before_.video.packets + audio.packets - before_.audio.packets;
  std::size_t videos = 0, audios = 0, alive = 0;
  for (const auto& client : load_.clients()) {
    videos += client->videos_wanted();
    audios += client->audios_wanted();
    alive += client->watcher().videos_alive(after_.time_ns);
  }
  Json json;
  json.count("videos_wanted", videos).count("videos_alive", alive).count("audios_wanted", audios);
  json.count("packets", packets)
      .number("packets_per_second", to_double(packets) / seconds())
      .number("mbps", to_double(bytes) * 8e-6 / seconds());
  // Expected, of video: whole frames of those sent. Of sound: packets of those sent.
  double audio_expected = to_double(audios) * 50 * seconds();
  auto frames = to_double(video.frames - before_.video.frames);
  auto audio_packets = to_double(audio.packets - before_.audio.packets);
  if (videos > 0)
    json.number("frames_expected", frames_expected())
        .number("frames_of_expected", frames / frames_expected())
        .number("video_mbps", to_double(video.bytes - before_.video.bytes) * 8e-6 / seconds());
  if (audios > 0)
    json.number("audio_packets_expected", audio_expected)
        .number("audio_packets_of_expected", audio_packets / audio_expected);
  json.number("video_loss_percent", loss_percent(before_.video, video))
      .number("audio_loss_percent", loss_percent(before_.audio, audio))
      .count("broken_frames", video.broken_frames - before_.video.broken_frames);
  json.count("freezes", shared_.watched.freezes)
      .number("frozen_ms", shared_.watched.frozen_ms)
      .number("longest_freeze_ms", shared_.watched.longest_ms);
  json.samples("latency_video_ms", shared_.watched.video_ms)
      .samples("latency_audio_ms", shared_.watched.audio_ms)
      .count("audio_corrupt", shared_.watched.audio_corrupt);
  json.count("offers", shared_.offers)
      .count("subscriptions_refused", shared_.subscriptions_refused)
      .count("requests_refused", shared_.requests_refused);
  return json;
}

Json Run::sent_result() const {
  Json json;
  json.number("video_packets_per_second", to_double(after_.sent_video - before_.sent_video) / seconds())
      .number("audio_packets_per_second", to_double(after_.sent_audio - before_.sent_audio) / seconds())
      .number("mbps", to_double(after_.sent_bytes - before_.sent_bytes) * 8e-6 / seconds())
      .count("keyframe_requests", shared_.sent.keyframe_requests)
      .samples("generator_lateness_ms", shared_.sent.lateness_ms);
  return json;
}

Json Run::result() {
  Json json;
  json.count("rooms", options_.rooms)
      .count("publishers", options_.publishers)
      .count("subscribers", options_.subscribers)
      .count("members", options_.members)
      .number("seconds", seconds());
  json.object("join", join_result());
  if (publishers() > 0) json.object("sent", sent_result()).object("received", received_result());
  json.number("generator_cores", (after_.own_cpu - before_.own_cpu) / seconds());
  json.samples("generator_read_lag_ms", shared_.rtc.read_lag_ms)
      .count("generator_datagrams_refused", shared_.rtc.datagrams_refused)
      .count("generator_datagrams_dropped", shared_.rtc.datagrams_dropped);
  if (options_.server_pid <= 0) return json;
  double cpu = after_.server.cpu_seconds - before_.server.cpu_seconds;
  auto packets = after_.video.packets - before_.video.packets + after_.audio.packets - before_.audio.packets;
  auto connected = load_.count(RoomsClient::State::kConnected);
  auto grown = to_double(after_.server.resident_bytes) - to_double(idle_.resident_bytes);
  double waited = after_.server.waiting_seconds - before_.server.waiting_seconds;
  // The more it waited for a CPU, the less the rest says of it.
  json.number("server_cores", cpu / seconds()).number("server_waiting_cores", waited / seconds());
  if (packets > 0) json.number("server_us_per_forwarded_packet", cpu * 1e6 / to_double(packets));
  json.count("server_rss_before", idle_.resident_bytes).count("server_rss", after_.server.resident_bytes);
  if (connected > 0) json.number("server_bytes_per_participant", grown / to_double(connected));
  return json;
}

void Run::print_table() const {
  if (options_.is_quiet) return;
  auto row = [](const char* name, const Samples& samples) {
    if (samples.empty()) return;
    std::fprintf(stderr, "%-30s %10.2f %10.2f %10.2f %10.2f ms\n", name, samples.percentile(0.5),
                 samples.percentile(0.95), samples.percentile(0.99), samples.max());
  };
  Samples connected, packet;
  for (const auto& client : load_.clients()) {
    if (client->join().connected != 0) connected.add(to_ms(client->join().connected));
    if (client->join().first_packet != 0) packet.add(to_ms(client->join().first_packet));
  }
  std::fprintf(stderr, "\n%-30s %10s %10s %10s %10s\n", "", "p50", "p95", "p99", "max");
  row("connected after", connected);
  row("first packet after", packet);
  row("latency, whole frame", shared_.watched.video_ms);
  row("latency, audio", shared_.watched.audio_ms);
  row("this program sends late by", shared_.sent.lateness_ms);
  row("this program reads late by", shared_.rtc.read_lag_ms);
  std::fprintf(stderr, "joined %llu of %zu; ", static_cast<unsigned long long>(connected.count()),
               load_.clients().size());
  std::fprintf(stderr, "video loss %.4f %%, %llu freezes; audio loss %.4f %%\n",
               loss_percent(before_.video, after_.video),
               static_cast<unsigned long long>(shared_.watched.freezes),
               loss_percent(before_.audio, after_.audio));
  for (const auto& [reason, count] : load_.failures())
    std::fprintf(stderr, "%zu times: %s\n", count, reason.c_str());
  if (shared_.rtc.datagrams_dropped > 0)
    std::fprintf(stderr, "this program was too slow for %llu datagrams: what is lost is its own fault\n",
                 static_cast<unsigned long long>(shared_.rtc.datagrams_dropped));
  std::fprintf(stderr, "this program: %.2f cores", (after_.own_cpu - before_.own_cpu) / seconds());
  if (options_.server_pid > 0)
    std::fprintf(stderr, "; server: %.2f cores, %.1f MiB",
                 (after_.server.cpu_seconds - before_.server.cpu_seconds) / seconds(),
                 to_double(after_.server.resident_bytes) / (1 << 20));
  std::fprintf(stderr, "\n");
}

}  // namespace

Result<Json, Failure> run_rooms(const RoomsOptions& options) {
  Run run(options);
  if (auto prepared = run.prepare(); !prepared) return refuse(prepared.error());
  if (auto there = run.gather(); !there) {
    run.stop();
    return refuse(there.error());
  }
  run.measure();
  Json json = run.result();
  run.print_table();
  run.stop();
  return json;
}

}  // namespace stoa::bench
