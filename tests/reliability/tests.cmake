nystrom_add_test(reliability_test
  SOURCES
    tests/reliability/guards_test.cpp
    tests/reliability/resume_cost_test.cpp
    tests/reliability/run_lock_test.cpp
    tests/reliability/session_test.cpp
    tests/reliability/signals_test.cpp
  LINKS nystrom_trainer
  LABELS reliability)

# Jobs as processes, with faults planted in them. A test each, since they start many; slow on purpose.
add_executable(planted_job tests/reliability/planted_job_main.cpp)
target_include_directories(planted_job PRIVATE "${CMAKE_SOURCE_DIR}/tests/support" "${CMAKE_SOURCE_DIR}/tests/trainer")
target_link_libraries(planted_job PRIVATE nystrom_launch nystrom_options)
set_target_properties(planted_job PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")

nystrom_add_test(job_test
  SOURCES
    tests/reliability/elastic_test.cpp
    tests/reliability/hang_test.cpp
    tests/reliability/stop_test.cpp
  LINKS nystrom_trainer
  LABELS reliability)
nystrom_add_test(torture_test
  SOURCES tests/reliability/torture_test.cpp
  LINKS nystrom_trainer
  LABELS torture)
target_include_directories(reliability_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/trainer")
foreach(test job_test torture_test)
  target_compile_definitions(${test} PRIVATE
    NYSTROM_PLANTED_JOB="$<TARGET_FILE:planted_job>" NYSTROM_PROGRAM="$<TARGET_FILE:nystrom>"
    NYSTROM_MPIRUN="${MPIEXEC_EXECUTABLE}" NYSTROM_MPIRUN_SCRIPT="${CMAKE_SOURCE_DIR}/launch/mpirun.sh")
  add_dependencies(${test} planted_job nystrom)
endforeach()

add_executable(rank_costs tests/reliability/rank_costs_main.cpp)
target_link_libraries(rank_costs PRIVATE nystrom_trainer nystrom_options)
set_target_properties(rank_costs PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
