nystrom_add_test(launch_test
  SOURCES
    tests/launch/bench/all_reduce_rate_test.cpp
    tests/launch/config/config_test.cpp
    tests/launch/cli/messages_test.cpp
  LINKS nystrom_launch
  LABELS launch)

# One ctest test: its cases share a prepared text and a trained model.
add_executable(program_test tests/launch/command_line_test.cpp)
target_link_libraries(program_test PRIVATE nystrom_core nystrom_options GTest::gtest GTest::gmock GTest::gtest_main)
target_include_directories(program_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/support")
target_compile_definitions(program_test PRIVATE NYSTROM_PROGRAM="$<TARGET_FILE:nystrom>")
set_target_properties(program_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
add_dependencies(program_test nystrom)
add_test(NAME Program COMMAND program_test WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
set_tests_properties(Program PROPERTIES LABELS launch TIMEOUT 600)

nystrom_add_test(predict_test
  SOURCES tests/launch/predict/predict_test.cpp
  LINKS nystrom_launch
  LABELS launch)

nystrom_add_test(conversion_test
  SOURCES
    tests/launch/models/conversion_test.cpp
    tests/launch/models/import_test.cpp
  LINKS nystrom_launch nlohmann_json::nlohmann_json
  LABELS model)

nystrom_add_test(golden_test
  SOURCES tests/launch/verify/golden_test.cpp
  LINKS nystrom_launch
  LABELS golden)

# What `nystrom convert` writes, in transformers; each says that it was skipped where there is none.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  foreach(name load parity tokenizer)
    add_test(NAME transformers_${name}
      COMMAND Python3::Interpreter tests/exchange/${name}.py $<TARGET_FILE:nystrom>
      WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    set_tests_properties(transformers_${name} PROPERTIES LABELS golden SKIP_REGULAR_EXPRESSION "^skipped")
  endforeach()
endif()

# Each one ctest test: their cases run the built program.
foreach(name finetune_program_test convergence_test)
  add_executable(${name} tests/launch/finetune/${name}.cpp)
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}/tests/support")
  target_link_libraries(${name} PRIVATE nystrom_data nystrom_options GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE
    NYSTROM_PROGRAM="$<TARGET_FILE:nystrom>" NYSTROM_SOURCE="${CMAKE_SOURCE_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  add_dependencies(${name} nystrom)
endforeach()
target_sources(finetune_program_test PRIVATE tests/launch/predict/predict_program_test.cpp)
add_test(NAME Finetune COMMAND finetune_program_test WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
add_test(NAME Convergence COMMAND convergence_test WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
set_tests_properties(Finetune Convergence PROPERTIES LABELS tasks TIMEOUT 600)

nystrom_add_test(grid_test
  SOURCES tests/launch/finetune/grid_test.cpp
  LINKS nystrom_launch
  LABELS tasks)
target_compile_definitions(grid_test PRIVATE NYSTROM_SOURCE="${CMAKE_SOURCE_DIR}")
