"""The words by which `kept.domain.relations` reads clauses: English, and the commonest of German, Spanish and French.

All are in lower case. What a set leaves out costs a relation that is not found; what it holds too much, one that nobody stated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


# --- what a clause is about, or not ---

DENIED: Final = _words(
    "not no never none neither nor without hardly barely kein keine keinen keinem keiner nicht nie nunca jam\u00e1s jamais aucun aucune"
)
"""What is said with them does not hold."""
SUPPOSED: Final = _words(
    "if unless whether would could might suppose supposedly imagine hypothetically pretend maybe perhaps possibly wish wished "
    "hopefully allegedly apparently rumour rumor example e.g. wenn falls w\u00fcrde w\u00fcrden k\u00f6nnte vielleicht si quiz\u00e1 quiz\u00e1s tal "
    "peut-\u00eatre pourrait"
)
"""Words of sentences that say how things might be."""
OPENERS: Final = _words(
    "and but so also actually btw fyi note now well yes yeah no ok okay hey hi hello oh personally currently honestly generally "
    "usually anyway today remember update correction decision fact preference convention then plus additionally yep right sure "
    "indeed basically here und aber y pero et mais donc"
)
"""Words before a subject that change nothing."""
ADVERBS: Final = _words(
    "also really now currently always usually still mostly just mainly primarily already recently actually typically generally often "
    "normally finally officially both absolutely all definitely permanently successfully immer jetzt auch gerade ahora siempre "
    "tambi\u00e9n actualmente toujours aussi maintenant actuellement sehr gerne gern"
)
"""Words between subject and verb, or after it, that change nothing."""

# --- subjects ---

FIRST_PERSON: Final = _words("i we ich wir yo nosotros nosotras je nous me")
SUBJECTLESS: Final = _words(
    "vivo vivimos trabajo trabajamos uso usamos utilizo utilizamos prefiero preferimos odio odiamos hablo"
)
"""Spanish verbs that name their subject by their ending."""
OWN: Final = _words("my our mein meine meinen meiner unser unsere unseren mi mis nuestro nuestra mon ma mes notre nos")
OURS: Final = _words("our unser unsere unseren nuestro nuestra notre nos")
"""Of what is ours, whose it is goes without saying: our API is the API."""
ARTICLES: Final = _words(
    "the a an der die das den dem ein eine einen einem el la los las un una unos unas le les une des"
)
DEFINITE: Final = _words("the der die das den el la los las le les")
FUNCTION_WORDS: Final = _words(
    "to in on at by for with from of that which who whom this these those it he she they you there here what when where why how than "
    "as into over about is are was were be been being am do does did have has had having will would can could should may might must "
    "said says say thinks think thought told tells heard claims claimed believes knows reads i we us them him her his your its their my our "
    "but or because so not no never all every some any many each thanks like while if und oder que qui quien der die das"
)
"""A subject that holds one of them says more than a name."""
VAGUE: Final = _words(
    "same other others rest only whole reason reasons problem problems issue issues thing things idea ideas question questions point "
    "way answer fact error errors bug bugs goal solution fix result results difference trick catch key truth one ones two last next "
    "best worst most first second third latter former user users people guy man woman person kid kids more less end example "
    "alternative alternatives case cases downside upside advantage new old current right wrong number amount total sum probability value significance frequency percentage rate variety "
    "range set combination series tool tools bit ton"
)
"""Words that say of a description that it names nothing that could be known again."""

# --- objects ---

NO_OBJECT: Final = _words(
    "it this that these those them him her you me us one ones some any something anything everything nothing somebody someone what "
    "how when where why who which whoever whatever all most more much many lot lots few several other others another each both such "
    "same your yours his hers their its theirs ours mine myself himself herself itself to be being been do doing so too very there "
    "here es ihn sie dies ihm ihr euch dich mich uns esto eso ella ellos lo te se cela \u00e7a elle lui vous toi alles etwas nichts todo "
    "nada algo tout rien way ways like going trying my our mi mein meine mon ma"
)
"""An object does not begin with them: they point elsewhere, or at nothing in particular."""
CUTS: Final = _words(
    "because when whenever since for while so but although though if that which who whom whose to with from as after before during "
    "than instead over rather in on at by via per until till into onto through across within under between about against around too "
    "also now today nowadays anymore again very together mostly mainly especially only just every each where not except like unlike "
    "despite thanks inside outside behind really right already currently always whereas hence this last next later yesterday "
    "recently lately exclusively locally internally extensively heavily daily is are was were these those weil wenn f\u00fcr mit als seit aber "
    "dass damit bei nach um zu am im vom zum porque para con cuando desde como pero en sobre que parce pour avec quand depuis car "
    "dans sur chez mais afin comme \u00e0 statt lieber gegen\u00fcber por al sin the of"
)
"""Words at which an object ends."""
CONTRACTED_ENDINGS: Final = ("'s", "'re", "'m", "'ve", "'ll", "'d", "n't")
"""An object does not hold them: another clause begins there."""
LIGHT_GERUNDS: Final = _words(
    "having getting making seeing helping talking going being learning finding spending taking running breaking curling sinking "
    "escaping prepping doing trying giving keeping putting coming looking holding bringing sharing experimenting working using "
    "thinking feeling knowing telling showing hearing meeting connecting chatting adding setting turning"
)
"""Activities that say nothing without what follows."""
ROLES: Final = _words("role part parts thought idea look sound way feel vibe concept plan")
AND: Final = _words("and & und y e et plus sowie")
OR: Final = _words("or oder ou vs versus either and/or")
JOINING: Final = _words("of de del da di von van der den du la le the bin al")
"""Words inside names that are written small."""

TITLES: Final = _words("dr. mr. mrs. ms. st. prof.")
"""Before a name; their full stop ends nothing."""

# --- kinds of things ---

KIN: Final = _words(
    "sister brother wife husband spouse mother father mom mum dad son daughter boss manager friend colleague coworker co-worker "
    "neighbour neighbor cousin aunt uncle grandmother grandfather grandma grandpa partner girlfriend boyfriend fianc\u00e9 fianc\u00e9e "
    "mentor teacher coach roommate flatmate dentist doctor therapist landlord assistant niece nephew twin stepmother stepfather "
    "ex-wife ex-husband supervisor accountant lawyer tutor trainer stepsister stepbrother godmother godfather"
)
"""What people are to each other."""
GIVING: Final = _words(
    "give gave given giving gives send sent sending sends buy bought buying buys show showed shown showing shows tell told telling "
    "tells ask asked asking asks teach taught teaching teaches get got getting gets make made making makes bring brought bringing "
    "brings feed fed feeding feeds read reading reads offer offered lend lent owe owed hand handed pass passed pay paid promise "
    "promised wish wished cook cooked order ordered found find"
)
"""After them the name behind `my sister` may be what she was given: I bought my sister AirPods."""
PETS: Final = _words(
    "dog cat puppy kitten horse parrot rabbit hamster bird fish tortoise turtle pony goldfish canary ferret"
)
OPEN_TRAITS: Final = _words("hobby hobbies major nationality diet birthday instrument pronouns allergy")
"""What somebody has one of, whatever its value looks like."""
TRAITS: Final = _words(
    "name nickname age job profession size height weight timezone role title major email phone "
    "address hometown budget deadline surname language editor shell os laptop keyboard monitor port host hostname version path url "
    "branch region database license licence owner maintainer model username handle sport school "
    "university employer company team lead cto ceo backend frontend framework car bike price cost wage salary"
)
"""What somebody or something has one of, whose value is a name, a number or an identifier."""
TECHNICAL_TRAITS: Final = _words("port version url host path region branch")
"""At the end of a description they are its trait: the API port."""
WHICH: Final = _words("default main current primary preferred")
"""Before a trait they say which, not whose: the default branch."""
EVENTS: Final = _words(
    "meeting deadline appointment release launch standup demo flight party wedding interview exam birthday anniversary review retro "
    "presentation trip vacation holiday surgery concert conference workshop retrospective visit game match race"
)
"""What has a day."""
DAYS: Final = _words(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september october "
    "november december jan feb mar apr jun jul aug sep sept oct nov dec tomorrow noon midnight"
)
DIETS: Final = _words(
    "vegan vegetarian pescatarian vegana vegano vegetariano vegetariana v\u00e9g\u00e9tarien v\u00e9g\u00e9tarienne vegetarier vegetarierin veganer"
)
OCCUPATIONS: Final = _words(
    "nurse student teacher doctor engineer developer programmer designer scientist lawyer chef cook pilot judge architect vet surgeon "
    "intern apprentice coach accountant consultant writer author editor journalist photographer musician artist painter actor actress "
    "singer dancer plumber electrician carpenter mechanic farmer baker barista waiter waitress bartender firefighter paramedic dentist "
    "pharmacist therapist psychologist psychiatrist biologist chemist physicist mathematician economist historian librarian translator "
    "researcher professor lecturer tutor trainer analyst manager director founder freelancer contractor administrator sysadmin tester "
    "recruiter salesman realtor driver courier gardener florist tailor butcher fisherman sailor soldier officer detective teenager "
    "retiree grandmother grandfather mother father widow widower vegetarian vegan labrador poodle beagle terrier retriever collie"
)
"""What somebody can be said to be, as the last word of what follows `a`."""

ABROAD: Final[Mapping[str, str]] = {
    "hund": "dog", "perro": "dog", "perra": "dog", "chien": "dog", "chienne": "dog", "katze": "cat", "gato": "cat",
    "gata": "cat", "chat": "cat", "schwester": "sister", "hermana": "sister", "s\u0153ur": "sister", "soeur": "sister",
    "bruder": "brother", "hermano": "brother", "fr\u00e8re": "brother", "frau": "wife", "esposa": "wife", "mujer": "wife",
    "femme": "wife", "mann": "husband", "esposo": "husband", "marido": "husband", "mari": "husband", "mutter": "mother",
    "madre": "mother", "m\u00e8re": "mother", "vater": "father", "padre": "father", "p\u00e8re": "father", "chef": "boss",
    "chefin": "boss", "jefe": "boss", "jefa": "boss", "tochter": "daughter", "hija": "daughter", "fille": "daughter",
    "sohn": "son", "hijo": "son", "fils": "son", "name": "name", "nombre": "name", "nom": "name", "geburtstag": "birthday",
    "lieblingsfarbe": "favourite_colour", "lieblingsessen": "favourite_food", "lieblingsfilm": "favourite_film",
    "lieblingsbuch": "favourite_book", "color_favorito": "favourite_colour", "comida_favorita": "favourite_food",
    "pel\u00edcula_favorita": "favourite_film", "libro_favorito": "favourite_book", "couleur_pr\u00e9f\u00e9r\u00e9e": "favourite_colour",
    "plat_pr\u00e9f\u00e9r\u00e9": "favourite_food", "film_pr\u00e9f\u00e9r\u00e9": "favourite_film", "livre_pr\u00e9f\u00e9r\u00e9": "favourite_book",
}  # fmt: skip
"""What people call in German, Spanish or French what has an English name here."""
