# A compute plugin over one flavour of a BLAS whose flavours share a SONAME: the loader is told the flavour's folder by DT_RPATH, which
# also comes before LD_LIBRARY_PATH, in the build tree and where it is installed. The plugin's create() checks what it got.
#
#   khost_add_pinned_blas(NAME FLAVOUR HEADER PACKAGE TITLE)   libNAME.so and HEADER in folders called FLAVOUR, of Debian's PACKAGE
function(khost_add_pinned_blas name flavour header package title)
  string(TOUPPER ${name} upper)
  find_library(KHOST_${upper} NAMES ${name} PATH_SUFFIXES ${flavour} NO_CACHE
    PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE} /usr/lib64 /usr/lib NO_DEFAULT_PATH)
  find_path(KHOST_${upper}_INCLUDE NAMES ${header} PATH_SUFFIXES ${flavour} NO_CACHE
    PATHS /usr/include/${CMAKE_LIBRARY_ARCHITECTURE} /usr/include NO_DEFAULT_PATH)
  if(NOT KHOST_${upper} MATCHES "${flavour}" OR NOT KHOST_${upper}_INCLUDE MATCHES "${flavour}")
    message(FATAL_ERROR "The OpenMP flavour of ${title} is missing (${flavour}/lib${name}.so and its headers): "
      "install the Debian package ${package}, or run ./bootstrap")
  endif()
  get_filename_component(folder ${KHOST_${upper}} DIRECTORY)

  khost_add_plugin(${name} compute SOURCES plugin.cpp LIBRARIES ${KHOST_${upper}} gomp)
  target_include_directories(khost_plugin_${name} SYSTEM PRIVATE ${KHOST_${upper}_INCLUDE})
  set_target_properties(khost_plugin_${name} PROPERTIES BUILD_RPATH ${folder} INSTALL_RPATH ${folder})
  target_link_options(khost_plugin_${name} PRIVATE -Wl,--disable-new-dtags)
endfunction()
