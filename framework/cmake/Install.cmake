# What `cmake --install` puts below a prefix, which may be moved afterwards as a whole:
#
#   bin/khost   lib/libkhost.so   lib/khost/plugins/*.so
#   include/khost   lib/cmake/khost    the SDK: find_package(khost CONFIG REQUIRED), khost_add_plugin()
#   share/khost                        published figures, report and plugin templates, experiments; share/doc/khost
#   share/bash-completion, share/zsh, share/man
#
# Each plugin's own rule is khost_add_plugin()'s. Package: `cpack` in the build folder makes khost_VERSION_ARCH.deb.

set_target_properties(khost_app PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")
if(KHOST_BOOST_ROOT)  # a Boost that no package manager knows stays where bootstrap unpacked it
  get_target_property(library Boost::program_options LOCATION)
  get_filename_component(folder ${library} DIRECTORY)
  set_property(TARGET khost_app APPEND PROPERTY INSTALL_RPATH ${folder})
endif()
install(TARGETS khost EXPORT khost LIBRARY DESTINATION lib)
install(TARGETS khost_app RUNTIME DESTINATION bin)
install(DIRECTORY include/khost DESTINATION include)
install(FILES ${CMAKE_BINARY_DIR}/generated/khost/fingerprint.hpp DESTINATION include/khost)

string(REGEX MATCH "^[0-9]+" major "${CMAKE_CXX_COMPILER_VERSION}")
set(KHOST_COMPILER_OF_THIS_BUILD "${CMAKE_CXX_COMPILER_ID} ${major}")
set(package ${CMAKE_BINARY_DIR}/lib/cmake/khost)  # so that the build folder serves as a prefix, too
configure_file(cmake/khostConfig.cmake.in ${package}/khostConfig.cmake @ONLY)
include(CMakePackageConfigHelpers)
write_basic_package_version_file(${package}/khostConfigVersion.cmake COMPATIBILITY SameMinorVersion)
foreach(file KhostPlugin.cmake plugin.map doctest_main.cpp)
  configure_file(cmake/${file} ${package}/${file} COPYONLY)
endforeach()
export(EXPORT khost NAMESPACE khost:: FILE ${package}/khostTargets.cmake)
install(EXPORT khost NAMESPACE khost:: FILE khostTargets.cmake DESTINATION lib/cmake/khost)
install(FILES ${package}/khostConfig.cmake ${package}/khostConfigVersion.cmake cmake/KhostPlugin.cmake cmake/plugin.map
  cmake/doctest_main.cpp DESTINATION lib/cmake/khost)

install(DIRECTORY ${CMAKE_SOURCE_DIR}/share/ DESTINATION share/khost PATTERN completion EXCLUDE)
install(FILES ${CMAKE_SOURCE_DIR}/share/completion/khost.bash DESTINATION share/bash-completion/completions RENAME khost)
install(FILES ${CMAKE_SOURCE_DIR}/share/completion/_khost DESTINATION share/zsh/site-functions)
install(FILES ${CMAKE_BINARY_DIR}/man/man1/khost.1 DESTINATION share/man/man1)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/experiments DESTINATION share/khost)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION share/doc/khost)
install(FILES ${CMAKE_SOURCE_DIR}/README.md DESTINATION share/doc/khost)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME khost)
set(CPACK_PACKAGE_CONTACT "the khost authors <khost@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "experiments on low-rank adaptation of transformers")
set(CPACK_PACKAGE_DESCRIPTION "A host whose models, optimizers, data sources, BLAS backends and probes are plugins, with
the SDK that they are written with. A manifest composes them into a paper's experiment; khost runs it and says what its figures are worth.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_BINARY_DIR}/lib)
# openblas opens its library by path, which dpkg-shlibdeps does not see; blis has the OpenMP flavour's folder in its RPATH.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libopenblas0-openmp, libblis4-openmp")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "g++, cmake, make, doctest-dev, nodejs, librsvg2-bin")
include(CPack)
