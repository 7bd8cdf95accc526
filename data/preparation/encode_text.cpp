// Third and fourth stage: the tokenizer, and the text as token ids.

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "data/preparation/blocks/packed_file.h"
#include "data/preparation/blocks/token_block.h"
#include "data/preparation/sources.h"
#include "data/preparation/stages.h"
#include "data/tokenizer/sample.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

TextBlock read_kept(const StageContext& context, const std::vector<BlockName>& blocks, std::size_t index) {
  auto block = read_text_block(blocks[index].in(context.staging, "text"));
  block.stats = apply_drops(block, Drops::of_block(context.staging, index, blocks.size()));
  return block;
}

/// A line for each dropped document or paragraph.
std::string dropped_lines(const TextBlock& block, const std::string& source) {
  std::string lines;
  const auto add = [&](const TextDocument& document, Fate fate, const std::string& text) {
    lines +=
        nlohmann::ordered_json{
            {"source", source}, {"document", document.id}, {"reason", name_of(fate)}, {"text", text}}
            .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
        "\n";
  };
  const auto append = [](std::string& text, const TextParagraph& paragraph) {
    if (!text.empty()) text += '\n';
    for (const auto& sentence : paragraph.sentences) {
      if (&sentence != paragraph.sentences.data()) text += ' ';
      text += sentence;
    }
  };
  for (const auto& document : block.documents) {
    std::string text;
    for (const auto& paragraph : document.paragraphs) {
      if (document.fate == Fate::kKept && !paragraph.dropped) continue;
      append(text, paragraph);
      if (document.fate != Fate::kKept && document.fate != Fate::kDuplicateParagraph) continue;
      add(document, Fate::kDuplicateParagraph, text);
      text.clear();
    }
    if (!text.empty()) add(document, document.fate, text);
  }
  return lines;
}

std::string contaminated_lines(const TextBlock& block, const std::string& source) {
  std::string lines;
  for (const auto& document : block.documents) {
    if (document.fate == Fate::kContaminated) lines += source + "\t" + document.id + "\n";
  }
  return lines;
}

TokenBlock encoded(const TextBlock& text, const Tokenizer& tokenizer, const PrepareOptions& options) {
  TokenBlock block;
  block.stats = text.stats;
  for (const auto& document : text.documents) {
    if (document.fate != Fate::kKept) continue;
    TokenDocument ids{.hash = document.hash, .sentences = {}};
    for (const auto& paragraph : document.paragraphs) {
      if (paragraph.dropped) continue;
      for (const auto& sentence : paragraph.sentences) {
        auto tokens = tokenizer.encode(sentence);
        if (!tokens.empty()) ids.sentences.push_back(std::move(tokens));
      }
    }
    if (ids.sentences.empty()) {
      --block.stats.documents;
      ++block.stats.documents_dropped["no token"];
      continue;
    }
    const auto side = split_of(ids.hash, options.validation_fraction, options.test_fraction);
    block.documents.at(static_cast<std::size_t>(side)).push_back(std::move(ids));
  }
  return block;
}

}  // namespace

Tokenizer make_tokenizer(const StageContext& context, const std::vector<BlockName>& blocks,
                         std::int64_t& sample_sentences) {
  const auto& options = context.options;
  if (!options.tokenizer.path.empty()) {
    sample_sentences = 0;
    if (!options.tokenizer.existing.empty()) return options.tokenizer.existing;
    return Tokenizer::read(options.tokenizer.path, options.tokenizer.training.names);
  }
  const auto path = (fs::path(context.staging) / "trained").string();
  if (fs::exists(path)) {
    sample_sentences = std::stoll(read_packed_section(path, 0));
    return Tokenizer::from_bytes(read_packed_section(path, 1), path, options.tokenizer.training.names);
  }
  TextSample sample(options.tokenizer.sample_bytes, options.seed);
  std::optional<Stage> stage(std::in_place, "sampling text for the tokenizer",
                             static_cast<double>(blocks.size()));
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto block = read_kept(context, blocks, i);
    for (const auto& document : block.documents) {
      if (document.fate != Fate::kKept) continue;
      for (const auto& paragraph : document.paragraphs) {
        if (!paragraph.dropped)
          sample.add(paragraph.sentences.data(), paragraph.sentences.data() + paragraph.sentences.size());
      }
    }
    stage->advance();
  }
  const auto sentences = sample.take();
  sample_sentences = std::ssize(sentences);
  stage.emplace("training the tokenizer");
  auto tokenizer = train_tokenizer(options.tokenizer.training, sentences);
  write_packed_file(path, {std::to_string(sample_sentences), tokenizer.bytes()});
  return tokenizer;
}

void encode_text(const StageContext& context, const std::vector<BlockName>& blocks,
                 const Tokenizer& tokenizer) {
  std::atomic<std::int64_t> documents = 0;
  const auto names = source_names(context.options.corpora);
  const auto& cleaning = context.options.cleaning;
  std::vector<std::int64_t> sizes;
  for (const auto& block : blocks)
    sizes.push_back(static_cast<std::int64_t>(fs::file_size(block.in(context.staging, "text"))));
  const auto mine = context.group.share_of(sizes);
  double bytes = 0;  // of the blocks of this rank
  for (std::size_t i = 0; i < sizes.size(); ++i) bytes += mine[i] ? static_cast<double>(sizes[i]) : 0;
  Stage stage("tokenizing", bytes, "documents");
  const auto work = [&](std::size_t i, int) {
    const auto path = blocks[i].in(context.staging, "tokens");
    if (mine[i] && !fs::exists(path)) {
      const auto text = read_kept(context, blocks, i);
      const auto& source = names[blocks[i].source];
      // The block's own file comes last: it marks the others as complete.
      if (cleaning.keep_dropped) write_file(path + ".dropped", dropped_lines(text, source));
      if (!cleaning.decontaminate.empty())
        write_file(path + ".contaminated", contaminated_lines(text, source));
      const auto tokens = encoded(text, tokenizer, context.options);
      NYSTROM_CHECK(tokens.stats.balanced(), "{}: the characters of {} do not add up", source, path);
      write_token_block(path, tokens);
      stage.count(documents += tokens.stats.documents);
    }
    if (mine[i]) stage.advance(static_cast<double>(sizes[i]));
  };
  parallel_for_each(context.threads, blocks.size(), work);
}

std::vector<SourceStats> token_stats(const StageContext& context, const std::vector<BlockName>& blocks) {
  // What the readers skipped, then what the blocks contain.
  std::vector<SourceStats> stats = reader_stats(context);
  Stage stage("counting tokens", static_cast<double>(blocks.size()));
  for (const auto& block : blocks) {
    stats[block.source] += read_token_stats(block.in(context.staging, "tokens"));
    stage.advance();
  }
  return stats;
}

void collect_notes(const StageContext& context, const std::vector<BlockName>& blocks, const char* ending,
                   const std::string& path) {
  const auto temporary = temporary_name(path);
  std::ofstream out(temporary, std::ios::binary);
  for (const auto& block : blocks) {
    std::ifstream in(block.in(context.staging, "tokens") + "." + ending, std::ios::binary);
    if (in && in.peek() != std::ifstream::traits_type::eof()) out << in.rdbuf();
  }
  out.close();
  if (!out) fail("{} cannot be written; is the disk full?", path);
  publish_file(temporary, path);
}

}  // namespace nystrom
