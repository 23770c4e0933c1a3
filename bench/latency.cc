#include "latency.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string_view>

#include "crowd.h"
#include "flv.h"
#include "fragment.h"
#include "playlist.h"
#include "rtmp_publisher.h"

namespace stoa::bench {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000, kMillisecond = 1'000'000;
constexpr std::int64_t kStartPatience = 20 * kSecond, kRetry = 100 * kMillisecond;
// Samples are recognised by their last bytes, since a server may take parameter sets from their front.
constexpr std::size_t kTailBytes = 24;

double to_ms(std::int64_t ns) { return static_cast<double>(ns) * 1e-6; }

std::size_t tail_of(Bytes sample) {
  return std::hash<std::string_view>()(as_text(sample.last(std::min(kTailBytes, sample.size()))));
}

// When each sample of the last rounds was written.
class SentSamples {
 public:
  void note(const FlvTag& tag, std::int64_t time_ns) {
    if (tag.kind == FlvTag::Kind::kScript || tag.is_config) return;
    sent_.push_back({tail_of(tag.body), time_ns});
    if (sent_.size() > kRemembered) sent_.pop_front();
  }
  // The latest write before `arrived_ns` of a sample with this tail.
  std::optional<std::int64_t> find(Bytes sample, std::int64_t arrived_ns) const {
    std::size_t tail = tail_of(sample);
    for (auto one = sent_.rbegin(); one != sent_.rend(); ++one) {
      if (one->tail == tail && one->time_ns <= arrived_ns) return one->time_ns;
    }
    return std::nullopt;
  }
  // The latest write of anything before `arrived_ns`: what made the server act at the latest.
  std::int64_t latest_before(std::int64_t arrived_ns) const {
    for (auto one = sent_.rbegin(); one != sent_.rend(); ++one) {
      if (one->time_ns <= arrived_ns) return one->time_ns;
    }
    return arrived_ns;
  }

 private:
  struct Sent {
    std::size_t tail = 0;
    std::int64_t time_ns = 0;
  };
  static constexpr std::size_t kRemembered = 4096;
  std::deque<Sent> sent_;
};

// Viewer 0 reloads the playlist, viewer 1 asks for the hinted part.
class Probe : public Plot {
 public:
  Probe(Url url, std::string path, const Edge& edge, const SentSamples& sent)
      : url_(std::move(url)), path_(std::move(path)), sent_(sent), edge_(edge) {}
  void attach(Crowd& crowd) { crowd_ = &crowd; }

  void handle_connected(std::size_t viewer) override { viewer == kReloader ? reload() : ask_hint(); }
  void handle_lost(std::size_t viewer) override {  // Counted by the crowd.
    if (viewer == kPartTaker) asked_part_.clear();
  }

  void handle_response(std::size_t viewer, const ResponseReader& response,
                       const Crowd::Times& times) override {
    if (viewer == kReloader) {
      auto edge = response.status() == 200 ? find_edge(response.body()) : std::nullopt;
      if (!edge) {
        ++errors;
        return;  // Nothing more is learned; the run ends with an error in its result.
      }
      edge_ = *edge;
      if (!edge_.last_parts.empty()) note(edge_.last_parts.back()).listed_ns = times.arrived_ns;
      settle();
      if (!edge_.has_ended) reload();
      if (asked_part_.empty()) ask_hint();
      return;
    }
    std::string part = std::exchange(asked_part_, {});
    auto fragment = response.status() == 200 ? parse_fragment(as_bytes(response.body())) : std::nullopt;
    auto written = fragment ? sent_.find(fragment->last_sample, times.arrived_ns) : std::nullopt;
    if (!fragment) ++errors;
    if (fragment && !written) ++unmatched;
    if (written) {
      // A hint asked for too late would measure this program, not the server.
      if (times.sent_ns < *written) {
        part_ms.add(to_ms(times.arrived_ns - *written));
        part_after_input_ms.add(to_ms(times.arrived_ns - sent_.latest_before(times.arrived_ns)));
        part_read_ms.add(to_ms(times.read_ns - *written));
      }
      note(part).written_ns = *written;
      settle();
    }
    ask_hint();
  }

  Samples part_ms, part_after_input_ms, part_read_ms, playlist_ms;
  std::uint64_t errors = 0, unmatched = 0;

 private:
  struct Known {
    std::int64_t listed_ns = 0, written_ns = 0;
  };
  static constexpr std::size_t kReloader = 0, kPartTaker = 1, kRemembered = 32;

  Known& note(const std::string& part) {
    for (auto& [uri, known] : parts_) {
      if (uri == part) return known;
    }
    if (parts_.size() == kRemembered) parts_.pop_front();
    parts_.push_back({part, {}});
    return parts_.back().second;
  }
  void settle() {
    for (auto& [uri, known] : parts_) {
      if (known.listed_ns == 0 || known.written_ns == 0) continue;
      playlist_ms.add(to_ms(known.listed_ns - known.written_ns));
      known.written_ns = 0;
    }
  }
  std::string request(const std::string& path) const {
    return "GET " + path + " HTTP/1.1\r\nHost: " + url_.authority() + "\r\n\r\n";
  }
  void reload() {
    crowd_->ask(kReloader,
                request(path_ + "?_HLS_msn=" + std::to_string(edge_.next_msn) +
                        "&_HLS_part=" + std::to_string(edge_.next_part)),
                true);
  }
  void ask_hint() {
    // The playlist that names the next hint may come after the part itself.
    if (edge_.hinted_part.empty() || edge_.hinted_part == last_hint_) return;
    asked_part_ = last_hint_ = edge_.hinted_part;
    crowd_->ask(kPartTaker, request(resolve_path(path_, asked_part_)), true);
  }

  Url url_;
  std::string path_;
  const SentSamples& sent_;
  Edge edge_;
  Crowd* crowd_ = nullptr;
  std::string asked_part_, last_hint_;
  std::deque<std::pair<std::string, Known>> parts_;
};

// Publishes from the calling thread while the crowd's events are handled.
class Stage {
 public:
  Stage(const Url& url, const FlvFile& file) : publisher_(url, file) {}
  Result<void, Failure> start(const Address& address) {
    auto started = publisher_.start(address);
    if (started) poller_.add(publisher_.fd(), EPOLLIN, 0);
    return started;
  }
  void pump() {
    using State = RtmpPublisher::State;
    if (publisher_.state() == State::kConnecting || publisher_.has_unsent()) publisher_.handle_writable();
    if (publisher_.state() != State::kFailed && publisher_.state() != State::kConnecting)
      publisher_.handle_readable();
    while (const FlvTag* tag = publisher_.send_due(now_ns())) {
      if (!publisher_.has_unsent()) sent.note(*tag, now_ns());
    }
  }
  // Waits without a crowd.
  void pump_until(std::int64_t deadline) {
    while (now_ns() < deadline && !stop_asked()) {
      pump();
      if (publisher_.state() == RtmpPublisher::State::kFailed) return;
      poller_.wait_until(std::min({deadline, publisher_.next_due_ns(), now_ns() + 5 * kMillisecond}));
    }
  }
  const RtmpPublisher& publisher() const { return publisher_; }
  SentSamples sent;

 private:
  RtmpPublisher publisher_;
  Poller poller_;
};

}  // namespace

Result<Json, Failure> run_latency(const LatencyOptions& options) {
  STOA_TRY(Url rtmp, parse_url(options.rtmp_url));
  STOA_TRY(Address ingest, find_address(rtmp.host, rtmp.port));
  STOA_TRY(Url url, parse_url(options.playlist_url));
  STOA_TRY(Address address, find_address(url.host, url.port));
  STOA_TRY(FlvFile file, read_flv(options.flv_path));
  Stage stage(rtmp, file);
  if (auto started = stage.start(ingest); !started) return refuse(started.error());
  // The channel's playlist is there as soon as it has three parts.
  std::string path;
  std::optional<Edge> edge;
  std::int64_t patience = now_ns() + kStartPatience;
  while (!edge) {
    stage.pump_until(now_ns() + kRetry);
    if (stage.publisher().state() == RtmpPublisher::State::kFailed)
      return refuse(stage.publisher().failure());
    if (now_ns() > patience || stop_asked()) return refuse(Failure("the channel's playlist does not appear"));
    auto multivariant = fetch(url, url.path, now_ns() + kRetry);
    if (!multivariant || multivariant->status != 200) continue;
    auto renditions = find_renditions(multivariant->body);
    if (renditions.size() <= options.rendition) return refuse(Failure("the channel has no such rendition"));
    path = resolve_path(url.path, renditions[options.rendition]);
    auto media = fetch(url, path, now_ns() + kRetry);
    if (media && media->status == 200) edge = find_edge(media->body);
  }
  Probe probe(url, path, *edge, stage.sent);
  Crowd crowd(address, 2, 1000, probe);
  probe.attach(crowd);
  std::int64_t end = now_ns() + static_cast<std::int64_t>(options.seconds * 1e9);
  while (now_ns() < end && !stop_asked() && stage.publisher().state() == RtmpPublisher::State::kPublishing) {
    crowd.run_until(std::min({end, stage.publisher().next_due_ns(), now_ns() + 5 * kMillisecond}));
    stage.pump();
  }
  Json json;
  json.samples("last_sample_to_part_ms", probe.part_ms)
      .samples("last_sample_to_part_read_ms", probe.part_read_ms);
  json.samples("last_input_to_part_ms", probe.part_after_input_ms);
  json.samples("last_sample_to_playlist_ms", probe.playlist_ms);
  const auto& counters = crowd.counters();
  json.count("errors", probe.errors + counters.errors()).count("bad_answers", probe.errors);
  json.count("lost_connections", counters.lost_connections)
      .count("broken_responses", counters.broken_responses);
  json.count("unmatched_parts", probe.unmatched);
  json.number("part_target_seconds", edge->part_target).text("playlist", path);
  return json;
}

}  // namespace stoa::bench
