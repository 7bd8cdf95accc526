nystrom_add_test(trainer_test
  SOURCES
    tests/trainer/checkpoint_test.cpp
    tests/trainer/metrics_test.cpp
    tests/trainer/optimizer_test.cpp
    tests/trainer/pretrain_test.cpp
    tests/trainer/progress_test.cpp
    tests/trainer/schedule_test.cpp
    tests/trainer/tensorboard_test.cpp
    tests/trainer/trainer_test.cpp
  LINKS nystrom_trainer
  LABELS trainer)

# The same tests on one rank (as GoogleTest finds them), two and three.
nystrom_add_test(ranks_test
  SOURCES
    tests/trainer/comm_test.cpp
    tests/trainer/ranks_main.cpp
    tests/trainer/ranks_test.cpp
  LINKS nystrom_trainer
  LABELS trainer)
foreach(ranks 2 3)
  nystrom_add_mpi_test(ranks_test_on_${ranks} RANKS ${ranks} COMMAND ranks_test LABELS trainer)
endforeach()

add_executable(comm_timeout tests/trainer/timeout_main.cpp)
target_link_libraries(comm_timeout PRIVATE nystrom_trainer nystrom_options)
set_target_properties(comm_timeout PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
nystrom_add_mpi_test(comm_timeout_names_the_missing_rank RANKS 3 COMMAND comm_timeout LABELS trainer)
set_tests_properties(comm_timeout_names_the_missing_rank PROPERTIES
  PASS_REGULAR_EXPRESSION "rank [01]: Rank [01] of 3 waited [0-9]+ s at step 42 for a barrier; rank 2 on [^ ]+ did not take part")
