#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "launch/command.h"
#include "launch/predict/fill_mask.h"

namespace nystrom {
namespace {

constexpr std::size_t kLinesAtOnce = 64;

struct Arguments {
  std::string model, input, output, format = "auto", task = "fill_mask", tokenizer;
  std::int64_t top = 5;
};

/// Where answers go: standard output, or a file that appears when it is complete.
class Answers {
 public:
  explicit Answers(std::string path) : path_(std::move(path)) {
    if (path_.empty()) return;
    temporary_ = temporary_name(path_);
    file_.open(temporary_, std::ios::binary);
    if (!file_) fail("cannot create {}: {}", temporary_, std::strerror(errno));
  }
  Answers(const Answers&) = delete;
  Answers& operator=(const Answers&) = delete;
  ~Answers() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  void write(const std::string& text) {
    if (path_.empty()) {
      if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size())
        fail("standard output cannot be written: {}", std::strerror(errno));
    } else if (!file_.write(text.data(), static_cast<std::streamsize>(text.size()))) {
      fail("cannot write {}: {}", path_, std::strerror(errno));
    }
  }
  void finish() {
    if (path_.empty()) return;
    file_.close();
    if (!file_) fail("cannot write {}: {}", path_, std::strerror(errno));
    publish_file(temporary_, path_);
    temporary_.clear();
  }

 private:
  std::string path_, temporary_;
  std::ofstream file_;
};

/// Standard input, or a file.
class Lines {
 public:
  explicit Lines(const std::string& path) : path_(path) {
    if (path == "-") return;
    file_.open(path, std::ios::binary);
    if (!file_) refuse("{} cannot be read: {}", path, std::strerror(errno));
  }
  /// The next lines, at most kLinesAtOnce; none at the end.
  std::vector<std::string> next() {
    std::vector<std::string> lines;
    std::istream& from = path_ == "-" ? std::cin : file_;
    for (std::string line; lines.size() < kLinesAtOnce && std::getline(from, line);) {
      if (line.ends_with('\r')) line.pop_back();
      lines.push_back(std::move(line));
    }
    if (from.bad()) fail("{} cannot be read: {}", path_, std::strerror(errno));
    return lines;
  }

 private:
  std::string path_;
  std::ifstream file_;
};

std::string json_line(const nlohmann::ordered_json& object) {
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string plain(std::string text) {  // no separator inside a field
  for (char& c : text)
    if (c == '\t' || c == '\n' || c == '\r') c = ' ';
  return text;
}

std::string as_tsv(const LinePredictor& predictor, std::int64_t line, const FilledLine& filled) {
  std::string text;
  for (std::size_t m = 0; m < filled.masks.size(); ++m)
    for (std::size_t r = 0; r < filled.masks[m].size(); ++r) {
      const Guess& guess = filled.masks[m][r];
      text += fmt::format("{}\t{}\t{}\t{}\t{}\t{:.6f}\n", line, m + 1, r + 1,
                          plain(predictor.text_of(guess.id)), guess.id, guess.probability);
    }
  return text;
}

std::string as_json(const LinePredictor& predictor, std::int64_t line, const std::string& text,
                    const FilledLine& filled) {
  nlohmann::ordered_json object{{"line", line}, {"text", text}, {"masks", nlohmann::ordered_json::array()}};
  for (const auto& mask : filled.masks) {
    auto guesses = nlohmann::ordered_json::array();
    for (const Guess& guess : mask)
      guesses.push_back(
          {{"token", predictor.text_of(guess.id)}, {"id", guess.id}, {"probability", guess.probability}});
    object["masks"].push_back(std::move(guesses));
  }
  return json_line(object);
}

bool writes_json(const Arguments& arguments) {
  const bool embeddings = arguments.task == "embeddings";
  if (arguments.format == "auto") return embeddings || arguments.output.ends_with(".jsonl");
  if (arguments.format != "tsv" && arguments.format != "jsonl")
    refuse("predict: --format is '{}'; it must be tsv or jsonl", arguments.format);
  if (embeddings && arguments.format == "tsv") refuse("predict: embeddings are written as jsonl, not tsv");
  return arguments.format == "jsonl";
}

Tokenizer tokenizer_of(const Arguments& arguments, const ModelSource& source) {
  if (!arguments.tokenizer.empty()) return Tokenizer::read(arguments.tokenizer);
  Tokenizer tokenizer = source.tokenizer();
  if (tokenizer.empty())
    refuse("{} has no tokenizer (such as spiece.model); name one with --tokenizer", source.path());
  return tokenizer;
}

/// Lines that were cut, and lines without a mask, are counted and told at the end.
struct Counts {
  std::int64_t lines = 0, truncated = 0, without_mask = 0;

  void tell(const Arguments& arguments, std::int64_t longest) const {
    if (truncated > 0)
      fmt::print(stderr, "nystrom: {} of {} lines had more tokens than the model takes ({}) and were cut\n",
                 truncated, lines, longest);
    if (without_mask > 0 && arguments.task == "fill_mask")
      fmt::print(stderr, "nystrom: {} of {} lines had no <mask>\n", without_mask, lines);
  }
};

void fill_masks(const Arguments& arguments, LinePredictor& predictor, Counts& counts) {
  const bool json = writes_json(arguments);
  Lines input(arguments.input);
  Answers answers(arguments.output);
  if (!json) answers.write("line\tmask\trank\ttoken\tid\tprobability\n");
  for (auto lines = input.next(); !lines.empty(); lines = input.next()) {
    const std::vector<FilledLine> filled = predictor.fill(lines, arguments.top);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      ++counts.lines;
      counts.truncated += filled[i].truncated ? 1 : 0;
      counts.without_mask += filled[i].masks.empty() ? 1 : 0;
      answers.write(json ? as_json(predictor, counts.lines, lines[i], filled[i])
                         : as_tsv(predictor, counts.lines, filled[i]));
    }
  }
  answers.finish();
}

void embed(const Arguments& arguments, LinePredictor& predictor, Counts& counts) {
  (void)writes_json(arguments);
  Lines input(arguments.input);
  Answers answers(arguments.output);
  for (auto lines = input.next(); !lines.empty(); lines = input.next())
    for (const auto& line : predictor.embed(lines)) {
      ++counts.lines;
      counts.truncated += line.truncated ? 1 : 0;
      answers.write(json_line({{"line", counts.lines}, {"embedding", line.values}}));
    }
  answers.finish();
}

int run(const Arguments& arguments) {
  if (arguments.top < 1) refuse("predict: --top is {}; it must be at least 1", arguments.top);
  const bool fills = arguments.task == "fill_mask";
  if (!fills && arguments.task != "embeddings")
    refuse("predict: --task is '{}'; it must be fill_mask or embeddings", arguments.task);
  const ModelSource source(arguments.model);
  LinePredictor predictor(source, tokenizer_of(arguments, source), fills);
  for (const std::string& note : predictor.notes()) fmt::print(stderr, "nystrom: {}\n", note);
  Counts counts;
  if (fills)
    fill_masks(arguments, predictor, counts);
  else
    embed(arguments, predictor, counts);
  counts.tell(arguments, source.config().max_positions);
  return kDone;
}

}  // namespace

Command predict_command() {
  auto arguments = std::make_shared<Arguments>();
  return {
      .name = "predict",
      .summary = "fill masks in lines of text, or turn lines into vectors",
      .details =
          "Each line of the input is one text; `<mask>` (or `[MASK]`) stands for what is to be guessed. "
          "TSV has a row for each guess; JSON-lines an object for each line.",
      .example =
          "echo 'The capital of France is <mask>.' | nystrom predict --model run/checkpoints/"
          "step-00001000.h5 --input - --top 3\n"
          "nystrom predict --model M --input lines.txt --output vectors.jsonl --task embeddings",
      .options =
          [arguments](CLI::App& app) {
            app.add_option("--model", arguments->model, "a checkpoint or a Hugging Face folder")->required();
            app.add_option("--input", arguments->input, "a text file, or - for standard input")->required();
            app.add_option("--output", arguments->output, "a file; by default standard output");
            app.add_option("--task", arguments->task, "fill_mask or embeddings")->capture_default_str();
            app.add_option("--top", arguments->top, "guesses for each mask")->capture_default_str();
            app.add_option("--format", arguments->format, "tsv or jsonl; by default by the output's name");
            app.add_option("--tokenizer", arguments->tokenizer, "a SentencePiece model, instead of M's");
          },
      .run = [arguments](const Invocation&) { return run(*arguments); }};
}

}  // namespace nystrom
