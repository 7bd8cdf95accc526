nystrom_add_test(corpus_test
  SOURCES
    tests/corpus/glob_test.cpp
    tests/corpus/text_test.cpp
    tests/corpus/tokenizer_test.cpp
  LINKS nystrom_data
  LABELS corpus)
