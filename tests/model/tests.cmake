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

nystrom_add_test(conversion_test
  SOURCES
    tests/model/conversion_test.cpp
    tests/model/import_test.cpp
  LINKS nystrom_launch nlohmann_json::nlohmann_json
  LABELS model)

nystrom_add_test(golden_test
  SOURCES tests/model/golden_test.cpp
  LINKS nystrom_launch
  LABELS golden)

# What `nystrom convert` writes, in transformers; each says that it was skipped where there is none.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  foreach(name transformers_load transformers_parity transformers_tokenizer)
    add_test(NAME ${name}
      COMMAND Python3::Interpreter tests/${name}.py $<TARGET_FILE:nystrom>
      WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    set_tests_properties(${name} PROPERTIES LABELS golden SKIP_REGULAR_EXPRESSION "^skipped")
  endforeach()
endif()

nystrom_add_test(trajectory_test
  SOURCES tests/model/trajectory_test.cpp
  LINKS nystrom_launch nlohmann_json::nlohmann_json
  LABELS golden)
target_compile_definitions(trajectory_test PRIVATE NYSTROM_PROGRAM="$<TARGET_FILE:nystrom>")
add_dependencies(trajectory_test nystrom)
