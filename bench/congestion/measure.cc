#include "congestion/measure.h"

#include <algorithm>
#include <cmath>

namespace stoa::bench {
namespace {

constexpr Duration kStep = Duration::milliseconds(20);  // Of what is looked for moment by moment.
constexpr Duration kSecond = Duration::seconds(1);
constexpr double kArrives = 0.8;

// The part of a log (by time) that lies in the interval.
template <typename Entry>
std::span<const Entry> within(const std::vector<Entry>& entries, Interval in) {
  auto before = [](const Entry& entry, Timestamp at) { return entry.at < at; };
  auto begin = std::lower_bound(entries.begin(), entries.end(), in.from, before);
  auto end = std::lower_bound(begin, entries.end(), in.to, before);
  return {begin, end};
}

template <typename Holds>
double seconds_until(Interval in, Holds&& holds) {
  for (Timestamp at = in.from; at < in.to; at += kStep)
    if (holds(at)) return (at - in.from).as_seconds();
  return in.seconds();
}

}  // namespace

double sent_rate(const sim::MediaLog& log, Interval in) {
  double bytes = 0;
  for (const auto& sent : within(log.sent, in)) bytes += sent.bytes;
  return bytes * 8 / in.seconds();
}

double media_rate(const sim::MediaLog& log, Interval in) {
  double bytes = 0;
  for (const auto& arrived : within(log.arrived, in)) {
    const auto& sent = log.sent[arrived.number];
    if (!sent.is_padding) bytes += sent.bytes;
  }
  return bytes * 8 / in.seconds();
}

double least_media_rate(const sim::MediaLog& log, Interval in) {
  double least = media_rate(log, {in.from, in.from + kSecond});
  for (Timestamp at = in.from; at + kSecond <= in.to; at += Duration::milliseconds(100))
    least = std::min(least, media_rate(log, {at, at + kSecond}));
  return least;
}

double mean_target(const sim::MediaLog& log, Interval in) {
  auto rates = within(log.rates, in);
  double sum = 0;
  for (const auto& rate : rates) sum += static_cast<double>(rate.target);
  return rates.empty() ? 0 : sum / static_cast<double>(rates.size());
}

double largest_target(const sim::MediaLog& log, Interval in) {
  std::uint64_t largest = 0;
  for (const auto& rate : within(log.rates, in)) largest = std::max(largest, rate.target);
  return static_cast<double>(largest);
}

double proven_rate(const sim::MediaLog& log, Timestamp end) {
  constexpr Duration kWindow = Duration::milliseconds(100);
  double bytes = 0, most = 0;
  std::size_t first = 0;
  for (const auto& arrived : log.arrived) {
    if (arrived.at >= end) break;
    bytes += log.sent[arrived.number].bytes;
    for (; log.arrived[first].at + kWindow <= arrived.at; ++first)
      bytes -= log.sent[log.arrived[first].number].bytes;
    most = std::max(most, bytes);
  }
  return most * 8 / kWindow.as_seconds();
}

void add_waits(const sim::MediaLog& log, Interval in, std::vector<double>& waits_ms) {
  for (const auto& arrived : within(log.arrived, in)) waits_ms.push_back(arrived.waited.as_seconds() * 1e3);
}

double percentile(std::vector<double>& values, double fraction) {
  if (values.empty()) return 0;
  auto rank = static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(values.size())));
  auto at = values.begin() + static_cast<std::ptrdiff_t>(rank == 0 ? 0 : rank - 1);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

double loss(const sim::MediaLog& log, Interval in) {
  auto sent = within(log.sent, in);
  if (sent.empty()) return 0;
  auto first = static_cast<std::uint32_t>(sent.data() - log.sent.data());
  std::vector<bool> has_arrived(sent.size());
  for (const auto& arrived : log.arrived)
    if (arrived.number >= first && arrived.number - first < sent.size())
      has_arrived[arrived.number - first] = true;
  auto lost = std::count(has_arrived.begin(), has_arrived.end(), false);
  return static_cast<double>(lost) / static_cast<double>(sent.size());
}

double seconds_until_usable(const sim::MediaLog& log, Interval in, double wanted) {
  return seconds_until(in, [&](Timestamp at) {
    Interval behind{at, at + kSecond};
    auto now = within(log.rates, {at, at + Duration::milliseconds(40)});
    if (now.empty() || static_cast<double>(now[0].target) < wanted) return false;
    return mean_target(log, behind) >= wanted && media_rate(log, behind) >= kArrives * wanted;
  });
}

double seconds_until_sent_below(const sim::MediaLog& log, Interval in, double bits_per_second) {
  return seconds_until(in, [&](Timestamp at) {
    return sent_rate(log, {at, at + Duration::milliseconds(300)}) <= bits_per_second;
  });
}

double seconds_until_waits_below(const sim::MediaLog& log, Interval in, Duration wait) {
  return seconds_until(in, [&](Timestamp at) {
    auto arrived = within(log.arrived, {at, at + Duration::milliseconds(500)});
    return std::all_of(arrived.begin(), arrived.end(), [&](const auto& one) { return one.waited < wait; });
  });
}

double jain(std::span<const double> rates) {
  double sum = 0, squares = 0;
  for (double rate : rates) sum += rate, squares += rate * rate;
  return squares == 0 ? 0 : sum * sum / (static_cast<double>(rates.size()) * squares);
}

}  // namespace stoa::bench
