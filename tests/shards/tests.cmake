nystrom_add_test(shards_test
  SOURCES
    tests/shards/shard_test.cpp
  LINKS
    nystrom_data
  LABELS data)
