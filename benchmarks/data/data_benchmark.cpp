// Our side of the measurements of benchmarks/data/: one thread, CPU time.
//
//   data_benchmark extract PATH [OUT [KIND]]  wiki markup (or another corpus) to text: seconds; OUT:
//   {"title", "paragraphs"} a line data_benchmark encode TOKENIZER TEXT [OUT]  lines to ids: megabytes a
//   second, and the ids' hash data_benchmark sentences < JSON           a list of texts to a list of lists of
//   sentences

#include <fmt/format.h>

#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "data/corpus/corpus.h"
#include "data/text/clean.h"
#include "data/text/sentences.h"
#include "data/tokenizer/tokenizer.h"
#include "kernels/core/check.h"
#include "kernels/core/sha256.h"

namespace nystrom {
namespace {

double seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

void extract(const std::string& dump, const std::string& text_path, const std::string& kind) {
  const auto corpus = open_corpus({.kind = kind, .path = dump});
  std::vector<RawDocument> documents;
  const double begin = seconds();
  for (RawDocument raw; corpus->next(raw); raw = {}) documents.push_back(std::move(raw));
  const double read = seconds() - begin;
  std::vector<std::string> titles;
  for (const auto& document : documents) titles.push_back(document.title);
  std::vector<Extraction> results;
  const double start = seconds();
  for (auto& document : documents) results.push_back(corpus->extract(std::move(document)));
  const double spent = seconds() - start;
  std::int64_t characters = 0, kept = 0;
  CleanCounts counts;
  std::ofstream text(text_path, std::ios::binary);
  for (std::size_t i = 0; i < results.size(); ++i) {
    characters += results[i].characters;
    auto paragraphs = nlohmann::json::array();
    for (const auto& paragraph : results[i].paragraphs) {
      kept += count_characters(paragraph);
      paragraphs.push_back(clean_text(paragraph, Normalization::kNfc, counts));
    }
    if (text.is_open())
      text << nlohmann::json{{"title", titles[i]}, {"paragraphs", paragraphs}}.dump() << "\n";
  }
  nlohmann::ordered_json json{{"read_seconds", read},
                              {"extract_seconds", spent},
                              {"documents", results.size()},
                              {"wikitext_characters", characters},
                              {"kept_characters", kept}};
  fmt::print("{}\n", json.dump());
}

void encode(const std::string& tokenizer_path, const std::string& text_path, const std::string& out_path) {
  const auto tokenizer = Tokenizer::read(tokenizer_path);
  std::vector<std::string> lines;
  std::int64_t bytes = 0, tokens = 0;
  std::ifstream file(text_path, std::ios::binary);
  for (std::string line; std::getline(file, line); bytes += std::ssize(lines.back())) lines.push_back(line);
  std::vector<std::int32_t> ids;
  double best = 1e30;
  for (int round = 0; round < 3; ++round) {
    ids.clear();
    const double start = seconds();
    for (const auto& line : lines) tokenizer.encode(line, ids);
    best = std::min(best, seconds() - start);
  }
  Sha256 hash;
  std::ofstream out(out_path, std::ios::binary);
  for (const auto& line : lines) {
    ids = tokenizer.encode(line);
    tokens += std::ssize(ids);
    std::string row;
    for (const auto id : ids) row += fmt::format("{} ", id);
    hash.update(row + "\n");
    if (out.is_open()) out << row << "\n";
  }
  nlohmann::ordered_json json{{"megabytes_per_second", static_cast<double>(bytes) / 1e6 / best},
                              {"bytes", bytes},
                              {"tokens", tokens},
                              {"ids_sha256", hash.hex()}};
  fmt::print("{}\n", json.dump());
}

void sentences() {
  const std::string input((std::istreambuf_iterator<char>(std::cin)), std::istreambuf_iterator<char>());
  SentenceSplitter splitter;
  nlohmann::json result = nlohmann::json::array();
  for (const std::string text : nlohmann::json::parse(input)) {
    nlohmann::json all = nlohmann::json::array();
    CleanCounts counts;
    // A line end separates, as it does between paragraphs.
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      for (auto& sentence :
           splitter.split(clean_text(text.substr(begin, end - begin), Normalization::kNfc, counts)))
        all.push_back(std::move(sentence));
      begin = end + 1;
    }
    result.push_back(std::move(all));
  }
  fmt::print("{}\n", result.dump());
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() >= 2 && arguments[0] == "extract") {
    extract(arguments[1], arguments.size() > 2 ? arguments[2] : "",
            arguments.size() > 3 ? arguments[3] : "wikipedia");
  } else if (arguments.size() >= 3 && arguments[0] == "encode") {
    encode(arguments[1], arguments[2], arguments.size() > 3 ? arguments[3] : "");
  } else if (arguments.size() == 1 && arguments[0] == "sentences") {
    sentences();
  } else {
    refuse("data_benchmark extract PATH [OUT [KIND]] | encode TOKENIZER TEXT [OUT] | sentences");
  }
  return 0;
}

}  // namespace
}  // namespace nystrom

int main(int count, char** values) {
  try {
    return nystrom::run({values + 1, values + count});
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 2;
  }
}
