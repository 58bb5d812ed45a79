"""The literature's networks, side by side. What a source leaves open and every departure from it stands here.

For all: a flattened image is height x width x channels, in Theano and PyTorch channels come first (weights permuted).
What is done with two numbers that Keras and TensorFlow compute differently: running variances carry Bessel's correction
in dense batch norms as well (theirs: in the others only; 1 % at batch 100); Adam adds epsilon after its bias correction
(theirs: before it; equal after a few thousand updates).
"""
from functools import partial

from pipeline.errors import InputError, suggestion
from pipeline.gan import guidelines
from pipeline.gan.networks import (Adam, BatchNorm, Conv, ConvTranspose, Dense, Dropout, Flatten, Labels, LeakyReLU,
                                   Network, ReLU, Reshape, Sigmoid, Tanh, scaled)

# Keras: layers have biases by default.
KERAS_BN = BatchNorm(momentum=0.99, epsilon=1e-3)
conv_same, up_same = (partial(layer, kernel=5, padding="same") for layer in (Conv, ConvTranspose))

# A. Radford's Theano code (Newmu/dcgan_code, ee12b2d). It normalises with batch statistics only, wherever it is used;
# we keep running averages beside them, for a D that can be asked about one image.
PAPER_BN = BatchNorm(momentum=0.9, epsilon=1e-8)
PLAIN_BN = BatchNorm(momentum=0.9, epsilon=1e-8, affine=False)
conv_half, up_half = (partial(layer, kernel=5, stride=2, padding="half", bias=False) for layer in (Conv, ConvTranspose))
conv3, up3 = (partial(layer, kernel=3, padding="half", bias=False) for layer in (Conv, ConvTranspose))

# PyTorch's example (pytorch/examples, dcgan/main.py) after S. Chintala's dcgan.torch.
TORCH_BN = BatchNorm(momentum=0.9, epsilon=1e-5)
conv4, up4 = (partial(layer, kernel=4, stride=2, padding="half", bias=False) for layer in (Conv, ConvTranspose))

NETWORKS = {
    # D. Nguyen, "DCGAN", slides and notebook, Hochschule Offenburg 2020, after TensorFlow's DCGAN tutorial: LeakyReLU
    # in both networks, dropout and no batch norm in D, Keras' defaults.
    "slides": Network(
        image=(1, 28, 28), z_dim=100, prior="normal",
        generator=(
            Dense(7 * 7 * 256, bias=False), KERAS_BN, LeakyReLU(), Reshape(256, 7, 7),
            up_same(128, stride=1, bias=False), KERAS_BN, LeakyReLU(),
            up_same(64, stride=2, bias=False), KERAS_BN, LeakyReLU(),
            up_same(1, stride=2, bias=False), Tanh()),
        discriminator=(
            conv_same(64, stride=2), LeakyReLU(), Dropout(0.3),
            conv_same(128, stride=2), LeakyReLU(), Dropout(0.3),
            Flatten(), Dense(1)),
        weights="glorot", optimiser=Adam(epsilon=1e-7), updates="simultaneous", last_fakes="a whole batch"),

    # "Implementing Deep Convolutional GANs" (Towards Data Science; code: rojagtap/DCGAN, cifar10/cifar.ipynb).
    # Its length is the article's 100 epochs, the notebook says 400. Departure: Keras' Adam decay 1e-8, which lowers lr
    # by 0.02 % in a hundred epochs, is left out.
    "article-cifar10": Network(
        image=(3, 32, 32), z_dim=128, prior="normal",
        generator=(
            Dense(8 * 8 * 256, bias=False), KERAS_BN, LeakyReLU(), Reshape(256, 8, 8),
            up_same(256, stride=1, bias=False), KERAS_BN, LeakyReLU(),
            up_same(128, stride=1, bias=False), KERAS_BN, LeakyReLU(),
            up_same(128, stride=1, bias=False), KERAS_BN, LeakyReLU(),
            up_same(64, stride=2, bias=False), KERAS_BN, LeakyReLU(),
            up_same(3, stride=2, bias=False), Tanh()),
        discriminator=(
            conv_same(128, stride=2), LeakyReLU(), Dropout(0.3),
            conv_same(256, stride=2), LeakyReLU(), Dropout(0.3),
            conv_same(256, stride=2), LeakyReLU(), Dropout(0.3),
            conv_same(128, stride=2), LeakyReLU(), Dropout(0.3),
            Flatten(), Dense(1)),
        weights="glorot", optimiser=Adam(epsilon=1e-7), updates="simultaneous", last_fakes="a whole batch"),

    # Udacity's deep-learning course, dcgan-svhn/DCGAN.ipynb. Departures: it stretches each mini-batch by its own
    # darkest pixel and never shuffles; here all images are scaled alike and reshuffled every epoch. Its running
    # averages move in both updates of a mini-batch, those of G twice and of D four times; ours once, and three times.
    "udacity-svhn": Network(
        image=(3, 32, 32), z_dim=100, prior="uniform",
        generator=(
            Dense(4 * 4 * 512), Reshape(512, 4, 4), KERAS_BN, LeakyReLU(),
            up_same(256, stride=2), KERAS_BN, LeakyReLU(),
            up_same(128, stride=2), KERAS_BN, LeakyReLU(),
            up_same(3, stride=2), Tanh()),
        discriminator=(
            conv_same(64, stride=2), LeakyReLU(),
            conv_same(128, stride=2), KERAS_BN, LeakyReLU(),
            conv_same(256, stride=2), KERAS_BN, LeakyReLU(),
            Flatten(), Dense(1)),
        weights="glorot", optimiser=Adam(epsilon=1e-8), updates="D then G", last_fakes="a whole batch"),

    # Radford, Metz & Chintala 2016, arXiv 1511.06434, fig. 1; faces/train_uncond_dcgan.py.
    "paper-64": Network(
        image=(3, 64, 64), z_dim=100, prior="uniform",
        generator=(
            Dense(4 * 4 * 1024, bias=False), PAPER_BN, ReLU(), Reshape(1024, 4, 4),
            up_half(512), PAPER_BN, ReLU(),
            up_half(256), PAPER_BN, ReLU(),
            up_half(128), PAPER_BN, ReLU(),
            up_half(3), Tanh()),
        discriminator=(
            conv_half(128), LeakyReLU(),
            conv_half(256), PAPER_BN, LeakyReLU(),
            conv_half(512), PAPER_BN, LeakyReLU(),
            conv_half(1024), PAPER_BN, LeakyReLU(),
            Flatten(), Dense(1, bias=False)),
        weights="normal", optimiser=Adam(epsilon=1e-8, weight_decay=1e-5), updates="alternating"),

    # The same, appendix; mnist/train_cond_dcgan.py: conditional, images in 0..1, batch norm without scale and shift.
    "paper-mnist": Network(
        image=(1, 28, 28), z_dim=100, prior="uniform", classes=10,
        generator=(
            Labels(), Dense(1024, bias=False), PLAIN_BN, ReLU(),
            Labels(), Dense(7 * 7 * 128, bias=False), PLAIN_BN, ReLU(), Reshape(128, 7, 7),
            Labels(), up_half(64), PLAIN_BN, ReLU(),
            Labels(), up_half(1), Sigmoid()),
        discriminator=(
            Labels(), conv_half(64), LeakyReLU(),
            Labels(), conv_half(128), PLAIN_BN, LeakyReLU(), Flatten(),
            Labels(), Dense(1024, bias=False), PLAIN_BN, LeakyReLU(),
            Labels(), Dense(1, bias=False)),
        weights="normal", optimiser=Adam(epsilon=1e-8, weight_decay=2.5e-5), updates="alternating"),

    # The same, sec. 5.2: svhn/svhn_semisup_analysis.py, whose file of weights is called
    # svhn_unsup_all_conv_dcgan_100z_gaussian_lr_0.0005_64mb: z is normal, lr .0005, 64 images a batch, 200 epochs.
    # Weight decay and beta1 are not published: here they are those of the faces.
    "paper-svhn": Network(
        image=(3, 32, 32), z_dim=100, prior="normal",
        generator=(
            Dense(4 * 4 * 256, bias=False), PAPER_BN, ReLU(), Reshape(256, 4, 4),
            up_half(128), PAPER_BN, ReLU(),
            up_half(64), PAPER_BN, ReLU(),
            up_half(3), Tanh()),
        discriminator=(
            conv_half(64), LeakyReLU(),
            conv_half(128), PAPER_BN, LeakyReLU(),
            conv_half(256), PAPER_BN, LeakyReLU(),
            Flatten(), Dense(1, bias=False)),
        weights="normal", optimiser=Adam(epsilon=1e-8, weight_decay=1e-5), updates="alternating"),

    # The same, sec. 5.1; imagenet/load_pretrained.py has D, the length, the size of z and its prior. It has a trained G
    # too, with which nobody has compared this one, D's mirror image. Weight decay, batch size, lr and beta1 are not
    # published: here they are those of the faces.
    "paper-imagenet32": Network(
        image=(3, 32, 32), z_dim=256, prior="uniform",
        generator=(
            Dense(4 * 4 * 512, bias=False), PAPER_BN, ReLU(), Reshape(512, 4, 4),
            up3(512, stride=2), PAPER_BN, ReLU(),
            up3(256, stride=1), PAPER_BN, ReLU(),
            up3(256, stride=2), PAPER_BN, ReLU(),
            up3(128, stride=1), PAPER_BN, ReLU(),
            up3(128, stride=2), PAPER_BN, ReLU(),
            up3(3, stride=1), Tanh()),
        discriminator=(
            conv3(128, stride=1), LeakyReLU(),
            conv3(128, stride=2), PAPER_BN, LeakyReLU(),
            conv3(256, stride=1), PAPER_BN, LeakyReLU(),
            conv3(256, stride=2), PAPER_BN, LeakyReLU(),
            conv3(512, stride=1), PAPER_BN, LeakyReLU(),
            conv3(512, stride=2), PAPER_BN, LeakyReLU(),
            Flatten(), Dense(1, bias=False)),
        weights="normal", optimiser=Adam(epsilon=1e-8, weight_decay=1e-5), updates="alternating"),

    # PyTorch's example. Departure: it ends in a sigmoid and takes its loss from there, here the loss takes the logit.
    "torch-64": Network(
        image=(3, 64, 64), z_dim=100, prior="normal",
        generator=(
            Reshape(100, 1, 1),
            ConvTranspose(512, kernel=4, stride=1, padding="valid", bias=False), TORCH_BN, ReLU(),
            up4(256), TORCH_BN, ReLU(),
            up4(128), TORCH_BN, ReLU(),
            up4(64), TORCH_BN, ReLU(),
            up4(3), Tanh()),
        discriminator=(
            conv4(64), LeakyReLU(),
            conv4(128), TORCH_BN, LeakyReLU(),
            conv4(256), TORCH_BN, LeakyReLU(),
            conv4(512), TORCH_BN, LeakyReLU(),
            Conv(1, kernel=4, stride=1, padding="valid", bias=False), Flatten()),
        weights="normal", optimiser=Adam(epsilon=1e-8), updates="D then G"),

    # Nobody's: the paper's five guidelines at MNIST's size, with the widths of its conditional network and neither
    # labels nor hidden dense layers. What `gan/guidelines.py` breaks one by one.
    "guidelines-28": Network(
        image=(1, 28, 28), z_dim=100, prior="uniform",
        generator=(
            Dense(7 * 7 * 128, bias=False), PAPER_BN, ReLU(), Reshape(128, 7, 7),
            up_half(64), PAPER_BN, ReLU(),
            up_half(1), Tanh()),
        discriminator=(
            conv_half(64), LeakyReLU(),
            conv_half(128), PAPER_BN, LeakyReLU(),
            Flatten(), Dense(1, bias=False)),
        weights="normal", optimiser=Adam(epsilon=1e-8, weight_decay=2.5e-5), updates="alternating"),
}


def network(name: str, width: float = 1.0, violate: tuple[str, ...] | list[str] = ()) -> Network:
    """The network called `name` with the guidelines in `violate` broken, `width` times as wide.

    InputError names the nearest network or guideline that exists, or the guideline that the network does not keep.
    """
    if name not in NETWORKS:
        raise InputError(f"no network {name!r}{suggestion(name, NETWORKS)}; there are {', '.join(NETWORKS)}")
    result = NETWORKS[name]
    for guideline in violate:
        result = guidelines.violate(result, guideline, name)
    return scaled(result, width)
