"""What the paper does with z and with D: walks, arithmetic, guided backpropagation, dropped feature maps, films."""
