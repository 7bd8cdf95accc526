// The stages in the middle: a tokenizer, and the text as its ids.

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/preparation/packed_file.h"
#include "data/preparation/stages.h"
#include "data/preparation/token_block.h"
#include "data/tokenizer/sample.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

TextPart read_kept(const StageContext& context, const std::vector<PartName>& parts, std::size_t index) {
  auto part = read_text_part(parts[index].in(context.staging, "text"));
  part.tally = apply_drops(part, Drops::of_part(context.staging, index, parts.size()));
  return part;
}

/// A line for each document or paragraph that goes no further.
std::string dropped_lines(const TextPart& part, const std::string& source) {
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
  for (const auto& document : part.documents) {
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

std::string contaminated_lines(const TextPart& part, const std::string& source) {
  std::string lines;
  for (const auto& document : part.documents) {
    if (document.fate == Fate::kContaminated) lines += source + "\t" + document.id + "\n";
  }
  return lines;
}

TokenPart encoded(const TextPart& text, const Tokenizer& tokenizer, const PrepareOptions& options) {
  TokenPart part;
  part.tally = text.tally;
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
      --part.tally.documents;
      ++part.tally.documents_dropped["no token"];
      continue;
    }
    const auto side = split_of(ids.hash, options.validation_fraction, options.test_fraction);
    part.documents.at(static_cast<std::size_t>(side)).push_back(std::move(ids));
  }
  return part;
}

}  // namespace

Tokenizer make_tokenizer(const StageContext& context, const std::vector<PartName>& parts,
                         std::int64_t& sample_sentences) {
  const auto& options = context.options;
  if (!options.tokenizer.path.empty()) {
    sample_sentences = 0;
    return Tokenizer::read(options.tokenizer.path, options.tokenizer.training.names);
  }
  const auto path = (fs::path(context.staging) / "trained").string();
  if (fs::exists(path)) {
    sample_sentences = std::stoll(read_packed_section(path, 0));
    return Tokenizer::from_bytes(read_packed_section(path, 1), path, options.tokenizer.training.names);
  }
  TextSample sample(options.tokenizer.sample_bytes, options.seed);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto part = read_kept(context, parts, i);
    for (const auto& document : part.documents) {
      if (document.fate != Fate::kKept) continue;
      for (const auto& paragraph : document.paragraphs) {
        if (!paragraph.dropped)
          sample.add(paragraph.sentences.data(), paragraph.sentences.data() + paragraph.sentences.size());
      }
    }
    if (context.progress)
      context.progress({"reading for the tokenizer", static_cast<std::int64_t>(i + 1),
                        static_cast<std::int64_t>(parts.size()), 0});
  }
  const auto sentences = sample.take();
  sample_sentences = std::ssize(sentences);
  if (context.progress) context.progress({"training the tokenizer", 1, 1, 0});
  auto tokenizer = train_tokenizer(options.tokenizer.training, sentences);
  write_packed_file(path, {std::to_string(sample_sentences), tokenizer.bytes()});
  return tokenizer;
}

void encode_text(const StageContext& context, const std::vector<PartName>& parts,
                 const Tokenizer& tokenizer) {
  std::atomic<std::int64_t> done = 0, documents = 0;
  const auto names = source_names(context.options.corpora);
  const auto& cleaning = context.options.cleaning;
  std::vector<std::int64_t> sizes;
  for (const auto& part : parts)
    sizes.push_back(static_cast<std::int64_t>(fs::file_size(part.in(context.staging, "text"))));
  const auto mine = context.group.share_of(sizes);
  const auto work = [&](std::size_t i, int) {
    const auto path = parts[i].in(context.staging, "tokens");
    if (mine[i] && !fs::exists(path)) {
      const auto text = read_kept(context, parts, i);
      const auto& source = names[parts[i].source];
      // The part's own file comes last: what it stands for is complete then.
      if (cleaning.keep_dropped) write_file(path + ".dropped", dropped_lines(text, source));
      if (!cleaning.decontaminate.empty())
        write_file(path + ".contaminated", contaminated_lines(text, source));
      const auto tokens = encoded(text, tokenizer, context.options);
      NYSTROM_CHECK(tokens.tally.balanced(), "{}: the characters of {} do not add up", source, path);
      write_token_part(path, tokens);
      documents += tokens.tally.documents;
    }
    ++done;
  };
  run_items(context.threads, parts.size(), work, [&] {
    if (context.progress)
      context.progress({"tokenizing", done, static_cast<std::int64_t>(parts.size()), documents});
  });
}

std::vector<Tally> token_tallies(const StageContext& context, const std::vector<PartName>& parts) {
  // What the readers passed over, then what the parts gave.
  std::vector<Tally> tallies = reader_tallies(context);
  for (const auto& part : parts) tallies[part.source] += read_token_tally(part.in(context.staging, "tokens"));
  return tallies;
}

void collect_notes(const StageContext& context, const std::vector<PartName>& parts, const char* ending,
                   const std::string& path) {
  const auto temporary = temporary_name(path);
  std::ofstream out(temporary, std::ios::binary);
  for (const auto& part : parts) {
    std::ifstream in(part.in(context.staging, "tokens") + "." + ending, std::ios::binary);
    if (in && in.peek() != std::ifstream::traits_type::eof()) out << in.rdbuf();
  }
  out.close();
  if (!out) fail("{} cannot be written. Is the disk full?", path);
  publish_file(temporary, path);
}

}  // namespace nystrom
