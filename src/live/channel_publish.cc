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
media::TrackId Channel::source_track(const Lane& lane) const {
  if (!lane.rung) return lane.program_track;
  const auto rung = std::ranges::find(rungs_, &lane, &RungState::lane);
  return rung == rungs_.end() ? lane.program_track : rung->rung.of;
}

bool Channel::update_multivariant(Timestamp now) {
  bool is_first = multivariant_.empty();
  if (lanes_.empty() || lacks_rungs() || (is_first && awaits_ladder(now))) return false;
  if (is_first && !std::ranges::all_of(lanes_, [](const auto& lane) {
        return lane->is_joining || lane->packager.parts_made() >= kPartsToBeListed;
      }))
    return false;
  bool has_joined = std::exchange(has_list_news_, false), has_news = has_joined;
  for (auto& lane : lanes_) {
    const Packager& packager = lane->packager;
    if (packager.parts_made() < kPartsToBeListed || !lane->is_offered) continue;
    if (!lane->was_listed) has_joined = lane->was_listed = true;
    // Slate is not what it is, nor while it waits for the end of that.
    if ((lane->slate || lane->before_slate) && lane->advertised_format) continue;
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
  std::vector<const Lane*> listed;
  for (const auto& lane : lanes_)
    if (lane->was_listed && lane->is_offered) listed.push_back(lane.get());
  // In the source's order, whatever a worker began first: players begin with the first sound.
  std::ranges::stable_sort(listed, {}, [&](const Lane* lane) { return source_track(*lane); });
  std::vector<VariantFacts> video, audio;
  for (const Lane* lane : listed) {
    const Packager& packager = lane->packager;
    double rate = lane->advertised_format->frame_rate();
    if (rate <= 0 && lane->frame_duration > Duration()) rate = 1 / lane->frame_duration.as_seconds();
    VariantFacts facts{.name = packager.name(),
                       .label = packager.label(),
                       .language = packager.language(),
                       .format = lane->advertised_format.get(),
                       .frame_rate = rate,
                       .bandwidth = lane->advertised_peak,
                       .average_bandwidth = lane->advertised_mean};
    (packager.kind() == media::Kind::kVideo ? video : audio).push_back(facts);
  }
  if (video.empty() && audio.empty()) return false;
  for (auto& lane : lanes_) lane->is_listed = lane->was_listed && lane->is_offered;
  multivariant_ = SharedBytes(write_multivariant(broadcast_, video, audio));
  has_news_ = true;
  return has_joined;
}

// A rendition that walks over cuts faster than others have parts is told of in theirs again.
bool Channel::has_old_report(const Lane& lane) const {
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    if (lanes_[i].get() != &lane && lanes_[i]->packager.report().last_msn > lane.reported[i] + 1) return true;
  return false;
}

// The oldest that any playlist lists.
Duration Channel::window_start() const {
  Duration start = Duration::infinite();
  for (const auto& lane : lanes_)
    if (lane->snapshot && !is_hidden(*lane)) start = std::min(start, lane->packager.window_start());
  return start;
}

void Channel::publish(Timestamp now, ChannelOutputs& out) {
  bool has_rendition_news = std::ranges::any_of(
      lanes_, [](const auto& lane) { return !is_hidden(*lane) && lane->packager.has_news(); });
  bool may_list = has_rendition_news || has_list_news_ || multivariant_.empty();
  bool all_again = may_list && update_multivariant(now);
  if (!has_rendition_news && !has_news_) return;
  std::vector<RenditionReport> reports;
  for (auto& lane : lanes_) {
    if (is_hidden(*lane)) continue;
    if (!lane->packager.has_news() && !(lane->snapshot && (all_again || has_old_report(*lane)))) continue;
    reports.clear();
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      const Lane& other = *lanes_[i];
      const RenditionReport report = other.packager.report();
      lane->reported[i] = report.last_msn;
      if (&other != lane.get() && other.is_listed) reports.push_back(report);
    }
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
    if (lane->snapshot && !is_hidden(*lane)) snapshot->renditions.push_back(lane->snapshot);
  snapshot->warnings = warnings_;
  gallery_.drop_before(window_start());
  snapshot->pictures = gallery_.pictures();
  snapshot_ = std::move(snapshot);
  has_news_ = false;
  out.push(SnapshotReady{snapshot_});
  for (const FoundFault& fault : continuity_.handle(*snapshot_))
    emit(ChannelEventKind::kContinuity,
         fault.rendition + ": " + name_of(fault.kind) + ", " + std::to_string(fault.size.ns() / 1'000'000) +
             " ms",
         out);
}

}  // namespace stoa::live
