#include "ingest.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "http.h"
#include "rtmp_publisher.h"

namespace stoa::bench {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000, kMillisecond = 1'000'000;
constexpr std::int64_t kStartPatience = 30 * kSecond;

// Looks once a second, from a thread of its own, how many of our channels the server calls live.
class LiveWatch {
 public:
  LiveWatch(std::string url, std::string prefix, std::size_t count)
      : url_(std::move(url)), prefix_(std::move(prefix)), count_(count) {
    if (!url_.empty()) thread_ = std::thread([this] { run(); });
  }
  ~LiveWatch() { stop(); }
  void stop() {
    done_ = true;
    if (thread_.joinable()) thread_.join();
  }
  void forget() { least_ = kUnknown; }
  std::size_t latest() const { return latest_; }
  std::size_t least() const { return least_ == kUnknown ? 0 : least_.load(); }
  std::size_t failures() const { return failures_; }
  static constexpr std::size_t kUnknown = ~std::size_t{0};

 private:
  void run() {
    auto url = parse_url(url_);
    Poller pause;
    while (url && !done_ && !stop_asked()) {
      std::int64_t next = now_ns() + kSecond;
      auto answer = fetch(*url, url->path, now_ns() + 5 * kSecond);
      if (!answer || answer->status != 200) {
        ++failures_;
      } else {
        std::size_t live = 0;
        for (std::size_t i = 0; i < count_; ++i) {
          live += answer->body.find("\"" + prefix_ + "-" + std::to_string(i) + "\"") != std::string::npos;
        }
        latest_ = live;
        least_ = std::min(least_.load(), live);
      }
      while (!done_ && now_ns() < next) pause.wait_until(now_ns() + 20 * kMillisecond);
    }
  }

  std::string url_, prefix_;
  std::size_t count_;
  std::atomic<bool> done_ = false;
  std::atomic<std::size_t> latest_ = 0, least_ = kUnknown, failures_ = 0;
  std::thread thread_;
};

class Publishers {
 public:
  Publishers(Url url, const FlvFile& file, Address address)
      : url_(std::move(url)), file_(file), address_(address) {}

  Result<void, Failure> start_one() {
    Url url = url_;
    url.path += "-" + std::to_string(all_.size());
    auto publisher = std::make_unique<RtmpPublisher>(url, file_);
    auto started = publisher->start(address_);
    if (!started) return refuse(started.error());
    poller_.add(publisher->fd(), EPOLLIN | EPOLLOUT, all_.size());
    wants_write_.push_back(true);
    all_.push_back(std::move(publisher));
    return {};
  }

  void run_until(std::int64_t deadline) {
    while (now_ns() < deadline && !stop_asked()) {
      std::int64_t now = now_ns(), until = deadline;
      for (std::size_t i = 0; i < all_.size(); ++i) {
        RtmpPublisher& publisher = *all_[i];
        if (publisher.next_due_ns() <= now) {
          lateness_ms.add(static_cast<double>(now - publisher.next_due_ns()) * 1e-6);
        }
        while (publisher.send_due(now)) {
        }
        until = std::min(until, publisher.next_due_ns());
        watch_writes(i);
      }
      // One look at all of them each millisecond at the most keeps the generator's own cost small.
      for (const auto& event : poller_.wait_until(std::max(until, now + kMillisecond))) handle(event);
    }
  }

  std::size_t count(RtmpPublisher::State state) const {
    return static_cast<std::size_t>(
        std::count_if(all_.begin(), all_.end(), [&](const auto& one) { return one->state() == state; }));
  }
  std::uint64_t bytes() const {
    std::uint64_t total = 0;
    for (const auto& one : all_) total += one->bytes_sent();
    return total;
  }
  Samples accepted_ms() const {
    Samples samples;
    for (const auto& one : all_) samples.add(static_cast<double>(one->accepted_after_ns()) * 1e-6);
    return samples;
  }
  std::string first_failure() const {
    for (const auto& one : all_) {
      if (one->state() == RtmpPublisher::State::kFailed) return one->failure();
    }
    return {};
  }
  Samples lateness_ms;  // How late tags were sent by this program itself.

 private:
  void watch_writes(std::size_t index) {
    RtmpPublisher& publisher = *all_[index];
    if (publisher.state() == RtmpPublisher::State::kFailed) return;
    bool wants = publisher.has_unsent();
    if (wants == wants_write_[index]) return;
    wants_write_[index] = wants;
    poller_.modify(publisher.fd(), wants ? EPOLLIN | EPOLLOUT : EPOLLIN, index);
  }

  void handle(const epoll_event& event) {
    RtmpPublisher& publisher = *all_[event.data.u64];
    if (publisher.state() == RtmpPublisher::State::kFailed) return;
    if (event.events & EPOLLOUT) publisher.handle_writable();
    if (publisher.state() != RtmpPublisher::State::kFailed && (event.events & ~EPOLLOUT))
      publisher.handle_readable();
    watch_writes(event.data.u64);
  }

  Url url_;
  const FlvFile& file_;
  Address address_;
  Poller poller_;
  std::vector<std::unique_ptr<RtmpPublisher>> all_;
  std::vector<bool> wants_write_;
};

}  // namespace

Result<Json, Failure> run_ingest(const IngestOptions& options) {
  STOA_TRY(Url url, parse_url(options.rtmp_url));
  STOA_TRY(Address address, find_address(url.host, url.port));
  STOA_TRY(FlvFile file, read_flv(options.flv_path));
  Publishers publishers(url, file, address);
  // Starts are spread over one round of the recording (at most ten seconds), or all keyframes would come at
  // once.
  double spread = std::min(10.0, file.round_ms / 1000.0);
  auto interval = static_cast<std::int64_t>(
      spread * 1e9 / static_cast<double>(std::max<std::size_t>(options.publishers, 1)));
  for (std::size_t i = 0; i < options.publishers && !stop_asked(); ++i) {
    if (auto started = publishers.start_one(); !started) return refuse(started.error());
    if (i + 1 < options.publishers) publishers.run_until(now_ns() + interval);
  }
  using State = RtmpPublisher::State;
  std::int64_t patience = now_ns() + kStartPatience;
  while (publishers.count(State::kPublishing) < options.publishers && !stop_asked()) {
    if (publishers.count(State::kFailed) > 0 || now_ns() > patience) {
      return refuse("only " + std::to_string(publishers.count(State::kPublishing)) + " of " +
                    std::to_string(options.publishers) +
                    " publishers were let in: " + publishers.first_failure());
    }
    publishers.run_until(now_ns() + kSecond / 10);
  }
  std::string name = url.path.substr(url.path.rfind('/') + 1);
  LiveWatch watch(options.live_url, name, options.publishers);
  publishers.run_until(now_ns() + static_cast<std::int64_t>(options.warmup_seconds * 1e9));
  patience = now_ns() + kStartPatience;
  while (!options.live_url.empty() && watch.latest() < options.publishers && now_ns() < patience &&
         !stop_asked()) {
    publishers.run_until(now_ns() + kSecond / 10);
  }
  watch.forget();
  publishers.lateness_ms = {};
  std::int64_t start_ns = now_ns();
  ProcessUse before = read_process(options.server_pid);
  double own_before = own_cpu_seconds();
  std::uint64_t bytes_before = publishers.bytes();
  publishers.run_until(start_ns + static_cast<std::int64_t>(options.seconds * 1e9));
  ProcessUse after = read_process(options.server_pid);
  double seconds = static_cast<double>(now_ns() - start_ns) * 1e-9;
  double count = static_cast<double>(options.publishers);
  std::size_t publishing = publishers.count(State::kPublishing);
  watch.stop();

  Json json;
  json.count("publishers", options.publishers)
      .number("seconds", seconds)
      .count("still_publishing", publishing);
  json.number("kbps_each", static_cast<double>(publishers.bytes() - bytes_before) * 8e-3 / seconds / count);
  json.samples("accepted_ms", publishers.accepted_ms());
  json.samples("generator_lateness_ms", publishers.lateness_ms);
  json.number("generator_cores", (own_cpu_seconds() - own_before) / seconds);
  if (!options.live_url.empty())
    json.count("least_live", watch.least()).count("failed_looks", watch.failures());
  if (publishing < options.publishers) json.text("first_failure", publishers.first_failure());
  if (options.server_pid > 0) {
    double cpu = after.cpu_seconds - before.cpu_seconds;
    json.number("server_cores", cpu / seconds)
        .number("server_core_percent_per_publisher", 100 * cpu / seconds / count);
    json.count("server_rss", after.resident_bytes);
  }
  return json;
}

}  // namespace stoa::bench
