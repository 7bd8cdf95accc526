// Wikipedias in other languages than English.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "corpus_folder.h"
#include "data/corpus/wikipedia/pages.h"
#include "data/corpus/wikipedia/wikitext.h"

namespace nystrom {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Markup {
  const char* language;
  const char* wikitext;
  const char* prose;
};

std::string prose(const std::string& wikitext, const WikiSite& site) {
  std::string text;
  for (const auto& paragraph : wiki_prose(wikitext, site).paragraphs)
    text += (text.empty() ? "" : "\n") + paragraph;
  return text;
}

class WikitextOf : public ::testing::TestWithParam<Markup> {};

TEST_P(WikitextOf, reads_as_prose) {
  EXPECT_EQ(prose(GetParam().wikitext, wiki_site(GetParam().language)), GetParam().prose);
}

INSTANTIATE_TEST_SUITE_P(
    Files, WikitextOf,
    ::testing::Values(
        Markup{"de", "A[[Bild:x.jpg|mini|y]]", "A"}, Markup{"de", "A[[DATEI:x.jpg|y]]", "A"},
        Markup{"fr", "A[[Image:x|y]][[catégorie:Z]]", "A"}, Markup{"es", "A[[imagen:x|y]]", "A"},
        Markup{"ru", "А[[Изображение:x|y]][[ФАЙЛ:x|y]]", "А"}, Markup{"uk", "А[[зображення:x|y]]", "А"},
        Markup{"ar", "ا[[صورة:x|y]]", "ا"}, Markup{"fa", "ا[[تصویر:x|y]]", "ا"},
        Markup{"ja", "あ[[画像:x|y]][[ファイル:x|y]]", "あ"},
        Markup{"zh", "中[[檔案:x|y]][[图像:x|y]]", "中"}, Markup{"nl", "A[[Afbeelding:x|y]]", "A"},
        Markup{"it", "A[[Immagine:x|y]]", "A"}, Markup{"pl", "A[[Grafika:x|y]]", "A"},
        Markup{"pt", "A[[Imagem:x|y]][[Arquivo:x|y]]", "A"},
        Markup{"vi", "A[[Tập_tin:x|y]][[hình:x|y]]", "A"}, Markup{"ceb", "A[[Payl:x|y]]", "A"},
        Markup{"war", "A[[Paypay:x|y]]", "A"}, Markup{"sv", "A[[Fil:x|y]][[Bild:x|y]]", "A"},
        Markup{"ca", "A[[Imatge:x|y]]", "A"}, Markup{"tr", "A[[RESİM:x|y]]", "A"},
        Markup{"ko", "가[[그림:x|y]]", "가"}, Markup{"he", "א[[תמונה:x|y]]", "א"},
        Markup{"hi", "अ[[चित्र:x|y]]", "अ"}, Markup{"no", "A[[Bilde:x|y]]", "A"},
        Markup{"en", "A[[Bild:Form|b]]", "Ab"}, Markup{"xx", "A[[Ofbylding:Foto.JPG|y]]", "A"},
        Markup{"xx", "A [[commons:x.jpg|y]] [[:Ofbylding:x.png|z]]", "A y z"}));

INSTANTIATE_TEST_SUITE_P(Interwiki, WikitextOf,
                         ::testing::Values(Markup{"de", "A [[en:Thing]]", "A"},
                                           Markup{"de", "A [[:en:Thing|b]]", "A b"},
                                           Markup{"de", "A [[de:Ding|b]]", "A b"},
                                           Markup{"de", "[[re:publica]]", "re:publica"},
                                           Markup{"de", "A [[zh-min-nan:X]][[be-x-old:X]]", "A"},
                                           Markup{"fr", "[[voy:Paris|b]] [[mw:Aide|c]]", "b c"}));

INSTANTIATE_TEST_SUITE_P(
    Sections, WikitextOf,
    ::testing::Values(
        Markup{"de", "A.\n== EINZELNACHWEISE ==\nx y z.\n== Mehr ==\nB.", "A.\nB."},
        Markup{"de", "== Literatur ==\n* x y.\nEr schrieb.\n", "Er schrieb."},
        Markup{"fr", "A.\n== Liens externes ==\nx.\n== Voir aussi ==\ny.", "A."},
        Markup{"es", "A.\n==Véase también==\nx.", "A."}, Markup{"it", "A.\n== Voci correlate ==\nx.", "A."},
        Markup{"ru", "А.\n== Примечания ==\nx.\n== Ссылки ==\nx.", "А."},
        Markup{"ja", "文。\n== 脚注 ==\nx。\n== 外部リンク ==\nx。", "文。"},
        Markup{"zh", "文。\n== 參考資料 ==\nx。\n== 外部链接 ==\nx。", "文。"},
        Markup{"ar", "نص.\n== المراجع ==\nx.", "نص."}, Markup{"pl", "A.\n== Przypisy ==\nx.", "A."},
        Markup{"uk", "А.\n== Див. також ==\nx.", "А."}, Markup{"pt", "A.\n== Ligações externas ==\nx.", "A."},
        Markup{"vi", "A.\n== Liên kết ngoài ==\nx.", "A."}, Markup{"ko", "글.\n== 같이 보기 ==\nx.", "글."},
        Markup{"en", "A.\n== Quellen ==\nx.", "A.\nx."}));

INSTANTIATE_TEST_SUITE_P(
    Stops, WikitextOf,
    ::testing::Values(Markup{"zh", "* 水深嗎？\n* 名字\n* 「走吧！」", "水深嗎？\n「走吧！」"},
                      Markup{"hi", "* नदी आती है।\n* नाम", "नदी आती है।"},
                      Markup{"fa", "* آب سرد است؟\n* نام", "آب سرد است؟"},
                      Markup{"ur", "* یہ دریا ہے۔\n* نام", "یہ دریا ہے۔"},
                      Markup{"hy", "* Գետը հոսում է։\n* Անուն", "Գետը հոսում է։"},
                      Markup{"ru", "* Это названия рек, озёр и гор, записанные без точки", ""}));

INSTANTIATE_TEST_SUITE_P(Parentheses, WikitextOf,
                         ::testing::Values(Markup{"zh", "城（{{x}}）很老。", "城很老。"},
                                           Markup{"zh", "城（{{x}}，建於{{y}}）。", "城（建於）。"},
                                           Markup{"ja", "町（{{x}}、{{y}}）は古い「{{z}}」。", "町は古い。"},
                                           Markup{"zh", "城，{{x}}，有橋。", "城，有橋。"},
                                           Markup{"ar", "مدينة ({{x}}، قديمة).", "مدينة (قديمة)."},
                                           Markup{"fr", "Il dit « {{x}} ».", "Il dit."},
                                           Markup{"de", "Er sagte „{{x}}“ dort.", "Er sagte dort."},
                                           Markup{"ja", "一・二・・・", "一・二・・・"}));

INSTANTIATE_TEST_SUITE_P(
    Templates, WikitextOf,
    ::testing::Values(Markup{"en", "({{langx|de|Wort}}) costs {{£|30}}, {{€|34}}, {{HK$|5}}.",
                             "(Wort) costs £30, €34, HK$5."},
                      Markup{"fr", "au {{s|XVIII}}, {{unité|25|km}}, à {{heure|8|30}}",
                             "au XVIIIe siècle, 25 km, à 8 h 30"},
                      Markup{"fr", "2{{e}} le {{date|1|mai|1931}}", "2e le 1 mai 1931"},
                      Markup{"en", "5{{e|6}}", "5×10^6"},
                      Markup{"de", "({{frS|mot}}) auf {{Höhe|812}}", "(mot) auf 812 m"},
                      Markup{"ja", "{{読み仮名|城|しろ}}は{{仮リンク|村|en|Village}}", "城（しろ）は村"},
                      Markup{"zh", "王某（{{bd|1931年|5月1日|2000年|1月2日}}）、{{link-en|村|Village}}",
                             "王某（1931年5月1日－2000年1月2日）、村"},
                      Markup{"ru", "{{нп5|Город|городе|en|Town}} и {{lang-en|word}}", "городе и word"},
                      Markup{"hu", "({{ny-en|word}})", "(word)"},
                      Markup{"es", "{{siglo|XVIII}} {{unidad|5|km}}", "siglo XVIII 5 km"}));

INSTANTIATE_TEST_SUITE_P(MagicWords, WikitextOf,
                         ::testing::Values(Markup{"de", "__KEIN_INHALTSVERZEICHNIS__A", "A"},
                                           Markup{"ru", "__БЕЗ_ОГЛ__А __notoc__", "А"},
                                           Markup{"en", "a __init__ b", "a __init__ b"},
                                           Markup{"tr", "__İÇİNDEKİLERYOK__A", "A"}));

TEST(WikiPages, redirects_are_known_in_every_language) {
  const auto redirects = [](const char* text, const char* language) {
    return is_redirect(text, wiki_site(language));
  };
  EXPECT_TRUE(redirects("#WEITERLEITUNG [[X]]", "de"));
  EXPECT_TRUE(redirects("#перенаправление [[X]]", "ru"));
  EXPECT_TRUE(redirects("#ПЕРЕНАПРАВЛЕНИЕ: [[X]]", "ru"));
  EXPECT_TRUE(redirects("＃転送[[X]]", "ja"));
  EXPECT_TRUE(redirects("#تغییر_مسیر [[X]]", "fa"));
  EXPECT_TRUE(redirects("#REDIRECT [[X]]", "fr"));
  EXPECT_TRUE(redirects("#redirect[[X]]", ""));
  EXPECT_FALSE(redirects("#al domo", "eo"));
  EXPECT_FALSE(redirects("#WEITERLEITUNG [[X]]", "fr"));
  EXPECT_FALSE(redirects("# WEITER", "de"));
}

TEST(WikiPages, disambiguation_pages_lists_and_stubs_are_known_in_other_languages) {
  EXPECT_TRUE(is_disambiguation("X", "{{Begriffsklärung}}", wiki_site("de")));
  EXPECT_TRUE(is_disambiguation("X (HOMONYMIE)", "", wiki_site("fr")));
  EXPECT_TRUE(is_disambiguation("X", "{{ujednoznacznienie}}", wiki_site("pl")));
  EXPECT_TRUE(is_disambiguation("X", "__DISAMBIG__", wiki_site("zh")));
  EXPECT_FALSE(is_disambiguation("X (Stadt)", "{{Infobox}}", wiki_site("de")));
  EXPECT_TRUE(is_list("Liste der Berge", wiki_site("de")));
  EXPECT_TRUE(is_list("日本の山一覧", wiki_site("ja")));
  EXPECT_TRUE(is_list("Anexo:Montañas", wiki_site("es")));
  EXPECT_FALSE(is_list("Liste der Berge", wiki_site("en")));
  EXPECT_TRUE(is_stub("{{ébauche|géographie}}", wiki_site("fr")));
  EXPECT_TRUE(is_stub("{{Geo-stub}}", wiki_site("ru")));
  EXPECT_FALSE(is_stub("{{Infobox}}", wiki_site("ru")));
}

TEST(WikiSites, are_identified_by_the_header) {
  const auto site = site_of_header(
      "<mediawiki version=\"0.11\" xml:lang=\"de\"><siteinfo><dbname>dewiki</dbname><namespaces>"
      "<namespace key=\"0\" /><namespace key=\"6\">Datei</namespace></namespaces></siteinfo>");
  EXPECT_EQ(site.language, "de");
  EXPECT_TRUE(site.hidden.has("bild"));
  EXPECT_EQ(site_of_header("<dbname>zh_min_nanwiki</dbname>").language, "zh-min-nan");
  // A language that no table knows: the header's names, in any case.
  const auto other = site_of_header(
      "<mediawiki xml:lang=\"fy\"><namespace key=\"6\">Ofbylding</namespace>"
      "<namespace key=\"14\">Kategory</namespace>");
  EXPECT_EQ(prose("A[[OFBYLDING:x|y]][[kategory:B]] [[File:x|y]]", other), "A");
  EXPECT_EQ(prose("А[[ФАЙЛ:x|y]]", site_of_header("<namespace key=\"6\">Файл</namespace>")), "А");
}

TEST(Wikipedia, the_language_of_a_dump_is_that_of_its_sentences) {
  const auto folder = testing::made_folder("wiki");
  const auto language_in = [&](const std::string& code) {
    const std::string dump =
        "<mediawiki xml:lang=\"" + code +
        "\"><page><title>A</title><ns>0</ns><id>1</id><revision><text>B.</text></revision></page>";
    const auto corpus =
        open_corpus({.kind = "wikipedia", .path = testing::write_file(folder / (code + ".xml"), dump)});
    RawDocument raw;
    EXPECT_TRUE(corpus->next(raw));
    return corpus->extract(raw).language;
  };
  EXPECT_EQ(language_in("de"), Language::kGerman);
  EXPECT_EQ(language_in("en"), Language::kEnglish);
  EXPECT_EQ(language_in("sv"), std::nullopt);
}

}  // namespace
}  // namespace nystrom
