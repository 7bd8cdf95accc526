# The CUDA backend: built by nvcc, or by the C++ compiler for the emulation of tests/emulation, or not at all.
#
#   NYSTROM_CUDA=auto       for the GPUs of this machine, for their own architectures; without a GPU no CUDA is compiled
#   NYSTROM_CUDA=on         for all architectures, whether there is a GPU or not (a login node, a build machine)
#   NYSTROM_CUDA=off        without CUDA
#   NYSTROM_CUDA=emulation  the kernels run on the CPU
set(NYSTROM_CUDA off CACHE STRING
  "CUDA backend: off; auto: for this machine's GPUs; on: for all architectures; emulation: kernels run on the CPU")
set_property(CACHE NYSTROM_CUDA PROPERTY STRINGS off auto on emulation)
set(NYSTROM_CUDA_ARCHITECTURES "" CACHE STRING
  "What the kernels are compiled for, as CMAKE_CUDA_ARCHITECTURES; empty: with NYSTROM_CUDA=auto the GPUs of this \
machine, with NYSTROM_CUDA=on Ampere, Hopper, Blackwell where the toolkit knows it, and PTX for later ones")

# nystrom_gpu_capabilities(<variable>)   compute capabilities of this machine's GPUs from Ampere (8.0) on, as in 8.6;9.0
function(nystrom_gpu_capabilities variable)
  find_program(NYSTROM_NVIDIA_SMI nvidia-smi PATHS /usr/lib/wsl/lib)
  mark_as_advanced(NYSTROM_NVIDIA_SMI)
  set(capabilities "")
  if(NYSTROM_NVIDIA_SMI)
    execute_process(COMMAND "${NYSTROM_NVIDIA_SMI}" --query-gpu=compute_cap --format=csv,noheader
                    OUTPUT_VARIABLE listed ERROR_QUIET RESULT_VARIABLE status)
    if(status EQUAL 0)
      string(REGEX MATCHALL "[0-9]+\\.[0-9]+" capabilities "${listed}")
      list(REMOVE_DUPLICATES capabilities)
      list(FILTER capabilities EXCLUDE REGEX "^[0-7]\\.")
    endif()
  endif()
  set(${variable} "${capabilities}" PARENT_SCOPE)
endfunction()

# nystrom_cuda_architectures(<variable> <compute capability>...)   what nvcc compiles for these GPUs: their own
# architectures, or PTX of the latest one before them where the toolkit is older than the GPU
function(nystrom_cuda_architectures variable)
  execute_process(COMMAND "${CMAKE_CUDA_COMPILER}" --list-gpu-arch OUTPUT_VARIABLE listed)
  string(REGEX MATCHALL "[0-9]+" known "${listed}")
  list(SORT known COMPARE NATURAL)
  set(architectures "")
  foreach(capability IN LISTS ARGN)
    string(REPLACE "." "" own "${capability}")
    set(latest 80)
    foreach(candidate IN LISTS known)
      if(candidate LESS_EQUAL own)
        set(latest ${candidate})
      endif()
    endforeach()
    if(NOT latest EQUAL own)
      list(APPEND architectures ${latest}-virtual)
    elseif(own EQUAL 90)
      list(APPEND architectures 90a-real)
    else()
      list(APPEND architectures ${own}-real)
    endif()
  endforeach()
  list(REMOVE_DUPLICATES architectures)
  set(${variable} "${architectures}" PARENT_SCOPE)
endfunction()

set(NYSTROM_CUDA_BUILD ${NYSTROM_CUDA})
set(nystrom_architectures "${NYSTROM_CUDA_ARCHITECTURES}")
set(nystrom_cuda_summary "without CUDA (NYSTROM_CUDA=off)")
if(NYSTROM_CUDA STREQUAL "auto")
  set(NYSTROM_CUDA_BUILD off)
  nystrom_gpu_capabilities(capabilities)
  if(NOT capabilities)
    set(nystrom_cuda_summary
      "without CUDA, because nvidia-smi lists no GPU of Ampere or later; NYSTROM_CUDA=on compiles it all the same")
  else()
    include(CheckLanguage)
    check_language(CUDA)
    if(CMAKE_CUDA_COMPILER)
      set(NYSTROM_CUDA_BUILD on)
      if(NOT nystrom_architectures)
        nystrom_cuda_architectures(nystrom_architectures ${capabilities})
      endif()
    else()
      unset(CMAKE_CUDA_COMPILER CACHE)  # so that the next configuration looks again
      set(nystrom_cuda_summary "without CUDA, because there is a GPU but no toolkit: nvcc was not found")
    endif()
  endif()
endif()
if(NYSTROM_CUDA_BUILD STREQUAL "on")
  set(CMAKE_CUDA_ARCHITECTURES 80)  # of the compiler's own trial
  enable_language(CUDA)
  if(NOT nystrom_architectures)
    set(nystrom_architectures 80-real 90a-real 90-virtual)
    if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 12.8)
      list(APPEND nystrom_architectures 100-real 120-real)
    endif()
  endif()
  set(CMAKE_CUDA_ARCHITECTURES ${nystrom_architectures})
  list(JOIN nystrom_architectures ", " listed)
  set(nystrom_cuda_summary "with the CUDA backend by nvcc ${CMAKE_CUDA_COMPILER_VERSION} for ${listed}")
  # CMake before 3.26 (Debian 12's) does not know that nvcc has C++20, and would leave the option out without a word.
  if("cuda_std_20" IN_LIST CMAKE_CUDA_COMPILE_FEATURES)
    set(CMAKE_CUDA_STANDARD 20)
  else()
    string(APPEND CMAKE_CUDA_FLAGS " -std=c++20")
  endif()
  # In a project that requires CMake 3.25 that version's FindCUDAToolkit (Debian 12's) sets a property of
  # CUDA::nvToolsExt, which CUDA 13 no longer has.
  set(nystrom_required_cmake ${CMAKE_MINIMUM_REQUIRED_VERSION})
  set(CMAKE_MINIMUM_REQUIRED_VERSION 3.24)
  find_package(CUDAToolkit REQUIRED)
  set(CMAKE_MINIMUM_REQUIRED_VERSION ${nystrom_required_cmake})
elseif(NYSTROM_CUDA_BUILD STREQUAL "emulation")
  include(tests/emulation/library.cmake)
  set(nystrom_cuda_summary "with the CUDA backend, whose kernels run on the CPU")
elseif(NOT NYSTROM_CUDA_BUILD STREQUAL "off")
  message(FATAL_ERROR "`NYSTROM_CUDA` is ${NYSTROM_CUDA}; it can be off, auto, on or emulation.")
endif()
message(STATUS "nystrom is built ${nystrom_cuda_summary}.")

set(NYSTROM_CUDA_BUILD ${NYSTROM_CUDA_BUILD} CACHE INTERNAL "What became of NYSTROM_CUDA: off, on or emulation")
set(NYSTROM_CUDA_SUMMARY "${nystrom_cuda_summary}" CACHE INTERNAL "The same as part of a sentence, for launch/setup.sh")

# nystrom_cuda_sources(<variable> <.cu or .cpp file>...)   the files of the backend, where it is built; else nothing
function(nystrom_cuda_sources variable)
  if(NYSTROM_CUDA_BUILD STREQUAL "off")
    set(${variable} "" PARENT_SCOPE)
    return()
  endif()
  if(NYSTROM_CUDA_BUILD STREQUAL "emulation")
    foreach(file IN LISTS ARGN)
      if(file MATCHES "\\.cu$")
        # Mixed widths of integers are everyday in kernels, and nvcc says nothing of them either. GCC 14 takes an array
        # that an op may not have for one at address zero. Unaligned accesses are faults (tests/emulation/alignment.cpp).
        set_source_files_properties("${file}" PROPERTIES LANGUAGE CXX COMPILE_OPTIONS
          "-x;c++;-Wno-conversion;-Wno-array-bounds;-fsanitize=alignment;-fno-sanitize-recover=alignment")
      endif()
    endforeach()
  endif()
  set(${variable} ${ARGN} PARENT_SCOPE)
endfunction()
