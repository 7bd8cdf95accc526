// Untrusted models, inputs and shards, as the program reads them: refused in one printable sentence with
// status 2; nothing crashes, nothing of another file comes out.

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "data/shards/shard.h"
#include "hostile_hdf5.h"
#include "launch/models/conversion_case.h"
#include "program.h"
#include "trainer/checkpoint/header.h"

namespace nystrom {
namespace {

using namespace nystrom::testing;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
namespace fs = std::filesystem;

constexpr const char* kSecret = "TOP-SECRET-KEY-0123456789-abcdefghijklmnop\n";
constexpr const char* kWord = "weights/nystromformer.embeddings.word_embeddings.weight";

class HostileFiles : public ConversionCase {
 protected:
  void SetUp() override {
    folder();
    (void)convert({.from = at_ / "m", .to = at_ / "m.h5"});
    std::ofstream secret(at_ / "secret");
    for (int i = 0; i < 1000; ++i) secret << kSecret;
  }

  Outcome run(const std::string& command) { return run_in(at_, "timeout 100 $nystrom " + command); }

  void expect_refused(const std::string& command, const std::string& word = "") {
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.status, 2) << command << "\n" << outcome.err.substr(0, 500);
    std::string said = outcome.err;
    if (const auto first = said.find('\n'); said.substr(0, first).ends_with(": the CPU computes."))
      said.erase(0, first + 1);
    EXPECT_THAT(said, AllOf(StartsWith("nystrom: "), HasSubstr(word))) << command;
    EXPECT_EQ(std::ranges::count(said, '\n'), 1) << command;
    EXPECT_LT(said.size(), 10'000U) << command;
    EXPECT_EQ(said.find('\x1b'), std::string::npos) << command;
  }

  /// A copy of the folder under another name, to be corrupted.
  std::string copy(const std::string& name) {
    fs::remove_all(at_ / name);
    fs::copy(at_ / "m", at_ / name);
    return at_ / name;
  }
  /// A folder whose tokenizer is a tokenizer.json, as `convert` writes it.
  std::string exported(const std::string& name) {
    if (!fs::exists(at_ / "hf")) (void)convert({.from = at_ / "m.h5", .to = at_ / "hf"});
    fs::remove_all(at_ / name);
    fs::copy(at_ / "hf", at_ / name);
    fs::remove(at_ / name + "/spiece.model");  // which would be read instead
    return at_ / name;
  }
};

TEST_F(HostileFiles, a_checkpoint_discloses_no_other_file) {
  write_x(at_ / "other.h5", 100'000);
  for (const Reach reach :
       {Reach::kExternalStorage, Reach::kVirtual, Reach::kExternalLink, Reach::kSoftLink}) {
    fs::copy_file(at_ / "m.h5", at_ / "bad.h5", fs::copy_options::overwrite_existing);
    const std::string target = reach == Reach::kExternalStorage ? at_ / "secret"
                               : reach == Reach::kSoftLink      ? "/tokenizer"
                                                                : at_ / "other.h5";
    const auto width = static_cast<hsize_t>(small_model().hidden_size);
    add_reaching(at_ / "bad.h5", kWord, reach, target, H5T_IEEE_F32LE,
                 {static_cast<hsize_t>(tokenizer().vocabulary_size()), width});
    write_checkpoint_header(at_ / "bad.h5");
    expect_refused("convert --from bad.h5 --to out", kWord);
    EXPECT_FALSE(fs::exists(at_ / "out"));
    expect_refused("inspect bad.h5", kWord);
    expect_refused("predict --model bad.h5 --task embeddings --input secret --output o.jsonl", kWord);
    EXPECT_THAT(run("inspect --verify bad.h5").out, AllOf(StartsWith("CORRUPT"), HasSubstr("0 of 1 valid")));
  }
}

TEST_F(HostileFiles, a_checkpoint_expands_to_no_more_than_it_holds) {
  fs::copy_file(at_ / "m.h5", at_ / "bad.h5");
  const auto width = static_cast<hsize_t>(small_model().hidden_size);
  const auto rows = static_cast<hsize_t>(tokenizer().vocabulary_size());
  add_compressed(at_ / "bad.h5", {.name = kWord,
                                  .type = H5T_IEEE_F32LE,
                                  .shape = {rows, width},
                                  .chunk = {rows, hsize_t{1} << 16U},
                                  .written = true});
  write_checkpoint_header(at_ / "bad.h5");
  expect_refused("convert --from bad.h5 --to out", kWord);
}

TEST_F(HostileFiles, an_input_of_predict_discloses_no_other_file) {
  const Hdf5Handle text(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(text, 43);
  add_reaching(at_ / "in.h5", "text", Reach::kExternalStorage, at_ / "secret", text, {20});
  expect_refused("predict --model m.h5 --task tokens --input in.h5 --output o.jsonl", "in.h5");
  EXPECT_FALSE(fs::exists(at_ / "o.jsonl"));
}

TEST_F(HostileFiles, an_input_of_predict_crashes_nothing) {
  write_texts(at_ / "in.h5", "the old captain", 50);
  const std::string whole = read_bytes(at_ / "in.h5");
  int refused = 0;
  for (std::size_t i = 0; i < 24; ++i) {
    std::ofstream(at_ / "in.h5", std::ios::binary) << with_damaged_heap(whole, i);
    const Outcome outcome = run("predict --model m.h5 --task tokens --input in.h5 --output o.jsonl --force");
    EXPECT_THAT(outcome.status, ::testing::AnyOf(0, 2)) << i << ": " << outcome.err;
    refused += outcome.status == 2 ? 1 : 0;
  }
  EXPECT_GT(refused, 2);
}

TEST_F(HostileFiles, an_input_of_predict_that_claims_too_much_is_named) {
  add_compressed(
      at_ / "wide.h5",
      {.name = "input_ids", .type = H5T_STD_I32LE, .shape = {4, hsize_t{1} << 33U}, .chunk = {1, 1024}});
  const Hdf5Handle text(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(text, std::size_t{16} << 20U);
  add_compressed(at_ / "long.h5", {.name = "text", .type = text, .shape = {5000}, .chunk = {1}});
  for (const char* name : {"wide.h5", "long.h5"})
    expect_refused(fmt::format("predict --model m.h5 --task embeddings --input {} --output o.jsonl", name),
                   name);
}

TEST_F(HostileFiles, a_shard_discloses_no_other_file) {
  ShardWriter writer(at_ / "a.h5",
                     {.vocabulary_size = 300, .tokenizer_sha256 = std::string(64, 'a'), .sources = {"x"}});
  writer.add_document(0, std::vector<std::vector<std::int32_t>>{{5, 6, 7, 8}});
  writer.finish();
  EXPECT_EQ(run("inspect a.h5").status, 0);
  add_reaching(at_ / "a.h5", "tokens", Reach::kExternalStorage, at_ / "secret", H5T_STD_U16LE, {4});
  expect_refused("inspect a.h5", "`tokens`");
  EXPECT_THAT(run("inspect --verify a.h5").out, StartsWith("CORRUPT"));
}

TEST_F(HostileFiles, a_prepared_task_discloses_no_other_file_and_crashes_nothing) {
  std::ofstream(at_ / "c.yaml") << R"(
run: {directory: run, threads: 1}
task: {kind: lra, name: listops, path: data}
model: {hidden_size: 8, layers: 1, heads: 2, intermediate_size: 8, attention: {landmarks: 4, convolution: 0}}
data: {sequence_length: 8}
training: {epochs: 1, precision: fp32}
)";
  ASSERT_EQ(run("lra generate listops --out data --depth 2 --arguments 3 --longer-than 1 --shorter-than 6 "
                "--train 40 --validation 5 --test 5")
                .status,
            0);
  ASSERT_EQ(run("prepare c.yaml --set output.directory=.").status, 0);
  const std::string prepared = "c.yaml --set task.path=listops.h5", whole = read_bytes(at_ / "listops.h5");
  EXPECT_EQ(run("check " + prepared).status, 0);
  add_reaching(at_ / "listops.h5", "train/symbols", Reach::kExternalStorage, at_ / "secret", H5T_STD_U8LE,
               {200});
  for (const char* command : {"finetune ", "check "}) expect_refused(command + prepared, "`train/symbols`");
  std::string header = whole;
  header.replace(0, 4, "HDF?");
  for (const std::string& bytes : {header, whole.substr(0, whole.size() / 2)}) {
    std::ofstream(at_ / "listops.h5", std::ios::binary) << bytes;
    expect_refused("finetune " + prepared, "listops.h5");
  }
}

TEST_F(HostileFiles, deep_json_overflows_no_stack) {
  constexpr std::size_t kDepth = 200'000;
  const auto deep = [](const std::string& open, const std::string& close) {
    std::string text;
    for (std::size_t i = 0; i < kDepth; ++i) text += open;
    text += "1";
    for (std::size_t i = 0; i < kDepth; ++i) text += close;
    return text;
  };
  const std::string object = deep("{\"a\":", "}"), list = deep("[", "]");
  for (const char* part :
       {"normalizer", "pre_tokenizer", "post_processor", "decoder", "model", "added_tokens"}) {
    const std::string path = exported("deep") + "/tokenizer.json";
    Json json = parse_json<Json>(read_bytes(path));
    json[part] = "HERE";
    std::string text = json.dump();
    text.replace(text.find("\"HERE\""), 6, deep(R"({"type":"Sequence","normalizers":[)", "]}"));
    std::ofstream(path) << text;
    expect_refused("inspect deep/tokenizer.json", "");
    expect_refused("convert --from deep --to deep.h5", "nested more than 100 levels deep");
  }
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"}) {
    std::ofstream(exported("deep") + "/" + name) << object;
    const Outcome outcome = run("convert --from deep --to deep.h5");
    EXPECT_THAT(outcome.status, ::testing::AnyOf(0, 2)) << name << ": " << outcome.err;
    const Outcome again = run("convert --from deep --to deep-again");
    EXPECT_THAT(again.status, ::testing::AnyOf(0, 2)) << name << ": " << again.err;
    fs::remove(at_ / "deep.h5");
    fs::remove_all(at_ / "deep-again");
  }
  std::ofstream(copy("deep") + "/config.json") << list;
  expect_refused("convert --from deep --to deep.h5", "nested more than 100 levels deep");
  fs::remove(copy("deep") + "/model.safetensors");
  std::ofstream(at_ / "deep/model.safetensors.index.json") << object;
  expect_refused("convert --from deep --to deep.h5", "nested more than 100 levels deep");
}

/// Puts a header of safetensors before the data of the folder's weights.
void change_header(const std::string& folder, const std::function<void(Json&)>& change) {
  const std::string path = folder + "/model.safetensors", bytes = read_bytes(path);
  std::uint64_t size = 0;
  std::memcpy(&size, bytes.data(), sizeof size);
  Json header = parse_json<Json>(bytes.substr(sizeof size, size));
  change(header);
  const std::string text = header.dump();
  const std::uint64_t length = text.size();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(&length), sizeof length);
  file << text << bytes.substr(sizeof size + size);
}

TEST_F(HostileFiles, names_reach_the_terminal_printable_and_short) {
  const std::string name = "\x1b]0;PWNED\x07\n\xe2\x80\xae" + std::string(3'000'000, 'A');
  const Json empty{{"dtype", "F32"}, {"shape", {0}}, {"data_offsets", {0, 0}}};
  change_header(copy("named"), [&](Json& header) { header[name] = empty; });
  expect_refused("convert --from named --to out", "\\x1b]0;PWNED\\x07\\n\\u202e");
  const Outcome verified = run("inspect --verify named");
  EXPECT_EQ(verified.out.find('\x1b'), std::string::npos);
  EXPECT_LT(verified.out.size(), 20'000U);
  copy("named");
  change_config(at_ / "named", {{"hidden_act", name}});
  expect_refused("inspect named", "\\x1b]0;PWNED");
}

TEST_F(HostileFiles, many_empty_tensors_take_linear_time) {
  change_header(copy("many"), [](Json& header) {
    for (int i = 0; i < 200'000; ++i)
      header["t" + std::to_string(i)] = {{"dtype", "F32"}, {"shape", {0}}, {"data_offsets", {0, 0}}};
  });
  const Outcome outcome = run_in(at_, "ulimit -t 40; $nystrom convert --from many --to out");
  EXPECT_EQ(outcome.status, 2) << outcome.err.substr(0, 200);
}

TEST_F(HostileFiles, numbers_of_config_json_do_not_wrap_around) {
  const std::int64_t beyond = std::int64_t{1} << 32U;
  copy("wrap");
  change_config(at_ / "wrap", {{"pad_token_id", beyond + 1}});
  expect_refused("convert --from wrap --to out", "`pad_token_id` is 4294967297");
  copy("wrap");
  Json own = parse_json<Json>(read_bytes(at_ / "m/config.json"))["nystrom"];
  own["pinv_iterations"] = beyond + 6;
  change_config(at_ / "wrap", {{"nystrom", own}});
  expect_refused("convert --from wrap --to out", "`pinv_iterations` is 4294967302");
  copy("wrap");
  change_config(at_ / "wrap", {{"max_position_embeddings", std::uint64_t{1} << 63U}});
  expect_refused("convert --from wrap --to out", "`max_position_embeddings` is 9223372036854775808");
}

TEST_F(HostileFiles, a_link_out_of_a_folder_is_not_followed) {
  for (const char* name : {"vocab.txt", "added_tokens.json", "special_tokens_map.json",
                           "tokenizer_config.json", "merges.txt", "config.json", "model.safetensors"}) {
    copy("linked");
    fs::remove(fs::path(at_ / "linked") / name);
    fs::create_symlink("../secret", fs::path(at_ / "linked") / name);
    expect_refused("convert --from linked --to out", name);
    EXPECT_FALSE(fs::exists(at_ / "out"));
  }
}

TEST_F(HostileFiles, links_within_a_folder_and_of_hugging_faces_cache_are_followed) {
  const std::string cache = at_ / "hub", snapshot = cache + "/snapshots/main";
  fs::create_directories(snapshot);
  fs::create_directories(cache + "/blobs");
  int number = 0;
  for (const auto& entry : fs::directory_iterator(at_ / "m")) {
    const std::string blob = fmt::format("{:040x}", ++number);
    fs::copy_file(entry.path(), cache + "/blobs/" + blob);
    fs::create_symlink("../../blobs/" + blob, snapshot + "/" + entry.path().filename().string());
  }
  EXPECT_EQ(run("convert --from hub/snapshots/main --to a.h5").status, 0);
  copy("inside");
  fs::rename(at_ / "inside/model.safetensors", at_ / "inside/weights");
  fs::create_symlink("weights", at_ / "inside/model.safetensors");
  EXPECT_EQ(run("convert --from inside --to b.h5").status, 0);
}

TEST_F(HostileFiles, a_named_pipe_is_not_waited_for) {
  for (const char* name : {"model.safetensors", "config.json", "spiece.model", "tokenizer.json"}) {
    copy("piped");
    fs::remove(fs::path(at_ / "piped") / name);
    ASSERT_EQ(::mkfifo((at_ / "piped/" + name).c_str(), 0600), 0);
    EXPECT_THAT(run("inspect piped").status, ::testing::AnyOf(0, 2)) << name;
    EXPECT_THAT(run("convert --from piped --to out").status, ::testing::AnyOf(0, 2)) << name;
    fs::remove_all(at_ / "out");
  }
  ASSERT_EQ(::mkfifo((at_ / "pipe").c_str(), 0600), 0);
  expect_refused("inspect pipe");
  expect_refused("inspect --verify pipe");
  expect_refused("convert --from pipe --to out");
  expect_refused("verify m pipe");
  fs::create_directory(at_ / "run");
  ASSERT_EQ(::mkfifo((at_ / "run/metrics.jsonl").c_str(), 0600), 0);
  EXPECT_EQ(run("inspect run").status, 0);
  ASSERT_EQ(::mkfifo((at_ / "pipe.h5").c_str(), 0600), 0);
  expect_refused("predict --model m.h5 --task embeddings --input pipe.h5 --output o.jsonl", "pipe.h5");
}

TEST_F(HostileFiles, of_two_conversions_to_one_file_one_is_refused) {
  for (int i = 0; i < 3; ++i) {
    const Outcome both =
        run_in(at_,
               "rm -f out.h5; $nystrom convert --from m --to out.h5 & a=$!; $nystrom convert "
               "--from m --to out.h5 & b=$!; wait $a; sa=$?; wait $b; sb=$?; echo $sa $sb");
    EXPECT_THAT(both.out, ::testing::AnyOf(HasSubstr("0 2\n"), HasSubstr("2 0\n"))) << both.err;
    EXPECT_EQ(run("inspect out.h5").status, 0);
  }
}

}  // namespace
}  // namespace nystrom
