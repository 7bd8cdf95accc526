nystrom_add_test(launch_test
  SOURCES
    tests/launch/bench/all_reduce_rate_test.cpp
    tests/launch/bench/estimate_test.cpp
    tests/launch/bench/machine_test.cpp
    tests/launch/check/figures_test.cpp
    tests/launch/config/config_entries_test.cpp
    tests/launch/config/config_test.cpp
    tests/launch/config/schema_test.cpp
    tests/launch/cli/help_text_test.cpp
    tests/launch/cli/log_test.cpp
    tests/launch/cli/messages_test.cpp
    tests/launch/cli/stage_progress_test.cpp
    tests/launch/setup/run_overview_test.cpp
    tests/launch/table/table_test.cpp
  LINKS nystrom_launch nlohmann_json::nlohmann_json yaml-cpp
  LABELS launch)

nystrom_add_test(report_test
  SOURCES
    tests/launch/chart/chart_test.cpp
    tests/launch/chart/sparkline_test.cpp
    tests/launch/picture/attention_picture_test.cpp
    tests/launch/report/history_test.cpp
    tests/launch/report/report_test.cpp
    tests/launch/watch/watch_test.cpp
  LINKS nystrom_launch
  LABELS launch)

# Its cases share a prepared text and a trained model.
nystrom_add_test(program_test
  SOURCES
    tests/launch/check/check_program_test.cpp
    tests/launch/cli/command_line_test.cpp
    tests/launch/pretrain/program_test.cpp
    tests/launch/readme_test.cpp
  LINKS nystrom_core nlohmann_json::nlohmann_json
  RUNS_PROGRAM
  AS_ONE Program
  LABELS launch)

# Its cases share a prepared text and a run on one rank.
nystrom_add_test(sequence_ranks_program_test
  SOURCES tests/launch/pretrain/sequence_ranks_program_test.cpp
  LINKS nystrom_core nlohmann_json::nlohmann_json
  RUNS_PROGRAM
  AS_ONE SequenceRanksProgram
  LABELS launch)

# The completions in their shells, the manual page by its formatter.
add_test(NAME shells COMMAND "${CMAKE_SOURCE_DIR}/tests/launch/cli/shells.sh" $<TARGET_FILE:nystrom>
         WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
set_tests_properties(shells PROPERTIES LABELS launch TIMEOUT 120)

nystrom_add_test(predict_test
  SOURCES tests/launch/predict/predict_test.cpp
  LINKS nystrom_launch
  LABELS launch)

nystrom_add_test(conversion_test
  SOURCES
    tests/launch/models/conversion_test.cpp
    tests/launch/models/import_test.cpp
    tests/launch/models/tokenizer_files_test.cpp
  LINKS nystrom_launch nlohmann_json::nlohmann_json
  LABELS model)

# It makes files with HDF5's own functions, and shows them to the program.
nystrom_add_test(hostile_test
  SOURCES tests/launch/hostile/hostile_files_test.cpp
  LINKS nystrom_launch nlohmann_json::nlohmann_json hdf5::hdf5
  RUNS_PROGRAM
  LABELS files)

nystrom_add_test(golden_test
  SOURCES tests/launch/verify/golden_test.cpp tests/launch/verify/self_check_test.cpp
  LINKS nystrom_launch
  LABELS golden)

# The same numbers on ranks that share the sequences.
nystrom_add_test(golden_ranks_test
  SOURCES tests/launch/verify/golden_ranks_test.cpp tests/trainer/comm/ranks_main.cpp
  LINKS nystrom_launch
  LABELS golden)
foreach(ranks 2 3)
  nystrom_add_mpi_test(golden_ranks_test_on_${ranks} RANKS ${ranks} COMMAND golden_ranks_test LABELS golden)
endforeach()

# What `nystrom convert` writes, in transformers; each says that it was skipped where there is none.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  foreach(name embeddings load parity pictures remote_code tokenizer usage)
    add_test(NAME transformers_${name}
      COMMAND Python3::Interpreter tests/exchange/${name}.py $<TARGET_FILE:nystrom>
      WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    set_tests_properties(transformers_${name} PROPERTIES LABELS golden SKIP_REGULAR_EXPRESSION "^skipped")
  endforeach()
  add_test(NAME report_in_chromium
    COMMAND Python3::Interpreter tests/launch/report/browser.py $<TARGET_FILE:nystrom>
    WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  set_tests_properties(report_in_chromium PROPERTIES LABELS launch SKIP_REGULAR_EXPRESSION "^skipped" TIMEOUT 600)
  add_test(NAME configuration_schema
    COMMAND Python3::Interpreter tests/launch/config/schema.py $<TARGET_FILE:nystrom>
    WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  set_tests_properties(configuration_schema PROPERTIES LABELS launch SKIP_REGULAR_EXPRESSION "^skipped")
endif()

nystrom_add_test(finetune_program_test
  SOURCES
    tests/launch/finetune/finetune_program_test.cpp
    tests/launch/predict/predict_input_test.cpp
    tests/launch/predict/predict_output_test.cpp
    tests/launch/predict/predict_program_test.cpp
    tests/launch/predict/predict_tasks_test.cpp
  LINKS nystrom_data
  RUNS_PROGRAM
  AS_ONE Finetune
  LABELS tasks)
target_compile_definitions(finetune_program_test PRIVATE NYSTROM_SOURCE="${CMAKE_SOURCE_DIR}")

nystrom_add_test(embeddings_program_test
  SOURCES tests/launch/finetune/embeddings_program_test.cpp
  LINKS nystrom_data nlohmann_json::nlohmann_json
  RUNS_PROGRAM
  AS_ONE EmbeddingsProgram
  LABELS tasks)
target_compile_definitions(embeddings_program_test PRIVATE NYSTROM_SOURCE="${CMAKE_SOURCE_DIR}")

nystrom_add_test(lra_program_test
  SOURCES tests/launch/finetune/lra_program_test.cpp
  LINKS nystrom_data nlohmann_json::nlohmann_json
  RUNS_PROGRAM
  AS_ONE LraProgram
  LABELS tasks)
target_compile_definitions(lra_program_test PRIVATE NYSTROM_SOURCE="${CMAKE_SOURCE_DIR}")

nystrom_add_test(convergence_test
  SOURCES tests/launch/finetune/convergence_test.cpp
  LINKS nystrom_data
  RUNS_PROGRAM
  AS_ONE Convergence
  LABELS tasks)
target_compile_definitions(convergence_test PRIVATE NYSTROM_SOURCE="${CMAKE_SOURCE_DIR}")

nystrom_add_test(grid_test
  SOURCES tests/launch/setup/grid_test.cpp
  LINKS nystrom_launch
  LABELS tasks)
target_compile_definitions(grid_test PRIVATE NYSTROM_SOURCE="${CMAKE_SOURCE_DIR}")
