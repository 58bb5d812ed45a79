"""Numbers with the digits that are significant, and no more."""
import math


def stated(value: float, deviation: float = 0.0, percent: bool = False) -> str:
    """`value` ± `deviation`, rounded where the deviation has its first digit, or its second if the first is a 1.

    So do physicists (Particle Data Group). Without a deviation nothing says which digits are significant; there are
    four then, and all of a whole number's.
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


def share(value: float) -> str:
    """A share in percent, with a decimal near 0 % and 100 %; one that is not 0 never reads as 0."""
    if value in (0, 1) or 0.0995 <= value < 0.9:
        return f"{100 * value:.0f} %"
    return f"{100 * value:.1f} %" if 0.0005 <= value < 0.9995 else f"{100 * value:.2g} %" if value < 0.5 else (
        f"{100 * value:.2f} %")
