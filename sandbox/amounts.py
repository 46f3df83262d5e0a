"""Amounts: which currencies there are, how many decimals each has, and how Stripe words one."""

from sandbox.errors import invalid

ZERO_DECIMAL = frozenset(["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf"])
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
SUPPORTED = (
    frozenset(
        [
            "usd",
            "aed",
            "afn",
            "all",
            "amd",
            "ang",
            "aoa",
            "ars",
            "aud",
            "awg",
            "azn",
            "bam",
            "bbd",
            "bdt",
            "bgn",
            "bmd",
            "bnd",
            "bob",
            "brl",
            "bsd",
            "bwp",
            "byn",
            "bzd",
            "cad",
            "cdf",
            "chf",
            "cny",
            "cop",
            "crc",
            "cve",
            "czk",
            "dkk",
            "dop",
            "dzd",
            "egp",
            "etb",
            "eur",
            "fjd",
            "fkp",
            "gbp",
            "gel",
            "gip",
            "gmd",
            "gtq",
            "gyd",
            "hkd",
            "hnl",
            "htg",
            "huf",
            "idr",
            "ils",
            "inr",
            "isk",
            "jmd",
            "kes",
            "kgs",
            "khr",
            "kyd",
            "kzt",
            "lak",
            "lbp",
            "lkr",
            "lrd",
            "lsl",
            "mad",
            "mdl",
            "mkd",
            "mmk",
            "mnt",
            "mop",
            "mur",
            "mvr",
            "mwk",
            "mxn",
            "myr",
            "mzn",
            "nad",
            "ngn",
            "nio",
            "nok",
            "npr",
            "nzd",
            "pab",
            "pen",
            "pgk",
            "php",
            "pkr",
            "pln",
            "qar",
            "ron",
            "rsd",
            "rub",
            "sar",
            "sbd",
            "scr",
            "sek",
            "sgd",
            "shp",
            "sle",
            "sos",
            "srd",
            "std",
            "szl",
            "thb",
            "tjs",
            "top",
            "try",
            "ttd",
            "twd",
            "tzs",
            "uah",
            "uyu",
            "uzs",
            "wst",
            "xcd",
            "yer",
            "zar",
            "zmw",
        ]
    )
    | ZERO_DECIMAL
    | THREE_DECIMAL
)
LEAST = {
    "usd": 50,
    "eur": 50,
    "gbp": 30,
    "jpy": 50,
    "chf": 50,
    "cad": 50,
    "aud": 50,
    "sek": 300,
    "nok": 300,
    "dkk": 250,
    "mxn": 1000,
    "hkd": 400,
    "aed": 200,
    "bgn": 100,
    "brl": 50,
    "czk": 1500,
    "huf": 17500,
    "inr": 50,
    "myr": 200,
    "nzd": 50,
    "pln": 200,
    "ron": 200,
    "sgd": 50,
    "thb": 1000,
}
# Eight digits, but for a currency whose unit is worth so little that twelve are taken.
LARGEST = 99_999_999
LARGEST_OF = {"idr": 999_999_999_999}
_SIGNS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥", "cad": "CA$", "aud": "A$"}


def spelled(amount: int, currency: str) -> str:
    """`$7.00`, `¥700`, `7.500 KWD`."""
    decimals = 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2
    whole, rest = divmod(amount, 10**decimals)
    figure = f"{whole:,}" + (f".{rest:0{decimals}d}" if decimals else "")
    return f"{_SIGNS[currency]}{figure}" if currency in _SIGNS else f"{figure} {currency.upper()}"


def currency_of(given: str, *, param: str = "currency") -> str:
    """The currency in lower case, or Stripe's 400."""
    currency = given.lower()
    if currency not in SUPPORTED:
        raise invalid(f"Invalid currency: {given}. Stripe currently supports these currencies: {', '.join(sorted(SUPPORTED))}", param=param)
    return currency


def check(amount: int, currency: str, *, param: str = "amount") -> None:
    """Refuse what could not be charged: nothing, too little, too much, or a fraction the currency does not have."""
    if amount < 1:
        raise invalid("This value must be greater than or equal to 1.", param=param, code="parameter_invalid_integer")
    check_fraction(amount, currency, param=param)
    if amount < LEAST.get(currency, 1):
        raise invalid(f"Amount must be at least {spelled(LEAST[currency], currency)} {currency}", param=param, code="amount_too_small")
    largest = LARGEST_OF.get(currency, LARGEST)
    if amount > largest:
        raise invalid(f"Amount must be no more than {spelled(largest, currency)}", param=param, code="amount_too_large")


def check_fraction(amount: int, currency: str, *, param: str = "amount") -> None:
    """Three-decimal amounts end in 0; the króna has no fraction although it is written with two decimals."""
    if currency in THREE_DECIMAL and amount % 10:
        raise invalid(
            f"Invalid amount: amounts in {currency} must be rounded to the nearest ten, so that the last digit is 0.",
            param=param,
            code="invalid_charge_amount",
        )
    if currency == "isk" and amount % 100:
        raise invalid("Invalid amount: amounts in isk must be evenly divisible by 100.", param=param, code="invalid_charge_amount")
