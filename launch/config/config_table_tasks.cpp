// The keys of raw text and of tasks; those of a run are in config_table.cpp.

#include "data/tasks/task_kinds.h"
#include "launch/config/config_table.h"

namespace nystrom {

std::vector<ConfigKey> text_and_task_keys(Config& c) {
  constexpr Range kSpecialId{0, 4};
  return {
      {"corpus",
       &c.corpus,
       "List of `{kind: wikipedia, path: PATTERN}`. Kinds: `wikipedia` (a dump, .xml or .xml.bz2), `books` "
       "(folders of .txt), `imdb` (the aclImdb tree or its tar), `lines` (one document per line), `jsonl` "
       "(one object per line; `field: text` names the member with the text), `parquet` "
       "(Parquet and Arrow, by Python's pyarrow; `field` names the column). `encoding: auto` may be "
       "`utf-8`, `latin-1` or `utf-16`. `language: auto` splits sentences by the rules of the dump's language or "
       "of the detected language; en, de, fr, es, it, nl, pt, pl, ru, zh, ja, ar or hi sets it. "
       "`wikipedia` takes `disambiguation`, `lists` and `stubs`: `keep` or "
       "`drop`.",
       {.unset = "*"}},

      {"tokenizer.kind", &c.tokenizer.kind, "Algorithm to train.", {.choices = "unigram | bpe"}},
      {"tokenizer.vocabulary_size",
       &c.tokenizer.vocabulary_size,
       "Size of the vocabulary, special tokens included.",
       {.range = {8, 10'000'000}}},
      {"tokenizer.path",
       &c.tokenizer.path,
       "An existing tokenizer to use instead of training one: a tokenizer file, a folder with one, or "
       "a checkpoint or run directory. (`pretrain` looks for one next to the shards and "
       "needs this only if there is none.)",
       {.unset = "none", .path = true}},
      {"tokenizer.lowercase", &c.tokenizer.lowercase, "Fold case before anything else."},
      {"tokenizer.character_coverage",
       &c.tokenizer.character_coverage,
       "Fraction of the characters covered by the vocabulary; the rest becomes `<unk>`.",
       {.range = {0.5, 1}}},
      {"tokenizer.special_tokens.bos", &c.tokenizer.names.bos, "Token that begins a sequence."},
      {"tokenizer.special_tokens.pad", &c.tokenizer.names.pad, "Padding token."},
      {"tokenizer.special_tokens.eos", &c.tokenizer.names.eos, "Token that ends a segment."},
      {"tokenizer.special_tokens.unk", &c.tokenizer.names.unk, "Token of unknown text."},
      {"tokenizer.special_tokens.mask", &c.tokenizer.names.mask, "Mask token."},
      {"tokenizer.special_ids.bos",
       &c.tokenizer.ids.bos,
       "Id of the token; the five ids are the numbers 0 to 4, each once.",
       {.range = kSpecialId}},
      {"tokenizer.special_ids.pad", &c.tokenizer.ids.pad, "", {.range = kSpecialId}},
      {"tokenizer.special_ids.eos", &c.tokenizer.ids.eos, "", {.range = kSpecialId}},
      {"tokenizer.special_ids.unk", &c.tokenizer.ids.unk, "", {.range = kSpecialId}},
      {"tokenizer.special_ids.mask", &c.tokenizer.ids.mask, "", {.range = kSpecialId}},

      {"output.directory",
       &c.output.directory,
       "Directory for the tokenizer, the shards and `manifest.json`.",
       {.unset = "*", .path = true}},
      {"output.shard_tokens",
       &c.output.shard_tokens,
       "Maximum number of tokens in a shard.",
       {.range = kPositive}},
      {"output.validation_fraction",
       &c.output.validation_fraction,
       "Fraction of the documents held out for validation.",
       {.range = kFraction}},
      {"output.test_fraction",
       &c.output.test_fraction,
       "Fraction of the documents held out for testing.",
       {.range = kFraction}},

      {"output.normalization",
       &c.output.normalization,
       "Unicode normalization form of the text.",
       {.choices = "nfc | nfkc | none"}},

      {"cleaning.minimum_characters",
       &c.cleaning.minimum_characters,
       "Shorter documents are dropped.",
       {.range = {0, 1e9}}},
      {"cleaning.duplicate_documents", &c.cleaning.duplicate_documents,
       "Drop all but the first of identical documents, across all sources."},
      {"cleaning.duplicate_paragraphs", &c.cleaning.duplicate_paragraphs,
       "The same for paragraphs of at least 120 bytes."},
      {"cleaning.near_duplicates", &c.cleaning.near_duplicates,
       "Drop documents that share about 90 % of their five-word shingles with an earlier one (MinHash)."},
      {"cleaning.decontaminate",
       &c.cleaning.decontaminate,
       "Evaluation files; documents that share 13 consecutive words with them are dropped, and listed in "
       "`contaminated.tsv`.",
       {.unset = "[]", .path = true}},
      {"cleaning.keep_dropped", &c.cleaning.keep_dropped,
       "Write dropped documents and paragraphs to `dropped.jsonl` (as `--keep-dropped` does)."},
      {"cleaning.skip_damaged", &c.cleaning.skip_damaged,
       "Skip corrupt parts of the sources, naming them, instead of refusing the file (as `--skip-damaged` "
       "does)."},
      {"cleaning.expansion_limit",
       &c.cleaning.expansion_limit,
       "Maximum ratio of decompressed to compressed size; a file beyond it is refused.",
       {.range = {1, 1e9}}},

      {"task.kind",
       &c.task.kind,
       "Kind of task.",
       {.choices = registered_names(task_kinds()), .unset = "none"}},
      {"task.name",
       &c.task.name,
       "Name of the task within its kind, such as `SST-2`; `lra`: `listops`, `text`, `retrieval`, `image` or "
       "`pathfinder`.",
       {.unset = "none"}},
      {"task.path",
       &c.task.path,
       "Directory of the task; `imdb`: the directory aclImdb or its tar; `lra`: any directory above the "
       "task's files, or the file that `prepare` wrote.",
       {.unset = "*", .resume = OnResume::kFree, .path = true}},
      {"task.train",
       &c.task.train,
       "Custom datasets: the training file, relative to `path`; by default `train.tsv`, `.csv`, `.jsonl`, "
       "`.json`, `.conll`, `.conllu`, `.parquet`, `.arrow` or `.txt` there, perhaps compressed.",
       {.unset = "none", .resume = OnResume::kFree, .path = true}},
      {"task.validation",
       &c.task.validation,
       "The same for validation.",
       {.unset = "none", .resume = OnResume::kFree, .path = true}},
      {"task.test",
       &c.task.test,
       "The same for prediction; labels may be missing.",
       {.unset = "none", .resume = OnResume::kFree, .path = true}},
      {"task.validation_fraction",
       &c.task.validation_fraction,
       "Fraction of the training split to hold out, by the seed (`lra`: by `task.split_seed`), if there is no "
       "validation split. `lra`: 0.1 unless it is given.",
       {.range = {0, 0.999}}},
      {"task.split_seed",
       &c.task.split_seed,
       "`lra`: seed of the splits that the files do not define. Independent of `seed`, so that runs with other seeds are tested on the "
       "same examples.",
       {.range = kCount}},
      {"task.brackets", WordSlot(&c.task.brackets),
       "`lra`, `listops`: the `]` that ends a list is a token, or is dropped as in the benchmark's first pipeline."},
      {"task.zero", WordSlot(&c.task.zero),
       "`lra`, `image` and `pathfinder`: black pixels are tokens, or are dropped like padding; the other "
       "pixels keep their positions."},
      {"task.pairs", WordSlot(&c.task.pairs),
       "`lra`, `retrieval`: the two texts are separate sequences, whose encodings the head "
       "`pair_classification` compares; or one sequence of half the length for each, distinguished by token type."},
      {"task.metric",
       &c.task.metric,
       "Metric that selects the best checkpoint; by default the task's first.",
       {.unset = "auto"}},
      {"task.columns.text", &c.task.column_names.text, "Column of the text.", {.unset = "text"}},
      {"task.columns.pair", &c.task.column_names.pair, "Column of the second text.", {.unset = "pair"}},
      {"task.columns.label", &c.task.column_names.label, "Column of the label.", {.unset = "label"}},
      {"task.columns.id",
       &c.task.column_names.id,
       "Column of the example's id in predictions.",
       {.unset = "id"}},
      {"task.columns.word",
       &c.task.column_names.word,
       "`tokens`: index of the word's column, from 0.",
       {.unset = "0"}},
      {"task.columns.tag",
       &c.task.column_names.tag,
       "`tokens`: index of the tag's column; -1 is the last.",
       {.unset = "-1"}},
      {"task.columns.beginning",
       &c.task.column_names.beginning,
       "`multiple_choice`: column of the text that each choice continues.",
       {.unset = "sent2"}},
      {"task.choices",
       &c.task.choices,
       "`multiple_choice`: columns of the choices.",
       {.unset = "ending0 to ending3"}},
      {"task.labels",
       &c.task.labels,
       "Names of the labels, in order; by default those of `train`, sorted.",
       {.unset = "auto"}},
      {"task.multi_label", &c.task.multi_label, "`classification`: an example has any number of labels."},
      {"task.label_separator", &c.task.label_separator, "Separator between the labels of an example."},
      {"task.class_weights",
       &c.task.class_weights,
       "Weights of the classes' (or tags') gradients: `balanced`, the inverse of their frequency in the "
       "training split, or one number per label; scaled to a mean of 1 over the training examples.",
       {.unset = "[]"}},
      {"task.malformed", WordSlot(&c.task.malformed),
       "Malformed lines: refused with their line number, or skipped and counted."},
      {"task.window_overlap",
       &c.task.window_overlap,
       "`question_answering`: tokens shared by neighbouring windows of a long context (at most half a "
       "window).",
       {.range = kCount}},
      {"task.max_answer_tokens",
       &c.task.max_answer_tokens,
       "`question_answering`: maximum length of an answer.",
       {.range = kPositive}},

      {"grid",
       &c.grid,
       "Map of keys to lists of values, such as `{optimizer.learning_rate: [2e-5, 3e-5], seed: [1, 2, 3]}`: "
       "`finetune` runs every combination in its own directory below `run.directory`.",
       {.unset = "none"}},
  };
}

}  // namespace nystrom
