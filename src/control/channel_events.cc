#include "control/channel_events.h"

#include <algorithm>

#include "control/text.h"

namespace stoa::control {
namespace {

// Texts may quote what peers sent.
std::string to_plain(std::string_view text) {
  std::string plain(text.substr(0, kEventTextBytesMax));
  // Not in the middle of a character.
  while (plain.size() < text.size() && !plain.empty() &&
         (static_cast<unsigned char>(text[plain.size()]) & 0xc0) == 0x80)
    plain.pop_back();
  const bool is_plain = is_plain_text(plain, kEventTextBytesMax, LineBreaks::kRefused);
  if (is_plain) return plain;
  for (char& c : plain)
    if (c < 0x20 || c > 0x7e) c = '?';
  return plain;
}

}  // namespace

ChannelEvents::Entry& ChannelEvents::entry_of(const std::string& channel) {
  auto found = channels_.find(channel);
  if (found != channels_.end()) return found->second;
  if (channels_.size() == kEventChannelsMax) {
    channels_.erase(
        std::ranges::min_element(channels_, {}, [](const auto& entry) { return entry.second.newest; }));
  }
  return channels_[channel];
}

void ChannelEvents::add(WallTime now, const ChannelHappening& happening) {
  const bool is_known = kinds_.contains(happening.kind) || kinds_.size() < kEventKindsMax;
  ++kinds_[is_known ? happening.kind : "other"];
  Entry& entry = entry_of(happening.channel);
  entry.newest = ++added_;
  std::string text = to_plain(happening.text);
  if (!entry.events.empty()) {
    ChannelEvent& last = entry.events.back();
    if (last.kind == happening.kind && last.text == text) {
      last.last_at = now;
      ++last.count;
      return;
    }
  }
  if (entry.events.size() == kEventsPerChannelMax) entry.events.pop_front();
  entry.events.push_back({happening.kind, std::move(text), now, now});
}

void ChannelEvents::forget(std::string_view channel) {
  if (auto found = channels_.find(channel); found != channels_.end()) channels_.erase(found);
}

const std::deque<ChannelEvent>* ChannelEvents::find(std::string_view channel) const {
  auto found = channels_.find(channel);
  return found == channels_.end() ? nullptr : &found->second.events;
}

void ChannelEvents::append_metrics(MetricSamples& samples) const {
  for (const auto& [kind, count] : kinds_)
    samples.push_back({"stoa_channel_events_total",
                       "What happened in channels, by kind.",
                       MetricKind::kCounter,
                       {{"kind", kind}},
                       static_cast<double>(count)});
}

}  // namespace stoa::control
