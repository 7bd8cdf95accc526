# One op a stem: op.h declares it, op_cpu.cpp computes it.
# (Debian's package files for oneDNN want OpenCL, which nothing here needs: found by hand.)
find_path(DNNL_INCLUDE_DIR dnnl.hpp REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)
find_library(HWY_LIBRARY hwy REQUIRED)

nystrom_add_library(kernels FOLDER kernels
  SOURCES
    adamw_cpu.cpp
    attention_cpu.cpp
    attention_keys_cpu.cpp
    attention_tiles.cpp
    clip_factor_cpu.cpp
    cross_entropy_cpu.cpp
    depthwise_conv_cpu.cpp
    embedding_cpu.cpp
    fill_cpu.cpp
    gelu_cpu.cpp
    label_weights_cpu.cpp
    layer_norm_cpu.cpp
    linear_cpu.cpp
    linear_gelu.cpp
    matmul_cpu.cpp
    nystrom_backward_cpu.cpp
    nystrom_forward_cpu.cpp
    pseudo_inverse_cpu.cpp
    relu_cpu.cpp
    rows_cpu.cpp
    small_gemm.cpp
    softmax_attention_cpu.cpp
    span_cross_entropy_cpu.cpp
    value_loss_cpu.cpp
  CUDA_SOURCES
    adamw_cuda.cu
    attention_cuda.cu
    attention_filter_gradient_cuda.cu
    attention_forward_cuda.cu
    attention_keys_gradient_cuda.cu
    attention_rows_gradient_cuda.cu
    clip_factor_cuda.cu
    columns_cuda.cu
    cross_entropy_cuda.cu
    embedding_cuda.cu
    fill_cuda.cu
    gelu_cuda.cu
    label_weights_cuda.cu
    layer_norm_cuda.cu
    linear_cuda.cu
    linear_gelu_cuda.cu
    matmul_cuda.cu
    nystrom_backward_cuda.cu
    nystrom_forward_cuda.cu
    relu_cuda.cu
    rows_cuda.cu
    sort_cuda.cu
    span_cross_entropy_cuda.cu
    value_loss_cuda.cu
  LINKS nystrom_core
  PRIVATE_LINKS "${DNNL_LIBRARY}" "${HWY_LIBRARY}")

# Highway compiles each vectorized file for the baseline (AVX2) and for AVX-512, and picks at run time.
target_compile_definitions(nystrom_kernels PRIVATE
  HWY_DISABLE_PCLMUL_AES "HWY_DISABLED_TARGETS=(~(HWY_AVX2|HWY_AVX3))")
