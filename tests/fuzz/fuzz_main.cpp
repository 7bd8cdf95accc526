// The targets under libFuzzer. Environment: FUZZ_TARGET names one of them; FUZZ_SEEDS, if set, is a folder
// into which its seeds are written, with a dictionary next to it, and nothing else done; FUZZ_LIST prints all
// names.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "fuzz_target.h"

namespace {

using nystrom::fuzz::Target;

const Target* chosen = nullptr;

void write_seeds(const std::string& folder) {
  std::filesystem::create_directories(folder);
  int number = 0;
  for (const std::string& seed : chosen->seeds())
    std::ofstream(folder + "/seed-" + std::to_string(number++), std::ios::binary) << seed;
  std::ofstream dictionary(folder + ".dict");
  std::istringstream words{std::string(chosen->words)};
  for (std::string word; words >> word;) {
    std::string escaped;
    for (const char c : word) escaped += (c == '"' || c == '\\' ? "\\" : "") + std::string(1, c);
    dictionary << '"' << escaped << "\"\n";
  }
}

}  // namespace

// HDF5 leaks a little of its own memory where it refuses a damaged file.
extern "C" const char* __lsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier): its name
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libhdf5";
}

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  for (const Target& target : nystrom::fuzz::targets()) {
    if (!variable("FUZZ_LIST").empty()) std::printf("%s\n", std::string(target.name).c_str());
    if (target.name == variable("FUZZ_TARGET")) chosen = &target;
  }
  if (!variable("FUZZ_LIST").empty()) std::exit(0);
  if (chosen == nullptr) {
    std::fprintf(stderr, "FUZZ_TARGET names no target; FUZZ_LIST=1 lists them\n");
    std::exit(2);
  }
  if (const std::string folder = variable("FUZZ_SEEDS"); !folder.empty()) {
    write_seeds(folder);
    std::exit(0);
  }
  // What a target makes once, such as a tokenizer, takes half a minute without optimization: not an input's
  // time.
  nystrom::fuzz::survive(*chosen, {});
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  nystrom::fuzz::survive(*chosen, {reinterpret_cast<const char*>(data), size});
  return 0;
}
