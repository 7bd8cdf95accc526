nystrom_add_test(corpus_test
  SOURCES
    tests/corpus/cleaning_test.cpp
    tests/corpus/corpus_test.cpp
    tests/corpus/glob_test.cpp
    tests/corpus/prepare_test.cpp
    tests/corpus/resume_test.cpp
    tests/corpus/sentencepiece_test.cpp
    tests/corpus/text_test.cpp
    tests/corpus/tokenizer_json_test.cpp
    tests/corpus/tokenizer_test.cpp
    tests/corpus/wikitext_test.cpp
  LINKS nystrom_data
  LABELS corpus)
target_compile_definitions(corpus_test PRIVATE NYSTROM_TOKENIZER_CASES="${CMAKE_SOURCE_DIR}/tests/corpus/tokenizers")
