"""Which operations a caller sees."""

from itertools import pairwise

import pytest

from shared.errors import BillyError
from shared.policy.roles import ROLES
from shared.road.catalogue import OPERATIONS
from shared.surfaces.selection import Selection, offered, read_selection


def names(role: str, query: dict[str, str]) -> list[str]:
    return [each.name for each in offered(OPERATIONS, role, read_selection(query, OPERATIONS))]


@pytest.mark.requirement("TS-003")
@pytest.mark.parametrize("query", [{"methods[0]": "read"}, {"methods[]": "read"}, {"methods": "read"}, {"methods": " read "}])
def test_every_spelling_of_the_filter_means_the_same(query: dict[str, str]) -> None:
    assert names("owner", query) == [each.name for each in OPERATIONS if each.agents and not each.writes]


def test_members_of_one_list_add_up_and_the_two_lists_narrow_each_other() -> None:
    both = set(names("owner", {"tags[0]": "refunds", "tags[1]": "charges"}))
    assert both == set(names("owner", {"tags": "refunds,charges"}))
    assert both == set(names("owner", {"tags[0]": "refunds"})) | set(names("owner", {"tags[0]": "charges"}))
    assert names("owner", {"tags": "refunds,charges", "methods[0]": "write"}) == [
        each.name for each in OPERATIONS if each.agents and each.writes and {"refunds", "charges"} & set(each.tags)
    ]


def test_without_a_filter_everything_that_the_role_permits_is_shown() -> None:
    assert names("owner", {}) == [each.name for each in OPERATIONS if each.agents]


@pytest.mark.requirement("AB-070")
def test_a_lower_role_never_sees_more() -> None:
    seen = [set(names(role, {})) for role in ROLES]
    assert all(lower <= higher for lower, higher in pairwise(seen))
    assert names("no_such_role", {}) == []


@pytest.mark.parametrize(
    "query, field",
    [
        ({"methods[0]": "delete"}, "methods"),
        ({"tags[0]": "core", "tags[1]": "secret-tag"}, "tags"),
        ({"tags": "core,"}, "tags"),
        ({"tag": "core"}, "query"),
        ({"tags[x]": "core"}, "query"),
        ({"tags[0]extra": "core"}, "query"),
    ],
)
def test_an_unknown_filter_is_an_error_that_names_what_is_known(query: dict[str, str], field: str) -> None:
    with pytest.raises(BillyError) as caught:
        read_selection(query, OPERATIONS)
    error = caught.value
    assert error.code == "invalid_request"
    assert error.fields[0]["field"] == field
    assert "secret-tag" not in f"{error.detail} {error.next} {error.fields}"
    if field == "tags":
        assert error.next is not None and "core" in error.next


def test_a_selection_without_wishes_admits_everything() -> None:
    assert all(Selection().admits(each) for each in OPERATIONS)
