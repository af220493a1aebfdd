from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from inference.actors import ActorFinder
from inference.schema import Article
from training.recipe import RecipeError
from training.taxonomy import ActorLexicon, load_lexicon, load_taxonomy

from .rows import CONFIGS

UN_MEMBERS = """
Afghanistan; Albania; Algeria; Andorra; Angola; Antigua and Barbuda; Argentina; Armenia; Australia; Austria; Azerbaijan;
Bahamas; Bahrain; Bangladesh; Barbados; Belarus; Belgium; Belize; Benin; Bhutan; Bolivia; Bosnia and Herzegovina;
Botswana; Brazil; Brunei; Bulgaria; Burkina Faso; Burundi; Cambodia; Cameroon; Canada; Cape Verde;
Central African Republic; Chad; Chile; China; Colombia; Comoros; Costa Rica; Croatia; Cuba; Cyprus; Czech Republic;
Denmark; Djibouti; Dominica; Dominican Republic; DR Congo; East Timor; Ecuador; Egypt; El Salvador; Equatorial Guinea;
Eritrea; Estonia; Eswatini; Ethiopia; Fiji; Finland; France; Gabon; Gambia; Georgia; Germany; Ghana; Greece; Grenada;
Guatemala; Guinea; Guinea-Bissau; Guyana; Haiti; Honduras; Hungary; Iceland; India; Indonesia; Iran; Iraq; Ireland;
Israel; Italy; Ivory Coast; Jamaica; Japan; Jordan; Kazakhstan; Kenya; Kiribati; Kuwait; Kyrgyzstan; Laos; Latvia;
Lebanon; Lesotho; Liberia; Libya; Liechtenstein; Lithuania; Luxembourg; Madagascar; Malawi; Malaysia; Maldives; Mali;
Malta; Marshall Islands; Mauritania; Mauritius; Mexico; Micronesia; Moldova; Monaco; Mongolia; Montenegro; Morocco;
Mozambique; Myanmar; Namibia; Nauru; Nepal; Netherlands; New Zealand; Nicaragua; Niger; Nigeria; North Korea;
North Macedonia; Norway; Oman; Pakistan; Palau; Panama; Papua New Guinea; Paraguay; Peru; Philippines; Poland; Portugal;
Qatar; Republic of the Congo; Romania; Russia; Rwanda; Saint Kitts and Nevis; Saint Lucia;
Saint Vincent and the Grenadines; Samoa; San Marino; São Tomé and Príncipe; Saudi Arabia; Senegal; Serbia; Seychelles;
Sierra Leone; Singapore; Slovakia; Slovenia; Solomon Islands; Somalia; South Africa; South Korea; South Sudan; Spain;
Sri Lanka; Sudan; Suriname; Sweden; Switzerland; Syria; Tajikistan; Tanzania; Thailand; Togo; Tonga;
Trinidad and Tobago; Tunisia; Turkey; Turkmenistan; Tuvalu; Uganda; Ukraine; United Arab Emirates; United Kingdom;
United States; Uruguay; Uzbekistan; Vanuatu; Venezuela; Vietnam; Yemen; Zambia; Zimbabwe
"""


@pytest.fixture(scope="module")
def lexicon() -> ActorLexicon:
    return ActorLexicon.model_validate(yaml.safe_load((CONFIGS / "actors.yaml").read_text("utf-8")))


@pytest.fixture(scope="module")
def finder() -> ActorFinder:
    return ActorFinder(load_lexicon(CONFIGS / "actors.yaml").forms)


def test_the_shipped_lexicon_has_every_member_of_the_un(lexicon: ActorLexicon):
    members = [name.strip() for name in UN_MEMBERS.replace("\n", " ").split(";")]
    countries = {actor.name for actor in lexicon.actors if actor.kind == "country"}
    assert len(set(members)) == 193
    assert set(members) - countries == set()


def test_no_actor_of_the_shipped_lexicon_is_there_twice(lexicon: ActorLexicon):
    names = [actor.name for actor in lexicon.actors]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_the_forms_of_the_shipped_lexicon_are_clean(lexicon: ActorLexicon):
    forms = [form for actor in lexicon.actors for form in actor.forms]
    assert [form for form in forms if form != form.strip() or form.startswith("the ")] == []
    assert [form for form in forms if len(form) < 2] == []


def test_countries_have_demonyms(lexicon: ActorLexicon):
    members = {name.strip() for name in UN_MEMBERS.replace("\n", " ").split(";")}
    bare = {actor.name for actor in lexicon.actors if actor.name in members and not actor.demonyms}
    assert bare <= {"Republic of the Congo", "São Tomé and Príncipe"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Washington said no.", "United States"),
        ("The Pentagon denied it.", "United States"),
        ("Secretary of State John Kerry left.", "United States"),
        ("The White House agreed.", "United States"),
        ("The Kremlin’s reply came.", "Russia"),
        ("Moscow's envoy left.", "Russia"),
        ("RUSSIA WARNS", "Russia"),
        ("Tehran agreed.", "Iran"),
        ("Iranians voted.", "Iran"),
        ("ISIL fled the town.", "Islamic State"),
        ("ISIS fled the town.", "Islamic State"),
        ("The United Nations met.", "UN"),
        ("European Union ministers met.", "EU"),
        ("Nato met.", "NATO"),
        ("The International Atomic Energy Agency met.", "IAEA"),
        ("Hezbollah fired.", "Hezbollah"),
        ("Hamas fired.", "Hamas"),
        ("The Taliban fired.", "Taliban"),
        ("The Syrian Democratic Forces fired.", "SDF"),
        ("The PKK fired.", "PKK"),
        ("The Syrian opposition met.", "Syrian opposition"),
        ("Republican Party leaders met.", "Republican Party"),
        ("Downing Street was silent.", "United Kingdom"),
        ("Beijing was silent.", "China"),
    ],
)
def test_the_codebooks_names_are_found(finder: ActorFinder, text: str, name: str):
    assert [mention.name for mention in finder.find(Article("a", text))] == [name]


@pytest.mark.parametrize(
    "text", ["They may use brown turkey and china plates.", "We met us in a jordanian-style cafe."]
)
def test_common_words_are_no_actors(finder: ActorFinder, text: str):
    assert finder.find(Article("a", text)) == []


def test_a_form_of_two_actors_is_refused(tmp_path: Path):
    path = _written(tmp_path, "actors: [{name: A, kind: country, aliases: [X]}, {name: B, kind: party, people: [X]}]")
    with pytest.raises(RecipeError, match=f"{path}: 'X' stands for both A and B"):
        load_lexicon(path)


def test_a_form_that_one_actor_names_twice_is_its_own(tmp_path: Path):
    path = _written(tmp_path, "actors: [{name: A, kind: country, aliases: [X, A], demonyms: [X]}]")
    assert load_lexicon(path).forms == {"A": "A", "X": "A"}


def test_an_organ_stands_for_its_country_and_has_a_name_of_its_own(tmp_path: Path):
    path = _written(
        tmp_path, "actors: [{name: A, kind: country, people: [Jo Doe], organs: {House of A: [House, Ann Poe]}}]"
    )
    lexicon = load_lexicon(path)
    assert lexicon.forms == dict.fromkeys(["A", "Jo Doe", "House of A", "House", "Ann Poe"], "A")
    own = dict.fromkeys(["House of A", "House", "Ann Poe"], "House of A")
    assert lexicon.people == {"Jo Doe": "Jo Doe", **own}
    path = _written(tmp_path, "actors: [{name: A, kind: country, organs: {O: [X]}}, {name: X, kind: party}]")
    with pytest.raises(RecipeError, match="'X' stands for both A and X"):
        load_lexicon(path)


def test_a_topic_named_twice_is_refused(tmp_path: Path):
    topics = "topics: [{label: a, description: one}, {label: b, description: two}, {label: a, description: three}]"
    path = _written(tmp_path, topics)
    with pytest.raises(RecipeError, match=f"{path}: topics named twice: a$"):
        load_taxonomy(path)


def test_topics_keep_their_order(tmp_path: Path):
    path = _written(tmp_path, "topics: [{label: b, description: one}, {label: a, description: two}]")
    assert load_taxonomy(path).labels == ("b", "a")


@pytest.mark.parametrize(
    ("load", "content", "expected"),
    [
        (load_taxonomy, "topics: [{label: a, description: b, colour: red}]", "topics.0.colour: Extra inputs"),
        (load_taxonomy, "topics: [{label: Not A Label, description: b}]", "topics.0.label: String should match"),
        (load_taxonomy, "topics: [{label: a}]", "topics.0.description: Field required"),
        (load_taxonomy, "topics: []", "topics: Tuple should have at least 1 item"),
        (load_lexicon, "actors: [{name: A, kind: planet}]", "actors.0.kind: Input should be 'country'"),
        (load_lexicon, "actors: [{name: A, kind: country, alias: [B]}]", "actors.0.alias: Extra inputs"),
        (
            load_lexicon,
            "actors: [{name: NO, kind: country, aliases: [no]}]",
            "actors.0.aliases.0: Input should be a valid",
        ),
        (load_lexicon, "[]", "valid dictionary"),
    ],
)
def test_a_wrong_vocabulary_is_explained(tmp_path: Path, load, content: str, expected: str):
    path = _written(tmp_path, content)
    with pytest.raises(RecipeError) as raised:
        load(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert expected in str(raised.value)


def _written(folder: Path, content: str) -> Path:
    path = folder / "vocabulary.yaml"
    path.write_text(content, "utf-8")
    return path
