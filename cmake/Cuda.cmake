# The CUDA backend: built by nvcc, or by the C++ compiler for the emulation of tests/emulation, or not at all.
set(NYSTROM_CUDA off CACHE STRING "off; on: by nvcc; auto: on where nvcc is found; emulation: run by the processor")
set_property(CACHE NYSTROM_CUDA PROPERTY STRINGS off on auto emulation)
set(NYSTROM_CUDA_ARCHITECTURES "" CACHE STRING
  "What the kernels are compiled for, as CMAKE_CUDA_ARCHITECTURES; empty: Ampere, Hopper, Blackwell where the toolkit \
knows it, and PTX for what comes later")

set(NYSTROM_CUDA_BUILD ${NYSTROM_CUDA})
if(NYSTROM_CUDA STREQUAL "auto")
  include(CheckLanguage)
  check_language(CUDA)
  set(NYSTROM_CUDA_BUILD off)
  if(CMAKE_CUDA_COMPILER)
    set(NYSTROM_CUDA_BUILD on)
  endif()
endif()
if(NYSTROM_CUDA_BUILD STREQUAL "on")
  set(CMAKE_CUDA_ARCHITECTURES 80)  # of the compiler's own trial
  enable_language(CUDA)
  set(CMAKE_CUDA_ARCHITECTURES ${NYSTROM_CUDA_ARCHITECTURES})
  if(NOT CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80-real 90a-real 90-virtual)
    if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 12.8)
      list(APPEND CMAKE_CUDA_ARCHITECTURES 100-real 120-real)
    endif()
  endif()
  # CMake before 3.26 (Debian 12's) does not know that nvcc has C++20, and would leave the option out without a word.
  if("cuda_std_20" IN_LIST CMAKE_CUDA_COMPILE_FEATURES)
    set(CMAKE_CUDA_STANDARD 20)
  else()
    string(APPEND CMAKE_CUDA_FLAGS " -std=c++20")
  endif()
  find_package(CUDAToolkit REQUIRED)
elseif(NYSTROM_CUDA_BUILD STREQUAL "emulation")
  include(tests/emulation/library.cmake)
elseif(NOT NYSTROM_CUDA_BUILD STREQUAL "off")
  message(FATAL_ERROR "NYSTROM_CUDA is ${NYSTROM_CUDA}; it can be off, on, auto or emulation")
endif()

set(NYSTROM_CUDA_BUILD ${NYSTROM_CUDA_BUILD} CACHE INTERNAL "What became of NYSTROM_CUDA: off, on or emulation")

# nystrom_cuda_sources(<variable> <.cu or .cpp file>...)   the files of the backend, where it is built; else nothing
function(nystrom_cuda_sources variable)
  if(NYSTROM_CUDA_BUILD STREQUAL "off")
    set(${variable} "" PARENT_SCOPE)
    return()
  endif()
  if(NYSTROM_CUDA_BUILD STREQUAL "emulation")
    foreach(file IN LISTS ARGN)
      if(file MATCHES "\\.cu$")
        # Mixed widths of integers are everyday in kernels, and nvcc says nothing of them either.
        set_source_files_properties("${file}" PROPERTIES
          LANGUAGE CXX COMPILE_OPTIONS "-x;c++;-Wno-conversion")
      endif()
    endforeach()
  endif()
  set(${variable} ${ARGN} PARENT_SCOPE)
endfunction()
