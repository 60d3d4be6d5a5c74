// The text of a hook's command as words to execute: $NAME is substituted, then the result is split as a POSIX
// shell would, without a shell: no expansions, no pipes, no comments, no globbing. Pure.
//
// Values are put in before splitting, as configurations expect ("rtsp://localhost:$RTSP_PORT/$RTSP_PATH" within
// quotes or without), and most of them come from strangers: names of paths and parts of these. What keeps a stranger
// from adding words or closing quotes is that a value may only hold [0-9a-zA-Z_-/.~], which mean nothing to the
// splitting; path names are limited to these, and any other value is refused here. What it can still be is empty,
// begin with a minus or hold "..": a command that takes it as a word of its own must cope with that.
#pragma once

#include "common/base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace sluice::hooks {

struct Variable {
  std::string name; // without the dollar
  std::string value;
};
using Variables = std::vector<Variable>;

constexpr size_t kMaxCommandBytes = 64 * 1024; // after substitution
constexpr size_t kMaxCommandWords = 1024;

// `text` with each $NAME of `variables` replaced; of several names that fit the longest ($G10 rather than $G1).
// Values are not looked at again. ${NAME} and the $ of other names stay.
Result<std::string> substitute(std::string_view text, const Variables &variables);

// Words are separated by spaces, tabs and newlines. Between single quotes all is literal; between double quotes a
// backslash takes the meaning from $, `, " and \ and is itself otherwise; elsewhere it does so from any character.
// A backslash and a newline are nothing. At least one word.
Result<std::vector<std::string>> split_command(std::string_view text);

// Both. Errors never repeat the text, which may hold credentials.
Result<std::vector<std::string>> parse_command(std::string_view text, const Variables &variables);

// What names a command in a log: `text` up to its first space, as configured, made printable.
std::string first_word(std::string_view text);

} // namespace sluice::hooks
