find_package(nlohmann_json REQUIRED)

nystrom_add_library(model FOLDER model
  SOURCES
    batch.cpp
    bert_import.cpp
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
    huggingface.cpp
    huggingface_config.cpp
    network.cpp
    parameters.cpp
    pretraining_head.cpp
    read_only_file.cpp
    safetensors.cpp
    safetensors_writer.cpp
    tensor_edits.cpp
    warm_start.cpp
    weight_files.cpp
  LINKS nystrom_kernels
  PRIVATE_LINKS nlohmann_json::nlohmann_json)
