"""What the paper does with z and inside G and D, as captioned drawings and numbers; latent/ has the mathematics."""
