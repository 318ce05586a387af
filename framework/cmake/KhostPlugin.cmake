# khost_add_plugin(NAME KIND SOURCES ... [TESTS ...] [LIBRARIES ...] [CONFIG JSON])
#
# Builds build/plugins/NAME.so and, from TESTS (doctest cases), the ctest plugin.NAME. A file pictures.json beside it says how
# reports draw its records, and example.manifest, keys of a manifest, how it is used where its defaults are not enough. KIND: compute,
# model, optimizer, data, probe, adapter or core; a policy is a probe. The library exports khost_plugin_entry and nothing else, and every
# symbol it uses must be found when it is linked. A compute plugin is a C table and does not link libkhost; its LIBRARIES stay in its own
# scope. `cmake --install` puts it where a khost of that prefix finds it.
#
# Out of khost's own tree it adds the ctest check.NAME too, `khost check` with the parameters CONFIG, which those need that have no default.
#
# The same function in khost's own tree and, after find_package(khost CONFIG REQUIRED), in anybody's.

set(KHOST_PLUGIN_KINDS compute model optimizer data probe adapter core)  # in the order of khost::Kind; the header of each is khost/KIND.hpp
set(KHOST_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  list(APPEND KHOST_WARNINGS -Wno-restrict)  # g++ 12 sees overlaps in std::string's operator+ that are not there
endif()
set(KHOST_PLUGIN_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins)
set(KHOST_PLUGIN_INSTALL_DIRECTORY lib/khost/plugins)  # below a prefix; empty: what is added is not installed
set(KHOST_PLUGIN_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR})

# Removes the files that an earlier configuration of this build made and this one, which makes FILES, does not: a plugin whose
# folder is gone must not stay listed. RECORD keeps what was made; a file that is none of the build's is left alone.
function(khost_remove_stale_plugins RECORD FILES)
  set(before "")
  if(EXISTS ${RECORD})
    file(STRINGS ${RECORD} before)
  endif()
  foreach(file IN LISTS before)
    if(NOT file IN_LIST FILES AND EXISTS ${file})
      message(STATUS "plugin ${file} is no longer in the source tree: removed")
      file(REMOVE ${file})
    endif()
  endforeach()
  list(JOIN FILES "\n" lines)
  file(WRITE ${RECORD} "${lines}\n")
endfunction()

# Classes cross the border between a plugin and khost, which therefore have to agree on more than a header's text; the loader would
# refuse the plugin for the same reason, but only after it was built.
function(khost_require_its_compiler NAME)
  string(REGEX MATCH "^[0-9]+" major "${CMAKE_CXX_COMPILER_VERSION}")
  if(KHOST_COMPILER AND NOT KHOST_COMPILER STREQUAL "${CMAKE_CXX_COMPILER_ID} ${major}")
    message(FATAL_ERROR "khost_add_plugin(${NAME} ...): this khost was built with ${KHOST_COMPILER}, and its plugins have to be, but for those of "
      "kind compute; here ${CMAKE_CXX_COMPILER} is ${CMAKE_CXX_COMPILER_ID} ${major}. Configure with -DCMAKE_CXX_COMPILER=... in an empty build folder")
  endif()
endfunction()

# doctest with its main, for tests.
function(khost_make_doctest)
  if(TARGET khost_doctest)
    return()
  endif()
  find_package(doctest QUIET)
  if(NOT doctest_FOUND)
    message(FATAL_ERROR "The tests of a plugin are written with doctest: install the Debian package doctest-dev, or configure with -DBUILD_TESTING=OFF")
  endif()
  add_library(khost_doctest STATIC ${KHOST_PLUGIN_CMAKE_DIR}/doctest_main.cpp)
  target_link_libraries(khost_doctest PUBLIC doctest::doctest)
  target_compile_definitions(khost_doctest PUBLIC DOCTEST_CONFIG_SUPER_FAST_ASSERTS)
endfunction()

function(khost_add_plugin NAME KIND)
  if(NOT KIND IN_LIST KHOST_PLUGIN_KINDS)
    message(FATAL_ERROR "khost_add_plugin(${NAME} ${KIND} ...): the kind is one of ${KHOST_PLUGIN_KINDS}")
  endif()
  cmake_parse_arguments(P "" "CONFIG" "SOURCES;TESTS;LIBRARIES" ${ARGN})
  if(NOT P_SOURCES OR P_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "khost_add_plugin(${NAME} ${KIND} SOURCES ... [TESTS ...] [LIBRARIES ...]): "
                        "got SOURCES '${P_SOURCES}' and besides '${P_UNPARSED_ARGUMENTS}'")
  endif()

  if(NOT P_CONFIG)
    set(P_CONFIG "{}")
  endif()

  # In khost's own tree a folder's kind is that of what it holds.
  get_filename_component(kind_folder ${CMAKE_CURRENT_SOURCE_DIR} DIRECTORY)
  get_filename_component(above ${kind_folder} DIRECTORY)
  get_filename_component(kind_folder ${kind_folder} NAME)
  get_filename_component(above ${above} NAME)
  if(above STREQUAL plugins AND kind_folder IN_LIST KHOST_PLUGIN_KINDS AND NOT kind_folder STREQUAL KIND)
    message(FATAL_ERROR "khost_add_plugin(${NAME} ${KIND} ...) in ${CMAKE_CURRENT_SOURCE_DIR}: that folder is for plugins of kind "
                        "${kind_folder}. Move it to plugins/${KIND}/, or give it that kind")
  endif()

  set(target khost_plugin_${NAME})
  add_library(${target} MODULE ${P_SOURCES})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${NAME} PREFIX "" SUFFIX .so LIBRARY_OUTPUT_DIRECTORY
    ${KHOST_PLUGIN_OUTPUT_DIRECTORY} C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS ${KHOST_PLUGIN_CMAKE_DIR}/plugin.map)
  target_compile_options(${target} PRIVATE ${KHOST_WARNINGS})
  target_compile_definitions(${target} PRIVATE KHOST_PLUGIN_KIND=${KIND})  # KHOST_PLUGIN() compares
  target_link_options(${target} PRIVATE -Wl,--version-script=${KHOST_PLUGIN_CMAKE_DIR}/plugin.map)
  if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize" OR NOT CMAKE_CXX_COMPILER_ID MATCHES Clang)
    target_link_options(${target} PRIVATE -Wl,-z,defs)  # clang's sanitizers leave their runtime undefined in libraries
  endif()
  if(KIND STREQUAL compute)
    target_include_directories(${target} PRIVATE $<TARGET_PROPERTY:khost::khost,INTERFACE_INCLUDE_DIRECTORIES>)
  else()
    khost_require_its_compiler(${NAME})
    set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN/../..")
    target_compile_features(${target} PRIVATE cxx_std_20)
    target_link_libraries(${target} PRIVATE khost::khost)
  endif()
  target_link_libraries(${target} PRIVATE ${P_LIBRARIES})
  set_property(GLOBAL APPEND PROPERTY KHOST_PLUGIN_TARGETS ${target})
  set_property(GLOBAL APPEND PROPERTY KHOST_PLUGIN_FILES ${KHOST_PLUGIN_OUTPUT_DIRECTORY}/${NAME}.so)
  if(KHOST_PLUGIN_INSTALL_DIRECTORY)
    install(TARGETS ${target} LIBRARY DESTINATION ${KHOST_PLUGIN_INSTALL_DIRECTORY})
  endif()

  # How reports draw its records (framework/src/page/picture_specs.hpp), and how it is used (framework/src/inspect/example.hpp).
  foreach(beside pictures.json example.manifest)
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${beside})
      configure_file(${beside} ${KHOST_PLUGIN_OUTPUT_DIRECTORY}/${NAME}.${beside} COPYONLY)
      set_property(GLOBAL APPEND PROPERTY KHOST_PLUGIN_FILES ${KHOST_PLUGIN_OUTPUT_DIRECTORY}/${NAME}.${beside})
      if(KHOST_PLUGIN_INSTALL_DIRECTORY)
        install(FILES ${beside} DESTINATION ${KHOST_PLUGIN_INSTALL_DIRECTORY} RENAME ${NAME}.${beside})
      endif()
    endif()
  endforeach()

  if(BUILD_TESTING AND KHOST_PROGRAM)  # of a khost that was found; its own plugins are checked by tests/misbehaving
    add_test(NAME check.${NAME} COMMAND ${KHOST_PROGRAM} check $<TARGET_FILE:${target}> --config "${P_CONFIG}")
  endif()
  if(BUILD_TESTING AND P_TESTS)
    khost_make_doctest()
    add_executable(test_${NAME} ${P_TESTS} ${P_SOURCES})
    target_compile_options(test_${NAME} PRIVATE ${KHOST_WARNINGS})
    target_include_directories(test_${NAME} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_compile_features(test_${NAME} PRIVATE cxx_std_20)
    target_link_libraries(test_${NAME} PRIVATE khost::khost khost_doctest ${P_LIBRARIES})
    add_test(NAME plugin.${NAME} COMMAND test_${NAME})
  endif()
endfunction()
