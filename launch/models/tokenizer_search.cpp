#include "launch/models/tokenizer_search.h"

#include <filesystem>

#include "kernels/core/check.h"
#include "launch/models/folder_tokenizer.h"
#include "launch/models/model_path.h"
#include "launch/models/model_source.h"
#include "trainer/checkpoint/checkpoint.h"

namespace nystrom {

Tokenizer read_any_tokenizer(const std::string& path, const SpecialNames& names) {
  const std::string found = find_model(path).path;
  const bool is_folder = std::filesystem::is_directory(found);
  if (!is_folder && !is_checkpoint(found)) return Tokenizer::read(found, names);
  const Tokenizer own = is_folder ? read_folder_tokenizer(found) : ModelSource(found).tokenizer();
  if (own.empty()) refuse("{} has no tokenizer.", path);
  return names == SpecialNames{} ? own : Tokenizer::from_bytes(own.bytes(), path, names);
}

Tokenizer tokenizer_beside(const std::string& shard, const std::string& sha256, const SpecialNames& names) {
  const std::filesystem::path folder = std::filesystem::absolute(shard).parent_path();
  for (const auto& where : {folder, folder.parent_path()}) {
    for (const char* name : {"tokenizer.model", "tokenizer.json"}) {
      const std::filesystem::path path = where / name;
      std::error_code error;
      if (!std::filesystem::is_regular_file(path, error)) continue;
      Tokenizer tokenizer = Tokenizer::read(path, names);
      if (tokenizer.sha256() == sha256) return tokenizer;
    }
  }
  refuse(
      "The tokenizer of {} (SHA-256 {}…) is not in its folder or the parent folder. Set `tokenizer.path` to "
      "its file.",
      shard, sha256.substr(0, 12));
}

}  // namespace nystrom
