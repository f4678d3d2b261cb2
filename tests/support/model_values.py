"""Values of the shapes of botocore's model, drawn by seed: what a caller could ask and what an action could answer.

    draw = Draw(seed)
    value = draw.request(shape)         # as boto3 takes it
    plain(shape, value)                 # as Virga's JSON has it
"""
import base64
import datetime
import random

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
ALPHABETS = ("abcXYZ019", " \t+%&=?/.", "<>\"'&;]]>", "\u00fc\u20ac\u4e2d\U0001f600\U0010fffd\ufffd\u00a0", "\n\r-_\\*", "{}[]:,\u2028")


class Draw:
    """Seed 0 gives every member and seed 1 only what is required; others toss a coin for each."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.likely = {0: 1.0, 1: 0.0}.get(seed, 0.55)

    def request(self, shape):
        """Query has no way to say "an empty structure", so that none is drawn where one must be told."""
        return self.structure(shape, requests=True)

    def answer(self, shape):
        return self.structure(shape, requests=False)

    def structure(self, shape, requests, told=False):
        for _ in range(100):
            drawn = {name: self.value(member, requests, name in shape.required_members)
                     for name, member in shape.members.items()
                     if (requests and name in shape.required_members) or self.random.random() < self.likely}
            if not told or not shape.members or pruned(drawn) is not None:
                return drawn
            if self.likely == 0.0:  # nothing is required in it, but it is
                name, member = next(iter(shape.members.items()))
                return {name: self.value(member, requests, True)}
        raise AssertionError("nothing to say in %s" % shape.name)

    def value(self, shape, requests, told=False):
        kind = shape.type_name
        if kind == "structure":
            return self.structure(shape, requests, told and requests)
        if kind == "list":
            least = max(shape.metadata.get("min", 0), 1 if told and requests else 0)
            most = min(shape.metadata.get("max", 3), 3)
            count = {1.0: 2, 0.0: 0}.get(self.likely, self.random.choice((0, 1, 1, 2, 3)))
            count = max(least, min(count, max(most, least)))
            if shape.member.type_name == "structure" and not shape.member.members and requests:
                count = 0
            return [self.value(shape.member, requests, True) for _ in range(count)]
        return getattr(self, kind)(shape, requests and told)

    def string(self, shape, told):
        if shape.metadata.get("enum"):
            return self.random.choice(shape.enum)
        least = max(shape.metadata.get("min", 0), 1 if told else 0)
        size = max(least, min(self.random.choice((0, 1, 5, 12)), shape.metadata.get("max", 12)))
        return "".join(self.random.choice(self.random.choice(ALPHABETS)) for _ in range(size))

    def number(self, shape, bits):
        low = max(shape.metadata.get("min", -(1 << bits - 1)), -(1 << bits - 1))
        high = min(shape.metadata.get("max", (1 << bits - 1) - 1), (1 << bits - 1) - 1)
        return self.random.choice((low, high, max(low, min(0, high)), self.random.randint(low, high)))

    def integer(self, shape, _):
        return self.number(shape, 32)

    def long(self, shape, _):
        return self.number(shape, 64)

    def double(self, shape, _):
        return self.random.choice((0.0, 2.5, -1e-7, 1e300, self.random.uniform(-1e6, 1e6)))

    float = double

    def boolean(self, _shape, _):
        return self.random.random() < 0.5

    def timestamp(self, _shape, _):
        fraction = self.random.choice((0, self.random.randrange(1000)))
        return EPOCH + datetime.timedelta(seconds=self.random.randrange(0, 4_000_000_000), milliseconds=fraction)

    def blob(self, _shape, _):
        return bytes(self.random.randrange(256) for _ in range(self.random.randrange(1, 9)))


def plain(shape, value):
    """A drawn value with the names and types of JSON."""
    kind = shape.type_name
    if kind == "structure":
        return {name: plain(shape.members[name], member) for name, member in value.items()}
    if kind == "list":
        return [plain(shape.member, element) for element in value]
    if kind == "timestamp":
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (value.microsecond // 1000)
    if kind == "blob":
        return base64.b64encode(value).decode()
    return value


def pruned(value):
    """Without empty lists and empty structures, which Query cannot tell from absent ones; None: nothing is left."""
    if isinstance(value, dict):
        kept = {name: pruned(member) for name, member in value.items()}
        return {name: member for name, member in kept.items() if member is not None} or None
    if isinstance(value, list):
        return [kept for kept in map(pruned, value) if kept is not None] or None
    return value


def without_empty_lists(value):
    """Empty lists and absent ones are the same in answers; empty structures are not."""
    if isinstance(value, dict):
        return {name: without_empty_lists(member) for name, member in value.items() if member != []}
    return [without_empty_lists(element) for element in value] if isinstance(value, list) else value
