// Certificates for tests, made on the spot.
#pragma once

#include <string>

namespace sluice::loop {

struct TestIdentity {
  std::string certificate, key; // PEM
};

struct TestCertificate {
  std::string name = "localhost"; // subject, and as alternative name "DNS:localhost"
  std::string alternatives = "DNS:localhost,IP:127.0.0.1,IP:::1";
  long days = 1;                        // of validity; negative: over since then
  const TestIdentity *issuer = nullptr; // null: by itself
};

TestIdentity make_identity(const TestCertificate &wanted = {});
std::string fingerprint_of(const TestIdentity &identity); // SHA-256, lower case

} // namespace sluice::loop
