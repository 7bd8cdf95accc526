# Tensors, memory, devices, and the context that every op is given.
nystrom_add_library(tensor FOLDER kernels/tensor
  SOURCES arena.cpp bound_threads.cpp buffer.cpp cpu_features.cpp tensor.cpp thread_team.cpp thread_waiting.cpp
    dispatch/context.cpp dispatch/copy.cpp dispatch/device.cpp dispatch/graphs.cpp dispatch/kernel_times.cpp
    dispatch/upload.cpp
  CUDA_SOURCES cuda/blaslt.cpp cuda/check.cpp cuda/context.cpp cuda/graphs.cpp cuda/kernel_timer.cpp cuda/memory.cpp
    cuda/product_choices.cpp cuda/ranges.cpp cuda/stream.cpp cuda/upload.cpp cuda/wgmma_check.cu
  HEADERS_OF tensor
  LINKS nystrom_core OpenMP::OpenMP_CXX
  PRIVATE_LINKS ${CMAKE_DL_LIBS})
# thread_waiting.cpp is part of every program, and comes before the C library.
target_link_options(nystrom_tensor INTERFACE "LINKER:--undefined=getenv")
if(NYSTROM_CUDA_BUILD STREQUAL "on")
  target_link_libraries(nystrom_tensor PUBLIC CUDA::cudart_static)
  target_compile_definitions(nystrom_tensor PUBLIC NYSTROM_WITH_CUDA)
  if("${CMAKE_CUDA_ARCHITECTURES}" MATCHES "90a")
    set_source_files_properties(kernels/tensor/cuda/wgmma_check.cu PROPERTIES
      COMPILE_DEFINITIONS NYSTROM_COMPILED_FOR_SM90A)
  endif()
elseif(NYSTROM_CUDA_BUILD STREQUAL "emulation")
  target_link_libraries(nystrom_tensor PUBLIC nystrom_emulation)
  target_compile_definitions(nystrom_tensor PUBLIC NYSTROM_WITH_CUDA)
endif()
