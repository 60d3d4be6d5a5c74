// Requests in a row. Fed whole, byte by byte and in pieces of other sizes: the same requests and the same refusal.
// Their targets and queries are taken apart, too.
#include "common/base/check.h"
#include "common/http/request_parser.h"
#include "common/http/uri.h"

#include <vector>

namespace {

using namespace sluice;
using namespace sluice::http;

constexpr size_t kMaxBodyBytes = 1000;

struct Outcome {
  std::vector<Request> requests;
  size_t continues = 0;
  uint16_t refusal = 0;
  bool between_requests = true;
};

Outcome feed(Bytes input, size_t piece) {
  RequestParser parser(kMaxBodyBytes);
  Outcome outcome;
  while (!input.empty() && outcome.refusal == 0) {
    Bytes part = input.first(std::min(piece, input.size()));
    RequestParser::Progress progress = parser.feed(part);
    CHECK(progress.consumed <= part.size());
    CHECK(progress.outcome.index() != 0 || progress.consumed == part.size());
    CHECK(progress.outcome.index() == 0 || progress.consumed > 0);
    input = input.subspan(progress.consumed);
    outcome.continues += std::holds_alternative<ExpectsContinue>(progress.outcome);
    if (auto *request = std::get_if<Request>(&progress.outcome)) outcome.requests.push_back(std::move(*request));
    if (auto *refusal = std::get_if<Refusal>(&progress.outcome)) outcome.refusal = refusal->status;
  }
  outcome.between_requests = parser.between_requests();
  return outcome;
}

void check_same(const Outcome &a, const Outcome &b) {
  CHECK(a.refusal == b.refusal && a.continues == b.continues && a.between_requests == b.between_requests);
  CHECK(a.requests.size() == b.requests.size());
  for (size_t i = 0; i < a.requests.size(); i++) {
    const Request &x = a.requests[i], &y = b.requests[i];
    CHECK(x.method == y.method && x.target == y.target && x.path == y.path && x.query == y.query && x.body == y.body);
    CHECK(x.minor_version == y.minor_version && x.keep_alive == y.keep_alive);
    CHECK(x.headers.all().size() == y.headers.all().size());
    for (size_t h = 0; h < x.headers.all().size(); h++) {
      const Header &of_x = x.headers.all()[h], &of_y = y.headers.all()[h];
      CHECK(of_x.name == of_y.name && of_x.value == of_y.value);
    }
  }
}

void check_request(const Request &request) {
  CHECK(request.body.size() <= kMaxBodyBytes && request.target.size() <= kMaxTargetBytes);
  CHECK(request.headers.all().size() <= kMaxHeaders && request.headers.count("Content-Length") <= 1);
  CHECK(request.path == "*" || request.path.starts_with('/'));
  for (const Header &header : request.headers.all()) CHECK(is_token(header.name) && is_header_value(header.value));
  auto target = parse_target(request.method, request.target);
  CHECK(target.has_value() && target->path == request.path && target->query == request.query);
  auto again = percent_decode(percent_encode(request.path));
  CHECK(again.has_value() && *again == request.path);
  if (auto query = parse_query(request.query)) CHECK(query->all().size() <= request.query.size() + 1);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Bytes input(data, size);
  Outcome whole = feed(input, size);
  check_same(whole, feed(input, 1));
  check_same(whole, feed(input, 7));
  check_same(whole, feed(input, size / 3 + 1));
  for (const Request &request : whole.requests) check_request(request);
  (void)parse_query(as_text(input));
  (void)parse_target("OPTIONS", as_text(input));
  return 0;
}
