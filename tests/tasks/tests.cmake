nystrom_add_test(heads_test
  SOURCES tests/tasks/head_ops_test.cpp tests/tasks/heads_test.cpp
  LINKS nystrom_model
  LABELS tasks)
nystrom_add_test(tasks_test
  SOURCES tests/tasks/metrics_test.cpp tests/tasks/tasks_test.cpp
  LINKS nystrom_data
  LABELS tasks)

# One ctest test: its cases run the built program.
add_executable(finetune_program_test
  tests/tasks/finetune_program_test.cpp
  tests/tasks/predict_program_test.cpp)
target_compile_options(finetune_program_test PRIVATE $<$<CONFIG:Release>:-O1>)
target_include_directories(finetune_program_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/support")
target_link_libraries(finetune_program_test PRIVATE nystrom_data nystrom_options GTest::gtest GTest::gmock GTest::gtest_main)
target_compile_definitions(finetune_program_test PRIVATE
  NYSTROM_PROGRAM="$<TARGET_FILE:nystrom>" NYSTROM_SOURCE="${CMAKE_SOURCE_DIR}")
set_target_properties(finetune_program_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
add_dependencies(finetune_program_test nystrom)
add_test(NAME Finetune COMMAND finetune_program_test WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
set_tests_properties(Finetune PROPERTIES LABELS tasks TIMEOUT 600)

nystrom_add_test(grid_test
  SOURCES tests/tasks/grid_test.cpp
  LINKS nystrom_launch
  LABELS tasks)
target_compile_definitions(grid_test PRIVATE NYSTROM_SOURCE="${CMAKE_SOURCE_DIR}")
