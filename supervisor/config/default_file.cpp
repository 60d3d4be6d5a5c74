#include "supervisor/config/default_file.h"

#include "supervisor/config/parameters.h"

#include <fmt/core.h>

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

template <class S> std::string entries(std::span<const Heading> headings, std::string_view indent) {
  std::string text;
  for (const Parameter<S> &parameter : parameters_of<S>()) {
    for (const Heading &heading : headings)
      if (heading.before == parameter.name) text += fmt::format("\n{}# --- {} ---\n", indent, heading.text);
    text += fmt::format("{}# {}\n", indent, parameter.documentation);
    bool inherited = parameter.default_text == kInherited; // written out, it would hide the global value
    text +=
        fmt::format("{}{}{}: {}\n", indent, inherited ? "# " : "", parameter.name, render(parameter, defaults_of<S>()));
  }
  return text;
}

} // namespace

std::string default_configuration_file() {
  std::string text = "# Sluice's parameters with their defaults. What is left out has its default, too.\n"
                     "# Durations have a unit (ns, us, ms, s, m, h), and so have sizes (B, K, M, G, T).\n"
                     "# An environment variable RTSP_ and the parameter's name in capitals overrides the file.\n";
  text += entries<Configuration>(kGlobalHeadings, "");
  text += "\n# --- Paths ---\n"
          "# By name; `all` serves every name that has no entry of its own.\n"
          "paths:\n"
          "  all:\n";
  text += entries<PathConfiguration>(kPathHeadings, "    ");
  return text;
}

} // namespace sluice::config
