#include "supervisor/metrics/families.h"

#include <prometheus/text_serializer.h>

#include <limits>
#include <sstream>
#include <utility>

namespace sluice::metrics {
namespace {

double seconds(Nanoseconds duration) {
  return static_cast<double>(duration) / static_cast<double>(kSecond);
}

} // namespace

void Families::begin(std::string name, std::string help, prometheus::MetricType type) {
  families_.push_back({std::move(name), std::move(help), type, {}});
}

void Families::begin_counter(std::string name, std::string help) {
  begin(std::move(name), std::move(help), prometheus::MetricType::Counter);
}

void Families::begin_gauge(std::string name, std::string help) {
  begin(std::move(name), std::move(help), prometheus::MetricType::Gauge);
}

void Families::begin_histogram(std::string name, std::string help) {
  begin(std::move(name), std::move(help), prometheus::MetricType::Histogram);
}

void Families::add(Labels labels, double value) {
  prometheus::MetricFamily &family = families_.back();
  prometheus::ClientMetric &metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  (family.type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
}

void Families::add(Labels labels, const LatencyHistogram &histogram) {
  prometheus::ClientMetric &metric = families_.back().metric.emplace_back();
  metric.label = std::move(labels);
  uint64_t sum = 0;
  for (size_t i = 0; i < histogram.counts.size(); i++) {
    sum += histogram.counts[i];
    bool last = i == LatencyHistogram::kBounds.size();
    double bound = last ? std::numeric_limits<double>::infinity() : seconds(LatencyHistogram::kBounds[i]);
    metric.histogram.bucket.push_back({sum, bound});
  }
  metric.histogram.sample_count = sum;
  metric.histogram.sample_sum = seconds(histogram.sum);
}

std::string Families::text() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families_);
  return std::move(out).str();
}

} // namespace sluice::metrics
