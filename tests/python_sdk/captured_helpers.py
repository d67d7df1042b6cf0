"""A module of the user's own, which no worker can import: what test_capture registers from it must travel as source."""
import collections

LIMIT = 10


def clipped(value, most=LIMIT):
    return min(value, most)


def twice(value):
    return 2 * clipped(value)


class Shape:
    """Has a base class in the same file."""

    sides = 0

    def describe(self):
        return "%s with %d sides" % (type(self).__name__, self.sides)


class Square(Shape):
    sides = 4

    def __init__(self, length):
        self.length = length

    def area(self):
        return clipped(self.length, 1_000) ** 2

    def __eq__(self, other):
        return type(other) is Square and other.length == self.length

    def __hash__(self):
        return hash(self.length)


def count(words):
    return dict(collections.Counter(words))


class Overdrawn(ValueError):
    def __init__(self, account, missing):
        super().__init__("account %s lacks %d" % (account, missing))
        self.account, self.missing = account, missing


def withdraw(account, amount):
    try:
        raise KeyError(account)
    except KeyError as cause:
        raise Overdrawn(account, amount) from cause
