nystrom_add_test(corpus_test
  SOURCES
    tests/corpus/corpus_test.cpp
    tests/corpus/glob_test.cpp
    tests/corpus/prepare_test.cpp
    tests/corpus/text_test.cpp
    tests/corpus/tokenizer_test.cpp
    tests/corpus/wikitext_test.cpp
  LINKS nystrom_data
  LABELS corpus)
