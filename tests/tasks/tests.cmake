nystrom_add_test(heads_test
  SOURCES tests/tasks/head_ops_test.cpp tests/tasks/heads_test.cpp
  LINKS nystrom_model
  LABELS tasks)
nystrom_add_test(tasks_test
  SOURCES tests/tasks/metrics_test.cpp tests/tasks/tasks_test.cpp
  LINKS nystrom_data
  LABELS tasks)
