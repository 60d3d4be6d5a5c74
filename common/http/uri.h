// Percent-encoding, queries and relative references (RFC 3986 sections 2.1, 3.4 and 5), and the target of a request
// (RFC 9112 section 3.2). Pure; results are bounded by their input.
#pragma once

#include "common/base/result.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::http {

// Error: a '%' without two hexadecimal digits. A '+' stays what it is.
Result<std::string> percent_decode(std::string_view text);
// Everything but letters, digits and "-._~" is encoded; with `keep_slashes` that too is left, as a path wants it.
std::string percent_encode(std::string_view text, bool keep_slashes = false);

struct QueryParameter {
  std::string name, value;
};

class Query {
public:
  void add(std::string name, std::string value) { all_.push_back({std::move(name), std::move(value)}); }
  // The first of that name; null when there is none. Valid until the next add.
  const std::string *find(std::string_view name) const;
  const std::vector<QueryParameter> &all() const { return all_; }

private:
  std::vector<QueryParameter> all_;
};

// name=value pairs between '&', decoded; here a '+' is a space. Empty pairs are left out.
Result<Query> parse_query(std::string_view raw);

struct Target {
  std::string path;  // decoded, begins with '/', not normalised; or "*"
  std::string query; // behind the '?', as it was sent
};

//   target = path [ "?" query ] / ( "http" / "https" ) "://" authority [ path ] [ "?" query ] / "*" (OPTIONS only)
Result<Target> parse_target(std::string_view method, std::string_view target);

// What `reference` means where `base` is the URI of what holds it (RFC 3986 section 5.2), without fragment. Both as
// they were sent; characters that are none of a URI's stay. Error: `base` has no scheme.
Result<std::string> resolve_reference(std::string_view base, std::string_view reference);

} // namespace sluice::http
