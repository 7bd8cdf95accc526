nystrom_add_library(core FOLDER kernels/core
  SOURCES arena.cpp buffer.cpp check.cpp context.cpp cpu_features.cpp device.cpp files.cpp graphs.cpp philox.cpp
    tensor.cpp upload.cpp
  CUDA_SOURCES cuda/blaslt.cpp cuda/check.cpp cuda/context.cpp cuda/graphs.cpp cuda/memory.cpp
    cuda/product_choices.cpp cuda/stream.cpp cuda/upload.cpp
  LINKS fmt::fmt OpenMP::OpenMP_CXX)
if(NYSTROM_CUDA_BUILD STREQUAL "on")
  target_link_libraries(nystrom_core PUBLIC CUDA::cudart_static)
  target_compile_definitions(nystrom_core PUBLIC NYSTROM_WITH_CUDA)
elseif(NYSTROM_CUDA_BUILD STREQUAL "emulation")
  target_link_libraries(nystrom_core PUBLIC nystrom_emulation)
  target_compile_definitions(nystrom_core PUBLIC NYSTROM_WITH_CUDA)
endif()
