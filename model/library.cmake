nystrom_add_library(model FOLDER model
  SOURCES
    batch.cpp
    block.cpp
    config.cpp
    embeddings.cpp
    encoder.cpp
    head.cpp
    head_registry.cpp
    heads/multiple_choice.cpp
    heads/question_answering.cpp
    heads/sequence_classification.cpp
    heads/token_classification.cpp
    network.cpp
    parameters.cpp
    pretraining_head.cpp
  LINKS nystrom_kernels)
