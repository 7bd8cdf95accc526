#include "launch/predict/output.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/files.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 6> kFormats{"tsv", "csv", "jsonl", "json", "hdf5", "npy"};

std::string ending_of(const std::string& path) {
  std::string ending = fs::path(path).extension().string();
  std::ranges::transform(ending, ending.begin(), [](unsigned char c) { return std::tolower(c); });
  return ending == "." ? std::string() : ending;
}

/// A link to the file that standard output is, such as /dev/stdout.
bool is_standard_output(const std::string& path) {
  std::error_code error;
  struct stat named {
  }, output{};
  return fs::is_symlink(path, error) && ::stat(path.c_str(), &named) == 0 &&
         ::fstat(STDOUT_FILENO, &output) == 0 && named.st_dev == output.st_dev &&
         named.st_ino == output.st_ino;
}

/// The file that a chain of links names, whether it exists or not.
std::string without_links(fs::path path) {
  constexpr int kMaxLinks = 40;
  std::error_code error;
  for (int links = 0; links < kMaxLinks && fs::is_symlink(path, error); ++links)
    path = path.parent_path() / fs::read_symlink(path, error);
  return path.string();
}

}  // namespace

std::string output_format(const std::string& option, const std::string& path, bool vectors) {
  const auto checked = [&](const std::string& format) {
    if (vectors && (format == "tsv" || format == "csv"))
      refuse("predict: embeddings are written as jsonl, json, hdf5 or npy, not {}.", format);
    if (!vectors && format == "npy") refuse("predict: npy is for embeddings alone; choose another format.");
    return format;
  };
  if (option != "auto") {
    if (std::ranges::find(kFormats, option) == kFormats.end())
      refuse("predict: `--format` is {}; it must be auto, tsv, csv, jsonl, json, hdf5 or npy.", option);
    return checked(option);
  }
  const std::string ending = ending_of(path);
  if (ending.empty() || ending == ".txt") return vectors ? "jsonl" : "tsv";
  if (ending == ".h5") return "hdf5";
  if (std::ranges::find(kFormats, ending.substr(1)) != kFormats.end()) return checked(ending.substr(1));
  refuse(
      "predict: `--output` ({}) has the unknown ending {}; name a file in .tsv, .csv, .jsonl, .json, .h5, "
      ".hdf5 or, for embeddings, .npy, or choose with `--format`.",
      path, ending);
}

void check_output(const std::string& path, std::span<const std::string> sources, bool force) {
  std::error_code error;  // of paths that are not there
  if (path.empty()) return;
  if (fs::is_directory(path, error)) refuse("predict: `--output` ({}) is a directory; name a file.", path);
  if (is_written_through(path)) return;
  for (const std::string& source : sources)
    if (fs::equivalent(path, source, error))
      refuse("predict: `--output` ({}) would replace {}; name another file.", path, source);
  if (fs::exists(path, error) && !force)
    refuse("predict: `--output` ({}) exists already; name another file, or replace it with `--force`.", path);
}

bool is_written_through(const std::string& path) {
  std::error_code error;
  return (fs::exists(path, error) && !fs::is_regular_file(path, error)) || is_standard_output(path);
}

PendingFile::PendingFile(const std::string& path)
    : path_(without_links(path)), temporary_(temporary_name(path_)), replaces_(fs::exists(path_)) {}

PendingFile::~PendingFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void PendingFile::publish() {
  (replaces_ ? publish_file : publish_new_file)(temporary_, path_);
  temporary_.clear();
}

TextOutput::TextOutput(const std::string& path) : name_(path.empty() ? "Standard output" : path) {
  if (path.empty() || is_standard_output(path)) return;
  if (!is_written_through(path)) pending_.emplace(path);
  const std::string& opened = pending_ ? pending_->temporary() : path;
  file_ = std::fopen(opened.c_str(), "wb");
  if (file_ == nullptr) fail("{} cannot be created: {}.", opened, std::strerror(errno));
}

TextOutput::~TextOutput() {
  if (file_ != nullptr && file_ != stdout) std::fclose(file_);
}

void TextOutput::write(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), file_) == text.size();
  if (written && (pending_ || std::fflush(file_) == 0)) return;
  if (errno == EPIPE) throw std::system_error(errno, std::generic_category(), name_);  // the reader is gone
  fail("{} cannot be written: {}.", name_, std::strerror(errno));
}

void TextOutput::finish() {
  if (file_ == stdout) return;
  if (std::fclose(std::exchange(file_, nullptr)) != 0)
    fail("{} cannot be written: {}.", name_, std::strerror(errno));
  if (pending_) pending_->publish();
}

}  // namespace nystrom
