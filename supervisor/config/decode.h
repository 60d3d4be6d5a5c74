// The value of a parameter from a node of the document: first its type must be right, then its text.
#pragma once

#include "supervisor/config/parameters.h"
#include "supervisor/config/yaml.h"

namespace sluice::config {

template <class S> Result<void> set_from_node(const Parameter<S> &parameter, const YamlNode &node, S &holder);

} // namespace sluice::config
