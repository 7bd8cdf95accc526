# Calls to the system that fail on request: linked into files_test, preloaded into whole programs.
add_library(failing_calls SHARED tests/files/failing_calls.cpp)
target_include_directories(failing_calls PUBLIC "${CMAKE_SOURCE_DIR}/tests/files")
target_link_libraries(failing_calls PRIVATE nystrom_options ${CMAKE_DL_LIBS})

nystrom_add_test(files_test
  SOURCES
    tests/files/background_test.cpp
    tests/files/damage_test.cpp
    tests/files/full_disk_test.cpp
  LINKS failing_calls nystrom_trainer
  LABELS files)
add_dependencies(files_test toy_job)
target_compile_definitions(files_test PRIVATE
  NYSTROM_TOY_JOB="$<TARGET_FILE:toy_job>" NYSTROM_FAILING_CALLS="$<TARGET_FILE:failing_calls>")

nystrom_add_test(threads_test SOURCES tests/files/threads_test.cpp LINKS nystrom_trainer LABELS files)
