"""Networks that a user may have written: tests copy this file and name them."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx


class Net(nn.Module):
    classes: int
    width: int = 4
    rate: float = 0.1

    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.relu(nn.Conv(self.width, (3, 3))(x))
        x = nn.BatchNorm(use_running_average=not train)(x)
        x = nn.Dropout(self.rate, deterministic=not train)(x.reshape(len(x), -1))
        return nn.Dense(self.classes)(x)


def make(classes, width=4, **keys):
    assert all(isinstance(value, float | bool) for value in keys.values()), keys
    return Net(classes, width)


def typed(classes, dtype):
    def flat(x):
        return x.reshape(len(x), -1)

    return nn.Sequential([flat, nn.Dense(classes, dtype=dtype)])


def shaped(classes, inputs, vocabulary):
    assert (inputs, vocabulary) == ((8, 8, 1), 0)
    return Net(classes)


def fails(classes):
    raise ValueError("no\nway")


def three():
    return Net(3)


def number(classes):
    return 5


def unbuilt():
    return Net


class State(nn.Module):
    @nn.compact
    def __call__(self, x):
        self.variable("cache", "count", lambda: 0)
        return nn.Dense(10)(x.reshape(len(x), -1))


class Pair(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(10)(x.reshape(len(x), -1)), x


class Empty(nn.Module):
    def __call__(self, x):
        return x.reshape(len(x), -1)[:, :10]


class Needy(nn.Module):
    def __call__(self, x, y):
        return x


class Noisy(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Dense(10)(x.reshape(len(x), -1))
        return x + jax.random.normal(self.make_rng("noise"), x.shape)


class Half(nn.Module):
    @nn.compact
    def __call__(self, x):
        dense = nn.Dense(10, param_dtype=jnp.bfloat16)
        return dense(x.reshape(len(x), -1))


def upwards(classes):
    def tall(x):
        return x.reshape(len(x), -1)

    return nn.Sequential([nn.ConvTranspose(2, (3, 3)), tall, nn.Dense(classes)])


class Module(nnx.Module):
    def __init__(self, classes, inputs, width=4, *, rngs):
        self.conv = nnx.Conv(inputs[-1], width, (3, 3), rngs=rngs)
        self.last = nnx.Linear(width, classes, rngs=rngs)

    def __call__(self, x):
        return self.last(nnx.relu(self.conv(x)).mean((1, 2)))


def made(rngs, classes, **keys):
    return Module(classes, (8, 8, 1), rngs=rngs, **keys)


def unmade():
    return Module(10, (8, 8, 1), rngs=nnx.Rngs(0))


def pair(classes, width=4):
    def init(key, x):
        keys = jax.random.split(key)
        first = jax.random.normal(keys[0], (x[0].size, width))
        return [first, jax.random.normal(keys[1], (width, classes))]

    def apply(layers, x):
        return jnp.tanh(x.reshape(len(x), -1) @ layers[0]) @ layers[1]

    return init, apply
