# It replaces the allocation functions, which the compiler is not to see beside their callers.
nystrom_compile_alone(tests/system/counts/allocations.cpp)

nystrom_add_test(step_counts_test
  SOURCES tests/system/counts/allocations.cpp tests/system/counts/step_counts_test.cpp
  LINKS nystrom_launch
  LABELS counts)

nystrom_add_test(trajectory_test
  SOURCES tests/system/trajectory/optimizers_test.cpp tests/system/trajectory/trajectory_test.cpp
  LINKS nystrom_launch nlohmann_json::nlohmann_json
  RUNS_PROGRAM
  LABELS golden)

add_executable(checkpoint_schema_test tests/system/compatibility/checkpoint_schema_test.cpp)
target_include_directories(checkpoint_schema_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/support")
target_link_libraries(checkpoint_schema_test PRIVATE nystrom_data nystrom_options hdf5::hdf5 GTest::gtest GTest::gmock)
target_compile_definitions(checkpoint_schema_test PRIVATE
  NYSTROM_PROGRAM="$<TARGET_FILE:nystrom>" NYSTROM_SOURCE="${CMAKE_SOURCE_DIR}")
set_target_properties(checkpoint_schema_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
add_dependencies(checkpoint_schema_test nystrom)
add_test(NAME checkpoint_schema COMMAND checkpoint_schema_test)
set_tests_properties(checkpoint_schema PROPERTIES LABELS reliability)

nystrom_add_test(threads_test
  SOURCES tests/system/threads/threads_test.cpp tests/kernels/tensor/thread_team_test.cpp
  LINKS nystrom_trainer
  LABELS files)

# Jobs as processes, with faults planted in them. A test each, since they start many; slow on purpose.
add_executable(planted_job tests/system/reliability/planted_job_main.cpp)
target_include_directories(planted_job PRIVATE "${CMAKE_SOURCE_DIR}/tests/support")
target_link_libraries(planted_job PRIVATE nystrom_launch nystrom_options)
set_target_properties(planted_job PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")

nystrom_add_test(job_test
  SOURCES
    tests/system/reliability/elastic_test.cpp
    tests/system/reliability/hang_test.cpp
    tests/system/reliability/stop_test.cpp
  LINKS nystrom_trainer
  RUNS_PROGRAM
  LABELS reliability)
nystrom_add_test(torture_test
  SOURCES tests/system/reliability/torture_test.cpp
  LINKS nystrom_trainer
  RUNS_PROGRAM
  LABELS torture)
foreach(test job_test torture_test)
  target_compile_definitions(${test} PRIVATE
    NYSTROM_PLANTED_JOB="$<TARGET_FILE:planted_job>" NYSTROM_MPIRUN="${MPIEXEC_EXECUTABLE}"
    NYSTROM_MPIRUN_SCRIPT="${CMAKE_SOURCE_DIR}/launch/mpirun.sh")
  add_dependencies(${test} planted_job)
endforeach()

add_executable(rank_costs tests/system/reliability/rank_costs_main.cpp)
target_link_libraries(rank_costs PRIVATE nystrom_trainer nystrom_options)
set_target_properties(rank_costs PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")

nystrom_add_test(documents_test SOURCES tests/system/documents_test.cpp LINKS nystrom_core LABELS core)

add_test(NAME WrongIncludesAreRefused
  COMMAND "${CMAKE_COMMAND}" -DROOT=${CMAKE_SOURCE_DIR} -DFOLDER=${CMAKE_BINARY_DIR}/rooms_test
          -P "${CMAKE_SOURCE_DIR}/tests/system/rooms_test.cmake")
set_tests_properties(WrongIncludesAreRefused PROPERTIES LABELS core)

find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  add_test(NAME class_names COMMAND Python3::Interpreter "${CMAKE_SOURCE_DIR}/tests/system/class_names_test.py")
  set_tests_properties(class_names PROPERTIES LABELS core TIMEOUT 120)
endif()

# The program on machines that are unlike this one. Each says what it cannot try, for want of root or a tool.
foreach(name doors hosts launcher locks)
  add_test(NAME machines_${name} COMMAND "${CMAKE_SOURCE_DIR}/tests/system/machines/${name}.sh" $<TARGET_FILE:nystrom>
           WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  set_tests_properties(machines_${name} PROPERTIES LABELS reliability TIMEOUT 600 PROCESSORS 2 SKIP_RETURN_CODE 77)
endforeach()

add_test(NAME installation COMMAND "${CMAKE_SOURCE_DIR}/tests/system/install/install.sh" "${CMAKE_BINARY_DIR}"
         WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
set_tests_properties(installation PROPERTIES LABELS launch TIMEOUT 300 PROCESSORS 2)
