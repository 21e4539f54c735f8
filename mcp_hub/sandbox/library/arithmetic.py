"""Numbers for programs: what the prelude's builtins, `math` and `statistics` compute in the host.

Pure. Lists come as JSON text, which crosses much faster than values do; infinite results can't cross, and are an
OverflowError.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any

MOST_BITS = 1_000_000
"""Bits of an integer that a power or a factorial may have."""

MOST_MODULUS_BITS = 8_192
"""Bits of the operands of a power with a modulus, whose time grows with their cube."""

MOST_WIDTH = 1_000_000
"""Width and precision in a format spec."""

UNITS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
"""What isn't finite, by the name under which it is handed over."""


def round_(number: float | int | None, ndigits: int | None = None) -> float | int:
    """`round`, half to even. Raises ValueError for what isn't finite."""
    if number is None:
        raise ValueError("round() needs a finite number, not None, nan or inf")
    if isinstance(ndigits, int) and abs(ndigits) > MOST_WIDTH:
        raise ValueError(f"round() to {ndigits} digits is beyond {MOST_WIDTH}")
    return _finite(round(number, ndigits))


def power(base: float | int, exp: float | int, mod: int | None = None) -> float | int:
    """`pow`. Raises OverflowError for a result that is too large to be computed here, ValueError for a complex one."""
    if mod is not None:
        if max(abs(int(each)).bit_length() for each in (base, exp, mod)) > MOST_MODULUS_BITS:
            raise OverflowError(f"pow() with a modulus takes integers of at most {MOST_MODULUS_BITS} bits")
        return pow(int(base), int(exp), mod)
    if isinstance(base, int) and isinstance(exp, int) and exp > 0 and abs(base) > 1:
        bits = (abs(base).bit_length() - 1) * exp
        if bits > MOST_BITS:
            raise OverflowError(f"the power has about {bits} bits; at most {MOST_BITS} are computed")
    result = pow(base, exp)
    if isinstance(result, complex):
        raise ValueError("a negative number to a fractional power is complex, and there are no complex numbers")
    return _finite(result)


def formatted(value: Any, spec: str) -> str:
    """`format(value, spec)`. Raises ValueError for a wrong spec or an absurd width, TypeError for a wrong value."""
    if any(len(digits) > 7 or int(digits) > MOST_WIDTH for digits in re.findall(r"\d+", spec)):
        raise ValueError(f"the width or precision in {spec[:40]!r} is beyond {MOST_WIDTH}")
    return format(value, spec)


def formatted_special(name: str, spec: str) -> str:
    """`format` of a number that isn't finite, given by its name in UNITS."""
    return formatted(UNITS[name], spec)


def factorial(n: int) -> int:
    """`math.factorial`. Raises ValueError for what is too large."""
    if n > 50_000:
        raise ValueError("factorial() is computed up to 50000")
    return math.factorial(n)


def comb(n: int, k: int) -> int:
    """`math.comb`. Raises ValueError for what is too large."""
    _check_choice(n, k)
    return math.comb(n, k)


def perm(n: int, k: int | None = None) -> int:
    """`math.perm`. Raises ValueError for what is too large."""
    _check_choice(n, n if k is None else k)
    return math.perm(n, k)


def fsum(values: str) -> float:
    """`math.fsum`."""
    return _finite(math.fsum(json.loads(values)))


def prod(values: str, start: float | int = 1) -> float | int:
    """`math.prod`. Raises OverflowError for a result that is too large."""
    result: float | int = start
    for value in json.loads(values):
        result *= value
        if isinstance(result, int) and result.bit_length() > MOST_BITS:
            raise OverflowError(f"the product has over {MOST_BITS} bits")
    return _finite(result)


def parts(number: float) -> list[float]:
    """`math.modf`."""
    return list(math.modf(number))


def mean(values: str) -> float | int:
    """`statistics.mean`: the exact sum over the count, an int where that is one. Raises ValueError for no values."""
    return _as_number(*_mean(_numbers(values, "mean", 1)))


def fmean(values: str) -> float:
    """`statistics.fmean`. Raises ValueError for no values."""
    numbers = _numbers(values, "fmean", 1)
    return math.fsum(numbers) / len(numbers)


def median(values: str, which: str = "") -> float | int:
    """`statistics.median`, or the "low" or "high" one of an even count. Raises ValueError for no values."""
    ordered = sorted(_numbers(values, f"median{'_' if which else ''}{which}", 1))
    middle = len(ordered) // 2
    if len(ordered) % 2 or which == "high":
        return ordered[middle]
    if which == "low":
        return ordered[middle - 1]
    return _finite((ordered[middle - 1] + ordered[middle]) / 2)


def variance(values: str, name: str) -> float | int:
    """`statistics` variance, pvariance, stdev or pstdev, by name. Raises ValueError for too few values."""
    whole = name.startswith("p")
    numbers = _numbers(values, name, 1 if whole else 2)
    top, bottom = _squares(numbers)
    bottom *= len(numbers) - (0 if whole else 1)
    if name.endswith("stdev"):
        return _root(top, bottom)
    return _as_number(top, bottom, all(isinstance(number, int) for number in numbers))


def quantiles(values: str, n: int = 4, method: str = "exclusive") -> list[float]:
    """`statistics.quantiles`. Raises ValueError for too few values or an unknown method."""
    if not 1 <= n <= 10_000:
        raise ValueError("quantiles() needs n from 1 to 10000")
    ordered = sorted(_numbers(values, "quantiles", 2))
    if method not in ("exclusive", "inclusive"):
        raise ValueError(f"Unknown method: {method!r}")
    found = []
    count = len(ordered)
    for each in range(1, n):
        if method == "inclusive":
            j, delta = divmod(each * (count - 1), n)
        else:
            j = min(max(each * (count + 1) // n, 1), count - 1)
            delta = each * (count + 1) - j * n
            j -= 1
        found.append((ordered[j] * (n - delta) + ordered[j + 1] * delta) / n)
    return found


def _check_choice(n: int, k: int) -> None:
    if min(k, abs(n - k)) > 50_000 or min(k, n) * abs(n).bit_length() > MOST_BITS * 8:
        raise ValueError("the result would be too large to be computed here")


def _finite(number: float | int) -> float | int:
    if isinstance(number, float) and not math.isfinite(number):
        raise OverflowError("the result isn't a finite number")
    return number


def _finite_function(function: Callable[..., float]) -> Callable[..., float]:
    def call(*args: float) -> float:
        if None in args:
            raise ValueError(f"math.{function.__name__}() needs finite numbers, not None, nan or inf")
        return _finite(function(*args))

    return call


def _numbers(values: str, name: str, least: int) -> list[float | int]:
    numbers = json.loads(values)
    if len(numbers) < least:
        raise ValueError(f"{name} requires at least {'one data point' if least == 1 else 'two data points'}")
    wrong = next((number for number in numbers if not isinstance(number, int | float)), 0)
    if not isinstance(wrong, int | float):
        raise TypeError(f"statistics.{name}() needs numbers, and got {json.dumps(wrong)[:80]}")
    return [int(number) if isinstance(number, bool) else number for number in numbers]


def _mean(numbers: list[float | int]) -> tuple[int, int, bool]:
    top, bottom = _exact_sum(numbers)
    return top, bottom * len(numbers), all(isinstance(number, int) for number in numbers)


def _exact_sum(numbers: list[float | int]) -> tuple[int, int]:
    """The sum as a fraction, without any rounding."""
    totals: dict[int, int] = {}
    for number in numbers:
        top, bottom = number.as_integer_ratio()
        totals[bottom] = totals.get(bottom, 0) + top
    common = max(totals)  # every denominator is a power of two
    return sum(top * (common // bottom) for bottom, top in totals.items()), common


def _squares(numbers: list[float | int]) -> tuple[int, int]:
    """The sum of the squared differences from the mean, as an exact fraction."""
    top, bottom = _exact_sum(numbers)
    count = len(numbers)
    squares = _exact_sum_of_squares(numbers, bottom)
    return squares * count - top * top, bottom * bottom * count


def _exact_sum_of_squares(numbers: list[float | int], bottom: int) -> int:
    total = 0
    for number in numbers:
        own_top, own_bottom = number.as_integer_ratio()
        total += (own_top * (bottom // own_bottom)) ** 2
    return total


def _as_number(top: int, bottom: int, whole: bool) -> float | int:
    if whole and top % bottom == 0:
        return top // bottom
    return top / bottom


def _root(top: int, bottom: int) -> float:
    """The square root of a fraction, rounded once, as CPython's statistics module does it."""
    if top == 0:
        return 0.0
    shift = (top.bit_length() - bottom.bit_length() - 109) // 2
    if shift >= 0:
        return (_root_to_odd(top, bottom << 2 * shift) << shift) / 1
    return _root_to_odd(top << -2 * shift, bottom) / (1 << -shift)


def _root_to_odd(top: int, bottom: int) -> int:
    root = math.isqrt(top // bottom)
    return root | (root * root * bottom != top)


FLOAT_FUNCTIONS = (
    math.sqrt, math.exp, math.log, math.log2, math.log10, math.log1p, math.expm1, math.sin, math.cos, math.tan,
    math.asin, math.acos, math.atan, math.atan2, math.sinh, math.cosh, math.tanh, math.hypot, math.degrees,
    math.radians, math.fabs, math.fmod, math.pow, math.copysign, math.cbrt, math.ceil, math.floor, math.trunc,
)  # fmt: skip
"""Functions of `math` on finite numbers, which are what they are in Python."""

CALLABLES: dict[str, Callable[..., Any]] = {
    **{f"_lib_math_{function.__name__}": _finite_function(function) for function in FLOAT_FUNCTIONS},
    "_lib_math_gcd": math.gcd,
    "_lib_math_lcm": math.lcm,
    "_lib_math_isqrt": math.isqrt,
    "_lib_math_isclose": math.isclose,
    "_lib_math_dist": math.dist,
    "_lib_math_factorial": factorial,
    "_lib_math_comb": comb,
    "_lib_math_perm": perm,
    "_lib_math_fsum": fsum,
    "_lib_math_prod": prod,
    "_lib_math_modf": parts,
    "_lib_round": round_,
    "_lib_pow": power,
    "_lib_bin": bin,
    "_lib_hex": hex,
    "_lib_oct": oct,
    "_lib_format": formatted,
    "_lib_format_special": formatted_special,
    "_lib_mean": mean,
    "_lib_fmean": fmean,
    "_lib_median": median,
    "_lib_variance": variance,
    "_lib_quantiles": quantiles,
}
