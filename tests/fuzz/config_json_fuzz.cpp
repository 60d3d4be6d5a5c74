// A change of a configuration by the API: the first byte says which, then JSON. What is accepted is rendered as JSON
// that is valid, and that changes nothing when it is taken again.

#include "common/base/check.h"
#include "supervisor/config/json.h"
#include "supervisor/config/json_document.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace sluice::config;
  if (size == 0) return 0;
  std::string_view json(reinterpret_cast<const char *>(data) + 1, size - 1);
  static const Configuration base =
      parse_configuration("paths: {a: {writeMerge: 5ms}, ~^b: , all: }", "", {}).value().configuration;
  ChangeResult result = data[0] % 4 == 0   ? apply_json_settings(base, json)
                        : data[0] % 4 == 1 ? edit_path_json(base, "a", json)
                        : data[0] % 4 == 2 ? add_path_json(base, "new", json)
                                           : add_path_json(base, json.substr(0, json.find('\n')), "{}");
  if (!result) {
    CHECK(!result.error().empty() && result.error().size() <= kMaxReportedErrors + 1);
    for (const std::string &error : result.error()) CHECK(error.find('\n') == error.npos && error.size() < 2000);
    return 0;
  }
  std::string rendered = render_json(*result);
  CHECK(parse_json(rendered).has_value());
  for (const auto &[name, path] : result->paths) {
    auto again = edit_path_json(*result, name, render_json(path));
    CHECK(again && render_json(*again) == rendered);
  }
  return 0;
}
