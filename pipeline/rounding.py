"""Numbers with the digits that are significant, and no more."""
import math


def stated(value: float, deviation: float = 0.0, percent: bool = False) -> str:
    """`value` ± `deviation`, rounded where the deviation has its first digit, or its second if the first is a 1.

    So do physicists (Particle Data Group). Without a deviation nothing says which digits are; there are four then, and
    all of a whole number's.
    """
    value, deviation = (100 * value, 100 * deviation) if percent else (value, deviation)
    unit = " %" if percent else ""
    if not deviation:
        return (f"{value:,.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.4g}") + unit
    decimals = -math.floor(math.log10(deviation))
    if f"{deviation:e}"[0] == "1":
        decimals += 1
    shown = max(decimals, 0)
    return f"{round(value, decimals) + 0.0:,.{shown}f} ± {round(deviation, decimals):,.{shown}f}{unit}"
