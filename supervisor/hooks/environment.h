// The environment of commands: the server's, without what is a secret of the server's, with the hook's variables.
// Pure.
#pragma once

#include "supervisor/config/loader.h"
#include "supervisor/hooks/command_line.h"

#include <string>
#include <string_view>
#include <vector>

namespace sluice::hooks {

// Left out: RTSP_CONFKEY, the parameters apiUser, apiPass, publishUser, publishPass, readUser, readPass, and each
// other RTSP_ variable in whose value there is a URL with userinfo (sources, fallbacks, commands, ...).
config::Environment without_credentials(const config::Environment &server);

// "NAME=value" lines, as execve takes them. Values of `variables` win.
std::vector<std::string> command_environment(const config::Environment &inherited, const Variables &variables);

// RTSP_PATH, RTSP_PORT and G1 to Gn. `rtsp_port`: that of rtspAddress, also for hooks of other protocols.
Variables hook_variables(std::string_view path, std::string_view rtsp_port, const std::vector<std::string> &groups);

} // namespace sluice::hooks
