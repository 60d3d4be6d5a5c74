// What a request's path asks for (behaviour: 13.1). Pure.
//
//   "/" NAME "/"                    the player page of a stream
//   "/" NAME "/" FILE               a file of it: playlist, segment, part, an asset of the page
//   "/" NAME                        → "/" NAME "/"
#pragma once

#include <string>
#include <string_view>

namespace sluice::hls {

struct Route {
  enum class Kind : uint8_t {
    None,     // 404
    Redirect, // to the same with a slash
    Page,
    File,
  };
  Kind kind = Kind::None;
  std::string stream; // the path's name
  std::string file;   // of File
};

Route route_of(std::string_view path);

} // namespace sluice::hls
