nystrom_add_test(core_test SOURCES tests/core/core_test.cpp LINKS nystrom_core LABELS core)
