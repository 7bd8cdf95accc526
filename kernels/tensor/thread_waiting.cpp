// How long a thread that waits for others spins before it sleeps.
//
// libgomp, which runs the threads of our ops and of oneDNN's, spins for some milliseconds. With other
// processes that keeps the CPU from the very thread that is waited for, or from the neighbour whose turn it
// is, and a step takes several times its time. libgomp reads its variables while it is loaded, before any
// code of this program runs, and has no call that changes them later. It asks getenv for them, and the getenv
// of the program comes before that of the C library: this one has an answer where the environment has none.

#include <dlfcn.h>

#include <cstdlib>
#include <string_view>

namespace {

/// Turns of libgomp's waiting loop: 50 to 200 us, by the CPU's time for a pause; a few times what it
/// costs to sleep and be woken.
char default_spins[] = "4000";

char* c_library_getenv(const char* name) {
  using Getenv = char*(const char*);
  static auto* const next = reinterpret_cast<Getenv*>(::dlsym(RTLD_NEXT, "getenv"));
  return next(name);
}

}  // namespace

/// The C library's getenv, but that GOMP_SPINCOUNT has a default. OMP_WAIT_POLICY, where it is set, decides.
extern "C" [[gnu::visibility("default")]] char* getenv(const char* name) noexcept {
  char* const given = c_library_getenv(name);
  if (given != nullptr || name != std::string_view("GOMP_SPINCOUNT")) return given;
  return c_library_getenv("OMP_WAIT_POLICY") == nullptr ? default_spins : nullptr;
}
