"""What Billing does by itself when the clock gets there: drafts are finalized, payments retried, trials and periods end."""

from __future__ import annotations

from sandbox import timers
from sandbox.resources import invoice_lifecycle, subscription_billing, subscription_changes, subscription_items
from sandbox.resources.customers import before_deletion
from sandbox.resources.fields import update
from sandbox.resources.subscription_status import ENDED
from sandbox.world import World

HOUR, DAY = 3_600, 86_400
FIRST_PAYMENT_WITHIN = 23 * HOUR
RETRIES = (3 * DAY, 5 * DAY, 7 * DAY)


@before_deletion
def _customer_deleted(world: World, customer: dict) -> None:
    subscription_changes.end_all(world, customer["id"])


def watch(world: World, subscription: dict) -> None:
    """Set the timers of a subscription as it stands."""
    now = world.clock.now()
    if subscription["status"] in (*ENDED, "paused"):
        return
    if subscription["status"] == "incomplete":
        timers.later(world, FIRST_PAYMENT_WITHIN, "first_payment_expires", subscription["id"])
    end = subscription_items.period_of(subscription)[1]
    if subscription["cancel_at"]:
        end = min(end, subscription["cancel_at"])
    timers.later(world, max(0, end - now), "period_ends", subscription["id"])
    if subscription["trial_end"] and subscription["trial_end"] - now > subscription_changes.WARNING:
        timers.later(world, subscription["trial_end"] - now - subscription_changes.WARNING, "trial_will_end", subscription["id"])


@timers.timer("first_payment_expires")
def _first_payment_expires(world: World, id: str) -> None:
    subscription = world.get("subscription", id)
    if subscription is None or subscription["status"] != "incomplete":
        return
    invoice = world.get("invoice", subscription["latest_invoice"])
    if invoice and invoice["status"] == "open":
        invoice_lifecycle.void(world, invoice)


@timers.timer("trial_will_end")
def _trial_will_end(world: World, id: str) -> None:
    subscription = world.get("subscription", id)
    if subscription and subscription["status"] == "trialing" and subscription["trial_end"] > world.clock.now():
        world.emit("customer.subscription.trial_will_end", subscription)


@timers.timer("period_ends")
def _period_ends(world: World, id: str) -> None:
    subscription = world.get("subscription", id)
    now = world.clock.now()
    if subscription is None or subscription["status"] not in ("active", "trialing", "past_due", "unpaid"):
        return
    end = subscription_items.period_of(subscription)[1]
    if subscription["cancel_at"] and subscription["cancel_at"] <= now:
        subscription_changes.end(world, subscription, "cancellation_requested")
        return
    if end > now:
        return
    if subscription["status"] == "trialing":
        billed = subscription_changes.end_trial(world, subscription, end)
    else:
        billed = True
        _next_period(world, subscription)
    if subscription["status"] == "canceled":
        subscription_changes.end(world, subscription, None)
        return
    update(world, subscription, "customer.subscription.updated")
    if billed:
        _bill(world, subscription)
    watch(world, world.require("subscription", id))


def _next_period(world: World, subscription: dict) -> None:
    items = []
    for item in subscription["items"]["data"]:
        start = item["current_period_end"]
        end = subscription_items.period_end(subscription["billing_cycle_anchor"], start, item["price"]["recurring"])
        items.append({**item, "current_period_start": start, "current_period_end": end})
    subscription_items.put(world, subscription, items)


def _bill(world: World, subscription: dict) -> None:
    """The draft of a new period; it is finalized an hour later unless collection is paused."""
    invoice = subscription_billing.bill(world, subscription, reason="subscription_cycle")
    pause = subscription["pause_collection"]
    if pause:
        invoice["auto_advance"] = False
        world.save(invoice)
        if pause["behavior"] != "keep_as_draft":
            invoice_lifecycle.finalize(world, invoice, auto_advance=False)
            if invoice["status"] == "open":
                (invoice_lifecycle.void if pause["behavior"] == "void" else invoice_lifecycle.mark_uncollectible)(world, invoice)


@timers.timer("draft_is_finalized")
def _draft_is_finalized(world: World, id: str) -> None:
    invoice = world.get("invoice", id)
    if invoice is None or invoice["status"] != "draft" or not invoice["auto_advance"] or not invoice["lines"]["data"]:
        return
    invoice_lifecycle.finalize(world, invoice)
    if invoice["status"] != "open":
        return
    if invoice["collection_method"] == "send_invoice":
        invoice_lifecycle.send(world, invoice)
    else:
        _try(world, invoice)


@timers.timer("payment_is_retried")
def _payment_is_retried(world: World, id: str) -> None:
    invoice = world.get("invoice", id)
    if invoice and invoice["status"] == "open" and invoice["auto_advance"] and invoice["collection_method"] == "charge_automatically":
        _try(world, invoice)


def _try(world: World, invoice: dict) -> None:
    error = invoice_lifecycle.collect(world, invoice)
    if error is None:
        return
    if not error.keep:
        invoice_lifecycle.failed(world, invoice, action_required=False)
    attempts = invoice["attempt_count"]
    if attempts <= len(RETRIES):
        timers.later(world, RETRIES[attempts - 1], "payment_is_retried", invoice["id"])
        return
    invoice |= {"auto_advance": False, "next_payment_attempt": None}
    update(world, invoice, "invoice.updated")
    subscription = world.get("subscription", invoice_lifecycle.subscription_status.of(invoice) or "")
    if subscription and subscription["status"] == "past_due":
        subscription_changes.end(world, subscription, "payment_failed")
