# The emulation itself: what is planted must be caught.
file(GLOB alone CONFIGURE_DEPENDS tests/emulation/*.cpp)
nystrom_compile_alone(${alone})
set_source_files_properties(tests/emulation/alignment_test.cpp PROPERTIES
  SKIP_PRECOMPILE_HEADERS ON COMPILE_OPTIONS "-fsanitize=alignment;-fno-sanitize-recover=alignment")
nystrom_add_test(emulation_test
  SOURCES tests/emulation/alignment_test.cpp tests/emulation/device_test.cpp tests/emulation/emulation_test.cpp
    tests/emulation/wgmma_test.cpp
  LINKS nystrom_tensor
  LABELS emulation)

# Nystrom and softmax attention once more, with kernels each of whose accesses is looked at (races.cpp): objects, so that they
# come before those of nystrom_kernels. Few and small shapes, which take each kernel once.
get_target_property(nystrom_watched_sources nystrom_kernels SOURCES)
list(FILTER nystrom_watched_sources INCLUDE REGEX
  "/attention/(conv_gradient|forward|key_gradient|query_gradient|nystrom/[a-z_]*|wgmma/[a-z_]*|kinds/(exact_attention|softmax|sum_chunks))\\.cu$")
add_library(nystrom_watched_kernels OBJECT ${nystrom_watched_sources})
target_compile_options(nystrom_watched_kernels PRIVATE -fsanitize=thread -O1 -g1)
target_link_libraries(nystrom_watched_kernels PRIVATE nystrom_kernels nystrom_options)
set_source_files_properties(tests/emulation/races_test.cpp PROPERTIES
  SKIP_PRECOMPILE_HEADERS ON COMPILE_OPTIONS "-fsanitize=thread;-g1")
nystrom_add_test(races_test
  SOURCES tests/emulation/races_test.cpp tests/cuda/attention_ops_test.cpp $<TARGET_OBJECTS:nystrom_watched_kernels>
  LINKS nystrom_emulation_races nystrom_kernels
  LABELS emulation
  AS_ONE races)
set_property(TEST races PROPERTY ENVIRONMENT
  "GTEST_FILTER=Races.*:*is_as_defined_for_ragged_packs:*beyond_one_chunk*:*as_defined_where_blocks_share*:*drops_what_the_cpu_drops")

nystrom_add_test(pinv_emulation_test
  SOURCES tests/emulation/pseudo_inverse_test.cpp
  LINKS nystrom_kernels
  LABELS emulation)
add_test(NAME PinvOnTensorCoresThatTruncate COMMAND pinv_emulation_test)
set_tests_properties(PinvOnTensorCoresThatTruncate PROPERTIES LABELS emulation ENVIRONMENT NYSTROM_EMULATION_MMA=truncate)
