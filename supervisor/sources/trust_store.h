// The certificates that this machine trusts, for workers that verify the servers they pull from.
#pragma once

#include "common/base/fd.h"
#include "common/base/result.h"

namespace sluice {

// The file of SSL_CERT_FILE, of OpenSSL or of the distribution, to read.
Result<Fd> open_trust_store();

} // namespace sluice
