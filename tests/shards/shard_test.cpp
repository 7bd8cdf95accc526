#include "data/shard.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace nystrom {
namespace {

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::string& path) {
  ShardWriter writer(
      path,
      {.vocabulary_size = 1000, .tokenizer_sha256 = std::string(64, 'a'), .sources = {"wiki", "books"}});
  for (int d = 0; d < 3000; ++d) {
    std::vector<std::vector<std::int32_t>> sentences(static_cast<std::size_t>(d % 4 + 1),
                                                     std::vector<std::int32_t>(9, 5 + d % 995));
    EXPECT_TRUE(writer.add_document(d % 2, sentences));
  }
  writer.finish();
}

TEST(ShardWriter, equal_documents_give_equal_bytes) {
  const auto folder = std::filesystem::path(::testing::TempDir());
  const std::string a = folder / "a.h5", b = folder / "b.h5";
  write(a);
  write(b);
  EXPECT_EQ(bytes_of(a), bytes_of(b));
  EXPECT_GT(bytes_of(a).size(), 100000U);
}

}  // namespace
}  // namespace nystrom
