#include "data/text/language.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "data/text/ascii.h"
#include "data/text/case_folding.h"

namespace nystrom {
namespace {

using std::string_view;

/// Common words of a language. Of languages without rules here too, lest their texts pass for another's.
struct CommonWords {
  Language language;
  string_view words;
};

constexpr Language kOther = Language::kEnglish;

constexpr auto kCommonWords = std::to_array<CommonWords>({
    {Language::kEnglish,
     "the of and to in a is was that for as with his he on by at from are were it this not but be which had have "
     "an or they her she their also you i we there been who all has will can my your so if when would what its "
     "into more only no out up do did than then them some one about man die am war die hat her an so will"},
    {Language::kGerman,
     "der die das und ist nicht ein eine einen einem einer eines den dem des im in zu zum zur von vom mit auf für "
     "als auch es sich er sie wir ich ihr wurde wird war waren sind hat hatte haben an am bei nach aus um über wie "
     "oder aber dass noch nur so wenn man kann sein seine ihre durch vor bis unter zwischen gegen ohne werden"},
    {Language::kFrench,
     "le la les des du de et est un une dans en que qui pour pas sur par au aux avec ce cette ces il elle ils elles "
     "ne se son sa ses sont était été plus ou où mais comme nous vous je tu on leur leurs fut être avait dont sans "
     "sous entre après avant même aussi très tout tous"},
    {Language::kSpanish,
     "el la los las de del y en que es un una por con para no se su sus al lo como más pero fue era son está entre "
     "cuando muy sin sobre también hasta desde este esta estos estas ya o porque donde ha han él ella ellos yo "
     "nos me le les si qué había ser"},
    {Language::kItalian,
     "il lo la i gli le di del della dello dei degli delle e è un uno una in nel nella nei con per che non si da "
     "dal dalla al alla ai come più ma anche sono era fu suo sua suoi loro questo questa cui tra fra su sul sulla "
     "ha hanno ed dopo quando dove"},
    {Language::kDutch,
     "de het een van en in is op dat te met voor zijn niet aan er om ook als door bij maar uit nog naar dan ze hij "
     "zij wordt werd worden was waren heeft had hebben over tot deze dit die of wel geen na onder tegen haar hun "
     "wij ik je u"},
    {Language::kPortuguese,
     "o a os as de do da dos das e é em no na nos nas um uma que para com por não se ao à aos às como mais mas foi "
     "era são está pelo pela entre quando muito sem sobre também até este esta isso seu sua seus suas ele ela eles "
     "já ou ser tem têm"},
    {Language::kPolish,
     "i w z na do nie się jest to że o od po za przez dla jak ale był była było były są oraz który która które "
     "tego tym jego jej ich przed pod nad między może tylko już czy co gdy także być ze we ten ta te po u a"},
    // Swedish, Danish, Norwegian, Catalan, Romanian, Czech, Hungarian, Finnish, Turkish, Indonesian,
    // Vietnamese.
    {kOther,
     "och att är på av som för med den det till ett inte om hade eller men från vid og jeg ikke af til er blev ble "
     "fra har kan som på å hun han amb els les dels és la que per al va ser més i și în cu din care este pe la nu "
     "a fost se je že na ve byl byla jsou jako který pro az és egy hogy nem volt is ja on ei että oli se ovat bir "
     "ve bu için ile olarak da de yang dan di ini itu dengan untuk dari pada adalah và của là có được trong cho"},
});

using Mask = std::uint32_t;
constexpr std::size_t kGroups = kCommonWords.size();

std::unordered_map<string_view, Mask> word_masks() {
  std::unordered_map<string_view, Mask> masks;
  for (std::size_t group = 0; group < kGroups; ++group) {
    string_view words = kCommonWords.at(group).words;
    while (!words.empty()) {
      const std::size_t end = std::min(words.find(' '), words.size());
      masks[words.substr(0, end)] |= Mask{1} << group;
      words.remove_prefix(std::min(end + 1, words.size()));
    }
  }
  return masks;
}

bool is_letter(char c) {
  return is_ascii_letter(c) || static_cast<unsigned char>(c) >= 0x80;
}

bool is_cyrillic(string_view word) {
  const auto lead = static_cast<unsigned char>(word.front());
  return lead >= 0xD0 && lead <= 0xD4;
}

/// Counts common words until one language leads clearly.
class Votes {
 public:
  /// True once no more words are needed.
  bool add(string_view paragraph) {
    for (std::size_t at = 0; at < paragraph.size();) {
      while (at < paragraph.size() && !is_letter(paragraph[at])) ++at;
      std::size_t end = at;
      while (end < paragraph.size() && is_letter(paragraph[end])) ++end;
      if (end > at && end - at <= kMaxWordBytes && count(paragraph.substr(at, end - at))) return true;
      at = end;
    }
    return false;
  }

  [[nodiscard]] Language winner() const {
    if (2 * cyrillic_ > words_) return Language::kRussian;
    const auto best = std::max_element(votes_.begin(), votes_.end());
    const std::size_t group = static_cast<std::size_t>(best - votes_.begin());
    constexpr int kMinVotes = 2;
    const bool alone = std::count(votes_.begin(), votes_.end(), *best) == 1;
    const bool clear = alone && *best >= kMinVotes && *best >= 2 * votes_.front();
    return clear ? kCommonWords.at(group).language : Language::kEnglish;
  }

 private:
  static constexpr std::size_t kMaxWordBytes = 12;  // bytes
  static constexpr int kClearLead = 6, kEnoughCyrillic = 6, kEnoughWords = 1000;

  bool count(string_view word) {
    static const std::unordered_map<string_view, Mask> masks = word_masks();
    if (++words_ > kEnoughWords) return true;
    if (is_cyrillic(word)) return ++cyrillic_ >= kEnoughCyrillic && 2 * cyrillic_ > words_;
    const auto found = masks.find(case_folded(word));
    if (found == masks.end()) return false;
    for (std::size_t group = 0; group < kGroups; ++group)
      votes_.at(group) += (found->second >> group & 1U) != 0 ? 1 : 0;
    std::array<int, kGroups> sorted = votes_;
    std::nth_element(sorted.begin(), sorted.begin() + 1, sorted.end(), std::greater<>());
    return *std::max_element(votes_.begin(), votes_.end()) - sorted.at(1) >= kClearLead;
  }

  std::array<int, kGroups> votes_{};
  int words_ = 0, cyrillic_ = 0;
};

}  // namespace

std::optional<Language> language_of(string_view code) {
  return find_named<Language>(code.substr(0, code.find_first_of("-_")));
}

Language detect_language(const std::vector<std::string>& paragraphs) {
  Votes votes;
  for (const auto& paragraph : paragraphs)
    if (votes.add(paragraph)) break;
  return votes.winner();
}

}  // namespace nystrom
