// Errors as values. Incomplete input is an empty optional, the peer's or the environment's fault is
// an Error, our own bug is a CHECK (check.h). No exceptions of our own.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace sluice {

struct Error {
  std::string message; // lower case, no full stop; shown to users and in logs
};

template <class T> class [[nodiscard]] Result : public tl::expected<T, Error> {
public:
  using tl::expected<T, Error>::expected;
  Result(Error error) : tl::expected<T, Error>(tl::unexpect, std::move(error)) {}
};

template <> class [[nodiscard]] Result<void> : public tl::expected<void, Error> {
public:
  using tl::expected<void, Error>::expected;
  Result(Error error) : tl::expected<void, Error>(tl::unexpect, std::move(error)) {}
};

// The text of errno after `what`, as "what: reason".
Error os_error(const std::string &what);

} // namespace sluice

// The value of a Result, or return of its Error from the enclosing function.
#define TRY(expression)                                                                                                \
  __extension__({                                                                                                      \
    auto &&try_result_ = (expression);                                                                                 \
    if (!try_result_.has_value()) [[unlikely]]                                                                         \
      return ::sluice::Error{std::move(try_result_.error())};                                                          \
    ::sluice::detail::unwrap(std::move(try_result_));                                                                  \
  })

namespace sluice::detail {
template <class T> T unwrap(Result<T> &&result) {
  return std::move(*result);
}
inline void unwrap(Result<void> &&) {}
} // namespace sluice::detail
