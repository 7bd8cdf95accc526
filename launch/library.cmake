find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)

nystrom_add_library(launch FOLDER launch
  SOURCES
    all_reduce_rate.cpp
    backend.cpp
    bench.cpp
    command_line.cpp
    commands.cpp
    commands/bench.cpp
    commands/convert.cpp
    commands/doctor.cpp
    commands/evaluate.cpp
    commands/finetune.cpp
    commands/inspect.cpp
    commands/predict.cpp
    commands/prepare.cpp
    commands/pretrain.cpp
    commands/verify.cpp
    config_read.cpp
    config_table.cpp
    config_table_tasks.cpp
    config_text.cpp
    conversion.cpp
    failure.cpp
    file_verification.cpp
    finetune_setup.cpp
    folder_tokenizer.cpp
    grid.cpp
    log.cpp
    machine.cpp
    messages.cpp
    model_card.cpp
    model_source.cpp
    nearest.cpp
    options.cpp
    predict/answers.cpp
    predict/fill_mask.cpp
    predict/hdf5_input.cpp
    predict/input.cpp
    predict/line_source.cpp
    predict/task_predictor.cpp
    rank.cpp
    run_progress.cpp
    run_setup.cpp
    terminal.cpp
    tokenizer_search.cpp
    verify/reference_case.cpp
    verify/verification.cpp
  LINKS nystrom_trainer
  PRIVATE_LINKS
    CLI11::CLI11 yaml-cpp spdlog::spdlog nlohmann_json::nlohmann_json
    # doctor asks them for their versions
    hdf5::hdf5 MPI::MPI_CXX "${DNNL_LIBRARY}")
target_compile_definitions(nystrom_launch PRIVATE NYSTROM_VERSION="${PROJECT_VERSION}")

add_executable(nystrom launch/main.cpp)
target_link_libraries(nystrom PRIVATE nystrom_launch nystrom_options)
set_target_properties(nystrom PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
