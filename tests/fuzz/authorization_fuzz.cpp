// Authorization headers: a first line that is the URL of the request, then the header's value. What is Digest is
// checked, and answered once more with the right response, which must be accepted.
#include "common/base/check.h"
#include "supervisor/auth/hashes.h"
#include "supervisor/auth/http_authorization.h"
#include "supervisor/auth/nonces.h"

namespace {

using namespace sluice;

void check_answer(auth::DigestAuthorization digest, std::string_view url) {
  const auth::Nonces nonces(auth::NonceSecret{1});
  bool nonce_is_valid = digest.nonce && nonces.check(*digest.nonce, "1.2.3.4:5");
  bool accepted = auth::check_digest(digest, {"SETUP", url, nonce_is_valid}, "user", "pass").has_value();
  bool complete = digest.realm && digest.nonce && digest.username && digest.uri && digest.response;
  CHECK(!accepted || (complete && nonce_is_valid && digest.realm == auth::kRealm && digest.username == "user"));

  digest.realm = auth::kRealm;
  digest.username = "user";
  digest.uri = url;
  digest.nonce = nonces.make("1.2.3.4:5");
  CHECK(nonces.check(*digest.nonce, "1.2.3.4:5") && !nonces.check(*digest.nonce, "1.2.3.4:6"));
  digest.response =
      auth::md5_hex({auth::md5_hex({"user", auth::kRealm, "pass"}), *digest.nonce, auth::md5_hex({"SETUP", url})});
  CHECK(auth::check_digest(digest, {"SETUP", url, true}, "user", "pass").has_value());
  CHECK(!auth::check_digest(digest, {"SETUP", url, true}, "user", "past").has_value());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view input = as_text({data, size});
  size_t end = input.find('\n');
  std::string_view url = end == input.npos ? "rtsp://127.0.0.1:8554/cam/trackID=0" : input.substr(0, end);
  std::string_view value = end == input.npos ? input : input.substr(end + 1);
  auto parsed = auth::parse_authorization(value);
  if (!parsed) return 0;
  CHECK(value.size() <= auth::kMaxAuthorizationBytes);
  if (auto *digest = std::get_if<auth::DigestAuthorization>(&*parsed)) {
    check_answer(std::move(*digest), url);
  } else {
    const auto &basic = std::get<auth::BasicAuthorization>(*parsed);
    CHECK(basic.user.view().find(':') == std::string_view::npos);
  }
  return 0;
}
