#include "launch/models/tokenizer_search.h"

#include <filesystem>

#include "kernels/core/check.h"

namespace nystrom {

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
