def to_ntuple(n):
    def several(x):
        return tuple(x) if isinstance(x, (tuple, list)) else (x,) * n

    return several

def to_1tuple(x):
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)

def to_2tuple(x):
    return tuple(x) if isinstance(x, (tuple, list)) else (x, x)

def to_3tuple(x):
    return tuple(x) if isinstance(x, (tuple, list)) else (x, x, x)

def to_4tuple(x):
    return tuple(x) if isinstance(x, (tuple, list)) else (x, x, x, x)

def make_divisible(v, divisor=8, min_value=None, round_limit=0.9):
    least = min_value or divisor
    found = max(least, int(v + divisor / 2) // divisor * divisor)
    if found < round_limit * v:
        found += divisor
    return found
