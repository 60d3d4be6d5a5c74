// Requests that want an answer only under a condition, or only a part of it (RFC 9110 sections 13 and 14). To be asked
// in this order about a response that is complete otherwise. Pure.
#pragma once

#include "common/http/request_parser.h"
#include "common/http/response.h"

namespace sluice::http {

// A GET or HEAD whose If-None-Match names the response's ETag (or "*"): the response becomes a 304, and true. Its other
// headers stay: those that a cache is to know.
bool answer_not_modified(const Request &request, Response &response);

// Says Accept-Ranges, and if it is a GET for one range of bytes, makes of the 200 a 206 with that part, or a 416. With
// If-Range only if that is the response's ETag (a strong one) or its Last-Modified, to the letter. Several ranges, and
// what is no range, get the whole.
//   Range = "bytes=" ( first "-" [ last ] / "-" suffix-length )
void answer_range(const Request &request, Response &response);

} // namespace sluice::http
