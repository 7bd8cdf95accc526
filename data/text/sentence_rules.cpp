#include "data/text/sentence_rules.h"

#include <algorithm>
#include <array>

#include "data/text/utf8.h"

namespace nystrom {
namespace {

using std::string_view;

SentenceRules english() {
  return {
      .language = Language::kEnglish,
      .never_ends = WordSet(
          "adm approx apt brig capt cf cmdr col comdr cpl dr e.g eg esp ft gen gov hon i.e ie insp lieut lt maj "
          "messrs mlle mme mr mrs ms msgr mt pres prof pvt rep rev sen sens sgt sr st ste supt viz vs"),
      .before_number =
          WordSet("apr art aug c ca ch chap dec ed feb fig figs jan jul jun mar n° nos nov nr oct op p par "
                  "pp pt sec sect sep sept vol vols"),
      .before_numeral = WordSet("no"),
      .may_end = WordSet(
          "a.d al assn ave b.c bldg blvd bros co corp dept est etc inc jr ltd m.d mfg ph.d rd ret univ "
          "u.k u.n u.s"),
      .starters = WordSet(
          "a after all although an and are as at because before but by did do does during each even every for "
          "from had has have he her here his how however i if in is it its like many most my no not now of on "
          "once one or other our she since so some such that the their then there these they this those though "
          "to under until was we were what when where while who why will with you your"),
  };
}

SentenceRules german() {
  return {
      .language = Language::kGerman,
      .never_ends =
          WordSet("allg bes bspw betr bzgl bzw ca dgl dipl-ing dir dr ehem eigtl einschl entspr evtl exkl "
                  "fa fr frl gebr geb gegr gest ggf ggfs hl hptm hr hrn hrsg ing inkl insb kath kgl lt "
                  "mind möglw n nördl oberlt östl phil pfr priv prof rer röm sel sog sr st städt südl "
                  "techn ungef univ-prof urspr usf verh versch vgl vll vorm westl wg zit zzgl rd mag"),
      .before_number =
          WordSet("abb abs abschn anm aufl bd bde bl fig fußn h hft kap lfd nr nrn okt p paragr pos rn "
                  "rdnr s tab tel tl v z zi ziff jan feb febr mär apr jun jul aug sept sep nov dez"),
      .before_numeral = WordSet("art folge teil vers max min"),
      .may_end =
          WordSet("ag chr co corp jh jhd jhdt jhs jt mio mrd ltd inc std min sek str stck u.a z.b d.h "
                  "v.chr n.chr weibl männl dt engl frz griech ital lat span russ österr schweiz amerik "
                  "bayr usa tsd kg km qkm a.d a.m e.v ev med jur theol mbh ff f jun sen"),
      .end_lists = WordSet("usw etc u.ä o.ä u.dgl"),
      .starters = WordSet(
          "aber alle als also am an auch auf aus bei beide bis da dabei dadurch dafür damit danach dann daraus darauf "
          "darin darum das dass davon dazu dein deine dem den denn dennoch der deren des deshalb dessen dich die dies "
          "diese diesem diesen dieser dieses doch dort du durch ein eine einem einen einer eines einige er es etwa euer "
          "für gegen gibt hast hat heute hier hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer ihres im in ist ja "
          "jede jeder jedes jedoch jemand jetzt kann kein keine können man manche mehr mein meine mit nach nachdem "
          "neben nein nicht nichts nie niemand noch nun nur ob oder ohne schon sehr sein seine seinem seinen seiner "
          "seit sich sie sind so sobald sogar solche sondern sowie später trotz trotzdem über um und unser unsere unter "
          "viele vielleicht vom von vor während wann war waren warum was weder wegen weil welche wenn wer wie wir wird "
          "wo worauf wurde wurden zu zuerst zuletzt zum zur zwar zwei zwischen zudem außerdem bereits dagegen daher "
          "ebenso insgesamt obwohl allerdings"),
      .before_ordinal =
          WordSet("ab am an auf beim bis das dem den der des die diese diesem diesen dieser dieses ihr "
                  "ihre ihrem ihren ihrer im in ins jede jeden jeder mein meine meinem meinen nach sein "
                  "seine seinem seinen seiner seit um und unser unsere vom von vor zum zur oder erst gegen "
                  "über unter"),
      .after_ordinal = WordSet(
          "januar jänner februar feber märz april mai juni juli august september oktober november dezember jan feb febr "
          "mär apr jun jul aug sep sept okt nov dez jahrhundert jahrhunderts jahrhunderte jh jhd jahrtausend "
          "jahrtausends klasse jahrgang geburtstag todestag jahrestag auflage kapitel lebensjahr weltkrieg weltkriegs "
          "liga platz rang runde stock etage bezirk armee division regiment"),
      .bare_letters = true,
  };
}

SentenceRules french() {
  return {
      .language = Language::kFrench,
      .never_ends =
          WordSet("adj adm apr av ave bd boul bull capt cf chev cne cdt ch-l dir dr env ex fém gén ibid "
                  "ing lt lieut m mss masc mgr mm mme mmes mlle mlles mr mrs pr pr.ex p.ex prof pte r rd "
                  "rte s st ste sts stes suiv v vs bvd bld math obs op.cit lat fr angl all esp ital fbg"),
      .before_number =
          WordSet("chap col éd fasc fig fol hors-sér janv févr avr juil sept oct nov déc l n n° no nos nº "
                  "num p pl pp t tab tél vol vols"),
      .before_numeral = WordSet("art"),
      .may_end =
          WordSet("al bibl c.-à-d cie éd ets inc j.-c ltd min sté univ s.a s.a.r.l u.r.s.s é.-u o.n.u h "
                  "sec jr fr.s coll hab"),
      .end_lists = WordSet("etc"),
      .starters = WordSet(
          "à ainsi alors après au aucun aucune aujourd'hui aussi autre autres aux avant avec car ce cela celle celui "
          "cependant certains ces cet cette chaque chez comme comment dans de depuis des dès deux donc dont du elle elles "
          "en encore enfin ensuite entre est et était eux il ils ici jamais je jusqu la là le les leur leurs lors lorsque "
          "lui ma mais malgré me même mes mon ne ni non nos notre nous on or où oui par parce parfois pas pendant personne "
          "peu peut plus plusieurs pour pourquoi pourtant puis qu quand que quel quelle quelques qui quoi sa sans se selon "
          "ses seul si sous soudain son sur ta tandis tant te tes ton tous tout toute toutefois toutes très trois tu un "
          "une vers voici voilà vos votre vous y c'est l'on"),
      .bare_letters = true,
      .elides = true,
  };
}

SentenceRules spanish() {
  return {
      .language = Language::kSpanish,
      .never_ends =
          WordSet("adj admón afmo alc almte aprox arq arz av avda avd bco brig cap cf cfr cnel comte cía "
                  "ctra dcha depto dir dn dña dr dra dres dras ej esp excmo excma fdo fr fray gral gob "
                  "hnos hno ibíd ilmo ilma ing izda izq jr lic lcdo lcda mons mr mrs ms mtro mtra ntra "
                  "ntro pbro pdte pl pol prof profa prov pza r.p rvdo sr sra sras sres srta srtas sta sto "
                  "suc trad ud uds v.g vda vid vs ppal teniente tte sgto cmdte nac"),
      .before_number =
          WordSet("apdo art arts cap caps ed fasc fig figs ene febr feb abr may jun jul ago sept sep oct "
                  "nov l lám lib n nº núm núms p pág págs párr pp sec sig t tel teléf tít v vol vols s ss"),
      .before_numeral = WordSet("mar set no tomo siglo dic"),
      .may_end =
          WordSet("a.c d.c a.m p.m s.a s.l ee.uu uu rr ff pp aa ee c.a cía ltda inc kg km min hab univ al "
                  "a.j.c d.j.c"),
      .end_lists = WordSet("etc"),
      .starters = WordSet(
          "a además ahora al algunas algunos allí ante antes apenas aquel aquella aquí así aún aunque bajo cada casi como "
          "con contra cuando cuánto de del desde después donde dos durante e el él ella ellas ellos en entonces entre era "
          "eran es esa ese eso esta está están estas este esto estos fue fueron ha había hace hacia han hasta hay hoy "
          "incluso la las le les lo los luego más me mi mientras mis mucho muchos muy nada nadie ni ninguna ninguno no nos "
          "nosotros nuestra nuestro nunca o otra otras otro otros para pero poco por porque pues que qué quien quién quizá "
          "quizás se según ser si sí sin sino sobre solo sólo son su sus también tampoco tan tanto te tenía tiene todas "
          "todavía todo todos tras tres tu un una unas uno unos usted y ya yo volvió"),
      .bare_letters = true,
  };
}

SentenceRules italian() {
  return {
      .language = Language::kItalian,
      .never_ends =
          WordSet("agg all amm arch art.lo avv b.go c.so ca cap.no card cav cfr chiar.mo co col comm comp "
                  "corr cte dir dott dott.ssa dr dr.ssa ecc.mo ecc.za edit egr es f.lli f.co fam fig.ra "
                  "gent gov id ing ill.mo ind int ispett it jr lat lett m.llo magg mar mass mons mr mrs "
                  "n.d.r ns nob on op.cit p.zza p.es p.le pagg par pers pp pr pres preg prof prof.ssa prov "
                  "rag rev s.b s.e s.m sac seg sen sig sig.na sig.ra sigg sig.ri spett ss st sta suor tab "
                  "tel ten uff v v.le vd vs gen geom"),
      .before_number =
          WordSet("art artt c cap capp cod co dic ed fasc fig figg fol gen genn feb febb apr mag giu lug "
                  "ago sett ott nov n nn nr num p pag par q sec sez t tav tit tom v vol voll vv s"),
      .before_numeral = WordSet("no mar set"),
      .may_end = WordSet("a.c d.c s.p.a s.r.l s.n.c s.a.s u.s.a u.r.s.s o.n.u c.d ab km kg min a.m p.m univ"),
      .end_lists = WordSet("ecc etc eccetera"),
      .starters = WordSet(
          "a ad ai al alcune alcuni alla alle allora altri anche ancora anni appena avanti aveva chi ci ciò come con così "
          "cosa cui da dal dalla dalle dai davanti de dei del della delle di dopo dove due durante e è ecco ed egli era "
          "erano essa esse essi esso fino forse fra fu fuori furono già gli ha hanno ho i il in infatti infine insieme "
          "inoltre io la là le lei lo loro lui ma mai mentre mi mia mio molti molto ne né nei nel nella nelle nessun "
          "nessuna nessuno niente no noi non nonostante nostra nostro nulla o ogni oggi oltre ora per perché però più "
          "piuttosto poi poco prima presso proprio può qualche quale quali quando quanti quanto quasi quei quel quella "
          "quelle quelli quello questa queste questi questo qui quindi se secondo sei sembra sempre senza si sì solo "
          "sono soprattutto sopra sotto spesso su sua sue sugli sui sul sulla suo suoi tale tali tanto te tra tre troppo "
          "tu tutta tuttavia tutte tutti tutto un una uno vi voi chiese"),
      .bare_letters = true,
      .elides = true,
  };
}

SentenceRules dutch() {
  return {
      .language = Language::kDutch,
      .never_ends =
          WordSet("a.g.v afb alg bc bijv bv bvb c.q ca cf d.d d.i d.m.v d.w.z dd dhr dr drs ds dwz enkelv "
                  "evt fam fr gebr geb gem ger gest get gld h hfdst id ing ir i.c.m i.p.v i.t.t i.v.m incl "
                  "jhr jkvr jl jr lic lt luit m.a.w m.b.t m.b.v m.i m.i.v m.n m.u.v mej mevr mgr mr mrs mw "
                  "n.a.v nml o.a o.b.v o.i.d o.l.v o.m onderz ong opm p.p pag plm prof pres red resp s.v.p "
                  "sgt sr st t.a.v t.g.v t.n.v t.o.v t.w.v tel u.d vgl vnl vs w.o wed z z.i z.o.z zg zgn "
                  "zr prov"),
      .before_number =
          WordSet("afl art bd bijl blz dl ed ex fig hfst hoofdst febr feb mrt apr aug sept sep okt nov dec "
                  "jrg nr nrs p par pp r tab vol"),
      .before_numeral = WordSet("deel lid nummer hoofdstuk vers jan max min u"),
      .may_end =
          WordSet("a.d b.v c.s co n.v v.chr n.chr chr v.s u.s.a n.b inc ltd ml kg km mln mld nv vzw e.v "
                  "e.a jhr str ma wo vr za"),
      .end_lists = WordSet("enz etc enzovoort e.d"),
      .starters = WordSet(
          "aan achter af al alle alleen als altijd andere beide bij binnen boven bovendien buiten daar daarbij daardoor "
          "daarin daarna daarnaast daarom daarop daarvan dan dat de deze die dit doch door dus een één eerst elk elke en "
          "er ervan geen haar had heb hebben heeft het hier hij hoe hoewel hun ieder iedere iedereen iemand iets ik in is "
          "ja je jij kan later maar men met misschien mijn na naar naast nadat nee niemand niet niets nog nooit nu of om "
          "omdat onder ondanks onze ook op over pas per rond sinds slechts soms te tegen ten ter terwijl toch toen tot "
          "totdat tussen twee u uit vaak van vandaag vanaf veel verder via voor voordat vooral vroeger waar waarom wanneer "
          "want waren was wat we weinig wel welke werd werden wie wij worden wordt ze zelfs zij zijn zo zoals zodra zonder "
          "zou 's 't"),
      .bare_letters = true,
  };
}

SentenceRules portuguese() {
  return {
      .language = Language::kPortuguese,
      .never_ends = WordSet(
          "al adv alm ant apart apr aprox arq av b bel brig bras c cap card cel cf cfr cia cmdt cond d desc "
          "dir dr dra dras drs des ed eng eng.ª enga ex ex.ª ex.mo exa exma exmo fr freg gen gov hab "
          "ibid il il.mo ilma ilmo jr ldo lg lic maj méd min mons mr mrs ms n.sra nac obs p.ex pe pç pca "
          "pça pres prof prof.ª profa prov rev r reg s sen sr sra sras srs srta sta sto ten tel trav trad "
          "univ v vd vs vda"),
      .before_number =
          WordSet("art arts cap caps cód ed fasc fig figs fl fls fol inc jan fev abr mai jun jul ago out "
                  "nov liv n nº nos núm p pág págs pp séc sécs sec t tab tít tel vol vols v"),
      .before_numeral = WordSet("par mar set dez tomo no"),
      .may_end = WordSet("a.c d.c a.m p.m s.a ltda lda cia e.u.a e.u.a eua inc km kg min r.p h seg"),
      .end_lists = WordSet("etc"),
      .starters = WordSet(
          "a além agora ainda algumas alguns ali ante antes ao aos apenas apesar após aquela aquele aqui as assim até cada "
          "com como contra contudo da das de dele dentro depois desde dessa desse desta deste do dois dos durante e é ela "
          "elas ele eles em enquanto então entre entretanto era eram essa essas esse esses esta está estão estas este "
          "estes eu existe foi foram há havia hoje isso isto já lá logo mais mas me mesmo meu minha muito muitos na nada não "
          "nas nem nenhum nenhuma nessa nesse nesta neste ninguém no nos nós nossa nosso num numa nunca o onde os ou outra "
          "outras outro outros para pela pelas pelo pelos pois por porém porque portanto pouco poucos qual quando quanto "
          "quase que quem sem sempre se segundo sendo ser seu seus só sob sobre sua suas também tanto tem têm tinha toda "
          "todas todavia todo todos três tu tudo um uma umas uns você voltou"),
      .bare_letters = true,
  };
}

SentenceRules polish() {
  return {
      .language = Language::kPolish,
      .never_ends =
          WordSet("abp abs adm al ang b bł bp bryg c dh doc dot dyr dypl franc gen gr hab hr in inż j jw "
                  "kan kier kmdr kol kpr kpt ks lek łac m mał mec med mgr mjr n nb niem np o ob ok ojc płk "
                  "płn por pos pp ppłk prof prok prow przew przyp pseud pw rad red rkm sp śp św szt śr tj "
                  "tow tzn tzw ul ur urodz wg właśc wlk woj wyd wł z zob zw zwł żyd pl pn plut sierż st ww"),
      .before_number =
          WordSet("art cz ds fig godz lit nr pkt poz r rozdz rys s sek str sygn t tab tel ust vol wers z "
                  "zesz"),
      .before_numeral = WordSet("tom par"),
      .may_end =
          WordSet("r w ww p.n.e n.e n.p.m p.p.m o.o s.a km kg min mld mln tys zł gr co inc ltd n.ł prz "
                  "prz.n.e br bm m.in im os"),
      .end_lists = WordSet("itd itp etc"),
      .starters = WordSet(
          "a ale albo bez bo był była było były być cały chociaż choć chyba co coraz czy czyli dlaczego dlatego dla do "
          "dopiero druga drugi drugie dwa dziś dzisiaj gdy gdzie gdyby i ich inne inni innych istnieje ja jak jako jakie "
          "jaki jego jej jednak jeden jedna jest jeszcze jeśli jeżeli już kiedy każda każde każdy kto która które który "
          "lecz ma mają miał miała między mimo może mój my na nad nadal najpierw nam nasz natomiast nie niektóre niektórzy "
          "nigdy nikt no o obecnie od oba obie on ona one oni ono oprócz oraz pan pani po pod podczas ponadto ponieważ "
          "poza potem później przed przez przy są skoro sam sama swoje ta tak także tam te tego tej ten to tu tutaj tylko "
          "tym ty u w we według wczoraj wiele wielu wkrótce wszyscy wszystkie wszystko wtedy z za zanim zaś zawsze ze "
          "został została zwykle że żaden żadna następnie trzy"),
      .bare_letters = true,
  };
}

/// Of any text in Cyrillic letters: also Ukrainian, Bulgarian and Serbian.
SentenceRules cyrillic() {
  return {
      .language = Language::kRussian,
      .never_ends =
          WordSet("акад адм англ бесп бл бр бул внутр воен вост вып ген гл гр гос губ д-р диал доп доц др "
                  "евр ед ж з зав зам запад зап заслуж изд имп ин инж исп итал кн ком конст корп кр куб "
                  "лат лейт маг маш местн мин-во митр млн млрд мн мор моск муж наб накл напр нар нач неизв "
                  "нем ниж нов ок окр оз о орг осн отд пер пл полк пом пос поч преп прибл прим проф просп "
                  "пр-т р рим рос рус с св сев сист см совм спец ср ст стб стр т тов тит туп тыс т.е т.н "
                  "т.к ул ум упр урожд ур устар ф фам физ фр франц хим хоз х ц цит чл чл-корр шт шутл экз "
                  "яз яп янв февр авг сент окт нояб дек вул див м-р рр тобто обл р-н ред"),
      .before_number =
          WordSet("абз вып гл изд ил кв кн л ном п подр пп ред с сб св см стр ст т табл тел тт ч п.п № д "
                  "корп оф"),
      .before_numeral = WordSet("рис лист дом пар я"),
      .may_end =
          WordSet("г гг в вв н.э э до н р.х руб коп час мин сек км кг м тыс млн млрд долл чел экз ин обл р "
                  "н.ст ст.ст т.д т.п рр ст р.н с.ш в.д ю.ш з.д им род гор сов"),
      .end_lists = WordSet("др пр т.д т.п"),
      .starters = WordSet(
          "а без благодаря более больше будет бы был была были было в вам вас ведь во вот впервые впоследствии время все всё "
          "всего вскоре всю вся вы где да даже два для до долго если есть ещё за затем здесь знаете и из или именно иногда "
          "их к каждая каждый как какая какой когда который кроме кто куда лишь люди между меня мне многие может можно мой "
          "мы на над наиболее например наш не него неё некоторые несмотря нет никто них но ныне о об обычно один одна "
          "однако он она они оно от перед по под позднее позже пока после потом почему при про раз с сам сегодня сейчас "
          "сначала снова со собственно среди так такая такие такой также там тем теперь то тогда тоже только тот три ты у "
          "уже хотя чем через что чтобы эта эти это этот этого я його її він вона вони це цей ця та що як але також"),
      .bare_letters = true,
      .latin = false,
  };
}

SentenceRules arabic() {
  return {
      .language = Language::kArabic,
      .never_ends = WordSet("د أ ص ج ط ع س ر ت ن ه ف ح ك ب أ.د م.د ا د.ا ق.م تلف هـ.ش"),
      .before_number = WordSet("ص ج ط ع س مج ف رقم"),
      .may_end = WordSet("ق.م ب.م م.م هـ هجري ميلادي ق.هـ"),
      .end_lists = WordSet("إلخ الخ"),
      .starters = WordSet(
          "و ثم كان كانت وكان وكانت وقد ولكن لكن وفي وقال قال لم ولم هذا هذه وهو وهي إن هو هي لا ما هل كل"),
      .speech = WordSet(
          "قال قالت سأل سألت أجاب أجابت صاح صاحت همس همست رد ردت صرخ صرخت هتف هتفت أضاف أضافت گفت پرسید"),
      .bare_letters = true,
      .latin = false,
  };
}

SentenceRules hindi() {
  return {
      .language = Language::kHindi,
      .never_ends = WordSet("डॉ डा प्रो पं श्री कु सं पृ मो मि मी किमी सेमी मिमी ई ई.पू पू रु रू नं क्र ले ले.जन जन "
                            "कर्नल स्व सर्व स्वा चौ वि वि.सं दे रा ना कि कि.मी मि.मी से.मी कि.ग्रा ग्रा लि प्रा ला आ "
                            "उ द ए बी सी डी एफ जी एच आई जे के एल एम एन ओ क्यू आर एस टी यू वी डब्ल्यू एक्स वाई ज़ेड "
                            "जेड शं गो ह प क ग च ज त न ब भ म य र ल व स अ इ पी एफ़"),
      .before_number = WordSet("पृ सं नं क्र अनु अ भाग खंड"),
      .speech = WordSet("पूछा कहा बोला बोली बोले चिल्लाया चिल्लाई विचारले म्हणाला म्हणाली"),
      .bare_letters = true,
      .latin = false,
  };
}

}  // namespace

WordSet::WordSet(string_view words) {
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    if (end > 0) words_.emplace_back(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  std::sort(words_.begin(), words_.end());
}

bool WordSet::has(string_view folded) const {
  return std::binary_search(words_.begin(), words_.end(), folded);
}

const SentenceRules& sentence_rules(Language language) {
  static const std::array all{english(), german(), french(),     spanish(),
                              italian(), dutch(),  portuguese(), polish()};
  const auto found = std::find_if(
      all.begin(), all.end(), [language](const SentenceRules& rules) { return rules.language == language; });
  return found == all.end() ? all.front() : *found;
}

const SentenceRules* sentence_rules_of_script(string_view word) {
  const std::size_t length = utf8_sequence(word);
  if (length < 2) return nullptr;
  static const std::array others{cyrillic(), arabic(), hindi()};
  const char32_t c = utf8_decode(word.data(), length);
  if (c >= 0x400 && c < 0x530) return &others[0];
  if (c >= 0x600 && c < 0x700) return &others[1];
  if (c >= 0x900 && c < 0x980) return &others[2];
  return nullptr;
}

}  // namespace nystrom
