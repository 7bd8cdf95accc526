#include "data/preparation/blocks/source_stats.h"

#include "kernels/core/check.h"
#include "kernels/core/json.h"

namespace nystrom {
namespace {

using Json = nlohmann::json;

void add_up(Reasons& to, const Reasons& from) {
  for (const auto& [reason, count] : from) to[reason] += count;
}

}  // namespace

SourceStats& SourceStats::operator+=(const SourceStats& other) {
  documents += other.documents;
  characters_in += other.characters_in;
  characters_kept += other.characters_kept;
  bytes_kept += other.bytes_kept;
  repairs += other.repairs;
  add_up(documents_dropped, other.documents_dropped);
  add_up(paragraphs_dropped, other.paragraphs_dropped);
  add_up(characters_dropped, other.characters_dropped);
  for (const auto& [file, count] : other.file_documents) file_documents[file] += count;
  damage.insert(other.damage.begin(), other.damage.end());
  return *this;
}

void SourceStats::add(const Skipped& skipped) {
  add_up(documents_dropped, skipped.documents);
  add_up(characters_dropped, skipped.characters);
  for (const auto& [reason, count] : skipped.characters) characters_in += count;
  repairs += skipped.repairs;
}

bool SourceStats::balanced() const {
  std::int64_t sum = characters_kept;
  for (const auto& [reason, count] : characters_dropped) sum += count;
  return sum == characters_in;
}

// Paths may be any bytes; as JSON's strings they travel hexadecimal.
std::string stats_text(const SourceStats& t) {
  Json files = Json::array();
  for (const auto& [file, count] : t.file_documents)
    files.emplace_back(Json::array({std::vector<std::uint8_t>(file.begin(), file.end()), count}));
  return Json{{"documents", t.documents},
              {"documents_dropped", t.documents_dropped},
              {"paragraphs_dropped", t.paragraphs_dropped},
              {"characters", {t.characters_in, t.characters_kept, t.bytes_kept}},
              {"characters_dropped", t.characters_dropped},
              {"repairs", {t.repairs.invalid_bytes, t.repairs.nul_bytes}},
              {"files", std::move(files)},
              {"damage", t.damage}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

SourceStats parse_stats(std::string_view text) {
  try {
    const auto json = parse_json<Json>(text);
    SourceStats t;
    t.documents = json.at("documents");
    t.documents_dropped = json.at("documents_dropped").get<Reasons>();
    t.paragraphs_dropped = json.at("paragraphs_dropped").get<Reasons>();
    t.characters_in = json.at("characters").at(0);
    t.characters_kept = json.at("characters").at(1);
    t.bytes_kept = json.at("characters").at(2);
    t.characters_dropped = json.at("characters_dropped").get<Reasons>();
    t.repairs = {json.at("repairs").at(0), json.at("repairs").at(1)};
    for (const auto& entry : json.at("files")) {
      const auto path = entry.at(0).get<std::vector<std::uint8_t>>();
      t.file_documents[std::string(path.begin(), path.end())] = entry.at(1);
    }
    t.damage = json.at("damage").get<std::set<std::string>>();
    return t;
  } catch (const Json::exception& error) {
    fail(
        "The statistics of this preparation are corrupt ({}). Remove its folder `.preparing` and prepare "
        "again.",
        error.what());
  }
}

}  // namespace nystrom
