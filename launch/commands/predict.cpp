#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "kernels/core/check.h"
#include "kernels/core/printable.h"
#include "kernels/core/stage.h"
#include "launch/cli/command.h"
#include "launch/cli/console.h"
#include "launch/cli/failure.h"
#include "launch/cli/option_parser.h"
#include "launch/cli/quiet.h"
#include "launch/config/options.h"
#include "launch/models/model_path.h"
#include "launch/models/tokenizer_search.h"
#include "launch/predict/answers.h"
#include "launch/predict/fill_mask.h"
#include "launch/predict/input.h"
#include "launch/predict/output.h"
#include "launch/predict/task_predictor.h"
#include "launch/setup/backend.h"
#include "trainer/comm/launcher.h"
#include "trainer/comm/threads.h"

namespace nystrom {
namespace {

struct Arguments {
  std::string model, input, output, format = "auto", input_format = "auto", task = "auto", tokenizer, backend,
                                    weights = "trained", pooling = "auto";
  std::int64_t top = 5, size = 0;
  bool no_answer = false, force = false, normalize = false;
};

std::string json_text(const nlohmann::ordered_json& object) {
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string format_of(const Arguments& arguments, bool vectors) {
  return output_format(arguments.format, arguments.output, vectors);
}

/// What to predict: --task, or what the model's head is for.
std::string task_of(const Arguments& arguments, const ModelSource& source) {
  for (const char* task : {"fill_mask", "embeddings", "tokens"})
    if (arguments.task == task) return task;
  if (arguments.task != "auto")
    refuse("predict: `--task` is {}; it must be auto, fill_mask, embeddings or tokens.", arguments.task);
  if (source.makes_embeddings()) return "embeddings";
  return is_language_model(source.head().kind) ? "fill_mask" : "labels";
}

Tokenizer tokenizer_of(const Arguments& arguments, const ModelSource& source) {
  // Not with a tokenizer or token ids of the user's either: the task decides on ids, and on positions where
  // it leaves tokens out.
  if (source.setting("task.kind") == "lra")
    refuse(
        "{} was trained on the Long Range Arena, whose examples are not text; `nystrom evaluate` tests it.",
        source.path());
  if (!arguments.tokenizer.empty()) return read_any_tokenizer(arguments.tokenizer);
  Tokenizer tokenizer = source.tokenizer();
  if (tokenizer.empty())
    refuse("{} has no tokenizer (such as spiece.model); name one with `--tokenizer`.", source.path());
  return tokenizer;
}

void say(const std::string& sentence) {
  if (is_quiet()) return;
  print_error(fmt::format("nystrom: {}\n", printable(sentence)));
}

/// Truncated examples, lines without a mask, malformed lines and invalid bytes, reported at the end.
struct Counts {
  std::int64_t lines = 0, truncated = 0, without_mask = 0, repaired = 0, skipped = 0;

  void add(const InputRows& rows) {
    repaired += rows.repaired_bytes;
    skipped += rows.skipped;
  }

  void report(const std::string& task, std::int64_t longest) const {
    if (truncated > 0)
      say(fmt::format("{} of {} lines had more tokens than the model takes ({}) and were truncated.",
                      truncated, lines, longest));
    if (without_mask > 0 && task == "fill_mask")
      say(fmt::format("{} of {} lines had no `<mask>`.", without_mask, lines));
    if (repaired > 0)
      say(fmt::format("{} bytes of the input are not valid text and were replaced.", repaired));
    if (skipped > 0) say(fmt::format("{} malformed lines of the input were skipped.", skipped));
  }
};

std::string plain(std::string text) {  // no separator inside a field
  for (char& c : text)
    if (c == '\t' || c == '\n' || c == '\r') c = ' ';
  return text;
}

/// Texts of a chunk of the input, and their ids if it has that column.
struct Texts {
  std::vector<std::string> texts, ids;
  double share = -1;  ///< of the input up to here; negative: not known
};

/// Single texts: the input of masks, embeddings and token ids.
class TextReader {
 public:
  TextReader(const Arguments& arguments, std::string task, const Config& config) : task_(std::move(task)) {
    const auto& text = config.task.column_names.text;
    const auto& id = config.task.column_names.id;
    input_ = open_input({.path = arguments.input,
                         .format = arguments.input_format,
                         .columns = {{"text", {text.empty() ? "text" : text, "sentence"}, false},
                                     {"id", {id.empty() ? "id" : id}, id.empty()}},
                         .malformed = task_options(config).malformed});
  }

  /// False at the end.
  bool next(Texts& chunk, Counts& counts) {
    InputRows rows;
    const bool more = input_->next(rows);
    counts.add(rows);  // also after the last example
    if (!more) return false;
    if (!rows.encoded.empty()) refuse("predict: `--task {}` takes texts, not token ids.", task_);
    if (!has_ids_) has_ids_ = rows.present.at(1);  // the first chunk's columns are the table's
    chunk = {.texts = {}, .ids = {}, .share = rows.share};
    for (auto& cells : rows.cells) {
      chunk.texts.push_back(std::move(cells.at(0)));
      if (*has_ids_) chunk.ids.push_back(std::move(cells.at(1)));
    }
    return true;
  }

 private:
  std::string task_;
  std::unique_ptr<InputReader> input_;
  std::optional<bool> has_ids_;
};

/// The columns that name a text: its line, and its id if the input has ids.
std::vector<std::string> naming_columns(const Texts& chunk) {
  return chunk.ids.empty() ? std::vector<std::string>{"line"} : std::vector<std::string>{"line", "id"};
}
std::vector<std::string> naming_cells(std::int64_t line, const Texts& chunk, std::size_t i) {
  std::vector<std::string> cells{std::to_string(line)};
  if (!chunk.ids.empty()) cells.push_back(chunk.ids[i]);
  return cells;
}
nlohmann::ordered_json naming_object(std::int64_t line, const Texts& chunk, std::size_t i) {
  nlohmann::ordered_json object{{"line", line}};
  if (!chunk.ids.empty()) object["id"] = chunk.ids[i];
  return object;
}

std::vector<std::string> joined(std::vector<std::string> first, std::vector<std::string> second) {
  std::ranges::move(second, std::back_inserter(first));
  return first;
}

void add_guesses(const LinePredictor& predictor, std::int64_t line, const Texts& chunk, std::size_t i,
                 const FilledLine& filled, AnswerPiece& piece) {
  nlohmann::ordered_json object = naming_object(line, chunk, i);
  object["text"] = chunk.texts[i];
  object["masks"] = nlohmann::ordered_json::array();
  for (std::size_t m = 0; m < filled.masks.size(); ++m) {
    auto guesses = nlohmann::ordered_json::array();
    for (std::size_t r = 0; r < filled.masks[m].size(); ++r) {
      const Guess& guess = filled.masks[m][r];
      const std::string token = predictor.text_of(guess.id);
      guesses.push_back({{"token", token}, {"token_id", guess.id}, {"probability", guess.probability}});
      piece.table.rows.push_back(
          joined(naming_cells(line, chunk, i),
                 {std::to_string(m + 1), std::to_string(r + 1), plain(token), std::to_string(guess.id),
                  fmt::format("{:.6f}", guess.probability)}));
    }
    object["masks"].push_back(std::move(guesses));
  }
  piece.objects.push_back(json_text(object));
}

AnswerPiece fill(const Arguments& arguments, LinePredictor& predictor, const Texts& chunk, Counts& counts) {
  AnswerPiece piece;
  piece.table.columns = joined(naming_columns(chunk), {"mask", "rank", "token", "token_id", "probability"});
  const std::vector<FilledLine> filled = predictor.fill(chunk.texts, arguments.top);
  for (std::size_t i = 0; i < chunk.texts.size(); ++i) {
    ++counts.lines;
    counts.truncated += filled[i].truncated ? 1 : 0;
    counts.without_mask += filled[i].masks.empty() ? 1 : 0;
    add_guesses(predictor, counts.lines, chunk, i, filled[i], piece);
  }
  return piece;
}

/// Pooling, size and normalization: the options', otherwise those a model of embeddings was trained with,
/// otherwise the mean.
EmbeddingForm embedding_form(const Arguments& arguments, const ModelSource& source) {
  const bool trained = source.makes_embeddings();
  const NetworkConfig& network = source.config().network;
  EmbeddingForm form{.size = arguments.size,
                     .normalize = arguments.normalize || (trained && network.normalize)};
  if (arguments.pooling != "auto")
    form.pooling = parse<Pooling>("predict: `--pooling`", arguments.pooling);
  else if (trained)
    form.pooling = network.pooling;
  if (form.size < 0 || form.size > source.config().hidden_size)
    refuse("predict: `--size` is {}; vectors of {} have {} components.", form.size, source.path(),
           source.config().hidden_size);
  return form;
}

AnswerPiece embed(LinePredictor& predictor, const EmbeddingForm& form, const Texts& chunk, Counts& counts) {
  AnswerPiece piece;
  piece.table.columns = naming_columns(chunk);
  const auto embedded = predictor.embed(chunk.texts, form);
  for (std::size_t i = 0; i < embedded.size(); ++i) {
    const auto& line = embedded[i];
    counts.truncated += line.truncated ? 1 : 0;
    piece.table.rows.push_back(naming_cells(++counts.lines, chunk, i));
    piece.matrix.insert(piece.matrix.end(), line.values.begin(), line.values.end());
    piece.matrix_width = std::ssize(line.values);
  }
  return piece;
}

/// Token ids of each text, with marks such as `<mask>`; no model is run.
AnswerPiece tokens(const Tokenizer& tokenizer, const Texts& chunk, Counts& counts) {
  AnswerPiece piece;
  piece.table.columns = joined(naming_columns(chunk), {"ids"});
  for (std::size_t i = 0; i < chunk.texts.size(); ++i) {
    const auto ids = tokenizer.encode_marked(chunk.texts[i]);
    nlohmann::ordered_json object = naming_object(++counts.lines, chunk, i);
    object["ids"] = ids;
    object["pieces"] = nlohmann::ordered_json::array();
    for (const std::int32_t id : ids) object["pieces"].push_back(tokenizer.piece(id));
    piece.objects.push_back(json_text(object));
    piece.table.rows.push_back(
        joined(naming_cells(counts.lines, chunk, i), {fmt::format("{}", fmt::join(ids, " "))}));
  }
  return piece;
}

int run_tokens(const Arguments& arguments, const ModelSource& source, const Config& config, Comm& comm) {
  if (comm.rank() > 0) return kDone;
  const Tokenizer tokenizer = tokenizer_of(arguments, source);
  TextReader input(arguments, "tokens", config);
  const auto answers =
      open_answers(arguments.output, {.format = format_of(arguments, false), .integer_columns = {"line"}});
  Counts counts;
  for (Texts chunk; input.next(chunk, counts);) answers->write(tokens(tokenizer, chunk, counts));
  answers->finish();
  counts.report("tokens", 0);
  return kDone;
}

/// Masks and embeddings of single texts, on rank 0 only.
int run_lines(const Arguments& arguments, const std::string& task, const ModelSource& source,
              const Config& config, const Backend& backend, Comm& comm) {
  const int threads = threads_of_rank(comm, config.run.threads.value_or(0));
  if (comm.rank() > 0) return kDone;
  const bool fills = task == "fill_mask";
  const EmbeddingForm vectors = embedding_form(arguments, source);
  LinePredictor predictor(source, tokenizer_of(arguments, source), fills, threads, precision(config, backend),
                          backend.cuda ? Device::gpu(0) : Device());
  for (const std::string& note : predictor.notes()) say(note);
  AnswerForm form{.format = format_of(arguments, !fills),
                  .number_columns = {"probability"},
                  .integer_columns = {"line", "mask", "rank", "token_id"}};
  if (!fills) form.matrix_name = "embedding";
  TextReader input(arguments, task, config);
  const auto answers = open_answers(arguments.output, form);
  Counts counts;
  bool any = false;
  std::optional<Stage> stage(std::in_place, "predict", 1, "lines");
  for (Texts chunk; input.next(chunk, counts); any = true) {
    answers->write(fills ? fill(arguments, predictor, chunk, counts)
                         : embed(predictor, vectors, chunk, counts));
    stage->reach(chunk.share);
    stage->count(counts.lines);
  }
  stage.reset();
  if (!any && fills) answers->write(fill(arguments, predictor, {}, counts));  // the header
  answers->finish();
  counts.report(task, source.config().max_positions);
  return kDone;
}

/// Predictions of the model's head. Rank 0 reads and writes; all ranks compute.
int run_task(const Arguments& arguments, const ModelSource& source, const Config& config,
             const Backend& backend, Comm& comm) {
  TaskPredictor predictor(source, tokenizer_of(arguments, source), config, arguments.no_answer, backend,
                          comm);
  const bool is_root = comm.rank() == 0;
  std::unique_ptr<InputReader> input;
  std::unique_ptr<AnswerWriter> answers;
  if (is_root) {
    AnswerForm form = predictor.form();
    form.format = format_of(arguments, false);
    InputOptions options = predictor.input();
    options.path = arguments.input;
    options.format = arguments.input_format;
    input = open_input(options);
    answers = open_answers(arguments.output, form);
  }
  Counts counts;
  std::optional<Stage> stage(std::in_place, "predict", 1, "examples");
  std::int64_t examples = 0;
  for (bool first = true;; first = false) {
    InputRows rows;
    const bool more = is_root && input->next(rows);
    counts.add(rows);
    const double share = rows.share;
    if (comm.ranks() > 1) {
      const std::string text = comm.broadcast_text(more ? packed_rows(rows) : "", 0, "the next examples");
      if (text.empty()) break;
      rows = unpacked_rows(text);
    } else if (!more && !first) {
      break;
    }
    const bool empty = rows.size() == 0;
    examples += static_cast<std::int64_t>(rows.size());
    const AnswerPiece piece = predictor.predict(std::move(rows));  // of no rows: a header
    if (is_root) answers->write(piece);
    if (empty) break;
    stage->reach(share);
    stage->count(examples);
  }
  stage.reset();
  if (!is_root) return kDone;
  answers->finish();
  for (const auto& note : predictor.notes()) say(note);
  counts.report("labels", 0);
  return kDone;
}

/// `--set` serves this command alone, so a key that it would ignore is a mistake.
void refuse_unused(const Config& config, const std::string& task) {
  std::vector<std::string_view> used{"run.threads", "communication.timeout", "training.backend",
                                     "training.precision"};
  if (task != "tokens") used.emplace_back("model.attention");
  if (task == "labels")
    used.insert(used.end(),
                {"data.sequence_length", "task.choices", "task.window_overlap", "task.max_answer_tokens",
                 "task.label_separator", "task.columns.pair", "task.columns.word", "task.columns.beginning"});
  used.insert(used.end(), {"task.malformed", "task.columns.text", "task.columns.id"});
  for (const auto& key : config.given)
    if (std::ranges::none_of(used, [&](std::string_view each) {
          return key == each || (each == "model.attention" && key.starts_with("model.attention."));
        }))
      refuse("predict: `--set {}` is not used by `--task {}`; it takes `{}`.", key, task,
             fmt::join(used, "`, `"));
}

int run(const Arguments& arguments, const Invocation& invocation) {
  if (arguments.top < 1) refuse("predict: `--top` is {}; it must be at least 1.", arguments.top);
  check_output(arguments.output, std::array{arguments.input, arguments.model}, arguments.force);
  if (launched_rank() == 0) check_input({.path = arguments.input, .format = arguments.input_format});
  const ModelPath model = find_model(arguments.model);
  check_output(arguments.output, std::array{model.path}, arguments.force);
  const Config config = read_config("", invocation.overrides);
  const Backend backend =
      arguments.backend.empty()
          ? choose_backend(config.training.backend, "training.backend")
          : choose_backend(parse<BackendChoice>("predict: `--backend`", arguments.backend), "--backend");
  ModelSource source(model.path);
  const std::string task = task_of(arguments, source);
  refuse_unused(config, task);
  source.use_as_it_is();
  source.use_weights(parse<EvaluatedWeights>("predict: `--weights`", arguments.weights));
  source.set_config(with_attention(source, config));
  if (source.is_from_elsewhere() && task != "tokens")
    for (const std::string& note : source.notes()) say(note);
  (void)format_of(arguments, task == "embeddings");
  if (task == "embeddings")
    (void)embedding_form(arguments, source);
  else if (arguments.pooling != "auto" || arguments.normalize || arguments.size != 0)
    refuse("predict: `--pooling`, `--size` and `--normalize` are for `--task embeddings`.");
  return with_comm({.timeout_seconds = config.communication.timeout}, [&](Comm& comm) {
    if (comm.rank() == 0)
      for (const auto& note : model.notes) say(note);
    if (arguments.output.empty()) show_stages(nullptr);  // answers would stand within the line of progress
    if (task == "tokens") return run_tokens(arguments, source, config, comm);
    return task == "labels" ? run_task(arguments, source, config, backend, comm)
                            : run_lines(arguments, task, source, config, backend, comm);
  });
}

}  // namespace

Command predict_command() {
  auto arguments = std::make_shared<Arguments>();
  return {
      .name = "predict",
      .summary = "Predict for texts: labels, answers, filled masks or embeddings.",
      .details =
          "A fine-tuned model predicts what its head was trained for: classes with probabilities, numbers, "
          "tags, answers, choices or embeddings. A pretrained model fills masks: `<mask>` (or `[MASK]`) marks the token "
          "to predict. With `--task embeddings` any of them turns texts into vectors. Input: one text per "
          "line, TSV or CSV with a header, JSON Lines, CoNLL columns, SQuAD's JSON, or HDF5 "
          "(docs/finetuning.md). Output follows the order of the input. `--set` takes `model.attention`, "
          "`data.sequence_length`, `training.precision`, `run.threads` and the section `task` (`columns`, "
          "`choices`, `window_overlap`, `malformed`).",
      .example =
          "echo 'The capital of France is <mask>.' | nystrom predict --model run/checkpoints/"
          "step-00001000.h5 --input - --top 3\n"
          "nystrom predict --model runs/sst2/checkpoints/best.h5 --input reviews.txt --output labels.tsv\n"
          "nystrom predict --model M --input lines.txt --output vectors.npy --task embeddings --normalize",
      .options =
          [arguments](OptionParser& app) {
            app.add_option("--model", arguments->model, "Checkpoint, run directory or Hugging Face folder.")
                ->required();
            app.add_option("--input", arguments->input, "File, or - for standard input.")->required();
            app.add_option("--output", arguments->output, "File. Default: standard output.");
            app.add_flag("--force", arguments->force, "Replace an existing output.");
            app.add_option("--task", arguments->task,
                           "auto (by the model's head), fill_mask, embeddings, or tokens (token ids of the "
                           "texts, without running the model).")
                ->capture_default_str();
            app.add_option("--top", arguments->top, "Predictions per mask.")->capture_default_str();
            app.add_option(
                "--format", arguments->format,
                "tsv, csv, jsonl, json, hdf5 or, for embeddings, npy. Default: by the output's extension.");
            app.add_option(
                   "--pooling", arguments->pooling,
                   "embeddings: first (token), mean or max of the last hidden states, or auto: as the "
                   "model was fine-tuned, otherwise mean.")
                ->capture_default_str();
            app.add_option("--size", arguments->size,
                           "embeddings: keep only the first components, up to this number. Default: all.");
            app.add_flag("--normalize", arguments->normalize,
                         "embeddings: scale vectors to length 1. Implied by a model with `model.normalize`.");
            app.add_option(
                "--input-format", arguments->input_format,
                "lines, tsv, csv, jsonl (Parquet and Arrow too), conll, squad or hdf5. Default: by the input's "
                "name");
            app.add_option("--backend", arguments->backend,
                           "auto, cpu or cuda. Default: `training.backend`.");
            app.add_option(
                "--tokenizer", arguments->tokenizer,
                "A SentencePiece model, a tokenizer.json, a vocab.txt, or a folder or checkpoint with a "
                "tokenizer, to use instead of the model's.");
            app.add_option("--weights", arguments->weights,
                           "trained, or ema: the averaged weights of a checkpoint (`training.ema_decay`).")
                ->capture_default_str();
            app.add_flag("--no-answer", arguments->no_answer,
                         "question answering: allow an empty answer, as in SQuAD 2.0.");
          },
      .run = [arguments](const Invocation& invocation) { return run(*arguments, invocation); }};
}

}  // namespace nystrom
