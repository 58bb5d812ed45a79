"""Near-duplicates are removed as Radford, Metz & Chintala (2016, arXiv 1511.06434, section 4.1.1) do for LSUN.

A 3072-128-3072 denoising autoencoder with dropout and ReLU is fitted to 32x32 centre crops; which of its 128 code units
are above 0 is a semantic hash, and of the images with the same hash the first stays. The paper leaves open, and here:

- corruption: Gaussian noise of twice an image's own contrast. It makes the code follow what is coarse in an image,
  which recompression leaves alone;
- dropout: a fifth of the code; half of it, the usual choice, removes 276 images of Fashion-MNIST instead of 63;
- optimiser: Adam, 400 batches of 128 out of at most 20,000 images, the learning rate falling linearly from 0.002;
- the input: each channel less its own mean, then the image divided by its own contrast, less the mean of all images.
  Without the first, plain pictures of one colour (sea, sky) have the same code, and a brighter copy has another one.
  The price: pictures that differ in nothing but brightness, contrast or cast, or are flat, count as duplicates.

As in the paper only an equal hash counts. That removes 3 of CIFAR-10's 50,000 training images, each the same photograph
as an earlier one; none of 9,000 tiles of EuroSAT; and 63 of 10,000 images of Fashion-MNIST, most of them different
trousers of one cut, which is too many: silhouettes differ in little that survives the corruption. Of planted
duplicates it finds all copies, 98 % of those brighter by one grey level and 55 to 86 % of those with noise of one grey
level, but only 27 to 32 % of those saved again as JPEG of quality 90: most of the others differ in one or two bits.

Departures: none in the method. The sign of a code unit is computed in integers, so that a copy has exactly the code of
its original, wherever in a batch each of them stands; in floating point that is only nearly always true.
"""
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

SIDE, CODE = 32, 128
BATCH = 1024  # images read at a time
SAMPLE, STEPS, STEP_IMAGES, LR = 20_000, 400, 128, 0.002
NOISE, DROPOUT = 2.0, 0.2
FAINT = 0.1  # grey levels added to the contrast, which may be 0
FRACTION = 1 << 20  # weights are rounded to multiples of 1 / FRACTION


def unique(images: np.ndarray) -> np.ndarray:
    """Which images to keep: bool (n,), False where an earlier image has the same hash.

    `images` are uint8 (n, 1 or 3, h, w), possibly a memory map; of all but the hashes, 16 bytes each, only a part is in
    memory. The same images give the same answer; the global random generator is left alone.
    """
    keep = np.zeros(len(images), bool)
    if len(images):
        _, first = np.unique(hashes(images), axis=0, return_index=True)
        keep[first] = True
    return keep


def hashes(images: np.ndarray) -> np.ndarray:
    """The semantic hash of each image: two uint64, (n, 2), by an autoencoder fitted to the same images."""
    generator = torch.Generator().manual_seed(0)
    n = len(images)
    chosen = range(n) if n <= SAMPLE else torch.randint(n, (SAMPLE,), generator=generator).unique().tolist()
    weight, bias = fit(torch.cat([crops(images[chosen[i:i + BATCH]]) for i in range(0, len(chosen), BATCH)]), generator)
    return np.concatenate([code(crops(images[i:i + BATCH]), weight, bias) for i in range(0, n, BATCH)])


def crops(images: np.ndarray) -> Tensor:
    """uint8 (n, 1 or 3, h, w) -> the square in the middle, in three channels, uint8 (n, 3, 32, 32).

    Shrunk with antialiasing; what is 32x32 is unchanged.
    """
    side = min(images.shape[2:])
    top, left = ((length - side) // 2 for length in images.shape[2:])
    pixels = torch.from_numpy(np.array(images[:, :, top:top + side, left:left + side]))
    if side != SIDE:
        pixels = F.interpolate(pixels, (SIDE, SIDE), mode="bilinear", antialias=True)
    return pixels.expand(-1, 3, -1, -1)


def centred(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """uint8 (n, 3, 32, 32) -> each value less its channel's mean, times 1024, (n, 3072); and the contrast, (n, 1).

    float64; the former are whole numbers, and the latter is the root of one, so neither depends on the order of sums.
    """
    values = pixels.flatten(2).double()
    whole = (SIDE**2 * values - values.sum(2, keepdim=True)).flatten(1)
    return whole, (whole.square().sum(1, keepdim=True) / whole.shape[1]).sqrt() / SIDE**2 + FAINT


def standardised(pixels: Tensor) -> Tensor:
    """uint8 (n, 3, 32, 32) -> what the autoencoder sees: float32 (n, 3072), each image with mean 0 and contrast 1."""
    whole, contrast = centred(pixels)
    return (whole / (SIDE**2 * contrast)).float()


def fit(pixels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The encoder, weight (3072, 128) and bias (128,), of an autoencoder fitted to uint8 (n, 3, 32, 32)."""
    inputs = 3 * SIDE**2
    # What all images share would switch whole code units off before they have learnt anything.
    mean = sum(standardised(part).sum(0) for part in pixels.split(BATCH)) / len(pixels)
    encoder, decoder = (torch.randn(shape, generator=generator) / shape[0]**0.5
                        for shape in ((inputs, CODE), (CODE, inputs)))
    parameters = [encoder, torch.zeros(CODE), decoder, torch.zeros(inputs)]
    optimizer = torch.optim.Adam([parameter.requires_grad_() for parameter in parameters], LR)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 1 / STEPS, STEPS)
    for _ in range(STEPS):
        chosen = torch.randint(len(pixels), (STEP_IMAGES,), generator=generator)
        images = standardised(pixels[chosen]) - mean
        noisy = images + NOISE * torch.randn(images.shape, generator=generator)
        hidden = F.relu(noisy @ parameters[0] + parameters[1])
        kept = torch.rand(hidden.shape, generator=generator) >= DROPOUT
        loss = F.mse_loss(hidden * kept / (1 - DROPOUT) @ parameters[2] + parameters[3], images)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    weight, bias = parameters[0].detach(), parameters[1].detach()
    return weight, bias - mean @ weight


def code(pixels: Tensor, weight: Tensor, bias: Tensor) -> np.ndarray:
    """Which code units of uint8 (n, 3, 32, 32) are above 0, as the bits of two uint64, (n, 2).

    Whole numbers below 2**18 times weights of 2**-20 and up, 3,072 of them: the sums fit into float64 without rounding.
    """
    whole, contrast = centred(pixels)
    sums = whole @ (weight.double() * FRACTION).round()
    above = sums / (FRACTION * SIDE**2) > -bias.double() * contrast
    return np.packbits(above.numpy(), axis=1).view(np.uint64)
