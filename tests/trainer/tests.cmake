nystrom_add_test(trainer_test
  SOURCES
    tests/trainer/batches/span_source_test.cpp
    tests/trainer/checkpoint/checkpoint_test.cpp
    tests/trainer/checkpoint/model_record_test.cpp
    tests/trainer/comm/threads_test.cpp
    tests/trainer/metrics/gradient_noise_test.cpp
    tests/trainer/metrics/metrics_test.cpp
    tests/trainer/metrics/prometheus_file_test.cpp
    tests/trainer/metrics/report_command_test.cpp
    tests/trainer/optimizer/optimizer_test.cpp
    tests/trainer/pretrain_test.cpp
    tests/trainer/metrics/progress_test.cpp
    tests/trainer/optimizer/schedule_test.cpp
    tests/trainer/optimizer/steps_test.cpp
    tests/trainer/tasks/answers_test.cpp
    tests/trainer/tasks/masked_source_test.cpp
    tests/trainer/metrics/tensorboard_test.cpp
    tests/trainer/start_report_test.cpp
    tests/trainer/trainer_test.cpp
  LINKS nystrom_trainer
  LABELS trainer)

# The same tests on one rank (as GoogleTest finds them), two and three.
nystrom_add_test(ranks_test
  SOURCES
    tests/trainer/comm/comm_test.cpp
    tests/trainer/comm/embeddings_on_ranks_test.cpp
    tests/trainer/comm/optimizers_on_ranks_test.cpp
    tests/trainer/comm/ranks_main.cpp
    tests/trainer/comm/ranks_test.cpp
    tests/trainer/comm/sequence_ranks_test.cpp
    tests/trainer/comm/shards_test.cpp
    tests/trainer/comm/trace_test.cpp
    tests/trainer/comm/weight_exchange_test.cpp
  LINKS nystrom_trainer
  LABELS trainer)
foreach(ranks 2 3)
  nystrom_add_mpi_test(ranks_test_on_${ranks} RANKS ${ranks} COMMAND ranks_test LABELS trainer)
endforeach()
# More ranks than cores, and than sequences in a batch.
nystrom_add_mpi_test(ranks_test_on_16 RANKS 16 COMMAND ranks_test LABELS trainer ARGUMENTS
  --gtest_filter=Ranks.n_ranks_match*:Zero.sharded_state*:ReduceScatter.*:ReducerOfShards.*:SequenceRanks.a_run_in_the_same_groups*)
nystrom_add_mpi_test(sequence_ranks_test_on_4 RANKS 4 COMMAND ranks_test ARGUMENTS --gtest_filter=SequenceRanks.*
                     LABELS trainer)

add_executable(absence tests/trainer/comm/absence_main.cpp)
target_link_libraries(absence PRIVATE nystrom_trainer nystrom_options)
set_target_properties(absence PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
nystrom_add_mpi_test(a_rank_that_does_not_come_is_named RANKS 3 COMMAND absence ARGUMENTS late LABELS trainer)
set_tests_properties(a_rank_that_does_not_come_is_named PROPERTIES PASS_REGULAR_EXPRESSION
  "rank [01]: Rank [01] of 3 waited [0-9]+ s at step 42 for a barrier; rank 2 on [^ ]+ did not take part")
nystrom_add_mpi_test(a_rank_that_does_not_send_is_named RANKS 3 COMMAND absence ARGUMENTS late_in_a_group LABELS trainer)
set_tests_properties(a_rank_that_does_not_send_is_named PROPERTIES PASS_REGULAR_EXPRESSION
  "rank [01]: Rank [01] of 3 waited [0-9]+ s at step 42 for its part of a sequence that several ranks share; rank 2 on [^ ]+ did not take part")
# Open MPI 4 has options to be patient with the survivors. Open MPI 5 would kill them a quarter of a second after its
# signal, whatever the options say: it lets them continue.
execute_process(COMMAND ${MPIEXEC_EXECUTABLE} --version OUTPUT_VARIABLE version)
foreach(place "" _in_a_group)
  if(version MATCHES "\\) 4\\.")
    nystrom_add_mpi_test(a_rank_that_died${place}_is_named RANKS 3 COMMAND absence ARGUMENTS dead${place} LABELS trainer
                         OPTIONS --mca odls_base_sigkill_timeout 8)
  else()
    nystrom_add_mpi_test(a_rank_that_died${place}_is_named RANKS 3 COMMAND absence ARGUMENTS dead_unannounced${place}
                         LABELS trainer OPTIONS --enable-recovery)
  endif()
endforeach()
set_tests_properties(a_rank_that_died_is_named PROPERTIES TIMEOUT 60 PASS_REGULAR_EXPRESSION
  "rank [01]: Rank [01] of 3 waited [0-9]+ s at step 42 for a barrier; rank 2 on [^ ]+ did not answer")
set_tests_properties(a_rank_that_died_in_a_group_is_named PROPERTIES TIMEOUT 60 PASS_REGULAR_EXPRESSION
  "rank [01]: Rank [01] of 3 waited [0-9]+ s at step 42 for its part of a sequence that several ranks share; rank 2 on [^ ]+ did not answer")

add_executable(toy_job tests/trainer/toy_job_main.cpp)
target_include_directories(toy_job PRIVATE "${CMAKE_SOURCE_DIR}/tests/support")
target_link_libraries(toy_job PRIVATE nystrom_trainer nystrom_options)
set_target_properties(toy_job PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
nystrom_add_test(kill_test SOURCES tests/trainer/checkpoint/kill_test.cpp LINKS nystrom_trainer LABELS trainer)
add_dependencies(kill_test toy_job)
target_compile_definitions(kill_test PRIVATE
  NYSTROM_TOY_JOB="$<TARGET_FILE:toy_job>" NYSTROM_MPIRUN="${MPIEXEC_EXECUTABLE}")

# Calls to the system that fail on request: linked into files_test, preloaded into whole programs.
add_library(failing_calls SHARED tests/trainer/checkpoint/failing_calls.cpp)
target_include_directories(failing_calls PUBLIC "${CMAKE_SOURCE_DIR}/tests/trainer/checkpoint")
target_link_libraries(failing_calls PRIVATE nystrom_options ${CMAKE_DL_LIBS})

nystrom_add_test(files_test
  SOURCES
    tests/trainer/checkpoint/background_test.cpp
    tests/trainer/checkpoint/damage_test.cpp
    tests/trainer/checkpoint/full_disk_test.cpp
  LINKS failing_calls nystrom_trainer
  LABELS files)
add_dependencies(files_test toy_job)
target_compile_definitions(files_test PRIVATE
  NYSTROM_TOY_JOB="$<TARGET_FILE:toy_job>" NYSTROM_FAILING_CALLS="$<TARGET_FILE:failing_calls>")

nystrom_add_test(reliability_test
  SOURCES
    tests/trainer/guards/guards_test.cpp
    tests/trainer/run/resume_cost_test.cpp
    tests/trainer/run/run_lock_test.cpp
    tests/trainer/run/session_test.cpp
    tests/trainer/process/signals_test.cpp
  LINKS nystrom_trainer
  LABELS reliability)
