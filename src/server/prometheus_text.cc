#include "server/prometheus_text.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <map>

namespace stoa::server {

std::string prometheus_text(const std::vector<MetricSamples>& groups) {
  using Labels = std::vector<std::pair<const char*, std::string>>;
  struct Family {
    const MetricSample* first;
    std::map<Labels, double> values;
  };
  std::map<std::string, Family> families;
  for (const auto& samples : groups) {
    for (const auto& sample : samples) {
      Family& family = families.try_emplace(sample.name, Family{&sample, {}}).first->second;
      family.values[sample.labels] += sample.value;
    }
  }
  std::vector<prometheus::MetricFamily> collected;
  for (const auto& [name, family] : families) {
    prometheus::MetricFamily made;
    made.name = name;
    made.help = family.first->help;
    bool is_counter = family.first->kind == MetricKind::kCounter;
    made.type = is_counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
    for (const auto& [labels, value] : family.values) {
      prometheus::ClientMetric metric;
      for (const auto& [label, text] : labels) metric.label.push_back({label, text});
      (is_counter ? metric.counter.value : metric.gauge.value) = value;
      made.metric.push_back(std::move(metric));
    }
    collected.push_back(std::move(made));
  }
  return prometheus::TextSerializer().Serialize(collected);
}

}  // namespace stoa::server
