#include "server/prometheus_text.h"

#include <gtest/gtest.h>

namespace stoa::server {
namespace {

TEST(PrometheusText, adds_up_equal_samples_and_keeps_labels_apart) {
  MetricSample a{"stoa_x_total", "Things.", MetricKind::kCounter, {{"kind", "a"}}, 1};
  MetricSample b{"stoa_x_total", "Things.", MetricKind::kCounter, {{"kind", "b"}}, 5};
  MetricSample g{"stoa_g", "Now.", MetricKind::kGauge, {}, 2.5};
  std::string text = prometheus_text({{a, b, g}, {a}});
  EXPECT_NE(text.find("# HELP stoa_x_total Things.\n# TYPE stoa_x_total counter\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("stoa_x_total{kind=\"a\"} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("stoa_x_total{kind=\"b\"} 5\n"), std::string::npos) << text;
  EXPECT_NE(text.find("# TYPE stoa_g gauge\nstoa_g 2.5\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace stoa::server
