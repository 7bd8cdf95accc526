// The model's shape in a checkpoint.

#include "trainer/checkpoint/model_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attention/mean_attention.h"
#include "kernels/core/check.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

ModelRecord written_and_read(const ModelConfig& model) {
  const testing::TemporaryFolder folder;
  hdf5::File file = hdf5::File::create(folder / "record.h5");
  file.create_group("model");
  write_model_record(file, model, HeadKind::kPretraining);
  return read_model_record(file);
}

TEST(ModelRecord, every_kind_of_attention_comes_back_by_its_name) {
  testing::register_mean_attention();
  ModelConfig model;
  model.attention.landmarks = 17;
  model.attention.pinv_init = PinvInit::kBatchMax;
  for (const AttentionEntry& entry : attention_registry()) {
    model.attention.kind = entry.name;
    const ModelConfig read = written_and_read(model).model;
    EXPECT_EQ(read.attention.kind, entry.name);
    EXPECT_EQ(read.attention.landmarks, 17);
    EXPECT_EQ(read.attention.pinv_init, PinvInit::kBatchMax);
  }
}

TEST(ModelRecord, options_of_a_kind_come_back_and_others_are_not_written) {
  ModelConfig model;
  model.attention.kind = "longformer";
  model.attention.window = 14;
  model.attention.global_tokens = GlobalTokens::kFirst;
  model.attention.features = 3;
  const AttentionConfig read = written_and_read(model).model.attention;
  EXPECT_EQ(read.window, 14);
  EXPECT_EQ(read.global_tokens, GlobalTokens::kFirst);
  EXPECT_EQ(read.features, AttentionConfig().features);
}

TEST(ModelRecord, an_unknown_kind_of_attention_is_refused_with_all_names) {
  ModelConfig model;
  model.attention.kind = "of_the_future";
  try {
    (void)written_and_read(model);
    FAIL() << "not refused";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("record.h5"), HasSubstr("`of_the_future`"), HasSubstr("nystrom, softmax")));
  }
}

}  // namespace
}  // namespace nystrom
