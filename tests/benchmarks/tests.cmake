# The scripts of benchmarks/, where they decide something.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  add_test(NAME gpu_run COMMAND Python3::Interpreter tests/benchmarks/gpu_run_test.py
           WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  set_tests_properties(gpu_run PROPERTIES LABELS benchmarks TIMEOUT 300)
endif()
