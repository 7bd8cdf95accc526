// Languages written in the Latin script; Serbian, in both of its scripts, is one of them.

#include <array>

#include "data/corpus/wikipedia/language_tables.h"

namespace nystrom {
namespace {

constexpr auto kLatinLanguages = std::to_array<WikiLanguage>({
    {.code = "en|simple|sco",
     .hidden = "File|Image|Category|Media",
     .redirect = "REDIRECT",
     .disambiguation = "disambig*|* disambiguation|dab|disamb|hndis|geodis|surname|given name",
     .qualifiers = "disambiguation",
     .lists = "List of *|Lists of *",
     .stubs = "stub|*-stub",
     .sources =
         "bibliography|citations|external link|external links|footnotes|further reading|gallery|navigation|"
         "notes|notes and references|notes, citations, and references|reference|references|"
         "references and notes|references and sources|related articles|see also|sources|"
         "sources and further reading|works cited",
     .works = "literature"},
    {.code = "de|als|bar|nds",
     .hidden = "Datei|Bild|Kategorie|Medium",
     .redirect = "WEITERLEITUNG",
     .disambiguation = "Begriffsklärung|Begriffsklärung *",
     .qualifiers = "Begriffsklärung",
     .lists = "Liste *|Listen *",
     .stubs = "Stub",
     .sources =
         "Einzelnachweise|Einzelnachweis|Anmerkungen|Anmerkung|Belege|Endnoten|Fußnoten|Fuß-/Endnoten|"
         "Quellen|Quellenangaben|Nachweise|Referenzen|Weblinks|Weblink|Siehe auch|Bibliografie|Bibliographie|"
         "Anmerkungen und Einzelnachweise|Einzelnachweise und Anmerkungen|Quellen und Literatur|"
         "Literatur und Quellen|Literatur und Weblinks|Weblinks und Quellen|Quellen und Einzelnachweise|"
         "Weblinks und Literatur|Galerie",
     .works = "Literatur|Literaturhinweise|Literaturauswahl"},
    {.code = "fr|oc|wa",
     .hidden = "Fichier|Image|Catégorie|Média",
     .redirect = "REDIRECTION",
     .disambiguation = "Homonymie|Homonymie *|Paronymie|Patronyme|Prénom|Toponymie|Internationalisation",
     .qualifiers = "homonymie",
     .lists = "Liste *|Listes *",
     .stubs = "Ébauche|Ébauche *",
     .sources =
         "Notes et références|Références|Référence|Notes|Note|Notes & références|Références et notes|"
         "Notes, sources et références|Notes et sources|Sources et références|Sources|Source|Voir aussi|"
         "Liens externes|Lien externe|Articles connexes|Article connexe|Bibliographie|Annexes|Liens|"
         "Pour en savoir plus|Bibliographie et sources|Galerie",
     .works = "Littérature"},
    {.code = "sv",
     .hidden = "Fil|Bild|Kategori|Media",
     .redirect = "OMDIRIGERING",
     .disambiguation = "Förgrening|Gren|Grensida|Efternamn|Förnamn",
     .qualifiers = "olika betydelser|förgreningssida",
     .lists = "Lista över *|Listor över *",
     .stubs = "Stub|*stub",
     .sources =
         "Referenser|Källor|Källa|Noter|Fotnoter|Externa länkar|Extern länk|Se även|Källförteckning|"
         "Källor och referenser|Noter och referenser|Tryckta källor|Webbkällor|Vidare läsning|Källhänvisningar|"
         "Galleri|Bildgalleri",
     .works = "Litteratur|Bibliografi"},
    {.code = "nl|li|vls",
     .hidden = "Bestand|Afbeelding|Categorie|Media",
     .redirect = "DOORVERWIJZING",
     .disambiguation = "Dp|Dp2|DP|Dpintro|Dp cognomen|Cognomen|Doorverwijspagina|Dp*",
     .qualifiers = "doorverwijspagina",
     .lists = "Lijst van *|Lijsten van *",
     .stubs = "Beginnetje|Beginnetje *|Stub",
     .sources =
         "Referenties|Bronnen|Bron|Voetnoten|Voetnoot|Noten|Bronvermelding|Externe link|Externe links|"
         "Externe verwijzing|Externe verwijzingen|Externe koppelingen|Weblinks|Zie ook|Verder lezen|"
         "Noten en referenties|Bronnen, noten en/of referenties|Bronnen en referenties|Bibliografie|Galerij",
     .works = "Literatuur"},
    {.code = "es|ast|ext|an",
     .hidden = "Archivo|Imagen|Categoría|Medio",
     .redirect = "REDIRECCIÓN|REDIRECCION",
     .disambiguation = "Desambiguación|Desambiguación *|Desambig|Des|Disambig",
     .qualifiers = "desambiguación",
     .lists = "Anexo:*|Lista de *|Listado de *|Listas de *",
     .stubs = "Esbozo|Esbozo *|Miniesbozo",
     .sources =
         "Referencias|Referencia|Enlaces externos|Enlace externo|Véase también|Notas|Notas y referencias|"
         "Referencias y notas|Notas al pie|Bibliografía|Bibliografía adicional|Bibliografía y referencias|"
         "Fuentes|Enlaces|Lecturas adicionales|Galería|Galería de imágenes",
     .works = "Literatura"},
    {.code = "it|nap|scn|lmo|vec|pms",
     .hidden = "Immagine|File|Categoria|Media",
     .redirect = "RINVIA|RINVIO|RIMANDO",
     .disambiguation = "Disambigua|Disambigua *|Sigla2|Sigla3|Cognome|Prenome",
     .qualifiers = "disambigua|disambiguazione",
     .lists = "Lista di *|Liste di *|Elenco di *",
     .stubs = "S|Stub",
     .sources =
         "Note|Bibliografia|Voci correlate|Collegamenti esterni|Altri progetti|Riferimenti|Fonti|Vedi anche|"
         "Annotazioni|Esplicative|Bibliografiche|Note esplicative|Note bibliografiche|Galleria d'immagini|"
         "Note e riferimenti|Galleria fotografica",
     .works = "Letteratura"},
    {.code = "ceb",
     .hidden = "Payl|Imahen|Kategoriya|Medya",
     .disambiguation = "Giklaro|Pagklaro",
     .qualifiers = "giklaro|pagklaro",
     .lists = "Listahan sa *|Talaan sa *",
     .stubs = "Saha|Stub",
     .sources = "Mga pakisayran|Pakisayran|Ang mga gi basihan niini|Mga gikanan|Gikan sa gawas nga tinubdan|"
                "Mga sumpay sa gawas|Tan-awa usab|Mga reperensya|Mga tinubdan"},
    {.code = "war",
     .hidden = "Paypay|Fayl|Kaarangay|Medya",
     .disambiguation = "Pansayod",
     .qualifiers = "pansayod",
     .lists = "Talaan han *|Lista han *",
     .stubs = "Turok|Stub",
     .sources = "Mga kasarigan|Kasarigan|Mga sumpay ha gawas|Mga sumpay|Pinanbasaran|Kitaa liwat"},
    {.code = "pl|szl|csb",
     .hidden = "Plik|Grafika|Kategoria|Media",
     .redirect = "PATRZ|PRZEKIERUJ|TAM",
     .disambiguation = "Ujednoznacznienie|Ujednoznacznienie *|Disambig",
     .qualifiers = "ujednoznacznienie",
     .lists = "Lista *|Listy *",
     .stubs = "Stub|Zalążek|*-stub",
     .sources = "Przypisy|Bibliografia|Linki zewnętrzne|Link zewnętrzny|Zobacz też|Uwagi|Źródła|Źródło|"
                "Wybrana bibliografia|Przypisy i bibliografia|Uwagi i przypisy|Galeria",
     .works = "Literatura|Literatura dodatkowa"},
    {.code = "vi",
     .hidden = "Tập tin|Hình|Thể loại|Phương tiện",
     .redirect = "đổi",
     .disambiguation = "Định hướng|Trang định hướng|Disambig*",
     .qualifiers = "định hướng",
     .lists = "Danh sách *",
     .stubs = "Sơ khai|Sơ khai *|*-stub",
     .sources =
         "Tham khảo|Chú thích|Liên kết ngoài|Xem thêm|Ghi chú|Nguồn|Nguồn tham khảo|Tài liệu tham khảo|"
         "Đọc thêm|Thư mục|Chú thích và tham khảo|Ghi chú và tham khảo|Hình ảnh"},
    {.code = "pt",
     .hidden = "Ficheiro|Imagem|Arquivo|Categoria|Multimédia|Mídia",
     .redirect = "REDIRECIONAMENTO",
     .disambiguation = "Desambiguação|Desambig|Desambig-*|Desambiguação *",
     .qualifiers = "desambiguação",
     .lists = "Anexo:*|Lista de *|Lista dos *|Lista das *|Listas de *",
     .stubs = "Esboço|Esboço-*|Mínimo",
     .sources =
         "Referências|Referência|Ligações externas|Ligação externa|Links externos|Ver também|Veja também|Notas|"
         "Notas e referências|Referências e notas|Referências bibliográficas|Bibliografia|Fontes|"
         "Leitura adicional|Leituras adicionais|Notas de rodapé|Galeria|Galeria de imagens",
     .works = "Literatura"},
    {.code = "ca",
     .hidden = "Fitxer|Imatge|Categoria|Media",
     .redirect = "REDIRECCIÓ|REDIRECCIO",
     .disambiguation = "Desambiguació|Biografies|Desambigua",
     .qualifiers = "desambiguació",
     .lists = "Llista de *|Llista d'*|Llistes de *",
     .stubs = "Esborrany|Esborrany *|Stub",
     .sources =
         "Referències|Referència|Enllaços externs|Enllaç extern|Vegeu també|Bibliografia|"
         "Bibliografia complementària|Notes|Notes i referències|Enllaços|Fonts|Galeria|Galeria d'imatges",
     .works = "Literatura"},
    {.code = "tr",
     .hidden = "Dosya|Resim|Kategori|Ortam|Medya",
     .redirect = "YÖNLENDİRME|YÖNLENDİR",
     .disambiguation = "Anlam ayrımı|Anlam ayrım|* (anlam ayrımı)",
     .qualifiers = "anlam ayrımı",
     .lists = "*listesi|*listeleri",
     .stubs = "Taslak|*-taslak|* taslak",
     .sources = "Kaynakça|Kaynaklar|Kaynak|Dış bağlantılar|Ayrıca bakınız|Notlar|Dipnotlar|Bibliyografya|"
                "Konuyla ilgili yayınlar|Galeri|Özel"},
    {.code = "id|ms|jv|su|min|bjn",
     .hidden = "Berkas|Gambar|Kategori|Fail|Imej",
     .redirect = "ALIH|LENCONG",
     .disambiguation = "Disambig*|Disambiguasi|Nyahkekaburan",
     .qualifiers = "disambiguasi|nyahkekaburan",
     .lists = "Daftar *|Senarai *",
     .stubs = "Stub|*-stub|Tunas|Rintisan",
     .sources = "Referensi|Pranala luar|Lihat pula|Lihat juga|Catatan kaki|Catatan|Daftar pustaka|Rujukan|"
                "Bacaan lanjutan|Bacaan lanjut|Sumber|Pustaka|Bibliografi|Pautan luar|Nota|Galeri"},
    {.code = "cs",
     .hidden = "Soubor|Kategorie|Média",
     .redirect = "PŘESMĚRUJ",
     .disambiguation = "Rozcestník|Rozcestník *|Příjmení|Disambig",
     .qualifiers = "rozcestník",
     .lists = "Seznam *|Seznamy *",
     .stubs = "Pahýl|Pahýl *|Stub",
     .sources =
         "Reference|Externí odkazy|Externí odkaz|Související články|Poznámky|Odkazy|Zdroje|Zdroj|Další čtení|"
         "Poznámky a reference|Bibliografie|Galerie",
     .works = "Literatura"},
    {.code = "hu",
     .hidden = "Fájl|Kép|Kategória|Média",
     .redirect = "ÁTIRÁNYÍTÁS",
     .disambiguation = "Egyért|Egyért-redir|Egyértelműsítő lap",
     .qualifiers = "egyértelműsítő lap",
     .lists = "*listája|*listái",
     .stubs = "Csonk|Csonk-*|Csonk *",
     .sources =
         "Jegyzetek|Források|Forrás|További információk|Külső hivatkozások|Lásd még|Kapcsolódó szócikkek|"
         "Hivatkozások|Megjegyzések|Bibliográfia|Források és jegyzetek|Képgaléria|Galéria",
     .works = "Irodalom|Szakirodalom"},
    {.code = "fi",
     .hidden = "Tiedosto|Kuva|Luokka|Media",
     .redirect = "OHJAUS|UUDELLEENOHJAUS",
     .disambiguation = "Täsmennyssivu|Täsmennyssivu *|Disambig",
     .qualifiers = "täsmennyssivu",
     .lists = "Luettelo *|Luetteloita *",
     .stubs = "Tynkä|Tynkä/*|Stub",
     .sources = "Lähteet|Viitteet|Aiheesta muualla|Katso myös|Ulkoiset linkit|Huomautukset|Linkkejä|"
                "Aiheesta lisää|Lähteet ja viitteet|Viitteet ja lähteet|Galleria|Kuvagalleria",
     .works = "Kirjallisuutta|Kirjallisuus"},
    {.code = "no|nb|nn|da|fo|is",
     .hidden = "Fil|Bilde|Billede|Filpeikar|Mynd|Flokkur|Miðill|Kategori|Medium|Media",
     .redirect = "OMDIRIGERING|OMDIRIGER|tilvísun",
     .disambiguation = "Peker|Pekerside|Flertydig|Fleirtyding|Etternavn|Efternavn|Disambig|Aðgreining",
     .qualifiers = "andre betydninger|flertydig|fleirtyding|flertydig titel",
     .lists = "Liste over *|Lister over *",
     .stubs = "Stubb|Spire|Stub|*stubb|*stub",
     .sources =
         "Referanser|Referansar|Referencer|Kilder|Kjelder|Eksterne lenker|Eksterne lenkjer|Eksterne henvisninger|"
         "Eksterne links|Se også|Sjå òg|Fotnoter|Fotnotar|Fodnoter|Noter|Bakgrunnsstoff|Henvisninger|"
         "Kilder og henvisninger|Noter og referanser|Galleri|Billedgalleri|Heimildir|Tilvísanir|Tenglar",
     .works = "Litteratur"},
    {.code = "ro",
     .hidden = "Fișier|Imagine|Fişier|Categorie|Media",
     .redirect = "REDIRECTEAZA",
     .disambiguation = "Dezambiguizare|Dezambig|Dez|Dezamb|Disambig|Hndis",
     .qualifiers = "dezambiguizare",
     .lists = "Listă *|Lista *|Liste *",
     .stubs = "Ciot|Ciot-*",
     .sources = "Note|Referințe|Referinţe|Legături externe|Bibliografie|Vezi și|Vezi şi|Note și referințe|"
                "Lectură suplimentară|Surse|Note bibliografice|Galerie|Galerie de imagini",
     .works = "Literatură"},
    {.code = "sr|sh|hr|bs",
     .hidden = "Датотека|Слика|Категорија|Медиј|Медија|Datoteka|Slika|Kategorija|Mediji|Medija|Medij",
     .redirect = "Преусмери|Преусмјери|Preusmeri|Preusmjeri",
     .disambiguation = "Вишезначна одредница|Višeznačna odrednica|Čvor|Razdvojba|Razdvojba1|Disambig*",
     .qualifiers = "вишезначна одредница|višeznačna odrednica|razdvojba|čvor",
     .lists = "Списак *|Spisak *|Popis *|Листа *|Lista *",
     .stubs = "Клица|Klica|Mrva|Mrva-*|*-клица",
     .sources =
         "Референце|Извори|Спољашње везе|Спољне везе|Види још|Напомене|Белешке|Даље читање|Галерија|Reference|"
         "Izvori|Vanjske poveznice|Vanjske veze|Spoljašnje veze|Vidi još|Povezani članci|Bilješke|Napomene|"
         "Poveznice|Galerija|Literatura i izvori",
     .works = "Литература|Literatura"},
    {.code = "sk",
     .hidden = "Súbor|Obrázok|Kategória|Médiá",
     .redirect = "presmeruj",
     .disambiguation = "Rozlišovacia stránka|Disambiguation|Disambig",
     .qualifiers = "rozlišovacia stránka",
     .lists = "Zoznam *",
     .stubs = "Výhonok|*-výhonok",
     .sources =
         "Referencie|Externé odkazy|Pozri aj|Iné projekty|Zdroj|Zdroje|Poznámky|Poznámky a referencie|Galéria",
     .works = "Literatúra"},
    {.code = "et",
     .hidden = "Fail|Pilt|Kategooria|Meedia",
     .redirect = "suuna",
     .disambiguation = "Täpsustus|Täpsustuslehekülg",
     .qualifiers = "täpsustus",
     .lists = "*loend|*loetelu",
     .stubs = "Pooleli|Toimeta",
     .sources = "Viited|Välislingid|Vaata ka|Allikad|Märkused|Galerii",
     .works = "Kirjandus"},
    {.code = "lt",
     .hidden = "Vaizdas|Kategorija|Medija",
     .redirect = "PERADRESAVIMAS",
     .disambiguation = "Disambig|Nuorodinis",
     .qualifiers = "reikšmės",
     .lists = "Sąrašas:*|*sąrašas",
     .stubs = "Stub|*-stub",
     .sources = "Šaltiniai|Nuorodos|Taip pat skaitykite|Išnašos|Pastabos",
     .works = "Literatūra"},
    {.code = "sl",
     .hidden = "Slika|Kategorija|Datoteka",
     .redirect = "PREUSMERITEV",
     .disambiguation = "Razločitev|Disambig*",
     .qualifiers = "razločitev",
     .lists = "Seznam *",
     .stubs = "Škrbina|*-stub",
     .sources =
         "Sklici|Zunanje povezave|Glej tudi|Viri|Opombe|Sklici in opombe|Opombe in sklici|Viri in opombe|Galerija",
     .works = "Literatura"},
    {.code = "eu",
     .hidden = "Fitxategi|Irudi|Kategoria",
     .redirect = "BIRZUZENDU",
     .disambiguation = "Argipen|Argitze",
     .qualifiers = "argipena",
     .lists = "*zerrenda",
     .stubs = "Zirriborro|* zirriborroa",
     .sources =
         "Erreferentziak|Kanpo estekak|Ikus, gainera|Ikus gainera|Bibliografia|Oharrak|Oharrak eta erreferentziak",
     .works = "Literatura"},
    {.code = "gl",
     .hidden = "Ficheiro|Imaxe|Categoría|Arquivo",
     .redirect = "REDIRECCIÓN|REDIRECIONAMENTO",
     .disambiguation = "Homónimos|Disambig",
     .qualifiers = "homónimos",
     .lists = "Lista de *|Listaxe de *",
     .stubs = "Bosquexo|Bosquexo *|Contidolegal",
     .sources =
         "Notas|Véxase tamén|Ligazóns externas|Bibliografía|Outros artigos|Referencias|Notas e referencias|Galería",
     .works = "Literatura"},
    {.code = "eo",
     .hidden = "Dosiero|Kategorio|Aŭdvidaĵo",
     .redirect = "ALIDIREKTI|ALIDIREKTU|AL",
     .disambiguation = "Apartigilo|Apartigilo *",
     .qualifiers = "apartigilo",
     .lists = "Listo de *",
     .stubs = "Ĝermo|Ĝermo-*",
     .sources =
         "Referencoj|Eksteraj ligiloj|Ekstera ligilo|Vidu ankaŭ|Fontoj|Notoj|Piednotoj|Notoj kaj referencoj|Bibliografio",
     .works = "Literaturo"},
    {.code = "az",
     .hidden = "Fayl|Şəkil|Kateqoriya|Mediya",
     .redirect = "İSTİQAMƏTLƏNDİRMƏ|İSTİQAMƏTLƏNDİR",
     .disambiguation = "Dəqiqləşdirmə",
     .qualifiers = "dəqiqləşdirmə",
     .lists = "*siyahısı",
     .stubs = "Qaralama|*-qaralama",
     .sources = "İstinadlar|Xarici keçidlər|Həmçinin bax|Mənbə|Qeydlər|Mənbələr",
     .works = "Ədəbiyyat"},
    // Only namespaces and redirects.
    {.code = "af", .hidden = "Lêer|Beeld|Kategorie", .redirect = "AANSTUUR"},
    {.code = "la", .hidden = "Fasciculus|Imago|Categoria"},
    {.code = "lv", .hidden = "Attēls|Kategorija"},
    {.code = "uz", .hidden = "Fayl|Tasvir|Turkum|Kategoriya|Mediya", .redirect = "YOʻNALTIRISH|YONALTIRISH"},
    {.code = "sq", .hidden = "Skeda|Figura|Kategoria|Kategori", .redirect = "RIDREJTO"},
    {.code = "cy", .hidden = "Delwedd|Categori", .redirect = "ail-cyfeirio|ailgyfeirio"},
    {.code = "ga", .hidden = "Íomhá|Catagóir|Rang|Meán", .redirect = "athsheoladh"},
});

}  // namespace

std::span<const WikiLanguage> latin_script_languages() {
  return kLatinLanguages;
}

}  // namespace nystrom
