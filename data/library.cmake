include(Hdf5)
find_path(SENTENCEPIECE_INCLUDE sentencepiece_processor.h REQUIRED)
find_library(SENTENCEPIECE sentencepiece REQUIRED)
find_library(SENTENCEPIECE_TRAIN sentencepiece_train REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc i18n)

nystrom_add_library(data FOLDER data
  SOURCES
    batch_builder.cpp
    bert_samples.cpp
    chunk_cache.cpp
    glob.cpp
    hdf5_file.cpp
    inspect.cpp
    loader.cpp
    masking.cpp
    permutation.cpp
    samples.cpp
    sha256.cpp
    shard_layout.cpp
    shard_reader.cpp
    shard_writer.cpp
    text/clean.cpp
    text/sentence_end.cpp
    text/sentences.cpp
    text/utf8.cpp
    text_samples.cpp
    tokenizer/sentencepiece_model.cpp
    tokenizer/sentencepiece_training.cpp
    tokenizer/tokenizer.cpp
  LINKS nystrom_core
  PRIVATE_LINKS
    hdf5::hdf5
    ${SENTENCEPIECE_TRAIN}
    ${SENTENCEPIECE}
    ICU::i18n
    ICU::uc
    OpenSSL::Crypto)
