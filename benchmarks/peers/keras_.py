"""Keras on TensorFlow: the training step of TensorFlow's DCGAN tutorial as a compiled graph, data from `tf.data`.

Settings: `float32` or `mixed_bfloat16`, with XLA or without. Layers, padding and the order of updates are those of the
network's source.
"""
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.gan.networks import (BatchNorm, Conv, ConvTranspose, Dense, Dropout, Flatten, Layers, LeakyReLU, Network,
                                   ReLU, Reshape, Tanh)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import keras  # noqa: E402 TensorFlow reads the variable above when it is imported
import tensorflow as tf  # noqa: E402


def trainer(network: Network, images: np.ndarray, batch: int, precision: str, xla: bool) -> Callable[[], None]:
    """A function that takes one training step on uint8 `images`."""
    keras.config.set_dtype_policy(precision)
    G, D = plain(network.generator, (network.z_dim,)), plain(network.discriminator, network.image)
    adam_G, adam_D = (keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2))
    bce = keras.losses.BinaryCrossentropy(from_logits=True)
    data = tf.data.Dataset.from_tensor_slices(images.transpose(0, 2, 3, 1)).shuffle(len(images)).repeat()
    source = iter(data.batch(batch, drop_remainder=True).prefetch(2))

    def updated(net: Any, optimiser: Any, tape: Any, loss: Any) -> None:
        optimiser.apply_gradients(zip(tape.gradient(loss, net.trainable_variables), net.trainable_variables))

    def losses(real: Any, fake: Any) -> tuple[Any, Any]:
        logits_real, logits_fake = (tf.cast(D(x, training=True), tf.float32) for x in (real, fake))
        loss_D = bce(tf.ones_like(logits_real), logits_real) + bce(tf.zeros_like(logits_fake), logits_fake)
        return loss_D, bce(tf.ones_like(logits_fake), logits_fake)

    @tf.function(jit_compile=xla)
    def simultaneous(pixels: Any, turn: Any) -> None:
        real, z = tf.cast(pixels, tf.float32) / 127.5 - 1, tf.random.normal((batch, network.z_dim))
        with tf.GradientTape() as tape_D, tf.GradientTape() as tape_G:
            loss_D, loss_G = losses(real, G(z, training=True))
        updated(D, adam_D, tape_D, loss_D)
        updated(G, adam_G, tape_G, loss_G)

    @tf.function(jit_compile=xla)
    def one_by_one(pixels: Any, turn: bool | None) -> None:
        real, z = tf.cast(pixels, tf.float32) / 127.5 - 1, tf.random.normal((batch, network.z_dim))
        if turn is not False:
            fake = G(z, training=True)
            with tf.GradientTape() as tape:
                loss_D, _ = losses(real, fake)
            updated(D, adam_D, tape, loss_D)
        if turn is not True:
            with tf.GradientTape() as tape:
                logits = tf.cast(D(G(z, training=True), training=True), tf.float32)
                loss_G = bce(tf.ones_like(logits), logits)
            updated(G, adam_G, tape, loss_G)

    for net, optimiser in ((G, adam_G), (D, adam_D)):
        optimiser.build(net.trainable_variables)
    chosen = simultaneous if network.updates == "simultaneous" else one_by_one
    turn = 0

    def step() -> None:
        nonlocal turn
        chosen(next(source), bool(turn % 2) if network.updates == "in turns" else None)
        turn += 1

    return step


def sampler(network: Network, count: int, precision: str) -> Callable[[], None]:
    """A function that makes `count` images with `predict`, a thousand at a time."""
    keras.config.set_dtype_policy(precision)
    G = plain(network.generator, (network.z_dim,))

    def sample() -> None:
        G.predict(np.random.default_rng(0).standard_normal((count, network.z_dim), np.float32), batch_size=1000,
                  verbose=0)

    return sample


def plain(layers: Layers, shape: tuple[int, ...]) -> Any:
    """Keras' own layers, for inputs of `shape` (inputs,) or (channels, height, width)."""
    net = [keras.layers.Input(shape if len(shape) == 1 else (*shape[1:], shape[0]))]
    for layer in layers:
        match layer:
            case Dense(units, bias):
                net.append(keras.layers.Dense(units, use_bias=bias))
            case Conv(channels, kernel, stride, padding, bias):
                net.append(keras.layers.Conv2D(channels, kernel, stride, _name(padding), use_bias=bias))
            case ConvTranspose(channels, kernel, stride, padding, bias):
                net.append(keras.layers.Conv2DTranspose(channels, kernel, stride, _name(padding), use_bias=bias))
            case BatchNorm(momentum, epsilon, affine):
                net.append(keras.layers.BatchNormalization(-1, momentum, epsilon, affine, affine))
            case ReLU():
                net.append(keras.layers.ReLU())
            case LeakyReLU():
                net.append(keras.layers.LeakyReLU(0.2))
            case Dropout(p):
                net.append(keras.layers.Dropout(p))
            case Reshape(channels, height, width):
                net.append(keras.layers.Reshape((height, width, channels)))
            case Flatten():
                net.append(keras.layers.Flatten())
            case Tanh():
                net.append(keras.layers.Activation("tanh"))
            case _:
                raise ValueError(f"no Keras peer has {layer}")
    return keras.Sequential(net)


def _name(padding: str) -> str:
    return "valid" if padding == "valid" else "same"
