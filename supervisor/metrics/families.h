// Collects families of metrics in the order in which they are begun.
#pragma once

#include "common/base/latency_histogram.h"

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

namespace sluice::metrics {

using Labels = std::vector<prometheus::ClientMetric::Label>;

class Families {
public:
  void begin_counter(std::string name, std::string help);
  void begin_gauge(std::string name, std::string help);
  void begin_histogram(std::string name, std::string help); // of seconds
  // Of the family begun last.
  void add(Labels labels, double value);
  void add(Labels labels, const LatencyHistogram &histogram);

  std::string text() const;

private:
  void begin(std::string name, std::string help, prometheus::MetricType type);

  std::vector<prometheus::MetricFamily> families_;
};

} // namespace sluice::metrics
