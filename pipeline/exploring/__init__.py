"""A page on which one explores a latent space: the generator as data, and the JavaScript that runs it in a browser."""
