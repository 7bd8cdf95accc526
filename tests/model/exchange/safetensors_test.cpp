#include "model/exchange/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "kernels/core/files.h"
#include "kernels/tensor/buffer.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string length_prefix(std::uint64_t length) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes;
}

/// What opening a file of this header and `data_bytes` bytes of numbers is refused with; empty: it is not.
std::string refusal(const std::string& header, std::size_t data_bytes) {
  const TemporaryFolder folder;
  const std::string path = folder / "model.safetensors";
  write_bytes(path, length_prefix(header.size()) + header + std::string(data_bytes, '\1'));
  try {
    const SafetensorsFile file(path);
    return {};
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr(path));
    return error.what();
  }
}

TEST(Safetensors, what_is_written_is_read_and_equal_tensors_give_equal_bytes) {
  const TemporaryFolder folder;
  const OwnedTensor a(DType::kF32, {2, 3}), b(DType::kF64, {2});
  for (float x = 0.5F; float& v : a.view().span<float>()) v = x++;
  for (double x = -1.25; double& v : b.view().span<double>()) v = x++;
  const std::string first = folder / "first", second = folder / "second";
  write_safetensors(first, {as_fp32("z", a), as_fp32("b", b)});
  write_safetensors(second, {as_fp32("b", b), as_fp32("z", a)});
  EXPECT_EQ(read_file(first), read_file(second));

  const SafetensorsFile file(first);
  ASSERT_EQ(file.tensors().size(), 2U);
  const StoredTensor* z = file.find("z");
  ASSERT_NE(z, nullptr);
  EXPECT_EQ(z->shape_text(), "[2, 3]");
  std::vector<double> values(6);
  file.read<double>(*z, values);
  EXPECT_THAT(values, ::testing::ElementsAre(0.5, 1.5, 2.5, 3.5, 4.5, 5.5));
  EXPECT_EQ(file.find("y"), nullptr);
}

TEST(Safetensors, half_precisions_are_converted_exactly) {
  const TemporaryFolder folder;
  const auto raw = [](std::initializer_list<std::uint16_t> halves) {
    std::vector<std::byte> bytes(halves.size() * 2);
    std::memcpy(bytes.data(), std::data(halves), bytes.size());
    return bytes;
  };
  // 1, -2, the smallest subnormal, the largest number, infinity, -0
  const auto halves = raw({0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x8000});
  const auto brains = raw({0x3f80, 0xc040});  // 1, -3
  const std::string path = folder / "halves";
  write_safetensors(path, {{"h", StoredType::kF16, {6}, [&] { return halves; }},
                           {"b", StoredType::kBF16, {2}, [&] { return brains; }}});
  const SafetensorsFile file(path);
  std::vector<float> h(6), b(2);
  file.read<float>(*file.find("h"), h);
  file.read<float>(*file.find("b"), b);
  EXPECT_THAT(h, ::testing::ElementsAre(1, -2, 0x1p-24F, 65504, INFINITY, 0));
  EXPECT_TRUE(std::signbit(h[5]));
  EXPECT_THAT(b, ::testing::ElementsAre(1, -3));
  EXPECT_EQ(file.read_bytes(*file.find("h")), halves);
}

TEST(Safetensors, a_whole_header_is_accepted) {
  EXPECT_EQ(
      refusal(R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8),
      "");
  EXPECT_EQ(refusal(R"({"a":{"dtype":"I64","shape":[],"data_offsets":[0,8]}})", 8), "");
  EXPECT_EQ(refusal("{}", 0), "");
}

TEST(Safetensors, a_header_larger_than_the_file_is_refused_before_memory_is_taken) {
  const TemporaryFolder folder;
  const std::string path = folder / "huge";
  for (const std::uint64_t length : {std::uint64_t{1} << 40U, ~std::uint64_t{0}, std::uint64_t{3}}) {
    write_bytes(path, length_prefix(length) + "{}");
    EXPECT_THROW(SafetensorsFile{path}, InputError) << length;
  }
  write_bytes(path, "short");
  EXPECT_THROW(SafetensorsFile{path}, InputError);
}

TEST(Safetensors, a_header_that_is_not_a_json_object_is_refused) {
  for (const char* header : {"", "[1, 2]", "{\"a\":", "\xff\xfe", "3"})
    EXPECT_NE(refusal(header, 0), "") << header;
}

TEST(Safetensors, a_range_beyond_the_file_names_the_tensor) {
  EXPECT_THAT(refusal(R"({"w.x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", 12),
              AllOf(HasSubstr("w.x"), HasSubstr("truncated")));
  EXPECT_THAT(refusal(R"({"w.x":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}})", 16), HasSubstr("w.x"));
  EXPECT_THAT(refusal(R"({"w.x":{"dtype":"F32","shape":[4],"data_offsets":[18446744073709551600,0]}})", 16),
              HasSubstr("w.x"));
}

TEST(Safetensors, overlaps_and_gaps_are_refused) {
  EXPECT_THAT(refusal(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
                          "b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                      12),
              AllOf(HasSubstr("b"), HasSubstr("overlap")));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8), HasSubstr("gap"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 8), HasSubstr("follow"));
}

TEST(Safetensors, a_shape_that_does_not_fit_its_bytes_is_refused) {
  EXPECT_THAT(refusal(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8), HasSubstr("[3]"));
  // 2^62 * 4 * 4 wraps to 0 in 64 bits
  EXPECT_NE(refusal(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0), "");
  EXPECT_NE(refusal(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8), "");
  EXPECT_NE(refusal(R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,8]}})", 8), "");
}

TEST(Safetensors, an_unknown_type_or_a_missing_member_is_refused_by_tensor) {
  EXPECT_THAT(refusal(R"({"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}})", 8), HasSubstr("F31"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"F32","shape":[2]}})", 8), HasSubstr("tensor a"));
  EXPECT_THAT(refusal(R"({"a":7})", 8), HasSubstr("tensor a"));
}

TEST(Safetensors, a_tensor_described_twice_is_refused) {
  EXPECT_THAT(refusal(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
                          "a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
                      8),
              HasSubstr("twice"));
}

TEST(Safetensors, whole_numbers_are_not_weights) {
  const TemporaryFolder folder;
  const std::string path = folder / "integers";
  write_safetensors(path, {{"i", StoredType::kI64, {1}, [] { return std::vector<std::byte>(8); }}});
  const SafetensorsFile file(path);
  std::vector<float> values(1);
  EXPECT_THROW(file.read<float>(*file.find("i"), values), InputError);
}

TEST(Safetensors, a_failed_write_leaves_what_was_there) {
  const TemporaryFolder folder;
  const std::string path = folder / "kept";
  write_bytes(path, "old");
  EXPECT_THROW(
      write_safetensors(path, {{"a", StoredType::kF32, {2}, [] { return std::vector<std::byte>(4); }}}),
      Error);
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(WeightFiles, shards_are_read_through_their_index) {
  const TemporaryFolder folder;
  const OwnedTensor a(DType::kF32, {1}), b(DType::kF32, {2});
  write_safetensors(folder / "model-00001-of-00002.safetensors", {as_fp32("a", a)});
  write_safetensors(folder / "model-00002-of-00002.safetensors", {as_fp32("b", b)});
  const std::string index = folder / "model.safetensors.index.json";
  write_bytes(index, R"({"metadata":{"total_size":12},"weight_map":{"a":"model-00001-of-00002.safetensors",
                         "b":"model-00002-of-00002.safetensors"}})");
  const WeightFiles files(folder.path());
  ASSERT_NE(files.find("b"), nullptr);
  EXPECT_EQ(files.find("b")->tensor->shape_text(), "[2]");

  write_bytes(index, R"({"weight_map":{"a":"model-00002-of-00002.safetensors"}})");
  EXPECT_THROW(WeightFiles{folder.path()}, InputError);
  write_bytes(index, R"({"weight_map":{"a":"../model-00001-of-00002.safetensors"}})");
  EXPECT_THROW(WeightFiles{folder.path()}, InputError);
}

TEST(WeightFiles, a_pickle_is_refused_with_the_way_out) {
  const TemporaryFolder folder;
  write_bytes(folder / "pytorch_model.bin", "\x80\x02");
  try {
    const WeightFiles files(folder.path());
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("pickle"), HasSubstr("save_file")));
  }
}

}  // namespace
}  // namespace nystrom
