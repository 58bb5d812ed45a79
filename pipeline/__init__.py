"""The DCGAN laboratory. Each stage is a module: code fetch reference train evaluate internals transfer report search.

Stages are thin: they read `params.yaml` and files of the study's folder, call the rooms, and write files.

    params/    params.yaml as frozen dataclasses               data/       what a data set is and where it comes from
    gan/       networks as data, builder, losses, training     scores/     features -> statistics -> number
    latent/    what the paper does with z and inside G and D   tracking/   the only door to MLflow, and generators in it
    tuning/    the space of runs, studies and their workers    reporting/  what the report says, once for its forms
    commands/  what people type beside the stages

    observing  watches every training: snapshots, curves, checkpoints
    folders    where a study keeps things                      files      files and folders that are whole or absent
    stage      the command line and the guard of all stages    errors     what can go wrong, in one line
    figures    how pictures look                               processes  which process did something

Rooms know neither YAML, DVC nor MLflow, but for tracking and tuning; stages contain no mathematics.
"""
