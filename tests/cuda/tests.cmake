# Every op of the CUDA backend against its CPU twin, then the whole; on a GPU where nvcc built it, else through the
# emulation (tests/emulation).
file(GLOB_RECURSE alone CONFIGURE_DEPENDS tests/cuda/*.cpp)
nystrom_compile_alone(${alone})
if(NYSTROM_CUDA_BUILD STREQUAL "emulation")
  set(NYSTROM_GRAPHS_TEST tests/cuda/graphs_test.cpp)  # which counts what the stand-ins were asked for
endif()
nystrom_add_test(cuda_ops_test
  SOURCES
    tests/cuda/ops/fill_test.cpp
    ${NYSTROM_GRAPHS_TEST}
    tests/cuda/ops/linear_gelu_test.cpp
    tests/cuda/needs_gpu.cpp
    tests/cuda/ops/adamw_test.cpp
    tests/cuda/ops/linear_test.cpp
    tests/cuda/ops/loss_test.cpp
    tests/cuda/ops/network_test.cpp
    tests/cuda/ops/norm_test.cpp
    tests/cuda/ops/optimizer_test.cpp
    tests/cuda/ops/rows_test.cpp
  LINKS nystrom_kernels
  LABELS cuda)
nystrom_add_test(cuda_attention_test
  SOURCES tests/cuda/attention_ops_test.cpp tests/cuda/kinds_on_device_test.cpp tests/cuda/needs_gpu.cpp
  LINKS nystrom_kernels
  LABELS cuda)
nystrom_add_test(cuda_split_attention_test
  SOURCES tests/cuda/needs_gpu.cpp tests/cuda/split_attention_on_device_test.cpp
  LINKS nystrom_kernels
  LABELS cuda)
if(NYSTROM_CUDA_BUILD STREQUAL "emulation")  # which plays a machine without one
  add_test(NAME TestsOfOpsAreSkippedWithoutAGpu COMMAND cuda_ops_test)
  set_tests_properties(TestsOfOpsAreSkippedWithoutAGpu PROPERTIES LABELS cuda
    ENVIRONMENT NYSTROM_EMULATION_DEVICES=0
    PASS_REGULAR_EXPRESSION "SKIPPED . this machine has no GPU of NVIDIA's")
endif()

# What nvcc makes of kernels is checked by .ci/run, where it has compiled them; here, that planted faults are found.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  foreach(name resources ptx cost_model)
    add_test(NAME ${name}_of_kernels COMMAND Python3::Interpreter tests/cuda/${name}_test.py
             WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    set_tests_properties(${name}_of_kernels PROPERTIES LABELS cuda TIMEOUT 60)
  endforeach()
endif()

nystrom_add_test(golden_on_cuda_test
  SOURCES tests/cuda/golden_on_cuda_test.cpp
  LINKS nystrom_launch
  LABELS cuda)

nystrom_add_test(trajectory_on_cuda_test
  SOURCES tests/cuda/trajectory_on_cuda_test.cpp
  LINKS nystrom_launch nlohmann_json::nlohmann_json
  RUNS_PROGRAM
  LABELS cuda)

if(NYSTROM_CUDA_BUILD STREQUAL "emulation")
  nystrom_add_test(product_choices_test SOURCES tests/cuda/product_choices_test.cpp LINKS nystrom_tensor LABELS cuda)
  nystrom_add_test(graphs_on_ranks_test
    SOURCES tests/cuda/graphs_on_ranks_test.cpp tests/trainer/comm/ranks_main.cpp
    LINKS nystrom_trainer
    LABELS cuda)
  nystrom_add_mpi_test(graphs_on_2_ranks RANKS 2 COMMAND graphs_on_ranks_test LABELS cuda)
  set_property(TEST graphs_on_2_ranks APPEND PROPERTY ENVIRONMENT NYSTROM_EMULATION_DEVICES=2)
  nystrom_add_test(sequence_ranks_on_cuda_test
    SOURCES tests/cuda/sequence_ranks_on_cuda_test.cpp tests/cuda/zero_on_cuda_test.cpp tests/trainer/comm/ranks_main.cpp
    LINKS nystrom_trainer
    LABELS cuda)
  foreach(ranks 2 4)
    nystrom_add_mpi_test(sequence_ranks_on_cuda_on_${ranks} RANKS ${ranks} COMMAND sequence_ranks_on_cuda_test LABELS cuda)
    set_property(TEST sequence_ranks_on_cuda_on_${ranks} APPEND PROPERTY ENVIRONMENT NYSTROM_EMULATION_DEVICES=${ranks})
  endforeach()
  add_executable(absent_gpu tests/cuda/absent_gpu_main.cpp)
  target_include_directories(absent_gpu PRIVATE "${CMAKE_SOURCE_DIR}/tests/support")
  target_link_libraries(absent_gpu PRIVATE nystrom_trainer nystrom_options GTest::gtest)
  set_target_properties(absent_gpu PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  nystrom_add_mpi_test(a_gpu_that_does_not_send_is_told RANKS 2 COMMAND absent_gpu LABELS cuda)
  nystrom_add_mpi_test(a_gpu_that_does_not_send_in_evaluation_is_told RANKS 2 COMMAND absent_gpu ARGUMENTS evaluation
                       LABELS cuda)
  foreach(test a_gpu_that_does_not_send_is_told a_gpu_that_does_not_send_in_evaluation_is_told)
    set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT NYSTROM_EMULATION_DEVICES=2)
    set_tests_properties(${test} PROPERTIES PASS_REGULAR_EXPRESSION
      "rank 0: Rank 0 of 2 waited [0-9]+ s at step 42 for its part of a sequence that several ranks share over NCCL; another rank did not take part")
  endforeach()
  nystrom_add_test(refusals_test SOURCES tests/cuda/refusals_test.cpp LINKS nystrom_launch RUNS_PROGRAM LABELS cuda)
  nystrom_add_test(bench_on_cuda_test SOURCES tests/cuda/bench_on_cuda_test.cpp
    LINKS nystrom_launch nlohmann_json::nlohmann_json RUNS_PROGRAM LABELS cuda)
endif()
