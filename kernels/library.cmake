# The ops. A contract is in this folder; its checks and its choice of a device in dispatch/, its CPU code in cpu/, its
# CUDA code in cuda/, under the same stem. Attention, losses and the optimizer have a room of their name in each.
# (Debian's package files for oneDNN want OpenCL, which nothing here needs: found by hand.)
find_path(DNNL_INCLUDE_DIR dnnl.hpp REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)
find_library(HWY_LIBRARY hwy REQUIRED)

# Highway compiles each vectorized file for the baseline (AVX2) and for AVX-512, and picks at run time; under a
# sanitizer for the baseline alone.
set(nystrom_simd_targets HWY_AVX2|HWY_AVX3)
if(NYSTROM_SANITIZE)
  set(nystrom_simd_targets HWY_AVX2)
endif()

# The CPU's code does not depend on CUDA: the emulation takes it from build/.
nystrom_add_library(cpu_kernels FOLDER kernels FOLDER_OF kernels
  SOURCES
    cpu/column_sums.cpp cpu/embedding.cpp cpu/fill.cpp cpu/gelu.cpp cpu/layer_norm.cpp cpu/matmul.cpp cpu/matmul_bf16.cpp cpu/onednn_bf16.cpp
    cpu/pair_features.cpp cpu/pool.cpp cpu/relu.cpp cpu/residual.cpp cpu/rotary.cpp cpu/rows.cpp cpu/unit_rows.cpp
    cpu/units.cpp cpu/products/amx.cpp cpu/products/bf16.cpp cpu/products/fp32.cpp cpu/products/slab.cpp cpu/products/units.cpp
    cpu/losses/cross_entropy.cpp cpu/losses/elementwise_loss.cpp cpu/losses/label_weights.cpp
    cpu/losses/span_cross_entropy.cpp
    cpu/optimizer/adamw.cpp cpu/optimizer/average.cpp cpu/optimizer/clip_factor.cpp cpu/optimizer/muon.cpp
    cpu/optimizer/tensorwise_adam.cpp
    cpu/attention/depthwise_conv.cpp cpu/attention/exact_head.cpp cpu/attention/head_convolution.cpp
    cpu/attention/nystrom.cpp cpu/attention/nystrom_backward.cpp cpu/attention/nystrom_forward.cpp
    cpu/attention/nystrom_split.cpp cpu/attention/pseudo_inverse.cpp cpu/attention/split_sequences.cpp
    cpu/attention/streaming_softmax.cpp cpu/attention/summary_rows.cpp cpu/attention/tile_gemm.cpp
    cpu/attention/tile_ops.cpp cpu/attention/work_split.cpp
    cpu/attention/kinds/exact_attention.cpp cpu/attention/kinds/linear.cpp cpu/attention/kinds/linformer.cpp
    cpu/attention/kinds/longformer.cpp cpu/attention/kinds/performer.cpp cpu/attention/kinds/reformer.cpp
    cpu/attention/kinds/reformer_hash.cpp cpu/attention/kinds/softmax.cpp cpu/attention/kinds/value.cpp
  DEFINITIONS HWY_DISABLE_PCLMUL_AES "HWY_DISABLED_TARGETS=(~(${nystrom_simd_targets}))"
  HEADERS_OF tensor
  LINKS nystrom_tensor
  PRIVATE_LINKS "${DNNL_LIBRARY}" "${HWY_LIBRARY}" nystrom_kernels)  # ops that call ops

nystrom_add_library(kernels FOLDER kernels
  SOURCES
    dispatch/embedding.cpp dispatch/fill.cpp dispatch/gelu.cpp dispatch/layer_norm.cpp dispatch/linear.cpp
    dispatch/linear_gelu.cpp dispatch/matmul.cpp dispatch/pair_features.cpp dispatch/pool.cpp dispatch/relu.cpp
    dispatch/residual.cpp dispatch/rotary.cpp dispatch/rows.cpp dispatch/unit_rows.cpp
    dispatch/losses/cross_entropy.cpp dispatch/losses/elementwise_loss.cpp dispatch/losses/label_weights.cpp
    dispatch/losses/span_cross_entropy.cpp
    dispatch/optimizer/adamw.cpp dispatch/optimizer/average.cpp dispatch/optimizer/clip_factor.cpp
    dispatch/optimizer/muon.cpp dispatch/optimizer/tensorwise_adam.cpp
    dispatch/attention/attention.cpp dispatch/attention/linear.cpp dispatch/attention/linformer.cpp
    dispatch/attention/longformer.cpp dispatch/attention/nystrom.cpp dispatch/attention/performer.cpp
    dispatch/attention/reformer.cpp dispatch/attention/softmax.cpp dispatch/attention/value.cpp
  CUDA_SOURCES
    cuda/column_sums.cu cuda/embedding.cu cuda/fill.cu cuda/gelu.cu cuda/layer_norm.cu cuda/linear.cu
    cuda/linear_gelu.cu cuda/matmul.cu cuda/pair_features.cu cuda/pool.cu cuda/radix_sort.cu cuda/relu.cu
    cuda/residual.cu cuda/rotary.cu cuda/rows.cu cuda/unit_rows.cu
    cuda/losses/cross_entropy.cu cuda/losses/elementwise_loss.cu cuda/losses/label_weights.cu
    cuda/losses/span_cross_entropy.cu
    cuda/optimizer/adamw.cu cuda/optimizer/average.cu cuda/optimizer/clip_factor.cu cuda/optimizer/muon.cu
    cuda/optimizer/tensorwise_adam.cu
    cuda/attention/conv_gradient.cu cuda/attention/forward.cu cuda/attention/key_gradient.cu cuda/attention/query_gradient.cu
    cuda/attention/nystrom/chunk_sums.cu cuda/attention/nystrom/middle_backward.cu cuda/attention/nystrom/middle_forward.cu
    cuda/attention/nystrom/nystrom.cu cuda/attention/nystrom/splits.cu
    cuda/attention/kinds/exact_attention.cu cuda/attention/kinds/linear.cu cuda/attention/kinds/linformer.cu
    cuda/attention/kinds/longformer.cu cuda/attention/kinds/performer.cu cuda/attention/kinds/reformer.cu
    cuda/attention/kinds/reformer_hash.cu
    cuda/attention/kinds/softmax.cu cuda/attention/kinds/sum_chunks.cu cuda/attention/kinds/summary.cu
    cuda/attention/kinds/value.cu
    cuda/attention/wgmma/keys_gradient.cu cuda/attention/wgmma/middle.cu cuda/attention/wgmma/pinv_gradient.cu
    cuda/attention/wgmma/rows.cu cuda/attention/wgmma/rows_gradient.cu
  DEFINITIONS HWY_DISABLE_PCLMUL_AES "HWY_DISABLED_TARGETS=(~(${nystrom_simd_targets}))"
  HEADERS_OF tensor
  LINKS nystrom_cpu_kernels)
