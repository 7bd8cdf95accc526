#include "data/corpus/wikipedia/languages.h"

#include <algorithm>
#include <array>

#include "data/corpus/wikipedia/language_tables.h"

namespace nystrom {
namespace {

using std::string_view;

constexpr auto kCodes = std::to_array<string_view>(
    {"aa",           "ab",    "ace",        "ady",       "af",       "ak",  "als",     "alt",
     "am",           "ami",   "an",         "ang",       "ann",      "anp", "ar",      "arc",
     "ary",          "arz",   "as",         "ast",       "atj",      "av",  "avk",     "awa",
     "ay",           "az",    "azb",        "ba",        "ban",      "bar", "bat-smg", "bbc",
     "bcl",          "bdr",   "be",         "be-tarask", "be-x-old", "bew", "bg",      "bh",
     "bi",           "bjn",   "blk",        "bm",        "bn",       "bo",  "bol",     "bpy",
     "br",           "bs",    "btm",        "bug",       "bxr",      "ca",  "cbk-zam", "cdo",
     "ce",           "ceb",   "ch",         "cho",       "chr",      "chy", "ckb",     "cmn",
     "co",           "cr",    "crh",        "cs",        "csb",      "cu",  "cv",      "cy",
     "cz",           "da",    "dag",        "de",        "dga",      "din", "diq",     "dk",
     "dsb",          "dtp",   "dty",        "dv",        "dz",       "ee",  "el",      "eml",
     "en",           "eo",    "es",         "et",        "eu",       "ext", "fa",      "fat",
     "ff",           "fi",    "fiu-vro",    "fj",        "fo",       "fon", "fr",      "frp",
     "frr",          "fur",   "fy",         "ga",        "gag",      "gan", "gcr",     "gd",
     "gl",           "glk",   "gn",         "gom",       "gor",      "got", "gpe",     "gsw",
     "gu",           "guc",   "gur",        "guw",       "gv",       "ha",  "hak",     "haw",
     "he",           "hi",    "hif",        "ho",        "hr",       "hsb", "ht",      "hu",
     "hy",           "hyw",   "hz",         "ia",        "iba",      "id",  "ie",      "ig",
     "igl",          "ii",    "ik",         "ilo",       "inh",      "io",  "is",      "isv",
     "it",           "iu",    "ja",         "jam",       "jbo",      "jp",  "jv",      "ka",
     "kaa",          "kab",   "kai",        "kaj",       "kbd",      "kbp", "kcg",     "kg",
     "kge",          "ki",    "kj",         "kk",        "kl",       "km",  "kn",      "knc",
     "ko",           "koi",   "kr",         "krc",       "ks",       "ksh", "ku",      "kus",
     "kv",           "kw",    "ky",         "la",        "lad",      "lb",  "lbe",     "lez",
     "lfn",          "lg",    "li",         "lij",       "lld",      "lmo", "ln",      "lo",
     "lrc",          "lt",    "ltg",        "lv",        "lzh",      "mad", "mag",     "mai",
     "map-bms",      "mdf",   "mg",         "mh",        "mhr",      "mi",  "min",     "minnan",
     "mk",           "ml",    "mn",         "mni",       "mnw",      "mo",  "mos",     "mr",
     "mrj",          "ms",    "mt",         "mus",       "mwl",      "my",  "myv",     "mzn",
     "na",           "nah",   "nan",        "nap",       "nb",       "nds", "nds-nl",  "ne",
     "new",          "ng",    "nia",        "nl",        "nn",       "no",  "nov",     "nqo",
     "nr",           "nrm",   "nso",        "nup",       "nv",       "ny",  "oc",      "olo",
     "om",           "or",    "os",         "pa",        "pag",      "pam", "pap",     "pcd",
     "pcm",          "pdc",   "pfl",        "pi",        "pih",      "pl",  "pms",     "pnb",
     "pnt",          "ppl",   "ps",         "pt",        "pwn",      "qu",  "rki",     "rm",
     "rmy",          "rn",    "ro",         "roa-rup",   "roa-tara", "rsk", "ru",      "rue",
     "rup",          "rw",    "sa",         "sah",       "sat",      "sc",  "scn",     "sco",
     "sd",           "se",    "sg",         "sgs",       "sh",       "shi", "shn",     "si",
     "simple",       "sk",    "skr",        "sl",        "sm",       "smn", "sn",      "so",
     "sq",           "sr",    "srn",        "ss",        "st",       "stq", "su",      "sv",
     "sw",           "syl",   "szl",        "szy",       "ta",       "tay", "tcy",     "tdd",
     "te",           "tet",   "tg",         "th",        "ti",       "tig", "tk",      "tl",
     "tly",          "tn",    "to",         "tok",       "tpi",      "tr",  "trv",     "ts",
     "tt",           "tum",   "tw",         "ty",        "tyv",      "udm", "ug",      "uk",
     "ur",           "uz",    "ve",         "vec",       "vep",      "vi",  "vls",     "vo",
     "vro",          "wa",    "war",        "wo",        "wuu",      "xal", "xh",      "xmf",
     "yi",           "yo",    "yue",        "za",        "zea",      "zgh", "zh",      "zh-cfr",
     "zh-classical", "zh-cn", "zh-min-nan", "zh-tw",     "zh-yue",   "zu"});

bool is_code_of(const WikiLanguage& language, string_view code) {
  bool found = false;
  for_each_name(language.code, [&](string_view each) { found = found || each == code; });
  return found;
}

const WikiLanguage* find_language(std::span<const WikiLanguage> table, string_view code) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const WikiLanguage& l) { return is_code_of(l, code); });
  return found == table.end() ? nullptr : &*found;
}

}  // namespace

const WikiLanguage* find_wiki_language(string_view code) {
  for (const string_view wanted : {code, code.substr(0, code.find('-'))})
    for (const auto& table : {latin_script_languages(), other_script_languages()})
      if (const WikiLanguage* found = find_language(table, wanted)) return found;
  return nullptr;
}

bool is_wiki_code(string_view code) {
  return std::binary_search(kCodes.begin(), kCodes.end(), code);
}

}  // namespace nystrom
