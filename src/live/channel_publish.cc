// Snapshots of a channel.
#include <algorithm>
#include <utility>

#include "live/channel.h"

namespace stoa::live {
namespace {

std::uint64_t rounded_up(std::uint64_t rate) { return (rate + rate / 10) / 1'000 * 1'000 + 1'000; }

}  // namespace

// Writes the multivariant playlist again if a rendition came in or one is not any more what is advertised.
// True if the set of renditions changed.
bool Channel::update_multivariant(Timestamp now) {
  bool is_first = multivariant_.empty();
  if (is_first && awaits_ladder(now)) return false;
  if (is_first && !std::ranges::all_of(lanes_, [](const auto& lane) {
        return lane->is_joining || lane->packager.parts_made() >= kPartsToBeListed;
      }))
    return false;
  bool has_joined = std::exchange(has_list_news_, false), has_news = has_joined;
  for (auto& lane : lanes_) {
    const Packager& packager = lane->packager;
    if (packager.parts_made() < kPartsToBeListed || !lane->is_offered) continue;
    if (!lane->is_listed) has_joined = lane->is_listed = true;
    std::uint64_t peak = packager.peak_bitrate(), mean = packager.mean_bitrate();
    bool is_other = !lane->advertised_format || !lane->advertised_format->is_same_as(*packager.format());
    bool is_off = is_other || peak > lane->advertised_peak || peak * 3 < lane->advertised_peak ||
                  mean > lane->advertised_mean * 5 / 4 || mean * 5 / 4 < lane->advertised_mean;
    if (!is_off) continue;
    has_news = true;
    lane->advertised_format = packager.format();
    if (peak > lane->advertised_peak || peak * 3 < lane->advertised_peak)
      lane->advertised_peak = rounded_up(peak);
    lane->advertised_mean = mean;
  }
  if (!has_joined && !has_news) return false;
  std::vector<VariantFacts> video, audio;
  for (const auto& lane : lanes_) {
    if (!lane->is_listed || !lane->is_offered) continue;
    const Packager& packager = lane->packager;
    double rate = packager.format()->frame_rate();
    if (rate <= 0 && lane->frame_duration > Duration()) rate = 1 / lane->frame_duration.as_seconds();
    VariantFacts facts{.name = packager.name(),
                       .label = packager.label(),
                       .language = packager.language(),
                       .format = packager.format().get(),
                       .frame_rate = rate,
                       .bandwidth = lane->advertised_peak,
                       .average_bandwidth = lane->advertised_mean};
    (packager.kind() == media::Kind::kVideo ? video : audio).push_back(facts);
  }
  if (video.empty() && audio.empty()) return false;
  multivariant_ = SharedBytes(write_multivariant(broadcast_, video, audio));
  has_news_ = true;
  return has_joined;
}

void Channel::publish(Timestamp now, ChannelOutputs& out) {
  bool has_rendition_news =
      std::ranges::any_of(lanes_, [](const auto& lane) { return lane->packager.has_news(); });
  if (!has_rendition_news && !has_news_) return;
  bool all_again = has_rendition_news && update_multivariant(now);
  std::vector<RenditionReport> reports;
  for (auto& lane : lanes_) {
    if (!lane->packager.has_news() && !(all_again && lane->snapshot)) continue;
    reports.clear();
    for (const auto& other : lanes_)
      if (other != lane && other->is_listed && other->is_offered) reports.push_back(other->packager.report());
    std::uint64_t parts_before = lane->snapshot ? lane->snapshot->next_part_number : 0;
    lane->snapshot = lane->packager.take_snapshot(reports);
    if (lane->snapshot->next_part_number != parts_before) lane->last_part_at = now;
  }
  auto snapshot = std::make_shared<ChannelSnapshot>();
  snapshot->channel = name_;
  snapshot->broadcast = broadcast_;
  snapshot->state = state_;
  snapshot->started_at = started_at_;
  snapshot->multivariant = multivariant_;
  for (const auto& lane : lanes_)
    if (lane->snapshot) snapshot->renditions.push_back(lane->snapshot);
  snapshot->warnings = warnings_;
  snapshot_ = std::move(snapshot);
  has_news_ = false;
  out.push(SnapshotReady{snapshot_});
}

}  // namespace stoa::live
