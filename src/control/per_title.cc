#include "control/per_title.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <tuple>
#include <utility>
#include <vector>

namespace stoa::control {
namespace {

using media::Rung;
using Needs = std::map<std::string, std::uint32_t>;

std::uint64_t pixels(const Rung& rung) { return std::uint64_t{rung.width} * rung.height; }

bool is_picture(const Rung& rung) { return rung.kind() == media::Kind::kVideo; }

template <typename T>
T at_fraction(std::vector<T> values, std::size_t numerator, std::size_t denominator) {
  std::ranges::sort(values);
  return values[values.size() * numerator / denominator];
}

bool contains(const LadderPlan& plan, media::RungId id) {
  return std::ranges::find(plan.rungs, id, &Rung::id) != plan.rungs.end();
}

}  // namespace

double effort_of(const Complexity& complexity) {
  // Fitted to what libx264 takes of generated clips at 480p30. Nothing that is shown takes nothing.
  return (complexity.spatial + 0.5) * std::pow(complexity.temporal + 0.1, 0.6);
}

// ---- What there is.

const char* PerTitle::handle_report(Timestamp now, const LadderPlan& plan, const WorkerNumbers& numbers,
                                    const Options& options) {
  if (!options.is_on || ++settled_ <= options.settle_reports) return nullptr;
  note(plan, numbers, options);
  if (changed_at_ && now - *changed_at_ < options.hold) return nullptr;
  const bool is_measured = seconds_.size() >= kSecondsMin;
  if (!is_measured && !has_risen_) return nullptr;
  Needs needs = is_measured ? measured_needs(plan, options) : Needs();
  const bool is_other = std::ranges::any_of(plan.rungs, [&](const Rung& rung) {
    auto usual = usual_.find(rung.id);
    if (usual == usual_.end()) return false;
    const double is = rung.bitrate_max;
    return std::abs(cap_of(usual->second, needs, options) - is) >= is * options.change_least;
  });
  if (!is_other) return nullptr;
  title_.needs = std::move(needs);
  changed_at_ = now;
  return is_measured ? "by what the busier seconds take" : "the pictures have become more complex";
}

void PerTitle::note(const LadderPlan& plan, const WorkerNumbers& numbers, const Options& options) {
  Second second;
  for (const Rung& rung : plan.rungs) {
    const RungNumbers* told = is_picture(rung) ? find_rung(numbers, rung.name) : nullptr;
    if (told && told->bitrate) second.bits[rung.id] = *told->bitrate;
  }
  if (second.bits.empty()) return;  // The source is away.
  if (numbers.complexity) note_effort(*(second.effort = effort_of(*numbers.complexity)), options);
  if (seconds_.size() == kSecondsMax) seconds_.pop_front();
  seconds_.push_back(std::move(second));
  if (seconds_.size() < kSecondsMin) return;
  has_risen_ = false;
  std::vector<double> efforts;
  for (const Second& one : seconds_)
    if (one.effort) efforts.push_back(*one.effort);
  if (!efforts.empty()) title_.effort = at_fraction(std::move(efforts), 1, 2);
}

void PerTitle::note_effort(double effort, const Options& options) {
  if (!title_.effort) return;
  above_ = effort > *title_.effort * options.other_title ? above_ + 1 : 0;
  below_ = effort < *title_.effort / options.other_title ? below_ + 1 : 0;
  if (std::max(above_, below_) < options.other_title_reports) return;
  has_risen_ = above_ > below_;
  above_ = below_ = 0;
  seconds_.clear();
  title_.effort.reset();
}

Needs PerTitle::measured_needs(const LadderPlan& plan, const Options& options) const {
  Needs needs = title_.needs;
  for (const Rung& rung : plan.rungs) {
    std::vector<std::uint32_t> bits;
    for (const Second& second : seconds_)
      if (auto found = second.bits.find(rung.id); found != second.bits.end()) bits.push_back(found->second);
    if (bits.size() < kSecondsMin) continue;
    const std::uint32_t need = at_fraction(std::move(bits), 95, 100);
    if (need < options.all * rung.bitrate_max) {
      needs[rung.name] = need;
    } else {
      needs.erase(rung.name);
    }
  }
  return needs;
}

std::uint32_t PerTitle::cap_of(const Rung& usual, const Needs& needs, const Options& options) const {
  auto need = needs.find(usual.name);
  if (need == needs.end()) return usual.bitrate_max;
  const double wanted = std::max(options.headroom * need->second, options.share_least * usual.bitrate_max);
  const auto rounded = static_cast<std::uint32_t>(std::lround(wanted / 10'000)) * 10'000;
  return std::clamp(rounded, std::min(10'000u, usual.bitrate_max), usual.bitrate_max);
}

// ---- What is made of it.

void PerTitle::apply(LadderPlan& plan, const LadderPlan& before, const Options& options) {
  if (!options.is_on && usual_.empty()) return;
  const Needs needs = options.is_on ? title_.needs : Needs();
  for (Rung& rung : plan.rungs) {
    if (!is_picture(rung)) continue;
    // What was there before may be lowered already.
    if (!contains(before, rung.id)) usual_[rung.id] = rung;
    rung = usual_.try_emplace(rung.id, rung).first->second;
    const std::uint32_t cap = cap_of(rung, needs, options);
    const double share = static_cast<double>(cap) / rung.bitrate_max;
    rung.bitrate_mean = static_cast<std::uint32_t>(std::lround(rung.bitrate_mean * share));
    rung.bitrate_max = cap;
  }
  const std::set<std::string> known = std::exchange(left_out_, {});
  if (options.is_on) leave_out(plan, before, known);
}

void PerTitle::leave_out(LadderPlan& plan, const LadderPlan& before, const std::set<std::string>& known) {
  std::vector<Rung> pictures;
  std::ranges::copy_if(plan.rungs_at_work(), std::back_inserter(pictures), is_picture);
  // Who shows one codec may not show another.
  const auto is_like = [](const Rung& a, const Rung& b) { return a.of == b.of && a.codec == b.codec; };
  std::ranges::stable_sort(pictures, std::ranges::greater(),
                           [](const Rung& rung) { return std::tuple(rung.of, rung.codec, pixels(rung)); });
  const bool is_beginning = std::ranges::none_of(before.rungs, is_picture);
  const Rung* above = nullptr;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const Rung& rung = pictures[i];
    const bool is_largest = !above || !is_like(*above, rung);
    const bool is_smallest = i + 1 == pictures.size() || !is_like(pictures[i + 1], rung);
    const bool is_free = !contains(before, rung.id) && (is_beginning || known.contains(rung.name));
    if (is_free && !is_largest && !is_smallest && above->bitrate_max <= usual_bitrate(rung)) {
      left_out_.insert(rung.name);
      std::erase_if(plan.rungs, [&](const Rung& one) { return one.id == rung.id; });
    } else {
      above = &rung;
    }
  }
}

std::uint32_t PerTitle::usual_bitrate(const Rung& rung) const {
  auto found = usual_.find(rung.id);
  return found == usual_.end() ? rung.bitrate_max : found->second.bitrate_max;
}

bool PerTitle::is_lowered(const LadderPlan& plan) const {
  return std::ranges::any_of(plan.rungs,
                             [&](const Rung& rung) { return rung.bitrate_max < usual_bitrate(rung); });
}

}  // namespace stoa::control
