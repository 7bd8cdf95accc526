nystrom_add_test(shards_test
  SOURCES
    tests/shards/bert_test.cpp
    tests/shards/leaks.cpp
    tests/shards/loader_test.cpp
    tests/shards/masking_test.cpp
    tests/shards/mixture_test.cpp
    tests/shards/order_test.cpp
    tests/shards/packing_test.cpp
    tests/shards/shard_test.cpp
  LINKS
    nystrom_data
  LABELS data)
