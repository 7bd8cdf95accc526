#include <CLI/CLI.hpp>
#include <memory>

#include "kernels/core/check.h"
#include "launch/command.h"
#include "launch/conversion.h"

namespace nystrom {

Command convert_command() {
  auto options = std::make_shared<ConvertOptions>();
  return {.name = "convert",
          .summary = "HDF5 checkpoint <-> Hugging Face folder",
          .details =
              "A target that ends in .h5 or .hdf5 becomes a checkpoint, any other a folder that transformers "
              "loads. Weights stay bit-equal. What exists is never overwritten.",
          .example =
              "nystrom convert --from run/checkpoints/step-00001000.h5 --to my-model\n"
              "nystrom convert --from my-model --to start.h5",
          .options =
              [options](CLI::App& app) {
                app.add_option("--from", options->from, "a checkpoint or a Hugging Face folder")->required();
                app.add_option("--to", options->to, "what to write")->required();
                app.add_option("--sequence-length", options->sequence_length,
                               "of the text that transformers will be run on; by default the longest");
              },
          .run =
              [options](const Invocation&) {
                for (const std::string& note : convert(*options)) fmt::print("{}\n", note);
                return kDone;
              }};
}

}  // namespace nystrom
