# What every other library builds on, without OpenMP and CUDA: checks and errors, files, HTML, JSON, hashes, random numbers.
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL REQUIRED)

nystrom_add_library(core FOLDER kernels/core
  SOURCES check.cpp files.cpp folders.cpp html.cpp json.cpp memory.cpp philox.cpp printable.cpp processors.cpp sha256.cpp
    stage.cpp threads.cpp trace.cpp utf8.cpp
  HEADERS_OF core
  LINKS fmt::fmt nlohmann_json::nlohmann_json
  PRIVATE_LINKS OpenSSL::Crypto)
