#include "data/pretraining/samples.h"

#include "data/pretraining/bert_samples.h"
#include "data/pretraining/text_samples.h"
#include "data/shards/shard_reader.h"
#include "kernels/core/check.h"

namespace nystrom {

std::unique_ptr<SampleSource> open_samples(const SampleOptions& options) {
  if (options.shards.empty()) refuse("There are no shards: the list `data.shards` is empty.");
  const ShardKind kind = shard_kind(options.shards.front());
  for (const auto& path : options.shards)
    if (shard_kind(path) != kind)
      refuse("{} and {} are shards of different kinds (ours and NVIDIA's); a run reads one kind.",
             options.shards.front(), path);
  std::unique_ptr<SampleSource> source;
  if (kind == ShardKind::kNystrom)
    source = std::make_unique<TextSamples>(options);
  else
    source = std::make_unique<BertSamples>(options);
  if (source->samples() == 0)
    refuse("{}{} hold no text.", options.shards.front(),
           options.shards.size() > 1 ? " and the other shards" : "");
  return source;
}

}  // namespace nystrom
