include(Hdf5)
find_path(SENTENCEPIECE_INCLUDE sentencepiece_processor.h REQUIRED)
find_library(SENTENCEPIECE sentencepiece REQUIRED)
find_library(SENTENCEPIECE_TRAIN sentencepiece_train REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
find_package(BZip2 REQUIRED)
find_package(LibLZMA REQUIRED)
find_package(LibArchive REQUIRED)
find_path(ZSTD_INCLUDE zstd.h REQUIRED)
find_library(ZSTD zstd REQUIRED)
find_path(XXHASH_INCLUDE xxhash.h REQUIRED)
find_library(XXHASH xxhash REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc i18n)

# arrow_rows.py, which reads Parquet and Arrow, as a string.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS data/corpus/arrow_rows.py)
file(READ data/corpus/arrow_rows.py NYSTROM_ARROW_ROWS)
configure_file(data/corpus/arrow_rows_script.cpp.in "${CMAKE_BINARY_DIR}/arrow_rows_script.cpp" @ONLY)

# What runs once for a file, a directory or an example of a task, not for each text of a corpus.
file(GLOB light CONFIGURE_DEPENDS data/hdf5/*.cpp data/tasks/*.cpp data/tasks/metrics/*.cpp)
list(FILTER light EXCLUDE REGEX "retrieval.cpp$")  # compares every query with every document
nystrom_optimize_lightly(${light}
  data/preparation/manifest.cpp data/preparation/prepare.cpp data/preparation/prepare_directory.cpp
  data/preparation/report.cpp data/preparation/blocks/source_stats.cpp data/preparation/sources.cpp
  data/shards/inspect.cpp data/shards/shard_check.cpp data/shards/shard_layout.cpp
  data/tokenizer/huggingface_files.cpp data/tokenizer/json/json_parts.cpp data/tokenizer/sentencepiece/model_proto.cpp
  data/tokenizer/sample.cpp data/tokenizer/training.cpp data/tokenizer/json/tokenizer_json.cpp
  data/tokenizer/vocabulary_files.cpp)

nystrom_add_library(data FOLDER data
  SOURCES
    glob.cpp
    corpus/arrow_rows.cpp corpus/binary_check.cpp corpus/book_parts.cpp corpus/books.cpp corpus/byte_stream.cpp
    corpus/bzip2_blocks.cpp corpus/corpus.cpp corpus/decompressors.cpp corpus/entities.cpp
    corpus/gutenberg.cpp corpus/imdb.cpp corpus/jsonl.cpp corpus/lines.cpp corpus/paragraphs.cpp
    corpus/tar.cpp corpus/utf16_stream.cpp
    corpus/wikipedia/inline.cpp corpus/wikipedia/languages.cpp corpus/wikipedia/languages_latin.cpp
    corpus/wikipedia/languages_other.cpp corpus/wikipedia/lines.cpp corpus/wikipedia/links.cpp
    corpus/wikipedia/measures.cpp corpus/wikipedia/mending.cpp corpus/wikipedia/pages.cpp corpus/wikipedia/site.cpp
    corpus/wikipedia/tags.cpp corpus/wikipedia/template_table.cpp corpus/wikipedia/templates.cpp
    corpus/wikipedia/wikipedia.cpp
    generators/canvas.cpp generators/lanczos.cpp generators/listops.cpp generators/listops_files.cpp
    generators/output_file.cpp generators/pathfinder.cpp generators/pathfinder_files.cpp
    generators/pathfinder_rule.cpp generators/segments.cpp
    hdf5/child_check.cpp hdf5/chunk_cache.cpp hdf5/foreign_file.cpp hdf5/hdf5_attributes.cpp
    hdf5/hdf5_calls.cpp hdf5/hdf5_contents.cpp hdf5/hdf5_dataset.cpp hdf5/hdf5_file.cpp hdf5/hdf5_text.cpp
    pictures/png.cpp
    preparation/contamination.cpp preparation/encode_text.cpp preparation/find_duplicates.cpp
    preparation/input_splits.cpp preparation/manifest.cpp preparation/minhash.cpp preparation/prepare.cpp
    preparation/prepare_directory.cpp preparation/read_text.cpp preparation/report.cpp preparation/sources.cpp
    preparation/worker_pool.cpp preparation/write_shards.cpp
    preparation/blocks/packed_file.cpp preparation/blocks/source_stats.cpp preparation/blocks/spill_files.cpp
    preparation/blocks/text_block.cpp preparation/blocks/token_block.cpp
    pretraining/batch_builder.cpp pretraining/bert_samples.cpp pretraining/loader.cpp pretraining/masking.cpp
    pretraining/mixture.cpp pretraining/packing.cpp pretraining/permutation.cpp pretraining/samples.cpp
    pretraining/text_samples.cpp
    shards/bert_shard_reader.cpp shards/inspect.cpp shards/shard_check.cpp shards/shard_layout.cpp
    shards/shard_reader.cpp shards/shard_writer.cpp
    tasks/answer_task.cpp tasks/choice_task.cpp tasks/conll.cpp tasks/embedding_split.cpp
    tasks/embedding_task.cpp tasks/encoding.cpp tasks/glue.cpp tasks/imdb_reviews.cpp tasks/imdb_task.cpp
    tasks/lra/examples.cpp tasks/lra/find_folder.cpp tasks/lra/lra_task.cpp tasks/lra/prepared_file.cpp
    tasks/lra/read_images.cpp tasks/lra/read_listops.cpp tasks/lra/read_pathfinder.cpp
    tasks/lra/read_retrieval.cpp tasks/lra/read_text.cpp tasks/lra/reader.cpp tasks/lra/rows.cpp
    tasks/lra/source.cpp tasks/lra/split.cpp
    tasks/outputs.cpp tasks/own_files.cpp tasks/own_texts.cpp tasks/pair_split.cpp tasks/records.cpp tasks/scores.cpp
    tasks/sequence_answer.cpp tasks/sequence_split.cpp
    tasks/squad.cpp tasks/task.cpp tasks/task_kinds.cpp tasks/token_task.cpp
    tasks/metrics/answers.cpp tasks/metrics/classification.cpp tasks/metrics/correlation.cpp
    tasks/metrics/entities.cpp tasks/metrics/retrieval.cpp
    text/case_folding.cpp text/clean.cpp text/language.cpp text/list_items.cpp text/quoted_speech.cpp
    text/sentence_end.cpp text/sentence_rules.cpp text/sentences.cpp text/unspaced.cpp text/utf16.cpp
    text/utf8.cpp
    tokenizer/huggingface_files.cpp tokenizer/sample.cpp tokenizer/tokenizer.cpp tokenizer/training.cpp
    tokenizer/vocabulary_files.cpp
    tokenizer/json/added_tokens.cpp tokenizer/json/aligned_text.cpp tokenizer/json/byte_bpe_model.cpp
    tokenizer/json/json_parts.cpp tokenizer/json/normalizer.cpp tokenizer/json/tokenizer_json.cpp
    tokenizer/json/unigram_model.cpp tokenizer/json/vocabulary.cpp tokenizer/json/wordpiece_model.cpp
    tokenizer/model/trie.cpp tokenizer/model/unicode_classes.cpp
    tokenizer/sentencepiece/charsmap.cpp tokenizer/sentencepiece/encoder.cpp tokenizer/sentencepiece/model.cpp
    tokenizer/sentencepiece/model_proto.cpp
  GENERATED_SOURCES "${CMAKE_BINARY_DIR}/arrow_rows_script.cpp"
  DEFINITIONS NYSTROM_VERSION="${PROJECT_VERSION}"
  HEADERS_OF core
  LINKS nystrom_core
  PRIVATE_LINKS
    hdf5::hdf5
    ${SENTENCEPIECE_TRAIN}
    ${SENTENCEPIECE}
    BZip2::BZip2
    LibArchive::LibArchive
    LibLZMA::LibLZMA
    ${ZSTD}
    ${XXHASH}
    ZLIB::ZLIB
    PNG::PNG
    nlohmann_json::nlohmann_json
    ICU::i18n
    ICU::uc)
