// Sentence boundaries in thirteen languages, on texts of our own (tests/data/text/sentences: a sentence a
// line, a blank line between paragraphs), and how a text's language is recognized.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "data/text/case_folding.h"
#include "data/text/language.h"
#include "data/text/sentences.h"

namespace nystrom {
namespace {

using Strings = std::vector<std::string>;
using Places = std::set<std::size_t>;

std::vector<Strings> paragraphs_of(const std::string& code) {
  std::ifstream file(std::filesystem::path(NYSTROM_SENTENCES) / (code + ".txt"));
  std::vector<Strings> paragraphs(1);
  for (std::string line; std::getline(file, line);) {
    if (line.empty())
      paragraphs.emplace_back();
    else
      paragraphs.back().push_back(line);
  }
  return paragraphs;
}

/// The text of a paragraph, and where its sentences end, the last one's end left out.
struct Paragraph {
  std::string text;
  Places ends;
};

Paragraph joined(const Strings& sentences, const std::string& blank) {
  Paragraph paragraph;
  for (const auto& sentence : sentences) {
    if (!paragraph.text.empty()) {
      paragraph.ends.insert(paragraph.text.size());
      paragraph.text += blank;
    }
    paragraph.text += sentence;
  }
  return paragraph;
}

Places found_ends(const std::string& text, const Strings& sentences) {
  Places ends;
  std::size_t at = 0;
  for (const auto& sentence : sentences) {
    at = text.find(sentence, at) + sentence.size();
    ends.insert(at);
  }
  ends.erase(text.size());
  return ends;
}

struct Measured {
  const char* code;
  std::size_t sentences;  ///< in the file
  double f1;              ///< of the boundaries inside paragraphs, with two digits, rounded down
  double f1_unknown;      ///< the same where the language is not given but recognized
};

class LanguageSentences : public ::testing::TestWithParam<Measured> {};

double f1_of(const Measured& of, bool given) {
  const std::string code = of.code;
  const std::string blank = code == "zh" || code == "ja" ? "" : " ";
  SentenceSplitter splitter;
  double right = 0, found = 0, there = 0;
  for (const auto& sentences : paragraphs_of(code)) {
    const Paragraph paragraph = joined(sentences, blank);
    const Language language = given ? *language_of(code) : detect_language({paragraph.text});
    const Places ends = found_ends(paragraph.text, splitter.split(paragraph.text, language));
    for (const std::size_t end : ends) right += paragraph.ends.contains(end) ? 1 : 0;
    found += static_cast<double>(ends.size());
    there += static_cast<double>(paragraph.ends.size());
  }
  return 2 * right / (found + there);
}

TEST_P(LanguageSentences, end_where_a_reader_ends_them) {
  std::size_t count = 0;
  for (const auto& sentences : paragraphs_of(GetParam().code)) count += sentences.size();
  EXPECT_EQ(count, GetParam().sentences);
  EXPECT_GE(f1_of(GetParam(), true), GetParam().f1);
}

TEST_P(LanguageSentences, end_there_too_where_the_language_is_not_given) {
  EXPECT_GE(f1_of(GetParam(), false), GetParam().f1_unknown);
}

INSTANTIATE_TEST_SUITE_P(Measured, LanguageSentences,
                         ::testing::Values(Measured{"en", 76, 0.98, 0.98}, Measured{"de", 76, 0.99, 0.99},
                                           Measured{"fr", 76, 1.0, 1.0}, Measured{"es", 76, 1.0, 1.0},
                                           Measured{"it", 76, 1.0, 0.99}, Measured{"nl", 76, 1.0, 1.0},
                                           Measured{"pt", 76, 1.0, 1.0}, Measured{"pl", 76, 1.0, 0.99},
                                           Measured{"ru", 76, 1.0, 1.0}, Measured{"zh", 75, 0.98, 0.98},
                                           Measured{"ja", 75, 0.99, 0.99}, Measured{"ar", 76, 1.0, 1.0},
                                           Measured{"hi", 75, 1.0, 1.0}),
                         [](const auto& test) { return std::string(test.param.code); });

struct Case {
  const char* code;
  Strings sentences;
};

class SentencesOf : public ::testing::TestWithParam<Case> {};

TEST_P(SentencesOf, are_found) {
  const std::string code = GetParam().code;
  const Paragraph paragraph = joined(GetParam().sentences, code == "zh" || code == "ja" ? "" : " ");
  EXPECT_EQ(SentenceSplitter().split(paragraph.text, *language_of(code)), GetParam().sentences);
}

INSTANTIATE_TEST_SUITE_P(
    Table, SentencesOf,
    ::testing::Values(
        Case{"de", {"Am 3. Oktober 1990 war es warm.", "Im 19. Jahrhundert z. B. nicht."}},
        Case{"de", {"Er war 45.", "Sie war 40."}}, Case{"de", {"»Komm!«", "»Ich komme.«"}},
        Case{"fr", {"« Oui. »", "Elle partit."}}, Case{"fr", {"« Non ! » cria-t-il.", "L'hiver vint."}},
        Case{"es", {"La casa S. A. vende.", "¿Qué?"}}, Case{"it", {"Parla l'avv. Greco.", "Tutti tacciono."}},
        Case{"nl", {"Het was laat.", "'s Morgens sliep hij."}},
        Case{"pl", {"Było to w 1954 r. w Łodzi.", "Padało."}},
        Case{"ru", {"Родился в 1799 г. в Москве.", "— Кто?", "— А. С. Волков."}},
        Case{"zh", {"他走了。", "“再见！”她说。", "天黑了。"}},
        Case{"zh", {"古桥（见图。）长80米。", "（完。）"}},
        Case{"ja", {"「行こう。」と言った。", "「はい。」", "雨だ。"}},
        Case{"ar", {"جاء د. سالم.", "«لماذا؟» سأل."}}, Case{"hi", {"डॉ. वर्मा आए।", "“क्यों?” मीरा ने पूछा।"}}));

TEST(Sentences, of_another_script_need_no_language) {
  EXPECT_EQ(SentenceSplitter().split("В 1954 г. в Туле. Потом. डॉ. वर्मा आए। घर।"),
            (Strings{"В 1954 г. в Туле.", "Потом.", "डॉ. वर्मा आए।", "घर।"}));
}

TEST(Language, is_recognized_by_common_words_and_else_is_english) {
  EXPECT_EQ(detect_language({"Das war z. B. im Radio zu hören."}), Language::kGerman);
  EXPECT_EQ(detect_language({"The war was on in the West, and so it was for the man."}), Language::kEnglish);
  EXPECT_EQ(detect_language({"La La Land"}), Language::kEnglish) << "of several languages";
  EXPECT_EQ(detect_language({"Den gamla staden har en bro och ett torg som inte är stort."}),
            Language::kEnglish)
      << "Swedish has no rules, and is not taken for Dutch";
  EXPECT_EQ(detect_language({"Das"}), Language::kEnglish);
  EXPECT_EQ(detect_language({}), Language::kEnglish);
  EXPECT_EQ(detect_language({"Річка тече до моря."}), Language::kRussian) << "any text in Cyrillic letters";
}

TEST(Language, of_a_code_is_found_for_any_country) {
  EXPECT_EQ(language_of("de"), Language::kGerman);
  EXPECT_EQ(language_of("pt-BR"), Language::kPortuguese);
  EXPECT_EQ(language_of("zh_TW"), Language::kChinese);
  EXPECT_EQ(language_of("sv"), std::nullopt);
  EXPECT_EQ(language_of(""), std::nullopt);
}

TEST(CaseFolding, holds_for_every_script) {
  EXPECT_EQ(case_folded("FILE Größe ÀÉ"), "file größe àé");
  EXPECT_EQ(case_folded("ФАЙЛ ΑΡΧΕΊΟ"), case_folded("файл αρχείο"));
  EXPECT_EQ(case_folded("YÖNLENDİRME BAĞLANTI"), case_folded("yönlendirme bağlantı"));
  EXPECT_EQ(case_folded("\xFF"
                        "A画"),
            "\xFF"
            "a画");
}

}  // namespace
}  // namespace nystrom
