#include "launch/setup/prepare_setup.h"

#include "launch/models/tokenizer_search.h"

namespace nystrom {

PrepareOptions set_up_preparation(const Config& config) {
  PrepareOptions options = prepare_options(config);
  if (!config.tokenizer.path.empty())
    options.tokenizer.existing = read_any_tokenizer(config.tokenizer.path, options.tokenizer.training.names);
  return options;
}

}  // namespace nystrom
