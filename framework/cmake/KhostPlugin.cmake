# khost_add_plugin(NAME KIND SOURCES ... [TESTS ...] [LIBRARIES ...]): a plugin as build/plugins/NAME.so and its tests in ctest.

set(KHOST_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion)
set(KHOST_PLUGIN_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins)
set(KHOST_PLUGIN_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR})

# What a run needs: host and plugins, no tests.
if(NOT TARGET khost_runtime)
  add_custom_target(khost_runtime)
endif()

function(khost_add_plugin NAME KIND)
  cmake_parse_arguments(P "" "" "SOURCES;TESTS;LIBRARIES" ${ARGN})
  add_library(khost_plugin_${NAME} MODULE ${P_SOURCES})
  set_target_properties(khost_plugin_${NAME} PROPERTIES OUTPUT_NAME ${NAME} PREFIX "" LIBRARY_OUTPUT_DIRECTORY
    ${KHOST_PLUGIN_OUTPUT_DIRECTORY} CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_options(khost_plugin_${NAME} PRIVATE ${KHOST_WARNINGS})
  target_link_options(khost_plugin_${NAME} PRIVATE -Wl,-z,defs -Wl,--version-script=${KHOST_PLUGIN_CMAKE_DIR}/plugin.map)
  if(KIND STREQUAL compute)  # a C table: needs the SDK's headers only
    target_include_directories(khost_plugin_${NAME} PRIVATE $<TARGET_PROPERTY:khost,INTERFACE_INCLUDE_DIRECTORIES>)
  else()
    target_link_libraries(khost_plugin_${NAME} PRIVATE khost)
  endif()
  target_link_libraries(khost_plugin_${NAME} PRIVATE ${P_LIBRARIES})
  add_dependencies(khost_runtime khost_plugin_${NAME})
  if(BUILD_TESTING AND P_TESTS)
    add_executable(test_${NAME} ${P_TESTS} ${P_SOURCES})
    target_compile_options(test_${NAME} PRIVATE ${KHOST_WARNINGS})
    target_link_libraries(test_${NAME} PRIVATE khost khost_doctest ${P_LIBRARIES})
    add_test(NAME plugin.${NAME} COMMAND test_${NAME})
  endif()
endfunction()

# Writes khost/fingerprint.hpp: what must agree between a plugin's build and the host's.
function(khost_generate_fingerprint)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/khost/fingerprint.hpp CONTENT "#pragma once\n#define KHOST_FINGERPRINT \"abi 1\"\n")
endfunction()
