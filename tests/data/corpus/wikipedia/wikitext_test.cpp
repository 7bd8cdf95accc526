#include "data/corpus/wikipedia/wikitext.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>

#include "corpus_folder.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

const WikiSite kEnglish = wiki_site("en");

std::vector<std::string> paragraphs(const std::string& wikitext) {
  return wiki_prose(wikitext, kEnglish).paragraphs;
}

std::string prose(const std::string& wikitext) {
  std::string text;
  for (const auto& paragraph : paragraphs(wikitext)) text += (text.empty() ? "" : "\n") + paragraph;
  return text;
}

struct Markup {
  const char* wikitext;
  const char* prose;
};

class Wikitext : public ::testing::TestWithParam<Markup> {};

TEST_P(Wikitext, reads_as_prose) {
  EXPECT_EQ(prose(GetParam().wikitext), GetParam().prose);
}

INSTANTIATE_TEST_SUITE_P(Links, Wikitext,
                         ::testing::Values(Markup{"a [[b]] c", "a b c"}, Markup{"a [[b|c d]] e", "a c d e"},
                                           Markup{"[[bus]]es", "buses"},
                                           Markup{"[[:File:x.jpg|shown]]", "shown"},
                                           Markup{"[[File:x.jpg|thumb|A [[caption]].]]Text", "Text"},
                                           Markup{"Text [[Category:Things]]", "Text"},
                                           Markup{"Text [[de:Ding]] [[zh-yue:X]]", "Text"},
                                           Markup{"[[Mercury (planet)|]] shines", "Mercury shines"},
                                           Markup{"see [http://example.org the site].", "see the site."},
                                           Markup{"bare [http://example.org] link", "bare link"},
                                           Markup{"keep [sic] this", "keep [sic] this"},
                                           Markup{"[[open link\n\nnext", "open link\nnext"},
                                           Markup{"a ]] b", "a b"}, Markup{"[[a|b [http://x.org c]]]", "b c"},
                                           Markup{"[[wikt:word|word]]s", "words"}));

INSTANTIATE_TEST_SUITE_P(
    Templates, Wikitext,
    ::testing::Values(
        Markup{"a{{cite web|url=x}} b", "a b"}, Markup{"{{Infobox|a={{b|c}}|d=[[e|f]]}}Text", "Text"},
        Markup{"{{convert|5|km|mi}} away", "5 km away"}, Markup{"{{convert|6|ft|2|in}}", "6 feet 2 inches"},
        Markup{"{{Convert|5|to|10|C}}", "5 to 10 \u00B0C"}, Markup{"the {{lang|fr|mot}}", "the mot"},
        Markup{"({{lang-de|Wort}})", "(Wort)"}, Markup{"{{nowrap|a [[b|c]]}} d", "a c d"},
        Markup{"born ({{IPAc-en|x}}) here", "born here"},
        Markup{"He ({{IPAc-en|x}}; born 1900) was", "He (born 1900) was"}, Markup{"1{{ndash}}2", "1\u20132"},
        Markup{"{{as of|2010|5}} it", "As of May 2010 it"},
        Markup{"{{start date|2010|5|12}}", "May 12, 2010"},
        Markup{"{{start date|2010|5|12|df=y}}", "12 May 2010"}, Markup{"{{frac|3|1|2}}", "3 1/2"},
        Markup{"{{chem|H|2|O}}", "H2O"}, Markup{"{{USS|Hornet|CV-8}}", "USS Hornet"},
        Markup{"{{formatnum:1234}}", "1234"}, Markup{"before {{quote|Said.}} after", "before\nSaid.\nafter"},
        Markup{"at {{Coord|13|19|N|169|9|W|type:event}}, far", "at 13\u00B019\u2032N 169\u00B09\u2032W, far"},
        Markup{"{{coord|1|2|N|3|4|E|display=title}}Text", "Text"},
        Markup{"A{{music|flat}} minor", "A\u266D minor"}, Markup{"'so.{{' \"}} She", "'so.'\" She"},
        Markup{"{{bibleref|Mark|3:25|9}}, it", "Mark 3:25, it"},
        Markup{"{{OldStyleDate|May 2|1905|April 19}}", "May 2 [O.S. April 19] 1905"},
        Markup{"the phoneme {{IPAslink|x}} is", "the phoneme /x/ is"}, Markup{"{{quote|text=a=b}}", "a=b"},
        Markup{"{{small|1=x = y}}", "x = y"},
        Markup{"a {{unclosed|b=c\n\nnext paragraph", "a\nnext paragraph"},
        Markup{"a {{unclosed [[b]]", "a unclosed b"}, Markup{"a {{x|[[open}} b", "a b"},
        Markup{"a }} b", "a b"}, Markup{"{{{1|x}}}text", "text"},
        Markup{"{{a|b=\nc\n\nd\n== Head ==\nText", "d\nText"}));

INSTANTIATE_TEST_SUITE_P(
    Tags, Wikitext,
    ::testing::Values(Markup{"a<ref>note {{x}}</ref> b", "a b"}, Markup{"a<ref name=\"x\"/> b", "a b"},
                      Markup{"a<ref name=x />b<ref>c</ref>", "ab"}, Markup{"a<REF>x</Ref>b", "ab"},
                      Markup{"a <!-- [[x --> b", "a b"}, Markup{"a<ref>never closed\nb", "a b"},
                      Markup{"a<ref>x</ref name\"y\"> z|u=v</ref > b", "a b"}, Markup{"x<sup>2</sup>", "x2"},
                      Markup{"10<sup>30</sup>", "10^30"}, Markup{"5<sup>th</sup>", "5th"},
                      Markup{"10<SUP>&minus;3</SUP>", "10^\u22123"}, Markup{"2<sup>''n''</sup>", "2^n"},
                      Markup{"5<sup>h</sup>35<sup>m</sup>", "5h35m"}, Markup{"(a+b)<sup>2</sup>", "(a+b)^2"},
                      Markup{"1010<sub>2</sub>", "1010_2"}, Markup{"H<sub>2</sub>O", "H2O"},
                      Markup{"SO<sub>4</sub><sup>2-</sup>", "SO4^2-"},
                      Markup{"3<sup>1</sup>/<sub>2</sub>", "3 1/2"}, Markup{"4{{sup|2}}", "4^2"},
                      Markup{"101{{sub|2}}", "101_2"}, Markup{"2{{sup|nd}}", "2nd"},
                      Markup{"5{{x10^|6}}", "5\u00d710^6"}, Markup{"{{chem|SO|4|2-}}", "SO4^2-"},
                      Markup{"a<br/>b", "a b"}, Markup{"<nowiki>[[x]] ''</nowiki>", "[[x]] ''"},
                      Markup{"<math>x</math> is <math>\\frac{1}{2}</math> big", "x is big"},
                      Markup{"<gallery>\nA.jpg|x\n</gallery>Text", "Text"},
                      Markup{"a < b and c > d", "a < b and c > d"},
                      Markup{"<div class=\"x\">In</div>Out", "In\nOut"},
                      Markup{"<table><tr><td>x</td></tr></table>Text", "Text"},
                      Markup{"<source lang=\"c\">int x;</source>Text", "Text"},
                      Markup{"&lt;b&gt; &amp; &#8211; &eacute;", "<b> & \u2013 \u00e9"},
                      Markup{"AT&T &unknown; x", "AT&T &unknown; x"},
                      Markup{"''i'' '''b''' '''''bi''''' o'clock", "i b bi o'clock"},
                      Markup{"__NOTOC__ a __b", "a __b"}, Markup{"-{zh-hans:one; zh-hant:two}- x", "one x"}));

INSTANTIATE_TEST_SUITE_P(
    Blocks, Wikitext,
    ::testing::Values(Markup{"{| class=x\n|-\n| a || b\n|}\nText", "Text"},
                      Markup{"{|\n|{{x|y}}\n{|\n|in\n|}\n|out\n|}\nText", "Text"},
                      Markup{"{|\n| never closed\n\n== Head ==\nText", "Text"},
                      Markup{"== Head ==\nText", "Text"}, Markup{"one\ntwo\n\nthree", "one two\nthree"},
                      Markup{"* A b.\n* C d?\n# \"E.\"\n: f\n; g : h", "A b.\nC d?\n\"E.\"\nf"},
                      Markup{"a\n----\nb", "a\nb"},
                      Markup{"Text\n== References ==\n* x\n=== Sub ===\ny\n== More ==\nEnd", "Text\nEnd"},
                      Markup{"== Literature ==\n* x y z.\nThey wrote.\n== More ==\nEnd", "They wrote.\nEnd"},
                      Markup{"| stray row\nText", "Text"}, Markup{"a , b . c", "a, b. c"},
                      Markup{"it is: {{x}}. So: {{x}}, y", "it is. So: y"}, Markup{"x ( ) y \"\" z", "x y z"},
                      Markup{"{{x}}\n----\n!!", ""}));

TEST(WikiProse, accounts_for_every_character) {
  const std::string text =
      "A{{cite|x}} [[File:a.png|b {{c}}]] '''b'''<ref>r</ref>\n{|\n|x\n|}\n== H ==\n== See also ==\n* z\n";
  const auto result = wiki_prose(text, kEnglish);
  std::int64_t sum = 0;
  for (const auto& [reason, count] : result.dropped) sum += count;
  for (const auto& paragraph : result.paragraphs) sum += count_characters(paragraph);
  EXPECT_EQ(sum, static_cast<std::int64_t>(text.size()));
  EXPECT_EQ(result.dropped.at("templates"), 10);
  EXPECT_EQ(result.dropped.at("files and categories"), 22);
  EXPECT_EQ(result.dropped.at("references"), 12);
  EXPECT_EQ(result.dropped.at("tables"), 8);
}

TEST(WikiProse, time_is_linear_and_the_stack_safe_for_any_nesting) {
  const auto seconds = [](const std::string& unit, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += unit;
    const std::clock_t start = std::clock();  // CPU time: other programs do not count
    (void)wiki_prose(text, kEnglish);
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  };
  for (const auto* unit :
       {"{{", "[[",    "{{a|", "[[a|b", "{|\n", "<ref>",  "<!--", "<gallery>", "[http://x ", "-{",     "'",
        "}}", "<a \"", "&",    "{{{",   "((",   "\n=={{", "<",    "_",         "[[File:",    "}} {{x|"}) {
    EXPECT_LT(seconds(unit, 1000000), 5.0) << unit;
  }
}

std::string page(const std::string& title, int name_space, const std::string& inside) {
  return "<page><title>" + title + "</title><ns>" + std::to_string(name_space) + "</ns><id>" +
         std::to_string(title.size()) + "</id>" + inside + "</page>\n";
}
std::string revision(const std::string& text) {
  return "<revision><id>9</id><text xml:space=\"preserve\">" + text + "</text></revision>";
}

std::string dump() {
  return "<mediawiki><siteinfo><namespaces><namespace key=\"6\">Datei</namespace></namespaces></siteinfo>\n" +
         page("One &amp; all", 0,
              revision("'''One''' &amp;amp; &lt;ref&gt;x&lt;/ref&gt;all. [[Datei:x.jpg|y]]")) +
         page("Two", 0, "<redirect title=\"One\" />" + revision("#REDIRECT [[One]]")) +
         page("Talk:One", 1, revision("Talk.")) +
         page("Thr", 0, "<revision><text bytes=\"0\" /></revision>") +
         page("Four", 0, revision("Plain text.")) + "</mediawiki>\n";
}

TEST(Wikipedia, articles_are_read_and_all_else_is_counted) {
  const auto folder = testing::made_folder("wiki");
  for (const auto& packed : {dump(), testing::bzip2(dump()), testing::zstd(dump())}) {
    const auto corpus =
        open_corpus({.kind = "wikipedia", .path = testing::write_file(folder / "d.xml", packed)});
    RawDocument raw;
    ASSERT_TRUE(corpus->next(raw));
    EXPECT_EQ(raw.title, "One & all");
    EXPECT_THAT(corpus->extract(raw).paragraphs, ElementsAre("One & all."));
    ASSERT_TRUE(corpus->next(raw));
    EXPECT_THAT(corpus->extract(raw).paragraphs, ElementsAre("Plain text."));
    EXPECT_FALSE(corpus->next(raw));
    EXPECT_THAT(corpus->skipped().documents,
                UnorderedElementsAre(Pair("redirect", 1), Pair("page of another namespace", 1),
                                     Pair("empty page", 1)));
  }
}

TEST(Wikipedia, a_dump_that_ends_inside_a_page_is_refused) {
  const auto path =
      testing::write_file(testing::made_folder("wiki") / "cut.xml", dump().substr(0, dump().size() - 40));
  const auto corpus = open_corpus({.kind = "wikipedia", .path = path});
  RawDocument raw;
  EXPECT_THROW(while (corpus->next(raw)){}, InputError);
}

std::int64_t count_markup(const std::string& text) {
  std::int64_t count = 0;
  for (const std::string_view mark : {"{{", "}}", "[[", "]]", "||", "<ref", "</", "<br", "<div", "<span",
                                      "&amp;", "&nbsp;", "&lt;", "'''", "==", "__"}) {
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) ++count;
  }
  return count;
}

TEST(SharedData, the_wikipedia_sample_gives_prose) {
  const auto folder = testing::shared_data("wiki");
  if (folder.empty()) GTEST_SKIP() << "the shared dumps are not on this machine";
  const auto corpus = open_corpus({.kind = "wikipedia", .path = (folder / "*.xml.bz2").string()});
  std::int64_t words = 0, left_over = 0, documents = 0;
  for (RawDocument raw; corpus->next(raw); ++documents) {
    for (const auto& paragraph : corpus->extract(raw).paragraphs) {
      words += std::count(paragraph.begin(), paragraph.end(), ' ') + 1;
      left_over += count_markup(paragraph);
    }
  }
  EXPECT_GT(documents, 100);
  EXPECT_GT(words, 400000);
  EXPECT_LT(static_cast<double>(left_over) * 10000 / static_cast<double>(words), 1.0)
      << "left over per 10,000 words";
}

}  // namespace
}  // namespace nystrom
