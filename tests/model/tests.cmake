nystrom_add_test(model_test
  SOURCES
    tests/model/huggingface_test.cpp
    tests/model/network_gradient_test.cpp
    tests/model/network_invariance_test.cpp
    tests/model/safetensors_test.cpp
  LINKS nystrom_model
  LABELS model)

nystrom_add_test(predict_test
  SOURCES tests/model/predict_test.cpp
  LINKS nystrom_launch
  LABELS launch)

nystrom_add_test(golden_test
  SOURCES tests/model/golden_test.cpp
  LINKS nystrom_launch
  LABELS golden)

# Loads what `nystrom convert` writes in transformers; says that it was skipped where there is none.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  add_test(NAME transformers_load
    COMMAND Python3::Interpreter tests/transformers_load.py $<TARGET_FILE:nystrom>
    WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  set_tests_properties(transformers_load PROPERTIES LABELS golden SKIP_REGULAR_EXPRESSION "^skipped")
endif()

nystrom_add_test(trajectory_test
  SOURCES tests/model/trajectory_test.cpp
  LINKS nystrom_launch nlohmann_json::nlohmann_json
  LABELS golden)
target_compile_definitions(trajectory_test PRIVATE NYSTROM_PROGRAM="$<TARGET_FILE:nystrom>")
add_dependencies(trajectory_test nystrom)
