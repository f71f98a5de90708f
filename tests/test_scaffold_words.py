"""What `new` understands, and what it refuses in one helpful line."""

import importlib
from pathlib import Path

import pytest

from app.cli.console import CommandError
from app.cli.scaffold.describing import describe
from app.cli.scaffold.features import features
from app.cli.scaffold.fields import TYPES, Field, parse_field, parse_fields
from app.cli.scaffold.names import entity_names
from app.cli.scaffold.project import Project
from app.core.config import ROOT

PROJECT = Project(ROOT)


@pytest.mark.parametrize(
    ("typed", "singular", "plural", "cls", "url"),
    [
        ("category", "category", "categories", "Category", "categories"),
        ("OrderItem", "order_item", "order_items", "OrderItem", "order-items"),
        ("order-item", "order_item", "order_items", "OrderItem", "order-items"),
        ("order_item", "order_item", "order_items", "OrderItem", "order-items"),
        ("person", "person", "people", "Person", "people"),
        ("status", "status", "statuses", "Status", "statuses"),
        ("news", "news", "news", "News", "news"),
        ("HTTPRequest", "http_request", "http_requests", "HttpRequest", "http-requests"),
    ],
)
def test_an_entity_has_all_its_spellings(
    typed: str, singular: str, plural: str, cls: str, url: str
) -> None:
    names = entity_names(typed)
    assert (names.singular, names.plural, names.cls, names.url) == (singular, plural, cls, url)


def test_a_plural_can_be_told() -> None:
    assert entity_names("crew", "crew-members").plural == "crew_members"
    assert entity_names("sms", "smses").plural == "smses"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("products", "python run.py new product"),
        ("class", "word of Python"),
        ("list", "name of Python"),
        ("metadata", "every feature uses"),
        ("page", "every feature uses"),
        ("1st", "is no name"),
        ("ação", "is no name"),
        ("../evil", "is no name"),
        ("x" * 41, "longer than 40"),
        ("token", "exists already: app/models/token.py"),
        ("migration", "tests/test_migrations.py exists already"),
    ],
)
def test_a_bad_name_is_refused(typed: str, said: str) -> None:
    with pytest.raises(CommandError) as refused:
        describe(PROJECT, typed, [])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ("name:str:200:unique", Field("name", "str", length=200, unique=True)),
        ("description:text:optional", Field("description", "text", 10_000, optional=True)),
        ("price:decimal:10.2", Field("price", "decimal")),
        ("rate:decimal:5.4", Field("rate", "decimal", precision=5, scale=4)),
        ("stock:int=0", Field("stock", "int", default="0")),
        ("rating:int:min=1:max=5", Field("rating", "int", minimum="1", maximum="5")),
        ("opens:time=09:00", Field("opens", "time", default="09:00")),
        ("opens:time:index:default=09:00", Field("opens", "time", index=True, default="09:00")),
        ("size:enum:s/m=s", Field("size", "enum", choices=("s", "m"), default="s")),
        ("category:ref", Field("category", "ref", target="category")),
        ("owner:ref:users", Field("owner", "ref", target="users")),
        ("parent:ref:self:optional", Field("parent", "ref", target="self", optional=True)),
        ("tags:many", Field("tags", "many", target="tags")),
        ("birthDate:date", Field("birth_date", "date")),
        ("color:str:7:index", Field("color", "str", length=7, index=True)),
    ],
)
def test_a_field_is_read(typed: str, field: Field) -> None:
    assert parse_field(typed) == field


@pytest.mark.parametrize("type_", TYPES)
def test_every_type_has_a_plain_form(type_: str) -> None:
    more = {"enum": ":a/b", "ref": ":users", "many": ":users"}.get(type_, "")
    assert parse_field(f"thing:{type_}{more}").type == type_


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("name", "write name:str"),
        ("name:strng", "Did you mean name:str?"),
        ("price:money", "Did you mean price:decimal?"),
        ("name:str:uniqe", "Did you mean unique?"),
        ("price:decimal:10,2", "price:decimal:10.2"),
        ("date:date", "name of a type"),
        ("id:int", "every feature has"),
        ("metadata:str", "every feature has"),
        ("registry:str", "every feature has"),
        ("model_name:str", "every feature has"),
        ("class:str", "word of Python"),
        ("name:str:0", "1 to 5,000"),
        ("name:str:300:unique", "at most 255"),
        ("name:str:unique=x", "what is unique has no default"),
        ("name:str:optional=x", "what has a default is never missing"),
        ("body:text:unique", "Take str"),
        ("done:bool:unique", "cannot be unique"),
        ("data:json:index", "cannot have an index"),
        ("name:str:min=3", "min is for numbers"),
        ("price:decimal:20.2", "15 digits"),
        ("price:decimal:2.4", "10 are all digits"),
        ("status:enum", "parted by a slash"),
        ("status:enum:a/a", "each is another one"),
        ("status:enum:A/B", "small letters"),
        ("owner:ref:users=1", "has no default"),
    ],
)
def test_a_bad_field_is_refused(typed: str, said: str) -> None:
    with pytest.raises(CommandError) as refused:
        parse_field(typed)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (["name:str", "name:int"], "name is there twice"),
        (["owner:ref:users", "owner_id:int"], "owner_id is there twice"),
        (["stock:int=many"], "no int"),
        (["stock:int=1:min=1"], "write it last"),
        (["rating:int:min=5:max=1"], "is more than max"),
        (["rating:int:min=x"], "is no int"),
        (["rating:int:min=1:max=5:default=9"], "less than or equal to 5"),
        (["name:str:3=abcd"], "at most 3"),
        (["status:enum:a/b=c"], "is no a/b"),
        (["active:bool=maybe"], "is no bool"),
        (["on_day:date=2026-02-30"], "on_day: the default"),
        (["opens:time=24:00"], "09:30"),
        (["data:json={"], "is no json"),
        (["color:ref"], "there is no color to refer to"),
        (["owner:ref:usr"], "Did you mean user?"),
        (["parent:ref:self"], "parent:ref:self:optional"),
        (["gadget:str"], "the entity's own name"),
    ],
)
def test_a_bad_description_is_refused(fields: list[str], said: str) -> None:
    with pytest.raises(CommandError) as refused:
        describe(PROJECT, "gadget", fields)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_options_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(CommandError, match="there are anyone, user"):
        describe(PROJECT, "gadget", [], write="everybody")
    with pytest.raises(CommandError, match="no --write"):
        describe(PROJECT, "gadget", [], owned=True, write="staff")
    with pytest.raises(CommandError, match="have a user already"):
        describe(PROJECT, "gadget", ["user:ref"], owned=True)


def test_without_fields_there_is_a_name() -> None:
    assert [field.name for field in parse_fields([])] == ["name"]


def test_every_feature_can_be_referred_to() -> None:
    """What `new` writes makes its rows with the factories of the others."""
    for feature in features(PROJECT):
        module = importlib.import_module(PROJECT.factory(feature.model))
        row = getattr(module, f"make_{feature.name}")()
        assert type(row).__name__ == feature.model.cls


SERVICE = """
class AlbumService:
    @staticmethod
    def get_album(db: Session, user: User, album_id: int) -> Album:
        return get_or_404(db, Album, album_id, {})
"""


@pytest.mark.parametrize(
    ("asks", "reader", "guarded"),
    [
        ("Album.user_id == user.id", "user", True),
        ("*[Album.user_id == user.id]", "user", True),
        ("\n            Album.user_id == user.id,\n        ", "user", True),
        ("user.id == Album.user_id", "staff", True),
        ("Album.user_id == user.id", "anyone", False),
        ("Album.user_id == other.id", "user", False),
    ],
)
def test_what_an_owned_row_refers_to_is_its_owners(
    tmp_path: Path, asks: str, reader: str, guarded: bool
) -> None:
    """Whether the service of what it refers to asks whose that is, however it is written."""
    for name, text in {
        "app/models/album.py": 'class Album(Base, IdMixin):\n    __tablename__ = "albums"\n',
        "app/services/album_service.py": SERVICE.format(asks),
        "tests/test_albums.py": f'ACCESS = [("GET", "/albums/{{album_id}}", "{reader}")]\n',
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    photo = describe(Project(tmp_path), "photo", ["album:ref", "name:str"], owned=True)
    assert [each.guarded for each in photo.attributes] == [guarded, False]


def test_an_entity_that_refers_to_itself_only_is_refused() -> None:
    with pytest.raises(CommandError, match="Add a field: name:str"):
        describe(PROJECT, "node", ["parent:ref:self:optional"])
