# The ops. A contract lies in this folder; its checks and its choice of a device in dispatch/, its CPU code in cpu/, its
# CUDA code in cuda/, under the same stem.
# (Debian's package files for oneDNN want OpenCL, which nothing here needs: found by hand.)
find_path(DNNL_INCLUDE_DIR dnnl.hpp REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)
find_library(HWY_LIBRARY hwy REQUIRED)

nystrom_add_library(kernels FOLDER kernels
  SOURCES
    cpu/adamw.cpp cpu/clip_factor.cpp cpu/column_sums.cpp cpu/cross_entropy.cpp cpu/elementwise_loss.cpp cpu/embedding.cpp
    cpu/fill.cpp cpu/gelu.cpp cpu/label_weights.cpp cpu/layer_norm.cpp
    cpu/matmul.cpp cpu/relu.cpp cpu/rows.cpp cpu/span_cross_entropy.cpp
    cpu/attention/depthwise_conv.cpp cpu/attention/exact_head.cpp cpu/attention/nystrom.cpp
    cpu/attention/nystrom_backward.cpp cpu/attention/nystrom_forward.cpp cpu/attention/pseudo_inverse.cpp
    cpu/attention/softmax.cpp cpu/attention/streaming_softmax.cpp cpu/attention/tile_gemm.cpp
    cpu/attention/tile_ops.cpp cpu/attention/work_split.cpp
    dispatch/adamw.cpp dispatch/attention.cpp dispatch/clip_factor.cpp dispatch/cross_entropy.cpp dispatch/elementwise_loss.cpp dispatch/embedding.cpp dispatch/fill.cpp dispatch/gelu.cpp dispatch/label_weights.cpp dispatch/layer_norm.cpp dispatch/linear.cpp dispatch/linear_gelu.cpp dispatch/matmul.cpp dispatch/nystrom_attention.cpp dispatch/relu.cpp dispatch/rows.cpp dispatch/softmax_attention.cpp dispatch/span_cross_entropy.cpp
  CUDA_SOURCES
    cuda/adamw.cu cuda/clip_factor.cu cuda/column_sums.cu cuda/cross_entropy.cu cuda/elementwise_loss.cu
    cuda/embedding.cu cuda/fill.cu cuda/gelu.cu cuda/label_weights.cu cuda/layer_norm.cu cuda/linear.cu
    cuda/linear_gelu.cu cuda/matmul.cu cuda/radix_sort.cu cuda/relu.cu cuda/rows.cu cuda/span_cross_entropy.cu
    cuda/attention/conv_gradient.cu cuda/attention/forward.cu
    cuda/attention/key_gradient.cu cuda/attention/nystrom_backward.cu cuda/attention/nystrom_forward.cu
    cuda/attention/nystrom.cu cuda/attention/query_gradient.cu cuda/attention/softmax.cu
  LINKS nystrom_tensor
  PRIVATE_LINKS "${DNNL_LIBRARY}" "${HWY_LIBRARY}")

# Highway compiles each vectorized file for the baseline (AVX2) and for AVX-512, and picks at run time.
target_compile_definitions(nystrom_kernels PRIVATE
  HWY_DISABLE_PCLMUL_AES "HWY_DISABLED_TARGETS=(~(HWY_AVX2|HWY_AVX3))")
