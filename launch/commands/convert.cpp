#include <CLI/CLI.hpp>
#include <memory>

#include "kernels/core/check.h"
#include "launch/cli/command.h"
#include "launch/models/conversion.h"

namespace nystrom {

Command convert_command() {
  auto options = std::make_shared<ConvertOptions>();
  return {
      .name = "convert",
      .summary = "HDF5 checkpoint <-> Hugging Face folder",
      .details =
          "A target that ends in .h5 or .hdf5 becomes a checkpoint, any other a folder that transformers "
          "loads, with its tokenizer and a model card. Weights stay bit-equal unless --dtype rounds them. "
          "BERT's and RoBERTa's folders become a start for our encoder, with a convolution of zeros. --set "
          "changes model.attention of what is written. What exists is never overwritten.",
      .example =
          "nystrom convert --from run/checkpoints/step-00001000.h5 --to my-model\n"
          "nystrom convert --from my-model --to start.h5\n"
          "nystrom convert --from base.h5 --to long.h5 --positions 4096",
      .options =
          [options](CLI::App& app) {
            app.add_option("--from", options->from, "a checkpoint or a Hugging Face folder")->required();
            app.add_option("--to", options->to, "what to write")->required();
            app.add_option(
                "--sequence-length", options->sequence_length,
                "of the text that transformers will be run on; by default that of training, or the longest");
            app.add_option("--dtype", options->dtype,
                           "fp32, fp16 or bf16 of a folder's weights; by default as they are stored");
            app.add_option("--shard-size", options->shard_size,
                           "largest file of a folder's weights, such as 2GB; by default one file");
            app.add_option("--positions", options->positions,
                           "lengthen the position table to so many by repeating it");
          },
      .run =
          [options](const Invocation& invocation) {
            options->overrides = invocation.overrides;
            for (const std::string& note : convert(*options)) fmt::print("{}\n", note);
            return kDone;
          }};
}

}  // namespace nystrom
