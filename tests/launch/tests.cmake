nystrom_add_test(launch_test
  SOURCES
    tests/launch/config_test.cpp
  LINKS nystrom_launch
  LABELS launch)
