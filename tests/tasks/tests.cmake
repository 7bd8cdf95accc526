nystrom_add_test(heads_test
  SOURCES tests/tasks/head_ops_test.cpp tests/tasks/heads_test.cpp
  LINKS nystrom_model
  LABELS tasks)
nystrom_add_test(tasks_test
  SOURCES tests/tasks/metrics_test.cpp tests/tasks/tasks_test.cpp
  LINKS nystrom_data
  LABELS tasks)

# Each one ctest test: their cases run the built program.
foreach(name finetune_program_test convergence_test)
  add_executable(${name} tests/tasks/${name}.cpp)
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}/tests/support")
  target_link_libraries(${name} PRIVATE nystrom_data nystrom_options GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE
    NYSTROM_PROGRAM="$<TARGET_FILE:nystrom>" NYSTROM_SOURCE="${CMAKE_SOURCE_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  add_dependencies(${name} nystrom)
endforeach()
target_sources(finetune_program_test PRIVATE tests/tasks/predict_program_test.cpp)
add_test(NAME Finetune COMMAND finetune_program_test WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
add_test(NAME Convergence COMMAND convergence_test WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
set_tests_properties(Finetune Convergence PROPERTIES LABELS tasks TIMEOUT 600)

nystrom_add_test(grid_test
  SOURCES tests/tasks/grid_test.cpp
  LINKS nystrom_launch
  LABELS tasks)
target_compile_definitions(grid_test PRIVATE NYSTROM_SOURCE="${CMAKE_SOURCE_DIR}")
