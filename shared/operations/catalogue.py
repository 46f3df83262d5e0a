"""The catalogue: every operation there is, in the order in which the documents show them."""

from shared.operations.audit import list_audit
from shared.operations.charges import get_charge, list_charges
from shared.operations.customers import get_customer, list_customers
from shared.operations.invoices import get_invoice, list_invoices
from shared.operations.keys import create_key, list_keys, revoke_key
from shared.operations.operation import Operation
from shared.operations.refunds import create_refund, get_refund, list_refunds
from shared.operations.reports import get_stats
from shared.operations.search import search
from shared.operations.subscriptions import get_subscription, list_subscriptions
from shared.operations.sync import get_sync, start_sync

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
    create_key,
    list_keys,
    revoke_key,
    list_audit,
    start_sync,
    get_sync,
)

BY_NAME: dict[str, Operation] = {operation.name: operation for operation in OPERATIONS}
