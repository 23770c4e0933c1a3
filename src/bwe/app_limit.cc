#include "bwe/app_limit.h"

namespace stoa::bwe {
namespace {

constexpr double kEnter = 0.65, kLeave = 0.8;
constexpr Duration kWindow = Duration::milliseconds(500);

}  // namespace

std::optional<double> AppLimit::sent_bits_per_second(Timestamp now) const {
  auto rate = sent_.rate(kWindow, kWindow / 2);
  if (!rate) return std::nullopt;
  // What has been silent since counts as well.
  double silent = ((now - Timestamp()) - sent_.newest()).as_seconds();
  return silent <= 0 ? *rate : *rate * kWindow.as_seconds() / (kWindow.as_seconds() + silent);
}

bool AppLimit::update(std::optional<double> sent_bits_per_second, double target_bits_per_second) {
  if (sent_bits_per_second)
    is_limited_ = *sent_bits_per_second < target_bits_per_second * (is_limited_ ? kLeave : kEnter);
  return is_limited_;
}

}  // namespace stoa::bwe
