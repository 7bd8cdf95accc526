nystrom_add_test(step_counts_test
  SOURCES tests/counts/allocations.cpp tests/counts/step_counts_test.cpp
  LINKS nystrom_launch
  LABELS counts)
