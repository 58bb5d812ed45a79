"""The DCGAN laboratory, one module per DVC stage: fetch, reference, train, evaluate, internals, report; and search.

Stages are thin: they read files and `params.yaml`, call the rooms, and write files.

    params    params.yaml, read once and checked           files      files and folders that are whole or absent
    sections  its sections as frozen dataclasses           documents  the files that sections make up
    finished  the sections about finished runs             latent/    what the paper does with z and inside G and D
    errors    what can go wrong, in one line               stage      what all stages share
    data/     what a data set is and where it comes from   tracking   the only door to MLflow, which cannot hurt a run
    gan/      networks as data, builder, losses, training  store      MLflow's side of that door
    scores/   features -> statistics -> number, one file per score
    parts/    what internals shows: each part asks latent/ and draws, as captioned pictures and numbers
    tuning/   the space of runs, studies and their workers, what trials say
    transfer  a recipe's D probed on another data set      recipes    the command that scales a recipe down
    trials    one trial of a search                        laboratory what all trials share
    findings  what a search found, as files                promote    the winner into params.yaml
    meanings  what every score means                       rounding   the digits that are significant
    figures   how pictures look                            processes  which process did something
    reporting/  what the report says, once for both forms  page       the report as one page of HTML
    __main__  the command dcgan; sample, walk, compare: its words for finished runs
    trained   a generator by its folder or its address     logged     generators in MLflow; serving is inside each

Rooms know neither YAML, DVC nor MLflow; stages contain no mathematics.
"""
