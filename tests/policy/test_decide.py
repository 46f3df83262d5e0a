"""Who may: every line of the table is a test, and its name."""

import pytest

from shared.policy import caps, roles
from shared.policy.decide import Allow, Asked, Deny, decide
from shared.road.catalogue import OPERATIONS

TABLE = """
role            | amount      | currency | decision | who can                 | because
owner           | 99999999999 | usd      | allow    |                         | no cap
owner           | 99999999999 | jpy      | allow    |                         | no cap in any currency
billing_manager | 500000      | usd      | allow    |                         | the cap is inclusive
billing_manager | 500001      | usd      | deny     | owner                   | one cent above the cap
billing_manager | 1           | eur      | deny     | owner                   | a currency without a cap
billing_manager | 500000      | jpy      | deny     | owner                   | minor units of another currency are not cents
billing_clerk   | 10000       | usd      | allow    |                         | the cap is inclusive
billing_clerk   | 10001       | usd      | deny     | billing_manager, owner  | one cent above the cap
billing_clerk   | 500001      | usd      | deny     | owner                   | above the manager's cap too
billing_clerk   | 1           | kwd      | deny     | owner                   | a currency without a cap
read_only       | 1           | usd      | deny     | billing_clerk, billing_manager, owner | no write at all
nobody          | 1           | usd      | deny     | billing_clerk, billing_manager, owner | an unknown role holds nothing
"""
ROWS = [[cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines()[1:]]


@pytest.mark.requirement("AB-073", "AB-076", "AB-140", "AB-141", "AB-142", "AB-143", "AB-144")
@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]} refunds {row[1]} {row[2]}: {row[5]}" for row in ROWS])
def test_a_cap_decides(row: list[str]) -> None:
    role, amount, currency, expected, who_can, _ = row
    decision = decide(Asked(role, "refund", int(amount), currency))
    if expected == "allow":
        assert isinstance(decision, Allow)
    else:
        assert isinstance(decision, Deny)
        assert ", ".join(decision.who_can) == who_can


@pytest.mark.requirement("AB-070")
def test_each_role_is_a_strict_subset_of_the_one_above_it_in_permissions_or_in_what_it_may_move() -> None:
    for lower, upper in zip(roles.ROLES, roles.ROLES[1:], strict=False):
        assert roles.PERMISSIONS[lower] <= roles.PERMISSIONS[upper]
        more_money = caps.cap(upper, "usd") == caps.UNLIMITED or (caps.cap(upper, "usd") or 0) > (caps.cap(lower, "usd") or 0)  # type: ignore[operator]
        assert roles.PERMISSIONS[lower] < roles.PERMISSIONS[upper] or more_money


@pytest.mark.requirement("AB-072", "AB-074", "AB-075", "AB-077", "AB-079", "AB-080", "AB-081")
def test_the_table_of_roles_and_operations_is_the_one_under_version_control(data_file) -> None:
    lines = [f"{'operation':20} " + " ".join(f"{role:16}" for role in roles.ROLES)]
    for operation in OPERATIONS:
        marks = [_mark(role, operation.permission) for role in roles.ROLES]
        lines.append(f"{operation.name:20} " + " ".join(f"{mark:16}" for mark in marks))
    data_file("table.txt", "\n".join(line.rstrip() for line in lines) + "\n")


@pytest.mark.requirement("AB-081")
def test_read_only_may_do_nothing_that_writes() -> None:
    assert [operation.name for operation in OPERATIONS if operation.writes and roles.may("read_only", operation.permission)] == []


def test_every_permission_that_an_operation_asks_for_is_held_by_the_owner() -> None:
    assert {operation.permission for operation in OPERATIONS} <= roles.PERMISSIONS["owner"]


def _mark(role: str, permission: str) -> str:
    if not roles.may(role, permission):
        return "-"
    if permission != "refund":
        return "yes"
    cap = caps.cap(role, "usd")
    return "any amount" if cap == caps.UNLIMITED else f"<= {cap} usd"
