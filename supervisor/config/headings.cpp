#include "supervisor/config/headings.h"

#include "supervisor/config/configuration.h"

#include <array>
#include <span>

namespace sluice::config {
namespace {

struct Heading {
  std::string_view before; // the name of a parameter
  std::string_view text;
};
constexpr auto kGlobalHeadings = std::to_array<Heading>({
    {"logLevel", "Log"},
    {"readTimeout", "Clients"},
    {"api", "API, metrics, profiles"},
    {"runOnConnect", "Commands"},
    {"rtspWorkers", "Workers and memory"},
    {"writeCoalesce", "Delivery; a path may have its own"},
    {"workerRestartGrace", "Failures"},
    {"rtspDisable", "RTSP"},
    {"rtmpDisable", "RTMP"},
    {"hlsDisable", "HLS"},
});
constexpr auto kPathHeadings = std::to_array<Heading>({
    {"source", "Where the stream comes from"},
    {"disablePublisherOverride", "Who may publish and read"},
    {"writeCoalesce", "Delivery; by default as for all paths"},
    {"runOnInit", "Commands"},
});

std::string_view find_heading(std::span<const Heading> headings, std::string_view parameter) {
  for (const Heading &heading : headings)
    if (heading.before == parameter) return heading.text;
  return {};
}

} // namespace

template <> std::string_view heading_before<Configuration>(std::string_view parameter) {
  return find_heading(kGlobalHeadings, parameter);
}
template <> std::string_view heading_before<PathConfiguration>(std::string_view parameter) {
  return find_heading(kPathHeadings, parameter);
}

} // namespace sluice::config
