#include "kernels/tensor/cuda/product_choices.h"

#include <fmt/format.h>

#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "kernels/core/check.h"
#include "kernels/core/files.h"

namespace nystrom::cuda {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string as_file_name(std::string text) {
  for (char& c : text)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.') c = '_';
  return text;
}

constexpr std::string_view kNoneAsText = "none";

/// "NAME = 16 hexadecimal digits, eight times", or "NAME = none"
std::optional<std::pair<std::string, ProductChoices::Algorithm>> parsed(const std::string& line) {
  const auto middle = line.find(" = ");
  if (middle == std::string::npos) return std::nullopt;
  if (line.substr(middle + 3) == kNoneAsText) return std::pair{line.substr(0, middle), ProductChoices::kNone};
  std::istringstream words(line.substr(middle + 3));
  ProductChoices::Algorithm algorithm{};
  for (std::uint64_t& word : algorithm)
    if (!(words >> std::hex >> word)) return std::nullopt;
  return std::pair{line.substr(0, middle), algorithm};
}

}  // namespace

ProductChoices::ProductChoices(std::string path, std::string gpu, const std::string& library)
    : path_(std::move(path)),
      title_(fmt::format("nystrom's choice of algorithms, format 1, {}, cuBLASLt {}", gpu, library)),
      choices_(read()) {}

std::string ProductChoices::path_for(const std::string& gpu, const std::string& library) {
  std::string folder = variable("XDG_CACHE_HOME");
  if (folder.empty() && !variable("HOME").empty()) folder = variable("HOME") + "/.cache";
  if (folder.empty()) return {};
  return fmt::format("{}/nystrom/products-{}-{}.txt", folder, as_file_name(gpu), as_file_name(library));
}

std::optional<ProductChoices::Algorithm> ProductChoices::find(const std::string& product) const {
  const auto found = choices_.find(product);
  return found == choices_.end() ? std::nullopt : std::optional(found->second);
}

void ProductChoices::add(const std::string& product, const Algorithm& algorithm) {
  for (const auto& [other, chosen] : read()) choices_.emplace(other, chosen);
  choices_[product] = algorithm;
  if (!path_.empty()) write();
}

ProductChoices::Choices ProductChoices::read() const {
  Choices choices;
  std::ifstream file(path_);
  std::string line;
  if (path_.empty() || !std::getline(file, line) || line != title_) return choices;
  while (std::getline(file, line))
    if (auto choice = parsed(line)) choices.insert(*std::move(choice));
  return choices;
}

void ProductChoices::write() const {
  try {
    fs::create_directories(fs::path(path_).parent_path());
    const std::string temporary = temporary_name(path_);
    std::ofstream file(temporary);
    file << title_ << '\n';
    for (const auto& [product, algorithm] : choices_) {
      file << product << " =";
      if (algorithm == kNone)
        file << ' ' << kNoneAsText;
      else
        for (const std::uint64_t word : algorithm) file << fmt::format(" {:016x}", word);
      file << '\n';
    }
    file.close();
    if (file) publish_file(temporary, path_);
    std::error_code ignored;
    fs::remove(temporary, ignored);
  } catch (const std::exception&) {  // a cache: the next process measures again
  }
}

}  // namespace nystrom::cuda
