# The emulation itself: what is planted must be caught.
nystrom_add_test(emulation_test
  SOURCES tests/emulation/device_test.cpp tests/emulation/emulation_test.cpp
  LINKS nystrom_tensor
  LABELS emulation)
