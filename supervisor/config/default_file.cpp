#include "supervisor/config/default_file.h"

#include "supervisor/config/headings.h"
#include "supervisor/config/parameters.h"

#include <fmt/core.h>

namespace sluice::config {
namespace {

template <class S> std::string entries(std::string_view indent) {
  std::string text;
  for (const Parameter<S> &parameter : parameters_of<S>()) {
    if (std::string_view heading = heading_before<S>(parameter.name); !heading.empty())
      text += fmt::format("\n{}# --- {} ---\n", indent, heading);
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
                     "# An environment variable RTSP_ and the parameter's name in capitals overrides the file.\n"
                     "# deploy/configuration.md tells more about each.\n";
  text += entries<Configuration>("");
  text += "\n# --- Paths ---\n"
          "# By name. One that begins with `~` is a regular expression (RE2), as ~^cam[0-9]+$. The exact name is\n"
          "# tried first, then the regular expressions from the top, then `all`, which serves every other name.\n"
          "paths:\n"
          "  all:\n";
  text += entries<PathConfiguration>("    ");
  return text;
}

} // namespace sluice::config
