# Each op's test has its State, Trial and reference().
file(GLOB_RECURSE alone CONFIGURE_DEPENDS tests/kernels/*.cpp)
nystrom_compile_alone(${alone})

nystrom_add_test(core_test
  SOURCES
    tests/kernels/core/files_test.cpp tests/kernels/core/json_test.cpp tests/kernels/core/philox_test.cpp
    tests/kernels/core/printable_test.cpp tests/kernels/core/processors_test.cpp tests/kernels/core/stage_test.cpp
    tests/kernels/core/trace_test.cpp tests/kernels/tensor/bound_threads_test.cpp tests/kernels/tensor/tensor_test.cpp
    tests/kernels/tensor/thread_team_test.cpp tests/kernels/tensor/thread_waiting_test.cpp
  LINKS nystrom_tensor
  LABELS core)
nystrom_add_test(kernels_test
  SOURCES
    tests/kernels/embedding_test.cpp tests/kernels/gelu_test.cpp tests/kernels/layer_norm_test.cpp
    tests/kernels/linear_test.cpp tests/kernels/network_ops_test.cpp tests/kernels/rows_test.cpp
    tests/kernels/cpu/column_sums_test.cpp tests/kernels/cpu/products_test.cpp tests/kernels/cpu/simd_test.cpp
    tests/kernels/losses/cross_entropy_test.cpp
    tests/kernels/optimizer/adamw_test.cpp tests/kernels/optimizer/average_test.cpp
    tests/kernels/optimizer/muon_test.cpp tests/kernels/optimizer/tensorwise_adam_test.cpp
    tests/kernels/tensor/cpu_features_test.cpp
  LINKS nystrom_kernels "${HWY_LIBRARY}"
  LABELS kernels)

# The same tests again, held to the instruction set that every supported machine has.
nystrom_add_test(kernels_avx2_test
  SOURCES tests/kernels/avx2_only.cpp $<TARGET_OBJECTS:kernels_test>
  LINKS nystrom_kernels "${HWY_LIBRARY}"
  LABELS kernels)

nystrom_add_test(attention_test
  SOURCES
    tests/kernels/attention/attention_gradient_test.cpp tests/kernels/attention/attention_test.cpp
    tests/kernels/attention/kinds_test.cpp tests/kernels/attention/split_attention_test.cpp
    tests/kernels/cpu/depthwise_conv_test.cpp tests/kernels/cpu/pseudo_inverse_test.cpp
    tests/kernels/cpu/tile_gemm_test.cpp
  LINKS nystrom_kernels
  LABELS attention)
