# The player page's assets, from this folder's files and hls.js, which npm gets when the lock has changed.
find_program(NPM npm)
find_program(NODE NAMES node nodejs)
if(NOT NPM OR NOT NODE)
  message(FATAL_ERROR "npm and node build the HLS player page and are missing: deploy/install-dependencies installs them")
endif()

set(page ${CMAKE_CURRENT_LIST_DIR})
set(page_output ${CMAKE_BINARY_DIR}/hls_page)
add_custom_command(
  OUTPUT ${page_output}/fetched
  COMMAND ${page}/fetch ${page_output}
  DEPENDS ${page}/package.json ${page}/package-lock.json ${page}/fetch
  COMMENT "Getting hls.js"
  VERBATIM)
add_custom_command(
  OUTPUT ${page_output}/assets/assets.cpp
  COMMAND ${NODE} ${page}/assemble.mjs ${page_output}/assets ${page_output}/node_modules
  DEPENDS ${page}/assemble.mjs ${page}/index.html ${page}/player.css ${page}/player.js ${page_output}/fetched
  COMMENT "Assembling the player page"
  VERBATIM)
# It holds a digest of each file that it includes, so that it changes with them.
target_sources(sluice_hls_page PRIVATE ${page_output}/assets/assets.cpp)
