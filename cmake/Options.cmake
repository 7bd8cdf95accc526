# Flags of our own code: the processors that have AVX2 and FMA are the floor, warnings are errors.
add_library(nystrom_options INTERFACE)
target_compile_features(nystrom_options INTERFACE cxx_std_20)
target_compile_options(nystrom_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wno-unknown-pragmas
  -march=x86-64-v3 -fno-math-errno -fno-trapping-math -fopenmp)
target_link_options(nystrom_options INTERFACE -fopenmp)
option(NYSTROM_WERROR "Treat warnings in our own code as errors" ON)
if(NYSTROM_WERROR)
  target_compile_options(nystrom_options INTERFACE -Werror)
endif()
set(NYSTROM_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize= (address,undefined)")
if(NYSTROM_SANITIZE)
  target_compile_options(nystrom_options INTERFACE -fsanitize=${NYSTROM_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(nystrom_options INTERFACE -fsanitize=${NYSTROM_SANITIZE})
endif()
