find_package(nlohmann_json REQUIRED)

# Files of weights and of other programs are read or written once in a run.
file(GLOB light CONFIGURE_DEPENDS model/exchange/*.cpp)
nystrom_optimize_lightly(${light})

file(GLOB alone CONFIGURE_DEPENDS model/attention/*.cpp model/heads/*.cpp)
nystrom_compile_alone(${alone} model/layers/fixed_positions.cpp model/layers/picture_positions.cpp
  model/parameters/parameters.cpp)

nystrom_add_library(model FOLDER model
  SOURCES
    check.cpp network.cpp sequence_cuts.cpp
    attention/linear.cpp attention/linformer.cpp attention/longformer.cpp attention/none.cpp attention/nystrom.cpp
    attention/performer.cpp attention/random.cpp attention/reformer.cpp attention/registry.cpp attention/softmax.cpp
    exchange/bert_import.cpp exchange/huggingface.cpp exchange/huggingface_config.cpp
    exchange/read_only_file.cpp exchange/safetensors.cpp exchange/safetensors_writer.cpp
    exchange/tensor_edits.cpp exchange/warm_start.cpp exchange/weight_files.cpp
    heads/classifier.cpp heads/embedding.cpp heads/head.cpp heads/head_registry.cpp heads/in_batch_loss.cpp
    heads/multiple_choice.cpp heads/pair_classification.cpp
    heads/pooling.cpp heads/pretraining.cpp heads/question_answering.cpp heads/sequence_classification.cpp
    heads/token_classification.cpp
    layers/batch.cpp layers/block.cpp layers/embeddings.cpp layers/encoder.cpp layers/fixed_positions.cpp
    layers/picture_positions.cpp
    parameters/parameters.cpp
  HEADERS_OF tensor
  LINKS nystrom_kernels
  PRIVATE_LINKS nlohmann_json::nlohmann_json)
