# What is in contrib/, against the program. Each says that it was skipped where its Python packages are missing.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  add_test(NAME contrib_sinks COMMAND Python3::Interpreter tests/contrib/sinks.py $<TARGET_FILE:nystrom>
           WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  add_test(NAME contrib_python
           COMMAND Python3::Interpreter contrib/python/tests/test_nystrom_io.py $<TARGET_FILE:nystrom>
           WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  add_test(NAME contrib_conda COMMAND Python3::Interpreter contrib/conda/check.py WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  set_tests_properties(contrib_sinks contrib_python contrib_conda PROPERTIES LABELS launch SKIP_REGULAR_EXPRESSION "^skipped")
endif()
