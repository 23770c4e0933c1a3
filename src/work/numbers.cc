#include "work/numbers.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <utility>

namespace stoa::work {

namespace {

Duration duration_of(const timeval& time) {
  return Duration::seconds(time.tv_sec) + Duration::microseconds(time.tv_usec);
}

Duration cpu_time() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return duration_of(usage.ru_utime) + duration_of(usage.ru_stime);
}

// What lies in memory (proc(5)).
std::uint64_t memory_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint32_t permille(double value) { return static_cast<std::uint32_t>(std::lround(1'000 * value)); }

}  // namespace

void RungMeter::handle_waiting(Timestamp now) {
  std::lock_guard lock(mutex_);
  waiting_.push_back(now);
}

void RungMeter::handle_taken() {
  std::lock_guard lock(mutex_);
  if (!waiting_.empty()) waiting_.pop_front();
}

void RungMeter::handle_encoded(Duration took, Duration of_media, std::size_t bytes,
                               const std::string& encoder) {
  std::lock_guard lock(mutex_);
  ++frames_;
  bytes_ += bytes;
  if (times_.size() < kTimesMax) times_.push_back(took);
  busy_ += took;
  media_ += of_media;
  if (encoder_ != encoder) encoder_ = encoder;
}

void RungMeter::handle_gone() {
  std::lock_guard lock(mutex_);
  waiting_.clear();
}

relay::RungProgress RungMeter::read(Timestamp now) {
  std::lock_guard lock(mutex_);
  relay::RungProgress progress{.frames = frames_, .encoder = encoder_, .bytes = bytes_};
  progress.waiting = static_cast<std::uint32_t>(waiting_.size());
  if (!waiting_.empty()) progress.oldest_wait = now - waiting_.front();
  if (!times_.empty()) {
    auto nearly_last = times_.begin() + static_cast<std::ptrdiff_t>(times_.size() * 95 / 100);
    std::ranges::nth_element(times_, nearly_last);
    progress.encode_p95 = *nearly_last;
  }
  if (busy_ > Duration()) {
    double speed = 1'000 * media_.as_seconds() / busy_.as_seconds();
    progress.speed_permille = static_cast<std::uint32_t>(std::clamp(speed, 0.0, 1e9));
  }
  times_.clear();
  busy_ = media_ = Duration();
  return progress;
}

std::shared_ptr<RungMeter> Numbers::meter(media::RungId rung) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<RungMeter>& meter = meters_[rung];
  if (!meter) meter = std::make_shared<RungMeter>();
  return meter;
}

void Numbers::set_rungs(std::vector<media::RungId> rungs) {
  std::lock_guard lock(mutex_);
  rungs_ = std::move(rungs);
}

void Numbers::handle_decoded(std::uint64_t pictures, std::uint64_t refused) {
  std::lock_guard lock(mutex_);
  pictures_ += pictures;
  refused_ += refused;
}

void Numbers::handle_measured(const Complexity& complexity) {
  std::lock_guard lock(mutex_);
  ++measured_;
  sum_.spatial += complexity.spatial;
  sum_.temporal += complexity.temporal;
}

relay::Progress Numbers::read(Timestamp now) {
  std::lock_guard lock(mutex_);
  relay::Progress progress{.pictures_decoded = pictures_, .frames_refused = refused_};
  progress.cpu_time = cpu_time();
  progress.memory_bytes = memory_bytes();
  if (measured_ > 0) {
    progress.pictures = std::exchange(measured_, 0);
    const Complexity sum = std::exchange(sum_, {});
    progress.spatial_permille = permille(sum.spatial / progress.pictures);
    progress.temporal_permille = permille(sum.temporal / progress.pictures);
  }
  for (media::RungId rung : rungs_) {
    auto meter = meters_.find(rung);
    if (meter == meters_.end()) continue;  // Nothing has been made of it.
    progress.rungs.push_back(meter->second->read(now));
    progress.rungs.back().rung = rung;
  }
  return progress;
}

}  // namespace stoa::work
