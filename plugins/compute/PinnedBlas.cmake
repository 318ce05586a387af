# One flavour of a BLAS whose flavours share a SONAME.
#
#   khost_find_pinned_blas(NAME FLAVOUR HEADER PACKAGE TITLE)   libNAME.so and HEADER in folders called FLAVOUR, of Debian's PACKAGE,
#                                                               as KHOST_NAME, KHOST_NAME_FOLDER and KHOST_NAME_INCLUDE
function(khost_find_pinned_blas name flavour header package title)
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
  set(KHOST_${upper} ${KHOST_${upper}} PARENT_SCOPE)
  set(KHOST_${upper}_INCLUDE ${KHOST_${upper}_INCLUDE} PARENT_SCOPE)
  set(KHOST_${upper}_FOLDER ${folder} PARENT_SCOPE)
endfunction()
