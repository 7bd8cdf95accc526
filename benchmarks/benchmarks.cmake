# Programs that measure: the CPU's ops, and the GPU's where CUDA is built.
if(BUILD_TESTING AND NOT NYSTROM_CUDA_BUILD STREQUAL "emulation")
  find_package(benchmark REQUIRED)
  add_executable(kernels_benchmark benchmarks/kernels/kernels_benchmark.cpp)
  target_link_libraries(kernels_benchmark PRIVATE nystrom_launch nystrom_options benchmark::benchmark)
  set_target_properties(kernels_benchmark PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/benchmarks")
  add_executable(products_benchmark benchmarks/kernels/products_benchmark.cpp)
  target_link_libraries(products_benchmark PRIVATE nystrom_kernels nystrom_options "${DNNL_LIBRARY}")
  set_target_properties(products_benchmark PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/benchmarks")
  # That they run; a test cannot judge how fast.
  add_test(NAME kernels_benchmark_runs
           COMMAND kernels_benchmark --threads=1 --benchmark_min_time=0.001
                   "--benchmark_filter=gelu|layer_norm|softmax/4x512")
  set_tests_properties(kernels_benchmark_runs PROPERTIES LABELS benchmarks)
endif()
if(NOT NYSTROM_CUDA_BUILD STREQUAL "off")
  add_executable(kernel_benchmark benchmarks/gpu/attention_benchmark.cpp benchmarks/gpu/kernel_benchmark.cpp)
  target_include_directories(kernel_benchmark PRIVATE "${CMAKE_SOURCE_DIR}")
  target_link_libraries(kernel_benchmark PRIVATE nystrom_launch nystrom_options)
endif()
