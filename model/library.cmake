nystrom_add_library(model FOLDER model
  SOURCES
    batch.cpp
    block.cpp
    config.cpp
    embeddings.cpp
    encoder.cpp
    head.cpp
    network.cpp
    parameters.cpp
    pretraining_head.cpp
  LINKS nystrom_kernels)
