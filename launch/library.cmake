find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)

nystrom_add_library(launch FOLDER launch
  SOURCES
    command_line.cpp
    config_read.cpp
    config_table.cpp
    config_text.cpp
    commands.cpp
    commands/finetune.cpp
    commands/verify.cpp
    model_source.cpp
    nearest.cpp
    rank.cpp
    verify/reference_case.cpp
    verify/verification.cpp
  LINKS nystrom_trainer
  PRIVATE_LINKS CLI11::CLI11 nlohmann_json::nlohmann_json yaml-cpp spdlog::spdlog)
target_compile_definitions(nystrom_launch PRIVATE NYSTROM_VERSION="${PROJECT_VERSION}")

add_executable(nystrom launch/main.cpp)
target_link_libraries(nystrom PRIVATE nystrom_launch nystrom_options)
set_target_properties(nystrom PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
