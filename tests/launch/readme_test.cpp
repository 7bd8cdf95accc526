// README's "Your own text", typed word by word over another corpus.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <vector>

#include "kernels/core/check.h"
#include "made_up_text.h"
#include "program.h"

namespace nystrom {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Outcome;
using testing::read_bytes;
using testing::run_in;
using testing::TemporaryFolder;

std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const auto from = text.find(begin);
  if (from == std::string::npos) return {};
  const auto start = from + begin.size();
  return text.substr(start, text.find(end, start) - start);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The commands, which README indents, without their comments.
std::vector<std::string> commands_of(const std::string& section) {
  std::vector<std::string> commands;
  for (const auto& line : lines_of(section))
    if (line.starts_with("    ")) commands.push_back(line.substr(4, line.find("  #") - 4));
  return commands;
}

// What an editor makes of `yaml`: each section that `edit` has takes the place of the old one.
std::string edited(const std::string& yaml, const std::string& edit) {
  const auto split = [](const std::string& text) {
    std::vector<std::pair<std::string, std::string>> parts{{"", ""}};
    for (const auto& line : lines_of(text)) {
      if (!line.empty() && line[0] >= 'a' && line[0] <= 'z')
        parts.emplace_back(line.substr(0, line.find(':')), "");
      parts.back().second += line + "\n";
    }
    return parts;
  };
  auto sections = split(yaml);
  for (const auto& [name, text] : split(edit)) {
    if (name.empty()) continue;
    const auto old = std::ranges::find(sections, name, &std::pair<std::string, std::string>::first);
    if (old == sections.end())
      ADD_FAILURE() << name << " is not in the file that README edits";
    else
      old->second = text;
  }
  std::string all;
  for (const auto& [name, text] : sections) all += text;
  return all;
}

TEST(Readme, the_commands_for_your_own_text_train_on_that_text) {
  const std::string section = between(read_bytes("README.md"), "\n## Your own text\n", "\n## ");
  const std::vector<std::string> commands = commands_of(section);
  const std::string edit = between(section, "```yaml\n", "```");
  ASSERT_GE(commands.size(), 5U);

  const TemporaryFolder folder;
  const std::string source = std::filesystem::absolute(".").string();
  std::filesystem::create_directories(folder / "build");
  std::filesystem::create_symlink(NYSTROM_PROGRAM, folder / "build/nystrom");
  for (const char* name : {"configs", "launch"})
    std::filesystem::create_symlink(source + "/" + name, folder / name);
  std::filesystem::create_directories(folder / "my-text");
  {
    std::ofstream text(folder / "my-text/one.txt");
    const auto sentences = testing::made_up_sentences(600, 1);
    for (std::size_t i = 0; i < sentences.size(); ++i) text << sentences[i] << (i % 5 == 4 ? '\n' : ' ');
  }

  // Sizes alone differ from what a user types.
  const std::map<std::string, std::string> sizes{
      {" prepare ", " --set tokenizer.vocabulary_size=120 --set output.validation_fraction=0.2"},
      {" pretrain ",
       " --set training.steps=4 --set training.global_batch=4 --set schedule.warmup_steps=2"
       " --set checkpoint.every_steps=2 --set evaluation.every_steps=2"},
      {" evaluate ", " --set training.global_batch=4 --set evaluation.batches=2"}};
  std::string log;
  for (std::string command : commands) {
    for (const auto& [word, options] : sizes)
      if (command.find(word) != std::string::npos) command += options;
    const Outcome outcome = run_in(folder, command);
    ASSERT_EQ(outcome.status, 0) << command << "\n" << outcome.err;
    if (command.find(" pretrain ") != std::string::npos) log = outcome.err;
    if (command.starts_with("cp ")) {
      const std::string yaml = edited(read_bytes(folder / "my.yaml"), edit);
      std::ofstream(folder / "my.yaml") << yaml;
    }
  }
  EXPECT_THAT(log, AllOf(HasSubstr("Training shards: my-data/train, 1 shard, "),
                         HasSubstr("corpora: lines (my-text/*.txt)"),
                         HasSubstr("Validation shards: my-data/validation, "), Not(HasSubstr("warning"))));
  EXPECT_EQ(read_bytes(folder / "runs/my/config.yaml").find("quickstart"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(folder / "my-model/config.json"));
}

// Without a viewBox a browser cuts a picture that is wider than its page, instead of scaling it.
TEST(Readme, pictures_scale_to_the_width_of_a_page) {
  std::size_t pictures = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("docs")) {
    if (entry.path().extension() != ".svg") continue;
    ++pictures;
    const std::string svg = read_bytes(entry.path().string());
    EXPECT_THAT(svg.substr(0, svg.find('>')), HasSubstr(" viewBox=\"")) << entry.path();
  }
  EXPECT_GE(pictures, 5U);
}

}  // namespace
}  // namespace nystrom
