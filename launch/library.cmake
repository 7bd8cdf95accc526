find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)

nystrom_add_library(launch FOLDER launch
  SOURCES
    command_line.cpp
    config_read.cpp
    config_table.cpp
    config_text.cpp
    commands.cpp
    commands/finetune.cpp
    nearest.cpp
    rank.cpp
  LINKS nystrom_data
  PRIVATE_LINKS CLI11::CLI11 yaml-cpp spdlog::spdlog)
target_compile_definitions(nystrom_launch PRIVATE NYSTROM_VERSION="${PROJECT_VERSION}")

add_executable(nystrom launch/main.cpp)
target_link_libraries(nystrom PRIVATE nystrom_launch nystrom_options)
set_target_properties(nystrom PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
