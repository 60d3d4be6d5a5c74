// Stored credentials, lists of addresses, and the question to an external server. Lines of the input: stored, given,
// address, then items of a list. Argon2 is never computed.
#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/ip_list.h"
#include "supervisor/auth/credentials.h"
#include "supervisor/auth/external_body.h"
#include "supervisor/auth/query_credentials.h"
#include "supervisor/config/addresses.h"

#include <algorithm>

namespace {

using namespace sluice;

std::string_view take_line(std::string_view &rest) {
  std::string_view line = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  return line;
}

void check_list(std::string_view address, std::string_view rest) {
  std::vector<std::string> items;
  bool valid = true;
  while (!rest.empty() && items.size() < 16) {
    items.emplace_back(take_line(rest));
    bool terminated = items.back().find('\0') != std::string::npos;
    valid = valid && !terminated && config::is_ip_or_cidr(items.back());
  }
  auto list = IpList::parse(items);
  CHECK(list.has_value() == valid);
  if (!list) return;
  list->contains(address);
  for (const std::string &item : items) {
    // ::ffff:1.2.3.4/8 is a range of IPv6, the address in it is one of IPv4.
    if (item.find(':') == item.npos || item.find('/') == item.npos)
      CHECK(list->contains(std::string_view(item).substr(0, item.find('/'))));
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view rest = as_text({data, size});
  std::string_view stored = take_line(rest), given = take_line(rest), address = take_line(rest);
  bool valid = auth::check_stored_credential(stored).has_value();
  if (auth::form_of(stored) != auth::StoredForm::Argon2) {
    bool match = auth::matches(stored, given);
    if (auth::form_of(stored) == auth::StoredForm::Plain) CHECK(match == (stored == given));
  } else if (valid) {
    CHECK(stored.size() < 300);
  }
  check_list(address, rest);

  auth::QueryCredentials credentials = auth::parse_query_credentials(given);
  CHECK(credentials.user.view().size() + credentials.password.view().size() <= given.size());

  auth::ExternalRequest request{std::string(address), auth::SecretText(stored), auth::SecretText(given),
                                std::string(rest),    auth::Action::Read,       auth::SecretText(rest)};
  bool has_nul = as_text({data, size}).find('\0') != std::string_view::npos;
  auto body = auth::external_body(request);
  CHECK(body.has_value() == !has_nul);
  return 0;
}
