// Who a client is when there may be proxies in front. Pure.
#pragma once

#include "common/base/ip_list.h"
#include "common/http/request_parser.h"

namespace sluice::http {

// `peer`: the address that the connection comes from. If that is trusted, the right-most address of X-Forwarded-For
// that is not, or its first one if all are; without such a header, or with one that is not understood until there,
// X-Real-IP; else the peer.
std::string client_address(const Request &request, const std::string &peer, const IpList &trusted);

} // namespace sluice::http
