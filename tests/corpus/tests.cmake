# tests of this folder: nystrom_add_test(...)
