// The credentials that clients without an Authorization header give in their URL's query. Pure.
#pragma once

#include "supervisor/auth/secret_text.h"

#include <string_view>

namespace sluice::auth {

struct QueryCredentials {
  SecretText user, password;
};

// The first "user" and the first "pass" of a query without '?': name=value pairs between '&', percent-encoded, a '+' is
// a space. What is missing or can't be decoded is empty.
QueryCredentials parse_query_credentials(std::string_view query);

} // namespace sluice::auth
