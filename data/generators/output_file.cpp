#include "data/generators/output_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/files.h"

namespace nystrom {

OutputFile::OutputFile(std::string path)
    : path_(std::move(path)),
      temporary_(temporary_name(path_)),
      file_(std::fopen(temporary_.c_str(), "wbx")) {
  if (!file_) fail("{} cannot be written: {}.", path_, std::strerror(errno));
}

OutputFile::~OutputFile() {
  file_.reset();
  if (temporary_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
}

void OutputFile::write(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size())
    fail("{} cannot be written: {}.", path_, std::strerror(errno));
}

void OutputFile::publish() {
  if (std::fclose(file_.release()) != 0) fail("{} cannot be written: {}.", path_, std::strerror(errno));
  publish_file(temporary_, path_);
  temporary_.clear();
}

}  // namespace nystrom
