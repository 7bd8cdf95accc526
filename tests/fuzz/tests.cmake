# The targets, for the ordinary test and for libFuzzer.
find_package(ZLIB REQUIRED)
add_library(fuzz_targets STATIC
  tests/fuzz/fuzz_target.cpp
  tests/fuzz/hdf5_model.cpp
  tests/fuzz/hdf5_targets.cpp
  tests/fuzz/model_targets.cpp
  tests/fuzz/picture_targets.cpp
  tests/fuzz/reach_targets.cpp
  tests/fuzz/text_targets.cpp)
target_include_directories(fuzz_targets PUBLIC "${CMAKE_SOURCE_DIR}/tests/fuzz" "${CMAKE_SOURCE_DIR}/tests/support")
target_link_libraries(fuzz_targets PUBLIC nystrom_launch PRIVATE nystrom_options ZLIB::ZLIB hdf5::hdf5)

nystrom_add_test(fuzz_test SOURCES tests/fuzz/fuzz_test.cpp LINKS fuzz_targets LABELS fuzz)

# Preset `fuzz`: clang, libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer.
if(NYSTROM_FUZZ)
  add_executable(nystrom_fuzz tests/fuzz/fuzz_main.cpp)
  target_link_libraries(nystrom_fuzz PRIVATE fuzz_targets nystrom_options)
  target_link_options(nystrom_fuzz PRIVATE -fsanitize=fuzzer)
endif()
