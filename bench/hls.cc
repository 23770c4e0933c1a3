#include "hls.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <string_view>

#include "crowd.h"
#include "playlist.h"

namespace stoa::bench {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kSetupDeadline = 20 * kSecond;
constexpr std::size_t kMaxPlaylist = 4u << 20;

std::int64_t to_ns(double seconds) { return static_cast<std::int64_t>(seconds * 1e9); }
double to_ms(std::int64_t ns) { return static_cast<double>(ns) * 1e-6; }

std::string make_request(const Url& url, const std::string& path, bool wants_gzip) {
  return "GET " + path + " HTTP/1.1\r\nHost: " + url.authority() + "\r\n" +
         (wants_gzip ? "Accept-Encoding: gzip\r\n" : "") + "User-Agent: stoa-bench\r\n\r\n";
}

struct Results {
  Samples playlist_ms, playlist_read_ms, part_ms, part_from_listed_ms;
  std::uint64_t playlists = 0, parts = 0, missed_parts = 0, bad_status = 0, bad_bodies = 0;
};

// Answers "when did this first become available" for the few newest things.
class FirstSeen {
 public:
  // The earliest time given for the key so far.
  std::int64_t note(std::uint64_t key, std::int64_t time_ns) {
    auto [entry, is_new] = times_.try_emplace(key, time_ns);
    if (!is_new) entry->second = std::min(entry->second, time_ns);
    if (times_.size() > kRemembered) times_.erase(times_.begin());
    return entry->second;
  }

 private:
  static constexpr std::size_t kRemembered = 64;
  std::map<std::uint64_t, std::int64_t> times_;
};

class LivePlot : public Plot {
 public:
  LivePlot(const HlsOptions& options, Url url, std::string playlist_path)
      : options_(options), url_(std::move(url)), path_(std::move(playlist_path)), viewers_(options.viewers) {}

  void attach(Crowd& crowd) { crowd_ = &crowd; }
  void start_measuring() { results_ = {}; }
  const Results& results() const { return results_; }
  bool has_ended() const { return has_ended_; }

  bool learn(std::string_view playlist) {
    auto known = understand(playlist, false);
    if (known) newest_ = *known;
    return known != nullptr;
  }

  // Asks again for those whose last answer was no playlist; called a few times a second, so that a server
  // that refuses is not hammered.
  void wake_resting() {
    std::vector<std::size_t> resting = std::exchange(resting_, {});
    for (std::size_t viewer : resting) reload(viewer, newest_);
  }

  void handle_connected(std::size_t viewer) override {
    viewers_[viewer] = {newest_.next_part_ordinal, false};
    reload(viewer, newest_);
  }

  void handle_lost(std::size_t) override {}

  void handle_response(std::size_t viewer, const ResponseReader& response,
                       const Crowd::Times& times) override {
    if (response.status() != 200) {
      ++results_.bad_status;
      resting_.push_back(viewer);
      return;
    }
    if (viewers_[viewer].fetches_part) return handle_part(viewer, times);
    handle_playlist(viewer, response, times);
  }

 private:
  // What a playlist body says, worked out once for all who receive the same bytes.
  struct Known {
    std::size_t hash = 0, size = 0;
    std::uint64_t position = 0;           // Grows with every part.
    std::uint64_t next_part_ordinal = 0;  // One behind the newest part listed.
    std::string request;
  };
  struct Viewer {
    std::uint64_t next_part = 0;  // Ordinal of the part to fetch next.
    bool fetches_part = false;
  };
  struct PartRequest {
    std::string uri, request;
    std::int64_t listed_ns = 0;
  };
  static constexpr std::size_t kKnownBodies = 16, kKnownParts = 64;

  const Known* understand(std::string_view body, bool is_gzip) {
    std::size_t hash = std::hash<std::string_view>()(body);
    for (const Known& known : known_) {
      if (known.hash == hash && known.size == body.size()) return &known;
    }
    std::optional<std::string> plain;
    if (is_gzip) plain = gunzip(body, kMaxPlaylist);
    if (is_gzip && !plain) return nullptr;
    auto edge = find_edge(is_gzip ? *plain : body);
    if (!edge) return nullptr;
    has_ended_ = has_ended_ || edge->has_ended;
    Known known{hash, body.size(), edge->next_msn << 20 | edge->next_part, learn_parts(*edge), {}};
    std::string path = path_ + "?_HLS_msn=" + std::to_string(edge->next_msn);
    if (edge->part_target > 0) path += "&_HLS_part=" + std::to_string(edge->next_part);
    if (options_.uses_delta) path += "&_HLS_skip=YES";
    known.request = make_request(url_, path, options_.wants_gzip);
    if (known_.size() == kKnownBodies) known_.pop_front();
    known_.push_back(std::move(known));
    return &known_.back();
  }

  std::uint64_t learn_parts(const Edge& edge) {
    auto same = [](const std::string& uri) {
      return [&uri](const PartRequest& part) { return part.uri == uri; };
    };
    for (const auto& uri : edge.last_parts) {
      if (std::any_of(parts_.begin(), parts_.end(), same(uri))) continue;
      parts_.push_back({uri, make_request(url_, resolve_path(path_, uri), false), now_ns()});
      if (parts_.size() > kKnownParts) parts_.pop_front(), ++first_ordinal_;
    }
    if (edge.last_parts.empty()) return first_ordinal_ + parts_.size();
    auto newest = std::find_if(parts_.begin(), parts_.end(), same(edge.last_parts.back()));
    return first_ordinal_ + static_cast<std::uint64_t>(newest - parts_.begin()) + 1;
  }

  void reload(std::size_t viewer, const Known& known) {
    viewers_[viewer].fetches_part = false;
    crowd_->ask(viewer, known.request, true);
  }

  void handle_playlist(std::size_t viewer, const ResponseReader& response, const Crowd::Times& times) {
    const Known* known = understand(response.body(), response.is_gzip());
    if (!known || has_ended_) {
      if (!known) ++results_.bad_bodies;
      resting_.push_back(viewer);
      return;
    }
    if (known->position > newest_.position) newest_ = *known;
    ++results_.playlists;
    std::int64_t available = playlist_seen_.note(known->position, times.arrived_ns);
    std::int64_t since = std::max(available, times.sent_ns);
    results_.playlist_ms.add(to_ms(std::max<std::int64_t>(0, times.arrived_ns - since)));
    results_.playlist_read_ms.add(to_ms(times.read_ns - since));
    if (!options_.fetches_parts) return reload(viewer, *known);
    Viewer& state = viewers_[viewer];
    if (state.next_part < first_ordinal_) {
      results_.missed_parts += first_ordinal_ - state.next_part;
      state.next_part = first_ordinal_;
    }
    next_part(viewer);
  }

  // The next part that is listed, or the next reload when all have been fetched.
  void next_part(std::size_t viewer) {
    Viewer& state = viewers_[viewer];
    std::uint64_t end = first_ordinal_ + parts_.size();
    if (state.next_part >= end || state.next_part < first_ordinal_) return reload(viewer, newest_);
    state.fetches_part = true;
    crowd_->ask(viewer, parts_[state.next_part - first_ordinal_].request, false);
  }

  void handle_part(std::size_t viewer, const Crowd::Times& times) {
    Viewer& state = viewers_[viewer];
    ++results_.parts;
    results_.part_ms.add(to_ms(times.read_ns - times.sent_ns));
    if (state.next_part >= first_ordinal_) {
      std::int64_t listed = parts_[state.next_part - first_ordinal_].listed_ns;
      results_.part_from_listed_ms.add(to_ms(times.read_ns - listed));
    }
    ++state.next_part;
    next_part(viewer);
  }

  const HlsOptions& options_;
  Url url_;
  std::string path_;
  Crowd* crowd_ = nullptr;
  std::vector<Viewer> viewers_;
  std::deque<Known> known_;
  Known newest_;
  std::vector<std::size_t> resting_;
  std::deque<PartRequest> parts_;
  std::uint64_t first_ordinal_ = 0;
  FirstSeen playlist_seen_;
  bool has_ended_ = false;
  Results results_;
};

class StaticPlot : public Plot {
 public:
  StaticPlot(const StaticOptions& options, const Url& url) : viewers_(options.viewers) {
    playlist_ = make_request(url, url.path, options.wants_gzip);
    for (const auto& part : options.part_urls) {
      auto slash = part.find('/', part.find("://") + 3);
      parts_.push_back(make_request(url, part.substr(slash), false));
    }
  }

  void attach(Crowd& crowd) { crowd_ = &crowd; }
  void start_measuring() { results_ = {}; }
  const Results& results() const { return results_; }

  // One part period begins: who is idle asks. Who is not has fallen behind, as a viewer would.
  void tick() {
    ++period_;
    for (std::size_t i = 0; i < viewers_.size(); ++i) {
      if (viewers_[i] == State::kIdle) {
        viewers_[i] = State::kPlaylist;
        crowd_->ask(i, playlist_, true);
      } else if (viewers_[i] != State::kAway) {
        ++results_.missed_parts;
      }
    }
  }

  void handle_connected(std::size_t viewer) override { viewers_[viewer] = State::kIdle; }
  void handle_lost(std::size_t viewer) override { viewers_[viewer] = State::kAway; }
  void handle_response(std::size_t viewer, const ResponseReader& response,
                       const Crowd::Times& times) override {
    if (response.status() != 200) ++results_.bad_status;
    double ms = to_ms(times.read_ns - times.sent_ns);
    if (viewers_[viewer] == State::kPlaylist && !parts_.empty()) {
      ++results_.playlists;
      results_.playlist_ms.add(ms);
      viewers_[viewer] = State::kPart;
      return crowd_->ask(viewer, parts_[period_ % parts_.size()], false);
    }
    if (viewers_[viewer] == State::kPart) {
      ++results_.parts;
      results_.part_ms.add(ms);
    } else {
      ++results_.playlists;
      results_.playlist_ms.add(ms);
    }
    viewers_[viewer] = State::kIdle;
  }

 private:
  enum class State : std::uint8_t { kAway, kIdle, kPlaylist, kPart };
  Crowd* crowd_ = nullptr;
  std::vector<State> viewers_;
  std::string playlist_;
  std::vector<std::string> parts_;
  std::uint64_t period_ = 0;
  Results results_;
};

struct Use {
  std::int64_t time_ns = now_ns();
  double own_cpu = own_cpu_seconds();
  ProcessUse server;
  Crowd::Counters counters;
};

Use read_use(const Crowd& crowd, int pid) {
  Use use;
  if (pid > 0) use.server = read_process(pid);
  use.counters = crowd.counters();
  return use;
}

Json report(const Results& results, const Use& start, const Use& end, std::size_t viewers,
            std::uint64_t idle_rss, std::uint64_t median_rss, bool has_server) {
  double seconds = static_cast<double>(end.time_ns - start.time_ns) * 1e-9;
  auto responses = end.counters.responses - start.counters.responses;
  auto errors = end.counters.errors() - start.counters.errors() + results.bad_status + results.bad_bodies;
  Json json;
  json.count("viewers", viewers).number("seconds", seconds).count("responses", responses);
  json.count("playlists", results.playlists)
      .count("parts", results.parts)
      .count("missed_parts", results.missed_parts);
  json.count("errors", errors).count("connect_errors_total", end.counters.connect_errors);
  json.count("lost_connections_total", end.counters.lost_connections).count("bad_status", results.bad_status);
  json.number("megabytes_per_second",
              static_cast<double>(end.counters.bytes - start.counters.bytes) / seconds / 1e6);
  json.samples("playlist_ms", results.playlist_ms);
  if (!results.playlist_read_ms.empty()) json.samples("playlist_read_ms", results.playlist_read_ms);
  if (!results.part_ms.empty()) json.samples("part_ms", results.part_ms);
  if (!results.part_from_listed_ms.empty()) json.samples("part_from_listed_ms", results.part_from_listed_ms);
  json.number("generator_cores", (end.own_cpu - start.own_cpu) / seconds);
  if (!has_server) return json;
  double cpu = end.server.cpu_seconds - start.server.cpu_seconds;
  json.number("server_cpu_seconds", cpu).number("server_cores", cpu / seconds);
  if (responses > 0)
    json.number("server_cpu_seconds_per_million_requests", cpu * 1e6 / static_cast<double>(responses));
  if (cpu > 0) json.number("viewers_per_core", static_cast<double>(viewers) * seconds / cpu);
  json.count("server_rss_before", idle_rss).count("server_rss_waiting", median_rss);
  double grown = static_cast<double>(median_rss) - static_cast<double>(idle_rss);
  json.number("server_bytes_per_viewer", grown / static_cast<double>(std::max<std::size_t>(viewers, 1)));
  return json;
}

// Connects everybody, warms up, measures. `step` runs the crowd up to the given time.
template <typename AnyPlot, typename Step>
Result<Json, Failure> measure(Crowd& crowd, AnyPlot& plot, int pid, double warmup, double length,
                              std::size_t rate, Step step) {
  std::uint64_t idle_rss = pid > 0 ? read_process(pid).resident_bytes : 0;
  std::int64_t connect_deadline =
      now_ns() + 3 * kSecond * static_cast<std::int64_t>(crowd.size() / std::max<std::size_t>(rate, 1) + 1) +
      kSetupDeadline;
  while (crowd.connected() < crowd.size() && !stop_asked()) {
    if (now_ns() > connect_deadline) {
      return refuse("only " + std::to_string(crowd.connected()) + " of " + std::to_string(crowd.size()) +
                    " viewers could connect");
    }
    step(now_ns() + kSecond / 20);
  }
  step(now_ns() + to_ns(warmup));
  plot.start_measuring();
  Use start = read_use(crowd, pid);
  std::vector<std::uint64_t> rss;
  std::int64_t end_ns = start.time_ns + to_ns(length);
  while (now_ns() < end_ns && !stop_asked()) {
    step(std::min(end_ns, now_ns() + kSecond / 2));
    if (pid > 0) rss.push_back(read_process(pid).resident_bytes);
  }
  Use end = read_use(crowd, pid);
  std::sort(rss.begin(), rss.end());
  return report(plot.results(), start, end, crowd.size(), idle_rss, rss.empty() ? 0 : rss[rss.size() / 2],
                pid > 0);
}

}  // namespace

Result<Json, Failure> run_hls(const HlsOptions& options) {
  STOA_TRY(Url url, parse_url(options.url));
  STOA_TRY(Address address, find_address(url.host, url.port));
  std::int64_t deadline = now_ns() + kSetupDeadline;
  std::string path = url.path;
  STOA_TRY(Fetched first, fetch(url, path, deadline));
  if (first.status != 200) return refuse(path + " answers " + std::to_string(first.status));
  if (auto renditions = find_renditions(first.body); !renditions.empty()) {
    path = resolve_path(path, renditions[0]);
    STOA_TRY(Fetched media, fetch(url, path, deadline));
    first = std::move(media);
  }
  LivePlot plot(options, url, path);
  if (first.status != 200 || !plot.learn(first.body)) return refuse(path + " is no media playlist");
  Crowd crowd(address, options.viewers, options.connects_per_second, plot);
  plot.attach(crowd);
  STOA_TRY(Json json, measure(crowd, plot, options.server_pid, options.warmup_seconds, options.seconds,
                              options.connects_per_second, [&](std::int64_t until) {
                                plot.wake_resting();
                                crowd.run_until(until);
                              }));
  json.boolean("ended", plot.has_ended()).text("playlist", path);
  return json;
}

Result<Json, Failure> run_static(const StaticOptions& options) {
  STOA_TRY(Url url, parse_url(options.playlist_url));
  STOA_TRY(Address address, find_address(url.host, url.port));
  if (options.period_seconds <= 0) return refuse(Failure("the period must be above 0"));
  StaticPlot plot(options, url);
  Crowd crowd(address, options.viewers, options.connects_per_second, plot);
  plot.attach(crowd);
  std::int64_t period = to_ns(options.period_seconds), next_tick = now_ns() + period;
  auto step = [&](std::int64_t until) {
    while (now_ns() < until && !stop_asked()) {
      crowd.run_until(std::min(until, next_tick));
      if (now_ns() < next_tick) continue;
      plot.tick();
      next_tick += period;
    }
  };
  return measure(crowd, plot, options.server_pid, options.warmup_seconds, options.seconds,
                 options.connects_per_second, step);
}

}  // namespace stoa::bench
