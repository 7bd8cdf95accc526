#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "model/exchange/json_object.h"
#include "model/exchange/safetensors.h"

namespace nystrom {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

/// A Python string literal.
std::string python_text(const std::string& text) {
  std::string literal = "'";
  for (const char c : text) {
    if (c == '\\' || c == '\'') literal += '\\';
    literal += c;
  }
  return literal + "'";
}

/// The Python lines convert the tensors as they are: a model made from config.json would drop unknown ones.
[[noreturn]] void refuse_folder(const std::string& folder) {
  for (const auto& [pickled, parts] : {std::pair{"pytorch_model.bin", "pytorch_model.bin"},
                                       std::pair{"pytorch_model.bin.index.json", "pytorch_model-*.bin"}})
    if (file_exists((fs::path(folder) / pickled).string()))
      refuse(
          "{0} has no {2}, only {1}, a pickle file, which can run code when it is loaded. If you trust its "
          "source, convert it with these two lines of Python:\n"
          "import pathlib, safetensors.torch, torch; folder = pathlib.Path({3}); tensors = {{k: v for f in "
          "sorted(folder.glob('{4}')) for k, v in torch.load(f, weights_only=True, "
          "map_location='cpu').items()}}\n"
          "safetensors.torch.save_file({{k: v.clone().contiguous() for k, v in tensors.items()}}, folder / "
          "'{2}', {{'format': 'pt'}})",
          folder, pickled, kSingle, python_text(folder), parts);
  refuse("{} has neither {} nor {}.", folder, kSingle, kIndex);
}

std::unique_ptr<SafetensorsFile> open_part(const std::string& folder, const std::string& name) {
  const std::string path = (fs::path(folder) / name).string();
  refuse_link_out_of(folder, path);
  return std::make_unique<SafetensorsFile>(path);
}

Json read_weight_map(const std::string& path) {
  const Json map = parse_json<Json>(path, read_file(path));
  if (!map.is_object() || !map.contains("weight_map") || !map["weight_map"].is_object())
    refuse("{} has no object `weight_map` of tensor names and files.", path);
  return map["weight_map"];
}

}  // namespace

WeightFiles::WeightFiles(const std::string& folder) {
  const std::string single = (fs::path(folder) / kSingle).string(),
                    index = (fs::path(folder) / kIndex).string();
  if (file_exists(single)) {
    files_.push_back(open_part(folder, kSingle));
    for (const auto& [name, tensor] : files_.back()->tensors())
      tensors_.emplace(name, Entry{files_.back().get(), &tensor});
  } else if (file_exists(index)) {
    read_index(folder, index);
  } else {
    refuse_folder(folder);
  }
}

void WeightFiles::read_index(const std::string& folder, const std::string& index) {
  refuse_link_out_of(folder, index);
  std::map<std::string, const SafetensorsFile*> opened;
  const Json map = read_weight_map(index);
  for (const auto& [tensor, file] : map.items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : std::string{};
    if (name.empty() || name != fs::path(name).filename().string())  // nothing outside the folder
      refuse("{}: the file of the tensor {} must be a file name in the same folder.", index, tensor);
    const SafetensorsFile*& part = opened[name];
    if (part == nullptr) {
      files_.push_back(open_part(folder, name));
      part = files_.back().get();
    }
    const StoredTensor* stored = part->find(tensor);
    if (stored == nullptr) refuse("{}: the tensor {} is not in {}.", index, tensor, part->path());
    tensors_.emplace(tensor, Entry{part, stored});
  }
}

const WeightFiles::Entry* WeightFiles::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

bool same_values(const WeightFiles::Entry& a, const WeightFiles::Entry& b) {
  return a.tensor->type == b.tensor->type && a.tensor->shape == b.tensor->shape &&
         a.file->read_bytes(*a.tensor) == b.file->read_bytes(*b.tensor);
}

}  // namespace nystrom
