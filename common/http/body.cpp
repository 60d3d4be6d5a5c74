#include "common/http/body.h"

#include "common/base/check.h"

#include <utility>

namespace sluice::http {
namespace {

struct Text final : BodyMemory {
  explicit Text(std::string given) : text(std::move(given)) {}
  const std::string text;
};

} // namespace

Body Body::shared(std::string text) {
  auto memory = std::make_shared<const Text>(std::move(text));
  Bytes bytes = as_bytes(memory->text);
  return {std::move(memory), bytes};
}

Body Body::part(size_t begin, size_t count) const {
  CHECK(begin <= size() && count <= size() - begin);
  if (memory_ == nullptr) return text_.substr(begin, count);
  return {memory_, bytes_.subspan(begin, count)};
}

Body Body::into_shared() && {
  if (memory_ != nullptr) return std::move(*this);
  return shared(std::move(text_));
}

} // namespace sluice::http
