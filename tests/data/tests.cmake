nystrom_add_test(corpus_test
  SOURCES
    tests/data/preparation/cleaning_test.cpp
    tests/data/corpus/books_test.cpp
    tests/data/corpus/compression_test.cpp
    tests/data/corpus/corpus_test.cpp
    tests/data/corpus/encodings_test.cpp
    tests/data/corpus/imdb_test.cpp
    tests/data/corpus/parquet_test.cpp
    tests/data/glob_test.cpp
    tests/data/preparation/prepare_test.cpp
    tests/data/preparation/resume_test.cpp
    tests/data/tokenizer/sentencepiece/encoder_test.cpp
    tests/data/text/languages_test.cpp
    tests/data/text/text_test.cpp
    tests/data/corpus/wikipedia/languages_test.cpp
    tests/data/tokenizer/json/tokenizer_json_test.cpp
    tests/data/tokenizer/tokenizer_test.cpp
    tests/data/corpus/wikipedia/wikitext_test.cpp
  LINKS nystrom_data
  LABELS corpus)
target_compile_definitions(corpus_test PRIVATE NYSTROM_TOKENIZER_CASES="${CMAKE_SOURCE_DIR}/tests/data/tokenizer/cases"
  NYSTROM_SENTENCES="${CMAKE_SOURCE_DIR}/tests/data/text/sentences")

# It makes files with HDF5's own functions.
nystrom_add_test(hdf5_test
  SOURCES
    tests/data/hdf5/child_check_test.cpp
    tests/data/hdf5/contents_test.cpp
  LINKS nystrom_data hdf5::hdf5
  LABELS files)

nystrom_add_test(shards_test
  SOURCES
    tests/data/pretraining/bert_test.cpp
    tests/data/pretraining/leaks.cpp
    tests/data/pretraining/batch_schedule_test.cpp
    tests/data/pretraining/loader_test.cpp
    tests/data/pretraining/masking_test.cpp
    tests/data/pretraining/mixture_test.cpp
    tests/data/pretraining/order_test.cpp
    tests/data/pretraining/packing_test.cpp
    tests/data/shards/shard_test.cpp
  LINKS
    nystrom_data
  LABELS data)

nystrom_add_test(tasks_test
  SOURCES
    tests/data/tasks/custom_datasets_test.cpp
    tests/data/tasks/embeddings_test.cpp
    tests/data/tasks/glue_and_imdb_test.cpp
    tests/data/tasks/lra/listops_test.cpp
    tests/data/tasks/lra/lra_test.cpp
    tests/data/tasks/lra/pictures_test.cpp
    tests/data/tasks/lra/prepared_file_test.cpp
    tests/data/tasks/metrics_test.cpp
    tests/data/tasks/questions_test.cpp
    tests/data/tasks/tasks_test.cpp
    tests/data/tasks/tokens_test.cpp
  LINKS nystrom_data nlohmann_json::nlohmann_json
  LABELS tasks)

nystrom_add_test(generators_test
  SOURCES tests/data/generators/listops_test.cpp tests/data/generators/pathfinder_test.cpp
  LINKS nystrom_data
  LABELS data)
