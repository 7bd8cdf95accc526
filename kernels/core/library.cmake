nystrom_add_library(core FOLDER kernels/core
  SOURCES arena.cpp buffer.cpp check.cpp context.cpp cpu_features.cpp files.cpp philox.cpp tensor.cpp
  LINKS fmt::fmt OpenMP::OpenMP_CXX)
