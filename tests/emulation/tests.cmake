# The emulation itself: what is planted must be caught.
set_source_files_properties(tests/emulation/alignment_test.cpp PROPERTIES
  SKIP_PRECOMPILE_HEADERS ON COMPILE_OPTIONS "-fsanitize=alignment;-fno-sanitize-recover=alignment")
nystrom_add_test(emulation_test
  SOURCES tests/emulation/alignment_test.cpp tests/emulation/device_test.cpp tests/emulation/emulation_test.cpp
  LINKS nystrom_tensor
  LABELS emulation)

# Attention and norms once more, with kernels each of whose accesses is looked at (races.cpp). Files that are not watched
# come from nystrom_kernels.
get_target_property(nystrom_watched_sources nystrom_kernels SOURCES)
list(FILTER nystrom_watched_sources INCLUDE REGEX "/(attention/[a-z_/]*|column_sums|embedding|layer_norm|radix_sort)\\.cu$")
add_library(nystrom_watched_kernels STATIC ${nystrom_watched_sources})
target_compile_options(nystrom_watched_kernels PRIVATE -fsanitize=thread -O1 -g1)
target_link_libraries(nystrom_watched_kernels PUBLIC nystrom_emulation_races nystrom_kernels PRIVATE nystrom_options)
set_source_files_properties(tests/emulation/races_test.cpp PROPERTIES
  SKIP_PRECOMPILE_HEADERS ON COMPILE_OPTIONS "-fsanitize=thread;-g1")
nystrom_add_test(races_test
  SOURCES
    tests/emulation/races_test.cpp
    tests/cuda/attention_ops_test.cpp
    tests/cuda/kinds_on_device_test.cpp
    tests/cuda/ops/norm_test.cpp
  LINKS nystrom_watched_kernels
  LABELS emulation
  AS_ONE races)
# What covers each kernel once, on small shapes.
set_property(TEST races APPEND PROPERTY ENVIRONMENT "GTEST_FILTER=\
Races.*:*is_as_defined_for_ragged_packs:*beyond_one_chunk*:*drops_what_the_cpu_drops:*KindsOnDevice.in_bf16*:\
*NormOnDevice*:*EmbeddingOnDevice*")

nystrom_add_test(pinv_emulation_test
  SOURCES tests/emulation/pseudo_inverse_test.cpp
  LINKS nystrom_kernels
  LABELS emulation)
add_test(NAME PinvOnTensorCoresThatTruncate COMMAND pinv_emulation_test)
set_tests_properties(PinvOnTensorCoresThatTruncate PROPERTIES LABELS emulation ENVIRONMENT NYSTROM_EMULATION_MMA=truncate)
