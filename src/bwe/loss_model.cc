#include "bwe/loss_model.h"

#include <algorithm>
#include <cmath>

namespace stoa::bwe {
namespace {

constexpr Duration kPart = Duration::milliseconds(250);
constexpr Duration kGapMax = Duration::seconds(1);
constexpr std::uint32_t kPartPackets = 10;
constexpr float kAging = 0.9f;        // Per part.
constexpr double kLossMin = 0.01;     // Less is not looked at: a path without loss costs nothing.
constexpr double kInherentMax = 0.3;  // More is congestion whatever else.
constexpr double kEvidence = 3;       // Nats.
constexpr double kLossLeast = 1e-4;   // Of a part that lost nothing.
constexpr double kLossWeight = 0.3;   // Of the newest part in loss().
constexpr double kTried[] = {0.5, 0.6, 0.7, 0.78, 0.85, 0.9, 0.95, 0.98};  // Of the fastest part.

}  // namespace

void LossModel::clear() { *this = LossModel(); }

void LossModel::add(Timestamp sent, std::uint32_t bytes, bool is_lost) {
  if (packets_ == 0 || sent - newest_ > kGapMax) {
    began_ = newest_ = sent;
    bytes_ = packets_ = lost_ = 0;
  }
  newest_ = std::max(newest_, sent);
  bytes_ += bytes;
  ++packets_;
  lost_ += is_lost;
}

void LossModel::take_back() {
  if (lost_ > 0) {
    --lost_;
  } else if (count_ > 0) {
    float& lost = parts_[(count_ - 1) % kParts].lost;
    lost = std::max(0.f, lost - 1);
  }
}

bool LossModel::update() {
  if (newest_ - began_ < kPart || packets_ < kPartPackets) return false;
  close_part();
  estimate();
  return true;
}

void LossModel::close_part() {
  for (Part& part : parts_) part.weight *= kAging;
  double rate = bytes_ * 8.0 / (newest_ - began_).as_seconds();
  parts_[count_++ % kParts] = {rate, static_cast<float>(packets_), static_cast<float>(lost_), 1};
  loss_ += kLossWeight * (static_cast<double>(lost_) / packets_ - loss_);
  began_ = newest_;
  bytes_ = packets_ = lost_ = 0;
}

// Newton's method: the likelihood is concave in the inherent loss.
LossModel::Fit LossModel::fit(double bandwidth) const {
  double inherent = 0.02;
  for (int step = 0; step < 4; ++step) {
    double slope = 0, bend = 0;
    for (const Part& part : parts_) {
      if (part.weight <= 0 || part.rate <= 0) continue;
      double over = std::max(0.0, 1 - bandwidth / part.rate);
      double p = std::clamp(inherent + (1 - inherent) * over, kLossLeast, 1 - kLossLeast);
      double per = 1 - over;  // dp/di.
      double arrived = part.packets - part.lost;
      slope += part.weight * per * (part.lost / p - arrived / (1 - p));
      bend -= part.weight * per * per * (part.lost / (p * p) + arrived / ((1 - p) * (1 - p)));
    }
    if (bend >= 0) break;
    // Not below half: a step too far would end at the edge, where the curve says little.
    inherent = std::clamp(inherent - slope / bend, std::max(kLossLeast, inherent / 4), kInherentMax);
  }
  double likelihood = 0;
  for (const Part& part : parts_) {
    if (part.weight <= 0 || part.rate <= 0) continue;
    double over = std::max(0.0, 1 - bandwidth / part.rate);
    double p = std::clamp(inherent + (1 - inherent) * over, kLossLeast, 1 - kLossLeast);
    likelihood += part.weight * (part.lost * std::log(p) + (part.packets - part.lost) * std::log(1 - p));
  }
  return {likelihood, inherent};
}

void LossModel::estimate() {
  double packets = 0, lost = 0, fastest = 0;
  for (const Part& part : parts_) {
    packets += part.weight * part.packets;
    lost += part.weight * part.lost;
    fastest = std::max(fastest, part.weight > 0 ? part.rate : 0);
  }
  bound_.reset();
  if (packets <= 0 || lost / packets < kLossMin) {
    inherent_ = packets > 0 ? lost / packets : 0;
    return;
  }
  Fit none = fit(fastest);
  inherent_ = none.inherent;
  double best = none.likelihood + kEvidence;
  for (double part : kTried) {
    Fit tried = fit(fastest * part);
    if (tried.likelihood <= best) continue;
    best = tried.likelihood;
    inherent_ = tried.inherent;
    bound_ = fastest * part;
  }
}

double follow_report(double bits_per_second, double loss) {
  if (loss < 0.02) return bits_per_second * 1.05;
  if (loss <= 0.1) return bits_per_second;
  return bits_per_second * (1 - 0.5 * std::min(loss, 1.0));
}

}  // namespace stoa::bwe
