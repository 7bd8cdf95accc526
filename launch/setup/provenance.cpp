#include "launch/setup/provenance.h"

#include <hdf5.h>
#include <mpi.h>
#include <unistd.h>

#include <array>
#include <dnnl.hpp>
#include <filesystem>
#include <utility>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/json.h"
#include "kernels/tensor/cpu_features.h"
#include "launch/cli/log_file.h"
#include "launch/cli/version.h"

namespace nystrom {
namespace {

using OrderedJson = nlohmann::ordered_json;

std::vector<std::string> command_line() {
  const std::string text = try_read_file("/proc/self/cmdline").value_or("");
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\0', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

constexpr std::size_t kMaxCommandBytes =
    8192;  // bytes in a checkpoint, whose attributes HDF5 limits to 64 KiB

/// The words up to kMaxCommandBytes bytes, with "..." for the rest.
std::vector<std::string> shortened(std::vector<std::string> words) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    bytes += words[i].size();
    if (bytes <= kMaxCommandBytes) continue;
    words.resize(i);
    words.emplace_back("...");
  }
  return words;
}

OrderedJson this_start(int ranks) {
  std::error_code error;
  return {{"date", date_text()},
          {"version", program_version()},
          {"command", command_line()},
          {"working_directory", std::filesystem::current_path(error).string()},
          {"host", host_name()},
          {"cpu", CpuFeatures::detect().model},
          {"ranks", ranks},
          {"libraries", {mpi_version(), hdf5_version(), onednn_version()}}};
}

/// "nystrom VERSION on HOST, N ranks: COMMAND".
std::string sentence_of(const OrderedJson& start) {
  const int ranks = start.at("ranks");
  return fmt::format("nystrom {} on {}, {} rank{}: {}", start.at("version").get<std::string>(),
                     start.at("host").get<std::string>(), ranks, ranks == 1 ? "" : "s",
                     fmt::join(start.at("command").get<std::vector<std::string>>(), " "));
}

std::string text_of(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

class Recorder final : public Observer {
 public:
  Recorder(std::string directory, const Log& log) : directory_(std::move(directory)), log_(log) {}

  void started(const RunInfo& info) override {
    OrderedJson start = this_start(info.ranks);
    log_.note(sentence_of(start));
    start["threads"] = info.threads;
    start["precision"] = info.precision;
    start["parameters"] = info.parameters;
    start["memory_bytes"] = info.activation_bytes + info.state_bytes;
    start["first_step"] = info.first_step;
    start["steps"] = info.steps;
    start["resumed_from"] = info.resumed_from;
    start["departure"] = info.departure;
    start["corpora"] = OrderedJson::array();
    for (const RunCorpus& corpus : info.corpora)
      start["corpora"].push_back(
          {{"name", corpus.name}, {"share", corpus.share}, {"sequences", corpus.sequences}});
    add(start);
  }

 private:
  void add(const OrderedJson& start) const {
    const std::string path = directory_ + "/run.json";
    OrderedJson starts = try_parse_json<OrderedJson>(try_read_file(path).value_or(""));
    if (!starts.is_array()) starts = OrderedJson::array();  // the first start, or another program's file
    starts.push_back(start);
    try {
      write_file(path, starts.dump(1, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
    } catch (const Error& error) {
      log_.warning(fmt::format("{} The run continues without it.", error.what()));
    }
  }

  std::string directory_;
  const Log& log_;
};

}  // namespace

std::string mpi_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  if (MPI_Get_library_version(text.data(), &length) != MPI_SUCCESS) return "MPI of unknown version";
  const std::string version(text.data(), static_cast<std::size_t>(length));
  return version.substr(0, version.find_first_of(",\n"));
}

std::string hdf5_version() {
  unsigned major = 0, minor = 0, release = 0;
  if (H5get_libversion(&major, &minor, &release) < 0) return "HDF5 of unknown version";
  return fmt::format("HDF5 {}.{}.{}", major, minor, release);
}

std::string onednn_version() {
  const dnnl_version_t* v = dnnl_version();
  return fmt::format("oneDNN {}.{}.{}", v->major, v->minor, v->patch);
}

std::string provenance_text(int ranks) {
  OrderedJson start = this_start(ranks);
  start["command"] = shortened(command_line());
  return text_of(start);
}

std::string provenance_sentence(const std::string& provenance) {
  try {
    const OrderedJson start = parse_json<OrderedJson>(provenance);
    return fmt::format("{} ({})", sentence_of(start), start.at("date").get<std::string>());
  } catch (const OrderedJson::exception&) {
    return {};
  }
}

std::unique_ptr<Observer> record_provenance(std::string directory, const Log& log) {
  return std::make_unique<Recorder>(std::move(directory), log);
}

}  // namespace nystrom
