nystrom_add_test(attention_test
  SOURCES
    tests/attention/attention_gradient_test.cpp tests/attention/attention_test.cpp
    tests/attention/depthwise_conv_test.cpp tests/attention/pseudo_inverse_test.cpp
    tests/attention/small_gemm_test.cpp
  LINKS nystrom_kernels
  LABELS attention)
