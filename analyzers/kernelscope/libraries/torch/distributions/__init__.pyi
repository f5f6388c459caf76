import torch

class Distribution:
    def _over(self, *parameters):
        batch = torch.as_tensor(parameters[0])
        for parameter in parameters[1:]:
            batch = batch + torch.as_tensor(parameter)
        self.batch = self.mean = self.mode = self.stddev = self.variance = batch

    def sample(self, sample_shape=()):
        return self.batch.new_zeros((*sample_shape, *self.batch.shape))

    def rsample(self, sample_shape=()):
        return self.sample(sample_shape)

    def log_prob(self, value):
        return self.batch + value

    def cdf(self, value):
        return self.batch + value

    def icdf(self, value):
        return self.batch + value

    def entropy(self):
        return self.batch

class Normal(Distribution):
    def __init__(self, loc, scale, validate_args=None):
        self._over(loc, scale)
        self.loc = self.scale = self.batch

class LogNormal(Normal): ...
class Laplace(Normal): ...
class Gumbel(Normal): ...
class Cauchy(Normal): ...

class Uniform(Distribution):
    def __init__(self, low, high, validate_args=None):
        self._over(low, high)
        self.low = self.high = self.batch

class Beta(Distribution):
    def __init__(self, concentration1, concentration0, validate_args=None):
        self._over(concentration1, concentration0)
        self.concentration1 = self.concentration0 = self.batch

class Gamma(Distribution):
    def __init__(self, concentration, rate, validate_args=None):
        self._over(concentration, rate)
        self.concentration = self.rate = self.batch

class Bernoulli(Distribution):
    def __init__(self, probs=None, logits=None, validate_args=None):
        self._over(logits if probs is None else probs)
        self.probs = self.logits = self.batch

class Categorical(Distribution):
    def __init__(self, probs=None, logits=None, validate_args=None):
        self.probs = self.logits = logits if probs is None else probs
        self._over(self.probs[..., 0])

    def sample(self, sample_shape=()):
        return super().sample(sample_shape).long()

def kl_divergence(p, q):
    return p.batch + q.batch
