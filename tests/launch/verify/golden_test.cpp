// This program against PyTorch's numbers, and its exchange of models, on the folders of reference numbers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "launch/models/conversion.h"
#include "launch/models/model_source.h"
#include "launch/verify/verification.h"
#include "model/exchange/safetensors.h"
#include "shared_folder.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

class Golden : public ::testing::Test {
 protected:
  explicit Golden(std::string folder = "golden") : folder_(std::move(folder)) {}

  void SetUp() override {
    const fs::path root = testing::shared_folder(folder_);
    if (root.empty())
      GTEST_SKIP() << "there are no reference numbers in " << folder_
                   << " next to this checkout (NYSTROM_SHARED)";
    for (const auto& entry : fs::directory_iterator(root))
      if (fs::exists(entry.path() / "case.h5")) cases_.push_back(entry.path().string());
    std::ranges::sort(cases_);
    ASSERT_FALSE(cases_.empty());
  }

  void expect_all_within(DType precision, bool gradients = true) {
    for (const std::string& folder : cases_) {
      const Verification result = verify({.model = folder,
                                          .case_file = folder + "/case.h5",
                                          .gradients = gradients,
                                          .precision = precision,
                                          .tolerance = 0,
                                          .threads = 2});
      EXPECT_GE(result.outputs.size(), 3U);
      EXPECT_EQ(result.gradients.empty(), !gradients);
      for (const auto* distances : {&result.outputs, &result.gradients})
        for (const Distance& d : *distances) EXPECT_LE(d.value, d.limit) << folder << ": " << d.name;
    }
  }

  std::vector<std::string> cases_;

 private:
  std::string folder_;
};

/// The other kinds of attention, and the network's options.
class GoldenKinds : public Golden {
 protected:
  GoldenKinds() : Golden("golden/kinds") {}
};

TEST_F(Golden, outputs_and_gradients_in_fp32_are_those_of_pytorch) {
  expect_all_within(DType::kF32);
}
TEST_F(Golden, outputs_and_gradients_in_fp64_are_those_of_pytorch) {
  expect_all_within(DType::kF64);
}
TEST_F(Golden, outputs_and_gradients_in_bf16_are_near_those_of_pytorch) {
  expect_all_within(DType::kBF16);
}

TEST_F(GoldenKinds, outputs_and_gradients_in_fp32_are_those_of_pytorch) {
  expect_all_within(DType::kF32);
}
TEST_F(GoldenKinds, outputs_and_gradients_in_fp64_are_those_of_pytorch) {
  expect_all_within(DType::kF64);
}
TEST_F(GoldenKinds, outputs_and_gradients_in_bf16_are_near_those_of_pytorch) {
  expect_all_within(DType::kBF16);
}
TEST_F(GoldenKinds, a_checkpoint_and_the_folder_made_of_it_compute_what_their_folder_does) {
  for (const std::string& folder : cases_) {
    const TemporaryFolder at;
    (void)convert({.from = folder, .to = at / "model.h5"});
    (void)convert({.from = at / "model.h5", .to = at / "copy"});
    for (const char* name : {"model.h5", "copy"})
      EXPECT_TRUE(verify({.model = at / name, .case_file = folder + "/case.h5"}).passed()) << folder << name;
    (void)convert({.from = at / "copy", .to = at / "again.h5"});
    (void)convert({.from = at / "again.h5", .to = at / "again"});
    for (const char* name : {"model.safetensors", "config.json"})
      EXPECT_EQ(read_file(at / "again" + "/" + name), read_file(at / "copy" + "/" + name)) << folder;
  }
}
TEST_F(GoldenKinds, a_folder_without_code_is_refused_with_what_transformers_lacks) {
  for (const std::string& folder : cases_) {
    if (folder.find("positions-explicit") != std::string::npos && !folder.ends_with("rotary") &&
        !folder.ends_with("sinusoidal"))
      continue;  // a model that transformers has
    const TemporaryFolder at;
    try {
      (void)convert({.from = folder, .to = at / "plain", .plain = true});
      FAIL() << folder << " was written";
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("which transformers alone cannot run; without `--plain`"));
    }
  }
}
TEST_F(GoldenKinds, random_numbers_of_a_folder_that_are_not_drawn_here_are_refused) {
  for (const std::string& folder : cases_) {
    const bool performer = folder.ends_with("kind-performer");
    if (!performer && !folder.ends_with("kind-reformer")) continue;
    const TemporaryFolder at;
    (void)convert({.from = folder, .to = at / "model"});
    const std::string name =
        std::string("nystromformer.encoder.layer.1.attention.self.") + (performer ? "features" : "rotations");
    const SafetensorsFile file(at / "model" + "/model.safetensors");
    const StoredTensor* const drawn = file.find(name);
    ASSERT_NE(drawn, nullptr);
    EXPECT_EQ(drawn->type, StoredType::kF32);
    const auto write = [&](const char* bytes) {
      std::fstream(file.path(), std::ios::in | std::ios::out | std::ios::binary)
          .seekp(static_cast<std::streamoff>(drawn->offset))
          .write(bytes, 4);
    };
    write("\0\0\x80\x3f");
    try {
      (void)convert({.from = at / "model", .to = at / "model.h5"});
      FAIL() << folder << " was read";
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(name + " differs from this program's random numbers"));
    }
  }
}

TEST_F(Golden, a_changed_weight_is_far_away) {
  const TemporaryFolder at;
  const std::string folder = at / "changed";
  fs::copy(cases_.front(), folder);
  const std::string weights = folder + "/model.safetensors";
  fs::permissions(weights, fs::perms::owner_all);
  const SafetensorsFile file(cases_.front() + "/model.safetensors");
  const StoredTensor* tensor = file.find("nystromformer.encoder.layer.1.output.dense.weight");
  ASSERT_NE(tensor, nullptr);
  std::fstream(weights, std::ios::in | std::ios::out | std::ios::binary)
      .seekp(static_cast<std::streamoff>(tensor->offset))
      .write("\0\0\x80\x3f", 4);
  EXPECT_FALSE(verify({.model = folder, .case_file = folder + "/case.h5"}).passed());
}

TEST_F(Golden, folders_are_converted_with_every_tensor_bit_equal) {
  for (const std::string& folder : cases_) {
    const TemporaryFolder at;
    (void)convert({.from = folder, .to = at / "copy"});
    const WeightFiles before(folder), after(at / "copy");
    const ModelConfig model = ModelSource(folder).config();
    const std::int64_t zero_taps = model.attention.taps == 0 ? model.layers : 0;
    ASSERT_EQ(std::ssize(before.tensors()) + zero_taps, std::ssize(after.tensors()));
    for (const auto& [name, entry] : after.tensors()) {
      if (before.find(name) != nullptr) continue;
      EXPECT_THAT(name, ::testing::EndsWith("conv.weight"));
      EXPECT_THAT(entry.file->read_bytes(*entry.tensor), ::testing::Each(std::byte{0})) << name;
    }
    for (const auto& [name, entry] : before.tensors()) {
      const auto* copy = after.find(name);
      ASSERT_NE(copy, nullptr) << name;
      EXPECT_EQ(copy->tensor->shape, entry.tensor->shape) << name;
      EXPECT_EQ(copy->file->read_bytes(*copy->tensor), entry.file->read_bytes(*entry.tensor)) << name;
    }
    EXPECT_TRUE(verify({.model = at / "copy", .case_file = folder + "/case.h5"}).passed());
  }
}

TEST_F(Golden, a_folder_through_a_checkpoint_and_back_has_the_same_bytes) {
  for (const std::string& folder : cases_) {
    const TemporaryFolder at;
    (void)convert({.from = folder, .to = at / "model.h5"});
    (void)convert({.from = at / "model.h5", .to = at / "back"});
    std::string there = folder;
    if (ModelSource(folder).config().attention.taps == 0) {  // theirs has no zero taps
      there = at / "copy";
      (void)convert({.from = folder, .to = there});
    }
    EXPECT_EQ(read_file(at / "back/model.safetensors"), read_file(there + "/model.safetensors")) << folder;
    EXPECT_TRUE(verify({.model = at / "model.h5", .case_file = folder + "/case.h5"}).passed()) << folder;
  }
}

TEST_F(Golden, a_case_of_another_model_is_refused_with_what_differs) {
  const auto small =
      std::ranges::find_if(cases_, [](const auto& c) { return c.ends_with("exact-divisible"); });
  const auto large =
      std::ranges::find_if(cases_, [](const auto& c) { return c.ends_with("published-head-shape"); });
  ASSERT_TRUE(small != cases_.end() && large != cases_.end());
  try {
    (void)verify({.model = *small, .case_file = *large + "/case.h5"});
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("case.h5"));
  }
  EXPECT_THROW((void)verify({.model = *small, .case_file = *small + "/config.json"}), InputError);
  EXPECT_THROW((void)verify({.model = *small + "/case.h5", .case_file = *small + "/case.h5"}), InputError);
}

TEST_F(Golden, what_exists_is_not_converted_over) {
  const TemporaryFolder at;
  std::ofstream(at / "there.h5") << "kept";
  EXPECT_THROW((void)convert({.from = cases_.front(), .to = at / "there.h5"}), InputError);
  EXPECT_THROW((void)convert({.from = cases_.front(), .to = at.path()}), InputError);
  EXPECT_EQ(read_file(at / "there.h5"), "kept");
}

}  // namespace
}  // namespace nystrom
