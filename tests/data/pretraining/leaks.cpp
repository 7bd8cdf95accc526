// Under LeakSanitizer: HDF5 leaks a little of its own memory where it refuses a corrupt file or cannot write.
extern "C" const char* __lsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier): its name
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libhdf5";
}
