"""The catalogue: every operation there is, in the order in which the documents show them. Of the road, only this file knows operations."""

from shared.operations.attempts import get_attempt, list_attempts
from shared.operations.audit import list_audit
from shared.operations.charges import get_charge, list_charges
from shared.operations.create_key import create_key
from shared.operations.create_refund import create_refund
from shared.operations.customers import get_customer, list_customers
from shared.operations.end_attempt import end_attempt
from shared.operations.invoices import get_invoice, list_invoices
from shared.operations.keys import list_keys
from shared.operations.move_account import move_account
from shared.operations.refunds import get_refund, list_refunds
from shared.operations.reports import get_stats
from shared.operations.revoke_key import revoke_key
from shared.operations.search import search
from shared.operations.start_sync import start_sync
from shared.operations.subscriptions import get_subscription, list_subscriptions
from shared.operations.sync import get_sync
from shared.road.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    list_charges,
    get_charge,
    list_customers,
    get_customer,
    list_subscriptions,
    get_subscription,
    list_invoices,
    get_invoice,
    list_refunds,
    get_refund,
    create_refund,
    get_stats,
    search,
    list_attempts,
    get_attempt,
    end_attempt,
    create_key,
    list_keys,
    revoke_key,
    list_audit,
    start_sync,
    get_sync,
    move_account,
)

BY_NAME: dict[str, Operation] = {operation.name: operation for operation in OPERATIONS}
