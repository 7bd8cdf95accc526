// Files of text: tokenizers, tasks, corpora, dumps, wiki markup, sentences, manifests.

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include "data/corpus/corpus.h"
#include "data/corpus/tar.h"
#include "data/corpus/wikipedia/pages.h"
#include "data/corpus/wikipedia/wikitext.h"
#include "data/preparation/manifest.h"
#include "data/tasks/task.h"
#include "data/text/clean.h"
#include "data/text/sentences.h"
#include "data/tokenizer/training.h"
#include "fuzz_target.h"
#include "kernels/core/check.h"
#include "letter_tokenizer.h"

namespace nystrom::fuzz {
namespace {

/// Bytes of memory as a stream, in pieces of changing size.
class MemoryStream final : public ByteStream {
 public:
  explicit MemoryStream(std::string_view bytes) : bytes_(bytes) {}
  std::size_t read(char* to, std::size_t count) override {
    const std::size_t take = std::min({count, bytes_.size(), std::size_t{1} + ++reads_ * 37 % 200});
    std::copy_n(bytes_.begin(), take, to);
    bytes_.remove_prefix(take);
    return take;
  }

 private:
  std::string_view bytes_;
  std::size_t reads_ = 0;
};

std::string valid(std::string_view bytes) {
  Repairs repairs;
  return repair_utf8(std::string(bytes), repairs);
}

const Tokenizer& letters() {
  static const Tokenizer tokenizer = testing::letter_tokenizer();
  return tokenizer;
}

void run_tokenizer(std::string_view input) {
  const Tokenizer tokenizer = Tokenizer::from_bytes(std::string(input), "fuzzed.model");
  const auto ids = tokenizer.encode("One two,  three \xC3\xA9 <mask> \xF0\x9F\x98\x80.");
  for (const std::int32_t id : ids)
    if (id < 0 || id >= tokenizer.vocabulary_size()) throw std::runtime_error("an id outside the vocabulary");
  (void)tokenizer.decode(ids);
  (void)tokenizer.encode_marked("a <mask> b");
  for (const auto& span : tokenizer.encode_spans("words and more"))
    if (span.begin < 0 || span.end < span.begin) throw std::runtime_error("a span that is none");
}
std::vector<std::string> tokenizer_seeds() {
  const std::string& model = letters().bytes();
  return {model, model.substr(0, model.size() / 2), "", model + model,
          R"({"version":"1.0","model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0.0]]}})"};
}

/// The first byte chooses the format.
void run_records(std::string_view input) {
  Bytes bytes(input);
  const std::array names{"a.tsv", "a.csv", "a.jsonl"};
  const std::uint64_t how = bytes.below(12);
  RecordRequest request;
  request.columns = {{{"sentence", "text"}}, {{"label"}, how % 2 == 0, 1}};
  request.header = how < 6;
  request.malformed = how % 4 < 2 ? Malformed::kRefuse : Malformed::kSkip;
  const Records records = read_records(scratch_file(names[how % 3], bytes.rest()), request);
  for (std::size_t row = 0; row < records.rows.size(); ++row) {
    if (records.rows[row].cells.size() != 2) throw std::runtime_error("a row of another number of cells");
    (void)records.place(row);
  }
}
std::vector<std::string> records_seeds() {
  std::vector<std::string> seeds;
  for (char how = 0; how < 12; ++how) {
    const std::string first{'\0', how};
    seeds.push_back(first + "sentence\tlabel\nA text.\t1\n\"quoted\t0\n");
    seeds.push_back(first + "text,label\n\"a \"\"b\"\"\nc\",1\r\nd,0");
    seeds.push_back(
        first +
        "{\"text\": \"a\\u0000\", \"label\": [1, true, null]}\n{\"text\": 1e999, \"label\": \"x\"}\n");
    seeds.push_back(first + std::string(5000, '[') + "\n");
  }
  return seeds;
}

struct TaskLayout {
  const char *kind, *name, *file;
};
constexpr std::array kTasks{TaskLayout{"glue", "CoLA", "train.tsv"},
                            TaskLayout{"glue", "SST-2", "train.tsv"},
                            TaskLayout{"glue", "MRPC", "train.tsv"},
                            TaskLayout{"glue", "STS-B", "train.tsv"},
                            TaskLayout{"glue", "QQP", "train.tsv"},
                            TaskLayout{"glue", "MNLI", "train.tsv"},
                            TaskLayout{"classification", "", "train.tsv"},
                            TaskLayout{"regression", "", "train.csv"},
                            TaskLayout{"tokens", "", "train.txt"},
                            TaskLayout{"question_answering", "", "train.json"},
                            TaskLayout{"multiple_choice", "", "train.jsonl"},
                            TaskLayout{"embeddings", "", "train.tsv"}};

/// The first byte chooses the task, which finds the rest as its training split.
void run_tasks(std::string_view input) {
  static const TextEncoder encoder(letters(), 24);
  Bytes bytes(input);
  const TaskLayout& layout = kTasks.at(bytes.below(kTasks.size()));
  clear_scratch();
  scratch_file(layout.file, bytes.rest());
  TaskConfig config;
  config.kind = layout.kind;
  config.name = layout.name;
  config.path = scratch();
  if (config.kind != "glue") config.train = layout.file;
  if (config.kind == "multiple_choice") config.choices = {"a", "b"};
  for (const auto& split : open_task(config)->load(Split::kTrain, encoder))
    for (const TaskSequence& sequence : split->sequences())
      if (sequence.ids.size() > 24) throw std::runtime_error("a sequence that is too long");
}
std::vector<std::string> tasks_seeds() {
  const std::array texts{
      "gj04\t1\t\tOne two.\ncj99\t0\t*\tThree four.\n",
      "sentence\tlabel\none two\t1\nthree\t0\n",
      "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\tone two\tthree\n",
      "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n"
      "0\tg\tf\t2012\t1\ts\ts\tone\ttwo\t3.5\n",
      "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t2\t3\tone\ttwo\t0\n",
      "index\tsentence1\tsentence2\tgold_label\n0\tone\ttwo\tneutral\n",
      "text\tlabel\none\ta\ntwo\tb\n",
      "text,label\none,1.5\ntwo,-2\n",
      "-DOCSTART- -X- O O\n\none NN B-NP B-PER\ntwo NN I-NP O\n\n",
      R"({"version":"1.1","data":[{"title":"t","paragraphs":[{"context":"one two three","qas":[{"id":"1",)"
      R"("question":"four?","answers":[{"text":"two","answer_start":4}]}]}]}]})",
      "{\"text\": \"one\", \"a\": \"two\", \"b\": \"three\", \"label\": 1}\n",
      "anchor\tpositive\tnegative\none\ttwo\tthree\n"};
  std::vector<std::string> seeds;
  for (std::size_t i = 0; i < texts.size(); ++i)
    seeds.push_back(std::string{'\0', static_cast<char>(i)} + texts.at(i));
  seeds.push_back(std::string{'\0', 9} +
                  R"({"data":[{"paragraphs":[{"context":"one","qas":[{"id":"1","question":"x",)"
                  R"("answers":[{"text":"two","answer_start":-9223372036854775808}]}]}]}]})");
  return seeds;
}

void run_wiki_markup(std::string_view input) {
  static const std::array sites{wiki_site("en"), wiki_site("de"), wiki_site("fr"), wiki_site("ja"),
                                wiki_site("zh")};
  const std::string text = valid(input);
  for (const WikiSite& site : sites)
    for (const std::string& paragraph : wiki_prose(text, site).paragraphs)
      if (valid(paragraph) != paragraph) throw std::runtime_error("a paragraph that is not valid UTF-8");
}
std::vector<std::string> wiki_markup_seeds() {
  std::string deep;
  for (int i = 0; i < 3000; ++i) deep += "{{a|[[b|'''";
  return {
      "== Heading ==\n'''Bold''' [[link|text]] and {{convert|5|km|mi}}.<ref name=a>x</ref>\n* item\n# item\n",
      "{| class=a\n|-\n| cell || [[File:a.jpg|thumb|text {{lang|de|ja}}]]\n|}\n",
      "<math>x = 2</math> <nowiki>[[no]]</nowiki> <!-- comment --> &amp;#1234567890; &eacute; &#xD800;",
      "{{birth date|1900|13|99999999999999999999}} {{as of|2000|02|30}} {{convert|1e999|m|ft|0}}",
      "[[a]]b [http://x y] [[:Category:z]] __TOC__ {{{1|{{{2}}}}}} #REDIRECT [[x]]",
      "\u7AE0\uFF08{{x}}\uFF0C\u3001\uFF09\u300C\u300D {{unit\u00E9|5|km}} {{frS|mot}} {{bd|1|2|3|4}} __\u0411\u0415\u0417__ "
      "[[\u0424\u0410\u0419\u041B:x.jpg|y]]",
      deep,
      std::string(20000, '['),
      std::string(20000, '{'),
      std::string(20000, '<'),
      std::string(20000, '\'')};
}

void run_wiki_dump(std::string_view input) {
  MemoryStream stream(input);
  WikiPageReader reader(stream, "fuzzed.xml");
  for (WikiPage page; reader.next(page);) (void)wiki_prose(valid(page.text), reader.site());
}
std::vector<std::string> wiki_dump_seeds() {
  const std::string page =
      "<page><title>A &amp; b</title><ns>0</ns><id>12</id><revision><id>9</id>"
      "<text bytes=\"5\" xml:space=\"preserve\">'''A''' is &lt;b&gt;.</text></revision></page>\n";
  return {
      "<mediawiki><siteinfo><namespaces><namespace key=\"6\">Datei</namespace></namespaces></siteinfo>\n" +
          page + page + "</mediawiki>",
      page, "<page>" + page, page.substr(0, page.size() / 2),
      "<page><title>x</title><redirect title=\"y\" /><ns>99999999999999999999</ns><text/></page>"};
}

std::string packed(const std::string& text) {
  z_stream z{};
  deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(text.size() + 100, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

/// A tar archive of one file, as ustar has it.
std::string archive(const std::string& name, const std::string& content) {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  put(0, name);
  put(100, "0000644");
  put(124, fmt::format("{:011o}", content.size()));
  put(156, "0");
  put(257, std::string("ustar\00000", 8));
  put(148, "        ");
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum) + '\0');
  return header + content + std::string((512 - content.size() % 512) % 512 + 1024, '\0');
}

/// The first byte chooses the corpus; compressions are recognized by content.
void run_corpus(std::string_view input) {
  Bytes bytes(input);
  const std::array<std::pair<const char*, const char*>, 6> kinds{{{"lines", "a.txt"},
                                                                  {"jsonl", "a.jsonl"},
                                                                  {"books", "a.txt"},
                                                                  {"imdb", "a.tar.gz"},
                                                                  {"wikipedia", "a.xml.bz2"},
                                                                  {"lines", "a.gz"}}};
  const std::array encodings{"auto", "utf-8", "latin-1", "utf-16"};
  const std::uint64_t how = bytes.below(kinds.size() * encodings.size());
  const auto& [kind, name] = kinds.at(how % kinds.size());
  clear_scratch();
  const auto corpus = open_corpus(
      {.kind = kind, .path = scratch_file(name, bytes.rest()), .encoding = encodings.at(how / kinds.size())});
  int documents = 0;
  for (RawDocument raw; documents < 100 && corpus->next(raw); ++documents)
    for (const auto& paragraph : corpus->extract(std::move(raw)).paragraphs)
      if (valid(paragraph) != paragraph) throw std::runtime_error("a paragraph that is not valid UTF-8");
}
std::vector<std::string> corpus_seeds() {
  const auto how = [](char number) { return std::string{'\0', number}; };
  const std::string tar = archive("aclImdb/train/pos/0_9.txt", "A good film.<br />Yes.");
  const std::string bzip = std::string("BZh91AY&SY\x00\x00\x00\x00", 14);
  const std::string xz = std::string(
      "\xFD"
      "7zXZ\x00\x00\x04\xE6\xD6\xB4\x46",
      12);
  const std::string zstd = std::string("\x28\xB5\x2F\xFD\x24\x05\x29\x00\x00hello", 14);
  return {how(0) + "One line.\nTwo.\n\nThree\r\nfour",
          how(1) + "{\"text\": \"One. Two.\"}\n{\"text\": \"\\ud800\\u0000\"}\n",
          how(2) + "*** START OF THE PROJECT GUTENBERG EBOOK X ***\n\nCHAPTER I\n\nText.\n\n*** END OF",
          how(3) + tar,
          how(3) + packed(tar),
          how(3) + archive("../../../../tmp/outside.txt", "x"),
          how(4) + "<mediawiki><page><title>a</title><ns>0</ns><id>1</id><text>b</text></page>",
          how(5) + packed("A line.\n"),
          how(5) + packed(std::string(4 << 20, 'a')),
          how(5) + bzip,
          how(5) + xz,
          how(5) + zstd,
          how(18) + std::string("\377\376a\0b\0\n\0", 8),
          how(12) + "caf\xE9 \x80\x9F\n"};
}

void run_sentences(std::string_view input) {
  static SentenceSplitter splitter;
  CleanCounts counts;
  const std::string paragraph = clean_text(valid(input), Normalization::kNfkc, counts);
  std::size_t length = 0;
  for (const std::string& sentence : splitter.split(paragraph)) length += sentence.size();
  if (length > paragraph.size()) throw std::runtime_error("more text than there was");
}
std::vector<std::string> sentences_seeds() {
  return {
      "Dr. A. B. Smith, Ph.D., went to the U.S. in Jan. 1999. He saw e.g. 3.5 things! \"Really?\" (Yes.) "
      "Ok...",
      "\xE2\x80\x9CQuoted.\xE2\x80\x9D He said. \xE3\x80\x82\xE4\xB8\xAD\xE6\x96\x87\xE3\x80\x82 No. 5 is "
      "etc. and so on.",
      std::string(3000, '.'), std::string(3000, '"') + "A. b",
      "\xEF\xB7\xBA\xEF\xB7\xBA a\xCC\x81\xCC\x81\xCC\x81"};
}

void run_manifest(std::string_view input) {
  clear_scratch();
  (void)report_of_manifest(std::string(input), scratch() + "/manifest.json", "{}");
}
std::vector<std::string> manifest_seeds() {
  return {R"({"format":"nystrom prepared text","format_version":1,"options":{},"splits":{"train":{"shards":)"
          R"([{"file":"00000.h5","bytes":1,"sha256":"a"}]}},"tokenizer":{"sha256":"x"}})",
          R"({"splits":{"train":{"shards":[{"file":"../../etc/passwd","bytes":-1}]}}})", "{}", "[]",
          std::string(100000, '[')};
}

}  // namespace

std::vector<Target> text_targets() {
  return {{"tokenizer", run_tokenizer, tokenizer_seeds},
          {"records", run_records, records_seeds, "\\t \\n \" , { } null text label"},
          {"tasks", run_tasks, tasks_seeds, "answer_start answers context label B-PER"},
          {"wiki_markup", run_wiki_markup, wiki_markup_seeds,
           "[[ ]] {{ }} {| |} |- '' ''' == <ref </ref> <!-- --> &lt;"},
          {"wiki_dump", run_wiki_dump, wiki_dump_seeds, "<page> </page> <text </text> <ns> <namespace key="},
          {"corpus", run_corpus, corpus_seeds},
          {"sentences", run_sentences, sentences_seeds, ". ! ? \" Dr. e.g. U.S."},
          {"manifest", run_manifest, manifest_seeds, "splits shards file bytes sha256"}};
}

}  // namespace nystrom::fuzz
