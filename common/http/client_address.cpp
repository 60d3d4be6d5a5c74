#include "common/http/client_address.h"

#include "common/base/text.h"

#include <optional>

namespace sluice::http {
namespace {

std::optional<std::string> forwarded_for(const Request &request, const IpList &trusted) {
  std::string list; // several headers are one list (RFC 9110 section 5.3)
  for (const Header &header : request.headers.all())
    if (equal_ignoring_case(header.name, "X-Forwarded-For")) list += (list.empty() ? "" : ",") + header.value;
  if (list.empty()) return std::nullopt;
  for (std::string_view rest = list;;) {
    size_t comma = rest.rfind(',');
    bool first = comma == rest.npos;
    std::string_view address = trim(first ? rest : rest.substr(comma + 1));
    if (!IpList::is_address(address)) return std::nullopt;
    if (first || !trusted.contains(address)) return std::string(address);
    rest = rest.substr(0, comma);
  }
}

} // namespace

std::string client_address(const Request &request, const std::string &peer, const IpList &trusted) {
  if (!trusted.contains(peer)) return peer;
  if (auto address = forwarded_for(request, trusted)) return *address;
  const std::string *real = request.headers.find("X-Real-IP");
  if (real != nullptr && IpList::is_address(trim(*real))) return std::string(trim(*real));
  return peer;
}

} // namespace sluice::http
