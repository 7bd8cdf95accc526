nystrom_add_test(launch_test
  SOURCES
    tests/launch/all_reduce_rate_test.cpp
    tests/launch/config_test.cpp
    tests/launch/messages_test.cpp
  LINKS nystrom_launch
  LABELS launch)

# One ctest test: its cases share a prepared text and a trained model.
add_executable(program_test tests/launch/command_line_test.cpp)
target_link_libraries(program_test PRIVATE nystrom_core nystrom_options GTest::gtest GTest::gmock GTest::gtest_main)
target_include_directories(program_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/launch")
target_compile_definitions(program_test PRIVATE NYSTROM_PROGRAM="$<TARGET_FILE:nystrom>")
set_target_properties(program_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
add_dependencies(program_test nystrom)
add_test(NAME Program COMMAND program_test WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
set_tests_properties(Program PROPERTIES LABELS launch TIMEOUT 600)
