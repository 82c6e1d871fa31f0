# find_package(minnow): the target minnow::minnow, which is the header alone. It works from a checkout and from the
# installed Python package, since the header is always the neighbour of this folder.
if(NOT TARGET minnow::minnow)
  add_library(minnow::minnow INTERFACE IMPORTED)
  get_filename_component(minnow_INCLUDE_DIR "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)
  set_target_properties(minnow::minnow PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${minnow_INCLUDE_DIR}")
endif()
