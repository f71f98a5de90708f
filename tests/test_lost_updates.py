"""Lost updates: of those who change the same version of a row at once, one does."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.core.config import get_settings
from app.core.database import Database
from app.main import create_app
from app.models.category import Category
from app.models.product import Product
from tests.support import at_once, stored
from tests.test_categories import make_category
from tests.test_products import make_product, new_product

Headers = dict[str, str]

BODIES: dict[str, Any] = {"PUT": new_product(), "PATCH": {"stock": 5}, "DELETE": None}


def test_of_ten_that_replace_one_version_at_once_one_does(
    client: TestClient, staff_headers: Headers, threaded: Database
) -> None:
    path = f"/products/{make_product().id}"
    headers = staff_headers | {"If-Match": client.get(path).headers["etag"]}

    def replace(number: int) -> Any:
        return client.put(path, json=new_product(stock=number), headers=headers)

    answers = at_once(10, replace)
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9
    (done,) = [answer for answer in answers if answer.is_success]
    assert (stored(Product)[0].stock, stored(Product)[0].version) == (done.json()["stock"], 2)


def test_of_ten_that_delete_one_version_at_once_one_does(
    client: TestClient, staff_headers: Headers, threaded: Database
) -> None:
    path = f"/categories/{make_category().id}"

    def delete(_: int) -> int:
        headers = staff_headers | {"If-Match": '"1"'}
        return client.delete(path, headers=headers).status_code

    assert sorted(at_once(10, delete)) == [204] + [404] * 9
    assert stored(Category) == []


def test_without_a_version_they_change_it_one_after_the_other(
    client: TestClient, staff_headers: Headers, threaded: Database
) -> None:
    """Each PATCH begins again on what the one before it left, and keeps it, or says 409."""
    path = f"/products/{make_product(stock=0).id}"
    changes = [{"description": "A novel"}, {"stock": 7}, {"price": "5.00"}, {"is_active": False}]

    def change(number: int) -> int:
        return client.patch(path, json=changes[number], headers=staff_headers).status_code

    answers = at_once(4, change)
    product = client.get(path).json()
    assert set(answers) <= {200, 409}
    assert stored(Product)[0].version == 1 + answers.count(200)
    for answer, change_ in zip(answers, changes, strict=True):
        assert (product.items() >= change_.items()) == (answer == 200)


# --- REQUIRE_IF_MATCH ------------------------------------------------------------------------


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setattr(get_settings(), "require_if_match", True)
    return TestClient(create_app(), base_url="http://testserver/api/v1")


@pytest.mark.parametrize("method", BODIES)
def test_a_change_without_a_version_is_428(
    strict: TestClient, staff_headers: Headers, method: str
) -> None:
    path = f"/products/{make_product().id}"
    refused = strict.request(method, path, json=BODIES[method], headers=staff_headers)
    assert refused.status_code == 428
    assert refused.json()["title"] == "Precondition Required"
    assert stored(Product)[0].version == 1
    headers = staff_headers | {"If-Match": strict.get(path).headers["etag"]}
    assert strict.request(method, path, json=BODIES[method], headers=headers).is_success


def test_whoever_means_any_version_says_so(strict: TestClient, staff_headers: Headers) -> None:
    path = f"/products/{make_product().id}"
    assert strict.delete(path, headers=staff_headers | {"If-Match": "*"}).status_code == 204


def test_who_is_not_signed_in_is_told_that_first(strict: TestClient) -> None:
    assert strict.delete(f"/products/{make_product().id}").status_code == 401


def test_what_has_no_version_needs_none(strict: TestClient, staff_headers: Headers) -> None:
    path = f"/products/{make_product().id}/stock?quantity=1"
    assert strict.patch(path, headers=staff_headers).status_code == 200
    assert strict.post("/products", json=new_product(), headers=staff_headers).is_success


@pytest.mark.parametrize("required", [True, False])
def test_the_document_says_whether_it_is_required(
    monkeypatch: pytest.MonkeyPatch, required: bool
) -> None:
    monkeypatch.setattr(get_settings(), "require_if_match", required)
    paths = create_app().openapi()["paths"]
    operations = [(method, each) for path in paths.values() for method, each in path.items()]
    found = 0
    for method, operation in operations:
        parameters = {each["name"].lower(): each for each in operation.get("parameters", [])}
        takes_it = "if-match" in parameters
        found += takes_it
        assert ("428" in operation["responses"]) == (takes_it and required)
        assert not takes_it or parameters["if-match"]["required"] == required
        assert not takes_it or method in ("put", "patch", "delete")
    assert found
