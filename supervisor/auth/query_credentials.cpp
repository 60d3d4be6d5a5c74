#include "supervisor/auth/query_credentials.h"

#include "common/http/uri.h"

#include <algorithm>

namespace sluice::auth {
namespace {

SecretText decoded(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  SecretText secret = SecretText::take(spaced);
  auto result = http::percent_decode(secret.view()); // reserves all it needs: nothing is left elsewhere
  return result ? SecretText::take(*result) : SecretText();
}

} // namespace

QueryCredentials parse_query_credentials(std::string_view query) {
  QueryCredentials credentials;
  bool has_user = false, has_password = false;
  while (!query.empty()) {
    std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    size_t equals = std::min(pair.find('='), pair.size());
    std::string_view name = pair.substr(0, equals), value = pair.substr(std::min(equals + 1, pair.size()));
    if (name == "user" && !std::exchange(has_user, true)) credentials.user = decoded(value);
    if (name == "pass" && !std::exchange(has_password, true)) credentials.password = decoded(value);
  }
  return credentials;
}

} // namespace sluice::auth
