// Configurations as the API's JSON: shown, and changed. Values are those of the reference: durations and sizes are
// texts as in a file, enumerations their words, sets sorted lists. Every value is decoded and checked as a file's is.
// Pure: a change gives a new configuration.
#pragma once

#include "supervisor/config/loader.h"

namespace sluice::config {

// One object with every parameter; `paths` is an object by name. Credentials stand there as they are.
std::string render_json(const Configuration &configuration);
std::string render_json(const PathConfiguration &path);

// The changed configuration, valid as a whole, or all that is wrong.
using ChangeResult = tl::expected<Configuration, LoadErrors>;

// `json` is an object with some of the global parameters. `paths` and what is none is left out, as the reference does,
// and named in `ignored`.
ChangeResult apply_json_settings(const Configuration &base, std::string_view json,
                                 std::vector<std::string> *ignored = nullptr);

// `json` is an object with some parameters of a path; an added one has the defaults for the others. The name `all`
// stands for kAllPaths. An added regular expression is tried after those that are there.
ChangeResult add_path_json(const Configuration &base, std::string_view name, std::string_view json);
ChangeResult edit_path_json(const Configuration &base, std::string_view name, std::string_view json);
ChangeResult remove_path(const Configuration &base, std::string_view name);

} // namespace sluice::config
