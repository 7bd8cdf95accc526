# The ops. A contract lies in this folder; its checks and its choice of a device in dispatch/, its CPU code in cpu/, its
# CUDA code in cuda/, under the same stem.
# (Debian's package files for oneDNN want OpenCL, which nothing here needs: found by hand.)
find_path(DNNL_INCLUDE_DIR dnnl.hpp REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)
find_library(HWY_LIBRARY hwy REQUIRED)

# The CPU's code knows nothing of CUDA: the emulation takes it from build/.
# Highway compiles each vectorized file for the baseline (AVX2) and for AVX-512, and picks at run time.
nystrom_add_library(cpu_kernels FOLDER kernels FOLDER_OF kernels
  SOURCES
    cpu/adamw.cpp cpu/average.cpp cpu/clip_factor.cpp cpu/column_sums.cpp cpu/cross_entropy.cpp cpu/elementwise_loss.cpp cpu/embedding.cpp
    cpu/fill.cpp cpu/gelu.cpp cpu/label_weights.cpp cpu/layer_norm.cpp
    cpu/matmul.cpp cpu/pair_features.cpp cpu/pool.cpp cpu/products/fp32.cpp cpu/relu.cpp cpu/residual.cpp cpu/rotary.cpp cpu/rows.cpp
    cpu/span_cross_entropy.cpp
    cpu/attention/depthwise_conv.cpp cpu/attention/exact_attention.cpp cpu/attention/exact_head.cpp
    cpu/attention/head_convolution.cpp cpu/attention/linear.cpp cpu/attention/linformer.cpp
    cpu/attention/longformer.cpp cpu/attention/nystrom.cpp cpu/attention/nystrom_backward.cpp
    cpu/attention/nystrom_forward.cpp cpu/attention/nystrom_split.cpp cpu/attention/performer.cpp
    cpu/attention/pseudo_inverse.cpp
    cpu/attention/reformer.cpp cpu/attention/reformer_hash.cpp cpu/attention/softmax.cpp cpu/attention/split_sequences.cpp
    cpu/attention/streaming_softmax.cpp cpu/attention/summary_rows.cpp cpu/attention/tile_gemm.cpp
    cpu/attention/tile_ops.cpp cpu/attention/value.cpp cpu/attention/work_split.cpp
    cpu/muon.cpp cpu/tensorwise_adam.cpp
  DEFINITIONS HWY_DISABLE_PCLMUL_AES "HWY_DISABLED_TARGETS=(~(HWY_AVX2|HWY_AVX3))"
  LINKS nystrom_tensor
  PRIVATE_LINKS "${DNNL_LIBRARY}" "${HWY_LIBRARY}" nystrom_kernels)  # ops that call ops

nystrom_add_library(kernels FOLDER kernels
  SOURCES
    dispatch/adamw.cpp dispatch/attention.cpp dispatch/clip_factor.cpp dispatch/cross_entropy.cpp dispatch/elementwise_loss.cpp dispatch/embedding.cpp dispatch/fill.cpp dispatch/gelu.cpp dispatch/label_weights.cpp dispatch/layer_norm.cpp dispatch/linear.cpp dispatch/linear_attention.cpp dispatch/linear_gelu.cpp
    dispatch/linformer_attention.cpp dispatch/longformer_attention.cpp dispatch/matmul.cpp dispatch/nystrom_attention.cpp
    dispatch/pair_features.cpp dispatch/performer_attention.cpp dispatch/pool.cpp dispatch/reformer_attention.cpp
    dispatch/relu.cpp dispatch/residual.cpp dispatch/rotary.cpp dispatch/rows.cpp
    dispatch/softmax_attention.cpp dispatch/span_cross_entropy.cpp dispatch/value_attention.cpp
    dispatch/average.cpp dispatch/muon.cpp dispatch/tensorwise_adam.cpp
  CUDA_SOURCES
    cuda/adamw.cu cuda/average.cu cuda/clip_factor.cu cuda/column_sums.cu cuda/cross_entropy.cu cuda/elementwise_loss.cu
    cuda/embedding.cu cuda/fill.cu cuda/gelu.cu cuda/label_weights.cu cuda/layer_norm.cu cuda/linear.cu
    cuda/linear_gelu.cu cuda/matmul.cu cuda/pair_features.cu cuda/pool.cu cuda/radix_sort.cu cuda/relu.cu
    cuda/residual.cu cuda/rotary.cu cuda/rows.cu cuda/span_cross_entropy.cu
    cuda/attention/conv_gradient.cu cuda/attention/exact.cu cuda/attention/forward.cu
    cuda/attention/key_gradient.cu cuda/attention/linear.cu cuda/attention/linformer.cu cuda/attention/longformer.cu
    cuda/attention/nystrom_backward.cu cuda/attention/nystrom_forward.cu cuda/attention/nystrom.cu
    cuda/attention/performer.cu cuda/attention/query_gradient.cu cuda/attention/reformer.cu cuda/attention/softmax.cu
    cuda/attention/sum_chunks.cu cuda/attention/summary.cu cuda/attention/value.cu
    cuda/muon.cu cuda/tensorwise_adam.cu
  DEFINITIONS HWY_DISABLE_PCLMUL_AES "HWY_DISABLED_TARGETS=(~(HWY_AVX2|HWY_AVX3))"
  LINKS nystrom_cpu_kernels)
