# One library a top folder. Its headers are reached as "folder/header.h" through a link that only it and the
# libraries linked to it see; within it cmake/rooms.txt lists which folder may include which. An include against
# either does not build.

file(GLOB_RECURSE nystrom_code CONFIGURE_DEPENDS kernels/*.h kernels/*.cpp kernels/*.cu model/*.h model/*.cpp data/*.h
  data/*.cpp trainer/*.h trainer/*.cpp launch/*.h launch/*.cpp)
add_custom_command(OUTPUT "${CMAKE_BINARY_DIR}/rooms.stamp"
  COMMAND "${CMAKE_COMMAND}" -DROOT=${CMAKE_SOURCE_DIR} -P "${CMAKE_SOURCE_DIR}/cmake/CheckRooms.cmake"
  COMMAND "${CMAKE_COMMAND}" -E touch "${CMAKE_BINARY_DIR}/rooms.stamp"
  DEPENDS ${nystrom_code} cmake/rooms.txt cmake/CheckRooms.cmake
  WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}"
  COMMENT "Checking includes between folders (cmake/rooms.txt)")
add_custom_target(nystrom_rooms ALL DEPENDS "${CMAKE_BINARY_DIR}/rooms.stamp")

# The standard library and fmt are parsed once for the libraries without OpenMP, once for those with it, and once for
# the tests (with GoogleTest): a precompiled header must be built with its users' macros. -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON
# shows whether each file includes what it needs.
set(nystrom_common_headers <algorithm> <array> <cmath> <cstdint> <cstring> <filesystem> <functional> <map> <memory>
  <optional> <span> <string> <string_view> <utility> <vector> <fmt/format.h>)
if(BUILD_TESTING)
  file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/test_headers.cpp" CONTENT "")
  add_library(nystrom_test_headers OBJECT EXCLUDE_FROM_ALL "${CMAKE_BINARY_DIR}/test_headers.cpp")
  target_link_libraries(nystrom_test_headers PRIVATE
    nystrom_options fmt::fmt OpenMP::OpenMP_CXX GTest::gtest GTest::gmock)
  target_precompile_headers(nystrom_test_headers PRIVATE ${nystrom_common_headers} <gmock/gmock.h> <gtest/gtest.h>)
endif()

# GCC does not remember with a precompiled header where the standard library asks it to be silent: these warnings, which
# follow inlined code, are then wrong ones about std::string. They stay on in kernels/ and without precompiled headers.
set(nystrom_precompiled_options "")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT CMAKE_DISABLE_PRECOMPILE_HEADERS)
  foreach(warning array-bounds stringop-overflow stringop-overread restrict maybe-uninitialized free-nonheap-object)
    list(APPEND nystrom_precompiled_options $<$<COMPILE_LANGUAGE:CXX>:-Wno-${warning}>)
  endforeach()
endif()

# For code that no run spends time in: a third of the compiler's time is saved. From GCC 13 on, a precompiled header of -O2
# or -O3 serves -O1 only with these target flags, which those levels imply.
set(nystrom_light_options $<$<CONFIG:Release>:-O1>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13
   AND CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  list(APPEND nystrom_light_options $<$<CONFIG:Release>:-munroll-only-small-loops>
    $<$<CONFIG:Release>:-mvzeroupper>)
endif()

# nystrom_optimize_lightly(<file>...)
function(nystrom_optimize_lightly)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "${nystrom_light_options}")
endfunction()

option(NYSTROM_UNITY "Compile files in groups: a first build in half the processor time, a rebuild of a file in more" OFF)

# nystrom_compile_alone(<file>...)   whatever NYSTROM_UNITY says: files that follow one pattern with the same names, and
# arithmetic, because which operations a compiler fuses may depend on what else it sees.
function(nystrom_compile_alone)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

# nystrom_unite(<variable> <name>)   With NYSTROM_UNITY, replaces the files of a list by groups of up to eight, each a file of
# #include lines. Files of a group follow one another in the list and have the same options (CMake's own UNITY_BUILD
# leaves out files with options).
function(nystrom_unite variable name)
  if(NOT NYSTROM_UNITY)
    return()
  endif()
  set(united "")
  set(group "")
  set(group_options "")
  set(number 0)
  foreach(file IN LISTS ${variable} ITEMS end)
    set(options "")
    set(alone ON)
    if(NOT file MATCHES "^(end$|\\$<)")
      get_filename_component(file "${file}" ABSOLUTE)
      get_source_file_property(alone "${file}" SKIP_UNITY_BUILD_INCLUSION)
      get_source_file_property(options "${file}" COMPILE_OPTIONS)
    endif()
    list(LENGTH group length)
    if(alone OR length EQUAL 8 OR NOT options STREQUAL group_options)
      if(length GREATER 1)
        list(TRANSFORM group REPLACE "(.+)" "#include \"\\1\"\n")
        list(JOIN group "" lines)
        file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/unity/${name}_${number}.cpp" CONTENT "${lines}")
        set(group "${CMAKE_BINARY_DIR}/unity/${name}_${number}.cpp")
        if(group_options)
          set_source_files_properties("${group}" PROPERTIES COMPILE_OPTIONS "${group_options}")
        endif()
        math(EXPR number "${number} + 1")
      endif()
      list(APPEND united ${group})
      set(group "")
    endif()
    if(alone AND NOT file STREQUAL "end")
      list(APPEND united "${file}")
    elseif(NOT alone)
      list(APPEND group "${file}")
      set(group_options "${options}")
    endif()
  endforeach()
  set(${variable} "${united}" PARENT_SCOPE)
endfunction()

set(NYSTROM_LIBRARIES_OF "" CACHE PATH
  "Another build folder of these sources and options, whose libraries without CUDA code are used instead of built again")
set(nystrom_united_libraries model data trainer launch)
set(nystrom_libraries_without_cuda core cpu_kernels model data trainer launch)

# nystrom_add_library(<name> FOLDER <folder> SOURCES <file>... [CUDA_SOURCES <.cu or .cpp file>...]
#                     [GENERATED_SOURCES <file>...] [DEFINITIONS <definition>...]
#                     [LINKS <target>...] [PRIVATE_LINKS <target>...] [HEADERS_OF <library>] [FOLDER_OF <library>])
# FOLDER_OF: the library of the same folder, if there is one.
# HEADERS_OF: the library whose precompiled header is used; its own, where it names itself.
# CUDA_SOURCES are left out where the CUDA backend is not built (cmake/Cuda.cmake).
function(nystrom_add_library name)
  cmake_parse_arguments(ARG "" "FOLDER;FOLDER_OF;HEADERS_OF"
    "SOURCES;CUDA_SOURCES;GENERATED_SOURCES;DEFINITIONS;LINKS;PRIVATE_LINKS" ${ARGN})
  if(NOT ARG_FOLDER_OF)
    set(ARG_FOLDER_OF ${name})
  endif()
  set(root "${CMAKE_BINARY_DIR}/include/${ARG_FOLDER_OF}")
  get_filename_component(parent "${root}/${ARG_FOLDER}" DIRECTORY)
  file(MAKE_DIRECTORY "${parent}")
  file(CREATE_LINK "${CMAKE_CURRENT_SOURCE_DIR}/${ARG_FOLDER}" "${root}/${ARG_FOLDER}" SYMBOLIC)
  if(NYSTROM_LIBRARIES_OF AND name IN_LIST nystrom_libraries_without_cuda)
    add_library(nystrom_${name} STATIC IMPORTED GLOBAL)
    set_target_properties(nystrom_${name} PROPERTIES IMPORTED_NO_SYSTEM ON
      IMPORTED_LOCATION "${NYSTROM_LIBRARIES_OF}/libnystrom_${name}.a")
    target_include_directories(nystrom_${name} INTERFACE "${root}")
    list(TRANSFORM ARG_PRIVATE_LINKS REPLACE "(.+)" "$<LINK_ONLY:\\1>")
    target_link_libraries(nystrom_${name} INTERFACE ${ARG_LINKS} ${ARG_PRIVATE_LINKS})
    return()
  endif()
  list(TRANSFORM ARG_SOURCES PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/${ARG_FOLDER}/")
  if(name IN_LIST nystrom_united_libraries)
    nystrom_unite(ARG_SOURCES ${name})
  endif()
  list(TRANSFORM ARG_CUDA_SOURCES PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/${ARG_FOLDER}/")
  nystrom_cuda_sources(cuda_sources ${ARG_CUDA_SOURCES})
  set_source_files_properties(${cuda_sources} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
  add_library(nystrom_${name} STATIC ${ARG_SOURCES} ${cuda_sources} ${ARG_GENERATED_SOURCES})
  add_dependencies(nystrom_${name} nystrom_rooms)
  target_include_directories(nystrom_${name} PUBLIC "${root}")
  target_compile_definitions(nystrom_${name} PRIVATE ${ARG_DEFINITIONS})
  target_link_libraries(nystrom_${name} PUBLIC ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS} nystrom_options)
  if(ARG_HEADERS_OF STREQUAL name)
    target_precompile_headers(nystrom_${name} PRIVATE ${nystrom_common_headers})
  elseif(ARG_HEADERS_OF)
    target_precompile_headers(nystrom_${name} REUSE_FROM nystrom_${ARG_HEADERS_OF})
  endif()
  if(ARG_HEADERS_OF AND NOT ARG_FOLDER STREQUAL "kernels")
    target_compile_options(nystrom_${name} PRIVATE ${nystrom_precompiled_options})
  endif()
endfunction()

# nystrom_add_test(<name> SOURCES <file>... LINKS <target>... [LABELS <label>...] [RUNS_PROGRAM] [AS_ONE <test>])
# One GoogleTest program, each of its cases a test of CTest; with AS_ONE all of them are one test of that name, because
# they share what is slow to make. RUNS_PROGRAM: the cases run build/nystrom, at NYSTROM_PROGRAM (tests/support/program.h).
function(nystrom_add_test name)
  cmake_parse_arguments(ARG "RUNS_PROGRAM" "AS_ONE" "SOURCES;LINKS;LABELS" ${ARGN})
  nystrom_unite(ARG_SOURCES ${name})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}/tests/support" "${CMAKE_SOURCE_DIR}/tests")
  target_link_libraries(${name} PRIVATE
    ${ARG_LINKS} nystrom_options OpenMP::OpenMP_CXX GTest::gtest GTest::gmock GTest::gtest_main)
  # The libraries under test are optimized; the tests' own code need not be, and builds in half the time.
  target_compile_options(${name} PRIVATE ${nystrom_precompiled_options} ${nystrom_light_options})
  target_precompile_headers(${name} REUSE_FROM nystrom_test_headers)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  if(ARG_RUNS_PROGRAM)
    target_compile_definitions(${name} PRIVATE NYSTROM_PROGRAM="$<TARGET_FILE:nystrom>")
    add_dependencies(${name} nystrom)
  endif()
  if(ARG_AS_ONE)
    add_test(NAME ${ARG_AS_ONE} COMMAND ${name} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    set_tests_properties(${ARG_AS_ONE} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 600)
  else()
    gtest_discover_tests(${name} PROPERTIES LABELS "${ARG_LABELS}" DISCOVERY_TIMEOUT 60
                         WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  endif()
endfunction()

# nystrom_add_mpi_test(<name> RANKS <n> COMMAND <program> [ARGUMENTS <argument>...] [OPTIONS <mpirun option>...]
#                      [LABELS <label>...])
# A program under mpirun, one thread a rank, more ranks than cores if need be.
function(nystrom_add_mpi_test name)
  cmake_parse_arguments(ARG "" "RANKS;COMMAND" "ARGUMENTS;OPTIONS;LABELS" ${ARGN})
  add_test(NAME ${name}
           COMMAND ${MPIEXEC_EXECUTABLE} --oversubscribe --bind-to none ${ARG_OPTIONS} -n ${ARG_RANKS}
                   $<TARGET_FILE:${ARG_COMMAND}> ${ARG_ARGUMENTS}
           WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 300 PROCESSORS 2
    ENVIRONMENT "OMP_NUM_THREADS=1;OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")
endfunction()
