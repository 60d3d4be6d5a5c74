// Puts a configuration together from its sources, the later ones over the earlier: document and environment, or
// another configuration and what the API changes of it. It remembers where each value came from, collects all errors,
// and checks the whole at the end.
#pragma once

#include "supervisor/config/loader.h"
#include "supervisor/config/parameters.h"
#include "supervisor/config/validation.h"
#include "supervisor/config/yaml.h"

namespace sluice::config {

class Assembly {
public:
  explicit Assembly(std::string file) : file_(std::move(file)) {} // its name in messages
  explicit Assembly(Configuration base);                          // what is applied has no lines and no `paths`

  void apply_document(const YamlNode &root);
  void apply_path(const std::string &name, const YamlNode &parameters);
  void apply_environment(const Environment &environment);
  void add_path(const std::string &name); // with all defaults
  void add_note(std::string note) { loaded_.notes.push_back(std::move(note)); }
  LoadResult finish();

private:
  // Where a value was given: a line of the file, or an environment variable. Neither: by default.
  struct Origin {
    int line = 0;
    std::string variable;
  };
  using Origins = std::map<std::string_view, Origin>; // by parameter; the names are those of the table
  struct PathOrigins {
    Origin path;
    Origins parameters;
    bool broken = false; // some of it could not be taken
  };

  template <class S>
  void apply_mapping(const YamlNode &mapping, const std::string &prefix, S &holder, Origins &origins);
  void apply_paths(const YamlNode &node);
  void apply_path(const std::string &name, const Origin &origin, const YamlNode &parameters);
  void apply_path_variable(const std::string &variable, const std::string &value);
  void note_misspelled_variables(const Environment &environment);
  template <class S>
  void apply_variable(const Parameter<S> &parameter, const std::string &variable, const std::string &value, S &holder,
                      Origins &origins);
  PathConfiguration &path(const std::string &name, Origin origin);

  void complete_paths();
  template <class S>
  void check_values(const std::string &prefix, const S &holder, const Origins &origins, const Origin &otherwise,
                    const std::vector<Problem> &problems);
  void check_path(const PathConfiguration &path, const PathOrigins &origins);
  size_t error_count() const { return errors_.size() + unreported_errors_; }
  void report(const Origin &origin, const std::string &prefix, std::string_view parameter, std::string_view message);

  struct ReportedError {
    int line;
    std::string text;
  };
  std::string file_;
  bool is_change_ = false; // of another configuration
  int next_order_ = 0;
  LoadedConfiguration loaded_;
  Origins origins_;
  std::map<std::string, PathOrigins, std::less<>> path_origins_;
  std::vector<ReportedError> errors_; // at most kMaxReportedErrors
  size_t unreported_errors_ = 0;
};

} // namespace sluice::config
