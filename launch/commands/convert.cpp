#include <memory>

#include "kernels/core/check.h"
#include "kernels/core/printable.h"
#include "launch/cli/command.h"
#include "launch/cli/option_parser.h"
#include "launch/models/conversion.h"
#include "launch/setup/provenance.h"

namespace nystrom {

Command convert_command() {
  auto options = std::make_shared<ConvertOptions>();
  return {
      .name = "convert",
      .summary = "Convert between an HDF5 checkpoint and a Hugging Face folder.",
      .details =
          "A target that ends in .h5 or .hdf5 becomes a checkpoint, any other a folder that transformers "
          "loads, with tokenizer, model card and the code of its attention (`trust_remote_code=True`). Weights stay bit-identical unless `--dtype` rounds them. "
          "Folders of BERT and RoBERTa become a warm start for this encoder, with a convolution of zeros. "
          "`--set` overrides `model.attention` of the target. Existing files are never overwritten.",
      .example =
          "nystrom convert --from runs/my --to my-model\n"
          "nystrom convert --from my-model --to start.h5\n"
          "nystrom convert --from base.h5 --to long.h5 --positions 4096",
      .options =
          [options](OptionParser& app) {
            app.add_option("--from", options->from,
                           "Source: a checkpoint, a run directory (its best, else its latest "
                           "checkpoint) or a Hugging Face folder.")
                ->required();
            app.add_option("--to", options->to, "Target: a checkpoint (.h5, .hdf5) or a folder.")->required();
            app.add_option(
                "--sequence-length", options->sequence_length,
                "Sequence length that transformers will run the folder with (`segment_means_seq_len`). "
                "Default: that of training, else the model's maximum.");
            app.add_option(
                   "--dtype", options->dtype,
                   "Type of a folder's weights: fp32, fp16 or bf16. Default: as stored in the source.")
                ->type_name("fp32|fp16|bf16");
            app.add_option("--shard-size", options->shard_size,
                           "Maximum size of a weight file of a folder, such as 2GB. Default: one file.");
            app.add_option("--positions", options->positions,
                           "Extend the position embeddings to this many positions, by tiling.");
            app.add_option("--weights", options->weights,
                           "Which weights of a checkpoint: trained, or ema, their average "
                           "(`training.ema_decay`).")
                ->capture_default_str();
            app.add_flag(
                "--plain", options->plain,
                "Write a folder without modeling_nystrom.py: transformers then runs its own attention.");
          },
      .run =
          [options](const Invocation& invocation) {
            options->overrides = invocation.overrides;
            options->provenance = provenance_text(1);
            for (const std::string& note : convert(*options)) fmt::print("{}\n", printable_lines(note));
            return kDone;
          }};
}

}  // namespace nystrom
