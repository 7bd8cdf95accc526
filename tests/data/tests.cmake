nystrom_add_test(corpus_test
  SOURCES
    tests/data/preparation/cleaning_test.cpp
    tests/data/corpus/corpus_test.cpp
    tests/data/glob_test.cpp
    tests/data/preparation/prepare_test.cpp
    tests/data/preparation/resume_test.cpp
    tests/data/tokenizer/sentencepiece_test.cpp
    tests/data/corpus/text_test.cpp
    tests/data/tokenizer/tokenizer_json_test.cpp
    tests/data/tokenizer/tokenizer_test.cpp
    tests/data/corpus/wikitext_test.cpp
  LINKS nystrom_data
  LABELS corpus)
target_compile_definitions(corpus_test PRIVATE NYSTROM_TOKENIZER_CASES="${CMAKE_SOURCE_DIR}/tests/data/tokenizer/cases")

nystrom_add_test(shards_test
  SOURCES
    tests/data/pretraining/bert_test.cpp
    tests/data/pretraining/leaks.cpp
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
  SOURCES tests/data/tasks/metrics_test.cpp tests/data/tasks/tasks_test.cpp
  LINKS nystrom_data
  LABELS tasks)
