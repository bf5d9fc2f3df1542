"""What distillation brings over everything as cheap to serve: the experiment behind the README.

    python -m benchmarks.distillation try ml-100k --state outputs/proof    # choose settings
    python -m benchmarks.distillation run ml-100k --state outputs/proof    # train and test, 8 seeds
    python -m benchmarks.distillation worth ml-100k --state outputs/proof  # what each teacher adds
    python -m benchmarks.distillation table                                # only write the tables

`try` gives every recipe the same number of settings, on data one step earlier in time: there the
last training item validates and the validation item is tested, so the test part stays unseen.
`run` trains seed by seed, all recipes of a seed before the next, with what `try` found best; every
student has a pool, views and folds of users drawn for it alone, and every model meets the test part
once. Both go on where they were ended: what has a file in ``benchmarks/results/distillation/`` is
not made again. What is compared, and at which level, stands in ``settings.py`` and was written down
before the first of these models was tested.
"""
