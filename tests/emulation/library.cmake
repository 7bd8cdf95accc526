# A CUDA device emulated on the CPU (emulation.h). Its headers take the names of CUDA's.
find_package(Boost REQUIRED COMPONENTS context)
add_library(nystrom_emulation STATIC
  tests/emulation/alignment.cpp
  tests/emulation/blocks.cpp
  tests/emulation/cublas_lt.cpp
  tests/emulation/device.cpp
  tests/emulation/graphs.cpp
  tests/emulation/memory.cpp
  tests/emulation/streams.cpp)
target_include_directories(nystrom_emulation
  SYSTEM BEFORE PUBLIC "${CMAKE_SOURCE_DIR}/tests/emulation/include"
  PUBLIC "${CMAKE_SOURCE_DIR}/tests/emulation")
target_compile_definitions(nystrom_emulation PUBLIC NYSTROM_EMULATION)
target_link_libraries(nystrom_emulation PRIVATE Boost::context fmt::fmt nystrom_options)

find_package(MPI REQUIRED COMPONENTS CXX)
add_library(nystrom_emulation_nccl STATIC tests/emulation/nccl.cpp)
target_link_libraries(nystrom_emulation_nccl PUBLIC nystrom_emulation PRIVATE MPI::MPI_CXX nystrom_options)

# Shadow memory, for kernels that are compiled with -fsanitize=thread (tests.cmake).
add_library(nystrom_emulation_races STATIC tests/emulation/races.cpp)
target_link_libraries(nystrom_emulation_races PUBLIC nystrom_emulation PRIVATE fmt::fmt ${CMAKE_DL_LIBS} nystrom_options)
