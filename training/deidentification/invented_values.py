"""Names, places and numbers of many countries for the prose that the tagger learns from, by Faker's lists (MIT licence).

They are written as people write them: addresses in one line or several, whole or in part, a town in capitals now and then.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random

from faker import Faker

from schemas.frozen import Frozen
from schemas.yaml_source import load_model

PARTS_FILE = Path(__file__).resolve().parent / "invented_values.yaml"
_FIRST_MOMENT, _MOST_SECONDS = datetime(1935, 1, 1, tzinfo=UTC), 90 * 365 * 24 * 60 * 60
_ROMANISED, _BLENDED = 0.04, 0.2


class ValueParts(Frozen):
    """invented_values.yaml."""

    locales: tuple[str, ...]
    romanised: tuple[str, ...]
    titles: tuple[str, ...]
    nationalities: tuple[str, ...]
    company_beginnings: tuple[str, ...]
    company_middles: tuple[str, ...]
    company_endings: tuple[str, ...]
    units: tuple[str, ...]
    relatives: tuple[str, ...]
    deeds: tuple[str, ...]
    things: tuple[str, ...]
    spots: tuple[str, ...]
    days: tuple[str, ...]


@cache
def _parts() -> ValueParts:
    parts, faults = load_model(PARTS_FILE, ValueParts)
    if parts is None:
        raise ValueError("; ".join(map(str, faults)))
    return parts


class InventedValues:
    """Values by chance; the same seed gives the same ones, on any day and whatever else was invented before."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)  # noqa: S311 - sampling, not security
        self._seed = seed
        self._lists: dict[str, Faker] = {}

    def of(self, slot: str) -> str:
        """A value for a slot of prose.yaml; KeyError for one that there is not."""
        return _SLOTS[slot](self)

    def some(self) -> Faker:
        """The lists of some country."""
        return self.of_country(self.chance.choice(_parts().locales))

    def of_country(self, locale: str) -> Faker:
        """The lists of this country, with a chance of their own."""
        if locale not in self._lists:
            lists = self._lists[locale] = Faker(locale)
            lists.seed_instance(self._seed)
            for provider in lists.get_providers():
                if isinstance(cities := getattr(provider, "cities", ()), list):
                    provider.cities = sorted(cities)  # Italy's come from a set: in another order in each process
        return self._lists[locale]

    def one_of(self, *forms: str) -> str:
        """One of the forms."""
        return self.chance.choice(forms)

    def digits(self, least: int, most: int) -> str:
        """A number of so many digits."""
        return "".join(self.chance.choices("0123456789", k=self.chance.randint(least, most)))

    def first(self) -> str:
        """A given name, now and then one that nobody bears."""
        if self.chance.random() < _ROMANISED:
            return str(self._romanised().first_romanized_name())
        return self._blended(self.some().first_name)

    def last(self) -> str:
        """A family name, now and then one that nobody bears."""
        if self.chance.random() < _ROMANISED:
            return str(self._romanised().last_romanized_name())
        return self._blended(self.some().last_name)

    def _romanised(self) -> Faker:
        return self.of_country(self.chance.choice(_parts().romanised))

    def _blended(self, draw: Callable[[], str]) -> str:
        """A word as it was drawn, or the beginning of one with the end of another: so no list holds it."""
        first = draw()
        if self.chance.random() >= _BLENDED:
            return first
        second = draw()
        made = first[: self.chance.randint(2, 5)] + second[-self.chance.randint(3, 6) :].lower()
        return made if made.isalpha() else first

    def name(self) -> str:
        """A person's name: mostly given and family name."""
        first, last = self.first(), self.last()
        initial = self.chance.choice("ABCDEFGHJKLMNPRSTW")
        return self.one_of(
            *[f"{first} {last}"] * 7, f"{first} {initial} {last}", f"{first} {initial}. {last}", f"{initial}. {last}", first, last
        )  # fmt: skip

    def city(self) -> str:
        """A town, now and then in capitals."""
        city = self._blended(self.some().city)
        return city.upper() if self.chance.random() < 0.12 else city

    def street(self) -> str:
        """A street with its number, as its country or another writes it."""
        plain = self.some().street_address().split("\n")[0]
        other = self.some().street_name()
        number = self.digits(1, 4)
        return self.one_of(*[plain] * 4, f"{number} {plain}", f"{other} {number}", f"{number} {other}", other)

    def unit(self) -> str:
        """A flat or an office."""
        return f"{self.one_of(*_parts().units)} {self.digits(1, 3)}"

    def zip_code(self) -> str:
        """A postal code of some country."""
        return self.some().postcode()

    def address(self) -> str:
        """An address, whole or in part, in one line or several."""
        kind = self.chance.random()
        if kind < 0.25:
            return self.some().address().replace("\n", self.one_of("\n", ", ", " ", "\n "))
        if kind < 0.38:
            return self.one_of(self._of_forces(), self._corner(), self._corner())
        line = self.one_of("\n", "\n ", ", ", " ", "\n ", " \n")
        lists = self.some()
        parts = [self.street()]
        if self.chance.random() < 0.6:
            parts[0] += self.one_of(" ", ", ", line) + self.unit()
        region = self.one_of(
            "", "", f", {self.chance.choice('ABCDEFGHKLMNOPSTUVWX')}{self.chance.choice('ABCDEILNORSTVYZ')}", ", nan"
        )
        parts.append(self.city() + self.one_of("", "\n") + region)
        country = lists.current_country() if self.chance.random() < 0.6 else ""
        code = self.zip_code() if self.chance.random() < 0.7 else ""
        if country or code:
            parts.append(self.one_of(f"{country} {code}", f"{code} {country}").strip())
        return line.join(parts)

    def _corner(self) -> str:
        first, second = self.some().first_name(), self.some().street_name()
        streets = self.one_of(
            *[f"{self.street()} and {second}"] * 3, f"{self.street()} and {self.street()}", f"{first} and {second}"
        )
        return self.one_of("the corner of ", "corner of ", "") + streets

    def _of_forces(self) -> str:
        place = f"{self.one_of('APO', 'FPO', 'DPO')} {self.one_of('AA', 'AE', 'AP')} {self.digits(5, 5)}"
        ship = f"{self.one_of('USS', 'USNS', 'USNV')} {self.some().last_name()}"
        return (
            self.one_of(
                f"Unit {self.digits(4, 4)} Box {self.digits(4, 4)}",
                f"PSC {self.digits(4, 4)}, Box {self.digits(4, 4)}",
                ship,
            )
            + f"\n{place}"
        )

    def organisation(self) -> str:
        """A company."""
        made = self.chance.choice(_parts().company_beginnings) + self.chance.choice(_parts().company_middles)
        names = [self.some().last_name() for _ in range(3)]
        ending = self.chance.choice(_parts().company_endings)
        return self.one_of(
            f"{made} {ending}".strip(), made, f"{names[0]} {ending}".strip(), f"{names[0]}-{names[1]}",
            f"{names[0]}, {names[1]} and {names[2]}", self.some().company(),
        )  # fmt: skip

    def phone(self) -> str:
        """A telephone number as some country writes it."""
        if self.chance.random() < 0.7:
            return self.some().phone_number()
        sizes = self.chance.choice(((3, 4), (2, 3, 2, 2), (3, 3, 3), (4, 2, 2, 2), (3, 3, 4), (2, 7), (3, 2, 3)))
        return self.one_of(" ", "-", ".").join(self.digits(size, size) for size in sizes)

    def date(self) -> str:
        """A date in one of many forms."""
        when = _FIRST_MOMENT + timedelta(seconds=self.chance.randrange(_MOST_SECONDS))
        form = self.one_of(
            "%B %d, %Y",
            "%d/%m/%Y",
            "%m/%d/%y",
            "%Y-%m-%d",
            "%d %b %Y",
            "%d.%m.%Y",
            "%B %d",
            "%Y-%m-%d %H:%M:%S",
            "%m/%d",
        )
        return when.strftime(form)


_SLOTS: Mapping[str, Callable[[InventedValues], str]] = {
    "name": InventedValues.name,
    "first": InventedValues.first,
    "last": InventedValues.last,
    "city": InventedValues.city,
    "street": InventedValues.street,
    "unit": InventedValues.unit,
    "address": InventedValues.address,
    "zip": InventedValues.zip_code,
    "org": InventedValues.organisation,
    "phone": InventedValues.phone,
    "date": InventedValues.date,
    "year": lambda values: str(values.chance.randint(1950, 2024)),
    "age": lambda values: str(values.chance.randint(18, 89)),
    "country": lambda values: values.some().current_country(),
    "nationality": lambda values: values.one_of(*_parts().nationalities),
    "title": lambda values: values.one_of(*_parts().titles),
    "job": lambda values: values.of_country("en_US").job(),
    "card": lambda values: values.of_country("en_US").credit_card_number(),
    "iban": lambda values: values.of_country("de_DE").iban(),
    "ssn": lambda values: values.of_country("en_US").ssn(),
    "ip": lambda values: values.of_country("en_US").ipv4(),
    "web": lambda values: values.some().url(),
    "email": lambda values: values.some().email(),
    "number": lambda values: values.digits(6, 10),
    "kin": lambda values: values.one_of(*_parts().relatives),
    "did": lambda values: values.one_of(*_parts().deeds),
    "thing": lambda values: values.one_of(*_parts().things),
    "spot": lambda values: values.one_of(*_parts().spots),
    "day": lambda values: values.one_of(*_parts().days),
}
