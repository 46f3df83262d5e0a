"""What a write may do besides moving money, each with a permission of its own and the sentence that whoever approves it reads. Data."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effect:
    """`lasting`: nothing that Billy can do takes it back."""

    permission: str
    short: str  # in a refusal: "this also …"
    sentence: str
    lasting: bool


EFFECTS: dict[str, Effect] = {
    "blocks_payer": Effect(
        permission="block_payer",
        short="blocks the payer's card and email address at Stripe",
        sentence="The payer's card and email address are put on Stripe's block lists, so their next payments are refused. Neither a refund nor "
        "Billy takes them off again; a person can, in the Radar lists of Stripe's dashboard.",
        lasting=True,
    ),
}
