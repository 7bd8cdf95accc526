find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)

# Pages of `nystrom watch` are served where cpp-httplib is there. Debian compiles it with options that its pkg-config file
# names; only server.cpp needs them.
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(NYSTROM_HTTPLIB QUIET cpp-httplib)
endif()
if(NYSTROM_HTTPLIB_FOUND)
  set(server watch/server.cpp)
else()
  set(server watch/no_server.cpp)
endif()

# modeling_nystrom.py, which exported folders carry, as a string.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS launch/models/python/modeling_nystrom.py)
file(READ launch/models/python/modeling_nystrom.py NYSTROM_MODELING)
configure_file(launch/models/modeling_code.cpp.in "${CMAKE_BINARY_DIR}/modeling_code.cpp" @ONLY)

# The version with the commit, looked up in each build.
add_custom_target(nystrom_version
  COMMAND "${CMAKE_COMMAND}" -DROOT=${CMAKE_SOURCE_DIR} -DVERSION=${PROJECT_VERSION}
          -DOUTPUT=${CMAKE_BINARY_DIR}/version.cpp -P "${CMAKE_SOURCE_DIR}/cmake/WriteVersion.cmake"
  BYPRODUCTS "${CMAKE_BINARY_DIR}/version.cpp"
  COMMENT "Looking up the commit")

# All but the predictions and what measures the machine.
file(GLOB light CONFIGURE_DEPENDS launch/main.cpp launch/chart/*.cpp launch/check/*.cpp launch/cli/*.cpp launch/commands/*.cpp launch/config/*.cpp
  launch/models/*.cpp launch/report/*.cpp launch/setup/*.cpp launch/table/*.cpp launch/verify/*.cpp
  launch/watch/*.cpp)
nystrom_optimize_lightly(${light})
set_property(SOURCE launch/watch/server.cpp APPEND PROPERTY COMPILE_OPTIONS ${NYSTROM_HTTPLIB_CFLAGS_OTHER})
# What the compiler searches anyway is left out (Debian 13 names /usr/include): given as a system directory, it would come
# before the standard library's own.
list(REMOVE_ITEM NYSTROM_HTTPLIB_INCLUDE_DIRS ${CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES})
set_property(SOURCE launch/watch/server.cpp APPEND PROPERTY INCLUDE_DIRECTORIES ${NYSTROM_HTTPLIB_INCLUDE_DIRS})

file(GLOB alone CONFIGURE_DEPENDS launch/chart/*.cpp launch/commands/*.cpp launch/config/config_table*.cpp)
nystrom_compile_alone(${alone})

nystrom_add_library(launch FOLDER launch
  SOURCES
    bench/all_reduce_rate.cpp bench/bench.cpp bench/estimate.cpp bench/machine.cpp chart/bar_chart.cpp chart/figure.cpp chart/heat_map.cpp
    chart/label.cpp chart/line_chart.cpp chart/matrix_map.cpp chart/scale.cpp chart/sparkline.cpp chart/standalone.cpp chart/style.cpp check/check.cpp
    check/figures.cpp cli/colour.cpp cli/command_line.cpp cli/commands.cpp cli/completion.cpp cli/console.cpp cli/failure.cpp cli/help_text.cpp
    cli/log.cpp cli/log_file.cpp cli/manual_page.cpp cli/messages.cpp
    cli/option_parser.cpp cli/quiet.cpp cli/run_progress.cpp cli/shell_text.cpp cli/stage_progress.cpp cli/terminal.cpp commands/bench.cpp commands/check.cpp
    commands/convert.cpp commands/doctor.cpp commands/evaluate.cpp commands/finetune.cpp commands/inspect.cpp
    commands/lra.cpp commands/predict.cpp commands/prepare.cpp commands/pretrain.cpp commands/report.cpp commands/table.cpp
    commands/verify.cpp commands/watch.cpp config/command_keys.cpp config/config.cpp config/config_entries.cpp config/config_read.cpp config/config_schema.cpp
    config/config_table.cpp config/config_table_tasks.cpp config/config_table_training.cpp config/config_text.cpp config/key_guess.cpp
    config/options.cpp config/path_text.cpp config/suggestion.cpp models/conversion.cpp models/file_verification.cpp
    models/folder_tokenizer.cpp models/model_card.cpp models/model_path.cpp models/model_source.cpp
    models/tokenizer_search.cpp models/transformers_code.cpp picture/attention_matrices.cpp picture/attention_page.cpp
    picture/attention_trace.cpp predict/answers.cpp predict/fill_mask.cpp
    predict/hdf5_input.cpp predict/input.cpp predict/line_source.cpp predict/output.cpp predict/task_predictor.cpp
    report/classes.cpp report/configuration.cpp report/corpora.cpp report/curves.cpp report/grid_report.cpp report/history.cpp report/judgements.cpp
    report/links.cpp
    report/metrics_line.cpp report/page.cpp report/preparation.cpp report/progress.cpp report/report.cpp report/report_file.cpp
    report/residuals.cpp report/run_record.cpp report/series.cpp report/starts.cpp report/summary.cpp report/task.cpp report/text_sample.cpp
    setup/backend.cpp setup/finetune_setup.cpp setup/grid.cpp setup/prepare_setup.cpp setup/provenance.cpp
    setup/run_overview.cpp setup/run_setup.cpp setup/run_shards.cpp setup/sinks.cpp setup/task_setup.cpp
    table/published.cpp table/result_table.cpp table/run_result.cpp
    table/table_text.cpp verify/case_run.cpp verify/reference_case.cpp verify/self_check.cpp verify/verification.cpp
    watch/live_pages.cpp watch/terminal_view.cpp watch/watched_runs.cpp ${server}
  GENERATED_SOURCES "${CMAKE_BINARY_DIR}/modeling_code.cpp" "${CMAKE_BINARY_DIR}/version.cpp"
  DEFINITIONS NYSTROM_VERSION="${PROJECT_VERSION}"
  HEADERS_OF tensor
  LINKS nystrom_trainer
  PRIVATE_LINKS
    CLI11::CLI11 yaml-cpp spdlog::spdlog nlohmann_json::nlohmann_json
    # doctor asks them for their versions
    hdf5::hdf5 MPI::MPI_CXX "${DNNL_LIBRARY}" ${NYSTROM_HTTPLIB_LINK_LIBRARIES})

add_executable(nystrom launch/main.cpp launch/processor_check.cpp)
set_source_files_properties(launch/processor_check.cpp PROPERTIES
  COMPILE_OPTIONS "-march=x86-64;$<$<CONFIG:Release>:-O1>;-fno-sanitize=all")
target_link_libraries(nystrom PRIVATE nystrom_launch nystrom_options)
set_target_properties(nystrom PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
