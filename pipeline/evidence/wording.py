"""Verdicts in a sentence each, which says no more than the interval does."""
from pipeline.evidence.verdicts import Ruling
from pipeline.params.claiming import Claim

NAMES = {"distance": "distance at the end", "best": "best distance on the curve",
         "unsteadiness": "unsteadiness of the curve"}


def says(name: str, claim: Claim) -> str:
    """The claim in words: its own, or what it compares."""
    if claim.says:
        return claim.says
    return f"{claim.better[0]} is better than {claim.better[1]}" if claim.better else rule(claim) or name


def rule(claim: Claim) -> str:
    """What decides the claim, '' where nothing does."""
    if claim.better:
        one, other = claim.better
        return f"{measured(claim)} of {other} over that of {one}: more than {claim.by:g}"
    if not claim.runs and not claim.transfer:
        return ""
    bound = (f"at least {claim.at_least:g}" if claim.at_least is not None else f"at most {claim.at_most:g}")
    return f"{measured(claim)} of {', '.join(claim.runs) or claim.transfer}: {bound}"


def measured(claim: Claim) -> str:
    """What is measured: a name, or the difference or ratio of two scores."""
    name = NAMES.get(claim.of, claim.of)
    return f"{name} less {claim.minus}" if claim.minus else f"{name} over {claim.over}" if claim.over else name


def number(ruling: Ruling) -> str:
    """The effect with its interval: a ratio like ×1.30 (1.21 to 1.40), or a number; '' where there is none."""
    if ruling.stated is None:
        return ""
    mean, low, high = ruling.stated
    text = f"{'×' if ruling.claim.better else ''}{mean:.3g}"
    return f"{text} ({low:.3g} to {high:.3g})" if len(ruling.values) > 1 or ruling.test_images else text


def sentence(ruling: Ruling) -> str:
    """What the numbers support, and nothing else."""
    claim, count = ruling.claim, len(ruling.values)
    end = ending(ruling)
    if not count:
        return f"{ruling.reason[:1].upper()}{ruling.reason[1:]}."
    what = f"the {measured(claim)}" if claim.of in NAMES else f"`{measured(claim)}`"
    if claim.better:
        one, other = claim.better
        over = f"Over {count} pairs of seeds" if count > 1 else "In one pair of seeds"
        text = f"{over}, {what} of {other} is {number(ruling)} times that of {one}".replace("×", "")
    elif claim.transfer:
        text = f"On {ruling.test_images:,} test images, {what} of one network, {claim.transfer}, is {number(ruling)}"
    else:
        over = f"Over {count} trainings" if count > 1 else "In one training"
        text = f"{over} of {', '.join(claim.runs)}, {what} is {number(ruling)}"
    collapsed = f" {ruling.collapsed} of the trainings ended with signs of a collapse." if ruling.collapsed else ""
    looks = f" Each of {claim.looks} looks at trainings has its share of the level." if claim.looks > 1 else ""
    return f"{text}: {end}.{collapsed}{looks}"


def ending(ruling: Ruling) -> str:
    """The verdict and its reason."""
    claim = ruling.claim
    if ruling.verdict == "undecided":
        more = f"; with this spread, about {ruling.more} more would decide it" if ruling.more else ""
        return f"undecided, as {ruling.reason}{more}" if ruling.reason else "undecided"
    if not claim.better:
        limit, least = (claim.at_most, False) if claim.at_least is None else (claim.at_least, True)
        if ruling.verdict == "holds":
            return f"the claim holds, that it is at {'least' if least else 'most'} {limit:g}"
        return f"{'less' if least else 'more'} than the {limit:g} that is claimed"
    bound = f"a factor of {claim.by:g}"
    return {"holds": f"the claim holds, beyond {bound}", "reversed": f"the opposite holds, beyond {bound}",
            "no effect": f"no effect, as the interval is within {bound} either way"}[ruling.verdict]
