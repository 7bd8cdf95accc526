# ccache takes files with precompiled headers only with these settings.
if(CMAKE_CXX_COMPILER_LAUNCHER MATCHES "ccache$" AND NOT DEFINED ENV{CCACHE_SLOPPINESS})
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros ${CMAKE_CXX_COMPILER_LAUNCHER})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
  elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
  endif()
endif()

# Flags of our own code: CPUs with AVX2 and FMA are the minimum, known compilers' warnings are errors.
add_library(nystrom_options INTERFACE)
target_compile_features(nystrom_options INTERFACE cxx_std_20)
# (In lists for the C++ compiler alone: nvcc is given its own below.)
set(nystrom_cxx_options
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wno-unknown-pragmas
  -march=x86-64-v3 -fno-math-errno -fno-trapping-math)
target_compile_options(nystrom_options INTERFACE
  "$<$<COMPILE_LANGUAGE:CXX>:${nystrom_cxx_options}>"
  "$<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr;-DFMT_USE_CONSTEXPR=1;-Xcompiler=-fopenmp,-march=x86-64-v3>")
# The code is kept free of the warnings of these compilers; another one's are shown.
set(nystrom_compiler_is_known OFF)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 15)
  set(nystrom_compiler_is_known ON)
endif()
option(NYSTROM_WERROR "Treat warnings in our own code as errors" ${nystrom_compiler_is_known})
if(NYSTROM_WERROR)
  target_compile_options(nystrom_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
set(NYSTROM_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize= (address,undefined)")
option(NYSTROM_FUZZ "Build the fuzz targets for libFuzzer (clang)" OFF)
if(NYSTROM_FUZZ)
  target_compile_options(nystrom_options INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(nystrom_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(NYSTROM_SANITIZE MATCHES thread)
  # ThreadSanitizer does not see how OpenMP's own library waits. Its functions are still linked; loops are serial.
  add_library(OpenMP::OpenMP_CXX INTERFACE IMPORTED GLOBAL)
  target_link_libraries(OpenMP::OpenMP_CXX INTERFACE gomp)
else()
  find_package(OpenMP REQUIRED)
endif()
if(NYSTROM_SANITIZE)
  target_compile_options(nystrom_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${NYSTROM_SANITIZE}>
    $<$<COMPILE_LANGUAGE:CXX>:-fno-omit-frame-pointer> $<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize-recover=all>)
  target_link_options(nystrom_options INTERFACE -fsanitize=${NYSTROM_SANITIZE})
endif()
if(NYSTROM_FUZZ)
  # Checks at every access, a fifth of the build: AddressSanitizer finds most of what they do, preset `sanitize` the rest.
  target_compile_options(nystrom_options INTERFACE -fno-sanitize=null,object-size,vptr,alignment)
endif()
